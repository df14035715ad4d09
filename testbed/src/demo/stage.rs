//! What the show needs: Kubernetes, a Live API, a receiver of notifications, the operator.

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use simulator::{Effect, Fault, FiringEffect, FiringFault, Operation, TaskKind};
use testbed::{ControlPlane, Kubectl, Operator, Options, Receiver, Simulator};

use super::{
    Executor, Sabotage, blocking,
    screen::{Paint, Screen},
    told::SECRET,
};

const NAMESPACE: &str = "live";
const SERVICE_ACCOUNT: &str = "jobstartstop";
const RBAC: &str = include_str!("../../../examples/operator-rbac.yaml");
/// From an accepted start until the channel is on, and from an accepted stop until it is off.
pub(super) const TURNS_ON_MS: u16 = 1_500;
pub(super) const TURNS_OFF_MS: u16 = 1_000;
const ENCODER_AFTER_MS: u16 = 500;
const CHANNELS: [&str; 4] = ["news", "sports", "culture", "cinema"];
const SABOTAGED: &str = "news";

/// By how much the operator's own times are shorter where the Live API's scheduler makes the calls: it registers a window
/// two minutes before its start at the latest.
const TIME_DIVISOR: u32 = 20;
/// How late the scheduler may be, by chance.
const LATE_BY_UP_TO_MS: u16 = 200;
/// How long after its time a stop of the scheduler that is missing is made by the operator: 15 s, so divided.
pub(super) const STEPS_IN_AFTER_MS: i64 = 15_000 / TIME_DIVISOR as i64;

/// All that runs. In the order in which it is to end.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) operator: Operator,
    /// Of notifications.
    pub(super) receiver: Receiver,
    pub(super) live_api: Simulator,
    pub(super) plane: ControlPlane,
    pub(super) manifests: PathBuf,
}

impl Stage {
    /// Starts it all, and tells so.
    pub(super) async fn set(
        screen: &mut Screen,
        executor: Executor,
        sabotage: Option<Sabotage>,
    ) -> anyhow::Result<Self> {
        let plane = raise_kubernetes(screen).await?;
        let live_api = raise_live_api(&plane, screen).await?;
        if executor == Executor::LiveScheduler {
            make_inexact(&live_api, screen).await?;
        }
        if let Some(sabotage) = sabotage {
            let warning = sabotage.strike(executor, &live_api).await?;
            screen.say(&screen.paint(Paint::Yellow, &format!("  sabotage    {warning}")))?;
        }
        let receiver = Receiver::start(&[SECRET])?;
        screen.say(&format!("  receiver    of notifications, {}, which verifies their signatures", receiver.url()))?;
        let operator = raise_operator(&plane, &live_api, executor, screen).await?;
        let manifests = plane.run().path().join("manifests");
        fs::create_dir(&manifests).with_context(|| format!("making {}", manifests.display()))?;
        Ok(Self { operator, receiver, live_api, plane, manifests })
    }

