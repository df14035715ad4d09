//! The election, after client-go's algorithm, as a pure state machine: what was seen of the Lease, and when by this
//! machine's own clock it was seen to change, says what to do next. No clock is read here and nothing is sent.
//!
//! Times that others wrote are never compared with ours. Ages are counted on the clock that also counts suspension.
//!
//! [`Election::next`] says a step. Its outcome is told by [`Election::read`], [`Election::answered`] or
//! [`Election::refused`]; a step whose outcome nobody knows is simply not told of, and the Lease is read before anything
//! else is written.

use std::time::Duration;

use jiff::Timestamp;

use crate::ids::ProcessId;
use crate::lease::{Before, LeaseTimings, Moment};

/// What a Lease says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRecord {
    /// Who holds it; empty: it was let go.
    pub holder: String,
    /// How long others leave it alone.
    pub duration: Duration,
    /// How often a term began.
    pub transitions: i64,
    /// When the term began, by its holder's clock. For people.
    pub acquired: String,
    /// When it was last renewed, by its holder's clock: compared for change, never with our clock.
    pub renewed: String,
    /// The process that let it go, where it was let go in order.
    pub released_by: Option<ProcessId>,
}

/// A Lease as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredLease {
    /// Another one made later under the same name has another uid.
    pub uid: String,
    /// The resourceVersion, which a write has to name.
    pub version: String,
    /// What it says.
    pub record: LeaseRecord,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read the Lease, at quorum.
    Read,
    /// Make the Lease with this record.
    Create(LeaseRecord),
    /// Write `to` over exactly the version and uid of `from`.
    Update {
        /// What must still be stored.
        from: StoredLease,
        /// What is to be stored.
        to: LeaseRecord,
    },
    /// Nothing for so long, unless something is heard before.
    Wait(Duration),
    /// This process leads no longer; or, when it is letting go, there is nothing left that it could do.
    StepDown,
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Nothing that anybody needs to know.
    Nothing,
    /// This process leads from now on.
    Won(Before),
    /// It still does.
    Renewed,
    /// It does no longer: the Lease is another's, or gone.
    Lost,
    /// It has let go.
    Released,
}

/// Why a write was certainly not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Somebody else's came first.
    Conflict,
    /// There is no such Lease.
    Gone,
    /// Any other reason, such as a missing right.
    Other,
}

/// What is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The Lease.
    pub uid: String,
    /// The count of its transitions: which term.
    pub transitions: i64,
    /// When the last renewal was sent that is known to be stored.
    pub renewed: Moment,
}

/// A candidate, or the holder.
#[derive(Clone, Debug)]
pub struct Election {
    me: String,
    process: ProcessId,
    timings: LeaseTimings,
    /// Between two attempts: the retry time less up to an eighth, so that candidates do not go in step.
    pause: Duration,
    seen: Option<Seen>,
    /// What was seen is not what is stored: it has to be read before anything is written.
    stale: bool,
    held: Option<Held>,
    /// A write whose outcome is not known.
    sent: Option<Sent>,
    /// When anything was last sent.
    tried: Option<Moment>,
    /// When anything was last heard of the Lease.
    heard: Option<Moment>,
    /// How many steps may be taken without a pause before.
    hurried: u8,
    /// Writes in a row that somebody else's came before.
    conflicts: u8,
    marked: Option<Timestamp>,
    leaving: Option<Moment>,
    /// An earlier candidate of this very process, which is known to be over.
    predecessor: Option<Predecessor>,
}

/// An earlier candidate of this very process: nobody needs to wait for its lease to run out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Predecessor {
    /// By which name it held the Lease.
    pub holder: String,
    /// Its id.
    pub process: ProcessId,
    /// All that it called is recorded.
    pub recorded: bool,
}

#[derive(Clone, Debug)]
struct Seen {
    /// `None`: there is none.
    lease: Option<StoredLease>,
    /// When its record was first seen as it is.
    changed: Moment,
    /// The Lease was deleted under a holder, which may not know of it until then.
    haunted: Option<Haunted>,
}

#[derive(Clone, Copy, Debug)]
struct Haunted {
    since: Moment,
    duration: Duration,
}

#[derive(Clone, Debug)]
struct Sent {
    at: Moment,
    mark: String,
    before: Before,
}

impl Election {
    /// A candidate by the name `me`, which no other process may ever share.
    pub fn new(me: impl Into<String>, process: ProcessId, timings: LeaseTimings) -> Self {
        let pause = timings.retry.saturating_sub(timings.retry / 8 * spread(&process) / 256);
        Self {
            me: me.into(),
            process,
            timings,
            pause,
            seen: None,
            stale: false,
            held: None,
            sent: None,
            tried: None,
            heard: None,
            hurried: 0,
            conflicts: 0,
            marked: None,
            leaving: None,
            predecessor: None,
        }
    }

