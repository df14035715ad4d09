//! The start: an edge, made once.

use jiff::{SignedDuration, Timestamp};

use super::delegation::{Duty, Starter};
use super::draft::{Draft, Known};
use super::facts::{Facts, later, sooner};
use super::{Alarm, ReadPurpose, claim, delegation, recheck};
use crate::memory::{Seen, Verb};
use crate::reading::Reading;
use crate::reason::Reason;
use crate::record::{TaskState, Trouble};
use crate::window::DeletionPolicy;

/// How far the vendor's clock may be behind ours for its history to still settle a start.
const HISTORY_SLACK: SignedDuration = SignedDuration::from_secs(2);

/// Decides the start of one window.
pub(super) fn step(draft: &mut Draft, duty: &Duty, facts: &Facts, alarm: &mut Alarm) {
    if draft.record.activation.is_pending() {
        by_vendor(draft, duty, facts);
        match draft.record.activation.called_at {
            Some(called_at) => called(draft, called_at, duty, facts, alarm),
            None => not_called(draft, duty, facts, alarm),
        }
    }
    note_lost_edit(draft);
}

/// A session that the vendor's scheduler cut short is begun anew.
pub(super) fn resume(draft: &mut Draft, facts: &Facts) {
    if cut_by_vendor(draft, facts) {
        draft.start_again(facts.now);
    }
}

/// What the vendor's scheduler made of the start, as far as its workflow tells: at its time it may have been called, and
/// what came to nothing was not.
fn by_vendor(draft: &mut Draft, duty: &Duty, facts: &Facts) {
    let wanted = draft.entry.window.finalizer && !draft.called_off() && !draft.entry.window.deleting();
    match draft.record.activation.called_at {
        None if wanted => {
            let Some(at) = duty.started_by_vendor(facts).filter(|_| facts.now >= draft.due(Verb::Activate)) else {
                return;
            };
            let task = &mut draft.record.activation;
            task.called_at = Some(at);
            task.say(Reason::Starting, "The Live API's scheduler makes the start; not read on yet.");
        }
        Some(_) if duty.made.is_some_and(|start| start.came_to_nothing()) && !called_here(draft) => {
            draft.unfreeze_start(facts);
            draft.record.activation.reason = None;
            draft.record.activation.message.clear();
            let reason = Reason::VendorStartMissing;
            draft.record.registered = Some(Trouble { reason, message: reason.meaning().to_owned() });
        }
        _ => {}
    }
}

/// This operator called it, or may have: not only the vendor's scheduler.
fn called_here(draft: &Draft) -> bool {
    draft.record.activation.attempted_at.is_some()
}

/// The vendor's scheduler switched the channel off while the window wants it on: a stop that was moved, or that another
/// window covers, and that the vendor made all the same.
fn cut_by_vendor(draft: &Draft, facts: &Facts) -> bool {
    let (window, record) = (&draft.entry.window, &draft.record);
    let on_air = record.activation.state == TaskState::Finished
        && record.deactivation.is_pending()
        && record.deactivation.called_at.is_none()
        && facts.now < draft.due(Verb::Deactivate);
    if !on_air || draft.called_off() || window.deleting() || !window.may_start() {
        return false;
    }
    let off = facts.believed().is_some_and(|seen| seen.reading == Reading::Off);
    let since = facts.memory.reading_since;
    let just_then = |at: Timestamp| {
        since.is_some_and(|since| {
            (sooner(at, HISTORY_SLACK)..=later(at, facts.timings.believe_answered)).contains(&since)
        })
    };
    off && facts.vendors_stops().any(|at| at < draft.due(Verb::Deactivate) && just_then(at))
}

