//! Keys that wait for workers.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Keys waiting their turn, each once. Bounded by the number of things there are.
#[derive(Debug)]
pub(super) struct Backlog<K> {
    keys: Mutex<Keys<K>>,
    filled: Notify,
}

#[derive(Debug)]
struct Keys<K> {
    order: VecDeque<K>,
    /// Those in `order`, and those put back while they are taken.
    waiting: BTreeSet<K>,
    taken: BTreeSet<K>,
    /// Those put back, before all others, while they are taken.
    urgent: BTreeSet<K>,
}

impl<K> Default for Backlog<K> {
    fn default() -> Self {
        let keys =
            Keys { order: VecDeque::new(), waiting: BTreeSet::new(), taken: BTreeSet::new(), urgent: BTreeSet::new() };
        Self { keys: Mutex::new(keys), filled: Notify::new() }
    }
}

impl<K: Ord + Clone> Backlog<K> {
    fn lock(&self) -> MutexGuard<'_, Keys<K>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, key: K) {
        self.extend([key]);
    }

    pub(super) fn extend(&self, more: impl IntoIterator<Item = K>) {
        let mut keys = self.lock();
        for key in more {
            if keys.waiting.insert(key.clone()) && !keys.taken.contains(&key) {
                keys.order.push_back(key);
                self.filled.notify_one();
            }
        }
    }

    /// Puts it before all that wait.
    pub(super) fn urge(&self, key: K) {
        let mut keys = self.lock();
        keys.waiting.insert(key.clone());
        if keys.taken.contains(&key) {
            keys.urgent.insert(key);
        } else {
            // Where it stood before it is passed over later.
            keys.order.push_front(key);
            self.filled.notify_one();
        }
    }

    fn take(&self, alone: bool) -> Option<K> {
        let mut keys = self.lock();
        let key = loop {
            let key = keys.order.pop_front()?;
            if keys.waiting.remove(&key) {
                break key;
            }
        };
        if alone {
            keys.taken.insert(key.clone());
        }
        if !keys.order.is_empty() {
            // Several workers wait on one bell, which rings once however often it is struck.
            self.filled.notify_one();
        }
        Some(key)
    }

    /// All that wait.
    pub(super) fn take_all(&self) -> Vec<K> {
        let mut keys = self.lock();
        let order = std::mem::take(&mut keys.order);
        order.into_iter().filter(|key| keys.waiting.remove(key)).collect()
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Nothing is waiting, and nothing is taken.
    pub(super) fn is_empty(&self) -> bool {
        let keys = self.lock();
        keys.waiting.is_empty() && keys.taken.is_empty()
    }

    /// The one that waits longest.
    pub(super) async fn next(&self) -> K {
        self.wait(false).await
    }

    /// The same, for this worker alone: put back meanwhile, it waits until it is [`done`](Self::done).
    pub(super) async fn next_alone(&self) -> K {
        self.wait(true).await
    }

    async fn wait(&self, alone: bool) -> K {
        loop {
            if let Some(key) = self.take(alone) {
                return key;
            }
            self.filled.notified().await;
        }
    }

    /// A key that was taken alone may be taken again.
    pub(super) fn done(&self, key: &K) {
        let mut keys = self.lock();
        let urgent = keys.urgent.remove(key);
        if keys.taken.remove(key) && keys.waiting.contains(key) {
            if urgent {
                keys.order.push_front(key.clone());
            } else {
                keys.order.push_back(key.clone());
            }
            self.filled.notify_one();
        }
    }
}
