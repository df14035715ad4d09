//! Killed amid many calls of one instant: some are made, some are under way, some are not begun.

use futures::StreamExt;
use futures::stream;
use jobstartstop::controller::Step;
use serde_json::json;

use super::{A_FIFTH, FAILPOINTS, ends, lateness, leads, was_on_once};
use crate::harness::{Channel, Stage, Window, in_seconds};

/// So many windows with the same times.
const CROWD: usize = 24;

/// The process is killed when so many of them have come to the step.
const STRUCK: usize = 12;

/// Crowds played at once.
const AT_ONCE: usize = 3;

/// A lease of 3 s, what must be read, and what a machine makes of a crowd: in milliseconds.
const LATE: i64 = 8_000;

pub(crate) async fn case_25_killed_amid_many_calls_each_window_is_started_once_and_stopped() {
    // Not those around what is written of a call: when the API server is slow, that is written with what comes next.
    let steps = [
        Step::S1ClaimWritten,
        Step::S3Checked,
        Step::S4Sent,
        Step::S5Answered,
        Step::S7On,
        Step::P2Checked,
        Step::P3Sent,
        Step::P4Answered,
        Step::P6Off,
    ];
    let crowds = stream::iter(steps).map(crowd).buffered(AT_ONCE);
    println!("| struck at | activates | deactivates | start late, ms, at most | stop late, ms, at most |");
    println!("| --- | --- | --- | --- | --- |\n{}", crowds.collect::<Vec<_>>().await.join("\n"));
}

async fn crowd(step: Step) -> String {
    let stage = Stage::unattended("crowd").await;
    stage.bind("jobstartstop").await;
    stage.edit_account(json!({ "limits": { "simultaneousActivations": 0, "requestsPerSecond": 0 } })).await;
    let failpoint = [("SWEEP_KILL_AT", format!("{step}:{STRUCK}"))];
    let leader = stage.launch(FAILPOINTS, A_FIFTH, &failpoint).await;
    leads(&leader).await;
    let _standby = stage.launch(FAILPOINTS, A_FIFTH, &[]).await;
    let (on, off) = (in_seconds(5), in_seconds(16));
    let mut windows: Vec<(Window, Channel)> = Vec::new();
    for number in 0..CROWD {
        let channel = stage.channel(&format!("c{number}")).await;
        windows.push((stage.window(&format!("w{number}"), &channel).between(on, off).create().await, channel));
    }
    ends(&leader).await;
    let (mut activates, mut deactivates, mut start_late, mut stop_late) = (0, 0, 0, 0);
    for (window, channel) in &windows {
        window.reaches("Finished").await;
        was_on_once(channel).await;
        let calls = channel.calls().await;
        assert_eq!(calls.activate.len(), 1, "{step}: {}: {:?}", window.name, calls.activate);
        activates += 1;
        deactivates += calls.deactivate.len();
        let late = |calls, planned| lateness(calls, planned).filter(|late| (0..=LATE).contains(late));
        let words = || format!("{step}: {}: {:?} {:?}", window.name, calls.activate, calls.deactivate);
        start_late = start_late.max(late(&calls.activate, on).unwrap_or_else(|| panic!("{}", words())));
        stop_late = stop_late.max(late(&calls.deactivate, off).unwrap_or_else(|| panic!("{}", words())));
    }
    format!("| {step} | {activates} | {deactivates} | {start_late} | {stop_late} |")
}
