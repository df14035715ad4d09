//! Windows that the vendor's own scheduler runs, with a scheduler that refuses, loses, lacks room or does nothing; and
//! workflows there that are not ours.

use futures::future::join_all;
use serde_json::json;
use simulator::{Operation, TaskKind, TaskState};

use crate::harness::{
    Channel, LATE, Stage, condition, eventually, in_seconds, plus, ready, received, registered, shows,
};

async fn creates(channel: &Channel) -> Vec<simulator::Call> {
    let changes = channel.changes().await;
    changes.into_iter().filter(|call| call.operation == Operation::ScheduleCreate).collect()
}

/// docs/cases.md, case 69.
pub(crate) async fn case_69_a_scheduler_that_is_not_enabled_is_told_at_once_and_the_window_is_run_here() {
    let stage = Stage::open("case-69-off").await;
    stage.without_a_scheduler().await;
    let news = stage.channel("news").await;
    let start = in_seconds(9);
    let stop = plus(start, 2);
    let window = stage.window("gala", &news).by_the_vendor().between(start, stop).create().await;
    let refused = window.until("it is refused", registered("False", "SchedulerUnavailable")).await;
    let told_at = window.records().last().unwrap().at;
    assert!(told_at < plus(start, -6), "told at {told_at}, with the start at {start}");
    let answer = creates(&news).await.last().unwrap().clone();
    assert_eq!(answer.status, Some(400));
    let account = |status: &jobstartstop::api::LiveAccountStatus| {
        let condition = status.conditions.iter().find(|condition| condition.type_ == "SchedulerAvailable");
        condition.is_some_and(|told| told.status == "False" && told.reason == "SchedulerUnavailable")
    };
    stage.account_shows("that its scheduler is not available", account).await;
    assert!(refused.vendor_workflow_id.is_empty());

    window.reaches("Finished").await;
    let calls = news.was_called(1, 1).await;
    for (call, planned) in [(&calls.activate[0], start), (&calls.deactivate[0], stop)] {
        let late = received(call).duration_since(planned);
        assert!(!late.is_negative() && late < LATE, "{:?} {late:?} after its time", call.operation);
    }
    assert!(news.workflows().await.is_empty());
}

/// docs/cases.md, case 69.
pub(crate) async fn case_69_a_job_that_is_not_static_is_told_when_it_is_applied_and_no_workflow_is_asked_for() {
    let stage = Stage::open("case-69-event").await;
    let news = stage.channel_that_is("news", json!({ "static": false })).await;
    let booking = stage.window("gala", &news).by_the_vendor();
    let window = booking.between(in_seconds(3600), in_seconds(7200)).create().await;
    window.until("the job is none for it", ready("False", "NotStatic")).await;
    window.edit(json!({ "description": "Edited" })).await;
    window.until("it stays so", ready("False", "NotStatic")).await;
    assert!(news.changes().await.is_empty(), "{:?}", news.changes().await);
}

/// docs/cases.md, case 28: the workflow is found by its marker.
pub(crate) async fn case_28_a_workflow_whose_answer_was_dropped_is_found_in_the_list_and_not_made_twice() {
    let stage = Stage::open("case-28-list").await;
    let news = stage.channel("news").await;
    news.fault("schedule_create", json!({ "effect": "drop_after", "times": 1 })).await;
    let start = in_seconds(12);
    let window = stage.window("gala", &news).by_the_vendor().between(start, plus(start, 2)).create().await;
    let status = window.until("it is registered", registered("True", "Registered")).await;
    assert_eq!(status.vendor_workflow_id, news.workflow().await.id);
    window.reaches("Finished").await;
    let posts = creates(&news).await;
    assert_eq!(posts.len(), 1, "{posts:?}");
    assert_eq!(posts[0].fault.as_deref(), Some("drop_after"));
    assert_eq!(news.workflow().await.activation.state, TaskState::Finished);
    news.was_left_alone().await;
}

/// docs/cases.md, case 28: with no list to find it in, the vendor's start is waited for.
pub(crate) async fn case_28_without_a_list_a_workflow_whose_answer_was_dropped_is_unknown_and_not_made_twice() {
    let stage = Stage::open("case-28-no-list").await;
    stage.without_a_list().await;
    let news = stage.channel("news").await;
    news.fault("schedule_create", json!({ "effect": "drop_after", "times": 1 })).await;
    let start = in_seconds(10);
    let window = stage.window("gala", &news).by_the_vendor().between(start, plus(start, 3)).create().await;
    let unknown = window.until("nobody knows", registered("Unknown", "WorkflowUnknown")).await;
    assert!(unknown.vendor_workflow_id.is_empty());
    window.reaches("Finished").await;
    assert_eq!(creates(&news).await.len(), 1);
    let report = news.report().await;
    assert_eq!((report.sessions, report.restarts), (1, 0));
    assert_eq!(news.workflow().await.deactivation.state, TaskState::Finished);
    news.was_left_alone().await;
}

