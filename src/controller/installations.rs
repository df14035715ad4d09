//! Other installations of the operator whose scope overlaps ours: each has a Lease of its own, so ours says nothing of
//! them. A claim names the Lease under which it was made, and is left alone while that one is held.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::{Api, Client};
use plan::{Claim, Moment, ObjectName};

use super::apiserver::{WriteError, within};
use super::shared::Shared;

/// How long the claim of an installation is left alone after its time when its Lease cannot be read: long enough for
/// what was called under it to be recorded.
const GONE_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// The Leases of others as they were last seen, each with when that was first so.
#[derive(Debug, Default)]
pub(super) struct Others(Mutex<BTreeMap<ObjectName, (LeaseSpec, Moment)>>);

/// Whether the claim was made under another Lease than ours that is held: then it stands.
pub(super) async fn stands(shared: &Shared, client: &Client, claim: &Claim) -> bool {
    let Some(lease) = claim.term.lease() else { return false };
    let ours = shared.tenure.term().and_then(|term| term.id.lease());
    // Without an election of ours, any Lease that is held is another installation's.
    if ours.as_ref() == Some(&lease) {
        return false;
    }
    let api: Api<Lease> = Api::namespaced(client.clone(), &lease.namespace);
    let now = shared.clock.moment();
    match within(api.get_opt(&lease.name)).await {
        Ok(found) => found.and_then(|found| found.spec).is_some_and(|spec| held(shared, lease, spec, now)),
        Err(error) => {
            let unreadable = matches!(&error, WriteError::Kube(_)) && error.code() == Some(403);
            let old = now.wall.duration_since(claim.at) > GONE_AFTER;
            !(unreadable && old)
        }
    }
}

/// Judged as in an election: by how long it has been seen unchanged on this machine's clock.
fn held(shared: &Shared, name: ObjectName, spec: LeaseSpec, now: Moment) -> bool {
    if spec.holder_identity.as_deref().unwrap_or_default().is_empty() {
        return false;
    }
    let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(15);
    let mut seen = shared.other_installations.0.lock().unwrap_or_else(PoisonError::into_inner);
    let (before, since) = seen.entry(name).or_insert((spec.clone(), now));
    if *before != spec {
        (*before, *since) = (spec, now);
    }
    now.boottime.saturating_sub(since.boottime) < Duration::from_secs(seconds)
}
