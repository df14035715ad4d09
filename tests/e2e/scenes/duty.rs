//! The command line of those on duty, as they type it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{
    Channel, LATE, Plane, Stage, Window, bare_plane, blocking, eventually, in_seconds, install, killed, phase, plus,
    ready, received, until_past,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_jobstartstop");

/// What a command said, and how it ended.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    #[track_caller]
    fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    #[track_caller]
    fn refused(self) -> String {
        assert_eq!((self.code, &*self.out), (Some(1), ""), "{self:?}");
        self.err
    }

    #[track_caller]
    fn json(self) -> Value {
        let said = self.ok();
        serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"))
    }
}

/// Somebody on duty in a namespace.
struct Duty {
    kubeconfig: PathBuf,
    namespace: String,
}

impl Duty {
    fn of(stage: &Stage) -> Self {
        Self { kubeconfig: stage.plane().control().kubeconfig().to_owned(), namespace: stage.namespace.clone() }
    }

    async fn types(&self, line: &str) -> Said {
        let program = PathBuf::from(PROGRAM);
        let line = format!("{line} --namespace {}", self.namespace);
        run(&program, line.split(' '), &self.kubeconfig, None).await
    }

    async fn window(&self, name: &str) -> Value {
        self.types(&format!("show {name} -o json")).await.json()["window"].clone()
    }

    async fn window_shows(&self, name: &str, pointer: &str, value: &str) -> Value {
        eventually(&format!("{name} shows {value} at {pointer}"), async || {
            let window = self.window(name).await;
            (window.pointer(pointer) == Some(&json!(value))).then_some(window)
        })
        .await
    }
}

