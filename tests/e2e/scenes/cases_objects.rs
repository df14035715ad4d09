//! docs/cases.md, about objects as they are written, stored and kept.

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Stage, blocking, in_seconds, install_definitions, on_air, plus, ready};

use super::stored::rules_hold;
use super::strange::{lawless, shows};

/// No rule of today, no clock and no missing account keeps an object that is being deleted.
pub(crate) async fn case_45_what_breaks_todays_rules_is_switched_off_and_let_go_when_it_is_deleted() {
    let stage = lawless("case-45").await;
    stage.edit_account(json!({ "apiKeySecretRef": { "name": "bcov-live", "key": "apiKey" } })).await;
    let _operator = stage.start_operator().await;
    let (news, gala, cinema) =
        (stage.channel("news").await, stage.channel("gala").await, stage.channel("cinema").await);
    let wrong = json!({ "description": "long ".repeat(200), "startingDeadlineSeconds": 5 });
    let (soon, in_an_hour, in_two_years) = (in_seconds(1), in_seconds(3600), in_seconds(2 * 366 * 86_400));
    let on = stage.window("on", &news).between(soon, in_two_years).with(wrong.clone()).create().await;
    let ahead = stage.window("ahead", &gala).between(in_an_hour, in_two_years).with(wrong.clone()).create().await;
    let lost = json!({ "accountRef": { "name": "no-such-account" } });
    let lost = stage.window("lost", &cinema).between(in_an_hour, in_two_years).with(wrong).with(lost).create().await;
    on.until("it is on air", on_air("True", "OnAir")).await;
    ahead.until("it is scheduled", ready("True", "Scheduled")).await;
    lost.until("its account is missed", ready("False", "AccountNotFound")).await;

    let plane = stage.plane();
    install_definitions(plane.control().kubectl()).await;
    rules_hold(&plane.client).await;
    for window in [&on, &ahead, &lost] {
        window.delete().await;
    }
    for window in [&on, &ahead, &lost] {
        window.is_gone().await;
    }
    news.was_called(1, 1).await;
    assert!(!news.is_on().await);
    gala.was_left_alone().await;
    cinema.was_left_alone().await;
}

fn manifest(name: &str, job: &str, start: &str, stop: &str) -> String {
    format!(
        "apiVersion: scheduler.bcovlive.io/v1alpha1\nkind: JobStartStop\nmetadata:\n  name: {name}\nspec:\n  \
         jobID: {job}\n  activation:\n    time: {start}\n  deactivation:\n    time: {stop}\n"
    )
}

pub(crate) async fn case_63_quoted_or_not_a_time_is_the_same_object_with_kubectl_and_with_kustomize() {
    const SPELLINGS: [(&str, &str, &str); 3] = [
        ("plain", "2026-12-02T14:00:00+01:00", "2026-12-02T15:00:00Z"),
        ("quoted", r#""2026-12-02T14:00:00+01:00""#, r#""2026-12-02T15:00:00Z""#),
        ("single", "'2026-12-02T14:00:00+01:00'", "'2026-12-02T15:00:00Z'"),
    ];
    let stage = Stage::open("case-63").await;
    let channel = stage.channel("news").await;
    let folder = tempfile::tempdir().unwrap();
    let mut resources = Vec::new();
    for (name, start, stop) in SPELLINGS {
        let manifest = manifest(name, &channel.id, start, stop);
        std::fs::write(folder.path().join(format!("{name}.yaml")), &manifest).unwrap();
        resources.push(format!("{name}.yaml"));
        stage.plane().apply(&stage.namespace, manifest).await.unwrap();
    }
    // The patch itself is unquoted too.
    let patch = "apiVersion: scheduler.bcovlive.io/v1alpha1\nkind: JobStartStop\nmetadata: {name: any}\nspec:\n  \
                 activation: {time: 2026-12-02T14:00:00+01:00}\n";
    let kustomization = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": stage.namespace,
        "namePrefix": "kustomized-",
        "resources": resources,
        "patches": [{ "target": { "kind": "JobStartStop", "name": "single" }, "patch": patch }],
    });
    kustomize(&stage, folder.path(), &kustomization).await.unwrap();

    let specs = specs(&stage).await;
    assert_eq!(specs.len(), 6);
    let times = json!(["2026-12-02T14:00:00+01:00", "2026-12-02T15:00:00Z"]);
    for spec in &specs {
        assert_eq!(json!([spec["activation"]["time"], spec["deactivation"]["time"]]), times);
        assert_eq!(spec, &specs[0]);
    }
    for name in resources.iter().map(|resource| resource.trim_end_matches(".yaml")) {
        for name in [name.to_owned(), format!("kustomized-{name}")] {
            shows(&stage, &name, "/activation/timeUTC", 1_796_216_400).await;
            shows(&stage, &name, "/deactivation/timeUTC", 1_796_223_600).await;
        }
    }
}

