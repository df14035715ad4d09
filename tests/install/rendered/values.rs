//! The values: each has its place in schema, page and templates, and what does not fit is refused by name.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Mutex;
use std::thread;

use serde_json::{Map, Value, json};

use super::generated::{Row, rows};
use super::{RELEASE, Rendered, everything, helm, rendered_modes, template, with};
use crate::harness::repository;
use crate::release::{chart, merge};

fn documented() -> Vec<Row> {
    rows(&fs::read_to_string(repository("charts/jobstartstop/values.yaml")).unwrap()).unwrap()
}

fn schema() -> Value {
    serde_json::from_str(&fs::read_to_string(repository("charts/jobstartstop/values.schema.json")).unwrap()).unwrap()
}

/// The part of the schema that a reference leads to.
fn resolved<'a>(schema: &'a Value, part: &'a Value) -> &'a Value {
    let Some(reference) = part["$ref"].as_str() else { return part };
    schema.pointer(reference.strip_prefix('#').unwrap()).unwrap()
}

/// Every path that the schema names, but for what Helm itself puts there.
fn in_schema(schema: &Value, part: &Value, within: &str, paths: &mut BTreeSet<String>) {
    for (name, part) in resolved(schema, part)["properties"].as_object().into_iter().flatten() {
        if name == "global" || part == &json!(false) {
            continue;
        }
        let path = if within.is_empty() { name.clone() } else { format!("{within}.{name}") };
        in_schema(schema, part, &path, paths);
        paths.insert(path);
    }
}

/// The objects of the values that are ours: each with its path.
fn objects_of_ours() -> Vec<String> {
    let documented = documented();
    let own = documented.into_iter().filter(|row| row.default.is_none()).map(|row| row.path);
    [String::new()].into_iter().chain(own).collect()
}

#[test]
fn every_value_is_explained_and_in_the_schema_and_the_schema_has_no_other() {
    let schema = schema();
    let mut known = BTreeSet::new();
    in_schema(&schema, &schema, "", &mut known);
    let documented = documented();
    let unknown: Vec<&String> = documented.iter().map(|row| &row.path).filter(|path| !known.contains(*path)).collect();
    assert!(unknown.is_empty(), "not in the schema: {unknown:?}");
    let covered = |path: &String| {
        documented.iter().any(|row| {
            // What is one value in the page may be an object of Kubernetes, with names of its own.
            row.path == *path || row.default.is_some() && path.starts_with(&format!("{}.", row.path))
        })
    };
    let unexplained: Vec<&String> = known.iter().filter(|path| !covered(path)).collect();
    assert!(unexplained.is_empty(), "not in values.yaml: {unexplained:?}");
}

#[test]
fn case_91_a_misspelt_value_is_refused_with_its_name_at_every_level() {
    let objects = objects_of_ours();
    assert!(objects.len() > 15, "{objects:?}");
    let mut values = json!({});
    for object in &objects {
        let path = if object.is_empty() { "misspelt".to_owned() } else { format!("{object}.misspelt") };
        values = with(values, &path, json!(true));
    }
    let refused = template(&values);
    assert_ne!(refused.code, Some(0));
    for object in &objects {
        let place = format!("at '/{}'", object.replace('.', "/")).replace("at '/'", "at ''");
        let named = |line: &str| line.contains(&place) && line.contains("'misspelt'");
        assert!(refused.stderr.lines().any(named), "nothing is said {place}: {}", refused.stderr);
    }
}

