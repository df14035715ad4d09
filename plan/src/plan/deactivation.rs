//! The stop: a level, over only when the channel is read off or has ended.

use jiff::Timestamp;

use super::delegation::Duty;
use super::draft::Draft;
use super::facts::{Facts, later, sooner};
use super::{Alarm, Others, ReadPurpose, delegation, recheck};
use crate::memory::{Seen, Verb};
use crate::reading::Reading;
use crate::reason::Reason;
use crate::record::TaskState;
use crate::window::{Deletion, DeletionPolicy};

/// Decides the stop of one window.
pub(super) fn step(draft: &mut Draft, others: &Others, duty: &Duty, facts: &Facts, alarm: &mut Alarm) {
    draft.covered = others.covered;
    if draft.record.deactivation.is_pending() {
        by_vendor(draft, others, duty, facts);
        decide(draft, others, duty, facts, alarm);
    }
    note_lost_edit(draft);
}

/// At its time the vendor's scheduler may have made the stop: from then on it is one that was called.
fn by_vendor(draft: &mut Draft, others: &Others, duty: &Duty, facts: &Facts) {
    let Some(at) = duty.stopped_by_vendor(facts) else { return };
    let stop = draft.due(Verb::Deactivate);
    let record = &mut draft.record;
    let for_this = facts.now >= stop && at >= record.activation.call_at && !others.covered;
    if for_this && record.has_it_on() && record.deactivation.called_at.is_none() {
        record.deactivation.called_at = Some(at);
        record.deactivation.say(Reason::Stopping, "The Live API's scheduler makes the stop; not read off yet.");
    }
}

fn decide(draft: &mut Draft, others: &Others, duty: &Duty, facts: &Facts, alarm: &mut Alarm) {
    let window = &draft.entry.window;
    if window.deleted_under() == Some(DeletionPolicy::Retain) && draft.record.has_it_on() {
        leave_on(draft);
        return;
    }
    if window.deleting()
        && draft.record.has_it_on()
        && let Some(why) = facts.credentials_gone(draft.entry, alarm)
    {
        give_up(draft, why);
        return;
    }
    match draft.record.activation.state {
        TaskState::Pending if draft.record.activation.called_at.is_some() => {
            starting(draft, others, duty, facts, alarm);
        }
        TaskState::Pending | TaskState::Cancelled => {}
        TaskState::Failed => after_failed_start(draft, others, duty, facts, alarm),
        TaskState::Finished => started(draft, others, duty, facts, alarm),
    }
}

/// Deleted, and not to be called for: the last word on it says what stays.
fn leave_on(draft: &mut Draft) {
    let message = delegation::left_standing(draft);
    draft.record.deactivation.settle(TaskState::Cancelled, Reason::Retained, message.as_str());
    if draft.record.activation.is_pending() {
        draft.record.activation.settle(TaskState::Cancelled, Reason::Retained, message);
    }
}

/// The one way in which a stop ends without a reading: the object goes, and a person is told.
fn give_up(draft: &mut Draft, why: &str) {
    let message = format!(
        "Given up: {why}. The channel may still be on, and billed; switch it off by hand.{}",
        delegation::still_there(draft)
    );
    draft.record.deactivation.settle(TaskState::Failed, Reason::StopGivenUp, message);
    if draft.record.activation.is_pending() {
        let message = "Called, and never confirmed before the window was deleted.";
        draft.record.activation.settle(TaskState::Failed, Reason::StartNotConfirmed, message);
    }
}

/// The start was called and is not settled: the channel may be on, so an end that comes now is made.
fn starting(draft: &mut Draft, others: &Others, duty: &Duty, facts: &Facts, alarm: &mut Alarm) {
    if draft.entry.window.deleted_to_stop() {
        draft.stop_now(facts.now);
    }
    if facts.now >= draft.due(Verb::Deactivate) {
        due(draft, others, duty, facts, alarm);
    }
}

