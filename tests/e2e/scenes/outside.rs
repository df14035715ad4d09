//! What is seen from outside: HTTP, kubectl, the command line, logs.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use serde_json::json;
use testbed::Launch;

use crate::harness::{
    Stage, Watched, bare_plane, blocking, eventually, get, house, in_seconds, install_definitions, install_rights,
    ready,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_jobstartstop");

pub(crate) async fn health_and_readiness_answer() {
    let address = house().await.operator.observe_address();
    for path in ["/healthz", "/readyz"] {
        assert_eq!(get(address, path).await.unwrap().0, 200, "{path}");
    }
}

/// `make test-null` plays this one too, where all others fail: it shows that the stage stands there and the stand-in acts.
pub(crate) async fn every_generation_is_observed() {
    let stages = [Stage::open("observed").await, Stage::unattended("observed-alone").await];
    let operator = stages[1].start_operator().await;
    for stage in &stages {
        let news = stage.channel("news").await;
        let window = stage.window("news", &news).between(in_seconds(300), in_seconds(600)).create().await;
        window.edit(json!({ "description": "Edited" })).await;
        window.until("its latest generation is observed", |_| true).await;
        news.was_left_alone().await;
    }
    operator.scrape().await;
}

pub(crate) async fn metrics_count_what_was_done() {
    let stage = Stage::unattended("metrics").await;
    let operator = stage.start_operator().await;
    let news = stage.channel("news").await;
    news.fault("deactivate", json!({ "effect": "refuse", "status": 400, "times": 8 })).await;
    let window = stage.window("news", &news).between(in_seconds(2), in_seconds(4)).create().await;
    window.until("its stop is refused", ready("False", "StopRefused")).await;
    eventually("the overdue stop is measured", async || {
        (operator.scrape().await.value("jobstartstop_billed_past_stop_seconds") > 0.0).then_some(())
    })
    .await;
    window.reaches("Finished").await;

    let metrics = operator.scrape().await;
    for (series, value) in [
        (r#"jobstartstop_action_lateness_seconds_count{action="activate",outcome="ok"}"#, 1.0),
        (r#"jobstartstop_action_lateness_seconds_count{action="deactivate",outcome="refused"}"#, 1.0),
        (r#"jobstartstop_live_requests_total{operation="activate",outcome="ok"}"#, 1.0),
        (r#"jobstartstop_live_requests_total{operation="deactivate",outcome="refused"}"#, 8.0),
        (r#"jobstartstop_live_requests_total{operation="deactivate",outcome="ok"}"#, 1.0),
        (r#"jobstartstop_windows{phase="Finished"}"#, 1.0),
        (r#"jobstartstop_windows{phase="Active"}"#, 0.0),
        ("jobstartstop_billed_past_stop_seconds", 0.0),
        ("jobstartstop_events_dropped_total", 0.0),
        ("jobstartstop_undecodable_objects_total", 0.0),
        ("jobstartstop_notifications_outbox", 0.0),
    ] {
        assert!((metrics.value(series) - value).abs() < f64::EPSILON, "{series} is not {value} in\n{}", metrics.0);
    }
    assert!(!metrics.0.contains(&window.name) && !metrics.0.contains(&stage.namespace), "labels name no objects");
    assert!(metrics.0.ends_with("# EOF\n"), "{}", metrics.0);
}

pub(crate) async fn without_the_definitions_it_waits_and_says_so() {
    let control = bare_plane().await;
    install_rights(control.kubectl()).await;
    let (control, kubeconfig) = blocking(move || {
        let kubeconfig = control.service_account_kubeconfig("live", "jobstartstop").unwrap();
        (control, kubeconfig)
    })
    .await;
    let address = free_address();
    let arguments = ["run", "--namespace", "live", "--observe-address", &address.to_string()].map(str::to_owned);
    let launch = Launch::new("jobstartstop", PROGRAM).args(arguments).env("KUBECONFIG", kubeconfig);
    let process = launch.start(control.run()).unwrap();

    let sentence = eventually("it says what it waits for", async || match get(address, "/readyz").await? {
        (503, sentence) if sentence.contains("404") || sentence.contains("not found") => Some(sentence),
        _ => None,
    })
    .await;
    assert!(sentence.contains("jobstartstops"), "{sentence}");
    assert_eq!(get(address, "/healthz").await.unwrap().0, 200, "waiting is no reason to be restarted");
    assert!(process.is_running());
    install_definitions(control.kubectl()).await;
    eventually("it is ready", async || get(address, "/readyz").await.filter(|(status, _)| *status == 200)).await;
    blocking(move || drop((process, control))).await;
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

pub(crate) async fn help_explains_every_flag() {
    let help = blocking(|| Command::new(PROGRAM).args(["run", "--help"]).output().unwrap()).await;
    let help = String::from_utf8(help.stdout).unwrap();
    let flags = [
        "kubeconfig",
        "context",
        "namespace",
        "live-endpoint",
        "deletion-policy",
        "cluster-id",
        "observe-address",
        "log",
        "log-format",
    ];
    for flag in flags {
        let (_, after) = help.split_once(&format!("--{flag} <")).unwrap_or_else(|| panic!("no --{flag} in\n{help}"));
        let explanation = after.lines().nth(1).unwrap().trim();
        assert!(explanation.len() > 10, "--{flag} is not explained in\n{help}");
    }
    assert!(!help.contains("time-divisor"), "a flag for tests only");
}

pub(crate) async fn a_flag_that_makes_no_sense_is_refused_with_a_sentence() {
    for (flag, value, words) in [
        ("--live-endpoint", "https://api.example.com/v1", "the endpoint"),
        ("--deletion-policy", "Keep", "possible values: Stop, Cancel, Retain"),
        ("--cluster-id", "prod eu", "letters, digits, hyphens, dots or underscores"),
        ("--observe-address", "here", "invalid"),
    ] {
        let output = blocking(move || Command::new(PROGRAM).args(["run", flag, value]).output().unwrap()).await;
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && told.contains(words) && told.contains(flag), "{flag}: {told}");
    }
}

pub(crate) async fn kubectl_explains_the_spec() {
    let plane = &house().await.plane;
    let spec = plane.kubectl(["explain", "jss.spec"]).await;
    for words in
        ["jobID", "When the job is switched on.", "deletionPolicy", "-required-", "LiveAccount named `default`"]
    {
        assert!(spec.contains(words), "{words} is missing in\n{spec}");
    }
    let time = plane.kubectl(["explain", "jss.spec.activation.time"]).await;
    assert!(time.contains("2026-12-02T14:00:00+01:00"), "{time}");
    let account = plane.kubectl(["explain", "liveacct.spec.apiKeySecretRef"]).await;
    assert!(account.contains("Secret"), "{account}");
    let executor = plane.kubectl(["explain", "jss.spec.executor"]).await;
    for words in ["ENUM: Operator LiveScheduler", "while the cluster is down", "cannot change, be added or removed"] {
        assert!(executor.split_whitespace().collect::<Vec<_>>().join(" ").contains(words), "{words}: {executor}");
    }
}

pub(crate) async fn kubectl_shows_the_columns() {
    let stage = Stage::open("columns").await;
    let news = stage.channel("news").await;
    let (start, stop) = (in_seconds(2), in_seconds(600));
    let window = stage.window("evening-news", &news).between(start, stop).create().await;
    window.reaches("Active").await;
    let list = |wide: &'static [&'static str]| {
        let args = ["get", "jss", "--namespace", &stage.namespace].into_iter().chain(wide.iter().copied());
        let args: Vec<String> = args.map(str::to_owned).collect();
        async { stage.plane().kubectl(args).await }
    };
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let shown = list(&[]).await;
    let mut lines = shown.lines().map(words);
    assert_eq!(lines.next().unwrap(), ["NAME", "JOB", "START", "STOP", "PHASE", "ONAIR", "AGE"]);
    let row = lines.next().unwrap();
    assert_eq!(row[..6], ["evening-news", &news.id, &start.to_string(), &stop.to_string(), "Active", "True"]);

    let shown = list(&["-o", "wide"]).await;
    let mut lines = shown.lines().map(words);
    let mut heads = lines.next().unwrap();
    heads.sort();
    assert_eq!(heads, ["AGE", "JOB", "LATE", "NAME", "ONAIR", "PHASE", "REASON", "START", "STOP"]);
    assert!(lines.next().unwrap().contains(&"OnAir".to_owned()), "{shown}");

    let by_field = list(&["--field-selector", "status.phase=Active"]).await;
    assert!(by_field.contains("evening-news"), "{by_field}");
    let accounts = stage.plane().kubectl(["get", "liveacct", "--namespace", &stage.namespace]).await;
    assert!(accounts.contains("default"), "{accounts}");
}

pub(crate) async fn kubectl_wait_waits_for_the_channel() {
    let stage = Stage::open("kubectl-wait").await;
    let news = stage.channel("news").await;
    let window = stage.window("news", &news).between(in_seconds(2), in_seconds(12)).create().await;
    let wait = async |what: &str| {
        let object = format!("jss/{}", window.name);
        stage.plane().kubectl(["wait", what, &object, "--namespace", &stage.namespace, "--timeout=40s"]).await;
    };
    wait("--for=condition=OnAir").await;
    wait("--for=jsonpath={.status.phase}=Finished").await;
    news.was_called(1, 1).await;
}

pub(crate) async fn the_key_shows_nowhere_even_if_the_vendor_repeats_it() {
    let stage = Stage::open("secretive").await;
    let news = stage.channel("news").await;
    let echo = json!({ "message": format!("not with X-API-KEY: {}", stage.key) });
    for (operation, status) in [("read", 401), ("read", 500), ("activate", 400), ("deactivate", 503)] {
        let fault = json!({ "effect": "refuse", "status": status, "body": echo, "times": 1 });
        news.fault(operation, fault).await;
    }
    news.fault("deactivate", json!({ "effect": "refuse", "status": 200, "body": stage.key, "times": 1 })).await;
    let window = stage.window("news", &news).between(in_seconds(4), in_seconds(6)).create().await;
    window.until("the start or its refusal is shown", |status| status.activation.attempts > 0).await;
    window.until("it is over", |status| !status.finished_at.is_empty()).await;

    let events = format!("{:?}", window.events().await);
    let account = stage.plane().kubectl(["get", "liveacct", "-o", "yaml", "--namespace", &stage.namespace]).await;
    let (_, metrics) = get(house().await.operator.observe_address(), "/metrics").await.unwrap();
    for told in stage.everything_told().into_iter().chain([events, account, metrics]) {
        assert!(!told.contains(&stage.key), "the key shows in:\n{told}");
    }
}
