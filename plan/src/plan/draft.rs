//! A window while it is being decided.

use jiff::{SignedDuration, Timestamp};

use super::facts::{Facts, later, sooner};
use super::{Entry, Place, ReadPurpose, Recheck};
use crate::ids::AccountName;
use crate::memory::{Call, Outcome, Verb};
use crate::reading::Reading;
use crate::reason::Reason;
use crate::record::{OnAir, Record, Task, TaskState, Trouble};
use crate::timeline::Interval;
use crate::window::DeletionPolicy;

/// A look wished for.
pub(crate) struct LookWish {
    pub(crate) due: Timestamp,
    pub(crate) purpose: ReadPurpose,
    pub(crate) account: AccountName,
}

/// Since when a window is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Something was stored of it.
    Before,
    /// Nothing was.
    FirstSeen,
    /// Nothing was, as far as this process has seen; before all objects were listed nothing can be said of it.
    Undecided,
}

/// One window's record on its way from what was to what is.
pub(crate) struct Draft<'a> {
    pub(crate) entry: &'a Entry,
    pub(crate) record: Record,
    pub(crate) known: Known,
    /// Its account has read the job for the first time.
    first_read: bool,
    pub(crate) call_wish: Option<Verb>,
    pub(crate) look_wishes: Vec<LookWish>,
    /// Its place among the workflows of its account whose start is pending.
    pub(crate) place: Option<Place>,
    /// A read of the stored objects is wanted.
    pub(crate) recheck: Option<Recheck>,
    /// The channel is meant to be on for others.
    pub(crate) covered: bool,
    /// When the start is due, by our clock.
    start: Timestamp,
    /// When the stop is due, by our clock; sooner than planned while a deletion asks for it.
    stop: Timestamp,
}

impl<'a> Draft<'a> {
    /// Takes up the record, writes the last call on it, moves times that are not frozen, and notes a first reading.
    pub(crate) fn open(entry: &'a Entry, facts: &Facts) -> Self {
        let window = &entry.window;
        let mut record = entry.record.clone().unwrap_or_else(|| Record::new(window));
        if let Some(call) = facts.memory.last_call().filter(|call| call.windows.contains(&window.id)) {
            stamp(&mut record, call);
        }
        if !record.activation.frozen() && record.cuts == 0 {
            record.activation.time = window.activation;
            record.activation.call_at = window.start();
        }
        if !record.deactivation.frozen() && record.deactivation.time != window.deactivation {
            record.deactivation.time = window.deactivation;
            record.deactivation.call_at = stop_from(window.deactivation, facts);
        }
        for task in [&mut record.activation, &mut record.deactivation] {
            // By a clock that was set back since: what has happened is not ahead.
            task.called_at = task.called_at.map(|at| at.min(facts.now));
            task.attempted_at = task.attempted_at.map(|at| at.min(facts.now));
        }
        let ahead = facts.memory.clock_ahead;
        let mut draft = Self {
            entry,
            // Never early by either clock; and a clock that is behind makes no start late that it need not.
            start: later(record.activation.call_at, ahead.max(SignedDuration::ZERO)),
            stop: later(record.deactivation.call_at, ahead),
            record,
            known: if entry.record.is_some() { Known::Before } else { Known::FirstSeen },
            first_read: false,
            call_wish: None,
            look_wishes: Vec::new(),
            place: None,
            recheck: None,
            covered: false,
        };
        if let Some(look) = facts.memory.look(&window.account).filter(|look| look.error.is_none()) {
            draft.first_read = draft.record.verified_at.is_none();
            draft.record.verified_at.get_or_insert(look.at);
        }
        draft
    }

    /// What this account's last look says is wrong with key or job.
    fn note_trouble(&mut self, facts: &Facts) {
        let own = facts.memory.look(&self.entry.window.account);
        if self.record.settled() {
            self.record.trouble = None;
        } else if let Some(trouble) = self.entry.window.barred() {
            self.record.trouble = Some(trouble);
        } else if self.entry.access.is_some() {
            self.record.trouble.clone_from(&self.entry.access);
        } else if self.record.trouble.as_ref().is_some_and(|trouble| bars(trouble.reason)) {
            self.record.trouble = None;
        } else if let Some(look) = own {
            self.record.trouble = match &look.error {
                // One lost answer is no trouble for a window whose job was read before.
                Some(error) if passing(error.reason) && look.failures < 3 && self.record.verified_at.is_some() => {
                    self.record.trouble.take()
                }
                Some(error) => Some(Trouble { reason: error.reason, message: error.message.clone() }),
                None => self.unfit(facts),
            };
        } else if self.record.trouble.as_ref().is_some_and(|trouble| of_access(trouble.reason)) {
            // The account is usable again, and nothing has been read with it yet.
            self.record.trouble = None;
        }
    }

