//! An apiserver in memory, as far as kube's client and watcher can see one.
//!
//! It keeps to the real one's rules where an operator could lean on them: optimistic concurrency,
//! generations, the status subresource, finalizers, paging over one snapshot, watches that resume, expire or
//! fall silent. It admits what a schema would refuse unless a test installs [`Store::admission`].
//!
//! Runs inside one current-thread runtime with a paused clock. Names, uids, versions and latencies come from
//! counters and the seed, and everything iterates in order, so the same seed gives the same trace.

mod objects;
mod patch;
mod reading;
mod serve;
#[cfg(test)]
mod tests;
mod watching;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ops::RangeInclusive,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use kube::core::Status;
use serde_json::Value;
use tokio::{sync::Notify, time::Instant};

pub(crate) use serve::Apiserver;
pub(crate) use watching::Break;

/// The wall clock of the apiserver.
pub(crate) type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What the apiserver says: an object, or why not.
pub(crate) type Answer = Result<Value, Box<Status>>;

/// Stands for schema and webhooks: sees the stored object and may change or refuse the one to be stored.
pub(crate) type Admission = Arc<dyn Fn(&Resource, Option<&Value>, &mut Value) -> Result<(), String> + Send + Sync>;

/// The writer named in [`Write::by`] for changes made through the store's own methods.
pub(crate) const USER: &str = "user";

/// How long changes are kept for watches that resume: an apiserver compacts every 5 minutes.
const HISTORY: Duration = Duration::from_mins(10);

/// One kind of object that the apiserver serves.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) kind: &'static str,
    namespaced: bool,
    /// A custom resource of ours: status subresource with a default, generation.
    custom: bool,
    selectable: &'static [&'static str],
}

impl Resource {
    const fn custom(plural: &'static str, kind: &'static str, selectable: &'static [&'static str]) -> Self {
        let (group, version) = ("scheduler.bcovlive.io", "v1alpha1");
        Self { group, version, plural, kind, namespaced: true, custom: true, selectable }
    }

    const fn builtin(
        group: &'static str,
        version: &'static str,
        plural: &'static str,
        kind: &'static str,
        namespaced: bool,
    ) -> Self {
        Self { group, version, plural, kind, namespaced, custom: false, selectable: &[] }
    }

    pub(crate) fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }
}

static RESOURCES: [Resource; 8] = [
    Resource::custom("jobstartstops", "JobStartStop", &["spec.jobID", "status.phase", "status.workflowID"]),
    Resource::custom("liveaccounts", "LiveAccount", &[]),
    Resource::custom("recurringjobstartstops", "RecurringJobStartStop", &[]),
    Resource::builtin("", "v1", "secrets", "Secret", true),
    Resource::builtin("", "v1", "namespaces", "Namespace", false),
    Resource::builtin("events.k8s.io", "v1", "events", "Event", true),
    Resource::builtin("coordination.k8s.io", "v1", "leases", "Lease", true),
    Resource::builtin("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", false),
];

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    List,
    Watch,
    Create,
    Update,
    UpdateStatus,
    Patch,
    PatchStatus,
    Delete,
}

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing is done; answered with this code.
    Refuse(u16),
    /// It is done, and still answered with this code: the failure happened on the way back.
    Mislead(u16),
    /// Nothing is done, nothing is answered.
    Hang,
    /// It is done, nothing is answered.
    LoseAnswer,
    /// The connection breaks before the request is read.
    Reset,
    /// Carried out this much later, when the client may have given up.
    Late(Duration),
}

/// One attempt to change an object that reached the apiserver, refused ones included.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Write {
    pub(crate) at: Timestamp,
    /// The client's name, or [`USER`].
    pub(crate) by: String,
    pub(crate) verb: Verb,
    pub(crate) plural: &'static str,
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// What the client was told; `None` where no answer was sent.
    pub(crate) code: Option<u16>,
    /// The body as it came; null for a delete.
    pub(crate) sent: Value,
    /// The object as stored by this write; `None` where nothing was stored.
    pub(crate) stored: Option<Value>,
}

/// An object's place; the order is that of lists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    plural: &'static str,
    namespace: String,
    name: String,
}

impl Key {
    fn new(resource: &Resource, namespace: &str, name: &str) -> Self {
        let namespace = if resource.namespaced { namespace } else { "" };
        Self { plural: resource.plural, namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

type Objects = BTreeMap<Key, Arc<Value>>;

/// One revision: what it changed, and when watches and reads from the cache come to see it.
struct Change {
    revision: u64,
    key: Key,
    before: Option<Arc<Value>>,
    after: Option<Arc<Value>>,
    written: Instant,
    due: Instant,
}

#[derive(Default)]
struct Faults {
    planned: Vec<(Verb, String, Fault)>,
    per_mille: u64,
    latency: Option<RangeInclusive<Duration>>,
    cache_lag: Duration,
    cut: BTreeSet<String>,
    /// Counts the breaks; a watch opened before the last one ends in its way.
    breaks: u64,
    manner: Option<Break>,
}

/// splitmix64.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound.max(1)
    }
}

/// A list that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) by: String,
    plural: &'static str,
    /// Of all objects, and not of those with a certain field.
    pub(crate) whole: bool,
}

