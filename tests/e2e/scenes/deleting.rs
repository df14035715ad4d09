//! Deletion, under each policy.

use serde_json::json;
use simulator::State;

use crate::harness::{Channel, Stage, Window, in_seconds, plus, ready, until_past};

async fn on_air(stage: &Stage, more: serde_json::Value) -> (Channel, Window) {
    let news = stage.channel("news").await;
    let booking = stage.window("election-night", &news).with(more);
    let window = booking.between(in_seconds(2), in_seconds(600)).create().await;
    window.reaches("Active").await;
    (news, window)
}

pub(crate) async fn pending_it_goes_and_nothing_is_called() {
    let stage = Stage::open("deleted").await;
    let news = stage.channel("news").await;
    let start = in_seconds(3);
    let window = stage.window("gala", &news).between(start, plus(start, 600)).create().await;
    window.until("it waits for its start", ready("True", "Scheduled")).await;
    window.delete().await;
    window.is_gone().await;
    until_past(plus(start, 1)).await;
    news.was_left_alone().await;
}

pub(crate) async fn on_air_the_channel_is_off_before_the_object_goes() {
    let stage = Stage::open("deleted-on-air").await;
    let (news, window) = on_air(&stage, json!({})).await;
    // Slow enough to tell which was first.
    news.overrides(json!({ "deactivation_ms": 1000 })).await;
    window.delete().await;
    let last = window.is_gone().await;
    news.was_called(1, 1).await;
    let report = news.report().await;
    let off = &report.state_history[0];
    assert_eq!(off.state, State::Standby);
    assert!(off.transition_timestamp <= last.at.as_millisecond(), "it went before its channel was off");
    let status = last.status();
    assert_eq!((&*status.phase, &*status.deactivation.reason), ("Finished", "Stopped"));
}

pub(crate) async fn finished_it_just_goes() {
    let stage = Stage::open("deleted-after").await;
    let news = stage.channel("news").await;
    let window = stage.window("news", &news).between(in_seconds(2), in_seconds(3)).create().await;
    window.reaches("Finished").await;
    window.delete().await;
    window.is_gone().await;
    news.was_called(1, 1).await;
}

pub(crate) async fn on_air_under_cancel_the_stream_stays_on() {
    let stage = Stage::open("deleted-cancel").await;
    let (news, window) = on_air(&stage, json!({ "deletionPolicy": "Cancel" })).await;
    assert_eq!(window.status().deletion_policy, "Cancel");
    window.delete().await;
    window.is_gone().await;
    news.was_called(1, 0).await;
    assert!(news.is_on().await);
}

pub(crate) async fn on_air_under_retain_nothing_is_called() {
    let stage = Stage::open("deleted-retain").await;
    let (news, window) = on_air(&stage, json!({ "deletionPolicy": "Retain" })).await;
    window.delete().await;
    window.is_gone().await;
    news.was_called(1, 0).await;
    assert!(news.is_on().await);
}

pub(crate) async fn the_accounts_policy_holds_where_the_object_names_none() {
    let stage = Stage::open("deleted-default").await;
    stage.edit_account(json!({ "defaults": { "deletionPolicy": "Retain" } })).await;
    let (news, window) = on_air(&stage, json!({})).await;
    window.until("the account's policy is shown", |status| status.deletion_policy == "Retain").await;
    window.delete().await;
    window.is_gone().await;
    news.was_called(1, 0).await;
}

pub(crate) async fn the_policy_may_be_edited_while_the_stop_is_refused() {
    let stage = Stage::open("deleted-changed").await;
    let (news, window) = on_air(&stage, json!({})).await;
    news.fault("deactivate", json!({ "effect": "refuse", "status": 400 })).await;
    window.delete().await;
    let refused = |status: &jobstartstop::api::JobStartStopStatus| status.deactivation.reason == "StopRefused";
    window.until("its stop is refused", refused).await;
    window.edit(json!({ "deletionPolicy": "Retain" })).await;
    window.is_gone().await;
    assert!(news.is_on().await);
}

pub(crate) async fn on_air_while_another_window_covers_the_channel_stays_on() {
    let stage = Stage::open("deleted-covered").await;
    let (news, window) = on_air(&stage, json!({})).await;
    let other = stage.window("other", &news).between(in_seconds(0), in_seconds(600)).create().await;
    other.reaches("Active").await;
    window.delete().await;
    window.is_gone().await;
    news.was_called(1, 0).await;
    other.delete().await;
    other.is_gone().await;
    news.was_called(1, 1).await;
}
