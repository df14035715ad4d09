//! What the installed definition says: whether it can store what this binary writes, and whether it is being deleted.
//!
//! Deleting a custom resource definition marks each of its objects deleted first: seen from a window both look the
//! same, and only the definition, read after the deletion was seen, tells them apart.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, Client, CustomResourceExt};
use plan::Reason;
use plan::timings::backoff;
use tokio::time::timeout;

use crate::api::{JobStartStop, crds};

use super::shared::Shared;

/// How long one read may take.
const READ: Duration = Duration::from_secs(5);

/// How often a definition is read that is missing, too old, or could not be read.
const AGAIN: Duration = Duration::from_secs(5);

/// Compares the installed definition with ours: at the start, with every list, and when a write came back without a part
/// of what was written. Runs for ever.
pub(super) async fn compare(shared: Arc<Shared>, client: Client) {
    let api: Api<CustomResourceDefinition> = Api::all(client);
    let name = JobStartStop::crd_name();
    let mut told = None;
    loop {
        let doubted = shared.definition_doubted.notified();
        let sound = match timeout(READ, api.get_opt(name)).await {
            Ok(Ok(Some(installed))) => {
                let missing = crds::status_fields_missing(&installed);
                let lacks = (!missing.is_empty()).then(|| format!("It lacks {}.", missing.join(", ")));
                if let Some(lacks) = lacks.as_ref().filter(|lacks| told.as_ref() != Some(*lacks)) {
                    tracing::error!(name, reason = %Reason::CRDTooOld, lacks, "no start is made");
                }
                told.clone_from(&lacks);
                let sound = lacks.is_none();
                let touched = shared.index().definition_compared(lacks);
                shared.changed(touched);
                sound
            }
            // Without that right the claim itself tells: one that does not come back permits no start.
            Ok(Err(kube::Error::Api(status))) if status.code == 403 => true,
            _ => false,
        };
        if sound {
            doubted.await;
        } else {
            tokio::time::sleep(AGAIN).await;
        }
    }
}

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
