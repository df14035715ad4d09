//! What this process knows of the vendor's scheduler, as far as one job goes: the last request to it, and what its
//! answers showed.

use jiff::Timestamp;

use crate::ids::{AccountName, WindowId, WorkflowId};
use crate::reason::Reason;
use crate::registration::{Half, Marker, Slot, Texts};

/// A workflow of the job, as an answer shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownWorkflow {
    /// The vendor's id.
    pub id: WorkflowId,
    /// The marker in its description; `None`: it is not an operator's.
    pub marker: Option<Marker>,
    /// The start.
    pub start: Half,
    /// The stop.
    pub stop: Half,
    /// Its texts, the marker left out.
    pub texts: Texts,
}

/// One request to the vendor's scheduler (Live API reference: `/v1/scheduler/jobstartstop`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkflowOp {
    /// Make one. Never repeated while the last answer was lost.
    Create {
        /// What marks it.
        marker: Marker,
        /// Its start.
        start: Slot,
        /// Its stop.
        stop: Slot,
        /// With the window's URL of notifications.
        tells: bool,
    },
    /// Change the tasks that are named, and no others.
    Update {
        /// Which.
        id: WorkflowId,
        /// Its start from now on.
        start: Option<Slot>,
        /// Its stop from now on.
        stop: Option<Slot>,
    },
    /// Cancel what of it is pending.
    Cancel {
        /// Which.
        id: WorkflowId,
    },
    /// Read it.
    Read {
        /// Which.
        id: WorkflowId,
    },
    /// List all workflows of the job. The vendor's reference does not have the list: it may not be there.
    Find,
}

impl WorkflowOp {
    /// What it is called in logs and metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Create { .. } => "schedule",
            Self::Update { .. } => "reschedule",
            Self::Cancel { .. } => "cancel_workflow",
            Self::Read { .. } => "read_workflow",
            Self::Find => "list_workflows",
        }
    }

    /// It changes something.
    pub fn changes(&self) -> bool {
        matches!(self, Self::Create { .. } | Self::Update { .. } | Self::Cancel { .. })
    }

    pub(crate) fn id(&self) -> Option<&WorkflowId> {
        match self {
            Self::Update { id, .. } | Self::Cancel { id } | Self::Read { id } => Some(id),
            Self::Create { .. } | Self::Find => None,
        }
    }
}

/// What the vendor's scheduler had to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkflowAnswer {
    /// The workflow as it stands now.
    Shows(Box<ShownWorkflow>),
    /// All workflows of the job.
    Lists(Vec<ShownWorkflow>),
    /// There is no such workflow.
    NotFound(String),
    /// There is no list.
    NoList,
    /// Nobody knows: no answer, a lost one, or one that is not the API's. It may have been carried out.
    Lost(String),
    /// Certainly not carried out.
    Refused {
        /// `SchedulerUnavailable`, `KeyRefused`, `WaitingForCapacity`, `LiveAPIUnreachable`, …
        reason: Reason,
        /// The vendor's text, or the transport's.
        message: String,
    },
}

/// A request, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowCall {
    /// What was asked.
    pub op: WorkflowOp,
    /// With whose key.
    pub account: AccountName,
    /// The window that the workflow is recorded on.
    pub window: WindowId,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// When the answer came, or was given up on; `None` while it is under way.
    pub answered: Option<(Timestamp, WorkflowAnswer)>,
}

impl WorkflowCall {
    fn was_refused(&self) -> bool {
        matches!(self.answered, Some((_, WorkflowAnswer::Refused { .. })))
    }
}

/// A workflow that was changed or cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) id: WorkflowId,
    /// How often in a row, and when last.
    pub(crate) times: u32,
    pub(crate) at: Timestamp,
    /// What stands there now was not read since.
    pub(crate) unread: bool,
}

/// A workflow, and when the question was sent that showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Showing {
    pub(crate) asked_at: Timestamp,
    pub(crate) workflow: ShownWorkflow,
}

/// More of a job's workflows than this are not looked at: the vendor has a quota of six.
const SHOWN_MOST: usize = 256;

/// What is known of the vendor's scheduler for one job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scheduler {
    /// The last request.
    pub(crate) call: Option<WorkflowCall>,
    /// Requests in a row that brought no good answer.
    pub(crate) failures: u32,
    /// The workflows that were changed or cancelled.
    changes: Vec<Change>,
    /// The tries to make a workflow that were not answered with one: what is under way, what was lost, and of those that
    /// were refused the last of each window.
    created: Vec<WorkflowCall>,
    /// The workflows that answers showed, each as last shown.
    pub(crate) shown: Vec<Showing>,
    /// Those that the scheduler does not know, and when the question was sent.
    pub(crate) missing: Vec<(WorkflowId, Timestamp)>,
    /// When the last complete list was asked for.
    pub(crate) listed: Option<Timestamp>,
    /// Workflows that other processes recorded and may be making: since when each is known.
    pub(crate) theirs: Vec<(Marker, Timestamp)>,
}

impl Scheduler {
    /// A request is being sent.
    pub(crate) fn sent(&mut self, op: WorkflowOp, account: &AccountName, window: &WindowId, sent_at: Timestamp) {
        let call = WorkflowCall { op, account: account.clone(), window: window.clone(), sent_at, answered: None };
        if matches!(call.op, WorkflowOp::Create { .. }) {
            self.created.retain(|before| before.window != call.window || !before.was_refused());
            self.created.push(call.clone());
        }
        if let (true, Some(id)) = (call.op.changes(), call.op.id()) {
            let times = self.change(id).map_or(0, |change| change.times) + 1;
            self.changes.retain(|change| change.id != *id);
            self.changes.push(Change { id: id.clone(), times, at: sent_at, unread: true });
        }
        self.call = Some(call);
    }

