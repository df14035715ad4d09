//! Windows that the vendor's own scheduler runs: their lives and their edits. A window is registered at the latest six
//! seconds before its start, at a twentieth of the times.

use serde_json::{Value, json};
use simulator::{FiringOutcome, Operation, TaskKind, TaskState};

use crate::harness::{
    Stage, body, condition, eventually, in_seconds, killed, on_air, plus, registered, restarted, until_past,
};

pub(crate) async fn a_whole_life_is_registered_once_and_its_calls_are_the_vendors() {
    let stage = Stage::open("delegated").await;
    let news = stage.channel("news").await;
    let (start, stop) = (in_seconds(10), in_seconds(13));
    let window = stage.window("evening-news", &news).by_the_vendor().between(start, stop).create().await;
    let status = window.until("it is registered", registered("True", "Registered")).await;
    let workflow = news.workflow().await;
    assert_eq!((&*status.executor, &*status.vendor_workflow_id), ("LiveScheduler", &*workflow.id));
    let stands = status.registered.clone().unwrap();
    let told = [&stands.activation, &stands.deactivation].map(|task| (task.state.clone(), task.time_utc));
    let pending = |at: jiff::Timestamp| ("pending".to_owned(), Some(at.as_second()));
    assert_eq!(told, [pending(start), pending(stop)]);
    assert_eq!((workflow.activation.time_utc, workflow.deactivation.time_utc), (start.as_second(), stop.as_second()));
    let message = condition(&status, "Registered").map(|condition| condition.message.clone()).unwrap_or_default();
    assert!(message.contains(&workflow.id) && message.contains(&stop.to_string()), "{message}");

    window.until("it is on air", on_air("True", "OnAir")).await;
    let shown = stage.plane().kubectl(["get", "jss", "--namespace", &stage.namespace, "--no-headers"]).await;
    let columns: Vec<&str> = shown.split_whitespace().collect();
    let (from, to) = (start.to_string(), stop.to_string());
    assert_eq!(columns[..6], ["evening-news", &news.id, &from, &to, "Active", "True"]);

    let finished = window.reaches("Finished").await;
    news.was_left_alone().await;
    assert_eq!((finished.activation.attempts, finished.deactivation.attempts), (0, 0), "none of them was ours");
    assert_eq!((&*finished.activation.reason, &*finished.deactivation.reason), ("Started", "Stopped"));
    let last = window.until("both are read as made", |status| {
        let stands = status.registered.clone().unwrap_or_default();
        [stands.activation.state, stands.deactivation.state] == ["finished", "finished"]
    });
    assert_eq!(last.await.vendor_workflow_id, workflow.id, "it stays told");
    let fired = news.workflow().await.firings;
    let made: Vec<_> = fired.iter().map(|firing| (firing.task, firing.outcome)).collect();
    let both = [TaskKind::Activation, TaskKind::Deactivation].map(|task| (task, FiringOutcome::Finished));
    assert_eq!(made, both);
    let changes: Vec<_> = news.changes().await.iter().map(|call| call.operation).collect();
    assert_eq!(changes, [Operation::ScheduleCreate]);
    assert_eq!(news.report().await.sessions, 1);
}

/// docs/cases.md, case 67.
pub(crate) async fn case_67_on_air_an_edit_sends_the_vendor_the_stop_alone_and_one_of_the_start_never_leaves() {
    let stage = Stage::open("case-67-vendor").await;
    let news = stage.channel("news").await;
    let (start, stop) = (in_seconds(10), in_seconds(600));
    let window = stage.window("gala", &news).by_the_vendor().between(start, stop).create().await;
    window.reaches("Active").await;
    let id = news.workflow().await.id;

    let earlier = in_seconds(4);
    window.edit(json!({ "deactivation": { "time": earlier } })).await;
    let updates = async || {
        let changes = news.changes().await;
        changes.into_iter().filter(|call| call.operation == Operation::ScheduleUpdate).collect::<Vec<_>>()
    };
    let sent = eventually("the vendor has the new stop", async || {
        let sent = updates().await;
        (!sent.is_empty()).then_some(sent)
    })
    .await;
    assert_eq!(body(&sent[0]), &json!({ "deactivation": { "time_utc": earlier.as_second() } }));
    assert_eq!(sent[0].workflow.as_deref(), Some(&*id));

    let refused = window.try_edit(json!({ "activation": { "time": in_seconds(60) } })).await.unwrap_err().to_string();
    assert!(refused.contains("activation.time"), "{refused}");
    window.reaches("Finished").await;
    assert_eq!(updates().await.len(), 1, "nothing else was sent");
    news.was_left_alone().await;
    let workflow = news.workflow().await;
    assert_eq!((workflow.id, workflow.activation.time_utc), (id, start.as_second()));
    assert_eq!(workflow.deactivation.state, TaskState::Finished);
}

