//! What is watched, turned into plain calls on the index.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, Config, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Client, Resource, ResourceExt};
use plan::{AccountName, ObjectName, WindowId};
use serde::de::DeserializeOwned;

use tokio::task::{AbortHandle, JoinSet};

use crate::api::{JobStartStop, LiveAccount};

use super::accounts::{self, Account, Dialling};
use super::raw::Raw;
use super::shared::Shared;
use super::window::{Stored, name_of};

/// A watch is asked to end after this long: how long a dead connection can hide an edit (kube adds 5 s).
const WATCH_SECONDS: u32 = 45;

const WINDOWS: &str = "jobstartstops";
const ACCOUNTS: &str = "liveaccounts";
const SECRETS: &str = "secrets";

/// How long the first lists wait for the Secrets that accounts name. A Secret that cannot be read must not keep the
/// other accounts' channels from being switched.
const SECRETS_WAIT: Duration = Duration::from_secs(5);

/// How long one more look at a Secret may take: others may wait for theirs.
const READ_AGAIN: Duration = Duration::from_secs(5);

/// Watching fails, and is tried again after 0.5 s, doubling to 4 s. No longer: an API server that comes back refuses
/// watches for some seconds (403 and 429, until it has read what it goes by), and who waits out of turn then sees no edit.
/// No jitter: a simulation must repeat itself, and one process has few watches.
#[derive(Debug)]
struct Retry(Duration);

impl Retry {
    const FIRST: Duration = Duration::from_millis(500);
    const MOST: Duration = Duration::from_secs(4);
}

impl Iterator for Retry {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let wait = self.0;
        self.0 = (self.0 * 2).min(Self::MOST);
        Some(wait)
    }
}

impl Backoff for Retry {
    fn reset(&mut self) {
        self.0 = Self::FIRST;
    }
}

/// Objects in one page of a list. Each is read as JSON first, which takes five times its text: the page decides how much
/// memory a list takes on its way.
const PAGE: u32 = 100;

/// The stream of one watch, without what nobody reads.
fn events<K>(api: Api<K>, config: Config) -> impl Stream<Item = watcher::Result<Event<K>>>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    watch(api, config.timeout(WATCH_SECONDS).page_size(PAGE))
        .modify(|object| object.managed_fields_mut().clear())
        .backoff(Retry(Retry::FIRST))
}

/// How often everything is listed anew, whatever the watches say: one that went silent must not hide an edit for long.
const RELIST: Duration = Duration::from_mins(5);

/// How long a list may show nothing new before it is given up and begun anew: an answer that was lost never comes.
const LIST_SILENCE: Duration = Duration::from_secs(15);

/// Runs every watch. `scopes`: where; `None` means everywhere.
pub(super) async fn run(shared: Arc<Shared>, client: Client, scopes: Vec<Option<String>>, dialling: Dialling) {
    shared.index().expect_lists(&scopes);
    // All of them before the first can be complete.
    for scope in &scopes {
        shared.readiness.expect_list(&watch_name(WINDOWS, scope.as_deref()));
        shared.readiness.expect_list(&watch_name(ACCOUNTS, scope.as_deref()));
    }
    let mut watches = JoinSet::new();
    for scope in scopes {
        watches.spawn(accounts(Arc::clone(&shared), client.clone(), scope.clone(), dialling.clone()));
        watches.spawn(windows(Arc::clone(&shared), client.clone(), scope));
    }
    watches.spawn(secrets(Arc::clone(&shared), client.clone()));
    watches.spawn(read_again(Arc::clone(&shared), client));
    watches.spawn(begin(shared));
    while watches.join_next().await.is_some() {}
}

/// Starts deciding once every first list is complete.
async fn begin(shared: Arc<Shared>) {
    shared.readiness.until_listed().await;
    let named = async {
        loop {
            let changed = shared.secrets_changed.notified();
            if shared.index().secrets_read() {
                return;
            }
            changed.await;
        }
    };
    // Not read in time: their accounts show it, and the others go on.
    let _ = tokio::time::timeout(SECRETS_WAIT, named).await;
    shared.readiness.set_warm();
    tracing::info!("first lists complete");
    let term = shared.tenure.until_leading().await;
    tracing::info!(process = %term.by, term = %term.id, "leading");
    shared.metrics.leading(true);
    shared.lead(term);
    // What an earlier leader wrote last may not have come by our watches.
    shared.relist_when_reread().await;
}

/// One resource in one scope, as it comes and goes.
trait Watched {
    type Object: Resource + Clone + DeserializeOwned + Debug + Send + 'static;
    type Key: Ord;