fn started(draft: &mut Draft, others: &Others, duty: &Duty, facts: &Facts, alarm: &mut Alarm) {
    if facts.believed().is_some_and(|seen| seen.reading == Reading::Ended) {
        finish(draft, Reason::JobEnded, facts.memory.seen.as_ref(), Reason::JobEnded.meaning());
        return;
    }
    let called_back = draft.record.activation.reason == Some(Reason::CancelledDuringStart);
    if draft.called_off() && !called_back && draft.record.deactivation.called_at.is_none() {
        drop_stop(draft, others);
        return;
    }
    if called_back || draft.entry.window.deleted_to_stop() || draft.record.deactivation.called_at.is_some() {
        draft.stop_now(facts.now);
    }
    let stop = draft.due(Verb::Deactivate);
    if facts.now < stop {
        on_air(draft, stop, facts, alarm);
    } else {
        due(draft, others, duty, facts, alarm);
    }
}

/// As the Live API's DELETE does after the start: only the stop is called off, and the channel stays on.
fn drop_stop(draft: &mut Draft, others: &Others) {
    let task = &mut draft.record.deactivation;
    if others.covered {
        task.settle(TaskState::Cancelled, Reason::Cancelled, "Cancelled; another window keeps the channel on.");
    } else {
        task.settle(TaskState::Cancelled, Reason::StopCancelled, Reason::StopCancelled.meaning());
    }
}

fn on_air(draft: &mut Draft, stop: Timestamp, facts: &Facts, alarm: &mut Alarm) {
    if draft.record.deactivation.called_at.is_none() {
        // A stop that had been refused, and was then moved into the future.
        draft.record.deactivation.reason = None;
        draft.record.deactivation.message.clear();
    }
    let read_from = sooner(stop, facts.timings.read_ahead);
    alarm.at(stop);
    alarm.at(read_from);
    let turning = facts
        .memory
        .seen
        .as_ref()
        .is_some_and(|seen| matches!(seen.reading, Reading::GoingOn | Reading::GoingOff) || !facts.believes(seen));
    draft.recheck = recheck::wanted(Verb::Deactivate, stop, facts, alarm);
    draft.look(if turning { ReadPurpose::Turning } else { ReadPurpose::Supervise }, facts);
    draft.look_from(read_from, ReadPurpose::ForStop, facts);
}

/// The stop is due: what is asked here is the one question that matters, whether the channel is off.
fn due(draft: &mut Draft, others: &Others, duty: &Duty, facts: &Facts, alarm: &mut Alarm) {
    let stop = draft.due(Verb::Deactivate);
    let seen = draft.record.deactivation.called_at.and_then(|at| facts.seen_after(at)).or_else(|| facts.fresh());
    let believed = seen.filter(|seen| facts.believes(seen));
    // Once a stop was called, only a reading On tells that it is not going to cut the others.
    let still_on = draft.record.deactivation.called_at.is_none() || believed.is_some_and(|s| s.reading == Reading::On);
    if others.covered && still_on {
        keep_on(draft, others, facts);
        return;
    }
    match believed {
        Some(seen) if seen.reading == Reading::Ended => {
            finish(draft, Reason::JobEnded, Some(seen), Reason::JobEnded.meaning());
        }
        Some(_) if duty.tells_of_start(&draft.record) => {}
        Some(seen) if seen.reading == Reading::Off => stopped(draft, duty, facts, seen),
        _ if facts.surely_not_found(draft.entry, stop) => {
            finish(draft, Reason::JobNotFound, None, "The Live API does not know the job any more.");
        }
        _ => insist(draft, seen, stop, facts, alarm),
    }
}

/// Another window wants the channel on. The duty to stop passes to it only once the apiserver has stored that it has
/// started; until then it rests here.
fn keep_on(draft: &mut Draft, others: &Others, facts: &Facts) {
    match &others.heir {
        Some(heir) => {
            let message = format!("The channel stays on for {heir}.");
            if draft.record.activation.is_pending() {
                draft.record.activation.settle(TaskState::Finished, Reason::AlreadyOnAir, message.clone());
            }
            finish(draft, Reason::KeptOnAir, facts.memory.seen.as_ref(), message);
        }
        None => draft.look(ReadPurpose::Turning, facts),
    }
}

