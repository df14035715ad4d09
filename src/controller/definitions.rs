//! Tells a window that is being deleted from one whose definition is.
//!
//! Deleting a custom resource definition marks each of its objects deleted first: seen from a window both look the
//! same, and only the definition, read after the deletion was seen, tells them apart.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, Client, CustomResourceExt};
use plan::timings::backoff;
use tokio::time::timeout;

use crate::api::JobStartStop;

use super::shared::Shared;

/// How long one read may take.
const READ: Duration = Duration::from_secs(5);

/// Reads the definition whenever windows are found deleted, once for all of them. Runs for ever.
pub(super) async fn run(shared: Arc<Shared>, client: Client) {
    let api: Api<CustomResourceDefinition> = Api::all(client);
    loop {
        shared.unclear.next().await;
        let mut failures = 0;
        loop {
            // Taken before the read: one that is deleted later may be so for another reason.
            let unclear = shared.index().unclear_deletions();
            if unclear.is_empty() {
                break;
            }
            if let Some(going) = definition_going(&api).await {
                let touched = shared.index().deletion_clear(&unclear, going);
                shared.changed(touched);
                break;
            }
            failures += 1;
            let wait = backoff(SignedDuration::from_millis(250), SignedDuration::from_secs(5), failures, "definition");
            tokio::time::sleep(Duration::try_from(wait).unwrap_or(READ)).await;
        }
    }
}

/// Whether the definition is being deleted; `None`: to be asked again.
async fn definition_going(api: &Api<CustomResourceDefinition>) -> Option<bool> {
    let name = JobStartStop::crd_name();
    match timeout(READ, api.get_metadata_opt(name)).await {
        Ok(Ok(Some(definition))) => Some(definition.metadata.deletion_timestamp.is_some()),
        Ok(Ok(None)) => Some(true),
        Ok(Err(kube::Error::Api(status))) if status.code == 403 => {
            tracing::warn!(name, "the definition may not be read: deletions are taken to mean the windows themselves");
            Some(false)
        }
        Ok(Err(error)) => {
            tracing::warn!(name, %error, "the definition was not read, trying again");
            None
        }
        Err(_) => {
            tracing::warn!(name, "the definition was not read in time, trying again");
            None
        }
    }
}
