//! What the program does where there is nothing else: no files but its own, no user, no shell, a root that is read-only.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use testbed::{ControlPlane, Launch, Options, Process, Simulator};

use crate::authority::Authority;
use crate::made::REVISION;
use crate::names;
use crate::root::{Root, apart};

const VENDOR: &str = "live.example.test";
const JOB: &str = "15981d93877e490185e6ebc9af2c79a3";

/// Much longer than it takes.
const PATIENCE: Duration = Duration::from_mins(1);

#[test]
fn it_says_what_it_is_and_what_is_built_in() {
    apart(|root| {
        root.read_only();
        let version: Value = serde_json::from_str(&root.ok(&["version", "-o", "json"])).unwrap();
        assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(version["revision"], REVISION);
        assert_eq!(version["static"], true);
        assert!(version["tlsRoots"].as_u64().unwrap() > 100, "{version}");
        assert!(version["timeZones"].as_u64().unwrap() > 500, "{version}");
    });
}

#[test]
fn the_root_it_runs_in_is_read_only_and_has_nothing_else_to_run() {
    apart(|root| {
        root.read_only();
        assert!(fs::write(root.path().join("config/a"), "").is_err());
        let programs = fs::read_dir(root.path()).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_file());
        assert_eq!(programs.count(), 1);
        let refused = root.output(&["crds", "--directory", "/crds"]);
        assert!(!refused.status.success());
        assert!(String::from_utf8_lossy(&refused.stderr).contains("Read-only file system"));
    });
}

/// Names of the database that is built in, and those of this machine where it has one.
fn every_zone() -> BTreeSet<String> {
    let bundled = TimeZoneDatabase::bundled();
    let mut names: BTreeSet<String> = bundled.available().map(|name| name.as_str().to_owned()).collect();
    let table = fs::read_to_string("/usr/share/zoneinfo/zone.tab").unwrap_or_default();
    let places = table.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split('\t').nth(2));
    names.extend(places.map(str::to_owned));
    names
}

#[test]
fn every_time_zone_is_known_in_winter_and_in_summer() {
    let zones = every_zone();
    assert!(zones.len() > 500, "{}", zones.len());
    apart(|root| {
        let listed: BTreeSet<String> = root.ok(&["time", "--zones"]).lines().map(str::to_owned).collect();
        assert_eq!(zones.difference(&listed).collect::<Vec<_>>(), Vec::<&String>::new());

        let times = ["2026-12-02T13:00:00Z", "2026-07-02T13:00:00Z"];
        let places = zones.iter().cloned().collect::<Vec<_>>().join(",");
        let told = root.ok(&["time", times[0], times[1], "--zone", &places, "-o", "json"]);
        let told: Vec<Value> = serde_json::from_str(&told).unwrap();
        for (time, told) in times.iter().zip(&told) {
            let instant: Timestamp = time.parse().unwrap();
            assert_eq!(told["epoch"], instant.as_second());
            for (name, place) in zones.iter().zip(told["zones"].as_array().unwrap()) {
                let zone = TimeZoneDatabase::bundled().get(name).unwrap();
                assert_eq!(place["zone"], name.as_str());
                assert_eq!(place["time"], instant.display_with_offset(zone.to_offset(instant)).to_string(), "{name}");
            }
        }
    });
}

#[test]
fn where_nobody_says_what_time_it_is_here_utc_is_told() {
    apart(|root| {
        assert_eq!(root.ok(&["time", "1796216400"]), "UTC    2026-12-02T13:00:00Z\nepoch  1796216400\n");
        assert!(TimeZone::get("Europe/Berlin").is_ok(), "this machine has zones, the root has none");
    });
}

#[test]
fn a_ca_file_that_cannot_be_used_ends_it_with_a_sentence() {
    apart(|root| {
        root.mount("ca.crt", "no certificate\n");
        root.read_only();
        let output = root.output(&["run", "--observe-address", "127.0.0.1:0", "--ca-file", "/config/ca.crt"]);
        assert!(!output.status.success());
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(told, "Error: --ca-file /config/ca.crt: holds no certificate in PEM\n");
    });
}

