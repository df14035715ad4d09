//! A window while it is being decided.

use jiff::Timestamp;

use super::facts::Facts;
use super::{Entry, ReadPurpose};
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

/// One window's record on its way from what was to what is.
pub(crate) struct Draft<'a> {
    pub(crate) entry: &'a Entry,
    pub(crate) record: Record,
    /// Nothing was stored of it.
    pub(crate) first_seen: bool,
    pub(crate) call_wish: Option<Verb>,
    pub(crate) look_wishes: Vec<LookWish>,
    /// The channel is meant to be on for others.
    pub(crate) covered: bool,
    /// When the stop is due; sooner than planned while a deletion asks for it.
    stop: Timestamp,
}

impl<'a> Draft<'a> {
    /// Takes up the record, moves times that are not frozen, and notes what the last look found.
    pub(crate) fn open(entry: &'a Entry, facts: &Facts) -> Self {
        let window = &entry.window;
        let mut record = entry.record.clone().unwrap_or_else(|| Record::new(window));
        if !record.activation.frozen() {
            record.activation.time = window.activation;
            record.activation.call_at = window.start();
        }
        if !record.deactivation.frozen() {
            record.deactivation.time = window.deactivation;
            record.deactivation.call_at = window.deactivation;
        }
        let mut draft = Self {
            entry,
            stop: record.deactivation.call_at,
            record,
            first_seen: entry.record.is_none(),
            call_wish: None,
            look_wishes: Vec::new(),
            covered: false,
        };
        draft.note_look(facts);
        draft
    }

