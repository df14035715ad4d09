//! A channel at the vendor's own scheduler: what stands there for it, what was asked about it, and what others do there.

use jiff::Timestamp;
use serde_json::{Value, json};
use simulator::{Call, Operation, TaskKind, WorkflowReport};

use super::Stage;
use super::channel::Channel;

#[derive(serde::Deserialize)]
struct Workflows {
    workflows: Vec<WorkflowReport>,
}

#[derive(serde::Deserialize)]
struct Created {
    ids: Vec<String>,
}

impl Channel {
    /// Its workflows, the earliest made first.
    pub(crate) async fn workflows(&self) -> Vec<WorkflowReport> {
        let Workflows { mut workflows } = self.vendor.get("/control/workflows").await.unwrap();
        workflows.retain(|workflow| workflow.job == self.id);
        workflows.sort_by_key(|workflow| workflow.created_us);
        workflows
    }

    /// Its only workflow.
    pub(crate) async fn workflow(&self) -> WorkflowReport {
        let all = self.workflows().await;
        assert_eq!(all.len(), 1, "{all:?}");
        all.into_iter().next().unwrap()
    }

    /// The requests that changed, or were to change, its workflows, in the order of their arrival, with the switches that
    /// came between them.
    pub(crate) async fn changes(&self) -> Vec<Call> {
        let changes = |call: &Call| call.operation.changes_schedule() || call.operation.is_switch();
        self.log().await.into_iter().filter(changes).collect()
    }

    /// What was asked about that workflow by its id.
    pub(crate) async fn asked_about(&self, workflow: &str) -> Vec<Operation> {
        let log = self.log().await.into_iter();
        let about = log.filter(|call| call.workflow.as_deref() == Some(workflow));
        about.map(|call| call.operation).collect()
    }

    /// Somebody makes a workflow in the vendor's own interface; its id.
    pub(crate) async fn somebody_schedules(&self, start: Timestamp, stop: Timestamp, description: &str) -> String {
        let body = json!({
            "job_id": self.id,
            "activation": { "time_utc": start.as_second() },
            "deactivation": { "time_utc": stop.as_second() },
            "description": description,
        });
        let created = self.vendor.post("/control/workflows", &body).await.unwrap();
        let Created { ids } = serde_json::from_value(created).unwrap();
        ids.into_iter().next().unwrap()
    }

    /// Lets the scheduler's own start or stop go wrong; see the simulator's README.
    pub(crate) async fn firing_fault(&self, task: TaskKind, mut fault: Value) {
        fault["job"] = json!(self.id);
        fault["task"] = json!(task);
        self.vendor.post("/control/firing-faults", &fault).await.unwrap();
    }
}

/// What a request sent.
pub(crate) fn body(call: &Call) -> &Value {
    call.body.as_ref().expect("it was sent with a body")
}

impl Stage {
    /// Its account's workflows cannot be listed, as the vendor's published reference has it.
    pub(crate) async fn without_a_list(&self) {
        let body = json!({ "message": "Not Found" });
        let fault = json!({
            "key": self.namespace, "operations": ["schedule_list"], "effect": "refuse", "status": 404, "body": body,
        });
        self.vendor.post("/control/faults", &fault).await.unwrap();
    }

    /// The vendor has not switched the scheduler on for its account.
    pub(crate) async fn without_a_scheduler(&self) {
        let settings = json!({ "scheduler": { "disabled_accounts": [self.namespace] } });
        self.vendor.post("/control/settings", &settings).await.unwrap();
    }
}