/// Not off, as far as anyone can tell: call, or wait for what is under way, and look again.
fn insist(draft: &mut Draft, seen: Option<&Seen>, stop: Timestamp, facts: &Facts, alarm: &mut Alarm) {
    if facts.call_under_way() {
        return;
    }
    let retry_at = facts.retry_at(Verb::Deactivate, draft.entry);
    let patience_over = facts.believable_at();
    let patient = patience_over.is_none_or(|at| at <= facts.now);
    let longest = facts.timings.believe_answered;
    let turned_for_long = facts.unchanged_for() >= longest;
    let may_call = match seen.map(|seen| (seen.reading, facts.believes(seen))) {
        Some((Reading::On, true)) => true,
        Some((Reading::GoingOn, _)) => {
            wait(draft, Reason::WaitingForStart);
            patient && (turned_for_long || facts.now >= later(stop, longest))
        }
        Some((Reading::GoingOff, _)) => {
            wait(draft, Reason::Stopping);
            patient && turned_for_long
        }
        // Against the last call, and too early to believe: it may still be carried out.
        Some((Reading::On | Reading::Off, _)) => {
            wait(draft, Reason::Turning);
            false
        }
        Some((Reading::Unknown | Reading::Ended, _)) => patient,
        None => blind(draft, stop, facts) && patient,
    };
    for at in [retry_at, patience_over].into_iter().flatten() {
        alarm.at(at);
    }
    alarm.at(later(facts.now, facts.timings.answer_awaited()));
    if draft.record.deactivation.attempts == 0 {
        // Beside the reading of the job, not after it.
        draft.recheck = recheck::wanted(Verb::Deactivate, stop, facts, alarm);
    }
    if may_call && retry_at.is_none_or(|at| at <= facts.now) {
        wish(draft, facts, alarm);
    }
    match seen {
        // The call that goes out now makes the next reading.
        Some(_) if draft.call_wish.is_some() && facts.fresh().is_some() => {}
        Some(_) => draft.look(ReadPurpose::Turning, facts),
        None => draft.look_from(sooner(stop, facts.timings.read_ahead), ReadPurpose::ForStop, facts),
    }
}

/// No reading to go by although one was asked for: a stop must not wait for it. A job that the Live API says it does
/// not know is no such case: there is nothing to call.
fn blind(draft: &Draft, stop: Timestamp, facts: &Facts) -> bool {
    let Some(account) = facts.account_for(draft.entry) else { return false };
    let unknown_job = facts.look_error(&account).is_some_and(|error| error.reason == Reason::JobNotFound);
    facts.blind(&account, stop) && !unknown_job
}

fn wait(draft: &mut Draft, reason: Reason) {
    if draft.record.deactivation.attempts == 0 {
        draft.record.deactivation.say(reason, reason.meaning());
    }
}

fn wish(draft: &mut Draft, facts: &Facts, alarm: &mut Alarm) {
    if !draft.entry.window.finalizer {
        return;
    }
    let stop = draft.due(Verb::Deactivate);
    draft.recheck = recheck::wanted(Verb::Deactivate, stop, facts, alarm);
    if !recheck::enough(Verb::Deactivate, stop, facts) {
        return;
    }
    if draft.record.deactivation.attempts == 0 && draft.record.deactivation.called_at.is_some() {
        draft.record.deactivation.say(Reason::VendorStopMissing, Reason::VendorStopMissing.meaning());
    }
    if let Some(reason) = facts.memory.held_back.filter(|_| draft.record.deactivation.attempts == 0) {
        draft.record.deactivation.say(reason, reason.meaning());
    }
    draft.call_wish = Some(Verb::Deactivate);
}

