//! The bodies of calls about workflows (vendor reference: start and stop a job).

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::refusal::WorkflowRefusal;
use super::settings::UnknownFields;
use super::workflow::TaskState;

/// A workflow to be created: the vendor's create body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewWorkflow {
    /// A static job, or a redundant group.
    pub job_id: String,
    /// The start.
    pub activation: TaskTimes,
    /// The stop.
    pub deactivation: TaskTimes,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where notifications go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification_url: Option<String>,
    /// `job_id` is a group's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redundant_group: Option<bool>,
}

impl NewWorkflow {
    /// A window of a job, in epoch seconds, without notifications.
    pub fn window(job: impl Into<String>, start: i64, stop: i64) -> Self {
        Self {
            job_id: job.into(),
            activation: TaskTimes { time_utc: start, notification: None },
            deactivation: TaskTimes { time_utc: stop, notification: None },
            description: None,
            notification_url: None,
            redundant_group: None,
        }
    }
}

/// When a task happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskTimes {
    /// In epoch seconds.
    #[serde(deserialize_with = "whole")]
    pub time_utc: i64,
    /// The heads-up comes so many seconds before.
    #[serde(default, deserialize_with = "whole_if_any", skip_serializing_if = "Option::is_none")]
    pub notification: Option<u64>,
}

/// The vendor's update body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Update {
    pub(super) activation: Option<TaskTimes>,
    pub(super) deactivation: Option<TaskTimes>,
}

/// What somebody else than the API's callers does to a workflow. What is not named stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkflowEdit {
    /// Cancels it, as a DELETE.
    pub cancel: bool,
    /// The start.
    pub activation: TaskEdit,
    /// The stop.
    pub deactivation: TaskEdit,
    /// Free text.
    pub description: Option<String>,
    /// Where notifications go.
    pub notification_url: Option<String>,
}

/// What somebody else does to a task. What is not named stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskEdit {
    /// Another time, in epoch seconds.
    pub time_utc: Option<i64>,
    /// Another heads-up, in seconds before.
    pub notification: Option<u64>,
    /// Another state; nothing is called for it. A task made pending happens at its time, or at once when that is past.
    pub state: Option<TaskState>,
    /// The word that the API shows as its state, whatever it is; empty: its state again.
    pub shows_state: Option<String>,
}

const TASK_FIELDS: &[&str] = &["time_utc", "notification"];
const CREATE_FIELDS: &[&str] =
    &["job_id", "activation", "deactivation", "description", "notification_url", "redundant_group"];
const UPDATE_FIELDS: &[&str] = &["activation", "deactivation"];

pub(crate) fn parse_new(body: &Value, unknown: UnknownFields) -> Result<NewWorkflow, WorkflowRefusal> {
    check_fields(body, CREATE_FIELDS, unknown)?;
    NewWorkflow::deserialize(body).map_err(|_| WorkflowRefusal::Invalid)
}

pub(super) fn parse_update(body: &Value, unknown: UnknownFields) -> Result<Update, WorkflowRefusal> {
    check_fields(body, UPDATE_FIELDS, unknown)?;
    Update::deserialize(body).map_err(|_| WorkflowRefusal::Invalid)
}

fn check_fields(body: &Value, known: &[&str], unknown: UnknownFields) -> Result<(), WorkflowRefusal> {
    let fields = body.as_object().ok_or(WorkflowRefusal::Invalid)?;
    let tasks: Vec<&Value> = UPDATE_FIELDS.iter().filter_map(|task| body.get(task)).collect();
    // Serde would read an array as a struct, too.
    if tasks.iter().any(|task| task.is_array()) {
        return Err(WorkflowRefusal::Invalid);
    }
    let mut in_tasks = tasks.into_iter().filter_map(Value::as_object).flat_map(|task| task.keys());
    let strange = fields.keys().any(|name| !known.contains(&name.as_str()))
        || in_tasks.any(|name| !TASK_FIELDS.contains(&name.as_str()));
    if strange && unknown == UnknownFields::Refuse { Err(WorkflowRefusal::Invalid) } else { Ok(()) }
}

/// The schema says "number"; fractions of a second are NOT DOCUMENTED, and refused here.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    if let Some(whole) = number.as_i64() {
        return Ok(whole);
    }
    let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 1e15);
    #[allow(clippy::cast_possible_truncation, reason = "whole, and below 2^53")]
    float.map(|float| float as i64).ok_or_else(|| D::Error::custom("a whole number is wanted"))
}

fn whole_if_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let Some(number) = Option::<serde_json::Number>::deserialize(deserializer)? else { return Ok(None) };
    let whole = whole(number).map_err(D::Error::custom)?;
    u64::try_from(whole).map(Some).map_err(|_| D::Error::custom("a number of seconds is wanted"))
}
