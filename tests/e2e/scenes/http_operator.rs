//! The HTTP interface as operators serve it: two replicas, with the rights of the examples and no others.

use std::net::SocketAddr;

use serde_json::{Value, json};
use testbed::Operator;

use super::http::{Interface, id};
use crate::harness::{Stage, eventually, in_seconds, repository};

/// Where its HTTP interface is, by its log.
async fn address_of(operator: &Operator) -> SocketAddr {
    eventually("the HTTP interface is open", async || {
        let log = std::fs::read_to_string(operator.process().log()).unwrap();
        let line = log.lines().find(|line| line.contains("the HTTP interface is open"))?;
        let text = line.split("address=").nth(1)?.split_whitespace().next()?;
        text.parse().ok()
    })
    .await
}

/// The rights that examples/http-interface.yaml adds, in the stage's namespace.
async fn give_rights(stage: &Stage) {
    let text = std::fs::read_to_string(repository("examples/http-interface.yaml")).unwrap();
    let role = text.split("---").next().unwrap().to_owned();
    stage.plane().apply("live", role).await.unwrap();
    let binding = format!("create rolebinding jobstartstop-http --namespace {}", stage.namespace);
    let rights = "--clusterrole=jobstartstop-http --serviceaccount=live:jobstartstop";
    stage.plane().kubectl(binding.split(' ').chain(rights.split(' '))).await;
}

pub(crate) async fn two_replicas_serve_the_accounts_that_opted_in_from_the_first_call_to_the_last_stop() {
    let stage = Stage::unattended("http-served").await;
    give_rights(&stage).await;
    let serve = ["--http-address", "127.0.0.1:0"];
    let (leader, standby) = (stage.start_operator_with(&serve).await, stage.start_replica(&serve).await);
    let here = Interface::at(address_of(&leader).await, &stage.key);
    let there = Interface::at(address_of(&standby).await, &stage.key);
    let news = stage.channel("news").await;
    let (start, stop) = (in_seconds(4).as_second(), in_seconds(8).as_second());
    let body = json!({ "job_id": news.id, "activation": { "time_utc": start }, "deactivation": { "time_utc": stop } });

    let refused = here.post(&body).await;
    assert_eq!((refused.code, refused.json()), (401, json!({ "message": "Unauthorized" })), "it has not opted in");
    stage.edit_account(json!({ "accountID": "1752604059001", "gateway": { "enabled": true } })).await;
    let opened = async |interface: &Interface| {
        eventually("its key opens the interface", async || (interface.get("").await.code == 200).then_some(())).await;
    };
    opened(&here).await;
    opened(&there).await;

    let created = there.post(&body).await.workflow();
    assert_eq!(here.read(&id(&created)).await, created, "read at once at the other replica");
    let states = |workflow: &Value| {
        let of = |task: &str| workflow[task]["state"].as_str().unwrap().to_owned();
        (of("activation"), of("deactivation"))
    };
    eventually("it is started and stopped", async || {
        let workflow = there.read(&id(&created)).await;
        (states(&workflow) == ("finished".to_owned(), "finished".to_owned())).then_some(())
    })
    .await;
    news.was_called(1, 1).await;

    let stranger = Interface::at(address_of(&leader).await, "another-key");
    assert_eq!(stranger.get("").await.code, 401);
    let described = here.described().await;
    assert_eq!(described["openapi"].as_str().map(|version| &version[..3]), Some("3.1"));
    let logs = stage.everything_told().join("\n");
    assert!(logs.contains("/v1/scheduler/jobstartstop"), "each request is logged");
    assert!(!logs.contains("another-key") && !logs.contains("forbidden"), "no key, and no right was missing");
}
