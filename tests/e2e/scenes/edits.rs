//! Times edited, before the start and on air.

use jiff::Timestamp;
use serde_json::json;

use crate::harness::{LATE, Stage, in_seconds, phase, plus, ready, received, until_past};

pub(crate) async fn a_start_moved_earlier() {
    let stage = Stage::open("earlier").await;
    let news = stage.channel("news").await;
    let window = stage.window("news", &news).between(in_seconds(300), in_seconds(600)).create().await;
    window.until("it waits for its start", ready("True", "Scheduled")).await;
    let earlier = in_seconds(2);
    window.edit(json!({ "activation": { "time": earlier } })).await;
    let active = window.reaches("Active").await;
    assert_eq!(active.activation.time_utc, Some(earlier.as_second()));
    let calls = news.was_called(1, 0).await;
    let late = received(&calls.activate[0]).duration_since(earlier);
    assert!(!late.is_negative() && late < LATE, "{late:?}");
}

pub(crate) async fn a_start_moved_later() {
    let stage = Stage::open("later").await;
    let news = stage.channel("news").await;
    let first = in_seconds(3);
    let window = stage.window("news", &news).between(first, plus(first, 600)).create().await;
    window.until("it waits for its start", ready("True", "Scheduled")).await;
    let later = plus(first, 3);
    window.edit(json!({ "activation": { "time": later } })).await;
    window.until("the edit is seen", |status| status.activation.time_utc == Some(later.as_second())).await;
    let active = window.reaches("Active").await;
    assert_eq!(active.activation.given, later.to_string());
    let calls = news.was_called(1, 0).await;
    assert!(received(&calls.activate[0]) >= later, "called at the old time");
}

pub(crate) async fn both_times_moved_and_the_start_moved_again_at_the_last_moment() {
    let stage = Stage::open("moved-again").await;
    let news = stage.channel("news").await;
    let first = in_seconds(2);
    let window = stage.window("news", &news).between(first, plus(first, 60)).create().await;
    for seconds in 1..=3 {
        let times = json!({ "activation": { "time": plus(first, seconds) }, "deactivation": { "time": plus(first, 60 + seconds) } });
        window.edit(times).await;
    }
    let active = window.reaches("Active").await;
    assert_eq!(active.activation.time_utc, Some(plus(first, 3).as_second()));
    assert_eq!(active.deactivation.time_utc, Some(plus(first, 63).as_second()));
    let calls = news.was_called(1, 0).await;
    assert!(received(&calls.activate[0]) >= plus(first, 3));
}

pub(crate) async fn a_stop_moved_earlier_on_air() {
    let stage = Stage::open("stop-earlier").await;
    let news = stage.channel("news").await;
    let window = stage.window("news", &news).between(in_seconds(2), in_seconds(600)).create().await;
    window.reaches("Active").await;
    let earlier = in_seconds(2);
    window.edit(json!({ "deactivation": { "time": earlier } })).await;
    let finished = window.reaches("Finished").await;
    assert_eq!(finished.deactivation.time_utc, Some(earlier.as_second()));
    let calls = news.was_called(1, 1).await;
    let late = received(&calls.deactivate[0]).duration_since(earlier);
    assert!(!late.is_negative() && late < LATE, "{late:?}");
}

pub(crate) async fn a_stop_moved_later_on_air() {
    let stage = Stage::open("stop-later").await;
    let news = stage.channel("news").await;
    let first = in_seconds(6);
    let window = stage.window("news", &news).between(in_seconds(2), first).create().await;
    window.reaches("Active").await;
    let later = plus(first, 3);
    window.edit(json!({ "deactivation": { "time": later } })).await;
    window.until("the edit is seen", |status| status.deactivation.time_utc == Some(later.as_second())).await;
    until_past(plus(first, 1)).await;
    news.was_called(1, 0).await;
    window.reaches("Finished").await;
    let calls = news.was_called(1, 1).await;
    assert!(received(&calls.deactivate[0]) >= later, "stopped at the old time");
}

pub(crate) async fn a_stop_moved_to_now_on_air() {
    let stage = Stage::open("stop-now").await;
    let news = stage.channel("news").await;
    let window = stage.window("news", &news).between(in_seconds(2), in_seconds(600)).create().await;
    window.reaches("Active").await;
    let edited = Timestamp::now();
    // As `date -u +%Y-%m-%dT%H:%M:%SZ` has it: the second that has begun.
    window.edit(json!({ "deactivation": { "time": Timestamp::from_second(edited.as_second()).unwrap() } })).await;
    window.reaches("Finished").await;
    let calls = news.was_called(1, 1).await;
    assert!(received(&calls.deactivate[0]).duration_since(edited) < LATE);
}

pub(crate) async fn a_stop_moved_before_the_start_on_air_is_a_stop_now() {
    let stage = Stage::open("stop-past").await;
    let news = stage.channel("news").await;
    let window = stage.window("news", &news).between(in_seconds(2), in_seconds(600)).create().await;
    window.reaches("Active").await;
    window.edit(json!({ "deactivation": { "time": "2000-01-01T00:00:00Z" } })).await;
    let finished = window.reaches("Finished").await;
    assert!(finished.deactivation.lateness_millis < Some(2000), "late from the edit: {:?}", finished.deactivation);
    news.was_called(1, 1).await;
}

pub(crate) async fn a_start_cannot_be_moved_on_air_nor_a_stop_once_it_is_made() {
    let stage = Stage::open("locked").await;
    let news = stage.channel("news").await;
    let stop = in_seconds(4);
    let window = stage.window("news", &news).between(in_seconds(2), stop).create().await;
    window.reaches("Active").await;
    let start = json!({ "activation": { "time": in_seconds(2) }, "deactivation": { "time": stop } });
    let refusal = window.try_edit(start).await.unwrap_err().to_string();
    assert!(refusal.contains("the start was made or is settled"), "{refusal}");
    window.reaches("Finished").await;
    let refusal = window.try_edit(json!({ "deactivation": { "time": plus(stop, 60) } })).await.unwrap_err().to_string();
    assert!(refusal.contains("the stop was made or is settled"), "{refusal}");
    news.was_called(1, 1).await;
}

pub(crate) async fn another_description_calls_nothing() {
    let stage = Stage::open("described").await;
    let news = stage.channel("news").await;
    let window = stage.window("news", &news).between(in_seconds(2), in_seconds(600)).create().await;
    window.reaches("Active").await;
    window.edit(json!({ "description": "The news, as ever" })).await;
    window.until("the edit is seen", phase("Active")).await;
    news.was_called(1, 0).await;
}
