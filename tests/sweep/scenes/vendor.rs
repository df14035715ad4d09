//! The Live API's process stands still, or its connections end without an answer, across start and stop.

use serde_json::json;
use testbed::{Signal, Simulator};

use super::{A_FIFTH, FAILPOINTS, leads, within};
use crate::harness::{Stage, in_seconds, plus, until_past};

/// From a second before each of the two calls to so long after it, in seconds.
const AWAY: i64 = 2;

/// What it takes to notice that the vendor is back, in milliseconds.
const BACK: i64 = 2_000;

pub(crate) async fn with_the_live_api_stopped_across_start_and_stop_both_are_made_once() {
    away("vendor-stopped", async |vendor, away| {
        let signal = if away { Signal::Stop } else { Signal::Continue };
        vendor.process().signal(signal).unwrap();
    })
    .await;
}

pub(crate) async fn with_the_live_api_gone_across_start_and_stop_both_are_made_once() {
    away("vendor-gone", async |vendor, away| {
        if away {
            vendor.post("/control/faults", &json!({ "effect": "drop_before" })).await.unwrap();
        } else {
            vendor.delete("/control/faults").await.unwrap();
        }
    })
    .await;
}

#[derive(serde::Deserialize)]
struct Log {
    calls: Vec<simulator::Call>,
}

async fn away(name: &str, set: impl AsyncFn(&Simulator, bool)) {
    let stage = Stage::unattended(name).await;
    stage.bind("jobstartstop").await;
    let channel = stage.channel("news").await;
    let vendor = stage.another_vendor("other", &channel).await;
    let more: Vec<&str> = A_FIFTH.iter().copied().chain(["--live-endpoint", &vendor.base_url]).collect();
    let operator = stage.launch(FAILPOINTS, &more, &[]).await;
    leads(&operator).await;
    let (start, stop) = (in_seconds(4), in_seconds(12));
    let window = stage.window("news", &channel).between(start, stop).with(json!({ "accountRef": { "name": "other" } }));
    let window = window.create().await;
    for moment in [start, stop] {
        until_past(plus(moment, -1)).await;
        set(&vendor, true).await;
        until_past(plus(moment, AWAY)).await;
        set(&vendor, false).await;
    }
    window.reaches("Finished").await;
    let log: Log = vendor.get("/control/calls").await.unwrap();
    let made = |operation| {
        let of = |call: &&simulator::Call| call.operation == operation && call.carried_out;
        log.calls.iter().filter(of).cloned().collect::<Vec<_>>()
    };
    let report: simulator::JobReport = vendor.get(&format!("/control/jobs/{}", channel.id)).await.unwrap();
    assert_eq!((report.sessions, report.restarts), (1, 0), "{report:?}");
    let (starts, stops) = (made(simulator::Operation::Activate), made(simulator::Operation::Deactivate));
    within(&starts, start, 1_000 * AWAY + BACK);
    within(&stops, stop, 1_000 * AWAY + BACK);
}
