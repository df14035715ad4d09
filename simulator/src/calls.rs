//! The log of the calls that the API received. Calls of the control API are not in it, and keys never are.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a call asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// `POST /v1/jobs`
    Create,
    /// `GET /v1/jobs/{id}`
    Read,
    /// `GET /v1/jobs`
    List,
    /// `PUT /v1/jobs/{id}/activate`
    Activate,
    /// `PUT /v1/jobs/{id}/deactivate`
    Deactivate,
    /// `PUT /v1/jobs/{id}/stop`, which nobody should call on a static job.
    Stop,
    /// `PUT /v1/jobs/{id}/cancel`, for good.
    Cancel,
    /// `POST /v1/scheduler/jobstartstop`
    ScheduleCreate,
    /// `GET /v1/scheduler/jobstartstop/{workflow_id}`
    ScheduleRead,
    /// `PUT /v1/scheduler/jobstartstop/{workflow_id}`
    ScheduleUpdate,
    /// `DELETE /v1/scheduler/jobstartstop/{workflow_id}`
    ScheduleCancel,
    /// `GET /v1/scheduler/jobstartstop`
    ScheduleList,
    /// Anything else.
    Other,
}

impl Operation {
    /// Those that change what a job does.
    pub fn is_switch(self) -> bool {
        matches!(self, Self::Activate | Self::Deactivate | Self::Stop | Self::Cancel)
    }

    /// Those about workflows.
    pub fn is_schedule(self) -> bool {
        self.changes_schedule() || matches!(self, Self::ScheduleRead | Self::ScheduleList)
    }

    /// Those that change a workflow.
    pub fn changes_schedule(self) -> bool {
        matches!(self, Self::ScheduleCreate | Self::ScheduleUpdate | Self::ScheduleCancel)
    }
}

/// How a call ended for its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// With an answer.
    Answered,
    /// The connection was closed without an answer.
    Dropped,
    /// With nothing at all, for as long as the caller waits.
    Hung,
}

/// One call received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// From 1; goes on counting when the log is cleared.
    pub sequence: u64,
    /// When its head had been read, in epoch microseconds.
    pub received_us: i64,
    /// When its answer was handed over, or its connection closed, in epoch microseconds; never, when the caller went
    /// away before that.
    pub answered_us: Option<i64>,
    /// What it asks for.
    pub operation: Operation,
    /// HTTP method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The job in its path or body, whether there is one or not; the new job of a create; the job of its workflow.
    pub job: Option<String>,
    /// The workflow in its path, whether there is one or not; the new workflow of a create.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// What was sent, of calls that create or update a workflow; a string, where it is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// Label of its key; none, when the key is missing or wrong.
    pub key: Option<String>,
    /// How it ended for its caller.
    pub outcome: Outcome,
    /// The status answered.
    pub status: Option<u16>,
    /// Whether it did what it asks for: a switch that changed the job, an update or a cancellation that changed the
    /// workflow, a create, a read that was answered from the job or the workflow.
    pub carried_out: bool,
    /// When it did, in epoch microseconds.
    pub carried_out_us: Option<i64>,
    /// The fault that struck it, by its word.
    pub fault: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct CallLog {
    calls: BTreeMap<u64, Call>,
    next: u64,
}

impl CallLog {
    pub(crate) fn new() -> Self {
        Self { calls: BTreeMap::new(), next: 1 }
    }

    /// The number of the next call.
    pub(crate) fn number(&mut self) -> u64 {
        let sequence = self.next;
        self.next += 1;
        sequence
    }

    pub(crate) fn note(&mut self, call: Call) {
        self.calls.insert(call.sequence, call);
    }

    pub(crate) fn answered(&mut self, sequence: u64, at: Timestamp) {
        if let Some(call) = self.calls.get_mut(&sequence) {
            call.answered_us = Some(at.as_microsecond());
        }
    }

    pub(crate) fn carried_out(&mut self, sequence: u64, at: Timestamp) {
        if let Some(call) = self.calls.get_mut(&sequence) {
            call.carried_out = true;
            call.carried_out_us = Some(at.as_microsecond());
        }
    }

    pub(crate) fn since(&self, sequence: u64) -> impl Iterator<Item = &Call> {
        self.calls.range(sequence.saturating_add(1)..).map(|(_, call)| call)
    }

    pub(crate) fn clear(&mut self) {
        self.calls.clear();
    }
}