#[test]
fn what_does_not_fit_is_refused_with_the_values_name() {
    let two_of_live = json!([{ "namespace": "live", "names": ["a"] }, { "namespace": "live", "names": ["b"] }]);
    let table = [
        (json!({ "terminationGracePeriodSeconds": 19 }), "/terminationGracePeriodSeconds"),
        (json!({ "image": { "digest": "sha256:0123" } }), "/image/digest"),
        (json!({ "image": { "tag": 1.0 } }), "/image/tag"),
        (json!({ "image": { "repository": "registry.example.com/operator:1.0" } }), "/image/repository"),
        (json!({ "httpInterface": { "ingress": { "enabled": true } } }), "/httpInterface/enabled"),
        (json!({ "extraCA": { "configMap": "one", "secret": "two" } }), "/extraCA/secret"),
        (json!({ "serviceAccount": { "create": false } }), "/serviceAccount/name"),
        (json!({ "runAsUser": 0 }), "/runAsUser"),
        (json!({ "podSecurityContext": { "runAsUser": 1000 } }), "/podSecurityContext/runAsUser"),
        (json!({ "watchNamespaces": ["live,sports"] }), "/watchNamespaces/0"),
        (json!({ "watchNamespaces": ["live", "live"] }), "/watchNamespaces"),
        (json!({ "liveEndpoints": ["https://api.bcovlive.io/v1"] }), "/liveEndpoints/0"),
        (json!({ "liveEndpoints": ["https://api.bcovlive.io:0"] }), "/liveEndpoints/0"),
        (json!({ "liveEndpoints": ["https://api.bcovlive.io:65536"] }), "/liveEndpoints/0"),
        (json!({ "deletionPolicy": "stop" }), "/deletionPolicy"),
        (json!({ "clusterID": "prod eu" }), "/clusterID"),
        (json!({ "clusterID": "a".repeat(64) }), "/clusterID"),
        (json!({ "log": { "format": "yaml" } }), "/log/format"),
        (json!({ "notifications": { "allowCIDRs": ["10.20.0.0"] } }), "/notifications/allowCIDRs/0"),
        (json!({ "notifications": { "allowCIDRs": ["10.20.0.0/33"] } }), "/notifications/allowCIDRs/0"),
        (json!({ "notifications": { "allowCIDRs": ["fd00:20::/129"] } }), "/notifications/allowCIDRs/0"),
        (json!({ "replicaCount": "2" }), "/replicaCount"),
        (json!({ "resources": { "limit": {} } }), "/resources"),
        (json!({ "resources": { "claims": [{ "name": "gpu" }] } }), "/resources"),
        (json!({ "extraEnv": [{ "name": "HOSTNAME", "value": "one" }] }), "/extraEnv/0/name"),
        (json!({ "rbac": { "secrets": [{ "namespace": "live", "names": [] }] } }), "/rbac/secrets/0/names"),
        (json!({ "rbac": { "secrets": two_of_live } }), "live stands there twice"),
        (
            json!({ "watchNamespaces": ["sports"], "rbac": { "secrets": [{ "namespace": "live", "names": ["a"] }] } }),
            "live is not one of watchNamespaces",
        ),
    ];
    for (values, name) in table {
        let refused = template(&values);
        assert_ne!(refused.code, Some(0), "{values} was accepted");
        assert!(refused.stderr.contains(name), "{values}: {}", refused.stderr);
    }
}

#[test]
fn endpoints_and_ranges_are_taken_up_to_the_last_port_and_the_longest_mask() {
    let rendered = Rendered::with(&json!({
        "liveEndpoints": ["http://simulator:1", "https://live.example.com:65535/", "https://[fd00::1]:8443"],
        "notifications": { "allowCIDRs": ["0.0.0.0/0", "10.20.0.1/32", "::/0", "fd00:20::1/128"] },
    }));
    let arguments = rendered.arguments();
    let count = |flag: &str| arguments.iter().filter(|argument| argument.starts_with(flag)).count();
    assert_eq!((count("--live-endpoint="), count("--allow-notification-cidr=")), (3, 4), "{arguments:?}");
}

#[test]
fn a_process_has_the_time_that_its_end_may_take() {
    for (serves, seconds, fits) in [(false, 19, false), (false, 20, true), (true, 29, false), (true, 30, true)] {
        let values = json!({ "httpInterface": { "enabled": serves }, "terminationGracePeriodSeconds": seconds });
        let output = template(&values);
        assert_eq!(output.code == Some(0), fits, "{values}: {}", output.stderr);
        assert!(fits || output.stderr.contains("/terminationGracePeriodSeconds"), "{values}: {}", output.stderr);
    }
}

#[test]
fn a_release_whose_name_begins_with_a_digit_is_given_another_full_name() {
    let chart = chart().display().to_string();
    let args = ["template", "7days", &chart, "--set", "crds.enabled=false"];
    let refused = helm(&args);
    assert_ne!(refused.code, Some(0));
    assert!(refused.stderr.contains("set fullnameOverride"), "{}", refused.stderr);
    let args: Vec<&str> = args.into_iter().chain(["--set", "fullnameOverride=days"]).collect();
    let named = Rendered::of(helm(&args).ok().unwrap());
    assert_eq!(named.the("Service")["metadata"]["name"], "days-metrics");
}

