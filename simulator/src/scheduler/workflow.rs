//! One workflow: two tasks for a job, and what became of them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::settings::SchedulerSettings;
use crate::job::later;

/// A task of a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// The start.
    Activation,
    /// The stop.
    Deactivation,
}

/// A task's `state` (vendor reference: start and stop a job); there is none for a task under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Still to come.
    Pending,
    /// The call was accepted.
    Finished,
    /// The call was refused.
    Failed,
    /// It will not happen.
    Cancelled,
}

impl TaskState {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        [Self::Pending, Self::Finished, Self::Failed, Self::Cancelled].into_iter().find(|state| state.as_str() == word)
    }
}

/// What became of a task when it was due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firing {
    /// Which one.
    pub task: TaskKind,
    /// When, in epoch microseconds.
    pub at_us: i64,
    /// What became of it.
    pub outcome: FiringOutcome,
    /// The body of the refusal, or a fault's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Value>,
}

/// What became of a task that was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FiringOutcome {
    /// The job was switched, or was as wanted by the vendor's rules.
    Finished,
    /// It was refused.
    Failed,
    /// It was refused and is tried again.
    Retried,
    /// A fault: nothing happens, and the task stays pending.
    Skipped,
    /// A fault: it happens later.
    PutOff,
}

/// Everything that is known about a workflow, beyond what the vendor's API shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowReport {
    /// The workflow's id.
    pub id: String,
    /// The account it belongs to.
    pub account: String,
    /// The job it is for.
    pub job: String,
    /// Label of the key that created it; none: a person in the vendor's interface did.
    pub created_by: Option<String>,
    /// When it was created, in epoch microseconds.
    pub created_us: i64,
    /// The API does not know it any more.
    pub gone: bool,
    /// The start.
    pub activation: TaskReport,
    /// The stop.
    pub deactivation: TaskReport,
    /// Free text.
    pub description: Option<String>,
    /// Where its notifications go.
    pub notification_url: Option<String>,
    /// What became of its tasks when they were due, oldest first.
    pub firings: Vec<Firing>,
}

/// Everything that is known about a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskReport {
    /// What it truly is, whatever it shows.
    pub state: TaskState,
    /// When it is to happen, in epoch seconds.
    pub time_utc: i64,
    /// Its heads-up comes so many seconds before.
    pub notification: Option<u64>,
    /// When it will happen, in epoch microseconds; none: never by itself.
    pub due_us: Option<i64>,
    /// The word that the API shows as its state instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shows_state: Option<String>,
}

/// What happens next by itself. Of one instant the heads-up is first, and the start is before the stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    HeadsUp(TaskKind),
    Task(TaskKind),
    Oblivion,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Task {
    pub(super) state: TaskState,
    pub(super) time_utc: i64,
    pub(super) notification: Option<u64>,
    /// None: never by itself.
    pub(super) due: Option<Timestamp>,
    pub(super) heads_up: Option<Timestamp>,
    /// Attempts that were refused.
    pub(super) refused: u32,
    /// A fault has put it off, and must not do so again.
    pub(super) put_off: bool,
    /// It fails when it is due: its time was past when it was given.
    pub(super) doomed: bool,
    pub(super) shows_state: Option<String>,
}

impl Task {
    pub(super) fn is_pending(&self) -> bool {
        self.state == TaskState::Pending
    }

    /// Nothing comes of it any more.
    pub(super) fn end(&mut self, state: TaskState) {
        self.state = state;
        self.due = None;
        self.heads_up = None;
    }

    fn shown(&self) -> ShownTask<'_> {
        ShownTask {
            notification: self.notification,
            state: self.shows_state.as_deref().unwrap_or(self.state.as_str()),
            time_utc: self.time_utc,
        }
    }

    fn report(&self) -> TaskReport {
        TaskReport {
            state: self.state,
            time_utc: self.time_utc,
            notification: self.notification,
            due_us: self.due.map(Timestamp::as_microsecond),
            shows_state: self.shows_state.clone(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Workflow {
    pub(crate) id: String,
    pub(crate) account: String,
    pub(crate) job: String,
    pub(super) created_by: Option<String>,
    pub(super) created_at: Timestamp,
    pub(super) activation: Task,
    pub(super) deactivation: Task,
    pub(super) description: Option<String>,
    pub(super) notification_url: Option<String>,
    pub(super) firings: Vec<Firing>,
    /// When the API forgets it.
    pub(super) oblivion: Option<Timestamp>,
    pub(super) gone: bool,
}

impl Workflow {
    pub(super) fn task(&self, kind: TaskKind) -> &Task {
        match kind {
            TaskKind::Activation => &self.activation,
            TaskKind::Deactivation => &self.deactivation,
        }
    }

    pub(super) fn task_mut(&mut self, kind: TaskKind) -> &mut Task {
        match kind {
            TaskKind::Activation => &mut self.activation,
            TaskKind::Deactivation => &mut self.deactivation,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        !self.activation.is_pending() && !self.deactivation.is_pending()
    }

    /// When something happens next by itself, and what.
    pub(super) fn next_due(&self) -> Option<(Timestamp, Due)> {
        let tasks = [TaskKind::Activation, TaskKind::Deactivation].into_iter().flat_map(|kind| {
            let task = self.task(kind);
            [(task.heads_up, Due::HeadsUp(kind)), (task.due, Due::Task(kind))]
        });
        tasks.chain([(self.oblivion, Due::Oblivion)]).filter_map(|(at, due)| Some((at?, due))).min()
    }

    /// Keeps the time of its oblivion right, after a change at `now`.
    pub(super) fn settle(&mut self, now: Timestamp, settings: &SchedulerSettings) {
        if !self.is_over() {
            self.oblivion = None;
        } else if self.oblivion.is_none() && !self.gone {
            let made = |task: &Task| matches!(task.state, TaskState::Finished | TaskState::Failed);
            let kept = if made(&self.activation) || made(&self.deactivation) {
                settings.ended_kept_ms
            } else {
                settings.cancelled_kept_ms
            };
            self.oblivion = Some(later(now, kept));
        }
    }

    /// The vendor's object: names, types and order of the guide's answers. `redundant_group` is not in it.
    pub(crate) fn shown<'a>(&'a self, settings: &'a SchedulerSettings) -> ShownWorkflow<'a> {
        ShownWorkflow {
            account_id: &settings.account_id,
            activation: self.activation.shown(),
            deactivation: self.deactivation.shown(),
            description: self.description.as_deref(),
            job_id: &self.job,
            notification_url: self.notification_url.as_deref(),
            kind: "jobstartstop",
            workflow_id: &self.id,
            workflow_start_time_utc: settings.shows_start_time.then_some(self.activation.time_utc),
        }
    }

    pub(super) fn report(&self) -> WorkflowReport {
        WorkflowReport {
            id: self.id.clone(),
            account: self.account.clone(),
            job: self.job.clone(),
            created_by: self.created_by.clone(),
            created_us: self.created_at.as_microsecond(),
            gone: self.gone,
            activation: self.activation.report(),
            deactivation: self.deactivation.report(),
            description: self.description.clone(),
            notification_url: self.notification_url.clone(),
            firings: self.firings.clone(),
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct ShownWorkflow<'a> {
    account_id: &'a str,
    activation: ShownTask<'a>,
    deactivation: ShownTask<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    job_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    notification_url: Option<&'a str>,
    #[serde(rename = "type")]
    kind: &'static str,
    workflow_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow_start_time_utc: Option<i64>,
}

#[derive(Debug, Serialize)]
struct ShownTask<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    notification: Option<u64>,
    state: &'a str,
    time_utc: i64,
}
