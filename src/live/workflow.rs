use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::job::JobId;
use super::wire::{ID_MAX_LENGTH, is_id, lenient, next_token, seconds, text};
use super::withheld::{NotShown, shown_url};

/// The scheduler's word for workflows that start and stop a job.
const KIND: &str = "jobstartstop";

/// The id of a workflow of the vendor's scheduler, as it stands in the API's paths: 1 to 64 of `A-Z a-z 0-9 _ -`
/// (vendor: 32 lower-case hexadecimal digits in every example; no form is promised).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkflowId(Arc<str>);

/// Why a text is not a [`WorkflowId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a workflow id is 1 to 64 letters, digits, `_` or `-`")]
pub struct WorkflowIdMalformed;

impl WorkflowId {
    /// The longest id, in characters.
    pub const MAX_LENGTH: usize = ID_MAX_LENGTH;

    /// Reads an id; nothing is trimmed.
    pub fn parse(text: &str) -> Result<Self, WorkflowIdMalformed> {
        if is_id(text) { Ok(Self(text.into())) } else { Err(WorkflowIdMalformed) }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WorkflowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for WorkflowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WorkflowId({})", self.0)
    }
}

/// A task as the scheduler is asked for it.
#[derive(Serialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewTask {
    /// When it is to happen, in Unix seconds.
    pub time_utc: i64,
    /// How many seconds ahead the receiver is told; none: it is not told ahead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notification: Option<u32>,
}

/// A workflow to be registered with the vendor's scheduler (vendor guide: "Scheduling a job start and stop", request
/// body). Its fields go over the wire in the order of the guide.
///
/// The scheduler takes no idempotency key: what tells one's own workflow from another's has to stand in the description.
///
/// `Debug` shows scheme and host of the notification URL, and nothing of the description.
#[derive(Serialize, Clone, PartialEq, Eq)]
pub struct NewWorkflow {
    /// The job; it must have a static entry point.
    pub job_id: JobId,
    /// The start.
    pub activation: NewTask,
    /// The stop.
    pub deactivation: NewTask,
    /// Text for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where the scheduler's notifications go; needed once a task has a `notification`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notification_url: Option<String>,
}

impl fmt::Debug for NewWorkflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewWorkflow")
            .field("job_id", &self.job_id)
            .field("activation", &self.activation)
            .field("deactivation", &self.deactivation)
            .field("description", &self.description.as_ref().map(|_| NotShown))
            .field("notification_url", &self.notification_url.as_deref().map(shown_url))
            .finish()
    }
}

/// What is to change of a workflow: one task or both (vendor reference: the update's body takes nothing else). A task
/// is replaced as a whole, its `notification` with it.
#[derive(Serialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkflowChange {
    #[serde(skip_serializing_if = "Option::is_none")]
    activation: Option<NewTask>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deactivation: Option<NewTask>,
}

impl WorkflowChange {
    /// The tasks that change; `None`: neither does, and there is nothing to ask for.
    pub fn new(activation: Option<NewTask>, deactivation: Option<NewTask>) -> Option<Self> {
        (activation.is_some() || deactivation.is_some()).then_some(Self { activation, deactivation })
    }

    /// What the start becomes, if it changes.
    pub fn activation(&self) -> Option<NewTask> {
        self.activation
    }

    /// What the stop becomes, if it changes.
    pub fn deactivation(&self) -> Option<NewTask> {
        self.deactivation
    }
}

/// A workflow as the vendor's scheduler tells of it (vendor guide: "Scheduling a job start and stop", answer).
///
/// Workflows of other types than `jobstartstop` are none of these. Why a task failed is not told here (vendor: only its
/// notification says so).
///
/// `Debug` shows scheme and host of the notification URL, and nothing of the description.
#[derive(Clone, PartialEq, Eq)]
pub struct Workflow {
    /// The workflow's id.
    pub id: WorkflowId,
    /// Whose it is: a Video Cloud account or a Live account (the vendor's examples differ).
    pub account_id: Option<String>,
    /// The job that is started and stopped.
    pub job_id: String,
    /// The start.
    pub activation: WorkflowTask,
    /// The stop.
    pub deactivation: WorkflowTask,
    /// Text for people, as it was registered.
    pub description: Option<String>,
    /// Where the scheduler's notifications go.
    pub notification_url: Option<String>,
    /// `workflow_start_time_utc`, in Unix seconds (vendor: in examples of other workflows only).
    pub start_time_utc: Option<i64>,
}

