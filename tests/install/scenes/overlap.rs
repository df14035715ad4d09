//! Two installations that serve the same namespace, which nobody meant.

use serde_json::json;

use super::stage;
use crate::cluster::shared;
use crate::deployed::Replica;
use crate::harness::{Watched, eventually, in_seconds};
use crate::release::Release;

pub(crate) async fn two_installations_over_one_namespace_say_so() {
    let cluster = shared().await;
    let stage = stage(cluster, "overlap").await;
    let (first, second) =
        (Release::for_stage(cluster, &stage, json!({})).await, Release::for_stage(cluster, &stage, json!({})).await);
    let replicas = [Replica::start(cluster, &first).await, Replica::start(cluster, &second).await];
    eventually("an event tells before there is any window", async || {
        let fields = "reason=OtherInstallation,regarding.kind=LiveAccount";
        let list = ["get", "events.events.k8s.io", "--namespace", &stage.namespace, "--field-selector", fields];
        let notes = cluster.plane.kubectl(list.into_iter().chain(["--output", "jsonpath={.items[*].note}"])).await;
        [&first, &second].iter().any(|release| notes.contains(&release.namespace)).then_some(())
    })
    .await;

    let gala = stage.channel("gala").await;
    let window = stage.window("gala", &gala).between(in_seconds(4), in_seconds(600)).create().await;
    eventually("an event tells", async || {
        window.events().await.into_iter().find(|event| event.reason.as_deref() == Some("OtherInstallation"))
    })
    .await;
    window.reaches("Active").await;
    gala.was_called(1, 0).await;

    let mut served = 0.0;
    let mut told = Vec::new();
    for (replica, other) in replicas.iter().zip([&second, &first]) {
        served += replica.operator.scrape().await.value("jobstartstop_accounts_served_elsewhere");
        let claimed = replica.operator.scrape().await.value("jobstartstop_starts_claimed_elsewhere_total");
        if claimed > 0.5 {
            let log = replica.log();
            let line = log.lines().find(|line| line.contains("two installations serve this window")).unwrap_or(&log);
            assert!(line.contains(&other.namespace), "the log names the other's Lease: {line}");
            told.push(claimed);
        }
    }
    assert!(!told.is_empty(), "a metric tells of claims");
    assert!(served > 0.5, "a metric tells of accounts");
}
