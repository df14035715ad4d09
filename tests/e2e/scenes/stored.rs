//! Objects as they were stored by this version and by others, under the definitions of today.

use std::collections::BTreeSet;
use std::path::PathBuf;

use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use crate::harness::{
    Stage, eventually, in_seconds, install_definitions, on_air, phase, ready, registered, repository, shows,
};

use super::strange::lawless;

const NAMESPACE: &str = "default";

/// Each breaks a rule in its own way.
fn wrong() -> Vec<(String, Value)> {
    let window = |change: &dyn Fn(&mut Value)| {
        let mut spec = json!({
            "jobID": "a",
            "activation": { "time": "2026-12-02T13:00:00Z" },
            "deactivation": { "time": "2026-12-02T15:00:00Z" },
        });
        change(&mut spec);
        json!({ "kind": "JobStartStop", "spec": spec })
    };
    let account = |change: &dyn Fn(&mut Value)| {
        let mut spec = json!({ "apiKeySecretRef": { "name": "bcov-live" } });
        change(&mut spec);
        json!({ "kind": "LiveAccount", "spec": spec })
    };
    let objects: [(&str, Value); 34] = [
        ("start-without-zone", window(&|spec| spec["activation"]["time"] = json!("2026-12-02T13:00:00"))),
        ("start-a-date", window(&|spec| spec["activation"]["time"] = json!("2026-12-02"))),
        ("start-between-seconds", window(&|spec| spec["activation"]["time"] = json!("2026-12-02T13:00:00.5Z"))),
        ("start-long-ago", window(&|spec| spec["activation"]["time"] = json!("1999-12-02T13:00:00Z"))),
        ("start-on-no-day", window(&|spec| spec["activation"]["time"] = json!("2026-02-30T13:00:00Z"))),
        ("start-long", window(&|spec| spec["activation"]["time"] = json!(format!("2026-12-02T13:00:00.{:030}Z", 0)))),
        ("no-start", window(&|spec| spec["activation"] = json!({}))),
        ("nothing-about-a-start", window(&|spec| spec["activation"] = Value::Null)),
        (
            "stop-in-an-offset-of-a-day",
            window(&|spec| spec["deactivation"]["time"] = json!("2026-12-02T15:00:00+24:00")),
        ),
        ("stop-at-the-start", window(&|spec| spec["deactivation"]["time"] = json!("2026-12-02T13:00:00Z"))),
        ("stop-before-the-start", window(&|spec| spec["deactivation"]["time"] = json!("2026-12-02T12:00:00Z"))),
        ("years-long", window(&|spec| spec["deactivation"]["time"] = json!("2062-12-02T15:00:00Z"))),
        ("job-a-path", window(&|spec| spec["jobID"] = json!("a/cancel?x"))),
        ("job-long", window(&|spec| spec["jobID"] = json!("a".repeat(65)))),
        ("no-job", window(&|spec| spec["jobID"] = Value::Null)),
        ("account-no-name", window(&|spec| spec["accountRef"] = json!({ "name": "My Account" }))),
        ("deadline-short", window(&|spec| spec["startingDeadlineSeconds"] = json!(1))),
        ("deadline-a-text", window(&|spec| spec["startingDeadlineSeconds"] = json!("15m"))),
        ("policy-unknown", window(&|spec| spec["deletionPolicy"] = json!("Pause"))),
        ("description-long", window(&|spec| spec["description"] = json!("long ".repeat(200)))),
        ("suspend-a-word", window(&|spec| spec["suspend"] = json!("yes"))),
        ("time-to-live-negative", window(&|spec| spec["ttlSecondsAfterFinished"] = json!(-1))),
        ("executor-unknown", window(&|spec| spec["executor"] = json!("Studio"))),
        ("adopted-a-path", window(&|spec| spec["adoptWorkflowID"] = json!("a/../b"))),
        ("adopted-long", window(&|spec| spec["adoptWorkflowID"] = json!("a".repeat(65)))),
        (
            "adopted-under-operator",
            window(&|spec| {
                spec["adoptWorkflowID"] = json!("a");
                spec["executor"] = json!("Operator");
            }),
        ),
        ("field-unknown", window(&|spec| spec["redundantGroupID"] = json!("a"))),
        ("endpoint-a-path", account(&|spec| spec["endpoint"] = json!("https://api.bcovlive.io/v1/"))),
        ("key-no-key", account(&|spec| spec["apiKeySecretRef"]["key"] = json!("a/b"))),
        ("no-secret", account(&|spec| spec["apiKeySecretRef"] = Value::Null)),
        ("lead-long", account(&|spec| spec["defaults"] = json!({ "activationLeadSeconds": 86_400 }))),
        ("limits-negative", account(&|spec| spec["limits"] = json!({ "requestsPerSecond": -1 }))),
        ("quota-above-all", account(&|spec| spec["limits"] = json!({ "pendingActivations": 10_001 }))),
        ("default-executor-unknown", account(&|spec| spec["defaults"] = json!({ "executor": "Studio" }))),
    ];
    objects.into_iter().map(|(name, object)| (name.to_owned(), object)).collect()
}