/// A call may have left: only a reading settles what became of it.
///
/// Crash window (S4 to S8): a process that dies here leaves `calledAt` in the status, or a claim whose time has passed
/// ([`claim::inherit`]), and the next one begins in this function with a read, never with a call.
fn called(draft: &mut Draft, called_at: Timestamp, duty: &Duty, facts: &Facts, alarm: &mut Alarm) {
    if facts.call_under_way() {
        return;
    }
    let seen = facts.seen_after(called_at);
    if let Some(seen) = seen.filter(|seen| shows_start(seen, called_at, facts)) {
        confirm(draft, seen);
        return;
    }
    match seen.filter(|seen| facts.believes(seen)).map(|seen| seen.reading) {
        Some(Reading::Ended) => ended(draft),
        // Off at its end: what the vendor made of the window while nobody was there is told with its stop.
        Some(Reading::Off) if facts.now >= draft.due(Verb::Deactivate) && duty.ran_unseen(&draft.record, facts) => {}
        Some(Reading::Off) if duty.tells_of_start(&draft.record) => {
            alarm.at(draft.due(Verb::Deactivate));
            draft.look(ReadPurpose::Turning, facts);
        }
        Some(Reading::Off) if !called_here(draft) && duty.made.is_some_and(|start| start.is_spent()) => {
            // Spent: whether it was carried out and undone, or never carried out, nobody can tell.
            let what = "The Live API's scheduler made the start, and the channel was not read on";
            fail(draft, Reason::StartNotConfirmed, what, facts);
        }
        // Not carried out after all. What happens next is what happens to a start that was never called.
        Some(Reading::Off) => {
            if draft.record.activation.reason == Some(Reason::PerhapsCalled) {
                draft.unfreeze_start(facts);
            }
            not_called(draft, duty, facts, alarm);
        }
        _ => {
            if let Some(at) = facts.believable_at() {
                alarm.at(at);
            }
            alarm.at(draft.due(Verb::Deactivate));
            draft.look(ReadPurpose::Turning, facts);
        }
    }
}

/// On now, or on at some time since the call: then our call did it, even if somebody has switched it off since.
fn shows_start(seen: &Seen, called_at: Timestamp, facts: &Facts) -> bool {
    // The history is by the vendor's clock.
    let by_ours = |since| later(since, facts.memory.clock_ahead);
    let on_since_call = seen.on_since.is_some_and(|since| by_ours(since) >= sooner(called_at, HISTORY_SLACK));
    (seen.reading == Reading::On && facts.believes(seen)) || on_since_call
}

fn confirm(draft: &mut Draft, seen: &Seen) {
    let called_off = draft.called_off();
    let task = &mut draft.record.activation;
    task.confirmed_at = Some(seen.at);
    if called_off {
        let message = "Cancelled while the start was under way; the channel had come on and is switched off again.";
        task.settle(TaskState::Finished, Reason::CancelledDuringStart, message);
    } else {
        task.settle(TaskState::Finished, Reason::Started, format!("On air; read on at {}.", seen.at));
    }
}

fn ended(draft: &mut Draft) {
    draft.record.activation.settle(TaskState::Failed, Reason::JobEnded, Reason::JobEnded.meaning());
}

/// Nothing has left, or what left was not carried out.
fn not_called(draft: &mut Draft, duty: &Duty, facts: &Facts, alarm: &mut Alarm) {
    let window = &draft.entry.window;
    if (window.deleting() || window.cancel) && delegation::binds(window, &draft.record, facts) {
        leave(draft, facts, alarm);
        return;
    }
    if window.deleting() {
        call_off(draft, Reason::Deleted, "Deleted before the start.");
        return;
    }
    if window.cancel {
        call_off(draft, Reason::Cancelled, "Cancelled before the start.");
        return;
    }
    let (start, stop) = (draft.due(Verb::Activate), draft.due(Verb::Deactivate));
    if facts.now >= stop && draft.known == Known::Before && facts.clock_in_doubt(draft.entry) {
        // Our clock may be wrong, or was just set: whether the window is over is for the Live API's clock to confirm.
        wait_to_read(draft, facts);
        draft.look(ReadPurpose::ForStart, facts);
    } else if facts.now >= stop && !facts.listed_in_term() {
        // What an earlier leader did for it may not have reached our watch. Until the list tells, it stays one that nobody
        // has seen before.
        if draft.known == Known::FirstSeen {
            draft.known = Known::Undecided;
        }
    } else if facts.now >= stop {
        window_over(draft, facts);
    } else if facts.now < start {
        wait_for(draft, start, duty, facts, alarm);
    } else {
        alarm.at(stop);
        inside(draft, duty, facts, alarm);
    }
}