    /// What this account's last look says of key and job.
    fn note_look(&mut self, facts: &Facts) {
        let own = facts.memory.looks.get(&self.entry.window.account);
        if let Some(look) = own.filter(|look| look.error.is_none()) {
            self.record.verified_at.get_or_insert(look.at);
        }
        if self.record.settled() {
            self.record.trouble = None;
        } else if self.entry.access.is_some() {
            self.record.trouble.clone_from(&self.entry.access);
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

    /// Writes the last call on the task it was made for. Running it again changes nothing.
    pub(crate) fn stamp(&mut self, call: Option<&Call>) {
        let Some(call) = call.filter(|call| call.windows.contains(&self.entry.window.id)) else { return };
        let task = self.task_mut(call.verb);
        if !task.is_pending() {
            return;
        }
        task.attempts = task.attempts.max(call.attempt);
        if let Some((_, Outcome::Refused { reason, message, for_good })) = &call.answered {
            task.called_at = None;
            task.lateness = None;
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
        // A stop that a deletion or a cancel asks for comes before its planned time and is not late.
        task.lateness = Some(call.sent_at.duration_since(task.call_at)).filter(|late| !late.is_negative());
        match (&call.answered, call.verb) {
            (Some((_, Outcome::Unanswered(why))), _) => {
                task.say(Reason::AnswerLost, format!("The answer to the last call was lost: {why}"));
            }
            // A repeated call says something new only once it is answered: otherwise each try would be an event.
            (None, _) if call.attempt > 1 => {}
            (_, Verb::Activate) => task.say(Reason::Starting, "Called; not read on yet."),
            (_, Verb::Deactivate) if call.attempt > 1 => {
                task.say(Reason::StopNotConfirmed, "Called again; not read off yet.");
            }
            (_, Verb::Deactivate) => task.say(Reason::Stopping, "Called; not read off yet."),
        }
    }

    pub(crate) fn task(&self, verb: Verb) -> &Task {
        match verb {
            Verb::Activate => &self.record.activation,
            Verb::Deactivate => &self.record.deactivation,
        }
    }

    fn task_mut(&mut self, verb: Verb) -> &mut Task {
        match verb {
            Verb::Activate => &mut self.record.activation,
            Verb::Deactivate => &mut self.record.deactivation,
        }
    }

    /// When the call is due.
    pub(crate) fn due(&self, verb: Verb) -> Timestamp {
        match verb {
            Verb::Activate => self.record.activation.call_at,
            Verb::Deactivate => self.stop,
        }
    }

    /// The stop is due now, whatever was planned.
    pub(crate) fn stop_now(&mut self, now: Timestamp) {
        self.stop = self.stop.min(now);
    }

    /// Asks for a look.
    pub(crate) fn look(&mut self, purpose: ReadPurpose, facts: &Facts) {
        self.look_from(Timestamp::MIN, purpose, facts);
    }

    /// Asks for a look, not before `from`.
    pub(crate) fn look_from(&mut self, from: Timestamp, purpose: ReadPurpose, facts: &Facts) {
        let Some(account) = facts.account_for(self.entry) else { return };
        if let Some(due) = facts.look_due(&account, purpose, self.entry.window.id.as_str()) {
            self.look_wishes.push(LookWish { due: due.max(from), purpose, account });
        }
    }

    /// A look that checks key and job with this window's own account.
    fn check(&mut self, facts: &Facts) {
        if self.entry.access.is_none() {
            self.look(ReadPurpose::Check, facts);
        }
    }

    /// Holds the channel, as far as the timeline goes: it belongs to the job, and its start was made or will be.
    pub(crate) fn standing(&self) -> Option<Interval> {
        let window = &self.entry.window;
        let started = self.record.activation.state == TaskState::Finished;
        let starting = self.record.activation.is_pending()
            && window.finalizer
            && (self.record.activation.called_at.is_some() || !window.suspend);
        let leaving = window.deleting || self.record.activation.reason == Some(Reason::CancelledDuringStart);
        let holds = self.record.verified_at.is_some()
            && self.record.deactivation.is_pending()
            && (started || starting)
            && !leaving
            && !window.cancel;
        if holds { Interval::new(self.record.activation.call_at, self.record.deactivation.call_at) } else { None }
    }

    /// The time it claims of the channel, for telling overlaps ahead of time.
    pub(crate) fn claims(&self) -> Option<Interval> {
        let window = &self.entry.window;
        let open = matches!(self.record.activation.state, TaskState::Pending | TaskState::Finished)
            && self.record.deactivation.is_pending();
        let claims = open && self.record.verified_at.is_some() && !window.deleting && !window.cancel;
        if claims { Interval::new(self.record.activation.call_at, self.record.deactivation.call_at) } else { None }
    }

    /// As the Live API's DELETE wants it: `cancel`, or a deletion under the policy Cancel.
    pub(crate) fn called_off(&self) -> bool {
        let window = &self.entry.window;
        window.cancel || (window.deleting && window.deletion_policy == DeletionPolicy::Cancel)
    }

    /// What is shown of the channel, and the looks that keep it true.
    pub(crate) fn watch(&mut self, facts: &Facts) {
        self.record.on_air = self.on_air(facts);
        let unsettled = !self.record.settled();
        if unsettled && (self.record.verified_at.is_none() || self.record.trouble.is_some()) {
            self.check(facts);
        }
        let past = self.record.activation.reason == Some(Reason::WindowPast);
        if past && self.record.verified_at.is_none() && !facts.memory.looks.contains_key(&self.entry.window.account) {
            // One look, to tell whether an old window left its channel on; a failed one is not repeated.
            self.check(facts);
        }
        if self.record.deactivation.reason == Some(Reason::StopCancelled) && self.record.on_air != OnAir::False {
            self.look(ReadPurpose::Supervise, facts);
        }
    }

    fn on_air(&self, facts: &Facts) -> OnAir {
        let Record { activation, deactivation, on_air, .. } = &self.record;
        match (activation.state, deactivation.state, deactivation.reason) {
            (_, _, Some(Reason::KeptOnAir)) => OnAir::NotOurs,
            (TaskState::Finished, TaskState::Cancelled, Some(Reason::StopCancelled)) if *on_air == OnAir::False => {
                OnAir::False
            }
            (TaskState::Finished, TaskState::Pending, _)
            | (TaskState::Finished, TaskState::Cancelled, Some(Reason::StopCancelled)) => shown(facts, *on_air),
            (TaskState::Pending, _, _) if activation.called_at.is_some() => OnAir::Unknown,
            (TaskState::Failed, TaskState::Pending, _) if deactivation.called_at.is_some() => OnAir::Unknown,
            (TaskState::Failed, _, Some(Reason::WindowPast)) if !self.covered => left_on(facts, *on_air),
            _ => OnAir::False,
        }
    }
}

/// On air as the last believable reading has it. Without one the last word stands, until it is older than a channel
/// takes to turn.
fn shown(facts: &Facts, before: OnAir) -> OnAir {
    let Some(seen) = &facts.memory.seen else { return before };
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

fn left_on(facts: &Facts, before: OnAir) -> OnAir {
    match facts.memory.seen.as_ref().map(|seen| seen.reading) {
        None => before,
        Some(Reading::On) => OnAir::True,
        Some(_) => OnAir::False,
    }
}

fn passing(reason: Reason) -> bool {
    matches!(reason, Reason::LiveAPIUnreachable | Reason::LiveAPIError)
}

fn of_access(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::AccountNotFound
            | Reason::EndpointNotAllowed
            | Reason::SecretNotFound
            | Reason::SecretKeyMissing
            | Reason::KeyMalformed
    )
}