/// Every object that is kept under tests/fixtures/stored, by version and name.
fn kept() -> Vec<(String, Value)> {
    let read = |path: PathBuf| std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let files = read(repository("tests/fixtures/stored")).filter(|path| path.is_dir()).flat_map(read);
    files
        .map(|path| {
            let version = path.parent().unwrap().file_name().unwrap().to_string_lossy().replace('.', "-");
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (format!("{version}-{name}"), serde_norway::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap())
        })
        .collect()
}

fn api(client: &Client, kind: &str, namespace: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("scheduler.bcovlive.io", "v1alpha1", kind);
    Api::namespaced_with(client.clone(), namespace, &ApiResource::from_gvk(&kind))
}

/// The definitions that were installed last are the ones that the apiserver goes by.
pub(super) async fn rules_hold(client: &Client) {
    let (_, wrong) = wrong().swap_remove(0);
    let trial = PostParams { dry_run: true, ..PostParams::default() };
    eventually("the rules hold", async || {
        let object = named("trial", &wrong);
        api(client, "JobStartStop", NAMESPACE).create(&trial, &object).await.err().map(|error| error.to_string())
    })
    .await;
}

fn named(name: &str, object: &Value) -> DynamicObject {
    let finalizers = object["metadata"]["finalizers"].clone();
    let finalizers = if finalizers.is_null() { json!(["scheduler.bcovlive.io/stop"]) } else { finalizers };
    let mut object = object.clone();
    object["apiVersion"] = json!("scheduler.bcovlive.io/v1alpha1");
    object["metadata"] = json!({ "name": name, "finalizers": finalizers });
    serde_json::from_value(object).unwrap()
}

/// Stored when anything could be, status and all.
async fn store(client: &Client, name: &str, object: &Value) {
    let api = api(client, object["kind"].as_str().unwrap(), NAMESPACE);
    let mut stored = api.create(&PostParams::default(), &named(name, object)).await.unwrap();
    if !object["status"].is_null() {
        stored.data["status"] = object["status"].clone();
        let stored = api.replace_status(name, &PostParams::default(), &stored).await.unwrap();
        assert_eq!(stored.data["status"], object["status"], "{name}");
    }
}

/// All that must stay possible with a stored object, ending with its removal.
async fn go_on_with(client: &Client, name: &str, kind: &str) -> kube::Result<()> {
    let api = api(client, kind, NAMESPACE);
    let (params, put) = (PatchParams::default(), PostParams::default());
    api.patch(name, &params, &Patch::Merge(json!({ "metadata": { "labels": { "team": "sport" } } }))).await?;
    let stored = api.get(name).await?;
    api.replace(name, &put, &stored).await?;
    api.patch_status(name, &params, &Patch::Merge(json!({ "status": { "phase": "Checked" } }))).await?;
    let mut stored = api.get(name).await?;
    stored.data["status"]["observedGeneration"] = json!(7);
    api.replace_status(name, &put, &stored).await?;
    api.delete(name, &DeleteParams::default()).await?;
    api.patch_status(name, &params, &Patch::Merge(json!({ "status": { "phase": "Going" } }))).await?;
    assert!(api.get(name).await?.metadata.deletion_timestamp.is_some(), "{name} waits for its finalizer");
    api.patch(name, &params, &Patch::Merge(json!({ "metadata": { "finalizers": null } }))).await?;
    assert!(api.get_opt(name).await?.is_none(), "{name} is gone");
    Ok(())
}