    /// What a user could try now.
    pub(super) fn stay_open(&self, executor: Executor, screen: &mut Screen) -> anyhow::Result<()> {
        screen.heading("All of it keeps running until Ctrl-C. In another terminal:")?;
        let kubeconfig = self.plane.kubeconfig().display();
        let folder = self.plane.run().path().display();
        let kubectl = self.plane.kubectl().program().display();
        let (live, operator) = (&self.live_api.base_url, self.operator.observe_url());
        // Far enough ahead to be registered.
        let (soon, from, workflows) = match executor {
            Executor::Operator => ("five", "+5sec", String::new()),
            Executor::LiveScheduler => ("15", "+15sec", format!("\n  curl -s {live}/control/workflows")),
        };
        let text = format!(
            r#"
  export KUBECONFIG={kubeconfig} KUBECACHEDIR={folder}/cache
  alias kubectl={kubectl}

  kubectl get jss --watch -o wide
  kubectl describe jss premiere
  kubectl explain jss.spec

  # a new window: on air in {soon} seconds, for ten minutes
  echo "
    apiVersion: scheduler.bcovlive.io/v1alpha1
    kind: JobStartStop
    metadata: {{name: encore}}
    spec:
      jobID: culture
      activation: {{time: '$(date -u -d {from} +%FT%TZ)'}}
      deactivation: {{time: '$(date -u -d +10min +%FT%TZ)'}}" | kubectl apply -f -

  # off air now
  kubectl patch jss encore --type merge -p '{{"spec":{{"deactivation":{{"time":"'$(date -u +%FT%TZ)'"}}}}}}'

  # the Live API's own view: channels, and the calls it received
  curl -s {live}/control/jobs/culture
  curl -s '{live}/control/calls?job=culture'{workflows}

  # the operator's metrics; the logs of everything are in {folder}
  curl -s {operator}/metrics"#
        );
        for line in text.lines() {
            screen.say(line)?;
        }
        Ok(())
    }
}

async fn raise_kubernetes(screen: &mut Screen) -> anyhow::Result<ControlPlane> {
    if env::var_os("TESTBED_KUBECONFIG").is_some_and(|value| !value.is_empty()) {
        bail!("the demo starts a Kubernetes of its own and leaves yours alone: unset TESTBED_KUBECONFIG");
    }
    screen.meanwhile("  Kubernetes  etcd and kube-apiserver are starting …")?;
    let began = Instant::now();
    let plane = blocking(|| ControlPlane::start(&Options::default())).await?;
    screen.clear()?;
    screen
        .say(&format!("  Kubernetes  etcd and kube-apiserver, ready after {:.1} s", began.elapsed().as_secs_f32()))?;
    Ok(plane)
}

async fn raise_live_api(plane: &ControlPlane, screen: &mut Screen) -> anyhow::Result<Simulator> {
    let mut args = vec![
        format!("--activation-ms={TURNS_ON_MS}"),
        format!("--deactivation-ms={TURNS_OFF_MS}"),
        format!("--encoder-after-ms={ENCODER_AFTER_MS}"),
    ];
    args.extend(CHANNELS.map(|channel| format!("--job={channel}")));
    let run = plane.run().clone();
    let live_api = blocking(move || Simulator::start(&run, args)).await?;
    screen.say(&format!(
        "  Live API    simulated, {}: a channel turns on in {:.1} s and off in {:.1} s",
        live_api.base_url,
        f32::from(TURNS_ON_MS) / 1_000.0,
        f32::from(TURNS_OFF_MS) / 1_000.0,
    ))?;
    Ok(live_api)
}

/// The vendor does not say how exact its scheduler is.
async fn make_inexact(live_api: &Simulator, screen: &mut Screen) -> anyhow::Result<()> {
    let settings = serde_json::json!({"scheduler": {"firing_jitter_ms": LATE_BY_UP_TO_MS}});
    live_api.post("/control/settings", &settings).await?;
    let seconds = f32::from(LATE_BY_UP_TO_MS) / 1_000.0;
    screen.say(&format!("              its scheduler makes the calls, and is late by up to {seconds:.1} s"))?;
    Ok(())
}

