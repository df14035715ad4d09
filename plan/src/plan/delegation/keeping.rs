//! A workflow that stands at the vendor's scheduler: kept as its windows have it, read at its times, and cancelled when
//! nothing wants it any more.

use jiff::{SignedDuration, Timestamp};

use super::asking::Asking;
use super::making::{Wanted, listing_fails, resolve, texts};
use super::{foreign, is_past, may_be_cancelled, retained, room};
use crate::ids::WorkflowId;
use crate::plan::draft::Draft;
use crate::plan::facts::{Facts, later, sooner};
use crate::plan::{Alarm, Place};
use crate::reason::Reason;
use crate::record::Trouble;
use crate::registration::{Grant, Half, Registration, Slot};
use crate::scheduler::{Change, WorkflowOp};
use crate::timings::backoff;

/// The workflow says what was last asked of it.
pub(super) fn is_as_asked(workflow: &Registration) -> bool {
    workflow.start.slot == workflow.asked.0
}

/// Its start is due and was not made, for as long as is waited; or stands there for a later time than is wanted, since an
/// edit did not get through.
pub(super) fn is_overdue(workflow: &Registration, from: Timestamp, facts: &Facts) -> bool {
    if !workflow.start.is_open() || !is_past(from, facts) {
        return false;
    }
    let at = workflow.start.slot.time;
    let unmoved = at > from && is_as_asked(workflow);
    // What an earlier process knew of it is from before its time.
    let read_at = workflow.id.as_ref().and_then(|id| facts.memory.scheduler()?.showing(id)).map(|shown| shown.asked_at);
    let read_since = read_at.is_some_and(|read_at| read_at >= at.min(from));
    unmoved || (read_since && facts.now >= later(at.min(from), facts.timings.step_in_start))
}

/// Keeps the workflow as the block has it.
pub(super) fn keep_in_step(draft: &mut Draft, wanted: &Wanted, facts: &Facts, asking: &mut Asking, alarm: &mut Alarm) {
    let Some(mut workflow) = draft.record.registration.take() else { return };
    match workflow.id.clone() {
        None => draft.record.registered = resolve(draft, &mut workflow, Some(wanted), facts, asking, alarm),
        Some(id) => {
            if workflow.start.is_open() && !draft.record.has_it_on() {
                let place = Place { start: workflow.start.slot.time, taken: true };
                draft.place = Some(place);
            }
            if workflow.start.slot == wanted.start {
                workflow.asked.0 = wanted.start;
            }
            if workflow.stop.slot == wanted.stop {
                workflow.asked.1 = wanted.stop;
            }
            let displaced = room(draft.entry.offer.grant).err().filter(|_| displaces(draft, &workflow, facts));
            if is_overdue(&workflow, wanted.interval.start, facts) || displaced.is_some() {
                cancel(draft, &mut workflow, facts, asking);
            } else if looks_around(draft, &workflow, facts) {
                asking.wish(draft, facts.now, WorkflowOp::Find, facts);
            } else if let Some(due) = read_due(draft, &workflow, facts, alarm) {
                asking.wish(draft, due, WorkflowOp::Read { id }, facts);
            } else if let Some(op) = update(&workflow, wanted, facts) {
                asking.wish(draft, changed_again(&workflow, draft, facts), op, facts);
            }
            let scheduler = facts.memory.scheduler();
            draft.record.foreign = scheduler.and_then(|s| foreign(s, wanted.interval, facts.entries)).cloned();
            tell_kept(draft, &workflow, wanted, displaced);
        }
    }
    draft.record.registration = Some(workflow);
}

/// Far enough ahead to make room for a sooner one.
fn displaces(draft: &Draft, workflow: &Registration, facts: &Facts) -> bool {
    let waits = matches!(draft.entry.offer.grant, Grant::Waits(_));
    waits && workflow.may_start() && facts.now < sooner(workflow.start.slot.time, facts.timings.register_by)
}

