//! The election, after client-go's algorithm, as a pure state machine: what was seen of the Lease, and when by this
//! machine's own clock it was seen to change, says what to do next. No clock is read here and nothing is sent.
//!
//! Times written by others are never compared with ours. Ages are counted on the clock that also counts suspension.

use std::time::Duration;

use crate::ids::ProcessId;
use crate::lease::{Before, LeaseTimings, Moment};

/// What a Lease says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRecord {
    /// Who holds it; empty: it was let go.
    pub holder: String,
    /// How long others leave it alone.
    pub duration: Duration,
    /// How often it changed hands.
    pub transitions: i64,
    /// When it was last renewed, by its holder's clock: compared for change and never with ours.
    pub renewed: String,
    /// The process that let it go, where it was let go in order.
    pub released_by: Option<ProcessId>,
}

/// A Lease as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredLease {
    /// Another one made later under the same name has another uid.
    pub uid: String,
    /// The version that a write has to name.
    pub version: String,
    /// What it says.
    pub record: LeaseRecord,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read the Lease.
    Read,
    /// Make it, with this candidate as its holder.
    Create,
    /// Take it over from this version: it was let go, or has run out.
    TakeOver(StoredLease),
    /// Renew it on this version.
    Renew(StoredLease),
    /// Nothing for so long, unless something is heard before.
    Wait(Duration),
    /// It could not be renewed in time: this process leads no longer.
    StepDown,
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Nothing that others need to know.
    Nothing,
    /// This process leads from now on.
    Won,
    /// It still does.
    Renewed,
    /// It does no longer.
    Lost,
}

/// A candidate, or the holder.
#[derive(Clone, Debug)]
pub struct Election {
    me: String,
    timings: LeaseTimings,
    /// What is stored as far as known, and when that was first seen. `None`: it has to be read.
    seen: Option<Seen>,
    /// When the last renewal was sent that is known to be stored.
    held_since: Option<Moment>,
    /// It has to be read before anything is written.
    doubt: Option<Doubt>,
    /// When anything was last tried.
    tried: Option<Moment>,
    before: Before,
}

/// Why what is stored is not known.
#[derive(Clone, Debug)]
enum Doubt {
    /// A write was refused: somebody else's came first.
    Refused,
    /// A write was sent then and its answer lost: it may be stored, with this mark.
    Unanswered(Moment, String),
}

#[derive(Clone, Debug)]
struct Seen {
    lease: Option<StoredLease>,
    at: Moment,
}

impl Election {
    /// A candidate by this name, which no other process may ever share.
    pub fn new(me: impl Into<String>, timings: LeaseTimings) -> Self {
        Self { me: me.into(), timings, seen: None, held_since: None, doubt: None, tried: None, before: Before::Unknown }
    }

    /// What was known of the holder before, when this process won.
    pub fn before(&self) -> &Before {
        &self.before
    }

    /// What is known to be stored.
    pub fn lease(&self) -> Option<&StoredLease> {
        self.seen.as_ref()?.lease.as_ref()
    }

    /// When the last renewal was sent that is known to be stored; `None` while this process does not lead.
    pub fn held_since(&self) -> Option<Moment> {
        self.held_since
    }

    /// What to do at `now`. `at_once`: somebody wants to know that the lease still holds.
    pub fn next(&self, now: &Moment, at_once: bool) -> Step {
        let tried = self.tried.map(|tried| now.boottime.saturating_sub(tried.boottime));
        let pause = tried.map_or(Duration::ZERO, |ago| self.timings.retry.saturating_sub(ago));
        let Some(held_since) = self.held_since else { return self.compete(now, pause) };
        let age = now.boottime.saturating_sub(held_since.boottime);
        let left = self.timings.renew_deadline.saturating_sub(age);
        if left.is_zero() {
            return Step::StepDown;
        }
        if !pause.is_zero() && !at_once {
            return Step::Wait(pause.min(left));
        }
        match self.seen.as_ref().and_then(|seen| seen.lease.clone()) {
            Some(lease) if self.doubt.is_none() => Step::Renew(lease),
            _ => Step::Read,
        }
    }

    fn compete(&self, now: &Moment, pause: Duration) -> Step {
        let Some(seen) = self.seen.as_ref().filter(|_| self.doubt.is_none()) else {
            return if pause.is_zero() { Step::Read } else { Step::Wait(pause) };
        };
        let Some(lease) = &seen.lease else {
            return if pause.is_zero() { Step::Create } else { Step::Wait(pause) };
        };
        // Let go; or ours, by a write that was stored long after it was sent.
        if lease.record.holder.is_empty() || lease.record.holder == self.me {
            return Step::TakeOver(lease.clone());
        }
        // The longer of the two: whoever wrote it stops by its own.
        let duration = lease.record.duration.max(self.timings.duration);
        let unchanged = now.boottime.saturating_sub(seen.at.boottime);
        let left = duration.saturating_sub(unchanged);
        match (left.is_zero(), pause.is_zero()) {
            (true, true) => Step::TakeOver(lease.clone()),
            (true, false) => Step::Wait(pause),
            // Beside the watch, which may be silent.
            (false, true) => Step::Read,
            (false, false) => Step::Wait(pause.min(left)),
        }
    }

