//! What is on air is protected from being deleted.

use jobstartstop::api::JobStartStop;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::modes::whole_cluster;
use super::{on_air, stage};
use crate::cluster::shared;
use crate::deployed::Replica;
use crate::harness::{Channel, Stage, Window, eventually, in_seconds};
use crate::release::Release;

const LABEL: &str = "scheduler.bcovlive.io/allow-deletion=on-air";

/// kubectl's words when it is refused.
async fn refused(stage: &Stage, args: &[&str]) -> String {
    let namespace = format!("--namespace={}", stage.namespace);
    let said = stage.plane().try_kubectl(args.iter().copied().chain([&*namespace])).await;
    said.expect_err(&format!("{args:?} is to be refused")).to_string()
}

/// A window on air whose deletion is refused: the API server learns of the policy by watching.
async fn protected(stage: &Stage) -> (Channel, Window) {
    let (gala, window) = on_air(stage).await;
    let windows: Api<JobStartStop> = Api::namespaced(stage.plane().client.clone(), &stage.namespace);
    let attempt = DeleteParams { dry_run: true, ..DeleteParams::default() };
    eventually("the policy is in force", async || windows.delete(&window.name, &attempt).await.err()).await;
    (gala, window)
}

fn stands(window: &Window) -> bool {
    let last = window.records().last().unwrap().clone();
    !last.deleted && last.object.metadata.deletion_timestamp.is_none()
}

pub(crate) async fn case_50_on_air_a_deletion_is_refused_with_what_to_do_instead() {
    let cluster = shared().await;
    let stage = stage(cluster, "protected").await;
    let release = Release::for_stage(cluster, &stage, json!({})).await;
    let _replica = Replica::start(cluster, &release).await;
    let (gala, window) = protected(&stage).await;
    let other = stage.window("other", &stage.channel("other").await).between(in_seconds(3600), in_seconds(7200));
    let other = other.create().await;
    other.reaches("Pending").await;

    let label = format!("kubectl label jobstartstop gala --namespace {} {LABEL}", stage.namespace);
    for how in [&["delete", "jss/gala"][..], &["delete", "jss/gala", "--force", "--grace-period=0"]] {
        let words = refused(&stage, how).await;
        for part in ["gala", "on air", &label] {
            assert!(words.contains(part), "{part:?} is not said: {words}");
        }
    }
    refused(&stage, &["delete", "jss", "--all", "--wait=false"]).await;
    other.is_gone().await;
    assert!(stands(&window));
    gala.was_called(1, 0).await;

    let command: Vec<&str> = label.split(' ').skip(1).collect();
    stage.plane().kubectl(command).await;
    window.delete().await;
    window.is_gone().await;
    gala.was_called(1, 1).await;
}

pub(crate) async fn case_50_before_its_start_and_after_its_end_a_window_can_be_deleted() {
    let cluster = shared().await;
    let stage = stage(cluster, "not-on-air").await;
    let release = Release::for_stage(cluster, &stage, json!({})).await;
    let _replica = Replica::start(cluster, &release).await;
    let (gala, window) = protected(&stage).await;
    let later = stage.window("later", &stage.channel("later").await);
    let later = later.between(in_seconds(3600), in_seconds(7200)).create().await;
    later.reaches("Pending").await;
    later.delete().await;
    later.is_gone().await;
    window.edit(json!({ "deactivation": { "time": in_seconds(0) } })).await;
    window.reaches("Finished").await;
    window.delete().await;
    window.is_gone().await;
    gala.was_called(1, 1).await;
}

/// `kubectl replace --force`, and tools that answer a refused edit in this way.
pub(crate) async fn case_50_a_replacement_by_force_is_refused_and_changes_nothing() {
    let cluster = shared().await;
    let stage = stage(cluster, "replaced").await;
    let release = Release::for_stage(cluster, &stage, json!({})).await;
    let _replica = Replica::start(cluster, &release).await;
    let (gala, window) = protected(&stage).await;
    let file = cluster.path("replacement").display().to_string();
    let replacement = json!({
        "apiVersion": "scheduler.bcovlive.io/v1alpha1",
        "kind": "JobStartStop",
        "metadata": { "name": "gala" },
        "spec": {
            "jobID": gala.id,
            "activation": { "time": in_seconds(3600) },
            "deactivation": { "time": in_seconds(7200) },
        },
    });
    std::fs::write(&file, replacement.to_string()).unwrap();
    let words = refused(&stage, &["replace", "--force", "--filename", &file]).await;
    assert!(words.contains("on air"), "{words}");
    assert!(stands(&window));
    gala.was_called(1, 0).await;
    assert!(gala.is_on().await);
}

/// The namespace controller and the garbage collector cannot be argued with: what they delete is switched off and goes.
pub(crate) async fn case_50_a_deleted_namespace_and_a_deleted_owner_take_what_is_on_air_along() {
    let cluster = &whole_cluster().await.cluster;
    let (owned, whole) = (stage(cluster, "owned").await, stage(cluster, "whole").await);
    let (one, window) = protected(&owned).await;
    let client = cluster.plane.client.clone();
    let seasons: Api<ConfigMap> = Api::namespaced(client.clone(), &owned.namespace);
    let season: ConfigMap = serde_json::from_value(json!({ "metadata": { "name": "season" } })).unwrap();
    let season = seasons.create(&PostParams::default(), &season).await.unwrap();
    let reference = json!({ "apiVersion": "v1", "kind": "ConfigMap", "name": "season", "uid": season.uid() });
    let windows: Api<JobStartStop> = Api::namespaced(client.clone(), &owned.namespace);
    let patch: Value = json!({ "metadata": { "ownerReferences": [reference] } });
    windows.patch(&window.name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    seasons.delete("season", &DeleteParams::background()).await.unwrap();
    window.is_gone().await;
    one.was_called(1, 1).await;

    let (other, window) = protected(&whole).await;
    let namespaces: Api<Namespace> = Api::all(client);
    namespaces.delete(&whole.namespace, &DeleteParams::default()).await.unwrap();
    window.is_gone().await;
    other.was_called(1, 1).await;
    let gone = async || namespaces.get_opt(&whole.namespace).await.unwrap().is_none().then_some(());
    eventually("the namespace is gone", gone).await;
}
