//! Words of another version in a stored status.

use plan::{Executor, TaskState};

use crate::api::{JobStartStopStatus, TaskStatus};

use super::conditions::bounded;

/// The first word of another version that says how a task stands, or who makes the calls.
pub(super) fn strange_word(status: &JobStartStopStatus) -> Option<String> {
    let tasks = [("activation", &status.activation), ("deactivation", &status.deactivation)];
    let state = tasks.into_iter().find(|(_, task)| strange(&task.state)).map(|(half, task)| {
        format!("status.{half}.state: this version does not know the state {:?}", bounded(&task.state))
    });
    let executor = || {
        let word = bounded(&status.executor);
        strange_executor(&status.executor)
            .then(|| format!("status.executor: this version does not know the executor {word:?}"))
    };
    state.or_else(executor)
}

pub(super) fn strange_executor(executor: &str) -> bool {
    !executor.is_empty() && Executor::parse(executor).is_none()
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