/// Kustomize itself makes midnight UTC of an unquoted date, which nobody can refuse any more: README says to quote.
pub(crate) async fn case_63_a_bare_date_and_a_time_without_zone_are_refused_quoted_or_not() {
    const NO_TIME: &str = "must be a date and a time to the second with an offset from UTC";
    const NO_OFFSET: &str = "has no offset from UTC";
    let stage = Stage::open("case-63-refused").await;
    let folder = tempfile::tempdir().unwrap();
    for (time, sentence, as_it_is_through_kustomize) in [
        ("2026-12-02", NO_TIME, false),
        ("'2026-12-02'", NO_TIME, true),
        ("2026-12-02 14:00:00", NO_TIME, false),
        ("'2026-12-02 14:00:00'", NO_TIME, true),
        ("2026-12-02T14:00:00", NO_OFFSET, true),
        ("'2026-12-02T14:00:00'", NO_OFFSET, true),
        ("1796216400", "must be of type string", true),
        ("'1796216400'", NO_TIME, true),
    ] {
        let manifest = manifest("wrong", "a", time, "2026-12-02T15:00:00Z");
        std::fs::write(folder.path().join("wrong.yaml"), &manifest).unwrap();
        let kustomization = json!({ "namespace": stage.namespace, "resources": ["wrong.yaml"] });
        let mut tried = vec![stage.plane().apply(&stage.namespace, manifest).await];
        if as_it_is_through_kustomize {
            tried.push(kustomize(&stage, folder.path(), &kustomization).await);
        }
        for answer in tried {
            let refusal = answer.expect_err(time).to_string();
            assert!(refusal.contains("spec.activation.time") && refusal.contains(sentence), "{time}: {refusal}");
        }
    }
    assert!(specs(&stage).await.is_empty());
    let right = manifest("right", "a", "2026-12-02T14:00:00+01:00", "2026-12-02T15:00:00Z");
    stage.plane().apply(&stage.namespace, right).await.unwrap();
    shows(&stage, "right", "/activation/time", "2026-12-02T13:00:00Z").await;
}

/// `kubectl apply -k`, which is what Flux does, too.
async fn kustomize(stage: &Stage, folder: &Path, kustomization: &Value) -> testbed::Result<String> {
    std::fs::write(folder.join("kustomization.yaml"), kustomization.to_string()).unwrap();
    let (kubectl, folder) = (stage.plane().control().kubectl().clone(), folder.to_owned());
    blocking(move || kubectl.ok([Path::new("apply"), Path::new("-k"), &folder])).await
}

async fn specs(stage: &Stage) -> Vec<Value> {
    let namespace = format!("--namespace={}", stage.namespace);
    let listed = stage.plane().kubectl(["get", "jss", &namespace, "--output=json"]).await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    listed["items"].as_array().unwrap().iter().map(|object| object["spec"].clone()).collect()
}

/// With the rights of examples/operator-rbac.yaml.
pub(crate) async fn a_finished_window_goes_when_its_time_to_live_has_passed_and_its_neighbour_stays() {
    let stage = Stage::open("ttl").await;
    let (news, gala) = (stage.channel("news").await, stage.channel("gala").await);
    let (start, stop) = (in_seconds(1), in_seconds(3));
    let ttl = json!({ "ttlSecondsAfterFinished": 3 });
    let window = stage.window("news", &news).between(start, stop).with(ttl).create().await;
    let neighbour = stage.window("gala", &gala).between(start, stop).create().await;
    let finished = window.reaches("Finished").await;
    let gone = window.is_gone().await;
    let due = plus(finished.finished_at.parse().unwrap(), 3);
    assert!(gone.at >= due, "gone at {}, due at {due}", gone.at);
    assert!(gone.object.metadata.finalizers.is_none(), "nothing stood in its way");
    neighbour.reaches("Finished").await;
    assert!(neighbour.records().last().is_some_and(|record| !record.deleted));
    news.was_called(1, 1).await;
}
