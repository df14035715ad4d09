//! What Argo CD and Flux see of windows and accounts: each state for what it is, and a spec that nobody but them writes.

use jiff::Timestamp;
use jiff::tz::{TimeZone, offset};
use jobstartstop::api::{JobStartStopStatus, LiveAccount, LiveAccountStatus};
use kube::Api;
use kube::api::GetParams;
use kube::core::Request;
use serde_json::{Value, json};
use testbed::{Output, Verdict};

use crate::harness::{
    Record, Stage, Window, annex, blocking, condition, eventually, in_seconds, on_air, phase, plus, ready, repository,
};

use super::examples::manifests;
use super::strange::shows;

const SCRIPTS: &str = "gitops/argocd/resource_customizations";
const YEAR: i64 = 365 * 86_400;

/// A stored object, by the name of the state that it is in, and what is to be made of it.
struct State {
    name: &'static str,
    object: Value,
    argo: &'static str,
    kstatus: &'static str,
}

/// `KEEP_VERDICTS=1` keeps the states, as they are stored here, as the test data of the health checks.
pub(crate) async fn case_55_argo_cd_and_flux_tell_each_state_for_what_it_is() {
    let mut states = started_and_stopped().await;
    states.extend(without_a_call().await);
    states.extend(without_a_key().await);
    states.extend(not_seen().await);
    let objects: Vec<Value> = states.iter().map(|state| state.object.clone()).collect();
    let verdicts = judged(objects).await;
    let mut wrong = Vec::new();
    for (state, verdict) in states.iter().zip(&verdicts) {
        if (&*verdict.argo.status, &*verdict.kstatus.status) != (state.argo, state.kstatus) {
            wrong.push(format!("{} {}: {verdict:?}", verdict.kind, state.name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    if std::env::var_os("KEEP_VERDICTS").is_some() {
        for kind in ["JobStartStop", "LiveAccount"] {
            keep(kind, &states, &verdicts);
        }
    }
}

async fn judged(objects: Vec<Value>) -> Vec<Verdict> {
    blocking(move || testbed::verdicts(&repository(SCRIPTS), &objects).unwrap()).await
}

/// As Argo CD's own repository has it: the objects, and what the script is to return for each.
fn keep(kind: &str, states: &[State], verdicts: &[Verdict]) {
    let folder = repository(SCRIPTS).join("scheduler.bcovlive.io").join(kind);
    let mut tests = Vec::new();
    for (state, verdict) in states.iter().zip(verdicts).filter(|(_, verdict)| verdict.kind == kind) {
        let path = format!("testdata/{}.yaml", state.name);
        std::fs::write(folder.join(&path), serde_norway::to_string(&state.object).unwrap()).unwrap();
        let health = json!({ "status": verdict.script.status, "message": verdict.script.message });
        tests.push(json!({ "healthStatus": health, "inputPath": path }));
    }
    let tests = serde_norway::to_string(&json!({ "tests": tests })).unwrap();
    std::fs::write(folder.join("health_test.yaml"), tests).unwrap();
}

/// Windows that were called, or were to be.
async fn started_and_stopped() -> Vec<State> {
    let stage = Stage::open("verdicts").await;
    let (soon, later, hour) = (in_seconds(2), in_seconds(6), in_seconds(3600));
    let (news, gala, quiz) = (stage.channel("news").await, stage.channel("gala").await, stage.channel("quiz").await);
    let (slow, held, kept) = (stage.channel("slow").await, stage.channel("held").await, stage.channel("kept").await);
    let event = stage.channel_that_is("event", json!({ "static": false })).await;
    slow.overrides(json!({ "activation_ms": 3_600_000 })).await;
    for channel in [&held, &kept] {
        channel.fault("deactivate", json!({ "effect": "refuse", "status": 500 })).await;
    }
    let window = |name, channel, start, stop| stage.window(name, channel).between(start, stop);
    let starting = window("starting", &slow, soon, hour).create().await;
    let active = window("on-air", &news, soon, hour).create().await;
    let drifted = window("switched-off-by-somebody", &quiz, soon, hour).create().await;
    let stopping = window("stopping", &held, soon, later).create().await;
    let deleted = window("being-deleted", &kept, soon, hour).create().await;
    let finished = window("finished", &gala, soon, later).create().await;
    let failed = window("failed", &event, soon, hour).create().await;

    let starting = seen(&stage, &starting, "it is starting", ready("False", "Starting")).await;
    let on_air_now = seen(&stage, &active, "it is on air", on_air("True", "OnAir")).await;
    drifted.until("it is on air", on_air("True", "OnAir")).await;
    quiz.somebody_switches_it("off").await;
    let drifted = seen(&stage, &drifted, "it has drifted", |status| condition(status, "Drifted").is_some()).await;
    deleted.until("it is on air", on_air("True", "OnAir")).await;
    deleted.delete().await;
    let refused = |status: &JobStartStopStatus| {
        !status.deactivation.attempted_at.is_empty()
            && condition(status, "Reconciling").is_some_and(|condition| condition.status == "True")
    };
    let stopping = seen(&stage, &stopping, "its stop is refused", refused).await;
    let deleted = seen(&stage, &deleted, "its stop is refused", refused).await;
    let finished = seen(&stage, &finished, "it is finished", phase("Finished")).await;
    let failed = seen(&stage, &failed, "it has failed", phase("Failed")).await;
    let account = account(&stage, "its key was taken", |status| holds(status, "KeyAccepted")).await;
    vec![
        state("starting", starting, "Progressing", "InProgress"),
        state("on-air", on_air_now, "Healthy", "Current"),
        state("switched-off-by-somebody", drifted, "Healthy", "Current"),
        state("stopping", stopping, "Progressing", "InProgress"),
        state("being-deleted", deleted, "Progressing", "Terminating"),
        state("finished", finished, "Healthy", "Current"),
        state("failed", failed, "Degraded", "Failed"),
        state("ready", account, "Healthy", "Current"),
    ]
}

/// Windows that no call was made for.
async fn without_a_call() -> Vec<State> {
    let stage = Stage::open("verdicts-uncalled").await;
    let news = stage.channel("news").await;
    let (hour, two_hours, next_year) = (in_seconds(3600), in_seconds(7200), in_seconds(YEAR));
    let window = |name, start, stop| stage.window(name, &news).between(start, stop);
    let planned = window("planned", next_year, plus(next_year, 3600)).create().await;
    let suspended = window("suspended", hour, two_hours).with(json!({ "suspend": true })).create().await;
    let cancelled = window("cancelled", hour, two_hours).with(json!({ "cancel": true })).create().await;
    let over = window("over-when-first-seen", in_seconds(-7200), in_seconds(-3600)).create().await;
    let deadline = json!({ "startingDeadlineSeconds": 60 });
    let missed = window("missed", in_seconds(-90), hour).with(deadline).create().await;

    let planned = seen(&stage, &planned, "it is scheduled", ready("True", "Scheduled")).await;
    let suspended = seen(&stage, &suspended, "it is suspended", ready("True", "Suspended")).await;
    let cancelled = seen(&stage, &cancelled, "it is cancelled", phase("Cancelled")).await;
    let over = seen(&stage, &over, "it is known to be past", ready("True", "WindowPast")).await;
    let missed = seen(&stage, &missed, "it is missed", ready("False", "StartDeadlineExceeded")).await;
    vec![
        state("planned", planned, "Healthy", "Current"),
        state("suspended", suspended, "Suspended", "Current"),
        state("cancelled", cancelled, "Healthy", "Current"),
        state("over-when-first-seen", over, "Healthy", "Current"),
        state("missed", missed, "Degraded", "Failed"),
    ]
}

/// With the wrong key, and with none.
async fn without_a_key() -> Vec<State> {
    let mut states = Vec::new();
    let refused = Stage::without_access("verdicts-refused").await;
    refused.put_secret("an-old-key").await;
    let missing = Stage::without_access("verdicts-no-secret").await;
    for (stage, name, reason, argo, kstatus) in [
        (&refused, "key-refused", "KeyRefused", "Degraded", "Failed"),
        (&missing, "no-secret", "SecretNotFound", "Progressing", "InProgress"),
    ] {
        stage.create_account(json!({})).await;
        let news = stage.channel("news").await;
        let window = stage.window(name, &news).between(in_seconds(3600), in_seconds(7200)).create().await;
        let waiting = seen(stage, &window, reason, ready("False", reason)).await;
        let why = |status: &LiveAccountStatus| {
            status.conditions.iter().any(|condition| condition.type_ == "Ready" && condition.reason == reason)
        };
        let of_it = account(stage, reason, why).await;
        states.extend([state(name, waiting, argo, kstatus), state(name, of_it, argo, kstatus)]);
    }
    states
}

/// Where no operator is.
async fn not_seen() -> Vec<State> {
    let stage = Stage::unattended("verdicts-unseen").await;
    let news = stage.channel("news").await;
    let window = stage.window("not-seen", &news).between(in_seconds(3600), in_seconds(7200)).create().await;
    let created = eventually("it is recorded", async || window.records().first().cloned()).await;
    let account = account(&stage, "nothing", |_| true).await;
    vec![
        state("not-seen", cleaned(&stage, &created.object), "Progressing", "InProgress"),
        state("not-seen", account, "Progressing", "InProgress"),
    ]
}

fn state(name: &'static str, object: Value, argo: &'static str, kstatus: &'static str) -> State {
    State { name, object, argo, kstatus }
}

/// The window as it was stored when it showed this last.
async fn seen(
    stage: &Stage,
    window: &Window,
    what: &str,
    shows: impl Fn(&JobStartStopStatus) -> bool + Send + Sync,
) -> Value {
    window.until(what, &shows).await;
    let records = window.records();
    let of_its_generation = |record: &&Record| record.object.metadata.generation == Some(record.observed());
    let last = records.iter().filter(of_its_generation).rfind(|record| shows(record.status()));
    cleaned(stage, &last.unwrap().object)
}

/// The account `default`, once it shows this.
async fn account(stage: &Stage, what: &str, shows: impl Fn(&LiveAccountStatus) -> bool) -> Value {
    stage.account_shows(what, shows).await;
    let accounts: Api<LiveAccount> = Api::namespaced(stage.plane().client.clone(), &stage.namespace);
    cleaned(stage, &accounts.get("default").await.unwrap())
}

fn holds(status: &LiveAccountStatus, kind: &str) -> bool {
    status.conditions.iter().any(|condition| condition.type_ == kind && condition.status == "True")
}

/// Without what the API server keeps for itself, and with a namespace that a reader can tell from another.
fn cleaned(stage: &Stage, object: &impl serde::Serialize) -> Value {
    let mut object = serde_json::to_value(object).unwrap();
    object["metadata"].as_object_mut().unwrap().remove("managedFields");
    serde_json::from_str(&object.to_string().replace(&stage.namespace, "live")).unwrap()
}

/// Flux waits two minutes, a wave of Argo CD until it is healthy.
pub(crate) async fn case_56_a_window_a_year_ahead_blocks_no_wave() {
    let stage = Stage::open("case-56").await;
    let concert = stage.channel("concert").await;
    let start = in_seconds(YEAR);
    let window = stage.window("concert", &concert).between(start, plus(start, 10_800)).create().await;
    let namespace = format!("--namespace={}", stage.namespace);
    let wait = ["wait", &namespace, "--for=condition=Ready", "--timeout=10s", "jobstartstop/concert"];
    let waited = stage.plane().try_kubectl(wait).await;
    assert!(waited.is_ok(), "a window of next year is not Ready within ten seconds: {waited:?}");
    let planned = seen(&stage, &window, "it is scheduled", ready("True", "Scheduled")).await;

    // Moved in Git to the day after: seen, and as healthy as before.
    let day_after = plus(start, 86_400);
    let times = json!({ "activation": { "time": day_after }, "deactivation": { "time": plus(day_after, 10_800) } });
    window.edit(times).await;
    let moved = seen(&stage, &window, "the edit is seen", ready("True", "Scheduled")).await;
    for verdict in judged(vec![planned, moved]).await {
        assert_eq!((&*verdict.argo.status, &*verdict.kstatus.status), ("Healthy", "Current"), "{verdict:?}");
    }
    concert.was_left_alone().await;
}

/// Times as somebody in Berlin writes them in winter.
fn manifest(name: &str, job: &str, start: Timestamp, stop: Timestamp) -> String {
    let written = |at: Timestamp| at.to_zoned(TimeZone::fixed(offset(1))).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    let (start, stop) = (written(start), written(stop));
    format!(
        "apiVersion: scheduler.bcovlive.io/v1alpha1\nkind: JobStartStop\nmetadata:\n  name: {name}\nspec:\n  \
         jobID: {job}\n  activation:\n    time: {start}\n  deactivation:\n    time: \"{stop}\"\n"
    )
}

const SERVER_SIDE: [&str; 3] = ["--server-side", "--field-manager=argocd-controller", "--filename=-"];

/// kubectl in the stage's namespace, with a manifest to read.
async fn kubectl(stage: &Stage, verb: &'static str, more: &[&'static str], manifest: &str) -> Output {
    let kubectl = stage.plane().control().kubectl().clone();
    let namespace = format!("--namespace={}", stage.namespace);
    let args: Vec<String> = [verb, &namespace].iter().chain(more).map(|&arg| arg.to_owned()).collect();
    let manifest = manifest.to_owned();
    blocking(move || kubectl.run_with_input(args, &manifest).unwrap()).await
}

/// The object as the API server tells it.
async fn stored(stage: &Stage, name: &str) -> (String, Value) {
    let path = format!("/apis/scheduler.bcovlive.io/v1alpha1/namespaces/{}/jobstartstops", stage.namespace);
    let request = Request::new(path).get(name, &GetParams::default()).unwrap();
    let text = stage.plane().client.request_text(request).await.unwrap();
    let object = serde_json::from_str(&text).unwrap();
    (text, object)
}

/// What must not change: the bytes of the spec, its generation, and who has written which fields of it, when.
async fn spec_and_its_owners(stage: &Stage, name: &str) -> (String, i64, Vec<Value>) {
    let (text, object) = stored(stage, name).await;
    let (_, from) = text.split_once(r#","spec":"#).unwrap();
    let (spec, _) = from.split_once(r#","status":"#).unwrap();
    let metadata = &object["metadata"];
    let entries = metadata["managedFields"].as_array().unwrap().iter();
    let of_the_spec = entries.filter(|entry| entry["fieldsV1"].get("f:spec").is_some());
    (spec.to_owned(), metadata["generation"].as_i64().unwrap(), of_the_spec.cloned().collect())
}

const NAMES: [&str; 2] = ["by-argo", "by-kubectl"];

async fn specs_and_their_owners(stage: &Stage) -> [(String, i64, Vec<Value>); 2] {
    [spec_and_its_owners(stage, NAMES[0]).await, spec_and_its_owners(stage, NAMES[1]).await]
}

async fn versions(stage: &Stage) -> [Value; 2] {
    let version = async |name| stored(stage, name).await.1["metadata"]["resourceVersion"].clone();
    [version(NAMES[0]).await, version(NAMES[1]).await]
}

pub(crate) async fn the_spec_stays_the_same_bytes_through_a_whole_life() {
    let stage = Stage::open("spec").await;
    let (news, gala) = (stage.channel("news").await, stage.channel("gala").await);
    let (start, stop) = (in_seconds(10), in_seconds(22));
    let by_argo = manifest(NAMES[0], &news.id, start, stop);
    let by_kubectl = manifest(NAMES[1], &gala.id, start, stop);
    kubectl(&stage, "apply", &SERVER_SIDE, &by_argo).await.ok().unwrap();
    kubectl(&stage, "apply", &["--filename=-"], &by_kubectl).await.ok().unwrap();
    let applied = specs_and_their_owners(&stage).await;
    for (spec, generation, owners) in &applied {
        assert!(spec.contains("+01:00"), "as it was written: {spec}");
        assert_eq!((*generation, owners.len()), (1, 1), "{owners:?}");
    }

    for reached in ["Pending", "Active", "Finished"] {
        for name in NAMES {
            shows(&stage, name, "/phase", reached).await;
        }
        // Meanwhile the tools apply it again, as they do every few minutes.
        kubectl(&stage, "apply", &SERVER_SIDE, &by_argo).await.ok().unwrap();
        kubectl(&stage, "apply", &["--filename=-"], &by_kubectl).await.ok().unwrap();
        assert_eq!(specs_and_their_owners(&stage).await, applied, "{reached}");
    }

    // When all is settled nothing is left to be written, and nothing to be told apart from Git.
    for name in NAMES {
        eventually("the finalizer is gone", async || {
            stored(&stage, name).await.1["metadata"]["finalizers"].is_null().then_some(())
        })
        .await;
    }
    let before = versions(&stage).await;
    kubectl(&stage, "apply", &SERVER_SIDE, &by_argo).await.ok().unwrap();
    let told = kubectl(&stage, "apply", &["--filename=-"], &by_kubectl).await.ok().unwrap();
    assert!(told.contains("unchanged"), "{told}");
    assert_eq!(versions(&stage).await, before, "nothing was written");
    let difference = kubectl(&stage, "diff", &SERVER_SIDE, &by_argo).await;
    assert_eq!((difference.code, &*difference.stdout), (Some(0), ""), "{}", difference.stderr);
    news.was_called(1, 1).await;
    gala.was_called(1, 1).await;
}

/// The API server's own word on what those folders hold of ours.
pub(crate) async fn windows_and_accounts_of_the_gitops_examples_are_accepted() {
    let plane = annex().await;
    for folder in ["examples/argocd/windows", "examples/flux/windows"] {
        let manifests = manifests(&repository(folder));
        assert!(manifests.len() >= 2, "{folder}: {manifests:?}");
        for path in manifests {
            let file = format!("--filename={}", path.display());
            let told = plane.try_kubectl(["apply", "--dry-run=server", "--namespace=live", &file]).await;
            assert!(told.is_ok(), "{}: {told:?}", path.display());
        }
    }
}
