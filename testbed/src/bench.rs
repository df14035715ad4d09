//! `testbed bench`: how late calls are, as the simulated Live API logged them.
//!
//! Real processes, release builds, one machine. Lateness is the time at which the simulator received a call less the
//! time that was planned for it: the operator's own word for it is not asked.

use std::{
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use simulator::{Call, Operation};
use testbed::{ControlPlane, Operator, Options, Simulator};

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Windows, one on each of as many channels
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    windows: u32,
    /// Over how many seconds their starts, and their stops, are spread
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// Write the table between the bench markers of this file
    #[arg(long, value_name = "FILE")]
    readme: Option<PathBuf>,
    /// Write the figures as JSON to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Fail when the 99th percentile of starts or stops is above this many milliseconds
    #[arg(long, value_name = "MS")]
    at_most: Option<f64>,
}

const NAMESPACE: &str = "bench";
/// From the apply of the windows to the first start: their checks are through by then.
const AHEAD: i64 = 8;
/// Each window's length in seconds; longer than a channel takes to turn.
const LENGTH: i64 = 15;
const TURNING_MS: u32 = 1_000;
const BEGIN: &str = "<!-- bench:begin -->";
const END: &str = "<!-- bench:end -->";

/// The figures of one run.
#[derive(Debug, Serialize)]
struct Figures {
    date: String,
    machine: String,
    version: &'static str,
    kubernetes: String,
    windows: u32,
    spread_seconds: u32,
    starts: Lateness,
    stops: Lateness,
    status_writes_per_window: f64,
}

/// Milliseconds from planned to received; percentiles by nearest rank.
#[derive(Debug, Serialize)]
struct Lateness {
    calls: usize,
    early: usize,
    p50: f64,
    p99: f64,
    max: f64,
}

/// Runs it and prints the table.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let figures = runtime.block_on(measure(args))?;
    let table = table(&figures);
    writeln!(io::stdout(), "\n{table}")?;
    if let Some(path) = &args.json {
        let json = serde_json::to_string_pretty(&figures)?;
        fs::write(path, json + "\n").with_context(|| format!("writing {}", path.display()))?;
    }
    if let Some(path) = &args.readme {
        write_between_markers(path, &table)?;
    }
    ensure!(figures.starts.early + figures.stops.early == 0, "calls were received before their planned time");
    if let Some(most) = args.at_most {
        let worst = figures.starts.p99.max(figures.stops.p99);
        ensure!(worst <= most, "p99 is {worst:.1} ms, above {most} ms");
    }
    Ok(())
}

async fn measure(options: &Args) -> anyhow::Result<Figures> {
    say("starting etcd, kube-apiserver, the simulated Live API and the operator");
    let control = ControlPlane::start(&Options::default())?;
    let live = start_live_api(&control, options.windows)?;
    let kubernetes = install(&control)?;
    let endpoint = ["--live-endpoint", &live.base_url, "--log", "warn"];
    let none: [(&str, &str); 0] = [];
    let operator = Operator::start(control.run(), control.kubeconfig(), endpoint, none)?;

    let plans = plans(options, Timestamp::now());
    let manifests: String = plans.iter().map(Planned::manifest).collect();
    control.kubectl().apply(&(account(&live.base_url) + &manifests))?;
    let last = plans.iter().map(|planned| planned.stop).max().unwrap_or_default();
    let end = last + SignedDuration::from_millis(i64::from(TURNING_MS) + 5_000);
    wait_until(end, options.windows).await;

    let calls: Calls = live.get("/control/calls").await?;
    let writes = status_writes(&operator.observe_url()).await?;
    Ok(Figures {
        date: Timestamp::now().strftime("%Y-%m-%d").to_string(),
        machine: machine(),
        version: env!("CARGO_PKG_VERSION"),
        kubernetes,
        windows: options.windows,
        spread_seconds: options.seconds,
        starts: lateness(&plans, &calls.calls, Operation::Activate, |planned| planned.start)?,
        stops: lateness(&plans, &calls.calls, Operation::Deactivate, |planned| planned.stop)?,
        status_writes_per_window: writes / f64::from(options.windows),
    })
}

#[derive(serde::Deserialize)]
struct Calls {
    calls: Vec<Call>,
}

fn say(what: &str) {
    writeln!(io::stderr(), "bench: {what}").ok();
}

fn start_live_api(plane: &ControlPlane, windows: u32) -> anyhow::Result<Simulator> {
    let mut args = vec![
        "--simultaneous-activations=0".to_owned(),
        format!("--activation-ms={TURNING_MS}"),
        format!("--deactivation-ms={TURNING_MS}"),
    ];
    args.extend((0..windows).map(|i| format!("--job={}", job(i))));
    Ok(Simulator::start(plane.run(), args)?)
}

fn job(i: u32) -> String {
    format!("channel-{i:04}")
}

fn install(plane: &ControlPlane) -> anyhow::Result<String> {
    let kubectl = plane.kubectl();
    let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds").display().to_string();
    kubectl.ok(["create", "namespace", NAMESPACE])?;
    kubectl.ok(["apply", "-f", &crds])?;
    kubectl.ok(["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"])?;
    let version = kubectl.ok(["get", "--raw", "/version"])?;
    let version: serde_json::Value = serde_json::from_str(&version)?;
    Ok(version["gitVersion"].as_str().unwrap_or("unknown").to_owned())
}

fn account(endpoint: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: bcov-live, namespace: {NAMESPACE}}}\n\
         stringData: {{apiKey: demo-key}}\n---\n\
         apiVersion: scheduler.bcovlive.io/v1alpha1\nkind: LiveAccount\n\
         metadata: {{name: default, namespace: {NAMESPACE}}}\nspec:\n  endpoint: {endpoint}\n  \
         apiKeySecretRef: {{name: bcov-live}}\n  \
         limits: {{simultaneousActivations: 0, requestsPerSecond: 0, concurrentRequests: 0}}\n"
    )
}