#[test]
fn further_labels_stand_beside_the_charts_own_and_replace_none() {
    let more = json!({ "app.kubernetes.io/name": "other", "example.com/more": "one" });
    let values = with(everything(), "crds.enabled", json!(false));
    let paths =
        ["podLabels", "metrics.serviceMonitor.labels", "metrics.prometheusRule.labels", "metrics.dashboard.labels"];
    for path in paths {
        let rendered = Rendered::with(&with(values.clone(), path, more.clone()));
        let places = ["/metadata/labels", "/spec/template/metadata/labels"];
        let labels = rendered.objects.iter().flat_map(|object| places.map(|place| object.pointer(place)));
        let found: Vec<&Value> = labels.flatten().filter(|labels| labels["example.com/more"] == "one").collect();
        let [labels] = found[..] else { panic!("{path}: {found:?}") };
        assert_eq!(labels["app.kubernetes.io/name"], "jobstartstop", "{path}");
        assert!(!rendered.text.contains("app.kubernetes.io/name: other"), "{path}: it stands there twice");
    }
}

#[test]
fn case_90_more_than_one_replica_always_elects_a_leader() {
    let refused = template(&json!({ "replicaCount": 2, "leaderElection": { "enabled": false } }));
    assert_ne!(refused.code, Some(0));
    assert!(refused.stderr.contains("/leaderElection/enabled"), "{}", refused.stderr);

    for (mode, rendered) in rendered_modes() {
        let deployment = &rendered.the("Deployment")["spec"];
        let alone = deployment["replicas"] == 1;
        assert_eq!(alone, *mode == "single");
        let arguments = rendered.arguments();
        let elects = arguments.contains(&"--leader-election=true");
        assert_ne!(elects, alone, "{mode}: {arguments:?}");
        let lease = rendered.kind("Role").into_iter().find(|role| role["rules"][0]["resources"] == json!(["leases"]));
        assert_eq!(lease.is_some(), elects, "{mode}");
        let strategy = if elects { "RollingUpdate" } else { "Recreate" };
        assert_eq!(deployment["strategy"]["type"], strategy, "{mode}: two that do not elect would both call");
        let Some(lease) = lease else { continue };
        let name = lease["rules"][0]["resourceNames"][0].as_str().unwrap();
        for argument in [format!("--lease-name={name}"), format!("--lease-namespace={}", RELEASE[1])] {
            assert!(arguments.contains(&&*argument), "{mode}: {argument} is not among {arguments:?}");
        }
        assert_eq!(lease["metadata"]["namespace"], RELEASE[1], "{mode}");
    }
}

