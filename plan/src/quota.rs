//! Across the jobs of one load: whose workflows stand at the vendor's scheduler. It takes few whose start is pending (six,
//! Live API reference), and the soonest go first.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::ids::WindowId;
use crate::plan::Place;
use crate::registration::Grant;

/// Whoever waits behind more than this is told this number: each that goes would change what all behind it are told.
pub const COUNTED: usize = 16;

/// The workflows of one load whose start is pending, or is to be: the soonest first, each known by the window that it is
/// recorded on.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// Whether each is there, or may be.
    places: BTreeMap<(Timestamp, WindowId), bool>,
    taken: usize,
}

impl Line {
    /// The window stands here.
    pub fn join(&mut self, window: &WindowId, place: Place) {
        let before = self.places.insert((place.start, window.clone()), place.taken);
        self.taken += usize::from(place.taken);
        self.taken -= usize::from(before == Some(true));
    }

    /// It stands here no longer.
    pub fn leave(&mut self, window: &WindowId, place: Place) {
        let before = self.places.remove(&(place.start, window.clone()));
        self.taken -= usize::from(before == Some(true));
    }

    /// Nobody stands in it.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// What a window is granted whose workflow starts then, in the line already or about to join it. `limit`: how many may
    /// be there at once; 0: no limit.
    ///
    /// Who has no workflow yet among the first is granted one only while all that are there leave room for it and for those
    /// before it: a later one has to go first otherwise. So never more than `limit` are there, or on their way.
    pub fn grant(&self, window: &WindowId, start: Timestamp, limit: u32) -> Grant {
        let (limit, mine) = (limit as usize, (start, window.clone()));
        if limit == 0 {
            return Grant::Granted;
        }
        let (mut before, mut to_come) = (0, 0);
        for taken in self.places.range(..&mine).map(|(_, taken)| *taken).take(COUNTED.max(limit)) {
            before += 1;
            to_come += usize::from(!taken);
        }
        if before >= limit {
            return Grant::Waits(u32::try_from(before.min(COUNTED.max(limit))).unwrap_or(u32::MAX));
        }
        let is_there = self.places.get(&mine) == Some(&true);
        if is_there || self.taken + to_come < limit { Grant::Granted } else { Grant::Making }
    }

    /// The windows whose grant may be another since somebody joined, left, or moved: with those that only wait, how many are
    /// before them.
    pub fn touched(&self, limit: u32) -> impl Iterator<Item = &WindowId> {
        // Without a limit nobody's is. The one behind the last that is granted one was granted one before, or will be.
        let most = if limit == 0 { 0 } else { (limit as usize).max(COUNTED) + 1 };
        self.places.keys().take(most).map(|(_, window)| window)
    }

