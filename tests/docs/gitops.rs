//! docs/gitops.md, and what is shipped for Argo CD and Flux.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize as _;
use serde_json::Value;
use testbed::{Verdict, verdicts};

use crate::pages::{page, root, section};

const SCRIPTS: &str = "gitops/argocd/resource_customizations";
const GROUP: &str = "scheduler.bcovlive.io";
const KINDS: [&str; 2] = ["JobStartStop", "LiveAccount"];
const ARGO_OPTIONS: &str = "argocd.argoproj.io/sync-options";
const FLUX_PRUNE: &str = "kustomize.toolkit.fluxcd.io/prune";

/// The documents of a file.
fn documents(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let documents = serde_norway::Deserializer::from_str(&text).map(Value::deserialize);
    documents.map(|document| document.unwrap_or_else(|error| panic!("{}: {error}", path.display()))).collect()
}

/// The one document of a file.
fn document(path: &Path) -> Value {
    let mut documents = documents(path);
    assert_eq!(documents.len(), 1, "{}", path.display());
    documents.remove(0)
}

/// Every YAML file below a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let below = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    let mut files: Vec<PathBuf> =
        entries.flat_map(below).filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect();
    files.sort();
    files
}

fn judged(objects: &[Value]) -> Vec<Verdict> {
    verdicts(&root().join(SCRIPTS), objects).unwrap()
}

/// Recorded objects of a kind, by the names of their states.
fn recorded(kind: &str) -> BTreeMap<String, Value> {
    let files = files(&root().join(SCRIPTS).join(GROUP).join(kind).join("testdata"));
    files.iter().map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), document(path))).collect()
}

fn status_of<'a>(object: &'a Value, kind: &str) -> &'a str {
    let conditions = object["status"]["conditions"].as_array().map_or(&[][..], Vec::as_slice);
    let found = conditions.iter().find(|condition| condition["type"] == kind);
    found.and_then(|condition| condition["status"].as_str()).unwrap_or_default()
}

/// The layout and the comparison of Argo CD's own test of its health scripts.
#[test]
fn case_55_each_script_returns_what_its_test_data_says() {
    for kind in KINDS {
        let folder = root().join(SCRIPTS).join(GROUP).join(kind);
        let tests = document(&folder.join("health_test.yaml"));
        let tests = tests["tests"].as_array().unwrap();
        let paths: Vec<PathBuf> = tests.iter().map(|test| folder.join(test["inputPath"].as_str().unwrap())).collect();
        let used: BTreeSet<&PathBuf> = paths.iter().collect();
        let there = files(&folder.join("testdata"));
        assert_eq!(used, there.iter().collect(), "every file of test data is used, and no other");
        let objects: Vec<Value> = paths.iter().map(|path| document(path)).collect();
        for (test, verdict) in tests.iter().zip(judged(&objects)) {
            let (status, message) = (&test["healthStatus"]["status"], &test["healthStatus"]["message"]);
            assert_eq!((status, message), (&verdict.script.status.into(), &verdict.script.message.into()), "{test}");
        }
    }
}

/// What the page says of each state: name, Argo CD's word, kstatus' word.
fn told(heading: &str) -> BTreeMap<String, (String, String)> {
    let page = page("docs/gitops.md");
    let rows = section(&page, heading).lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("| `")?.split('|').map(str::trim).collect();
        let [name, _, argo, kstatus, ""] = cells[..] else { return None };
        Some((name.strip_suffix('`')?.to_owned(), (argo.to_owned(), kstatus.to_owned())))
    });
    rows.collect()
}

#[test]
fn case_55_each_recorded_state_is_told_as_the_page_has_it() {
    for (kind, heading) in [("JobStartStop", "### Windows"), ("LiveAccount", "### Accounts")] {
        let states = recorded(kind);
        let objects: Vec<Value> = states.values().cloned().collect();
        let verdicts = judged(&objects).into_iter().map(|verdict| (verdict.argo.status, verdict.kstatus.status));
        let shown: BTreeMap<String, (String, String)> = states.into_keys().zip(verdicts).collect();
        assert_eq!(told(heading), shown, "{kind}");
    }
}

#[test]
fn case_55_among_the_recorded_states_are_every_phase_and_every_way_to_be() {
    let states: Vec<Value> = recorded("JobStartStop").into_values().collect();
    let phases: BTreeSet<&str> = states.iter().filter_map(|object| object["status"]["phase"].as_str()).collect();
    let every = ["Active", "Cancelled", "Failed", "Finished", "Missed", "Pending"];
    assert_eq!(phases, BTreeSet::from(every));
    for kind in ["Ready", "Reconciling", "Stalled", "Suspended", "Drifted"] {
        assert!(states.iter().any(|object| status_of(object, kind) == "True"), "{kind}");
    }
    assert!(states.iter().any(|object| object["status"]["observedGeneration"] == -1), "not seen");
    assert!(states.iter().any(|object| object["metadata"]["deletionTimestamp"].is_string()), "being deleted");
}

