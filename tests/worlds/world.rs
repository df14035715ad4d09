//! A world: the operator's own code, all of it, between an apiserver in memory and a simulated vendor, under one
//! paused clock. An hour takes as long as its work does.
//!
//! [`simulate`] runs a story in a runtime of its own. Times are told in seconds from the world's beginning, at
//! 2026-12-01T12:00:00Z. Both lanes run as tasks of that one runtime, with the real timings.

mod candidates;
mod delegation;
mod receivers;
mod soundness;
mod trace;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use jobstartstop::controller::{Gauges, Known, Lanes, Setup, Untold};
use jobstartstop::leader::Tenure;
use jobstartstop::live::{Endpoint, Timeouts, Transport, TransportError};
use jobstartstop::observe::{Metrics, Readiness};
use jobstartstop::timetable::Clock;
use k8s_openapi::ByteString;
use plan::{DeletionPolicy, LeaseTimings, ProcessId, Timings};
use serde_json::{Value, json};
use simulator::{EncoderScript, Fault, InProcess, NewJob, Settings, SharedWorld};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::store::Store;

pub(crate) use delegation::{registered, told};
pub(crate) use receivers::{Mood, Receivers};
pub(crate) use trace::Trace;

/// The plural of windows.
pub(crate) const WINDOWS: &str = "jobstartstops";

/// When every world begins: 2026-12-01T12:00:00Z.
const BEGINNING: i64 = 1_796_126_400;

/// Names of clients that are the operator begin so.
const OPERATOR: &str = "operator";

const GROUP: &str = "scheduler.bcovlive.io/v1alpha1";

/// Runs a story from its world's beginning, in a runtime of its own: nothing of another world is left in it.
pub(crate) fn simulate<T>(seed: u64, story: impl AsyncFnOnce(&mut World) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut world = World::new(seed);
        story(&mut world).await
    })
}

/// Wall clock and virtual time are one.
#[derive(Debug)]
struct VirtualClock(Instant);

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        at(0) + SignedDuration::try_from(self.0.elapsed()).unwrap()
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn boottime(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The operator's own clock, which may be wrong by so many milliseconds.
#[derive(Debug)]
struct OwnClock {
    right: Arc<VirtualClock>,
    off: Arc<AtomicI64>,
}

impl Clock for OwnClock {
    fn now(&self) -> Timestamp {
        self.right.now() + SignedDuration::from_millis(self.off.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        self.right.monotonic()
    }

    fn boottime(&self) -> Duration {
        self.right.boottime()
    }
}

/// So many seconds after the world's beginning.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(BEGINNING + second).unwrap()
}

pub(crate) const fn minutes(minutes: i64) -> i64 {
    minutes * 60
}

pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) store: Store,
    clock: Arc<VirtualClock>,
    off: Arc<AtomicI64>,
    vendor: InProcess,
    pub(crate) receivers: Receivers,
    /// What the HTTP interface asks whose key it was given.
    pub(crate) known: Arc<Known>,
    /// `--cluster-id`
    cluster: String,
    operator: Option<Operator>,
    operators: u32,
}

/// A running operator: the tasks of `main`'s two threads.
struct Operator {
    timetable: JoinHandle<()>,
    convergence: JoinHandle<bool>,
    posts: JoinHandle<()>,
    stop_calls: CancellationToken,
    stop_writes: CancellationToken,
    gauges: Gauges,
    metrics: Arc<Metrics>,
}

impl World {
    fn new(seed: u64) -> Self {
        let clock = Arc::new(VirtualClock(Instant::now()));
        let now = {
            let clock = Arc::clone(&clock);
            Arc::new(move || clock.now())
        };
        let settings = Settings {
            seed,
            latency_ms: 20,
            latency_jitter_ms: 60,
            encoder: EncoderScript(vec![5_000]),
            ..Settings::default()
        };
        let vendor = InProcess::new(SharedWorld::new(simulator::World::new(settings)), now);
        Self::around(seed, String::new(), clock, vendor)
    }

    /// The operator has that `--cluster-id`.
    pub(crate) fn name_cluster(&mut self, cluster: &str) {
        cluster.clone_into(&mut self.cluster);
    }

    /// Another cluster over the same vendor: an apiserver of its own, and an operator with that `--cluster-id`. Its
    /// objects have other uids.
    pub(crate) fn neighbour(&self, cluster: &str) -> Self {
        let seed = self.seed.wrapping_add(0x9e37_79b9);
        Self::around(seed, cluster.to_owned(), Arc::clone(&self.clock), self.vendor.clone())
    }

