//! An account's objects at the apiserver. What is read is what is stored now, whichever replica is asked; what is
//! written carries the version that it was decided on.

use std::time::Duration;

use kube::api::{ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject, TypeMeta};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::api::{JobStartStop, JobStartStopSpec, Workflow, workflow::workflow_id};

use super::WorkflowId;
use super::directory::Account;
use super::idempotency::{PREFIX, REQUEST};
use super::page::{Filling, Page, Step};
use super::query::Query;
use super::refusal::{Invalid, Refusal};
use super::upstream::ask;

/// How often a write is tried that meets other writers.
const TRIES: usize = 5;

/// How long an answer waits for the id to be written.
const PUBLISH: Duration = Duration::from_secs(3);

/// How many objects the apiserver is asked for at once.
const PART: std::ops::RangeInclusive<usize> = 100..=500;

/// How many parts are looked through for one page: then the page ends, with a token, be it empty.
const MOST_PARTS: usize = 20;

/// A request under an `Idempotency-Key`.
#[derive(Debug)]
pub(super) struct NamedRequest {
    /// The name of the object that it makes.
    pub(super) object: String,
    /// What tells its body from another.
    pub(super) digest: String,
}

/// An object, and what is shown of it.
#[derive(Debug)]
pub(super) struct Window {
    pub(super) object: JobStartStop,
    pub(super) shown: Workflow,
}

/// The objects of one account.
pub(super) struct Objects<'a> {
    account: &'a Account,
    api: Api<DynamicObject>,
}

impl<'a> Objects<'a> {
    pub(super) fn new(client: Client, account: &'a Account) -> Self {
        // Not typed: one object that another version wrote must not spoil the list of all.
        let kind = ApiResource::erase::<JobStartStop>(&());
        Self { account, api: Api::namespaced_with(client, &account.name.namespace, &kind) }
    }

    /// The object of this id. `name` is what it may be called.
    pub(super) async fn find(&self, id: &WorkflowId, name: Option<String>) -> Result<Window, Refusal> {
        if let Some(name) = name
            && let Some(object) = self.get(&name).await?
            && self.is(&object, id)
        {
            return self.window(object);
        }
        let by_id = ListParams::default().fields(&format!("status.workflowID={id}"));
        let found = ask(self.api.list(&by_id)).await?.items;
        let object = found.into_iter().find(|object| self.is(object, id)).ok_or(Refusal::UnknownWorkflow)?;
        self.window(object)
    }

    /// Stores a window. Under a name that a request has used before, it is that request's.
    pub(super) async fn create(
        &self,
        spec: &JobStartStopSpec,
        request: Option<&NamedRequest>,
    ) -> Result<Window, Refusal> {
        let new = DynamicObject {
            types: Some(TypeMeta::resource::<JobStartStop>()),
            metadata: metadata(request),
            data: json!({ "spec": spec }),
        };
        let created = ask(self.api.create(&PostParams::default(), &new)).await;
        let object = match (created, request) {
            (Ok(object), _) => object,
            (Err(failed), Some(request)) if failed.is_taken() => {
                self.made_before(request).await?.ok_or(Refusal::LATER)?
            }
            (Err(failed), _) => return Err(failed.into()),
        };
        let object = self.published(object).await;
        self.window(object)
    }

    /// The window that this request has made before.
    pub(super) async fn created_before(&self, request: &NamedRequest) -> Result<Option<Window>, Refusal> {
        let object = self.made_before(request).await?;
        object.map(|object| self.window(object)).transpose()
    }

    async fn made_before(&self, request: &NamedRequest) -> Result<Option<DynamicObject>, Refusal> {
        let Some(object) = self.get(&request.object).await? else { return Ok(None) };
        let same = object.annotations().get(REQUEST).is_some_and(|digest| *digest == request.digest);
        if same && self.is_of_account(&object) {
            if object.metadata.deletion_timestamp.is_some() {
                return Err(Invalid::new("Idempotency-Key names a workflow whose object is being deleted").into());
            }
            return Ok(Some(object));
        }
        Err(Invalid::new("Idempotency-Key was used before, with another body").into())
    }

    /// Writes the id into the status, where every replica finds it. The controller would, but later; where this fails
    /// it still will, and a window that is stored is not answered as one that is not.
    async fn published(&self, object: DynamicObject) -> DynamicObject {
        let stored = object.clone();
        // The client waits, and the object is there: without an answer it would make another.
        timeout(PUBLISH, self.publish(object)).await.unwrap_or(stored)
    }

