//! A workflow that is to be made at the vendor's scheduler: whether and when, recorded first, and looked up where its answer
//! was lost.

use jiff::Timestamp;

use super::asking::Asking;
use super::telling::word;
use super::{Block, answers, foreign, is_another_clusters, room, wants_to_adopt};
use crate::plan::draft::Draft;
use crate::plan::facts::{Facts, later, sooner};
use crate::plan::{Alarm, Place};
use crate::reason::Reason;
use crate::record::Trouble;
use crate::registration::{Half, Marker, Registration, Slot, Texts};
use crate::scheduler::{Scheduler, WorkflowAnswer, WorkflowOp};
use crate::timeline::Interval;
use crate::timings::backoff;
use crate::window::HeadsUp;

/// What a block's workflow is to say.
pub(super) struct Wanted {
    pub(super) interval: Interval,
    pub(super) start: Slot,
    pub(super) stop: Slot,
    /// It stands for one window alone, whose notifications the vendor sends.
    pub(super) alone: bool,
}

/// What the block's workflow is to say, borne by that window.
pub(super) fn wanted(block: &Block, carrier: usize, drafts: &[Draft]) -> Wanted {
    let alone = block.members.len() == 1;
    let heads_up = drafts.get(carrier).and_then(|draft| draft.entry.window.heads_up).filter(|_| alone);
    let HeadsUp { start, stop } = heads_up.unwrap_or_default();
    let Interval { start: from, stop: to } = block.interval;
    let slot = |time, ahead| Slot { time, ahead };
    Wanted { interval: block.interval, start: slot(from, start), stop: slot(to, stop), alone }
}

/// The texts that a workflow is made with: one for several windows tells nobody, since each has its own receiver.
pub(super) fn texts(of: &Texts, alone: bool) -> Texts {
    Texts { url: if alone { of.url.clone() } else { String::new() }, ..of.clone() }
}

/// Registers the window, or says why not. `cleared`: nothing else of ours stands in the way.
pub(super) fn register(
    draft: &mut Draft,
    wanted: &Wanted,
    cleared: bool,
    facts: &Facts,
    asking: &mut Asking,
    alarm: &mut Alarm,
) -> Option<Trouble> {
    let said = |reason: Reason, message: String| Some(Trouble { reason, message });
    let start = wanted.start.time;
    if let Some(theirs) = another_clusters(draft) {
        return Some(theirs);
    }
    if let Some(missing) = draft.record.registered.take_if(|told| told.reason == Reason::VendorStartMissing) {
        return Some(missing);
    }
    if let Some(dropped) = dropped(draft, wanted) {
        return Some(dropped);
    }
    if wants_to_adopt(draft) {
        return adopt(draft, facts, asking);
    }
    if let Some(theirs) = someone_elses(draft, wanted.interval, facts, asking, alarm) {
        return Some(theirs);
    }
    let by = sooner(start, facts.timings.register_by);
    if facts.now >= by {
        return said(Reason::TooLateToRegister, Reason::TooLateToRegister.meaning().to_owned());
    }
    alarm.at(by);
    let horizon = draft.entry.offer.horizon;
    let from = if horizon.is_zero() { Timestamp::MIN } else { sooner(start, horizon) };
    if facts.now < from {
        alarm.at(from);
        return said(Reason::RegistersLater, format!("Registered with the Live API's scheduler from {from} on."));
    }
    if !cleared {
        return said(Reason::CancellingWorkflow, Reason::CancellingWorkflow.meaning().to_owned());
    }
    if draft.entry.access.is_some() || draft.record.trouble.as_ref().is_some_and(|trouble| unfit(trouble.reason)) {
        return None;
    }
    draft.place = Some(Place { start, taken: false });
    if let Err(trouble) = room(draft.entry.offer.grant) {
        return Some(trouble);
    }
    if !looked_up(draft, facts, asking) {
        return draft.record.registered.take();
    }
    let before = draft.record.registration.take();
    if let Some(refused) = refused(draft, before.as_deref(), facts, alarm) {
        draft.record.registration = before;
        return Some(refused);
    }
    draft.record.registration = Some(Box::new(record(draft, wanted, facts)));
    draft.place = Some(Place { start, taken: true });
    still_refused(draft)
}

/// A refusal stands until the next answer: between two tries the word would come and go.
fn still_refused(draft: &mut Draft) -> Option<Trouble> {
    draft.record.registered.take().filter(|told| told.reason == Reason::SchedulerUnavailable)
}

/// What no workflow would help: the job is none that can be switched.
fn unfit(reason: Reason) -> bool {
    matches!(reason, Reason::NotStatic | Reason::JobEnded | Reason::JobNotFound)
}