    fn around(seed: u64, cluster: String, clock: Arc<VirtualClock>, vendor: InProcess) -> Self {
        let now = {
            let clock = Arc::clone(&clock);
            Arc::new(move || clock.now())
        };
        let store = Store::new(seed, now);
        store.latency(Duration::from_millis(2)..=Duration::from_millis(30));
        for definition in jobstartstop::api::crds::all() {
            store.create(serde_json::to_value(definition).unwrap()).unwrap();
        }
        Self {
            seed,
            store,
            clock,
            off: Arc::default(),
            vendor,
            receivers: Receivers::default(),
            known: Arc::default(),
            cluster,
            operator: None,
            operators: 0,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Seconds since the beginning.
    pub(crate) fn second(&self) -> i64 {
        self.now().as_second() - BEGINNING
    }

    /// Lets the world go on until so many seconds after its beginning.
    pub(crate) async fn until(&self, second: i64) {
        self.until_millis(second * 1_000).await;
    }

    pub(crate) async fn until_millis(&self, millis: i64) {
        sleep_until(self.clock.0 + Duration::from_millis(u64::try_from(millis).unwrap())).await;
    }
}

/// What people do.
impl World {
    /// Makes a namespace usable: a key of the vendor's one account, its Secret, the LiveAccount `default`.
    pub(crate) fn settle(&self, namespace: &str) {
        self.settle_with(namespace, namespace, &json!({}));
    }

    /// The same with the key of that label, and with limits of its own.
    pub(crate) fn settle_with(&self, namespace: &str, label: &str, limits: &Value) {
        let key = format!("key-of-{label}");
        self.vendor(|vendor| vendor.add_key(label, &key, simulator::DEFAULT_ACCOUNT));
        let metadata = |name: &str| json!({"name": name, "namespace": namespace});
        self.create(json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata("bcov-live"),
            "data": {"apiKey": ByteString(key.into_bytes())}}));
        self.create(json!({"apiVersion": GROUP, "kind": "LiveAccount", "metadata": metadata("default"),
            "spec": {"apiKeySecretRef": {"name": "bcov-live", "key": "apiKey"}, "limits": limits}}));
    }

    /// The vendor takes another key for that label from now on, and the Secret holds it.
    pub(crate) fn rotate(&self, namespace: &str, label: &str, key: &str) {
        self.vendor(|vendor| vendor.add_key(label, key, simulator::DEFAULT_ACCOUNT));
        let data = json!({"apiKey": ByteString(key.as_bytes().to_vec())});
        self.store.edit("secrets", namespace, "bcov-live", |secret| secret["data"] = data).unwrap();
    }

    /// Static jobs, off.
    pub(crate) fn jobs(&self, ids: &[&str]) {
        for id in ids {
            self.vendor(|vendor| vendor.create_job(self.now(), NewJob::with_id(*id))).unwrap();
        }
    }

    /// Applies a window `<namespace>/<name>` on a job, from one second to another.
    pub(crate) fn window(&self, path: &str, job: &str, (start, stop): (i64, i64)) {
        let (namespace, name) = path.split_once('/').unwrap();
        self.create(json!({"apiVersion": GROUP, "kind": "JobStartStop",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"jobID": job, "activation": {"time": at(start)}, "deactivation": {"time": at(stop)}}}));
    }

    fn create(&self, object: Value) {
        self.store.create(object).unwrap();
    }

    /// Edits the spec of a window.
    pub(crate) fn edit(&self, path: &str, change: impl FnOnce(&mut Value)) {
        let (namespace, name) = path.split_once('/').unwrap();
        self.store.edit(WINDOWS, namespace, name, |object| change(&mut object["spec"])).unwrap();
    }

    pub(crate) fn move_start(&self, path: &str, second: i64) {
        self.edit(path, |spec| spec["activation"]["time"] = json!(at(second)));
    }

    pub(crate) fn move_stop(&self, path: &str, second: i64) {
        self.edit(path, |spec| spec["deactivation"]["time"] = json!(at(second)));
    }

    pub(crate) fn cancel(&self, path: &str) {
        self.edit(path, |spec| spec["cancel"] = json!(true));
    }

    pub(crate) fn delete(&self, path: &str) {
        let (namespace, name) = path.split_once('/').unwrap();
        self.store.delete(WINDOWS, namespace, name).unwrap();
    }

    /// The window as stored; null once it is gone.
    pub(crate) fn read(&self, path: &str) -> Value {
        let (namespace, name) = path.split_once('/').unwrap();
        self.store.get(WINDOWS, namespace, name).unwrap_or_default()
    }

    pub(crate) fn phase(&self, path: &str) -> String {
        self.read(path)["status"]["phase"].as_str().unwrap_or_default().to_owned()
    }
}

