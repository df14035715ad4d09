//! The steps of a start and of a stop, and those around a workflow of the vendor's scheduler, by the names that the
//! documentation gives them. Each effect says when it has come to its step; tests end a process there.

use std::fmt::{self, Debug};

use plan::{TaskState, Verb, WorkflowOp};

use crate::api::{JobStartStopStatus, RegisteredStatus, TaskStatus};

macro_rules! steps {
    ($($(#[doc = $what:literal])+ $group:ident { $($(#[doc = $meaning:literal])+ $name:ident,)+ })+) => {
        /// How far a call, or a request to the vendor's scheduler, has come.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Step {
            $($($(#[doc = $meaning])+ $name,)+)+
        }

        impl Step {
            $($(#[doc = $what])+ pub const $group: &'static [Self] = &[$(Self::$name),+];)+

            /// All of them.
            pub const ALL: &'static [Self] = &[$($(Self::$name),+),+];

            /// Its name.
            pub fn as_str(self) -> &'static str {
                match self { $($(Self::$name => stringify!($name)),+),+ }
            }
        }
    };
}

steps! {
    /// Those of a window whose calls this operator makes, in the order in which it comes to them.
    OF_CALLS {
        /// The claim on the start is about to be written.
        S1ClaimToWrite,
        /// The apiserver has stored it.
        S1ClaimWritten,
        /// Right before the start the stored objects and the job were read anew.
        S2Read,
        /// Its time has come, the lease and the claim hold, the reading is fresh: the start is about to be sent.
        S3Checked,
        /// It was handed to its connection.
        S4Sent,
        /// It was answered, or its answer was given up.
        S5Answered,
        /// What was called is about to be written.
        S6ToWrite,
        /// The apiserver has stored it.
        S6Written,
        /// The job was read on; that is about to be written.
        S7On,
        /// The apiserver has stored it.
        S8Written,
        /// Right before the stop the stored objects and the job were read anew.
        P1Read,
        /// Its time has come and the lease holds: the stop is about to be sent.
        P2Checked,
        /// It was handed to its connection.
        P3Sent,
        /// It was answered, or its answer was given up.
        P4Answered,
        /// What was called is about to be written.
        P5ToWrite,
        /// The apiserver has stored it.
        P5Written,
        /// The job was read off; that is about to be written.
        P6Off,
        /// The apiserver has stored it.
        P7Written,
    }

    /// Those of a window that is registered with the vendor's scheduler, changed there, and cancelled.
    OF_WORKFLOWS {
        /// The workflow that is to be made is about to be recorded.
        W1RegistrationToWrite,
        /// The apiserver has stored it.
        W1RegistrationWritten,
        /// The lease holds: the workflow is about to be made.
        W2Checked,
        /// The request was handed to its connection.
        W3Sent,
        /// It was answered, or its answer was given up.
        W4Answered,
        /// The vendor's id of the workflow is about to be recorded.
        W5ToWrite,
        /// The apiserver has stored it.
        W5Written,
        /// The lease holds: the workflow is about to be changed.
        U2Checked,
        /// The request was handed to its connection.
        U3Sent,
        /// It was answered, or its answer was given up.
        U4Answered,
        /// The lease holds: the workflow is about to be cancelled.
        C2Checked,
        /// The request was handed to its connection.
        C3Sent,
        /// It was answered, or its answer was given up.
        C4Answered,
        /// It was read back with nothing left to be called; that is about to be recorded.
        C5ToWrite,
        /// The apiserver has stored it.
        C5Written,
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Is told of every step.
pub trait Steps: Debug + Send + Sync {
    /// The process has come to this step of some window.
    fn reached(&self, step: Step);
}

/// Nobody is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Untold;

impl Steps for Untold {
    fn reached(&self, _: Step) {}
}

/// The steps around a request to the Live API.
pub(super) struct OfCall {
    pub(super) checked: Step,
    pub(super) sent: Step,
    pub(super) answered: Step,
}

impl OfCall {
    pub(super) fn of(verb: Verb) -> Self {
        match verb {
            Verb::Activate => Self { checked: Step::S3Checked, sent: Step::S4Sent, answered: Step::S5Answered },
            Verb::Deactivate => Self { checked: Step::P2Checked, sent: Step::P3Sent, answered: Step::P4Answered },
        }
    }

    /// `None`: it changes nothing.
    pub(super) fn of_workflow(op: &WorkflowOp) -> Option<Self> {
        let (checked, sent, answered) = match op {
            WorkflowOp::Create { .. } => (Step::W2Checked, Step::W3Sent, Step::W4Answered),
            WorkflowOp::Update { .. } => (Step::U2Checked, Step::U3Sent, Step::U4Answered),
            WorkflowOp::Cancel { .. } => (Step::C2Checked, Step::C3Sent, Step::C4Answered),
            WorkflowOp::Read { .. } | WorkflowOp::Find => return None,
        };
        Some(Self { checked, sent, answered })
    }
}

/// The steps before and after the write that takes a status from one to the other.
pub(super) fn of_write(before: &JobStartStopStatus, next: &JobStartStopStatus) -> Option<(Step, Step)> {
    let finished = |task: &TaskStatus| task.state == TaskState::Finished.as_str();
    let (start, stop) = ((&before.activation, &next.activation), (&before.deactivation, &next.deactivation));
    let settled = |(before, next): (&TaskStatus, &TaskStatus)| finished(next) && !finished(before);
    let called = |(before, next): (&TaskStatus, &TaskStatus)| next.called_at != before.called_at;
    if settled(stop) {
        Some((Step::P6Off, Step::P7Written))
    } else if called(stop) {
        Some((Step::P5ToWrite, Step::P5Written))
    } else if settled(start) {
        Some((Step::S7On, Step::S8Written))
    } else if called(start) {
        Some((Step::S6ToWrite, Step::S6Written))
    } else if let Some(steps) = of_registration(before, next) {
        Some(steps)
    } else if next.activation.claim != before.activation.claim && next.activation.claim.is_some() {
        Some((Step::S1ClaimToWrite, Step::S1ClaimWritten))
    } else {
        None
    }
}

fn of_registration(before: &JobStartStopStatus, next: &JobStartStopStatus) -> Option<(Step, Step)> {
    let registered = next.registered.as_ref()?;
    let known = before.registered.as_ref();
    let attempt = |registered: &RegisteredStatus| (registered.by.clone(), registered.attempt);
    let ended = |registered: &RegisteredStatus| {
        let states = [&registered.activation.state, &registered.deactivation.state];
        let any = |state: TaskState| states.iter().any(|word| *word == state.as_str());
        any(TaskState::Cancelled) && !any(TaskState::Pending)
    };
    if !next.vendor_workflow_id.is_empty() && next.vendor_workflow_id != before.vendor_workflow_id {
        Some((Step::W5ToWrite, Step::W5Written))
    } else if ended(registered) && !known.is_some_and(ended) {
        Some((Step::C5ToWrite, Step::C5Written))
    } else if next.vendor_workflow_id.is_empty() && known.map(attempt) != Some(attempt(registered)) {
        Some((Step::W1RegistrationToWrite, Step::W1RegistrationWritten))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(id: &str, attempt: u32, states: [TaskState; 2]) -> JobStartStopStatus {
        let mut registered = RegisteredStatus { attempt, ..RegisteredStatus::default() };
        registered.activation.state = states[0].as_str().into();
        registered.deactivation.state = states[1].as_str().into();
        let vendor_workflow_id = id.to_owned();
        JobStartStopStatus { vendor_workflow_id, registered: Some(registered), ..JobStartStopStatus::default() }
    }

    #[test]
    fn the_writes_around_a_workflow_are_its_recording_its_id_and_its_end() {
        use TaskState::{Cancelled, Finished, Pending};
        let none = JobStartStopStatus { vendor_workflow_id: "old".into(), ..JobStartStopStatus::default() };
        let pending = [Pending, Pending];
        let recorded = Some((Step::W1RegistrationToWrite, Step::W1RegistrationWritten));
        let named = Some((Step::W5ToWrite, Step::W5Written));
        let ended = Some((Step::C5ToWrite, Step::C5Written));
        let rows = vec![
            (none.clone(), status("", 1, pending), recorded),
            (status("", 1, pending), status("", 2, pending), recorded),
            (status("", 1, pending), status("", 1, pending), None),
            (status("", 1, pending), status("a", 1, pending), named),
            // One that was made by somebody else and taken over.
            (none, status("a", 1, pending), named),
            (status("a", 1, pending), status("a", 1, [Cancelled, Cancelled]), ended),
            (status("a", 1, [Finished, Pending]), status("a", 1, [Finished, Cancelled]), ended),
            (status("a", 1, pending), status("a", 1, [Cancelled, Pending]), None),
            (status("a", 1, pending), status("a", 1, [Finished, Pending]), None),
            (status("a", 1, [Finished, Pending]), status("a", 1, [Finished, Finished]), None),
            (status("a", 1, [Cancelled, Cancelled]), status("a", 1, [Cancelled, Cancelled]), None),
            (status("a", 1, [Cancelled, Cancelled]), status("", 2, pending), recorded),
        ];
        for (before, next, steps) in rows {
            assert_eq!(of_write(&before, &next), steps, "{:?} {:?}", before.registered, next.registered);
        }
    }
}
