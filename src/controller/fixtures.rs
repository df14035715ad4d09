//! Objects for tests.

use plan::{FinalizerWish, Memory, Phase, Record, WindowPlan};
use serde_json::{Value, json};

use crate::api::{JobStartStop, JobStartStopStatus};

use super::raw::Raw;
use super::status;
use super::window::Stored;

/// A window of 2 December 2026, 13:00 to 15:00 UTC; `spec` over that.
pub(super) fn window(spec: &Value, status: &Value) -> Stored {
    let mut whole = json!({
        "jobID": "15981d93877e490185e6ebc9af2c79a3",
        "activation": { "time": "2026-12-02T13:00:00Z" },
        "deactivation": { "time": "2026-12-02T15:00:00Z" },
        "description": "My Wednesday broadcast",
    });
    for (field, value) in spec.as_object().unwrap() {
        whole[field] = value.clone();
    }
    let object = json!({
        "apiVersion": "scheduler.bcovlive.io/v1alpha1",
        "kind": "JobStartStop",
        "metadata": {
            "name": "w",
            "namespace": "live",
            "uid": "d44cf29f-4f18-4757-ac09-95beb8a0097e",
            "generation": 1,
            "resourceVersion": "1",
        },
        "spec": whole,
        "status": status,
    });
    let raw: Raw<JobStartStop> = serde_json::from_value(object).unwrap();
    Stored::read(raw).unwrap()
}

/// The plan that leaves this record.
pub(super) fn planned(stored: &Stored, record: Record) -> WindowPlan {
    WindowPlan {
        id: stored.id.clone(),
        undecided: false,
        phase: Phase::of(&record),
        suspended: false,
        conflict: None,
        finalizer: FinalizerWish::Leave,
        expires_at: None,
        overdue_since: None,
        post: None,
        place: None,
        record,
    }
}

/// The status of a window with this record, as it is stored in place of the one that it bears.
pub(super) fn status_of(stored: &Stored, record: &Record) -> JobStartStopStatus {
    let (before, planned) = (stored.acknowledged.status(), planned(stored, record.clone()));
    status::render(stored, &before, &planned, &Memory::default(), stored.spec.activation)
}
