//! What every scenario stands on: a control plane, a simulated Live API with its jobs, and the operator.

use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use simulator::Call;
use testbed::{ControlPlane, Operator, Options, Simulator};

use super::NAMESPACE;
use super::apiserver::Apiserver;
use super::windows::job;

/// The simulator's jobs take so long to turn.
pub(super) const TURNING_MS: u32 = 1_000;

/// Jobs in one request to the simulator, whose bodies are bounded.
const JOBS_AT_ONCE: u32 = 10_000;

/// What an account allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limits {
    /// Everything.
    None,
    /// What it allows when nobody says anything.
    Default,
}

/// See the module.
pub(super) struct Stage {
    // Dropped in this order: who calls goes before who is called.
    pub(super) live: Simulator,
    pub(super) api: Apiserver,
    plane: ControlPlane,
}

impl Stage {
    /// Starts everything but the operator: so many jobs, all off, and one account.
    pub(super) async fn set(jobs: u32, limits: Limits) -> anyhow::Result<Self> {
        let plane = ControlPlane::start(&Options::default())?;
        let turning = [format!("--activation-ms={TURNING_MS}"), format!("--deactivation-ms={TURNING_MS}")];
        let live = Simulator::start(plane.run(), turning.into_iter().chain(["--simultaneous-activations=0".into()]))?;
        for first in (0..jobs).step_by(JOBS_AT_ONCE as usize) {
            let some: Vec<Value> =
                (first..jobs.min(first + JOBS_AT_ONCE)).map(|number| json!({"id": job(number)})).collect();
            live.post("/control/jobs", &json!(some)).await?;
        }
        install(&plane, &live.base_url, limits)?;
        let api = Apiserver::of(plane.kubeconfig())?;
        Ok(Self { live, api, plane })
    }

    /// Starts an operator as its users do, without flags but those that tell it where it is.
    pub(super) fn operator(&self) -> anyhow::Result<Operator> {
        let none: [(&str, &str); 0] = [];
        Ok(Operator::start(self.plane.run(), self.plane.kubeconfig(), self.flags(), none)?)
    }

    fn flags(&self) -> Vec<OsString> {
        let lease = ["--lease-namespace", NAMESPACE, "--log-format", "json"];
        ["--live-endpoint", &self.live.base_url].into_iter().chain(lease).map(OsString::from).collect()
    }

    /// The calls that the simulator received after number `since`.
    pub(super) async fn calls(&self, since: u64) -> anyhow::Result<Vec<Call>> {
        #[derive(Deserialize)]
        struct Calls {
            calls: Vec<Call>,
        }
        let calls: Calls = self.live.get(&format!("/control/calls?since={since}")).await?;
        Ok(calls.calls)
    }

    /// Forgets the calls so far.
    pub(super) async fn forget_calls(&self) -> anyhow::Result<()> {
        self.live.delete("/control/calls").await?;
        Ok(())
    }

    /// Waits until the Live API was called for nothing, and no status was written, for `quiet`: what was to be checked
    /// is checked.
    pub(super) async fn settled(&self, windows: u32, quiet: Duration, within: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        let (mut before, mut since) = ((0, 0), Instant::now());
        loop {
            let calls = self.calls(0).await?.len();
            let writes = self.api.status_writes().await?;
            if (calls, writes) != before {
                (before, since) = ((calls, writes), Instant::now());
            }
            if writes >= u64::from(windows) && since.elapsed() >= quiet {
                return Ok(());
            }
            ensure!(
                began.elapsed() < within,
                "not settled after {} s: {writes} statuses of {windows} windows written, {calls} calls",
                within.as_secs()
            );
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

fn install(plane: &ControlPlane, endpoint: &str, limits: Limits) -> anyhow::Result<()> {
    let kubectl = plane.kubectl();
    let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds").display().to_string();
    kubectl.ok(["create", "namespace", NAMESPACE])?;
    kubectl.ok(["apply", "-f", &crds])?;
    kubectl.ok(["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"])?;
    kubectl.apply(&account(endpoint, limits)).context("making the account")?;
    Ok(())
}

fn account(endpoint: &str, limits: Limits) -> String {
    let limits = match limits {
        Limits::None => "{simultaneousActivations: 0, requestsPerSecond: 0, concurrentRequests: 0}",
        Limits::Default => "{}",
    };
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: bcov-live, namespace: {NAMESPACE}}}\n\
         stringData: {{apiKey: demo-key}}\n---\n\
         apiVersion: scheduler.bcovlive.io/v1alpha1\nkind: LiveAccount\n\
         metadata: {{name: default, namespace: {NAMESPACE}}}\nspec:\n  endpoint: {endpoint}\n  \
         apiKeySecretRef: {{name: bcov-live}}\n  limits: {limits}\n"
    )
}
