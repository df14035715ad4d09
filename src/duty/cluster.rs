//! The API server, as those on duty reach it: with their kubeconfig, their rights and bounded patience.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::api::{JobStartStop, LiveAccount};
use crate::controller::raw::Raw;

use super::MANAGER;
use super::actions::Change;
use super::error::{Asked, Error, Failed, alike_names};
use super::extension::Extension;
use super::options::Connection;
use super::page::Event;
use super::release::Held;
use super::window::Window;

/// How many objects are asked for at once.
const PART: u32 = 500;

/// How many events of a window are shown.
const EVENTS: usize = 10;

/// By which label the operator's Leases are known.
const LEASES: &str = "app.kubernetes.io/name=jobstartstop";

const WINDOWS: &str = "jobstartstops";

/// The windows of one job.
#[derive(Debug)]
pub(super) struct OfJob {
    pub(super) windows: Vec<Window>,
    /// What could not be looked at, in sentences.
    pub(super) gaps: Vec<String>,
}

/// What became of an object that was to be made.
#[derive(Debug)]
pub(super) enum Made {
    Created(Window),
    /// It was there already.
    Existed(Window),
}

/// A cluster, and a namespace in it.
pub(super) struct Cluster {
    client: Client,
    pub(super) namespace: String,
    patience: Duration,
}