/// Somebody cancelled it at the vendor, or the vendor has it no more. It is not made again as it was: whoever did that meant
/// it, and the window is run here.
fn dropped(draft: &Draft, wanted: &Wanted) -> Option<Trouble> {
    let workflow = draft.record.registration.as_deref()?;
    let id = workflow.id.as_ref()?;
    let unmoved = workflow.asked == (wanted.start, wanted.stop);
    let dropped = (workflow.gone || workflow.start.came_to_nothing()) && !workflow.withdrawn && unmoved;
    let what = if workflow.gone { "not there any more" } else { word(&workflow.start) };
    let message = format!(
        "Workflow {id} came to nothing at the Live API's scheduler: its start is {what}. The calls are made here."
    );
    dropped.then_some(Trouble { reason: Reason::DroppedByVendor, message })
}

/// Takes over the workflow that its owner names.
fn adopt(draft: &mut Draft, facts: &Facts, asking: &mut Asking) -> Option<Trouble> {
    let delegation = draft.entry.window.delegation.clone()?;
    let id = delegation.adopt?;
    let failed = |why: &str| {
        let message = format!("adoptWorkflowID: {why}. The calls are made here.");
        Some(Trouble { reason: Reason::AdoptionFailed, message })
    };
    let none = Scheduler::default();
    let scheduler = facts.memory.scheduler().unwrap_or(&none);
    if scheduler.missing_since(&id).is_some() {
        return failed(&format!("the Live API's scheduler has no workflow {id} for this job"));
    }
    let Some(shown) = scheduler.showing(&id).map(|showing| showing.workflow.clone()) else {
        asking.wish(draft, facts.now, WorkflowOp::Read { id }, facts);
        return draft.record.registered.take();
    };
    if !shown.start.is_open() {
        return failed(&format!("the start of workflow {id} is not pending any more"));
    }
    if let Some(theirs) = shown.marker.filter(|marker| !marker.is_of_same_window(&delegation.marker)) {
        return failed(&format!("workflow {id} belongs to window {theirs}"));
    }
    draft.place = Some(Place { start: shown.start.slot.time, taken: true });
    draft.record.registration = Some(Box::new(Registration {
        marker: delegation.marker,
        id: Some(id),
        by: facts.term.by.clone(),
        attempt: 1,
        asked: (shown.start.slot, shown.stop.slot),
        start: shown.start,
        stop: shown.stop,
        texts: shown.texts,
        gone: false,
        withdrawn: false,
        cleared: false,
    }));
    None
}

/// The workflow that is recorded was made by another cluster: what is stored here was copied from there. It is that one's,
/// and is left alone.
fn another_clusters(draft: &mut Draft) -> Option<Trouble> {
    let workflow =
        draft.record.registration.as_deref().filter(|_| is_another_clusters(&draft.entry.window, &draft.record))?;
    let message = format!("{} Its marker: {}.", Reason::ForeignWorkflow.meaning(), workflow.marker);
    draft.record.foreign.clone_from(&workflow.id);
    Some(Trouble { reason: Reason::ForeignWorkflow, message })
}

/// A workflow of somebody else's stands for the time: none is made beside it, and it is looked at again from time to time.
fn someone_elses(
    draft: &mut Draft,
    interval: Interval,
    facts: &Facts,
    asking: &mut Asking,
    alarm: &mut Alarm,
) -> Option<Trouble> {
    let scheduler = facts.memory.scheduler()?;
    let id = foreign(scheduler, interval, facts.entries).cloned()?;
    let again = scheduler.listed.map_or(facts.now, |listed| later(listed, facts.timings.check_retry_most));
    alarm.at(again);
    asking.wish(draft, again, WorkflowOp::Find, facts);
    let message = format!("{} Its id: {id}.", Reason::ForeignWorkflow.meaning());
    draft.record.foreign = Some(id);
    Some(Trouble { reason: Reason::ForeignWorkflow, message })
}

/// Before a workflow is made those of the job are listed, where there is a list: another cluster may have one for it.
fn looked_up(draft: &mut Draft, facts: &Facts, asking: &mut Asking) -> bool {
    let none = Scheduler::default();
    let scheduler = facts.memory.scheduler().unwrap_or(&none);
    let fresh = scheduler.listed.is_some_and(|listed| facts.now < later(listed, facts.timings.believe_answered));
    let done = fresh || draft.entry.offer.no_list || listing_fails(scheduler);
    if !done {
        asking.wish(draft, facts.now, WorkflowOp::Find, facts);
    }
    done
}