/// Called off, while its workflow may still make the start: that is read back first. One that is retained is left as it
/// stands, and so is one that no key can be had for.
fn leave(draft: &mut Draft, facts: &Facts, alarm: &mut Alarm) {
    let deleting = draft.entry.window.deleting();
    if draft.entry.window.deleted_under() == Some(DeletionPolicy::Retain) {
        let message = delegation::left_standing(draft);
        call_off(draft, Reason::Retained, &message);
    } else if let Some(why) = facts.credentials_gone(draft.entry, alarm).filter(|_| deleting) {
        let message = format!("Given up: {why}.{} Cancel it by hand.", delegation::still_there(draft));
        draft.record.activation.settle(TaskState::Failed, Reason::StopGivenUp, message.as_str());
        draft.record.deactivation.settle(TaskState::Failed, Reason::StopGivenUp, message);
    } else {
        draft.record.activation.say(Reason::CancellingWorkflow, Reason::CancellingWorkflow.meaning());
    }
}

fn call_off(draft: &mut Draft, reason: Reason, message: &str) {
    draft.record.activation.settle(TaskState::Cancelled, reason, message);
    draft.record.deactivation.settle(TaskState::Cancelled, reason, message);
}

/// The window has ended without its start.
fn window_over(draft: &mut Draft, facts: &Facts) {
    if draft.known == Known::FirstSeen {
        // An old manifest or a restored backup: it was never ours to start.
        let message = format!("The window was over at {} when it was first seen.", draft.due(Verb::Deactivate));
        draft.record.activation.settle(TaskState::Failed, Reason::WindowPast, message.clone());
        draft.record.deactivation.settle(TaskState::Cancelled, Reason::WindowPast, message);
        return;
    }
    if draft.entry.window.suspend {
        let message = "Suspended until the window's end.";
        draft.record.activation.settle(TaskState::Failed, Reason::Suspended, message);
        draft.record.deactivation.settle(TaskState::Cancelled, Reason::Suspended, message);
        return;
    }
    if let Some(Trouble { reason, message }) = draft.entry.window.barred() {
        draft.record.activation.settle(TaskState::Failed, reason, message);
        return;
    }
    let reason = if draft.record.activation.attempts > 0 { Reason::StartNotConfirmed } else { Reason::StartMissed };
    fail(draft, reason, "The window ended before the start could be made", facts);
}

fn fail(draft: &mut Draft, reason: Reason, what: &str, facts: &Facts) {
    let error = facts.look_error(&draft.entry.window.account).map(|error| error.message.clone());
    let told = Some(draft.record.activation.message.clone()).filter(|message| !message.is_empty());
    let access = draft.entry.access.as_ref().map(|trouble| trouble.message.clone());
    let message = match access.or(error).or(told) {
        Some(why) => format!("{what}: {why}"),
        None => format!("{what}."),
    };
    draft.record.activation.settle(TaskState::Failed, reason, message);
}