/// The operator as a Pod of this image would run: it finds the API server by a name in /etc/hosts, the Live API by DNS,
/// and believes the Live API's certificate if a root vouches for it.
#[test]
fn the_live_api_is_found_by_its_name_and_believed_once_its_authority_is_given() {
    apart(|root| {
        let asked = names::serve(VENDOR);
        let authority = Authority::of(VENDOR);
        let plane = ControlPlane::start(&Options::default()).unwrap();
        let vendor = Simulator::start(plane.run(), ["--job", JOB, "--activation-ms", "100"]).unwrap();
        let behind: SocketAddr = vendor.base_url.strip_prefix("http://").unwrap().parse().unwrap();
        let endpoint = format!("https://{VENDOR}:{}", authority.in_front_of(behind));

        root.mount("kubeconfig", &kubeconfig(&plane));
        root.mount("ca.crt", &authority.root);
        root.read_only();
        plane.kubectl().apply(&root.ok(&["crds"])).unwrap();
        plane.kubectl().ok(["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]).unwrap();
        plane.kubectl().apply(&window(&endpoint)).unwrap();

        let stranger = operator(root, &plane, &endpoint, &[]);
        until(&stranger, "the certificate is not believed", |log| log.contains("UnknownIssuer"));
        stranger.stop();
        assert_eq!(phase(&plane), "Pending");

        let operator = operator(root, &plane, &endpoint, &["--ca-file", "/config/ca.crt"]);
        until(&operator, "the channel is on", |_| phase(&plane) == "Active");
        assert!(!operator.log_text().contains("UnknownIssuer"), "{}", operator.log_text());
        operator.stop();

        let asked = asked.names();
        assert!(asked.iter().any(|name| name == VENDOR), "{asked:?}");
        assert!(asked.contains(&format!("{VENDOR}.live.svc.cluster.local")), "the search list holds: {asked:?}");
        assert!(!asked.iter().any(|name| name.starts_with("kubernetes")), "/etc/hosts comes first: {asked:?}");
    });
}

/// The admin's, with the API server's name in place of its address, and all files in it.
fn kubeconfig(plane: &ControlPlane) -> String {
    let flat = plane.kubectl().ok(["config", "view", "--raw", "--flatten", "--output", "json"]).unwrap();
    let mut config: Value = serde_json::from_str(&flat).unwrap();
    let server = &mut config["clusters"][0]["cluster"]["server"];
    *server = json!(server.as_str().unwrap().replace("127.0.0.1", "kubernetes.default.svc"));
    config.to_string()
}

/// A window that is open, with its account and its key.
fn window(endpoint: &str) -> String {
    let group = "scheduler.bcovlive.io/v1alpha1";
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
    let spec = json!({
        "jobID": JOB,
        "activation": { "time": now.to_string() },
        "deactivation": { "time": (now + SignedDuration::from_hours(1)).to_string() },
    });
    json!({ "apiVersion": "v1", "kind": "List", "items": [
        { "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "live" } },
        {
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "key", "namespace": "live" },
            "stringData": { "apiKey": "demo-key" },
        },
        {
            "apiVersion": group, "kind": "LiveAccount", "metadata": { "name": "default", "namespace": "live" },
            "spec": { "endpoint": endpoint, "apiKeySecretRef": { "name": "key" } },
        },
        { "apiVersion": group, "kind": "JobStartStop", "metadata": { "name": "show", "namespace": "live" }, "spec": spec },
    ]})
    .to_string()
}

fn phase(plane: &ControlPlane) -> String {
    let arguments = ["get", "jss/show", "--namespace", "live", "--output", "jsonpath={.status.phase}"];
    plane.kubectl().ok(arguments).unwrap()
}

fn operator(root: &Root, plane: &ControlPlane, endpoint: &str, more: &[&str]) -> Process {
    let arguments = [
        &["run", "--kubeconfig", "/config/kubeconfig", "--live-endpoint", endpoint][..],
        &["--observe-address", "127.0.0.1:0", "--leader-election", "false", "--time-divisor", "20"],
        more,
    ];
    let (program, line) = root.command(&arguments.concat());
    Launch::new("jobstartstop", program).args(line).start(plane.run()).unwrap()
}

fn until(operator: &Process, what: &str, holds: impl Fn(&str) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds(&operator.log_text()) {
        assert!(operator.is_running(), "it has ended: {}", operator.log_text());
        assert!(Instant::now() < deadline, "waited in vain until {what}: {}", operator.log_text());
        sleep(Duration::from_millis(50));
    }
}
