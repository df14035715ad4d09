//! The commands of docs/install.md, docs/upgrade.md and docs/backup.md, run as they stand there.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use testbed::{Helm, Kubectl};

use crate::harness::{blocking, repository};

const PAGES: [&str; 3] = ["docs/install.md", "docs/upgrade.md", "docs/backup.md"];

/// A person's shell: helm, kubectl and this operator's program, for one cluster.
#[derive(Clone)]
pub(crate) struct Shell {
    helm: Helm,
    kubectl: Kubectl,
}

impl Shell {
    pub(crate) fn new(helm: &Helm, kubectl: &Kubectl) -> Self {
        Self { helm: helm.clone(), kubectl: kubectl.clone() }
    }

    /// Runs a block in this repository's folder; it succeeds. Returns what it printed.
    pub(crate) async fn run(&self, name: &str) -> String {
        self.run_with(name, &repository("."), &[]).await
    }

    /// The same, where the charts are another version's, or with other names in the place of the page's.
    pub(crate) async fn run_with(&self, name: &str, folder: &Path, names: &[(&str, &str)]) -> String {
        let output = self.output(name, folder, names).await;
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{name}: {stdout}\n{stderr}");
        assert!(!stderr.to_lowercase().contains("warning"), "{name}: {stderr}");
        stdout.into_owned()
    }

    /// Runs a block, whatever comes of it.
    pub(crate) async fn output(&self, name: &str, folder: &Path, names: &[(&str, &str)]) -> Output {
        let text = names.iter().fold(block(name), |text, (from, to)| text.replace(from, to));
        let mut command = Command::new("bash");
        command.args(["-euo", "pipefail", "-c", &text]).current_dir(folder).envs(self.helm.environment());
        command.env("PATH", self.path());
        blocking(move || command.output().unwrap()).await
    }

    fn path(&self) -> std::ffi::OsString {
        let programs = [self.helm.program(), self.kubectl.program(), Path::new(env!("CARGO_BIN_EXE_jobstartstop"))];
        let folders = programs.map(|program| program.parent().unwrap().to_owned());
        env::join_paths(folders.into_iter().chain(env::split_paths(&env::var_os("PATH").unwrap()))).unwrap()
    }
}

/// The names of all blocks of commands, with their texts.
fn blocks() -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    for page in PAGES {
        let text = fs::read_to_string(repository(page)).unwrap();
        for fenced in text.split("```sh ").skip(1) {
            let (info, rest) = fenced.split_once('\n').unwrap();
            let (commands, _) = rest.split_once("```").unwrap();
            let (_, name) = info.split_once(' ').expect("a block is of a page, and has a name");
            blocks.push((name.to_owned(), commands.to_owned()));
        }
    }
    blocks
}

fn block(name: &str) -> String {
    blocks().into_iter().find(|(found, _)| found == name).unwrap_or_else(|| panic!("no block {name}")).1
}

/// The sources of these tests, as text.
fn sources(folder: &Path) -> String {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let text = |path: &PathBuf| if path.is_dir() { sources(path) } else { fs::read_to_string(path).unwrap() };
    paths.iter().map(text).collect()
}

#[test]
fn every_block_of_commands_is_run_by_a_scene() {
    let scenes = sources(&repository("tests/install"));
    let names: Vec<String> = blocks().into_iter().map(|(name, _)| name).collect();
    let different: BTreeSet<&String> = names.iter().collect();
    assert_eq!(different.len(), names.len(), "a name is given twice: {names:?}");
    for name in &names {
        let run = ["run", "run_with", "output"].iter().any(|how| scenes.contains(&format!(".{how}(\"{name}\"")));
        assert!(run, "nothing runs the block {name}");
    }
}

#[test]
fn every_example_of_values_is_installed_by_a_scene_and_named_on_the_page() {
    let scenes = sources(&repository("tests/install"));
    let page = fs::read_to_string(repository("docs/install.md")).unwrap();
    let files: Vec<PathBuf> =
        fs::read_dir(repository("examples/helm")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty());
    for file in files {
        let stem = file.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(scenes.contains(&format!("example(\"{stem}\"")), "nothing installs with {stem}.yaml");
        assert!(page.contains(&format!("(../examples/helm/{stem}.yaml)")), "docs/install.md does not name {stem}.yaml");
    }
}
