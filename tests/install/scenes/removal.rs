//! Removing it while channels are on air.

use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::json;

use super::{on_air, stage};
use crate::cluster::{Cluster, Ground};
use crate::deployed::Replica;
use crate::harness::{Window, eventually, in_seconds, repository};
use crate::release::{Release, endpoint};

/// Kinds and names of what a release has made and is still there, without the definitions.
async fn left_of(cluster: &Cluster, release: &Release) -> Vec<String> {
    async fn of<K>(cluster: &Cluster, release: &Release) -> Vec<String>
    where
        K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
    {
        let all: Api<K> = Api::all(cluster.plane.client.clone());
        let all = all.list(&ListParams::default()).await.unwrap();
        let ours = all.into_iter().filter(|object| release.made(object.meta()));
        ours.map(|object| format!("{} {}", K::kind(&()), object.name_any())).collect()
    }
    let kinds = [
        of::<Deployment>(cluster, release).await,
        of::<ServiceAccount>(cluster, release).await,
        of::<Role>(cluster, release).await,
        of::<ClusterRole>(cluster, release).await,
        of::<ClusterRoleBinding>(cluster, release).await,
        of::<ValidatingAdmissionPolicy>(cluster, release).await,
    ];
    kinds.concat()
}

async fn definitions(cluster: &Cluster) -> Vec<String> {
    let all: Api<CustomResourceDefinition> = Api::all(cluster.plane.client.clone());
    all.list(&ListParams::default()).await.unwrap().into_iter().map(|definition| definition.name_any()).collect()
}

pub(crate) async fn case_48_uninstalled_on_air_nothing_is_called_and_the_rest_is_let_go_or_goes_on_later() {
    let ground = Ground::without_controllers().await;
    let release = Release::by_the_page(&ground).await;
    let cluster = ground.recorded().await;
    let (stage, other) = (stage(&cluster, "uninstalled").await, stage(&cluster, "installed-again").await);
    let endpoint = json!({ "liveEndpoints": [endpoint(&stage).await] });
    release.set(endpoint.clone()).await;
    let replica = Replica::start(&cluster, &release).await;
    let ((gala, let_go), (news, goes_on)) = (on_air(&stage).await, on_air(&other).await);
    let planned = stage.window("planned", &stage.channel("planned").await);
    let planned = planned.between(in_seconds(3600), in_seconds(7200)).create().await;
    planned.reaches("Pending").await;
    let windows = [&let_go, &goes_on, &planned];
    let before = windows.map(Window::status);
    assert!(!left_of(&cluster, &release).await.is_empty());

    let shell = cluster.shell();
    let on_air = shell.run("on-air").await;
    assert_eq!(on_air.lines().count(), 3, "a head and two windows: {on_air}");
    // Its rights go first; the kubelet asks it to end a moment later.
    shell.run("uninstall").await;
    replica.terminated().await;
    assert_eq!(left_of(&cluster, &release).await, Vec::<String>::new());
    assert_eq!(definitions(&cluster).await.len(), 2, "the definitions stay, and so do the objects");
    assert_eq!(windows.map(Window::status), before, "nothing is cancelled");
    for window in windows {
        let last = window.records().last().unwrap().clone();
        assert!(!last.deleted && last.object.metadata.deletion_timestamp.is_none());
    }
    for channel in [&gala, &news] {
        channel.was_called(1, 0).await;
        assert!(channel.is_on().await);
    }

    // Its rights were gone before it could let the Lease go: until that has run out it may be there.
    let here = format!("namespace {}", stage.namespace);
    eventually("the objects are let go", async || {
        let output = shell.output("let-go", &repository("."), &[("namespace live", &here)]).await;
        let refused = String::from_utf8_lossy(&output.stderr).contains("leads as the operator");
        assert!(output.status.success() || refused, "{output:?}");
        output.status.success().then_some(())
    })
    .await;
    let_go.is_gone().await;
    planned.is_gone().await;
    gala.was_called(1, 0).await;
    assert!(gala.is_on().await, "who lets it go is told so");

    shell.run("chart").await;
    release.set(endpoint).await;
    let _replica = Replica::start(&cluster, &release).await;
    goes_on.edit(json!({ "deactivation": { "time": in_seconds(0) } })).await;
    goes_on.reaches("Finished").await;
    news.was_called(1, 1).await;

    shell.run("definitions").await;
    assert_eq!(definitions(&cluster).await, Vec::<String>::new());
    goes_on.is_gone().await;
    news.was_called(1, 1).await;
}
