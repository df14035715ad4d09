//! The operator as a Deployment has it run, outside of any Pod.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Container, EnvVar, PodSpec, Probe, Secret, Volume, VolumeMount};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::{Api, ResourceExt};
use testbed::{Operator, Signal};

use crate::cluster::Cluster;
use crate::harness::{Stage, blocking};
use crate::release::{Release, account_of};
use crate::rights::{Rights, SERVES};

/// Where a Pod serves health and metrics; here the testbed finds a free port for it.
const OBSERVE: &str = "--observe-address";

/// Beside what the Deployment says: the operator's own times and those of its election run faster.
const FASTER: [&str; 2] = ["--time-divisor=20", "--lease-divisor=3"];

/// `terminationGracePeriodSeconds`, as the chart has it.
const GRACE: Duration = Duration::from_secs(30);

/// An operator that runs as one of a Deployment's Pods would.
pub(crate) struct Replica {
    pub(crate) operator: Operator,
    /// Those of the container, one `--flag=value` each.
    arguments: Vec<String>,
    container: Container,
}

impl Replica {
    /// Starts one with what the release's Deployment says now, and waits until it is ready.
    pub(crate) async fn start(cluster: &Cluster, release: &Release) -> Self {
        let deployment = release.deployment(cluster).await;
        let (pod, container) = pod_of(&deployment);
        let mounts = mounts(cluster, &release.namespace, &pod, &container).await;
        let arguments = arguments(&container);
        let name = pod_name(&deployment);
        let environment = environment(&container, &release.namespace, &name, &mounts);
        rights_in_force(cluster, release, &arguments).await;
        let here: Vec<String> = arguments.iter().filter_map(|argument| local(argument, &mounts)).collect();
        let (plane, namespace) = (cluster.plane.clone(), release.namespace.clone());
        let operator = blocking(move || {
            let kubeconfig = plane.control().service_account_kubeconfig(&namespace, &account_of(&deployment)).unwrap();
            let args = here.into_iter().chain(FASTER.map(str::to_owned));
            Operator::start(plane.run(), &kubeconfig, args, environment).unwrap()
        })
        .await;
        let replica = Self { operator, arguments, container };
        replica.answers_its_probes();
        replica
    }

    /// Where the kubelet would look, it is found alive and ready.
    fn answers_its_probes(&self) {
        let observed = values(&self.arguments, OBSERVE).next().expect("the Deployment says where health is served");
        let probes = [&self.container.liveness_probe, &self.container.readiness_probe];
        for probe in probes.map(|probe| probe.as_ref().expect("both probes are set")) {
            let (path, port) = asked(probe, &self.container);
            assert!(observed.ends_with(&format!(":{port}")), "{path} is asked at {port}, and served at {observed}");
            assert!(self.operator.answers(&path), "{path}");
        }
    }

    pub(crate) fn log(&self) -> String {
        self.operator.process().log_text()
    }

    /// No right was missing until now, and the key of the stage is not in the log.
    pub(crate) fn was_refused_nothing(&self, stage: &Stage) {
        let log = self.log();
        // What is written into a namespace that is being deleted is refused by the same word.
        let missing = |line: &&str| line.to_lowercase().contains("forbidden") && !line.contains("being terminated");
        let refused: Vec<&str> = log.lines().filter(missing).collect();
        assert!(refused.is_empty(), "a right is missing: {refused:#?}");
        assert!(!log.contains(&stage.key), "the key shows in:\n{log}");
    }

    /// Ends it as the kubelet does: asked to, it ends in order before the grace period is over.
    pub(crate) async fn terminated(self) {
        let Self { operator, .. } = self;
        blocking(move || {
            operator.process().signal(Signal::Term).unwrap();
            let code = operator.process().wait(GRACE);
            assert_eq!(code, Some(0), "{}", operator.process().log_text());
        })
        .await;
    }
}

/// A name as one of the Deployment's Pods might have.
fn pod_name(deployment: &Deployment) -> String {
    static PODS: AtomicU32 = AtomicU32::new(0);
    format!("{}-7d4b9c6f5-{:05}", deployment.name_any(), PODS.fetch_add(1, Ordering::Relaxed))
}

/// The Pods' spec and its one container.
fn pod_of(deployment: &Deployment) -> (PodSpec, Container) {
    let pod = deployment.spec.template.spec.clone().unwrap();
    let [container] = &pod.containers[..] else { panic!("one container") };
    let container = container.clone();
    assert_eq!(container.command, None, "the image says what runs");
    (pod, container)
}

/// The container's arguments behind `run`, each with its value.
fn arguments(container: &Container) -> Vec<String> {
    let args = container.args.clone().unwrap_or_default();
    let mut args = args.iter().map(String::as_str);
    assert_eq!(args.next(), Some("run"));
    let mut joined = Vec::new();
    while let Some(flag) = args.next() {
        assert!(flag.starts_with("--"), "{flag} is no flag");
        let whole = if flag.contains('=') { flag.to_owned() } else { format!("{flag}={}", args.next().unwrap()) };
        joined.push(whole);
    }
    joined
}

/// The values of a flag.
fn values<'a>(arguments: &'a [String], flag: &'a str) -> impl Iterator<Item = &'a str> {
    arguments.iter().filter_map(move |argument| argument.strip_prefix(flag)?.strip_prefix('='))
}

