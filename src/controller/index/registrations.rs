//! The workflows of each load whose start is pending, or is to be: which of them the vendor's scheduler has room for.

use std::collections::BTreeSet;

use jiff::Timestamp;
use plan::{AccountName, JobKey, Offer, Place, Quota, Registration, Window, WindowId};

use crate::controller::accounts::Account;
use crate::controller::load::{LoadKey, Queue};

use super::Index;

impl Index {
    /// What the vendor's scheduler offers the window, as its account and those it shares a key with have it.
    pub(super) fn offer(&self, window: &Window, now: Timestamp) -> Offer {
        let quota = self.accounts.get(&window.account).map_or_else(Quota::default, Account::quota);
        let offer = Offer { horizon: quota.ahead, ..Offer::default() };
        // Without a key nothing can be asked, and what stands there stays.
        let load = self.loads.get(&window.account).filter(|_| window.delegation.is_some());
        let Some(load) = load else { return offer };
        let no_list = self.queues.get(load).is_some_and(|queue| queue.workflows.known_missing(now));
        // One that is seen for the first time is told what it will be told in the line.
        let start = self.placed.get(&window.id).map_or_else(|| window.start(), |(_, place)| place.start);
        let most = self.pending_activations(load);
        let grant = self.lines.get(load).map(|line| line.grant(&window.id, start, most)).unwrap_or_default();
        Offer { no_list, grant, ..offer }
    }

    /// How many workflows whose start is pending may be at the load's scheduler at once; 0: no limit.
    pub(super) fn pending_activations(&self, load: &LoadKey) -> u32 {
        self.queues.get(load).map_or_else(|| Quota::default().pending_activations, Queue::pending_activations)
    }

    /// Takes up the window's place. `asked`: the start that it was offered room for, where it had no place yet. Returns the
    /// jobs that may be offered something else now.
    pub(super) fn note_place(&mut self, id: &WindowId, place: Option<Place>, asked: Timestamp) -> BTreeSet<JobKey> {
        let load = self.windows.get(id).and_then(|stored| self.loads.get(&stored.spec.account));
        let next = load.cloned().zip(place);
        if self.placed.get(id) == next.as_ref() {
            return BTreeSet::new();
        }
        let asked = self.placed.get(id).map_or(asked, |(_, before)| before.start);
        let mut touched = self.forget_place(id);
        if let Some((load, place)) = next {
            self.lines.entry(load.clone()).or_default().join(id, place);
            touched.extend(self.in_line(&load));
            if place.start != asked {
                touched.extend(self.job_of.get(id).cloned());
            }
            self.placed.insert(id.clone(), (load, place));
        }
        touched
    }

    pub(super) fn forget_place(&mut self, id: &WindowId) -> BTreeSet<JobKey> {
        let Some((load, place)) = self.placed.remove(id) else { return BTreeSet::new() };
        let Some(line) = self.lines.get_mut(&load) else { return BTreeSet::new() };
        line.leave(id, place);
        if line.is_empty() {
            self.lines.remove(&load);
            return BTreeSet::new();
        }
        self.in_line(&load)
    }

    /// The windows of the account have no place any more: it has no load.
    pub(super) fn forget_places(&mut self, account: &AccountName) -> BTreeSet<JobKey> {
        let users = self.users.get(account).cloned().unwrap_or_default();
        users.iter().flat_map(|id| self.forget_place(id)).collect()
    }

    /// The account's load is known from now on, or is another: so are the places of its windows.
    pub(super) fn bring_places(&mut self, account: &AccountName) -> BTreeSet<JobKey> {
        let users = self.users.get(account).cloned().unwrap_or_default();
        users.iter().flat_map(|id| self.bring_place(id)).collect()
    }

    /// Takes up a place that was planned, or that is stored as taken: before anything is decided, what stands at the
    /// scheduler is to be reckoned with.
    pub(super) fn bring_place(&mut self, id: &WindowId) -> BTreeSet<JobKey> {
        let Some(stored) = self.windows.get(id) else { return BTreeSet::new() };
        let place = match &stored.planned {
            Some(planned) => planned.place,
            None => stored
                .acknowledged
                .registered()
                .filter(|there| there.may_start())
                .map(|there| Place { start: there.start.slot.time, taken: true }),
        };
        let Some(place) = place else { return BTreeSet::new() };
        self.note_place(id, Some(place), place.start)
    }

    /// The window's next write is awaited by a request to the vendor's scheduler, or names the workflow that was made: after
    /// a crash that may be all that tells of it.
    pub(super) fn registers(&self, id: &WindowId) -> bool {
        let Some(stored) = self.windows.get(id) else { return false };
        let wanted = stored.planned.as_ref().and_then(|planned| planned.record.registration.as_deref());
        let which = |there: &Registration| (there.id.clone(), there.by.clone(), there.attempt);
        wanted.is_some() && stored.acknowledged.registered().map(which) != wanted.map(which)
    }

    /// The load's limit was `before`. Returns the jobs that may be offered something else now.
    pub(super) fn limit_moved(&self, load: &LoadKey, before: u32) -> BTreeSet<JobKey> {
        let after = self.pending_activations(load);
        let line = self.lines.get(load).into_iter();
        self.jobs_with(line.flat_map(|line| line.touched_by_limit(before, after)))
    }

    fn in_line(&self, load: &LoadKey) -> BTreeSet<JobKey> {
        let most = self.pending_activations(load);
        self.jobs_with(self.lines.get(load).into_iter().flat_map(|line| line.touched(most)))
    }

    fn jobs_with<'a>(&self, windows: impl Iterator<Item = &'a WindowId>) -> BTreeSet<JobKey> {
        windows.filter_map(|id| self.job_of.get(id)).cloned().collect()
    }
}
