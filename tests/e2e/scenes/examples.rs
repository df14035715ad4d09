//! Every manifest in examples/ is accepted as it stands.

use std::path::{Path, PathBuf};

use crate::harness::{annex, in_seconds, plus, repository};

pub(crate) async fn every_manifest_applies() {
    let manifests = manifests(&repository("examples"));
    assert!(manifests.len() >= 6, "{manifests:?}");
    let plane = annex().await;
    for path in manifests {
        let text = filled(&std::fs::read_to_string(&path).unwrap());
        // One that names its namespace is for that one alone; the rest are for whichever a user is in.
        let named = text.split_once("\n  namespace: ").and_then(|(_, rest)| rest.lines().next()).map(str::to_owned);
        let namespace = named.unwrap_or_else(|| testbed::unique_namespace("example"));
        if !text.contains("kind: Namespace") {
            plane.apply("default", namespace_of(&namespace)).await.unwrap();
        }
        let applied = plane.apply(&namespace, text).await;
        applied.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

fn namespace_of(name: &str) -> String {
    format!("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n")
}

pub(super) fn manifests(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    // Argo CD and Flux have definitions of their own (scenes/gitops.rs), and values of the chart are no manifests.
    let of_others = |path: &PathBuf| ["argocd", "flux", "helm"].iter().any(|folder| path.ends_with(folder));
    let folders = folders.into_iter().filter(|path| !of_others(path));
    let is_yaml = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "yaml");
    let below = folders.flat_map(|folder| manifests(&folder));
    files.into_iter().filter(is_yaml).chain(below).collect()
}

/// The demo fills in times, the Live API's address and the executor: `${NOW+7s}`, `${NOW+10m}`, `${LIVE_API}`,
/// `${EXECUTOR}`.
fn filled(template: &str) -> String {
    let mut parts = template.split("${");
    let mut text = parts.next().unwrap().to_owned();
    for part in parts {
        let (placeholder, rest) = part.split_once('}').unwrap();
        text += &value_of(placeholder);
        text += rest;
    }
    text
}

fn value_of(placeholder: &str) -> String {
    if placeholder == "EXECUTOR" {
        return "LiveScheduler".to_owned();
    }
    let Some(offset) = placeholder.strip_prefix("NOW") else { return "http://127.0.0.1:8090".to_owned() };
    let (digits, unit) = offset.split_at(offset.find(['s', 'm']).unwrap_or(0));
    let seconds = digits.parse().unwrap_or(0) * if unit == "m" { 60 } else { 1 };
    plus(in_seconds(0), seconds).to_string()
}
