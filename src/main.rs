//! The command line.

mod cli;
mod run;

use clap::Parser;

fn main() -> anyhow::Result<()> {
    match cli::Cli::parse().command {
        cli::Command::Run(options) => run::run(*options),
        cli::Command::Crds(options) => cli::crds(&options),
    }
}
