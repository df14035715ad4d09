//! Pod security, which is enforced when a Pod is made: here from the Deployment's template, as its controller would.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};

use super::stage;
use crate::cluster::{Cluster, shared};
use crate::release::{Release, example};

async fn made(cluster: &Cluster, release: &Release, pod: &Pod) -> kube::Result<Pod> {
    let pods: Api<Pod> = Api::namespaced(cluster.plane.client.clone(), &release.namespace);
    pods.create(&PostParams::default(), pod).await
}

fn pod_from(deployment: Deployment) -> Pod {
    let template = deployment.spec.template;
    let labels = template.metadata.and_then(|metadata| metadata.labels);
    let metadata = ObjectMeta { generate_name: Some("as-deployed-".to_owned()), labels, ..ObjectMeta::default() };
    Pod { metadata, spec: template.spec, status: None }
}

pub(crate) async fn case_85_its_pods_are_admitted_where_restricted_is_enforced() {
    let cluster = shared().await;
    let stage = stage(cluster, "pods").await;
    let release = Release::for_stage(cluster, &stage, json!({})).await;
    let variants: [(&str, Value); 4] = [
        ("default values", json!({})),
        ("a user that the cluster chooses", example("openshift", &[])),
        ("a user of OpenShift's range", json!({ "runAsUser": 1_000_730_000 })),
        ("the HTTP interface", example("http-interface", &[])),
    ];
    for (what, values) in variants {
        release.set(values).await;
        let pod = pod_from(release.deployment(cluster).await);
        made(cluster, &release, &pod).await.unwrap_or_else(|error| panic!("with {what}: {error}"));
    }

    let mut open = pod_from(release.deployment(cluster).await);
    open.spec.as_mut().unwrap().containers[0].security_context = None;
    let refused = made(cluster, &release, &open).await.unwrap_err().to_string();
    assert!(refused.contains("violates PodSecurity \"restricted"), "the namespace enforces it: {refused}");
}
