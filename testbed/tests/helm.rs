//! The real helm, apart from the person's own.

// The lint's exception for tests does not reach the functions that they share.
#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

use testbed::{Helm, Run};

/// A chart that makes one object.
fn chart(folder: &Path) {
    fs::create_dir_all(folder.join("templates")).unwrap();
    fs::write(folder.join("Chart.yaml"), "{apiVersion: v2, name: small, version: 1.0.0}").unwrap();
    let template = "{apiVersion: v1, kind: ConfigMap, metadata: {name: '{{ .Release.Name }}'}}";
    fs::write(folder.join("templates/one.yaml"), template).unwrap();
}

#[test]
fn it_installs_into_its_control_plane() {
    let plane = testbed::shared().unwrap();
    let (helm, namespace) = (plane.helm().unwrap(), plane.create_namespace("charts").unwrap());
    let folder = plane.run().unique_path("small", "");
    chart(&folder);
    let in_namespace = format!("--namespace={namespace}");
    let output = helm.run(["install", "one", folder.to_str().unwrap(), &in_namespace]).unwrap();
    assert_eq!(output.stderr, "", "the kubeconfig is for its owner only");
    output.ok().unwrap();
    let made = plane.kubectl().ok(["get", "configmap", "one", &in_namespace, "--output=name"]).unwrap();
    assert_eq!(made, "configmap/one\n");
}

#[test]
fn without_a_cluster_it_renders_and_reaches_none() {
    let run = Run::new().unwrap();
    let helm = Helm::without_cluster(&run).unwrap();
    let folder = run.path().join("small");
    chart(&folder);
    let rendered = helm.ok(["template", "one", folder.to_str().unwrap()]).unwrap();
    assert!(rendered.contains("kind: ConfigMap"), "{rendered}");
    assert!(helm.ok(["list"]).is_err());
}

#[test]
fn nothing_of_a_users_own_is_used() {
    let run = Run::new().unwrap();
    let settings = Helm::without_cluster(&run).unwrap().ok(["env"]).unwrap();
    let own = run.path().to_str().unwrap();
    for name in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "HELM_REPOSITORY_CONFIG", "HELM_PLUGINS"] {
        let line = settings.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line.contains(own), "{line}");
    }
}
