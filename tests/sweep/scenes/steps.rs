//! SIGKILL at every step, then a restart or a takeover.

use std::fmt::Write as _;
use std::path::PathBuf;

use futures::StreamExt;
use futures::stream;
use jiff::Timestamp;
use jobstartstop::controller::Step;
use serde_json::json;

use super::{A_FIFTH, FAILPOINTS, ends, lateness, leads, was_on_once};
use crate::harness::{Stage, in_seconds};

/// Cells played at once: each has a process or two that do little but wait.
const AT_ONCE: usize = 8;

/// A lease of 3 s runs out, and what must be read is read: in milliseconds, on a machine that runs many cells.
const LATE: i64 = 7_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// The same command is started again, at once.
    Restart,
    /// Another process stands by.
    Takeover,
}

struct Row {
    step: Step,
    mode: Mode,
    activates: usize,
    deactivates: usize,
    start_late: Option<i64>,
    stop_late: Option<i64>,
}

pub(crate) async fn case_25_killed_at_every_step_each_window_is_started_once_and_stopped() {
    let cells = Step::ALL.iter().flat_map(|step| [(*step, Mode::Restart), (*step, Mode::Takeover)]);
    let rows: Vec<Row> =
        stream::iter(cells).map(|(step, mode)| cell(step, mode, A_FIFTH)).buffered(AT_ONCE).collect().await;
    println!("{}", table(&rows));
    for Row { step, mode, activates, deactivates, start_late, stop_late } in &rows {
        assert_eq!(*activates, 1, "{step} {mode:?}: activates");
        assert!((1..=2).contains(deactivates), "{step} {mode:?}: {deactivates} deactivates");
        for late in [start_late, stop_late] {
            assert!(late.is_some_and(|late| (0..LATE).contains(&late)), "{step} {mode:?}: {late:?} ms late");
        }
    }
}

/// The lease is 15 s, and a lost call is believed lost after 10 s: with the real times both have passed by the takeover.
pub(crate) async fn killed_with_a_call_under_way_the_standby_reads_first_with_the_real_times() {
    let row = cell(Step::S4Sent, Mode::Takeover, &["--lease-divisor", "1"]).await;
    println!("{}", table(std::slice::from_ref(&row)));
    assert_eq!((row.activates, row.deactivates), (1, 1));
    let row = cell(Step::S3Checked, Mode::Takeover, &["--lease-divisor", "1"]).await;
    println!("{}", table(std::slice::from_ref(&row)));
    assert_eq!(row.activates, 1);
    assert!(row.start_late.is_some_and(|late| late <= 17_500), "the lease and two seconds: {:?} ms", row.start_late);
}

async fn cell(step: Step, mode: Mode, times: &[&str]) -> Row {
    let stage = Stage::unattended("sweep").await;
    stage.bind("jobstartstop").await;
    let hit = hit_file(&stage);
    let failpoint = [("SWEEP_KILL_AT", step.to_string()), ("SWEEP_HIT_FILE", hit.display().to_string())];
    let channel = stage.channel("news").await;
    // So that a call is under way when its process is killed.
    for operation in ["activate", "deactivate"] {
        channel.fault(operation, json!({ "effect": "latency", "ms": 300 })).await;
    }
    let first = stage.launch(FAILPOINTS, times, &failpoint).await;
    leads(&first).await;
    let standby = match mode {
        Mode::Takeover => Some(stage.launch(FAILPOINTS, times, &[]).await),
        Mode::Restart => None,
    };
    let (on, off) = window_times(times);
    let window = stage.window("news", &channel).between(on, off).create().await;
    ends(&first).await;
    let told = std::fs::read_to_string(&hit).unwrap_or_default();
    assert_eq!(told, step.as_str(), "{step} {mode:?}: the failpoint was never hit");
    let _next = match standby {
        Some(standby) => standby,
        None => stage.launch(FAILPOINTS, times, &[]).await,
    };
    window.reaches("Finished").await;
    was_on_once(&channel).await;
    let calls = channel.calls().await;
    Row {
        step,
        mode,
        activates: calls.activate.len(),
        deactivates: calls.deactivate.len(),
        start_late: lateness(&calls.activate, on),
        stop_late: lateness(&calls.deactivate, off),
    }
}

/// Long enough that a takeover at the start is over before the stop.
fn window_times(times: &[&str]) -> (Timestamp, Timestamp) {
    let on = if times == A_FIFTH { 10 } else { 24 };
    (in_seconds(3), in_seconds(3 + on))
}

fn hit_file(stage: &Stage) -> PathBuf {
    stage.plane().run().path().join(format!("hit-{}", stage.namespace))
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "\n| killed at | then | activates | deactivates | start late, ms | stop late, ms |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    let shown = |late: &Option<i64>| late.map_or("-".to_owned(), |late| late.to_string());
    for Row { step, mode, activates, deactivates, start_late, stop_late } in rows {
        let (start, stop) = (shown(start_late), shown(stop_late));
        let _ = writeln!(text, "| {step} | {mode:?} | {activates} | {deactivates} | {start} | {stop} |");
    }
    text
}
