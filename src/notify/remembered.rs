use std::collections::BTreeMap;
use std::time::Duration;

/// Keys that are remembered for a while, at most so many; in too great a number the one that would be forgotten first
/// is. Times are those of one clock that nobody sets.
#[derive(Debug)]
pub(super) struct Remembered<K> {
    most: usize,
    until: BTreeMap<K, Duration>,
}

impl<K: Ord + Clone> Remembered<K> {
    pub(super) fn new(most: usize) -> Self {
        Self { most, until: BTreeMap::new() }
    }

    /// Remembers a key until then; longer if it is remembered longer already.
    pub(super) fn remember(&mut self, key: K, until: Duration, now: Duration) {
        let kept = self.until.entry(key).or_default();
        *kept = until.max(*kept);
        if self.until.len() > self.most {
            self.until.retain(|_, until| *until > now);
        }
        while self.until.len() > self.most {
            let soonest = self.until.iter().min_by_key(|(_, until)| **until).map(|(key, _)| key.clone());
            let Some(soonest) = soonest else { return };
            self.until.remove(&soonest);
        }
    }

    /// How much longer a key is remembered; none if it is not.
    pub(super) fn left(&self, key: &K, now: Duration) -> Option<Duration> {
        self.until.get(key)?.checked_sub(now).filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_key_is_remembered_until_its_time() {
        let mut remembered = Remembered::new(9);
        remembered.remember("a", at(20), at(10));
        remembered.remember("a", at(15), at(11));
        assert_eq!(remembered.left(&"a", at(12)), Some(at(8)));
        assert_eq!(remembered.left(&"a", at(20)), None);
        assert_eq!(remembered.left(&"b", at(12)), None);
    }

    #[test]
    fn of_too_many_the_one_that_would_go_first_is_forgotten() {
        let mut remembered = Remembered::new(2);
        remembered.remember("a", at(30), at(0));
        remembered.remember("b", at(20), at(0));
        remembered.remember("c", at(40), at(1));
        let kept = |at| ["a", "b", "c"].map(|key| remembered.left(&key, at).is_some());
        assert_eq!(kept(at(1)), [true, false, true]);
    }
}
