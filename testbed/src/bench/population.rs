//! Many windows that are far ahead: what they occupy, what they cost the Live API, and how soon after a restart one that
//! is due is called.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use simulator::{Call, Operation};
use testbed::Operator;

use super::Progress;
use super::lateness::{median, millis};
use super::log;
use super::memory::Memory;
use super::report::{Outcome, Row, close_to};
use super::stage::{Limits, Stage};
use super::windows::{Planned, earlier, job, later, seconds_from_now, until};

/// When the far windows start: in two months, and after that one each second.
const FAR_AHEAD: i64 = 60 * 24 * 3_600;
const LENGTH: i64 = 3_600;
const MEMORY_AFTER: Duration = Duration::from_mins(1);
/// How long calls for far windows are counted.
const COUNTED: Duration = Duration::from_mins(3);
const RESTARTS: u32 = 3;
const LEADS_WITHIN: Duration = Duration::from_mins(10);
/// Near windows of one restart, a second apart: so many for each so many far ones, and at least the latter. How long a
/// process takes until it leads varies with how many windows it has to list.
const NEAR: (u32, u32) = (2_000, 8);
/// A call that is later than so many seconds is no figure any more.
const PATIENCE: i64 = 30;
/// They are made so many seconds before the restart.
const NEAR_AHEAD: i64 = 4;

/// What is measured with so many windows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Population {
    pub(super) windows: u32,
    /// The memory aimed at, in mebibytes.
    pub(super) memory: Option<f64>,
    /// How late the first call after a restart may be, in milliseconds; `None`: no restart is measured.
    pub(super) restart: Option<f64>,
    /// Whether calls are counted.
    pub(super) calls: bool,
}

#[derive(Serialize)]
struct Figures {
    windows: u32,
    /// Of the process that saw them first, wrote their statuses and had their jobs read.
    at_first: Memory,
    /// 60 s after ready, of one that finds all that done.
    after_restart: Memory,
    calls: Option<Calls>,
    restarts: Vec<Restart>,
}

#[derive(Serialize)]
struct Calls {
    seconds: u64,
    counted: usize,
    per_hour: f64,
}

/// One restart: what came how long after it, in milliseconds.
#[derive(Serialize)]
struct Restart {
    until_leading: f64,
    /// From when it leads to the time of the window.
    due_after: f64,
    late: f64,
}

impl Population {
    pub(super) async fn measure(self, progress: &Progress) -> anyhow::Result<Outcome> {
        let near = if self.restart.is_some() { self.near_ones() * RESTARTS } else { 0 };
        let stage = Stage::set(self.windows + near, Limits::None).await?;
        let operator = stage.operator()?;
        progress.say(&format!("making {} windows", self.windows));
        let first = seconds_from_now(FAR_AHEAD);
        let far = (0..self.windows).map(|i| Planned::new(job(i), later(first, i64::from(i)), LENGTH));
        stage.api.create(&far.collect::<Vec<_>>()).await?;
        progress.say("made; until each has its status and its job was read");
        stage.settled(self.windows, Duration::from_secs(10), Duration::from_mins(30)).await?;
        let at_first = Memory::of(operator.process())?;
        restart(&operator).await?;
        progress.say("restarted; memory after 60 s");
        tokio::time::sleep(MEMORY_AFTER).await;
        let after_restart = Memory::of(operator.process())?;
        let calls = if self.calls { Some(count_calls(&stage, progress).await?) } else { None };
        let restarts =
            if self.restart.is_some() { self.restarts(&stage, &operator, progress).await? } else { Vec::new() };
        let figures = Figures { windows: self.windows, at_first, after_restart, calls, restarts };
        Outcome::new(&figures, self.rows(&figures)?)
    }

    /// The first one tells how long it takes until the process leads; the windows of the others are planned by that.
    async fn restarts(&self, stage: &Stage, operator: &Operator, progress: &Progress) -> anyhow::Result<Vec<Restart>> {
        let mut expected = restart(operator).await?.leading_after();
        let mut restarts = Vec::new();
        for number in 0..RESTARTS {
            let near = self.near(number, expected);
            stage.api.create(&near).await?;
            until(earlier(near[0].start, expected)).await;
            let led = restart(operator).await?;
            let restart = called(stage, &near, &led).await?;
            progress.say(&format!(
                "restart {} of {RESTARTS}: leading after {:.0} ms; a window due {:.0} ms later was called {:.1} ms late",
                number + 1,
                restart.until_leading,
                restart.due_after,
                restart.late
            ));
            expected = led.leading_after();
            restarts.push(restart);
        }
        Ok(restarts)
    }

    fn near_ones(&self) -> u32 {
        let (for_each, least) = NEAR;
        (self.windows / for_each).max(least)
    }

