//! Which account's calls are part of which load.

use std::collections::BTreeSet;

use jiff::Timestamp;
use plan::admit::Heard;
use plan::{AccountName, JobKey};

use crate::controller::load::{Allowance, LoadKey, Queue};

use super::Index;

impl Index {
    /// Puts the account on the load of its key, and off another's. What left from another is answered there. Returns the
    /// jobs, others' too, that the vendor's scheduler may have room for now, or no longer has.
    pub(super) fn settle_load(&mut self, name: &AccountName, now: Timestamp) -> BTreeSet<JobKey> {
        let account = self.accounts.get(name);
        let allowance = account.map(|account| Allowance(account.limits(), account.quota()));
        let next = account.and_then(|account| account.client.as_ref().ok()).map(LoadKey::of);
        let moves = self.loads.get(name) != next.as_ref();
        let mut touched = if moves { self.leave_load(name) } else { BTreeSet::new() };
        if let (Some(next), Some(allowance)) = (next, allowance) {
            let before = self.pending_activations(&next);
            self.queues.entry(next.clone()).or_insert_with(|| Queue::new(now)).join(name, allowance);
            self.loads.insert(name.clone(), next.clone());
            touched.extend(self.limit_moved(&next, before));
            if moves {
                touched.extend(self.bring_places(name));
            }
        }
        touched
    }

    /// Takes the account off its load. Returns the jobs, others' too, that the vendor's scheduler may have room for now.
    pub(super) fn leave_load(&mut self, name: &AccountName) -> BTreeSet<JobKey> {
        let Some(load) = self.loads.remove(name) else { return BTreeSet::new() };
        let before = self.pending_activations(&load);
        if let Some(queue) = self.queues.get_mut(&load) {
            queue.leave(name);
        }
        let mut touched = self.limit_moved(&load, before);
        touched.extend(self.forget_places(name));
        self.forget_load(&load);
        touched
    }

    /// A request came to its end: its load has room again.
    pub(super) fn ended(&mut self, load: &LoadKey, about: Option<&JobKey>, probe: bool, heard: Heard, now: Timestamp) {
        if let Some(queue) = self.queues.get_mut(load) {
            queue.load.answered(heard, about, probe, now, &self.timings);
        }
        self.forget_load(load);
    }

    /// More requests were made than were let go: a list has pages.
    pub(in crate::controller) fn spent(&mut self, load: &LoadKey, more: u32) {
        if let Some(queue) = self.queues.get_mut(load) {
            queue.load.spent(more);
        }
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
