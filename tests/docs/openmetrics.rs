//! The operator's page of metrics, read by Prometheus' own parser.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use testbed::{ControlPlane, Operator, Options, Simulator};

use crate::{
    alerts::alerts,
    dashboard::queries,
    pages::root,
    prometheus::{Family, family, read, series},
};

const JOB: &str = "15981d93877e490185e6ebc9af2c79a3";
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const WINDOWS: [&str; 2] = ["evening-news", "of-no-job"];

async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn get(url: &str, key: &str) -> reqwest::Response {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().unwrap();
    client.get(url).header("X-API-KEY", key).send().await.unwrap()
}

/// Its page, which is of the type that says how to read it.
async fn page_of(operator: &Operator) -> String {
    let answer = get(&format!("{}/metrics", operator.observe_url()), "").await;
    assert_eq!(answer.headers()["content-type"], OPENMETRICS);
    answer.text().await.unwrap()
}

/// Where it serves the HTTP interface, by its log.
async fn interface_of(operator: &Operator) -> String {
    until("the HTTP interface is open", async || {
        let log = operator.process().log_text();
        let line = log.lines().find(|line| line.contains("the HTTP interface is open"))?;
        let address = line.split("address=").nth(1)?.split_whitespace().next()?;
        Some(format!("http://{address}"))
    })
    .await
}

fn access(endpoint: &str) -> String {
    format!(
        r#"
apiVersion: v1
kind: Secret
metadata: {{name: bcov-live}}
stringData: {{apiKey: demo-key}}
---
apiVersion: scheduler.bcovlive.io/v1alpha1
kind: LiveAccount
metadata: {{name: default}}
spec: {{endpoint: "{endpoint}", apiKeySecretRef: {{name: bcov-live}}}}
"#
    )
}

/// A window of two seconds. Its notification may go nowhere.
fn window(name: &str, job: &str, start: Timestamp) -> String {
    let stop = start + SignedDuration::from_secs(2);
    format!(
        r#"
apiVersion: scheduler.bcovlive.io/v1alpha1
kind: JobStartStop
metadata: {{name: {name}}}
spec:
  jobID: {job}
  activation: {{time: "{start}"}}
  deactivation: {{time: "{stop}"}}
  notificationURL: https://127.0.0.1/hook
"#
    )
}

/// What holds of every page.
fn is_whole(page: &[Family], private: &[&str]) {
    let names: BTreeSet<&str> = page.iter().map(|family| family.name.as_str()).collect();
    assert_eq!(names.len(), page.len(), "a family stands there twice: {page:#?}");
    let mut seen = BTreeSet::new();
    for Family { name, kind, help, samples } in page {
        assert!(kind != "unknown" && !help.is_empty() && !samples.is_empty(), "{name} is not described");
        for sample in samples {
            assert!(seen.insert((&sample.name, &sample.labels)), "{sample:?} stands there twice");
            for value in sample.labels.values() {
                let told = private.iter().find(|word| value.contains(*word));
                assert!(told.is_none(), "a label names an object: {sample:?}");
            }
        }
    }
}

/// Queries use counters by `_total` and so on, for otherwise they would find nothing.
fn is_queried_by_its_type(page: &[Family]) {
    let kinds: BTreeMap<&str, &str> = page.iter().map(|family| (&*family.name, &*family.kind)).collect();
    let queries = queries().into_iter().map(|(_, query)| query).chain(alerts().into_iter().map(|alert| alert.expr));
    let mut found = BTreeSet::new();
    for query in queries {
        for name in series(&query) {
            let (family, suffix) = family(name);
            let Some(kind) = kinds.get(family) else { continue };
            let fits = match *kind {
                "counter" => suffix == "_total",
                "histogram" => ["_bucket", "_sum", "_count"].contains(&suffix),
                "info" => suffix == "_info",
                _ => suffix.is_empty(),
            };
            assert!(fits, "{family} is a {kind}: {query}");
            found.insert(family.to_owned());
        }
    }
    assert!(found.len() >= 18, "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_reads_an_operators_page_before_and_after_a_whole_life_and_no_label_names_an_object() {
    let plane = ControlPlane::start(&Options::default()).unwrap();
    let kubectl = plane.kubectl();
    kubectl.ok([Path::new("apply"), Path::new("-f"), &root().join("crds")]).unwrap();
    kubectl.ok(["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]).unwrap();
    let namespace = plane.create_namespace("measured").unwrap();
    let turning = ["--job", JOB, "--activation-ms", "300", "--deactivation-ms", "300"];
    let live_api = Simulator::start(plane.run(), turning).unwrap();
    let scope = ["--namespace", &namespace, "--lease-namespace", &namespace, "--live-endpoint", &live_api.base_url];
    let times = ["--time-divisor", "20", "--lease-divisor", "3", "--http-address", "127.0.0.1:0"];
    let env: [(&str, &str); 0] = [];
    let operator = Operator::start(plane.run(), plane.kubeconfig(), scope.into_iter().chain(times), env).unwrap();
    let private = [&namespace, JOB, "bcov-live", WINDOWS[0], WINDOWS[1]];

    let first = read(&page_of(&operator).await).unwrap();
    is_whole(&first, &private);

    let start = Timestamp::from_second(Timestamp::now().as_second() + 4).unwrap();
    let apply = ["apply", "--namespace", &namespace, "-f", "-"];
    let objects =
        [access(&live_api.base_url), window(WINDOWS[0], JOB, start), window(WINDOWS[1], "nobody-has-it", start)];
    kubectl.run_with_input(apply, &objects.join("---")).unwrap().ok().unwrap();
    let refused = get(&format!("{}/v1/scheduler/jobstartstop", interface_of(&operator).await), "another-key").await;
    assert_eq!(refused.status().as_u16(), 401);
    let finished = "--for=jsonpath={.status.phase}=Finished";
    let named = format!("jss/{}", WINDOWS[0]);
    kubectl.ok(["wait", "--namespace", &namespace, finished, &named, "--timeout=60s"]).unwrap();
    let page = until("the start of the other one has failed, too", async || {
        let page = page_of(&operator).await;
        page.contains("jobstartstop_failed_starts_total{").then_some(page)
    })
    .await;

    let last = read(&page).unwrap();
    is_whole(&last, &private);
    is_queried_by_its_type(&last);
    let uid = kubectl.ok(["get", "--namespace", &namespace, &named, "-o", "jsonpath={.metadata.uid}"]).unwrap();
    assert!(!page.contains(&uid));
    let counted = |name: &str| {
        let samples = last.iter().flat_map(|family| &family.samples).filter(|sample| sample.name == name);
        samples.map(|sample| sample.value.parse::<f64>().unwrap()).sum::<f64>()
    };
    assert!((counted("jobstartstop_action_lateness_seconds_count") - 2.0).abs() < f64::EPSILON, "{page}");
    assert!(counted("jobstartstop_http_requests_total") >= 1.0, "{page}");
}
