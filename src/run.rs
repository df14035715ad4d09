//! One run of the operator: what it stands on, its threads, and its end.
//!
//! A process lives in *rounds*. Each begins with no memory: it lists, stands by, leads when the Lease says so, and ends
//! with the process or with the loss of the Lease. After a loss the next round begins in place, so that no supervisor's
//! back-off stands between two leaders.

use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use jobstartstop::build;
use jobstartstop::controller::{Gauges, Known, Lanes, Setup, Steps, Timetable};
use jobstartstop::gateway::{self, Gateway, serve};
use jobstartstop::leader::{Elector, End, Tenure};
use jobstartstop::live::{Timeouts, Transport};
use jobstartstop::notify::{Guard, Queue, QueueLimits, SendTimeouts, Sender, SystemResolver};
use jobstartstop::observe::{self, LogFilter, Metrics, Readiness, Traces};
use jobstartstop::timetable::{Clock, WallClock};
use jobstartstop::tls_roots::TlsRoots;
use kube::config::{KubeConfigOptions, Kubeconfig};
use plan::election::Predecessor;
use plan::{LeaseTimings, ObjectName, ProcessId, Timings};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::cli::RunOptions;

/// A watch ends after 50 s at the latest, so a connection silent for longer is dead.
const SILENCE: Duration = Duration::from_mins(1);

/// Runs until a signal. `steps` is told how far calls have come.
pub(crate) fn run(options: RunOptions, steps: Arc<dyn Steps>) -> anyhow::Result<()> {
    // One TLS provider for all clients; fails only if one was installed before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("convergence")
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let instance = std::env::var("HOSTNAME").unwrap_or_else(|_| format!("jobstartstop-{}", std::process::id()));
    let roots = roots(&options)?;
    let traces = traces(&options, &roots, &runtime, &instance)?;
    let log = observe::start_logging(&options.log, options.log_format, traces.as_ref())
        .with_context(|| format!("--log {}", options.log))?;
    let ended = runtime.block_on(operate(options, steps, roots, instance, log));
    if let Some(traces) = traces {
        traces.flush();
    }
    ended
}

fn traces(
    options: &RunOptions,
    roots: &TlsRoots,
    runtime: &tokio::runtime::Runtime,
    instance: &str,
) -> anyhow::Result<Option<Traces>> {
    let Some(endpoint) = &options.otlp_endpoint else { return Ok(None) };
    let traces = Traces::over_http(endpoint, roots, runtime.handle().clone(), instance);
    Ok(Some(traces.with_context(|| format!("--otlp-endpoint {endpoint}"))?))
}

async fn operate(
    options: RunOptions,
    steps: Arc<dyn Steps>,
    roots: TlsRoots,
    instance: String,
    mut log: LogFilter,
) -> anyhow::Result<()> {
    if let Some(file) = options.log_filter_file.clone() {
        // Before the first line.
        log.look(&file).await;
        tokio::spawn(async move { log.follow(&file).await });
    }
    let timings = Timings::divided(options.time_divisor);
    timings.check()?;
    let lease_timings = LeaseTimings::divided(options.lease_divisor);
    lease_timings.check()?;
    let listener = TcpListener::bind(options.observe_address)
        .await
        .with_context(|| format!("--observe-address {}: cannot listen", options.observe_address))?;
    let address = listener.local_addr().unwrap_or(options.observe_address);
    let config = config(&options).await?;
    let ground = Ground {
        config,
        timings,
        lease_timings,
        steps,
        posts: posts(&options, &roots)?,
        roots,
        known: Arc::default(),
        metrics: Arc::new(Metrics::new()),
        readiness: Arc::new(Readiness::default()),
        instance,
        options,
    };
    tracing::info!(
        version = build::VERSION, revision = build::REVISION, %address, endpoints = ?ground.options.endpoints,
        namespaces = ?ground.options.namespaces, election = ground.options.leader_election, "starting"
    );
    let interface = Interface::open(&ground).await?;
    let gauges: Arc<Mutex<Option<Gauges>>> = Arc::default();
    let shown = Arc::clone(&gauges);
    let refresh = Arc::new(move || {
        if let Some(gauges) = shown.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            gauges.refresh();
        }
    });
    let observing = CancellationToken::new();
    let (metrics, readiness) = (Arc::clone(&ground.metrics), Arc::clone(&ground.readiness));
    let observed = tokio::spawn(observe::serve(listener, metrics, readiness, refresh, observing.clone()));
    let mut signals = Signals::new()?;
    let mut predecessor = None;
    while let Ended::LeaseLost(over) = round(&ground, &gauges, &mut signals, predecessor.take()).await? {
        predecessor = Some(over);
        tracing::warn!("the lease is lost: what was known is dropped, and this process stands by again");
    }
    if let Some(interface) = interface {
        interface.close().await;
    }
    observing.cancel();
    let _ = tokio::time::timeout(Duration::from_secs(1), observed).await;
    tracing::info!("ended");
    Ok(())
}

