//! Prometheus' own programs, and what its queries say of our metrics.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    process::{Command, Output, Stdio},
};

use serde::Deserialize;
use testbed::{Tool, binaries};

use crate::pages::{first_cells, page, root, section};

/// What Prometheus appends to the name of a family.
const SUFFIXES: [&str; 5] = ["_total", "_bucket", "_sum", "_count", "_info"];

/// Runs promtool in the repository's folder: what it says, an error if it found something wrong.
pub(crate) fn promtool<S: AsRef<str>>(args: &[S]) -> Result<String, String> {
    let args = args.iter().map(AsRef::as_ref);
    told(&Command::new(binaries::path(Tool::Promtool).unwrap()).args(args).current_dir(root()).output().unwrap())
}

/// A family of a page, as Prometheus reads it.
#[derive(Debug, Deserialize)]
pub(crate) struct Family {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) help: String,
    pub(crate) samples: Vec<Sample>,
}

/// One line of it.
#[derive(Debug, Deserialize)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: String,
}

/// Reads a page with the parser that Prometheus scrapes with; its words if it refuses it.
pub(crate) fn read(page: &str) -> Result<Vec<Family>, String> {
    let mut child = Command::new(binaries::path(Tool::OpenMetrics).unwrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It reads all before it says anything.
    child.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    told(&child.wait_with_output().unwrap()).map(|families| serde_json::from_str(&families).unwrap())
}

fn told(output: &Output) -> Result<String, String> {
    let said = |stream: &[u8]| String::from_utf8_lossy(stream).into_owned();
    if output.status.success() { Ok(said(&output.stdout)) } else { Err(said(&output.stdout) + &said(&output.stderr)) }
}

/// Every family there is: another test holds docs/operations.md against the operator's page.
pub(crate) fn families() -> BTreeSet<String> {
    first_cells(section(&page("docs/operations.md"), "## Metrics")).into_iter().collect()
}

/// Our series in a query.
pub(crate) fn series(query: &str) -> BTreeSet<&str> {
    let words = query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("jobstartstop_")).collect()
}

/// The family of a series, and what stands behind its name.
pub(crate) fn family(series: &str) -> (&str, &str) {
    SUFFIXES.into_iter().find_map(|suffix| Some((series.strip_suffix(suffix)?, suffix))).unwrap_or((series, ""))
}

/// What a query matches a label with, one of several alternatives each.
pub(crate) fn matched<'a>(query: &'a str, label: &str) -> Vec<&'a str> {
    let parts: Vec<&str> = query.split('"').collect();
    let pairs = parts.windows(2).filter(|pair| pair[0].trim_end_matches(['=', '~', '!']).ends_with(label));
    pairs.flat_map(|pair| pair[1].split('|')).collect()
}

#[test]
fn a_page_that_prometheus_would_not_take_is_refused_with_the_line_at_fault() {
    let whole = "# HELP a A counter.\n# TYPE a counter\na_total{b=\"c\"} 1\n# EOF\n";
    let families = read(whole).unwrap();
    let [only] = &families[..] else { panic!("{families:?}") };
    assert_eq!((&*only.name, &*only.kind, &*only.help), ("a", "counter", "A counter."));
    let [sample] = &only.samples[..] else { panic!("{only:?}") };
    assert_eq!((&*sample.name, &*sample.value, &*sample.labels["b"]), ("a_total", "1", "c"));

    for (page, line) in [
        (whole.replace("# EOF\n", ""), "line 4: "),
        (whole.replace("} 1", "} one"), "line 3: "),
        (whole.replace("counter\n", "counted\n"), "line 2: "),
    ] {
        let refusal = read(&page).unwrap_err();
        assert!(refusal.starts_with(line), "{refusal} of\n{page}");
    }
}

#[test]
fn a_query_tells_its_series_their_families_and_what_it_matches() {
    let query = r#"rate(jobstartstop_a_total{job="jobstartstop", reason=~"B|C"}[5m]) / jobstartstop_d > 0"#;
    assert_eq!(series(query), BTreeSet::from(["jobstartstop_a_total", "jobstartstop_d"]));
    assert_eq!(family("jobstartstop_a_total"), ("jobstartstop_a", "_total"));
    assert_eq!(family("jobstartstop_d"), ("jobstartstop_d", ""));
    assert_eq!(matched(query, "reason"), ["B", "C"]);
}
