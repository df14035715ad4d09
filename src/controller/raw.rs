//! Objects as they come from the apiserver, before anything of their content is believed.
//!
//! A newer or older definition may have stored what this binary cannot read. Typed, one such object would be lost, and
//! with it the stop of its window. So objects are watched as they are, and read field by field: what cannot be read is
//! left out and named.

use std::borrow::Cow;
use std::marker::PhantomData;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use serde_path_to_error::{Path, Segment};

/// An object of kind `K`: its metadata, and the rest as JSON.
#[derive(Clone, Debug)]
pub(crate) struct Raw<K> {
    metadata: ObjectMeta,
    rest: Value,
    kind: PhantomData<fn() -> K>,
}

/// An object that was read, if need be without what could not be.
#[derive(Debug)]
pub(crate) struct Read<K> {
    pub(crate) object: K,
    /// The fields that could not be read, each with the reason.
    pub(crate) left_out: Vec<String>,
}

/// How many fields may be left out of one object.
const MOST_LEFT_OUT: usize = 64;

impl<K: DeserializeOwned> Raw<K> {
    /// Reads the object, leaving out what cannot be read. The error names what it cannot do without.
    pub(crate) fn read(self) -> Result<Read<K>, String> {
        let metadata = serde_json::to_value(&self.metadata).map_err(|error| error.to_string())?;
        let mut content = self.rest;
        if let Value::Object(fields) = &mut content {
            fields.insert("metadata".to_owned(), metadata);
        }
        tolerant(content)
    }
}

impl<K> Raw<K> {
    /// The status as it stands there.
    pub(crate) fn status(&self) -> &Value {
        &self.rest["status"]
    }

    /// What of the status can be read.
    pub(crate) fn read_status<S: DeserializeOwned + Default>(&self) -> S {
        #[derive(Deserialize)]
        struct Part<S> {
            status: S,
        }
        let content = json!({ "status": self.status() });
        tolerant::<Part<S>>(content).map(|read| read.object.status).unwrap_or_default()
    }

    /// The same object with another spec.
    pub(crate) fn with_spec(mut self, spec: Value) -> Self {
        if let Value::Object(fields) = &mut self.rest {
            fields.insert("spec".to_owned(), spec);
        }
        self
    }
}

fn tolerant<T: DeserializeOwned>(mut content: Value) -> Result<Read<T>, String> {
    let mut left_out = Vec::new();
    while left_out.len() < MOST_LEFT_OUT {
        let error = match serde_path_to_error::deserialize::<_, T>(&content) {
            Ok(object) => return Ok(Read { object, left_out }),
            Err(error) => error,
        };
        let may_go = leave_out(&mut content, error.path());
        left_out.push(error.to_string());
        if !may_go {
            break;
        }
    }
    Err(left_out.join("; "))
}

/// Takes the value at the path out. `false`: there is no such part, or it is one that no object is without.
fn leave_out(content: &mut Value, path: &Path) -> bool {
    let segments: Vec<&Segment> = path.iter().collect();
    let Some((last, way)) = segments.split_last().filter(|(_, way)| !way.is_empty()) else { return false };
    let mut at = content;
    for segment in way {
        let next = match segment {
            Segment::Map { key } => at.get_mut(key),
            Segment::Seq { index } => at.get_mut(index),
            Segment::Enum { .. } | Segment::Unknown => None,
        };
        let Some(next) = next else { return false };
        at = next;
    }
    match (at, last) {
        // A window without its time is none; the one that was last understood stands in its status.
        (Value::Object(fields), Segment::Map { key }) if key == "time" => {
            fields.insert(key.clone(), Value::from("")) != Some(Value::from(""))
        }
        (Value::Object(fields), Segment::Map { key }) => fields.remove(key).is_some(),
        (Value::Array(items), Segment::Seq { index }) if *index < items.len() => {
            items.remove(*index);
            true
        }
        _ => false,
    }
}

impl<'de, K> Deserialize<'de> for Raw<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut rest = Value::deserialize(deserializer)?;
        let metadata = rest.get_mut("metadata").map(Value::take).unwrap_or_default();
        let metadata = ObjectMeta::deserialize(metadata).map_err(D::Error::custom)?;
        Ok(Self { metadata, rest, kind: PhantomData })
    }
}

