//! What an operator stands on goes away: the API server, etcd, the Live API.

use std::sync::Arc;

use testbed::Signal;

use super::{FAILPOINTS, lateness, leads, was_on_once};
use crate::harness::{Plane, Stage, bare_plane, blocking, eventually, in_seconds, install, plus, until_past};

const REAL: &[&str] = &["--lease-divisor", "1"];

/// A control plane of the scene's own, and an operator that leads.
async fn alone(name: &str, times: &[&str]) -> (Stage, Arc<Plane>, testbed::Operator) {
    let control = bare_plane().await;
    install(control.kubectl()).await;
    let plane = Plane::own(control).await;
    let stage = Stage::unattended_on(Arc::clone(&plane), name).await;
    stage.bind("jobstartstop").await;
    let operator = stage.launch(FAILPOINTS, times, &[]).await;
    leads(&operator).await;
    (stage, plane, operator)
}

async fn with_plane(plane: &Arc<Plane>, act: impl FnOnce(&testbed::ControlPlane) + Send + 'static) {
    let plane = Arc::clone(plane);
    blocking(move || act(plane.control())).await;
}

pub(crate) async fn with_the_apiserver_killed_across_the_start_it_is_made_on_time() {
    let (stage, plane, _operator) = alone("no-apiserver", REAL).await;
    let channel = stage.channel("news").await;
    let (start, stop) = (in_seconds(5), in_seconds(20));
    let window = stage.window("news", &channel).between(start, stop).create().await;
    until_past(plus(start, -1)).await;
    with_plane(&plane, |control| control.apiserver().unwrap().kill9().unwrap()).await;
    until_past(plus(start, 2)).await;
    with_plane(&plane, |control| {
        control.apiserver().unwrap().restart().unwrap();
        control.wait_until_ready().unwrap();
    })
    .await;
    window.reaches("Finished").await;
    was_on_once(&channel).await;
    let calls = channel.was_called(1, 1).await;
    assert!(lateness(&calls.activate, start).is_some_and(|late| (0..500).contains(&late)), "{:?}", calls.activate);
}

pub(crate) async fn with_the_apiserver_frozen_across_the_stop_it_is_made_on_time() {
    let (stage, plane, _operator) = alone("frozen-apiserver", REAL).await;
    let channel = stage.channel("news").await;
    let (start, stop) = (in_seconds(2), in_seconds(10));
    let window = stage.window("news", &channel).between(start, stop).create().await;
    window.reaches("Active").await;
    until_past(plus(stop, -2)).await;
    with_plane(&plane, |control| control.apiserver().unwrap().signal(Signal::Stop).unwrap()).await;
    until_past(plus(stop, 2)).await;
    with_plane(&plane, |control| control.apiserver().unwrap().signal(Signal::Continue).unwrap()).await;
    window.reaches("Finished").await;
    was_on_once(&channel).await;
    let calls = channel.was_called(1, 1).await;
    assert!(lateness(&calls.deactivate, stop).is_some_and(|late| (0..500).contains(&late)), "{:?}", calls.deactivate);
}

pub(crate) async fn with_etcd_killed_across_start_and_stop_both_are_made() {
    let (stage, plane, _operator) = alone("no-etcd", REAL).await;
    let channel = stage.channel("news").await;
    let (start, stop) = (in_seconds(5), in_seconds(18));
    let window = stage.window("news", &channel).between(start, stop).create().await;
    for moment in [start, stop] {
        until_past(plus(moment, -1)).await;
        with_plane(&plane, |control| control.etcd().unwrap().kill9().unwrap()).await;
        until_past(plus(moment, 2)).await;
        with_plane(&plane, |control| {
            control.etcd().unwrap().restart().unwrap();
            control.wait_until_ready().unwrap();
        })
        .await;
    }
    window.reaches("Finished").await;
    was_on_once(&channel).await;
    let calls = channel.was_called(1, 1).await;
    assert!(lateness(&calls.activate, start).is_some_and(|late| (0..500).contains(&late)), "{:?}", calls.activate);
    assert!(lateness(&calls.deactivate, stop).is_some_and(|late| (0..500).contains(&late)), "{:?}", calls.deactivate);
}

/// The vendor takes longer to answer than is waited for, around each call: made once each.
pub(crate) async fn with_the_live_api_frozen_across_start_and_stop_both_are_made_once() {
    let stage = Stage::unattended("no-vendor").await;
    stage.bind("jobstartstop").await;
    let operator = stage.launch(FAILPOINTS, super::A_FIFTH, &[]).await;
    leads(&operator).await;
    let channel = stage.channel("news").await;
    let (start, stop) = (in_seconds(4), in_seconds(14));
    let window = stage.window("news", &channel).between(start, stop).create().await;
    for (moment, operation) in [(start, "activate"), (stop, "deactivate")] {
        until_past(plus(moment, -1)).await;
        for struck in [operation, "read"] {
            channel.fault(struck, serde_json::json!({ "effect": "latency", "ms": 2_500, "times": 2 })).await;
        }
    }
    window.reaches("Finished").await;
    was_on_once(&channel).await;
}

/// A backup of etcd from before the start is put back while the channel is on air: versions go back, and resumed watches
/// stay silent.
pub(crate) async fn an_etcd_restored_on_air_is_noticed_and_the_stop_is_made() {
    use crate::harness::Watched;
    let (stage, plane, operator) = alone("restored", REAL).await;
    let channel = stage.channel("news").await;
    let (start, stop) = (in_seconds(12), in_seconds(40));
    let window = stage.window("news", &channel).between(start, stop).create().await;
    window.until("it was seen", |status| status.phase == "Pending").await;
    with_plane(&plane, |control| control.back_up_etcd().unwrap()).await;
    window.reaches("Active").await;
    with_plane(&plane, |control| control.restore_etcd().unwrap()).await;
    // The recorder's own watch is among those that stay silent.
    eventually("it is stored that it is finished", async || {
        let namespace = format!("--namespace={}", stage.namespace);
        let told = plane.kubectl(["get", "jss/news", &namespace, "--output=jsonpath={.status.phase}"]).await;
        (told == "Finished").then_some(())
    })
    .await;
    was_on_once(&channel).await;
    let calls = channel.calls().await;
    assert_eq!(calls.activate.len(), 1, "{:?}", calls.activate);
    assert!(lateness(&calls.deactivate, stop).is_some_and(|late| (0..500).contains(&late)), "{:?}", calls.deactivate);
    assert!(operator.scrape().await.value("jobstartstop_store_went_back_total") > 0.5, "it was noticed");
}
