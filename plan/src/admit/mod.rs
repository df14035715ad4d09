//! Across the jobs of one load (an endpoint and a key): which of the wanted calls go out now.
//!
//! The order is fixed: first stops, first starts, the reads that a pending call needs, reads of turning channels, what the
//! vendor's scheduler is asked for the sake of something due, repeated stops, repeated starts, what it is asked otherwise,
//! other reads, the daily list. A share of the rate and of the connections is kept for first calls
//! and their reads. `Retry-After` is honoured, a 429 shrinks the rate, an outage leaves one probe at a time.

mod breaker;
mod pace;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::ids::JobKey;
use crate::memory::Verb;
use crate::plan::{ReadPurpose, Want};
use crate::reason::Reason;
use crate::timings::Timings;

use breaker::{Breaker, Passage};
use pace::Pace;

/// What an account allows. 0 means: no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Jobs that may be going on at once (vendor: more than 5 gives a capacity error).
    pub simultaneous_activations: u32,
    /// Calls a second, all kinds together.
    pub requests_per_second: u32,
    /// Calls under way at once.
    pub concurrent_requests: u32,
}

impl Limits {
    /// Of two accounts that share a key, each limit as the stricter has it.
    #[must_use]
    pub fn strictest(self, other: Self) -> Self {
        let stricter = |a: u32, b: u32| if a == 0 || b == 0 { a.max(b) } else { a.min(b) };
        Self {
            simultaneous_activations: stricter(self.simultaneous_activations, other.simultaneous_activations),
            requests_per_second: stricter(self.requests_per_second, other.requests_per_second),
            concurrent_requests: stricter(self.concurrent_requests, other.concurrent_requests),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { simultaneous_activations: 5, requests_per_second: 20, concurrent_requests: 16 }
    }
}

/// A place in the queue; the lesser goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Urgency {
    /// A channel is to be switched off: the first call for it.
    FirstStop,
    /// A channel is to be switched on: the first call for it.
    FirstStart,
    /// A stop that is due, or about to be, waits for this reading.
    NeededRead,
    /// A start does. It is not made while there is no slot for the start: those that wait would read again and again,
    /// and leave no room for the readings that free the slots.
    StartRead,
    /// A channel is turning.
    TurningRead,
    /// The vendor's scheduler is asked something that a due start or stop hangs on.
    PressingWorkflow,
    /// A stop is repeated.
    RepeatedStop,
    /// A start is repeated.
    RepeatedStart,
    /// The vendor's scheduler is asked for what is ahead.
    Workflow,
    /// Supervision and checks.
    OtherRead,
    /// The list of all jobs, once a day: nothing waits for it.
    DailyList,
}

impl Urgency {
    /// The place of a want.
    pub fn of(want: &Want) -> Self {
        match want {
            Want::Call { verb: Verb::Deactivate, attempt: 1, .. } => Self::FirstStop,
            Want::Call { verb: Verb::Activate, attempt: 1, .. } => Self::FirstStart,
            Want::Call { verb: Verb::Deactivate, .. } => Self::RepeatedStop,
            Want::Call { verb: Verb::Activate, .. } => Self::RepeatedStart,
            Want::Read { purpose, .. } => Self::of_read(*purpose),
            Want::Workflow { pressing: true, .. } => Self::PressingWorkflow,
            Want::Workflow { .. } => Self::Workflow,
        }
    }

    /// The place of a read.
    pub fn of_read(purpose: ReadPurpose) -> Self {
        match purpose {
            ReadPurpose::ForStop => Self::NeededRead,
            ReadPurpose::ForStart => Self::StartRead,
            ReadPurpose::Turning => Self::TurningRead,
            ReadPurpose::Supervise | ReadPurpose::Check => Self::OtherRead,
        }
    }

    /// A call, or a read that one needs: it goes out before everything else that is due with it.
    pub fn serves_a_call(self) -> bool {
        !matches!(self, Self::TurningRead | Self::Workflow | Self::OtherRead | Self::DailyList)
    }

    /// May use what is kept in reserve.
    fn reserved(self) -> bool {
        self <= Self::PressingWorkflow
    }

    /// Whether the Live API may make it wait for [`Timings::retry_most`] at most.
    fn presses(self) -> bool {
        matches!(
            self,
            Self::FirstStop
                | Self::RepeatedStop
                | Self::FirstStart
                | Self::NeededRead
                | Self::StartRead
                | Self::PressingWorkflow
        )
    }

