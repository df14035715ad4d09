//! Before the fact: which of the starts that are to come will have to wait for a slot.

use jiff::{SignedDuration, Timestamp};

use crate::ids::JobKey;

/// Whether a start finds all `most` slots of its load taken (0: no limit). `earlier` are the starts that go before it,
/// the latest first; each takes its slot for as long as a channel `turn`s. Starts of its own job take none from it.
pub fn is_short<'a>(
    start: Timestamp,
    job: &JobKey,
    earlier: impl Iterator<Item = (Timestamp, &'a JobKey)>,
    most: u32,
    turn: SignedDuration,
) -> bool {
    let most = most as usize;
    let near = earlier.take_while(|(at, _)| start.duration_since(*at) < turn);
    most > 0 && near.filter(|(_, of)| *of != job).take(most).count() == most
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: SignedDuration = SignedDuration::from_secs(60);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn job(name: usize) -> JobKey {
        JobKey { endpoint: "https://live".into(), job: format!("job-{name}").into() }
    }

    /// Which of these starts, each of a job of its own, come short.
    fn short(starts: &[i64], most: u32) -> Vec<bool> {
        let mut sorted: Vec<(Timestamp, JobKey)> =
            starts.iter().enumerate().map(|(i, second)| (at(*second), job(i))).collect();
        sorted.sort();
        (0..sorted.len())
            .map(|i| {
                let earlier = sorted[..i].iter().rev().map(|(at, job)| (*at, job));
                is_short(sorted[i].0, &sorted[i].1, earlier, most, TURN)
            })
            .collect()
    }

    #[test]
    fn starts_beyond_the_slots_within_a_turn_come_short() {
        assert_eq!(short(&[0, 0, 0, 0], 2), [false, false, true, true]);
        assert_eq!(short(&[0, 30, 59, 60, 200], 2), [false, false, true, true, false]);
        assert_eq!(short(&[0, 60, 120], 1), [false, false, false], "a turn apart is enough");
        assert_eq!(short(&[0; 50], 0), [false; 50], "no limit");
    }

    #[test]
    fn another_start_of_the_same_job_takes_no_slot() {
        let (a, b) = (job(0), job(1));
        let earlier = [(at(0), &a), (at(0), &a)];
        assert!(!is_short(at(1), &a, earlier.into_iter(), 1, TURN));
        assert!(is_short(at(1), &b, earlier.into_iter(), 1, TURN));
    }

    #[test]
    fn at_any_instant_those_that_do_not_come_short_are_never_more_than_the_slots_unless_others_waited() {
        let mut dice = 1_u64;
        for _ in 0..500 {
            let mut roll = |sides: u64| {
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (dice >> 33) % sides
            };
            let most = u32::try_from(roll(4) + 1).unwrap();
            let mut starts: Vec<i64> = (0..roll(20)).map(|_| i64::try_from(roll(300)).unwrap()).collect();
            starts.sort_unstable();
            for (i, short) in short(&starts, most).into_iter().enumerate() {
                let near = starts[..i].iter().filter(|at| starts[i] - **at < 60).count();
                assert_eq!(short, near >= most as usize, "{starts:?} with {most}: {i}");
            }
        }
    }
}