/// Ahead of its start.
fn wait_for(draft: &mut Draft, start: Timestamp, duty: &Duty, facts: &Facts, alarm: &mut Alarm) {
    draft.record.activation.reason = draft.entry.window.suspend.then_some(Reason::Suspended);
    draft.record.activation.message.clear();
    if facts.now >= draft.record.activation.call_at {
        draft.record.activation.say(Reason::ClockSkew, Reason::ClockSkew.meaning());
    }
    let read_from = sooner(start, facts.timings.read_ahead);
    alarm.at(start);
    alarm.at(read_from);
    if !draft.entry.window.may_start() {
        claim::withdraw(draft);
        return;
    }
    let check_from = sooner(start, facts.timings.preflight_ahead);
    let claim_from = sooner(start, facts.timings.claim_ahead);
    for at in [check_from, claim_from] {
        alarm.at(at);
    }
    let here = duty.starter == Starter::Here;
    if facts.now >= claim_from && here {
        claim::stake(draft, facts);
    } else {
        claim::withdraw(draft);
    }
    if here {
        draft.recheck = recheck::wanted(Verb::Activate, start, facts, alarm);
    }
    let looked = facts.memory.look(&draft.entry.window.account).map(|look| look.at);
    if looked.is_some_and(|at| at < check_from) || (looked.is_none() && draft.record.verified_at.is_some()) {
        draft.look_wishes.extend(draft.entry.access.is_none().then(|| super::draft::LookWish {
            due: check_from.max(facts.now),
            purpose: ReadPurpose::Check,
            account: draft.entry.window.account.clone(),
        }));
    }
    if here {
        draft.look_from(read_from, ReadPurpose::ForStart, facts);
    }
}

/// The start is due. Read first: what the channel is doing decides.
fn inside(draft: &mut Draft, duty: &Duty, facts: &Facts, alarm: &mut Alarm) {
    if !draft.entry.window.may_start() {
        claim::withdraw(draft);
        let barred = draft.entry.window.barred().filter(|_| !draft.entry.window.suspend);
        let reason = barred.map_or(Reason::Suspended, |trouble| trouble.reason);
        draft.record.activation.say(reason, reason.meaning());
        return;
    }
    if duty.starter != Starter::Here {
        claim::withdraw(draft);
        if draft.record.activation.reason != Some(Reason::Starting) {
            draft.record.activation.say(Reason::WaitingForWorkflow, Reason::WaitingForWorkflow.meaning());
        }
        draft.look(ReadPurpose::Turning, facts);
        settle_if_on(draft, facts);
        return;
    }
    claim::stake(draft, facts);
    draft.recheck = recheck::wanted(Verb::Activate, draft.due(Verb::Activate), facts, alarm);
    if facts.surely_not_found(draft.entry, draft.due(Verb::Activate)) {
        fail(draft, Reason::JobNotFound, "The Live API does not know the job", facts);
        return;
    }
    let ahead = facts.memory.clock_ahead.max(SignedDuration::ZERO);
    let deadline = draft.entry.window.start_deadline().map(|deadline| later(deadline, ahead));
    // A session that the vendor cut short had begun in time.
    let in_time = draft.record.cuts > 0;
    let late = deadline.filter(|deadline| facts.now > *deadline && !in_time && !facts.clock_in_doubt(draft.entry));
    if let Some(deadline) = deadline {
        alarm.at(later(deadline, SignedDuration::from_millis(1)));
    }
    let Some(seen) = facts.fresh().filter(|_| draft.record.verified_at.is_some()) else {
        // Past the deadline a channel found on would still count; one that cannot be read does not.
        let unreadable = facts.look_error(&draft.entry.window.account).is_some() || draft.entry.access.is_some();
        if late.is_some() && unreadable {
            fail(draft, Reason::StartDeadlineExceeded, "startingDeadlineSeconds passed before the start", facts);
            return;
        }
        wait_to_read(draft, facts);
        draft.look(ReadPurpose::ForStart, facts);
        return;
    };
    match seen.reading {
        _ if !facts.believes(seen) => wait_for_turn(draft, facts, alarm),
        // Whatever it is doing: it takes no start and no stop.
        _ if seen.is_static == Some(false) => {
            fail(draft, Reason::NotStatic, "The job is not a static entry point", facts);
        }
        Reading::GoingOn
            if facts.last_verb() == Some(Verb::Activate) && facts.unchanged_for() < facts.timings.believe_answered =>
        {
            // Another window's start of ours is under way; it is settled by On, not by going on.
            wait_for_turn(draft, facts, alarm);
        }
        Reading::On | Reading::GoingOn => already_on(draft, seen),
        Reading::Ended => ended(draft),
        Reading::GoingOff => wait_for_turn(draft, facts, alarm),
        Reading::Unknown => {
            wait_to_read(draft, facts);
            draft.look(ReadPurpose::Turning, facts);
        }
        Reading::Off if late.is_some() => {
            fail(draft, Reason::StartDeadlineExceeded, "startingDeadlineSeconds passed before the start", facts);
        }
        Reading::Off => wish(draft, facts, alarm),
    }
}