    /// A job that can be read, but never switched on.
    fn unfit(&self, facts: &Facts) -> Option<Trouble> {
        let seen = facts.memory.seen.as_ref()?;
        let before_start = self.record.activation.is_pending();
        let trouble = |reason, message: String| Some(Trouble { reason, message });
        match seen.reading {
            _ if seen.is_static == Some(false) && before_start => trouble(
                Reason::NotStatic,
                "The job is not a static entry point (static: false): it cannot be switched on and off.".into(),
            ),
            Reading::Ended if before_start => trouble(
                Reason::JobEnded,
                format!("The job has ended for good (state {}).", seen.state.as_deref().unwrap_or("unknown")),
            ),
            _ => None,
        }
    }

    pub(crate) fn task(&self, verb: Verb) -> &Task {
        match verb {
            Verb::Activate => &self.record.activation,
            Verb::Deactivate => &self.record.deactivation,
        }
    }

    /// When the call is due.
    pub(crate) fn due(&self, verb: Verb) -> Timestamp {
        match verb {
            Verb::Activate => self.start,
            Verb::Deactivate => self.stop,
        }
    }

    /// The start was not called after all: its time is as its owner has it.
    pub(crate) fn unfreeze_start(&mut self, facts: &Facts) {
        let (window, task) = (&self.entry.window, &mut self.record.activation);
        task.called_at = None;
        task.time = window.activation;
        task.call_at = window.start();
        self.start = later(task.call_at, facts.memory.clock_ahead.max(SignedDuration::ZERO));
    }

    /// The vendor cut the session short: the start is due again, from now on.
    pub(crate) fn start_again(&mut self, now: Timestamp) {
        let task = &mut self.record.activation;
        task.state = TaskState::Pending;
        (task.called_at, task.attempted_at, task.confirmed_at, task.lateness) = (None, None, None, None);
        task.call_at = now;
        task.say(Reason::CutByVendor, Reason::CutByVendor.meaning());
        self.start = now;
        self.record.cuts += 1;
        self.record.claim = None;
    }

    /// The stop is due now, or was when it was called, whatever was planned.
    pub(crate) fn stop_now(&mut self, now: Timestamp) {
        self.stop = self.stop.min(self.record.deactivation.called_at.unwrap_or(now));
    }

    /// Asks for a look.
    pub(crate) fn look(&mut self, purpose: ReadPurpose, facts: &Facts) {
        self.look_from(Timestamp::MIN, purpose, facts);
    }

    /// Asks for a look, not before `from`.
    pub(crate) fn look_from(&mut self, from: Timestamp, purpose: ReadPurpose, facts: &Facts) {
        if let Some(account) = facts.account_for(self.entry) {
            self.look_with(account, from, purpose, facts);
        }
    }

    fn look_with(&mut self, account: AccountName, from: Timestamp, purpose: ReadPurpose, facts: &Facts) {
        if let Some(due) = facts.look_due(&account, purpose, from, self.entry.window.id.as_str()) {
            self.look_wishes.push(LookWish { due, purpose, account });
        }
    }

    /// A look that checks key and job with this window's own account, whoever's key its stop is made with.
    fn check(&mut self, facts: &Facts) {
        if self.entry.access.is_none() {
            let own = self.entry.window.account.clone();
            self.look_with(own, Timestamp::MIN, ReadPurpose::Check, facts);
        }
    }

    /// Holds the channel, as far as the timeline goes: it belongs to the job, and its start was made or will be.
    /// One that is to be switched off at once holds it up to now: where the next window starts within a turning time,
    /// the channel stays on for that one.
    pub(crate) fn standing(&self, facts: &Facts) -> Option<Interval> {
        let window = &self.entry.window;
        let started = self.record.activation.state == TaskState::Finished;
        let starting = self.record.activation.is_pending()
            && window.finalizer
            && (self.record.activation.called_at.is_some() || window.may_start());
        let called_back = self.record.activation.reason == Some(Reason::CancelledDuringStart);
        let retained = window.deleted_under() == Some(DeletionPolicy::Retain);
        let holds = self.record.verified_at.is_some()
            && self.record.deactivation.is_pending()
            && (started || starting)
            && (called_back || !self.called_off())
            && !retained;
        let stop = later(self.record.deactivation.call_at, facts.memory.clock_ahead);
        let stop = if called_back || window.deleted_to_stop() { stop.min(facts.now) } else { stop };
        if holds { Interval::new(self.start, stop) } else { None }
    }

