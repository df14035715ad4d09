//! Every version of every window that an apiserver has shown.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt;
use jiff::Timestamp;
use jobstartstop::api::{JobStartStop, JobStartStopStatus};
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::Value;
use tokio::sync::watch;

/// One version of a window.
#[derive(Clone)]
pub(crate) struct Record {
    /// When it arrived here.
    pub(crate) at: Timestamp,
    pub(crate) object: JobStartStop,
    /// The object went; this is how it stood last.
    pub(crate) deleted: bool,
    /// It came with a new list: versions between the one before and this one were not seen.
    pub(crate) after_gap: bool,
}

impl Record {
    pub(crate) fn status(&self) -> &JobStartStopStatus {
        self.object.status.as_ref().expect("the schema gives each object a status")
    }

    /// The generation that its status speaks of.
    pub(crate) fn observed(&self) -> i64 {
        self.status().observed_generation.unwrap_or_default()
    }
}

#[derive(Default)]
struct Records {
    /// By uid.
    windows: BTreeMap<String, Vec<Record>>,
    /// Statuses in their order, by `namespace/name`; also of objects that are no `JobStartStop` by their types.
    statuses: BTreeMap<String, Vec<Value>>,
}

/// The records of one apiserver.
#[derive(Clone)]
pub(crate) struct Recorder {
    records: Arc<Mutex<Records>>,
    changes: watch::Sender<u64>,
}

impl Recorder {
    /// Records from now on; when this returns, nothing created later is missed.
    pub(crate) async fn start(client: Client) -> Self {
        let recorder = Self { records: Arc::default(), changes: watch::Sender::new(0) };
        let (listed, first_list) = tokio::sync::oneshot::channel();
        tokio::spawn(recorder.clone().run(client, listed));
        first_list.await.unwrap();
        recorder
    }

    async fn run(self, client: Client, listed: tokio::sync::oneshot::Sender<()>) {
        let mut listed = Some(listed);
        let api = Api::<DynamicObject>::all_with(client, &ApiResource::erase::<JobStartStop>(&()));
        let mut events = pin!(watcher(api, watcher::Config::default()));
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => {}
                Ok(Event::InitDone) => {
                    listed.take().map(|listed| listed.send(()));
                }
                Ok(Event::InitApply(object)) => self.note(object, false, true),
                Ok(Event::Apply(object)) => self.note(object, false, false),
                Ok(Event::Delete(object)) => self.note(object, true, false),
                // A scene's own apiserver is killed at times.
                Err(_) => tokio::time::sleep(super::LOOK_AGAIN).await,
            }
        }
    }

    fn note(&self, object: DynamicObject, deleted: bool, after_gap: bool) {
        let name = format!("{}/{}", object.namespace().unwrap(), object.name_any());
        self.lock().statuses.entry(name).or_default().push(object.data["status"].clone());
        if let Ok(object) = object.try_parse() {
            self.note_window(Record { at: Timestamp::now(), object, deleted, after_gap });
        }
        self.changes.send_modify(|count| *count += 1);
    }

    fn note_window(&self, record: Record) {
        let mut all = self.lock();
        let records = all.windows.entry(record.object.uid().unwrap()).or_default();
        let version = |record: &Record| record.object.resource_version();
        if records.last().is_some_and(|last| version(last) == version(&record)) {
            return;
        }
        records.push(record);
    }

    /// Every version of one window so far, oldest first.
    pub(crate) fn of(&self, uid: &str) -> Vec<Record> {
        self.lock().windows.get(uid).cloned().unwrap_or_default()
    }

    /// Every window of a namespace so far.
    pub(crate) fn in_namespace(&self, namespace: &str) -> Vec<Vec<Record>> {
        let here = |records: &&Vec<Record>| records[0].object.namespace().as_deref() == Some(namespace);
        self.lock().windows.values().filter(here).cloned().collect()
    }

    /// Every status so far of the objects that had this `namespace/name`, oldest first.
    pub(crate) fn statuses(&self, full_name: &str) -> Vec<Value> {
        self.lock().statuses.get(full_name).cloned().unwrap_or_default()
    }

    /// Tells when there is more.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
