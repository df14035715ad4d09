//! Reads: selectors, snapshots of the past, lists and their pages.

use std::{borrow::Cow, sync::Arc};

use kube::core::Status;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Answer, Change, Key, Objects, Resource, State, refusal};

/// The query parameters that the store understands.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Query {
    pub(super) watch: bool,
    pub(super) allow_watch_bookmarks: bool,
    pub(super) send_initial_events: bool,
    pub(super) timeout_seconds: Option<u64>,
    pub(super) resource_version: Option<String>,
    pub(super) dry_run: Option<String>,
    resource_version_match: Option<String>,
    field_selector: Option<String>,
    label_selector: Option<String>,
    limit: Option<usize>,
    r#continue: Option<String>,
}

impl Query {
    /// It asks for all objects, whatever their fields.
    pub(super) fn whole(&self) -> bool {
        self.field_selector.is_none()
    }

    pub(super) fn selector(&self, resource: &Resource) -> Result<Selector, Box<Status>> {
        let fields = terms(self.field_selector.as_deref())?;
        for (field, _) in &fields {
            let known = ["metadata.name", "metadata.namespace"];
            if !known.iter().chain(resource.selectable).any(|known| known == field) {
                return Err(refusal(400, format!("field label not supported: {field}")));
            }
        }
        Ok(Selector { fields, labels: terms(self.label_selector.as_deref())? })
    }
}

#[derive(Clone, Debug)]
enum Test {
    Is(String),
    IsNot(String),
    Exists,
    Absent,
}

/// Which objects a list or a watch is about.
#[derive(Clone, Debug)]
pub(super) struct Selector {
    fields: Vec<(String, Test)>,
    labels: Vec<(String, Test)>,
}

impl Selector {
    pub(super) fn matches(&self, object: &Value) -> bool {
        let field = |path: &str| object.pointer(&format!("/{}", path.replace('.', "/")));
        let label = |name: &str| object["metadata"]["labels"].get(name);
        self.fields.iter().all(|(path, test)| test.passes(Some(field(path).unwrap_or(&json!("")))))
            && self.labels.iter().all(|(name, test)| test.passes(label(name)))
    }
}

impl Test {
    fn passes(&self, value: Option<&Value>) -> bool {
        match self {
            Self::Is(wanted) => value.is_some_and(|value| value == wanted.as_str()),
            Self::IsNot(unwanted) => value.is_none_or(|value| value != unwanted.as_str()),
            Self::Exists => value.is_some(),
            Self::Absent => value.is_none(),
        }
    }
}

fn terms(selector: Option<&str>) -> Result<Vec<(String, Test)>, Box<Status>> {
    selector.unwrap_or_default().split(',').filter(|term| !term.is_empty()).map(term).collect()
}