/// docs/cases.md, case 73: the marker stands behind the text at the vendor, and nowhere in the object.
pub(crate) async fn case_73_the_vendor_has_the_text_with_the_marker_and_the_object_as_it_was_written() {
    let stage = Stage::open("case-73").await;
    let news = stage.channel("news").await;
    let text = "Late show [live]";
    let told = json!({
        "description": text,
        "notificationURL": "https://hooks.example.com/live",
        "activation": { "notificationSeconds": 120 },
    });
    let (start, stop) = (in_seconds(3600), in_seconds(7200));
    let booking = stage.window("late-show", &news).by_the_vendor().with(told);
    let window = booking.between(start, stop).create().await;
    let status = window.until("it is registered", registered("True", "Registered")).await;

    let marker = status.registered.unwrap().marker;
    assert!(marker.starts_with(&window.uid.replace('-', "")), "{marker}");
    let created = news.changes().await;
    let expected = json!({
        "job_id": news.id,
        "activation": { "time_utc": start.as_second(), "notification": 120 },
        "deactivation": { "time_utc": stop.as_second() },
        "description": format!("{text} [jss:{marker}]"),
        "notification_url": "https://hooks.example.com/live",
    });
    assert_eq!(created.iter().map(body).collect::<Vec<_>>(), [&expected]);
    let stored = window.records().last().unwrap().object.spec.description.clone();
    assert_eq!(stored.as_deref(), Some(text));

    window.edit(json!({ "description": "Another text" })).await;
    let differs = window.until("the vendor's text differs", |status| {
        condition(status, "Drifted").is_some_and(|condition| condition.reason == "VendorCopyDiffers")
    });
    let message = condition(&differs.await, "Drifted").unwrap().message.clone();
    assert!(message.contains("description"), "{message}");
    assert_eq!(news.changes().await.len(), 1, "the vendor takes a text once, and none is sent again");
}

/// A workflow goes with its window's suspension, and another one is made for it when it is resumed.
pub(crate) async fn suspended_its_workflow_is_cancelled_and_resumed_it_has_another() {
    let stage = Stage::open("delegated-suspended").await;
    let news = stage.channel("news").await;
    let start = in_seconds(14);
    let window = stage.window("gala", &news).by_the_vendor().between(start, plus(start, 2)).create().await;
    let first = window.until("it is registered", registered("True", "Registered")).await.vendor_workflow_id;
    window.edit(json!({ "suspend": true })).await;
    eventually("it is cancelled at the vendor", async || {
        let workflow = news.workflow().await;
        let both = [workflow.activation.state, workflow.deactivation.state];
        (both == [TaskState::Cancelled, TaskState::Cancelled]).then_some(())
    })
    .await;
    window.edit(json!({ "suspend": false })).await;
    let another = window.until("another one stands for it", |status| {
        registered("True", "Registered")(status) && status.vendor_workflow_id != first
    });
    let second = another.await.vendor_workflow_id;
    window.reaches("Finished").await;
    let ids: Vec<_> = news.workflows().await.into_iter().map(|workflow| workflow.id).collect();
    assert_eq!(ids, [first, second]);
    news.was_left_alone().await;
    assert_eq!(news.report().await.sessions, 1);
}

/// The workflow that somebody made in the vendor's interface becomes the window's own: it is not made again, and the
/// window's edits go to it.
pub(crate) async fn a_workflow_that_is_taken_over_is_the_windows_own_from_then_on() {
    let stage = Stage::open("adopted").await;
    let news = stage.channel("news").await;
    let (start, stop) = (in_seconds(10), in_seconds(30));
    let id = news.somebody_schedules(start, stop, "By hand").await;
    let adopt = json!({ "adoptWorkflowID": id });
    let window = stage.window("gala", &news).by_the_vendor().with(adopt).between(start, stop).create().await;
    let status = window.until("it is registered", registered("True", "Registered")).await;
    assert_eq!(status.vendor_workflow_id, id);

    let sooner = in_seconds(12);
    window.edit(json!({ "deactivation": { "time": sooner } })).await;
    window.reaches("Finished").await;
    let changes = news.changes().await;
    let sent: Vec<(Operation, &Value)> = changes.iter().map(|call| (call.operation, body(call))).collect();
    let moved = json!({ "deactivation": { "time_utc": sooner.as_second() } });
    assert_eq!(sent, [(Operation::ScheduleUpdate, &moved)]);
    let workflow = news.workflow().await;
    assert_eq!((&*workflow.id, workflow.description.as_deref()), (&*id, Some("By hand")));
}

