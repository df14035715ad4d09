//! Whose requests the API server serves first when it is busy. Its answers name the flow schema and the priority level.

use std::collections::BTreeMap;

use http::{Method, Request};
use k8s_openapi::api::flowcontrol::v1::{FlowSchema, PriorityLevelConfiguration};
use kube::api::ListParams;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use super::stage;
use crate::cluster::{Cluster, shared};
use crate::harness::{blocking, eventually};
use crate::release::{Release, account_of};

/// A client with the token of the release's operator.
async fn as_operator(cluster: &Cluster, release: &Release) -> Client {
    let account = account_of(&release.deployment(cluster).await);
    let (plane, namespace) = (cluster.plane.clone(), release.namespace.clone());
    let path = blocking(move || plane.control().service_account_kubeconfig(&namespace, &account).unwrap()).await;
    let kubeconfig = Kubeconfig::read_from(path).unwrap();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

/// How a request was let in: the uids of flow schema and priority level.
async fn let_in_by(client: &Client, method: &Method, path: &str) -> (String, String) {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let answer = client.send(request).await.unwrap();
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    (header("x-kubernetes-pf-flowschema-uid"), header("x-kubernetes-pf-prioritylevel-uid"))
}

/// The names of priority levels by their uids.
async fn levels(cluster: &Cluster) -> BTreeMap<String, String> {
    let all: Api<PriorityLevelConfiguration> = Api::all(cluster.plane.client.clone());
    let levels = all.list(&ListParams::default()).await.unwrap();
    levels.into_iter().map(|level| (level.uid().unwrap(), level.name_any())).collect()
}

pub(crate) async fn the_lease_and_fresh_reads_are_served_ahead_of_others() {
    let cluster = shared().await;
    let stage = stage(cluster, "priority").await;
    let release = Release::for_stage(cluster, &stage, json!({})).await;
    let client = as_operator(cluster, &release).await;
    let levels = levels(cluster).await;
    let schemas: Api<FlowSchema> = Api::all(cluster.plane.client.clone());
    let schemas = schemas.list(&ListParams::default()).await.unwrap().items;
    let ours =
        |uid: &str| schemas.iter().any(|schema| schema.uid().as_deref() == Some(uid) && release.made(&schema.metadata));

    let leases = format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases/jobstartstop", release.namespace);
    let windows = format!("/apis/scheduler.bcovlive.io/v1alpha1/namespaces/{}/jobstartstops", stage.namespace);
    let of_job = format!("{windows}?fieldSelector=spec.jobID%3Dany");
    let (one, status) = (format!("{windows}/gala"), format!("{windows}/gala/status"));
    for (method, path, expected) in [
        (Method::GET, &leases, "leader-election"),
        (Method::PUT, &leases, "leader-election"),
        (Method::GET, &one, "workload-high"),
        (Method::GET, &of_job, "workload-high"),
        (Method::PUT, &status, "workload-high"),
    ] {
        let what = format!("{method} {path} is served at {expected}");
        eventually(&what, async || {
            let (schema, level) = let_in_by(&client, &method, path).await;
            (ours(&schema) && levels[&level] == expected).then_some(())
        })
        .await;
    }
    let secrets = format!("/api/v1/namespaces/{}/secrets/bcov-live", stage.namespace);
    let (schema, level) = let_in_by(&client, &Method::GET, &secrets).await;
    assert!(!ours(&schema) && levels[&level] == "workload-low", "all else is served as others' requests are");
    let admin = &cluster.plane.client;
    assert!(!ours(&let_in_by(admin, &Method::GET, &one).await.0), "and others are not served as the operator is");
}
