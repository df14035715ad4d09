//! Words of another version in a stored status.

use plan::TaskState;

use crate::api::{JobStartStopStatus, TaskStatus};

use super::conditions::bounded;

/// The first state of a task that stands there in a word of another version.
pub(super) fn strange_state(status: &JobStartStopStatus) -> Option<String> {
    let tasks = [("activation", &status.activation), ("deactivation", &status.deactivation)];
    tasks.into_iter().find(|(_, task)| strange(&task.state)).map(|(half, task)| {
        format!("status.{half}.state: this version does not know the state {:?}", bounded(&task.state))
    })
}

pub(super) fn strange(state: &str) -> bool {
    !state.is_empty() && TaskState::parse(state).is_none()
}

/// The state of a task. One in an unknown word is what the rest of the status makes of it: what may still have to be
/// stopped is pending.
pub(super) fn state(task: &TaskStatus, whole: &JobStartStopStatus) -> TaskState {
    TaskState::parse(&task.state).unwrap_or(match (task.confirmed_at.as_str(), whole.finished_at.as_str()) {
        ("", "") => TaskState::Pending,
        ("", _) => TaskState::Cancelled,
        _ => TaskState::Finished,
    })
}
