//! What the charts render, and what they refuse, by the real helm and without any cluster.

#[path = "../../generate/generated.rs"]
mod generated;
mod packages;
mod pods;
mod rights;
mod values;

use std::fs;
use std::sync::OnceLock;

use serde::Deserialize as _;
use serde_json::{Value, json};
use testbed::{Helm, Output, Run};

use crate::harness::repository;
use crate::release::{chart, merge};

/// The release's name and namespace wherever a test names no other.
const RELEASE: [&str; 2] = ["channels", "operators"];

struct Workshop {
    run: Run,
    helm: Helm,
}

fn workshop() -> &'static Workshop {
    static WORKSHOP: OnceLock<Workshop> = OnceLock::new();
    WORKSHOP.get_or_init(|| {
        let run = Run::new().unwrap();
        let helm = Helm::without_cluster(&run).unwrap();
        Workshop { run, helm }
    })
}

fn helm(args: &[&str]) -> Output {
    workshop().helm.run(args).unwrap()
}

/// A file with those values.
fn file_of(values: &Value) -> String {
    let file = workshop().run.unique_path("values", ".json");
    fs::write(&file, values.to_string()).unwrap();
    file.display().to_string()
}

/// What helm makes of the chart of this checkout.
fn template(values: &Value) -> Output {
    let [name, namespace] = RELEASE;
    let (chart, file) = (chart().display().to_string(), file_of(values));
    helm(&["template", name, &chart, "--namespace", namespace, "--values", &file])
}

/// The chart as rendered.
struct Rendered {
    text: String,
    objects: Vec<Value>,
}

impl Rendered {
    fn of(text: String) -> Self {
        let documents = serde_norway::Deserializer::from_str(&text);
        let objects = documents.map(|document| Value::deserialize(document).unwrap());
        let objects = objects.filter(|object| !object.is_null()).collect();
        Self { text, objects }
    }

    fn with(values: &Value) -> Self {
        Self::of(template(values).ok().unwrap_or_else(|error| panic!("{error}\n{values}")))
    }

    fn kind(&self, kind: &str) -> Vec<&Value> {
        self.objects.iter().filter(|object| object["kind"] == kind).collect()
    }

    /// The one object of that kind.
    fn the(&self, kind: &str) -> &Value {
        let [object] = self.kind(kind)[..] else { panic!("one {kind}, not {}", self.kind(kind).len()) };
        object
    }

    /// The specs of all Pods that anything in it makes, whatever makes them.
    fn pods(&self) -> Vec<&Value> {
        let templates = ["/spec/template/spec", "/spec/jobTemplate/spec/template/spec"];
        let in_templates = self.objects.iter().flat_map(|object| templates.map(|path| object.pointer(path)));
        let bare = self.kind("Pod").into_iter().map(|pod| &pod["spec"]);
        in_templates.flatten().chain(bare).collect()
    }

    /// The operator's arguments.
    fn arguments(&self) -> Vec<&str> {
        let arguments = &self.the("Deployment")["spec"]["template"]["spec"]["containers"][0]["args"];
        arguments.as_array().unwrap().iter().map(|argument| argument.as_str().unwrap()).collect()
    }
}

/// What an object is called, for messages.
fn named(object: &Value) -> String {
    let metadata = &object["metadata"];
    let part = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("{} {}/{}", part(&object["kind"]), part(&metadata["namespace"]), part(&metadata["name"]))
}

/// The ways to install it that differ most.
fn modes() -> [(&'static str, Value); 5] {
    [
        ("default", json!({})),
        ("everything", everything()),
        ("single", json!({ "replicaCount": 1, "leaderElection": { "enabled": false } })),
        ("namespaced", json!({ "watchNamespaces": ["live", "sports"] })),
        ("secrets", json!({ "rbac": { "secrets": [{ "namespace": "live", "names": ["bcov-live"] }] } })),
    ]
}

/// The modes, rendered once for all tests.
fn rendered_modes() -> &'static [(&'static str, Rendered)] {
    static RENDERED: OnceLock<Vec<(&str, Rendered)>> = OnceLock::new();
    RENDERED.get_or_init(|| modes().into_iter().map(|(mode, values)| (mode, Rendered::with(&values))).collect())
}

fn by_default() -> &'static Rendered {
    &rendered_modes()[0].1
}

/// The values with all that can be switched on.
fn everything() -> Value {
    let text = fs::read_to_string(repository("charts/jobstartstop/ci/everything-values.yaml")).unwrap();
    serde_norway::from_str(&text).unwrap()
}

/// Values with one more, by its path.
fn with(mut values: Value, path: &str, value: Value) -> Value {
    let nested = path.rsplit('.').fold(value, |value, name| json!({ name: value }));
    merge(&mut values, nested);
    values
}