    fn apply(&self, object: Self::Object) -> Option<Self::Key>;
    fn delete(&self, object: Self::Object);
    /// A list is complete that was asked for at `asked_at`: what it did not show is gone.
    fn retain(&self, seen: &BTreeSet<Self::Key>, asked_at: Timestamp);
}

/// Lists and watches, and begins anew from a list every few minutes and when somebody asks for it.
async fn follow<W: Watched>(watched: W, api: Api<W::Object>, shared: &Shared, (name, on_error): (&str, impl Fn())) {
    loop {
        follow_once(&watched, api.clone(), shared, (name, &on_error)).await;
        tracing::debug!(watch = name, "listing anew");
    }
}

async fn follow_once<W: Watched>(
    watched: &W,
    api: Api<W::Object>,
    shared: &Shared,
    (name, on_error): (&str, impl Fn()),
) {
    let readiness = &shared.readiness;
    // Counted before the list is asked for: what is asked for while it is under way is not answered by it.
    let relists = shared.relists();
    let mut stream = pin!(events(api, Config::default()));
    let mut relist = pin!(async {
        let _ = tokio::time::timeout(RELIST, shared.relist_after(relists)).await;
    });
    let mut seen = BTreeSet::new();
    let (mut asked_at, mut complete) = (shared.clock.now(), false);
    loop {
        let event = tokio::select! {
            biased;
            // A list under way is not given up for the next one: it would never be complete.
            () = &mut relist, if complete => return,
            () = tokio::time::sleep(LIST_SILENCE), if !complete => {
                readiness.failed(name, "no answer");
                return tracing::warn!(watch = name, "the list was not answered, beginning anew");
            }
            event = stream.next() => event,
        };
        let Some(event) = event else { return };
        match event {
            Ok(Event::Init) => {
                asked_at = shared.clock.now();
                complete = false;
                seen.clear();
            }
            Ok(Event::InitApply(object)) => seen.extend(watched.apply(object)),
            Ok(Event::InitDone) => {
                complete = true;
                watched.retain(&std::mem::take(&mut seen), asked_at);
                readiness.listed(name);
            }
            Ok(Event::Apply(object)) => {
                watched.apply(object);
            }
            Ok(Event::Delete(object)) => watched.delete(object),
            Err(error) => {
                on_error();
                tracing::warn!(watch = name, %error, "watch failed, trying again");
                readiness.failed(name, &error.to_string());
            }
        }
    }
}

fn api<K>(client: &Client, scope: Option<&str>) -> Api<K>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope>,
    K::DynamicType: Default,
{
    scope.map_or_else(|| Api::all(client.clone()), |namespace| Api::namespaced(client.clone(), namespace))
}

fn watch_name(what: &str, scope: Option<&str>) -> String {
    scope.map_or_else(|| what.to_owned(), |namespace| format!("{what} in {namespace}"))
}

struct Windows {
    shared: Arc<Shared>,
    scope: Option<String>,
}

impl Watched for Windows {
    type Object = Raw<JobStartStop>;
    type Key = WindowId;

    fn apply(&self, object: Self::Object) -> Option<WindowId> {
        let name = name_of(&object);
        let uid = object.uid().map(WindowId::new);
        let version = object.resource_version();
        self.shared.version_seen(version.as_deref());
        if uid.as_ref().is_some_and(|id| self.shared.index().knows(id, version.as_deref())) {
            // What a list brings most often: nothing needs to be read of it.
            return uid;
        }
        match Stored::read(object) {
            Ok(stored) => {
                let touched = self.shared.index().apply_window(stored);
                self.shared.changed(touched);
            }
            Err(_) => self.shared.unread.push(name),
        }
        uid
    }

    fn delete(&self, object: Self::Object) {
        let Some(id) = object.uid().map(WindowId::new) else { return };
        let touched = self.shared.index().remove_window(&id);
        self.shared.changed(touched);
    }

    fn retain(&self, seen: &BTreeSet<WindowId>, asked_at: Timestamp) {
        let mut index = self.shared.index();
        let mut touched = index.retain_windows(self.scope.as_deref(), seen);
        self.shared.definition_doubted.notify_waiters();
        touched.extend(index.listed(self.scope.as_deref(), asked_at));
        drop(index);
        self.shared.changed(touched);
    }
}

async fn windows(shared: Arc<Shared>, client: Client, scope: Option<String>) {
    let name = watch_name(WINDOWS, scope.as_deref());
    let api = api(&client, scope.as_deref());
    let watched = Windows { shared: Arc::clone(&shared), scope };
    follow(watched, api, &shared, (&name, || shared.metrics.watch_failed(WINDOWS))).await;
}

struct Accounts {
    shared: Arc<Shared>,
    scope: Option<String>,
    dialling: Dialling,
}