async fn run<'a>(
    program: &Path,
    args: impl Iterator<Item = &'a str>,
    kubeconfig: &Path,
    path: Option<PathBuf>,
) -> Said {
    let mut command = Command::new(program);
    command.args(args).env("KUBECONFIG", kubeconfig).env("TZ", "Europe/Berlin").stdin(Stdio::null());
    if let Some(path) = path {
        command.env("PATH", path);
    }
    let output = blocking(move || command.output().unwrap()).await;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

async fn on_air(stage: &Stage, name: &str, channel: &Channel, stop: Timestamp) -> Window {
    let window = stage.window(name, channel).between(in_seconds(1), stop).create().await;
    window.reaches("Active").await;
    window
}

/// Who has written which part of the object.
async fn managers(stage: &Stage, name: &str) -> String {
    let args = ["get", "jss", name, "--show-managed-fields", "-o", "yaml", "--namespace", &stage.namespace];
    stage.plane().kubectl(args).await
}

pub(crate) async fn a_page_of_a_window_on_air_shows_its_times_what_was_called_and_what_comes_next() {
    let stage = Stage::open("duty-show").await;
    let (duty, news) = (Duty::of(&stage), stage.channel("news").await);
    let stop = in_seconds(600);
    let window = on_air(&stage, "evening-news", &news, stop).await;
    let page = eventually("its events are there", async || {
        let page = duty.types("show evening-news").await.ok().out;
        page.contains("Started: ").then_some(page)
    })
    .await;
    let told = window.until("its start is told", |status| status.activation.lateness_millis.is_some()).await;
    let called = told.activation;
    let epoch = called.time_utc.unwrap().to_string();
    let late = format!("{} ms late", called.lateness_millis.unwrap());
    for words in [
        "ON AIR",
        &news.id,
        "Europe/Berlin",
        &called.time,
        &epoch,
        &stop.as_second().to_string(),
        &late,
        "On (waiting, ready)",
        "Ready         True OnAir",
        "the stop is called",
        "Last events",
    ] {
        assert!(page.contains(words), "{words} is missing in\n{page}");
    }
    assert!(page.lines().all(|line| line.chars().count() <= 100), "wider than a terminal:\n{page}");
    let utc = duty.types("show jss/evening-news --zone UTC").await.ok().out;
    assert!(utc.contains("+00:00") && !utc.contains("Berlin"), "{utc}");
}

pub(crate) async fn a_list_has_what_is_on_air_first_and_then_the_next_starts() {
    let stage = Stage::open("duty-list").await;
    let (duty, news, sports) = (Duty::of(&stage), stage.channel("news").await, stage.channel("sports").await);
    stage.window("a-later", &sports).between(in_seconds(900), in_seconds(1200)).create().await;
    stage.window("b-sooner", &sports).between(in_seconds(300), in_seconds(600)).create().await;
    on_air(&stage, "z-on-air", &news, in_seconds(600)).await;
    let names = |list: Value| -> Vec<String> {
        let windows = list["windows"].as_array().unwrap().iter();
        windows.map(|window| window["name"].as_str().unwrap().to_owned()).collect()
    };
    let list = duty.types("list -o json").await.json();
    assert_eq!((&list["version"], &list["windows"][0]["now"]), (&json!(1), &json!("OnAir")));
    assert_eq!(names(list), ["z-on-air", "b-sooner", "a-later"]);
    stage.plane().kubectl(["label", "jss", "a-later", "show=gala", "--namespace", &stage.namespace]).await;
    assert_eq!(names(duty.types("list -l show=gala -o json").await.json()), ["a-later"]);
    let wide = duty.types("list -o wide").await.ok().out;
    let first = wide.lines().nth(1).unwrap();
    assert!(first.starts_with("z-on-air  ON AIR") && first.contains(&news.id), "{wide}");
    let everywhere = run(Path::new(PROGRAM), ["list", "-A"].into_iter(), &duty.kubeconfig, None).await.ok().out;
    assert!(everywhere.starts_with("NAMESPACE") && everywhere.contains(&stage.namespace), "{everywhere}");
}

pub(crate) async fn an_extension_keeps_the_channel_on_without_a_gap_whatever_is_applied_from_git() {
    let stage = Stage::open("duty-extend").await;
    let (duty, news) = (Duty::of(&stage), stage.channel("news").await);
    let (start, stop) = (in_seconds(1), in_seconds(40));
    let manifest = format!(
        "{{apiVersion: scheduler.bcovlive.io/v1alpha1, kind: JobStartStop, metadata: {{name: show, labels: {{a: b}}}}, spec: \
         {{jobID: {}, activation: {{time: \"{start}\"}}, deactivation: {{time: \"{stop}\"}}}}}}",
        news.id
    );
    stage.plane().apply(&stage.namespace, manifest.clone()).await.unwrap();
    duty.window_shows("show", "/phase", "Active").await;

    let until = plus(stop, 3);
    let told = duty.types(&format!("extend show --until {until} --wait --timeout 30s -o json")).await.json();
    let name = told["changes"][0]["name"].as_str().unwrap().to_owned();
    assert_eq!((&told["changes"][0]["how"], &told["reached"]), (&json!("created"), &json!(true)));
    // As a tool does that heals what differs from Git.
    stage.plane().apply(&stage.namespace, manifest.clone()).await.unwrap();
    let again = duty.types(&format!("extend show --until {until}")).await.ok().out;
    assert!(again.contains("already"), "{again}");
    let further = duty.types("extend show --until +2s --name the-end --wait").await.ok();
    assert!(further.out.contains("the-end: from"), "{further:?}");
    stage.plane().apply(&stage.namespace, manifest).await.unwrap();
    let session = duty.types("show show -o json").await.json()["session"].clone();
    assert_eq!((&session["stop"], session["windows"].as_array().unwrap().len()), (&json!(plus(until, 2)), 3));

    let over = duty.window_shows("the-end", "/phase", "Finished").await;
    assert_eq!((&over["start"]["reason"], &over["stop"]["reason"]), (&json!("AlreadyOnAir"), &json!("Stopped")));
    assert_eq!(duty.window("show").await["stop"]["reason"], "KeptOnAir");
    assert_eq!(duty.window(&name).await["stop"]["reason"], "KeptOnAir");
    let calls = news.was_called(1, 1).await;
    let late = received(&calls.deactivate[0]).duration_since(plus(until, 2));
    assert!(!late.is_negative() && late < LATE, "{late:?} after the last end");
    let stored = managers(&stage, &name).await;
    assert!(stored.contains("manager: jobstartstop-duty") && !stored.contains("a: b"), "{stored}");

    let refused = duty.types("extend show --until +30m").await.refused();
    assert!(refused.contains("nothing keeps its channel on"), "{refused}");
}

pub(crate) async fn an_extension_that_was_called_off_is_not_taken_for_one_that_keeps_the_channel_on() {
    let stage = Stage::open("duty-extend-again").await;
    let (duty, news) = (Duty::of(&stage), stage.channel("news").await);
    let stop = in_seconds(600);
    let url = json!({ "notificationURL": "https://203.0.113.1/s3cret-path" });
    let show = stage.window("show", &news).between(in_seconds(1), stop).with(url).create().await;
    show.reaches("Active").await;
    let line = format!("extend show --until {} --wait --timeout 30s", plus(stop, 300));
    let told = duty.types(&format!("{line} -o json")).await.json();
    let made = &told["changes"][0];
    assert_eq!(made["spec"]["notificationURL"], "https://203.0.113.1", "its path may be a secret");
    let name = made["name"].as_str().unwrap();
    let said = duty.types(&format!("suspend {name} --wait --timeout 30s")).await.ok();
    assert!(said.out.contains("it is not started while it is suspended"), "{said:?}");
    let told = duty.types(&line).await.refused();
    assert!(told.contains("was made before, and is suspended") && told.contains(&format!("resume {name}")), "{told}");
    duty.types(&format!("cancel {name} --wait --timeout 30s")).await.ok();
    let told = duty.types(&line).await.refused();
    assert!(told.contains("was made before, and is cancelled") && told.contains("--name"), "{told}");
    let said = duty.types(&format!("{line} --name once-more")).await.ok();
    assert!(said.err.contains("its job was read: it counts"), "{said:?}");
    let said = duty.types("stop show --all --wait --timeout 40s").await.ok();
    assert!(said.out.contains("Called off, since it would start again: once-more"), "{said:?}");
    news.was_called(1, 1).await;
}

pub(crate) async fn a_stop_switches_the_channel_off_now_under_a_field_manager_of_its_own() {
    let stage = Stage::open("duty-stop").await;
    let (duty, news) = (Duty::of(&stage), stage.channel("news").await);
    let window = on_air(&stage, "news", &news, in_seconds(600)).await;
    let labels = ["label", "jss", "news", "kustomize.toolkit.fluxcd.io/name=shows", "--namespace", &stage.namespace];
    stage.plane().kubectl(labels).await;
    let asked = Timestamp::now();
    let said = duty.types("stop news --wait --timeout 40s").await.ok();
    assert!(said.out.contains("The channel is switched off."), "{said:?}");
    assert!(said.err.contains("Flux (Kustomization shows) keeps") && said.err.contains("Stopped: Off air"), "{said:?}");
    window.reaches("Finished").await;
    let calls = news.was_called(1, 1).await;
    assert!(received(&calls.deactivate[0]).duration_since(asked) < LATE);
    let stored = managers(&stage, "news").await;
    let ours = stored.split("manager: jobstartstop-duty").next().unwrap();
    let fields = ours.rsplit("apiVersion:").next().unwrap();
    assert!(stored.contains("manager: jobstartstop-duty"), "{stored}");
    assert!(fields.contains("f:deactivation") && !fields.contains("f:activation"), "{fields}");

    let again = duty.types("stop news").await.refused();
    assert!(again.contains("is Finished since"), "{again}");
}

pub(crate) async fn a_stop_of_a_covered_window_says_who_keeps_the_channel_on_and_all_ends_it() {
    let stage = Stage::open("duty-stop-all").await;
    let (duty, news) = (Duty::of(&stage), stage.channel("news").await);
    let stop = in_seconds(600);
    on_air(&stage, "matinee", &news, stop).await;
    let premiere = on_air(&stage, "premiere", &news, stop).await;
    stage
        .window("finale", &news)
        .between(stop, plus(stop, 600))
        .create()
        .await
        .until("it counts", ready("True", "Scheduled"))
        .await;

    let said = duty.types("stop matinee --wait --timeout 40s").await.ok();
    assert!(said.err.contains("The channel STAYS ON for premiere, finale until"), "{said:?}");
    assert!(said.err.contains("stop matinee --all") && said.err.contains("KeptOnAir"), "{said:?}");
    news.was_called(1, 0).await;
    let told = duty.types("stop matinee").await.refused();
    assert!(told.contains("on for premiere, finale until"), "{told}");

    let said = duty.types("stop matinee --all --wait --timeout 40s").await.ok();
    assert!(said.out.contains("Called off, since it would start again: finale"), "{said:?}");
    premiere.until("its stop is told", |status| status.deactivation.reason == "Stopped").await;
    assert_eq!(duty.window("finale").await["phase"], "Cancelled");
    news.was_called(1, 1).await;
}

pub(crate) async fn a_suspended_window_is_held_back_until_it_is_resumed() {
    let stage = Stage::open("duty-suspend").await;
    let (duty, news) = (Duty::of(&stage), stage.channel("news").await);
    let start = in_seconds(3);
    let window = stage.window("news", &news).between(start, in_seconds(600)).create().await;
    window.until("it waits for its start", ready("True", "Scheduled")).await;
    let said = duty.types("suspend news --wait --timeout 30s").await.ok();
    assert!(said.out.contains("it is not started while it is suspended"), "{said:?}");
    assert_eq!(duty.window("news").await["now"], "Suspended");
    until_past(plus(start, 1)).await;
    news.was_left_alone().await;
    let said = duty.types("resume news --wait --timeout 40s").await.ok();
    assert!(said.out.contains("its start is due; it is made at once"), "{said:?}");
    window.until("it is on air", phase("Active")).await;
    let refused = duty.types("suspend news").await.refused();
    assert!(refused.contains("There is no start to hold back"), "{refused}");
}

pub(crate) async fn cancelling_calls_off_what_is_ahead_and_leaves_nothing_on_unasked() {
    let stage = Stage::open("duty-cancel").await;
    let (duty, news, sports) = (Duty::of(&stage), stage.channel("news").await, stage.channel("sports").await);
    stage.window("ahead", &sports).between(in_seconds(600), in_seconds(900)).create().await;
    duty.types("cancel ahead --wait --timeout 30s").await.ok();
    assert_eq!(duty.window("ahead").await["phase"], "Cancelled");
    let window = on_air(&stage, "news", &news, in_seconds(600)).await;
    let told = duty.types("cancel news").await.refused();
    assert!(told.contains("STAYS ON") && told.contains("--leave-on"), "{told}");
    assert_eq!(window.status().phase, "Active");
    let said = duty.types("cancel news --leave-on --wait --timeout 30s").await.ok();
    assert!(said.err.contains("STAYS ON"), "{said:?}");
    window.until("its stop is called off", |status| status.deactivation.reason == "StopCancelled").await;
    assert!(news.is_on().await);
    assert!(duty.types("show news").await.ok().out.contains("LEFT ON"));
}

pub(crate) async fn a_dry_run_is_checked_by_the_server_and_changes_nothing() {
    let stage = Stage::open("duty-dry-run").await;
    let (duty, news) = (Duty::of(&stage), stage.channel("news").await);
    let window = on_air(&stage, "news", &news, in_seconds(600)).await;
    let before = window.records().last().unwrap().object.metadata.generation;
    for line in ["stop news", "extend news --until +1h", "cancel news --leave-on"] {
        let said = duty.types(&format!("{line} --dry-run")).await.ok();
        assert!(said.out.starts_with("Dry run, nothing is changed."), "{line}: {said:?}");
        let told = duty.types(&format!("{line} --dry-run -o json")).await.json();
        assert_eq!((&told["dryRun"], told["changes"].as_array().unwrap().len()), (&json!(true), 1), "{line}: {told}");
    }
    let refused = duty.types("extend news --until +9000h --dry-run").await.refused();
    assert!(refused.contains("must be at most 366 days after activation.time"), "the server's own words: {refused}");
    assert_eq!(window.records().last().unwrap().object.metadata.generation, before);
    assert_eq!(duty.types("list -o json").await.json()["windows"].as_array().unwrap().len(), 1);
    news.was_called(1, 0).await;
}

pub(crate) async fn what_goes_wrong_is_told_to_people() {
    let stage = Stage::open("duty-errors").await;
    let (duty, news) = (Duty::of(&stage), stage.channel("news").await);
    stage.window("evening-news", &news).between(in_seconds(600), in_seconds(900)).create().await;
    let told = duty.types("show evning-news").await.refused();
    let expected = format!("Error: there is no JobStartStop evning-news in the namespace {}. Alike", stage.namespace);
    assert!(told.starts_with(&expected) && told.contains("evening-news"), "{told}");

    let waited = duty.types("suspend evening-news").await.ok();
    assert!(waited.err.is_empty(), "{waited:?}");
    stage.plane().kubectl(["create", "serviceaccount", "guest", "--namespace", &stage.namespace]).await;
    let (control, namespace) = (std::sync::Arc::clone(stage.plane()), stage.namespace.clone());
    let kubeconfig = blocking(move || control.control().service_account_kubeconfig(&namespace, "guest").unwrap()).await;
    let guest = Duty { kubeconfig, namespace: stage.namespace.clone() };
    let told = guest.types("list").await.refused();
    let expected = format!("Error: you may not list jobstartstops in the namespace {}", stage.namespace);
    assert!(told.starts_with(&expected), "{told}");

    let nowhere = Duty { kubeconfig: PathBuf::from("/no/such/kubeconfig"), namespace: "live".to_owned() };
    let told = nowhere.types("list --kubeconfig /no/such/kubeconfig").await.refused();
    assert!(told.contains("the kubeconfig /no/such/kubeconfig cannot be read"), "{told}");
    let usage = duty.types("extend evening-news --until later").await;
    assert_eq!(usage.code, Some(2), "{usage:?}");
}

pub(crate) async fn a_wait_that_is_in_vain_ends_with_a_code_of_its_own() {
    let stage = Stage::unattended("duty-in-vain").await;
    let (duty, news) = (Duty::of(&stage), stage.channel("news").await);
    stage.window("news", &news).between(in_seconds(600), in_seconds(900)).create().await;
    let said = duty.types("cancel news --wait --timeout 1s").await;
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.err.contains("the operator is to take the edit up"), "{said:?}");
}

