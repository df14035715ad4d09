//! What must be true of every world at its end.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use simulator::{Call, JobReport, Operation, SepState, State};

use super::super::store::{Verb, Write};
use super::{WINDOWS, World, at};

impl World {
    /// Whatever happened: no session was cut short, every channel is off, every window is settled and let go of, and
    /// every status that was ever stored made sense.
    pub(crate) fn assert_sound(&self) {
        for report in self.vendor(|vendor| vendor.reports(self.now())) {
            assert_off(&report);
        }
        for window in self.store.list(WINDOWS) {
            assert_settled(&window);
        }
        for write in self.operators_writes() {
            assert_sensible(&write);
        }
        self.assert_workflows_sound();
    }

    /// The channel was switched on once and off once for each of these blocks, in time, and never at another time;
    /// a call may have taken more than one try.
    pub(crate) fn assert_blocks(&self, job: &str, blocks: &[(i64, i64)]) {
        let calls = self.switches(job);
        let told: Vec<String> = calls.iter().map(told).collect();
        let done = |operation| calls.iter().filter(move |call| call.carried_out && call.operation == operation);
        assert_eq!(done(Operation::Activate).count(), blocks.len(), "activates of {job}: {told:#?}");
        assert_eq!(done(Operation::Deactivate).count(), blocks.len(), "deactivates of {job}: {told:#?}");
        for call in &calls {
            let received = received(call);
            let block = blocks.iter().rev().find(|(start, _)| at(*start) <= received);
            let (_, stop) = block.unwrap_or_else(|| panic!("early: {}", self::told(call)));
            let inside = received < at(*stop);
            assert_eq!(inside, call.operation == Operation::Activate, "at the wrong time: {}", self::told(call));
        }
    }

    /// The first call of each block was received so many milliseconds after its time, at most.
    pub(crate) fn assert_prompt(&self, job: &str, blocks: &[(i64, i64)], most: i64) {
        let calls = self.switches(job);
        for due in blocks.iter().flat_map(|(start, stop)| [at(*start), at(*stop)]) {
            let first = calls.iter().map(received).find(|received| *received >= due);
            let late = first.map(|first| first.as_millisecond() - due.as_millisecond());
            assert!(late.is_some_and(|late| late <= most), "{job}, due at {due}: {late:?} ms late");
        }
    }

    /// How often the vendor received this call for the job.
    pub(crate) fn count(&self, job: &str, operation: Operation) -> usize {
        self.switches(job).iter().filter(|call| call.operation == operation).count()
    }

    /// The window came to its end, with both ends of it confirmed by a reading.
    pub(crate) fn assert_finished(&self, path: &str) {
        let window = self.read(path);
        let status = &window["status"];
        assert_eq!(status["phase"], "Finished", "{window:#}");
        for task in ["activation", "deactivation"] {
            let confirmed = status[task]["confirmedAt"].as_str().unwrap_or_default();
            assert!(!confirmed.is_empty(), "{path}: {task} is not confirmed: {window:#}");
        }
    }

    fn switches(&self, job: &str) -> Vec<Call> {
        let of_job = |call: &&Call| call.job.as_deref() == Some(job) && call.operation.is_switch();
        self.vendor(|vendor| vendor.calls().filter(of_job).cloned().collect())
    }
}

fn assert_off(report: &JobReport) {
    assert_eq!(report.restarts, 0, "a session was cut short: {report:#?}");
    assert!(!report.wedged, "{report:#?}");
    assert_eq!(report.state, State::Standby, "still on: {report:#?}");
    let turning = [SepState::PendingActivation, SepState::ActivationInProgress];
    assert!(!turning.contains(&report.sep_state), "going on: {report:#?}");
}

fn assert_settled(window: &Value) {
    let status = &window["status"];
    let pending = ["activation", "deactivation"].into_iter().find(|task| status[*task]["state"] == "pending");
    assert_eq!(pending, None, "not settled: {window:#}");
    assert_eq!(status["observedGeneration"], window["metadata"]["generation"], "not seen: {window:#}");
    assert!(window["metadata"]["finalizers"].is_null(), "still held: {window:#}");
    assert!(window["metadata"]["deletionTimestamp"].is_null(), "still there: {window:#}");
}

/// A stored status says one of three things of its object, for the generation it names; a start was not made before
/// its time.
fn assert_sensible(write: &Write) {
    let Some(status) = write.stored.as_ref().map(|stored| &stored["status"]) else { return };
    if write.verb != Verb::UpdateStatus {
        return;
    }
    let conditions = status["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let by_type: BTreeMap<&str, &Value> =
        conditions.iter().map(|condition| (condition["type"].as_str().unwrap(), condition)).collect();
    assert_eq!(by_type.len(), conditions.len(), "a condition twice: {status:#}");
    let holds = |kind: &&str| by_type.get(*kind).is_some_and(|condition| condition["status"] == "True");
    let health: Vec<_> = ["Ready", "Reconciling", "Stalled"].into_iter().filter(|kind| holds(kind)).collect();
    assert_eq!(health.len(), 1, "{health:?} hold at once: {status:#}");
    for condition in conditions {
        assert_eq!(condition["observedGeneration"], status["observedGeneration"], "{status:#}");
    }
    let start = &status["activation"];
    if let (Some(called), Some(due)) = (instant(&start["calledAt"]), instant(&start["callAt"])) {
        assert!(called >= due, "started early: {status:#}");
    }
}

fn instant(text: &Value) -> Option<Timestamp> {
    text.as_str()?.parse().ok()
}

fn received(call: &Call) -> Timestamp {
    Timestamp::from_microsecond(call.received_us).unwrap()
}

fn told(call: &Call) -> String {
    let done = if call.carried_out { "done" } else { "not done" };
    format!("{} {:?} {:?} {done}, fault {:?}", received(call), call.operation, call.job, call.fault)
}
