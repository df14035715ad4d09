//! The alerts: Prometheus takes them, each fires when it should and leads to its runbook.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use plan::{Executor, Reason, conditions};
use serde::Deserialize;

use crate::{
    pages::{blocks, code_spans, page, root, section},
    prometheus::{families, family, matched, promtool, series},
};

const RULES: &str = "charts/jobstartstop/files/alerts.yaml";
const RUNBOOKS: &str = "https://github.com/jobstartstop/jobstartstop/blob/main/docs/runbooks";
const QUESTIONS: [&str; 5] =
    ["## What it means", "## What is at stake", "## What to look at", "## What to do", "## How it ends"];

#[derive(Deserialize)]
struct RuleFile {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Alert>,
}

/// An alert, as it stands in the file.
#[derive(Deserialize)]
pub(crate) struct Alert {
    #[serde(rename = "alert")]
    name: String,
    /// Its query.
    pub(crate) expr: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

/// Every alert, in the file's order.
pub(crate) fn alerts() -> Vec<Alert> {
    let file: RuleFile = serde_norway::from_str(&page(RULES)).unwrap();
    file.groups.into_iter().flat_map(|group| group.rules).collect()
}

/// The names of a folder's files with this extension, without it.
fn stems(folder: &str, extension: &str) -> BTreeSet<String> {
    let paths = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let stem = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    paths.filter(|path| path.extension().is_some_and(|found| found == extension)).map(|path| stem(&path)).collect()
}

fn tests() -> Vec<String> {
    stems("tests/alerts", "yaml").into_iter().map(|stem| format!("tests/alerts/{stem}.yaml")).collect()
}

#[test]
fn prometheus_takes_the_rules() {
    let said = promtool(&["check", "rules", RULES]).unwrap();
    assert!(said.contains(&format!("{} rules found", alerts().len())), "{said}");
}

#[test]
fn each_alert_fires_when_it_should_and_none_in_a_healthy_run_or_a_rolling_restart() {
    let command = ["test", "rules"].map(str::to_owned).into_iter().chain(tests()).collect::<Vec<_>>();
    promtool(&command).unwrap_or_else(|said| panic!("{said}"));
}

#[test]
fn each_alert_is_seen_firing_by_a_test() {
    let tests: String = tests().iter().map(|path| page(path)).collect();
    for Alert { name: alert, .. } in alerts() {
        let fired = format!(r#"labels: 'ALERTS{{alertname="{alert}", alertstate="firing", "#);
        assert!(tests.contains(&fired), "no test in tests/alerts expects {alert} to fire");
    }
}

#[test]
fn each_alert_tells_how_bad_it_is_what_is_wrong_and_where_to_read_on() {
    for Alert { name: alert, labels, annotations, .. } in alerts() {
        let told = |name: &str| annotations.get(name).unwrap_or_else(|| panic!("{alert}: no {name}")).as_str();
        assert!(["critical", "warning"].contains(&labels["severity"].as_str()), "{alert}: {labels:?}");
        assert!(told("summary").ends_with(['.', '}']), "{alert}: {}", told("summary"));
        assert!(told("description").ends_with('.'), "{alert}: {}", told("description"));
        assert!(told("description").contains("{{"), "{alert} does not say where: {}", told("description"));
        assert_eq!(told("runbook_url"), format!("{RUNBOOKS}/{alert}.md"));
    }
}

#[test]
fn each_query_names_metrics_and_reasons_that_exist() {
    let families = families();
    for Alert { name: alert, expr, .. } in alerts() {
        assert!(!series(&expr).is_empty(), "{alert}");
        for name in series(&expr) {
            assert!(families.contains(family(name).0), "{alert}: {name} is none of docs/operations.md");
        }
        for reason in matched(&expr, "reason") {
            assert!(Reason::parse(reason).is_some(), "{alert}: {reason} is no reason");
        }
    }
}

#[test]
fn each_query_adds_up_an_installation_and_keeps_installations_apart() {
    for Alert { name: alert, expr, .. } in alerts() {
        let apart = expr.contains("by (cluster, namespace, job");
        assert!(apart && !expr.contains("instance") && !expr.contains("pod"), "{alert}: {expr}");
    }
}

#[test]
fn each_alert_has_a_runbook_that_the_list_names_and_no_runbook_is_without_alert() {
    let list = page("docs/runbooks/README.md");
    let alerts = alerts();
    for Alert { name: alert, labels, .. } in &alerts {
        let row = format!("| [{alert}]({alert}.md) | {} | ", labels["severity"]);
        assert!(list.contains(&row), "docs/runbooks/README.md has no row that begins with {row}");
    }
    let names: BTreeSet<String> = alerts.into_iter().map(|alert| alert.name).chain(["README".to_owned()]).collect();
    assert_eq!(stems("docs/runbooks", "md"), names);
}

#[test]
fn each_runbook_answers_the_same_questions_and_gives_commands() {
    for Alert { name: alert, .. } in alerts() {
        let runbook = page(&format!("docs/runbooks/{alert}.md"));
        assert!(runbook.starts_with(&format!("# {alert}\n")), "{alert}");
        let asked: Vec<&str> = runbook.lines().filter(|line| line.starts_with("## ")).collect();
        assert_eq!(asked, QUESTIONS, "{alert}");
        for question in QUESTIONS {
            assert!(section(&runbook, question).trim().len() > 20, "{alert}: {question}");
        }
        let commands = blocks(section(&runbook, "## What to look at"));
        assert!(!commands.is_empty(), "{alert}: nothing to run");
    }
}

/// Whether it is written like a reason: several words in one, each with a capital.
fn is_camel_case(word: &str) -> bool {
    let capitals = word.chars().filter(char::is_ascii_uppercase).count();
    word.chars().all(|c| c.is_ascii_alphabetic()) && word.starts_with(|c: char| c.is_ascii_uppercase()) && capitals > 1
}

#[test]
fn each_reason_that_a_runbook_or_troubleshooting_names_exists() {
    // What the log says of a Lease, which is no window's.
    let known = |word: &str| {
        Reason::parse(word).is_some()
            || conditions::KINDS.contains(&word)
            || Executor::parse(word).is_some()
            || word == "LeaseForbidden"
    };
    let runbooks = stems("docs/runbooks", "md").into_iter().map(|stem| format!("docs/runbooks/{stem}.md"));
    let mut named = 0;
    for path in runbooks.chain(["docs/troubleshooting.md".to_owned()]) {
        for span in code_spans(&page(&path)) {
            let word = span.split('=').next().unwrap();
            // Placeholders are capitals throughout.
            if is_camel_case(word) && word.chars().any(|c| c.is_ascii_lowercase()) {
                assert!(known(word), "{path}: {word} is neither a reason nor a condition nor an executor");
                named += 1;
            }
        }
    }
    assert!(named > 50, "{named}");
}
