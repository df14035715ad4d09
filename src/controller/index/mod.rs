//! The index: all windows by job, all accounts, and what this process knows of them.
//!
//! Watches, answers and deadlines are turned into plain calls on this struct; what comes back is what to do. Nothing
//! here waits, and nothing here reads a clock.

mod admit;
mod answers;
mod clocks;
mod decide;
mod doors;
#[cfg(test)]
pub(in crate::controller) mod fixtures;
mod loads;
mod posts;
mod registrations;
mod reread;
mod serving;
mod starts;
mod stored;
mod tally;
#[cfg(test)]
mod tests;
mod uncovered;
mod watched;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use plan::quota::Line;
use plan::skew::Skew;
use plan::{AccountName, JobKey, Memory, ObjectName, Place, Term, Timings, WindowId, WindowPlan};

use super::accounts::{Account, Dialling};
use super::load::{LoadKey, Queue};
use super::window::{Defaults, Stored};

use tally::Tally;

pub(super) use admit::{Admitted, Errand, LiveRequest, Order};
pub(super) use posts::{Letter, Posting};
pub(super) use stored::{AccountWrite, WindowWrite};

/// A job: its windows, and what is known of it.
#[derive(Default)]
struct Job {
    /// In order. One, most often: a set of the library takes room for eleven.
    windows: Vec<WindowId>,
    memory: Memory,
    /// The loads in whose queues it may stand, or hold a slot.
    queued: Vec<LoadKey>,
}

impl Job {
    fn join(&mut self, id: &WindowId) {
        if let Err(at) = self.windows.binary_search(id) {
            self.windows.reserve_exact(1);
            self.windows.insert(at, id.clone());
        }
    }

    fn leave(&mut self, id: &WindowId) {
        self.windows.retain(|window| window != id);
    }

    fn stands_in(&mut self, load: &LoadKey) {
        if !self.queued.contains(load) {
            self.queued.reserve_exact(1);
            self.queued.push(load.clone());
        }
    }
}

/// See the module.
pub(in crate::controller) struct Index {
    timings: Timings,
    dialling: Dialling,
    /// What flags say where neither object nor account do.
    flags: Defaults,
    /// The term in which this process leads. Before that nothing is decided: it is another's to decide, and a window
    /// not yet seen may want the channel on.
    term: Option<Arc<Term>>,
    /// By scope, when the last complete list of its windows was asked for; `None`: there was none yet.
    lists: BTreeMap<Option<String>, Option<Timestamp>>,
    /// What the installed definition lacks of the status, if anything.
    definition_lacks: Option<String>,
    /// Jobs with a call that is due and waits for the lease to be renewed.
    awaiting_lease: BTreeSet<JobKey>,
    windows: BTreeMap<WindowId, Box<Stored>>,
    ids: BTreeMap<ObjectName, WindowId>,
    job_of: BTreeMap<WindowId, JobKey>,
    jobs: BTreeMap<JobKey, Box<Job>>,
    accounts: BTreeMap<AccountName, Account>,
    users: BTreeMap<AccountName, BTreeSet<WindowId>>,
    tallies: BTreeMap<AccountName, Tally>,
    /// The load that each account's calls are part of. One without a usable key has none.
    loads: BTreeMap<AccountName, LoadKey>,
    queues: BTreeMap<LoadKey, Queue>,
    /// The starts that are to come, and where each stands among them.
    starts: BTreeMap<starts::Place, JobKey>,
    starting: BTreeMap<WindowId, starts::Place>,
    /// The workflows of each load whose start is pending, or is to be, and where each window's stands among them.
    lines: BTreeMap<LoadKey, Line>,
    placed: BTreeMap<WindowId, (LoadKey, Place)>,
    secrets: BTreeMap<ObjectName, Option<Secret>>,
    /// What answers told of the clock at each endpoint.
    skews: BTreeMap<Arc<str>, Skew>,
    /// Accounts of which something was learnt that their status may not show yet.
    stale_accounts: BTreeSet<AccountName>,
    /// Windows of which a notification is on its way.
    posting: BTreeSet<WindowId>,
    /// Secrets whose key the Live API refused: they are read again.
    doubted: BTreeSet<ObjectName>,
}