fn term(term: &str) -> Result<(String, Test), Box<Status>> {
    if term.contains(['(', ')', ' ']) {
        return Err(refusal(400, format!("set-based selectors are not simulated: {term}")));
    }
    let (name, test) = if let Some((name, value)) = term.split_once("!=") {
        (name, Test::IsNot(value.to_owned()))
    } else if let Some((name, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        (name, Test::Is(value.to_owned()))
    } else if let Some(name) = term.strip_prefix('!') {
        (name, Test::Absent)
    } else {
        (term, Test::Exists)
    };
    Ok((name.to_owned(), test))
}

impl State {
    /// The newest revision that has reached the watch cache.
    pub(super) fn seen(&self) -> u64 {
        let now = Instant::now();
        let arrived = self.log.partition_point(|change| change.due <= now);
        self.log.get(arrived).map_or(self.revision, |change| change.revision - 1)
    }

    /// Whether everything that happened to this kind after `revision` is still known.
    pub(super) fn remembers(&self, resource: &Resource, revision: u64) -> bool {
        self.forgotten.get(resource.plural).is_none_or(|forgotten| *forgotten <= revision)
    }

    pub(super) fn expired(&self) -> Box<Status> {
        refusal(410, format!("too old resource version: history starts at {}", self.compacted))
    }

    pub(super) fn get(&self, resource: &Resource, key: &Key, query: &Query) -> Answer {
        let objects = self.at(resource, self.basis(resource, query)?);
        let missing = || self.read(resource, key).err().unwrap_or_else(|| refusal(404, "not found yet"));
        objects.get(key).map(|object| Value::clone(object)).ok_or_else(missing)
    }

    pub(super) fn list(&self, resource: &Resource, namespace: Option<&str>, query: &Query) -> Answer {
        let selector = query.selector(resource)?;
        let (revision, after) = match query.r#continue.as_deref().filter(|token| !token.is_empty()) {
            Some(token) => self.resume(resource, token)?,
            None => (self.basis(resource, query)?, None),
        };
        let objects = self.at(resource, revision);
        let fits = |key: &Key, object: &Value| {
            in_scope(key, resource, namespace)
                && after.as_ref().is_none_or(|after| key > after)
                && selector.matches(object)
        };
        let found: Vec<_> = objects.iter().filter(|(key, object)| fits(key, object)).collect();
        let page = query.limit.filter(|limit| *limit > 0).unwrap_or(usize::MAX);
        let items: Vec<&Arc<Value>> = found.iter().take(page).map(|(_, object)| *object).collect();
        let mut metadata = json!({"resourceVersion": revision.to_string()});
        if let Some((last, _)) = found.get(page.wrapping_sub(1)).filter(|_| found.len() > page) {
            metadata["continue"] = json!(format!("{revision}/{}/{}", last.namespace, last.name));
            metadata["remainingItemCount"] = json!(found.len() - page);
        }
        let items: Vec<&Value> = items.into_iter().map(AsRef::as_ref).collect();
        Ok(json!({"kind": format!("{}List", resource.kind), "apiVersion": resource.api_version(),
            "metadata": metadata, "items": items}))
    }

    /// Objects of this kind as they were at a revision; those of other kinds as they are.
    pub(super) fn at(&self, resource: &Resource, revision: u64) -> Cow<'_, Objects> {
        let later = |change: &&Change| change.revision > revision;
        let undone = self.log.iter().rev().take_while(later).filter(|c| c.key.plural == resource.plural);
        let mut objects = Cow::Borrowed(&self.objects);
        for change in undone {
            match &change.before {
                Some(before) => objects.to_mut().insert(change.key.clone(), before.clone()),
                None => objects.to_mut().remove(&change.key),
            };
        }
        objects
    }

    /// The revision that a read without a continue token is served from.
    pub(super) fn basis(&self, resource: &Resource, query: &Query) -> Result<u64, Box<Status>> {
        let Some(asked) = revision(query.resource_version.as_deref())? else { return Ok(self.revision) };
        let exact = query.resource_version_match.as_deref() == Some("Exact");
        if asked > self.revision {
            return Err(refusal(504, format!("Too large resource version: {asked}, current: {}", self.revision)));
        }
        if exact && (asked < self.compacted || !self.remembers(resource, asked)) {
            return Err(self.expired());
        }
        Ok(if exact { asked } else { asked.max(self.seen()) })
    }

    fn resume(&self, resource: &Resource, token: &str) -> Result<(u64, Option<Key>), Box<Status>> {
        let malformed = || refusal(400, format!("continue key is not valid: {token}"));
        let mut parts = token.splitn(3, '/');
        let revision = parts.next().and_then(|part| part.parse().ok()).ok_or_else(malformed)?;
        let (namespace, name) = parts.next().zip(parts.next()).ok_or_else(malformed)?;
        if revision < self.compacted || !self.remembers(resource, revision) {
            return Err(self.expired());
        }
        Ok((revision, Some(Key::new(resource, namespace, name))))
    }
}

/// A resourceVersion from a query; none where it is unset or empty.
pub(super) fn revision(text: Option<&str>) -> Result<Option<u64>, Box<Status>> {
    let parse = |text: &str| text.parse().map_err(|_| refusal(400, format!("Invalid value: {text:?}")));
    text.filter(|text| !text.is_empty()).map(parse).transpose()
}

pub(super) fn in_scope(key: &Key, resource: &Resource, namespace: Option<&str>) -> bool {
    key.plural == resource.plural && namespace.is_none_or(|namespace| key.namespace == namespace)
}
