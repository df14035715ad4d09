//! The Lease as Kubernetes stores it, and as the election reads it.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use plan::election::{LeaseRecord, StoredLease, mark};
use plan::{ObjectName, ProcessId};

/// Where a holder that lets go in order leaves its name.
const RELEASED_BY: &str = "scheduler.bcovlive.io/released-by";

const LABEL: (&str, &str) = ("app.kubernetes.io/name", "jobstartstop");

/// What a stored Lease tells the election.
pub(super) fn stored(lease: &Lease) -> StoredLease {
    let (meta, spec) = (&lease.metadata, lease.spec.clone().unwrap_or_default());
    let text = |at: Option<MicroTime>| at.map(|at| mark(at.0)).unwrap_or_default();
    let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0);
    StoredLease {
        uid: meta.uid.clone().unwrap_or_default(),
        version: meta.resource_version.clone().unwrap_or_default(),
        record: LeaseRecord {
            holder: spec.holder_identity.unwrap_or_default(),
            duration: Duration::from_secs(seconds),
            transitions: i64::from(spec.lease_transitions.unwrap_or(0)),
            acquired: text(spec.acquire_time),
            renewed: text(spec.renew_time),
            released_by: meta
                .annotations
                .as_ref()
                .and_then(|all| all.get(RELEASED_BY))
                .map(|by| ProcessId::new(by.as_str())),
        },
    }
}

/// The Lease that says `record`: `from`, where there is one, with all that others have put on it. The version and uid of
/// `from` are what the write is made upon.
pub(super) fn saying(record: &LeaseRecord, name: &ObjectName, from: Option<Lease>) -> Lease {
    let mut lease = from.unwrap_or_else(|| Lease {
        metadata: ObjectMeta {
            name: Some(name.name.to_string()),
            namespace: Some(name.namespace.to_string()),
            ..ObjectMeta::default()
        },
        ..Lease::default()
    });
    let meta = &mut lease.metadata;
    meta.managed_fields = None;
    meta.labels.get_or_insert_default().insert(LABEL.0.to_owned(), LABEL.1.to_owned());
    release_note(meta.annotations.get_or_insert_default(), record.released_by.as_ref());
    let spec = lease.spec.get_or_insert_with(LeaseSpec::default);
    let time = |text: &str| text.parse().ok().map(MicroTime);
    spec.holder_identity = Some(record.holder.clone());
    spec.lease_duration_seconds = Some(i32::try_from(record.duration.as_secs()).unwrap_or(i32::MAX));
    spec.lease_transitions = Some(i32::try_from(record.transitions).unwrap_or(i32::MAX));
    spec.acquire_time = time(&record.acquired);
    spec.renew_time = time(&record.renewed);
    lease
}

fn release_note(annotations: &mut BTreeMap<String, String>, by: Option<&ProcessId>) {
    match by {
        Some(by) => annotations.insert(RELEASED_BY.to_owned(), by.to_string()),
        None => annotations.remove(RELEASED_BY),
    };
}
