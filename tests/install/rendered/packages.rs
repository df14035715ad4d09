//! The charts as packages: definitions, metadata, notes, and what helm thinks of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use jobstartstop::api::{JobStartStop, LiveAccount, crds};
use serde_json::{Value, json};

use super::{
    RELEASE, Rendered, by_default, everything, file_of, generated, helm, modes, named, rendered_modes, workshop,
};
use crate::harness::repository;
use crate::release::{chart, merge};

fn chart_yaml(chart: &str) -> Value {
    serde_norway::from_str(&fs::read_to_string(repository(&format!("charts/{chart}/Chart.yaml"))).unwrap()).unwrap()
}

/// An annotation of the chart, which is YAML itself.
fn annotation(name: &str) -> Value {
    let chart = chart_yaml("jobstartstop");
    let text = chart["annotations"][format!("artifacthub.io/{name}")].as_str().unwrap_or_else(|| panic!("no {name}"));
    serde_norway::from_str(text).unwrap()
}

#[test]
fn helm_finds_nothing_to_criticise() {
    for chart in ["charts/jobstartstop", "charts/jobstartstop-crds"] {
        let path = repository(chart).display().to_string();
        let linted = helm(&["lint", "--strict", &path]);
        assert_eq!(linted.code, Some(0), "{chart}: {}{}", linted.stdout, linted.stderr);
    }
    let path = chart().display().to_string();
    for (mode, values) in modes() {
        let linted = helm(&["lint", "--strict", &path, "--values", &file_of(&values)]);
        assert_eq!(linted.code, Some(0), "{mode}: {}{}", linted.stdout, linted.stderr);
    }
}

#[test]
fn what_is_generated_is_current() {
    let root = repository("");
    for (path, content) in generated::files(&root).unwrap() {
        let found = fs::read_to_string(root.join(&path)).unwrap_or_default();
        assert!(found == content, "{path} is out of date: run `make generate`");
    }
    let templates = root.join("charts/jobstartstop-crds/templates");
    let files = fs::read_dir(templates).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<String> = files.filter(|file| !file.starts_with('_')).collect();
    let made = crds::files().unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(files, made, "and there is no other");
}

/// A definition without what belongs to a release.
fn bare(definition: &Value) -> Value {
    json!({ "name": definition["metadata"]["name"], "spec": definition["spec"] })
}

fn definitions_of_the_code() -> Vec<Value> {
    let text = crds::yaml().unwrap();
    Rendered::of(text).objects.iter().map(bare).collect()
}