/// What all rounds stand on.
struct Ground {
    options: RunOptions,
    config: kube::Config,
    timings: Timings,
    lease_timings: LeaseTimings,
    steps: Arc<dyn Steps>,
    roots: TlsRoots,
    posts: Arc<Queue>,
    known: Arc<Known>,
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
    instance: String,
}

/// How a round ended.
enum Ended {
    Asked,
    /// With what the next round needs to know of this one.
    LeaseLost(Predecessor),
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// From no memory to the end of the process, or of its leading.
async fn round(
    ground: &Ground,
    gauges: &Mutex<Option<Gauges>>,
    signals: &mut Signals,
    predecessor: Option<Predecessor>,
) -> anyhow::Result<Ended> {
    let process = process_id()?;
    let now = WallClock.moment();
    let tenure = Arc::new(match &ground.options {
        RunOptions { leader_election: false, .. } => Tenure::unelected(process.clone(), ground.lease_timings, now),
        RunOptions { force_leadership: true, .. } => Tenure::forced(process.clone(), ground.lease_timings, now),
        _ => Tenure::vacant(ground.lease_timings),
    });
    ground.readiness.begin();
    let lanes = Lanes::new(setup(ground, Arc::clone(&tenure))?);
    ground.known.follow(&lanes);
    let (timetable, convergence, shown) = lanes.split();
    *gauges.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown);
    let mut calls = Calls::start(timetable)?;
    let mut posts = Posts::start(Arc::clone(&ground.posts))?;
    let stop_writes = CancellationToken::new();
    let mut writing = tokio::spawn(convergence.run(stop_writes.clone()));
    let mut election = Election::start(ground, process.clone(), Arc::clone(&tenure), predecessor)?;

    let lost = tokio::select! {
        biased;
        () = signals.next() => false,
        () = election.lost() => true,
        // A lane never ends by itself: it has panicked. Another process takes over from what is stored.
        _ = &mut calls.ended => anyhow::bail!("the timetable lane has ended unexpectedly; see the log above"),
        _ = &mut posts.ended => anyhow::bail!("the notifications' thread has ended unexpectedly; see the log above"),
        _ = &mut writing => anyhow::bail!("the convergence lane has ended unexpectedly; see the log above"),
    };
    tracing::info!("no new calls; those under way are finished and recorded");
    election.stand_down();
    // Nobody waits for a receiver: what is not delivered and recorded by the end is sent again, under the same id.
    posts.stop.cancel();
    // Until then the lease is renewed: nobody else begins while something of ours is under way and not recorded.
    let finished = async {
        calls.finish().await;
        stop_writes.cancel();
        (&mut writing).await.unwrap_or(false)
    };
    let recorded = tokio::select! {
        biased;
        recorded = finished => recorded,
        () = signals.next(), if !lost => anyhow::bail!("stopped at once by a second signal"),
    };
    ground.metrics.leading(false);
    // What is not recorded keeps the lease from being let go: it runs out by itself, and what may have been called is
    // known to be old by then.
    election.leave(recorded).await;
    if lost {
        posts.ended().await;
    }
    let holder = Elector::holder(&ground.instance, &process);
    Ok(if lost { Ended::LeaseLost(Predecessor { holder, process, recorded }) } else { Ended::Asked })
}

fn process_id() -> anyhow::Result<ProcessId> {
    let mut bytes = [0_u8; 8];
    SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow::anyhow!("the system gives no random numbers"))?;
    Ok(ProcessId::new(format!("{:016x}", u64::from_be_bytes(bytes))))
}

fn setup(ground: &Ground, tenure: Arc<Tenure>) -> anyhow::Result<Setup> {
    let options = &ground.options;
    let timeouts = Timeouts { call: ground.lease_timings.call, ..Timeouts::default() };
    Ok(Setup {
        client: kube::Client::try_from(ground.config.clone()).context("cannot make the API server's client")?,
        transport: Transport::over_http(&timeouts, &ground.roots).context("cannot make the Live API's HTTP client")?,
        timeouts,
        tenure,
        clock: Arc::new(WallClock),
        steps: Arc::clone(&ground.steps),
        timings: ground.timings.clone(),
        namespaces: options.namespaces.iter().filter(|namespace| !namespace.is_empty()).cloned().collect(),
        endpoints: options.endpoints.clone(),
        deletion_policy: options.deletion_policy.into(),
        cluster: options.cluster_id.clone().unwrap_or_default(),
        instance: ground.instance.clone(),
        posts: Arc::clone(&ground.posts),
        metrics: Arc::clone(&ground.metrics),
        readiness: Arc::clone(&ground.readiness),
    })
}

