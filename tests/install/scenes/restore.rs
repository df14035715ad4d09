//! What docs/backup.md has to say of a cluster that was lost.

use jobstartstop::api::JobStartStop;
use kube::Api;
use serde_json::{Value, json};

use super::{on_air, stage};
use crate::cluster::shared;
use crate::deployed::Replica;
use crate::harness::{Stage, eventually, in_seconds};
use crate::release::Release;

/// Everything of the stage goes, as with its cluster, and nobody is left who would switch a channel off for it.
async fn lost(stage: &Stage) {
    let here = format!("--namespace={}", stage.namespace);
    let plane = stage.plane();
    for kind in ["jobstartstops", "liveaccounts"] {
        plane.kubectl(["label", kind, "--all", "scheduler.bcovlive.io/allow-deletion=on-air", &here]).await;
        let names = plane.kubectl(["get", kind, "--output=name", &here]).await;
        for name in names.lines() {
            let none = r#"{"metadata":{"finalizers":null}}"#;
            plane.kubectl(["patch", name, "--type=merge", "--patch", none, &here]).await;
        }
        plane.kubectl(["delete", kind, "--all", "--timeout=30s", &here]).await;
    }
}

async fn start_of(stage: &Stage, name: &str) -> (String, String) {
    let windows: Api<JobStartStop> = Api::namespaced(stage.plane().client.clone(), &stage.namespace);
    let status = windows.get(name).await.unwrap().status.unwrap_or_default();
    (status.phase, status.activation.reason)
}

pub(crate) async fn plans_that_were_exported_are_restored_and_nothing_is_started_twice_or_left_on() {
    let cluster = shared().await;
    let stage = stage(cluster, "restored").await;
    let release = Release::for_stage(cluster, &stage, json!({})).await;
    let replica = Replica::start(cluster, &release).await;
    let (gala, on) = on_air(&stage).await;
    let (past, ahead) = (stage.channel("past").await, stage.channel("ahead").await);
    let over = stage.window("past", &past).between(in_seconds(1), in_seconds(4)).create().await;
    stage.window("ahead", &ahead).between(in_seconds(3600), in_seconds(7200)).create().await;
    over.reaches("Finished").await;
    past.was_called(1, 1).await;

    let folder = cluster.path("backup");
    std::fs::create_dir(&folder).unwrap();
    let here = format!("--namespace {}", stage.namespace);
    let names =
        [("--all-namespaces", &*here), ("--namespace jobstartstop", &format!("--namespace {}", release.namespace))];
    let shell = cluster.shell();
    shell.run_with("export", &folder, &names).await;
    replica.terminated().await;
    lost(&stage).await;
    let listed = shell.run_with("restore", &folder, &names).await;
    for name in ["gala", "past", "ahead"] {
        assert!(listed.contains(name), "{listed}");
    }
    assert_eq!(release.deployment(cluster).await.spec.replicas, Some(0));
    shell.run_with("go-on", &folder, &names).await;
    assert_eq!(release.deployment(cluster).await.spec.replicas, Some(2));

    let _replica = Replica::start(cluster, &release).await;
    for (name, phase, reason) in
        [("gala", "Active", "AlreadyOnAir"), ("past", "Missed", "WindowPast"), ("ahead", "Pending", "")]
    {
        let wanted = (phase.to_owned(), reason.to_owned());
        eventually(&format!("{name} is {phase}"), async || (start_of(&stage, name).await == wanted).then_some(()))
            .await;
    }
    for (channel, starts, stops) in [(&gala, 1, 0), (&past, 1, 1), (&ahead, 0, 0)] {
        channel.was_called(starts, stops).await;
    }
    let end: Value = json!({ "spec": { "deactivation": { "time": in_seconds(0) } } });
    let (patch, here) = (end.to_string(), format!("--namespace={}", stage.namespace));
    stage.plane().kubectl(["patch", "jobstartstop", &on.name, "--type=merge", "--patch", &patch, &here]).await;
    eventually("it is switched off", async || (!gala.is_on().await).then_some(())).await;
    gala.was_called(1, 1).await;
}
