//! A JobStartStop as the index keeps it: parsed once, at the edge, into a compact record.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, ResourceExt};
use plan::{
    AccountName, Attempt, Claim, Delegation, Deletion, DeletionPolicy, Executor, HeadsUp, Marker, ObjectName,
    ProcessId, Texts, Window, WindowId, WindowPlan, WorkflowId, overtaken,
};

use crate::api::{self, JobStartStop, JobStartStopStatus};
use crate::live::JobId;

use super::acknowledged::Acknowledged;
use super::apiserver::version_number;
use super::attempts::Attempts;
use super::foreign;
use super::raw::{Raw, Read};
use super::registered;
use super::status;

/// The finalizer under which a window keeps its object until its duty is over.
pub const FINALIZER: &str = "scheduler.bcovlive.io/stop";

/// What applies where an object says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Defaults {
    pub(super) deletion_policy: DeletionPolicy,
    pub(super) activation_lead: SignedDuration,
    pub(super) ttl: Option<SignedDuration>,
    /// `None`: nobody can tell, since the account is not there or cannot be fully read.
    pub(super) executor: Option<Executor>,
    /// The cluster's name; empty: it has none.
    pub(super) cluster: Arc<str>,
}

/// What the spec says, in types.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    pub(super) account: AccountName,
    pub(super) job: JobId,
    pub(super) activation: Timestamp,
    pub(super) deactivation: Timestamp,
    /// The times as their owner wrote them.
    pub(super) activation_given: String,
    pub(super) deactivation_given: String,
    pub(super) starting_deadline: Option<SignedDuration>,
    pub(super) suspend: bool,
    pub(super) cancel: bool,
    own_deletion_policy: Option<DeletionPolicy>,
    /// As it applies: object, then account, then flag.
    pub(super) deletion_policy: DeletionPolicy,
    lead: SignedDuration,
    own_ttl: Option<SignedDuration>,
    ttl: Option<SignedDuration>,
    own_executor: Option<Executor>,
    /// As it applies: object, then account. `None`: nobody can tell yet.
    executor: Option<Executor>,
    /// What the vendor's scheduler is told of it. `None`: it is told nothing, since this operator makes the calls.
    workflow: Option<Box<WorkflowWords>>,
    /// Who is told of it, if anybody is.
    pub(super) receiver: Option<Box<Receiver>>,
    /// What of the object could not be read, if anything.
    undecodable: Option<String>,
    /// Which account it names could not be read.
    account_unread: bool,
}

/// Who is told of a window, and what of it only notifications show.
#[derive(Clone)]
pub(super) struct Receiver {
    /// `notificationURL` as it was written. Its path may be a secret.
    pub(super) url: Box<str>,
    pub(super) description: Option<Box<str>>,
    /// `notificationSeconds` of start and stop.
    pub(super) ahead: (u32, u32),
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver").field("ahead", &self.ahead).finish_non_exhaustive()
    }
}

/// What of a window only its workflow at the vendor's scheduler bears. Few windows have one, so that none of it is kept
/// for the others.
#[derive(Clone, Debug)]
struct WorkflowWords {
    description: Option<Box<str>>,
    adopt: Option<WorkflowId>,
    cluster: Arc<str>,
}

impl Spec {
    /// What its workflow at the vendor's scheduler bears: description and `notificationURL`. The URL may be a secret.
    pub(super) fn workflow_texts(&self) -> (Option<&str>, Option<&str>) {
        let description = self.workflow.as_ref().and_then(|workflow| workflow.description.as_deref());
        (description, self.receiver.as_ref().map(|receiver| &*receiver.url))
    }
}

