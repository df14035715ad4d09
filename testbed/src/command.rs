//! Commands that are run to their end.

use std::{
    ffi::OsString,
    io::Write as _,
    process::{Command, Stdio},
    thread,
};

use crate::error::{Doing as _, Error, Result};

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

impl Output {
    /// The standard output of a command that succeeded.
    pub fn ok(self) -> Result<String> {
        if self.code == Some(0) {
            return Ok(self.stdout);
        }
        Err(Error::Command { command: self.command, code: self.code, stderr: self.stderr.trim().to_owned() })
    }
}

/// A command line as it is shown in messages.
pub(crate) fn line(program: &str, args: &[OsString]) -> String {
    let args: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
    format!("{program} {}", args.join(" "))
}

/// Runs a command to its end, with something on its standard input.
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
