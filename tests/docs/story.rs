//! README.md, section "On your own cluster", as somebody would follow it: its blocks in a shell, on a real control
//! plane, with the simulator in the vendor's place.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use simulator::{Call, JobReport, Operation, State};
use tempfile::TempDir;
use testbed::{ControlPlane, Launch, Process, Simulator};

use crate::pages::{Block, blocks, page, root};

const JOB: &str = "15981d93877e490185e6ebc9af2c79a3";

/// A person's shell: what one block exports or defines, the next one knows.
struct Shell<'a> {
    plane: &'a ControlPlane,
    home: TempDir,
    environment: BTreeMap<&'static str, String>,
    background: Vec<Process>,
}

impl<'a> Shell<'a> {
    fn new(plane: &'a ControlPlane, live_api: &Simulator) -> Self {
        let home = tempfile::tempdir().unwrap();
        let kubectl = plane.kubectl().program().parent().unwrap().to_owned();
        let built = Path::new(env!("CARGO_BIN_EXE_jobstartstop")).parent().unwrap().to_owned();
        let path = env::join_paths([built, kubectl].into_iter().chain(env::split_paths(&env::var_os("PATH").unwrap())));
        let environment = BTreeMap::from([
            ("HOME", home.path().display().to_string()),
            ("KUBECONFIG", plane.kubeconfig().display().to_string()),
            ("PATH", path.unwrap().into_string().unwrap()),
            ("API_KEY", "demo-key".to_owned()),
            ("JOB_ID", JOB.to_owned()),
            ("LIVE_ENDPOINT", live_api.base_url.clone()),
            // Its default is a fixed port, which something else may have.
            ("JOBSTARTSTOP_OBSERVE_ADDRESS", "127.0.0.1:0".to_owned()),
        ]);
        Self { plane, home, environment, background: Vec::new() }
    }

    fn script(&self, block: &Block, before: &str, after: &str) -> PathBuf {
        let script = self.home.path().join(format!("{}.sh", block.info[2]));
        let state = self.home.path().join("state").display().to_string();
        let text = format!("set -euo pipefail\n[ ! -f {state} ] || source {state}\n{before}{}{after}\n", block.text);
        fs::write(&script, text.replace("STATE", &state)).unwrap();
        script
    }

    fn run(&self, block: &Block) -> String {
        let output = Command::new("bash")
            .arg(self.script(block, "", "{ declare -px; declare -f; } >STATE"))
            .current_dir(root())
            .envs(&self.environment)
            .output()
            .unwrap();
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(
            output.status.success(),
            "this block of README.md failed:\n{}\n{stdout}\n{stderr}\n{}",
            block.text,
            self.background.iter().map(Process::log_text).collect::<String>()
        );
        stdout.into_owned()
    }

    fn run_in_background(&mut self, block: &Block) {
        // In the shell's place, so that it is this command that is ended.
        let script = self.script(block, "exec ", "");
        let mut launch = Launch::new(block.info[2].clone(), "bash").arg(script).current_dir(root());
        for (name, value) in &self.environment {
            launch = launch.env(*name, value);
        }
        self.background.push(launch.start(self.plane.run()).unwrap());
    }

    fn log_of(&self, name: &str) -> String {
        self.background.iter().find(|process| process.name() == name).unwrap().log_text()
    }
}

struct LiveApi(Simulator);

impl LiveApi {
    async fn is_on(&self) -> bool {
        let job: JobReport = self.0.get(&format!("/control/jobs/{JOB}")).await.unwrap();
        job.state != State::Standby
    }

