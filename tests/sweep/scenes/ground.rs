//! What an operator stands on goes away: the API server, etcd, the Live API.

use std::fmt::Write as _;
use std::sync::Arc;

use testbed::{Operator, Process, Signal};

use super::{FAILPOINTS, lateness, leads, was_on_once, within};
use crate::harness::{Plane, Stage, bare_plane, blocking, eventually, in_seconds, install, plus, until_past};

const REAL: &[&str] = &["--lease-divisor", "1"];

/// What a busy machine makes of "on time", in milliseconds.
const ON_TIME: i64 = 500;

/// A control plane of the scene's own, and an operator that leads.
async fn alone(name: &str, times: &[&str]) -> (Stage, Arc<Plane>, Operator) {
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

/// How a process goes away and comes back.
#[derive(Clone, Copy, Debug)]
enum Outage {
    Killed,
    Stopped,
}

impl Outage {
    fn begin(self, process: &Process) {
        match self {
            Self::Killed => process.kill9().unwrap(),
            Self::Stopped => process.signal(Signal::Stop).unwrap(),
        }
    }

    fn end(self, process: &Process) {
        match self {
            Self::Killed => process.restart().unwrap(),
            Self::Stopped => process.signal(Signal::Continue).unwrap(),
        }
    }
}

pub(crate) async fn with_the_apiserver_or_etcd_killed_across_start_and_stop_both_are_made_on_time() {
    outages("killed", Outage::Killed).await;
}

pub(crate) async fn with_the_apiserver_or_etcd_stopped_across_start_and_stop_both_are_made_on_time() {
    outages("stopped", Outage::Stopped).await;
}

type Pick = fn(&testbed::ControlPlane) -> &Process;

async fn outages(name: &str, outage: Outage) {
    let picks: [(&str, Pick); 2] =
        [("apiserver", |control| control.apiserver().unwrap()), ("etcd", |control| control.etcd().unwrap())];
    let (stage, plane, operator) = alone(name, REAL).await;
    let mut table = String::from("| away | activates | deactivates | start late, ms | stop late, ms |\n");
    for (what, pick) in picks {
        leads(&operator).await;
        // An API server that is back refuses watches for some seconds: what is made now is seen at once, or not yet.
        let before = format!("before-{what}");
        let another = stage.channel(&before).await;
        let ahead = stage.window(&before, &another).between(in_seconds(600), in_seconds(900)).create().await;
        ahead.reaches("Pending").await;
        let channel = stage.channel(what).await;
        let (start, stop) = (in_seconds(5), in_seconds(18));
        let window = stage.window(what, &channel).between(start, stop).create().await;
        for moment in [start, stop] {
            until_past(plus(moment, -1)).await;
            with_plane(&plane, move |control| outage.begin(pick(control))).await;
            until_past(plus(moment, 2)).await;
            with_plane(&plane, move |control| {
                outage.end(pick(control));
                control.wait_until_ready().unwrap();
            })
            .await;
        }
        window.reaches("Finished").await;
        was_on_once(&channel).await;
        let calls = channel.was_called(1, 1).await;
        within(&calls.activate, start, ON_TIME);
        within(&calls.deactivate, stop, ON_TIME);
        let late = [lateness(&calls.activate, start), lateness(&calls.deactivate, stop)].map(Option::unwrap_or_default);
        let _ = writeln!(table, "| {what} {outage:?} | 1 | 1 | {} | {} |", late[0], late[1]);
    }
    println!("{table}");
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