/// One half of a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowTask {
    /// `pending`, `finished`, `failed`, `cancelled`, or another word.
    pub state: String,
    /// When it is to happen, in Unix seconds.
    pub time_utc: i64,
    /// How many seconds ahead the receiver is told.
    pub notification: Option<u32>,
}

impl fmt::Debug for Workflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workflow")
            .field("id", &self.id)
            .field("account_id", &self.account_id)
            .field("job_id", &self.job_id)
            .field("activation", &self.activation)
            .field("deactivation", &self.deactivation)
            .field("description", &self.description.as_ref().map(|_| NotShown))
            .field("notification_url", &self.notification_url.as_deref().map(shown_url))
            .field("start_time_utc", &self.start_time_utc)
            .finish()
    }
}

/// One page of the list of workflows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowPage {
    /// The workflows in the API's order.
    pub workflows: Vec<Workflow>,
    /// How many entries could not be read. While there are any, that a workflow is absent proves nothing.
    pub unread: usize,
    /// What to ask the next page with; none on the last page.
    pub next_token: Option<String>,
}

/// A workflow on the wire.
#[derive(Deserialize)]
pub(super) struct WireWorkflow {
    #[serde(default, deserialize_with = "lenient")]
    workflow_id: Option<String>,
    #[serde(default, rename = "type", deserialize_with = "lenient")]
    kind: Option<Value>,
    #[serde(default, deserialize_with = "lenient")]
    account_id: Option<Value>,
    #[serde(default, deserialize_with = "lenient")]
    job_id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    activation: Option<WireTask>,
    #[serde(default, deserialize_with = "lenient")]
    deactivation: Option<WireTask>,
    #[serde(default, deserialize_with = "lenient")]
    description: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    notification_url: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    workflow_start_time_utc: Option<Value>,
}

#[derive(Deserialize)]
struct WireTask {
    #[serde(default, deserialize_with = "lenient")]
    state: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    time_utc: Option<Value>,
    #[serde(default, deserialize_with = "lenient")]
    notification: Option<Value>,
}

/// A page on the wire. `workflows` is the one field it must have.
#[derive(Deserialize)]
pub(super) struct WireWorkflowPage {
    workflows: Vec<Value>,
    #[serde(default, deserialize_with = "lenient")]
    next_token: Option<Value>,
}

/// Why an object is none of the scheduler's workflows that start and stop a job.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotAWorkflow {
    #[error("it names no workflow")]
    Nameless,
    #[error("it is a workflow of type `{0}`")]
    OtherKind(String),
    #[error("its workflow id is none")]
    Id,
    #[error("its workflow names no job")]
    Jobless,
    #[error("its workflow's {0} has no state or no time")]
    Task(&'static str),
}

impl WireWorkflow {
    pub(super) fn into_workflow(self) -> Result<Workflow, NotAWorkflow> {
        let id = self.workflow_id.ok_or(NotAWorkflow::Nameless)?;
        if let Some(kind) = self.kind.filter(|kind| !kind.is_null() && kind != KIND) {
            return Err(NotAWorkflow::OtherKind(text(&kind).unwrap_or_else(|| kind.to_string())));
        }
        let task = |task: Option<WireTask>, name| task.and_then(WireTask::into_task).ok_or(NotAWorkflow::Task(name));
        Ok(Workflow {
            id: WorkflowId::parse(&id).map_err(|_| NotAWorkflow::Id)?,
            account_id: self.account_id.as_ref().and_then(text),
            job_id: self.job_id.ok_or(NotAWorkflow::Jobless)?,
            activation: task(self.activation, "activation")?,
            deactivation: task(self.deactivation, "deactivation")?,
            description: self.description,
            notification_url: self.notification_url,
            start_time_utc: self.workflow_start_time_utc.as_ref().and_then(seconds),
        })
    }
}

