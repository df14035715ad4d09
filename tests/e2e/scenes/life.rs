//! A window's life, undisturbed or nearly so.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use simulator::Operation;

use crate::harness::{
    LATE, Stage, condition, eventually, in_seconds, on_air, phase, plus, ready, received, until_past,
};

pub(crate) async fn pending_then_active_then_finished() {
    let stage = Stage::open("whole-life").await;
    let news = stage.channel("news").await;
    let (start, stop) = (in_seconds(3), in_seconds(5));
    let window = stage.window("evening-news", &news).between(start, stop).create().await;

    window.until("it waits for its start", ready("True", "Scheduled")).await;
    window.until("its start is called", on_air("Unknown", "Turning")).await;
    let active = window.reaches("Active").await;
    assert_eq!(condition(&active, "OnAir").unwrap().status, "True");
    assert!(news.is_on().await);
    let finished = window.reaches("Finished").await;
    assert!(on_air("False", "OffAir")(&finished), "{:?}", finished.conditions);
    assert!(!news.is_on().await);

    let calls = news.was_called(1, 1).await;
    for (call, planned) in [(&calls.activate[0], start), (&calls.deactivate[0], stop)] {
        let late = received(call).duration_since(planned);
        assert!(!late.is_negative() && late < LATE, "{:?} {late:?} after its time", call.operation);
    }
    let writes = window.status_writes();
    assert!(writes <= 8, "{writes} status writes for one window without faults");
    let billed = SignedDuration::from_millis(i64::try_from(news.report().await.billed_ms).unwrap());
    assert!(billed <= stop.duration_since(start) + LATE, "billed for {billed:?}");
}

pub(crate) async fn a_start_in_the_past_is_made_at_once() {
    let stage = Stage::open("late-start").await;
    let news = stage.channel("news").await;
    let begun = plus(Timestamp::now().round(jiff::Unit::Second).unwrap(), -90);
    let window = stage.window("evening-news", &news).between(begun, in_seconds(600)).create().await;
    let active = window.reaches("Active").await;
    assert!(active.activation.lateness_millis >= Some(88_000), "{:?}", active.activation);
    news.was_called(1, 0).await;
}

pub(crate) async fn a_start_past_its_deadline_is_missed() {
    let stage = Stage::open("deadline").await;
    let news = stage.channel("news").await;
    let begun = plus(Timestamp::now().round(jiff::Unit::Second).unwrap(), -90);
    let booking = stage.window("countdown", &news).with(json!({ "startingDeadlineSeconds": 60 }));
    let window = booking.between(begun, in_seconds(4)).create().await;
    let missed = window.reaches("Missed").await;
    assert_eq!(missed.activation.reason, "StartDeadlineExceeded");
    assert!(ready("False", "StartDeadlineExceeded")(&missed), "{:?}", missed.conditions);
    assert_eq!(condition(&missed, "Stalled").unwrap().status, "True");
    window.until("its stop is dropped at its time", |status| status.deactivation.state == "cancelled").await;
    news.was_left_alone().await;
}

pub(crate) async fn a_lead_calls_the_start_ahead_of_its_time() {
    let stage = Stage::without_access("lead").await;
    stage.put_secret(&stage.key).await;
    stage.create_account(json!({ "defaults": { "activationLeadSeconds": 3 } })).await;
    let news = stage.channel("news").await;
    let on_air_at = in_seconds(6);
    let window = stage.window("morning-show", &news).between(on_air_at, plus(on_air_at, 600)).create().await;
    let active = window.reaches("Active").await;
    assert_eq!(active.activation.call_at, plus(on_air_at, -3).to_string());
    let calls = news.was_called(1, 0).await;
    let late = received(&calls.activate[0]).duration_since(plus(on_air_at, -3));
    assert!(!late.is_negative() && late < LATE, "{late:?}");
}

pub(crate) async fn a_channel_that_is_on_already_is_not_started_but_stopped() {
    let stage = Stage::open("already-on").await;
    let news = stage.channel("news").await;
    news.somebody_switches_it("on").await;
    let window = stage.window("evening-news", &news).between(in_seconds(2), in_seconds(4)).create().await;
    let active = window.reaches("Active").await;
    assert_eq!(active.activation.reason, "AlreadyOnAir");
    window.reaches("Finished").await;
    news.was_called(0, 1).await;
}

pub(crate) async fn a_channel_switched_off_by_somebody_is_not_started_again() {
    let stage = Stage::open("switched-off").await;
    let news = stage.channel("news").await;
    // Off is believed 90 s after the start was called: 4.5 s, at a twentieth.
    let window = stage.window("evening-news", &news).between(in_seconds(2), in_seconds(10)).create().await;
    window.reaches("Active").await;
    news.somebody_switches_it("off").await;
    let off = window.until("it shows that it is off", on_air("False", "StoppedExternally")).await;
    assert_eq!(off.phase, "Active");
    let finished = window.reaches("Finished").await;
    assert_eq!(finished.deactivation.attempts, 0);
    news.was_called(1, 0).await;
}