/// Waits until the API server knows of the roles, of which it learns by watching. A Pod takes longer to start.
async fn rights_in_force(cluster: &Cluster, release: &Release, arguments: &[String]) {
    let rights = Rights::of(cluster, release).await;
    let named: Vec<Option<&str>> = values(arguments, "--namespace").map(Some).collect();
    for served in if named.is_empty() { vec![None] } else { named } {
        rights.include(SERVES, served).await;
        rights.include_one("get", "secrets", Some("bcov-live"), served).await;
    }
    let definitions = "customresourcedefinitions.apiextensions.k8s.io";
    rights.include_one("get", definitions, Some("jobstartstops.scheduler.bcovlive.io"), None).await;
    if values(arguments, "--leader-election").all(|elects| elects == "true") {
        let lease = values(arguments, "--lease-name").next();
        let leases = values(arguments, "--lease-namespace").next();
        for verb in ["get", "watch", "update", "create"] {
            rights.include_one(verb, "leases.coordination.k8s.io", lease, leases).await;
        }
    }
}

/// The argument as it serves outside of a Pod.
fn local(argument: &str, mounts: &BTreeMap<String, PathBuf>) -> Option<String> {
    let (flag, value) = argument.split_once('=').unwrap();
    match flag {
        OBSERVE => None,
        "--http-address" => Some("--http-address=127.0.0.1:0".to_owned()),
        _ => Some(format!("{flag}={}", here(value, mounts))),
    }
}

/// A path in the container as it is found here; any other text as it is.
fn here(value: &str, mounts: &BTreeMap<String, PathBuf>) -> String {
    let within = |(mount, folder): (&String, &PathBuf)| {
        let rest = Path::new(value).strip_prefix(mount).ok()?;
        Some(folder.join(rest).display().to_string())
    };
    mounts.iter().find_map(within).unwrap_or_else(|| value.to_owned())
}

fn environment(
    container: &Container,
    namespace: &str,
    pod: &str,
    mounts: &BTreeMap<String, PathBuf>,
) -> Vec<(String, String)> {
    let value = |variable: EnvVar| {
        let value = match (variable.value, variable.value_from.and_then(|from| from.field_ref)) {
            (Some(value), _) => here(&value, mounts),
            (None, Some(field)) if field.field_path == "metadata.name" => pod.to_owned(),
            (None, Some(field)) if field.field_path == "metadata.namespace" => namespace.to_owned(),
            (None, other) => panic!("{}: {other:?}", variable.name),
        };
        (variable.name, value)
    };
    // The kubelet sets it, and the leader is named by it.
    let host = ("HOSTNAME".to_owned(), pod.to_owned());
    [host].into_iter().chain(container.env.clone().unwrap_or_default().into_iter().map(value)).collect()
}

/// What would be mounted, in folders here, by the path in the container.
async fn mounts(cluster: &Cluster, namespace: &str, pod: &PodSpec, container: &Container) -> BTreeMap<String, PathBuf> {
    let volumes = pod.volumes.clone().unwrap_or_default();
    let mut mounts = BTreeMap::new();
    for VolumeMount { name, mount_path, sub_path, .. } in container.volume_mounts.clone().unwrap_or_default() {
        let volume = volumes.iter().find(|volume| volume.name == name).expect("each mount has its volume");
        let folder = cluster.path(&format!("mount-{name}"));
        fs::create_dir(&folder).unwrap();
        for (file, content) in content(cluster, namespace, volume).await {
            fs::write(folder.join(file), content).unwrap();
        }
        mounts.insert(mount_path, sub_path.map_or(folder.clone(), |path| folder.join(path)));
    }
    mounts
}

/// The files of a volume.
async fn content(cluster: &Cluster, namespace: &str, volume: &Volume) -> BTreeMap<String, Vec<u8>> {
    let client = cluster.plane.client.clone();
    if let Some(source) = &volume.config_map {
        let all: Api<ConfigMap> = Api::namespaced(client, namespace);
        let data = all.get(&source.name).await.unwrap().data.unwrap_or_default();
        data.into_iter().map(|(file, text)| (file, text.into_bytes())).collect()
    } else if let Some(source) = &volume.secret {
        let all: Api<Secret> = Api::namespaced(client, namespace);
        let data = all.get(source.secret_name.as_deref().unwrap()).await.unwrap().data.unwrap_or_default();
        data.into_iter().map(|(file, bytes)| (file, bytes.0)).collect()
    } else {
        assert!(volume.empty_dir.is_some(), "{}: neither ConfigMap nor Secret nor empty", volume.name);
        BTreeMap::new()
    }
}

/// The path and the port's number that a probe asks.
fn asked(probe: &Probe, container: &Container) -> (String, i32) {
    let get = probe.http_get.as_ref().expect("probes are by HTTP");
    let port = match &get.port {
        IntOrString::Int(number) => *number,
        IntOrString::String(name) => {
            let port = container.ports.iter().flatten().find(|port| port.name.as_ref() == Some(name));
            port.expect("the port has its name").container_port
        }
    };
    (get.path.clone().unwrap(), port)
}
