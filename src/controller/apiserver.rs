//! Requests to the apiserver: reads and writes of single objects, each bounded in time, each write with the version of
//! the object that it was computed on.

use std::fmt::Debug;
use std::time::Duration;

use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource};
use plan::{ObjectName, WindowId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::api::{GROUP, JobStartStop, VERSION};

use super::raw::Raw;

/// How long one request may take.
pub(super) const LONGEST: Duration = Duration::from_secs(10);

/// Why a write was not made.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    #[error("no answer within {LONGEST:?}")]
    TimedOut,
    #[error("another process has claimed its start, and it is not proven that this one leads")]
    LeaseUnproven,
    #[error(transparent)]
    Kube(#[from] Box<kube::Error>),
}

impl WriteError {
    pub(super) fn code(&self) -> Option<u16> {
        match self {
            Self::Kube(error) => match error.as_ref() {
                kube::Error::Api(status) => Some(status.code),
                _ => None,
            },
            Self::TimedOut | Self::LeaseUnproven => None,
        }
    }

    pub(super) fn is_conflict(&self) -> bool {
        self.code() == Some(409)
    }

    pub(super) fn is_gone(&self) -> bool {
        self.code() == Some(404)
    }
}

/// A resource version as a number. Those of one resource are ordered (Kubernetes 1.35 and later promise it; etcd has
/// always made them so); `None`: not one that can be compared.
pub(super) fn version_number(version: &str) -> Option<u64> {
    version.parse().ok()
}

pub(super) async fn within<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, WriteError> {
    match timeout(LONGEST, call).await {
        Ok(answer) => answer.map_err(|error| Box::new(error).into()),
        Err(_) => Err(WriteError::TimedOut),
    }
}

/// What a write must name of its object. The resource version is the lock: a late write cannot undo a later one. The
/// uid closes the one hole left, an object made again under the same name.
pub(super) struct Meta<'a> {
    pub(super) name: &'a ObjectName,
    pub(super) uid: Option<&'a WindowId>,
    pub(super) resource_version: &'a str,
}

/// Replaces the whole status. The body needs no spec: the apiserver takes nothing but the status from it.
pub(super) async fn put_status<K>(client: &Client, meta: &Meta<'_>, status: &impl Serialize) -> Result<K, WriteError>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()> + DeserializeOwned,
{
    let mut metadata = json!({
        "name": *meta.name.name,
        "namespace": *meta.name.namespace,
        "resourceVersion": meta.resource_version,
    });
    if let Some(uid) = meta.uid {
        metadata["uid"] = Value::from(uid.as_str());
    }
    let body = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": K::kind(&()),
        "metadata": metadata,
        "status": status,
    });
    let request = kube::core::Request::new(K::url_path(&(), Some(&meta.name.namespace)))
        .replace_subresource("status", &meta.name.name, &PostParams::default(), body.to_string().into_bytes())
        .map_err(|error| Box::new(kube::Error::BuildRequest(error)))?;
    within(client.request(request)).await
}

pub(super) async fn put_finalizers<K>(
    client: &Client,
    name: &ObjectName,
    resource_version: &str,
    finalizers: &[String],
) -> Result<K, WriteError>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let patch = json!({"metadata": {"resourceVersion": resource_version, "finalizers": finalizers}});
    let api: Api<K> = Api::namespaced(client.clone(), &name.namespace);
    within(api.patch(&name.name, &PatchParams::default(), &Patch::Merge(patch))).await
}

pub(super) async fn fetch(client: &Client, name: &ObjectName) -> Result<Raw<JobStartStop>, WriteError> {
    let api: Api<Raw<JobStartStop>> = Api::namespaced(client.clone(), &name.namespace);
    within(api.get(&name.name)).await
}
