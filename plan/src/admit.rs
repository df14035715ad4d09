//! Across the jobs of one account: which of the wanted calls go out now.
//!
//! The order is fixed: first stops, first starts, the reads that a pending call needs, repeated stops, repeated
//! starts, other reads. A share of the rate and of the connections is kept for first calls and their reads.

use jiff::{SignedDuration, Timestamp};

use crate::ids::JobKey;
use crate::memory::Verb;
use crate::plan::{ReadPurpose, Want};
use crate::reason::Reason;

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
    /// A call that is due waits for this reading, or a channel is turning.
    NeededRead,
    /// A stop is repeated.
    RepeatedStop,
    /// A start is repeated.
    RepeatedStart,
    /// Supervision and checks.
    OtherRead,
}

impl Urgency {
    /// The place of a want.
    pub fn of(want: &Want) -> Self {
        match want {
            Want::Call { verb: Verb::Deactivate, attempt: 1, .. } => Self::FirstStop,
            Want::Call { verb: Verb::Activate, attempt: 1, .. } => Self::FirstStart,
            Want::Call { verb: Verb::Deactivate, .. } => Self::RepeatedStop,
            Want::Call { verb: Verb::Activate, .. } => Self::RepeatedStart,
            Want::Read { purpose: ReadPurpose::ForCall | ReadPurpose::Turning, .. } => Self::NeededRead,
            Want::Read { purpose: ReadPurpose::Supervise | ReadPurpose::Check, .. } => Self::OtherRead,
        }
    }

    /// May use what is kept in reserve.
    fn reserved(self) -> bool {
        self <= Self::NeededRead
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

/// An activation that takes one of the account's slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Which job is going on.
    pub job: JobKey,
    /// Since when; a slot is given up after 90 s at the latest.
    pub since: Timestamp,
}

/// An account's load: the token bucket of its rate, calls under way, and slots.
#[derive(Clone, Debug)]
pub struct Load {
    /// What it allows.
    pub limits: Limits,
    /// Calls under way.
    pub under_way: u32,
    /// Activations that take a slot.
    pub slots: Vec<Slot>,
    /// Thousandths of a call that may be made at once.
    tokens: i64,
    filled_at: Timestamp,
}

const TOKEN: i64 = 1000;

/// What goes out now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    /// To be made now, in this order.
    pub go: Vec<Request>,
    /// To wait, and why.
    pub wait: Vec<(Request, Reason)>,
    /// When time alone may let one more go.
    pub next: Option<Timestamp>,
}

impl Load {
    /// An account that nothing was called for yet.
    pub fn new(limits: Limits, now: Timestamp) -> Self {
        let mut load = Self { limits, under_way: 0, slots: Vec::new(), tokens: 0, filled_at: now };
        load.tokens = load.bucket();
        load
    }

    /// The most that may go out at once: a second's worth.
    fn bucket(&self) -> i64 {
        i64::from(self.limits.requests_per_second) * TOKEN
    }

    fn refill(&mut self, now: Timestamp) {
        let passed = i64::try_from(now.duration_since(self.filled_at).as_micros()).unwrap_or(i64::MAX).max(0);
        let gained = passed.saturating_mul(i64::from(self.limits.requests_per_second)) / TOKEN;
        if gained > 0 {
            self.tokens = self.tokens.saturating_add(gained).min(self.bucket());
            self.filled_at = now;
        }
    }

    fn has_token(&self, urgency: Urgency) -> bool {
        let kept = if urgency.reserved() { 0 } else { self.bucket() / 4 };
        self.limits.requests_per_second == 0 || self.tokens - TOKEN >= kept
    }

    fn has_connection(&self, urgency: Urgency) -> bool {
        let most = self.limits.concurrent_requests;
        let kept = if urgency.reserved() { 0 } else { most / 4 };
        most == 0 || self.under_way + kept < most
    }

    fn has_slot(&self, urgency: Urgency) -> bool {
        let most = self.limits.simultaneous_activations as usize;
        !urgency.starts() || most == 0 || self.slots.len() < most
    }

    fn take(&mut self, request: &Request, now: Timestamp) {
        self.under_way += 1;
        if self.limits.requests_per_second > 0 {
            self.tokens -= TOKEN;
        }
        if request.urgency.starts() {
            self.slots.retain(|slot| slot.job != request.job);
            self.slots.push(Slot { job: request.job.clone(), since: now });
        }
    }

