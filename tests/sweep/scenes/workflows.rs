//! SIGKILL at every step of a workflow that is made, changed and cancelled at the vendor's own scheduler, with a list there
//! and without; SIGSTOP there, and a wake-up after the takeover. Another process goes on with what is left.
//!
//! Whatever happens: at most one workflow stands for the window, nobody else's is touched, and of vendor and operator only
//! one starts the channel.

use std::fmt::Write as _;

use futures::StreamExt;
use futures::stream;
use jiff::Timestamp;
use jobstartstop::api::JobStartStopStatus;
use jobstartstop::controller::Step;
use serde_json::json;
use simulator::{FiringOutcome, Operation, TaskKind, TaskState, WorkflowReport};
use testbed::Operator;

use super::struck::{Mode, Struck};
use super::{A_FIFTH, FAILPOINTS, ends, leads};
use crate::harness::{Channel, Stage, Window, condition, eventually, in_seconds, plus};

/// Cells played at once.
const AT_ONCE: usize = 10;

/// What a window is about when its process is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Make,
    Change,
    Cancel,
}

#[derive(Clone, Debug)]
struct Cell {
    /// Where the first process is struck, and where those that come after it are.
    at: Vec<Step>,
    mode: Mode,
    listed: bool,
    /// Two windows that overlap, in place of one.
    merged: bool,
}

struct Row {
    cell: Cell,
    creates: usize,
    standing: usize,
    started_by_vendor: usize,
    started_here: usize,
}

pub(crate) async fn case_26_killed_at_every_step_of_a_workflow_one_stands_for_the_window_and_one_starts_it() {
    let cells = Step::OF_WORKFLOWS.iter().flat_map(|step| {
        let at = vec![*step];
        let listed = Cell { at: at.clone(), mode: Mode::Takeover, listed: true, merged: false };
        [listed, Cell { at, mode: Mode::Restart, listed: false, merged: false }]
    });
    sweep(cells).await;
}

pub(crate) async fn killed_at_every_step_of_the_workflow_of_two_merged_windows_one_stands_for_both() {
    let cell = |step: &Step| Cell { at: vec![*step], mode: Mode::Takeover, listed: true, merged: true };
    sweep(Step::OF_WORKFLOWS.iter().map(cell)).await;
}

/// The one that comes next is killed as well, a step further or at the same one, and a third comes.
pub(crate) async fn case_26_killed_twice_around_a_workflow_one_stands_for_the_window_and_one_starts_it() {
    let twice = [
        [Step::W1RegistrationToWrite, Step::W2Checked],
        [Step::W1RegistrationWritten, Step::W3Sent],
        [Step::W2Checked, Step::W1RegistrationWritten],
        [Step::W3Sent, Step::W5ToWrite],
        [Step::W4Answered, Step::W5Written],
        [Step::U3Sent, Step::U3Sent],
        [Step::U4Answered, Step::U2Checked],
        [Step::C2Checked, Step::C3Sent],
        [Step::C4Answered, Step::C5ToWrite],
    ];
    let cell = |at: [Step; 2], listed| Cell { at: at.to_vec(), mode: Mode::Restart, listed, merged: false };
    sweep(twice.into_iter().flat_map(|at| [cell(at, true), cell(at, false)])).await;
}

pub(crate) async fn frozen_at_every_step_of_a_workflow_and_woken_after_the_takeover_it_does_nothing_twice() {
    let cell = |step: &Step| Cell { at: vec![*step], mode: Mode::WakeUp, listed: true, merged: false };
    sweep(Step::OF_WORKFLOWS.iter().map(cell)).await;
}

/// Plays these cells and prints how they went.
async fn sweep(cells: impl Iterator<Item = Cell>) {
    let played = async |(number, cell): (usize, Cell)| (number, play(cell).await);
    let mut rows: Vec<(usize, Row)> =
        stream::iter(cells.enumerate()).map(played).buffer_unordered(AT_ONCE).collect().await;
    rows.sort_by_key(|(number, _)| *number);
    let rows: Vec<Row> = rows.into_iter().map(|(_, row)| row).collect();
    println!("{}", table(&rows));
    rows.iter().for_each(Row::check);
}

