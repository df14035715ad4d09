//! The bill of materials names what is in the program: all of it, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::layout::unpack;
use crate::made::{made, repository};

fn bill() -> Value {
    serde_json::from_slice(&fs::read(made().join("sbom.cdx.json")).unwrap()).unwrap()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

/// What cargo says that it compiles for the program, each with its version.
fn compiled(target: &str) -> BTreeSet<String> {
    let output = Command::new("cargo")
        .args(["tree", "--locked", "--package", "jobstartstop", "--edges", "normal", "--target", target])
        .args(["--prefix", "none", "--format", "{p}"])
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    tree.lines()
        .filter_map(|line| line.split(" (").next()?.trim().split_once(" v"))
        .map(|(name, version)| format!("{name}@{version}"))
        .collect()
}

#[test]
fn every_crate_that_is_compiled_in_is_named_and_no_other() {
    let bill = bill();
    let target = text(&bill["metadata"]["properties"][0], "value").to_owned();
    assert!(target.ends_with("-unknown-linux-gnu"), "{target}");
    let mut compiled = compiled(&target);
    assert!(compiled.remove(&format!("jobstartstop@{}", env!("CARGO_PKG_VERSION"))));
    assert!(compiled.len() > 100, "{compiled:?}");
    let linked = ["glibc", "rust-std"];
    let components = bill["components"].as_array().unwrap();
    let named: BTreeSet<String> = components
        .iter()
        .filter(|component| !linked.contains(&text(component, "name")))
        .map(|component| format!("{}@{}", text(component, "name"), text(component, "version")))
        .collect();
    assert_eq!(named.difference(&compiled).collect::<Vec<_>>(), Vec::<&String>::new(), "named, and not compiled");
    assert_eq!(compiled.difference(&named).collect::<Vec<_>>(), Vec::<&String>::new(), "compiled, and not named");
    for name in linked {
        assert!(components.iter().any(|component| text(component, "name") == name), "{name}");
    }
}

#[test]
fn every_edge_leads_to_a_part_that_is_named() {
    let bill = bill();
    let own = text(&bill["metadata"]["component"], "bom-ref").to_owned();
    let parts = bill["components"].as_array().unwrap().iter().map(|component| text(component, "bom-ref").to_owned());
    let parts: BTreeSet<String> = parts.chain([own]).collect();
    for dependency in bill["dependencies"].as_array().unwrap() {
        let on = dependency["dependsOn"].as_array().into_iter().flatten().map(|name| name.as_str().unwrap());
        for name in on.chain([text(dependency, "ref")]) {
            assert!(parts.contains(name), "{name}");
        }
    }
}

#[test]
fn each_part_has_its_licence_and_a_url_that_scanners_know_it_by() {
    let bill = bill();
    assert_eq!((text(&bill, "bomFormat"), text(&bill, "specVersion")), ("CycloneDX", "1.5"));
    assert_eq!(text(&bill["metadata"]["component"], "name"), "jobstartstop");
    for component in bill["components"].as_array().unwrap() {
        let (name, purl) = (text(component, "name"), text(component, "purl"));
        assert!(component["licenses"].as_array().is_some_and(|licenses| !licenses.is_empty()), "{name}: no licence");
        assert!(purl.starts_with(&format!("pkg:cargo/{name}@")) || purl.starts_with("pkg:generic/"), "{name}: {purl}");
    }
}

#[test]
fn what_comes_from_the_registry_has_the_digest_that_the_lock_file_pins() {
    let lock = fs::read_to_string(repository().join("Cargo.lock")).unwrap();
    let bill = bill();
    let hashes: BTreeMap<&str, &str> = bill["components"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|component| Some((text(component, "name"), component["hashes"][0]["content"].as_str()?)))
        .collect();
    assert!(hashes.len() > 100, "{hashes:?}");
    for (name, hash) in hashes {
        assert!(lock.contains(hash), "{name}");
    }
}

#[test]
fn the_image_has_the_notices_of_those_who_made_what_is_in_it() {
    let root = tempfile::tempdir().unwrap();
    unpack(root.path());
    let notices = fs::read_to_string(root.path().join("licenses/THIRD-PARTY.txt")).unwrap();
    for component in bill()["components"].as_array().unwrap() {
        let (name, version) = (text(component, "name"), text(component, "version"));
        let own = text(component, "bom-ref").starts_with("path+file://");
        assert_eq!(notices.contains(&format!("\n{name} {version}: ")), !own, "{name}");
    }
    for words in ["Permission is hereby granted, free of charge", "Community Data License Agreement"] {
        assert!(notices.contains(words), "{words}");
    }
}

#[test]
fn where_it_was_built_shows_nowhere() {
    let text = fs::read_to_string(made().join("sbom.cdx.json")).unwrap();
    assert!(!text.contains(repository().to_str().unwrap()));
}