#[test]
fn case_65_the_definitions_are_rendered_as_they_are_and_outlive_the_release() {
    let expected = definitions_of_the_code();
    assert_eq!(expected.len(), 2);
    let keeps = |rendered: &Rendered| -> Vec<bool> {
        let kept = |definition: &&Value| definition["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep";
        rendered.kind("CustomResourceDefinition").iter().map(kept).collect()
    };
    let without_release = |rendered: &Rendered| -> Vec<Value> {
        rendered.kind("CustomResourceDefinition").into_iter().map(bare).collect()
    };
    let alone = repository("charts/jobstartstop-crds").display().to_string();
    let alone = Rendered::of(helm(&["template", "definitions", &alone]).ok().unwrap());
    for rendered in [by_default(), &alone] {
        assert_eq!(without_release(rendered), expected);
        assert_eq!(keeps(rendered), [true, true]);
    }
    let not_kept = Rendered::with(&json!({ "crds": { "keep": false } }));
    assert_eq!(without_release(&not_kept), expected);
    assert_eq!(keeps(&not_kept), [false, false]);
    let without = Rendered::with(&json!({ "crds": { "enabled": false } }));
    assert!(without.kind("CustomResourceDefinition").is_empty());
    assert_eq!(without.the("Deployment"), by_default().the("Deployment"));
}

#[test]
fn a_package_renders_what_the_folder_does() {
    let folder = workshop().run.unique_path("packages", "");
    let destination = folder.display().to_string();
    let version = env!("CARGO_PKG_VERSION");
    for (name, values) in [("jobstartstop", json!({})), ("jobstartstop-crds", json!({ "keep": true }))] {
        let source = repository(&format!("charts/{name}")).display().to_string();
        helm(&["package", &source, "--destination", &destination]).ok().unwrap();
        let package = folder.join(format!("{name}-{version}.tgz")).display().to_string();
        let file = file_of(&values);
        let render = |chart: &str| {
            let [release, namespace] = RELEASE;
            let output = helm(&["template", release, chart, "--namespace", namespace, "--values", &file]);
            Rendered::of(output.ok().unwrap()).objects
        };
        let objects = render(&package);
        assert!(!objects.is_empty());
        assert_eq!(objects, render(&source), "{name}");
        let listed = Command::new("tar").args(["--list", "--file", &package]).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert!(listed.contains(&format!("{name}/Chart.yaml")), "{listed}");
        assert!(!listed.contains("/ci/"), "what is for tests only is left out: {listed}");
    }
}

#[test]
fn charts_and_operator_have_one_version() {
    let version = env!("CARGO_PKG_VERSION");
    for chart in ["jobstartstop", "jobstartstop-crds"] {
        let chart = chart_yaml(chart);
        assert_eq!((&chart["version"], &chart["appVersion"]), (&json!(version), &json!(version)));
        assert_eq!(chart["kubeVersion"], ">=1.32.0-0", "selectableFields are GA since then");
    }
    let too_old = helm(&["template", "x", &chart().display().to_string(), "--kube-version", "1.31.9"]);
    assert_ne!(too_old.code, Some(0));
    assert!(too_old.stderr.contains("1.32"), "{}", too_old.stderr);
}

#[test]
fn case_91_the_listing_says_what_artifact_hub_asks_for() {
    let definitions: Vec<Value> = crds::all()
        .into_iter()
        .map(|crd| {
            let versions = crd.spec.versions.iter().map(|version| version.name.clone()).collect::<Vec<_>>();
            json!([crd.metadata.name, crd.spec.names.kind, versions])
        })
        .collect();
    let listed: Vec<Value> = annotation("crds")
        .as_array()
        .unwrap()
        .iter()
        .map(|crd| {
            for text in ["displayName", "description"] {
                assert!(crd[text].as_str().is_some_and(|text| !text.is_empty()), "{crd}");
            }
            json!([crd["name"], crd["kind"], [crd["version"]]])
        })
        .collect();
    assert_eq!(listed, definitions);

    let mut kinds = BTreeSet::new();
    for example in annotation("crdsExamples").as_array().unwrap() {
        let read = match example["kind"].as_str() {
            Some("JobStartStop") => serde_json::from_value::<JobStartStop>(example.clone()).err(),
            Some("LiveAccount") => serde_json::from_value::<LiveAccount>(example.clone()).err(),
            kind => panic!("{kind:?}"),
        };
        assert!(read.is_none(), "{example}: {read:?}");
        kinds.insert(example["kind"].to_string());
    }
    assert_eq!(kinds.len(), definitions.len(), "an example of each");

    let images = annotation("images");
    let images: BTreeSet<&str> =
        images.as_array().unwrap().iter().map(|image| image["image"].as_str().unwrap()).collect();
    let containers = by_default().pods().into_iter().flat_map(|pod| pod["containers"].as_array().unwrap());
    assert_eq!(images, containers.map(|container| container["image"].as_str().unwrap()).collect());

    for change in annotation("changes").as_array().unwrap() {
        let kinds = ["added", "changed", "deprecated", "removed", "fixed", "security"];
        assert!(kinds.contains(&change["kind"].as_str().unwrap()), "{change}");
        assert!(change["description"].as_str().is_some_and(|text| !text.is_empty()), "{change}");
    }
    for link in annotation("links").as_array().unwrap() {
        let url = link["url"].as_str().unwrap();
        let Some(path) = url.split_once("/blob/main/").map(|(_, path)| path) else { continue };
        assert!(Path::new(&repository(path)).exists(), "{url}");
    }
    let license = chart_yaml("jobstartstop")["annotations"]["artifacthub.io/license"].clone();
    assert_eq!(license, "Apache-2.0");
}

/// What helm prints when it has installed the chart.
fn notes(values: &Value) -> String {
    let [release, namespace] = RELEASE;
    let (chart, file) = (chart().display().to_string(), file_of(values));
    let args = ["install", release, &chart, "--namespace", namespace, "--values", &file, "--dry-run=client"];
    let said = helm(&args).ok().unwrap();
    let (_, notes) = said.split_once("\nNOTES:\n").expect("there are notes");
    notes.to_owned()
}

#[test]
fn the_notes_say_what_to_do_next_and_how_to_leave_without_cutting_a_stream() {
    let by_default = notes(&json!({}));
    for part in [
        "watches all namespaces",
        "kubectl create secret generic bcov-live",
        "kind: LiveAccount",
        "kind: JobStartStop",
        "switches nothing off",
        "jobstartstop list --all-namespaces",
        "jobstartstop release",
    ] {
        assert!(by_default.contains(part), "{part:?} is not in:\n{by_default}");
    }
    for warning in
        ["one replica", "no certificate", "can be deleted", "crds.keep=false", "These Secrets", "not hold the"]
    {
        assert!(!by_default.contains(warning), "{warning:?} is in:\n{by_default}");
    }
    let table = [
        (json!({ "replicaCount": 1 }), "one replica"),
        (json!({ "replicaCount": 0 }), "no replica"),
        (json!({ "watchNamespaces": ["live", "sports"] }), "watches live, sports."),
        (json!({ "crds": { "enabled": false } }), "does not hold the resource definitions"),
        (json!({ "crds": { "keep": false } }), "crds.keep=false"),
        (json!({ "deletionProtection": { "enabled": false } }), "can be deleted"),
        (json!({ "httpInterface": { "enabled": true } }), "no certificate"),
        (json!({ "rbac": { "secrets": [{ "namespace": "live", "names": ["bcov-live"] }] } }), "  live/bcov-live\n"),
    ];
    for (values, part) in table {
        let notes = notes(&values);
        assert!(notes.contains(part), "{values}: {part:?} is not in:\n{notes}");
    }
}

#[test]
fn the_notes_make_a_namespace_only_where_none_is_named() {
    for (values, makes) in [(json!({}), true), (json!({ "watchNamespaces": ["live"] }), false)] {
        let notes = notes(&values);
        assert_eq!(notes.contains("  kubectl create namespace live\n"), makes, "{values}:\n{notes}");
        assert!(notes.contains("\n  kubectl create secret generic bcov-live --namespace live "), "{values}:\n{notes}");
    }
}

/// The manifests in the notes are those that a person pastes.
#[test]
fn the_manifests_in_the_notes_are_windows_and_accounts() {
    let notes = notes(&json!({}));
    let (_, from) = notes.split_once("<<YAML\n").unwrap();
    let (manifests, _) = from.split_once("\n  YAML").unwrap();
    let lines: Vec<&str> = manifests.lines().map(|line| &line[2..]).collect();
    let manifests = Rendered::of(lines.join("\n"));
    assert_eq!(manifests.objects.len(), 2);
    serde_json::from_value::<LiveAccount>(manifests.the("LiveAccount").clone()).unwrap();
    serde_json::from_value::<JobStartStop>(manifests.the("JobStartStop").clone()).unwrap();
}

#[test]
fn two_releases_share_nothing_but_the_definitions() {
    let ids = |release: &str, namespace: &str| -> BTreeSet<String> {
        let (chart, file) = (chart().display().to_string(), file_of(&everything()));
        let output = helm(&["template", release, &chart, "--namespace", namespace, "--values", &file]);
        let objects = Rendered::of(output.ok().unwrap()).objects;
        let own = objects.iter().filter(|object| object["kind"] != "CustomResourceDefinition");
        own.map(named).collect()
    };
    let first = ids("a", "b-c");
    for (release, namespace) in [("a", "b"), ("b", "b-c"), ("a-b", "c")] {
        let second = ids(release, namespace);
        let shared: Vec<_> = first.intersection(&second).collect();
        // The account is named in these values; two releases in one namespace that both name it do so on purpose.
        let shared: Vec<_> = shared.into_iter().filter(|name| !name.starts_with("ServiceAccount ")).collect();
        assert!(shared.is_empty(), "{release} in {namespace}: {shared:?}");
    }
}

#[test]
fn every_object_names_its_namespace_and_its_release_and_uses_no_unfinished_api() {
    const EVERYWHERE: [&str; 6] = [
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "FlowSchema",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    ];
    for (mode, rendered) in rendered_modes() {
        for object in &rendered.objects {
            let name = named(object);
            let namespace = object["metadata"]["namespace"].as_str();
            let everywhere = EVERYWHERE.contains(&object["kind"].as_str().unwrap());
            assert_eq!(namespace.is_none(), everywhere, "{mode}: {name}");
            let of_a_role = ["Role", "RoleBinding"].contains(&object["kind"].as_str().unwrap());
            assert!(everywhere || of_a_role || namespace == Some(RELEASE[1]), "{mode}: {name}");
            let labels = &object["metadata"]["labels"];
            assert_eq!(labels["app.kubernetes.io/instance"], RELEASE[0], "{mode}: {name}");
            assert_eq!(labels["app.kubernetes.io/managed-by"], "Helm", "{mode}: {name}");
            assert_eq!(labels["app.kubernetes.io/version"], env!("CARGO_PKG_VERSION"), "{mode}: {name}");
            let version = object["apiVersion"].as_str().unwrap();
            assert!(!["alpha", "beta"].iter().any(|word| version.contains(word)), "{mode}: {name}: {version}");
        }
    }
}

#[test]
fn the_protection_and_the_flow_schemas_reach_as_far_as_the_operator() {
    let live = Rendered::with(&json!({ "watchNamespaces": ["live"] }));
    let constraints = |rendered: &Rendered| {
        let policy = rendered.the("ValidatingAdmissionPolicy");
        assert_eq!(rendered.the("ValidatingAdmissionPolicyBinding")["spec"]["policyName"], policy["metadata"]["name"]);
        policy["spec"]["matchConstraints"].clone()
    };
    assert_eq!(constraints(by_default()).get("namespaceSelector"), None);
    let expression = json!({ "key": "kubernetes.io/metadata.name", "operator": "In", "values": ["live"] });
    assert_eq!(constraints(&live)["namespaceSelector"]["matchExpressions"], json!([expression]));

    let of_windows = |rendered: &Rendered| {
        let schemas = rendered.kind("FlowSchema");
        let rules = schemas.iter().flat_map(|schema| schema["spec"]["rules"][0]["resourceRules"].as_array().unwrap());
        let mut windows = rules.filter(|rule| rule["resources"] == json!(["jobstartstops"]));
        windows.next().unwrap().clone()
    };
    let (everywhere, named) = (of_windows(by_default()), of_windows(&live));
    assert_eq!((&everywhere["namespaces"], &everywhere["clusterScope"]), (&json!(["*"]), &json!(true)));
    assert_eq!((&named["namespaces"], named.get("clusterScope")), (&json!(["live"]), None));
    for rendered in [by_default(), &live] {
        let account = rendered.the("ServiceAccount")["metadata"].clone();
        for schema in rendered.kind("FlowSchema") {
            let subject = &schema["spec"]["rules"][0]["subjects"][0]["serviceAccount"];
            assert_eq!((&subject["name"], &subject["namespace"]), (&account["name"], &account["namespace"]));
            assert!(schema["spec"]["matchingPrecedence"].as_i64().unwrap() < 9000, "the one for all service accounts");
        }
    }
}

/// The alerts as the chart has them, whatever of them it renders.
fn alerts() -> Value {
    let alerts = fs::read_to_string(repository("charts/jobstartstop/files/alerts.yaml")).unwrap();
    serde_norway::from_str(&alerts).unwrap()
}

#[test]
fn alerts_and_dashboard_are_the_files_of_the_chart() {
    let rendered = &rendered_modes()[1].1;
    assert_eq!(rendered.the("PrometheusRule")["spec"], alerts());
    let dashboard = fs::read_to_string(repository("charts/jobstartstop/files/dashboard.json")).unwrap();
    let shown =
        rendered.kind("ConfigMap").into_iter().find(|map| map["metadata"]["labels"]["grafana_dashboard"] == "1");
    let text = shown.unwrap()["data"]["jobstartstop.json"].as_str().unwrap();
    let (shown, dashboard): (Value, Value) =
        (serde_json::from_str(text).unwrap(), serde_json::from_str(&dashboard).unwrap());
    assert_eq!(shown, dashboard);
}

#[test]
fn a_standby_is_missed_only_where_there_is_to_be_one() {
    let spec = |replicas: u8| {
        let rendered = Rendered::with(&json!({
            "crds": { "enabled": false },
            "replicaCount": replicas,
            "metrics": { "prometheusRule": { "enabled": true } },
        }));
        rendered.the("PrometheusRule")["spec"].clone()
    };
    let alerts = alerts();
    let mut without = alerts.clone();
    let groups = without["groups"].as_array_mut().unwrap();
    let before = groups.len();
    groups.retain(|group| group["name"] != "jobstartstop-standby");
    assert_eq!(groups.len(), before - 1);
    for replicas in [0, 1] {
        assert_eq!(spec(replicas), without, "{replicas}");
    }
    assert_eq!(spec(2), alerts);
}

/// The ports of a network policy's rules. Each is a number: a name would not be enforced everywhere.
fn ports(rules: &Value) -> Vec<String> {
    let ports = rules.as_array().unwrap().iter().flat_map(|rule| rule["ports"].as_array().unwrap());
    let shown = |port: &Value| {
        let protocol = port["protocol"].as_str().unwrap_or("TCP");
        format!("{}/{protocol}", port["port"].as_i64().unwrap())
    };
    ports.map(shown).collect()
}

#[test]
fn the_network_policy_lets_in_to_what_is_served_and_out_to_every_endpoint() {
    let with_policy = |more: Value| {
        let mut values = json!({ "crds": { "enabled": false }, "networkPolicy": { "enabled": true } });
        merge(&mut values, more);
        Rendered::with(&values)
    };
    for serves in [false, true] {
        let rendered = with_policy(json!({ "httpInterface": { "enabled": serves } }));
        let container = &rendered.pods()[0]["containers"][0];
        let served = container["ports"].as_array().unwrap().iter();
        let served: Vec<String> = served.map(|port| format!("{}/TCP", port["containerPort"])).collect();
        assert_eq!(ports(&rendered.the("NetworkPolicy")["spec"]["ingress"]), served);
    }

    let always = ["53/UDP", "53/TCP", "5353/UDP", "5353/TCP", "443/TCP", "6443/TCP"];
    let table: [(Value, &[&str]); 5] = [
        (json!([]), &[]),
        (json!(["https://api.bcovlive.io", "https://live.example.com:443/"]), &[]),
        (json!(["http://simulator"]), &["80/TCP"]),
        (json!(["https://live.example.com:8443/", "http://simulator:8443"]), &["8443/TCP"]),
        (json!(["https://[fd00::1]", "https://[fd00::1]:9443"]), &["9443/TCP"]),
    ];
    for (endpoints, more) in table {
        let rendered = with_policy(json!({ "liveEndpoints": endpoints }));
        let expected: Vec<&str> = always.iter().chain(more).copied().collect();
        assert_eq!(ports(&rendered.the("NetworkPolicy")["spec"]["egress"]), expected, "{endpoints}");
    }
}

#[test]
fn the_http_interface_is_reached_through_service_and_ingress() {
    let rendered = &rendered_modes()[1].1;
    let services = rendered.kind("Service");
    let service = services.iter().find(|service| service["spec"]["type"] == "LoadBalancer").unwrap();
    let port = &service["spec"]["ports"][0];
    assert_eq!((&port["port"], &port["appProtocol"]), (&json!(443), &json!("https")));
    let container = &rendered.pods()[0]["containers"][0];
    let named =
        container["ports"].as_array().unwrap().iter().find(|named| named["name"] == port["targetPort"]).unwrap();
    assert!(rendered.arguments().contains(&&*format!("--http-address=0.0.0.0:{}", named["containerPort"])));
    let ingress = &rendered.the("Ingress")["spec"];
    let backend = &ingress["rules"][0]["http"]["paths"][0]["backend"]["service"];
    assert_eq!((&backend["name"], &backend["port"]["name"]), (&service["metadata"]["name"], &port["name"]));
    assert_eq!(ingress["tls"][0]["hosts"][0], ingress["rules"][0]["host"]);

    let in_the_clear = Rendered::with(&json!({ "httpInterface": { "enabled": true } }));
    let service = in_the_clear.kind("Service").into_iter().find(|service| service["spec"]["type"] == "ClusterIP");
    assert_eq!(service.unwrap()["spec"]["ports"][0]["appProtocol"], "http");
    assert!(by_default().arguments().iter().all(|argument| !argument.starts_with("--http")), "it is off by default");
}

#[test]
fn every_flag_of_the_deployment_is_one_of_the_operators() {
    let help = Command::new(env!("CARGO_BIN_EXE_jobstartstop")).args(["run", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let mut flags = BTreeSet::new();
    for (_, rendered) in rendered_modes() {
        let mut arguments = rendered.arguments().into_iter();
        assert_eq!(arguments.next(), Some("run"));
        flags.extend(arguments.map(|argument| argument.split_once('=').unwrap().0.to_owned()));
    }
    let known = |flag: &str| help.contains(&format!("{flag} <"));
    let unknown: Vec<_> = flags.iter().filter(|flag| !known(flag)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
