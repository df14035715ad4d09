//! The windows of a scenario, and the time.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::NAMESPACE;

/// A window, named after its job.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub(super) job: String,
    pub(super) start: Timestamp,
    pub(super) stop: Timestamp,
}

impl Planned {
    /// On `job`, from `start` for so many seconds.
    pub(super) fn new(job: String, start: Timestamp, seconds: i64) -> Self {
        Self { job, start, stop: later(start, seconds) }
    }

    pub(super) fn manifest(&self) -> Value {
        let Self { job, start, stop } = self;
        json!({
            "apiVersion": "scheduler.bcovlive.io/v1alpha1",
            "kind": "JobStartStop",
            "metadata": {"name": job, "namespace": NAMESPACE},
            "spec": {"jobID": job, "activation": {"time": start.to_string()}, "deactivation": {"time": stop.to_string()}},
        })
    }
}

/// The name of a job of the bench.
pub(super) fn job(number: u32) -> String {
    format!("channel-{number:06}")
}

/// Job by job, when it is to be started.
pub(super) fn starts(windows: &[Planned]) -> BTreeMap<&str, Timestamp> {
    windows.iter().map(|window| (window.job.as_str(), window.start)).collect()
}

/// Job by job, when it is to be stopped.
pub(super) fn stops(windows: &[Planned]) -> BTreeMap<&str, Timestamp> {
    windows.iter().map(|window| (window.job.as_str(), window.stop)).collect()
}

/// The whole second that is at least so many seconds from now: windows have no finer times.
pub(super) fn seconds_from_now(seconds: i64) -> Timestamp {
    let next = Timestamp::now().as_second() + 1;
    Timestamp::from_second(next + seconds).unwrap_or_default()
}

pub(super) fn later(at: Timestamp, seconds: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(at)
}

pub(super) fn earlier(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(at)
}

/// Sleeps until the wall clock shows `at`.
pub(super) async fn until(at: Timestamp) {
    loop {
        let left = at.duration_since(Timestamp::now());
        match Duration::try_from(left) {
            Ok(left) if !left.is_zero() => tokio::time::sleep(left).await,
            _ => return,
        }
    }
}
