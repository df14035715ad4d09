//! Events: one for each change of state, sent from a queue of their own. The audit trail is the status.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use plan::announce::Announcement;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::api::{GROUP, VERSION};

use super::conditions::bounded;
use super::notice::Notice;
use super::shared::Shared;

/// The name under which the operator reports.
const REPORTER: &str = "scheduler.bcovlive.io/jobstartstop";

/// How long sending one may take.
const SEND: Duration = Duration::from_secs(5);

/// Sends events one after another. A lost one is counted; nothing waits for it.
pub(super) async fn run(shared: Arc<Shared>, client: Client, instance: String, mut notices: mpsc::Receiver<Notice>) {
    let sent = AtomicU64::new(0);
    while let Some(notice) = notices.recv().await {
        shared.give_way().await;
        let Announcement { warning, reason, note, .. } = &notice.announcement;
        let kind = notice.subject.kind();
        tracing::info!(kind, object = %notice.object, %reason, warning, note, "event");
        let event = event(&notice, &instance, shared.clock.now(), sent.fetch_add(1, Ordering::Relaxed));
        let api: Api<Event> = Api::namespaced(client.clone(), &notice.object.namespace);
        let answer = timeout(SEND, api.create(&PostParams::default(), &event)).await;
        if !matches!(answer, Ok(Ok(_))) {
            shared.metrics.event_dropped();
            tracing::warn!(kind, object = %notice.object, "event not sent");
        }
    }
}

fn event(notice: &Notice, instance: &str, now: Timestamp, number: u64) -> Event {
    let Announcement { warning, reason, action, note } = &notice.announcement;
    Event {
        // Unique over restarts by its time, and within a process by its number; long names of objects are cut.
        metadata: ObjectMeta {
            name: Some(format!("{:.200}.{:x}.{number:x}", notice.object.name, now.as_microsecond())),
            namespace: Some(notice.object.namespace.to_string()),
            ..ObjectMeta::default()
        },
        action: Some((*action).to_owned()),
        event_time: Some(MicroTime(now)),
        note: Some(bounded(note)),
        reason: Some(reason.as_str().to_owned()),
        regarding: Some(ObjectReference {
            api_version: Some(format!("{GROUP}/{VERSION}")),
            kind: Some(notice.subject.kind().to_owned()),
            name: Some(notice.object.name.to_string()),
            namespace: Some(notice.object.namespace.to_string()),
            uid: Some(notice.uid.clone()),
            resource_version: Some(notice.resource_version.clone()),
            ..ObjectReference::default()
        }),
        reporting_controller: Some(REPORTER.to_owned()),
        reporting_instance: Some(format!("{instance:.128}")),
        type_: Some(if *warning { "Warning" } else { "Normal" }.to_owned()),
        ..Event::default()
    }
}
