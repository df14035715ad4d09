//! The vendor's scheduler as executor: which windows stand there, and who makes the calls of each.
//!
//! What is registered is the merged window of the timeline, one workflow for all windows in it, recorded on the one that was
//! created first. A merged window with both executors in it is run here, and so is one that was not registered in time.
//! At most one of the two makes a start: this operator makes none before a workflow that may still make it was cancelled
//! and read back.
//!
//! A vendor's start or stop is a call like ours, made at its time: the window's task bears it as called, is confirmed by
//! reading the job, and is made here when it does not show ([`Duty`]).

mod answers;
mod asking;
mod keeping;
mod making;
mod stray;
mod telling;

use jiff::Timestamp;

use super::draft::Draft;
use super::facts::{Facts, later, sooner};
use super::{Alarm, Entry};
use crate::ids::WorkflowId;
use crate::quota::COUNTED;
use crate::reason::Reason;
use crate::record::{Record, TaskState, Trouble};
use crate::registration::{Executor, Grant, Half, Registration};
use crate::scheduler::Scheduler;
use crate::timeline::{Interval, Timeline};
use crate::window::{Deletion, DeletionPolicy, Window};

pub(super) use answers::take;
pub(super) use asking::Asking;
pub(super) use stray::Strays;

/// Who makes a window's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Starter {
    /// This operator.
    #[default]
    Here,
    /// The vendor's scheduler.
    Vendor,
    /// Nobody, before a workflow that may still make it was read back.
    Nobody,
}

/// Who makes a window's calls.
#[derive(Clone, Debug, Default)]
pub(super) struct Duty {
    pub(super) starter: Starter,
    /// The workflow that stands for the window.
    pub(super) workflow: Option<Registration>,
    /// The start that the vendor made, or was to make, at the time at which the window's start bears as called.
    pub(super) made: Option<Half>,
}

impl Duty {
    /// The vendor's start is due: it may have been called.
    pub(super) fn started_by_vendor(&self, facts: &Facts) -> Option<Timestamp> {
        let workflow = self.workflow.as_ref().filter(|_| self.starter == Starter::Vendor)?;
        let at = workflow.start.slot.time;
        (!workflow.start.came_to_nothing() && is_past(at, facts)).then_some(at)
    }

    /// What became of the start its workflow tells, which was not read since: the vendor's scheduler may have run the window
    /// while nobody was there.
    pub(super) fn tells_of_start(&self, record: &Record) -> bool {
        let start = &record.activation;
        let by_vendor = start.is_pending() && start.called_at.is_some() && start.attempted_at.is_none();
        by_vendor && self.workflow.as_ref().is_some_and(|workflow| workflow.id.is_some() && workflow.start.is_open())
    }

    /// The vendor made the start, and nobody has read the channel from then on: only the workflow tells of it.
    pub(super) fn ran_unseen(&self, record: &Record, facts: &Facts) -> bool {
        let start = &record.activation;
        let by_vendor = start.is_pending() && start.attempted_at.is_none() && self.made.is_some_and(|m| m.is_spent());
        let read_since = facts.memory.reading_since;
        by_vendor && start.called_at.is_some_and(|at| read_since.is_none_or(|since| since > at))
    }

    /// The vendor's stop is due: it may have been called.
    pub(super) fn stopped_by_vendor(&self, facts: &Facts) -> Option<Timestamp> {
        let workflow = self.workflow.as_ref()?;
        let at = workflow.stop.slot.time;
        (!workflow.stop.came_to_nothing() && is_past(at, facts)).then_some(at)
    }
}

/// By both clocks: the vendor goes by its own.
pub(super) fn is_past(at: Timestamp, facts: &Facts) -> bool {
    later(at, facts.memory.clock_ahead.max(jiff::SignedDuration::ZERO)) <= facts.now
}