/// A value that differs from the one of `everything()`, and what else has to be set for it.
fn others() -> Vec<(&'static str, Value, Value)> {
    let nothing = || json!({});
    vec![
        ("replicaCount", json!(3), nothing()),
        ("image.repository", json!("registry.example.com/operator"), nothing()),
        ("image.tag", json!("1.2.3"), nothing()),
        ("image.digest", json!(""), nothing()),
        ("image.pullPolicy", json!("Always"), nothing()),
        ("imagePullSecrets", json!([]), nothing()),
        ("nameOverride", json!("other"), nothing()),
        ("fullnameOverride", json!("other"), nothing()),
        ("watchNamespaces", json!(["live", "sports", "news"]), nothing()),
        ("crds.enabled", json!(false), nothing()),
        ("crds.keep", json!(false), nothing()),
        ("leaderElection.enabled", json!(false), json!({ "replicaCount": 1 })),
        ("leaderElection.leaseName", json!("other"), nothing()),
        ("liveEndpoints", json!([]), nothing()),
        ("deletionPolicy", json!("Retain"), nothing()),
        ("clusterID", json!("other"), nothing()),
        ("listenAddress", json!("[::]"), nothing()),
        ("httpInterface.enabled", json!(false), json!({ "httpInterface": { "ingress": { "enabled": false } } })),
        ("httpInterface.tls.secretName", json!(""), nothing()),
        ("httpInterface.service.type", json!("NodePort"), nothing()),
        ("httpInterface.service.port", json!(8443), nothing()),
        ("httpInterface.service.annotations", json!({ "other": "one" }), nothing()),
        ("httpInterface.ingress.enabled", json!(false), nothing()),
        ("httpInterface.ingress.className", json!("other"), nothing()),
        ("httpInterface.ingress.host", json!(""), nothing()),
        ("httpInterface.ingress.tlsSecretName", json!(""), nothing()),
        ("httpInterface.ingress.annotations", json!({ "other": "one" }), nothing()),
        ("notifications.allowCIDRs", json!([]), nothing()),
        ("log.filter", json!("debug"), nothing()),
        ("log.format", json!("text"), nothing()),
        ("traces.otlpEndpoint", json!(""), nothing()),
        ("extraCA.configMap", json!(""), nothing()),
        ("extraCA.secret", json!("other"), json!({ "extraCA": { "configMap": "" } })),
        ("extraCA.key", json!("roots.pem"), nothing()),
        ("serviceAccount.create", json!(false), nothing()),
        ("serviceAccount.name", json!("other"), nothing()),
        ("serviceAccount.annotations", json!({ "other": "one" }), nothing()),
        ("rbac.create", json!(false), nothing()),
        ("rbac.userRoles", json!(false), nothing()),
        ("rbac.secrets", json!([]), nothing()),
        ("deletionProtection.enabled", json!(false), nothing()),
        ("flowSchema.enabled", json!(false), nothing()),
        ("metrics.serviceMonitor.enabled", json!(false), nothing()),
        ("metrics.serviceMonitor.interval", json!("15s"), nothing()),
        ("metrics.serviceMonitor.labels", json!({ "other": "one" }), nothing()),
        ("metrics.prometheusRule.enabled", json!(false), nothing()),
        ("metrics.prometheusRule.labels", json!({ "other": "one" }), nothing()),
        ("metrics.dashboard.enabled", json!(false), nothing()),
        ("metrics.dashboard.labels", json!({ "other": "one" }), nothing()),
        ("networkPolicy.enabled", json!(false), nothing()),
        ("networkPolicy.metricsFrom", json!([]), nothing()),
        ("networkPolicy.httpFrom", json!([]), nothing()),
        ("networkPolicy.extraEgress", json!([]), nothing()),
        ("podDisruptionBudget.enabled", json!(false), nothing()),
        ("priorityClassName", json!(""), nothing()),
        ("terminationGracePeriodSeconds", json!(60), nothing()),
        ("resources", json!({ "limits": { "memory": "1Gi" } }), nothing()),
        ("runAsUser", json!(1000), nothing()),
        ("podSecurityContext", json!({ "supplementalGroupsPolicy": "Strict" }), nothing()),
        ("securityContext", json!({ "privileged": false }), nothing()),
        ("topologySpreadConstraints", json!([]), nothing()),
        ("nodeSelector", json!({ "other": "one" }), nothing()),
        ("tolerations", json!([]), nothing()),
        ("affinity", json!({ "podAffinity": {} }), nothing()),
        ("podAnnotations", json!({ "other": "one" }), nothing()),
        ("podLabels", json!({ "other": "one" }), nothing()),
        ("extraEnv", json!([]), nothing()),
    ]
}

fn merged(mut values: Value, more: Value) -> Value {
    merge(&mut values, more);
    values
}

#[test]
fn every_value_changes_something() {
    let others = others();
    let tried: BTreeSet<&str> = others.iter().map(|(path, ..)| *path).collect();
    let documented = documented();
    let values: BTreeSet<&str> = documented.iter().filter(|row| row.default.is_some()).map(|row| &*row.path).collect();
    assert_eq!(tried, values, "each value once");

    let text = |values: &Value| template(values).ok().unwrap_or_else(|error| panic!("{error}\n{values}"));
    // The definitions are long, and only two values are about them.
    let without_definitions = |path: &str| json!({ "crds": { "enabled": path.starts_with("crds.") } });
    let usual = text(&merged(everything(), without_definitions("")));
    let left = Mutex::new(others.into_iter());
    let next = || left.lock().unwrap().next();
    let without_effect = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((path, other, more)) = next() {
                    let values = merged(merged(everything(), without_definitions(path)), more.clone());
                    let before = if path.starts_with("crds.") || more != json!({}) { &text(&values) } else { &usual };
                    if *before == text(&with(values, path, other)) {
                        without_effect.lock().unwrap().push(path);
                    }
                }
            });
        }
    });
    assert_eq!(without_effect.into_inner().unwrap(), [""; 0], "no template uses them");
}