    /// The windows whose grant may be another since the limit was `before` and is `after`.
    pub fn touched_by_limit(&self, before: u32, after: u32) -> impl Iterator<Item = &WindowId> {
        let most = if before == 0 || after == 0 { usize::MAX } else { (before.max(after) as usize).max(COUNTED) };
        let most = if before == after { 0 } else { most };
        self.places.keys().take(most).map(|(_, window)| window)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn window(second: i64) -> WindowId {
        WindowId::new(format!("w{second:04}"))
    }

    /// One window for each second at which a workflow starts.
    fn line(places: &[(i64, bool)]) -> Line {
        let mut line = Line::default();
        for (second, taken) in places {
            line.join(&window(*second), Place { start: at(*second), taken: *taken });
        }
        line
    }

    fn grants(places: &[(i64, bool)], limit: u32) -> Vec<Grant> {
        let line = line(places);
        let mut sorted = places.to_vec();
        sorted.sort_unstable();
        sorted.iter().map(|(second, _)| line.grant(&window(*second), at(*second), limit)).collect()
    }

    const THERE: bool = true;
    const TO_COME: bool = false;

    #[test]
    fn the_soonest_are_granted_and_the_others_wait_for_so_many() {
        use Grant::{Granted, Waits};
        let places = [(30, TO_COME), (10, TO_COME), (40, TO_COME), (20, TO_COME)];
        assert_eq!(grants(&places, 2), [Granted, Granted, Waits(2), Waits(3)]);
        assert_eq!(grants(&places, 4), [Granted; 4]);
        assert_eq!(grants(&places, 0), [Granted; 4], "no limit");
    }

    #[test]
    fn a_sooner_one_waits_until_the_farthest_is_gone_and_that_one_is_told_to_go() {
        use Grant::{Granted, Making, Waits};
        assert_eq!(grants(&[(10, TO_COME), (20, THERE), (30, THERE)], 2), [Making, Granted, Waits(2)]);
        assert_eq!(grants(&[(10, TO_COME), (20, THERE), (30, TO_COME)], 2), [Granted, Granted, Waits(2)]);
        let two_sooner = [(10, TO_COME), (20, TO_COME), (30, THERE)];
        assert_eq!(grants(&two_sooner, 2), [Granted, Making, Waits(2)], "the one place left is the soonest's");
    }

    #[test]
    fn of_starts_at_the_same_instant_the_order_is_by_the_window() {
        let mut line = Line::default();
        let start = at(0);
        for name in ["b", "a", "c"] {
            line.join(&WindowId::new(name), Place { start, taken: false });
        }
        let of = |name: &str| line.grant(&WindowId::new(name), start, 1);
        assert_eq!([of("a"), of("b"), of("c")], [Grant::Granted, Grant::Waits(1), Grant::Waits(2)]);
    }

    #[test]
    fn one_that_is_about_to_join_is_told_what_it_will_be_told_in_the_line() {
        let before = line(&[(10, THERE), (30, TO_COME)]);
        for (second, limit) in [(5, 1), (5, 2), (20, 1), (20, 2), (20, 3), (40, 2), (40, 3)] {
            let mut after = before.clone();
            after.join(&window(second), Place { start: at(second), taken: false });
            let (asked, told) =
                (before.grant(&window(second), at(second), limit), after.grant(&window(second), at(second), limit));
            assert_eq!(asked, told, "{second} with {limit}");
        }
    }

    #[test]
    fn who_is_behind_many_is_told_so_many_and_no_more() {
        let many: Vec<(i64, bool)> = (0..1500).map(|second| (second, TO_COME)).collect();
        assert_eq!([grants(&many, 6)[15], grants(&many, 6)[1400]], [Grant::Waits(15), Grant::Waits(16)]);
        assert_eq!(grants(&many, 100)[100], Grant::Waits(100), "all that are granted are before it");
    }

    #[test]
    fn one_that_leaves_or_moves_makes_room() {
        let mut line = line(&[(10, THERE), (20, TO_COME)]);
        assert_eq!(line.grant(&window(20), at(20), 1), Grant::Waits(1));
        line.leave(&window(10), Place { start: at(10), taken: true });
        assert_eq!(line.grant(&window(20), at(20), 1), Grant::Granted);
        line.leave(&window(20), Place { start: at(20), taken: false });
        assert!(line.is_empty());
        line.leave(&window(20), Place { start: at(20), taken: false });
    }

    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % sides
        }

