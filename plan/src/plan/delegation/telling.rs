//! What is said of a workflow of which nothing more comes.

use super::is_another_clusters;
use crate::plan::draft::Draft;
use crate::plan::facts::Facts;
use crate::reason::Reason;
use crate::record::{TaskState, Trouble};
use crate::registration::Half;

/// What is to be said of a workflow of which nothing more comes, where no block says so any more.
pub(super) fn tell_over(draft: &mut Draft, facts: &Facts) {
    if is_another_clusters(&draft.entry.window, &draft.record) {
        return;
    }
    let Some(workflow) = draft.record.registration.as_deref() else { return };
    let Some(id) = workflow.id.as_ref() else { return };
    let told = draft.record.registered.as_ref().map(|told| told.reason);
    let (start, stop) = (&workflow.start, &workflow.stop);
    let stands = if workflow.gone {
        "it is not there any more".to_owned()
    } else {
        format!("its start is {}, its stop {}", word(start), word(stop))
    };
    if told == Some(Reason::CancellingWorkflow) && !super::binds(&draft.entry.window, &draft.record, facts) {
        // As it was read back, whatever that is.
        let message = format!("Workflow {id} was cancelled at the Live API's scheduler: {stands}.");
        draft.record.registered = Some(Trouble { reason: Reason::Cancelled, message });
        return;
    }
    let missing = [Reason::DroppedByVendor, Reason::VendorStartMissing, Reason::VendorStopMissing];
    let news = !workflow.withdrawn && (workflow.gone || start.came_to_nothing());
    if news && !told.is_some_and(|told| missing.contains(&told)) {
        let message =
            format!("Workflow {id} came to nothing at the Live API's scheduler: {stands}. The calls are made here.");
        draft.record.registered = Some(Trouble { reason: Reason::DroppedByVendor, message });
    }
}

pub(super) fn word(half: &Half) -> &'static str {
    half.state.map_or("in a state that nobody knows", TaskState::as_str)
}
