//! Whose turn it is: hosts are served one after another, each from its own queue.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// How much a [`Queue`](super::Queue) takes, and how much of it is under way at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// Posts under way to one host.
    pub per_host: usize,
    /// Posts under way in all.
    pub at_once: usize,
    /// Posts that wait for one host, so that one host does not fill the queue.
    pub waiting_per_host: usize,
    /// Posts that wait in all.
    pub waiting: usize,
    /// Hosts that have asked for time, and URLs that are gone, each.
    pub remembered: usize,
}

impl Default for QueueLimits {
    /// 2 and 64 at once, 1,024 and 8,192 that wait, 4,096 remembered.
    fn default() -> Self {
        Self { per_host: 2, at_once: 64, waiting_per_host: 1024, waiting: 8192, remembered: 4096 }
    }
}

/// What waits, by host, and how much of it is under way.
#[derive(Debug)]
pub(super) struct Turns<T> {
    limits: QueueLimits,
    hosts: BTreeMap<Arc<str>, Host<T>>,
    /// The hosts that have something waiting and may have more under way; the first is next.
    order: VecDeque<Arc<str>>,
    waiting: usize,
    under_way: usize,
}

#[derive(Debug)]
struct Host<T> {
    waiting: VecDeque<T>,
    under_way: usize,
    in_order: bool,
}

impl<T> Default for Host<T> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), under_way: 0, in_order: false }
    }
}

/// There is no room.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl<T> Turns<T> {
    pub(super) fn new(limits: QueueLimits) -> Self {
        Self { limits, hosts: BTreeMap::new(), order: VecDeque::new(), waiting: 0, under_way: 0 }
    }

    pub(super) fn push(&mut self, host: &Arc<str>, item: T) -> Result<(), Full> {
        let waiting = self.hosts.get(host).map_or(0, |host| host.waiting.len());
        if self.waiting >= self.limits.waiting || waiting >= self.limits.waiting_per_host {
            return Err(Full);
        }
        self.hosts.entry(Arc::clone(host)).or_default().waiting.push_back(item);
        self.waiting += 1;
        self.put_in_order(host);
        Ok(())
    }

    /// Takes out what is next. It is under way until [`done`](Self::done) with its host.
    pub(super) fn next(&mut self) -> Option<(Arc<str>, T)> {
        if self.under_way >= self.limits.at_once {
            return None;
        }
        let key = self.order.pop_front()?;
        let host = self.hosts.get_mut(&key)?;
        host.in_order = false;
        let item = host.waiting.pop_front()?;
        host.under_way += 1;
        self.waiting -= 1;
        self.under_way += 1;
        self.put_in_order(&key);
        Some((key, item))
    }

    pub(super) fn done(&mut self, key: &Arc<str>) {
        let Some(host) = self.hosts.get_mut(key) else { return };
        host.under_way = host.under_way.saturating_sub(1);
        self.under_way = self.under_way.saturating_sub(1);
        if host.under_way == 0 && host.waiting.is_empty() {
            self.hosts.remove(key);
        } else {
            self.put_in_order(key);
        }
    }

    /// How much waits or is under way.
    pub(super) fn len(&self) -> usize {
        self.waiting + self.under_way
    }

    /// Forgets all there is, also what is under way.
    pub(super) fn reset(&mut self) {
        *self = Self::new(self.limits);
    }

    /// Drops what waits.
    pub(super) fn clear_waiting(&mut self) {
        self.order.clear();
        self.waiting = 0;
        self.hosts.retain(|_, host| {
            host.waiting.clear();
            host.in_order = false;
            host.under_way > 0
        });
    }

    fn put_in_order(&mut self, key: &Arc<str>) {
        let Some(host) = self.hosts.get_mut(key) else { return };
        if !host.in_order && !host.waiting.is_empty() && host.under_way < self.limits.per_host {
            host.in_order = true;
            self.order.push_back(Arc::clone(key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(limits: QueueLimits, items: &[(&str, u32)]) -> Turns<u32> {
        let mut turns = Turns::new(limits);
        for (host, item) in items {
            turns.push(&Arc::from(*host), *item).unwrap();
        }
        turns
    }

    fn all(turns: &mut Turns<u32>) -> Vec<u32> {
        std::iter::from_fn(|| turns.next()).map(|(_, item)| item).collect()
    }

    #[test]
    fn hosts_take_turns_and_none_has_more_under_way_than_its_share() {
        let items = [("a", 1), ("a", 2), ("a", 3), ("a", 4), ("b", 5), ("c", 6), ("c", 7)];
        let mut turns = turns(QueueLimits::default(), &items);
        assert_eq!(all(&mut turns), [1, 5, 6, 2, 7]);
        turns.done(&"b".into());
        assert_eq!(all(&mut turns), [0; 0], "b has nothing more, and a and c have their share");
        turns.done(&"a".into());
        assert_eq!(all(&mut turns), [3]);
        assert_eq!(turns.len(), 5);
    }

    #[test]
    fn no_more_than_the_limit_is_under_way_in_all() {
        let limits = QueueLimits { at_once: 2, ..QueueLimits::default() };
        let mut turns = turns(limits, &[("a", 1), ("b", 2), ("c", 3)]);
        assert_eq!(all(&mut turns), [1, 2]);
        turns.done(&"b".into());
        assert_eq!(all(&mut turns), [3]);
    }

    #[test]
    fn what_waits_is_bounded_in_all_and_by_host() {
        let limits = QueueLimits { waiting: 3, waiting_per_host: 2, ..QueueLimits::default() };
        let mut turns = turns(limits, &[("a", 1), ("a", 2)]);
        assert_eq!(turns.push(&"a".into(), 3), Err(Full));
        assert_eq!(turns.push(&"b".into(), 4), Ok(()));
        assert_eq!(turns.push(&"c".into(), 5), Err(Full));
        turns.next();
        assert_eq!(turns.push(&"a".into(), 6), Ok(()), "what is under way waits no longer");
    }

    #[test]
    fn nothing_is_kept_of_a_host_that_is_served() {
        let mut turns = turns(QueueLimits::default(), &[("a", 1), ("b", 2), ("b", 3)]);
        turns.next();
        turns.clear_waiting();
        assert_eq!(turns.len(), 1);
        turns.done(&"a".into());
        assert!(turns.hosts.is_empty() && turns.order.is_empty());
        assert_eq!(turns.len(), 0);
    }
}
