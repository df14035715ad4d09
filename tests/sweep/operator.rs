//! The operator with failpoints: at one step, named by the environment, it ends or stops itself. Otherwise it is what
//! src/main.rs is.
//!
//! - `SWEEP_KILL_AT=S4Sent`: SIGKILL when a window first comes to that step; `S4Sent:20`: when one does for the 20th time.
//! - `SWEEP_STOP_AT=S3Checked`: SIGSTOP there.
//! - `SWEEP_HIT_FILE=path`: the step is written there before.

#[path = "../../src/cli.rs"]
mod cli;
#[path = "../../src/run.rs"]
mod run;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use jobstartstop::controller::{Step, Steps};
use rustix::process::{Signal, getpid, kill_process};

#[derive(Debug)]
struct Failpoint {
    at: Option<(Step, u32)>,
    signal: Signal,
    hit_file: Option<PathBuf>,
    reached: AtomicU32,
}

impl Failpoint {
    fn from_environment() -> Self {
        let (at, signal) = match (place("SWEEP_KILL_AT"), place("SWEEP_STOP_AT")) {
            (None, frozen) => (frozen, Signal::STOP),
            (kill, _) => (kill, Signal::KILL),
        };
        let hit_file = std::env::var_os("SWEEP_HIT_FILE").map(PathBuf::from);
        Self { at, signal, hit_file, reached: AtomicU32::new(0) }
    }
}

/// A step, and the how manieth time it is come to.
fn place(variable: &str) -> Option<(Step, u32)> {
    let word = std::env::var(variable).ok()?;
    let (name, time) = word.split_once(':').unwrap_or((&word, "1"));
    let step = Step::ALL.iter().copied().find(|step| step.as_str() == name)?;
    Some((step, time.parse().ok()?))
}

fn strike(step: Step, signal: Signal, hit_file: Option<&Path>) {
    if let Some(path) = hit_file {
        let _ = std::fs::write(path, step.as_str());
    }
    let _ = kill_process(getpid(), signal);
    // SIGKILL takes this thread with it right here. SIGSTOP is for any of the threads to take, and this one would go on
    // until that has run: it goes on once the process has stood still.
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(10) {
        let before = Instant::now();
        std::thread::sleep(Duration::from_millis(5));
        if before.elapsed() > Duration::from_secs(1) {
            return;
        }
    }
}

impl Steps for Failpoint {
    fn reached(&self, step: Step) {
        let Some((at, time)) = self.at else { return };
        if at != step || self.reached.fetch_add(1, Ordering::SeqCst) + 1 != time {
            return;
        }
        if matches!(step, Step::S4Sent | Step::P3Sent | Step::W3Sent | Step::U3Sent | Step::C3Sent) {
            // The request is with its connection, which needs this thread to write it. The vendor answers later than
            // that.
            let (signal, hit_file) = (self.signal, self.hit_file.clone());
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(100));
                strike(step, signal, hit_file.as_deref());
            });
        } else {
            strike(step, self.signal, self.hit_file.as_deref());
        }
    }
}

fn main() -> anyhow::Result<()> {
    match cli::Cli::parse().command {
        cli::Command::Run(options) => run::run(*options, Arc::new(Failpoint::from_environment())),
        cli::Command::Crds(options) => cli::crds(&options),
        cli::Command::Version(options) => cli::version(&options),
        cli::Command::Time(options) => cli::time(&options),
        cli::Command::Duty(_) => anyhow::bail!("this program is for the sweep: it runs as the operator, and no more"),
    }
}
