//! The Live API misbehaves.

use serde_json::json;

use crate::harness::{Stage, condition, eventually, in_seconds, on_air, plus, ready, received, until_past};

pub(crate) async fn a_stop_is_repeated_until_the_job_is_read_off() {
    let stage = Stage::open("stubborn").await;
    let news = stage.channel("news").await;
    news.fault("deactivate", json!({ "effect": "refuse", "status": 400, "times": 2 })).await;
    news.fault("deactivate", json!({ "effect": "ignore", "times": 1 })).await;
    news.fault("deactivate", json!({ "effect": "drop_before", "times": 1 })).await;
    let stop = in_seconds(4);
    let window = stage.window("news", &news).between(in_seconds(2), stop).create().await;
    window.until("its stop is refused", ready("False", "StopRefused")).await;
    window.until("its stop does nothing", ready("False", "StopNotConfirmed")).await;
    let finished = window.reaches("Finished").await;
    assert_eq!((finished.deactivation.attempts, &*finished.deactivation.reason), (5, "Stopped"));
    assert!(ready("True", "Finished")(&finished), "{:?}", finished.conditions);
    let calls = news.was_called(1, 5).await;
    let done: Vec<bool> = calls.deactivate.iter().map(|call| call.carried_out).collect();
    assert_eq!(done, [false, false, false, false, true]);
    assert!(received(&calls.deactivate[0]) >= stop);
    assert!(!news.is_on().await);
}

pub(crate) async fn case_28_a_start_whose_answer_is_lost_is_not_made_twice() {
    let stage = Stage::open("answer-lost").await;
    let news = stage.channel("news").await;
    news.fault("activate", json!({ "effect": "drop_after", "times": 1 })).await;
    let window = stage.window("news", &news).between(in_seconds(2), in_seconds(5)).create().await;
    let active = window.reaches("Active").await;
    assert_eq!(active.activation.attempts, 1);
    window.reaches("Finished").await;
    news.was_called(1, 1).await;
}

pub(crate) async fn a_start_carried_out_late_is_not_made_twice() {
    let stage = Stage::open("carried-out-late").await;
    let news = stage.channel("news").await;
    let late = json!({ "effect": "carry_out_late", "delay_ms": 250, "answer": "drop", "times": 1 });
    news.fault("activate", late).await;
    let window = stage.window("news", &news).between(in_seconds(2), in_seconds(600)).create().await;
    window.reaches("Active").await;
    news.was_called(1, 0).await;
}

pub(crate) async fn a_start_that_never_arrived_is_made_again_once_that_is_certain() {
    let stage = Stage::open("dropped").await;
    let news = stage.channel("news").await;
    news.fault("activate", json!({ "effect": "drop_before", "times": 1 })).await;
    let window = stage.window("news", &news).between(in_seconds(2), in_seconds(600)).create().await;
    window.until("its answer is lost", |status| status.activation.reason == "AnswerLost").await;
    let active = window.reaches("Active").await;
    assert_eq!(active.activation.attempts, 2);
    news.was_called(2, 0).await;
    let sent = window.starts_sent();
    // 10 s, at a twentieth.
    assert!(sent[1].duration_since(sent[0]).as_millis() >= 500, "an unanswered start was repeated too soon: {sent:?}");
}

pub(crate) async fn a_start_waits_for_capacity() {
    let stage = Stage::open("capacity").await;
    let news = stage.channel("news").await;
    let full = json!({ "message": "no_streaming_capacity_in_region" });
    news.fault("activate", json!({ "effect": "refuse", "status": 400, "body": full, "times": 2 })).await;
    let window = stage.window("news", &news).between(in_seconds(2), in_seconds(600)).create().await;
    window.until("it waits for capacity", |status| status.activation.reason == "WaitingForCapacity").await;
    window.reaches("Active").await;
    news.was_called(3, 0).await;
}

pub(crate) async fn a_refused_start_is_tried_until_the_window_ends() {
    let stage = Stage::open("refused").await;
    let news = stage.channel("news").await;
    news.fault("activate", json!({ "effect": "refuse", "status": 429 })).await;
    let stop = in_seconds(5);
    let window = stage.window("news", &news).between(in_seconds(2), stop).create().await;
    let failed = window.reaches("Failed").await;
    assert!(failed.activation.attempts > 1, "{:?}", failed.activation);
    window.until("its stop is dropped", |status| status.deactivation.state == "cancelled").await;
    let calls = news.calls().await;
    assert!(calls.activate.iter().all(|call| received(call) < stop), "a start after its window");
    assert_eq!(calls.deactivate.len(), 0);
}