struct State {
    now: Now,
    changed: Arc<Notify>,
    admission: Option<Admission>,
    objects: Objects,
    revision: u64,
    log: VecDeque<Change>,
    /// The last change of each kind that is no longer in the log.
    forgotten: BTreeMap<&'static str, u64>,
    /// New watches and pages from before this revision are refused.
    compacted: u64,
    /// Apart from `chance`, so that a fault more or less does not change every later uid.
    identities: Random,
    chance: Random,
    faults: Faults,
    writes: Vec<Write>,
    /// Reads of single objects, by kind.
    reads: BTreeMap<&'static str, usize>,
    lists: Vec<Listed>,
}

/// What [`Store::restore`] goes back to.
#[derive(Clone)]
pub(crate) struct Snapshot {
    objects: Objects,
    revision: u64,
}

/// The apiserver. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Store {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

impl Store {
    pub(crate) fn new(seed: u64, now: Now) -> Self {
        let changed = Arc::new(Notify::new());
        let state = State {
            now,
            changed: changed.clone(),
            admission: None,
            objects: Objects::new(),
            revision: 1,
            log: VecDeque::new(),
            forgotten: BTreeMap::new(),
            compacted: 0,
            identities: Random::new(seed),
            chance: Random::new(!seed),
            faults: Faults::default(),
            writes: Vec::new(),
            reads: BTreeMap::new(),
            lists: Vec::new(),
        };
        Self { state: Arc::new(Mutex::new(state)), changed }
    }

    /// A client of its own connection; `who` names it in [`Write::by`] and for [`Store::cut`].
    pub(crate) fn client(&self, who: &str) -> kube::Client {
        kube::Client::new(self.service(who), "default")
    }