    /// A call that was let go has been answered, or given up on.
    pub fn answered(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// The job is no longer going on.
    pub fn release(&mut self, job: &JobKey) {
        self.slots.retain(|slot| &slot.job != job);
    }

    fn next_token(&self, urgency: Urgency, now: Timestamp) -> Option<Timestamp> {
        let kept = if urgency.reserved() { 0 } else { self.bucket() / 4 };
        let missing = kept + TOKEN - self.tokens;
        let rate = i64::from(self.limits.requests_per_second);
        if rate == 0 || missing <= 0 {
            return None;
        }
        let wait = SignedDuration::from_micros((missing * TOKEN + rate - 1) / rate);
        now.checked_add(wait).ok()
    }
}

/// Decides across an account which of the wanted calls are made now, and takes them into its load. `longest_turn`
/// is how long an activation may hold a slot without being read on.
pub fn admit(requests: &[Request], load: &mut Load, now: Timestamp, longest_turn: SignedDuration) -> Admission {
    load.refill(now);
    load.slots.retain(|slot| now.duration_since(slot.since) < longest_turn);
    let mut sorted: Vec<&Request> = requests.iter().collect();
    sorted.sort();
    let mut admission = Admission::default();
    let mut next: Option<Timestamp> = None;
    for request in sorted {
        if !load.has_slot(request.urgency) {
            let freed = load.slots.iter().filter_map(|slot| slot.since.checked_add(longest_turn).ok()).min();
            next = earliest(next, freed);
            admission.wait.push((request.clone(), Reason::WaitingForCapacity));
        } else if !load.has_token(request.urgency) {
            next = earliest(next, load.next_token(request.urgency, now));
            admission.wait.push((request.clone(), Reason::WaitingForCapacity));
        } else if !load.has_connection(request.urgency) {
            // An answer frees one; no time to wait for.
            admission.wait.push((request.clone(), Reason::WaitingForCapacity));
        } else {
            load.take(request, now);
            admission.go.push(request.clone());
        }
    }
    admission.next = next;
    admission
}

fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap()
    }

    fn request(urgency: Urgency, due: i64, job: &str) -> Request {
        Request { urgency, due: at(due), job: JobKey { endpoint: "https://live".into(), job: job.into() } }
    }

    fn jobs(requests: &[Request]) -> Vec<&str> {
        requests.iter().map(|request| request.job.job.as_str()).collect()
    }

    const TURN: SignedDuration = SignedDuration::from_secs(90);
    const NONE: Limits = Limits { simultaneous_activations: 0, requests_per_second: 0, concurrent_requests: 0 };

    #[test]
    fn the_order_of_calls_is_by_urgency_then_by_the_longest_wait() {
        let wanted = [
            request(Urgency::OtherRead, 0, "check"),
            request(Urgency::RepeatedStart, 0, "start-again"),
            request(Urgency::RepeatedStop, 0, "stop-again"),
            request(Urgency::NeededRead, 0, "read"),
            request(Urgency::FirstStart, 5, "start-later"),
            request(Urgency::FirstStart, 0, "start"),
            request(Urgency::FirstStop, 9, "stop"),
        ];
        let admission = admit(&wanted, &mut Load::new(NONE, at(0)), at(10), TURN);
        assert_eq!(jobs(&admission.go), ["stop", "start", "start-later", "read", "stop-again", "start-again", "check"]);
    }

    #[test]
    fn a_start_waits_for_a_slot_and_a_stop_never_does() {
        let limits = Limits { simultaneous_activations: 2, ..NONE };
        let mut load = Load::new(limits, at(0));
        let starts: Vec<_> = ["a", "b", "c"].map(|job| request(Urgency::FirstStart, 0, job)).into();
        let admission = admit(&starts, &mut load, at(0), TURN);
        assert_eq!(jobs(&admission.go), ["a", "b"]);
        assert_eq!(admission.wait[0].1, Reason::WaitingForCapacity);
        assert_eq!(admission.next, Some(at(90_000)), "a slot is given up after the longest turn");

        let mixed = [request(Urgency::FirstStart, 0, "c"), request(Urgency::FirstStop, 0, "d")];
        assert_eq!(jobs(&admit(&mixed, &mut load, at(1), TURN).go), ["d"]);

        load.release(&starts[0].job);
        assert_eq!(jobs(&admit(&starts[2..], &mut load, at(2), TURN).go), ["c"]);
    }

    #[test]
    fn a_slot_is_given_up_after_the_longest_turn() {
        let mut load = Load::new(Limits { simultaneous_activations: 1, ..NONE }, at(0));
        admit(&[request(Urgency::FirstStart, 0, "a")], &mut load, at(0), TURN);
        let next = [request(Urgency::FirstStart, 0, "b")];
        assert!(admit(&next, &mut load, at(89_999), TURN).go.is_empty());
        assert_eq!(jobs(&admit(&next, &mut load, at(90_000), TURN).go), ["b"]);
    }

    #[test]
    fn other_reads_leave_a_quarter_of_the_rate_to_first_calls() {
        let mut load = Load::new(Limits { requests_per_second: 20, ..NONE }, at(0));
        let reads: Vec<_> = (0..30).map(|i| request(Urgency::OtherRead, 0, &format!("read-{i:02}"))).collect();
        assert_eq!(admit(&reads, &mut load, at(0), TURN).go.len(), 15);
        let stops: Vec<_> = (0..30).map(|i| request(Urgency::FirstStop, 0, &format!("stop-{i:02}"))).collect();
        let admission = admit(&stops, &mut load, at(0), TURN);
        assert_eq!(admission.go.len(), 5);
        assert_eq!(admission.next, Some(at(50)), "20 a second: one every 50 ms");
    }

    #[test]
    fn the_rate_is_kept_over_time_and_time_alone_lets_the_next_one_go() {
        let mut load = Load::new(Limits { requests_per_second: 10, ..NONE }, at(0));
        let mut waiting: Vec<_> = (0..100).map(|i| request(Urgency::FirstStop, 0, &format!("{i:03}"))).collect();
        let (mut now, mut rounds) = (at(0), 0);
        while !waiting.is_empty() {
            let admission = admit(&waiting, &mut load, now, TURN);
            waiting.retain(|request| !admission.go.contains(request));
            for _ in &admission.go {
                load.answered();
            }
            rounds += 1;
            assert!(rounds < 200, "makes progress at every wake-up");
            now = admission.next.unwrap_or(now);
        }
        assert_eq!(now, at(9_000), "10 at once, then 10 a second");
    }

    #[test]
    fn connections_are_bounded_and_freed_by_answers() {
        let mut load = Load::new(Limits { concurrent_requests: 4, ..NONE }, at(0));
        let stops: Vec<_> = (0..6).map(|i| request(Urgency::FirstStop, 0, &format!("{i}"))).collect();
        assert_eq!(admit(&stops, &mut load, at(0), TURN).go.len(), 4);
        load.answered();
        assert_eq!(jobs(&admit(&stops[4..], &mut load, at(1), TURN).go), ["4"]);
    }
}