pub(crate) async fn kubectl_finds_it_as_a_plugin_and_completes_names() {
    let stage = Stage::open("duty-plugin").await;
    let (duty, news) = (Duty::of(&stage), stage.channel("news").await);
    stage.window("evening-news", &news).between(in_seconds(600), in_seconds(900)).create().await;
    let folder = TempDir::new().unwrap();
    for name in ["kubectl-jss", "kubectl_complete-jss"] {
        std::os::unix::fs::symlink(PROGRAM, folder.path().join(name)).unwrap();
    }
    let kubectl = stage.plane().control().kubectl().program().to_owned();
    let types =
        async |line: String| run(&kubectl, line.split(' '), &duty.kubeconfig, Some(folder.path().to_owned())).await;
    let listed = types(format!("jss list -n {}", stage.namespace)).await.ok().out;
    assert!(listed.contains("evening-news"), "{listed}");
    let help = types("jss --help".to_owned()).await.ok().out;
    assert!(help.contains("Usage: kubectl jss") && !help.contains("Run the operator"), "{help}");
    let completed = types(format!("__complete jss show -n {} eve", stage.namespace)).await;
    assert!(completed.out.starts_with("evening-news\n:4"), "{completed:?}");
    let completions = duty_completions("bash").await;
    assert!(completions.contains("jobstartstop") && completions.contains("extend"), "{completions}");
}

