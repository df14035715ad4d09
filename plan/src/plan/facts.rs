//! What is known of the job, and what of it can be believed.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};

use super::{Entry, ReadPurpose};
use crate::ids::AccountName;
use crate::lease::Term;
use crate::memory::{Call, Look, LookError, Looking, Memory, Outcome, Seen, Verb};
use crate::reading::Reading;
use crate::reason::Reason;
use crate::record::{Task, TaskState};
use crate::registration::Executor;
use crate::timings::{Timings, backoff};

/// Everything that the windows of a job share.
pub(crate) struct Facts<'a> {
    pub(crate) memory: &'a Memory,
    /// The term in which this process leads.
    pub(crate) term: &'a Term,
    pub(crate) now: Timestamp,
    pub(crate) timings: &'a Timings,
    pub(super) entries: &'a [Entry],
    /// The last call: this process's, or what the records tell of an earlier one's.
    call: Option<Cow<'a, Call>>,
}

impl<'a> Facts<'a> {
    pub(crate) fn gather(
        entries: &'a [Entry],
        memory: &'a Memory,
        term: &'a Term,
        now: Timestamp,
        timings: &'a Timings,
    ) -> Self {
        let ours = memory.last_call().map(Cow::Borrowed).or_else(|| recorded_call(entries).map(Cow::Owned));
        let vendors = vendors_call(entries, memory, now, timings).map(Cow::Owned);
        // Of two at the same instant ours is the one that something is known of.
        let call = vendors.into_iter().chain(ours).max_by_key(|call| call.sent_at);
        Self { memory, term, now, timings, entries, call }
    }

    pub(crate) fn call_under_way(&self) -> bool {
        self.call.as_deref().is_some_and(Call::under_way)
    }

    /// The stops that the vendor's scheduler made for these windows, or may have made.
    pub(crate) fn vendors_stops(&self) -> impl Iterator<Item = Timestamp> {
        let workflows = self.entries.iter().filter_map(|entry| entry.record.as_ref()?.registration.as_deref());
        workflows
            .filter(|workflow| !workflow.gone && !workflow.stop.came_to_nothing())
            .map(|workflow| later(workflow.stop.slot.time, self.memory.clock_ahead.max(SignedDuration::ZERO)))
            .filter(|at| *at <= self.now)
    }

    pub(crate) fn last_verb(&self) -> Option<Verb> {
        self.call.as_ref().map(|call| call.verb)
    }

    /// Whether a reading may be acted on. One that shows the opposite of our last call is believed only after a
    /// while: the vendor takes up to a minute to carry a call out, and one whose answer was lost may still be on its
    /// way. One that was asked for before the call tells nothing.
    pub(crate) fn believes(&self, seen: &Seen) -> bool {
        let Some(call) = &self.call else { return true };
        if call.under_way() {
            return false;
        }
        let Some(patience) = call.patience(self.timings) else { return true };
        let after = seen.asked_at > call.sent_at;
        after && (agrees(call.verb, seen.reading) || seen.asked_at >= later(call.sent_at, patience))
    }

    /// When a reading against the last call will be believed.
    pub(crate) fn believable_at(&self) -> Option<Timestamp> {
        let call = self.call.as_ref()?;
        Some(later(call.sent_at, call.patience(self.timings)?))
    }

