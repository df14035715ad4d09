//! Windows that the vendor's own scheduler runs: how they are cancelled, deleted, and what is left of them there.

use serde_json::json;
use simulator::{Operation, TaskState, WorkflowReport};

use crate::harness::{Channel, Stage, Window, eventually, in_seconds, phase, registered};

fn states(workflow: &WorkflowReport) -> [TaskState; 2] {
    [workflow.activation.state, workflow.deactivation.state]
}

async fn far_ahead(stage: &Stage, more: serde_json::Value) -> (Channel, Window) {
    let news = stage.channel("news").await;
    let booking = stage.window("gala", &news).by_the_vendor().with(more);
    let window = booking.between(in_seconds(3600), in_seconds(7200)).create().await;
    window.until("it is registered", registered("True", "Registered")).await;
    (news, window)
}

async fn on_air_by_the_vendor(stage: &Stage, more: serde_json::Value) -> (Channel, Window) {
    let news = stage.channel("news").await;
    let booking = stage.window("gala", &news).by_the_vendor().with(more);
    let window = booking.between(in_seconds(9), in_seconds(600)).create().await;
    window.reaches("Active").await;
    (news, window)
}

/// docs/cases.md, case 74: it is only said once it was read back.
pub(crate) async fn case_74_cancelled_both_ends_are_read_back_before_it_is_said() {
    let stage = Stage::open("case-74").await;
    let (news, window) = far_ahead(&stage, json!({})).await;
    window.edit(json!({ "cancel": true })).await;
    let cancelled = window.until("it is cancelled", phase("Cancelled")).await;
    let workflow = news.workflow().await;
    assert_eq!(states(&workflow), [TaskState::Cancelled, TaskState::Cancelled]);
    let stands = cancelled.registered.clone().unwrap();
    let told = [&*stands.activation.state, &*stands.deactivation.state];
    assert_eq!((told, stands.withdrawn), (["cancelled", "cancelled"], true), "{stands:?}");
    assert_eq!(cancelled.vendor_workflow_id, workflow.id);
    let asked = news.asked_about(&workflow.id).await;
    let cancel = asked.iter().position(|asked| *asked == Operation::ScheduleCancel).unwrap();
    assert!(asked[cancel..].contains(&Operation::ScheduleRead), "{asked:?}");
    let kinds: Vec<_> = news.changes().await.iter().map(|call| call.operation).collect();
    assert_eq!(kinds, [Operation::ScheduleCreate, Operation::ScheduleCancel]);
}

/// docs/cases.md, case 51.
pub(crate) async fn case_51_deleted_under_retain_the_last_event_names_the_workflow_and_its_stop_and_both_stay() {
    let stage = Stage::open("case-51").await;
    let (news, window) = on_air_by_the_vendor(&stage, json!({ "deletionPolicy": "Retain" })).await;
    let before = news.workflow().await;
    window.delete().await;
    let last = window.is_gone().await;
    let stop = &last.status().deactivation.time;
    let note = eventually("an event tells what stays", async || {
        let mut notes = window.events().await.into_iter().filter_map(|event| event.note);
        notes.next_back().filter(|note| note.contains(&before.id))
    })
    .await;
    assert!(note.contains(&format!("its stop at {stop}")), "{note}");
    assert_eq!(news.workflow().await, before, "untouched");
    assert!(news.is_on().await);
    news.was_left_alone().await;
}

pub(crate) async fn deleted_on_air_under_stop_the_channel_is_off_before_its_workflow_is_touched() {
    let stage = Stage::open("delegated-stop").await;
    let (news, window) = on_air_by_the_vendor(&stage, json!({})).await;
    // Slow enough to tell which was first.
    news.overrides(json!({ "deactivation_ms": 1000 })).await;
    window.delete().await;
    let last = window.is_gone().await;
    assert_eq!(&*last.status().phase, "Finished");
    news.was_called(0, 1).await;
    let changes = news.changes().await;
    let kinds: Vec<_> = changes.iter().map(|call| call.operation).collect();
    assert_eq!(kinds, [Operation::ScheduleCreate, Operation::Deactivate, Operation::ScheduleCancel]);
    let off = news.report().await.state_history[0].transition_timestamp;
    assert!(off <= changes[2].received_us / 1000, "it was not off yet at {}: {off}", changes[2].received_us);
    assert_eq!(states(&news.workflow().await), [TaskState::Finished, TaskState::Cancelled]);
}

pub(crate) async fn deleted_before_its_start_its_workflow_is_cancelled_before_it_goes() {
    let stage = Stage::open("delegated-gone").await;
    let (news, window) = far_ahead(&stage, json!({})).await;
    window.delete().await;
    window.is_gone().await;
    assert_eq!(states(&news.workflow().await), [TaskState::Cancelled, TaskState::Cancelled]);
    news.was_left_alone().await;
}
