//! docs/cases.md against the tests that it names.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::pages::{page, root};

/// Every Rust file below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let below = |path: PathBuf| if path.is_dir() { sources(&path) } else { vec![path] };
    entries.flat_map(below).filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// The names of the tests of cases in a text, each with its number.
fn cases(text: &str) -> BTreeSet<(u32, String)> {
    let names = text.split("fn case_").skip(1);
    names
        .filter_map(|rest| {
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let number = name.split('_').next()?.parse().ok()?;
            Some((number, format!("case_{name}")))
        })
        .collect()
}

/// The rows of the page: number, and the tests that it names as `(file, name)`.
fn rows() -> Vec<(u32, BTreeSet<(String, String)>)> {
    page("docs/cases.md")
        .lines()
        .filter_map(|line| {
            let (number, rest) = line.strip_prefix("| ")?.split_once(" | ")?;
            let named = rest.split("[`case_").skip(1).map(|named| {
                let (name, link) = named.split_once("`](../").unwrap();
                (link.split(')').next().unwrap().to_owned(), format!("case_{name}"))
            });
            Some((number.parse().ok()?, named.collect()))
        })
        .collect()
}

#[test]
fn every_test_of_a_case_is_named_on_the_page_and_every_one_named_exists() {
    let mut existing = BTreeSet::new();
    for folder in ["tests", "src", "plan/src"] {
        for path in sources(&root().join(folder)) {
            let file = path.strip_prefix(root()).unwrap().display().to_string();
            let here = cases(&fs::read_to_string(&path).unwrap());
            existing.extend(here.into_iter().map(|(number, name)| (number, file.clone(), name)));
        }
    }
    let rows = rows();
    let named: BTreeSet<_> = rows
        .iter()
        .flat_map(|(number, named)| named.iter().map(|(file, name)| (*number, file.clone(), name.clone())))
        .collect();
    assert!(rows.len() > 80, "{} cases", rows.len());
    assert!(rows.is_sorted_by(|a, b| a.0 < b.0), "in order, each once");
    let missing: Vec<_> = existing.difference(&named).collect();
    let gone: Vec<_> = named.difference(&existing).collect();
    assert!(missing.is_empty() && gone.is_empty(), "not on the page: {missing:#?}\nnot in the tree: {gone:#?}");
}
