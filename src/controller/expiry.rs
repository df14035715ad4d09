//! Windows that have outlived their use (`ttlSecondsAfterFinished`) are deleted.

use std::sync::Arc;

use jiff::SignedDuration;
use kube::api::{DeleteParams, Preconditions};
use kube::{Api, Client};
use plan::{ObjectName, WindowId};

use crate::api::JobStartStop;

use super::apiserver::{WriteError, within};
use super::attempts::Waits;
use super::shared::Shared;

/// The first and the longest wait after a failed deletion. Nothing hangs on it, and one that is refused once (no right
/// to delete, an admission webhook) will be refused again.
const RETRY: Waits = Waits(SignedDuration::from_secs(1), SignedDuration::from_mins(5));

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
            let Some((failures, wait)) = shared.index().expiry_failed(id, RETRY, shared.clock.now()) else { return };
            tracing::warn!(window = %name, %error, failures, "expired and not deleted, trying again");
            let id = id.clone();
            shared.after(wait, move |shared| shared.windows.push(id));
        }
    }
}
