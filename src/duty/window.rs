//! A stored window as the command line knows it: whatever of it can be read.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Resource;
use plan::timeline::Interval;
use plan::{DeletionPolicy, Reason, TaskState};

use crate::api::time::{parse_instant, read_status};
use crate::api::{JobStartStop, JobStartStopSpec, JobStartStopStatus, NEVER_OBSERVED, TaskStatus};
use crate::controller::FINALIZER;
use crate::controller::raw::Raw;

/// A window.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) resource_version: String,
    pub(super) generation: i64,
    /// Since when it is being deleted.
    pub(super) deleted: Option<Timestamp>,
    pub(super) finalizers: Vec<String>,
    /// Who has written fields of it, as it calls itself.
    pub(super) managers: Vec<String>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
    /// `None`: it has neither job nor times.
    pub(super) spec: Option<JobStartStopSpec>,
    pub(super) status: JobStartStopStatus,
    /// What could not be read.
    pub(super) unread: Vec<String>,
}

impl From<Raw<JobStartStop>> for Window {
    fn from(raw: Raw<JobStartStop>) -> Self {
        let meta = raw.meta().clone();
        let status = raw.read_status();
        let (spec, unread) = match raw.read() {
            Ok(read) => (Some(read.object.spec), read.left_out),
            Err(why) => (None, vec![why]),
        };
        Self {
            namespace: meta.namespace.unwrap_or_default(),
            name: meta.name.unwrap_or_default(),
            uid: meta.uid.unwrap_or_default(),
            resource_version: meta.resource_version.unwrap_or_default(),
            generation: meta.generation.unwrap_or_default(),
            deleted: meta.deletion_timestamp.map(|time| time.0),
            finalizers: meta.finalizers.unwrap_or_default(),
            managers: meta.managed_fields.unwrap_or_default().into_iter().filter_map(|entry| entry.manager).collect(),
            labels: meta.labels.unwrap_or_default(),
            annotations: meta.annotations.unwrap_or_default(),
            spec,
            status,
            unread,
        }
    }
}

/// One half of a window, as it is planned now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Half<'a> {
    /// What the status says of it.
    pub(super) shown: &'a TaskStatus,
    /// The planned time: of the spec until it is frozen. `None`: it cannot be read.
    pub(super) time: Option<Timestamp>,
    /// When the call is due.
    pub(super) call_at: Option<Timestamp>,
}

impl<'a> Half<'a> {
    fn of(shown: &'a TaskStatus, spec: Option<&str>, lead: SignedDuration) -> Self {
        let (stored, given) = (read_status(&shown.time), spec.and_then(|text| parse_instant(text).ok()));
        let frozen = frozen(shown);
        let time = if frozen { stored.or(given) } else { given.or(stored) };
        let known = read_status(&shown.call_at).filter(|_| frozen || time == stored);
        let call_at = known.or_else(|| time.and_then(|time| time.checked_sub(lead).ok()));
        Self { shown, time, call_at }
    }

    /// Nothing has settled it. A word of another version counts as this while nothing confirms it.
    pub(super) fn is_pending(&self) -> bool {
        let strange = TaskState::parse(&self.shown.state).is_none();
        self.shown.state == TaskState::Pending.as_str() || strange && self.shown.confirmed_at.is_empty()
    }

    pub(super) fn is(&self, state: TaskState) -> bool {
        self.shown.state == state.as_str()
    }

    /// When it was called, if it may have been.
    pub(super) fn called(&self) -> Option<Timestamp> {
        read_status(&self.shown.called_at)
    }

    pub(super) fn has_reason(&self, reason: Reason) -> bool {
        self.shown.reason == reason.as_str()
    }

    /// Its reason and message, as one text.
    pub(super) fn why(&self) -> String {
        let parts = [&*self.shown.reason, &*self.shown.message];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")
    }
}

fn frozen(shown: &TaskStatus) -> bool {
    !shown.called_at.is_empty() || !["", TaskState::Pending.as_str()].contains(&&*shown.state)
}

/// Where a window stands, at a glance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(super) enum Glance {
    /// Read on.
    OnAir,
    /// Its start or its stop was called, or the channel cannot be read.
    Turning,
    /// It was switched off by others before its end.
    OffEarly,
    /// It is over, and its channel was last read on.
    LeftOn,
    /// Its start is due.
    Due,
    /// Its start is ahead.
    Ahead,
    /// The same, and held back.
    Suspended,
    /// No operator has looked at it yet.
    Unseen,
    /// It is over, or its start will not be made.
    Over,
}

impl Window {
    /// `namespace/name`.
    pub(super) fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Its name, with its namespace where that is another than this window's.
    pub(super) fn name_beside(&self, other: &Self) -> String {
        if self.namespace == other.namespace { self.name.clone() } else { self.full_name() }
    }

