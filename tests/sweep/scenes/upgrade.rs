//! A rolling upgrade right at a start: docs/cases.md, cases 104 and 105.

use super::{A_FIFTH, kill, lateness, leads, pair, was_on_once};
use testbed::Signal;

use crate::harness::{Stage, blocking, get, in_seconds, plus, until_past};

pub(crate) async fn case_105_asked_to_end_a_second_before_the_start_the_standby_makes_it_in_time() {
    let stage = Stage::unattended("upgrade").await;
    // The real times: letting go must not wait for any of them.
    let (leader, standby) = pair(&stage, &["--lease-divisor", "1"]).await;
    let channel = stage.channel("news").await;
    let (start, stop) = (in_seconds(5), in_seconds(12));
    let window = stage.window("news", &channel).between(start, stop).create().await;
    until_past(plus(start, -1)).await;
    blocking(move || assert_eq!(leader.process().stop(), 0, "its exit code")).await;
    leads(&standby).await;
    window.reaches("Finished").await;
    was_on_once(&channel).await;
    let calls = channel.was_called(1, 1).await;
    let late = lateness(&calls.activate, start).unwrap();
    println!("start {late} ms late after SIGTERM a second before it");
    assert!((0..=5_000).contains(&late), "{late} ms late");
}

pub(crate) async fn case_105_killed_a_second_before_the_start_the_standby_makes_it_once() {
    let stage = Stage::unattended("upgrade-killed").await;
    let (leader, _standby) = pair(&stage, A_FIFTH).await;
    let channel = stage.channel("news").await;
    let (start, stop) = (in_seconds(5), in_seconds(16));
    let window = stage.window("news", &channel).between(start, stop).create().await;
    until_past(plus(start, -1)).await;
    kill(leader).await;
    window.reaches("Finished").await;
    was_on_once(&channel).await;
    let calls = channel.was_called(1, 1).await;
    let late = lateness(&calls.activate, start).unwrap();
    println!("start {late} ms late after SIGKILL a second before it, with a lease of 3 s");
    assert!((0..=8_000).contains(&late), "the lease and 5 s: {late} ms late");
}

pub(crate) async fn case_104_standbys_are_ready_and_a_process_that_ends_is_alive_until_then() {
    let stage = Stage::unattended("probes").await;
    let (leader, standby) = pair(&stage, A_FIFTH).await;
    let ready = get(standby.observe_address(), "/readyz").await;
    assert_eq!(ready.map(|(status, _)| status), Some(200), "a standby without the lease");
    // A call that takes long: the process ends only once it is answered, and is alive until then.
    let channel = stage.channel("news").await;
    channel.fault("activate", serde_json::json!({ "effect": "latency", "ms": 900 })).await;
    let start = in_seconds(3);
    let window = stage.window("news", &channel).between(start, in_seconds(12)).create().await;
    until_past(plus(start, 0)).await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let address = leader.observe_address();
    let ending = blocking(move || {
        leader.process().signal(Signal::Term).unwrap();
        leader
    })
    .await;
    let alive = get(address, "/healthz").await;
    assert_eq!(alive.map(|(status, _)| status), Some(200), "while its last call is under way");
    let ended = move || ending.process().wait(std::time::Duration::from_secs(20));
    assert_eq!(blocking(ended).await, Some(0), "its exit code");
    window.reaches("Finished").await;
    channel.was_called(1, 1).await;
}