/// The vendor.
impl World {
    /// Does something with the simulated vendor.
    pub(crate) fn vendor<T>(&self, act: impl FnOnce(&mut simulator::World) -> T) -> T {
        self.vendor.world().with(act)
    }

    /// Changes how it behaves.
    pub(crate) fn vendor_settings(&self, change: impl FnOnce(&mut Settings)) {
        self.vendor(|vendor| {
            let mut settings = vendor.settings().clone();
            change(&mut settings);
            vendor.set_settings(settings);
        });
    }

    /// From now on something goes wrong there.
    pub(crate) fn vendor_fault(&self, fault: Fault) {
        self.vendor(|vendor| vendor.add_fault(fault));
    }
}

/// The operator.
impl World {
    /// Starts the operator, as `main` does: on what is stored, with no memory.
    pub(crate) fn start_operator(&mut self) {
        self.operators += 1;
        let name = format!("{OPERATOR}-{}", self.operators);
        let setup = self.setup(&name);
        let (queue, metrics) = (Arc::clone(&setup.posts), Arc::clone(&setup.metrics));
        let lanes = Lanes::new(setup);
        self.known.follow(&lanes);
        let (timetable, convergence, gauges) = lanes.split();
        let (stop_calls, stop_writes) = (CancellationToken::new(), CancellationToken::new());
        let stop_posts = stop_calls.clone();
        self.operator = Some(Operator {
            timetable: tokio::spawn(timetable.run(stop_calls.clone())),
            convergence: tokio::spawn(convergence.run(stop_writes.clone())),
            posts: tokio::spawn(async move { queue.run(stop_posts).await }),
            stop_calls,
            stop_writes,
            gauges,
            metrics,
        });
    }

    /// What a scrape of the operator reads.
    pub(crate) fn scrape(&self) -> String {
        let operator = self.operator.as_ref().expect("the operator runs");
        operator.gauges.refresh();
        operator.metrics.encode().unwrap()
    }

    /// Sets the operator's clock: so many seconds ahead of the right time, or behind it.
    pub(crate) fn set_operators_clock(&self, ahead: i64) {
        self.off.store(ahead * 1_000, Ordering::Relaxed);
    }

    /// SIGTERM: no new calls, then what is planned is written.
    pub(crate) async fn stop_operator(&mut self) {
        let operator = self.operator.take().expect("the operator runs");
        operator.stop_calls.cancel();
        operator.timetable.await.expect("the timetable lane did not panic");
        operator.stop_writes.cancel();
        operator.convergence.await.expect("the convergence lane did not panic");
        operator.posts.await.expect("the senders did not panic");
    }

    /// SIGKILL: whatever it has sent is carried out, whatever it was waiting for is lost.
    pub(crate) async fn kill_operator(&mut self) {
        let operator = self.operator.take().expect("the operator runs");
        operator.timetable.abort();
        operator.convergence.abort();
        operator.posts.abort();
        let ended = [operator.timetable.await.err(), operator.convergence.await.err(), operator.posts.await.err()];
        assert!(ended.iter().flatten().filter(|end| end.is_cancelled()).count() == 3, "a lane had ended by itself");
    }

    fn setup(&self, name: &str) -> Setup {
        let clock = Arc::new(OwnClock { right: Arc::clone(&self.clock), off: Arc::clone(&self.off) });
        let vendor = self.vendor.clone();
        let posts = self.receivers.queue(Arc::clone(&clock) as Arc<dyn Clock>);
        Setup {
            client: self.store.client(name),
            transport: Transport::new(vendor.map_err(|dropped| TransportError::Lost(dropped.to_string()))),
            timeouts: Timeouts::default(),
            tenure: Arc::new(Tenure::unelected(ProcessId::new(name), LeaseTimings::default(), clock.moment())),
            clock,
            steps: Arc::new(Untold),
            timings: Timings::default(),
            namespaces: BTreeSet::new(),
            endpoints: vec![Endpoint::vendor()],
            deletion_policy: DeletionPolicy::Stop,
            cluster: self.cluster.clone(),
            instance: name.to_owned(),
            metrics: Arc::new(Metrics::new()),
            readiness: Arc::new(Readiness::default()),
            posts,
        }
    }
}
