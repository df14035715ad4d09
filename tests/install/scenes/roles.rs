//! People with the roles that every cluster has: `view`, `edit` and `admin` reach what the charts bring.

use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;

use super::stage;
use crate::cluster::{Cluster, shared};
use crate::release::Release;
use crate::rights::Rights;

const READ: &[&str] = &["get", "list", "watch"];
const WRITE: &[&str] = &["create", "update", "patch", "delete"];
const WINDOWS: &str = "jobstartstops.scheduler.bcovlive.io";
const ACCOUNTS: &str = "liveaccounts.scheduler.bcovlive.io";

/// Somebody with that role in the namespace.
async fn person<'a>(cluster: &'a Cluster, role: &str, namespace: &str) -> Rights<'a> {
    let name = format!("{role}-in-{namespace}");
    let binding: RoleBinding = serde_json::from_value(json!({
        "metadata": { "name": name },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name }],
    }))
    .unwrap();
    let bindings: Api<RoleBinding> = Api::namespaced(cluster.plane.client.clone(), namespace);
    bindings.create(&PostParams::default(), &binding).await.unwrap();
    Rights::of_person(cluster, &name)
}

pub(crate) async fn the_built_in_roles_reach_windows_and_accounts() {
    let cluster = shared().await;
    let (stage, other) = (stage(cluster, "roles").await, stage(cluster, "other").await);
    Release::for_stage(cluster, &stage, json!({})).await;
    let here = Some(&*stage.namespace);
    let viewer = person(cluster, "view", &stage.namespace).await;
    let editor = person(cluster, "edit", &stage.namespace).await;
    let admin = person(cluster, "admin", &stage.namespace).await;

    for who in [&viewer, &editor, &admin] {
        who.include(&[(WINDOWS, READ), (ACCOUNTS, READ)], here).await;
        let elsewhere = [(WINDOWS, READ), (WINDOWS, WRITE), (ACCOUNTS, READ), (ACCOUNTS, WRITE)];
        who.exclude(&elsewhere, Some(&other.namespace)).await;
        who.exclude(&elsewhere, None).await;
        // Statuses are the operator's word.
        let statuses = ["jobstartstops.scheduler.bcovlive.io/status", "liveaccounts.scheduler.bcovlive.io/status"];
        who.exclude(&statuses.map(|status| (status, WRITE)), here).await;
    }
    editor.include(&[(WINDOWS, WRITE)], here).await;
    admin.include(&[(WINDOWS, WRITE), (ACCOUNTS, WRITE)], here).await;
    viewer.exclude(&[(WINDOWS, WRITE), (ACCOUNTS, WRITE), ("secrets", READ)], here).await;
}
