//! The dashboard: Prometheus takes its queries, and they use only metrics that exist.

use std::{collections::BTreeSet, fs};

use serde_json::Value;

use crate::{
    pages::page,
    prometheus::{families, family, promtool, series},
};

/// What every query selects by.
const SELECTED: &str = r#"namespace=~"$namespace", job=~"$job""#;

fn dashboard() -> Value {
    serde_json::from_str(&page("charts/jobstartstop/files/dashboard.json")).unwrap()
}

/// The panels that are no rows, with their titles.
fn panels(dashboard: &Value) -> Vec<(&str, &Value)> {
    let panels = dashboard["panels"].as_array().unwrap();
    panels.iter().filter(|panel| panel["type"] != "row").map(|panel| (text(panel, "title"), panel)).collect()
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object[field].as_str().unwrap_or_default()
}

/// Every query, with its panel's title.
pub(crate) fn queries() -> Vec<(String, String)> {
    let dashboard = dashboard();
    let of = |(title, panel): (&str, &Value)| {
        let targets = panel["targets"].as_array().unwrap();
        targets.iter().map(|target| (title.to_owned(), text(target, "expr").to_owned())).collect::<Vec<_>>()
    };
    panels(&dashboard).into_iter().flat_map(of).collect()
}

/// What Grafana puts in for its variables.
fn filled_in(query: &str) -> String {
    let values = [("$__rate_interval", "2m"), ("$namespace", "live"), ("$job", "jobstartstop")];
    values.iter().fold(query.to_owned(), |query, (variable, value)| query.replace(variable, value))
}

#[test]
fn prometheus_takes_every_query() {
    let queries = queries();
    let rules: Vec<Value> = (0..)
        .zip(&queries)
        .map(|(number, (_, query))| serde_json::json!({"record": format!("panel:{number}"), "expr": filled_in(query)}))
        .collect();
    let file = tempfile::NamedTempFile::with_suffix(".json").unwrap();
    let groups = serde_json::json!({"groups": [{"name": "panels", "rules": rules}]});
    // Rule files are YAML, which JSON is, too.
    fs::write(&file, groups.to_string()).unwrap();
    let said = promtool(&["check", "rules", file.path().to_str().unwrap()]).unwrap_or_else(|said| panic!("{said}"));
    assert!(said.contains(&format!("{} rules found", queries.len())), "{said}");
}

#[test]
fn every_query_names_metrics_that_exist_and_every_metric_is_shown() {
    let queries = queries();
    let mut shown = BTreeSet::new();
    for (title, query) in &queries {
        assert!(!series(query).is_empty(), "{title}: {query}");
        shown.extend(series(query).into_iter().map(|name| family(name).0.to_owned()));
    }
    assert_eq!(shown, families());
}

#[test]
fn every_query_selects_installations() {
    for (title, query) in queries() {
        let names = query.matches("jobstartstop_").count();
        assert_eq!(query.matches(SELECTED).count(), names, "{title}: {query}");
        assert!(!filled_in(&query).contains('$'), "{title} uses a variable that nobody defines: {query}");
    }
}

#[test]
fn every_variable_is_defined_and_reads_metrics_that_exist() {
    let dashboard = dashboard();
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let names: Vec<&str> = variables.iter().map(|variable| text(variable, "name")).collect();
    assert_eq!(names, ["datasource", "namespace", "job"]);
    for variable in variables {
        for name in series(text(variable, "definition")) {
            assert!(families().contains(family(name).0), "{name}");
        }
    }
}

#[test]
fn every_panel_says_what_it_shows_in_which_unit_and_from_which_data_source() {
    let dashboard = dashboard();
    for (title, panel) in panels(&dashboard) {
        assert!(text(panel, "description").ends_with('.'), "{title} is not explained");
        assert!(!text(&panel["fieldConfig"]["defaults"], "unit").is_empty(), "{title} has no unit");
        for source in panel["targets"].as_array().unwrap().iter().chain([panel]) {
            assert_eq!(text(&source["datasource"], "uid"), "${datasource}", "{title}");
        }
    }
}

#[test]
fn no_two_panels_share_an_id_or_a_place() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<i64> = panels.iter().map(|panel| panel["id"].as_i64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());

    let mut taken = BTreeSet::new();
    for panel in panels {
        let place = |side: &str| panel["gridPos"][side].as_i64().unwrap();
        let (left, right) = (place("x"), place("x") + place("w"));
        assert!(left >= 0 && right <= 24, "{} is wider than the page", text(panel, "title"));
        for cell in (left..right).flat_map(|x| (place("y")..place("y") + place("h")).map(move |y| (x, y))) {
            assert!(taken.insert(cell), "{} lies over another panel", text(panel, "title"));
        }
    }
}
