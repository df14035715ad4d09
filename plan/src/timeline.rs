//! All windows of one job, merged.

use jiff::{SignedDuration, Timestamp};

/// A half-open span of time, `[start, stop)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// First instant inside.
    pub start: Timestamp,
    /// First instant after it.
    pub stop: Timestamp,
}

impl Interval {
    /// `[start, stop)`, or `None` when it would be empty.
    pub fn new(start: Timestamp, stop: Timestamp) -> Option<Self> {
        (start < stop).then_some(Self { start, stop })
    }

    /// Whether `at` lies inside.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.start <= at && at < self.stop
    }

    /// Whether the two share an instant. Touching is not overlapping.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.start < other.stop && other.start < self.stop
    }
}

/// The times a channel is meant to be on: disjoint blocks in order, at least a channel's turning time apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline(Vec<Interval>);

impl Timeline {
    /// Merges the intervals; gaps shorter than `turn` are closed, since the channel could not be off and on again in
    /// time.
    pub fn merge(intervals: impl IntoIterator<Item = Interval>, turn: SignedDuration) -> Self {
        let mut sorted: Vec<Interval> = intervals.into_iter().collect();
        sorted.sort_by_key(|interval| (interval.start, interval.stop));
        let mut blocks: Vec<Interval> = Vec::with_capacity(sorted.len());
        for next in sorted {
            match blocks.last_mut() {
                Some(last) if next.start <= last.stop || next.start.duration_since(last.stop) < turn => {
                    last.stop = last.stop.max(next.stop);
                }
                _ => blocks.push(next),
            }
        }
        Self(blocks)
    }

    /// Whether the channel is meant to be on at `at`.
    pub fn covers(&self, at: Timestamp) -> bool {
        let after = self.0.partition_point(|block| block.start <= at);
        after.checked_sub(1).and_then(|i| self.0.get(i)).is_some_and(|block| block.contains(at))
    }

    /// The blocks, in order.
    pub fn blocks(&self) -> &[Interval] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn interval((start, length): (i64, i64)) -> Interval {
        Interval::new(at(start), at(start + length)).unwrap()
    }

    fn merged(spans: &[(i64, i64)], turn: i64) -> Vec<(i64, i64)> {
        Timeline::merge(spans.iter().map(|span| interval(*span)), SignedDuration::from_secs(turn))
            .blocks()
            .iter()
            .map(|block| (block.start.as_second(), block.stop.as_second()))
            .collect()
    }

    #[test]
    fn overlapping_nested_and_touching_windows_are_one_block() {
        assert_eq!(merged(&[(0, 20), (10, 20)], 0), [(0, 30)]);
        assert_eq!(merged(&[(0, 30), (10, 5)], 0), [(0, 30)]);
        assert_eq!(merged(&[(0, 10), (10, 10)], 0), [(0, 20)]);
    }

    #[test]
    fn a_gap_is_closed_only_when_shorter_than_the_turning_time() {
        assert_eq!(merged(&[(0, 10), (69, 10)], 60), [(0, 79)]);
        assert_eq!(merged(&[(0, 10), (70, 10)], 60), [(0, 10), (70, 80)]);
    }

    #[test]
    fn touching_is_not_overlapping() {
        assert!(!interval((0, 10)).overlaps(&interval((10, 10))));
        assert!(interval((0, 11)).overlaps(&interval((10, 10))));
    }

    proptest! {
        /// Second by second: the channel is meant to be on in every window, and in every gap that is too short.
        #[test]
        fn the_merged_timeline_equals_a_brute_force_union(
            spans in prop::collection::vec((0i64..300, 1i64..60), 0..12),
            turn in 0i64..40,
        ) {
            let timeline = Timeline::merge(spans.iter().map(|span| interval(*span)), SignedDuration::from_secs(turn));
            let on: Vec<bool> = (0..400).map(|s| spans.iter().any(|(start, length)| (*start..start + length).contains(&s))).collect();
            for second in 0..400usize {
                let before = on[..second].iter().rposition(|on| *on);
                let after = on[second..].iter().position(|on| *on).map(|ahead| second + ahead);
                let in_short_gap = !on[second] && matches!((before, after), (Some(b), Some(a)) if i64::try_from(a - b - 1).unwrap() < turn);
                prop_assert_eq!(
                    timeline.covers(at(i64::try_from(second).unwrap())),
                    on[second] || in_short_gap,
                    "second {} of {:?} with turn {}", second, &spans, turn
                );
            }
        }

        #[test]
        fn blocks_are_in_order_and_at_least_the_turning_time_apart(
            spans in prop::collection::vec((0i64..300, 1i64..60), 0..12),
            turn in 1i64..40,
        ) {
            let blocks = merged(&spans, turn);
            for pair in blocks.windows(2) {
                prop_assert!(pair[1].0 - pair[0].1 >= turn, "{:?}", pair);
            }
        }
    }
}
