//! Every version of every window that an apiserver has shown.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt;
use jiff::Timestamp;
use jobstartstop::api::{JobStartStop, JobStartStopStatus};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
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

type Records = BTreeMap<String, Vec<Record>>;

/// The records, by uid.
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
        let mut events = pin!(watcher(Api::<JobStartStop>::all(client), watcher::Config::default()));
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => {}
                Ok(Event::InitDone) => {
                    listed.take().map(|listed| listed.send(()));
                }
                Ok(Event::InitApply(object)) => {
                    self.note(Record { at: Timestamp::now(), object, deleted: false, after_gap: true });
                }
                Ok(Event::Apply(object)) => {
                    self.note(Record { at: Timestamp::now(), object, deleted: false, after_gap: false });
                }
                Ok(Event::Delete(object)) => {
                    self.note(Record { at: Timestamp::now(), object, deleted: true, after_gap: false });
                }
                // A scene's own apiserver is killed at times.
                Err(_) => tokio::time::sleep(super::LOOK_AGAIN).await,
            }
        }
    }

    fn note(&self, record: Record) {
        let mut all = self.lock();
        let records = all.entry(record.object.uid().unwrap()).or_default();
        let version = |record: &Record| record.object.resource_version();
        if records.last().is_some_and(|last| version(last) == version(&record)) {
            return;
        }
        records.push(record);
        drop(all);
        self.changes.send_modify(|count| *count += 1);
    }

    /// Every version of one window so far, oldest first.
    pub(crate) fn of(&self, uid: &str) -> Vec<Record> {
        self.lock().get(uid).cloned().unwrap_or_default()
    }

    /// Every window of a namespace so far.
    pub(crate) fn in_namespace(&self, namespace: &str) -> Vec<Vec<Record>> {
        let here = |records: &&Vec<Record>| records[0].object.namespace().as_deref() == Some(namespace);
        self.lock().values().filter(here).cloned().collect()
    }

    /// Tells when there is more.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
