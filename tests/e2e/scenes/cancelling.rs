//! `cancel`: as the Live API's DELETE.

use serde_json::json;

use crate::harness::{Stage, in_seconds, on_air, phase, plus, ready, until_past};

pub(crate) async fn before_the_start_both_ends_are_cancelled() {
    let stage = Stage::open("cancelled").await;
    let news = stage.channel("news").await;
    let start = in_seconds(12);
    let window = stage.window("gala", &news).between(start, plus(start, 600)).create().await;
    window.until("it waits for its start", ready("True", "Scheduled")).await;
    window.edit(json!({ "cancel": true })).await;
    let cancelled = window.reaches("Cancelled").await;
    assert_eq!((&*cancelled.activation.state, &*cancelled.deactivation.state), ("cancelled", "cancelled"));
    assert_eq!(cancelled.activation.time_utc, Some(start.as_second()), "times are kept");
    assert!(ready("True", "Cancelled")(&cancelled), "{:?}", cancelled.conditions);
    until_past(plus(start, 1)).await;
    news.was_left_alone().await;
}

pub(crate) async fn on_air_the_stream_stays_on_and_that_is_shown() {
    let stage = Stage::open("stop-cancelled").await;
    let news = stage.channel("news").await;
    let stop = in_seconds(20);
    let window = stage.window("gala", &news).between(in_seconds(2), stop).create().await;
    window.reaches("Active").await;
    window.edit(json!({ "cancel": true })).await;
    let cancelled = window.reaches("Cancelled").await;
    assert_eq!((&*cancelled.activation.state, &*cancelled.deactivation.state), ("finished", "cancelled"));
    assert_eq!(cancelled.deactivation.reason, "StopCancelled");
    assert!(on_air("True", "StopCancelled")(&cancelled), "{:?}", cancelled.conditions);

    until_past(plus(stop, 1)).await;
    news.was_called(1, 0).await;
    assert!(news.is_on().await);
    assert!(on_air("True", "StopCancelled")(&window.status()), "{:?}", window.status().conditions);
    news.somebody_switches_it("off").await;
    window.until("it shows that it is off now", on_air("False", "OffAir")).await;
}

pub(crate) async fn set_back_it_has_no_effect() {
    let stage = Stage::open("uncancelled").await;
    let news = stage.channel("news").await;
    let start = in_seconds(3);
    let window = stage.window("gala", &news).with(json!({ "cancel": true })).between(start, plus(start, 600));
    let window = window.create().await;
    window.reaches("Cancelled").await;
    window.edit(json!({ "cancel": false })).await;
    window.until("the edit is seen", phase("Cancelled")).await;
    until_past(plus(start, 1)).await;
    assert_eq!(window.status().phase, "Cancelled");
    news.was_left_alone().await;
}

pub(crate) async fn during_the_start_the_channel_is_switched_off_again() {
    let stage = Stage::open("cancelled-in-start").await;
    let news = stage.channel("news").await;
    news.overrides(json!({ "activation_ms": 2000 })).await;
    let window = stage.window("gala", &news).between(in_seconds(2), in_seconds(600)).create().await;
    window.until("its start is called", |status| !status.activation.called_at.is_empty()).await;
    window.edit(json!({ "cancel": true })).await;
    let cancelled = window.reaches("Cancelled").await;
    assert_eq!(cancelled.activation.reason, "CancelledDuringStart");
    news.was_called(1, 1).await;
    assert!(!news.is_on().await);
}
