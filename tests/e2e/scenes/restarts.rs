//! Processes that die: what was called is not called again, and what is due is still done.

use jiff::Timestamp;
use serde_json::json;
use simulator::Operation;
use testbed::Signal;

use crate::harness::{
    Plane, Stage, Watched, bare_plane, blocking, in_seconds, install, killed, plus, received, restarted, until_past,
};

pub(crate) async fn killed_on_air_the_next_process_makes_the_stop_and_no_start() {
    let stage = Stage::unattended("killed").await;
    let operator = stage.start_operator().await;
    let news = stage.channel("news").await;
    let stop = in_seconds(7);
    let window = stage.window("news", &news).between(in_seconds(2), stop).create().await;
    window.reaches("Active").await;
    let _operator = restarted(killed(operator).await).await;
    window.reaches("Finished").await;
    let calls = news.was_called(1, 1).await;
    assert!(received(&calls.deactivate[0]) >= stop);
}

pub(crate) async fn killed_between_call_and_confirmation_the_next_process_reads_first() {
    let stage = Stage::unattended("killed-starting").await;
    let operator = stage.start_operator().await;
    let news = stage.channel("news").await;
    news.overrides(json!({ "activation_ms": 2500 })).await;
    let window = stage.window("news", &news).between(in_seconds(2), in_seconds(600)).create().await;
    window.until("its start is called", |status| !status.activation.called_at.is_empty()).await;
    let operator = killed(operator).await;
    assert_eq!(window.status().phase, "Pending", "killed too late for what this scene is about");
    let _operator = restarted(operator).await;
    let active = window.reaches("Active").await;
    assert_eq!(active.activation.attempts, 1);
    news.was_called(1, 0).await;
}

pub(crate) async fn down_across_the_stop_it_is_made_on_return() {
    let stage = Stage::unattended("killed-across").await;
    let operator = stage.start_operator().await;
    let news = stage.channel("news").await;
    let stop = in_seconds(4);
    let window = stage.window("news", &news).between(in_seconds(2), stop).create().await;
    window.reaches("Active").await;
    let operator = killed(operator).await;
    until_past(plus(stop, 1)).await;
    assert!(news.is_on().await);
    let _operator = restarted(operator).await;
    let finished = window.reaches("Finished").await;
    assert!(finished.deactivation.lateness_millis >= Some(1000), "{:?}", finished.deactivation);
    news.was_called(1, 1).await;
}

pub(crate) async fn down_through_a_whole_window_it_is_missed() {
    let stage = Stage::unattended("down-through").await;
    let operator = stage.start_operator().await;
    let news = stage.channel("news").await;
    let stop = in_seconds(4);
    let window = stage.window("news", &news).between(in_seconds(3), stop).create().await;
    window.until("it was seen", |status| status.phase == "Pending").await;
    let operator = killed(operator).await;
    assert!(Timestamp::now() < plus(stop, -1), "killed too late for what this scene is about");
    until_past(plus(stop, 1)).await;
    let _operator = restarted(operator).await;
    let missed = window.reaches("Missed").await;
    assert_eq!(missed.activation.reason, "StartMissed");
    window.until("its stop is dropped", |status| status.deactivation.state == "cancelled").await;
    news.was_left_alone().await;
}

pub(crate) async fn a_term_signal_ends_it_in_order_and_leaves_the_channel_to_the_next() {
    let stage = Stage::unattended("term").await;
    let operator = stage.start_operator().await;
    let news = stage.channel("news").await;
    let window = stage.window("news", &news).between(in_seconds(2), in_seconds(600)).create().await;
    window.reaches("Active").await;
    let (operator, code) = blocking(move || {
        operator.process().signal(Signal::Term).unwrap();
        let code = operator.process().wait(std::time::Duration::from_secs(10));
        (operator, code)
    })
    .await;
    assert_eq!(code, Some(0), "its exit code, within seconds");
    assert!(news.is_on().await);
    let _operator = restarted(operator).await;
    window.edit(json!({ "deactivation": { "time": in_seconds(0) } })).await;
    window.reaches("Finished").await;
    news.was_called(1, 1).await;
}

