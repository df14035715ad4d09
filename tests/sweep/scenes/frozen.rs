//! SIGSTOP: a process that stands still, and wakes when another leads.

use jobstartstop::controller::Step;

use super::{A_FIFTH, FAILPOINTS, leads, pair, was_on_once, within};
use testbed::{Operator, Signal};

use crate::harness::{Stage, blocking, eventually, in_seconds, plus, until_past};

async fn signal(operator: Operator, signal: Signal) -> Operator {
    blocking(move || {
        operator.process().signal(signal).unwrap();
        operator
    })
    .await
}

pub(crate) async fn a_leader_frozen_across_the_start_wakes_and_calls_nothing() {
    frozen_across_the_start(A_FIFTH, 12, 6_000).await;
}

/// The lease is 15 s.
pub(crate) async fn frozen_across_the_start_it_wakes_and_calls_nothing_with_the_real_times() {
    frozen_across_the_start(&["--lease-divisor", "1"], 30, 17_000).await;
}

/// `on`: how long the window is, in seconds; `late`: how late the standby's start may be, in milliseconds.
async fn frozen_across_the_start(times: &[&str], on: i64, late: i64) {
    let stage = Stage::unattended("frozen").await;
    let (leader, standby) = pair(&stage, times).await;
    let channel = stage.channel("news").await;
    let (start, stop) = (in_seconds(4), in_seconds(4 + on));
    let window = stage.window("news", &channel).between(start, stop).create().await;
    until_past(plus(start, -1)).await;
    let leader = signal(leader, Signal::Stop).await;
    leads(&standby).await;
    channel.receives(simulator::Operation::Activate, 1).await;
    let leader = signal(leader, Signal::Continue).await;
    window.reaches("Finished").await;
    was_on_once(&channel).await;
    let calls = channel.was_called(1, 1).await;
    within(&calls.activate, start, late);
    assert!(leader.process().is_running(), "it stands by again, in place");
}

/// The hardest place: everything was checked, and the call is the next thing to do.
pub(crate) async fn frozen_between_its_last_check_and_the_call_it_sends_nothing() {
    let stage = Stage::unattended("hesitates").await;
    stage.bind("jobstartstop").await;
    let stop_at = [("SWEEP_STOP_AT", Step::S3Checked.to_string())];
    let leader = stage.launch(FAILPOINTS, A_FIFTH, &stop_at).await;
    leads(&leader).await;
    let standby = stage.launch(FAILPOINTS, A_FIFTH, &[]).await;
    let channel = stage.channel("news").await;
    let (start, stop) = (in_seconds(3), in_seconds(16));
    let window = stage.window("news", &channel).between(start, stop).create().await;
    leads(&standby).await;
    window.reaches("Active").await;
    let _leader = signal(leader, Signal::Continue).await;
    window.reaches("Finished").await;
    was_on_once(&channel).await;
    eventually("both calls are in the log", async || {
        let calls = channel.calls().await;
        ((calls.activate.len(), calls.deactivate.len()) == (1, 1)).then_some(())
    })
    .await;
}