/// The vendor is told of the time that both of them want together, and of each change of that.
pub(crate) async fn overlapping_windows_have_one_workflow_and_one_session() {
    let stage = Stage::open("delegated-overlap").await;
    let cinema = stage.channel("cinema").await;
    let start = in_seconds(11);
    let (first_stop, stop) = (plus(start, 3), plus(start, 5));
    let matinee = stage.window("matinee", &cinema).by_the_vendor().between(start, first_stop).create().await;
    matinee.until("it is registered", registered("True", "Registered")).await;
    let premiere = stage.window("premiere", &cinema).by_the_vendor();
    let premiere = premiere.between(plus(start, 2), stop).create().await;
    let carried = premiere.until("the other bears its workflow", registered("True", "CarriedByAnother")).await;
    let told = condition(&carried, "Registered").unwrap();
    assert!(told.message.contains(&matinee.full_name()), "{}", told.message);

    matinee.reaches("Finished").await;
    assert!(cinema.is_on().await, "the other goes on");
    premiere.reaches("Finished").await;
    let changes = cinema.changes().await;
    let sent: Vec<(Operation, &Value)> = changes.iter().skip(1).map(|call| (call.operation, body(call))).collect();
    let longer = json!({ "deactivation": { "time_utc": stop.as_second() } });
    assert_eq!(sent, [(Operation::ScheduleUpdate, &longer)]);
    assert_eq!(cinema.workflow().await.deactivation.time_utc, stop.as_second());
    cinema.was_left_alone().await;
    assert_eq!(cinema.report().await.sessions, 1);
}

/// What the account says holds for windows that say nothing, and for none that does; and it is settled when a window is
/// first seen.
pub(crate) async fn the_accounts_executor_holds_where_the_window_names_none() {
    let stage = Stage::open("default-executor").await;
    let (news, sport) = (stage.channel("news").await, stage.channel("sport").await);
    stage.edit_account(json!({ "defaults": { "executor": "LiveScheduler" } })).await;
    let (start, stop) = (in_seconds(3600), in_seconds(7200));
    let silent = stage.window("silent", &news).between(start, stop).create().await;
    let here = json!({ "executor": "Operator" });
    let own = stage.window("own", &sport).with(here.clone()).between(start, stop).create().await;
    let status = silent.until("it is registered", registered("True", "Registered")).await;
    assert_eq!(status.executor, "LiveScheduler");
    let status = own.until("its executor is told", |status| status.executor == "Operator").await;
    assert!(condition(&status, "Registered").is_none(), "{:?}", status.conditions);

    stage.edit_account(json!({ "defaults": { "executor": "Operator" } })).await;
    silent.edit(json!({ "description": "Edited" })).await;
    let status = silent.until("the edit is seen", |status| !status.executor.is_empty()).await;
    assert_eq!(status.executor, "LiveScheduler", "it stays as it was first seen");
    let refused = silent.try_edit(here).await.unwrap_err().to_string();
    assert!(refused.contains("cannot be changed, added or removed"), "{refused}");
    assert!(sport.workflows().await.is_empty());
    assert_eq!(news.workflow().await.activation.state, TaskState::Pending);
}

/// The operator is down from right after the registration until the window is over.
pub(crate) async fn killed_through_the_whole_window_the_vendor_runs_it_and_the_next_process_reports_it() {
    let stage = Stage::unattended("delegated-down").await;
    let operator = stage.start_operator().await;
    let news = stage.channel("news").await;
    let start = in_seconds(10);
    let stop = plus(start, 2);
    let window = stage.window("gala", &news).by_the_vendor().between(start, stop).create().await;
    window.until("it is registered", registered("True", "Registered")).await;
    let operator = killed(operator).await;
    until_past(plus(start, 1)).await;
    assert!(news.is_on().await, "the vendor starts it, with nobody there");
    until_past(plus(stop, 1)).await;
    assert!(!news.is_on().await, "and stops it");
    let _operator = restarted(operator).await;
    let finished = window.reaches("Finished").await;
    assert_eq!((&*finished.activation.state, &*finished.deactivation.state), ("finished", "finished"));
    news.was_left_alone().await;
    assert_eq!(news.changes().await.len(), 1, "it was registered, and nothing else");
}