pub(crate) async fn an_outage_across_the_stop_delays_it_and_no_more() {
    let stage = Stage::open("outage").await;
    let news = stage.channel("news").await;
    let stop = in_seconds(5);
    let window = stage.window("news", &news).between(in_seconds(2), stop).create().await;
    window.reaches("Active").await;
    for operation in ["read", "deactivate"] {
        news.fault(operation, json!({ "effect": "refuse", "status": 503, "times": 3 })).await;
    }
    window.reaches("Finished").await;
    let calls = news.calls().await;
    assert!(calls.deactivate.iter().all(|call| received(call) >= stop), "a stop before its time");
    assert_eq!(calls.deactivate.iter().filter(|call| call.carried_out).count(), 1);
    assert!(!news.is_on().await);
}

pub(crate) async fn case_69_a_job_that_is_not_static_is_told_before_and_never_called() {
    let stage = Stage::open("not-static").await;
    let (news, sport) = (stage.channel_that_is("news", json!({ "static": false })).await, stage.channel("sport").await);
    let start = in_seconds(4);
    let window = stage.window("news", &news).between(start, plus(start, 2)).create().await;
    let control = stage.window("control", &sport).between(start, plus(start, 2)).create().await;
    let told = window.until("it shows that its job is not static", ready("False", "NotStatic")).await;
    assert_eq!(told.phase, "Pending");
    let failed = window.reaches("Failed").await;
    assert_eq!(failed.activation.reason, "NotStatic");
    control.reaches("Finished").await;
    sport.was_called(1, 1).await;
    window.until("its stop is dropped", |status| status.deactivation.state == "cancelled").await;
    news.was_left_alone().await;
}

pub(crate) async fn an_unknown_job_is_told_before_and_heals_when_it_is_there() {
    let stage = Stage::open("not-found").await;
    let news = stage.no_channel("news");
    let window = stage.window("news", &news).between(in_seconds(300), in_seconds(600)).create().await;
    window.until("it shows that its job is unknown", ready("False", "JobNotFound")).await;
    let news = stage.channel("news").await;
    window.until("it waits for its start", ready("True", "Scheduled")).await;
    news.was_left_alone().await;
}

pub(crate) async fn an_unknown_job_fails_at_its_start() {
    let stage = Stage::open("never-found").await;
    let news = stage.no_channel("news");
    let window = stage.window("news", &news).between(in_seconds(2), in_seconds(8)).create().await;
    let failed = window.reaches("Failed").await;
    assert_eq!(failed.activation.reason, "JobNotFound");
    window.until("its stop is dropped", |status| status.deactivation.state == "cancelled").await;
    let calls = news.calls().await;
    assert_eq!((calls.activate.len(), calls.deactivate.len()), (0, 0));
}

pub(crate) async fn an_old_window_that_left_its_channel_on_says_so() {
    let stage = Stage::open("left-on").await;
    let news = stage.channel("news").await;
    news.somebody_switches_it("on").await;
    eventually("the channel is on", async || news.is_on().await.then_some(())).await;
    let window = stage.window("old", &news).between(in_seconds(-600), in_seconds(-300)).create().await;
    let left = window.until("it shows that the channel is on", on_air("True", "LeftOn")).await;
    assert_eq!((&*left.phase, &*left.activation.reason), ("Missed", "WindowPast"));
    news.was_left_alone().await;
}

/// docs/cases.md, case 29: a refusal that repeating cannot heal is not repeated, and told in the vendor's words.
pub(crate) async fn case_29_a_start_refused_for_good_is_called_once_and_stalled_with_the_vendors_message() {
    for status in [409, 422] {
        let stage = Stage::open(&format!("refused-{status}")).await;
        let news = stage.channel("news").await;
        let said = format!("the vendor's words for {status}");
        let refusal = json!({ "effect": "refuse", "status": status, "body": { "message": said } });
        news.fault("activate", refusal).await;
        let stop = in_seconds(5);
        let window = stage.window("news", &news).between(in_seconds(2), stop).create().await;
        let failed = window.reaches("Failed").await;
        assert_eq!((failed.activation.attempts, &*failed.activation.reason), (1, "CallRefused"));
        let stalled = condition(&failed, "Stalled").unwrap();
        assert_eq!(stalled.status, "True");
        assert!(stalled.message.contains(&said), "{}", stalled.message);
        until_past(plus(stop, 1)).await;
        news.was_called(1, 0).await;
    }
}