    async fn publish(&self, mut object: DynamicObject) -> DynamicObject {
        let name = object.name_any();
        for _ in 0..TRIES {
            let id = workflow_id(object.uid().as_deref().unwrap_or_default());
            // The schema's default is there from the beginning: what lacks it is not ours to fill.
            let Some(status) = object.data.get_mut("status").and_then(Value::as_object_mut) else { break };
            if status.insert("workflowID".to_owned(), id.clone().into()) == Some(id.into()) {
                break;
            }
            let written = ask(self.api.replace_status(&name, &PostParams::default(), &object)).await;
            let newer = match written {
                Ok(written) => return written,
                Err(failed) if failed.code() == Some(409) => self.get(&name).await.ok().flatten(),
                Err(failed) => {
                    tracing::warn!(object = name, why = failed.told(), "a new workflow has no id in its status yet");
                    break;
                }
            };
            let Some(newer) = newer.filter(|newer| newer.uid() == object.uid()) else { break };
            object = newer;
        }
        object
    }

    /// Changes the spec. `None`: somebody else has changed the object since it was read.
    pub(super) async fn change(&self, window: &Window, spec: &Value) -> Result<Option<Window>, Refusal> {
        let metadata = &window.object.metadata;
        let patch = Patch::Merge(json!({ "metadata": version(metadata), "spec": spec }));
        let name = metadata.name.as_deref().unwrap_or_default();
        match ask(self.api.patch(name, &PatchParams::default(), &patch)).await {
            Ok(object) => self.window(object).map(Some),
            Err(failed) if failed.code() == Some(409) => Ok(None),
            Err(failed) if failed.code() == Some(404) => Err(Refusal::UnknownWorkflow),
            Err(failed) => Err(failed.into()),
        }
    }

    /// A page of the account's windows, in the order of their names.
    pub(super) async fn page(&self, query: &Query) -> Result<Page, Refusal> {
        let mut filling = Filling::new(query);
        for _ in 0..MOST_PARTS {
            let part = self.part(query, filling.chunk()).await?;
            let next = part.metadata.continue_.filter(|token| !token.is_empty());
            let ours = part.items.into_iter().filter(|object| self.is_of_account(object));
            let windows = ours.filter_map(|object| Some((object.name_any(), self.window(object).ok()?.shown)));
            match filling.look_through(windows, next) {
                Step::Further(further) => filling = further,
                Step::Done(page) => return Ok(page),
            }
        }
        Ok(filling.stop())
    }

    async fn part(&self, query: &Query, token: &str) -> Result<kube::core::ObjectList<DynamicObject>, Refusal> {
        // One more than fits: whether there is another page shows at once.
        let size = (query.page_size + 1).clamp(*PART.start(), *PART.end());
        let mut params = ListParams::default().limit(u32::try_from(size).unwrap_or(u32::MAX));
        if let Some(job) = &query.job {
            params = params.fields(&format!("spec.jobID={job}"));
        }
        if token.is_empty() {
            return Ok(ask(self.api.list(&params)).await?);
        }
        ask(self.api.list(&params.continue_token(token))).await.map_err(|failed| match failed.code() {
            Some(410) => Invalid::new("start_token is out of date: begin the list anew without it").into(),
            Some(400) => Invalid::new("start_token must be the next_token of a list").into(),
            _ => failed.into(),
        })
    }

    async fn get(&self, name: &str) -> Result<Option<DynamicObject>, Refusal> {
        match ask(self.api.get(name)).await {
            Ok(object) => Ok(Some(object)),
            Err(failed) if failed.code() == Some(404) => Ok(None),
            Err(failed) => Err(failed.into()),
        }
    }

    fn is(&self, object: &DynamicObject, id: &WorkflowId) -> bool {
        object.metadata.uid.as_deref().is_some_and(|uid| id.is_of(uid)) && self.is_of_account(object)
    }

    fn is_of_account(&self, object: &DynamicObject) -> bool {
        object.data["spec"]["accountRef"]["name"] == *self.account.name.name
    }

    /// What cannot be read here another replica may read: versions differ while the operator is upgraded.
    fn window(&self, object: DynamicObject) -> Result<Window, Refusal> {
        let name = object.name_any();
        let read = || {
            let object: JobStartStop = object.try_parse().ok()?;
            let shown = Workflow::of(&object, &self.account.account_id)?;
            Some(Window { object, shown })
        };
        read().ok_or_else(|| {
            tracing::warn!(namespace = %self.account.name.namespace, object = name, "an object cannot be fully read");
            Refusal::LATER
        })
    }
}

fn metadata(request: Option<&NamedRequest>) -> ObjectMeta {
    match request {
        None => ObjectMeta { generate_name: Some(PREFIX.to_owned()), ..ObjectMeta::default() },
        Some(request) => ObjectMeta {
            name: Some(request.object.clone()),
            annotations: Some([(REQUEST.to_owned(), request.digest.clone())].into()),
            ..ObjectMeta::default()
        },
    }
}

/// What a write names of its object: the version is the lock, the uid tells it from a namesake.
fn version(metadata: &ObjectMeta) -> Value {
    json!({ "resourceVersion": metadata.resource_version, "uid": metadata.uid })
}