    /// It was called off before it was sent.
    pub(crate) fn dropped(&mut self) {
        if let Some(call) = self.call.take() {
            self.created.retain(|before| before.op != call.op);
        }
    }

    /// The request under way was answered, or given up on.
    pub(crate) fn answered(&mut self, at: Timestamp, answer: WorkflowAnswer) {
        let Some(mut call) = self.call.take() else { return };
        match &answer {
            // What an answer to a cancel shows is not taken for what stands there: it is read back.
            WorkflowAnswer::Shows(_) if matches!(call.op, WorkflowOp::Cancel { .. }) => {}
            WorkflowAnswer::Shows(workflow) => self.show(call.sent_at, (**workflow).clone()),
            WorkflowAnswer::Lists(all) => {
                self.shown.retain(|showing| showing.asked_at > call.sent_at);
                for workflow in all.iter().take(SHOWN_MOST) {
                    self.show(call.sent_at, workflow.clone());
                }
                self.listed = Some(call.sent_at);
            }
            // What is over may be unknown to a change, and still be read.
            WorkflowAnswer::NotFound(_) if call.op.changes() => {}
            WorkflowAnswer::NotFound(_) => {
                if let Some(id) = call.op.id() {
                    self.changes.retain(|change| change.id != *id);
                    self.missing.retain(|(known, _)| known != id);
                    self.missing.push((id.clone(), call.sent_at));
                }
            }
            WorkflowAnswer::NoList | WorkflowAnswer::Lost(_) | WorkflowAnswer::Refused { .. } => {}
        }
        let good = matches!(
            answer,
            WorkflowAnswer::Shows(_) | WorkflowAnswer::Lists(_) | WorkflowAnswer::NoList | WorkflowAnswer::NotFound(_)
        );
        self.failures = if good { 0 } else { self.failures + 1 };
        if let (WorkflowOp::Update { id, .. }, WorkflowAnswer::Shows(_)) = (&call.op, &answer) {
            // It was taken, and shown so.
            self.changes.retain(|change| change.id != *id);
        }
        call.answered = Some((at, answer));
        if let Some(at) = self.created.iter().position(|before| before.op == call.op) {
            self.created.remove(at);
            if !matches!(call.answered, Some((_, WorkflowAnswer::Shows(_)))) {
                self.created.push(call.clone());
            }
        }
        self.call = Some(call);
    }

    /// The try to make this workflow, if it was not answered with it.
    pub(crate) fn creating(&self, marker: &Marker) -> Option<&WorkflowCall> {
        self.created.iter().find(|call| matches!(&call.op, WorkflowOp::Create { marker: of, .. } if of == marker))
    }

    /// The last change of this workflow, unless it was taken and shown so.
    pub(crate) fn change(&self, id: &WorkflowId) -> Option<&Change> {
        self.changes.iter().find(|change| change.id == *id)
    }

    fn show(&mut self, asked_at: Timestamp, workflow: ShownWorkflow) {
        if let Some(change) = self.changes.iter_mut().find(|change| change.id == workflow.id && asked_at > change.at) {
            change.unread = false;
        }
        self.missing.retain(|(id, _)| *id != workflow.id);
        match self.shown.iter_mut().find(|showing| showing.workflow.id == workflow.id) {
            Some(known) if known.asked_at > asked_at => {}
            Some(known) => *known = Showing { asked_at, workflow },
            None => self.shown.push(Showing { asked_at, workflow }),
        }
    }

    /// Our clock stepped: what was remembered moves with it.
    pub(crate) fn clock_stepped(&mut self, moved: &impl Fn(&mut Timestamp)) {
        for call in self.call.iter_mut().chain(&mut self.created) {
            moved(&mut call.sent_at);
            if let Some((at, _)) = &mut call.answered {
                moved(at);
            }
        }
        for showing in &mut self.shown {
            moved(&mut showing.asked_at);
        }
        for (_, at) in &mut self.missing {
            moved(at);
        }
        for change in &mut self.changes {
            moved(&mut change.at);
        }
        for (_, since) in &mut self.theirs {
            moved(since);
        }
        if let Some(at) = &mut self.listed {
            moved(at);
        }
    }

    /// One is under way.
    pub(crate) fn under_way(&self) -> bool {
        self.call.as_ref().is_some_and(|call| call.answered.is_none())
    }

    /// The workflow, as last shown.
    pub(crate) fn showing(&self, id: &WorkflowId) -> Option<&Showing> {
        self.shown.iter().find(|showing| showing.workflow.id == *id)
    }

    /// The workflow that bears this marker.
    pub(crate) fn marked(&self, marker: &Marker) -> Option<&Showing> {
        self.shown.iter().find(|showing| showing.workflow.marker.as_ref() == Some(marker))
    }

    /// When the question was sent to which the scheduler said that it does not know the workflow.
    pub(crate) fn missing_since(&self, id: &WorkflowId) -> Option<Timestamp> {
        self.missing.iter().find(|(known, _)| known == id).map(|(_, at)| *at)
    }
}
