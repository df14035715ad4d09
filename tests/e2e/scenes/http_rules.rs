//! The refusals of tests/fixtures/refusals.yaml over HTTP, as far as the interface can say what is refused there.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jobstartstop::api::JobStartStop;
use jobstartstop::api::time::{TimeError, parse_instant};
use jobstartstop::timetable::Clock;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::Stage;

use super::http::{Answer, Interface, id};
use super::rules::{Case, cases};

/// Before all times of the fixture that are to come.
#[derive(Debug)]
struct BeforeAll;

impl Clock for BeforeAll {
    fn now(&self) -> Timestamp {
        "2026-12-01T00:00:00Z".parse().unwrap()
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn boottime(&self) -> Duration {
        Duration::ZERO
    }
}

pub(crate) async fn what_kubectl_is_refused_is_refused_over_http() {
    let stage = Stage::bare("http-rules").await;
    let interface = Interface::open_at(&stage, Arc::new(BeforeAll)).await;
    let (mut tried, mut wrong) = (0, Vec::new());
    for case in cases().iter().filter(|case| !case.accepted) {
        let Some(answer) = outcome(&stage, &interface, case).await else { continue };
        tried += 1;
        let message = answer.json()["message"].as_str().unwrap_or_default().to_owned();
        let told = sentence(case).is_none_or(|sentence| message.contains(&sentence));
        if answer.code != 400 || message.is_empty() || !told || message.contains("spec.") || message.contains('\n') {
            wrong.push(format!("{}: {} {}", case.name, answer.code, answer.text));
        }
    }
    assert!(wrong.is_empty(), "{} of {tried} cases:\n{}", wrong.len(), wrong.join("\n"));
    assert!(tried >= 25, "only {tried} cases can be said over HTTP");
}

/// `None`: the interface has no words for it.
async fn outcome(stage: &Stage, interface: &Interface, case: &Case) -> Option<Answer> {
    if case.object["kind"] != "JobStartStop" {
        return None;
    }
    let created = body(case.object.get("spec")?)?;
    let Some(patch) = &case.patch else { return Some(interface.post(&created).await) };
    let update = body(patch.get("spec")?)?;
    let id = id(&interface.post(&created).await.workflow());
    if let Some(status) = &case.status {
        put_status(stage, &id, status).await;
    }
    Some(interface.put(&id, &update).await)
}

async fn put_status(stage: &Stage, id: &str, status: &Value) {
    let api: Api<JobStartStop> = Api::namespaced(stage.plane().client.clone(), &stage.namespace);
    let by_id = ListParams::default().fields(&format!("status.workflowID={id}"));
    let name = api.list(&by_id).await.unwrap().items[0].metadata.name.clone().unwrap();
    let patch = Patch::Merge(json!({ "status": status }));
    api.patch_status(&name, &PatchParams::default(), &patch).await.unwrap();
}

/// A spec in the interface's words. Times are numbers there, so one that is no time cannot be said; nor can fields that
/// the interface does not have.
fn body(spec: &Value) -> Option<Value> {
    let mut body = json!({});
    for (field, value) in spec.as_object()? {
        match field.as_str() {
            "jobID" => body["job_id"] = value.clone(),
            "description" => body["description"] = value.clone(),
            "notificationURL" => body["notification_url"] = value.clone(),
            "activation" | "deactivation" => body[field] = task(value)?,
            _ => return None,
        }
    }
    Some(body)
}

fn task(spec: &Value) -> Option<Value> {
    let mut task = json!({});
    for (field, value) in spec.as_object()? {
        match field.as_str() {
            "time" => task["time_utc"] = seconds(value.as_str()?)?.into(),
            "notificationSeconds" => task["notification"] = value.clone(),
            _ => return None,
        }
    }
    Some(task)
}

/// Also of a year that a spec may not have: that can be said in seconds.
fn seconds(text: &str) -> Option<i64> {
    let instant: Timestamp = match parse_instant(text) {
        Ok(instant) => instant,
        Err(TimeError::Year) => text.parse().ok()?,
        Err(_) => return None,
    };
    Some(instant.as_second())
}

/// The sentence of the refusal as the interface words it; `None`: it has one of its own.
fn sentence(case: &Case) -> Option<String> {
    let message = case.message.as_ref()?;
    let path = case.path.as_deref().unwrap_or_default();
    let before_it_is_stored = ["Required value", "notificationSeconds"].iter().any(|own| message.contains(own));
    let own =
        before_it_is_stored || path.contains("notificationSeconds") || case.patch.is_some() && path == "spec.jobID";
    Some(Some(message).filter(|_| !own && case.status.is_none())?.replace("activation.time", "activation.time_utc"))
}
