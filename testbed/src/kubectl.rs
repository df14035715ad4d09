use std::{
    ffi::{OsStr, OsString},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use crate::error::{Doing as _, Error, Result};

/// `kubectl` as one user of one cluster.
#[derive(Clone, Debug)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
    cache: PathBuf,
}

/// What a command said and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    command: String,
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
        let line: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
        let line = format!("kubectl {}", line.join(" "));
        let mut command = Command::new(&self.program);
        command.arg("--kubeconfig").arg(&self.kubeconfig).arg("--cache-dir").arg(&self.cache).args(&args);
        run(command, line, input)
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

impl Output {
    /// The standard output of a command that succeeded.
    pub fn ok(self) -> Result<String> {
        if self.code == Some(0) {
            return Ok(self.stdout);
        }
        Err(Error::Command { command: self.command, code: self.code, stderr: self.stderr.trim().to_owned() })
    }
}

/// Runs a command, named by `line` in errors, with something on its standard input.
pub(crate) fn run(mut command: Command, line: String, input: &str) -> Result<Output> {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().doing(|| line.clone())?;
    let stdin = child.stdin.take();
    let output = thread::scope(|scope| {
        // Beside reading the output, or two full pipes would wait for each other.
        scope.spawn(move || {
            if let Some(mut stdin) = stdin {
                // A command that ends without reading says why by itself.
                stdin.write_all(input.as_bytes()).ok();
            }
        });
        child.wait_with_output()
    })
    .doing(|| line.clone())?;
    Ok(Output {
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        code: output.status.code(),
        command: line,
    })
}