/// The list is asked for, and brings nothing again and again: it is done without.
pub(super) fn listing_fails(scheduler: &Scheduler) -> bool {
    const IN_VAIN: u32 = 3;
    scheduler.failures >= IN_VAIN && scheduler.call.as_ref().is_some_and(|call| call.op == WorkflowOp::Find)
}

/// Its last try was refused, and it is too early for another.
fn refused(draft: &Draft, before: Option<&Registration>, facts: &Facts, alarm: &mut Alarm) -> Option<Trouble> {
    let scheduler = facts.memory.scheduler()?;
    let call = scheduler.creating(&before?.marker)?;
    let (at, WorkflowAnswer::Refused { reason, message }) = call.answered.as_ref()? else { return None };
    let (first, most) = (facts.timings.check_retry_first, facts.timings.check_retry_most);
    let attempt = before.map_or(1, |before| before.attempt);
    let again = later(*at, backoff(first, most, attempt, draft.entry.window.id.as_str()));
    alarm.at(again);
    (facts.now < again).then(|| Trouble { reason: *reason, message: message.clone() })
}

/// It is not known whether it is there: it is made, or looked up. Says how it stands.
pub(super) fn resolve(
    draft: &mut Draft,
    workflow: &mut Registration,
    wanted: Option<&Wanted>,
    facts: &Facts,
    asking: &mut Asking,
    alarm: &mut Alarm,
) -> Option<Trouble> {
    let none = Scheduler::default();
    let scheduler = facts.memory.scheduler().unwrap_or(&none);
    let Some(left) = answers::left_at(workflow, scheduler, facts.term) else {
        return make(draft, workflow, wanted, facts, asking, alarm);
    };
    draft.place = Some(Place { start: workflow.start.slot.time, taken: true });
    let under_way = scheduler.creating(&workflow.marker).is_some_and(|call| call.answered.is_none());
    if under_way {
        return draft.record.registered.take();
    }
    let settles = later(left, facts.timings.believe_unanswered);
    if !draft.entry.offer.no_list {
        let first = scheduler.listed.is_none_or(|listed| listed < left);
        asking.wish(draft, if first { facts.now } else { settles }, WorkflowOp::Find, facts);
    }
    let reason = Reason::WorkflowUnknown;
    Some(Trouble { reason, message: reason.meaning().to_owned() })
}

/// It is recorded and was not asked for yet. Says how it stands.
fn make(
    draft: &mut Draft,
    workflow: &mut Registration,
    wanted: Option<&Wanted>,
    facts: &Facts,
    asking: &mut Asking,
    alarm: &mut Alarm,
) -> Option<Trouble> {
    let Some(wanted) = wanted else {
        // Nothing was asked: it was never there.
        workflow.gone = true;
        return draft.record.registered.take();
    };
    let by = sooner(wanted.start.time, facts.timings.register_by);
    alarm.at(by);
    let too_late =
        || Trouble { reason: Reason::TooLateToRegister, message: Reason::TooLateToRegister.meaning().to_owned() };
    let fits = if facts.now < by { room(draft.entry.offer.grant) } else { Err(too_late()) };
    if let Err(trouble) = fits {
        workflow.gone = true;
        let waits = trouble.reason == Reason::WaitingForQuota;
        draft.place = waits.then_some(Place { start: wanted.start.time, taken: false });
        return Some(trouble);
    }
    draft.place = Some(Place { start: wanted.start.time, taken: true });
    if workflow.asked != (wanted.start, wanted.stop) {
        *workflow = record(draft, wanted, facts);
        return still_refused(draft);
    }
    let stored = draft.entry.registered.as_ref();
    if stored.is_some_and(|stored| stored.marker == workflow.marker && stored.by == workflow.by) {
        let (start, stop) = workflow.asked;
        let op = WorkflowOp::Create { marker: workflow.marker.clone(), start, stop, tells: workflow.tells() };
        asking.wish(draft, facts.now, op, facts);
    }
    still_refused(draft)
}

/// A workflow as it is recorded before it is made.
fn record(draft: &mut Draft, wanted: &Wanted, facts: &Facts) -> Registration {
    draft.record.workflows += 1;
    let number = draft.record.workflows;
    let delegation = draft.entry.window.delegation.as_ref();
    let texts = delegation.map(|delegation| texts(&delegation.texts, wanted.alone)).unwrap_or_default();
    Registration {
        marker: delegation
            .map_or_else(|| Marker::new(&draft.entry.window.id, ""), |delegation| delegation.marker.clone())
            .numbered(number),
        id: None,
        by: facts.term.by.clone(),
        attempt: number,
        start: Half::pending(wanted.start),
        stop: Half::pending(wanted.stop),
        asked: (wanted.start, wanted.stop),
        texts,
        gone: false,
        withdrawn: false,
        cleared: false,
    }
}
