//! The pages, and what is in them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The repository's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A page, by its path from the root.
pub(crate) fn page(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every page that a person reads, by its path from the root.
pub(crate) fn all() -> Vec<String> {
    let mut pages: Vec<String> = ["docs", "docs/runbooks"].into_iter().flat_map(below).collect();
    pages.extend(["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(str::to_owned));
    pages.extend(["simulator/README.md", "tools/README.md"].map(str::to_owned));
    pages.sort();
    pages
}

/// The pages of a folder, not of those in it.
fn below(folder: &str) -> Vec<String> {
    fs::read_dir(root().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "md"))
        .map(|name| format!("{folder}/{name}"))
        .collect()
}

/// A fenced block.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// What stands behind the opening fence: a language, then words of ours.
    pub(crate) info: Vec<String>,
    pub(crate) text: String,
}

/// The fenced blocks of a page, in order.
pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for line in page.lines() {
        match (line.strip_prefix("```"), open) {
            (Some(info), false) => {
                let info = info.split_whitespace().map(str::to_owned).collect();
                blocks.push(Block { info, text: String::new() });
                open = true;
            }
            (Some(_), true) => open = false,
            (None, true) => {
                let block = blocks.last_mut().unwrap();
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, false) => {}
        }
    }
    assert!(!open, "a fence is not closed");
    blocks
}

/// A page without its fenced blocks.
fn prose(page: &str) -> String {
    let mut open = false;
    let lines = page.lines().filter(|line| {
        let fence = line.starts_with("```");
        open ^= fence;
        !fence && !open
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What stands between single backticks.
pub(crate) fn code_spans(page: &str) -> Vec<String> {
    prose(page).split('`').skip(1).step_by(2).map(|span| span.replace('\n', " ")).collect()
}

/// The lines of commands: those of fenced blocks, and code spans.
pub(crate) fn commands(page: &str) -> Vec<String> {
    let lines = blocks(page).into_iter().flat_map(|block| {
        let text = block.text.replace("\\\n", " ");
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    lines.chain(code_spans(page)).collect()
}

/// The part of a page below a heading, up to the next of the same depth.
pub(crate) fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let from = page.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading}")) + heading.len() + 2;
    let depth = heading.split(' ').next().unwrap();
    let rest = &page[from..];
    rest.find(&format!("\n{depth} ")).map_or(rest, |to| &rest[..to])
}

/// The first cell of each row of each table, when it is one code span.
pub(crate) fn first_cells(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"))
        .map(|(cell, _)| cell.to_owned())
        .collect()
}

/// What a heading is linked by.
fn anchors(page: &str) -> BTreeSet<String> {
    prose(page)
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// The targets of links, inline and by reference.
fn links(page: &str) -> Vec<String> {
    let prose = prose(page);
    let inline = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.to_owned());
    let defined = prose
        .lines()
        .filter_map(|line| line.strip_prefix('[')?.split_once("]: "))
        .map(|(_, target)| target.split(' ').next().unwrap().to_owned());
    inline.chain(defined).collect()
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut broken = Vec::new();
    for path in all() {
        let text = page(&path);
        for link in links(&text).into_iter().filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target: PathBuf =
                if file.is_empty() { root().join(&path) } else { root().join(&path).parent().unwrap().join(file) };
            let found = target.exists()
                && (anchor.is_empty() || anchors(&fs::read_to_string(&target).unwrap()).contains(anchor));
            if !found {
                broken.push(format!("{path}: {link}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_reference_that_is_used_is_defined() {
    for path in all().into_iter().filter(|path| path.starts_with("docs/")) {
        let text = prose(&page(&path));
        let used: BTreeSet<&str> =
            text.split("][").skip(1).filter_map(|rest| rest.split_once(']')).map(|(name, _)| name).collect();
        for name in used {
            assert!(text.contains(&format!("\n[{name}]: ")), "{path}: [{name}] is not defined");
        }
    }
}
