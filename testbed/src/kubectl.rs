use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    command::{self, Output},
    error::Result,
};

/// `kubectl` as one user of one cluster.
#[derive(Clone, Debug)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
    cache: PathBuf,
}

impl Kubectl {
    /// `cache`: kubectl remembers a server's resources by its address, and our ports return with other
    /// servers behind them, so the user's own cache would tell it wrong.
    pub(crate) fn new(program: PathBuf, kubeconfig: PathBuf, cache: PathBuf) -> Self {
        Self { program, kubeconfig, cache }
    }

    /// The same cluster as another user.
    #[must_use]
    pub fn with_kubeconfig(&self, kubeconfig: impl Into<PathBuf>) -> Self {
        Self { kubeconfig: kubeconfig.into(), ..self.clone() }
    }

    /// The program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Runs it, whatever the outcome.
    pub fn run(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<Output> {
        self.run_with_input(args, "")
    }

    /// Runs it with something on its standard input, whatever the outcome.
    pub fn run_with_input(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>, input: &str) -> Result<Output> {
        let args: Vec<OsString> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        let mut command = Command::new(&self.program);
        command.arg("--kubeconfig").arg(&self.kubeconfig).arg("--cache-dir").arg(&self.cache).args(&args);
        command::run(command, command::line("kubectl", &args), input)
    }

    /// Runs it and returns its standard output; an exit code other than 0 is an error.
    pub fn ok(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<String> {
        self.run(args)?.ok()
    }

    /// Applies manifests; a refusal is an error with the server's words.
    pub fn apply(&self, yaml: &str) -> Result<String> {
        self.run_with_input(["apply", "-f", "-"], yaml)?.ok()
    }
}