    /// The record with which this process takes the lease, or renews it. `mark`: its own clock, for others to see a
    /// change in.
    pub fn record(&self, from: Option<&LeaseRecord>, mark: String) -> LeaseRecord {
        let changes_hands = from.is_some_and(|from| from.holder != self.me);
        LeaseRecord {
            holder: self.me.clone(),
            duration: self.timings.duration,
            transitions: from.map_or(0, |from| from.transitions) + i64::from(changes_hands),
            renewed: mark,
            released_by: None,
        }
    }

    /// Something is being sent.
    pub fn tries(&mut self, now: Moment) {
        self.tried = Some(now);
    }

    /// The Lease was read, or heard of by a watch; `None`: there is none. A read answers a write whose answer was lost.
    pub fn heard(&mut self, lease: Option<StoredLease>, now: Moment) -> News {
        let mine = lease.as_ref().is_some_and(|lease| lease.record.holder == self.me);
        let confirmed = match (self.doubt.take(), &lease) {
            (Some(Doubt::Unanswered(sent, mark)), Some(lease)) if mine && lease.record.renewed == mark => Some(sent),
            _ => None,
        };
        self.note(lease, now);
        match (self.held_since.is_some(), mine) {
            (true, false) => {
                self.held_since = None;
                News::Lost
            }
            (true, true) => confirmed.map_or(News::Nothing, |sent| {
                self.held_since = Some(sent);
                News::Renewed
            }),
            (false, true) => confirmed.map_or(News::Nothing, |sent| {
                self.held_since = Some(sent);
                News::Won
            }),
            (false, false) => News::Nothing,
        }
    }

    /// A watch may bring what is older than what is known: only news of others' counts from it.
    pub fn watched(&mut self, lease: Option<StoredLease>, now: Moment) -> News {
        let known = self.lease().map(|lease| (&lease.uid, number(&lease.version)));
        let newer = match (&lease, known) {
            (Some(lease), Some((uid, version))) => *uid != lease.uid || number(&lease.version) > version,
            _ => self.held_since.is_none(),
        };
        if !newer || self.doubt.is_some() {
            return News::Nothing;
        }
        self.heard(lease, now)
    }

    fn note(&mut self, lease: Option<StoredLease>, now: Moment) {
        let unchanged = |seen: &&Seen| match (&seen.lease, &lease) {
            (Some(before), Some(now)) => before.uid == now.uid && before.record == now.record,
            _ => false,
        };
        let at = self.seen.as_ref().filter(unchanged).map_or(now, |seen| seen.at);
        self.seen = Some(Seen { lease, at });
    }

    /// The write that was sent at `sent` is stored.
    pub fn wrote(&mut self, lease: StoredLease, sent: Moment, now: Moment) -> News {
        self.doubt = None;
        self.note(Some(lease), now);
        let news = if self.held_since.is_some() { News::Renewed } else { News::Won };
        self.held_since = Some(sent);
        news
    }

    /// The write was certainly not made: somebody else's was, or the Lease is gone. It is read before anything else.
    pub fn refused(&mut self) {
        self.doubt = Some(Doubt::Refused);
        self.tried = None;
    }

    /// Nobody knows whether the write that was sent then is stored.
    pub fn unanswered(&mut self, sent: Moment, mark: String) {
        self.doubt = Some(Doubt::Unanswered(sent, mark));
    }

    /// Remembers what is taken over: it tells what an earlier leader may have called.
    pub fn takes_over(&mut self, from: Option<&LeaseRecord>) {
        self.before = match from {
            Some(from) if from.holder == self.me => return,
            Some(from) if !from.holder.is_empty() => Before::Expired,
            Some(from) => from.released_by.clone().map_or(Before::Unknown, |by| Before::Released(Some(by))),
            // Deleted, perhaps under a holder that does not know yet: it may call until its renew deadline.
            None => Before::Unknown,
        };
    }

    /// It could not be renewed in time.
    pub fn step_down(&mut self) {
        self.held_since = None;
        self.forget();
    }

    fn forget(&mut self) {
        (self.seen, self.doubt) = (None, None);
    }
}

fn number(version: &str) -> Option<u64> {
    version.parse().ok()
}
