//! What runs, and under which constraints. Each claim holds for every Pod that anything in the chart makes.

use serde_json::{Value, json};

use super::{Rendered, by_default, modes, named, rendered_modes, with};

/// A sentence about a Pod's spec, and whether it holds.
type Claim = (&'static str, fn(&Value) -> bool);

/// What `restricted` of the Pod Security Standards asks for, and what we ask for beyond it.
const CLAIMS: &[Claim] = &[
    ("it is in none of its node's namespaces", |pod| {
        ["hostNetwork", "hostPID", "hostIPC"].iter().all(|host| pod.get(host).is_none_or(|value| value == false))
    }),
    ("its volumes are ConfigMaps and Secrets", |pod| {
        let mut kinds = list(&pod["volumes"]).flat_map(kinds_of_volume);
        kinds.all(|kind| ["configMap", "secret"].contains(&kind))
    }),
    ("what is mounted is read only", |pod| {
        let mut mounts = containers(pod).into_iter().flat_map(|one| list(&one["volumeMounts"]));
        mounts.all(|mount| mount["readOnly"] == true)
    }),
    ("it does not run as root", |pod| pod["securityContext"]["runAsNonRoot"] == true),
    ("it has the runtime's seccomp profile", |pod| {
        pod["securityContext"]["seccompProfile"] == json!({ "type": "RuntimeDefault" })
    }),
    ("it wants no group for its files", |pod| pod["securityContext"].get("fsGroup").is_none()),
    ("it sets nothing of the kernel", |pod| pod["securityContext"].get("sysctls").is_none()),
    ("no container is privileged or can become so", |pod| {
        containers(pod).iter().all(|one| {
            one["securityContext"]["allowPrivilegeEscalation"] == false
                && one["securityContext"].get("privileged").is_none_or(|value| value == false)
        })
    }),
    ("no container has a capability", |pod| {
        containers(pod).iter().all(|one| one["securityContext"]["capabilities"] == json!({ "drop": ["ALL"] }))
    }),
    ("no container can write to its image", |pod| {
        containers(pod).iter().all(|one| one["securityContext"]["readOnlyRootFilesystem"] == true)
    }),
    ("no container has a port of its node", |pod| {
        let mut ports = containers(pod).into_iter().flat_map(|one| list(&one["ports"]));
        ports.all(|port| port.get("hostPort").is_none())
    }),
    ("each container says what it needs, and how much memory it may take", |pod| {
        containers(pod).iter().all(|one| {
            let resources = &one["resources"];
            [&resources["requests"]["cpu"], &resources["requests"]["memory"], &resources["limits"]["memory"]]
                .iter()
                .all(|amount| amount.is_string())
        })
    }),
    ("no container is slowed down at the moment of a call", |pod| {
        containers(pod).iter().all(|one| one["resources"]["limits"].get("cpu").is_none())
    }),
    ("each container's image is a certain one", |pod| {
        containers(pod).iter().all(|one| {
            let image = one["image"].as_str().unwrap();
            let (_, tag) = image.rsplit_once(['@', ':']).unwrap();
            !tag.is_empty() && !tag.contains('/') && tag != "latest"
        })
    }),
    ("kubelet can tell whether each container is alive, and whether it is ready", |pod| {
        containers(pod).iter().all(|one| {
            one["livenessProbe"]["httpGet"]["path"] == "/healthz"
                && one["readinessProbe"]["httpGet"]["path"] == "/readyz"
        })
    }),
    ("no Secret is in the environment", |pod| {
        containers(pod)
            .iter()
            .all(|one| one.get("envFrom").is_none() && !one["env"].to_string().contains("secretKeyRef"))
    }),
    ("it has the token of an account of its own", |pod| {
        pod["automountServiceAccountToken"] == true
            && pod["serviceAccountName"].as_str().is_some_and(|name| !name.is_empty() && name != "default")
    }),
    ("it ends in its own time", |pod| pod["terminationGracePeriodSeconds"].as_i64().is_some_and(|time| time >= 20)),
    ("it lies on Linux", |pod| pod["nodeSelector"]["kubernetes.io/os"] == "linux"),
];

fn containers(pod: &Value) -> Vec<&Value> {
    let kinds = ["containers", "initContainers", "ephemeralContainers"];
    kinds.iter().flat_map(|kind| list(&pod[kind])).collect()
}

/// The items of a list; none where there is none.
fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn kinds_of_volume(volume: &Value) -> Vec<&str> {
    volume.as_object().unwrap().keys().map(String::as_str).filter(|key| *key != "name").collect()
}

fn broken(rendered: &Rendered) -> Vec<&'static str> {
    let pods = rendered.pods();
    assert!(!pods.is_empty());
    CLAIMS.iter().filter(|(_, holds)| !pods.iter().all(|pod| holds(pod))).map(|(claim, _)| *claim).collect()
}