/// docs/cases.md, case 37: at another time, the workflow of somebody else's is no business of ours.
pub(crate) async fn case_37_a_foreign_workflow_of_the_same_job_is_untouched_through_a_life_and_a_deletion() {
    let stage = Stage::open("case-37-vendor").await;
    let news = stage.channel("news").await;
    let foreign = news.somebody_schedules(in_seconds(3600), in_seconds(7200), "By hand").await;
    let before = news.workflow().await;
    let start = in_seconds(9);
    let window = stage.window("gala", &news).by_the_vendor().between(start, plus(start, 2)).create().await;
    window.until("it is registered", registered("True", "Registered")).await;
    window.reaches("Finished").await;
    let other = stage.window("encore", &news).by_the_vendor();
    let other = other.between(in_seconds(1800), in_seconds(2400)).create().await;
    other.until("it is registered", registered("True", "Registered")).await;
    for gone in [&window, &other] {
        gone.delete().await;
        gone.is_gone().await;
    }
    let all = news.workflows().await;
    assert_eq!(all.len(), 3, "{all:?}");
    assert_eq!(all[0], before, "as it was");
    assert_eq!(news.asked_about(&foreign).await, [], "nobody asked about it by its id");
    news.was_left_alone().await;
}

/// docs/cases.md, case 52: another cluster's, or a person's.
pub(crate) async fn case_52_beside_a_foreign_workflow_of_the_same_time_none_is_made_and_both_are_told() {
    let stage = Stage::open("case-52").await;
    let news = stage.channel("news").await;
    let (start, stop) = (in_seconds(3600), in_seconds(7200));
    let marked = "Gala [jss:00000000000000000000000000000000.1@another-cluster]";
    let foreign = news.somebody_schedules(start, stop, marked).await;
    let window = stage.window("gala", &news).by_the_vendor().between(start, stop).create().await;
    let status = window.until("they conflict", shows("Conflict", "True", "ForeignWorkflow")).await;
    assert_eq!(status.foreign_workflow_id, foreign);
    let told = condition(&status, "Registered").unwrap();
    assert_eq!((&*told.status, &*told.reason), ("False", "ForeignWorkflow"));
    assert!(told.message.contains(&foreign), "{}", told.message);
    window.delete().await;
    window.is_gone().await;
    assert!(news.changes().await.is_empty(), "{:?}", news.changes().await);
    assert_eq!(news.workflow().await.activation.state, TaskState::Pending);
}

/// docs/cases.md, case 68: six are registered, and each of the others once there is room.
pub(crate) async fn case_68_eight_windows_are_registered_six_at_a_time_and_all_run_by_the_vendor() {
    let stage = Stage::open("case-68").await;
    let first = in_seconds(13);
    let mut season = Vec::new();
    for number in 0..8_i64 {
        let channel = stage.channel(&format!("c{number}")).await;
        let start = plus(first, if number < 6 { 0 } else { 12 });
        let name = format!("episode-{number}");
        let booking = stage.window(&name, &channel).by_the_vendor();
        season.push((booking.between(start, plus(start, 2)).create().await, channel));
    }
    let (soonest, later) = season.split_at(6);
    join_all(soonest.iter().map(|(window, _)| window.until("it is registered", registered("True", "Registered"))))
        .await;
    join_all(later.iter().map(|(window, _)| window.until("it waits", registered("False", "WaitingForQuota")))).await;
    for (_, channel) in later {
        assert!(channel.changes().await.is_empty(), "asked for without room: {:?}", channel.changes().await);
    }
    join_all(season.iter().map(|(window, _)| window.reaches("Finished"))).await;
    for (_, channel) in &season {
        let asked = channel.changes().await;
        let answers: Vec<_> = asked.iter().map(|call| (call.operation, call.status)).collect();
        assert_eq!(answers, [(Operation::ScheduleCreate, Some(200))], "{}", channel.id);
        assert_eq!(channel.report().await.sessions, 1);
        channel.was_left_alone().await;
    }
}

pub(crate) async fn a_stop_that_the_vendor_leaves_out_is_made_here() {
    let stage = Stage::open("stop-left-out").await;
    let news = stage.channel("news").await;
    news.firing_fault(TaskKind::Deactivation, json!({ "effect": "skip" })).await;
    let start = in_seconds(9);
    let stop = plus(start, 2);
    let window = stage.window("gala", &news).by_the_vendor().between(start, stop).create().await;
    let status = window.until("its stop is missing", registered("False", "VendorStopMissing")).await;
    assert!(condition(&status, "Registered").unwrap().message.contains(&news.workflow().await.id));
    window.reaches("Finished").await;
    let calls = news.was_called(0, 1).await;
    let late = received(&calls.deactivate[0]).duration_since(stop);
    // 15 s at the real times.
    let waits = jiff::SignedDuration::from_millis(750);
    assert!((waits..waits + LATE).contains(&late), "{late:?} after its time");
    eventually("what is pending there is cancelled", async || {
        (news.workflow().await.deactivation.state == TaskState::Cancelled).then_some(())
    })
    .await;
}

pub(crate) async fn a_start_that_the_vendor_leaves_out_is_cancelled_there_and_made_here() {
    let stage = Stage::open("start-left-out").await;
    let news = stage.channel("news").await;
    news.firing_fault(TaskKind::Activation, json!({ "effect": "skip" })).await;
    let start = in_seconds(9);
    let window = stage.window("gala", &news).by_the_vendor().between(start, plus(start, 7)).create().await;
    window.until("its start is missing", registered("False", "VendorStartMissing")).await;
    window.reaches("Active").await;
    let calls = news.was_called(1, 0).await;
    let late = received(&calls.activate[0]).duration_since(start);
    // 60 s at the real times.
    let waits = jiff::SignedDuration::from_secs(3);
    assert!((waits..waits + LATE).contains(&late), "{late:?} after its time");
    let kinds: Vec<_> = news.changes().await.iter().map(|call| call.operation).collect();
    assert_eq!(kinds, [Operation::ScheduleCreate, Operation::ScheduleCancel, Operation::Activate]);
    window.reaches("Finished").await;
    news.was_called(1, 1).await;
}