/// A window in the index.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) id: WindowId,
    pub(super) name: ObjectName,
    pub(super) generation: i64,
    pub(super) resource_version: String,
    pub(super) created: Timestamp,
    pub(super) deletion: Deletion,
    deleted_at: Option<Timestamp>,
    pub(super) finalizers: Vec<String>,
    pub(super) spec: Spec,
    /// The status that the apiserver has acknowledged.
    pub(super) acknowledged: Acknowledged,
    /// What this process has planned since: overlaid on the stored status, and never taken back by an older one.
    pub(super) planned: Option<WindowPlan>,
    /// The generation that was planned on. A status is written for this one only: a newer spec is planned first, or
    /// the old plan would be taken for the answer to it.
    pub(super) planned_generation: i64,
    /// The last attempt to deliver a notification, until it is planned on.
    pub(super) attempt: Option<Box<Attempt>>,
    /// Writes in vain.
    pub(super) writes: Attempts,
    /// A status that was written, and what came back for it when that was less: writing it again would bring no more.
    pub(super) cut: Option<Box<(JobStartStopStatus, JobStartStopStatus)>>,
    /// The claim of another installation that was told of.
    pub(super) claimed_elsewhere: Option<Box<Claim>>,
    /// It is not stored any more, and has its job on.
    pub(super) vanished: bool,
    /// What this version was read from is gone: any other one is newer.
    pub(super) void: bool,
    /// The same for its deletion after its time to live: a refused one must not hold up its status.
    pub(super) expiry: Attempts,
}