#[test]
fn case_92_no_pod_can_do_more_than_it_needs() {
    for (mode, rendered) in rendered_modes() {
        assert_eq!(broken(rendered), [""; 0], "{mode}");
    }
}

/// Admission by the API server itself is in `scenes/admission.rs`.
#[test]
fn case_85_its_pods_are_rendered_as_restricted_asks_in_every_mode() {
    let of_restricted = [
        "it is in none of its node's namespaces",
        "its volumes are ConfigMaps and Secrets",
        "it does not run as root",
        "it has the runtime's seccomp profile",
        "no container is privileged or can become so",
        "no container has a capability",
        "no container has a port of its node",
    ];
    for claim in of_restricted {
        assert!(CLAIMS.iter().any(|(known, _)| *known == claim), "{claim}");
    }
    for (mode, rendered) in rendered_modes() {
        for pod in rendered.pods() {
            for (claim, holds) in CLAIMS.iter().filter(|(claim, _)| of_restricted.contains(claim)) {
                assert!(holds(pod), "{mode}: {claim}: {pod:#}");
            }
        }
    }
}

/// A table that lets everything pass would let everything pass.
#[test]
fn each_claim_about_pods_can_be_broken() {
    let breaks = [
        json!({ "hostNetwork": true, "volumes": [{ "name": "x", "hostPath": { "path": "/" } }] }),
        json!({ "securityContext": { "fsGroup": 1, "sysctls": [] }, "containers": [{
            "image": "operator:latest",
            "resources": { "limits": { "cpu": "1" } },
            "ports": [{ "hostPort": 80 }],
            "envFrom": [],
            "volumeMounts": [{ "name": "x" }],
        }] }),
    ];
    for (claim, holds) in CLAIMS {
        assert!(breaks.iter().any(|pod| !holds(pod)), "{claim}");
    }
}

#[test]
fn case_87_the_user_can_be_left_to_the_cluster_and_no_group_is_fixed() {
    let security = |rendered: &Rendered| rendered.pods()[0]["securityContext"].clone();
    let set = security(by_default());
    assert_eq!((&set["runAsUser"], &set["runAsGroup"]), (&json!(65532), &json!(65532)));
    for (mode, values) in modes() {
        let rendered = Rendered::with(&with(values, "runAsUser", Value::Null));
        for pod in rendered.pods() {
            let text = pod.to_string();
            for name in ["runAsUser", "runAsGroup", "fsGroup", "supplementalGroups"] {
                assert!(!text.contains(&format!("{name:?}:")), "{mode}: {name} is in {text}");
            }
        }
        // All else that keeps it from being root stays.
        assert_eq!(broken(&rendered), [""; 0], "{mode}");
    }
}

#[test]
fn case_91_an_image_is_named_by_tag_or_digest_and_a_digest_holds() {
    let digest = format!("sha256:{}", "0a".repeat(32));
    let version = env!("CARGO_PKG_VERSION");
    let repository = "ghcr.io/jobstartstop/jobstartstop";
    let table = [
        (json!({}), format!("{repository}:{version}")),
        (json!({ "tag": "edge" }), format!("{repository}:edge")),
        (json!({ "digest": digest }), format!("{repository}@{digest}")),
        (json!({ "tag": "edge", "digest": digest }), format!("{repository}:edge@{digest}")),
        (json!({ "repository": "registry:5000/a/b" }), format!("registry:5000/a/b:{version}")),
    ];
    for (image, expected) in table {
        let rendered = Rendered::with(&json!({ "image": image }));
        assert_eq!(rendered.pods()[0]["containers"][0]["image"], *expected, "{image}");
    }
}