    /// The last reading, if it is fresh enough to start on.
    pub(crate) fn fresh(&self) -> Option<&'a Seen> {
        self.memory.seen.as_ref().filter(|seen| self.timings.is_fresh(seen.at, self.now))
    }

    /// Whether our clock may be far off, and an answer that would tell is on its way. Not for ever: where none is to be
    /// had, our clock is the only one there is.
    pub(crate) fn clock_in_doubt(&self, entry: &Entry) -> bool {
        const TRIES: u32 = 3;
        let failures = self.memory.look(&entry.window.account).map_or(0, |look| look.failures);
        !self.memory.clock_proven && entry.access.is_none() && failures < TRIES
    }

    /// All objects were listed since this process leads.
    pub(crate) fn listed_in_term(&self) -> bool {
        self.memory.listed_at.is_some_and(|listed| listed >= self.term.since)
    }

    /// The last reading, if it was asked for after `since`.
    pub(crate) fn seen_after(&self, since: Timestamp) -> Option<&'a Seen> {
        self.memory.seen.as_ref().filter(|seen| seen.asked_at > since)
    }

    /// The last reading, if it can be believed.
    pub(crate) fn believed(&self) -> Option<&'a Seen> {
        self.memory.seen.as_ref().filter(|seen| self.believes(seen))
    }

    /// How long the channel has been read as it is now.
    pub(crate) fn unchanged_for(&self) -> SignedDuration {
        self.memory.reading_since.map_or(SignedDuration::ZERO, |since| self.now.duration_since(since))
    }

    /// A look takes longer than a call can wait for.
    fn looking_for_long(&self) -> bool {
        self.memory.looking.is_some_and(|looking| self.now >= self.waited_for_until(looking))
    }

    fn waited_for_until(&self, looking: Looking) -> Timestamp {
        later(looking.since, self.timings.answer_awaited())
    }

    /// From when on a look for this purpose may be sent, beside one that is under way; `None`: not before that is
    /// answered. What a call or a turning channel needs does not wait for a list for long: it may have a hundred pages.
    pub(crate) fn free_to_look_from(&self, purpose: ReadPurpose) -> Option<Timestamp> {
        let Some(looking) = self.memory.looking else { return Some(Timestamp::MIN) };
        let hurried = purpose.needed() || purpose == ReadPurpose::Turning;
        (looking.by_list && hurried).then(|| self.waited_for_until(looking))
    }

    /// A look was tried for what is due at `due` and brought nothing, or is taking too long: for a stop that counts
    /// as billed.
    pub(crate) fn blind(&self, account: &AccountName, due: Timestamp) -> bool {
        let late = self.looking_for_long();
        late || self.look_error(account).is_some_and(|_| {
            self.memory.look(account).is_some_and(|look| look.asked_at >= sooner(due, self.timings.reading_fresh))
        })
    }

    pub(crate) fn look_error(&self, account: &AccountName) -> Option<&'a LookError> {
        self.memory.look(account).and_then(|look| look.error.as_ref())
    }

    /// When a refused call may be repeated; `None` when the last call was not a refused one of this kind, or when it
    /// can be made with another key, be it the same account's new one.
    pub(crate) fn retry_at(&self, verb: Verb, entry: &Entry) -> Option<Timestamp> {
        match self.call.as_deref().filter(|call| call.verb == verb && !call.refused_by_old_key()) {
            Some(Call { answered: Some((at, Outcome::Refused { .. })), attempt, account, .. }) => {
                let (first, most) = (self.timings.retry_first, self.timings.retry_most);
                let other_key = account.as_ref().is_some_and(|refused| self.other_key_at_hand(entry, refused));
                (!other_key).then(|| later(*at, backoff(first, most, *attempt, entry.window.id.as_str())))
            }
            _ => None,
        }
    }

    /// The same for a start. A wait that began ahead of `activation.time` ends with it: a lead must not make late what
    /// would be called then without one.
    pub(crate) fn start_retry_at(&self, entry: &Entry) -> Option<Timestamp> {
        let planned = entry.window.activation;
        let at = self.retry_at(Verb::Activate, entry)?;
        let ahead = self.call.as_ref().is_some_and(|call| call.sent_at < planned);
        Some(if ahead { at.min(planned) } else { at })
    }

    /// When the next look of this purpose is due, not before `from`. One that a call needs is made at `from` whatever
    /// was found before it: an older reading may go stale just as the call falls due, and the wait after a failed
    /// look must not reach past a stop.
    pub(crate) fn look_due(
        &self,
        account: &AccountName,
        purpose: ReadPurpose,
        from: Timestamp,
        seed: &str,
    ) -> Option<Timestamp> {
        let Some(look) = self.memory.look(account) else { return Some(from.max(self.now)) };
        if purpose.needed() && self.read_at(look) < from {
            return Some(from);
        }
        let due = self.look_due_after(look, purpose, seed)?;
        Some(due.max(from))
    }

    fn look_due_after(&self, look: &Look, purpose: ReadPurpose, seed: &str) -> Option<Timestamp> {
        let t = self.timings;
        if look.error.is_some() {
            let (first, most) = match purpose {
                ReadPurpose::Check => (t.check_retry_first, t.check_retry_most),
                _ => (t.retry_first, t.retry_most),
            };
            return Some(later(look.at, backoff(first, most, look.failures, seed)));
        }
        // What another key has read just now needs no second look.
        let at = self.read_at(look);
        match purpose {
            // Sooner than it goes stale, so that a call that waits for a slot can go out at any moment.
            ReadPurpose::ForStop | ReadPurpose::ForStart if self.fresh().is_some() => Some(later(at, t.read_ahead)),
            ReadPurpose::ForStop | ReadPurpose::ForStart => Some(self.now),
            ReadPurpose::Turning => Some(next_on_grid(at.max(self.last_answer()), self.poll())),
            ReadPurpose::Supervise => Some(next_on_grid(at, t.supervise)),
            ReadPurpose::Check => None,
        }
    }

    fn read_at(&self, look: &Look) -> Timestamp {
        self.memory.seen.as_ref().map_or(look.at, |seen| seen.at.max(look.at))
    }

    fn last_answer(&self) -> Timestamp {
        let answered = self.call.as_ref().and_then(|call| call.answered.as_ref());
        answered.map_or(Timestamp::MIN, |(at, _)| *at)
    }

    /// A channel that has been turning for long is looked at less often.
    fn poll(&self) -> SignedDuration {
        let since = self.call.as_ref().map_or(SignedDuration::ZERO, |call| self.now.duration_since(call.sent_at));
        if since > self.timings.poll * 15 { self.timings.poll_slow } else { self.timings.poll }
    }
}