fn roots(options: &RunOptions) -> anyhow::Result<TlsRoots> {
    let roots = TlsRoots::bundled();
    let Some(path) = &options.ca_file else { return Ok(roots) };
    match roots.and_of_file(path) {
        Ok(roots) => Ok(roots),
        Err(error) => anyhow::bail!("--ca-file {}: {error}", path.display()),
    }
}

fn posts(options: &RunOptions, roots: &TlsRoots) -> anyhow::Result<Arc<Queue>> {
    let guard = Guard::new(options.notification_ranges.clone());
    let sender = Sender::over_http(guard, Arc::new(SystemResolver), roots, SendTimeouts::default())
        .context("cannot make the HTTP client for notifications")?;
    Ok(Arc::new(Queue::new(sender, QueueLimits::default(), Arc::new(WallClock))))
}

/// How to reach the apiserver. Without kube's own retries: fifteen of them can hold a write for minutes, and what is
/// written is planned again at each try.
async fn config(options: &RunOptions) -> anyhow::Result<kube::Config> {
    let by = KubeConfigOptions { context: options.context.clone(), ..KubeConfigOptions::default() };
    let mut config = match (&options.kubeconfig, &options.context) {
        (Some(path), _) => {
            let file = Kubeconfig::read_from(path)
                .with_context(|| format!("--kubeconfig {}: cannot be read", path.display()))?;
            kube::Config::from_custom_kubeconfig(file, &by).await.context("the kubeconfig cannot be used")?
        }
        (None, Some(_)) => kube::Config::from_kubeconfig(&by).await.context("the kubeconfig cannot be used")?,
        (None, None) => kube::Config::infer()
            .await
            .context("no cluster: set --kubeconfig or KUBECONFIG, or run in a Pod with a service account")?,
    };
    config.default_retry = false;
    config.connect_timeout = Some(Duration::from_secs(5));
    config.read_timeout = Some(SILENCE);
    config.write_timeout = Some(Duration::from_secs(10));
    Ok(config)
}

/// The timetable lane, on a thread and a runtime of its own.
struct Calls {
    stop: CancellationToken,
    ended: oneshot::Receiver<()>,
}

impl Calls {
    fn start(timetable: Timetable) -> anyhow::Result<Self> {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let ended = on_a_thread("timetable", async move || timetable.run(stopped).await)?;
        Ok(Self { stop, ended })
    }

    /// It ends first: its last answers are among what the convergence lane still writes.
    async fn finish(&mut self) {
        self.stop.cancel();
        let _ = (&mut self.ended).await;
    }
}

/// Those that send notifications, on a thread and a runtime of their own.
struct Posts {
    stop: CancellationToken,
    ended: oneshot::Receiver<()>,
}

impl Posts {
    fn start(queue: Arc<Queue>) -> anyhow::Result<Self> {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let ended = on_a_thread("notifications", async move || queue.run(stopped).await)?;
        Ok(Self { stop, ended })
    }

    async fn ended(&mut self) {
        let _ = (&mut self.ended).await;
    }
}

/// The HTTP interface, on a thread and a runtime of its own. Every process serves it, whether it leads or stands by.
struct Interface {
    stop: CancellationToken,
    ended: oneshot::Receiver<()>,
}

impl Interface {
    /// Opens it where one is asked for.
    async fn open(ground: &Ground) -> anyhow::Result<Option<Self>> {
        let Some(address) = ground.options.http_address else { return Ok(None) };
        let tls = tls(&ground.options).await?;
        let listener = std::net::TcpListener::bind(address)
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .with_context(|| format!("--http-address {address}: cannot listen"))?;
        let address = listener.local_addr().unwrap_or(address);
        let (config, directory) = (ground.config.clone(), Arc::clone(&ground.known));
        let stands_on = serve::Ground {
            limits: serve::Limits::default(),
            clock: Arc::new(WallClock),
            observer: Arc::clone(&ground.metrics) as Arc<dyn serve::Observer>,
        };
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tracing::info!(%address, tls = tls.is_some(), "the HTTP interface is open");
        let ended = on_a_thread("http", async move || {
            let (client, listener) = match (kube::Client::try_from(config), TcpListener::from_std(listener)) {
                (Ok(client), Ok(listener)) => (client, listener),
                (Err(error), _) => return tracing::error!(%error, "cannot make the HTTP interface's client"),
                (_, Err(error)) => return tracing::error!(%error, "the HTTP interface cannot listen"),
            };
            let app = gateway::router(Gateway::new(client, directory, Arc::new(WallClock)));
            serve::serve(listener, tls, app, stands_on, stopped).await;
        })?;
        Ok(Some(Self { stop, ended }))
    }