impl Accounts {
    /// An account that was read before keeps what was read: a stop may hang on it.
    fn unread(&self, name: &AccountName, why: &str) {
        self.shared.metrics.undecodable();
        tracing::error!(account = %name, why, "the stored object cannot be fully read; what was read before holds");
    }
}

impl Watched for Accounts {
    type Object = Raw<LiveAccount>;
    type Key = AccountName;

    fn apply(&self, object: Self::Object) -> Option<AccountName> {
        let name = name_of(&object);
        match accounts::read(object) {
            Ok(read) => {
                let mut index = self.shared.index();
                let account = Account::parse(read, &self.dialling, index.flags());
                if let Some(trouble) = &account.unreadable {
                    self.unread(&name, &trouble.message);
                }
                let touched = index.apply_account(&name, account, self.shared.clock.now());
                drop(index);
                self.shared.secrets_changed.notify_waiters();
                self.shared.changed(touched);
            }
            Err(why) => self.unread(&name, &why),
        }
        Some(name)
    }

    fn delete(&self, object: Self::Object) {
        let touched = self.shared.index().remove_account(&name_of(&object));
        self.shared.secrets_changed.notify_waiters();
        self.shared.changed(touched);
    }

    fn retain(&self, seen: &BTreeSet<AccountName>, _: Timestamp) {
        let touched = self.shared.index().retain_accounts(self.scope.as_deref(), seen);
        self.shared.secrets_changed.notify_waiters();
        self.shared.changed(touched);
    }
}

async fn accounts(shared: Arc<Shared>, client: Client, scope: Option<String>, dialling: Dialling) {
    let name = watch_name(ACCOUNTS, scope.as_deref());
    let api = api(&client, scope.as_deref());
    let watched = Accounts { shared: Arc::clone(&shared), scope, dialling };
    follow(watched, api, &shared, (&name, || shared.metrics.watch_failed(ACCOUNTS))).await;
}

/// One watch for each Secret that an account names, and for no other: Secrets are never listed at large.
async fn secrets(shared: Arc<Shared>, client: Client) {
    let mut watches = JoinSet::new();
    let mut running: BTreeMap<ObjectName, AbortHandle> = BTreeMap::new();
    loop {
        let changed = shared.secrets_changed.notified();
        let named = shared.index().secrets_named();
        running.retain(|name, watch| {
            let keep = named.contains(name);
            if !keep {
                watch.abort();
                shared.index().forget_secret(name);
            }
            keep
        });
        for name in named {
            running
                .entry(name.clone())
                .or_insert_with(|| watches.spawn(secret(Arc::clone(&shared), client.clone(), name)));
        }
        tokio::select! {
            biased;
            () = changed => {}
            () = shared.went_back.notified() => std::mem::take(&mut running).values().for_each(AbortHandle::abort),
        }
    }
}

/// Reads each Secret whose key was refused once more: its watch may lag behind a rotation.
async fn read_again(shared: Arc<Shared>, client: Client) {
    loop {
        let name = shared.doubted.next().await;
        let api: Api<Secret> = Api::namespaced(client.clone(), &name.namespace);
        let read = tokio::time::timeout(READ_AGAIN, api.get_opt(&name.name)).await;
        match read {
            Ok(Ok(Some(secret))) => {
                let touched = shared.index().apply_read_again(&name, secret, shared.clock.now());
                shared.changed(touched);
            }
            // That it is gone, the watch tells.
            Ok(Ok(None)) => {}
            Ok(Err(error)) => tracing::warn!(secret = %name, %error, "Secret not read again after its key was refused"),
            Err(_) => tracing::warn!(secret = %name, "Secret not read again in time after its key was refused"),
        }
    }
}

async fn secret(shared: Arc<Shared>, client: Client, name: ObjectName) {
    let api: Api<Secret> = Api::namespaced(client, &name.namespace);
    let one = Config::default().fields(&format!("metadata.name={}", name.name));
    let mut stream = pin!(events(api, one));
    let mut listed = None;
    while let Some(event) = stream.next().await {
        let now = match event {
            Ok(Event::Init) => {
                listed = None;
                continue;
            }
            Ok(Event::InitApply(secret)) => {
                listed = Some(secret);
                continue;
            }
            Ok(Event::InitDone) => listed.take(),
            Ok(Event::Apply(secret)) => Some(secret),
            Ok(Event::Delete(_)) => None,
            Err(error) => {
                shared.metrics.watch_failed(SECRETS);
                tracing::warn!(secret = %name, %error, "Secret not watched, trying again");
                continue;
            }
        };
        let touched = shared.index().apply_secret(&name, now, shared.clock.now());
        shared.secrets_changed.notify_waiters();
        shared.changed(touched);
    }
}
