//! What the Live API's scheduler was asked, and what it made of that.

use jiff::Timestamp;
use simulator::{Call, Firing, FiringOutcome, TaskKind, WorkflowReport};

use super::table::{abridged, answer, columns, late, received, time_of_day, verb};

const ASKED_WIDTHS: [usize; 6] = [15, 12, 8, 8, 30, 0];
const ASKED_TITLES: [&str; 6] = ["RECEIVED", "CALL", "JOB", "WORKFLOW", "WHAT", "ANSWER"];

/// Every request that changed something there, a line each.
pub(super) fn asked(calls: &[Call]) -> Vec<String> {
    let line = |call: &Call| {
        columns(
            &[
                &time_of_day(received(call), 6),
                verb(call.operation),
                call.job.as_deref().unwrap_or_default(),
                abridged(call.workflow.as_deref().unwrap_or_default()),
                &what(call),
                &answer(call),
            ],
            &ASKED_WIDTHS,
        )
    };
    let changes = calls.iter().filter(|call| call.operation.changes_schedule());
    let others = calls.iter().filter(|call| call.operation.is_schedule() && !call.operation.changes_schedule()).count();
    let titles = std::iter::once(columns(&ASKED_TITLES, &ASKED_WIDTHS));
    titles.chain(changes.map(line)).chain([format!("and {others} that only read")]).collect()
}

/// The times that were sent.
fn what(call: &Call) -> String {
    let task = |kind: TaskKind, word: &str| {
        let time = sent(call, kind)?;
        Some(format!("{word} at {}", time_of_day(time, 0)))
    };
    let tasks = [task(TaskKind::Activation, "on"), task(TaskKind::Deactivation, "off")];
    tasks.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The time that was sent for that task; none: it was not named.
pub(super) fn sent(call: &Call, kind: TaskKind) -> Option<Timestamp> {
    let task = call.body.as_ref()?.get(field(kind))?;
    Timestamp::from_second(task.get("time_utc")?.as_i64()?).ok()
}

fn field(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::Activation => "activation",
        TaskKind::Deactivation => "deactivation",
    }
}

const MADE_WIDTHS: [usize; 7] = [15, 12, 8, 8, 10, 12, 0];
const MADE_TITLES: [&str; 7] = ["MADE", "CALL", "JOB", "WORKFLOW", "PLANNED", "       LATE", "OUTCOME"];

/// Every task that was due, a line each, in their order.
pub(super) fn made(workflows: &[WorkflowReport]) -> Vec<String> {
    let mut all: Vec<(&WorkflowReport, &Firing)> =
        workflows.iter().flat_map(|workflow| workflow.firings.iter().map(move |firing| (workflow, firing))).collect();
    all.sort_by_key(|(workflow, firing)| (firing.at_us, workflow.id.clone()));
    let line = |(workflow, firing): (&WorkflowReport, &Firing)| {
        let (at, planned) = (at(firing), planned(workflow, firing.task));
        columns(
            &[
                &time_of_day(at, 6),
                match firing.task {
                    TaskKind::Activation => "activate",
                    TaskKind::Deactivation => "deactivate",
                },
                &workflow.job,
                abridged(&workflow.id),
                &time_of_day(planned, 0),
                &late(at, planned),
                outcome(firing.outcome),
            ],
            &MADE_WIDTHS,
        )
    };
    std::iter::once(columns(&MADE_TITLES, &MADE_WIDTHS)).chain(all.into_iter().map(line)).collect()
}

/// When the task happened.
pub(super) fn at(firing: &Firing) -> Timestamp {
    Timestamp::from_microsecond(firing.at_us).unwrap_or_default()
}

/// When it was to happen.
pub(super) fn planned(workflow: &WorkflowReport, kind: TaskKind) -> Timestamp {
    let task = match kind {
        TaskKind::Activation => &workflow.activation,
        TaskKind::Deactivation => &workflow.deactivation,
    };
    Timestamp::from_second(task.time_utc).unwrap_or_default()
}

fn outcome(outcome: FiringOutcome) -> &'static str {
    match outcome {
        FiringOutcome::Finished => "finished",
        FiringOutcome::Failed => "failed",
        FiringOutcome::Retried => "refused, to be tried again",
        FiringOutcome::Skipped => "forgotten",
        FiringOutcome::PutOff => "put off",
    }
}
