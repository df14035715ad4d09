//! One run of the operator: what it stands on, its two threads, and its end.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jobstartstop::controller::{Convergence, Lanes, Setup, Timetable, Untold};
use jobstartstop::leader::Tenure;
use jobstartstop::live::{Timeouts, Transport};
use jobstartstop::observe::{self, Metrics, Readiness};
use jobstartstop::timetable::{Clock, WallClock};
use kube::config::{KubeConfigOptions, Kubeconfig};
use plan::{LeaseTimings, ProcessId, Timings};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::cli::RunOptions;

/// A watch ends after 50 s at the latest, so a connection silent for longer is dead.
const SILENCE: Duration = Duration::from_mins(1);

pub(crate) fn run(options: RunOptions) -> anyhow::Result<()> {
    if let Err(error) = observe::start_logging(&options.log, options.log_format) {
        anyhow::bail!("--log {}: {error}", options.log);
    }
    // One TLS provider for both clients; fails only if one was installed before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("convergence")
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(operate(options))
}

async fn operate(options: RunOptions) -> anyhow::Result<()> {
    let metrics = Arc::new(Metrics::new());
    let readiness = Arc::new(Readiness::default());
    let listener = TcpListener::bind(options.observe_address)
        .await
        .with_context(|| format!("--observe-address {}: cannot listen", options.observe_address))?;
    let address = listener.local_addr().unwrap_or(options.observe_address);
    let setup = setup(options, Arc::clone(&metrics), Arc::clone(&readiness)).await?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), %address, endpoints = ?setup.endpoints, namespaces = ?setup.namespaces, "starting");

    let (timetable, convergence, gauges) = Lanes::new(setup).split();
    let observing = CancellationToken::new();
    let refresh = Arc::new(move || gauges.refresh());
    let observed = tokio::spawn(observe::serve(listener, metrics, readiness, refresh, observing.clone()));
    lanes(timetable, convergence).await?;
    observing.cancel();
    let _ = tokio::time::timeout(Duration::from_secs(1), observed).await;
    tracing::info!("ended");
    Ok(())
}

async fn setup(options: RunOptions, metrics: Arc<Metrics>, readiness: Arc<Readiness>) -> anyhow::Result<Setup> {
    let timings = Timings::divided(options.time_divisor);
    timings.check()?;
    let timeouts = Timeouts::default();
    Ok(Setup {
        client: client(&options).await?,
        transport: Transport::over_http(&timeouts).context("cannot make the Live API's HTTP client")?,
        timeouts,
        tenure: Arc::new(Tenure::unelected(
            ProcessId::new(std::process::id().to_string()),
            LeaseTimings::default(),
            WallClock.moment(),
        )),
        clock: Arc::new(WallClock),
        steps: Arc::new(Untold),
        timings,
        namespaces: options.namespaces.into_iter().filter(|namespace| !namespace.is_empty()).collect(),
        endpoints: options.endpoints,
        deletion_policy: options.deletion_policy.into(),
        instance: std::env::var("HOSTNAME").unwrap_or_else(|_| format!("jobstartstop-{}", std::process::id())),
        metrics,
        readiness,
    })
}

/// The apiserver's client. Without kube's own retries: fifteen of them can hold a write for minutes, and what is
/// written is planned again at each try.
async fn client(options: &RunOptions) -> anyhow::Result<kube::Client> {
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
    kube::Client::try_from(config).context("cannot make the apiserver's client")
}

/// Runs both lanes until a signal. The timetable lane has a thread and a runtime of its own. It ends first: its last
/// answers are among what the convergence lane still writes.
async fn lanes(timetable: Timetable, convergence: Convergence) -> anyhow::Result<()> {
    let (stop_calls, stop_writes) = (CancellationToken::new(), CancellationToken::new());
    let (calls_ended, mut ended) = oneshot::channel();
    let stopped = stop_calls.clone();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the lane")?;
    let thread = std::thread::Builder::new()
        .name("timetable".into())
        .spawn(move || {
            runtime.block_on(timetable.run(stopped));
            let _ = calls_ended.send(());
        })
        .context("cannot start the timetable thread")?;
    let mut writing = tokio::spawn(convergence.run(stop_writes.clone()));

    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let early = tokio::select! {
        biased;
        _ = terminate.recv() => false,
        _ = interrupt.recv() => false,
        _ = &mut ended => true,
        _ = &mut writing => true,
    };
    if early {
        // A lane never ends by itself: it has panicked. Another process takes over from what is stored.
        anyhow::bail!("a lane has ended unexpectedly; see the log above");
    }
    tracing::info!("stopping: no new calls; those under way are finished and recorded");
    stop_calls.cancel();
    tokio::select! {
        _ = ended => {}
        _ = terminate.recv() => anyhow::bail!("stopped at once by a second signal"),
        _ = interrupt.recv() => anyhow::bail!("stopped at once by a second signal"),
    }
    stop_writes.cancel();
    let _ = writing.await;
    let _ = thread.join();
    Ok(())
}