    fn starts(self) -> bool {
        matches!(self, Self::FirstStart | Self::RepeatedStart)
    }
}

/// One wanted call, as the account sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// Its place.
    pub urgency: Urgency,
    /// When it was due; among equals the one that waits longest goes first.
    pub due: Timestamp,
    /// Which job.
    pub job: JobKey,
}

/// What the Live API had to say to one request, as far as the load is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// An answer of its own, pleasant or not: it is there.
    Answer,
    /// Too many requests (HTTP 429).
    TooMany {
        /// How long it asks to wait (`Retry-After`).
        retry_after: Option<SignedDuration>,
    },
    /// It could not be reached, did not answer in time, or failed (5xx).
    Outage {
        /// How long it asks to wait (`Retry-After`).
        retry_after: Option<SignedDuration>,
    },
    /// Nothing: the request was let go, and then not sent.
    Nothing,
}

/// The load on one key at one endpoint: its rate, calls under way, slots, and what the Live API asked for.
#[derive(Clone, Debug)]
pub struct Load {
    /// What it allows.
    limits: Limits,
    /// Calls under way.
    under_way: u32,
    /// Jobs that are going on, each in a slot of its own, and since when: a slot is given up after 90 s at the latest.
    slots: BTreeMap<JobKey, Timestamp>,
    pace: Pace,
    hold: Option<Hold>,
    breaker: Breaker,
}

/// The Live API asked to be left alone.
#[derive(Clone, Copy, Debug)]
struct Hold {
    since: Timestamp,
    until: Timestamp,
    /// The same for stops, first starts and the reads they need.
    presses_until: Timestamp,
}

/// Where nothing limits the requests under way, checks still go out a few at a time: those that wait are answered by one
/// list, and thousands of connections at once help nobody.
const CHECKS_AT_ONCE: u32 = 16;

/// What goes out now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    /// To be made now, in this order.
    pub go: Vec<Request>,
    /// To wait, and why.
    pub wait: Vec<(Request, Reason)>,
    /// The one among them that asks whether an outage is over.
    pub probe: Option<Request>,
    /// When time alone may let one more go.
    pub next: Option<Timestamp>,
}

impl Load {
    /// A load for which nothing was called yet.
    pub fn new(limits: Limits, now: Timestamp) -> Self {
        Self {
            limits,
            under_way: 0,
            slots: BTreeMap::new(),
            pace: Pace::new(&limits, now),
            hold: None,
            breaker: Breaker::default(),
        }
    }