impl Cluster {
    /// The one that the options, the environment or the user's files name.
    pub(super) async fn connect(options: &Connection) -> Result<Self, Error> {
        // Fails only if one was installed before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut config = config(options).await?;
        let patience = options.request_timeout;
        config.default_retry = false;
        config.connect_timeout = Some(patience);
        config.read_timeout = Some(patience);
        config.write_timeout = Some(patience);
        let namespace = options.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config).map_err(|error| Error::NoCluster(error.to_string()))?;
        Ok(Self { client, namespace, patience })
    }

    /// What time it is there: this machine's clock may be wrong, and a stop that is moved to a time ahead is put off.
    /// `None`: the API server does not tell.
    pub(super) async fn now(&self) -> Option<Timestamp> {
        let request = http::Request::get("/version").body(Body::empty()).ok()?;
        let answer = timeout(self.patience, self.client.send(request)).await.ok()?.ok()?;
        let date = answer.headers().get(http::header::DATE)?.to_str().ok()?;
        DateTimeParser::new().parse_timestamp(date).ok()
    }

    async fn ask<T>(&self, asked: &Asked, request: impl Future<Output = kube::Result<T>>) -> Result<T, Failed> {
        match timeout(self.patience, request).await {
            Ok(answer) => answer.map_err(|error| Failed::of(error, asked)),
            Err(_) => Err(Failed::For(Error::TimedOut(self.patience))),
        }
    }

    fn api<K>(&self, namespace: Option<&str>) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        match namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        }
    }

    async fn list<K>(
        &self,
        resource: &'static str,
        namespace: Option<&str>,
        params: ListParams,
    ) -> Result<Vec<K>, Failed>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + Debug,
    {
        let (api, asked) = (self.api::<K>(namespace), Asked::of("list", resource, namespace));
        let (mut all, mut params) = (Vec::new(), params.limit(PART));
        loop {
            let part = self.ask(&asked, api.list(&params)).await?;
            all.extend(part.items);
            match part.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(all),
            }
        }
    }

    /// Windows of a namespace, or of all.
    pub(super) async fn windows(&self, namespace: Option<&str>, labels: Option<&str>) -> Result<Vec<Window>, Error> {
        let params = labels.map_or_else(ListParams::default, |labels| ListParams::default().labels(labels));
        let raw = self.list::<Raw<JobStartStop>>(WINDOWS, namespace, params).await.map_err(Failed::told)?;
        Ok(raw.into_iter().map(Window::from).collect())
    }

    /// A window as it is stored now; `None`: there is none.
    pub(super) async fn find(&self, namespace: &str, name: &str) -> Result<Option<Window>, Error> {
        let api = self.api::<Raw<JobStartStop>>(Some(namespace));
        match self.ask(&Asked::of("get", WINDOWS, Some(namespace)), api.get(name)).await {
            Ok(raw) => Ok(Some(raw.into())),
            Err(Failed::Missing) => Ok(None),
            Err(failed) => Err(failed.told()),
        }
    }

    /// The same; an error names those that are called alike.
    pub(super) async fn window(&self, namespace: &str, name: &str) -> Result<Window, Error> {
        if let Some(window) = self.find(namespace, name).await? {
            return Ok(window);
        }
        let there = match self.windows(Some(namespace), None).await {
            Ok(windows) => windows.into_iter().map(|window| window.name).collect(),
            Err(error @ Error::NoDefinitions) => return Err(error),
            // That it is not there is known without a list.
            Err(_) => Vec::new(),
        };
        let alike = alike_names(name, &there);
        Err(Error::NotFound { namespace: namespace.to_owned(), name: name.to_owned(), alike })
    }

    /// All windows of a window's job at its endpoint, over all namespaces as far as they may be read; itself among them.
    pub(super) async fn of_job(&self, window: &Window) -> OfJob {
        let mut gaps = Vec::new();
        let params = || ListParams::default().fields(&format!("spec.jobID={}", window.job()));
        let mut found: Result<Vec<Raw<JobStartStop>>, Failed> =
            if window.job().is_empty() { Ok(Vec::new()) } else { self.list(WINDOWS, None, params()).await };
        if let Err(failed) = found {
            let why = match failed {
                Failed::For(Error::Forbidden { .. }) => "they cannot be listed with your rights".to_owned(),
                failed => failed.told().to_string(),
            };
            gaps.push(format!("windows of the same job in other namespaces, which may keep its channel on: {why}"));
            found = self.list(WINDOWS, Some(&window.namespace), params()).await;
        }
        let found = found.unwrap_or_else(|failed| {
            gaps.push(format!("other windows of the job: {}", failed.told()));
            Vec::new()
        });
        let mut windows: Vec<Window> = found.into_iter().map(Window::from).collect();
        let endpoints = self.endpoints(&windows).await;
        let endpoint =
            |window: &Window| endpoints.get(&(window.namespace.clone(), window.account().to_owned())).cloned();
        let own = endpoint(window);
        windows.retain(|other| {
            let theirs = endpoint(other);
            own.is_none() || theirs.is_none() || theirs == own
        });
        windows.retain(|other| other.uid != window.uid);
        windows.push(window.clone());
        OfJob { windows, gaps }
    }

    /// At which endpoint accounts are, as far as that may be read. Without the right, windows count as of one endpoint.
    async fn endpoints(&self, windows: &[Window]) -> BTreeMap<(String, String), String> {
        let mut endpoints = BTreeMap::new();
        let namespaces: BTreeSet<&str> = windows.iter().map(|window| &*window.namespace).collect();
        for namespace in namespaces {
            let accounts = self.list::<Raw<LiveAccount>>("liveaccounts", Some(namespace), ListParams::default()).await;
            for account in accounts.unwrap_or_default() {
                let status: crate::api::LiveAccountStatus = account.read_status();
                if !status.endpoint.is_empty() {
                    endpoints.insert((namespace.to_owned(), account.name_any()), status.endpoint);
                }
            }
        }
        endpoints
    }

    /// The last events of a window, oldest first.
    pub(super) async fn events(&self, window: &Window) -> Result<Vec<Event>, Error> {
        let of_it = ListParams::default().fields(&format!("involvedObject.uid={}", window.uid));
        let found = self.list::<v1::Event>("events", Some(&window.namespace), of_it).await.map_err(Failed::told)?;
        let mut events: Vec<Event> = found.into_iter().map(event).collect();
        events.sort_by_key(|event| event.at);
        Ok(events.split_off(events.len().saturating_sub(EVENTS)))
    }

    /// Edits a spec, on the version that was read. `None`: it was changed since, or is gone.
    pub(super) async fn edit(&self, change: &Change, dry_run: bool) -> Result<Option<Window>, Error> {
        let metadata = json!({ "resourceVersion": change.resource_version, "uid": change.uid });
        let patch = json!({ "metadata": metadata, "spec": change.spec });
        self.patch::<JobStartStop>(WINDOWS, (&change.namespace, &change.name), &patch, dry_run)
            .await
            .map(|raw| raw.map(Window::from))
    }

    async fn patch<K>(
        &self,
        resource: &'static str,
        (namespace, name): (&str, &str),
        patch: &Value,
        dry_run: bool,
    ) -> Result<Option<Raw<K>>, Error>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let params = PatchParams { dry_run, field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let api = self.api::<Raw<K>>(Some(namespace));
        let asked = Asked::of("patch", resource, Some(namespace));
        match self.ask(&asked, api.patch(name, &params, &Patch::Merge(patch))).await {
            Ok(raw) => Ok(Some(raw)),
            Err(Failed::Missing | Failed::Conflict) => Ok(None),
            Err(failed) => Err(failed.told()),
        }
    }

    /// Makes an extension; one that is there already is left as it is.
    pub(super) async fn create(&self, extension: &Extension, dry_run: bool) -> Result<Made, Error> {
        let namespace = &extension.namespace;
        let params = PostParams { dry_run, field_manager: Some(MANAGER.to_owned()) };
        let body = extension.manifest().to_string().into_bytes();
        let request = kube::core::Request::new(JobStartStop::url_path(&(), Some(namespace)))
            .create(&params, body)
            .map_err(|error| Error::Unreachable(error.to_string()))?;
        let asked = Asked::of("create", WINDOWS, Some(namespace));
        match self.ask(&asked, self.client.request::<Raw<JobStartStop>>(request)).await {
            Ok(raw) => Ok(Made::Created(raw.into())),
            Err(Failed::Conflict) => match self.find(namespace, &extension.name).await? {
                Some(window) if extension.is(&window) => Ok(Made::Existed(window)),
                Some(_) => Err(Error::Taken(extension.name.clone())),
                None => Err(Failed::Conflict.told()),
            },
            Err(failed) => Err(failed.told()),
        }
    }

    /// The operators' Leases, wherever they are; `None`: that may not be asked.
    pub(super) async fn leases(&self) -> Result<Option<Vec<Lease>>, Error> {
        let params = ListParams::default().labels(LEASES);
        match self.list("leases", None, params).await {
            Ok(leases) => Ok(Some(leases)),
            Err(Failed::For(Error::Forbidden { .. })) => Ok(None),
            Err(failed) => Err(failed.told()),
        }
    }

    /// The accounts that bear a finalizer, in a namespace or in all.
    pub(super) async fn held_accounts(&self, namespace: Option<&str>) -> Result<Vec<Held>, Error> {
        let found = self.list::<Raw<LiveAccount>>("liveaccounts", namespace, ListParams::default()).await;
        Ok(found.map_err(Failed::told)?.iter().filter_map(Held::account).collect())
    }

    /// Takes the operator's finalizer off. `false`: the object was changed since it was read, or is gone.
    pub(super) async fn release(&self, held: &Held, dry_run: bool) -> Result<bool, Error> {
        let of = (held.namespace.as_str(), held.name.as_str());
        let patch = held.without_finalizer();
        if held.kind == Held::ACCOUNT {
            return Ok(self.patch::<LiveAccount>("liveaccounts", of, &patch, dry_run).await?.is_some());
        }
        Ok(self.patch::<JobStartStop>(WINDOWS, of, &patch, dry_run).await?.is_some())
    }

    /// An account as it is stored now, where it bears a finalizer.
    pub(super) async fn held_account(&self, namespace: &str, name: &str) -> Result<Option<Held>, Error> {
        let api = self.api::<Raw<LiveAccount>>(Some(namespace));
        match self.ask(&Asked::of("get", "liveaccounts", Some(namespace)), api.get(name)).await {
            Ok(raw) => Ok(Held::account(&raw)),
            Err(Failed::Missing) => Ok(None),
            Err(failed) => Err(failed.told()),
        }
    }
}

async fn config(options: &Connection) -> Result<Config, Error> {
    let by = KubeConfigOptions { context: options.context.clone(), ..KubeConfigOptions::default() };
    if let Some(path) = &options.kubeconfig {
        let told = |error: kube::config::KubeconfigError| Error::Kubeconfig(path.clone(), error.to_string());
        let file = Kubeconfig::read_from(path).map_err(told)?;
        return Config::from_custom_kubeconfig(file, &by).await.map_err(told);
    }
    if options.context.is_some() {
        return Config::from_kubeconfig(&by).await.map_err(|error| Error::NoCluster(error.to_string()));
    }
    Config::infer().await.map_err(|error| Error::NoCluster(error.to_string()))
}

fn event(event: v1::Event) -> Event {
    let last = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref().map(|time| time.0));
    let at: Option<Timestamp> = last
        .or_else(|| event.event_time.as_ref().map(|time| time.0))
        .or_else(|| event.last_timestamp.as_ref().map(|time| time.0));
    Event {
        at,
        warning: event.type_.as_deref() == Some("Warning"),
        reason: event.reason.unwrap_or_default(),
        note: event.message.unwrap_or_default(),
    }
}
