//! Loads: what one key at one endpoint is asked for, however many `LiveAccounts` name it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use plan::admit::{Limits, Load, Urgency};
use plan::{AccountName, JobKey, ReadPurpose, Timings, Want};

use crate::live::{KeyFingerprint, LiveClient};

/// Names a load: an endpoint and a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LoadKey {
    endpoint: String,
    key: KeyFingerprint,
}

impl LoadKey {
    pub(super) fn of(client: &LiveClient) -> Self {
        Self { endpoint: client.endpoint().to_string(), key: client.key_fingerprint() }
    }
}

/// Where a request came from: its answer belongs there, whatever became of the account meanwhile.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) load: LoadKey,
    pub(super) account: AccountName,
    /// It asks whether an outage is over.
    pub(super) probe: bool,
}

/// What is wanted of a load, and how much of it is under way.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    pub(super) load: Load,
    pub(super) wanted: BTreeMap<JobKey, Vec<Want>>,
    /// The accounts that share it, and what each allows.
    members: BTreeMap<AccountName, Limits>,
    pub(super) pages: Pages,
}

/// The list of the key's jobs, where one list answers for many reads.
#[derive(Clone, Debug, Default)]
pub(super) struct Pages {
    /// One is under way, since then. There is never a second.
    asked_at: Option<Timestamp>,
    /// What the last one took, and how many pages it had.
    took: SignedDuration,
    count: usize,
    /// One brought nothing: until then jobs are read one by one.
    failed_until: Option<Timestamp>,
    /// Jobs that the last one did not show: they are read one by one. Absence from a page is no evidence.
    unlisted: BTreeSet<JobKey>,
}

/// Reads that go out together, as one list.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The reads, and what each is for. Empty: no list.
    pub(super) jobs: BTreeMap<JobKey, Urgency>,
    /// The place that the list takes in the queue, under the first job's name. `None`: the reads wait for the answer
    /// to the list that is under way.
    pub(super) urgency: Option<Urgency>,
    /// Until then at the latest, if time ends the wait.
    pub(super) until: Option<Timestamp>,
}

/// So many reads of a kind at once are worth a list.
const FOR_CALLS: usize = 8;
const TURNING: usize = 3;
const ON_AIR: usize = 2;
const CHECKS: usize = 8;

impl Queue {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            load: Load::new(Limits::default(), now),
            wanted: BTreeMap::new(),
            members: BTreeMap::new(),
            pages: Pages::default(),
        }
    }

    /// The account uses it, and allows so much: the strictest word counts.
    pub(super) fn join(&mut self, name: &AccountName, limits: Limits) {
        self.members.insert(name.clone(), limits);
        self.limit();
    }

    pub(super) fn leave(&mut self, name: &AccountName) {
        self.members.remove(name);
        self.limit();
    }

    fn limit(&mut self) {
        if let Some(strictest) = self.members.values().copied().reduce(Limits::strictest) {
            self.load.limit(strictest);
        }
    }

    /// Nobody uses it, and nothing of it is under way.
    pub(super) fn is_over(&self) -> bool {
        self.members.is_empty() && self.load.under_way() == 0
    }

    /// The reads wanted now that one list is to answer.
    pub(super) fn listing(&self, now: Timestamp, timings: &Timings) -> Listing {
        let reads = self.listable();
        let failed = self.pages.failed_until.is_some_and(|until| now < until);
        let Some(urgency) = self.worth_a_list(&reads, timings).filter(|_| !failed) else {
            return Listing::default();
        };
        let from = |least: Urgency| -> BTreeMap<JobKey, Urgency> {
            let urgencies = reads.iter().map(|(key, purpose)| (key.clone(), Urgency::of_read(*purpose)));
            urgencies.filter(|(_, urgency)| *urgency >= least).collect()
        };
        let Some(asked_at) = self.pages.asked_at else {
            return Listing { jobs: from(urgency), urgency: Some(urgency), until: None };
        };
        // What a call or a turning channel needs must not wait for a list for long.
        let until = asked_at.checked_add(timings.read_ahead / 2).ok().filter(|until| now < *until);
        let least = if until.is_some() { urgency } else { Urgency::OtherRead };
        Listing { jobs: from(least), urgency: None, until }
    }

    fn listable(&self) -> BTreeMap<JobKey, ReadPurpose> {
        let read = |wants: &Vec<Want>| {
            wants.iter().find_map(|want| match want {
                Want::Read { purpose, .. } => Some(*purpose),
                Want::Call { .. } => None,
            })
        };
        self.wanted
            .iter()
            .filter(|(key, _)| !self.pages.unlisted.contains(key))
            .filter_map(|(key, wants)| Some((key.clone(), read(wants)?)))
            .collect()
    }

    fn worth_a_list(&self, reads: &BTreeMap<JobKey, ReadPurpose>, timings: &Timings) -> Option<Urgency> {
        let pages = self.pages.count.max(1);
        let many = |of: &[ReadPurpose], least: usize| {
            reads.values().filter(|purpose| of.contains(purpose)).count() >= least.max(pages + 1)
        };
        // Where nothing limits them, each is read by itself: that leaves an open connection behind for its call, which a
        // list does not. A thousand connections opened at the instant of the calls took 51 ms of their thread.
        let unlimited = self.load.limits().requests_per_second == 0;
        // Old news by the time that it is all there.
        let slow = pages > 1 || self.pages.took > timings.read_ahead / 2;
        if !slow && !unlimited && many(&[ReadPurpose::ForStop], FOR_CALLS) {
            return Some(Urgency::NeededRead);
        }
        // One for starts waits for a slot, and what it answers for would wait with it.
        if !slow && !unlimited && self.load.has_room_for_a_start() && many(&[ReadPurpose::ForStart], FOR_CALLS) {
            return Some(Urgency::StartRead);
        }
        if many(&[ReadPurpose::Turning], TURNING) {
            return Some(Urgency::TurningRead);
        }
        let others =
            many(&[ReadPurpose::Supervise], ON_AIR) || many(&[ReadPurpose::Supervise, ReadPurpose::Check], CHECKS);
        others.then_some(Urgency::OtherRead)
    }
}

impl Pages {
    /// Our clock stepped: a list under way was asked for just as long ago as before.
    pub(super) fn clock_stepped(&mut self, by: SignedDuration) {
        for at in self.asked_at.iter_mut().chain(&mut self.failed_until) {
            *at = at.checked_add(by).unwrap_or(*at);
        }
    }

    pub(super) fn asked(&mut self, now: Timestamp) {
        self.asked_at = Some(now);
    }

    /// The list under way was answered: it had so many pages and took so long.
    pub(super) fn answered(&mut self, count: usize, took: SignedDuration) {
        (self.count, self.took) = (count, took);
        (self.asked_at, self.failed_until) = (None, None);
    }

    /// It brought nothing.
    pub(super) fn failed(&mut self, now: Timestamp, timings: &Timings) {
        self.asked_at = None;
        self.failed_until = now.checked_add(timings.retry_most).ok();
    }

    /// The job was not on it: it is read alone.
    pub(super) fn missed(&mut self, key: &JobKey) {
        self.unlisted.insert(key.clone());
    }

    /// The job was read alone, or is forgotten: it may be on the next list.
    pub(super) fn read(&mut self, key: &JobKey) {
        self.unlisted.remove(key);
    }
}