/// Why a stored object is no window. The schema's rules refuse such objects; one stored before a rule existed, or past
/// it, is told of and left alone.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("the object has no {0}")]
    Metadata(&'static str),
    #[error(transparent)]
    Time(#[from] api::SpecTimeError),
    #[error("{0}")]
    Unreadable(String),
    #[error("spec.jobID: {0}")]
    JobId(#[from] crate::live::JobIdMalformed),
}

impl Stored {
    /// Reads an object as it is stored. What cannot be read keeps the window from starting and not from stopping.
    pub(super) fn read(raw: Raw<JobStartStop>) -> Result<Self, Unusable> {
        let Read { object, left_out } = raw.read().map_err(Unusable::Unreadable)?;
        Self::parse(object, left_out)
    }

    fn parse(object: JobStartStop, left_out: Vec<String>) -> Result<Self, Unusable> {
        let (times, unread_time) = times(&object)?;
        let account_unread = left_out.iter().any(|what| what.starts_with("spec.accountRef"));
        let strange = object.status.as_ref().and_then(foreign::strange_word);
        let unread: Vec<String> = left_out.into_iter().chain(unread_time).chain(strange).collect();
        let metadata = object.metadata;
        let namespace = metadata.namespace.clone().ok_or(Unusable::Metadata("namespace"))?;
        let name = ObjectName::new(namespace.clone(), metadata.name.clone().ok_or(Unusable::Metadata("name"))?);
        let spec = object.spec;
        let own_policy = spec.deletion_policy.map(DeletionPolicy::from);
        let own_executor = spec.executor.map(Executor::from);
        let acknowledged = Acknowledged::of(object.status.as_ref());
        // Its account may still say that it is the vendor's scheduler, until the answer is stored.
        let registers = acknowledged.executor().or(own_executor) != Some(Executor::Operator);
        let workflow = registers.then(|| {
            Box::new(WorkflowWords {
                description: spec.description.as_deref().map(Into::into),
                adopt: spec.adopt_workflow_id.as_deref().and_then(registered::id),
                cluster: Arc::default(),
            })
        });
        Ok(Self {
            id: WindowId::new(metadata.uid.clone().ok_or(Unusable::Metadata("uid"))?),
            name,
            generation: metadata.generation.unwrap_or(0),
            resource_version: metadata.resource_version.clone().unwrap_or_default(),
            created: metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |at| at.0),
            deletion: deletion(&metadata),
            deleted_at: deleted_at(&metadata),
            finalizers: metadata.finalizers.clone().unwrap_or_default(),
            spec: Spec {
                account: ObjectName::new(namespace, spec.account_ref.name),
                job: JobId::parse(&spec.job_id)?,
                activation: times.activation,
                deactivation: times.deactivation,
                activation_given: spec.activation.time,
                deactivation_given: spec.deactivation.time,
                starting_deadline: spec.starting_deadline_seconds.map(|s| SignedDuration::from_secs(i64::from(s))),
                suspend: spec.suspend,
                cancel: spec.cancel,
                own_deletion_policy: own_policy,
                deletion_policy: own_policy.unwrap_or_default(),
                lead: SignedDuration::ZERO,
                own_ttl: spec.ttl_seconds_after_finished.map(|s| SignedDuration::from_secs(i64::from(s))),
                ttl: None,
                own_executor,
                executor: own_executor,
                workflow,
                receiver: spec.notification_url.map(|url| {
                    Box::new(Receiver {
                        url: url.into(),
                        description: spec.description.map(Into::into),
                        ahead: (spec.activation.notification_seconds, spec.deactivation.notification_seconds),
                    })
                }),
                undecodable: (!unread.is_empty()).then(|| unread.join("; ")),
                account_unread,
            },
            acknowledged,
            planned: None,
            planned_generation: 0,
            attempt: None,
            writes: Attempts::default(),
            expiry: Attempts::default(),
            cut: None,
            claimed_elsewhere: None,
            vanished: false,
            void: false,
        })
    }

    /// The same window, in a newer version of which neither job nor times can be read: what was read before holds.
    pub(super) fn unread_since(&self, newer: &Raw<JobStartStop>, why: &Unusable) -> Self {
        let metadata = newer.meta();
        Self {
            generation: metadata.generation.unwrap_or(0),
            resource_version: metadata.resource_version.clone().unwrap_or_default(),
            deletion: deletion(metadata),
            deleted_at: deleted_at(metadata),
            finalizers: metadata.finalizers.clone().unwrap_or_default(),
            acknowledged: Acknowledged::of(Some(&newer.read_status())),
            spec: Spec { undecodable: Some(why.to_string()), ..self.spec.clone() },
            ..self.clone()
        }
    }

    /// Applies what the account and the flags say where the object says nothing.
    pub(super) fn resolve(&mut self, defaults: &Defaults) {
        self.spec.deletion_policy = self.spec.own_deletion_policy.unwrap_or(defaults.deletion_policy);
        self.spec.lead = defaults.activation_lead;
        self.spec.ttl = self.spec.own_ttl.or(defaults.ttl);
        self.spec.executor = self.spec.own_executor.or(defaults.executor);
        if let Some(workflow) = &mut self.spec.workflow {
            workflow.cluster = Arc::clone(&defaults.cluster);
        }
    }

    /// Who makes its calls: what is stored, once it is, and what object and account say until then. `None`: nobody can
    /// tell yet.
    pub(super) fn executor(&self) -> Option<Executor> {
        self.acknowledged.executor().or(self.spec.executor)
    }

    /// What it is registered with at the vendor's scheduler, where that makes its calls.
    fn delegation(&self) -> Option<Delegation> {
        let workflow = self.spec.workflow.as_ref().filter(|_| self.executor() == Some(Executor::LiveScheduler))?;
        let (description, url) = self.spec.workflow_texts();
        Some(Delegation {
            marker: Marker::new(&self.id, &workflow.cluster),
            texts: Texts::of(description, url),
            adopt: workflow.adopt.clone(),
        })
    }

    /// The window as its owner wants it now.
    pub(super) fn window(&self) -> Window {
        Window {
            id: self.id.clone(),
            name: self.name.clone(),
            created: self.created,
            account: self.spec.account.clone(),
            activation: self.spec.activation,
            deactivation: self.spec.deactivation,
            lead: self.spec.lead,
            starting_deadline: self.spec.starting_deadline,
            suspend: self.spec.suspend,
            cancel: self.spec.cancel,
            deletion_policy: self.spec.deletion_policy,
            ttl: self.spec.ttl,
            heads_up: self.spec.receiver.as_ref().map(|receiver| HeadsUp {
                start: SignedDuration::from_secs(i64::from(receiver.ahead.0)),
                stop: SignedDuration::from_secs(i64::from(receiver.ahead.1)),
            }),
            executor: self.spec.executor.unwrap_or_default(),
            delegation: self.delegation(),
            deletion: self.deletion,
            deleted_at: self.deleted_at,
            finalizer: self.has_finalizer(),
            undecodable: self.spec.undecodable.clone(),
            definition_lacks: None,
        }
    }

    /// When its next call is due, by what is stored; `None`: none is.
    pub(super) fn next_call(&self) -> Option<Timestamp> {
        plan::next_call(&self.window(), self.acknowledged.settled(), self.acknowledged.has_it_on())
    }

    /// Our finalizer stands on the object.
    pub(super) fn has_finalizer(&self) -> bool {
        self.finalizers.iter().any(|finalizer| finalizer == FINALIZER)
    }

    /// Which account a window names cannot change: where it cannot be read, the one that was read before holds.
    pub(super) fn keep_account(&mut self, before: &Self) {
        if self.spec.account_unread {
            self.spec.account.clone_from(&before.spec.account);
        }
    }

    /// Takes over a newer version of the object. What was planned stays: a settled state never goes backwards. `us`: this
    /// process, once it leads.
    pub(super) fn renew(&mut self, newer: Self, us: Option<&ProcessId>) {
        let planned_generation = self.planned_generation;
        let planned = self.planned.take().and_then(|planned| {
            let theirs = status::stored_record(&newer);
            let now = overtaken::Stored { record: theirs.as_ref(), ..newer.acknowledged.told() };
            let record = overtaken::still_holds(planned.record, self.acknowledged.told(), now, us)?;
            Some(WindowPlan { record, ..planned })
        });
        // What was found out about a deletion holds for it.
        let deletion = if newer.deletion == Deletion::No { Deletion::No } else { self.deletion.max(newer.deletion) };
        let (writes, expiry, cut) = (self.writes, self.expiry, self.cut.take());
        let (claimed_elsewhere, attempt) = (self.claimed_elsewhere.take(), self.attempt.take());
        *self =
            Self { deletion, planned, planned_generation, attempt, writes, cut, claimed_elsewhere, expiry, ..newer };
    }

    /// Whether this version of the object is older than `other`.
    pub(super) fn older_than(&self, other: &Self) -> bool {
        let number = |stored: &Self| version_number(&stored.resource_version);
        !other.void && matches!((number(self), number(other)), (Some(mine), Some(theirs)) if mine < theirs)
    }
}

fn deleted_at(metadata: &ObjectMeta) -> Option<Timestamp> {
    metadata.deletion_timestamp.as_ref().map(|at| at.0)
}

fn deletion(metadata: &ObjectMeta) -> Deletion {
    if metadata.deletion_timestamp.is_some() { Deletion::Unclear } else { Deletion::No }
}

/// Both times; where the spec's cannot be read, the ones that were last understood.
fn times(object: &JobStartStop) -> Result<(api::SpecTimes, Option<String>), Unusable> {
    let error = match object.spec.times() {
        Ok(times) => return Ok((times, None)),
        Err(error) => error,
    };
    let status = object.status.as_ref();
    let understood = |spec: &str, task: Option<&api::TaskStatus>| {
        let stored = task.and_then(|task| api::time::read_status(&task.time));
        api::time::parse_instant(spec).ok().or(stored)
    };
    let activation = understood(&object.spec.activation.time, status.map(|status| &status.activation));
    let deactivation = understood(&object.spec.deactivation.time, status.map(|status| &status.deactivation));
    match (activation, deactivation) {
        (Some(activation), Some(deactivation)) => {
            Ok((api::SpecTimes { activation, deactivation }, Some(error.to_string())))
        }
        _ => Err(error.into()),
    }
}

/// Name of an object for logs, whatever else is wrong with it.
pub(super) fn name_of(object: &impl ResourceExt) -> ObjectName {
    ObjectName::new(object.namespace().unwrap_or_default(), object.name_any())
}

#[cfg(test)]
mod tests {
    use plan::Record;
    use serde_json::{Value, json};

    use super::*;
    use crate::controller::fixtures::{planned, window};

    fn account(executor: Option<Executor>) -> Defaults {
        Defaults { executor, cluster: "prod-eu".into(), ..Defaults::default() }
    }

    fn resolved(spec: &Value, status: &Value, executor: Option<Executor>) -> Stored {
        let mut stored = window(spec, status);
        stored.resolve(&account(executor));
        stored
    }

    /// A spec that names this executor; none where that is empty.
    fn named(executor: &str) -> Value {
        if executor.is_empty() { json!({}) } else { json!({ "executor": executor }) }
    }

    #[test]
    fn the_object_names_the_executor_before_its_account_and_what_is_stored_before_both() {
        use Executor::{LiveScheduler, Operator};
        for (own, account, stored, expected) in [
            ("", None, "", None),
            ("", Some(Operator), "", Some(Operator)),
            ("", Some(LiveScheduler), "", Some(LiveScheduler)),
            ("Operator", Some(LiveScheduler), "", Some(Operator)),
            ("LiveScheduler", Some(Operator), "", Some(LiveScheduler)),
            ("LiveScheduler", None, "", Some(LiveScheduler)),
            ("", Some(LiveScheduler), "Operator", Some(Operator)),
            ("", Some(Operator), "LiveScheduler", Some(LiveScheduler)),
            ("", None, "LiveScheduler", Some(LiveScheduler)),
        ] {
            let found = resolved(&named(own), &json!({ "executor": stored }), account);
            assert_eq!(found.executor(), expected, "{own:?} {account:?} {stored:?}");
            let registers = expected == Some(LiveScheduler);
            assert_eq!(found.window().delegation.is_some(), registers, "{own:?} {account:?} {stored:?}");
        }
    }

    #[test]
    fn a_window_of_an_earlier_version_stays_the_operators_whatever_its_account_says_now() {
        let status = json!({ "job": { "verifiedAt": "2026-12-01T12:00:00Z" } });
        let found = resolved(&json!({}), &status, Some(Executor::LiveScheduler));
        assert_eq!(found.executor(), Some(Executor::Operator));
    }

    #[test]
    fn a_plan_made_before_the_account_was_there_follows_the_account() {
        let mut stored = resolved(&json!({}), &Value::Null, None);
        stored.planned = Some(planned(&stored, Record::new(&stored.window())));
        assert_eq!(status::record(&stored).unwrap().executor, Executor::Operator);
        stored.resolve(&account(Some(Executor::LiveScheduler)));
        assert_eq!(status::record(&stored).unwrap().executor, Executor::LiveScheduler);
    }

    #[test]
    fn a_window_is_registered_with_its_uid_its_cluster_and_its_texts() {
        let spec = json!({
            "executor": "LiveScheduler",
            "adoptWorkflowID": "0a1b",
            "notificationURL": "https://example.com/live/callbacks",
        });
        let stored = resolved(&spec, &Value::Null, None);
        let (description, url) = (Some("My Wednesday broadcast"), Some("https://example.com/live/callbacks"));
        assert_eq!(stored.spec.workflow_texts(), (description, url));
        let delegation = stored.window().delegation.unwrap();
        assert_eq!(delegation.marker.to_string(), "d44cf29f4f184757ac0995beb8a0097e@prod-eu");
        assert_eq!(delegation.texts, Texts::of(description, url));
        assert_eq!(delegation.adopt, Some(WorkflowId::new("0a1b")));
        assert!(!format!("{stored:?}").contains("callbacks"), "its path may be a secret");
    }

    #[test]
    fn a_text_is_kept_only_where_somebody_may_be_told_it() {
        for (own, stored, kept) in
            [("Operator", "", false), ("", "Operator", false), ("", "", true), ("LiveScheduler", "LiveScheduler", true)]
        {
            let window = window(&named(own), &json!({ "executor": stored }));
            assert_eq!(window.spec.workflow_texts().0.is_some(), kept, "{own:?} {stored:?}");
        }
    }
}
