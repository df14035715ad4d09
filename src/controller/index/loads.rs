//! Which account's calls are part of which load.

use jiff::Timestamp;
use plan::admit::Heard;
use plan::{AccountName, JobKey};

use crate::controller::accounts::Account;
use crate::controller::load::{LoadKey, Queue};

use super::Index;

impl Index {
    /// Puts the account on the load of its key, and off another's. What left from another is answered there.
    pub(super) fn settle_load(&mut self, name: &AccountName, now: Timestamp) {
        let account = self.accounts.get(name);
        let limits = account.map(Account::limits);
        let next = account.and_then(|account| account.client.as_ref().ok()).map(LoadKey::of);
        if self.loads.get(name) != next.as_ref() {
            self.leave_load(name);
        }
        if let (Some(next), Some(limits)) = (next, limits) {
            self.queues.entry(next.clone()).or_insert_with(|| Queue::new(now)).join(name, limits);
            self.loads.insert(name.clone(), next);
        }
    }

    pub(super) fn leave_load(&mut self, name: &AccountName) {
        let Some(load) = self.loads.remove(name) else { return };
        if let Some(queue) = self.queues.get_mut(&load) {
            queue.leave(name);
        }
        self.forget_load(&load);
    }

    /// A request came to its end: its load has room again.
    pub(super) fn ended(&mut self, load: &LoadKey, about: Option<&JobKey>, probe: bool, heard: Heard, now: Timestamp) {
        if let Some(queue) = self.queues.get_mut(load) {
            queue.load.answered(heard, about, probe, now, &self.timings);
        }
        self.forget_load(load);
    }

    /// Something is wanted of the load that was not let go yet.
    pub(in crate::controller) fn anything_waits(&self, load: &LoadKey) -> bool {
        self.queues.get(load).is_some_and(|queue| !queue.wanted.is_empty())
    }

    fn forget_load(&mut self, load: &LoadKey) {
        if self.queues.get(load).is_some_and(Queue::is_over) {
            self.queues.remove(load);
        }
    }
}