    /// The same, in place of an earlier one that is over.
    #[must_use]
    pub fn after(self, predecessor: Option<Predecessor>) -> Self {
        Self { predecessor, ..self }
    }

    fn was_ours(&self, record: &LeaseRecord) -> bool {
        self.predecessor.as_ref().is_some_and(|before| before.holder == record.holder)
    }

    /// What is held; `None` while this process does not lead.
    pub fn held(&self) -> Option<&Held> {
        self.held.as_ref()
    }

    /// What was last seen to be stored.
    pub fn lease(&self) -> Option<&StoredLease> {
        self.seen.as_ref()?.lease.as_ref()
    }

    /// How long this process goes on leading without a renewal; `None` while it does not lead.
    pub fn left(&self, now: &Moment) -> Option<Duration> {
        let held = self.held.as_ref()?;
        Some(self.timings.renew_deadline.saturating_sub(age(&held.renewed, now)))
    }

    /// Somebody wants to know that the lease still holds: the next step need not wait.
    pub fn hurry(&mut self) {
        self.hurried = self.hurried.max(1);
    }

    /// From now on the lease is not renewed but let go.
    pub fn leave(&mut self, now: Moment) {
        self.leaving = Some(now);
        self.hurry();
    }

    /// What to do at `now`: to be carried out at once. `watching`: changes of the Lease are heard of by a watch.
    pub fn next(&mut self, now: &Moment, watching: bool) -> Step {
        let step = match (&self.leaving, &self.held) {
            (Some(since), _) => self.let_go(since, now),
            (None, Some(_)) => self.hold(now),
            (None, None) => self.compete(now, watching),
        };
        match step {
            Todo::Wait(wait) => return Step::Wait(wait),
            Todo::StepDown => {
                // A renewal that may still be stored belongs to a term that is over.
                (self.held, self.sent, self.stale, self.leaving) = (None, None, true, None);
                return Step::StepDown;
            }
            Todo::Read | Todo::Write => {}
        }
        self.tried = Some(*now);
        self.hurried = self.hurried.saturating_sub(1);
        match step {
            Todo::Write => self.write(now),
            _ => Step::Read,
        }
    }

    fn hold(&self, now: &Moment) -> Todo {
        let left = self.left(now).unwrap_or_default();
        let pause = self.paused(now);
        match (left.is_zero(), pause.is_zero()) {
            (true, _) => Todo::StepDown,
            (false, false) => Todo::Wait(pause.min(left)),
            (false, true) => self.known().map_or(Todo::Read, |_| Todo::Write),
        }
    }

    fn compete(&self, now: &Moment, watching: bool) -> Todo {
        let pause = self.paused(now);
        let Some(seen) = self.known() else {
            return if pause.is_zero() { Todo::Read } else { Todo::Wait(pause) };
        };
        let left = self.occupied(seen, now);
        if left.is_zero() {
            return Todo::Write;
        }
        // A watch may be silent because it is broken: a holder that renews is heard of once in a retry time.
        let patience = if watching { self.timings.retry * 2 } else { self.pause };
        let quiet = self.heard.map_or(Duration::MAX, |heard| age(&heard, now));
        match patience.saturating_sub(quiet).max(pause) {
            Duration::ZERO => Todo::Read,
            unheard => Todo::Wait(unheard.min(left)),
        }
    }

    /// How long the Lease is to be left alone.
    fn occupied(&self, seen: &Seen, now: &Moment) -> Duration {
        let (since, duration) = match (&seen.lease, &seen.haunted) {
            (Some(lease), _)
                if !lease.record.holder.is_empty()
                    && lease.record.holder != self.me
                    && !self.was_ours(&lease.record) =>
            {
                (seen.changed, lease.record.duration)
            }
            (None, Some(haunted)) => (haunted.since, haunted.duration),
            // Let go; or ours, by a write that was stored long after it was sent; or never held as far as we know.
            _ => return Duration::ZERO,
        };
        // The longer of what its holder wrote and our own: its holder stops by its own times, and the plan's reckoning
        // of when it must have been silent goes by ours ([`crate::Term::new`]). Too long costs only time.
        duration.max(self.timings.duration).saturating_sub(age(&since, now))
    }

    fn let_go(&self, since: &Moment, now: &Moment) -> Todo {
        let left = self.left(now).unwrap_or_else(|| self.timings.renew_deadline.saturating_sub(age(since, now)));
        let pause = self.paused(now);
        let idle = self.held.is_none() && self.sent.is_none();
        let Some(seen) = self.known() else {
            return match (left.is_zero() || idle, pause.is_zero()) {
                (true, _) => Todo::StepDown,
                (false, true) => Todo::Read,
                (false, false) => Todo::Wait(pause.min(left)),
            };
        };
        let mine = seen.lease.as_ref().is_some_and(|lease| lease.record.holder == self.me);
        match (mine && !left.is_zero(), pause.is_zero()) {
            (false, _) => Todo::StepDown,
            (true, true) => Todo::Write,
            (true, false) => Todo::Wait(pause.min(left)),
        }
    }

