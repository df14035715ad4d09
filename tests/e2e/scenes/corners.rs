//! Corners of a window's life: what arrives between a call and its confirmation, and what others do to the channel.

use serde_json::json;
use simulator::Operation;

use crate::harness::{Stage, Window, condition, eventually, in_seconds, plus, ready, received, until_past};

pub(crate) async fn a_channel_switched_on_after_a_failed_start_is_switched_off_at_the_windows_end() {
    let stage = Stage::open("on-after-failure").await;
    let news = stage.channel("news").await;
    news.fault("activate", json!({ "effect": "refuse", "status": 400, "times": 100 })).await;
    let stop = in_seconds(6);
    let window = stage.window("news", &news).between(in_seconds(2), stop).create().await;
    let failed = window.reaches("Failed").await;
    assert_eq!(failed.activation.reason, "CallRefused");
    assert_eq!(failed.deactivation.state, "pending", "the end is still to be looked at");
    news.somebody_switches_it("on").await;
    let ended = window.until("its end is settled", |status| status.deactivation.state == "finished").await;
    assert_eq!((&*ended.phase, &*ended.deactivation.reason), ("Failed", "StoppedAfterFailedStart"));
    let calls = news.receives(Operation::Deactivate, 1).await;
    assert!(received(&calls.deactivate[0]) >= stop);
    assert!(!news.is_on().await);
}

pub(crate) async fn a_channel_that_is_going_off_when_its_start_is_due_is_waited_for() {
    let stage = Stage::open("going-off").await;
    let news = stage.channel("news").await;
    news.overrides(json!({ "deactivation_ms": 4000 })).await;
    news.somebody_switches_it("on").await;
    eventually("the channel is on", async || news.is_on().await.then_some(())).await;
    let window = stage.window("news", &news).between(in_seconds(2), in_seconds(600)).create().await;
    window.until("its job was read", ready("True", "Scheduled")).await;
    news.somebody_switches_it("off").await;
    window.until("it waits", |status| status.activation.reason == "WaitingForStop").await;
    let started = window.reaches("Active").await;
    assert_eq!((&*started.activation.reason, started.activation.attempts), ("Started", 1));
    news.was_called(1, 0).await;
}

pub(crate) async fn a_job_that_vanishes_on_air_ends_the_stop_only_after_three_reads_over_a_minute() {
    let stage = Stage::open("vanished").await;
    let news = stage.channel("news").await;
    let stop = in_seconds(4);
    let window = stage.window("news", &news).between(in_seconds(2), stop).create().await;
    window.reaches("Active").await;
    let unknown = json!({ "effect": "refuse", "status": 500, "times": 1000,
        "body": { "error": { "message": "DB getItem, no results found", "code": "500" } } });
    let vanished = in_seconds(0);
    news.fault("read", unknown).await;
    let told = window.until("the job is not found", ready("False", "JobNotFound")).await;
    assert_eq!((&*told.deactivation.state, &*condition(&told, "Stalled").unwrap().status), ("pending", "True"));
    let ended = window.reaches("Finished").await;
    assert_eq!(ended.deactivation.reason, "JobNotFound");
    // A minute from the first read that did not find it, at a twentieth; told in whole seconds. And not before the stop.
    let over = ended.finished_at.parse::<jiff::Timestamp>().unwrap();
    assert!(over >= plus(vanished, 2) && over >= stop, "{over} for a stop at {stop}, gone since {vanished}");
}

pub(crate) async fn deleted_between_call_and_confirmation_the_channel_is_switched_off_before_it_goes() {
    let stage = Stage::open("deleted-in-start").await;
    let news = stage.channel("news").await;
    news.overrides(json!({ "activation_ms": 2000 })).await;
    let window = stage.window("gala", &news).between(in_seconds(2), in_seconds(600)).create().await;
    window.until("its start is called", |status| !status.activation.called_at.is_empty()).await;
    window.delete().await;
    window.is_gone().await;
    news.was_called(1, 1).await;
    assert!(!news.is_on().await);
}

pub(crate) async fn suspended_between_call_and_confirmation_the_window_goes_on() {
    let stage = Stage::open("suspended-in-start").await;
    let news = stage.channel("news").await;
    news.overrides(json!({ "activation_ms": 1500 })).await;
    let window = stage.window("gala", &news).between(in_seconds(2), in_seconds(6)).create().await;
    window.until("its start is called", |status| !status.activation.called_at.is_empty()).await;
    window.edit(json!({ "suspend": true })).await;
    let ended = window.reaches("Finished").await;
    assert_eq!((&*ended.activation.reason, &*ended.deactivation.reason), ("Started", "Stopped"));
    news.was_called(1, 1).await;
}