    /// The time it claims of the channel, for telling overlaps ahead of time.
    pub(crate) fn claims(&self) -> Option<Interval> {
        let window = &self.entry.window;
        let open = matches!(self.record.activation.state, TaskState::Pending | TaskState::Finished)
            && self.record.deactivation.is_pending();
        let claims = open && self.record.verified_at.is_some() && !window.deleting() && !window.cancel;
        if claims { Interval::new(self.record.activation.call_at, self.record.deactivation.call_at) } else { None }
    }

    /// As the Live API's DELETE wants it: `cancel`, or a deletion under the policy Cancel.
    pub(crate) fn called_off(&self) -> bool {
        let window = &self.entry.window;
        window.cancel || window.deleted_under() == Some(DeletionPolicy::Cancel)
    }

    /// What is shown of the channel, and the looks that keep it true.
    pub(crate) fn watch(&mut self, facts: &Facts) {
        self.record.on_air = self.on_air(facts);
        self.note_drift(facts);
        self.note_capacity(facts);
        self.note_trouble(facts);
        let unsettled = !self.record.settled();
        if unsettled && (self.record.verified_at.is_none() || self.record.trouble.is_some()) {
            self.check(facts);
        }
        let past = self.record.activation.reason == Some(Reason::WindowPast);
        if past && self.record.verified_at.is_none() && facts.memory.look(&self.entry.window.account).is_none() {
            // One look, to tell whether an old window left its channel on; a failed one is not repeated.
            self.check(facts);
        }
        if self.record.deactivation.reason == Some(Reason::StopCancelled) && self.record.on_air != OnAir::False {
            self.look(ReadPurpose::Supervise, facts);
        }
    }

    /// Off inside the window, and nobody here called a stop.
    fn note_drift(&mut self, facts: &Facts) {
        let Record { activation, deactivation, on_air, drift, .. } = &mut self.record;
        let inside = activation.state == TaskState::Finished && deactivation.is_pending();
        match on_air {
            OnAir::False if inside && deactivation.called_at.is_none() => {
                let vendor = facts.memory.seen.as_ref().is_some_and(|seen| seen.vendors_timer_ran_out);
                let reason = if vendor { Reason::AutoDeactivated } else { Reason::StoppedExternally };
                drift.get_or_insert(reason);
            }
            OnAir::True => *drift = None,
            _ => {}
        }
    }

    /// Told ahead of time, while there is time to move a window.
    fn note_capacity(&mut self, facts: &Facts) {
        let window = &self.entry.window;
        let to_come = self.record.activation.is_pending()
            && self.record.activation.attempts == 0
            && !(window.suspend || window.cancel || window.deleting());
        let near = facts.now >= sooner(self.due(Verb::Activate), facts.timings.preflight_ahead);
        self.record.too_many_starts = self.entry.short_of_capacity && to_come && near;
    }

    fn on_air(&self, facts: &Facts) -> OnAir {
        let Record { activation, deactivation, on_air, .. } = &self.record;
        match (activation.state, deactivation.state, deactivation.reason) {
            (_, _, Some(Reason::KeptOnAir)) => OnAir::NotOurs,
            (_, _, Some(Reason::Retained)) => *on_air,
            (_, TaskState::Failed, _) => OnAir::Unknown,
            (TaskState::Finished, TaskState::Cancelled, Some(Reason::StopCancelled)) if *on_air == OnAir::False => {
                OnAir::False
            }
            // Turning, in the same breath as the call: one write less. A repeated call changes nothing that is shown.
            (TaskState::Finished, TaskState::Pending, _)
                if facts.call_under_way() && deactivation.called_at.is_some() && deactivation.attempts == 1 =>
            {
                OnAir::Unknown
            }
            (TaskState::Finished, TaskState::Pending, _)
            | (TaskState::Finished, TaskState::Cancelled, Some(Reason::StopCancelled)) => shown(facts, *on_air),
            // Refused again, most likely: the condition would flap with each try.
            (TaskState::Pending, _, _) if facts.call_under_way() && activation.attempts > 1 => *on_air,
            (TaskState::Pending, _, _) if activation.called_at.is_some() => OnAir::Unknown,
            (TaskState::Failed, TaskState::Pending, _) if deactivation.called_at.is_some() => OnAir::Unknown,
            (TaskState::Failed, _, Some(Reason::WindowPast)) if !self.covered => self.left_on(facts),
            _ => OnAir::False,
        }
    }

    /// Whether an old window left its channel on: found at its one look, and over as soon as any look says so. Later
    /// windows of the job speak for themselves.
    fn left_on(&self, facts: &Facts) -> OnAir {
        match facts.memory.seen.as_ref().map(|seen| seen.reading) {
            Some(Reading::On) if self.first_read => OnAir::True,
            None | Some(Reading::On) => self.record.on_air,
            Some(_) => OnAir::False,
        }
    }
}

