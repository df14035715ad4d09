//! What the receiver of notifications was told.

use jiff::Timestamp;
use serde::Deserialize;
use testbed::Received;

use super::table::{columns, time_of_day};

/// What the demo's notifications are signed with; `examples/demo/account.yaml` has it in a Secret.
pub(super) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// One notification.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) at: Timestamp,
    pub(super) action: String,
    pub(super) job: String,
    /// The states of start and stop as it tells them.
    states: String,
    /// The reference library of Standard Webhooks accepts its signature.
    pub(super) verified: bool,
    /// The operator signs; the Live API's scheduler does not.
    pub(super) signed: bool,
}

#[derive(Deserialize)]
struct Body {
    action: String,
    workflow: Workflow,
}

#[derive(Deserialize)]
struct Workflow {
    job_id: String,
    activation: Task,
    deactivation: Task,
}

#[derive(Deserialize)]
struct Task {
    state: String,
}

impl Told {
    /// `None`: it is no notification.
    pub(super) fn read(received: &Received) -> Option<Self> {
        let Body { action, workflow } = serde_json::from_slice(&received.body).ok()?;
        Some(Self {
            at: received.at,
            action,
            job: workflow.job_id,
            states: format!("{}/{}", workflow.activation.state, workflow.deactivation.state),
            verified: received.is_verified(),
            signed: !received.header("webhook-signature").is_empty(),
        })
    }

    #[cfg(test)]
    pub(super) fn of(action: &str, job: &str, at: Timestamp) -> Self {
        let (action, job) = (action.to_owned(), job.to_owned());
        Self { at, action, job, states: String::new(), verified: true, signed: true }
    }
}

const WIDTHS: [usize; 5] = [15, 18, 8, 18, 0];
const TITLES: [&str; 5] = ["RECEIVED", "ACTION", "JOB", "START/STOP", "SIGNATURE"];

/// All of it, a line each.
pub(super) fn table(told: &[Told]) -> Vec<String> {
    let line = |one: &Told| {
        let signature = match (one.signed, one.verified) {
            (true, true) => "verified",
            (true, false) => "WRONG",
            (false, _) => "none: from the Live API",
        };
        columns(&[&time_of_day(one.at, 3), &one.action, &one.job, &one.states, signature], &WIDTHS)
    };
    std::iter::once(columns(&TITLES, &WIDTHS)).chain(told.iter().map(line)).collect()
}
