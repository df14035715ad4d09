//! An operator that does nothing but acknowledge: it writes `observedGeneration`, and no more.
//!
//! `make test-null` runs the tests of the cases against it. Each has to fail: a test that passes here would pass
//! whatever the operator does.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::pin::pin;

use axum::Router;
use axum::routing::get;
use clap::Parser;
use futures::StreamExt;
use jobstartstop::api::{JobStartStop, JobStartStopStatus};
use kube::api::PostParams;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};

/// As `jobstartstop run` takes them; most mean nothing here.
#[derive(Debug, Parser)]
struct Arguments {
    command: String,
    #[arg(long)]
    namespace: Vec<String>,
    #[arg(long)]
    observe_address: SocketAddr,
    #[arg(long)]
    live_endpoint: Vec<String>,
    #[arg(long)]
    time_divisor: Option<u32>,
    #[arg(long)]
    lease_divisor: Option<u32>,
    #[arg(long)]
    lease_namespace: Option<String>,
    #[arg(long)]
    lease_name: Option<String>,
    #[arg(long)]
    deletion_policy: Option<String>,
    #[arg(long)]
    cluster_id: Option<String>,
    #[arg(long)]
    allow_notification_cidr: Vec<String>,
    #[arg(long)]
    ca_file: Option<String>,
    #[arg(long)]
    log_filter_file: Option<String>,
    #[arg(long)]
    otlp_endpoint: Option<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::try_default().await?;
    let named = arguments.namespace.into_iter().map(Some);
    let scopes: BTreeSet<Option<String>> = named.collect();
    let scopes = if scopes.is_empty() { BTreeSet::from([None]) } else { scopes };
    for scope in scopes {
        tokio::spawn(acknowledge(client.clone(), scope));
    }
    let paths = ["/healthz", "/readyz", "/metrics"].into_iter();
    let router = paths.fold(Router::new(), |router, path| router.route(path, get(async || "# EOF\n")));
    axum::serve(tokio::net::TcpListener::bind(arguments.observe_address).await?, router).await?;
    Ok(())
}

async fn acknowledge(client: Client, scope: Option<String>) {
    let windows: Api<JobStartStop> =
        scope.map_or_else(|| Api::all(client.clone()), |namespace| Api::namespaced(client.clone(), &namespace));
    let mut seen = pin!(watcher(windows, watcher::Config::default()).default_backoff().applied_objects());
    while let Some(object) = seen.next().await {
        let Ok(mut window) = object else { continue };
        let status =
            JobStartStopStatus { observed_generation: window.metadata.generation, ..JobStartStopStatus::default() };
        if window.status.as_ref() != Some(&status) {
            let windows: Api<JobStartStop> = Api::namespaced(client.clone(), &window.namespace().unwrap_or_default());
            let (name, _) = (window.name_any(), window.status.replace(status));
            let _ = windows.replace_status(&name, &PostParams::default(), &window).await;
        }
    }
}
