//! The life of an object: create, replace, delete, and what the apiserver itself writes into it.

use std::sync::Arc;

use kube::core::Status;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Answer, Change, HISTORY, Key, Resource, State, Verb, Write, patch::Patch, refusal};

/// Metadata that only the apiserver writes.
const OWNED: [&str; 6] =
    ["uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"];

/// Kinds that may be replaced without a resourceVersion.
const UNCONDITIONAL: [&str; 3] = ["secrets", "events", "namespaces"];

impl State {
    pub(super) fn read(&self, resource: &Resource, key: &Key) -> Result<Arc<Value>, Box<Status>> {
        let missing = || refusal(404, format!("{} not found", told(resource, &key.name)));
        self.objects.get(key).cloned().ok_or_else(missing)
    }

    pub(super) fn create(&mut self, resource: &Resource, namespace: &str, mut sent: Value) -> Answer {
        check_shape(resource, &sent)?;
        let name = self.name_for(&sent)?;
        let key = Key::new(resource, namespace, &name);
        check_place(&key, &sent)?;
        if sent["metadata"]["resourceVersion"].as_str().is_some_and(|version| !version.is_empty()) {
            return Err(refusal(500, "resourceVersion should not be set on objects to be created"));
        }
        if self.objects.contains_key(&key) {
            let mut status = refusal(409, format!("{} already exists", told(resource, &name)));
            "AlreadyExists".clone_into(&mut status.reason);
            return Err(status);
        }
        self.stamp(resource, &key, &mut sent);
        self.admit(resource, None, &mut sent)?;
        tidy(resource, &mut sent);
        Ok(self.store(&key, sent))
    }

    /// Also the second half of a patch, with the patched object as the one sent.
    pub(super) fn replace(&mut self, resource: &Resource, key: &Key, sent: Value, verb: Verb) -> Answer {
        let old = self.read(resource, key)?;
        check_shape(resource, &sent)?;
        check_place(key, &sent)?;
        check_version(resource, &old, &sent)?;
        let mut new = match verb {
            Verb::UpdateStatus | Verb::PatchStatus => with_status(&old, sent),
            _ => without_status(resource, &old, sent)?,
        };
        self.admit(resource, Some(&old), &mut new)?;
        tidy(resource, &mut new);
        Ok(self.settle(resource, key, &old, new))
    }

    pub(super) fn patch(&mut self, resource: &Resource, key: &Key, patch: &Patch, verb: Verb) -> Answer {
        let old = match self.read(resource, key) {
            Ok(old) => old,
            Err(_) if verb == Verb::Patch && patch.creates() => {
                let mut sent = Value::Null;
                patch.apply(&mut sent, false).map_err(|text| refusal(422, text))?;
                sent["metadata"]["name"] = json!(key.name);
                return self.create(resource, &key.namespace, sent);
            }
            Err(status) => return Err(status),
        };
        let mut new = Value::clone(&old);
        patch.apply(&mut new, verb == Verb::PatchStatus).map_err(|text| refusal(422, text))?;
        self.replace(resource, key, new, verb)
    }

    pub(super) fn delete(&mut self, resource: &Resource, key: &Key, options: &Value) -> Answer {
        let old = self.read(resource, key)?;
        for field in ["uid", "resourceVersion"] {
            let (wanted, is) = (&options["preconditions"][field], &old["metadata"][field]);
            if !wanted.is_null() && wanted != is {
                let why = format!("the {field} in the precondition ({wanted}) does not match ({is})");
                return Err(refusal(409, format!("cannot delete {}: {why}", told(resource, &key.name))));
            }
        }
        if finalizers(&old).is_empty() {
            self.commit(key, None);
            return Ok(json!({"kind": "Status", "apiVersion": "v1", "status": "Success",
                "details": {"name": key.name, "kind": resource.plural, "uid": old["metadata"]["uid"]}}));
        }
        if !old["metadata"]["deletionTimestamp"].is_null() {
            return Ok(Value::clone(&old));
        }
        let mut new = Value::clone(&old);
        new["metadata"]["deletionTimestamp"] = json!(self.date());
        new["metadata"]["deletionGracePeriodSeconds"] = json!(0);
        bump(&mut new);
        Ok(self.store(key, new))
    }