/// While nobody may start it: on is on.
fn settle_if_on(draft: &mut Draft, facts: &Facts) {
    let Some(seen) = facts.fresh().filter(|seen| facts.believes(seen)) else { return };
    if draft.record.verified_at.is_some() && seen.reading == Reading::On {
        already_on(draft, seen);
    }
}

fn already_on(draft: &mut Draft, seen: &Seen) {
    let task = &mut draft.record.activation;
    task.confirmed_at = Some(seen.at);
    task.settle(TaskState::Finished, Reason::AlreadyOnAir, format!("The channel was already on at {}.", seen.at));
}

/// Says so only where nothing more telling is said already: between two looks a word would come and go.
fn wait_to_read(draft: &mut Draft, facts: &Facts) {
    let task = &draft.record.activation;
    if let Some(reason) = facts.memory.held_back.filter(|_| task.attempts == 0) {
        draft.record.activation.say(reason, reason.meaning());
    } else if task.attempts == 0 && matches!(task.reason, None | Some(Reason::Suspended)) {
        draft.record.activation.say(Reason::WaitingForReading, Reason::WaitingForReading.meaning());
    }
}

fn wait_for_turn(draft: &mut Draft, facts: &Facts, alarm: &mut Alarm) {
    let reason = match facts.last_verb() {
        Some(Verb::Activate) => Reason::WaitingForReading,
        _ => Reason::WaitingForStop,
    };
    draft.record.activation.say(reason, reason.meaning());
    if let Some(at) = facts.believable_at() {
        alarm.at(at);
    }
    draft.look(ReadPurpose::Turning, facts);
}

/// Off, fresh, believed, in time: the start may be made.
fn wish(draft: &mut Draft, facts: &Facts, alarm: &mut Alarm) {
    if draft.record.activation.reason == Some(Reason::Starting) {
        draft.record.activation.say(
            Reason::StartNotConfirmed,
            "Called, but the channel was read off long enough after it to be believed; it is called again.",
        );
    }
    if let Some(retry_at) = facts.start_retry_at(draft.entry).filter(|at| *at > facts.now) {
        alarm.at(retry_at);
        draft.look_from(retry_at, ReadPurpose::ForStart, facts);
        return;
    }
    if !draft.entry.window.finalizer || facts.account_for(draft.entry).is_none() {
        return;
    }
    if let Some(reason) = facts.memory.held_back.filter(|_| draft.record.activation.attempts == 0) {
        draft.record.activation.say(reason, reason.meaning());
    }
    // While the call waits for a slot, the reading has to stay fresh.
    draft.look(ReadPurpose::ForStart, facts);
    if !claim::holds(draft, facts) {
        wait_for_claim(draft, facts);
    } else if recheck::enough(Verb::Activate, draft.due(Verb::Activate), facts) {
        draft.call_wish = Some(Verb::Activate);
    }
}

/// Said only once it takes long: most often the claim is stored within milliseconds.
fn wait_for_claim(draft: &mut Draft, facts: &Facts) {
    let long = facts.now > later(draft.due(Verb::Activate), facts.timings.overslept);
    if long && draft.record.activation.attempts == 0 {
        draft.record.activation.say(Reason::WaitingForClaim, Reason::WaitingForClaim.meaning());
    }
}

/// An edit of the start that came too late changes nothing, and says so.
fn note_lost_edit(draft: &mut Draft) {
    let task = &mut draft.record.activation;
    let window = &draft.entry.window;
    let started = task.state == TaskState::Finished && task.called_at.is_some();
    if started && task.time != window.activation && task.reason == Some(Reason::Started) {
        let message =
            format!("The start was made at {}; moving it to {} changes nothing.", task.time, window.activation);
        task.say(Reason::StartAlreadyMade, message);
    }
}
