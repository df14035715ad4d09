//! Lines of columns.

use jiff::{Timestamp, tz::TimeZone};
use simulator::{Call, Operation, Outcome};

use super::{
    Executor,
    board::{Board, is_off, state_of},
    kubernetes::Window,
    screen::{Paint, Screen},
};

/// Beside each other, each cell at least as wide as its column.
pub(super) fn columns(cells: &[&str], widths: &[usize]) -> String {
    let padded = |(index, cell): (usize, &&str)| {
        let width = widths.get(index).copied().unwrap_or_default();
        format!("{cell:<width$}")
    };
    let cells: Vec<String> = cells.iter().enumerate().map(padded).collect();
    cells.join("  ").trim_end().to_owned()
}

const WINDOW_WIDTHS: [usize; 9] = [12, 7, 8, 8, 9, 7, 17, 8, 0];
const WINDOW_TITLES: [&str; 9] = ["NAME", "JOB", "START", "STOP", "PHASE", "ONAIR", "REASON", "WORKFLOW", "│ CHANNEL"];
/// Where the operator makes the calls there is none.
const WORKFLOW: usize = 7;

fn window_columns(cells: [&str; 9], executor: Executor) -> String {
    let mut all: Vec<(&str, usize)> = cells.into_iter().zip(WINDOW_WIDTHS).collect();
    if executor == Executor::Operator {
        all.remove(WORKFLOW);
    }
    let (cells, widths): (Vec<&str>, Vec<usize>) = all.into_iter().unzip();
    columns(&cells, &widths)
}

/// The titles over [`window_line`].
pub(super) fn window_titles(executor: Executor, screen: &Screen) -> String {
    screen.paint(Paint::Bold, &window_columns(WINDOW_TITLES, executor))
}

/// A window as `kubectl get jss` shows it, with its workflow where the Live API's scheduler makes the calls, and the
/// channel's true state beside it.
pub(super) fn window_line(window: &Window, executor: Executor, board: &Board, screen: &Screen) -> String {
    let condition = |kind| window.condition(kind);
    let on_air = condition("OnAir").map_or("", |on_air| &on_air.status);
    let ready = condition("Ready");
    let told = window_columns(
        [
            window.name(),
            window.job(),
            &time_of_day(window.start(), 0),
            &time_of_day(window.stop(), 0),
            &window.status.phase,
            on_air,
            ready.map_or("", |ready| &ready.reason),
            abridged(&window.status.workflow),
            "│",
        ],
        executor,
    );
    let paint = match ready {
        Some(ready) if ready.status == "False" && ready.reason != "Checking" => Paint::Yellow,
        _ if on_air == "True" => Paint::Green,
        _ => Paint::Plain,
    };
    let told = screen.paint(paint, &told);
    let Some(channel) = board.channel(window.job()) else { return told };
    let paint = if is_off(channel) { Paint::Dim } else { Paint::Green };
    format!("{told} {}", screen.paint(paint, &state_of(channel)))
}

/// As much of a workflow's id as tells it from the others.
pub(super) fn abridged(workflow: &str) -> &str {
    workflow.get(..8).unwrap_or(workflow)
}

const CALL_WIDTHS: [usize; 6] = [15, 12, 8, 10, 12, 0];
const CALL_TITLES: [&str; 6] = ["RECEIVED", "CALL", "JOB", "PLANNED", "       LATE", "ANSWER"];

/// The titles over [`call_line`].
pub(super) fn call_titles() -> String {
    columns(&CALL_TITLES, &CALL_WIDTHS)
}

/// A call that switches a job, and how late it was.
pub(super) fn call_line(call: &Call, planned: Option<Timestamp>) -> String {
    let received = received(call);
    let late = planned.map(|planned| late(received, planned));
    columns(
        &[
            &time_of_day(received, 6),
            verb(call.operation),
            call.job.as_deref().unwrap_or_default(),
            &planned.map(|planned| time_of_day(planned, 0)).unwrap_or_default(),
            &late.unwrap_or_default(),
            &answer(call),
        ],
        &CALL_WIDTHS,
    )
}

/// The call's name in the Live API.
pub(super) fn verb(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "create",
        Operation::Read => "read",
        Operation::List => "list",
        Operation::Activate => "activate",
        Operation::Deactivate => "deactivate",
        Operation::Stop => "stop",
        Operation::Cancel => "cancel",
        Operation::ScheduleCreate => "schedule",
        Operation::ScheduleRead => "workflow",
        Operation::ScheduleUpdate => "reschedule",
        Operation::ScheduleCancel => "unschedule",
        Operation::ScheduleList => "workflows",
        Operation::Other => "other",
    }
}

pub(super) fn answer(call: &Call) -> String {
    match (call.outcome, call.status) {
        (Outcome::Answered, Some(status)) => status.to_string(),
        _ => "none".to_owned(),
    }
}

/// When the Live API had it.
pub(super) fn received(call: &Call) -> Timestamp {
    Timestamp::from_microsecond(call.received_us).unwrap_or_default()
}

/// A cell of lateness.
pub(super) fn late(at: Timestamp, planned: Timestamp) -> String {
    format!("{:>8.1} ms", lateness_ms(at, planned))
}

/// Milliseconds; negative when it was early.
pub(super) fn lateness_ms(received: Timestamp, planned: Timestamp) -> f64 {
    received.duration_since(planned).as_secs_f64() * 1_000.0
}

/// In UTC, with so many digits after the second.
pub(super) fn time_of_day(instant: Timestamp, digits: usize) -> String {
    let time = instant.to_zoned(TimeZone::UTC).time();
    format!("{time:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_keep_their_places_and_end_without_blanks() {
        assert_eq!(columns(&["ab", "c", ""], &[3, 2, 4]), "ab   c");
        assert_eq!(columns(&["abcd", "c"], &[3, 2]), "abcd  c");
    }

    #[test]
    fn times_are_shown_in_utc() {
        let instant: Timestamp = "2026-12-02T14:00:07.0123+01:00".parse().unwrap();
        assert_eq!(time_of_day(instant, 0), "13:00:07");
        assert_eq!(time_of_day(instant, 6), "13:00:07.012300");
    }

    #[test]
    fn an_early_call_has_a_negative_lateness() {
        let planned: Timestamp = "2026-12-02T13:00:00Z".parse().unwrap();
        let received: Timestamp = "2026-12-02T12:59:59.75Z".parse().unwrap();
        assert!((lateness_ms(received, planned) + 250.0).abs() < 1e-6);
    }
}