pub(crate) async fn case_66_what_was_stored_under_other_rules_can_be_labelled_updated_and_let_go() {
    let stage = lawless("case-66").await;
    stage.edit_account(json!({ "apiKeySecretRef": { "name": "bcov-live", "key": "apiKey" } })).await;
    let client = stage.plane().client.clone();
    let news = stage.channel("news").await;
    let wrong_today = json!({ "description": "long ".repeat(200), "startingDeadlineSeconds": 5 });
    let (start, stop) = (in_seconds(-60), in_seconds(3600));
    let window = stage.window("news", &news).between(start, stop).with(wrong_today).create().await;
    let objects: Vec<(String, Value)> = wrong().into_iter().chain(kept()).collect();
    for (name, object) in &objects {
        store(&client, name, object).await;
    }
    install_definitions(stage.plane().control().kubectl()).await;
    rules_hold(&client).await;
    let mut stuck = Vec::new();
    for (name, object) in &objects {
        if let Err(error) = go_on_with(&client, name, object["kind"].as_str().unwrap()).await {
            stuck.push(format!("{name}: {error}"));
        }
    }
    assert!(stuck.is_empty(), "{} of {} objects:\n{}", stuck.len(), objects.len(), stuck.join("\n"));

    // And what the operator itself writes is admitted, from its finalizer to its last status.
    window.edit(json!({ "startingDeadlineSeconds": null })).await;
    let _operator = stage.start_operator().await;
    window.until("it is on air", on_air("True", "OnAir")).await;
    window.edit(json!({ "deactivation": { "time": in_seconds(0) } })).await;
    window.reaches("Finished").await;
    news.was_called(1, 1).await;
}

/// Plays a window into each phase. `KEEP_STORED=1` keeps them, as they are stored then, under tests/fixtures/stored for
/// the releases to come.
pub(crate) async fn what_is_stored_today_is_kept_for_later_versions() {
    let stage = Stage::open("kept").await;
    // First: a stop that is refused throughout takes all the requests that there are.
    play_what_is_registered(&stage).await;
    play_every_phase(&stage).await;
    let mut today = BTreeSet::new();
    for kind in ["JobStartStop", "LiveAccount"] {
        for object in api(&stage.plane().client, kind, &stage.namespace).list(&ListParams::default()).await.unwrap() {
            let name = object.name_any();
            let mut object = serde_json::to_value(object).unwrap();
            object["metadata"].as_object_mut().unwrap().remove("managedFields");
            fields(&object, kind, &mut today);
            if std::env::var_os("KEEP_STORED").is_some() {
                let folder = repository(&format!("tests/fixtures/stored/v{}", env!("CARGO_PKG_VERSION")));
                std::fs::create_dir_all(&folder).unwrap();
                let file = folder.join(format!("{}-{name}.yaml", kind.to_lowercase()));
                std::fs::write(file, serde_norway::to_string(&object).unwrap()).unwrap();
            }
        }
    }
    let mut known = BTreeSet::new();
    for (_, object) in kept() {
        fields(&object, object["kind"].as_str().unwrap(), &mut known);
    }
    let new: Vec<&String> = today.difference(&known).collect();
    assert!(
        new.is_empty(),
        "stored today and in no fixture: {new:?}; `KEEP_STORED=1 cargo test --test e2e what_is_stored_today` keeps them"
    );
}

/// The paths of all fields; those of lists are one.
fn fields(value: &Value, path: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                fields(value, &format!("{path}.{name}"), into);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| fields(item, &format!("{path}[]"), into)),
        _ => {
            into.insert(path.to_owned());
        }
    }
}