#[test]
fn case_55_what_each_version_stored_is_judged_by_its_conditions() {
    let paths = files(&root().join("tests/fixtures/stored"));
    let objects: Vec<Value> = paths.iter().map(|path| document(path)).collect();
    assert!(objects.len() > 10, "{paths:?}");
    for (object, verdict) in objects.iter().zip(judged(&objects)) {
        let going = object["metadata"]["deletionTimestamp"].is_string();
        let expected = match ["Stalled", "Suspended", "Ready"].map(|kind| status_of(object, kind) == "True") {
            _ if going => ("Progressing", "Terminating"),
            [true, ..] => ("Degraded", "Failed"),
            [_, true, _] => ("Suspended", "Current"),
            [.., true] => ("Healthy", "Current"),
            _ => ("Progressing", "InProgress"),
        };
        assert_eq!((&*verdict.argo.status, &*verdict.kstatus.status), expected, "{verdict:?}");
    }
}

#[test]
fn both_snippets_for_argo_cd_hold_the_scripts_as_they_are() {
    let scripts = KINDS.map(|kind| {
        let key = format!("resource.customizations.health.{GROUP}_{kind}");
        (key, Value::String(page(&format!("{SCRIPTS}/{GROUP}/{kind}/health.lua"))))
    });
    let scripts = Value::Object(scripts.into_iter().collect());
    assert_eq!(document(&root().join("gitops/argocd/argocd-cm.yaml"))["data"], scripts);
    assert_eq!(document(&root().join("gitops/argocd/values.yaml"))["configs"]["cm"], scripts);
}

/// Else a script that runs here might not run there.
#[test]
fn a_script_that_needs_more_than_argo_cd_gives_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let of_windows = folder.path().join(GROUP).join("JobStartStop");
    fs::create_dir_all(&of_windows).unwrap();
    let object = recorded("JobStartStop").remove("planned").unwrap();
    let script = |text: &str| {
        fs::write(of_windows.join("health.lua"), text).unwrap();
        verdicts(folder.path(), std::slice::from_ref(&object))
    };
    script("return { status = 'Healthy', message = obj.spec.jobID }").unwrap();
    for text in [
        "return { status = 'Healthy', message = string.upper('a') }",
        "return { status = 'Healthy', message = ('a'):upper() }",
        "return { status = 'Healthy', message = os.getenv('HOME') }",
        "io.open('/etc/passwd') return { status = 'Healthy', message = '' }",
        "return { status = 'Splendid', message = '' }",
        "return 'Healthy'",
        "while true do end",
    ] {
        script(text).expect_err(text);
    }
}

/// The objects of the examples for a tool, by file.
fn examples(tool: &str) -> Vec<(PathBuf, Value)> {
    let files = files(&root().join("examples").join(tool));
    files.into_iter().flat_map(|path| documents(&path).into_iter().map(move |object| (path.clone(), object))).collect()
}

/// Each value in an object, with the keys that lead there.
fn walk(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                walk(value, &format!("{path}/{key}"), found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, path, found)),
        Value::String(text) => found.push((path.to_owned(), text.clone())),
        other => found.push((path.to_owned(), other.to_string())),
    }
}

#[test]
fn case_50_the_examples_keep_windows_and_accounts_from_being_pruned() {
    for (tool, annotation, options) in
        [("argocd", ARGO_OPTIONS, &["Prune=false", "Delete=false"][..]), ("flux", FLUX_PRUNE, &["disabled"][..])]
    {
        let ours: Vec<(PathBuf, Value)> = examples(tool)
            .into_iter()
            .filter(|(_, object)| object["apiVersion"].as_str().unwrap().starts_with(GROUP))
            .collect();
        for kind in KINDS {
            assert!(ours.iter().any(|(_, object)| object["kind"] == kind), "{tool}: no {kind}");
        }
        for (path, object) in ours {
            let annotation = object["metadata"]["annotations"][annotation].as_str().unwrap_or_default();
            let set: Vec<&str> = annotation.split(',').collect();
            assert_eq!(set, options, "{}", path.display());
            // What those on duty set must not be in Git, or it is set back.
            assert!(object["spec"]["suspend"].is_null() && object["spec"]["cancel"].is_null(), "{}", path.display());
        }
    }
}

#[test]
fn nothing_in_the_examples_replaces_or_forces() {
    for (path, object) in [examples("argocd"), examples("flux")].concat() {
        let mut found = Vec::new();
        walk(&object, "", &mut found);
        for (key, value) in found {
            let set = format!("{key}={value}").to_lowercase();
            for word in ["force=true", "force=enabled", "replace=true", "strategy=uninstall", "ssa=override"] {
                assert!(!set.contains(word), "{}: {set}", path.display());
            }
        }
    }
}

#[test]
fn the_examples_wait_for_windows_and_bring_accounts_first() {
    let flux = examples("flux");
    let step = |name: &str| {
        let of = |object: &&Value| object["kind"] == "Kustomization" && object["metadata"]["name"] == name;
        flux.iter().map(|(_, object)| object).find(of).unwrap_or_else(|| panic!("no {name}"))["spec"].clone()
    };
    let windows = step("live-windows");
    assert_eq!((&windows["wait"], &windows["timeout"], &windows["force"]), (&true.into(), &"2m".into(), &false.into()));
    assert_eq!(windows["dependsOn"][0]["name"], "live-operator");
    assert_eq!(step("live-operator")["wait"], true);

    let wave = |kind: &str| {
        let waves = examples("argocd").into_iter().filter(|(_, object)| object["kind"] == kind).map(|(_, object)| {
            let wave = &object["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"];
            wave.as_str().unwrap().parse::<i32>().unwrap()
        });
        waves.collect::<BTreeSet<i32>>()
    };
    assert!(wave("LiveAccount").last() < wave("JobStartStop").first());
}
