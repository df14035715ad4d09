//! What the answers of the vendor's scheduler tell of the workflows that are recorded.
//!
//! Crash windows of a registration, each settled by whoever decides next:
//! - before it is recorded (W1): nothing can be there, and it is recorded.
//! - recorded, and not known to have been sent (W2 to W5): it may be there. It is looked up by its marker, where there is
//!   a list; a list that was asked for long enough after, and does not show it, proves that it is not.
//! - recorded with its id: it is read by that.

use std::borrow::Cow;

use jiff::Timestamp;

use crate::lease::{Before, Term};
use crate::memory::Memory;
use crate::plan::Entry;
use crate::plan::facts::later;
use crate::registration::Registration;
use crate::scheduler::{Scheduler, ShownWorkflow, WorkflowAnswer, WorkflowCall, WorkflowOp};
use crate::timings::Timings;

/// Takes what was answered since into the recorded workflows.
pub(crate) fn take<'a>(entries: Cow<'a, [Entry]>, memory: &Memory, term: &Term, timings: &Timings) -> Cow<'a, [Entry]> {
    let Some(scheduler) = memory.scheduler() else { return entries };
    if !entries.iter().any(|entry| recorded(entry).is_some()) {
        return entries;
    }
    let mut entries = entries.into_owned();
    for entry in &mut entries {
        if let Some(registration) = entry.record.as_mut().and_then(|record| record.registration.as_mut()) {
            update(registration, scheduler, term, timings);
        }
    }
    Cow::Owned(entries)
}

fn recorded(entry: &Entry) -> Option<&Registration> {
    entry.record.as_ref()?.registration.as_deref()
}

fn update(registration: &mut Registration, scheduler: &Scheduler, term: &Term, timings: &Timings) {
    if registration.gone {
        return;
    }
    match registration.id.clone() {
        Some(id) => {
            let showing = scheduler.showing(&id);
            if let Some(showing) = showing {
                show(registration, &showing.workflow, scheduler);
            }
            // A key of another account would not know it either: such a key does not know the job, and asks nothing here.
            let missing = scheduler.missing_since(&id);
            registration.gone = missing.is_some_and(|at| showing.is_none_or(|showing| at > showing.asked_at));
        }
        None => find(registration, scheduler, term, timings),
    }
}

fn show(registration: &mut Registration, shown: &ShownWorkflow, scheduler: &Scheduler) {
    registration.start = shown.start;
    registration.stop = shown.stop;
    // Changed by us, and answered so.
    let Some(WorkflowCall { op, answered: Some((_, WorkflowAnswer::Shows(_))), .. }) = &scheduler.call else { return };
    if let WorkflowOp::Update { id, start, stop } = op
        && *id == shown.id
    {
        let (asked_start, asked_stop) = &mut registration.asked;
        *asked_start = start.unwrap_or(*asked_start);
        *asked_stop = stop.unwrap_or(*asked_stop);
    }
}

/// It is not known whether it is there.
fn find(registration: &mut Registration, scheduler: &Scheduler, term: &Term, timings: &Timings) {
    if let Some(showing) = scheduler.marked(&registration.marker) {
        registration.id = Some(showing.workflow.id.clone());
        show(registration, &showing.workflow, scheduler);
        return;
    }
    let left = left_at(registration, scheduler, term);
    registration.gone = match scheduler.creating(&registration.marker) {
        Some(WorkflowCall { answered: Some((_, WorkflowAnswer::Refused { .. })), .. }) => true,
        _ => match left {
            Some(left) => scheduler.listed.is_some_and(|listed| listed >= later(left, timings.believe_unanswered)),
            // An earlier process recorded it and did not come to ask for it.
            None => registration.by != term.by,
        },
    };
}

/// When the request that makes it may have left, at the latest. `None`: it has not left.
pub(super) fn left_at(registration: &Registration, scheduler: &Scheduler, term: &Term) -> Option<Timestamp> {
    if registration.by == term.by {
        return scheduler.creating(&registration.marker).map(|call| call.sent_at);
    }
    // One that let its lease go in order had recorded all that it had asked.
    let all_recorded = matches!(&term.before, Before::Released(Some(last)) if *last == registration.by);
    // It may be there still, and lead as it believes: what it records it makes after that.
    let known_since = scheduler.theirs.iter().find(|(marker, _)| *marker == registration.marker).map(|(_, at)| *at);
    (!all_recorded).then(|| term.since.max(term.others_until).max(known_since.unwrap_or(Timestamp::MAX)))
}