/// Each window is named after how it ends up.
async fn play_every_phase(stage: &Stage) {
    let (soon, later, hour, two_hours) = (in_seconds(2), in_seconds(8), in_seconds(3600), in_seconds(7200));
    let (on, over, left) = (stage.channel("on").await, stage.channel("over").await, stage.channel("left").await);
    let (held, kept, unknown) = (stage.channel("held").await, stage.channel("kept").await, stage.no_channel("unknown"));
    let event = stage.channel_that_is("event", json!({ "static": false })).await;
    let every_field = json!({
        "accountRef": { "name": "default" },
        "description": "My Wednesday broadcast",
        "startingDeadlineSeconds": 900,
        "deletionPolicy": "Stop",
        "ttlSecondsAfterFinished": 604_800,
        "activation": { "notificationSeconds": 600 },
        "deactivation": { "notificationSeconds": 600 },
        "notificationURL": "https://example.com/live/callbacks",
    });
    // Never sent: its account does not allow http.
    let told = json!({ "notificationURL": "http://example.com/live/callbacks" });

    let window = |name, channel, start, stop| stage.window(name, channel).between(start, stop);
    let pending = window("pending", &over, hour, two_hours).with(every_field).create().await;
    let suspended = window("suspended", &over, hour, two_hours).with(json!({ "suspend": true })).create().await;
    let unready = window("unready", &unknown, hour, two_hours).create().await;
    let active = window("active", &on, soon, hour).with(told).create().await;
    let shared = window("overlapping", &on, soon, two_hours).create().await;
    let finished = window("finished", &over, soon, later).create().await;
    let handed_over = window("handed-over", &kept, soon, later).create().await;
    let heir = window("heir", &kept, soon, hour).create().await;
    let failed = window("failed", &event, soon, later).create().await;
    let missed = window("missed", &over, soon, later).with(json!({ "suspend": true })).create().await;
    let past = window("past", &over, in_seconds(-7200), in_seconds(-3600)).create().await;
    let cancelled = window("cancelled", &over, hour, two_hours).create().await;
    let left_on = window("left-on", &left, soon, hour).create().await;
    held.fault("deactivate", json!({ "effect": "refuse", "status": 500 })).await;
    let going = window("going", &held, soon, hour).create().await;

    cancelled.edit(json!({ "cancel": true })).await;
    left_on.until("it is on air", on_air("True", "OnAir")).await;
    left_on.edit(json!({ "cancel": true })).await;
    going.until("it is on air", on_air("True", "OnAir")).await;
    going.delete().await;

    pending.until("it is scheduled", ready("True", "Scheduled")).await;
    suspended.until("it is suspended", ready("True", "Suspended")).await;
    unready.until("its job is missed", ready("False", "JobNotFound")).await;
    for window in [&active, &shared, &heir] {
        window.until("it is on air", on_air("True", "OnAir")).await;
    }
    for (window, ends) in
        [(&finished, "Finished"), (&handed_over, "Finished"), (&failed, "Failed"), (&missed, "Missed")]
    {
        window.until(ends, phase(ends)).await;
    }
    active.until("it was tried to tell", |status| status.notifications.iter().any(|one| one.attempts > 0)).await;
    for (window, ends) in [(&past, "Missed"), (&cancelled, "Cancelled"), (&left_on, "Cancelled")] {
        window.until(ends, phase(ends)).await;
    }
    going.until("its stop is refused", |status| !status.deactivation.attempted_at.is_empty()).await;
}

/// Windows of the vendor's own scheduler; none of them comes to its start.
async fn play_what_is_registered(stage: &Stage) {
    let limits = json!({ "pendingActivations": 6, "registerAheadDays": 30 });
    stage.edit_account(json!({ "defaults": { "executor": "Operator" }, "limits": limits })).await;
    let (hour, two_hours) = (in_seconds(3600), in_seconds(7200));
    let (three_hours, four_hours) = (in_seconds(10_800), in_seconds(14_400));
    let (own, taken) = (stage.channel("by-the-vendor").await, stage.channel("taken").await);
    taken.somebody_schedules(hour, two_hours, "By hand").await;
    let by_hand = taken.somebody_schedules(three_hours, four_hours, "By hand").await;
    let every_field = json!({
        "description": "My Wednesday broadcast",
        "activation": { "notificationSeconds": 600 },
        "deactivation": { "notificationSeconds": 600 },
        "notificationURL": "https://example.com/live/callbacks",
    });
    let window = |name, channel, start, stop| stage.window(name, channel).by_the_vendor().between(start, stop);
    let delegated = window("registered", &own, hour, two_hours).with(every_field).create().await;
    let withdrawn = window("withdrawn", &own, three_hours, four_hours).create().await;
    let beside = window("beside-another", &taken, hour, two_hours).create().await;
    let adopts = json!({ "adoptWorkflowID": by_hand });
    let adopted = window("adopted", &taken, three_hours, four_hours).with(adopts).create().await;
    for window in [&delegated, &withdrawn, &adopted] {
        window.until("it is registered", registered("True", "Registered")).await;
    }
    beside.until("they conflict", shows("Conflict", "True", "ForeignWorkflow")).await;
    withdrawn.edit(json!({ "cancel": true })).await;
    withdrawn.until("it is cancelled", phase("Cancelled")).await;
    delegated.edit(json!({ "description": "My Thursday broadcast" })).await;
    delegated.until("it differs there", shows("Drifted", "True", "VendorCopyDiffers")).await;
}
