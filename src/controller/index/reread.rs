//! How fresh the index is: lists of all windows, and reads of one job's.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use plan::serving::Serving;
use plan::{Claim, JobKey, ProcessId, WindowId};

use crate::controller::status;

use super::Index;

impl Index {
    /// Windows are listed in these scopes; `None` means everywhere.
    pub(in crate::controller) fn expect_lists(&mut self, scopes: &[Option<String>]) {
        self.lists = scopes.iter().map(|scope| (scope.clone(), None)).collect();
    }

    /// A list of one scope is complete that was asked for then. Returns the jobs that waited for it: all of them, if it is
    /// the first of our term.
    pub(in crate::controller) fn listed(&mut self, scope: Option<&str>, asked_at: Timestamp) -> BTreeSet<JobKey> {
        let before = self.listed_at();
        self.lists.insert(scope.map(str::to_owned), Some(asked_at));
        let Some(as_of) = self.listed_at() else { return BTreeSet::new() };
        let begun = self.term.as_ref().map(|term| term.since);
        let first = begun.is_some_and(|begun| begun <= as_of && before.is_none_or(|before| before < begun));
        let mut waited = BTreeSet::new();
        for (key, job) in &mut self.jobs {
            if job.memory.objects_listed(as_of) || first {
                waited.insert(key.clone());
            }
        }
        waited
    }

    /// As of when everything is known that was stored. `None`: a first list is missing.
    pub(super) fn listed_at(&self) -> Option<Timestamp> {
        self.lists.values().copied().min().flatten()
    }

    /// The stored objects of these jobs are being read.
    pub(in crate::controller) fn objects_asked<'a>(
        &mut self,
        jobs: impl IntoIterator<Item = &'a JobKey>,
        at: Timestamp,
    ) {
        for key in jobs {
            if let Some(job) = self.jobs.get_mut(key) {
                job.memory.objects_asked(at);
            }
        }
    }

    /// The job's objects in a scope were read, and these are all. What is known beside them is gone.
    pub(in crate::controller) fn objects_read(
        &mut self,
        key: &JobKey,
        found: &BTreeSet<WindowId>,
        asked_at: Timestamp,
    ) -> BTreeSet<JobKey> {
        let known = self.jobs.get(key).map(|job| job.windows.clone()).unwrap_or_default();
        let gone: Vec<WindowId> = known.into_iter().filter(|id| !found.contains(id) && !self.must_stay(id)).collect();
        let mut touched: BTreeSet<JobKey> = gone.iter().flat_map(|id| self.remove_window(id)).collect();
        if let Some(job) = self.jobs.get_mut(key) {
            job.memory.objects_read(asked_at);
            touched.insert(key.clone());
        }
        touched
    }

    pub(in crate::controller) fn objects_not_read(&mut self, key: &JobKey, asked_at: Timestamp, at: Timestamp) {
        if let Some(job) = self.jobs.get_mut(key) {
            job.memory.objects_not_read(asked_at, at);
        }
    }

    /// A window that has its job on cannot vanish: our finalizer holds it. One that is not stored any more was lost with
    /// what the apiserver had stored (a restored backup), and its stop is still made, for as long as this process lives.
    pub(super) fn must_stay(&mut self, id: &WindowId) -> bool {
        let Some(stored) = self.windows.get_mut(id) else { return false };
        let on = stored.has_finalizer() && status::has_it_on(stored);
        if on && !std::mem::replace(&mut stored.vanished, true) {
            tracing::error!(window = %stored.name, "not stored any more, and its channel is on: its stop is still made");
        }
        on
    }

    /// The installed definition was compared with ours. Returns the jobs to be decided anew, if that is news.
    pub(in crate::controller) fn definition_compared(&mut self, lacks: Option<String>) -> BTreeSet<JobKey> {
        if self.definition_lacks == lacks {
            return BTreeSet::new();
        }
        self.definition_lacks = lacks;
        self.jobs.keys().cloned().collect()
    }

    /// What the apiserver has stored went back in time: versions known from before say nothing any more.
    pub(in crate::controller) fn versions_void(&mut self) {
        for stored in self.windows.values_mut() {
            stored.void = true;
        }
        for account in self.accounts.values_mut() {
            account.serving = Serving::default();
        }
    }

    /// The clock stepped by so much.
    pub(super) fn lists_moved(&mut self, by: SignedDuration) {
        let moved = |at: &mut Timestamp| *at = at.checked_add(by).unwrap_or(*at);
        self.lists.values_mut().flatten().for_each(moved);
        if let Some(term) = self.term.as_mut().map(Arc::make_mut) {
            moved(&mut term.since);
            moved(&mut term.others_until);
        }
    }
}

/// Leading.
impl Index {
    pub(in crate::controller) fn leads(&self) -> bool {
        self.term.is_some()
    }

    /// This process goes by that id.
    pub(in crate::controller) fn is_us(&self, process: &ProcessId) -> bool {
        self.term.as_ref().is_some_and(|term| term.by == *process)
    }

    /// Another installation has claimed its start. Returns the object's version if that is news.
    pub(in crate::controller) fn claimed_elsewhere(&mut self, id: &WindowId, claim: &Claim) -> Option<String> {
        let stored = self.windows.get_mut(id)?;
        let news = stored.claimed_elsewhere.replace(Box::new(claim.clone())).as_deref() != Some(claim);
        news.then(|| stored.resource_version.clone())
    }

    /// The window's next write is awaited by its start: it puts a claim in place.
    pub(super) fn claims(&self, id: &WindowId) -> bool {
        let Some(stored) = self.windows.get(id) else { return false };
        let wanted = stored.planned.as_ref().and_then(|planned| planned.record.claim.as_ref());
        wanted.is_some() && stored.acknowledged.claim() != wanted
    }

    pub(in crate::controller) fn take_awaiting_lease(&mut self) -> BTreeSet<JobKey> {
        std::mem::take(&mut self.awaiting_lease)
    }

    pub(in crate::controller) fn keep_awaiting_lease(&mut self, jobs: BTreeSet<JobKey>) {
        self.awaiting_lease.extend(jobs);
    }
}