    pub(super) fn record(&mut self, by: &str, verb: Verb, key: Key, sent: Value, answer: &Answer, code: Option<u16>) {
        let stored = answer.as_ref().ok().filter(|answer| answer["kind"] != "Status");
        let generated = stored.and_then(|object| object["metadata"]["name"].as_str()).map(str::to_owned);
        self.writes.push(Write {
            at: (self.now)(),
            by: by.to_owned(),
            verb,
            plural: key.plural,
            namespace: key.namespace,
            name: generated.unwrap_or(key.name),
            code,
            sent,
            stored: stored.cloned(),
        });
    }

    fn name_for(&mut self, sent: &Value) -> Result<String, Box<Status>> {
        let metadata = &sent["metadata"];
        match (metadata["name"].as_str(), metadata["generateName"].as_str()) {
            (Some(name), _) if !name.is_empty() => Ok(name.to_owned()),
            (_, Some(prefix)) => Ok(format!("{prefix}{:05x}", self.identities.below(1 << 20))),
            _ => Err(refusal(422, "metadata.name: Required value: name or generateName is required")),
        }
    }

    /// Everything the apiserver writes at create; a status that came along is dropped.
    fn stamp(&mut self, resource: &Resource, key: &Key, sent: &mut Value) {
        for field in OWNED {
            remove(&mut sent["metadata"], field);
        }
        sent["metadata"]["name"] = json!(key.name);
        if resource.namespaced {
            sent["metadata"]["namespace"] = json!(key.namespace);
        }
        sent["metadata"]["uid"] = json!(self.uid());
        sent["metadata"]["creationTimestamp"] = json!(self.date());
        if resource.custom {
            remove(sent, "status");
            sent["metadata"]["generation"] = json!(1);
        }
    }

    fn uid(&mut self) -> String {
        let (a, b) = (self.identities.draw(), self.identities.draw());
        let variant = 0x8000 | (b >> 48 & 0x3fff);
        let (time, mid, high, node) = (a >> 32, a >> 16 & 0xffff, a & 0xfff, b & 0xffff_ffff_ffff);
        format!("{time:08x}-{mid:04x}-4{high:03x}-{variant:04x}-{node:012x}")
    }

