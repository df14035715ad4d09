//! SIGKILL at every step, then a restart or a takeover; SIGSTOP at every step, and a wake-up after the takeover.

use std::fmt::Write as _;

use futures::StreamExt;
use futures::stream;
use jiff::Timestamp;
use jobstartstop::controller::Step;
use serde_json::json;
use testbed::Operator;

use super::struck::{Mode, Struck};
use super::{A_FIFTH, FAILPOINTS, ends, lateness, leads, was_on_once};
use crate::harness::{Stage, Window, eventually, in_seconds};

/// Cells played at once: each has a process or two that do little but wait.
const AT_ONCE: usize = 10;

/// A lease of 3 s runs out, and what must be read is read: in milliseconds, on a machine that runs many cells.
const LATE: i64 = 7_000;

const A_WHOLE: &[&str] = &["--lease-divisor", "1"];

struct Row {
    /// Where the first process was struck, and where those that came after it were.
    at: Vec<Step>,
    mode: Mode,
    activates: usize,
    deactivates: usize,
    start_late: Option<i64>,
    stop_late: Option<i64>,
}

pub(crate) async fn case_25_killed_at_every_step_each_window_is_started_once_and_stopped() {
    let cells = Step::OF_CALLS.iter().flat_map(|step| [(vec![*step], Mode::Restart), (vec![*step], Mode::Takeover)]);
    sweep(cells, LATE).await;
}

pub(crate) async fn frozen_at_every_step_and_woken_after_the_takeover_it_does_nothing_twice() {
    sweep(Step::OF_CALLS.iter().map(|step| (vec![*step], Mode::WakeUp)), LATE).await;
}

/// The one that comes next is killed as well, a step further or at the same one, and a third comes.
pub(crate) async fn case_25_killed_twice_a_window_is_started_once_and_stopped() {
    let twice = [
        [Step::S1ClaimToWrite, Step::S1ClaimWritten],
        [Step::S1ClaimWritten, Step::S1ClaimWritten],
        [Step::S1ClaimWritten, Step::S3Checked],
        [Step::S3Checked, Step::S3Checked],
        [Step::S3Checked, Step::S4Sent],
        [Step::S4Sent, Step::S7On],
        [Step::S6ToWrite, Step::P2Checked],
        [Step::S7On, Step::P3Sent],
        [Step::P2Checked, Step::P2Checked],
        [Step::P3Sent, Step::P6Off],
    ];
    sweep(twice.into_iter().map(|at| (at.to_vec(), Mode::Restart)), 2 * LATE).await;
}

/// The lease is 15 s, and a lost call is believed lost after 10 s: with the real times both have passed by the takeover.
pub(crate) async fn killed_around_the_call_the_standby_starts_once_with_the_real_times() {
    let cells = [Step::S3Checked, Step::S4Sent].map(|step| cell(vec![step], Mode::Takeover, A_WHOLE));
    let rows = futures::future::join_all(cells).await;
    println!("{}", table(&rows));
    for row in &rows {
        row.check(17_500);
    }
}

/// Plays these cells and prints how they went.
async fn sweep(cells: impl Iterator<Item = (Vec<Step>, Mode)>, late: i64) {
    let played = async |(number, (at, mode))| (number, cell(at, mode, A_FIFTH).await);
    let mut rows: Vec<(usize, Row)> =
        stream::iter(cells.enumerate()).map(played).buffer_unordered(AT_ONCE).collect().await;
    rows.sort_by_key(|(number, _)| *number);
    let rows: Vec<Row> = rows.into_iter().map(|(_, row)| row).collect();
    println!("{}", table(&rows));
    for row in &rows {
        row.check(late);
    }
}

async fn cell(at: Vec<Step>, mode: Mode, times: &[&str]) -> Row {
    let stage = Stage::unattended("sweep").await;
    stage.bind("jobstartstop").await;
    let channel = stage.channel("news").await;
    // So that a call is under way when its process is struck.
    for operation in ["activate", "deactivate"] {
        channel.fault(operation, json!({ "effect": "latency", "ms": 300 })).await;
    }
    let (step, later) = at.split_first().unwrap();
    let first = Struck::launch(&stage, *step, mode, times).await;
    leads(&first.operator).await;
    let standby = match mode {
        Mode::Restart => None,
        Mode::Takeover | Mode::WakeUp => Some(stage.launch(FAILPOINTS, times, &[]).await),
    };
    let (on, off) = window_times(times, at.len());
    let window = stage.window("news", &channel).between(on, off).create().await;
    first.is_hit().await;
    let _last = match standby {
        Some(standby) => first.makes_way_for(standby).await,
        None => restarted(&stage, later, times, &window).await,
    };
    window.reaches("Finished").await;
    was_on_once(&channel).await;
    let calls = channel.calls().await;
    Row {
        at,
        mode,
        activates: calls.activate.len(),
        deactivates: calls.deactivate.len(),
        start_late: lateness(&calls.activate, on),
        stop_late: lateness(&calls.deactivate, off),
    }
}

/// Those that come next, each struck at its step if the window comes to that once more, and a last one that is not.
async fn restarted(stage: &Stage, at: &[Step], times: &[&str], window: &Window) -> Vec<Operator> {
    for step in at {
        let next = Struck::launch(stage, *step, Mode::Restart, times).await;
        let over = async || (next.was_hit() || window.status().phase == "Finished").then_some(());
        eventually(&format!("{step}, or the window has finished"), over).await;
        if !next.was_hit() {
            return vec![next.operator];
        }
        ends(&next.operator).await;
    }
    vec![stage.launch(FAILPOINTS, times, &[]).await]
}

/// Long enough that a takeover at the start is over before the stop.
fn window_times(times: &[&str], strikes: usize) -> (Timestamp, Timestamp) {
    let on = if times == A_FIFTH { 10 * i64::try_from(strikes).unwrap() } else { 24 };
    (in_seconds(3), in_seconds(3 + on))
}

impl Row {
    /// Called once and not too late; a stop that its process may not have made is made again.
    fn check(&self, most: i64) {
        let Self { at, mode, activates, deactivates, start_late, stop_late } = self;
        assert_eq!(*activates, 1, "{at:?} {mode:?}: activates");
        let stops = 1..=at.len() + 1;
        assert!(stops.contains(deactivates), "{at:?} {mode:?}: {deactivates} deactivates");
        for late in [start_late, stop_late] {
            assert!(late.is_some_and(|late| (0..=most).contains(&late)), "{at:?} {mode:?}: {late:?} ms late");
        }
    }
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "\n| struck at | then | activates | deactivates | start late, ms | stop late, ms |\n\
         | --- | --- | --- | --- | --- | --- |\n",
    );
    let shown = |late: &Option<i64>| late.map_or("-".to_owned(), |late| late.to_string());
    for Row { at, mode, activates, deactivates, start_late, stop_late } in rows {
        let at = at.iter().map(|step| step.as_str()).collect::<Vec<_>>().join(", ");
        let (start, stop) = (shown(start_late), shown(stop_late));
        let _ = writeln!(text, "| {at} | {mode:?} | {activates} | {deactivates} | {start} | {stop} |");
    }
    text
}
