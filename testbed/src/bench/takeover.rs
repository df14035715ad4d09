//! Two operators, one of which leads, and what becomes of the calls when that one goes.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use simulator::{Call, Operation};
use testbed::{Operator, Signal};

use super::Progress;
use super::lateness::{median, millis};
use super::log;
use super::report::{Outcome, Row};
use super::stage::{Limits, Stage};
use super::windows::{Planned, earlier, job, later, seconds_from_now, until};

/// Takeovers after SIGTERM, and the aim for nobody leading.
const HANDOVERS: u32 = 5;
const HANDOVER_AIM_MS: f64 = 1_000.0;
/// Kills, so many milliseconds after (before) the time of the window.
const KILLS: [i64; 3] = [-250, 0, 250];
/// One for each takeover.
const JOBS: u32 = HANDOVERS + 3;
/// The lease's 15 s and 2 s.
const KILL_AIM_S: f64 = 17.0;
/// From when a window is made to its start: it is checked and claimed by then.
const AHEAD: i64 = 8;
/// How long a start may be missing.
const CALLED_WITHIN: i64 = 30;
const LENGTH: i64 = 3_600;

#[derive(Serialize)]
struct Figures {
    handovers: Vec<Handover>,
    kills: Vec<Kill>,
}

/// After SIGTERM.
#[derive(Serialize)]
struct Handover {
    /// From the leader's last word that it calls no more to the other's that it leads.
    nobody_millis: f64,
    /// Of a window due at the instant of the signal.
    late_millis: f64,
}

/// After SIGKILL.
#[derive(Serialize)]
struct Kill {
    /// From the time of the window to the signal.
    killed_after_millis: i64,
    calls: usize,
    late_seconds: f64,
}

pub(super) async fn measure(progress: &Progress) -> anyhow::Result<Outcome> {
    let stage = Stage::set(JOBS, Limits::None).await?;
    let mut pair = Pair { leader: stage.operator()?, standby: stage.operator()? };
    let mut figures = Figures { handovers: Vec::new(), kills: Vec::new() };
    for number in 0..HANDOVERS {
        let handover = handover(&stage, &pair, number).await?;
        progress.say(&format!(
            "SIGTERM {} of {HANDOVERS}: nobody led for {:.0} ms; the window due then was {:.1} ms late",
            number + 1,
            handover.nobody_millis,
            handover.late_millis
        ));
        figures.handovers.push(handover);
        pair.swap().await?;
    }
    for (number, after) in (HANDOVERS..).zip(KILLS) {
        let kill = kill(&stage, &pair, number, after).await?;
        progress
            .say(&format!("SIGKILL {after} ms after T1: called {} times, {:.3} s late", kill.calls, kill.late_seconds));
        figures.kills.push(kill);
        pair.swap().await?;
    }
    let rows = rows(&figures)?;
    Outcome::new(&figures, rows)
}

fn rows(figures: &Figures) -> anyhow::Result<Vec<Row>> {
    let most = |figures: &[f64]| figures.iter().copied().fold(0.0, f64::max);
    let nobody: Vec<f64> = figures.handovers.iter().map(|handover| handover.nobody_millis).collect();
    let late: Vec<f64> = figures.handovers.iter().map(|handover| handover.late_millis).collect();
    let killed: Vec<f64> = figures.kills.iter().map(|kill| kill.late_seconds).collect();
    let once = figures.kills.iter().all(|kill| kill.calls == 1);
    let (median_nobody, median_late) =
        (median(&nobody).context("no handovers")?, median(&late).context("no handovers")?);
    Ok(vec![
        Row::at_most("SIGTERM of the leader: nobody leads".into(), most(&nobody), HANDOVER_AIM_MS, "ms").beside(format!(
            "the longest of {}, median {median_nobody:.0} ms; a window due at that instant was {median_late:.0} ms late, \
             max {:.0} ms",
            nobody.len(),
            most(&late)
        )),
        Row::at_most("SIGKILL of the leader at the start time: lateness".into(), most(&killed), KILL_AIM_S, "s")
            .and(once)
            .beside(format!(
                "the latest of kills {} ms after; {}",
                KILLS.map(|after| after.to_string()).join(", "),
                if once { "each called once" } else { "NOT each called once" }
            )),
    ])
}

/// Who leads, and who stands by.
struct Pair {
    leader: Operator,
    standby: Operator,
}

impl Pair {
    /// The standby has taken over; the other comes back as the standby.
    async fn swap(&mut self) -> anyhow::Result<()> {
        std::mem::swap(&mut self.leader, &mut self.standby);
        self.standby.restart()?;
        // Its watches are warm; the lease's record is seen.
        tokio::time::sleep(Duration::from_secs(3)).await;
        Ok(())
    }
}

async fn planned(stage: &Stage, number: u32) -> anyhow::Result<Planned> {
    let window = Planned::new(job(number), seconds_from_now(AHEAD), LENGTH);
    stage.api.create(std::slice::from_ref(&window)).await?;
    Ok(window)
}

async fn handover(stage: &Stage, pair: &Pair, number: u32) -> anyhow::Result<Handover> {
    let window = planned(stage, number).await?;
    // So long before that the signal is there first: the window is the next leader's.
    let signalled = earlier(window.start, SignedDuration::from_millis(50));
    until(signalled).await;
    pair.leader.process().signal(Signal::Term)?;
    let leads = leads(&pair.standby, signalled).await?;
    let ends = log::said(&pair.leader, log::CALLS_NO_MORE, signalled).context("the leader did not end in order")?;
    let call = only_call(stage, &window).await?;
    Ok(Handover {
        nobody_millis: leads.duration_since(ends).as_secs_f64() * 1_000.0,
        late_millis: millis(call.received_us - window.start.as_microsecond()),
    })
}

async fn kill(stage: &Stage, pair: &Pair, number: u32, after: i64) -> anyhow::Result<Kill> {
    let window = planned(stage, number).await?;
    let at = earlier(window.start, SignedDuration::from_millis(-after));
    until(at).await;
    pair.leader.process().kill9()?;
    leads(&pair.standby, at).await?;
    // Long enough for a second call to show.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let calls = calls_of(stage, &window).await?;
    let first = calls.first().with_context(|| format!("{} was never called", window.job))?;
    Ok(Kill {
        killed_after_millis: after,
        calls: calls.len(),
        late_seconds: millis(first.received_us - window.start.as_microsecond()) / 1_000.0,
    })
}

/// When the operator leads.
async fn leads(operator: &Operator, since: Timestamp) -> anyhow::Result<Timestamp> {
    let began = Instant::now();
    loop {
        if let Some(at) = log::said(operator, log::LEADS, since) {
            return Ok(at);
        }
        ensure!(began.elapsed() < Duration::from_mins(1), "the standby does not lead after 60 s");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The start of this window; it was called once.
async fn only_call(stage: &Stage, window: &Planned) -> anyhow::Result<Call> {
    let latest = later(window.start, CALLED_WITHIN);
    while calls_of(stage, window).await?.is_empty() && Timestamp::now() < latest {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut calls = calls_of(stage, window).await?;
    ensure!(calls.len() == 1, "{}: {} calls instead of one", window.job, calls.len());
    calls.pop().context("no call")
}

async fn calls_of(stage: &Stage, window: &Planned) -> anyhow::Result<Vec<Call>> {
    let mut calls = stage.calls(0).await?;
    calls.retain(|call| call.operation == Operation::Activate && call.job.as_deref() == Some(window.job.as_str()));
    Ok(calls)
}
