//! Wall-clock deadlines in one ordered table.
//!
//! A deadline is kept as the instant it stands for, not as a timer: a timer armed for a duration would fire early or
//! late when the wall clock is set, and would not count the time a machine is suspended. The lane sleeps to the head
//! of the table, at most half a second, and compares with the wall clock again.

mod clock;
mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

pub use clock::{Clock, WallClock};
pub use steps::Steps;

/// The longest sleep: how late a step of the wall clock may be noticed.
const LONGEST_SLEEP: SignedDuration = SignedDuration::from_millis(500);

/// At most one deadline for each key. A deadline moves both ways and can be dropped.
#[derive(Debug)]
pub struct Timetable<K> {
    table: Mutex<Table<K>>,
    /// The head may have come nearer than the lane sleeps for.
    changed: Notify,
}

#[derive(Debug)]
struct Table<K> {
    ordered: BTreeSet<(Timestamp, K)>,
    by_key: BTreeMap<K, Timestamp>,
}

impl<K> Default for Timetable<K> {
    fn default() -> Self {
        let table = Table { ordered: BTreeSet::new(), by_key: BTreeMap::new() };
        Self { table: Mutex::new(table), changed: Notify::new() }
    }
}

impl<K: Ord + Clone + Debug> Timetable<K> {
    fn lock(&self) -> MutexGuard<'_, Table<K>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the deadline of `key`, or drops it.
    pub fn set(&self, key: K, deadline: Option<Timestamp>) {
        let mut table = self.lock();
        let head = table.ordered.first().map(|(at, _)| *at);
        table.remove(&key);
        if let Some(at) = deadline {
            table.by_key.insert(key.clone(), at);
            table.ordered.insert((at, key));
            if head.is_none_or(|head| at < head) {
                self.changed.notify_one();
            }
        }
    }

    /// Takes out what is due at `now`, the earliest first, at most `most` of them.
    pub fn take_due(&self, now: Timestamp, most: usize) -> Vec<(Timestamp, K)> {
        let mut table = self.lock();
        let mut due = Vec::new();
        while due.len() < most {
            match table.ordered.first() {
                Some((at, _)) if *at <= now => {}
                _ => break,
            }
            if let Some((at, key)) = table.ordered.pop_first() {
                table.by_key.remove(&key);
                due.push((at, key));
            }
        }
        due
    }

    /// When the next deadline is.
    pub fn head(&self) -> Option<Timestamp> {
        self.lock().ordered.first().map(|(at, _)| *at)
    }

    /// How many deadlines there are.
    pub fn len(&self) -> usize {
        self.lock().by_key.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sleeps until the head is due by `clock`, or may be; half a second at most. Never returns early because of a
    /// rounding: the caller compares with the clock again.
    pub async fn sleep(&self, clock: &dyn Clock) {
        let left = self.head().map_or(LONGEST_SLEEP, |head| head.duration_since(clock.now())).min(LONGEST_SLEEP);
        let Ok(left) = Duration::try_from(left) else { return };
        if left.is_zero() {
            return;
        }
        tokio::select! {
            biased;
            () = self.changed.notified() => {}
            () = tokio::time::sleep(left) => {}
        }
    }
}

impl<K: Ord> Table<K> {
    fn remove(&mut self, key: &K)
    where
        K: Clone,
    {
        if let Some(at) = self.by_key.remove(key) {
            self.ordered.remove(&(at, key.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    /// A wall clock that runs with tokio's virtual time and can be set.
    #[derive(Debug)]
    struct SetClock {
        zero: tokio::time::Instant,
        shift: AtomicI64,
    }

    impl SetClock {
        fn new() -> Self {
            Self { zero: tokio::time::Instant::now(), shift: AtomicI64::new(0) }
        }
    }

    impl Clock for SetClock {
        fn now(&self) -> Timestamp {
            at(i64::try_from(self.zero.elapsed().as_millis()).unwrap() + self.shift.load(Ordering::SeqCst))
        }

        fn monotonic(&self) -> Duration {
            Duration::ZERO
        }

        fn boottime(&self) -> Duration {
            Duration::ZERO
        }
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap()
    }

    fn keys(due: Vec<(Timestamp, &'static str)>) -> Vec<&'static str> {
        due.into_iter().map(|(_, key)| key).collect()
    }

    async fn next_due(table: &Timetable<&'static str>, clock: &SetClock) -> (&'static str, Timestamp) {
        loop {
            if let Some((_, key)) = table.take_due(clock.now(), 1).pop() {
                return (key, clock.now());
            }
            table.sleep(clock).await;
        }
    }

    #[test]
    fn a_deadline_moves_both_ways_and_can_be_dropped() {
        let table = Timetable::default();
        table.set("a", Some(at(10)));
        table.set("b", Some(at(20)));
        table.set("a", Some(at(30)));
        assert_eq!(table.head(), Some(at(20)));
        table.set("b", Some(at(40)));
        table.set("a", Some(at(5)));
        assert_eq!(keys(table.take_due(at(5), 9)), ["a"]);
        table.set("b", None);
        assert!(table.is_empty());
    }

    #[test]
    fn due_ones_come_in_order_and_in_the_number_asked_for() {
        let table = Timetable::default();
        for (key, millis) in [("c", 3), ("a", 1), ("b", 2), ("later", 9)] {
            table.set(key, Some(at(millis)));
        }
        assert_eq!(keys(table.take_due(at(5), 2)), ["a", "b"]);
        assert_eq!(keys(table.take_due(at(5), 2)), ["c"]);
        assert_eq!(keys(table.take_due(at(5), 2)), [""; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn never_early_and_at_most_a_millisecond_late_on_an_idle_lane() {
        let (table, clock) = (Timetable::default(), SetClock::new());
        table.set("a", Some(at(1_234)));
        let (_, woken) = next_due(&table, &clock).await;
        assert!(woken >= at(1_234) && woken <= at(1_235), "{woken}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_nearer_deadline_wakes_the_lane() {
        let (table, clock) = (Arc::new(Timetable::default()), SetClock::new());
        table.set("far", Some(at(400)));
        let other = Arc::clone(&table);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            other.set("near", Some(at(100)));
        });
        assert_eq!(next_due(&table, &clock).await.0, "near");
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_set_forward_is_noticed_within_half_a_second() {
        let (table, clock) = (Arc::new(Timetable::default()), Arc::new(SetClock::new()));
        table.set("in an hour", Some(at(3_600_000)));
        let set = Arc::clone(&clock);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(700)).await;
            set.shift.store(3_600_000, Ordering::SeqCst);
        });
        let started = tokio::time::Instant::now();
        next_due(&table, &clock).await;
        assert!(started.elapsed() <= Duration::from_millis(1_201), "{:?}", started.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_set_back_makes_nothing_early() {
        let (table, clock) = (Timetable::default(), SetClock::new());
        table.set("a", Some(at(1_000)));
        tokio::time::sleep(Duration::from_millis(900)).await;
        clock.shift.store(-5_000, Ordering::SeqCst);
        let (_, woken) = next_due(&table, &clock).await;
        assert!(woken >= at(1_000), "{woken}");
    }
}
