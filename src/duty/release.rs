//! Letting objects go that an operator holds and will not let go of itself any more.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use plan::Registration;
use serde_json::{Value, json};

use crate::api::LiveAccount;
use crate::controller::raw::Raw;
use crate::controller::registered;
use crate::controller::{FINALIZER, IN_USE};

use super::window::Window;

/// The operator's finalizers: of windows, and of accounts.
const OURS: [&str; 2] = [FINALIZER, IN_USE];

/// What a person types to go on.
pub(super) const WORD: &str = "release";

/// An object that bears a finalizer of the operator's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) kind: &'static str,
    pub(super) namespace: String,
    pub(super) name: String,
    uid: String,
    resource_version: String,
    finalizers: Vec<String>,
    /// It goes when it is released.
    pub(super) deleted: bool,
    /// Its channel may be on.
    pub(super) may_be_on: bool,
    /// The workflow at the vendor's scheduler that may still switch its channel.
    pub(super) workflow: Option<String>,
}

impl Held {
    pub(super) const WINDOW: &'static str = "JobStartStop";
    pub(super) const ACCOUNT: &'static str = "LiveAccount";

    /// A window that bears it.
    pub(super) fn window(window: &Window, now: Timestamp) -> Option<Self> {
        window.finalizer().then(|| Self {
            kind: Self::WINDOW,
            namespace: window.namespace.clone(),
            name: window.name.clone(),
            uid: window.uid.clone(),
            resource_version: window.resource_version.clone(),
            finalizers: window.finalizers.clone(),
            deleted: window.deleted.is_some(),
            may_be_on: window.glance(now).may_be_on(),
            workflow: workflow(window),
        })
    }

    /// An account that bears it.
    pub(super) fn account(account: &Raw<LiveAccount>) -> Option<Self> {
        let ObjectMeta { namespace, name, uid, resource_version, finalizers, deletion_timestamp, .. } =
            account.meta().clone();
        let finalizers = finalizers.unwrap_or_default();
        finalizers.iter().any(|finalizer| OURS.contains(&&**finalizer)).then(|| Self {
            kind: Self::ACCOUNT,
            namespace: namespace.unwrap_or_default(),
            name: name.unwrap_or_default(),
            uid: uid.unwrap_or_default(),
            resource_version: resource_version.unwrap_or_default(),
            finalizers,
            deleted: deletion_timestamp.is_some(),
            may_be_on: false,
            workflow: None,
        })
    }

    /// The patch that takes it off, on the version that was read. Finalizers of others stay.
    pub(super) fn without_finalizer(&self) -> Value {
        let kept: Vec<&String> = self.finalizers.iter().filter(|finalizer| !OURS.contains(&&***finalizer)).collect();
        json!({ "metadata": { "resourceVersion": self.resource_version, "uid": self.uid, "finalizers": kept } })
    }

    /// It is the same object, and what it would mean to release it is the same.
    pub(super) fn is_as(&self, before: &Self) -> bool {
        let means = |held: &Self| (held.uid.clone(), held.deleted, held.may_be_on, held.workflow.clone());
        means(self) == means(before)
    }

    /// `JobStartStop live/news`.
    pub(super) fn full_name(&self) -> String {
        format!("{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// The workflow that stands for a window: its id, or its marker where that is not known.
fn workflow(window: &Window) -> Option<String> {
    let registration = registered::read(&window.status).filter(Registration::stands)?;
    let marked = || format!("marked {}", registration.marker);
    Some(registration.id.as_ref().map_or_else(marked, ToString::to_string))
}

/// Whether an operator leads, by one Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lead {
    /// It was let go, or never taken.
    Free,
    /// It was renewed just now.
    Held(String),
    /// It ran out by this machine's clock, which may be wrong. Renewed within this time, it is held.
    Doubtful(SignedDuration),
}

/// What a Lease says at `now`.
pub(super) fn lead(lease: &Lease, now: Timestamp) -> Lead {
    let spec = lease.spec.clone().unwrap_or_default();
    let holder = spec.holder_identity.filter(|holder| !holder.is_empty());
    let (Some(holder), Some(renewed)) = (holder, spec.renew_time) else { return Lead::Free };
    let lasts = SignedDuration::from_secs(spec.lease_duration_seconds.unwrap_or(0).into());
    if now.duration_since(renewed.0) <= lasts { Lead::Held(holder) } else { Lead::Doubtful(lasts) }
}

/// A Lease was renewed between the two looks.
pub(super) fn renewed<'a>(before: &[Lease], after: &'a [Lease]) -> Option<&'a str> {
    let known = |lease: &&Lease| {
        before.iter().any(|old| {
            old.metadata.uid == lease.metadata.uid
                && old.spec.as_ref().map(|s| &s.renew_time) == lease.spec.as_ref().map(|s| &s.renew_time)
        })
    };
    let newer = after.iter().filter(|lease| !known(lease));
    newer.filter_map(|lease| lease.spec.as_ref()?.holder_identity.as_deref()).find(|holder| !holder.is_empty())
}