    /// Windows a second apart from when the process is expected to lead.
    fn near(&self, number: u32, expected: SignedDuration) -> Vec<Planned> {
        let first = seconds_from_now(NEAR_AHEAD + expected.as_secs());
        let near = self.near_ones();
        let jobs = self.windows + number * near..self.windows + (number + 1) * near;
        jobs.zip(0..).map(|(number, second)| Planned::new(job(number), later(first, second), LENGTH)).collect()
    }

    fn rows(&self, figures: &Figures) -> anyhow::Result<Vec<Row>> {
        let Figures { windows, at_first, after_restart, .. } = figures;
        let what = format!("resident memory, {windows} windows, 60 s after ready");
        let memory = match self.memory {
            Some(aim) => Row::at_most(what, after_restart.resident, aim, "MiB"),
            None => Row::plain(what, format!("{:.1} MiB", after_restart.resident)),
        };
        let peaks = format!(
            "peak {:.1} MiB; of the process that saw them first {:.1}, peak {:.1}",
            after_restart.peak, at_first.resident, at_first.peak
        );
        let mut rows = vec![memory.beside(peaks)];
        if let Some(calls) = &figures.calls {
            let what = format!("Live API calls per hour of {windows} windows in two months");
            rows.push(
                Row::at_most(what, calls.per_hour, 0.0, "")
                    .beside(format!("{} calls in {} s, scaled", calls.counted, calls.seconds)),
            );
        }
        if let Some(aim) = self.restart {
            let of = |what: fn(&Restart) -> f64| figures.restarts.iter().map(what).collect::<Vec<_>>();
            let late = of(|restart| restart.late);
            let most = late.iter().copied().fold(0.0, f64::max);
            let leading = median(&of(|restart| restart.until_leading)).context("no restarts")?;
            let what = format!("restart with {windows} windows, one due 1 s after leading begins: lateness");
            rows.push(Row::at_most(what, median(&late).context("no restarts")?, aim, "ms").beside(format!(
                "of {} the median; max {most:.1} ms; leading {leading:.0} ms after the old process was asked to end",
                late.len()
            )).headline());
        }
        Ok(rows)
    }
}

/// When a process was asked to end, and when the next one led.
struct Led {
    asked: Timestamp,
    leading: Timestamp,
}

impl Led {
    fn leading_after(&self) -> SignedDuration {
        self.leading.duration_since(self.asked)
    }
}

/// Ends the process in order, starts the next one, and waits until that leads.
async fn restart(operator: &Operator) -> anyhow::Result<Led> {
    let (asked, began) = (Timestamp::now(), Instant::now());
    operator.process().restart()?;
    loop {
        if let Some(leading) = log::said(operator, log::LEADS, asked) {
            return Ok(Led { asked, leading });
        }
        ensure!(operator.process().is_running(), "the operator has ended; see {}", operator.process().log().display());
        ensure!(began.elapsed() < LEADS_WITHIN, "the operator does not lead after {} s", LEADS_WITHIN.as_secs());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// How late the first window was called that was due a second or more after the process led.
async fn called(stage: &Stage, near: &[Planned], led: &Led) -> anyhow::Result<Restart> {
    let due = near.iter().find(|window| window.start.duration_since(led.leading) >= SignedDuration::from_secs(1));
    let due = due.context("the process led later than expected: every window was due before")?;
    until(later(due.start, 2)).await;
    let mut calls = stage.calls(0).await?;
    let of_it = |call: &&Call| call.operation == Operation::Activate && call.job.as_deref() == Some(due.job.as_str());
    let patience = later(due.start, PATIENCE);
    while !calls.iter().any(|call| of_it(&call)) {
        ensure!(Timestamp::now() < patience, "{} was not called within {PATIENCE} s", due.job);
        tokio::time::sleep(Duration::from_millis(500)).await;
        calls = stage.calls(0).await?;
    }
    let mut of_it = calls.iter().filter(of_it);
    let (call, second) = (of_it.next().context("it was there")?, of_it.next());
    ensure!(second.is_none(), "{} was called twice", due.job);
    Ok(Restart {
        until_leading: millis(micros(led.leading_after())),
        due_after: millis(micros(due.start.duration_since(led.leading))),
        late: millis(call.received_us - due.start.as_microsecond()),
    })
}

async fn count_calls(stage: &Stage, progress: &Progress) -> anyhow::Result<Calls> {
    progress.say(&format!("counting calls of the Live API for {} s", COUNTED.as_secs()));
    stage.settled(0, Duration::from_secs(10), Duration::from_mins(5)).await?;
    stage.forget_calls().await?;
    tokio::time::sleep(COUNTED).await;
    let counted = stage.calls(0).await?.len();
    let per_hour = close_to(counted as u64) * 3_600.0 / COUNTED.as_secs_f64();
    Ok(Calls { seconds: COUNTED.as_secs(), counted, per_hour })
}

fn micros(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
