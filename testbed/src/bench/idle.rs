//! Windows one after another, a second apart, on an operator that has nothing else to do.

use std::time::Duration;

use serde::Serialize;
use simulator::Operation;

use super::lateness::Lateness;
use super::report::{Outcome, Row, close_to};
use super::stage::{Limits, Stage};
use super::windows::{Planned, job, later, seconds_from_now, starts, stops, until};
use super::{Progress, none_early};

/// Windows, and the seconds over which their starts are spread.
const WINDOWS: u32 = 100;
/// From when the windows are made to the first start: they are checked by then.
const AHEAD: i64 = 8;
/// Each window's length in seconds.
const LENGTH: i64 = 15;
const AIM_MS: f64 = 10.0;
const WRITES_AIM: f64 = 8.0;

#[derive(Serialize)]
struct Figures {
    windows: u32,
    seconds: u32,
    starts: Lateness,
    stops: Lateness,
    status_writes_per_window: f64,
}

pub(super) async fn measure(limits: Limits, progress: &Progress) -> anyhow::Result<Outcome> {
    let stage = Stage::set(WINDOWS, limits).await?;
    let _operator = stage.operator()?;
    let first = seconds_from_now(AHEAD);
    let windows: Vec<Planned> =
        (0..WINDOWS).map(|i| Planned::new(job(i), later(first, i64::from(i)), LENGTH)).collect();
    stage.api.create(&windows).await?;
    let last = windows.iter().map(|window| window.stop).max().unwrap_or_default();
    progress.until(last, "the last stop").await;
    until(later(last, 2)).await;
    stage.settled(WINDOWS, Duration::from_secs(3), Duration::from_mins(1)).await?;
    let calls = stage.calls(0).await?;
    let figures = Figures {
        windows: WINDOWS,
        seconds: WINDOWS,
        starts: Lateness::of(&calls, Operation::Activate, &starts(&windows))?,
        stops: Lateness::of(&calls, Operation::Deactivate, &stops(&windows))?,
        status_writes_per_window: close_to(stage.api.status_writes().await?) / f64::from(WINDOWS),
    };
    none_early([&figures.starts, &figures.stops])?;
    Outcome::new(&figures, rows(&figures))
}

fn rows(figures: &Figures) -> Vec<Row> {
    let late = |what: &str, late: &Lateness| {
        Row::at_most(
            format!("{} windows, a second apart, idle operator: {what}, p99", figures.windows),
            late.p99,
            AIM_MS,
            "ms",
        )
        .beside(format!("median {:.1} ms, max {:.1} ms", late.p50, late.max))
    };
    vec![
        late("starts", &figures.starts).headline(),
        late("stops", &figures.stops),
        Row::at_most("status writes in a window's whole life".into(), figures.status_writes_per_window, WRITES_AIM, ""),
    ]
}
