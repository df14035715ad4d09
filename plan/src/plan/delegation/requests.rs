//! What the vendor's scheduler is asked, and when: one request for a job at a time.

use jiff::{SignedDuration, Timestamp};

use super::{Block, answers, foreign, is_past, retained, room, slot, wants_to_adopt};
use crate::ids::{AccountName, WindowId, WorkflowId};
use crate::plan::draft::Draft;
use crate::plan::facts::{Facts, later, sooner};
use crate::plan::{Alarm, Place, Want};
use crate::reason::Reason;
use crate::record::Trouble;
use crate::registration::{Grant, Half, Marker, Registration, Slot, Texts};
use crate::scheduler::{Change, Scheduler, WorkflowAnswer, WorkflowOp};
use crate::timeline::Interval;
use crate::timings::backoff;
use crate::window::HeadsUp;

/// What a block's workflow is to say.
pub(super) struct Wanted {
    pub(super) interval: Interval,
    start: Slot,
    stop: Slot,
    /// It stands for one window alone, whose notifications the vendor sends.
    alone: bool,
}

/// What the block's workflow is to say, borne by that window.
pub(super) fn wanted(block: &Block, carrier: usize, drafts: &[Draft]) -> Wanted {
    let alone = block.members.len() == 1;
    let heads_up = drafts.get(carrier).and_then(|draft| draft.entry.window.heads_up).filter(|_| alone);
    let HeadsUp { start, stop } = heads_up.unwrap_or_default();
    let Interval { start: from, stop: to } = block.interval;
    Wanted { interval: block.interval, start: slot(from, start), stop: slot(to, stop), alone }
}

struct Wish {
    due: Timestamp,
    pressing: bool,
    op: WorkflowOp,
    account: AccountName,
    window: WindowId,
}

/// The requests wished for.
#[derive(Default)]
pub(in crate::plan) struct Asking(Vec<Wish>);

impl Asking {
    /// The one to be made now: what presses first, and what covers a window before what uncovers one.
    pub(in crate::plan) fn choose(self, facts: &Facts, alarm: &mut Alarm) -> Option<Want> {
        for wish in &self.0 {
            alarm.at(wish.due);
        }
        if facts.memory.scheduler().is_some_and(Scheduler::under_way) {
            return None;
        }
        let due = self.0.into_iter().filter(|wish| wish.due <= facts.now);
        let Wish { pressing, op, account, window, .. } = due.min_by_key(|wish| (!wish.pressing, rank(&wish.op)))?;
        Some(Want::Workflow { account, window, op, pressing })
    }

    fn wish(&mut self, draft: &Draft, due: Timestamp, op: WorkflowOp, facts: &Facts) {
        let Some(account) = facts.account_for(draft.entry) else { return };
        let pressing = presses(draft, &op, facts);
        let free = facts.memory.scheduler().and_then(|scheduler| free_from(scheduler, draft, pressing, facts));
        let due = due.max(free.unwrap_or(Timestamp::MIN)).max(facts.now);
        self.0.push(Wish { due, pressing, op, account, window: draft.entry.window.id.clone() });
    }
}

fn rank(op: &WorkflowOp) -> u8 {
    match op {
        WorkflowOp::Update { .. } => 0,
        WorkflowOp::Create { .. } => 1,
        WorkflowOp::Cancel { .. } => 2,
        WorkflowOp::Read { .. } => 3,
        WorkflowOp::Find => 4,
    }
}

/// Something that is due, or about to be, hangs on it, or somebody waits for it.
fn presses(draft: &Draft, op: &WorkflowOp, facts: &Facts) -> bool {
    let near = |at: Timestamp| facts.now >= sooner(at, facts.timings.register_by);
    let window = &draft.entry.window;
    let due = near(draft.record.activation.call_at) || draft.record.has_it_on();
    match op {
        WorkflowOp::Create { .. } => false,
        _ => due || window.deleting() || window.cancel,
    }
}

/// When the next request may be sent after those in vain.
fn free_from(scheduler: &Scheduler, draft: &Draft, pressing: bool, facts: &Facts) -> Option<Timestamp> {
    let (at, _) = scheduler.call.as_ref()?.answered.as_ref()?;
    if scheduler.failures == 0 {
        return None;
    }
    let t = facts.timings;
    let (first, most) =
        if pressing { (t.retry_first, t.retry_most) } else { (t.check_retry_first, t.check_retry_most) };
    Some(later(*at, backoff(first, most, scheduler.failures, draft.entry.window.id.as_str())))
}

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

/// The texts that a workflow is made with: one for several windows tells nobody, since each has its own receiver.
fn texts(of: &Texts, alone: bool) -> Texts {
    Texts { url: if alone { of.url.clone() } else { String::new() }, ..of.clone() }
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

/// It is not known whether it is there: it is made, or looked up. Says how it stands.
fn resolve(
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
        let Registration { marker, tells, asked: (start, stop), .. } = workflow;
        let op = WorkflowOp::Create { marker: marker.clone(), start: *start, stop: *stop, tells: *tells };
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
        tells: !texts.url.is_empty(),
        texts,
        gone: false,
        withdrawn: false,
        cleared: false,
    }
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
    if let Some(dropped) = dropped(draft, wanted) {
        return Some(dropped);
    }
    if let Some(missing) = draft.record.registered.take_if(|told| told.reason == Reason::VendorStartMissing) {
        return Some(missing);
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
    let what = match workflow.start.state.filter(|_| !workflow.gone) {
        Some(state) => format!("its start is {}", state.as_str()),
        None => "it is not there any more".to_owned(),
    };
    let message =
        format!("Workflow {id} came to nothing at the Live API's scheduler: {what}. The calls are made here.");
    dropped.then_some(Trouble { reason: Reason::DroppedByVendor, message })
}

/// Whose window came to nothing at the vendor, where no block says so any more.
pub(super) fn tell_missing(draft: &mut Draft) {
    let Some(workflow) = draft.record.registration.as_deref() else { return };
    let news = workflow.id.is_some() && !workflow.withdrawn && (workflow.gone || workflow.start.came_to_nothing());
    let told = draft.record.registered.as_ref().is_some_and(|told| {
        matches!(told.reason, Reason::DroppedByVendor | Reason::VendorStartMissing | Reason::VendorStopMissing)
    });
    if news && !told {
        let id = workflow.id.as_ref().map_or("", WorkflowId::as_str);
        let message = format!("Workflow {id} came to nothing at the Live API's scheduler. The calls are made here.");
        draft.record.registered = Some(Trouble { reason: Reason::DroppedByVendor, message });
    }
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
        tells: !shown.texts.url.is_empty(),
        texts: shown.texts,
        gone: false,
        withdrawn: false,
        cleared: false,
    }));
    None
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
fn listing_fails(scheduler: &Scheduler) -> bool {
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
    } else if !workflow.is_over() && super::may_be_cancelled(draft, mixed) {
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