    /// The names of others, as they are told beside this one.
    pub(super) fn names_of(&self, others: &[&Self]) -> String {
        others.iter().map(|other| other.name_beside(self)).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn job(&self) -> &str {
        self.spec.as_ref().map_or("", |spec| &spec.job_id)
    }

    pub(super) fn account(&self) -> &str {
        self.spec.as_ref().map_or("", |spec| &spec.account_ref.name)
    }

    pub(super) fn suspended(&self) -> bool {
        self.spec.as_ref().is_some_and(|spec| spec.suspend)
    }

    pub(super) fn cancelled(&self) -> bool {
        self.spec.as_ref().is_some_and(|spec| spec.cancel)
    }

    pub(super) fn start(&self) -> Half<'_> {
        let spec = self.spec.as_ref().map(|spec| &*spec.activation.time);
        let shown = &self.status.activation;
        let lead = match (read_status(&shown.time), read_status(&shown.call_at)) {
            (Some(time), Some(call_at)) => time.duration_since(call_at),
            _ => SignedDuration::ZERO,
        };
        Half::of(shown, spec, lead)
    }

    pub(super) fn stop(&self) -> Half<'_> {
        let spec = self.spec.as_ref().map(|spec| &*spec.deactivation.time);
        Half::of(&self.status.deactivation, spec, SignedDuration::ZERO)
    }

    /// An operator has written its status.
    pub(super) fn seen(&self) -> bool {
        self.status.observed_generation.is_some_and(|generation| generation > NEVER_OBSERVED)
    }

    /// The status is the answer to its latest edit.
    pub(super) fn up_to_date(&self) -> bool {
        self.status.observed_generation.is_some_and(|generation| generation >= self.generation)
    }

    /// The account's key has read the job: it counts on the job's timeline.
    pub(super) fn counts(&self) -> bool {
        !self.status.job.verified_at.is_empty()
    }

    /// Why it will keep no channel on any more, if so.
    pub(super) fn dead(&self) -> Option<&'static str> {
        if self.cancelled() {
            Some("is cancelled")
        } else if self.deleted.is_some() {
            Some("is being deleted")
        } else if self.start().is_pending() && self.suspended() {
            Some("is suspended")
        } else if self.settled() || !self.stop().is_pending() {
            Some("is over")
        } else {
            None
        }
    }

    /// It will count when that has happened, and nothing called it off.
    pub(super) fn uncounted(&self) -> bool {
        !self.counts() && self.dead().is_none()
    }

    pub(super) fn condition(&self, kind: &str) -> Option<&Condition> {
        self.status.conditions.iter().find(|condition| condition.type_ == kind)
    }

    /// `True`, `False` or `Unknown`; empty once another window speaks for the channel.
    pub(super) fn on_air(&self) -> &str {
        self.condition("OnAir").map_or("", |condition| &condition.status)
    }

    /// Its start may have been called, and its stop is not settled: the duty to stop is its own.
    pub(super) fn has_it_on(&self) -> bool {
        let start = self.start();
        (start.is(TaskState::Finished) || start.called().is_some()) && self.stop().is_pending()
    }

    /// Nothing will be called for it any more.
    pub(super) fn settled(&self) -> bool {
        !self.start().is_pending() && !self.stop().is_pending()
    }

    pub(super) fn finalizer(&self) -> bool {
        self.finalizers.iter().any(|finalizer| finalizer == FINALIZER)
    }

    /// The time in which it keeps its channel on, or will: as the operator merges windows, one whose deletion or stop is
    /// under way up to `now`.
    pub(super) fn holds(&self, now: Timestamp) -> Option<Interval> {
        let (start, stop) = (self.start(), self.stop());
        let starts = start.is_pending() && (start.called().is_some() || !self.suspended());
        let standing = self.counts() && stop.is_pending() && (start.is(TaskState::Finished) || starts);
        let gone = match (self.deleted, self.status.deletion_policy.as_str()) {
            (None, _) => None,
            (Some(_), policy) if policy == DeletionPolicy::Stop.as_str() => Some(now),
            (Some(_), _) => return None,
        };
        if !standing || self.cancelled() {
            return None;
        }
        let end = stop.call_at?;
        Interval::new(start.call_at?, gone.map_or(end, |gone| gone.min(end)))
    }

    /// The time that it is planned for, whatever became of it.
    pub(super) fn planned(&self) -> Option<Interval> {
        Interval::new(self.start().call_at?, self.stop().call_at?)
    }

    pub(super) fn glance(&self, now: Timestamp) -> Glance {
        let (start, on_air) = (self.start(), self.on_air());
        if self.settled() || start.is(TaskState::Failed) || start.is(TaskState::Cancelled) {
            return match on_air {
                "True" => Glance::LeftOn,
                "Unknown" => Glance::Turning,
                // A start that failed may have been carried out all the same.
                _ if self.has_it_on() => Glance::Turning,
                _ => Glance::Over,
            };
        }
        if self.has_it_on() {
            return match on_air {
                "True" => Glance::OnAir,
                "False" => Glance::OffEarly,
                _ => Glance::Turning,
            };
        }
        match start.call_at {
            _ if !self.seen() => Glance::Unseen,
            _ if self.suspended() => Glance::Suspended,
            Some(at) if at <= now => Glance::Due,
            _ => Glance::Ahead,
        }
    }
}

impl Glance {
    /// The channel may be on, and billed.
    pub(super) fn may_be_on(self) -> bool {
        matches!(self, Self::OnAir | Self::Turning | Self::LeftOn)
    }