    /// It allows something else from now on.
    pub fn limit(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// What it allows.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Calls under way.
    pub fn under_way(&self) -> u32 {
        self.under_way
    }

    /// A request that was let go has come to its end. `about`: the job that it was for, if it was for one. `probe`: it
    /// was the one that asked whether an outage is over.
    pub fn answered(&mut self, heard: Heard, about: Option<&JobKey>, probe: bool, now: Timestamp, timings: &Timings) {
        self.under_way = self.under_way.saturating_sub(1);
        if probe {
            self.breaker.probe_over();
        }
        match heard {
            Heard::Answer => self.breaker.close(),
            Heard::TooMany { retry_after } => {
                self.pace.shrink(&self.limits, now, timings.rate_recovery);
                self.hold(retry_after, now, timings);
            }
            Heard::Outage { retry_after } => {
                self.breaker.outage(about, probe, now, timings);
                self.hold(retry_after, now, timings);
            }
            Heard::Nothing => {}
        }
    }

    /// More requests were made than were asked for: a list has pages.
    pub fn spent(&mut self, more: u32) {
        self.pace.spend(more);
    }

    /// The job is no longer going on.
    pub fn release(&mut self, job: &JobKey) {
        self.slots.remove(job);
    }

    fn hold(&mut self, wait: Option<SignedDuration>, now: Timestamp, timings: &Timings) {
        let Some(wait) = wait else { return };
        let after = |wait| now.checked_add(wait).unwrap_or(now);
        let (until, presses_until) = (after(wait), after(wait.min(timings.retry_most)));
        self.hold = Some(self.hold.map_or(Hold { since: now, until, presses_until }, |hold| Hold {
            since: now,
            until: until.max(hold.until),
            presses_until: presses_until.max(hold.presses_until),
        }));
    }

    /// Lets time pass.
    fn advance(&mut self, now: Timestamp, timings: &Timings) {
        self.pace.refill(&self.limits, now, timings.rate_recovery);
        let turn = timings.believe_answered;
        // A slot taken in the future: the clock was set back.
        self.slots.retain(|_, since| now.duration_since(*since).abs() < turn);
        self.hold = self.hold.filter(|hold| hold.since <= now && now < hold.until);
    }

    /// Whether nothing at all can go now, so that nobody needs to be asked: `Err` as in [`admit`]'s `next`.
    pub fn open(&mut self, now: Timestamp, timings: &Timings) -> Result<(), Option<Timestamp>> {
        self.advance(now, timings);
        let most_urgent = Urgency::FirstStop;
        self.passes(most_urgent, now, timings).map(|_| ())
    }

    /// `Ok`: the request may go, and whether it is a probe. `Err`: not before then, as far as time alone goes; `None`:
    /// not before an answer.
    fn passes(&self, urgency: Urgency, now: Timestamp, timings: &Timings) -> Result<bool, Option<Timestamp>> {
        if !self.has_slot(urgency) {
            return Err(self.slot_freed(timings));
        }
        if let Some(until) = self.held_until(urgency).filter(|until| now < *until) {
            return Err(Some(until));
        }
        let passage = self.breaker.passage(urgency, now, timings);
        if let Passage::Wait(until) = passage {
            return Err(until);
        }
        if let Some(until) = self.pace.wait(urgency.reserved(), &self.limits, now, timings.rate_recovery) {
            return Err(Some(until));
        }
        if self.has_connection(urgency) { Ok(passage == Passage::Probe) } else { Err(None) }
    }

    fn held_until(&self, urgency: Urgency) -> Option<Timestamp> {
        self.hold.map(|hold| if urgency.presses() { hold.presses_until } else { hold.until })
    }

    fn has_connection(&self, urgency: Urgency) -> bool {
        match self.limits.concurrent_requests {
            0 => urgency < Urgency::OtherRead || self.under_way < CHECKS_AT_ONCE,
            most if urgency.reserved() => self.under_way < most,
            most => self.under_way + most / 4 < most,
        }
    }

    fn has_slot(&self, urgency: Urgency) -> bool {
        !urgency.starts() || self.has_room_for_a_start()
    }

    /// A slot is free, or none is needed.
    pub fn has_room_for_a_start(&self) -> bool {
        self.free_slots() > 0
    }

    fn free_slots(&self) -> usize {
        match self.limits.simultaneous_activations as usize {
            0 => usize::MAX,
            most => most.saturating_sub(self.slots.len()),
        }
    }

    /// When a slot is free at the latest.
    fn slot_freed(&self, timings: &Timings) -> Option<Timestamp> {
        self.slots.values().filter_map(|since| since.checked_add(timings.believe_answered).ok()).min()
    }

    fn take(&mut self, request: &Request, probe: bool, now: Timestamp) {
        self.under_way += 1;
        if self.limits.requests_per_second > 0 || self.pace.is_shrunk() {
            self.pace.spend(1);
        }
        if probe {
            self.breaker.probe_sent();
        }
        if request.urgency.starts() {
            self.slots.insert(request.job.clone(), now);
        }
    }
}

/// Decides across a load which of the wanted calls are made now, and takes them into it.
pub fn admit(requests: &[Request], load: &mut Load, now: Timestamp, timings: &Timings) -> Admission {
    load.advance(now, timings);
    let mut sorted: Vec<&Request> = requests.iter().collect();
    sorted.sort();
    let mut admission = Admission::default();
    let may_probe = |request: &Request| !request.urgency.serves_a_call() && load.breaker.is_other(&request.job);
    let others = sorted.iter().any(|request| may_probe(request));
    let mut start_reads = 0;
    for request in sorted {
        let passes = if request.urgency == Urgency::StartRead && load.free_slots() <= start_reads {
            Err(load.slot_freed(timings))
        } else {
            load.passes(request.urgency, now, timings)
        };
        match passes {
            // It may be this job alone that fails: another one asks.
            Ok(true) if others && !load.breaker.is_other(&request.job) => {
                admission.wait.push((request.clone(), Reason::WaitingForCapacity));
            }
            Ok(probe) => {
                load.take(request, probe, now);
                start_reads += usize::from(request.urgency == Urgency::StartRead);
                admission.go.push(request.clone());
                if probe {
                    admission.probe = Some(request.clone());
                }
            }
            Err(until) => {
                admission.next = earliest(admission.next, until);
                admission.wait.push((request.clone(), Reason::WaitingForCapacity));
            }
        }
    }
    admission
}

fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