    async fn calls(&self, operation: Operation) -> usize {
        let mut answer: Value = self.0.get("/control/calls").await.unwrap();
        let calls: Vec<Call> = serde_json::from_value(answer["calls"].take()).unwrap();
        calls.iter().filter(|call| call.operation == operation).count()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_readme_is_followed_on_a_cluster_of_its_own() {
    let plane = testbed::shared().unwrap();
    let args = ["--job", JOB, "--activation-ms", "300", "--deactivation-ms", "300"];
    let live_api = LiveApi(Simulator::start(plane.run(), args).unwrap());
    let mut shell = Shell::new(plane, &live_api.0);
    let readme = page("README.md");
    for block in blocks(&readme) {
        let words: Vec<&str> = block.info.iter().map(String::as_str).collect();
        match words[..] {
            ["sh", "own-cluster-background", _] => shell.run_in_background(&block),
            ["sh", "own-cluster", name] => {
                let said = shell.run(&block);
                check(name, &said, &live_api, &shell).await;
            }
            _ => {}
        }
    }
    assert_eq!((live_api.calls(Operation::Activate).await, live_api.calls(Operation::Deactivate).await), (2, 2));
}

async fn check(block: &str, said: &str, live_api: &LiveApi, shell: &Shell<'_>) {
    match block {
        "crds" => {
            assert!(said.contains("When the job is switched on"), "kubectl explain reads like documentation: {said}");
            examples_of_the_readme_are_accepted(shell.plane);
        }
        "first-window" => assert_eq!(live_api.calls(Operation::Activate).await, 0, "not before its time"),
        "on-air" => {
            assert!(live_api.is_on().await);
            assert!(said.contains("JobStartStop/first"), "an event tells of it: {said}\n{}", shell.log_of("operator"));
            assert!(shell.log_of("watch").contains("Active"), "{}", shell.log_of("watch"));
        }
        "stop-now" | "delete" => assert!(!live_api.is_on().await),
        "cancel" => assert_eq!(live_api.calls(Operation::Activate).await, 1),
        "remove" => {
            let left = shell.plane.kubectl().ok(["get", "crds", "--output=name"]).unwrap();
            assert!(!left.contains("bcovlive"), "{left}");
        }
        "setup" | "account" => {}
        other => panic!("nothing is checked after the block {other}"),
    }
}

/// The resources shown, and those in the files that the README names.
fn examples_of_the_readme_are_accepted(plane: &ControlPlane) {
    let dry = ["apply", "--dry-run=server", "--validate=strict", "--namespace=default", "-f", "-"];
    let readme = page("README.md");
    let shown = blocks(&readme).into_iter().filter(|block| block.info == ["yaml"]).map(|block| block.text);
    let files = fs::read_dir(root().join("examples")).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect();
    assert!(files.len() > 3);
    for path in &files {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(readme.contains(&format!("(examples/{name})")), "README.md does not name examples/{name}");
    }
    // Those with rights name a namespace of their own, and are applied by the tests that use them.
    let with_rights =
        |path: &Path| ["operator-rbac.yaml", "http-interface.yaml"].iter().any(|name| path.ends_with(name));
    let of_resources = files.iter().filter(|path| !with_rights(path));
    for yaml in shown.chain(of_resources.map(|path| fs::read_to_string(path).unwrap())) {
        plane.kubectl().run_with_input(dry, &yaml).unwrap().ok().unwrap_or_else(|error| panic!("{error}\n{yaml}"));
    }
}

#[test]
fn every_block_of_commands_in_the_readme_is_run_by_a_test_or_is_a_make_target() {
    for block in blocks(&page("README.md")) {
        let words: Vec<&str> = block.info.iter().map(String::as_str).collect();
        match words[..] {
            ["sh", "own-cluster" | "own-cluster-background", _] | ["yaml"] | [] => {}
            // Those of docs/install.md are run by tests/install.
            ["sh", "install", _] => {
                let install = page("docs/install.md");
                let same = blocks(&install).into_iter().any(|run| run.info == block.info && run.text == block.text);
                assert!(same, "not a block of docs/install.md:\n{}", block.text);
            }
            ["sh", "make"] => {
                for line in block.text.lines() {
                    assert!(["make demo", "make test"].contains(&line), "{line}");
                }
            }
            _ => panic!("```{} is run by nothing", words.join(" ")),
        }
    }
}