    /// The word of a list; a window that is over has its phase there.
    pub(super) fn word(self, window: &Window) -> String {
        let word = match self {
            Self::OnAir => "ON AIR",
            Self::Turning => "TURNING",
            Self::OffEarly => "OFF EARLY",
            Self::LeftOn => "LEFT ON",
            Self::Due => "due",
            Self::Ahead => "ahead",
            Self::Suspended => "suspended",
            Self::Unseen => "not seen yet",
            Self::Over => return window.status.phase.to_lowercase(),
        };
        word.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::duty::fixtures::{active, at, finished, parsed, pending, stored, with};

    #[test]
    fn a_window_is_seen_for_what_it_is() {
        let now = at("2026-12-02T13:30:00Z");
        for (object, glance) in [
            (active(), Glance::OnAir),
            (with(active(), "/status/conditions/1/status", json!("Unknown")), Glance::Turning),
            (with(active(), "/status/conditions/1/status", json!("False")), Glance::OffEarly),
            (pending(), Glance::Due),
            (with(pending(), "/spec/suspend", json!(true)), Glance::Suspended),
            (with(pending(), "/spec/activation/time", json!("2026-12-02T15:00:00+01:00")), Glance::Ahead),
            (with(pending(), "/status", json!({ "observedGeneration": -1 })), Glance::Unseen),
            (finished(), Glance::Over),
        ] {
            assert_eq!(parsed(object.clone()).glance(now), glance, "{object}");
        }
        assert_eq!(stored("left-on").glance(now), Glance::LeftOn);
        let unread = with(finished(), "/status/conditions/1/status", json!("Unknown"));
        assert_eq!(parsed(unread).glance(now), Glance::Turning, "over, and nobody knows whether it is on");
        let mut failed = pending();
        failed["status"]["activation"]["state"] = json!("failed");
        assert_eq!(parsed(failed.clone()).glance(now), Glance::Over);
        failed["status"]["activation"]["calledAt"] = json!("2026-12-02T13:00:00.004123Z");
        assert_eq!(parsed(failed).glance(now), Glance::Turning, "called, and failed: it may be on");
        assert_eq!(stored("failed").glance(now), Glance::Over);
        assert_eq!(stored("going").glance(now), Glance::OnAir, "its stop is refused: it is on");
    }

    #[test]
    fn an_edit_that_no_status_answers_yet_counts_until_its_task_is_called() {
        let moved = with(active(), "/spec/deactivation/time", json!("2026-12-02T18:00:00Z"));
        assert_eq!(parsed(moved).stop().time, Some(at("2026-12-02T18:00:00Z")));
        let crossed = with(active(), "/spec/activation/time", json!("2026-12-02T18:00:00Z"));
        assert_eq!(parsed(crossed).start().time, Some(at("2026-12-02T13:00:00Z")));
    }

    #[test]
    fn a_lead_moves_with_the_start() {
        let led = with(pending(), "/status/activation/callAt", json!("2026-12-02T12:55:00Z"));
        assert_eq!(parsed(led.clone()).start().call_at, Some(at("2026-12-02T12:55:00Z")));
        let moved = with(led, "/spec/activation/time", json!("2026-12-02T15:00:00Z"));
        assert_eq!(parsed(moved).start().call_at, Some(at("2026-12-02T14:55:00Z")));
    }

    #[test]
    fn only_what_the_operator_merges_holds_the_channel() {
        let now = at("2026-12-02T13:30:00Z");
        let until = |object| parsed(object).holds(now).map(|held| held.stop);
        assert_eq!(until(active()), Some(at("2026-12-02T15:00:00Z")));
        assert_eq!(until(pending()), Some(at("2026-12-02T15:00:00Z")));
        assert_eq!(until(with(pending(), "/spec/suspend", json!(true))), None);
        assert_eq!(until(with(active(), "/spec/suspend", json!(true))), Some(at("2026-12-02T15:00:00Z")));
        assert_eq!(until(with(active(), "/spec/cancel", json!(true))), None);
        assert_eq!(until(with(pending(), "/status/job/verifiedAt", json!(""))), None);
        assert_eq!(until(finished()), None);
        let deleted = with(active(), "/metadata/deletionTimestamp", json!("2026-12-02T13:29:00Z"));
        assert_eq!(until(deleted.clone()), Some(now));
        assert_eq!(until(with(deleted, "/status/deletionPolicy", json!("Retain"))), None);
    }

    #[test]
    fn what_can_be_read_of_a_strange_object_is() {
        let strange = parsed(with(active(), "/spec/deletionPolicy", json!("Pause")));
        assert_eq!((strange.job(), strange.unread.len()), ("15981d93877e490185e6ebc9af2c79a3", 1));
        let without_job = parsed(with(active(), "/spec", json!({ "later": 1 })));
        assert_eq!(without_job.stop().time, Some(at("2026-12-02T15:00:00Z")), "the status has it");
        assert!(without_job.has_it_on() && without_job.unread[0].contains("jobID"), "{:?}", without_job.unread);
    }
}