fn tell_kept(draft: &mut Draft, workflow: &Registration, wanted: &Wanted, displaced: Option<Trouble>) {
    let id = workflow.id.as_ref().map_or("", WorkflowId::as_str);
    let stop_missing = draft.record.deactivation.attempts > 0;
    let told = draft.record.registered.as_ref().map(|told| told.reason);
    if let Some(trouble) = displaced {
        draft.record.registered = Some(trouble);
    } else if workflow.withdrawn && workflow.start.is_open() {
        draft.record.registered = Some(cancelling(id));
    } else if stop_missing {
        let message = format!("Workflow {id} left the channel on at its stop: the stop is made here.");
        draft.record.registered = Some(Trouble { reason: Reason::VendorStopMissing, message });
    } else if told != Some(Reason::VendorStartMissing) {
        let (start, stop) = (workflow.start.slot.time, workflow.stop.slot.time);
        let message = format!("Workflow {id} of the Live API's scheduler: on at {start}, off at {stop}.");
        draft.record.registered = Some(Trouble { reason: Reason::Registered, message });
    }
    draft.record.differs = differs(draft, workflow, wanted);
}

fn cancelling(id: &str) -> Trouble {
    let message = format!("Workflow {id} is being cancelled at the Live API's scheduler.");
    Trouble { reason: Reason::CancellingWorkflow, message }
}

/// What stands there otherwise than here, in the words of the object.
fn differs(draft: &Draft, workflow: &Registration, wanted: &Wanted) -> Option<String> {
    let mut all = Vec::new();
    let mut time = |name: &str, half: &Half, asked: Slot, wanted: Slot| {
        if half.is_open() && half.slot.time != asked.time && wanted == asked {
            all.push(format!("{name}.time is {} there, changed by somebody else", half.slot.time));
        } else if half.is_open() && half.slot.ahead != asked.ahead && wanted == asked {
            all.push(format!("{name}.notificationSeconds is {} there", half.slot.ahead.as_secs()));
        }
    };
    time("activation", &workflow.start, workflow.asked.0, wanted.start);
    time("deactivation", &workflow.stop, workflow.asked.1, wanted.stop);
    if let Some(delegation) = &draft.entry.window.delegation {
        let texts = texts(&delegation.texts, wanted.alone);
        if workflow.texts.description != texts.description {
            all.push("description: the Live API's scheduler keeps the one that the workflow was made with".to_owned());
        }
        if workflow.texts.url != texts.url {
            all.push(
                "notificationURL: the Live API's scheduler keeps the one that the workflow was made with".to_owned(),
            );
        }
    }
    (!all.is_empty()).then(|| format!("At the Live API's scheduler this differs. {}.", all.join("; ")))
}

/// The change that brings it in step: of the task that changed only.
fn update(workflow: &Registration, wanted: &Wanted, facts: &Facts) -> Option<WorkflowOp> {
    let moved = |half: &Half, asked: Slot, wanted: Slot| {
        (half.is_open() && asked != wanted && !is_past(wanted.time, facts) && !is_past(half.slot.time, facts))
            .then_some(wanted)
    };
    let start = moved(&workflow.start, workflow.asked.0, wanted.start);
    let stop = moved(&workflow.stop, workflow.asked.1, wanted.stop);
    let id = workflow.id.clone()?;
    (start.is_some() || stop.is_some()).then_some(WorkflowOp::Update { id, start, stop })
}

/// When it may be changed or cancelled once more.
fn changed_again(workflow: &Registration, draft: &Draft, facts: &Facts) -> Timestamp {
    let Some(change) = change_of(workflow, facts) else { return facts.now };
    let (first, most) = (facts.timings.retry_first, facts.timings.retry_most);
    later(change.at, backoff(first, most, change.times, draft.entry.window.id.as_str()))
}

fn change_of<'a>(workflow: &Registration, facts: &Facts<'a>) -> Option<&'a Change> {
    facts.memory.scheduler()?.change(workflow.id.as_ref()?)
}

/// Cancels what of it is pending, and reads back what became of that.
fn cancel(draft: &Draft, workflow: &mut Registration, facts: &Facts, asking: &mut Asking) {
    let Some(id) = workflow.id.clone() else { return };
    workflow.withdrawn = true;
    if is_to_be_read_back(workflow, facts) {
        asking.wish(draft, facts.now, WorkflowOp::Read { id }, facts);
    } else {
        asking.wish(draft, changed_again(workflow, draft, facts), WorkflowOp::Cancel { id }, facts);
    }
}