impl<K: Resource> Resource for Raw<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::kind(dt)
    }

    fn group(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::group(dt)
    }

    fn version(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::version(dt)
    }

    fn plural(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::plural(dt)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{JobStartStop, JobStartStopStatus};

    fn object(change: impl FnOnce(&mut Value)) -> Result<Read<JobStartStop>, String> {
        let mut object = json!({
            "apiVersion": "scheduler.bcovlive.io/v1alpha1",
            "kind": "JobStartStop",
            "metadata": { "name": "w", "namespace": "live", "uid": "u" },
            "spec": {
                "jobID": "a",
                "activation": { "time": "2026-12-02T14:00:00Z" },
                "deactivation": { "time": "2026-12-02T15:00:00Z" },
            },
            "status": {
                "observedGeneration": 1,
                "activation": { "state": "finished" },
                "conditions": [{
                    "type": "Ready", "status": "True", "reason": "OnAir", "message": "",
                    "lastTransitionTime": "2026-12-02T14:00:00Z",
                }],
            },
        });
        change(&mut object);
        serde_json::from_value::<Raw<JobStartStop>>(object).unwrap().read()
    }

    #[test]
    fn a_whole_object_is_read_whole() {
        let read = object(|_| ()).unwrap();
        assert!(read.left_out.is_empty());
        assert_eq!(read.object.status.unwrap().conditions.len(), 1);
    }

    #[test]
    fn what_cannot_be_read_is_left_out_and_named() {
        for (pointer, wrong, named) in [
            ("/spec/deletionPolicy", json!("Pause"), "spec.deletionPolicy"),
            ("/spec/suspend", json!("yes"), "spec.suspend"),
            ("/spec/startingDeadlineSeconds", json!({ "start": 10 }), "spec.startingDeadlineSeconds"),
            ("/spec/description", json!(["a", "b"]), "spec.description"),
            ("/status/activation/attempts", json!("many"), "status.activation.attempts"),
            ("/status/job", json!("on"), "status.job"),
        ] {
            let read = object(|object| {
                let (parent, field) = pointer.rsplit_once('/').unwrap();
                object.pointer_mut(parent).unwrap()[field] = wrong;
            });
            let read = read.unwrap();
            assert!(read.left_out[0].starts_with(named), "{:?}", read.left_out);
            assert_eq!(read.object.spec.job_id, "a");
            assert_eq!(read.object.status.unwrap().activation.state, "finished", "{pointer}: the rest is read");
        }
    }

    #[test]
    fn a_condition_that_cannot_be_read_takes_no_other_with_it() {
        let read = object(|object| {
            let conditions = object["status"]["conditions"].as_array_mut().unwrap();
            conditions.insert(0, json!({ "type": "Strange" }));
        });
        let read = read.unwrap();
        assert_eq!(read.object.status.unwrap().conditions[0].type_, "Ready");
        assert!(read.left_out[0].contains("status.conditions[0]"));
    }

    #[test]
    fn every_field_that_cannot_be_read_is_named() {
        let read = object(|object| {
            object["spec"]["suspend"] = json!("yes");
            object["spec"]["cancel"] = json!(0);
        });
        let named = read.unwrap().left_out.join("; ");
        assert!(named.contains("spec.suspend") && named.contains("spec.cancel"), "{named}");
    }

    #[test]
    fn a_status_is_read_whatever_became_of_the_spec() {
        let object = json!({ "metadata": {}, "spec": 7, "status": { "phase": "Active", "finishedAt": 12 } });
        let raw: Raw<JobStartStop> = serde_json::from_value(object).unwrap();
        assert_eq!(raw.read_status::<JobStartStopStatus>().phase, "Active");
        let bare: Raw<JobStartStop> = serde_json::from_value(json!({ "metadata": {}, "status": [] })).unwrap();
        assert_eq!(bare.read_status::<JobStartStopStatus>(), JobStartStopStatus::default());
    }

    #[test]
    fn without_a_job_or_a_time_there_is_no_window() {
        for field in ["jobID", "activation", "deactivation"] {
            let why = object(|object| {
                object["spec"].as_object_mut().unwrap().remove(field);
            });
            assert!(why.unwrap_err().contains(field));
        }
    }
}
