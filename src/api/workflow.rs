//! A `JobStartStop` in the Live API scheduler's own shape: what its HTTP interface answers, and what notifications
//! carry (Live API guide, "Scheduling a job start and stop": the answer object).

use plan::TaskState;
pub use plan::workflow::workflow_id;
use plan::workflow::{KnownTask, ShownTask, shown};
use serde::{Deserialize, Serialize};

use super::time::read_status;
use super::{JobStartStop, JobStartStopStatus, TaskStatus};

/// The scheduler's workflow object. Its fields stand in the order of the guide's answers.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Workflow {
    /// `LiveAccount`'s `accountID`.
    pub account_id: String,
    /// The start.
    pub activation: WorkflowTask,
    /// The stop.
    pub deactivation: WorkflowTask,
    /// Text for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The job.
    pub job_id: String,
    /// Where notifications go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification_url: Option<String>,
    /// Always [`WORKFLOW_TYPE`].
    #[serde(rename = "type")]
    pub kind: String,
    /// The object's uid without the dashes: [`workflow_id`].
    pub workflow_id: String,
}

/// One half of a workflow.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct WorkflowTask {
    /// How many seconds before `time_utc` a notification goes ahead; absent: none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification: Option<u32>,
    /// pending, finished, failed or cancelled.
    pub state: String,
    /// Seconds since 1970.
    pub time_utc: i64,
}

/// The scheduler's word for this kind of workflow.
pub const WORKFLOW_TYPE: &str = "jobstartstop";

impl Workflow {
    /// The object as the interface shows it. `None`: it has no uid, or no times that can be read.
    pub fn of(object: &JobStartStop, account_id: &str) -> Option<Self> {
        let uid = object.metadata.uid.as_deref()?;
        let times = object.spec.times().ok()?;
        let unseen = JobStartStopStatus::default();
        let status = object.status.as_ref().unwrap_or(&unseen);
        let tasks = shown(
            object.spec.cancel,
            known(&status.activation, times.activation),
            known(&status.deactivation, times.deactivation),
        );
        let spec = &object.spec;
        Some(Self {
            account_id: account_id.to_owned(),
            activation: WorkflowTask::new(tasks.0, spec.activation.notification_seconds),
            deactivation: WorkflowTask::new(tasks.1, spec.deactivation.notification_seconds),
            description: spec.description.clone(),
            job_id: spec.job_id.clone(),
            notification_url: spec.notification_url.clone(),
            kind: WORKFLOW_TYPE.to_owned(),
            workflow_id: workflow_id(uid),
        })
    }
}

impl WorkflowTask {
    /// A task as it is shown; `ahead` in seconds, 0 for none.
    pub fn new(task: ShownTask, ahead: u32) -> Self {
        Self {
            notification: (ahead > 0).then_some(ahead),
            state: task.state.as_str().to_owned(),
            time_utc: task.time.as_second(),
        }
    }
}

/// What the status tells of a task. One in a word of another version may still be called: it shows as pending.
fn known(task: &TaskStatus, wanted: jiff::Timestamp) -> KnownTask {
    KnownTask {
        state: TaskState::parse(&task.state).unwrap_or_default(),
        called: !task.called_at.is_empty(),
        recorded: read_status(&task.time),
        wanted,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(status: &serde_json::Value) -> JobStartStop {
        serde_json::from_value(json!({
            "apiVersion": "scheduler.bcovlive.io/v1alpha1",
            "kind": "JobStartStop",
            "metadata": { "name": "w", "namespace": "live", "uid": "d44cf29f-4f18-4757-ac09-95beb8a0097e" },
            "spec": {
                "jobID": "15981d93877e490185e6ebc9af2c79a3",
                "activation": { "time": "2021-04-02T17:55:00Z" },
                "deactivation": { "time": "2021-04-02T20:00:00Z" },
                "description": "My Wednesday broadcast",
            },
            "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn the_guides_answer_to_a_create_is_ours_to_the_byte() {
        let workflow = Workflow::of(&object(&json!({ "observedGeneration": -1 })), "1752604059001").unwrap();
        let expected = r#"{"account_id":"1752604059001","activation":{"state":"pending","time_utc":1617386100},"deactivation":{"state":"pending","time_utc":1617393600},"description":"My Wednesday broadcast","job_id":"15981d93877e490185e6ebc9af2c79a3","type":"jobstartstop","workflow_id":"d44cf29f4f184757ac0995beb8a0097e"}"#;
        assert_eq!(serde_json::to_string(&workflow).unwrap(), expected);
    }

    #[test]
    fn a_window_on_air_shows_the_start_as_it_was_made_and_the_stop_as_it_is_wanted() {
        let mut object = object(&json!({
            "activation": { "state": "finished", "time": "2021-04-02T17:50:00Z", "calledAt": "2021-04-02T17:50:00.001000Z" },
            "deactivation": { "state": "pending", "time": "2021-04-02T20:00:00Z" },
        }));
        object.spec.deactivation.time = "2021-04-02T19:30:00Z".to_owned();
        let workflow = Workflow::of(&object, "1").unwrap();
        assert_eq!((workflow.activation.state.as_str(), workflow.activation.time_utc), ("finished", 1_617_385_800));
        assert_eq!((workflow.deactivation.state.as_str(), workflow.deactivation.time_utc), ("pending", 1_617_391_800));
    }

    #[test]
    fn an_object_without_times_is_no_workflow() {
        let mut object = object(&json!({}));
        object.spec.activation.time = "tomorrow".to_owned();
        assert_eq!(Workflow::of(&object, "1"), None);
    }
}