pub(crate) async fn the_stop_edited_between_the_starts_call_and_its_confirmation_counts() {
    let stage = Stage::open("edited-in-start").await;
    let news = stage.channel("news").await;
    news.overrides(json!({ "activation_ms": 1500 })).await;
    let window = stage.window("gala", &news).between(in_seconds(2), in_seconds(600)).create().await;
    window.until("its start is called", |status| !status.activation.called_at.is_empty()).await;
    let stop = in_seconds(4);
    window.edit(json!({ "deactivation": { "time": stop } })).await;
    window.reaches("Finished").await;
    let calls = news.was_called(1, 1).await;
    assert!(received(&calls.deactivate[0]) >= stop);
}

pub(crate) async fn cancelled_after_the_stop_was_called_it_runs_to_its_end() {
    let stage = Stage::open("cancelled-in-stop").await;
    let news = stage.channel("news").await;
    news.overrides(json!({ "deactivation_ms": 1500 })).await;
    let window = stage.window("gala", &news).between(in_seconds(2), in_seconds(4)).create().await;
    window.until("its stop is called", |status| !status.deactivation.called_at.is_empty()).await;
    window.edit(json!({ "cancel": true })).await;
    let ended = window.reaches("Finished").await;
    assert_eq!(ended.deactivation.reason, "Stopped");
    news.was_called(1, 1).await;
}

pub(crate) async fn cancelled_on_air_while_another_window_covers_nothing_is_left_on() {
    let stage = Stage::open("cancelled-covered").await;
    let cinema = stage.channel("cinema").await;
    let start = in_seconds(2);
    let short = stage.window("short-film", &cinema).between(start, in_seconds(600)).create().await;
    let festival = stage.window("festival", &cinema).between(start, plus(start, 5)).create().await;
    short.reaches("Active").await;
    festival.reaches("Active").await;
    short.edit(json!({ "cancel": true })).await;
    let cancelled = short.reaches("Cancelled").await;
    assert_eq!(cancelled.deactivation.reason, "Cancelled", "not StopCancelled: the other one stops it");
    festival.reaches("Finished").await;
    cinema.was_called(1, 1).await;
    assert!(!cinema.is_on().await);
}

pub(crate) async fn more_starts_at_once_than_the_account_allows_are_told_ahead_of_their_time() {
    let stage = Stage::open("too-many").await;
    stage.edit_account(json!({ "limits": { "simultaneousActivations": 1 } })).await;
    let (news, sport) = (stage.channel("news").await, stage.channel("sport").await);
    // A quarter of an hour, at a twentieth, is 45 s.
    let (start, stop) = (in_seconds(8), in_seconds(14));
    let first = stage.window("first", &news).between(start, stop).create().await;
    let second = stage.window("second", &sport).between(start, stop).create().await;
    let is_told = |window: &Window| {
        condition(&window.status(), "CapacityShort").is_some_and(|short| short.reason == "TooManyStarts")
    };
    let both = [&first, &second];
    let told =
        eventually("one is told that it will wait", async || both.into_iter().find(|window| is_told(window))).await;
    told.until("no trouble yet", ready("True", "Scheduled")).await;
    assert_eq!(both.into_iter().filter(|window| is_told(window)).count(), 1, "one of them has its slot");
    for (window, channel) in [(&first, &news), (&second, &sport)] {
        window.reaches("Finished").await;
        channel.was_called(1, 1).await;
    }
}

pub(crate) async fn without_the_right_to_hold_an_object_nothing_is_called_for_it() {
    let stage = Stage::unattended("no-finalizer").await;
    // Everything but to patch: a window that cannot be held would be gone before its stop.
    let group = "scheduler.bcovlive.io";
    let resources = ["jobstartstops", "liveaccounts"].map(|plural| format!("{plural}.{group},{plural}.{group}/status"));
    let role = format!(
        "create clusterrole without-patch --verb=get,list,watch,update --resource={},secrets",
        resources.join(",")
    );
    stage.plane().kubectl(role.split(' ')).await;
    let _operator = stage.start_operator_as("without-patch", &[]).await;
    let news = stage.channel("news").await;
    let start = in_seconds(2);
    stage.window("news", &news).between(start, plus(start, 2)).create().await;
    until_past(plus(start, 4)).await;
    let calls = news.calls().await;
    assert_eq!((calls.activate.len(), calls.deactivate.len()), (0, 0));
}
