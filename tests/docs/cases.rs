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
            let named = rest.split("[`").skip(1).map(|named| {
                let (name, link) = named.split_once("`](../").unwrap();
                (link.split(')').next().unwrap().to_owned(), name.to_owned())
            });
            Some((number.parse().ok()?, named.collect()))
        })
        .collect()
}

/// What the page says is no number of the list.
fn unused_numbers() -> BTreeSet<u32> {
    let page = page("docs/cases.md");
    let (_, from) = page.split_once("does not use the numbers ").unwrap();
    let (sentence, _) = from.split_once('.').unwrap();
    sentence.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

#[test]
fn every_number_has_one_row_or_is_said_not_to_be_used() {
    let numbers: Vec<u32> = rows().into_iter().map(|(number, _)| number).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "in order, each once: {numbers:?}");
    let unused = unused_numbers();
    let last = *numbers.last().unwrap();
    let missing: Vec<u32> = (1..=last).filter(|number| numbers.contains(number) == unused.contains(number)).collect();
    assert!(missing.is_empty(), "neither a row nor said to be unused, or both: {missing:?}");
}

#[test]
fn every_test_of_a_case_is_named_on_the_page_and_every_one_named_exists() {
    let mut existing = BTreeSet::new();
    for folder in ["tests", "src", "plan", "simulator", "testbed"] {
        for path in sources(&root().join(folder)) {
            let file = path.strip_prefix(root()).unwrap().display().to_string();
            let here = cases(&fs::read_to_string(&path).unwrap());
            existing.extend(here.into_iter().map(|(number, name)| (number, file.clone(), name)));
        }
    }
    let named: BTreeSet<_> = rows()
        .into_iter()
        .flat_map(|(number, named)| named.into_iter().map(move |(file, name)| (number, file, name)))
        .collect();
    let (of_cases, others): (BTreeSet<_>, BTreeSet<_>) =
        named.into_iter().partition(|(_, _, name)| name.starts_with("case_"));
    let missing: Vec<_> = existing.difference(&of_cases).collect();
    let gone: Vec<_> = of_cases.difference(&existing).collect();
    assert!(missing.is_empty() && gone.is_empty(), "not on the page: {missing:#?}\nnot in the tree: {gone:#?}");
    for (number, file, name) in others {
        let text = page(&file);
        assert!(text.contains(&format!("fn {name}(")), "case {number}: no {name} in {file}");
    }
}