/// Windows that are merged, and what stands for them.
struct Block {
    interval: Interval,
    /// In the order of creation: the first bears the workflow.
    members: Vec<usize>,
    executors: Executors,
    /// The window that a usable workflow is recorded on; not a member any more, perhaps.
    holder: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Executors {
    Vendor,
    Here,
    Mixed,
}

/// Nothing of the job has to do with the vendor's scheduler.
fn none_of_it(drafts: &[Draft]) -> bool {
    drafts.iter().all(|draft| draft.record.executor == Executor::Operator && draft.record.registration.is_none())
}

/// Who makes the calls of each window, in their order.
pub(super) fn duties(drafts: &mut [Draft], facts: &Facts, alarm: &mut Alarm) -> Vec<Duty> {
    if none_of_it(drafts) {
        return drafts.iter().map(|_| Duty::default()).collect();
    }
    let blocks = blocks(drafts, facts);
    for index in 0..drafts.len() {
        let bears = blocks.iter().any(|block| block.holder == Some(index));
        let handed = !bears && handed_over(index, drafts);
        if let Some(draft) = drafts.get_mut(index).filter(|_| handed) {
            draft.record.registration = None;
        }
    }
    (0..drafts.len()).map(|index| duty(index, &blocks, drafts, facts, alarm)).collect()
}

/// Sees to it that what stands at the vendor's scheduler is what the windows, as they are now decided, want there. Says
/// what it is to be asked.
pub(super) fn see_to(drafts: &mut [Draft], facts: &Facts, alarm: &mut Alarm) -> Asking {
    let mut asking = Asking::default();
    if none_of_it(drafts) {
        return asking;
    }
    for draft in drafts.iter_mut() {
        draft.record.foreign = None;
    }
    let blocks = blocks(drafts, facts);
    let kept: Vec<usize> = blocks
        .iter()
        .filter_map(|block| match (block.holder, block.executors) {
            (Some(holder), _) => keep(block, holder, drafts, facts, &mut asking, alarm),
            (None, Executors::Vendor) => register(block, drafts, facts, &mut asking, alarm),
            (None, Executors::Mixed) => tell_mixed(block, drafts),
            (None, Executors::Here) => None,
        })
        .collect();
    for index in (0..drafts.len()).filter(|index| !kept.contains(index)) {
        let mixed = blocks.iter().any(|b| b.executors == Executors::Mixed && b.members.contains(&index));
        if kept.iter().any(|other| is_same(index, *other, drafts)) {
            // On its way to the next bearer.
            continue;
        }
        let Some(draft) = drafts.get_mut(index) else { continue };
        if binds(&draft.entry.window, &draft.record, facts) {
            keeping::let_go(draft, mixed, facts, &mut asking, alarm);
        }
    }
    for draft in drafts.iter_mut() {
        telling::tell_over(draft, facts);
    }
    asking
}

/// A window of the other executor is in the block: all of it is run here.
fn tell_mixed(block: &Block, drafts: &mut [Draft]) -> Option<usize> {
    for index in &block.members {
        let Some(draft) = drafts.get_mut(*index) else { continue };
        if draft.record.executor == Executor::LiveScheduler {
            let reason = Reason::MixedExecutors;
            draft.record.registered = Some(Trouble { reason, message: reason.meaning().to_owned() });
            draft.record.differs = None;
        }
    }
    None
}

/// Whether something may still come of the window's workflow that has to be seen to.
pub(super) fn binds(window: &Window, record: &Record, facts: &Facts) -> bool {
    let Some(workflow) = &record.registration else { return false };
    if workflow.gone || is_another_clusters(window, record) {
        return false;
    }
    if workflow.id.is_none() && left_nothing(workflow, facts) {
        return false;
    }
    !workflow.is_over() || unanswered_for(record)
}

/// The workflow that is recorded was made by another cluster: what is stored here was copied from there.
fn is_another_clusters(window: &Window, record: &Record) -> bool {
    let ours = window.delegation.as_ref().map(|delegation| delegation.marker.cluster());
    let recorded = record.registration.as_ref().map(|workflow| workflow.marker.cluster());
    ours.zip(recorded).is_some_and(|(ours, recorded)| ours != recorded)
}

/// The vendor made its start, and no window has it for its own.
pub(super) fn unanswered_for(record: &Record) -> bool {
    let Some(workflow) = &record.registration else { return false };
    workflow.start.is_spent() && !workflow.cleared && !record.activation.may_be_made()
}

/// One that nobody knows whether it is there has shown nothing for long after its start.
fn left_nothing(workflow: &Registration, facts: &Facts) -> bool {
    is_past(later(workflow.start.slot.time, facts.timings.step_in_unknown), facts)
}

fn blocks(drafts: &[Draft], facts: &Facts) -> Vec<Block> {
    let spans: Vec<Option<Interval>> = drafts.iter().map(span).collect();
    let timeline = Timeline::merge(spans.iter().flatten().copied(), facts.timings.channel_turn);
    let rank = |index: &usize| drafts.get(*index).map(|d| (d.entry.window.created, d.entry.window.id.clone()));
    let of = |interval: &Interval| {
        let inside = |span: &Option<Interval>| span.is_some_and(|span| interval.contains(span.start));
        let mut members: Vec<usize> =
            spans.iter().enumerate().filter(|(_, span)| inside(span)).map(|(index, _)| index).collect();
        members.sort_by_key(rank);
        let vendors = members.iter().filter(|index| by_vendor(drafts, **index)).count();
        let executors = match vendors {
            0 => Executors::Here,
            all if all == members.len() => Executors::Vendor,
            _ => Executors::Mixed,
        };
        Block { interval: *interval, members, executors, holder: None }
    };
    let mut blocks: Vec<Block> = timeline.blocks().iter().map(of).collect();
    // A workflow goes with the block at whose time it stands; a block that none does with one recorded on its windows, which
    // were moved.
    let mut used = Vec::new();
    for overlapping in [true, false] {
        for block in blocks.iter_mut().filter(|block| block.holder.is_none()) {
            block.holder = holder(block, overlapping, &used, drafts, facts);
            used.extend(block.holder);
        }
    }
    blocks
}

fn by_vendor(drafts: &[Draft], index: usize) -> bool {
    drafts.get(index).is_some_and(|draft| draft.record.executor == Executor::LiveScheduler)
}

/// The time that a window wants the channel on, as the vendor's scheduler is told it.
fn span(draft: &Draft) -> Option<Interval> {
    let (window, record) = (&draft.entry.window, &draft.record);
    let starts = record.activation.is_pending() && (record.activation.may_be_made() || window.may_start());
    let leaves = window.cancel || !matches!(window.deletion, Deletion::No | Deletion::Unclear);
    let wants = record.verified_at.is_some()
        && window.finalizer
        && record.deactivation.is_pending()
        && (record.activation.state == TaskState::Finished || starts)
        && !leaves;
    if wants { Interval::new(record.activation.call_at, record.deactivation.call_at) } else { None }
}

/// The workflow that can stand for the block: of those recorded on its windows the first, else one that a window which
/// leaves it holds for it.
fn holder(block: &Block, overlapping: bool, used: &[usize], drafts: &[Draft], facts: &Facts) -> Option<usize> {
    if block.executors != Executors::Vendor {
        return None;
    }
    let free = |index: &usize| !used.iter().any(|used| used == index || is_same(*used, *index, drafts));
    let ours = |index: &usize| {
        let draft = drafts.get(*index).filter(|draft| !is_another_clusters(&draft.entry.window, &draft.record));
        draft.and_then(|draft| draft.record.registration.as_deref())
    };
    let fits = |index: &usize| {
        ours(index).filter(|_| free(index)).is_some_and(|workflow| {
            let slots = Interval::new(workflow.start.slot.time, workflow.stop.slot.time);
            let stands_there = slots.is_some_and(|slots| slots.overlaps(&block.interval));
            (stands_there || !overlapping) && usable(workflow, block, drafts, facts)
        })
    };
    let others = (0..drafts.len()).filter(|index| overlapping && !block.members.contains(index));
    block.members.iter().copied().chain(others).find(fits)
}

/// One of its starts was made, or may have been.
fn has_begun(block: &Block, drafts: &[Draft]) -> bool {
    let mut members = block.members.iter().filter_map(|index| drafts.get(*index));
    members.any(|draft| draft.record.activation.may_be_made())
}

fn usable(workflow: &Registration, block: &Block, drafts: &[Draft], facts: &Facts) -> bool {
    if workflow.gone || (workflow.is_over() && workflow.start.came_to_nothing()) {
        return false;
    }
    if has_begun(block, drafts) {
        // Its start is spent, or about to be; its stop is still to come, or was made just now.
        let of_this_one = workflow.start.slot.time < block.interval.stop;
        return of_this_one && (workflow.may_stop() || workflow.stop.slot.time >= block.interval.stop);
    }
    workflow.may_start() && !(workflow.id.is_none() && left_nothing(workflow, facts))
}

/// A workflow stands for the block: kept in step, and with the window that is to bear it, which is returned.
fn keep(
    block: &Block,
    holder: usize,
    drafts: &mut [Draft],
    facts: &Facts,
    asking: &mut Asking,
    alarm: &mut Alarm,
) -> Option<usize> {
    let carrier = block.members.iter().find(|index| **index == holder).or(block.members.first()).copied()?;
    if carrier != holder {
        hand_over(holder, carrier, drafts);
    }
    let wanted = making::wanted(block, carrier, drafts);
    if let Some(draft) = drafts.get_mut(carrier) {
        keeping::keep_in_step(draft, &wanted, facts, asking, alarm);
    }
    tell_carried(block, carrier, drafts);
    Some(carrier)
}

/// The others of the block are told who bears the workflow that stands for them.
fn tell_carried(block: &Block, carrier: usize, drafts: &mut [Draft]) {
    let Some(name) = drafts.get(carrier).map(|draft| draft.entry.window.name.to_string()) else { return };
    for index in block.members.iter().filter(|index| **index != carrier) {
        let Some(draft) = drafts.get_mut(*index) else { continue };
        let message = format!("One workflow stands for this window and {name}, which bears it.");
        draft.record.registered = Some(Trouble { reason: Reason::CarriedByAnother, message });
        draft.record.differs = None;
    }
}

/// The next bearer records the workflow; the one before lets go of it once the apiserver has stored that
/// ([`handed_over`]).
fn hand_over(from: usize, to: usize, drafts: &mut [Draft]) {
    let Some(mut workflow) = drafts.get(from).and_then(|draft| draft.record.registration.clone()) else { return };
    // Its start is answered for by the window that it was made for.
    workflow.cleared |=
        workflow.start.is_spent() && drafts.get(from).is_some_and(|draft| !unanswered_for(&draft.record));
    if let Some(draft) = drafts.get_mut(to) {
        draft.record.registration = Some(workflow);
    }
}

/// Another window bears the same workflow, and the apiserver has stored that.
fn handed_over(index: usize, drafts: &[Draft]) -> bool {
    let stored = |other: usize| drafts.get(other).and_then(|draft| draft.entry.registered.as_ref());
    (0..drafts.len()).any(|other| {
        other != index
            && is_same(index, other, drafts)
            && stored(other).zip(workflow_of(other, drafts)).is_some_and(|(stored, theirs)| stored.is_same(theirs))
    })
}

fn workflow_of<'a>(index: usize, drafts: &'a [Draft]) -> Option<&'a Registration> {
    drafts.get(index).and_then(|draft| draft.record.registration.as_deref())
}

