//! What Argo CD and Flux make of objects, by their own libraries.

use std::{path::Path, process::Command};

use serde::Deserialize;
use serde_json::Value;

use crate::{
    binaries::{self, Tool},
    command,
    error::{Error, Result},
};

/// One word about an object, and why.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Judgement {
    /// The word, `Healthy` or `Current` for instance.
    pub status: String,
    /// The same in a sentence.
    pub message: String,
}

/// What is made of one object.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Verdict {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What Flux and Helm wait by.
    pub kstatus: Judgement,
    /// What the health script for Argo CD returns.
    pub script: Judgement,
    /// What Argo CD shows: the same, but for what is being deleted, of which it asks no script.
    pub argo: Judgement,
}

/// Judges objects, in their order. The folder has the scripts, in the layout of Argo CD's `resource_customizations`.
pub fn verdicts(customizations: &Path, objects: &[Value]) -> Result<Vec<Verdict>> {
    let mut command = Command::new(binaries::path(Tool::Verdicts)?);
    command.arg(customizations);
    let lines: Vec<String> = objects.iter().map(Value::to_string).collect();
    let told = command::run(command, Tool::Verdicts.name().to_owned(), &lines.join("\n"))?.ok()?;
    let verdict = |line| serde_json::from_str(line).map_err(|error| Error::Invalid(format!("{line}: {error}")));
    told.lines().map(verdict).collect()
}
