//! Releases of the chart.

use std::fs;
use std::path::{Path, PathBuf};

use jobstartstop::api::LiveAccount;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};
use testbed::{Helm, Run};

use crate::cluster::{Cluster, Ground};
use crate::harness::{Stage, blocking, repository};

const NAME: &str = "jobstartstop";

/// The chart, installed under its own name in a namespace.
pub(crate) struct Release {
    pub(crate) namespace: String,
    values: Value,
    helm: Helm,
    run: Run,
}

impl Release {
    /// Installs it as docs/install.md has it: in a restricted namespace of its own, with nothing but defaults.
    pub(crate) async fn by_the_page(ground: &Ground) -> Self {
        let shell = ground.shell();
        shell.run("namespace").await;
        shell.run("chart").await;
        Self { namespace: NAME.to_owned(), values: json!({}), helm: ground.helm.clone(), run: ground.run().clone() }
    }

    /// Installs the chart of this checkout in a restricted namespace of its own, for one stage. The definitions are
    /// another release's there.
    pub(crate) async fn for_stage(cluster: &Cluster, stage: &Stage, more: Value) -> Self {
        let namespace = cluster.restricted_namespace("operator").await;
        let mut values = json!({
            "crds": { "enabled": false },
            "watchNamespaces": [stage.namespace],
            "liveEndpoints": [endpoint(stage).await],
        });
        merge(&mut values, more);
        let (helm, run) = (cluster.helm.clone(), cluster.plane.run().clone());
        let release = Self { namespace, values, helm, run };
        release.change("install", json!({})).await;
        release
    }

    /// Changes its values: those that it was installed with, and these.
    pub(crate) async fn set(&self, more: Value) {
        self.change("upgrade", more).await;
    }

    async fn change(&self, how: &str, more: Value) {
        let mut values = self.values.clone();
        merge(&mut values, more);
        let file = self.run.unique_path("values", ".json");
        fs::write(&file, values.to_string()).unwrap();
        let (chart, file) = (chart().display().to_string(), file.display().to_string());
        let namespace = format!("--namespace={}", self.namespace);
        let args = [how, NAME, &chart, "--values", &file, &namespace].map(str::to_owned);
        let helm = self.helm.clone();
        let output = blocking(move || helm.run(args).unwrap()).await;
        assert!(!output.stderr.to_lowercase().contains("warning"), "helm warns: {}", output.stderr);
        output.ok().unwrap();
    }

    /// Whether this release made the object.
    pub(crate) fn made(&self, metadata: &ObjectMeta) -> bool {
        let annotation = |key: &str| Some(metadata.annotations.as_ref()?.get(key)?.as_str());
        annotation("meta.helm.sh/release-name") == Some(NAME)
            && annotation("meta.helm.sh/release-namespace") == Some(&self.namespace)
    }

    /// Its Deployment, as stored.
    pub(crate) async fn deployment(&self, cluster: &Cluster) -> Deployment {
        let all: Api<Deployment> = Api::namespaced(cluster.plane.client.clone(), &self.namespace);
        let mut ours = all.list(&ListParams::default()).await.unwrap().items;
        ours.retain(|deployment| self.made(&deployment.metadata));
        assert_eq!(ours.len(), 1, "one Deployment");
        ours.remove(0)
    }

    /// The operator's user name.
    pub(crate) async fn user(&self, cluster: &Cluster) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, account_of(&self.deployment(cluster).await))
    }
}

/// The chart of this checkout.
pub(crate) fn chart() -> PathBuf {
    repository("charts/jobstartstop")
}

/// One of examples/helm, with other names in the place of its namespaces.
pub(crate) fn example(name: &str, namespaces: &[(&str, &str)]) -> Value {
    let text = fs::read_to_string(repository(&format!("examples/helm/{name}.yaml"))).unwrap();
    let text = namespaces.iter().fold(text, |text, (from, to)| text.replace(from, to));
    serde_norway::from_str(&text).unwrap()
}

/// The name of the service account that a Deployment's Pods run as.
pub(crate) fn account_of(deployment: &Deployment) -> String {
    let pod = deployment.spec.template.spec.as_ref().unwrap();
    pod.service_account_name.clone().expect("the Pods have an account of their own")
}

/// The endpoint of the stage's account, which the operator has to be allowed.
pub(crate) async fn endpoint(stage: &Stage) -> String {
    let accounts: Api<LiveAccount> = Api::namespaced(stage.plane().client.clone(), &stage.namespace);
    accounts.get("default").await.unwrap().spec.endpoint.unwrap()
}

/// Puts more values over those that are there.
pub(crate) fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (name, value) in more {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more,
    }
}

/// Charts in this folder as another version might have them: its own number, and one more field in JobStartStop's spec.
pub(crate) fn next_charts(folder: &Path, version: &str, field: &str) {
    copy(&repository("charts"), &folder.join("charts"));
    let mut with_field = 0;
    each_file(folder, &mut |path| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let changed = match path.file_name().and_then(|name| name.to_str()) {
            Some("Chart.yaml") => text.replace(env!("CARGO_PKG_VERSION"), version),
            _ if defines_windows(&text) => {
                with_field += 1;
                with_one_more(&text, field)
            }
            _ => return,
        };
        fs::write(path, changed).unwrap();
    });
    assert!(with_field > 0, "no chart defines JobStartStop");
}

fn defines_windows(text: &str) -> bool {
    text.contains("kind: CustomResourceDefinition") && text.contains("plural: jobstartstops")
}

/// The definition with a text field beside `spec.jobID`.
fn with_one_more(definition: &str, field: &str) -> String {
    let job = definition.lines().find(|line| line.trim() == "jobID:").expect("spec.jobID is defined");
    let margin = &job[..job.len() - job.trim_start().len()];
    definition.replacen(job, &format!("{margin}{field}:\n{margin}  type: string\n{job}"), 1)
}

fn each_file(folder: &Path, work: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { each_file(&path, work) } else { work(&path) }
    }
}

/// Copies a folder with what its links lead to.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy(&source, &target);
        } else {
            fs::copy(&source, &target).unwrap();
        }
    }
}
