//! Windows for tests.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::JobStartStop;
use crate::controller::raw::Raw;

use super::times::Zone;
use super::window::Window;

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn berlin() -> Zone {
    Zone::named(Some("Europe/Berlin")).unwrap()
}

pub(super) fn parsed(object: Value) -> Window {
    serde_json::from_value::<Raw<JobStartStop>>(object).unwrap().into()
}

/// The same with another value at this place.
pub(super) fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    match object.pointer_mut(parent).unwrap() {
        Value::Array(items) => items[field.parse::<usize>().unwrap()] = value,
        parent => parent[field] = value,
    }
    object
}

/// Under another name, between other times.
pub(super) fn named(object: Value, name: &str, start: &str, stop: &str) -> Value {
    let mut object = with(object, "/metadata/name", json!(name));
    for (task, time) in [("activation", start), ("deactivation", stop)] {
        object["metadata"]["uid"] = json!(format!("uid-of-{name}"));
        object["spec"][task]["time"] = json!(time);
        object["status"][task]["time"] = json!(time);
        object["status"][task]["callAt"] = json!(time);
    }
    object
}

/// On Wednesday from 13:00 to 15:00 UTC, its start ahead or due.
pub(super) fn pending() -> Value {
    json!({
        "apiVersion": "scheduler.bcovlive.io/v1alpha1",
        "kind": "JobStartStop",
        "metadata": {
            "name": "wednesday-broadcast",
            "namespace": "live",
            "uid": "d44cf29f-4f18-4757-ac09-95beb8a0097e",
            "resourceVersion": "41",
            "generation": 1,
            "creationTimestamp": "2026-12-01T09:00:00Z",
            "finalizers": ["scheduler.bcovlive.io/stop"],
        },
        "spec": {
            "accountRef": { "name": "default" },
            "jobID": "15981d93877e490185e6ebc9af2c79a3",
            "description": "My Wednesday broadcast",
            "activation": { "time": "2026-12-02T14:00:00+01:00" },
            "deactivation": { "time": "2026-12-02T16:00:00+01:00" },
        },
        "status": {
            "observedGeneration": 1,
            "phase": "Pending",
            "deletionPolicy": "Stop",
            "activation": {
                "state": "pending", "given": "2026-12-02T14:00:00+01:00", "time": "2026-12-02T13:00:00Z",
                "timeUTC": 1_796_216_400, "callAt": "2026-12-02T13:00:00Z",
            },
            "deactivation": {
                "state": "pending", "given": "2026-12-02T16:00:00+01:00", "time": "2026-12-02T15:00:00Z",
                "timeUTC": 1_796_223_600, "callAt": "2026-12-02T15:00:00Z",
            },
            "job": {
                "state": "standby", "sepState": "waiting", "reading": "Off", "since": "2026-12-01T09:00:01Z",
                "verifiedAt": "2026-12-01T09:00:01Z",
            },
            "conditions": [
                condition("Ready", "True", "Scheduled", "Starts at 2026-12-02T13:00:00Z."),
                condition("OnAir", "False", "NotStarted", "The start is ahead."),
            ],
        },
    })
}

/// The same on air.
pub(super) fn active() -> Value {
    let mut object = pending();
    let status = &mut object["status"];
    status["phase"] = json!("Active");
    let task = &mut status["activation"];
    task["state"] = json!("finished");
    task["reason"] = json!("Started");
    task["message"] = json!("On air; read on at 2026-12-02T13:00:21.405441Z.");
    task["calledAt"] = json!("2026-12-02T13:00:00.004123Z");
    task["attemptedAt"] = json!("2026-12-02T13:00:00.004123Z");
    task["confirmedAt"] = json!("2026-12-02T13:00:21.405441Z");
    task["latenessMillis"] = json!(4);
    task["attempts"] = json!(1);
    status["job"]["reading"] = json!("On");
    status["job"]["state"] = json!("processing");
    status["job"]["sepState"] = json!("ready");
    status["job"]["since"] = json!("2026-12-02T13:00:21Z");
    status["conditions"] = json!([
        condition("Ready", "True", "OnAir", "On air until 2026-12-02T15:00:00Z."),
        condition("OnAir", "True", "OnAir", "The channel was read on."),
    ]);
    object
}

/// The same, over.
pub(super) fn finished() -> Value {
    let mut object = active();
    let status = &mut object["status"];
    status["phase"] = json!("Finished");
    status["finishedAt"] = json!("2026-12-02T15:00:12Z");
    let task = &mut status["deactivation"];
    task["state"] = json!("finished");
    task["reason"] = json!("Stopped");
    task["message"] = json!("Off air; read off at 2026-12-02T15:00:12.304442Z.");
    task["calledAt"] = json!("2026-12-02T15:00:00.002689Z");
    task["confirmedAt"] = json!("2026-12-02T15:00:12.304442Z");
    task["latenessMillis"] = json!(2);
    task["attempts"] = json!(1);
    status["conditions"] = json!([
        condition("Ready", "True", "Finished", "Off air; read off at 2026-12-02T15:00:12.304442Z."),
        condition("OnAir", "False", "OffAir", "The channel is not on air through this window."),
    ]);
    object
}

fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({
        "type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": 1,
        "lastTransitionTime": "2026-12-02T13:00:21Z",
    })
}

/// A window as an operator has stored it, of tests/fixtures/stored.
pub(super) fn stored(name: &str) -> Window {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/stored/v0.1.0");
    let text = std::fs::read_to_string(format!("{folder}/jobstartstop-{name}.yaml")).unwrap();
    parsed(serde_norway::from_str(&text).unwrap())
}
