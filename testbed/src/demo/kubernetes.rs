//! What is seen of the cluster: each new state of each window, as a watch delivers it.

use std::{fs::File, io::Read as _};

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use serde::Deserialize;
use testbed::{ControlPlane, Launch, Process};

/// A window as the API server shows it; what the operator has not written yet is empty.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Window {
    metadata: Metadata,
    spec: Spec,
    #[serde(default)]
    pub(super) status: Status,
}

#[derive(Clone, Debug, Deserialize)]
struct Metadata {
    name: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Spec {
    #[serde(rename = "jobID")]
    job_id: String,
    activation: Planned,
    deactivation: Planned,
}

#[derive(Clone, Debug, Deserialize)]
struct Planned {
    #[serde(deserialize_with = "instant")]
    time: Timestamp,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    pub(super) phase: String,
    #[serde(rename = "vendorWorkflowID")]
    pub(super) workflow: String,
    pub(super) registered: Option<Registered>,
    pub(super) activation: Task,
    pub(super) deactivation: Task,
    pub(super) conditions: Vec<Condition>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Task {
    pub(super) state: String,
    pub(super) reason: String,
}

/// The workflow of a window, as its status has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Registered {
    pub(super) activation: Task,
    pub(super) deactivation: Task,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) status: String,
    pub(super) reason: String,
    pub(super) message: String,
}

fn instant<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

impl Window {
    pub(super) fn name(&self) -> &str {
        &self.metadata.name
    }

    pub(super) fn job(&self) -> &str {
        &self.spec.job_id
    }

    pub(super) fn start(&self) -> Timestamp {
        self.spec.activation.time
    }

    pub(super) fn stop(&self) -> Timestamp {
        self.spec.deactivation.time
    }

    pub(super) fn condition(&self, kind: &str) -> Option<&Condition> {
        self.status.conditions.iter().find(|condition| condition.kind == kind)
    }

    /// Whether nothing is left to be done for it.
    pub(super) fn is_settled(&self) -> bool {
        let is_settled = |task: &Task| !matches!(task.state.as_str(), "" | "pending");
        is_settled(&self.status.activation) && is_settled(&self.status.deactivation)
    }
}

/// `kubectl get jss --watch`, read as it writes.
#[derive(Debug)]
pub(super) struct Watch {
    process: Process,
    output: File,
    unread: Vec<u8>,
}

impl Watch {
    pub(super) fn begin(plane: &ControlPlane) -> anyhow::Result<Self> {
        let process = Launch::new("kubectl-watch", plane.kubectl().program())
            .arg("--kubeconfig")
            .arg(plane.kubeconfig())
            .arg("--cache-dir")
            .arg(plane.run().path().join("kubectl-cache"))
            .args(["get", "jobstartstops", "--watch", "--output=json"])
            .grace(std::time::Duration::ZERO)
            .start(plane.run())?;
        let output = File::open(process.log()).context("reading what kubectl writes")?;
        Ok(Self { process, output, unread: Vec::new() })
    }

    /// The states that came since the last time.
    pub(super) fn news(&mut self) -> anyhow::Result<Vec<Window>> {
        self.output.read_to_end(&mut self.unread).context("reading what kubectl writes")?;
        let (news, read) = whole_windows(&self.unread)
            .with_context(|| format!("kubectl get --watch said {}", String::from_utf8_lossy(&self.unread)))?;
        self.unread.drain(..read);
        if let Some(code) = self.process.exit_code() {
            bail!("kubectl get --watch ended with exit code {code}:\n{}", self.process.log_text());
        }
        Ok(news)
    }
}

/// The windows that have been written in full, and how many bytes they take.
fn whole_windows(bytes: &[u8]) -> serde_json::Result<(Vec<Window>, usize)> {
    let mut stream = serde_json::Deserializer::from_slice(bytes).into_iter();
    let (mut windows, mut read) = (Vec::new(), 0);
    while let Some(next) = stream.next() {
        match next {
            Ok(window) => windows.push(window),
            Err(error) if error.is_eof() => break,
            Err(error) => return Err(error),
        }
        read = stream.byte_offset();
    }
    Ok((windows, read))
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A window of ten seconds in a phase.
    pub(in super::super) fn window(name: &str, job: &str, phase: &str) -> Value {
        json!({
            "metadata": {"name": name},
            "spec": {
                "jobID": job,
                "activation": {"time": "2026-12-02T13:00:00Z"},
                "deactivation": {"time": "2026-12-02T13:00:10Z"},
            },
            "status": {"phase": phase},
        })
    }

    #[test]
    fn a_window_is_read_once_it_is_whole() {
        let text = format!("{}\n{}", window("a", "news", "Pending"), window("b", "news", "Pending"));
        let (windows, read) = whole_windows(&text.as_bytes()[..text.len() - 3]).unwrap();
        assert_eq!(windows.iter().map(Window::name).collect::<Vec<_>>(), ["a"]);
        let (windows, _) = whole_windows(&text.as_bytes()[read..]).unwrap();
        assert_eq!(windows.iter().map(Window::name).collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn what_is_no_window_is_an_error() {
        assert!(whole_windows(b"error: the server could not be reached").is_err());
    }

    #[test]
    fn a_window_that_the_operator_has_not_seen_is_not_settled() {
        let mut unseen = window("a", "news", "");
        unseen["status"] = json!({"observedGeneration": -1});
        let (windows, _) = whole_windows(unseen.to_string().as_bytes()).unwrap();
        assert!(!windows[0].is_settled());
    }
}
