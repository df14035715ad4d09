//! The testbed on the command line.

mod bench;
mod demo;

use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::Instant,
};

use anyhow::Context as _;
use clap::{Parser, Subcommand, ValueEnum};
use testbed::{ControlPlane, Options, Tool, binaries};

/// A real Kubernetes API on this machine, without containers: etcd and kube-apiserver on free ports, gone
/// without a trace when they are no longer needed.
#[derive(Debug, Parser)]
#[command(name = "testbed", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Finds or builds the programs, once per user, and prints where they are.
    ///
    /// The variable `KUBEBUILDER_ASSETS` may name a folder that has them. Building takes minutes and needs Go 1.26, or
    /// Python with pip to get it.
    Binaries {
        /// Programs beside etcd, kube-apiserver and kubectl.
        #[arg(long, value_delimiter = ',', value_name = "NAME")]
        with: Vec<More>,
    },
    /// Starts a control plane and keeps it until Ctrl-C.
    Up {
        /// Also start kube-controller-manager: namespaces then go when deleted, and owned objects with
        /// their owner.
        #[arg(long)]
        controller_manager: bool,
    },
    /// Shows the operator at work, in half a minute: five windows on four channels of a simulated Live API.
    ///
    /// Applies `examples/demo` with times from now on, and exits with 0 only if all went as it should.
    Demo(demo::Args),
    /// Measures how late calls are, with the programs of `TESTBED_BIN_DIR`.
    Bench(bench::Args),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum More {
    ControllerManager,
    Helm,
    Promtool,
    #[value(name = "openmetrics")]
    OpenMetrics,
    Verdicts,
}

fn main() -> anyhow::Result<ExitCode> {
    match Cli::parse().command {
        Command::Binaries { with } => list_binaries(&with)?,
        Command::Up { controller_manager } => up(controller_manager)?,
        Command::Demo(args) => return demo::run(&args),
        Command::Bench(args) => bench::run(&args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list_binaries(with: &[More]) -> anyhow::Result<()> {
    let mut tools = Tool::BASIC.to_vec();
    tools.extend(with.iter().map(|more| match more {
        More::ControllerManager => Tool::KubeControllerManager,
        More::Helm => Tool::Helm,
        More::Promtool => Tool::Promtool,
        More::OpenMetrics => Tool::OpenMetrics,
        More::Verdicts => Tool::Verdicts,
    }));
    binaries::ensure(&tools)?;
    for tool in tools {
        writeln!(io::stdout(), "{}", binaries::path(tool)?.display())?;
    }
    Ok(())
}

fn up(controller_manager: bool) -> anyhow::Result<()> {
    let began = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut start =
        runtime.spawn_blocking(move || ControlPlane::start(&Options { controller_manager, ..Options::default() }));
    let plane = runtime.block_on(async {
        tokio::select! {
            plane = &mut start => plane?.map(Some).map_err(anyhow::Error::from),
            signal = end_signal() => signal.map(|()| None),
        }
    })?;
    let Some(plane) = plane else {
        // Not waiting for the start: what it has begun ends with this program.
        runtime.shutdown_background();
        return Ok(());
    };
    writeln!(
        io::stdout(),
        "ready after {:.1} s; Ctrl-C ends it\n\n  export KUBECONFIG={}\n  alias kubectl={}\n  \
         kubectl get namespaces\n\nlogs: {}",
        began.elapsed().as_secs_f32(),
        plane.kubeconfig().display(),
        plane.kubectl().program().display(),
        plane.run().path().display(),
    )?;
    runtime.block_on(end_signal())?;
    plane.stop();
    Ok(())
}

async fn end_signal() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    tokio::select! {
        outcome = tokio::signal::ctrl_c() => outcome.context("listening for Ctrl-C"),
        _ = terminate.recv() => Ok(()),
    }
}