    /// What is stored, unless that is in doubt.
    fn known(&self) -> Option<&Seen> {
        self.seen.as_ref().filter(|_| !self.stale && self.sent.is_none())
    }

    fn paused(&self, now: &Moment) -> Duration {
        let tried = self.tried.filter(|_| self.hurried == 0);
        tried.map_or(Duration::ZERO, |tried| self.pause.saturating_sub(age(&tried, now)))
    }

    fn write(&mut self, now: &Moment) -> Step {
        let from = self.lease().cloned();
        let mark = self.mark(now);
        let before = self.before(from.as_ref(), now);
        self.sent = Some(Sent { at: *now, mark: mark.clone(), before });
        match from {
            None => Step::Create(self.taken(0, mark)),
            Some(from) => Step::Update { to: self.written(&from.record, mark), from },
        }
    }

    fn written(&self, from: &LeaseRecord, mark: String) -> LeaseRecord {
        if self.leaving.is_some() {
            let duration = Duration::from_secs(1);
            let released_by = Some(self.process.clone());
            return LeaseRecord { holder: String::new(), duration, renewed: mark, released_by, ..from.clone() };
        }
        if self.held.is_some() {
            let (holder, duration) = (self.me.clone(), whole_seconds(self.timings.duration));
            return LeaseRecord { holder, duration, renewed: mark, released_by: None, ..from.clone() };
        }
        // Also when the record is our own still: a term's count is never used twice.
        self.taken(from.transitions.saturating_add(1), mark)
    }

    fn taken(&self, transitions: i64, mark: String) -> LeaseRecord {
        let duration = whole_seconds(self.timings.duration);
        LeaseRecord {
            holder: self.me.clone(),
            duration,
            transitions,
            acquired: mark.clone(),
            renewed: mark,
            released_by: None,
        }
    }

    /// What is known of the leader before, if `from` is taken over now.
    fn before(&self, from: Option<&StoredLease>, now: &Moment) -> Before {
        // No Lease: perhaps deleted, under a holder that does not know of it. Somebody may have called until now.
        let (Some(from), Some(seen)) = (from, &self.seen) else { return Before::Unknown };
        let record = &from.record;
        if record.holder.is_empty() {
            // Emptied by somebody else's hand: what its holder called need not be recorded.
            return record.released_by.clone().map_or(Before::Unknown, |by| Before::Released(Some(by)));
        }
        if let Some(ours) = self.predecessor.as_ref().filter(|ours| ours.holder == record.holder) {
            return if ours.recorded { Before::Released(Some(ours.process.clone())) } else { Before::Unknown };
        }
        // Our own, taken up again before it ran out: we may have called less than that ago.
        let duration = record.duration.max(self.timings.duration);
        if age(&seen.changed, now) >= duration { Before::Expired } else { Before::Unknown }
    }

    /// Others see that the record changes, and we know our own writes by it: never the same twice in a row.
    fn mark(&mut self, now: &Moment) -> String {
        let tick = jiff::SignedDuration::from_micros(1);
        let at = match self.marked {
            Some(last) if last == now.wall => last.checked_add(tick).unwrap_or(last),
            _ => now.wall,
        };
        self.marked = Some(at);
        mark(at)
    }
}

/// What is told.
impl Election {
    /// The Lease was read; `None`: there is none. This also tells what became of a write whose answer was lost.
    pub fn read(&mut self, lease: Option<StoredLease>, now: Moment) -> News {
        let sent = self.sent.take();
        self.note(lease.clone(), now);
        let record = lease.as_ref().map(|lease| &lease.record);
        let ours = sent.as_ref().filter(|sent| record.is_some_and(|record| record.renewed == sent.mark));
        if let (Some(_), Some(_), Some("")) = (self.leaving, ours, record.map(|record| record.holder.as_str())) {
            return self.released();
        }
        let held = lease.as_ref().is_some_and(|lease| self.holds(lease));
        match (lease, sent.clone().filter(|_| ours.is_some())) {
            _ if self.held.is_some() && !held => self.lose(),
            (Some(lease), Some(sent)) if lease.record.holder == self.me => self.proven(&lease, sent, &now),
            _ => {
                // Not stored, as it seems: again at once.
                if sent.is_some() {
                    self.hurry();
                }
                News::Nothing
            }
        }
    }