/// What is about to happen, before somebody says yes.
pub(super) fn before(held: &[Held]) -> Vec<String> {
    let mut says: Vec<String> = held
        .iter()
        .map(|held| {
            let goes = if held.deleted { "it is being deleted, and goes" } else { "it stays, and may be deleted" };
            format!("{}: {goes}", held.full_name())
        })
        .collect();
    let on = held.iter().filter(|held| held.may_be_on);
    let on: Vec<String> = on.map(|held| format!("{}/{}", held.namespace, held.name)).collect();
    if !on.is_empty() {
        says.push(format!(
            "Nothing is called. The channels of these STAY ON, and are billed, until somebody switches them off: {}",
            on.join(", ")
        ));
    }
    let workflows = held.iter().filter_map(|held| {
        let workflow = held.workflow.as_ref()?;
        Some(format!("{}/{} ({workflow})", held.namespace, held.name))
    });
    let workflows: Vec<String> = workflows.collect();
    if !workflows.is_empty() {
        says.push(format!(
            "Their workflows STAY at the Live API's scheduler, and switch the channels at their times: {}",
            workflows.join(", ")
        ));
    }
    says
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duty::fixtures::{active, at, finished, parsed, pending, with};

    fn lease(holder: &str, renewed: &str) -> Lease {
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": { "name": "jobstartstop", "uid": "l" },
            "spec": { "holderIdentity": holder, "renewTime": renewed, "leaseDurationSeconds": 15 },
        });
        serde_json::from_value(lease).unwrap()
    }

    const RENEWED: &str = "2026-12-02T13:30:00.000000Z";

    #[test]
    fn an_operator_leads_while_its_lease_is_fresh_and_a_clock_that_is_behind_makes_none_stale() {
        for (holder, now, expected) in [
            ("pod_1", "2026-12-02T13:30:14Z", Lead::Held("pod_1".to_owned())),
            ("pod_1", "2026-12-02T13:20:00Z", Lead::Held("pod_1".to_owned())),
            ("pod_1", "2026-12-02T13:30:16Z", Lead::Doubtful(SignedDuration::from_secs(15))),
            ("", "2026-12-02T13:30:01Z", Lead::Free),
        ] {
            assert_eq!(lead(&lease(holder, RENEWED), at(now)), expected, "{holder} {now}");
        }
    }

    #[test]
    fn a_lease_that_is_renewed_while_it_is_looked_at_is_held() {
        let (before, after) = ([lease("pod_1", RENEWED)], [lease("pod_1", "2026-12-02T13:30:02.000000Z")]);
        assert_eq!(renewed(&before, &before), None);
        assert_eq!(renewed(&before, &after), Some("pod_1"));
        assert_eq!(renewed(&before, &[lease("", "2026-12-02T13:30:02.000000Z")]), None, "it was let go");
        assert_eq!(renewed(&[], &before), Some("pod_1"), "it came meanwhile");
    }

    #[test]
    fn only_the_operators_finalizer_is_taken_off_and_only_from_the_version_that_was_read() {
        let now = at("2026-12-02T13:30:00Z");
        let both = with(active(), "/metadata/finalizers", json!(["a.example/b", "scheduler.bcovlive.io/stop"]));
        let held = Held::window(&parsed(both), now).unwrap();
        let patch = held.without_finalizer();
        assert_eq!(patch["metadata"]["finalizers"], json!(["a.example/b"]));
        assert_eq!(patch["metadata"]["resourceVersion"], "41");
        let none = with(active(), "/metadata/finalizers", json!([]));
        assert_eq!(Held::window(&parsed(none), now), None);
    }

    #[test]
    fn what_stays_on_is_said_before() {
        let now = at("2026-12-02T13:30:00Z");
        let going = with(active(), "/metadata/deletionTimestamp", json!("2026-12-02T13:29:00Z"));
        let held = [going, finished()].map(|object| Held::window(&parsed(object), now).unwrap());
        let says = before(&held);
        assert!(says[0].contains("being deleted, and goes") && says[1].contains("it stays"), "{says:?}");
        assert!(says[2].contains("STAY ON") && says[2].ends_with("off: live/wednesday-broadcast"), "{says:?}");
    }

    #[test]
    fn which_workflows_stay_is_said_before() {
        let now = at("2026-12-02T12:00:00Z");
        let there = |stop: &str| {
            let mut object = pending();
            let task = |state: &str| json!({ "state": state, "time": "2026-12-02T13:00:00Z" });
            object["status"]["vendorWorkflowID"] = json!("0a7c");
            object["status"]["registered"] =
                json!({ "marker": "d4.1", "activation": task("cancelled"), "deactivation": task(stop) });
            Held::window(&parsed(object), now).unwrap()
        };
        assert_eq!(before(&[there("cancelled")]).len(), 1, "it is over");
        let says = before(&[there("pending")]);
        assert!(says[1].ends_with("at their times: live/wednesday-broadcast (0a7c)"), "{says:?}");
    }
}
