//! As many jobs as windows, all of them due at one instant.

use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use serde::Serialize;
use simulator::{Call, Operation};

use super::bare::Bare;
use super::lateness::{Lateness, median};
use super::report::{Outcome, Row};
use super::stage::{Limits, Stage};
use super::windows::{Planned, job, later, seconds_from_now, starts, stops, until};
use super::{Progress, none_early};

const WINDOWS: u32 = 1_000;
/// From when the windows are made to their start: longer than a claim is written ahead, so that it is written as for
/// any window that was planned in time.
const AHEAD: i64 = 40;
/// Each window's length in seconds: all that their starts bring about is over by then.
const LENGTH: i64 = 25;
/// How many seconds before its instants the bare client is told of them, and how far they are apart.
const BARE_AHEAD: i64 = 3;
const BARE_LENGTH: i64 = 6;
const RATIO_AIM: f64 = 1.5;

/// With the default limits: what they let through takes its time.
const LIMITED: u32 = 100;
const LIMITED_LENGTH: i64 = 240;

/// One run of one client.
#[derive(Serialize)]
struct Run {
    starts: Lateness,
    stops: Lateness,
}

/// The same calls by both, one after the other.
#[derive(Serialize)]
struct Pair {
    operator: Run,
    bare: Run,
    starts_ratio: f64,
    stops_ratio: f64,
}

#[derive(Serialize)]
struct Figures {
    windows: u32,
    pairs: Vec<Pair>,
    starts_ratio_median: f64,
    stops_ratio_median: f64,
}

pub(super) async fn measure(pairs: u32, progress: &Progress) -> anyhow::Result<Outcome> {
    let stage = Stage::set(WINDOWS, Limits::None).await?;
    let _operator = stage.operator()?;
    let bare = Bare::of(&stage.live.base_url)?;
    let mut measured = Vec::new();
    for number in 0..pairs {
        let operator_first = number % 2 == 0;
        let before = if operator_first { None } else { Some(bare_run(&stage, &bare).await?) };
        let operator = operator_run(&stage).await.context("the operator's calls")?;
        let bare = match before {
            Some(before) => before,
            None => bare_run(&stage, &bare).await.context("the bare client's calls")?,
        };
        let pair = Pair {
            starts_ratio: operator.starts.p99 / bare.starts.p99,
            stops_ratio: operator.stops.p99 / bare.stops.p99,
            operator,
            bare,
        };
        progress.say(&format!(
            "pair {} of {pairs}: p99 of starts {:.1} ms, bare {:.1}; of stops {:.1} ms, bare {:.1}",
            number + 1,
            pair.operator.starts.p99,
            pair.bare.starts.p99,
            pair.operator.stops.p99,
            pair.bare.stops.p99
        ));
        measured.push(pair);
    }
    let middle = |of: fn(&Pair) -> f64| median(&measured.iter().map(of).collect::<Vec<_>>()).context("no pairs");
    let starts_ratio_median = middle(|pair| pair.starts_ratio)?;
    let stops_ratio_median = middle(|pair| pair.stops_ratio)?;
    let rows = vec![
        row(
            "starts",
            starts_ratio_median,
            middle(|pair| pair.operator.starts.p99)?,
            middle(|pair| pair.bare.starts.p99)?,
        )
        .headline(),
        row("stops", stops_ratio_median, middle(|pair| pair.operator.stops.p99)?, middle(|pair| pair.bare.stops.p99)?)
            .headline(),
    ];
    Outcome::new(&Figures { windows: WINDOWS, pairs: measured, starts_ratio_median, stops_ratio_median }, rows)
}

fn row(what: &str, ratio: f64, operator: f64, bare: f64) -> Row {
    let what = format!("{WINDOWS} windows of as many jobs at one instant: {what}, p99 against a bare client's");
    Row::at_most(what, ratio, RATIO_AIM, "×").beside(format!("p99 {operator:.1} ms, bare client {bare:.1} ms"))
}

async fn operator_run(stage: &Stage) -> anyhow::Result<Run> {
    stage.forget_calls().await?;
    let at = seconds_from_now(AHEAD);
    let windows: Vec<Planned> = (0..WINDOWS).map(|i| Planned::new(job(i), at, LENGTH)).collect();
    stage.api.create(&windows).await?;
    until(later(at, LENGTH + 2)).await;
    stage.settled(0, Duration::from_secs(3), Duration::from_mins(1)).await?;
    let run = Run::of(&stage.calls(0).await?, &windows)?;
    stage.api.delete_all().await?;
    stage.settled(0, Duration::from_secs(2), Duration::from_mins(1)).await?;
    Ok(run)
}

async fn bare_run(stage: &Stage, bare: &Bare) -> anyhow::Result<Run> {
    stage.forget_calls().await?;
    let at = seconds_from_now(BARE_AHEAD);
    let windows: Vec<Planned> = (0..WINDOWS).map(|i| Planned::new(job(i), at, BARE_LENGTH)).collect();
    bare.call("activate", WINDOWS, at).await?;
    bare.call("deactivate", WINDOWS, later(at, BARE_LENGTH)).await?;
    // Off again, for the next one.
    until(later(at, BARE_LENGTH + 3)).await;
    Run::of(&stage.calls(0).await?, &windows)
}

impl Run {
    fn of(calls: &[Call], windows: &[Planned]) -> anyhow::Result<Self> {
        let starts = Lateness::of(calls, Operation::Activate, &starts(windows))?;
        let stops = Lateness::of(calls, Operation::Deactivate, &stops(windows))?;
        none_early([&starts, &stops])?;
        Ok(Self { starts, stops })
    }
}

/// The same, fewer of them, with the limits that an account has by default.
pub(super) async fn measure_limited(progress: &Progress) -> anyhow::Result<Outcome> {
    let stage = Stage::set(LIMITED, Limits::Default).await?;
    let _operator = stage.operator()?;
    let at: Timestamp = seconds_from_now(AHEAD);
    let windows: Vec<Planned> = (0..LIMITED).map(|i| Planned::new(job(i), at, LIMITED_LENGTH)).collect();
    stage.api.create(&windows).await?;
    progress.until(later(at, LIMITED_LENGTH), "the stops").await;
    until(later(at, LIMITED_LENGTH + 5)).await;
    stage.settled(0, Duration::from_secs(5), Duration::from_mins(2)).await?;
    let run = Run::of(&stage.calls(0).await?, &windows)?;
    let row = |what: &str, late: &Lateness| {
        Row::plain(
            format!("{LIMITED} windows of as many jobs at one instant: {what}, p99"),
            format!("{:.1} s", late.p99 / 1_000.0),
        )
        .beside(format!("median {:.1} s, max {:.1} s", late.p50 / 1_000.0, late.max / 1_000.0))
    };
    let rows = vec![row("starts", &run.starts), row("stops", &run.stops)];
    Outcome::new(&run, rows)
}
