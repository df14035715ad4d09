//! A window as its owner sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use jobstartstop::api::{JobStartStop, JobStartStopStatus};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::patience;
use super::recorder::Record;
use super::stage::Ground;

/// A stored JobStartStop.
pub(crate) struct Window {
    pub(crate) name: String,
    pub(crate) uid: String,
    namespace: String,
    ground: Arc<Ground>,
    /// Of its latest edit: what a status says of an older one is no answer to it.
    generation: AtomicI64,
}

impl Window {
    pub(super) fn new(ground: Arc<Ground>, object: &JobStartStop) -> Self {
        Self {
            name: object.name_any(),
            uid: object.uid().unwrap(),
            namespace: object.namespace().unwrap(),
            ground,
            generation: AtomicI64::new(object.metadata.generation.unwrap()),
        }
    }

    /// `namespace/name`, as other windows' statuses name it.
    pub(crate) fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.ground.plane.client.clone(), &self.namespace)
    }

    /// Edits the spec.
    pub(crate) async fn edit(&self, spec: Value) {
        self.try_edit(spec).await.unwrap();
    }

    /// Edits the spec; a refusal has the server's words.
    pub(crate) async fn try_edit(&self, spec: Value) -> kube::Result<()> {
        let patch = Patch::Merge(json!({ "spec": spec }));
        let object = self.api::<JobStartStop>().patch(&self.name, &PatchParams::default(), &patch).await?;
        self.generation.store(object.metadata.generation.unwrap(), Ordering::Relaxed);
        Ok(())
    }

    /// Asks for its deletion.
    pub(crate) async fn delete(&self) {
        let deleted = self.api::<JobStartStop>().delete(&self.name, &DeleteParams::default()).await.unwrap();
        if let Some(object) = deleted.left() {
            self.generation.store(object.metadata.generation.unwrap(), Ordering::Relaxed);
        }
    }

    /// As recorded last.
    pub(crate) fn status(&self) -> JobStartStopStatus {
        self.records().last().map(|record| record.status().clone()).unwrap_or_default()
    }

    /// Every version of it so far.
    pub(crate) fn records(&self) -> Vec<Record> {
        self.ground.plane.recorder.of(&self.uid)
    }

    /// How often its status was written.
    pub(crate) fn status_writes(&self) -> usize {
        let records = self.records();
        records.windows(2).filter(|pair| pair[0].status() != pair[1].status()).count()
    }

    /// When its starts were sent, as its statuses told it one after another.
    pub(crate) fn starts_sent(&self) -> Vec<Timestamp> {
        let records = self.records();
        let mut sent: Vec<_> =
            records.iter().filter_map(|record| record.status().activation.called_at.parse().ok()).collect();
        sent.dedup();
        sent
    }

    /// Its events, oldest first.
    pub(crate) async fn events(&self) -> Vec<Event> {
        let all = self.api::<Event>().list(&ListParams::default()).await.unwrap();
        let about = |event: &Event| event.regarding.as_ref().and_then(|object| object.uid.clone());
        let mut ours: Vec<Event> =
            all.items.into_iter().filter(|event| about(event).as_deref() == Some(&self.uid)).collect();
        ours.sort_by_key(|event| event.event_time.clone().map(|time| time.0));
        ours
    }

    /// Waits for a status, since the latest edit, that shows this.
    pub(crate) async fn until(
        &self,
        what: &str,
        shows: impl Fn(&JobStartStopStatus) -> bool + Send + Sync,
    ) -> JobStartStopStatus {
        let generation = self.generation.load(Ordering::Relaxed);
        let found = |record: &&Record| record.observed() >= generation && shows(record.status());
        self.until_recorded(what, |records| records.iter().find(found).cloned()).await.status().clone()
    }

    /// Waits for a phase.
    pub(crate) async fn reaches(&self, wanted: &str) -> JobStartStopStatus {
        self.until(&format!("its phase is {wanted}"), phase(wanted)).await
    }

    /// Waits until the object is gone; returns how it stood last.
    pub(crate) async fn is_gone(&self) -> Record {
        self.until_recorded("it is gone", |records| records.last().filter(|record| record.deleted).cloned()).await
    }

    async fn until_recorded(&self, what: &str, find: impl Fn(&[Record]) -> Option<Record> + Send + Sync) -> Record {
        let mut changes = self.ground.plane.recorder.changes();
        let recorded = async {
            loop {
                changes.borrow_and_update();
                if let Some(record) = find(&self.records()) {
                    return record;
                }
                changes.changed().await.unwrap();
            }
        };
        timeout(patience(), recorded).await.unwrap_or_else(|_| panic!("{}", self.in_vain(what)))
    }

    fn in_vain(&self, what: &str) -> String {
        let status = serde_norway::to_string(&self.status()).unwrap();
        let words = self.ground.words_about(&self.full_name());
        let name = self.full_name();
        let patience = patience();
        format!(
            "waited {patience:?} in vain for {name} until {what}; its status:\n{status}\nthe operator's words:\n{words}"
        )
    }
}

/// One of its conditions.
pub(crate) fn condition<'a>(status: &'a JobStartStopStatus, kind: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == kind)
}

/// Shows this phase.
pub(crate) fn phase(wanted: &str) -> impl Fn(&JobStartStopStatus) -> bool + use<'_> {
    move |status| status.phase == wanted
}

/// Shows this OnAir status, for this reason.
pub(crate) fn on_air<'a>(status: &'a str, reason: &'a str) -> impl Fn(&JobStartStopStatus) -> bool + use<'a> {
    shows("OnAir", status, reason)
}

/// Shows this Ready status, for this reason.
pub(crate) fn ready<'a>(status: &'a str, reason: &'a str) -> impl Fn(&JobStartStopStatus) -> bool + use<'a> {
    shows("Ready", status, reason)
}

/// Shows this Registered status, for this reason.
pub(crate) fn registered<'a>(status: &'a str, reason: &'a str) -> impl Fn(&JobStartStopStatus) -> bool + use<'a> {
    shows("Registered", status, reason)
}

/// Shows this condition.
pub(crate) fn shows<'a>(
    kind: &'a str,
    status: &'a str,
    reason: &'a str,
) -> impl Fn(&JobStartStopStatus) -> bool + use<'a> {
    move |shown| condition(shown, kind).is_some_and(|found| found.status == status && found.reason == reason)
}