#[test]
fn replicas_lie_apart_and_one_is_evicted_at_a_time() {
    let rendered = by_default();
    let labels = &rendered.the("Deployment")["spec"]["template"]["metadata"]["labels"];
    let selects = |selector: &Value| {
        let wanted = selector["matchLabels"].as_object().unwrap();
        !wanted.is_empty() && wanted.iter().all(|(key, value)| labels[key] == *value)
    };
    let spread = rendered.pods()[0]["topologySpreadConstraints"].as_array().unwrap();
    let keys: Vec<_> = spread.iter().map(|constraint| constraint["topologyKey"].as_str().unwrap()).collect();
    assert_eq!(keys, ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]);
    assert!(spread.iter().all(|constraint| selects(&constraint["labelSelector"])), "{spread:#?}");
    let budget = &rendered.the("PodDisruptionBudget")["spec"];
    assert_eq!(budget["maxUnavailable"], 1);
    assert!(selects(&budget["selector"]));
    assert!(selects(&rendered.the("Deployment")["spec"]["selector"]));

    let alone = Rendered::with(&json!({ "replicaCount": 1 }));
    assert!(alone.kind("PodDisruptionBudget").is_empty(), "it would keep the only replica's node from being drained");
    let own = json!({ "maxSkew": 2, "topologyKey": "rack", "labelSelector": { "matchLabels": { "own": "one" } } });
    let own = Rendered::with(&json!({ "topologySpreadConstraints": [own] }));
    let constraint = &own.pods()[0]["topologySpreadConstraints"][0];
    assert_eq!(constraint["labelSelector"]["matchLabels"], json!({ "own": "one" }));
}

#[test]
fn what_selects_the_pods_is_the_same_for_every_object_and_in_every_mode() {
    let selector = |rendered: &Rendered| rendered.the("Deployment")["spec"]["selector"]["matchLabels"].clone();
    let first = selector(by_default());
    for (mode, rendered) in rendered_modes() {
        assert_eq!(selector(rendered), first, "{mode}");
        let template = &rendered.the("Deployment")["spec"]["template"]["metadata"]["labels"];
        for object in rendered.kind("Service").into_iter().chain(rendered.kind("NetworkPolicy")) {
            let spec = &object["spec"];
            let selected =
                if spec["selector"].is_null() { &spec["podSelector"]["matchLabels"] } else { &spec["selector"] };
            for (key, value) in selected.as_object().unwrap() {
                assert_eq!(template[key], *value, "{mode}: {} selects no Pod", named(object));
            }
        }
    }
}

#[test]
fn the_log_filter_is_a_file_so_that_its_change_restarts_nothing() {
    let quiet = Rendered::with(&json!({ "log": { "filter": "warn" } }));
    assert_eq!(quiet.the("Deployment"), by_default().the("Deployment"));
    let log = |rendered: &Rendered| rendered.the("ConfigMap")["data"]["filter"].clone();
    assert_eq!((log(&quiet), log(by_default())), (json!("warn"), json!("info")));
    let file = by_default().arguments().into_iter().find_map(|argument| argument.strip_prefix("--log-filter-file="));
    let pod = by_default().pods()[0];
    let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap();
    let mount = mounts.iter().find(|mount| mount["name"] == "log").unwrap();
    assert_eq!(mount.get("subPath"), None, "kubelet does not renew what is mounted by a part of its path");
    assert_eq!(file, Some(&*format!("{}/filter", mount["mountPath"].as_str().unwrap())));
}

#[test]
fn everything_that_an_argument_names_is_mounted() {
    for (mode, rendered) in rendered_modes() {
        let mounts = rendered.pods()[0]["containers"][0]["volumeMounts"].as_array().unwrap();
        for argument in rendered.arguments() {
            let Some((_, path)) = argument.split_once("=/") else { continue };
            let mounted = |mount: &Value| format!("/{path}").starts_with(mount["mountPath"].as_str().unwrap());
            assert!(mounts.iter().any(mounted), "{mode}: {argument}");
        }
    }
}
