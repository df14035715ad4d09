//! From one version of the charts to the next and back.

use serde_json::{Value, json};

use super::{on_air, stage};
use crate::cluster::{Ground, adopted};
use crate::deployed::Replica;
use crate::harness::{Stage, eventually, in_seconds};
use crate::release::{Release, endpoint, next_charts};

const FIELD: &str = "fieldOfTheNextVersion";

/// Whether the API server stores the field of the next version; what no definition has it drops.
async fn keeps_the_field(stage: &Stage, name: &str) -> bool {
    let namespace = format!("--namespace={}", stage.namespace);
    let edit = format!("--patch={{\"spec\": {{\"{FIELD}\": \"kept\"}}}}");
    stage.plane().kubectl(["patch", "jss", name, &namespace, "--type=merge", &edit]).await;
    let path = format!("--output=jsonpath={{.spec.{FIELD}}}");
    stage.plane().kubectl(["get", "jss", name, &namespace, &path]).await == "kept"
}

pub(crate) async fn case_65_an_upgrade_brings_the_next_definitions_and_neither_it_nor_a_rollback_cuts_a_stream() {
    let ground = Ground::without_controllers().await;
    let release = Release::by_the_page(&ground).await;
    let cluster = ground.recorded().await;
    let stage = stage(&cluster, "upgraded").await;
    release.set(json!({ "liveEndpoints": [endpoint(&stage).await] })).await;
    let replica = Replica::start(&cluster, &release).await;
    let (gala, window) = on_air(&stage).await;
    let planned = stage.window("planned", &stage.channel("planned").await);
    let planned = planned.between(in_seconds(3600), in_seconds(7200)).create().await;
    assert!(!keeps_the_field(&stage, "planned").await);

    // The definitions come with the chart; the Deployment replaces its Pods one after another.
    let (shell, next) = (cluster.shell(), cluster.path("next"));
    next_charts(&next, "99.0.0", FIELD);
    shell.run_with("upgrade", &next, &[]).await;
    let newer = Replica::start(&cluster, &release).await;
    replica.terminated().await;
    eventually("the next version's field is stored", async || keeps_the_field(&stage, "planned").await.then_some(()))
        .await;

    shell.run("roll-back").await;
    let older = Replica::start(&cluster, &release).await;
    newer.terminated().await;
    eventually("that field is not stored any more", async || (!keeps_the_field(&stage, "planned").await).then_some(()))
        .await;

    // The definitions leave the release, and stay where they are.
    shell.run("apart").await;
    let listed = stage.plane().kubectl(["get", "crd", "--output=name"]).await;
    assert_eq!(listed.matches("scheduler.bcovlive.io").count(), 2, "{listed}");
    for object in [&window, &planned] {
        let last = object.records().last().unwrap().clone();
        assert!(!last.deleted && last.object.metadata.deletion_timestamp.is_none(), "{}", object.name);
    }
    gala.was_called(1, 0).await;
    assert!(gala.is_on().await);
    older.was_refused_nothing(&stage);

    window.edit(json!({ "deactivation": { "time": in_seconds(0) } })).await;
    window.reaches("Finished").await;
    gala.was_called(1, 1).await;
}

pub(crate) async fn case_65_definitions_that_kubectl_installed_are_adopted_with_their_objects() {
    let (_, adoption) = adopted().await;
    assert!(adoption.refusal.contains("invalid ownership metadata"), "{}", adoption.refusal);
    assert_eq!(adoption.after, adoption.before, "what is stored is left as it is");
    assert_eq!(adoption.definitions.len(), 2);
    for definition in &adoption.definitions {
        let annotation = |key: &str| definition["metadata"]["annotations"][key].clone();
        assert_eq!(annotation("meta.helm.sh/release-name"), Value::from("jobstartstop-crds"));
        assert_eq!(annotation("helm.sh/resource-policy"), Value::from("keep"));
    }
}