        fn second(&mut self) -> i64 {
            i64::try_from(self.roll(40)).unwrap()
        }
    }

    #[test]
    fn those_that_are_there_and_those_that_may_be_made_are_never_more_than_the_limit_unless_too_many_were_there() {
        let mut dice = Dice(1);
        for _ in 0..2_000 {
            let limit = u32::try_from(dice.roll(6) + 1).unwrap();
            let mut places: BTreeMap<i64, bool> = BTreeMap::new();
            for _ in 0..dice.roll(20) {
                places.insert(dice.second(), dice.roll(3) == 0);
            }
            let places: Vec<(i64, bool)> = places.into_iter().collect();
            let told: Vec<(bool, Grant)> = places.iter().map(|(_, taken)| *taken).zip(grants(&places, limit)).collect();
            let there = told.iter().filter(|(taken, _)| *taken).count();
            let granted = told.iter().filter(|(taken, grant)| !taken && *grant == Grant::Granted).count();
            assert!(granted == 0 || there + granted <= limit as usize, "{told:?} with {limit}");
            let first = told.iter().take(limit as usize);
            assert!(first.clone().all(|(_, grant)| !matches!(grant, Grant::Waits(_))), "{told:?} with {limit}");
            let room = first.filter(|(taken, _)| !taken).count().min((limit as usize).saturating_sub(there));
            assert_eq!(granted, room, "no room is left unused: {told:?} with {limit}");
        }
    }

    /// Each does what its grant says, one after the other in any order, while windows come and go.
    #[test]
    fn whatever_comes_the_soonest_are_there_in_the_end_and_never_more_than_the_limit() {
        let mut dice = Dice(2);
        for _ in 0..300 {
            let limit = u32::try_from(dice.roll(4) + 1).unwrap();
            let (mut line, mut places) = (Line::default(), BTreeMap::new());
            for round in 0..200 {
                let second = dice.second();
                let known = places.get(&second).copied();
                let place = |taken| Place { start: at(second), taken };
                if round < 60 && dice.roll(3) == 0 {
                    if let Some(taken) = known {
                        line.leave(&window(second), place(taken));
                        places.remove(&second);
                    } else {
                        line.join(&window(second), place(false));
                        places.insert(second, false);
                    }
                } else if let Some(taken) = known {
                    let next = match line.grant(&window(second), at(second), limit) {
                        Grant::Granted => true,
                        Grant::Making => taken,
                        Grant::Waits(_) => false,
                    };
                    line.join(&window(second), place(next));
                    places.insert(second, next);
                }
                assert!(places.values().filter(|taken| **taken).count() <= limit as usize, "{places:?} with {limit}");
            }
            // Nobody comes or goes any more: each is asked again until nothing changes.
            for _ in 0..3 {
                for (second, taken) in &mut places {
                    *taken = match line.grant(&window(*second), at(*second), limit) {
                        Grant::Granted => true,
                        Grant::Making => *taken,
                        Grant::Waits(_) => false,
                    };
                    line.join(&window(*second), Place { start: at(*second), taken: *taken });
                }
            }
            let there = places.values().take_while(|taken| **taken).count();
            assert_eq!(there, places.len().min(limit as usize), "{places:?}");
            assert_eq!(places.values().filter(|taken| **taken).count(), there, "{places:?}");
        }
    }

    #[test]
    fn whoever_is_told_something_else_after_a_change_is_named_and_so_few_are() {
        let mut dice = Dice(3);
        for _ in 0..2_000 {
            let limit = u32::try_from(dice.roll(5)).unwrap();
            let mut line = line(&[]);
            for _ in 0..dice.roll(40) {
                let second = dice.second();
                line.join(&window(second), Place { start: at(second), taken: dice.roll(3) == 0 });
            }
            let told = |line: &Line, limit| -> BTreeMap<WindowId, Grant> {
                let each =
                    line.places.keys().map(|(start, window)| (window.clone(), line.grant(window, *start, limit)));
                each.collect()
            };
            let changed = |before: &BTreeMap<WindowId, Grant>,
                           after: BTreeMap<WindowId, Grant>|
             -> BTreeSet<WindowId> {
                let other = |(window, grant): &(WindowId, Grant)| before.get(window).is_some_and(|old| old != grant);
                after.into_iter().filter(other).map(|(window, _)| window).collect()
            };
            let before = told(&line, limit);
            let after = u32::try_from(dice.roll(5)).unwrap();
            let named: BTreeSet<WindowId> = line.touched_by_limit(limit, after).cloned().collect();
            assert!(changed(&before, told(&line, after)).is_subset(&named), "{line:?}: {limit}, {after}");
            let second = dice.second();
            let place = |taken| Place { start: at(second), taken };
            match line.places.get(&(at(second), window(second))).copied() {
                Some(taken) if dice.roll(2) == 0 => line.leave(&window(second), place(taken)),
                Some(taken) => line.join(&window(second), place(!taken)),
                None => line.join(&window(second), place(dice.roll(2) == 0)),
            }
            let named: BTreeSet<WindowId> = line.touched(limit).cloned().collect();
            assert!(named.len() <= (limit as usize).max(COUNTED) + 1);
            let changed = changed(&before, told(&line, limit));
            // The one that changed itself is decided anyway.
            assert!(changed.iter().all(|id| named.contains(id) || *id == window(second)), "{line:?}: {limit}");
        }
    }
}