impl Index {
    pub(in crate::controller) fn new(timings: Timings, dialling: Dialling, flags: Defaults) -> Self {
        Self {
            timings,
            dialling,
            flags,
            term: None,
            lists: BTreeMap::new(),
            definition_lacks: None,
            awaiting_lease: BTreeSet::new(),
            windows: BTreeMap::new(),
            ids: BTreeMap::new(),
            job_of: BTreeMap::new(),
            jobs: BTreeMap::new(),
            accounts: BTreeMap::new(),
            users: BTreeMap::new(),
            tallies: BTreeMap::new(),
            loads: BTreeMap::new(),
            queues: BTreeMap::new(),
            starts: BTreeMap::new(),
            starting: BTreeMap::new(),
            lines: BTreeMap::new(),
            placed: BTreeMap::new(),
            secrets: BTreeMap::new(),
            skews: BTreeMap::new(),
            stale_accounts: BTreeSet::new(),
            posting: BTreeSet::new(),
            doubted: BTreeSet::new(),
        }
    }

    /// This process leads from now on. Every job is to be decided, in this order; each with when its next call is due.
    pub(in crate::controller) fn lead(&mut self, term: Term) -> Vec<(Timestamp, JobKey)> {
        self.term = Some(Arc::new(term));
        // Only now is it known which of them no window uses any more.
        self.stale_accounts.extend(self.accounts.keys().cloned());
        self.by_urgency()
    }

    /// All jobs, each with when its next call is due, those first that are due soonest or are late. Deciding all of a hundred thousand
    /// takes seconds, and a job has no deadline before it was decided once.
    fn by_urgency(&self) -> Vec<(Timestamp, JobKey)> {
        let soonest = |job: &Job| {
            let windows = job.windows.iter().filter_map(|id| self.windows.get(id));
            windows.filter_map(|stored| stored.next_call()).min()
        };
        let mut jobs: Vec<_> =
            self.jobs.iter().map(|(key, job)| (soonest(job).unwrap_or(Timestamp::MAX), key)).collect();
        jobs.sort_unstable();
        jobs.into_iter().map(|(at, key)| (at, key.clone())).collect()
    }

    pub(in crate::controller) fn timings(&self) -> &Timings {
        &self.timings
    }

    /// What flags say where neither object nor account do.
    pub(in crate::controller) fn flags(&self) -> &Defaults {
        &self.flags
    }

    pub(in crate::controller) fn window(&self, id: &WindowId) -> Option<&Stored> {
        self.windows.get(id).map(Box::as_ref)
    }

    /// The accounts of which something was learnt since the last time this was asked.
    pub(in crate::controller) fn take_stale_accounts(&mut self) -> BTreeSet<AccountName> {
        std::mem::take(&mut self.stale_accounts)
    }

    /// The Secrets whose key was refused since the last time this was asked.
    pub(in crate::controller) fn take_doubted_secrets(&mut self) -> BTreeSet<ObjectName> {
        std::mem::take(&mut self.doubted)
    }

    /// How many windows there are.
    pub(in crate::controller) fn windows_known(&self) -> usize {
        self.windows.len()
    }

    /// Every window as it is planned.
    pub(in crate::controller) fn planned(&self) -> impl Iterator<Item = &WindowPlan> {
        self.windows.values().filter_map(|stored| stored.planned.as_ref())
    }

    /// How many reads of jobs were not let go yet.
    pub(in crate::controller) fn reads_waiting(&self) -> usize {
        self.queues.values().map(|queue| queue.wanted.reads()).sum()
    }

    pub(super) fn jobs_of(&self, account: &AccountName) -> BTreeSet<JobKey> {
        self.users.get(account).into_iter().flatten().filter_map(|id| self.job_of.get(id)).cloned().collect()
    }

    pub(super) fn defaults(&self, account: &AccountName) -> Defaults {
        self.accounts.get(account).map_or(&self.flags, |account| &account.defaults).clone()
    }
}
