//! What can be asked for on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use ipnet::IpNet;
use jiff::tz::TimeZone;
use jobstartstop::live::{Endpoint, VENDOR};
use jobstartstop::notations::{self, Notations};
use jobstartstop::observe::LogFormat;
use jobstartstop::version::Version;

/// Switches Brightcove Live channels on and off at the times that JobStartStop resources plan.
#[derive(Debug, Parser)]
#[command(name = "jobstartstop", version, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the operator until SIGTERM or Ctrl-C.
    Run(Box<RunOptions>),
    /// Print the custom resource definitions, for `kubectl apply -f -`.
    Crds(CrdsOptions),
    /// Print what this program is and what is built into it.
    Version(VersionOptions),
    /// Print a time as local time, in UTC, and in the seconds since 1970 that the Live API's scheduler uses.
    Time(TimeOptions),
    #[command(flatten)]
    Duty(Box<jobstartstop::duty::Command>),
}

/// What a run goes by. Each flag can also be set by the environment variable shown with it.
#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    /// The kubeconfig file to use. Without one: the variable KUBECONFIG, then the Pod's service account, then
    /// ~/.kube/config.
    #[arg(long, value_name = "FILE", env = "JOBSTARTSTOP_KUBECONFIG")]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// The kubeconfig's context to use instead of its current one.
    #[arg(long, value_name = "NAME", env = "JOBSTARTSTOP_CONTEXT")]
    pub(crate) context: Option<String>,

    /// Watch this namespace only. May be repeated, or hold several separated by commas. Without it all namespaces are
    /// watched.
    #[arg(long = "namespace", value_name = "NAMESPACE", value_delimiter = ',', env = "JOBSTARTSTOP_NAMESPACES")]
    pub(crate) namespaces: Vec<String>,

    /// An endpoint that a LiveAccount may name, as scheme and host. May be repeated, or hold several separated by
    /// commas. The first is used by accounts that name none. API keys are sent to these endpoints only.
    #[arg(
        long = "live-endpoint",
        value_name = "URL",
        value_delimiter = ',',
        default_value = VENDOR,
        value_parser = endpoint,
        env = "JOBSTARTSTOP_LIVE_ENDPOINTS"
    )]
    pub(crate) endpoints: Vec<Endpoint>,

    /// What deleting a JobStartStop does to a channel it has on, where neither the object nor its LiveAccount say.
    #[arg(long, value_name = "POLICY", value_enum, default_value_t = Policy::Stop, env = "JOBSTARTSTOP_DELETION_POLICY")]
    pub(crate) deletion_policy: Policy,

    /// This cluster's name, up to 63 letters, digits, hyphens, dots and underscores, for example prod-eu. It stands in the
    /// description of the workflows that are made at the Live API's scheduler, and only those are touched: clusters that
    /// share an account need different ones. Not to be changed while windows are registered there.
    #[arg(long, value_name = "NAME", value_parser = cluster_id, env = "JOBSTARTSTOP_CLUSTER_ID")]
    pub(crate) cluster_id: Option<String>,

    /// Whether only one of several processes may call: the one that holds a Lease. Without it, run one process only.
    #[arg(
        long,
        value_name = "BOOL",
        default_value_t = true,
        action = ArgAction::Set,
        env = "JOBSTARTSTOP_LEADER_ELECTION"
    )]
    pub(crate) leader_election: bool,

    /// The Lease that the processes of one installation compete for.
    #[arg(long, value_name = "NAME", default_value = "jobstartstop", env = "JOBSTARTSTOP_LEASE_NAME")]
    pub(crate) lease_name: String,

    /// The namespace of the Lease. Without it: the Pod's, or the one of the kubeconfig's context.
    #[arg(long, value_name = "NAMESPACE", env = "JOBSTARTSTOP_LEASE_NAMESPACE")]
    pub(crate) lease_namespace: Option<String>,

    /// Where /metrics, /healthz and /readyz are served.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080", env = "JOBSTARTSTOP_OBSERVE_ADDRESS")]
    pub(crate) observe_address: SocketAddr,

    /// Where the HTTP interface is served, the Live API scheduler's own, for example 0.0.0.0:8443. Without it there is none.
    #[arg(long, value_name = "ADDRESS", env = "JOBSTARTSTOP_HTTP_ADDRESS")]
    pub(crate) http_address: Option<SocketAddr>,

    /// The certificate chain of the HTTP interface, a PEM file; read again when it changes. Without it there is no TLS:
    /// keys then cross the network in the clear, unless something in front of it keeps them.
    #[arg(
        long,
        value_name = "FILE",
        requires = "http_tls_key",
        requires = "http_address",
        env = "JOBSTARTSTOP_HTTP_TLS_CERTIFICATE"
    )]
    pub(crate) http_tls_certificate: Option<PathBuf>,

    /// The certificate's private key, a PEM file; read again when it changes.
    #[arg(long, value_name = "FILE", requires = "http_tls_certificate", env = "JOBSTARTSTOP_HTTP_TLS_KEY")]
    pub(crate) http_tls_key: Option<PathBuf>,

    /// Addresses that notifications may go to beside the public internet, for example 10.20.0.0/16. May be repeated, or
    /// hold several separated by commas. Link-local addresses and cloud metadata services stay shut all the same.
    #[arg(
        long = "allow-notification-cidr",
        value_name = "CIDR",
        value_delimiter = ',',
        env = "JOBSTARTSTOP_ALLOW_NOTIFICATION_CIDRS"
    )]
    pub(crate) notification_ranges: Vec<IpNet>,

    /// A PEM file with root certificates that are believed beside those built in, for the Live API and for receivers of
    /// notifications: for instance of a proxy that looks into TLS. Read once, at the start.
    #[arg(long, value_name = "FILE", env = "JOBSTARTSTOP_CA_FILE")]
    pub(crate) ca_file: Option<PathBuf>,

    /// What is logged: error, warn, info, debug, or a filter such as jobstartstop=debug,info.
    #[arg(long, value_name = "FILTER", default_value = "info", env = "JOBSTARTSTOP_LOG")]
    pub(crate) log: String,

    /// A file whose content holds in place of --log for as long as it is there; looked at every 10 s.
    #[arg(long, value_name = "FILE", env = "JOBSTARTSTOP_LOG_FILTER_FILE")]
    pub(crate) log_filter_file: Option<PathBuf>,

    /// How log lines look.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text, env = "JOBSTARTSTOP_LOG_FORMAT")]
    pub(crate) log_format: LogFormat,

    /// The collector that traces are sent to, as OTLP in protobuf over HTTP: scheme, host and port; /v1/traces is added.
    /// Without it there are none.
    #[arg(long, value_name = "URL", env = "JOBSTARTSTOP_OTLP_ENDPOINT")]
    pub(crate) otlp_endpoint: Option<String>,

    /// Divides every time that is not the user's, for tests against a simulator. Never with the real Live API: its
    /// channels do not turn any faster.
    #[arg(long, hide = true, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) time_divisor: u32,

    /// The same for the times of the election, and for how long a call may take.
    #[arg(long, hide = true, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub(crate) lease_divisor: u32,

    /// Believes to lead whatever the Lease says, for tests of two such processes.
    #[arg(long, hide = true)]
    pub(crate) force_leadership: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub(crate) enum Policy {
    /// Switch the channel off, confirm it, then let the object go.
    Stop,
    /// Cancel what is pending; the channel stays on.
    Cancel,
    /// Call nothing.
    Retain,
}