/// Both bear the same workflow.
fn is_same(index: usize, other: usize, drafts: &[Draft]) -> bool {
    let both = workflow_of(index, drafts).zip(workflow_of(other, drafts));
    both.is_some_and(|(mine, theirs)| mine.is_same(theirs))
}

/// Nothing stands for the block yet. Returns the window that is to bear its workflow.
fn register(
    block: &Block,
    drafts: &mut [Draft],
    facts: &Facts,
    asking: &mut Asking,
    alarm: &mut Alarm,
) -> Option<usize> {
    if has_begun(block, drafts) {
        return None;
    }
    let adopts = |index: &&usize| drafts.get(**index).is_some_and(|draft| wants_to_adopt(draft));
    let carrier = block.members.iter().find(adopts).or(block.members.first()).copied()?;
    let bound = drafts.get(carrier).is_some_and(|draft| binds(&draft.entry.window, &draft.record, facts));
    let cleared = !bound && (0..drafts.len()).all(|index| !in_the_way(index, block.interval, drafts, facts));
    let wanted = making::wanted(block, carrier, drafts);
    let trouble = making::register(drafts.get_mut(carrier)?, &wanted, cleared, facts, asking, alarm);
    let made = drafts.get(carrier)?.record.registration.as_deref().is_some_and(|workflow| !workflow.gone);
    if made && cleared {
        tell_carried(block, carrier, drafts);
        let draft = drafts.get_mut(carrier)?;
        draft.record.registered = trouble;
        if wants_to_adopt(draft) {
            keeping::keep_in_step(draft, &wanted, facts, asking, alarm);
        }
        return Some(carrier);
    }
    for index in &block.members {
        if let (Some(draft), Some(trouble)) = (drafts.get_mut(*index), &trouble) {
            draft.record.registered = Some(trouble.clone());
            draft.record.differs = None;
        }
    }
    cleared.then_some(carrier)
}