impl WireTask {
    fn into_task(self) -> Option<WorkflowTask> {
        let notification = self.notification.as_ref().and_then(seconds);
        Some(WorkflowTask {
            state: self.state?,
            time_utc: seconds(&self.time_utc?)?,
            notification: notification.and_then(|ahead| ahead.try_into().ok()),
        })
    }
}

impl WireWorkflowPage {
    pub(super) fn into_page(self) -> WorkflowPage {
        let mut page = WorkflowPage { workflows: Vec::new(), unread: 0, next_token: next_token(self.next_token) };
        for entry in self.workflows {
            let workflow = serde_json::from_value::<WireWorkflow>(entry).map(WireWorkflow::into_workflow);
            match workflow {
                Ok(Ok(workflow)) => page.workflows.push(workflow),
                Ok(Err(NotAWorkflow::OtherKind(_))) => {}
                Ok(Err(_)) | Err(_) => page.unread += 1,
            }
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn whole() -> Value {
        json!({
            "account_id": "1752604059001",
            "activation": {"state": "pending", "time_utc": 1_617_386_100, "notification": 600},
            "deactivation": {"state": "pending", "time_utc": 1_617_393_600},
            "description": "My broadcast",
            "job_id": "j1",
            "type": "jobstartstop",
            "workflow_id": "w1",
        })
    }

    /// The object with one value changed, by its JSON pointer; without a value, it is taken out.
    fn with(pointer: &str, value: Option<Value>) -> Value {
        let mut object = whole();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let fields = object.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        match value {
            Some(value) => fields.insert(name.to_owned(), value),
            None => fields.remove(name),
        };
        object
    }

    fn decode(object: Value) -> Result<Workflow, NotAWorkflow> {
        serde_json::from_value::<WireWorkflow>(object).unwrap().into_workflow()
    }

    #[test]
    fn a_workflow_id_is_64_characters_at_most_and_nothing_that_changes_a_path() {
        for good in ["a", "d44cf29f4f184757ac0995beb8a0097e", "A-b_9", &"x".repeat(64)] {
            assert_eq!(WorkflowId::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", " a", "a/b", "..", "a?b", "a%2Fb", "ä", &"x".repeat(65)] {
            assert_eq!(WorkflowId::parse(bad), Err(WorkflowIdMalformed), "{bad}");
        }
    }

    #[test]
    fn a_change_of_nothing_cannot_be_made() {
        let task = NewTask { time_utc: 1, notification: None };
        assert_eq!(WorkflowChange::new(None, None), None);
        let change = WorkflowChange::new(None, Some(task)).unwrap();
        assert_eq!((change.activation(), change.deactivation()), (None, Some(task)));
    }

    #[test]
    fn times_may_come_as_floats_or_texts() {
        let expected = decode(whole()).unwrap();
        assert_eq!((expected.activation.time_utc, expected.activation.notification), (1_617_386_100, Some(600)));
        for (pointer, value) in [
            ("/activation/time_utc", json!(1_617_386_100.0)),
            ("/activation/time_utc", json!("1617386100")),
            ("/deactivation/time_utc", json!("1617393600.0")),
            ("/activation/notification", json!(600.0)),
            ("/activation/notification", json!("600")),
            ("/account_id", json!(1_752_604_059_001_i64)),
        ] {
            assert_eq!(decode(with(pointer, Some(value.clone()))).as_ref(), Ok(&expected), "{pointer} {value}");
        }
        let started = decode(with("/workflow_start_time_utc", Some(json!(1_617_386_100.0)))).unwrap();
        assert_eq!(started.start_time_utc, Some(1_617_386_100));
    }

    #[test]
    fn states_are_an_open_set_and_unknown_fields_are_no_harm() {
        let odd = decode(with("/activation/state", Some(json!("running")))).unwrap();
        assert_eq!(odd.activation.state, "running");
        assert_eq!(decode(with("/created_at", Some(json!([{}])))), decode(whole()));
        assert_eq!(decode(with("/activation/attempts", Some(json!(3)))), decode(whole()));
    }

    #[test]
    fn what_may_be_missing_is_as_if_absent_when_it_is_of_a_wrong_type() {
        for pointer in ["/account_id", "/description", "/notification_url", "/activation/notification", "/type"] {
            let without = decode(with(pointer, None)).unwrap();
            assert_eq!(decode(with(pointer, Some(json!(null)))).as_ref(), Ok(&without), "{pointer}");
            if pointer != "/type" {
                assert_eq!(decode(with(pointer, Some(json!([true])))).as_ref(), Ok(&without), "{pointer}");
            }
        }
    }

    #[test]
    fn what_names_no_workflow_no_job_or_no_whole_task_is_none() {
        let task = |name| Err(NotAWorkflow::Task(name));
        for (pointer, value, expected) in [
            ("/workflow_id", None, Err(NotAWorkflow::Nameless)),
            ("/workflow_id", Some(json!(7)), Err(NotAWorkflow::Nameless)),
            ("/workflow_id", Some(json!("a/b")), Err(NotAWorkflow::Id)),
            ("/workflow_id", Some(json!("")), Err(NotAWorkflow::Id)),
            ("/type", Some(json!("clip")), Err(NotAWorkflow::OtherKind("clip".to_owned()))),
            ("/type", Some(json!({"a": 1})), Err(NotAWorkflow::OtherKind(r#"{"a":1}"#.to_owned()))),
            ("/job_id", None, Err(NotAWorkflow::Jobless)),
            ("/activation", None, task("activation")),
            ("/activation", Some(json!("pending")), task("activation")),
            ("/activation/state", None, task("activation")),
            ("/activation/state", Some(json!(1)), task("activation")),
            ("/activation/time_utc", None, task("activation")),
            ("/deactivation", None, task("deactivation")),
            ("/deactivation/state", None, task("deactivation")),
            ("/deactivation/time_utc", Some(json!("soon")), task("deactivation")),
        ] {
            assert_eq!(decode(with(pointer, value.clone())), expected, "{pointer} {value:?}");
        }
    }

    #[test]
    fn a_page_counts_what_it_cannot_read_and_passes_over_other_types() {
        let page = json!({
            "workflows": [
                whole(),
                with("/type", Some(json!("clip"))),
                with("/activation", None),
                7,
                with("/workflow_id", Some(json!("w2"))),
            ],
            "next_token": "t",
        });
        let page = serde_json::from_value::<WireWorkflowPage>(page).unwrap().into_page();
        assert_eq!(page.workflows.iter().map(|workflow| workflow.id.as_str()).collect::<Vec<_>>(), ["w1", "w2"]);
        assert_eq!((page.unread, page.next_token.as_deref()), (2, Some("t")));
    }

    #[test]
    fn debug_output_shows_neither_descriptions_nor_paths_of_receivers() {
        let url = "https://receiver.example:8443/live/callbacks-secret";
        let new = NewWorkflow {
            job_id: JobId::parse("j1").unwrap(),
            activation: NewTask { time_utc: 1, notification: Some(600) },
            deactivation: NewTask { time_utc: 2, notification: None },
            description: Some("My broadcast".to_owned()),
            notification_url: Some(url.to_owned()),
        };
        let known = decode(with("/notification_url", Some(json!(url)))).unwrap();
        for shown in [format!("{new:?}"), format!("{known:?}")] {
            assert!(shown.contains(r#"description: Some(…), notification_url: Some("https://receiver.example:8443")"#));
            assert!(!shown.contains("broadcast") && !shown.contains("secret"), "{shown}");
        }
    }
}
