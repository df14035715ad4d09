//! `live-simulator`: the simulated vendor as a program.

use std::io::Write as _;
use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use jiff::Timestamp;
use simulator::{
    DEFAULT_ACCOUNT, EncoderScript, ListCall, NewJob, SchedulerSettings, Settings, SharedWorld, World, serve,
};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// A Brightcove Live API v1 for jobs and their scheduler, to test and to show clients of it without an account and
/// without a bill.
///
/// It answers under /v1/jobs as the vendor does: create, read, list, activate, deactivate, and also stop and cancel.
/// Jobs turn on and off in their own time, switch themselves off when no encoder comes, and count what would be billed.
/// Under /v1/scheduler/jobstartstop it takes workflows, starts and stops their jobs at their times, and notifies.
/// Under /control/ it takes faults, settings, jobs and keys, and shows the calls it received; simulator/README.md has
/// examples.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Example:\n  live-simulator --listen 127.0.0.1:8090 --job studio-1 --activation-ms 5000\n  \
                  curl -X PUT -H 'X-API-KEY: demo-key' http://127.0.0.1:8090/v1/jobs/studio-1/activate\n  \
                  curl http://127.0.0.1:8090/control/calls"
)]
struct Options {
    /// Where to listen; port 0 takes a free one. The one line on stdout tells: "listening on http://ADDRESS:PORT"
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// A valid key and how the log of calls names it, with the account whose jobs it sees. Repeatable
    #[arg(long = "key", value_name = "LABEL[@ACCOUNT]=KEY", default_value = "demo=demo-key", value_parser = parse_key)]
    keys: Vec<KeyOption>,

    /// A static job that is there from the start, off. Repeatable
    #[arg(long = "job", value_name = "ID[@ACCOUNT]")]
    jobs: Vec<String>,

    /// From an accepted activate until an encoder may connect (the vendor says up to 60 s)
    #[arg(long, value_name = "MS", default_value_t = Settings::default().activation_ms)]
    activation_ms: u64,

    /// From an accepted deactivate until the job is off
    #[arg(long, value_name = "MS", default_value_t = Settings::default().deactivation_ms)]
    deactivation_ms: u64,

    /// An encoder connects so long after a job is on, to every job, and stays. Without: none does
    #[arg(long, value_name = "MS")]
    encoder_after_ms: Option<u64>,

    /// A job that is on and gets no encoder for so long switches itself off
    #[arg(long, value_name = "SECONDS", default_value_t = Settings::default().max_waiting_ms / 1_000)]
    max_waiting_secs: u64,

    /// Activations under way at once in one account; further ones are refused for lack of capacity. 0: no limit
    #[arg(long, value_name = "NUMBER", default_value_t = Settings::default().simultaneous_activations)]
    simultaneous_activations: usize,

    /// The vendor's scheduler is not enabled, for any account
    #[arg(long)]
    no_scheduler: bool,

    /// Workflows can be listed, which the vendor's published reference does not have
    #[arg(long)]
    scheduler_list: bool,

    /// Activations that may be pending in the scheduler at once, in one account. 0: no limit
    #[arg(long, value_name = "NUMBER", default_value_t = SchedulerSettings::default().pending_activations)]
    pending_activations: usize,

    /// Before each answer
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency_ms: u64,

    /// Up to so much more before each answer, from the seeded source
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency_jitter_ms: u64,

    /// The Date header is so far ahead of the clock; negative: behind
    #[arg(long, value_name = "SECONDS", default_value_t = 0, allow_negative_numbers = true)]
    date_skew_secs: i64,

    /// Seed of ids and jitter
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,

    /// End when stdin ends, and so with the parent that holds it
    #[arg(long)]
    exit_on_stdin_eof: bool,
}

#[derive(Debug, Clone)]
struct KeyOption {
    label: String,
    account: String,
    key: String,
}

fn parse_key(text: &str) -> Result<KeyOption> {
    let Some((name, key)) = text.split_once('=') else { bail!("LABEL=KEY is wanted") };
    if name.is_empty() || key.is_empty() {
        bail!("neither the label nor the key may be empty");
    }
    let (label, account) = name.split_once('@').unwrap_or((name, DEFAULT_ACCOUNT));
    Ok(KeyOption { label: label.to_owned(), account: account.to_owned(), key: key.to_owned() })
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();

    let world = SharedWorld::new(world(&options)?);
    let listener =
        TcpListener::bind(options.listen).await.with_context(|| format!("cannot listen on {}", options.listen))?;
    // Before the line below: who reads it may send the signal at once.
    let end = end(options.exit_on_stdin_eof)?;
    writeln!(std::io::stdout().lock(), "listening on http://{}", listener.local_addr()?)?;
    serve(listener, world, end).await.context("serving failed")
}

fn world(options: &Options) -> Result<World> {
    let mut world = World::new(Settings {
        activation_ms: options.activation_ms,
        deactivation_ms: options.deactivation_ms,
        max_waiting_ms: options.max_waiting_secs.saturating_mul(1_000),
        simultaneous_activations: options.simultaneous_activations,
        latency_ms: options.latency_ms,
        latency_jitter_ms: options.latency_jitter_ms,
        date_skew_seconds: options.date_skew_secs,
        encoder: EncoderScript(options.encoder_after_ms.into_iter().collect()),
        scheduler: SchedulerSettings {
            enabled: !options.no_scheduler,
            pending_activations: options.pending_activations,
            list: if options.scheduler_list { ListCall::Served } else { ListCall::default() },
            ..SchedulerSettings::default()
        },
        seed: options.seed,
        ..Settings::default()
    });
    for KeyOption { label, account, key } in &options.keys {
        world.add_key(label, key, account);
    }
    for job in &options.jobs {
        let (id, account) = job.split_once('@').unwrap_or((job, DEFAULT_ACCOUNT));
        let new = NewJob { account: account.to_owned(), ..NewJob::with_id(id) };
        world.create_job(Timestamp::now(), new).with_context(|| format!("--job {job}"))?;
    }
    Ok(world)
}

/// SIGTERM, Ctrl-C, and the end of stdin where that is wanted.
fn end(on_stdin_eof: bool) -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = stdin_eof(), if on_stdin_eof => {}
        }
    })
}

/// On a thread of its own, which ends with the process: reading stdin cannot be cancelled.
async fn stdin_eof() {
    let (ended, end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let result = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        tracing::debug!(?result, "stdin ended");
        // Nobody waits any more when the program ends for another reason.
        let _ = ended.send(());
    });
    let _ = end.await;
}