fn deed(step: Step) -> Deed {
    match step {
        Step::U2Checked | Step::U3Sent | Step::U4Answered => Deed::Change,
        Step::C2Checked | Step::C3Sent | Step::C4Answered | Step::C5ToWrite | Step::C5Written => Deed::Cancel,
        _ => Deed::Make,
    }
}

async fn play(cell: Cell) -> Row {
    let stage = Stage::unattended("workflows").await;
    stage.bind("jobstartstop").await;
    if !cell.listed {
        stage.without_a_list().await;
    }
    let channel = stage.channel("news").await;
    let foreign = channel.somebody_schedules(in_seconds(90_000), in_seconds(93_600), "By hand").await;
    let before = channel.workflow().await;
    // So that a request is under way when its process is struck.
    for operation in ["schedule_create", "schedule_update", "schedule_cancel"] {
        channel.fault(operation, json!({ "effect": "latency", "ms": 300 })).await;
    }
    let (point, later) = cell.at.split_first().unwrap();
    let deed = deed(*point);
    let first = Struck::launch(&stage, *point, cell.mode, A_FIFTH).await;
    leads(&first.operator).await;
    let standby = match cell.mode {
        Mode::Restart => None,
        Mode::Takeover | Mode::WakeUp => Some(stage.launch(FAILPOINTS, A_FIFTH, &[]).await),
    };
    let (start, stop) = times(deed, cell.at.len());
    let windows = book(&stage, &channel, cell.merged, start, stop).await;
    let stop = act(deed, &windows, stop).await;
    first.is_hit().await;
    let _last = match standby {
        Some(standby) => first.makes_way_for(standby).await,
        None => restarted(&stage, later, &windows, deed).await,
    };
    for window in &windows {
        window.reaches(last_phase(deed)).await;
    }
    let what = format!("{cell:?}");
    let workflows = over(&what, &channel, &foreign).await;
    let all = channel.workflows().await;
    assert!(all.contains(&before), "{what}: somebody else's was changed: {all:?}");
    let touched = |operation: &Operation| operation.changes_schedule();
    assert!(!channel.asked_about(&foreign).await.iter().any(touched), "{what}");
    assert_eq!(channel.report().await.restarts, 0, "{what}: started while it was on");
    assert!(!channel.is_on().await, "{what}: left on");
    if deed == Deed::Change {
        let stops: Vec<_> = workflows.iter().map(|workflow| workflow.deactivation.time_utc).collect();
        assert_eq!(stops, [stop.as_second()], "{what}: the edited stop");
    }
    row(cell, &channel, &workflows).await
}

/// One window, or two that overlap, from start to stop.
async fn book(stage: &Stage, channel: &Channel, merged: bool, start: Timestamp, stop: Timestamp) -> Vec<Window> {
    let window = |name| stage.window(name, channel).by_the_vendor();
    if merged {
        let first = window("first").between(start, plus(stop, -1)).create().await;
        vec![first, window("second").between(plus(start, 1), stop).create().await]
    } else {
        vec![window("news").between(start, stop).create().await]
    }
}

/// Far enough ahead that a window is registered when one or two leases have run out.
fn times(deed: Deed, strikes: usize) -> (Timestamp, Timestamp) {
    let strikes = i64::try_from(strikes).unwrap();
    match deed {
        // One that nobody knows whether it is there is made here six seconds after its time.
        Deed::Make => (in_seconds(8 + 8 * strikes), in_seconds(18 + 8 * strikes)),
        Deed::Change => (in_seconds(4 + 8 * strikes), in_seconds(8 + 8 * strikes)),
        Deed::Cancel => (in_seconds(3600), in_seconds(7200)),
    }
}

fn last_phase(deed: Deed) -> &'static str {
    if deed == Deed::Cancel { "Cancelled" } else { "Finished" }
}