/// The numbers in a value that YAML has read as fractions or powers.
fn broken_numbers(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Number(number) if number.is_f64() => found.push(format!("{path}: {number}")),
        Value::Array(items) => items.iter().for_each(|item| broken_numbers(item, path, found)),
        Value::Object(fields) => {
            for (name, value) in fields {
                broken_numbers(value, &format!("{path}.{name}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn a_large_number_is_rendered_in_digits_wherever_it_comes_from() {
    let values = json!({
        "crds": { "enabled": false },
        "runAsUser": 1_000_730_000,
        "podSecurityContext": { "fsGroup": 1_000_730_000 },
        "terminationGracePeriodSeconds": 1_000_000,
        "resources": { "limits": { "memory": 134_217_728_000_i64 } },
        "tolerations": [{ "operator": "Exists", "tolerationSeconds": 3_600_000 }],
        "podAnnotations": { "example.com/number": "1000000" },
        "extraEnv": [{ "name": "NUMBER", "value": "1e6" }],
    });
    let from_file = Rendered::with(&values);
    let [name, namespace] = RELEASE;
    let chart = chart().display().to_string();
    let mut args = vec!["template", name, &chart, "--namespace", namespace];
    for set in [
        "crds.enabled=false",
        "runAsUser=1000730000",
        "podSecurityContext.fsGroup=1000730000",
        "terminationGracePeriodSeconds=1000000",
        "resources.limits.memory=134217728000",
        "tolerations[0].operator=Exists",
        "tolerations[0].tolerationSeconds=3600000",
    ] {
        args.extend(["--set", set]);
    }
    args.extend(["--set-string", "podAnnotations.example\\.com/number=1000000"]);
    args.extend(["--set-string", "extraEnv[0].name=NUMBER", "--set-string", "extraEnv[0].value=1e6"]);
    let from_flags = Rendered::of(helm(&args).ok().unwrap());
    assert_eq!(from_file.objects, from_flags.objects);

    let pod = &from_file.the("Deployment")["spec"]["template"];
    let spec = &pod["spec"];
    assert_eq!(spec["securityContext"]["runAsUser"], 1_000_730_000);
    assert_eq!(spec["securityContext"]["fsGroup"], 1_000_730_000);
    assert_eq!(spec["terminationGracePeriodSeconds"], 1_000_000);
    assert_eq!(spec["containers"][0]["resources"]["limits"]["memory"], 134_217_728_000_i64);
    assert_eq!(spec["tolerations"][0]["tolerationSeconds"], 3_600_000);
    assert_eq!(pod["metadata"]["annotations"]["example.com/number"], "1000000");
    let variables = spec["containers"][0]["env"].as_array().unwrap();
    assert!(variables.contains(&json!({ "name": "NUMBER", "value": "1e6" })), "{variables:?}");
    let mut broken = Vec::new();
    for object in &from_file.objects {
        broken_numbers(object, "", &mut broken);
    }
    assert!(broken.is_empty(), "{broken:?}");
}

#[test]
fn what_a_value_says_cannot_become_another_part_of_the_manifest() {
    let filter = "info\"\n  extra: true # {{ .Release.Name }}: 'x'";
    let values = with(json!({}), "podAnnotations", json!({ "a": filter, "b": "true", "c": "null", "d": "0x10" }));
    let rendered = Rendered::with(&with(values, "log.filter", json!("jobstartstop=debug,info # \"' {{ x }}")));
    let annotations = &rendered.the("Deployment")["spec"]["template"]["metadata"]["annotations"];
    assert_eq!(annotations, &json!({ "a": filter, "b": "true", "c": "null", "d": "0x10" }));
    let log = rendered.kind("ConfigMap")[0];
    assert_eq!(log["data"], json!({ "filter": "jobstartstop=debug,info # \"' {{ x }}" }));
}

#[test]
fn maps_and_lists_can_be_taken_away_with_null() {
    let mut nothing = Map::new();
    for name in [
        "resources",
        "nodeSelector",
        "topologySpreadConstraints",
        "tolerations",
        "affinity",
        "podAnnotations",
        "podLabels",
        "extraEnv",
        "imagePullSecrets",
        "watchNamespaces",
        "liveEndpoints",
        "podSecurityContext",
        "securityContext",
        "runAsUser",
    ] {
        nothing.insert(name.to_owned(), Value::Null);
    }
    let rendered = Rendered::with(&Value::Object(nothing));
    let pod = rendered.pods()[0];
    assert_eq!(pod.get("nodeSelector"), None);
    assert_eq!(pod["containers"][0].get("resources"), None);
}
