//! Objects that are stored as windows, and of which neither job nor times can be read.
//!
//! One that was read before keeps what was read, and its stop. Of any other nothing is known that could be switched:
//! it is told of, by log, event and status, and left alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use kube::{Client, Resource};
use plan::announce::Announcement;
use plan::conditions::{Health, Said};
use plan::{ObjectName, Reason, WindowId};
use serde_json::{Value, json};

use crate::api::{JobStartStop, JobStartStopStatus};

use super::apiserver::{self, Meta, WriteError};
use super::attempts::{Attempts, Waits};
use super::conditions::{stored, whole_seconds};
use super::notice::{Notice, Subject};
use super::raw::Raw;
use super::shared::Shared;
use super::window::Stored;

/// The first and the longest wait before an object that could not be looked at, or written, is tried again.
const AGAIN: Waits = Waits(SignedDuration::from_secs(1), SignedDuration::from_mins(1));

/// What has been told of, or has failed, since the process began.
#[derive(Default)]
struct Told {
    /// The uid and generation of which log and event have told.
    versions: BTreeMap<ObjectName, (String, i64)>,
    failures: BTreeMap<ObjectName, Attempts>,
}

/// Looks at each such object. Runs for ever.
pub(super) async fn run(shared: Arc<Shared>, client: Client) {
    let mut told = Told::default();
    loop {
        let name = shared.unread.next().await;
        shared.give_way().await;
        match look(&shared, &client, &name, &mut told).await {
            Ok(()) => {
                told.failures.remove(&name);
            }
            Err(error) if error.is_gone() => {
                told.failures.remove(&name);
                told.versions.remove(&name);
            }
            Err(error) => again(&shared, name, &error, &mut told),
        }
    }
}

fn again(shared: &Arc<Shared>, name: ObjectName, error: &WriteError, told: &mut Told) {
    let attempts = told.failures.entry(name.clone()).or_default();
    let (failures, wait) = attempts.failed(AGAIN, &name.name, shared.clock.now());
    tracing::warn!(window = %name, %error, failures, "an object that is no window was not told of, trying again");
    shared.after(wait, move |shared| shared.unread.push(name));
}

async fn look(shared: &Shared, client: &Client, name: &ObjectName, told: &mut Told) -> Result<(), WriteError> {
    let object = apiserver::fetch(client, name).await?;
    let why = match Stored::read(object.clone()) {
        Ok(stored) => {
            let touched = shared.index().apply_window(stored);
            shared.changed(touched);
            return Ok(());
        }
        Err(why) => why,
    };
    let known = shared.index().apply_unread(&object, &why);
    if let Some(touched) = known {
        shared.changed(touched);
        return Ok(());
    }
    if !shared.index().leads() {
        // Whoever leads tells it. This process is shown it again by the list with which it begins to lead.
        return Ok(());
    }
    let message = format!("Nothing is called for this object: its job or its times cannot be read. {why}");
    tell(shared, client, name, &object, &message, told).await
}

async fn tell(
    shared: &Shared,
    client: &Client,
    name: &ObjectName,
    object: &Raw<JobStartStop>,
    message: &str,
    told: &mut Told,
) -> Result<(), WriteError> {
    let metadata = object.meta();
    let uid = metadata.uid.clone().unwrap_or_default();
    let generation = metadata.generation.unwrap_or(0);
    let resource_version = metadata.resource_version.clone().unwrap_or_default();
    let version = (uid.clone(), generation);
    let next = saying(object, generation, message, shared.clock.now());
    if told.versions.get(name) != Some(&version) {
        shared.metrics.undecodable();
        tracing::error!(window = %name, message, "the stored object is no window");
        // What its status says already was told by an earlier process.
        if next != *object.status() {
            shared.notice(Notice {
                subject: Subject::Window,
                object: name.clone(),
                uid: uid.clone(),
                resource_version: resource_version.clone(),
                announcement: Announcement {
                    warning: true,
                    reason: Reason::Undecodable,
                    action: "Check",
                    note: message.to_owned(),
                },
            });
        }
        told.versions.insert(name.clone(), version);
    }
    if next == *object.status() {
        return Ok(());
    }
    let uid = WindowId::new(uid);
    let meta = Meta { name, uid: Some(&uid), resource_version: &resource_version };
    let answer: Result<Raw<JobStartStop>, _> = apiserver::put_status(client, &meta, &next).await;
    shared.metrics.apiserver_write("status", answer.as_ref().map(|_| ()).map_err(WriteError::code));
    match answer {
        // The watch brings the newer version.
        Err(error) if !error.is_conflict() => Err(error),
        _ => Ok(()),
    }
}

/// Its status, saying so, with everything else that stands there.
fn saying(object: &Raw<JobStartStop>, generation: i64, message: &str, now: Timestamp) -> Value {
    let before = object.read_status::<JobStartStopStatus>().conditions;
    let mut next = if object.status().is_object() { object.status().clone() } else { json!({}) };
    let said = Health::Stalled(Reason::Undecodable, Said::Text(message)).conditions();
    let said = said.iter().map(|next| stored(&before, next, generation, &whole_seconds(now))).map(|said| json!(said));
    let conditions = object.status()["conditions"].as_array().cloned().unwrap_or_default();
    let kept = conditions.into_iter().filter(|condition| !replaced(condition));
    next["conditions"] = said.chain(kept).collect();
    next["observedGeneration"] = json!(generation);
    next
}

fn replaced(condition: &Value) -> bool {
    condition["type"].as_str().is_some_and(|kind| ["Ready", "Reconciling", "Stalled"].contains(&kind))
}
