//! Loads: what one key at one endpoint is asked for, however many `LiveAccounts` name it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use plan::admit::{Limits, Load, Urgency};
use plan::{AccountName, JobKey, Quota, ReadPurpose, Timings, Want};

use crate::live::{KeyFingerprint, LiveClient};

use super::attempts::{Attempts, Waits};
use super::wanted::Wanted;

/// Names a load: an endpoint and a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LoadKey {
    endpoint: Arc<str>,
    key: KeyFingerprint,
}

impl LoadKey {
    pub(super) fn of(client: &LiveClient) -> Self {
        Self { endpoint: client.endpoint().origin(), key: client.key_fingerprint() }
    }

    /// The name under which a list of all its jobs stands in the queue: no job has it.
    pub(super) fn all_jobs(&self) -> JobKey {
        JobKey { endpoint: Arc::clone(&self.endpoint), job: Arc::default() }
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
    pub(super) wanted: Wanted,
    /// The accounts that share it, and what each allows.
    members: BTreeMap<AccountName, Allowance>,
    pub(super) pages: Pages,
    pub(super) daily: Daily,
    pub(super) workflows: WorkflowList,
}

/// What an account allows: of requests, and at the vendor's scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowance(pub(super) Limits, pub(super) Quota);

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

/// The list of all jobs of the key, once a day.
#[derive(Clone, Debug, Default)]
pub(super) struct Daily {
    wanted: bool,
    under_way: bool,
    /// Lists in vain.
    attempts: Attempts,
}

/// The list of a job's workflows at the vendor's scheduler, which is not there everywhere.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WorkflowList {
    /// It was not there; until then it is not asked for.
    missing_until: Option<Timestamp>,
}

/// Reads that go out together, as one list.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The reads of this urgency or less. `None`: no list.
    pub(super) least: Option<Urgency>,
    /// The list stands in the queue under the first job's name. `None`: the reads wait for the answer to the list that is
    /// under way.
    pub(super) first: Option<JobKey>,
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
            wanted: Wanted::default(),
            members: BTreeMap::new(),
            pages: Pages::default(),
            daily: Daily::default(),
            workflows: WorkflowList::default(),
        }
    }

    /// The accounts that share it.
    pub(super) fn accounts(&self) -> impl Iterator<Item = &AccountName> {
        self.members.keys()
    }

    /// The account uses it, and allows so much: the strictest word counts.
    pub(super) fn join(&mut self, name: &AccountName, allowance: Allowance) {
        self.members.insert(name.clone(), allowance);
        self.limit();
    }

    pub(super) fn leave(&mut self, name: &AccountName) {
        self.members.remove(name);
        self.limit();
    }

    fn limit(&mut self) {
        if let Some(strictest) = self.members.values().map(|Allowance(limits, _)| *limits).reduce(Limits::strictest) {
            self.load.limit(strictest);
        }
    }

    /// How many workflows whose start is pending may be at the vendor's scheduler at once; 0: no limit.
    pub(super) fn pending_activations(&self) -> u32 {
        let strictest = self.members.values().map(|Allowance(_, quota)| *quota).reduce(Quota::strictest);
        strictest.unwrap_or_default().pending_activations
    }

    /// Nobody uses it, and nothing of it is under way.
    pub(super) fn is_over(&self) -> bool {
        self.members.is_empty() && self.load.under_way() == 0
    }

    /// Takes up what a job wants.
    pub(super) fn want(&mut self, key: &JobKey, want: Want) {
        let listed = !self.pages.unlisted.contains(key);
        self.wanted.push(key, want, listed);
    }

    /// Whether one list is to answer for reads wanted now, and for which.
    pub(super) fn listing(&self, now: Timestamp, timings: &Timings) -> Listing {
        let failed = self.pages.failed_until.is_some_and(|until| now < until);
        let Some(urgency) = self.worth_a_list(timings).filter(|_| !failed) else {
            return Listing::default();
        };
        let Some(asked_at) = self.pages.asked_at else {
            let first = self.listable(urgency).next().map(|(key, _)| key.clone());
            return Listing { least: Some(urgency), first, until: None };
        };
        // What a call or a turning channel needs must not wait for a list for long.
        let until = asked_at.checked_add(timings.answer_awaited()).ok().filter(|until| now < *until);
        let least = if until.is_some() { urgency } else { Urgency::OtherRead };
        Listing { least: Some(least), first: None, until }
    }

    /// The reads that a list can answer, of this urgency or less.
    pub(super) fn listable(&self, least: Urgency) -> impl Iterator<Item = (&JobKey, Urgency)> {
        let pressing = self.pressing_reads().map(|(key, purpose)| (key, Urgency::of_read(purpose)));
        let others = self.wanted.others().map(|(key, _)| (key, Urgency::OtherRead));
        pressing.filter(move |(_, urgency)| *urgency >= least).chain(others)
    }

    fn pressing_reads(&self) -> impl Iterator<Item = (&JobKey, ReadPurpose)> {
        self.wanted.pressing().filter_map(|(key, want)| match want {
            Want::Read { purpose, .. } if !self.pages.unlisted.contains(key) => Some((key, *purpose)),
            _ => None,
        })
    }

    fn worth_a_list(&self, timings: &Timings) -> Option<Urgency> {
        let pages = self.pages.count.max(1);
        let enough = |count: usize, least: usize| count >= least.max(pages + 1);
        let many =
            |of: ReadPurpose, least| enough(self.pressing_reads().filter(|(_, purpose)| *purpose == of).count(), least);
        // Where nothing limits them, each is read by itself: that leaves an open connection behind for its call, which a
        // list does not. A thousand connections opened at the instant of the calls took 51 ms of their thread.
        let unlimited = self.load.limits().requests_per_second == 0;
        // Old news by the time that it is all there.
        let slow = pages > 1 || self.pages.took > timings.answer_awaited();
        if !slow && !unlimited && many(ReadPurpose::ForStop, FOR_CALLS) {
            return Some(Urgency::NeededRead);
        }
        // One for starts waits for a slot, and what it answers for would wait with it.
        if !slow && !unlimited && self.load.has_room_for_a_start() && many(ReadPurpose::ForStart, FOR_CALLS) {
            return Some(Urgency::StartRead);
        }
        if many(ReadPurpose::Turning, TURNING) {
            return Some(Urgency::TurningRead);
        }
        let (on_air, all) = self.wanted.unhurried();
        (enough(on_air, ON_AIR) || enough(all, CHECKS)).then_some(Urgency::OtherRead)
    }
}