/// It was changed, and its answer did not tell what stands there now: it is read, and nothing else is done before.
fn is_to_be_read_back(workflow: &Registration, facts: &Facts) -> bool {
    change_of(workflow, facts).is_some_and(|change| change.unread)
}

/// Some time ahead of its start all workflows of the job are listed, where there is a list: another cluster's may have come
/// to stand beside it. That reads it, too.
fn looks_around(draft: &Draft, workflow: &Registration, facts: &Facts) -> bool {
    let start = workflow.start.slot.time;
    let from = sooner(start, facts.timings.preflight_ahead);
    let ahead = workflow.start.is_open() && from <= facts.now && facts.now < sooner(start, facts.timings.register_by);
    let scheduler = facts.memory.scheduler();
    let listed = scheduler.and_then(|scheduler| scheduler.listed).is_some_and(|listed| listed >= from);
    ahead && !listed && !draft.entry.offer.no_list && !scheduler.is_some_and(listing_fails)
}

/// When it is to be read: after a change, some time ahead of its start and of its stop, and after each until it shows what
/// became of it.
fn read_due(draft: &Draft, workflow: &Registration, facts: &Facts, alarm: &mut Alarm) -> Option<Timestamp> {
    if is_to_be_read_back(workflow, facts) {
        return Some(facts.now);
    }
    let t = facts.timings;
    let (start, stop) = (workflow.start.slot.time, workflow.stop.slot.time);
    let (half, looks) = if workflow.start.is_open() {
        (start, [sooner(start, t.preflight_ahead), sooner(start, t.register_by), later(start, t.read_ahead)])
    } else if workflow.stop.is_open() {
        (stop, [later(start, t.read_ahead), sooner(stop, t.register_by), later(stop, t.read_ahead)])
    } else {
        return None;
    };
    for at in looks {
        alarm.at(at);
    }
    let id = workflow.id.as_ref()?;
    let read_at = facts.memory.scheduler().and_then(|scheduler| scheduler.showing(id)).map(|showing| showing.asked_at);
    // What an earlier process read of it is not known: it is read at its next time.
    let missed = looks.iter().copied().filter(|at| *at <= facts.now).max();
    let since = match (missed, read_at) {
        (None, _) => return None,
        (Some(at), read_at) if read_at.is_none_or(|read_at| read_at < at) => return Some(facts.now.max(at)),
        (Some(_), Some(read_at)) => read_at,
        (Some(_), None) => return Some(facts.now),
    };
    if !is_past(half, facts) {
        return None;
    }
    // Due, and still pending when it was last read.
    let long = facts.now >= later(half, t.step_in_start);
    let again = later(since, if long || draft.record.settled() { t.retry_most } else { t.poll_slow });
    let again = again.max(later(half, t.read_ahead));
    alarm.at(again);
    (again <= facts.now).then_some(facts.now)
}

/// Nothing wants the workflow any more: it is cancelled, and read back.
pub(super) fn let_go(draft: &mut Draft, mixed: bool, facts: &Facts, asking: &mut Asking, alarm: &mut Alarm) {
    let Some(mut workflow) = draft.record.registration.take() else { return };
    if workflow.may_start() {
        draft.place = Some(Place { start: workflow.start.slot.time, taken: true });
    }
    if retained(draft) {
        // Left as it stands; the last word on the window says so.
    } else if workflow.id.is_none() {
        draft.record.registered = resolve(draft, &mut workflow, None, facts, asking, alarm);
        alarm.at(later(workflow.start.slot.time, facts.timings.step_in_unknown));
    } else if !workflow.is_over() && may_be_cancelled(draft, mixed) {
        cancel(draft, &mut workflow, facts, asking);
        if !draft.record.settled() {
            let id = workflow.id.as_ref().map_or("", WorkflowId::as_str);
            draft.record.registered = Some(cancelling(id));
        }
    }
    draft.record.registration = Some(workflow);
}

/// How much longer a stray start is looked out for.
pub(super) fn watched_until(workflow: &Registration, facts: &Facts) -> Timestamp {
    later(workflow.start.slot.time, facts.timings.step_in_unknown + SignedDuration::from_secs(1))
}