pub(crate) async fn a_stop_due_while_the_channel_is_going_on_is_made_once_it_is_on() {
    let stage = Stage::open("slow-start").await;
    let news = stage.channel("news").await;
    news.overrides(json!({ "activation_ms": 2000 })).await;
    let stop = in_seconds(3);
    let window = stage.window("evening-news", &news).between(in_seconds(2), stop).create().await;
    let finished = window.reaches("Finished").await;
    assert_eq!((&*finished.activation.reason, &*finished.deactivation.reason), ("Started", "Stopped"));
    news.was_called(1, 1).await;
    let reasons = eventually("its end is an event", async || {
        let events = window.events().await;
        let reasons: Vec<String> = events.into_iter().filter_map(|event| event.reason).collect();
        reasons.contains(&"Stopped".to_owned()).then_some(reasons)
    })
    .await;
    assert!(reasons.contains(&"Started".to_owned()), "{reasons:?}");
}

pub(crate) async fn a_job_that_ends_on_air_finishes_the_window() {
    let stage = Stage::open("ended").await;
    let news = stage.channel("news").await;
    let window = stage.window("evening-news", &news).between(in_seconds(2), in_seconds(600)).create().await;
    window.reaches("Active").await;
    news.somebody_switches_it("cancelled").await;
    let finished = window.reaches("Finished").await;
    assert_eq!(finished.deactivation.reason, "JobEnded");
    news.was_called(1, 0).await;
}

pub(crate) async fn a_suspended_window_starts_when_it_is_resumed() {
    let stage = Stage::open("suspended").await;
    let news = stage.channel("news").await;
    let start = in_seconds(2);
    let booking = stage.window("rehearsal", &news).with(json!({ "suspend": true }));
    let window = booking.between(start, plus(start, 600)).create().await;
    let waiting = window.until("it shows that it is suspended", ready("True", "Suspended")).await;
    assert_eq!(condition(&waiting, "Suspended").unwrap().status, "True");
    until_past(plus(start, 1)).await;
    news.was_left_alone().await;

    window.edit(json!({ "suspend": false })).await;
    let active = window.reaches("Active").await;
    assert!(condition(&active, "Suspended").is_none(), "{:?}", active.conditions);
    let calls = news.was_called(1, 0).await;
    assert!(received(&calls.activate[0]) >= plus(start, 1), "started while it was suspended");
}

pub(crate) async fn suspended_through_its_end_it_is_missed() {
    let stage = Stage::open("never-resumed").await;
    let news = stage.channel("news").await;
    let booking = stage.window("rehearsal", &news).with(json!({ "suspend": true }));
    let window = booking.between(in_seconds(2), in_seconds(3)).create().await;
    let missed = window.reaches("Missed").await;
    assert_eq!((&*missed.activation.reason, &*missed.deactivation.state), ("Suspended", "cancelled"));
    assert!(ready("True", "Suspended")(&missed), "as wanted, so no miss: {:?}", missed.conditions);
    news.was_left_alone().await;
}

pub(crate) async fn suspended_on_air_it_is_still_stopped() {
    let stage = Stage::open("suspended-on-air").await;
    let news = stage.channel("news").await;
    let stop = in_seconds(5);
    let window = stage.window("evening-news", &news).between(in_seconds(2), stop).create().await;
    window.reaches("Active").await;
    window.edit(json!({ "suspend": true })).await;
    window.until("it is on air all the same", phase("Active")).await;
    window.reaches("Finished").await;
    let calls = news.was_called(1, 1).await;
    assert!(received(&calls.deactivate[0]) >= stop);
}

pub(crate) async fn two_windows_apart_are_two_sessions() {
    let stage = Stage::open("twice").await;
    let news = stage.channel("news").await;
    let start = in_seconds(2);
    let early = stage.window("early", &news).between(start, plus(start, 2)).create().await;
    // Longer apart than a channel needs to turn: 3 s, at a twentieth.
    let late = stage.window("late", &news).between(plus(start, 6), plus(start, 8)).create().await;
    early.reaches("Finished").await;
    assert_eq!(late.status().phase, "Pending");
    late.reaches("Finished").await;
    let calls = news.was_called(2, 2).await;
    assert!(received(&calls.activate[1]) >= plus(start, 6));
    assert!(late.records().iter().all(|record| condition(record.status(), "Conflict").is_none()));
    news.receives(Operation::Deactivate, 2).await;
}