    /// Lets requests under way finish.
    async fn close(self) {
        self.stop.cancel();
        let _ = self.ended.await;
    }
}

async fn tls(options: &RunOptions) -> anyhow::Result<Option<serve::Tls>> {
    let (Some(certificate), Some(key)) = (&options.http_tls_certificate, &options.http_tls_key) else {
        return Ok(None);
    };
    let files = serve::TlsFiles { certificate: certificate.clone(), key: key.clone() };
    Ok(Some(files.load().await.context("--http-tls-certificate, --http-tls-key")?))
}

/// The elector, on a thread and a runtime of its own: nothing that is done here or there may delay a renewal.
struct Election(Option<Candidate>);

struct Candidate {
    /// It does not compete any more, and keeps what it holds.
    stand_down: CancellationToken,
    /// All is recorded (`true`), or will not be.
    leave: Option<oneshot::Sender<bool>>,
    lost: CancellationToken,
    ended: oneshot::Receiver<()>,
}

impl Election {
    fn start(
        ground: &Ground,
        process: ProcessId,
        tenure: Arc<Tenure>,
        predecessor: Option<Predecessor>,
    ) -> anyhow::Result<Self> {
        let options = &ground.options;
        if !options.leader_election {
            return Ok(Self(None));
        }
        let mut config = ground.config.clone();
        let namespace = options.lease_namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let name = ObjectName::new(namespace, options.lease_name.clone());
        let timings = ground.lease_timings;
        config.connect_timeout = Some(timings.attempt);
        let (readiness, instance) = (Arc::clone(&ground.readiness), ground.instance.clone());
        let (leave, left) = oneshot::channel::<bool>();
        let (stand_down, lost) = (CancellationToken::new(), CancellationToken::new());
        let (standing_down, is_lost) = (stand_down.clone(), lost.clone());
        let ended = on_a_thread("election", async move || {
            let client = match kube::Client::try_from(config) {
                Ok(client) => client,
                Err(error) => {
                    tracing::error!(%error, "cannot make the election's client");
                    return is_lost.cancel();
                }
            };
            let clock = Arc::new(WallClock);
            let mut elector = Elector::new(client, name, &instance, process, timings, clock, tenure).after(predecessor);
            // Nobody competes who does not know what there is to do.
            let warm = tokio::select! {
                biased;
                () = standing_down.cancelled() => false,
                () = readiness.until_warm() => true,
            };
            if warm && elector.run(standing_down.cancelled()).await == End::Lost {
                return is_lost.cancel();
            }
            let recorded = Cell::new(false);
            let kept = elector.keep_until(async { recorded.set(left.await.unwrap_or(false)) }).await;
            if kept == End::Stopped && recorded.get() {
                elector.release().await;
            }
        })?;
        Ok(Self(Some(Candidate { stand_down, leave: Some(leave), lost, ended })))
    }

    /// Waits until the lease is lost.
    async fn lost(&self) {
        match &self.0 {
            Some(candidate) => candidate.lost.cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// Competes no more; a lease that is held is renewed on.
    fn stand_down(&self) {
        if let Some(candidate) = &self.0 {
            candidate.stand_down.cancel();
        }
    }

    /// Leaves the election; with `release` the next one leads at once.
    async fn leave(&mut self, release: bool) {
        if let Some(candidate) = &mut self.0 {
            if let Some(leave) = candidate.leave.take() {
                let _ = leave.send(release);
            }
            let _ = (&mut candidate.ended).await;
        }
    }
}

/// Runs this on a thread and a runtime of its own. Hears of its end, also by a panic.
fn on_a_thread(name: &str, work: impl AsyncFnOnce() + Send + 'static) -> anyhow::Result<oneshot::Receiver<()>> {
    let (end, ended) = oneshot::channel();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start a runtime")?;
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            runtime.block_on(work());
            let _ = end.send(());
        })
        .with_context(|| format!("cannot start the thread {name}"))?;
    Ok(ended)
}
