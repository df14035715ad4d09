//! `testbed bench`: how late calls are, what many windows occupy, and what a takeover takes.
//!
//! Real processes, release builds, one machine. Lateness is the time at which the simulator received a call less the
//! time that was planned for it: the operator's own word for it is not asked.

mod apiserver;
mod bare;
mod idle;
mod instant;
mod lateness;
mod log;
mod machine;
mod memory;
mod population;
mod report;
mod stage;
mod takeover;
mod windows;

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::ValueEnum;
use jiff::Timestamp;

use lateness::Lateness;
use machine::Ground;
use population::Population;
use report::{Measured, Outcome, Report, write_between_markers};
use stage::Limits;

const NAMESPACE: &str = "bench";

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Measure these only; without it all but the last one
    #[arg(long, value_delimiter = ',', value_name = "SCENARIO")]
    only: Vec<Scenario>,
    /// Measure with 100,000 windows, too
    #[arg(long)]
    full: bool,
    /// How often the operator and the bare client take turns
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=99))]
    pairs: u32,
    /// Write the tables between the bench markers of this file
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
    /// Write an extract between the bench markers of this file
    #[arg(long, value_name = "FILE")]
    readme: Option<PathBuf>,
    /// Write all figures as JSON to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// 100 windows over 100 s
    Idle,
    /// 1,000 windows at one instant, beside a bare client
    Instant,
    /// 1,000 windows far ahead
    Thousand,
    /// 10,000 windows far ahead, and restarts
    TenThousand,
    /// The leader ends, or is killed
    Takeover,
    /// As idle, with the default limits of an account
    IdleLimited,
    /// 100 windows at one instant, with the default limits of an account
    InstantLimited,
    /// 100,000 windows far ahead, and restarts
    HundredThousand,
}

/// Says how far the bench has come.
struct Progress {
    scenario: &'static str,
    began: Instant,
}

impl Progress {
    fn say(&self, what: &str) {
        let seconds = self.began.elapsed().as_secs();
        writeln!(io::stderr(), "bench {:02}:{:02} {}: {what}", seconds / 60, seconds % 60, self.scenario).ok();
    }

    /// Sleeps until then, and says now and then how long that is.
    async fn until(&self, at: Timestamp, what: &str) {
        loop {
            let left = at.duration_since(Timestamp::now());
            if !left.is_positive() {
                return;
            }
            self.say(&format!("{} s until {what}", left.as_secs()));
            let step = Duration::try_from(left).unwrap_or_default().min(Duration::from_secs(30));
            tokio::time::sleep(step).await;
        }
    }
}

/// Measures, and prints the tables.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let report = runtime.block_on(measure_all(args))?;
    writeln!(io::stdout(), "\n{}", report.tables())?;
    if let Some(path) = &args.page {
        write_between_markers(path, &report.tables())?;
    }
    if let Some(path) = &args.readme {
        write_between_markers(path, &report.extract())?;
    }
    let failed: Vec<&str> = report.scenarios.iter().filter_map(Measured::failure).collect();
    ensure!(failed.is_empty(), "not all was measured:\n{}", failed.join("\n"));
    Ok(())
}

async fn measure_all(args: &Args) -> anyhow::Result<Report> {
    let began = Instant::now();
    let kubernetes = stage::Stage::set(0, Limits::None).await?.api.version().await?;
    let mut report = Report { ground: Ground::survey(kubernetes), scenarios: Vec::new() };
    for scenario in args.scenarios() {
        let progress = Progress { scenario: scenario.name(), began };
        let since = Instant::now();
        progress.say("begins");
        let outcome = scenario.measure(args, &progress).await;
        if let Err(error) = &outcome {
            progress.say(&format!("not measured: {error:#}"));
        }
        let seconds = since.elapsed().as_secs();
        report.scenarios.push(Measured::new(scenario.name(), scenario.is_limited(), outcome, seconds));
        // After each: half an hour of measuring is not lost with the rest.
        args.keep(&report)?;
    }
    Ok(report)
}

impl Args {
    fn keep(&self, report: &Report) -> anyhow::Result<()> {
        let Some(path) = &self.json else { return Ok(()) };
        let json = serde_json::to_string_pretty(report)?;
        fs::write(path, json + "\n").with_context(|| format!("writing {}", path.display()))
    }

    fn scenarios(&self) -> Vec<Scenario> {
        let asked_for = |scenario: &Scenario| {
            if self.only.is_empty() {
                self.full || *scenario != Scenario::HundredThousand
            } else {
                self.only.contains(scenario)
            }
        };
        Scenario::value_variants().iter().copied().filter(asked_for).collect()
    }
}

impl Scenario {
    fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Instant => "instant",
            Self::Thousand => "thousand",
            Self::TenThousand => "ten-thousand",
            Self::Takeover => "takeover",
            Self::IdleLimited => "idle-limited",
            Self::InstantLimited => "instant-limited",
            Self::HundredThousand => "hundred-thousand",
        }
    }

    /// Whether the account has its default limits.
    fn is_limited(self) -> bool {
        matches!(self, Self::IdleLimited | Self::InstantLimited)
    }

    async fn measure(self, args: &Args, progress: &Progress) -> anyhow::Result<Outcome> {
        let many = |windows, memory, restart, calls| Population { windows, memory, restart, calls };
        match self {
            Self::Idle => idle::measure(Limits::None, progress).await,
            Self::IdleLimited => idle::measure(Limits::Default, progress).await,
            Self::Instant => instant::measure(args.pairs, progress).await,
            Self::InstantLimited => instant::measure_limited(progress).await,
            Self::Thousand => many(1_000, Some(30.0), None, false).measure(progress).await,
            Self::TenThousand => many(10_000, None, Some(100.0), true).measure(progress).await,
            Self::HundredThousand => many(100_000, Some(400.0), Some(500.0), false).measure(progress).await,
            Self::Takeover => takeover::measure(progress).await,
        }
    }
}

/// The one thing that no figure makes up for.
fn none_early<'a>(figures: impl IntoIterator<Item = &'a Lateness>) -> anyhow::Result<()> {
    let early: usize = figures.into_iter().map(|late| late.early).sum();
    ensure!(early == 0, "{early} calls were received before their planned time");
    Ok(())
}
