//! The command line.

mod cli;
mod run;

use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory, FromArgMatches};
use jobstartstop::duty::{self, CalledAs};

fn main() -> anyhow::Result<ExitCode> {
    let called = CalledAs::of(std::env::args_os().next().as_deref());
    let command_line = called.named(cli::Cli::command());
    if called == CalledAs::Completer {
        let words: Vec<String> = std::env::args().skip(1).collect();
        print!("{}", duty::complete(&command_line, &words));
        return Ok(ExitCode::SUCCESS);
    }
    let matches = command_line.clone().get_matches();
    match cli::Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit()).command {
        cli::Command::Run(options) => run::run(*options, Arc::new(jobstartstop::controller::Untold))?,
        cli::Command::Crds(options) => cli::crds(&options)?,
        cli::Command::Version(options) => cli::version(&options)?,
        cli::Command::Time(options) => cli::time(&options)?,
        cli::Command::Duty(command) => return Ok(duty::run(*command, called, command_line)),
    }
    Ok(ExitCode::SUCCESS)
}