/// The lease was renewed at most 2 s before, so it holds for a call for 3 s more.
pub(crate) async fn with_the_apiserver_down_across_the_stop_it_is_made_on_time() {
    let (stage, plane) = alone("apiserver-down").await;
    let _operator = stage.start_operator_with(&["--lease-divisor", "1"]).await;
    let news = stage.channel("news").await;
    let stop = in_seconds(8);
    let window = stage.window("news", &news).between(in_seconds(2), stop).create().await;
    window.reaches("Active").await;
    until_past(plus(stop, -2)).await;
    kill_apiserver(&plane).await;
    assert!(Timestamp::now() < stop, "killed too late for what this scene is about");
    let calls = news.receives(Operation::Deactivate, 1).await;
    assert!(received(&calls.deactivate[0]) >= stop);
    restart_apiserver(&plane).await;
    let finished = window.reaches("Finished").await;
    assert!(finished.deactivation.lateness_millis < Some(2000), "{:?}", finished.deactivation);
    news.was_called(1, 1).await;
}

pub(crate) async fn without_an_election_a_stop_is_made_on_time_however_long_the_apiserver_has_been_down() {
    let (stage, plane) = alone("unelected").await;
    let _operator = stage.start_operator_with(&["--leader-election", "false"]).await;
    let news = stage.channel("news").await;
    let stop = in_seconds(16);
    let window = stage.window("news", &news).between(in_seconds(2), stop).create().await;
    window.reaches("Active").await;
    kill_apiserver(&plane).await;
    assert!(Timestamp::now() < plus(stop, -8), "killed too late for what this scene is about");
    let calls = news.receives(Operation::Deactivate, 1).await;
    assert!(received(&calls.deactivate[0]) >= stop);
    restart_apiserver(&plane).await;
    let finished = window.reaches("Finished").await;
    assert!(finished.deactivation.lateness_millis < Some(2000), "{:?}", finished.deactivation);
}

/// docs/cases.md, case 101: past its renew deadline another may lead, so nothing is called, a stop included. It is made
/// as soon as somebody leads again.
pub(crate) async fn case_101_past_its_renew_deadline_a_leader_calls_nothing_and_stands_by_again() {
    let (stage, plane) = alone("lease-lost").await;
    // A deadline of 2 s and calls of at most 1 s.
    let operator = stage.start_operator_with(&["--lease-divisor", "5"]).await;
    let news = stage.channel("news").await;
    let stop = in_seconds(12);
    let window = stage.window("news", &news).between(in_seconds(2), stop).create().await;
    window.reaches("Active").await;
    until_past(plus(stop, -4)).await;
    kill_apiserver(&plane).await;
    assert!(Timestamp::now() < plus(stop, -2), "killed too late for what this scene is about");
    until_past(plus(stop, 2)).await;
    news.was_called(1, 0).await;
    assert!(operator.scrape().await.value("jobstartstop_leading") < 0.5, "it still says that it leads");
    restart_apiserver(&plane).await;
    window.reaches("Finished").await;
    news.was_called(1, 1).await;
    assert!(operator.scrape().await.value("jobstartstop_leading") > 0.5, "it leads again");
}

/// A control plane and a stage of the scene's own.
async fn alone(name: &str) -> (Stage, std::sync::Arc<Plane>) {
    let control = bare_plane().await;
    install(control.kubectl()).await;
    let plane = Plane::own(control).await;
    (Stage::unattended_on(plane.clone(), name).await, plane)
}

async fn restart_apiserver(plane: &std::sync::Arc<Plane>) {
    let down = plane.clone();
    blocking(move || {
        down.control().apiserver().unwrap().restart().unwrap();
        down.control().wait_until_ready().unwrap();
    })
    .await;
}

async fn kill_apiserver(plane: &std::sync::Arc<Plane>) {
    let plane = plane.clone();
    blocking(move || plane.control().apiserver().unwrap().kill9().unwrap()).await;
}
