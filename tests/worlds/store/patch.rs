//! The patches that kube's client sends.

use serde_json::{Map, Value};

/// One patch, by its content type.
pub(super) enum Patch {
    Merge(Value),
    Json(Vec<Value>),
    /// Server-side apply without ownership: as if one manager wrote everything. A status is replaced whole,
    /// the rest is merged.
    Apply(Value),
}

impl Patch {
    /// `None` where the content type is not served.
    pub(super) fn new(content_type: &str, body: Value) -> Option<Self> {
        match (content_type, body) {
            ("application/merge-patch+json", body) => Some(Self::Merge(body)),
            ("application/json-patch+json", Value::Array(operations)) => Some(Self::Json(operations)),
            ("application/apply-patch+yaml", body) => Some(Self::Apply(body)),
            _ => None,
        }
    }

    /// Whether it makes an object that is not there.
    pub(super) fn creates(&self) -> bool {
        matches!(self, Self::Apply(_))
    }

    pub(super) fn apply(&self, target: &mut Value, status: bool) -> Result<(), String> {
        match self {
            Self::Merge(patch) => merge(target, patch),
            Self::Json(operations) => operations.iter().try_for_each(|o| operate(target, o))?,
            Self::Apply(patch) => {
                if status {
                    target["status"] = Value::Null;
                }
                merge(target, patch);
            }
        }
        Ok(())
    }
}

/// RFC 7386.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(object) = target else { return };
    for (field, value) in fields {
        if value.is_null() {
            object.remove(field);
        } else {
            merge(object.entry(field.as_str()).or_insert(Value::Null), value);
        }
    }
}

/// One operation of RFC 6902; `move` and `copy` are not served.
fn operate(target: &mut Value, operation: &Value) -> Result<(), String> {
    let path = operation["path"].as_str().ok_or("an operation without a path")?;
    let value = &operation["value"];
    match operation["op"].as_str() {
        Some("test") if target.pointer(path).unwrap_or(&Value::Null) == value => Some(()),
        Some("test") => return Err(format!("testing path {path} failed")),
        Some("replace") => target.pointer_mut(path).map(|there| *there = value.clone()),
        Some("add") => add(target, path, value.clone()),
        Some("remove") => take(target, path),
        other => return Err(format!("operation {other:?} is not served")),
    }
    .ok_or_else(|| format!("{path} is not there"))
}

fn add(target: &mut Value, path: &str, value: Value) -> Option<()> {
    let (parent, last) = parent(target, path)?;
    match parent {
        Value::Object(fields) => {
            fields.insert(last, value);
        }
        Value::Array(items) if last == "-" => items.push(value),
        Value::Array(items) => {
            let at = last.parse().ok().filter(|at| *at <= items.len())?;
            items.insert(at, value);
        }
        _ => return None,
    }
    Some(())
}

fn take(target: &mut Value, path: &str) -> Option<()> {
    let (parent, last) = parent(target, path)?;
    match parent {
        Value::Object(fields) => fields.remove(&last).map(drop),
        Value::Array(items) => {
            let at = last.parse().ok().filter(|at| *at < items.len())?;
            items.remove(at);
            Some(())
        }
        _ => None,
    }
}

fn parent<'a>(target: &'a mut Value, path: &str) -> Option<(&'a mut Value, String)> {
    let (parent, last) = path.rsplit_once('/')?;
    Some((target.pointer_mut(parent)?, last.replace("~1", "/").replace("~0", "~")))
}