async fn duty_completions(shell: &str) -> String {
    let nowhere = Path::new("/no/such/kubeconfig");
    run(Path::new(PROGRAM), ["completions", shell].into_iter(), nowhere, None).await.ok().out
}

pub(crate) async fn a_release_lets_go_what_no_operator_will_and_is_refused_while_one_leads() {
    let control = bare_plane().await;
    let empty = Duty { kubeconfig: control.kubeconfig().to_owned(), namespace: "default".to_owned() };
    let told = empty.types("show news").await.refused();
    assert!(told.contains("jobstartstop crds | kubectl apply -f -"), "{told}");
    install(control.kubectl()).await;

    let stage = Stage::unattended_on(Plane::own(control).await, "duty-release").await;
    let (duty, news) = (Duty::of(&stage), stage.channel("news").await);
    let operator = stage.start_operator().await;
    let window = on_air(&stage, "news", &news, in_seconds(600)).await;
    let told = duty.types("release news --yes").await;
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.err.contains("leads as the operator"), "{told:?}");

    eventually("the account is held while it is in use", async || {
        let holds =
            ["get", "liveacct", "default", "-o", "jsonpath={.metadata.finalizers}", "--namespace", &stage.namespace];
        stage.plane().kubectl(holds).await.contains("in-use").then_some(())
    })
    .await;
    let operator = killed(operator).await;
    window.delete().await;
    stage.plane().kubectl(["delete", "liveacct", "default", "--wait=false", "--namespace", &stage.namespace]).await;
    let asked = eventually("its Lease has run out", async || {
        let asked = duty.types("release news").await;
        (!asked.err.contains("leads as the operator")).then_some(asked)
    })
    .await;
    assert!(asked.code == Some(1) && asked.err.contains("--yes goes on"), "{asked:?}");
    assert!(asked.out.contains("it is being deleted, and goes"), "{asked:?}");
    let dry = duty.types("release --all --dry-run").await.ok();
    assert!(dry.out.contains("LiveAccount") && dry.out.contains("STAY ON"), "{dry:?}");
    assert_eq!(duty.window("news").await["now"], "OnAir", "still there");

    let released = duty.types("release --all --yes -o json").await.json();
    let kinds: Vec<&str> =
        released["changes"].as_array().unwrap().iter().map(|change| change["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["JobStartStop", "LiveAccount"]);
    window.is_gone().await;
    let left = stage.plane().kubectl(["get", "jss,liveacct", "--namespace", &stage.namespace, "-o", "name"]).await;
    assert_eq!(left, "");
    news.was_called(1, 0).await;
    assert!(news.is_on().await);
    blocking(move || drop(operator)).await;
}