/// A window of the bench.
struct Planned {
    job: String,
    start: Timestamp,
    stop: Timestamp,
}

impl Planned {
    fn manifest(&self) -> String {
        let Self { job, start, stop } = self;
        format!(
            "---\napiVersion: scheduler.bcovlive.io/v1alpha1\nkind: JobStartStop\n\
             metadata: {{name: {job}, namespace: {NAMESPACE}}}\n\
             spec: {{jobID: {job}, activation: {{time: {start}}}, deactivation: {{time: {stop}}}}}\n"
        )
    }
}

/// Windows on whole seconds, as the resource has them, evenly over the span.
fn plans(args: &Args, now: Timestamp) -> Vec<Planned> {
    let first = now.as_second() + AHEAD + i64::from(args.windows) / 50;
    let at = |second| Timestamp::from_second(second).unwrap_or_default();
    (0..args.windows)
        .map(|i| {
            let start = first + i64::from(i) * i64::from(args.seconds) / i64::from(args.windows);
            Planned { job: job(i), start: at(start), stop: at(start + LENGTH) }
        })
        .collect()
}

async fn wait_until(end: Timestamp, windows: u32) {
    loop {
        let left = end.duration_since(Timestamp::now());
        if !left.is_positive() {
            return;
        }
        say(&format!("{windows} windows run, {} s left", left.as_secs()));
        let step = Duration::try_from(left).unwrap_or_default().min(Duration::from_secs(10));
        tokio::time::sleep(step).await;
    }
}

fn lateness(
    plans: &[Planned],
    calls: &[Call],
    operation: Operation,
    planned_at: impl Fn(&Planned) -> Timestamp,
) -> anyhow::Result<Lateness> {
    let mut late_us = Vec::new();
    for planned in plans {
        let of_job: Vec<&Call> = calls
            .iter()
            .filter(|call| call.operation == operation && call.job.as_deref() == Some(planned.job.as_str()))
            .collect();
        let [call] = of_job.as_slice() else {
            bail!("{}: {} calls of {operation:?} instead of one", planned.job, of_job.len());
        };
        late_us.push(call.received_us - planned_at(planned).as_microsecond());
    }
    late_us.sort_unstable();
    Ok(Lateness {
        calls: late_us.len(),
        early: late_us.iter().filter(|late| **late < 0).count(),
        p50: percentile(&late_us, 50),
        p99: percentile(&late_us, 99),
        max: percentile(&late_us, 100),
    })
}

/// Nearest rank, in milliseconds, of sorted microseconds.
fn percentile(sorted: &[i64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    let micros = sorted.get(rank - 1).copied().unwrap_or_default();
    SignedDuration::from_micros(micros).as_secs_f64() * 1_000.0
}

async fn status_writes(observe: &str) -> anyhow::Result<f64> {
    let text =
        reqwest::Client::builder().no_proxy().build()?.get(format!("{observe}/metrics")).send().await?.text().await?;
    let name = "jobstartstop_apiserver_writes_total{object=\"status\",outcome=\"ok\"} ";
    let count =
        text.lines().find_map(|line| line.strip_prefix(name)).context("no count of status writes in the metrics")?;
    Ok(count.parse()?)
}

/// Processors and memory, as the kernel tells them.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("unknown", |(_, m)| m);
    format!("{cores} cores, {model}")
}

fn table(figures: &Figures) -> String {
    let mut text = String::new();
    let row = |what: &str, late: &Lateness| {
        format!("| {what} | {} | {} | {:.1} | {:.1} | {:.1} |\n", late.calls, late.early, late.p50, late.p99, late.max)
    };
    let _ = write!(
        text,
        "{} windows, their starts and stops spread over {} s each, on an idle operator without account limits. From \
         the planned time to the call's arrival at the simulated Live API, in milliseconds:\n\n\
         | | calls | early | p50 | p99 | max |\n| --- | --- | --- | --- | --- | --- |\n{}{}\n\
         Status writes per window: {:.1}. Measured on {}, version {}, Kubernetes {}, {}, everything on one machine.\n",
        figures.windows,
        figures.spread_seconds,
        row("start", &figures.starts),
        row("stop", &figures.stops),
        figures.status_writes_per_window,
        figures.date,
        figures.version,
        figures.kubernetes,
        figures.machine,
    );
    text
}

fn write_between_markers(path: &Path, table: &str) -> anyhow::Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let next =
        between_markers(&text, table).with_context(|| format!("{} has no lines {BEGIN} and {END}", path.display()))?;
    fs::write(path, next).with_context(|| format!("writing {}", path.display()))
}

fn between_markers(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{table}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let micros: Vec<i64> = (1..=20).map(|i| i * 1_000).collect();
        assert!((percentile(&micros, 50) - 10.0).abs() < 1e-9);
        assert!((percentile(&micros, 99) - 20.0).abs() < 1e-9);
        assert!((percentile(&[500], 99) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn the_table_goes_between_the_markers_and_nothing_else_changes() {
        let text = format!("above\n{BEGIN}\nold\n{END}\nbelow\n");
        assert_eq!(between_markers(&text, "new\n").unwrap(), format!("above\n{BEGIN}\nnew\n{END}\nbelow\n"));
        assert_eq!(between_markers("no markers", "new"), None);
    }

    #[test]
    fn a_missing_or_repeated_call_is_no_figure() {
        let planned = [Planned { job: "a".into(), start: Timestamp::UNIX_EPOCH, stop: Timestamp::UNIX_EPOCH }];
        assert!(lateness(&planned, &[], Operation::Activate, |planned| planned.start).is_err());
    }
}