async fn raise_operator(
    plane: &ControlPlane,
    live_api: &Simulator,
    executor: Executor,
    screen: &mut Screen,
) -> anyhow::Result<Operator> {
    let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds");
    install(plane.kubectl(), &crds, screen).await?;
    let began = Instant::now();
    let kubeconfig = plane.service_account_kubeconfig(NAMESPACE, SERVICE_ACCOUNT)?;
    // The receiver is on this machine, where notifications are not sent unless that is allowed.
    let args = ["--live-endpoint", &live_api.base_url, "--namespace", NAMESPACE];
    let args = args.into_iter().chain(["--allow-notification-cidr", "127.0.0.0/8"]).map(str::to_owned);
    let mut args: Vec<String> = args.collect();
    if executor == Executor::LiveScheduler {
        args.extend(["--cluster-id".to_owned(), "demo".to_owned(), format!("--time-divisor={TIME_DIVISOR}")]);
    }
    let run = plane.run().clone();
    let none: [(&str, &str); 0] = [];
    let operator = blocking(move || Operator::start(&run, &kubeconfig, args, none)).await?;
    screen.say(&format!(
        "  operator    ready after {:.1} s, with the rights of {NAMESPACE}/{SERVICE_ACCOUNT} and no others",
        began.elapsed().as_secs_f32()
    ))?;
    if executor == Executor::LiveScheduler {
        screen.say(&format!(
            "              its own times divided by {TIME_DIVISOR}: registered {} s before the start at the latest, not two \
             minutes;",
            120 / TIME_DIVISOR,
        ))?;
        screen.say(&format!(
            "              a stop that is missing is made after {:.2} s, not after 15",
            Duration::from_millis(STEPS_IN_AFTER_MS.unsigned_abs()).as_secs_f32()
        ))?;
    }
    Ok(operator)
}

/// What an administrator does once.
async fn install(kubectl: &Kubectl, crds: &Path, screen: &mut Screen) -> anyhow::Result<()> {
    let crds = crds.display().to_string();
    let commands: [(&[&str], &str); 4] = [
        (&["create", "namespace", NAMESPACE], ""),
        (&["config", "set-context", "--current", "--namespace", NAMESPACE], ""),
        (&["apply", "-f", &crds], ""),
        (&["apply", "-f", "-"], RBAC),
    ];
    for (args, input) in commands {
        let kubectl = kubectl.clone();
        let shown = args.join(" ").replace(&crds, "crds/").replace("-f -", "-f examples/operator-rbac.yaml");
        screen.say(&screen.paint(Paint::Dim, &format!("  $ kubectl {shown}")))?;
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        blocking(move || kubectl.run_with_input(args, input)?.ok()).await?;
    }
    let kubectl = kubectl.clone();
    blocking(move || kubectl.ok(["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"])).await?;
    Ok(())
}

impl Sabotage {
    /// Arranges it, and says what is going to happen.
    async fn strike(self, executor: Executor, live_api: &Simulator) -> anyhow::Result<&'static str> {
        let refuse = || {
            Fault::new(Effect::Refuse {
                status: 400,
                body: serde_json::json!({"error": "Invalid input value"}),
                headers: std::collections::BTreeMap::new(),
            })
        };
        let (call, firing, warning) = match (self, executor) {
            (Self::RefuseStart, Executor::Operator) => (
                Some(refuse().on(Operation::Activate)),
                None,
                "the Live API will refuse each start of the channel news (400)",
            ),
            (Self::LoseStop, Executor::Operator) => (
                Some(Fault::new(Effect::DropBefore).on(Operation::Deactivate)),
                None,
                "the Live API will lose each stop of the channel news: no answer, nothing done",
            ),
            (Self::RefuseStart, Executor::LiveScheduler) => (
                Some(refuse().on(Operation::Activate)),
                Some(
                    FiringFault::new(FiringEffect::Fail { error: "Invalid input value".to_owned() })
                        .on(TaskKind::Activation),
                ),
                "each start of the channel news will fail, the scheduler's and then the operator's (400)",
            ),
            (Self::LoseStop, Executor::LiveScheduler) => (
                None,
                Some(FiringFault::new(FiringEffect::Skip).on(TaskKind::Deactivation)),
                "the Live API's scheduler will forget the stop of the channel news: it stays pending for ever",
            ),
        };
        if let Some(fault) = call {
            live_api.post("/control/faults", &serde_json::to_value(fault.job(SABOTAGED))?).await?;
        }
        if let Some(fault) = firing {
            live_api.post("/control/firing-faults", &serde_json::to_value(fault.job(SABOTAGED))?).await?;
        }
        Ok(warning)
    }
}
