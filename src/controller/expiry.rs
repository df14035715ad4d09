//! Windows that have outlived their use (`ttlSecondsAfterFinished`) are deleted.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::api::{DeleteParams, Preconditions};
use kube::{Api, Client};
use plan::timings::backoff;
use plan::{ObjectName, WindowId};

use crate::api::JobStartStop;

use super::shared::Shared;
use super::writer::{WriteError, within};

/// The first and the longest wait after a failed deletion. Nothing hangs on it, and one that is refused once (no right
/// to delete, an admission webhook) will be refused again.
const RETRY: (SignedDuration, SignedDuration) = (SignedDuration::from_secs(1), SignedDuration::from_mins(5));

/// Deletions in vain.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attempts {
    failures: u32,
    again_at: Option<Timestamp>,
}

impl Attempts {
    pub(super) fn may_try(&self, now: Timestamp) -> bool {
        self.again_at.is_none_or(|at| at <= now)
    }

    pub(super) fn failed(&mut self, id: &WindowId, now: Timestamp) -> (u32, SignedDuration) {
        self.failures += 1;
        let wait = backoff(RETRY.0, RETRY.1, self.failures, id.as_str());
        self.again_at = now.checked_add(wait).ok();
        (self.failures, wait)
    }
}

/// Deletes the object as it was planned on, and no other version of it: an edit that came in between, such as a longer
/// time to live, wins.
pub(super) async fn delete(
    shared: &Arc<Shared>,
    client: &Client,
    id: &WindowId,
    name: &ObjectName,
    resource_version: &str,
) {
    let api: Api<JobStartStop> = Api::namespaced(client.clone(), &name.namespace);
    let only = Preconditions { uid: Some(id.as_str().to_owned()), resource_version: Some(resource_version.to_owned()) };
    let answer = within(api.delete(&name.name, &DeleteParams::default().preconditions(only))).await;
    shared.metrics.apiserver_write("expiry", answer.as_ref().map(|_| ()).map_err(WriteError::code));
    match answer {
        Ok(_) => tracing::info!(window = %name, "deleted: its ttlSecondsAfterFinished has passed"),
        // Gone already, or edited since: its watch tells, and it is planned again.
        Err(error) if error.is_gone() || error.is_conflict() => {}
        Err(error) => {
            let Some((failures, wait)) = shared.index().expiry_failed(id, shared.clock.now()) else { return };
            let wait = Duration::try_from(wait).unwrap_or(Duration::MAX);
            tracing::warn!(window = %name, %error, failures, "expired and not deleted, trying again");
            let (shared, id) = (Arc::clone(shared), id.clone());
            tokio::spawn(async move {
                tokio::time::sleep(wait).await;
                shared.windows.push(id);
            });
        }
    }
}
