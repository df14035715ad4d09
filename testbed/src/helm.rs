use std::{
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    binaries::{self, Tool},
    command::{self, Output},
    error::Result,
    run::Run,
};

/// `helm` as one user of one cluster, or of none. Nothing of the person's own settings and caches is read or written.
#[derive(Clone, Debug)]
pub struct Helm {
    program: PathBuf,
    kubeconfig: PathBuf,
    home: PathBuf,
}

impl Helm {
    /// For what needs no cluster: to lint, to render, to package. It is built first where it has to be.
    pub fn without_cluster(run: &Run) -> Result<Self> {
        // A file that is not there: an attempt to reach a cluster fails, whatever else the machine has.
        Self::new(run, &run.path().join("no-cluster"))
    }

    pub(crate) fn new(run: &Run, kubeconfig: &Path) -> Result<Self> {
        let home = run.path().join("helm");
        Ok(Self { program: binaries::path(Tool::Helm)?, kubeconfig: kubeconfig.to_owned(), home })
    }

    /// The program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// What it is run with; a shell with these variables has the same helm and, in the same cluster, kubectl.
    pub fn environment(&self) -> [(&'static str, PathBuf); 5] {
        [
            ("KUBECONFIG", self.kubeconfig.clone()),
            ("HELM_CACHE_HOME", self.home.join("cache")),
            ("HELM_CONFIG_HOME", self.home.join("config")),
            ("HELM_DATA_HOME", self.home.join("data")),
            // What a server has is remembered by its address, and our ports return with other servers behind them.
            ("KUBECACHEDIR", self.home.join("kube-cache")),
        ]
    }

    /// Runs it, whatever the outcome.
    pub fn run(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<Output> {
        let args: Vec<OsString> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        let mut command = Command::new(&self.program);
        for (name, _) in env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"HELM_")) {
            command.env_remove(name);
        }
        command.envs(self.environment()).args(&args);
        command::run(command, command::line("helm", &args), "")
    }

    /// Runs it and returns its standard output; an exit code other than 0 is an error.
    pub fn ok(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<String> {
        self.run(args)?.ok()
    }
}