/// When a stop that was moved to `time` is due. "Stop now" is written as any time in the past: such a stop is due
/// when the edit is seen, and late from then. A process that has not read the job yet may have been down through the
/// edit and the time: it cannot tell, and counts from the time.
fn stop_from(time: Timestamp, facts: &Facts) -> Timestamp {
    if facts.memory.seen.is_some() { time.max(facts.now) } else { time }
}

/// Writes the last call on the task it was made for. Running it again changes nothing.
fn stamp(record: &mut Record, call: &Call) {
    let cuts = record.cuts;
    let task = match call.verb {
        Verb::Activate => &mut record.activation,
        Verb::Deactivate => &mut record.deactivation,
    };
    // The start of a session that the vendor has cut short since is not the one that is due.
    let of_before = cuts > 0 && call.verb == Verb::Activate && call.sent_at < task.call_at;
    if !task.is_pending() || of_before {
        return;
    }
    task.attempts = task.attempts.max(call.attempt);
    task.attempted_at = Some(call.sent_at);
    if let Some((_, Outcome::Refused { reason, message, for_good })) = &call.answered {
        // This one certainly changed nothing; one before it still may have.
        task.called_at = call.earlier;
        task.lateness = call.earlier.and_then(|earlier| lateness(earlier, task));
        let reason = match (reason, call.verb) {
            (Reason::CallRefused, Verb::Activate) if !for_good => Reason::StartRefused,
            (Reason::CallRefused, Verb::Deactivate) => Reason::StopRefused,
            _ => *reason,
        };
        task.say(reason, message.clone());
        if *for_good && call.verb == Verb::Activate {
            task.state = TaskState::Failed;
        }
        return;
    }
    task.called_at = Some(call.sent_at);
    task.lateness = lateness(call.sent_at, task);
    match (&call.answered, call.verb) {
        (Some((_, Outcome::Unanswered(why))), Verb::Deactivate) if call.attempt > 1 => {
            let message = format!("Called {} times; not read off yet. The last answer was lost: {why}", call.attempt);
            // The word tells the next process how long to wait: see `recorded_call`.
            task.say(Reason::AnswerLost, message);
        }
        (Some((_, Outcome::Unanswered(why))), _) => {
            task.say(Reason::AnswerLost, format!("The answer to the last call was lost: {why}"));
        }
        // A repeated call says something new only once it is answered: otherwise each try would be an event.
        (None, _) if call.attempt > 1 => {}
        // Said of the same call already, once it had been found out.
        (_, Verb::Activate) if task.reason == Some(Reason::StartNotConfirmed) => {}
        (_, Verb::Activate) => task.say(Reason::Starting, "Called; not read on yet."),
        (_, Verb::Deactivate) if call.attempt > 1 => {
            task.say(Reason::StopNotConfirmed, "Called again; not read off yet.");
        }
        (_, Verb::Deactivate) => task.say(Reason::Stopping, "Called; not read off yet."),
    }
}

/// A stop that a deletion or a cancel asks for comes before its planned time and is not late.
fn lateness(sent_at: Timestamp, task: &Task) -> Option<SignedDuration> {
    Some(sent_at.duration_since(task.call_at)).filter(|late| !late.is_negative())
}

/// On air as the last believable reading has it. Without one the last word stands, until it is older than a channel
/// takes to turn.
fn shown(facts: &Facts, before: OnAir) -> OnAir {
    let Some(seen) = &facts.memory.seen else { return before };
    if facts.call_under_way() {
        return before;
    }
    if facts.now.duration_since(seen.at) > facts.timings.believe_answered {
        return OnAir::Unknown;
    }
    match seen.reading {
        Reading::On if facts.believes(seen) => OnAir::True,
        Reading::Off | Reading::Ended if facts.believes(seen) => OnAir::False,
        // On, against a stop that was called: turning. Off, against a start that was confirmed: not believed yet.
        Reading::Off => before,
        _ => OnAir::Unknown,
    }
}

fn bars(reason: Reason) -> bool {
    matches!(reason, Reason::Undecodable | Reason::CRDTooOld)
}

fn passing(reason: Reason) -> bool {
    matches!(reason, Reason::LiveAPIUnreachable | Reason::LiveAPIError)
}

fn of_access(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Checking
            | Reason::AccountNotFound
            | Reason::EndpointNotAllowed
            | Reason::SecretNotFound
            | Reason::SecretKeyMissing
            | Reason::KeyMalformed
    )
}
