//! A window as the Live API's scheduler would show it: two tasks, each with a state and a time.

use jiff::Timestamp;

use crate::outbox::Action;
use crate::record::{Task, TaskState};

/// A window's id in the scheduler's form: its uid without dashes, 32 hexadecimal characters as the vendor's have.
pub fn workflow_id(uid: &str) -> String {
    uid.chars().filter(|c| *c != '-').collect()
}

/// What is known of one task, and what its owner wants of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownTask {
    /// As it is recorded; pending where nothing is.
    pub state: TaskState,
    /// A call may have left for it.
    pub called: bool,
    /// The time that is recorded, if any is.
    pub recorded: Option<Timestamp>,
    /// The time that its owner wants.
    pub wanted: Timestamp,
}

/// One task as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShownTask {
    /// Its state.
    pub state: TaskState,
    /// Its time.
    pub time: Timestamp,
}

/// Both tasks of a window as they are shown: an edit that was accepted shows at once, before it was carried out.
///
/// - A task that is still open shows the time that its owner wants; one that was called or is settled shows its own.
/// - `cancel` shows on what it will cancel: an open task that was not called.
/// - After a failed start the stop shows as cancelled, as the vendor has it (Live API guide, scheduler notifications).
///   The plan still looks at the job when its time comes, and stops one that is on.
pub fn shown(cancel: bool, activation: KnownTask, deactivation: KnownTask) -> (ShownTask, ShownTask) {
    let start = activation.shown(cancel);
    let failed = start.state == TaskState::Failed;
    (start, deactivation.shown(cancel || failed))
}

/// The two tasks as they stood when the action happened, for a notification that is sent later than that: what came
/// after it is not shown.
pub fn as_of(action: Action, (start, stop): (ShownTask, ShownTask)) -> (ShownTask, ShownTask) {
    let with = |task: ShownTask, state| ShownTask { state, ..task };
    match action {
        Action::NotifyActivate => (with(start, TaskState::Pending), with(stop, TaskState::Pending)),
        Action::Activate => match (start.state, stop.state) {
            (TaskState::Failed, _) => (start, with(stop, TaskState::Cancelled)),
            (_, TaskState::Cancelled) => (start, stop),
            _ => (start, with(stop, TaskState::Pending)),
        },
        Action::NotifyDeactivate => (start, with(stop, TaskState::Pending)),
        Action::Deactivate => (start, stop),
    }
}

impl KnownTask {
    /// Of a record's task.
    pub fn of(task: &Task, wanted: Timestamp) -> Self {
        Self { state: task.state, called: task.called_at.is_some(), recorded: Some(task.time), wanted }
    }

    /// It can still be moved and called off.
    pub fn open(&self) -> bool {
        self.state == TaskState::Pending && !self.called
    }

    fn shown(self, called_off: bool) -> ShownTask {
        if !self.open() {
            return ShownTask { state: self.state, time: self.recorded.unwrap_or(self.wanted) };
        }
        let state = if called_off { TaskState::Cancelled } else { TaskState::Pending };
        ShownTask { state, time: self.wanted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixtures::at;

    fn task(state: TaskState, called: bool, wanted: i64) -> KnownTask {
        KnownTask { state, called, recorded: Some(at(1)), wanted: at(wanted) }
    }

    #[test]
    fn the_table_of_states() {
        use TaskState::{Cancelled, Failed, Finished, Pending};
        // cancel, (activation, called), (deactivation, called) -> both as shown
        let table = [
            (false, (Pending, false), (Pending, false), (Pending, Pending)),
            (false, (Pending, true), (Pending, false), (Pending, Pending)),
            (false, (Finished, true), (Pending, false), (Finished, Pending)),
            (false, (Finished, true), (Pending, true), (Finished, Pending)),
            (false, (Finished, true), (Finished, true), (Finished, Finished)),
            (false, (Failed, true), (Pending, false), (Failed, Cancelled)),
            (false, (Failed, true), (Pending, true), (Failed, Pending)),
            (false, (Failed, true), (Finished, true), (Failed, Finished)),
            (true, (Pending, false), (Pending, false), (Cancelled, Cancelled)),
            (true, (Pending, true), (Pending, false), (Pending, Cancelled)),
            (true, (Finished, true), (Pending, false), (Finished, Cancelled)),
            (true, (Finished, true), (Pending, true), (Finished, Pending)),
            (true, (Finished, true), (Finished, true), (Finished, Finished)),
        ];
        for (cancel, (a, a_called), (d, d_called), expected) in table {
            let (start, stop) = shown(cancel, task(a, a_called, 2), task(d, d_called, 2));
            assert_eq!((start.state, stop.state), expected, "{cancel} {a:?} {a_called} {d:?} {d_called}");
        }
    }

    #[test]
    fn a_notification_that_is_late_shows_nothing_of_what_came_after() {
        use Action::{Activate, Deactivate, NotifyActivate, NotifyDeactivate};
        use TaskState::{Cancelled, Failed, Finished, Pending};
        let table = [
            (NotifyActivate, (Finished, Finished), (Pending, Pending)),
            (Activate, (Finished, Pending), (Finished, Pending)),
            (Activate, (Finished, Finished), (Finished, Pending)),
            (Activate, (Finished, Cancelled), (Finished, Cancelled)),
            (Activate, (Failed, Finished), (Failed, Cancelled)),
            (NotifyDeactivate, (Finished, Finished), (Finished, Pending)),
            (Deactivate, (Finished, Failed), (Finished, Failed)),
        ];
        for (action, (start, stop), expected) in table {
            let task = |state| ShownTask { state, time: at(1) };
            let told = as_of(action, (task(start), task(stop)));
            assert_eq!((told.0.state, told.1.state), expected, "{action:?}");
        }
    }

    #[test]
    fn an_edit_shows_at_once_and_one_that_came_too_late_not_at_all() {
        let moved = shown(false, task(TaskState::Pending, false, 5), task(TaskState::Pending, false, 9));
        assert_eq!((moved.0.time, moved.1.time), (at(5), at(9)));
        let late = shown(false, task(TaskState::Pending, true, 5), task(TaskState::Pending, true, 9));
        assert_eq!((late.0.time, late.1.time), (at(1), at(1)));
    }
}