    fn date(&self) -> String {
        (self.now)().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    fn admit(&self, resource: &Resource, old: Option<&Value>, new: &mut Value) -> Result<(), Box<Status>> {
        let Some(admission) = &self.admission else { return Ok(()) };
        let name = new["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let refuse = |text| refusal(422, format!("{} is invalid: {text}", told(resource, &name)));
        admission(resource, old, new).map_err(refuse)
    }

    /// Stores a replaced object, unless nothing changed (no new version, no event) or the last finalizer of a
    /// deleted one went.
    fn settle(&mut self, resource: &Resource, key: &Key, old: &Value, mut new: Value) -> Value {
        if new == *old {
            return new;
        }
        if resource.custom && beyond_status(&new) != beyond_status(old) {
            bump(&mut new);
        }
        if new["metadata"]["deletionTimestamp"].is_null() || !finalizers(&new).is_empty() {
            return self.store(key, new);
        }
        self.commit(key, None);
        new["metadata"]["resourceVersion"] = json!(self.revision.to_string());
        new
    }

    fn store(&mut self, key: &Key, mut object: Value) -> Value {
        object["metadata"]["resourceVersion"] = json!((self.revision + 1).to_string());
        self.commit(key, Some(Arc::new(object.clone())));
        object
    }

    fn commit(&mut self, key: &Key, after: Option<Arc<Value>>) {
        self.revision += 1;
        let before = match &after {
            Some(object) => self.objects.insert(key.clone(), object.clone()),
            None => self.objects.remove(key),
        };
        let written = Instant::now();
        // A shorter lag than before does not let a change overtake an earlier one.
        let last = self.log.back().map_or(written, |change| change.due);
        let due = last.max(written + self.faults.cache_lag);
        self.log.push_back(Change { revision: self.revision, key: key.clone(), before, after, written, due });
        self.forget(written);
        self.changed.notify_waiters();
    }

    fn forget(&mut self, now: Instant) {
        while self.log.front().is_some_and(|change| change.written + HISTORY < now) {
            if let Some(change) = self.log.pop_front() {
                self.forgotten.insert(change.key.plural, change.revision);
            }
        }
    }
}

fn check_shape(resource: &Resource, sent: &Value) -> Result<(), Box<Status>> {
    if !sent["metadata"].is_object() {
        return Err(refusal(400, "the body is no object with metadata"));
    }
    let fits = |field: &str, wanted: &str| match &sent[field] {
        Value::Null => !resource.custom,
        value => value == wanted,
    };
    if fits("apiVersion", &resource.api_version()) && fits("kind", resource.kind) {
        return Ok(());
    }
    let got = format!("{}, {}", sent["apiVersion"], sent["kind"]);
    Err(refusal(400, format!("want {}, {}; got {got}", resource.api_version(), resource.kind)))
}

/// What the body says about its place must be the URL's.
fn check_place(key: &Key, sent: &Value) -> Result<(), Box<Status>> {
    for (field, wanted) in [("name", &key.name), ("namespace", &key.namespace)] {
        let said = sent["metadata"][field].as_str().unwrap_or_default();
        if !said.is_empty() && said != wanted {
            return Err(refusal(400, format!("the {field} of the object ({said}) is not the URL's ({wanted})")));
        }
    }
    Ok(())
}

fn check_version(resource: &Resource, old: &Value, sent: &Value) -> Result<(), Box<Status>> {
    let name = told(resource, old["metadata"]["name"].as_str().unwrap_or_default());
    match sent["metadata"]["resourceVersion"].as_str() {
        None | Some("") if UNCONDITIONAL.contains(&resource.plural) => Ok(()),
        None | Some("") => {
            let text = "metadata.resourceVersion: Invalid value: 0: must be specified for an update";
            Err(refusal(422, format!("{name} is invalid: {text}")))
        }
        Some(version) if old["metadata"]["resourceVersion"] == version => Ok(()),
        Some(_) => Err(conflict(
            &name,
            "the object has been modified; please apply your changes to the \
                                        latest version and try again",
        )),
    }
}

fn conflict(name: &str, why: &str) -> Box<Status> {
    refusal(409, format!("Operation cannot be fulfilled on {name}: {why}"))
}

/// `/status` takes nothing but the status and looks at no uid.
fn with_status(old: &Value, mut sent: Value) -> Value {
    let mut new = old.clone();
    match sent["status"].take() {
        Value::Null => remove(&mut new, "status"),
        status => new["status"] = status,
    }
    new
}

fn without_status(resource: &Resource, old: &Value, mut new: Value) -> Answer {
    let name = told(resource, old["metadata"]["name"].as_str().unwrap_or_default());
    let uid = &new["metadata"]["uid"];
    if !uid.is_null() && *uid != old["metadata"]["uid"] {
        return Err(conflict(&name, "Precondition failed: UID in precondition does not match"));
    }
    let added = finalizers(&new).iter().any(|finalizer| !finalizers(old).contains(finalizer));
    if added && !old["metadata"]["deletionTimestamp"].is_null() {
        let text = "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted";
        return Err(refusal(422, format!("{name} is invalid: {text}")));
    }
    for field in OWNED.into_iter().chain(["name", "namespace"]) {
        carry(&old["metadata"], &mut new["metadata"], field);
    }
    if resource.custom {
        carry(old, &mut new, "status");
    }
    Ok(new)
}

/// Empty metadata is the same as none, managed fields are not simulated, a custom resource has a status.
fn tidy(resource: &Resource, object: &mut Value) {
    remove(&mut object["metadata"], "managedFields");
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|_, value| !matches!(value.to_string().as_str(), "null" | "[]" | "{}"));
    }
    if resource.custom && object["status"].is_null() {
        object["status"] = json!({"observedGeneration": -1});
    }
}

fn beyond_status(object: &Value) -> Vec<(&String, &Value)> {
    let fields = object.as_object().into_iter().flatten();
    fields.filter(|(field, _)| !matches!(field.as_str(), "metadata" | "status")).collect()
}

fn bump(object: &mut Value) {
    if let Some(generation) = object["metadata"]["generation"].as_i64() {
        object["metadata"]["generation"] = json!(generation + 1);
    }
}

fn finalizers(object: &Value) -> &[Value] {
    object["metadata"]["finalizers"].as_array().map_or(&[], Vec::as_slice)
}

fn carry(from: &Value, to: &mut Value, field: &str) {
    match &from[field] {
        Value::Null => remove(to, field),
        value => to[field] = value.clone(),
    }
}

fn remove(object: &mut Value, field: &str) {
    if let Some(map) = object.as_object_mut() {
        map.remove(field);
    }
}

fn told(resource: &Resource, name: &str) -> String {
    match resource.group {
        "" => format!("{} \"{name}\"", resource.plural),
        group => format!("{}.{group} \"{name}\"", resource.plural),
    }
}
