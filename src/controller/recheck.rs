//! Reads the stored objects of jobs anew, right before their calls (S2, P1): each by a list of its own, or all by one
//! when many are due. Off the call path: a call that is due on time does not wait for them.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use plan::{JobKey, Recheck, Verb, WindowId};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::api::JobStartStop;

use super::apiserver::{WriteError, within};
use super::raw::Raw;
use super::shared::Shared;
use super::step::Step;
use super::writer::take_up;

/// Lists of one job under way at once.
const AT_ONCE: usize = 4;

/// Runs for ever. `scopes`: the namespaces that are watched; `None` means all of them.
pub(super) async fn run(shared: Arc<Shared>, client: Client, scopes: Vec<Option<String>>) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut under_way = JoinSet::new();
    loop {
        let first = tokio::select! {
            biased;
            first = shared.rechecks.next() => first,
            Some(_) = under_way.join_next() => continue,
            () = shared.list_owed(), if under_way.is_empty() => {
                shared.relist_owed();
                continue;
            }
        };
        // What falls due together is decided in one go.
        tokio::task::yield_now().await;
        let due: Vec<(JobKey, Recheck)> = std::iter::once(first).chain(shared.rechecks.take_all()).collect();
        if plan::one_list_for_all(due.len(), shared.index().windows_known()) {
            under_way.spawn(all(Arc::clone(&shared), due));
            continue;
        }
        for (job, why) in due {
            let (shared, client, scopes, room) =
                (Arc::clone(&shared), client.clone(), scopes.clone(), Arc::clone(&room));
            under_way.spawn(async move {
                let _room = room.acquire_owned().await;
                one(&shared, &client, &scopes, &job, why).await;
            });
        }
    }
}

/// The watches begin anew with a list: it is asked for after these reads were, so it answers for them
/// ([`super::index::Index::listed`]).
async fn all(shared: Arc<Shared>, due: Vec<(JobKey, Recheck)>) {
    if due.iter().any(|(_, why)| why.renew) {
        // One that cannot be renewed is lost by and by, and until then no call is let go.
        shared.lease_proven().await;
    }
    let now = shared.clock.now();
    shared.index().objects_asked(due.iter().map(|(job, _)| job), now);
    tracing::debug!(jobs = due.len(), "all stored objects are listed anew, since many calls are due");
    shared.relist();
}

async fn one(shared: &Shared, client: &Client, scopes: &[Option<String>], job: &JobKey, why: Recheck) {
    if why.renew {
        shared.lease_proven().await;
    }
    let reading = shared.reread();
    let asked_at = shared.clock.now();
    let newest = shared.newest_version();
    let mut found = BTreeSet::new();
    for scope in scopes {
        match list(client, scope.as_deref(), job).await {
            Ok(list) => {
                shared.version_told(list.metadata.resource_version.as_deref(), newest);
                for object in list.items {
                    found.extend(object.uid().map(WindowId::new));
                    take_up(shared, object);
                }
            }
            Err(error) => {
                tracing::warn!(%job, %error, "its stored objects were not read before a call");
                shared.index().objects_not_read(job, asked_at, shared.clock.now());
                shared.changed(BTreeSet::from([job.clone()]));
                return;
            }
        }
    }
    let touched = shared.index().objects_read(job, &found, asked_at);
    drop(reading);
    shared.steps.reached(match why.verb {
        Verb::Activate => Step::S2Read,
        Verb::Deactivate => Step::P1Read,
    });
    // At once: a call that overslept waits for it.
    let loads = shared.decide(touched);
    shared.admit(loads, false);
}

async fn list(
    client: &Client,
    scope: Option<&str>,
    job: &JobKey,
) -> Result<kube::core::ObjectList<Raw<JobStartStop>>, WriteError> {
    let api: Api<Raw<JobStartStop>> =
        scope.map_or_else(|| Api::all(client.clone()), |namespace| Api::namespaced(client.clone(), namespace));
    // Without a resourceVersion: what is stored, not what a cache has of it.
    within(api.list(&ListParams::default().fields(&format!("spec.jobID={}", job.job)))).await
}
