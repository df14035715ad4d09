//! The command line.

mod cli;
mod run;

use std::sync::Arc;

use clap::Parser;

fn main() -> anyhow::Result<()> {
    match cli::Cli::parse().command {
        cli::Command::Run(options) => run::run(*options, Arc::new(jobstartstop::controller::Untold)),
        cli::Command::Crds(options) => cli::crds(&options),
        cli::Command::Version(options) => cli::version(&options),
        cli::Command::Time(options) => cli::time(&options),
    }
}
