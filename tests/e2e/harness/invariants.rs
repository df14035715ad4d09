//! What holds for every recorded status of every window, whatever the scene.

use jiff::Timestamp;
use jobstartstop::api::{JobStartStopStatus, TaskStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::recorder::Record;
use super::window::condition;

/// Checks the whole record of one window.
pub(crate) fn check(records: &[Record]) {
    for record in records {
        each(record);
    }
    for (before, after) in records.iter().zip(records.iter().skip(1)) {
        follows(before.status(), after.status());
        // A condition may have turned and turned back in versions that nobody saw.
        if !after.after_gap {
            transitions_follow(before.status(), after.status());
        }
    }
}

fn each(record: &Record) {
    let status = record.status();
    if status.observed_generation == Some(-1) {
        assert_eq!(status.conditions, [], "a status that nobody wrote says nothing");
        return;
    }
    one_generation(record, status);
    one_health(status);
    one_instant(&status.activation);
    one_instant(&status.deactivation);
    assert_eq!(status.phase, phase(status), "the phase of {status:?}");
    assert_eq!(status.workflow_id, record.object.metadata.uid.clone().unwrap().replace('-', ""));
    let settled = status.activation.state != "pending" && status.deactivation.state != "pending";
    assert_eq!(!status.finished_at.is_empty(), settled, "finishedAt stands once both tasks are settled: {status:?}");
}

/// Case 57: what a status says is of one generation, throughout.
fn one_generation(record: &Record, status: &JobStartStopStatus) {
    let generation = status.observed_generation.expect("every written status has observedGeneration");
    assert!(Some(generation) <= record.object.metadata.generation, "of a generation that is still to come: {status:?}");
    for condition in &status.conditions {
        assert_eq!(condition.observed_generation, Some(generation), "{condition:?} in one write with its generation");
    }
}

/// Case 60: never two of Ready, Reconciling and Stalled; and one of them always.
fn one_health(status: &JobStartStopStatus) {
    let holds: Vec<_> = ["Ready", "Reconciling", "Stalled"]
        .into_iter()
        .filter(|kind| condition(status, kind).is_some_and(|condition| condition.status == "True"))
        .collect();
    assert_eq!(holds.len(), 1, "{holds:?} are True at once in {:#?}", status.conditions);
}

/// Case 64: as given, in UTC and in epoch seconds, a time is one instant.
fn one_instant(task: &TaskStatus) {
    let instant = |text: &str| text.parse::<Timestamp>().unwrap().as_second();
    assert_eq!(Some(instant(&task.time)), task.time_utc, "{task:?}");
    assert_eq!(Some(instant(&task.given)), task.time_utc, "{task:?}");
}

/// The phase is a function of the two states.
fn phase(status: &JobStartStopStatus) -> &'static str {
    let missed = || if status.activation.attempts == 0 { "Missed" } else { "Failed" };
    match (status.activation.state.as_str(), status.deactivation.state.as_str()) {
        ("pending", "pending") => "Pending",
        ("finished", "pending") => "Active",
        ("cancelled", _) | ("finished", "cancelled") => "Cancelled",
        ("finished", "failed") => "Failed",
        // Cancelled between call and confirmation: it was on for a moment, and was called back.
        ("finished", _) if status.activation.reason == "CancelledDuringStart" => "Cancelled",
        ("finished", _) => "Finished",
        // Refused for good is a failure even if nothing left for the vendor.
        ("failed", _) if ["NotStatic", "JobEnded", "JobNotFound"].contains(&&*status.activation.reason) => "Failed",
        ("failed", _) => missed(),
        (start, stop) => panic!("no phase for {start} and {stop}"),
    }
}

fn follows(before: &JobStartStopStatus, after: &JobStartStopStatus) {
    assert!(before.observed_generation <= after.observed_generation, "an older generation is never observed again");
    task_follows(&before.activation, &after.activation);
    task_follows(&before.deactivation, &after.deactivation);
}

fn transitions_follow(before: &JobStartStopStatus, after: &JobStartStopStatus) {
    for next in &after.conditions {
        if let Some(last) = condition(before, &next.type_) {
            transition_follows(last, next);
        }
    }
}

fn task_follows(before: &TaskStatus, after: &TaskStatus) {
    let settled = !["", "pending"].contains(&&*before.state);
    assert!(!settled || before.state == after.state, "a settled state never goes back: {before:?}, then {after:?}");
    assert!(before.attempts <= after.attempts, "attempts are never taken back: {before:?}, then {after:?}");
    if !before.called_at.is_empty() && !after.called_at.is_empty() {
        // Save to the call before one that was certainly refused.
        let refused = after.attempted_at >= before.called_at;
        assert!(before.called_at <= after.called_at || refused, "calledAt never goes back: {before:?}, then {after:?}");
        assert_eq!(before.time, after.time, "a called task keeps its time");
    }
}

fn transition_follows(last: &Condition, next: &Condition) {
    let moved = last.last_transition_time != next.last_transition_time;
    assert!(!moved || last.status != next.status, "lastTransitionTime moves with status only: {last:?}, then {next:?}");
}