impl From<Policy> for plan::DeletionPolicy {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Stop => Self::Stop,
            Policy::Cancel => Self::Cancel,
            Policy::Retain => Self::Retain,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct CrdsOptions {
    /// Write one file for each definition into this directory instead.
    #[arg(long, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct VersionOptions {
    /// How it is printed.
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct TimeOptions {
    /// Seconds since 1970, a time with its offset (2026-12-02T14:00:00+01:00), a local time with its zone
    /// (2026-12-02T14:00:00[Europe/Berlin]), or now.
    #[arg(value_name = "TIME", required_unless_present = "zones")]
    times: Vec<String>,

    /// A time zone to show it in, for example Europe/Berlin. May be repeated, or hold several separated by commas.
    /// Without it: this machine's.
    #[arg(long = "zone", value_name = "ZONE", value_delimiter = ',')]
    places: Vec<String>,

    /// Print the names of all time zones that are known here instead, one a line.
    #[arg(long, conflicts_with_all = ["times", "places", "output"])]
    zones: bool,

    /// How it is printed.
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

fn endpoint(text: &str) -> Result<Endpoint, String> {
    Endpoint::parse(text).map_err(|why| why.to_string())
}

/// Empty, as a chart may have it: none.
fn cluster_id(text: &str) -> Result<String, &'static str> {
    let fits = text.len() <= 63 && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    if fits { Ok(text.to_owned()) } else { Err("must be 1 to 63 letters, digits, hyphens, dots or underscores") }
}

pub(crate) fn crds(options: &CrdsOptions) -> anyhow::Result<()> {
    let Some(directory) = &options.directory else {
        print!("{}", jobstartstop::api::crds::yaml()?);
        return Ok(());
    };
    std::fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    for (name, text) in jobstartstop::api::crds::files()? {
        let path = directory.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

pub(crate) fn version(options: &VersionOptions) -> anyhow::Result<()> {
    let version = Version::of_this_program();
    match options.output {
        Output::Text => println!("{version}"),
        Output::Json => println!("{}", serde_json::to_string_pretty(&version)?),
    }
    Ok(())
}

pub(crate) fn time(options: &TimeOptions) -> anyhow::Result<()> {
    if options.zones {
        for name in notations::zones() {
            println!("{name}");
        }
        return Ok(());
    }
    let mut zones = options.places.iter().map(|name| notations::zone(name)).collect::<Result<Vec<_>, _>>()?;
    if options.places.is_empty() {
        // None where the machine does not say where it is, as in a container.
        zones.extend(TimeZone::try_system().ok().filter(|zone| *zone != TimeZone::UTC));
    }
    let of = |text: &String| notations::instant(text).map(|instant| Notations::of(instant, &zones));
    let times = options.times.iter().map(of).collect::<Result<Vec<_>, _>>()?;
    match options.output {
        Output::Text => println!("{}", times.iter().map(Notations::to_string).collect::<Vec<_>>().join("\n\n")),
        Output::Json => println!("{}", serde_json::to_string_pretty(&times)?),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound_and_every_flag_says_what_it_is_for() {
        let mut cli = Cli::command();
        cli.build();
        cli.clone().debug_assert();
        for command in cli.get_subcommands() {
            for flag in command.get_arguments() {
                assert!(flag.get_help().is_some(), "{} {}", command.get_name(), flag.get_id());
            }
        }
    }

    #[test]
    fn without_flags_keys_go_to_the_vendor_only() {
        let cli = Cli::parse_from(["jobstartstop", "run"]);
        let Command::Run(options) = cli.command else { panic!("not a run") };
        assert_eq!(options.endpoints, [Endpoint::vendor()]);
    }

    #[test]
    fn a_clusters_name_is_one_that_is_read_back_from_a_description() {
        for name in ["prod-eu", "a", "A.b_c-1", ""] {
            assert_eq!(cluster_id(name), Ok(name.to_owned()));
        }
        for name in ["prod eu", "eu]", "ü", "a@b", &"a".repeat(64)] {
            assert!(cluster_id(name).is_err(), "{name}");
        }
    }
}