fn stopped(draft: &mut Draft, duty: &Duty, facts: &Facts, seen: &Seen) {
    let by_vendor = draft.record.deactivation.called_at.is_some() && draft.record.drift.is_none();
    let called = draft.record.deactivation.attempts > 0 || by_vendor;
    let (reason, message) = match (draft.record.activation.state, draft.record.activation.reason) {
        (TaskState::Finished, Some(Reason::CancelledDuringStart)) => {
            (Reason::CancelledDuringStart, format!("Off air; read off at {}.", seen.at))
        }
        (TaskState::Failed, _) => (
            Reason::StoppedAfterFailedStart,
            format!("The channel was on although the start had failed; read off at {}.", seen.at),
        ),
        _ if called => (Reason::Stopped, format!("Off air; read off at {}.", seen.at)),
        _ => (Reason::AlreadyOff, format!("The channel was already off at {}.", seen.at)),
    };
    if duty.ran_unseen(&draft.record, facts) {
        let message = "Made by the Live API's scheduler, as its workflow tells; nobody read the channel then.";
        draft.record.activation.settle(TaskState::Finished, Reason::Started, message);
    } else if draft.record.activation.is_pending() {
        draft.record.activation.settle(
            TaskState::Failed,
            Reason::StartNotConfirmed,
            "Called, but the channel was never read on before the window's end.",
        );
    }
    finish(draft, reason, Some(seen), message);
}

fn finish(draft: &mut Draft, reason: Reason, seen: Option<&Seen>, message: impl Into<String>) {
    let task = &mut draft.record.deactivation;
    task.confirmed_at = seen.map(|seen| seen.at);
    task.settle(TaskState::Finished, reason, message);
}

/// Nothing was started by this window. At its end the channel is read once more: on, and wanted by nobody, it is
/// switched off.
fn after_failed_start(draft: &mut Draft, others: &Others, duty: &Duty, facts: &Facts, alarm: &mut Alarm) {
    let stop = draft.due(Verb::Deactivate);
    if draft.record.deactivation.attempts > 0 {
        due(draft, others, duty, facts, alarm);
        return;
    }
    // Such a job takes no `deactivate` either: repeating it would be refused for ever.
    let not_static = draft.record.activation.reason == Some(Reason::NotStatic);
    let never_ours = draft.record.verified_at.is_none() && draft.record.activation.attempts == 0;
    let window = &draft.entry.window;
    if window.cancel
        || (window.deleting() && !draft.record.has_it_on())
        || (facts.now >= stop && (never_ours || not_static))
    {
        nothing_to_stop(draft);
        return;
    }
    if window.deletion == Deletion::Meant {
        draft.stop_now(facts.now);
    }
    let stop = draft.due(Verb::Deactivate);
    if facts.now < stop {
        alarm.at(stop);
        alarm.at(sooner(stop, facts.timings.read_ahead));
        draft.recheck = recheck::wanted(Verb::Deactivate, stop, facts, alarm);
        draft.look_from(sooner(stop, facts.timings.read_ahead), ReadPurpose::ForStop, facts);
        return;
    }
    let seen = facts.fresh();
    match seen.filter(|seen| facts.believes(seen)).map(|seen| seen.reading) {
        Some(Reading::Off | Reading::Ended) => nothing_to_stop(draft),
        Some(_) if others.covered => nothing_to_stop(draft),
        Some(Reading::On) => due(draft, others, duty, facts, alarm),
        _ if facts.surely_not_found(draft.entry, stop) => nothing_to_stop(draft),
        // A start that may have left, and no reading to go by: as any other stop.
        _ if draft.record.has_it_on() => due(draft, others, duty, facts, alarm),
        _ => draft.look(if seen.is_some() { ReadPurpose::Turning } else { ReadPurpose::ForStop }, facts),
    }
}

fn nothing_to_stop(draft: &mut Draft) {
    draft.record.deactivation.settle(TaskState::Cancelled, Reason::StartFailed, Reason::StartFailed.meaning());
}

/// An edit of the stop that came too late changes nothing, and says so.
fn note_lost_edit(draft: &mut Draft) {
    let window = &draft.entry.window;
    let task = &mut draft.record.deactivation;
    let made = task.state == TaskState::Finished && task.called_at.is_some();
    if made && task.time != window.deactivation && task.reason == Some(Reason::Stopped) {
        let message =
            format!("The stop was made for {}; moving it to {} changes nothing.", task.time, window.deactivation);
        task.say(Reason::StopAlreadyMade, message);
    }
}