pub(super) fn wants_to_adopt(draft: &Draft) -> bool {
    draft.entry.window.delegation.as_ref().is_some_and(|delegation| delegation.adopt.is_some())
}

/// The window's workflow may still switch the channel on in this time, for others than are meant.
fn in_the_way(index: usize, interval: Interval, drafts: &[Draft], facts: &Facts) -> bool {
    let Some(draft) = drafts.get(index).filter(|draft| binds(&draft.entry.window, &draft.record, facts)) else {
        return false;
    };
    let Some(workflow) = draft.record.registration.as_deref() else { return false };
    let start = workflow.start.slot.time;
    // One that is due and was not read back may be made at any moment.
    let stop = if is_past(start, facts) { Timestamp::MAX } else { workflow.stop.slot.time };
    workflow.may_start() && Interval::new(start, stop).is_some_and(|slots| slots.overlaps(&interval))
}

/// A start that the window's workflow may make now, or in this time, holds up every other one. One that nobody knows
/// whether it is there cannot be cancelled: it does so only about its own time.
fn holds_up(index: usize, interval: Interval, drafts: &[Draft], facts: &Facts, alarm: &mut Alarm) -> bool {
    let Some(workflow) = workflow_of(index, drafts).filter(|_| in_the_way(index, interval, drafts, facts)) else {
        return false;
    };
    workflow.id.is_some() || about(workflow.start.slot.time, facts, alarm)
}

