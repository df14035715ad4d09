//! Objects as each version stored them (tests/fixtures/stored), read by this one. `what_is_stored_today_is_kept…` of
//! tests/e2e writes those of today.

use std::fs::read_dir;
use std::path::{Path, PathBuf};

use plan::Phase;
use serde_json::Value;

use crate::api::{JobStartStop, LiveAccount};

use super::raw::Raw;
use super::status::stored_record;
use super::window::Stored;

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// By kind, each with its version and name.
fn fixtures(kind: &str) -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/stored");
    let files = entries(&folder).into_iter().filter(|path| path.is_dir()).flat_map(|version| entries(&version));
    files
        .map(|path| {
            let object = serde_norway::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            (path.strip_prefix(&folder).unwrap().display().to_string(), object)
        })
        .filter(|(_, object): &(String, Value)| object["kind"] == kind)
        .collect()
}

#[test]
fn every_stored_window_is_read_whole() {
    let windows = fixtures("JobStartStop");
    for (name, object) in &windows {
        let raw: Raw<JobStartStop> = serde_json::from_value(object.clone()).unwrap();
        let stored = Stored::read(raw).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert_eq!(stored.window().undecodable, None, "{name}");
        let status = stored.acknowledged.status();
        let record = stored_record(&stored).unwrap_or_else(|| panic!("{name}: its status is no record"));
        assert_eq!(Phase::of(&record).as_str(), status.phase, "{name}");
        assert_eq!(stored.acknowledged.has_it_on(), record.has_it_on(), "{name}");
        assert_eq!(serde_json::to_value(&status).unwrap(), object["status"], "{name}: nothing is lost");
        let unknown = [&status.unknown, &status.activation.unknown, &status.deactivation.unknown, &status.job.unknown];
        assert!(unknown.iter().all(|fields| fields.is_empty()), "{name}: {unknown:?}");
    }
    for phase in ["Pending", "Active", "Finished", "Cancelled", "Failed", "Missed"] {
        assert!(windows.iter().any(|(_, object)| object["status"]["phase"] == phase), "none is {phase}");
    }
}

#[test]
fn every_stored_account_is_read_whole() {
    let accounts = fixtures("LiveAccount");
    assert!(!accounts.is_empty());
    for (name, object) in accounts {
        let raw: Raw<LiveAccount> = serde_json::from_value(object.clone()).unwrap();
        let read = raw.read().unwrap_or_else(|why| panic!("{name}: {why}"));
        assert_eq!(read.left_out, Vec::<String>::new(), "{name}");
        assert_eq!(serde_json::to_value(read.object.status).unwrap(), object["status"], "{name}: nothing is lost");
    }
}