    /// The service below [`Store::client`], for tests that put a layer between.
    pub(crate) fn service(&self, who: &str) -> Apiserver {
        Apiserver::new(self.clone(), who)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a person with kubectl does. No faults, no latency.
impl Store {
    /// Creates an object of a served kind; without a namespace it goes to `default`.
    pub(crate) fn create(&self, object: Value) -> Answer {
        let resource = resource_of(&object)?;
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or("default").to_owned();
        let key = Key::new(resource, &namespace, object["metadata"]["name"].as_str().unwrap_or_default());
        self.record(Verb::Create, key, object.clone(), |state| state.create(resource, &namespace, object))
    }

    /// Reads, changes and replaces an object; what `change` does to a status is lost, as through kubectl.
    pub(crate) fn edit(&self, plural: &str, namespace: &str, name: &str, change: impl FnOnce(&mut Value)) -> Answer {
        self.replace(Verb::Update, plural, namespace, name, change)
    }

    /// The same through the status subresource.
    pub(crate) fn edit_status(
        &self,
        plural: &str,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) -> Answer {
        self.replace(Verb::UpdateStatus, plural, namespace, name, change)
    }

    /// Deletes an object: the answer is the object while finalizers hold it, else a `Status`.
    pub(crate) fn delete(&self, plural: &str, namespace: &str, name: &str) -> Answer {
        let resource = resource(plural)?;
        let key = Key::new(resource, namespace, name);
        self.record(Verb::Delete, key.clone(), Value::Null, |state| state.delete(resource, &key, &Value::Null))
    }

    /// The object as stored now.
    pub(crate) fn get(&self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        let key = Key::new(resource(plural).ok()?, namespace, name);
        self.lock().objects.get(&key).map(|object| Value::clone(object))
    }

    /// All objects of a kind, by namespace and name.
    pub(crate) fn list(&self, plural: &str) -> Vec<Value> {
        let state = self.lock();
        let of_kind = state.objects.iter().filter(|(key, _)| key.plural == plural);
        of_kind.map(|(_, object)| Value::clone(object)).collect()
    }

    fn replace(
        &self,
        verb: Verb,
        plural: &str,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) -> Answer {
        let resource = resource(plural)?;
        let key = Key::new(resource, namespace, name);
        let mut object = Value::clone(&*self.lock().read(resource, &key)?);
        change(&mut object);
        self.record(verb, key.clone(), object.clone(), |state| state.replace(resource, &key, object, verb))
    }

    fn record(&self, verb: Verb, key: Key, sent: Value, perform: impl FnOnce(&mut State) -> Answer) -> Answer {
        let mut state = self.lock();
        let answer = perform(&mut state);
        state.record(USER, verb, key, sent, &answer, Some(code_of(verb, &answer)));
        answer
    }
}

/// What the test looks at and what it makes go wrong.
impl Store {
    /// Every attempt to write, by clients and by the user, in order.
    pub(crate) fn writes(&self) -> Vec<Write> {
        self.lock().writes.clone()
    }

    /// How many single objects of a kind were read by clients.
    pub(crate) fn reads(&self, plural: &str) -> usize {
        self.lock().reads.get(plural).copied().unwrap_or(0)
    }

    /// Every list of a kind that clients asked for, in order.
    pub(crate) fn lists(&self, plural: &str) -> Vec<Listed> {
        self.lock().lists.iter().filter(|listed| listed.plural == plural).cloned().collect()
    }

    /// Installs rules in place of the schema's; a refusal is answered as 422 with its text.
    pub(crate) fn admission(
        &self,
        rules: impl Fn(&Resource, Option<&Value>, &mut Value) -> Result<(), String> + Send + Sync + 'static,
    ) {
        self.lock().admission = Some(Arc::new(rules));
    }

    /// The next `times` requests of this verb and kind, from any client, meet `fault`.
    pub(crate) fn fail_next(&self, times: usize, verb: Verb, plural: &str, fault: Fault) {
        let planned = std::iter::repeat_n((verb, plural.to_owned(), fault), times);
        self.lock().faults.planned.extend(planned);
    }

    /// From now on so many of a thousand requests meet a fault drawn from the seed; lists and watches are
    /// always answered or reset.
    pub(crate) fn fail_at_random(&self, per_mille: u64) {
        self.lock().faults.per_mille = per_mille;
    }

    /// From now on a request takes this long, half of it before the apiserver acts.
    pub(crate) fn latency(&self, range: RangeInclusive<Duration>) {
        self.lock().faults.latency = Some(range);
    }

    /// From now on watches, and reads with `resourceVersion=0`, see a write so much later.
    pub(crate) fn cache_lag(&self, lag: Duration) {
        self.lock().faults.cache_lag = lag;
    }

    /// Ends all open watches.
    pub(crate) fn break_watches(&self, manner: Break) {
        self.lock().break_watches(manner);
    }

    /// Cuts one client off without a word: nothing answers it, its watches fall silent.
    pub(crate) fn cut(&self, who: &str) {
        self.lock().faults.cut.insert(who.to_owned());
    }

    /// Ends a cut: watches go on where they were, requests that met the cut stay unanswered.
    pub(crate) fn heal(&self, who: &str) {
        self.lock().faults.cut.remove(who);
        self.changed.notify_waiters();
    }

    /// Forgets history: watches and pages that start earlier are answered 410. Open watches go on.
    pub(crate) fn compact(&self) {
        let mut state = self.lock();
        state.compacted = state.revision;
    }

    /// A backup of etcd.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let state = self.lock();
        Snapshot { objects: state.objects.clone(), revision: state.revision }
    }

    /// etcd restored from a backup: resourceVersions go back, watches break, and one that resumes from a
    /// version not reached yet stays silent.
    pub(crate) fn restore(&self, snapshot: Snapshot) {
        let mut state = self.lock();
        state.objects = snapshot.objects;
        state.revision = snapshot.revision;
        state.compacted = snapshot.revision;
        state.log.clear();
        state.forgotten.clear();
        state.break_watches(Break::Reset);
    }
}

fn resource(plural: &str) -> Result<&'static Resource, Box<Status>> {
    let found = RESOURCES.iter().find(|resource| resource.plural == plural);
    found.ok_or_else(|| refusal(404, format!("no resource {plural} is served")))
}

fn resource_of(object: &Value) -> Result<&'static Resource, Box<Status>> {
    let (version, kind) = (object["apiVersion"].as_str(), object["kind"].as_str());
    let fits = |r: &&Resource| Some(r.kind) == kind && Some(r.api_version().as_str()) == version;
    let unknown = || refusal(404, format!("no matches for kind {kind:?} in version {version:?}"));
    RESOURCES.iter().find(fits).ok_or_else(unknown)
}

/// A refusal with the reason that belongs to its code.
fn refusal(code: u16, message: impl AsRef<str>) -> Box<Status> {
    let reason = match code {
        400 => "BadRequest",
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        410 => "Expired",
        415 => "UnsupportedMediaType",
        422 => "Invalid",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "InternalError",
    };
    Status::failure(message.as_ref(), reason).with_code(code).boxed()
}

fn code_of(verb: Verb, answer: &Answer) -> u16 {
    match (verb, answer) {
        (_, Err(status)) => status.code,
        (Verb::Create, Ok(_)) => 201,
        _ => 200,
    }
}