/// Whether now is about the time of a start that can neither be read nor cancelled.
fn about(start: Timestamp, facts: &Facts, alarm: &mut Alarm) -> bool {
    let (from, until) = (sooner(start, facts.timings.reading_fresh), later(start, facts.timings.step_in_unknown));
    alarm.at(from);
    alarm.at(until);
    (from..until).contains(&facts.now)
}

fn duty(index: usize, blocks: &[Block], drafts: &[Draft], facts: &Facts, alarm: &mut Alarm) -> Duty {
    let Some(draft) = drafts.get(index) else { return Duty::default() };
    let made = draft.record.activation.called_at.and_then(|at| {
        let starts = drafts.iter().filter_map(|draft| draft.record.registration.as_deref());
        starts.filter(|workflow| workflow.start.slot.time == at).map(as_it_stands).next()
    });
    let Some(block) = blocks.iter().find(|block| block.members.contains(&index)) else {
        return Duty { made, ..Duty::default() };
    };
    let workflow = block.members.iter().chain(&block.holder).find_map(|index| {
        let kept = block.holder.is_some();
        drafts.get(*index).and_then(|draft| draft.record.registration.as_deref()).filter(|_| kept)
    });
    // A session that the vendor cut short is begun anew here.
    let edge = draft.record.cuts == 0 && (draft.record.activation.call_at == block.interval.start || made.is_some());
    let held = (0..drafts.len()).any(|other| holds_up(other, block.interval, drafts, facts, alarm));
    let starter = match workflow {
        Some(workflow) if edge => by_whom(workflow, block, facts, alarm),
        _ if held && is_past(block.interval.start, facts) => Starter::Nobody,
        _ => foreign_first(draft, facts, alarm),
    };
    Duty { starter, workflow: workflow.cloned(), made }
}

/// One that the vendor does not have has made nothing.
fn as_it_stands(workflow: &Registration) -> Half {
    let state = if workflow.gone { Some(TaskState::Cancelled) } else { workflow.start.state };
    Half { state, ..workflow.start }
}

/// Who makes the start at which a block begins, with a workflow standing for it.
fn by_whom(workflow: &Registration, block: &Block, facts: &Facts, alarm: &mut Alarm) -> Starter {
    if workflow.start.came_to_nothing() {
        return Starter::Here;
    }
    if workflow.start.is_spent() || !is_past(block.interval.start, facts) {
        return Starter::Vendor;
    }
    if workflow.id.is_none() && workflow.start.slot.time != block.interval.start {
        // Made for another time, if it was made at all, and nobody can change it.
        return if about(workflow.start.slot.time, facts, alarm) { Starter::Nobody } else { Starter::Here };
    }
    let patience = match workflow.id {
        Some(_) => facts.timings.step_in_start,
        None => facts.timings.step_in_unknown,
    };
    let until = later(workflow.start.slot.time.min(block.interval.start), patience);
    alarm.at(until);
    match workflow.id {
        // It is cancelled and read back first.
        Some(_) if keeping::is_overdue(workflow, block.interval.start, facts) => Starter::Nobody,
        None if facts.now >= until => Starter::Here,
        _ => Starter::Vendor,
    }
}

