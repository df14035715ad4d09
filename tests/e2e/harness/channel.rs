//! A channel at the simulated vendor: what it is told to do wrong, and what truly became of it.

use jiff::Timestamp;
use serde_json::{Value, json};
use simulator::{Call, JobReport, Operation};
use testbed::Simulator;

use super::eventually;

/// A job at the vendor.
pub(crate) struct Channel {
    /// The job's id.
    pub(crate) id: String,
    pub(super) vendor: &'static Simulator,
}

/// The switches that the vendor received for one job.
pub(crate) struct Calls {
    pub(crate) activate: Vec<Call>,
    pub(crate) deactivate: Vec<Call>,
}

#[derive(serde::Deserialize)]
struct Log {
    calls: Vec<Call>,
}

impl Channel {
    /// What the vendor knows of it.
    pub(crate) async fn report(&self) -> JobReport {
        self.vendor.get(&format!("/control/jobs/{}", self.id)).await.unwrap()
    }

    /// The switches received so far. Those that no one may ever call are refused right here.
    pub(crate) async fn calls(&self) -> Calls {
        let log = self.log().await;
        let of = |operation| log.iter().filter(|call| call.operation == operation).cloned().collect::<Vec<_>>();
        let forbidden = [of(Operation::Stop), of(Operation::Cancel)].concat();
        assert!(forbidden.is_empty(), "{}: {forbidden:?}", self.id);
        Calls { activate: of(Operation::Activate), deactivate: of(Operation::Deactivate) }
    }

    /// Every call received so far.
    pub(super) async fn log(&self) -> Vec<Call> {
        let log: Log = self.vendor.get(&format!("/control/calls?job={}", self.id)).await.unwrap();
        log.calls
    }

    /// So many activates and deactivates were received, and no activate cut a session short.
    pub(crate) async fn was_called(&self, activates: usize, deactivates: usize) -> Calls {
        let calls = self.calls().await;
        let count = (calls.activate.len(), calls.deactivate.len());
        assert_eq!(count, (activates, deactivates), "{}: {:?} {:?}", self.id, calls.activate, calls.deactivate);
        assert_eq!(self.report().await.restarts, 0, "{} was started while it was on", self.id);
        calls
    }

    /// Nothing but reading was done.
    pub(crate) async fn was_left_alone(&self) {
        self.was_called(0, 0).await;
    }

    /// It is billed.
    pub(crate) async fn is_on(&self) -> bool {
        matches!(self.report().await.state, simulator::State::Waiting | simulator::State::Processing)
    }

    /// Waits until the vendor has received so many of these.
    pub(crate) async fn receives(&self, operation: Operation, count: usize) -> Calls {
        let what = format!("{} has received {count} of {operation:?}", self.id);
        eventually(&what, async || {
            let calls = self.calls().await;
            let of = if operation == Operation::Activate { &calls.activate } else { &calls.deactivate };
            (of.len() >= count).then_some(calls)
        })
        .await
    }

    /// Lets calls for it go wrong; see the simulator's README.
    pub(crate) async fn fault(&self, operation: &str, mut fault: Value) {
        fault["job"] = json!(self.id);
        fault["operations"] = json!([operation]);
        self.vendor.post("/control/faults", &fault).await.unwrap();
    }

    /// Somebody else switches it: on, off, cancelled or failed.
    pub(crate) async fn somebody_switches_it(&self, to: &str) {
        self.vendor.post(&format!("/control/jobs/{}/switch", self.id), &json!({ "to": to })).await.unwrap();
    }

    /// Turns in other times from now on.
    pub(crate) async fn overrides(&self, overrides: Value) {
        self.vendor.post(&format!("/control/jobs/{}", self.id), &overrides).await.unwrap();
    }
}

/// When a call was received.
pub(crate) fn received(call: &Call) -> Timestamp {
    Timestamp::from_microsecond(call.received_us).unwrap()
}