/// The call that an earlier process made: the last one recorded and not settled. Its answer is told by the reason
/// stored with it; one that was certainly refused cleared `calledAt`, and its back-off goes on.
fn recorded_call(entries: &[Entry]) -> Option<Call> {
    entries
        .iter()
        .filter_map(|entry| entry.record.as_ref().map(|record| (entry, record)))
        .flat_map(|(entry, record)| {
            [(Verb::Activate, &record.activation), (Verb::Deactivate, &record.deactivation)]
                .into_iter()
                .filter_map(|(verb, task)| recorded(task, verb, entry))
        })
        .max_by_key(|call| call.sent_at)
}

fn recorded(task: &Task, verb: Verb, entry: &Entry) -> Option<Call> {
    let vendors = task.attempted_at.is_none() && executor_of(entry) == Executor::LiveScheduler;
    if task.state != TaskState::Pending || vendors {
        return None;
    }
    let sent_at = task.attempted_at.or(task.called_at)?;
    let message = task.message.clone();
    let outcome = match task.reason {
        _ if task.called_at != Some(sent_at) && task.attempted_at.is_some() => {
            let reason = task.reason.unwrap_or(Reason::CallRefused);
            Outcome::Refused { reason, message, for_good: false }
        }
        Some(Reason::AnswerLost | Reason::PerhapsCalled) => Outcome::Unanswered(message),
        _ => Outcome::Accepted,
    };
    let earlier = task.called_at.filter(|called_at| *called_at != sent_at);
    let windows = vec![entry.window.id.clone()];
    Some(Call {
        verb,
        account: None,
        windows,
        sent_at,
        attempt: task.attempts,
        answered: Some((sent_at, outcome)),
        earlier,
        rekeyed: false,
        vendors: None,
    })
}

fn executor_of(entry: &Entry) -> Executor {
    entry.record.as_ref().map_or(Executor::Operator, |record| record.executor)
}

/// The last call of the vendor's scheduler for these windows: made, or perhaps made, at its time.
fn vendors_call(entries: &[Entry], memory: &Memory, now: Timestamp, timings: &Timings) -> Option<Call> {
    let ahead = memory.clock_ahead.max(SignedDuration::ZERO);
    let workflows = entries.iter().filter_map(|entry| entry.record.as_ref()?.registration.as_deref());
    workflows
        .filter(|workflow| !workflow.gone && !workflow.start.came_to_nothing())
        .flat_map(|workflow| {
            let patience = match &workflow.id {
                None => timings.step_in_unknown,
                Some(_) if workflow.start.is_spent() => timings.believe_answered,
                Some(_) => timings.step_in_start,
            };
            [(Verb::Activate, &workflow.start, patience), (Verb::Deactivate, &workflow.stop, timings.step_in_stop)]
        })
        .filter(|(_, half, _)| !half.came_to_nothing())
        .map(|(verb, half, patience)| (verb, later(half.slot.time, ahead), patience))
        .filter(|(_, at, _)| *at <= now)
        .max_by_key(|(_, at, _)| *at)
        .map(|(verb, at, patience)| Call::of_vendor(verb, at, patience))
}

fn agrees(verb: Verb, reading: Reading) -> bool {
    match reading {
        Reading::Ended | Reading::Unknown => true,
        Reading::On | Reading::GoingOn => verb == Verb::Activate,
        Reading::Off | Reading::GoingOff => verb == Verb::Deactivate,
    }
}

pub(crate) fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

pub(crate) fn sooner(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

/// The next multiple of `step` after `at`: the jobs of an account fall due together, so that one list answers for
/// all of them.
fn next_on_grid(at: Timestamp, step: SignedDuration) -> Timestamp {
    let step = step.as_millis().max(1);
    let next = (i128::from(at.as_millisecond()) / step + 1) * step;
    i64::try_from(next).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::MAX)
}