impl Listing {
    /// The list answers for this read.
    pub(super) fn answers(&self, queue: &Queue, key: &JobKey, urgency: Urgency) -> bool {
        self.least.is_some_and(|least| urgency >= least) && !queue.pages.unlisted.contains(key)
    }
}

impl Daily {
    /// None is under way, and a wait after one in vain is over.
    pub(super) fn may_begin(&self, now: Timestamp) -> bool {
        !self.under_way && self.attempts.may_try(now)
    }

    pub(super) fn want(&mut self) {
        self.wanted = true;
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// It was let go. `sent`: there was an account to make it with.
    pub(super) fn let_go(&mut self, sent: bool) {
        (self.wanted, self.under_way) = (false, sent);
    }

    pub(super) fn answered(&mut self) {
        *self = Self::default();
    }

    /// It brought nothing, or not all.
    pub(super) fn failed(&mut self, seed: &str, now: Timestamp, timings: &Timings) {
        self.under_way = false;
        self.attempts.failed(Waits(timings.check_retry_most, timings.list_again / 24), seed, now);
    }

    pub(super) fn clock_stepped(&mut self) {
        self.attempts.clock_stepped();
    }
}

impl WorkflowList {
    /// It is not there: it is asked for again a day later.
    pub(super) fn missing(&mut self, now: Timestamp, timings: &Timings) {
        self.missing_until = now.checked_add(timings.list_again).ok();
    }

    /// It is known not to be there.
    pub(super) fn known_missing(&self, now: Timestamp) -> bool {
        self.missing_until.is_some_and(|until| now < until)
    }

    /// It was answered.
    pub(super) fn answered(&mut self) {
        self.missing_until = None;
    }

    pub(super) fn clock_stepped(&mut self, by: SignedDuration) {
        self.missing_until = self.missing_until.map(|at| at.checked_add(by).unwrap_or(at));
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
