//! `testbed demo`: five windows on four channels, from the first start to the last stop, in half a minute; their calls made
//! by the operator, or by the Live API's own scheduler.

mod board;
mod kubernetes;
mod manifest;
mod screen;
mod show;
mod stage;
mod story;
mod table;
mod told;
mod verdict;
mod workflows;

use std::{
    io::{self, Write as _},
    process::ExitCode,
    str::FromStr,
    time::Duration,
};

use anyhow::Context as _;
use clap::ValueEnum;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The control plane takes about three seconds to start, and is to have ended before we do.
const UNWIND_WITHIN: Duration = Duration::from_secs(10);

/// How to run the demo.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Let the Live API misbehave towards one channel, to see what the operator makes of it; the demo then
    /// fails, and says why. A stop that the Live API's own scheduler loses is made good, and nothing fails
    #[arg(long, value_name = "HOW")]
    sabotage: Option<Sabotage>,
    /// Who makes the calls of the windows: `Operator`, or `LiveScheduler`, the Live API's own scheduler
    #[arg(long, default_value = Executor::Operator.as_str())]
    executor: Executor,
    /// Leave everything running afterwards, until Ctrl-C
    #[arg(long)]
    keep: bool,
}

/// Who makes the calls of the demo's windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Executor {
    Operator,
    /// The Live API's own scheduler.
    LiveScheduler,
}

impl Executor {
    /// The word of `spec.executor`.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "Operator",
            Self::LiveScheduler => "LiveScheduler",
        }
    }
}

impl FromStr for Executor {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let all = [Self::Operator, Self::LiveScheduler];
        all.into_iter().find(|executor| executor.as_str() == word).ok_or("it is Operator or LiveScheduler")
    }
}

/// What goes wrong at the Live API, with the evening news.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Sabotage {
    /// It refuses every start (400), its own scheduler's, too: the channel never goes on air
    RefuseStart,
    /// It loses every stop (no answer, nothing done): the channel stays on air, and is billed. Its own scheduler forgets
    /// to make it: the operator does
    LoseStop,
}

/// Runs it to its end, or to Ctrl-C; either way nothing of it is left.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        let mut interruption = Interruption::listen()?;
        // Dropping the story ends what it has started.
        tokio::select! {
            biased;
            code = interruption.told() => Ok(code),
            ending = story::tell(args) => ending.map(|all_well| ExitCode::from(u8::from(!all_well))),
        }
    });
    runtime.shutdown_timeout(UNWIND_WITHIN);
    Ok(outcome.unwrap_or_else(|error| {
        // Without a backtrace, whatever the environment says: it would bury the reason.
        writeln!(io::stderr(), "\nthe demo could not go on: {error:#}").ok();
        ExitCode::FAILURE
    }))
}

/// Does something that blocks, on a thread where it may.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> testbed::Result<T> + Send + 'static) -> anyhow::Result<T> {
    Ok(tokio::task::spawn_blocking(work).await??)
}

/// The signals that end the demo from outside.
struct Interruption {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Interruption {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("listening for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    /// Waits for one, says so, and gives the exit code that shells expect of it.
    async fn told(&mut self) -> ExitCode {
        let kind = tokio::select! {
            _ = self.interrupt.recv() => 2,
            _ = self.terminate.recv() => 15,
            _ = self.hang_up.recv() => 1,
        };
        // The terminal may be gone; what has to end ends all the same.
        writeln!(io::stdout(), "\ninterrupted: ending the operator, the Live API and Kubernetes").ok();
        ExitCode::from(128 + kind)
    }
}
