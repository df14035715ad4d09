//! The operator with failpoints: at one step, named by the environment, it ends or stops itself. Otherwise it is what
//! src/main.rs is.
//!
//! - `SWEEP_KILL_AT=S4Sent`: SIGKILL when a window first comes to that step.
//! - `SWEEP_STOP_AT=S3Checked`: SIGSTOP there.
//! - `SWEEP_HIT_FILE=path`: the step is written there before.

#[path = "../../src/cli.rs"]
mod cli;
#[path = "../../src/run.rs"]
mod run;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Parser;
use jobstartstop::controller::{Step, Steps};
use rustix::process::{Signal, getpid, kill_process};

#[derive(Debug)]
struct Failpoint {
    at: Option<Step>,
    signal: Signal,
    hit_file: Option<PathBuf>,
    hit: AtomicBool,
}

impl Failpoint {
    fn from_environment() -> Self {
        let named = |name: &str| {
            let word = std::env::var(name).ok()?;
            Step::ALL.iter().copied().find(|step| step.as_str() == word)
        };
        let (at, signal) = match (named("SWEEP_KILL_AT"), named("SWEEP_STOP_AT")) {
            (None, frozen) => (frozen, Signal::STOP),
            (kill, _) => (kill, Signal::KILL),
        };
        Self {
            at,
            signal,
            hit_file: std::env::var_os("SWEEP_HIT_FILE").map(PathBuf::from),
            hit: AtomicBool::new(false),
        }
    }

    fn strike(&self, step: Step) {
        if let Some(path) = &self.hit_file {
            let _ = std::fs::write(path, step.as_str());
        }
        let _ = kill_process(getpid(), self.signal);
    }
}

impl Steps for Failpoint {
    fn reached(&self, step: Step) {
        if self.at != Some(step) || self.hit.swap(true, Ordering::SeqCst) {
            return;
        }
        if matches!(step, Step::S4Sent | Step::P3Sent) {
            // The request is with its connection, which needs this thread to write it. The vendor answers later than
            // that.
            let late =
                Self { at: self.at, signal: self.signal, hit_file: self.hit_file.clone(), hit: AtomicBool::new(true) };
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(100));
                late.strike(step);
            });
        } else {
            self.strike(step);
        }
    }
}

fn main() -> anyhow::Result<()> {
    match cli::Cli::parse().command {
        cli::Command::Run(options) => run::run(*options, Arc::new(Failpoint::from_environment())),
        cli::Command::Crds(options) => cli::crds(&options),
    }
}