/// Does to registered windows what their process is to be struck at. Returns the last stop from then on.
async fn act(deed: Deed, windows: &[Window], stop: Timestamp) -> Timestamp {
    if deed == Deed::Make {
        return stop;
    }
    for window in windows {
        let stands = |status: &JobStartStopStatus| condition(status, "Registered").is_some_and(|c| c.status == "True");
        window.until("a workflow stands for it", stands).await;
    }
    if deed == Deed::Cancel {
        for window in windows {
            window.edit(json!({ "cancel": true })).await;
        }
        return stop;
    }
    let later = plus(stop, 3);
    if let Some(window) = windows.last() {
        window.edit(json!({ "deactivation": { "time": later } })).await;
    }
    later
}

/// Those that come next, each struck at its step if the window comes to that once more, and a last one that is not.
async fn restarted(stage: &Stage, at: &[Step], windows: &[Window], deed: Deed) -> Vec<Operator> {
    for step in at {
        let next = Struck::launch(stage, *step, Mode::Restart, A_FIFTH).await;
        let all_over = || windows.iter().all(|window| window.status().phase == last_phase(deed));
        let over = async || (next.was_hit() || all_over()).then_some(());
        eventually(&format!("{step}, or all is over"), over).await;
        if !next.was_hit() {
            return vec![next.operator];
        }
        ends(&next.operator).await;
    }
    vec![stage.launch(FAILPOINTS, A_FIFTH, &[]).await]
}

/// The workflows of the window, once nothing is left to come of them.
async fn over(what: &str, channel: &Channel, foreign: &str) -> Vec<WorkflowReport> {
    eventually(&format!("{what}: nothing is pending"), async || {
        let ours: Vec<_> = channel.workflows().await.into_iter().filter(|workflow| workflow.id != foreign).collect();
        let pending = |workflow: &WorkflowReport| {
            [&workflow.activation, &workflow.deactivation].iter().any(|task| task.state == TaskState::Pending)
        };
        (!ours.iter().any(pending)).then_some(ours)
    })
    .await
}

async fn row(cell: Cell, channel: &Channel, workflows: &[WorkflowReport]) -> Row {
    let starts = workflows.iter().flat_map(|workflow| &workflow.firings);
    let made = starts.filter(|f| f.task == TaskKind::Activation && f.outcome == FiringOutcome::Finished).count();
    let creates = channel.changes().await;
    Row {
        creates: creates.iter().filter(|call| call.operation == Operation::ScheduleCreate).count(),
        standing: workflows.iter().filter(|workflow| workflow.activation.state != TaskState::Cancelled).count(),
        started_by_vendor: made,
        started_here: channel.calls().await.activate.len(),
        cell,
    }
}

impl Row {
    fn check(&self) {
        let Self { cell, creates, standing, started_by_vendor, started_here } = self;
        let deed = deed(cell.at[0]);
        let made = (*standing, *started_by_vendor, *started_here);
        match deed {
            Deed::Cancel => assert_eq!(made, (0, 0, 0), "{cell:?}"),
            Deed::Change => assert_eq!(made, (1, 1, 0), "{cell:?}"),
            // It was found, or proved not to be there.
            Deed::Make if cell.listed => assert_eq!(made, (1, 1, 0), "{cell:?}"),
            Deed::Make => {
                assert!(*standing <= 1 && *creates <= 1, "{cell:?}: {standing} of {creates} stand");
                assert_eq!(started_by_vendor + started_here, 1, "{cell:?}: by the vendor, and here");
            }
        }
    }
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "\n| struck at | then | list | windows | asked to make | stood | started by the vendor | started here |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for Row { cell, creates, standing, started_by_vendor, started_here } in rows {
        let at = cell.at.iter().map(|step| step.as_str()).collect::<Vec<_>>().join(", ");
        let (mode, list, windows) = (cell.mode, if cell.listed { "yes" } else { "no" }, 1 + u8::from(cell.merged));
        let _ = writeln!(
            text,
            "| {at} | {mode:?} | {list} | {windows} | {creates} | {standing} | {started_by_vendor} | {started_here} |"
        );
    }
    text
}