    /// The write that was said last is stored, as `lease`.
    pub fn answered(&mut self, lease: &StoredLease, now: Moment) -> News {
        let sent = self.sent.take();
        self.conflicts = 0;
        self.note(Some(lease.clone()), now);
        match sent {
            _ if self.leaving.is_some() => self.released(),
            Some(sent) => self.proven(lease, sent, &now),
            None => News::Nothing,
        }
    }

    /// The write that was said last was certainly not made.
    pub fn refused(&mut self, refusal: Refusal, now: Moment) -> News {
        (self.sent, self.stale) = (None, true);
        match refusal {
            Refusal::Conflict => {
                // Read, and written again, at once; not for ever, where somebody keeps writing.
                self.conflicts = self.conflicts.saturating_add(1);
                if self.conflicts <= 3 {
                    self.hurried = 2;
                }
                News::Nothing
            }
            // If it was ours: another may have made one since, and lost it.
            Refusal::Gone => {
                self.note(None, now);
                if self.held.is_some() { self.lose() } else { News::Nothing }
            }
            Refusal::Other => News::Nothing,
        }
    }

    /// A watch brought this. It may be older than what is known already.
    pub fn watched(&mut self, lease: StoredLease, now: Moment) {
        if self.news(&lease) {
            let stale = self.stale;
            self.note(Some(lease), now);
            self.stale = stale;
        }
    }

    /// A watch brought that this one was deleted.
    pub fn watched_deletion(&mut self, lease: &StoredLease, now: Moment) {
        let known = self.lease().is_some_and(|known| known.uid == lease.uid);
        if known && self.held.is_none() {
            let stale = self.stale;
            self.note(None, now);
            self.stale = stale;
        }
    }

    /// What a holder hears of are its own renewals.
    fn news(&self, lease: &StoredLease) -> bool {
        let older = self.lease().is_some_and(|known| match (number(&known.version), number(&lease.version)) {
            (Some(known), Some(brought)) => brought <= known,
            _ => known.version == lease.version,
        });
        self.held.is_none() && !older
    }

    fn note(&mut self, lease: Option<StoredLease>, now: Moment) {
        (self.heard, self.stale) = (Some(now), false);
        let before = self.seen.take();
        let haunted = match (&lease, &before) {
            (None, Some(Seen { lease: Some(gone), changed, .. })) => {
                let other = !gone.record.holder.is_empty() && gone.record.holder != self.me;
                other.then_some(Haunted { since: *changed, duration: gone.record.duration })
            }
            (None, Some(before)) => before.haunted,
            _ => None,
        };
        let same = |before: &Seen| match (&before.lease, &lease) {
            (Some(before), Some(now)) => before.uid == now.uid && before.record == now.record,
            _ => false,
        };
        let changed = before.filter(same).map_or(now, |before| before.changed);
        self.seen = Some(Seen { lease, changed, haunted });
    }

    /// A write that was sent then is stored.
    fn proven(&mut self, lease: &StoredLease, sent: Sent, now: &Moment) -> News {
        if let Some(held) = &mut self.held {
            held.renewed = sent.at;
            return News::Renewed;
        }
        if age(&sent.at, now) >= self.timings.renew_deadline {
            // Won and over: it is written once more.
            self.hurry();
            return News::Nothing;
        }
        let (uid, transitions) = (lease.uid.clone(), lease.record.transitions);
        self.held = Some(Held { uid, transitions, renewed: sent.at });
        News::Won(sent.before)
    }

    fn holds(&self, lease: &StoredLease) -> bool {
        let same = |held: &Held| held.uid == lease.uid && held.transitions == lease.record.transitions;
        lease.record.holder == self.me && self.held.as_ref().is_some_and(same)
    }

    fn lose(&mut self) -> News {
        (self.held, self.leaving) = (None, None);
        News::Lost
    }

    fn released(&mut self) -> News {
        (self.held, self.leaving) = (None, None);
        News::Released
    }
}

/// A step without its particulars.
enum Todo {
    Read,
    Write,
    Wait(Duration),
    StepDown,
}

/// The text of an instant, as a Lease tells it.
pub fn mark(at: Timestamp) -> String {
    format!("{at:.6}")
}

/// A Lease tells its duration in whole seconds: rounded up, so that nobody takes it too early.
fn whole_seconds(duration: Duration) -> Duration {
    let rest = u64::from(duration.subsec_nanos() > 0);
    Duration::from_secs((duration.as_secs() + rest).max(1))
}

fn age(then: &Moment, now: &Moment) -> Duration {
    now.boottime.saturating_sub(then.boottime)
}

fn number(version: &str) -> Option<u64> {
    version.parse().ok()
}

/// 0 to 255, the same for the same process (FNV-1a).
fn spread(process: &ProcessId) -> u32 {
    let hash =
        process.as_str().bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash >> 24
}

#[cfg(test)]
mod tests;