/// A workflow of somebody else's is about to start the channel, or has: ours would be the second start.
fn foreign_first(draft: &Draft, facts: &Facts, alarm: &mut Alarm) -> Starter {
    let copied = is_another_clusters(&draft.entry.window, &draft.record);
    let recorded = draft.record.registration.as_deref().filter(|workflow| copied && workflow.may_start());
    let shown = draft.record.foreign.as_ref().and_then(|id| facts.memory.scheduler()?.showing(id));
    let shown = shown.map(|showing| showing.workflow.start.slot.time);
    let Some(start) = recorded.map(|workflow| workflow.start.slot.time).or(shown) else { return Starter::Here };
    if about(start, facts, alarm) { Starter::Nobody } else { Starter::Here }
}

/// A workflow of somebody else's that would start the channel in this time.
fn foreign<'a>(scheduler: &'a Scheduler, interval: Interval, entries: &[Entry]) -> Option<&'a WorkflowId> {
    let ours = |id: &WorkflowId| {
        entries.iter().any(|entry| {
            let registration = entry.record.as_ref().and_then(|record| record.registration.as_ref());
            let recorded = registration.and_then(|workflow| workflow.id.as_ref());
            let adopted = entry.window.delegation.as_ref().and_then(|delegation| delegation.adopt.as_ref());
            recorded == Some(id) || adopted == Some(id)
        })
    };
    let shown = scheduler.shown.iter().map(|showing| &showing.workflow);
    let overlapping = shown.filter(|workflow| {
        let slots = Interval::new(workflow.start.slot.time, workflow.stop.slot.time);
        workflow.start.is_open() && slots.is_some_and(|slots| slots.overlaps(&interval))
    });
    overlapping.map(|workflow| &workflow.id).find(|id| !ours(id))
}

/// What its deletion leaves to be done about its workflow.
fn may_be_cancelled(draft: &Draft, mixed: bool) -> bool {
    let window = &draft.entry.window;
    let on_air = draft.record.has_it_on();
    match window.deletion {
        Deletion::No => mixed || window.cancel || !on_air,
        // Nothing before it is known what is meant.
        Deletion::Unclear | Deletion::WithDefinition => false,
        Deletion::Meant => match window.deletion_policy {
            // The channel is switched off and read off first: the vendor's stop is the one that would be left.
            DeletionPolicy::Stop => !on_air,
            DeletionPolicy::Cancel => true,
            DeletionPolicy::Retain => false,
        },
    }
}

/// Its object goes and leaves the workflow as it stands.
pub(super) fn retained(draft: &Draft) -> bool {
    draft.entry.window.deleted_under() == Some(DeletionPolicy::Retain)
}

/// Whether the account has room for it.
fn room(grant: Grant) -> Result<(), Trouble> {
    let waits = |message: String| Err(Trouble { reason: Reason::WaitingForQuota, message });
    match grant {
        Grant::Granted => Ok(()),
        Grant::Making => waits("A later window of the account makes room for this one.".to_owned()),
        Grant::Waits(before) => {
            let so_many = if before as usize >= COUNTED { format!("{before} or more") } else { before.to_string() };
            waits(format!(
                "{so_many} sooner windows of the account go first: the Live API's scheduler takes so many pending starts \
                 (limits.pendingActivations). This one is registered when it is among them."
            ))
        }
    }
}

/// What stays when an object goes and nothing is called for it: the channel, and the workflow that stands for it.
pub(super) fn left_standing(draft: &Draft) -> String {
    let why = match draft.entry.window.deletion {
        Deletion::WithDefinition => "The definition of JobStartStop is being deleted",
        _ => "Deleted under Retain",
    };
    format!("{why}: nothing is called, and the channel stays as it is.{}", still_there(draft))
}

/// The workflow that stays at the vendor's scheduler, in a sentence behind another; empty: none does.
pub(super) fn still_there(draft: &Draft) -> String {
    let workflow = draft.record.registration.as_deref().filter(|workflow| workflow.stands());
    let Some(workflow) = workflow else { return String::new() };
    let (start, stop) = (&workflow.start, &workflow.stop);
    let ahead = if start.is_open() { format!("its start at {}, ", start.slot.time) } else { String::new() };
    match &workflow.id {
        Some(id) => format!(
            " Workflow {id} stays at the Live API's scheduler, and makes {ahead}its stop at {}; its description keeps the \
             marker {}.",
            stop.slot.time, workflow.marker,
        ),
        None => format!(" A workflow of the marker {} may be at the Live API's scheduler.", workflow.marker),
    }
}
