//! Objects that another version stored, under definitions without rules.

use jiff::Timestamp;
use serde_json::{Value, json};
use simulator::Operation;

use crate::harness::{
    Channel, Plane, Stage, bare_plane, blocking, eventually, in_seconds, install, install_definitions,
    install_definitions_without_rules, install_older_definition, install_rights, plus, ready, received, restarted,
};

/// A control plane whose definitions let everything through.
pub(super) async fn lawless(name: &str) -> Stage {
    let control = bare_plane().await;
    install_rights(control.kubectl()).await;
    install_definitions_without_rules(control.kubectl()).await;
    Stage::unattended_on(Plane::own(control).await, name).await
}

/// Through kubectl: what watches typed objects cannot see these.
async fn apply(stage: &Stage, name: &str, channel: &Channel, (start, stop): (Timestamp, Timestamp), more: Value) {
    let mut spec = json!({ "jobID": channel.id, "activation": { "time": start }, "deactivation": { "time": stop } });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let kind = json!({ "apiVersion": "scheduler.bcovlive.io/v1alpha1", "kind": "JobStartStop" });
    let mut object = kind;
    object["metadata"] = json!({ "name": name, "namespace": stage.namespace });
    object["spec"] = spec;
    let (plane, text) = (stage.plane().clone(), object.to_string());
    blocking(move || plane.control().kubectl().run_with_input(["apply", "-f", "-"], &text).unwrap().ok().unwrap())
        .await;
}

/// Waits until a status of it has shown this, also one that is over already: a state that passes is not missed by
/// whoever looks late.
pub(super) async fn shows(stage: &Stage, name: &str, pointer: &str, wanted: impl Into<Value>) {
    let wanted = wanted.into();
    let shown = |status: &Value| status.pointer(pointer) == Some(&wanted);
    until_shown(stage, name, &format!("{wanted} at {pointer}"), shown).await;
}

async fn is_undecodable(stage: &Stage, name: &str) {
    let undecodable = |condition: &Value| condition["type"] == "Ready" && condition["reason"] == "Undecodable";
    let shown = |status: &Value| status["conditions"].as_array().is_some_and(|all| all.iter().any(undecodable));
    until_shown(stage, name, "Undecodable", shown).await;
}

async fn until_shown(stage: &Stage, name: &str, what: &str, shown: impl Fn(&Value) -> bool) {
    let name = format!("{}/{name}", stage.namespace);
    let recorder = &stage.plane().recorder;
    eventually(&format!("{name} shows {what}"), async || recorder.statuses(&name).iter().any(&shown).then_some(()))
        .await;
}

pub(crate) async fn an_object_that_cannot_be_fully_read_is_stopped_and_not_started_and_stops_no_other() {
    let stage = lawless("strange").await;
    stage.edit_account(json!({ "apiKeySecretRef": { "name": "bcov-live", "key": "apiKey" } })).await;
    let _operator = stage.start_operator().await;
    let (news, gala, cinema) =
        (stage.channel("news").await, stage.channel("gala").await, stage.channel("cinema").await);
    let start = in_seconds(2);
    apply(&stage, "news", &news, (start, in_seconds(600)), json!({})).await;
    apply(&stage, "gala", &gala, (in_seconds(6), in_seconds(9)), json!({ "deletionPolicy": "Pause" })).await;
    shows(&stage, "news", "/phase", "Active").await;
    apply(&stage, "news", &news, (start, in_seconds(600)), json!({ "suspend": "perhaps" })).await;
    apply(&stage, "cinema", &cinema, (in_seconds(1), in_seconds(12)), json!({})).await;

    is_undecodable(&stage, "news").await;
    apply(&stage, "news", &news, (start, in_seconds(2)), json!({ "suspend": "perhaps" })).await;
    shows(&stage, "cinema", "/phase", "Finished").await;
    shows(&stage, "news", "/phase", "Finished").await;
    shows(&stage, "gala", "/phase", "Missed").await;
    news.was_called(1, 1).await;
    cinema.was_called(1, 1).await;
    gala.was_left_alone().await;
}

/// And an object without job or times is told of and left alone.
pub(crate) async fn an_account_that_cannot_be_fully_read_stops_what_is_on_also_after_a_restart() {
    let stage = lawless("strange-account").await;
    stage.edit_account(json!({ "apiKeySecretRef": { "name": "bcov-live", "key": "apiKey" } })).await;
    let operator = stage.start_operator().await;
    let (news, gala) = (stage.channel("news").await, stage.channel("gala").await);
    let start = in_seconds(2);
    apply(&stage, "news", &news, (start, in_seconds(600)), json!({})).await;
    shows(&stage, "news", "/phase", "Active").await;
    let namespace = format!("--namespace={}", stage.namespace);
    let wrong = r#"--patch={"spec": {"limits": {"requestsPerSecond": "many"}}}"#;
    stage.plane().kubectl(["patch", &namespace, "liveaccount/default", "--type=merge", wrong]).await;
    apply(&stage, "gala", &gala, (in_seconds(6), in_seconds(9)), json!({})).await;
    apply(&stage, "blank", &gala, (in_seconds(1), in_seconds(9)), json!({ "jobID": 12 })).await;
    let _operator = restarted(operator).await;

    is_undecodable(&stage, "blank").await;
    is_undecodable(&stage, "gala").await;
    apply(&stage, "news", &news, (start, in_seconds(2)), json!({})).await;
    shows(&stage, "news", "/phase", "Finished").await;
    shows(&stage, "gala", "/phase", "Missed").await;
    news.was_called(1, 1).await;
    gala.was_left_alone().await;
}

/// What was called could not be stored, so nobody would know of it after a crash.
pub(crate) async fn under_an_older_definition_no_start_is_made_and_every_stop_is() {
    let control = bare_plane().await;
    install(control.kubectl()).await;
    let plane = Plane::own(control).await;
    let stage = Stage::unattended_on(plane.clone(), "older").await;
    let _operator = stage.start_operator().await;
    let (news, gala) = (stage.channel("news").await, stage.channel("gala").await);
    let stop = in_seconds(14);
    let on_air = stage.window("news", &news).between(in_seconds(1), stop).create().await;
    on_air.reaches("Active").await;
    install_older_definition(plane.control().kubectl(), "activation", "claim").await;
    let start = in_seconds(4);
    let barred = stage.window("gala", &gala).between(start, in_seconds(600)).create().await;
    let told = barred.until("it says so", ready("False", "CRDTooOld")).await;
    assert!(format!("{told:?}").contains("status.activation.claim"), "{told:?}");
    let calls = news.receives(Operation::Deactivate, 1).await;
    assert!(received(&calls.deactivate[0]) >= stop);
    assert!(Timestamp::now() > plus(start, 2));
    gala.was_called(0, 0).await;
    // As a user upgrades them.
    install_definitions(plane.control().kubectl()).await;
    barred.reaches("Active").await;
    gala.was_called(1, 0).await;
}
