//! The demo as README.md describes it: `make demo KEEP=1` with the commands that it prints, its two sabotages, and with the
//! Live API's own scheduler as executor.

use std::{
    env,
    fs::{self, File},
    os::unix::process::CommandExt as _,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::pages::root;

/// Three control planes may start at once on two cores.
const LONGEST: Duration = Duration::from_mins(3);
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// One test's demos at a time: their calls have to be on time.
fn alone() -> MutexGuard<'static, ()> {
    static STAGE: Mutex<()> = Mutex::new(());
    STAGE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A `make demo` under way, in a process group of its own as in a terminal.
struct Demo {
    make: Child,
    home: TempDir,
}

impl Demo {
    fn start(settings: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let said = File::create(home.path().join("said")).unwrap();
        let mut make = Command::new("make");
        // What cargo tells its tests; build scripts of dependencies would run again for it.
        for name in env::vars()
            .map(|(name, _)| name)
            .filter(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
        {
            make.env_remove(name);
        }
        let make = make
            .arg("demo")
            .args(settings)
            .current_dir(root())
            .env_remove("TESTBED_KUBECONFIG")
            .env_remove("MAKEFLAGS")
            .stdin(Stdio::null())
            .stderr(said.try_clone().unwrap())
            .stdout(said)
            .process_group(0)
            .spawn()
            .unwrap();
        Self { make, home }
    }

    fn said(&self) -> String {
        fs::read_to_string(self.home.path().join("said")).unwrap()
    }

    fn ended(&mut self) -> ExitStatus {
        self.wait_for(|demo| demo.make.try_wait().unwrap())
    }

    fn wait_for<T>(&mut self, what: impl Fn(&mut Self) -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = what(self) {
                return found;
            }
            assert!(began.elapsed() < LONGEST, "too slow:\n{}", self.said());
            thread::sleep(LOOK_AGAIN);
        }
    }

    /// As Ctrl-C does: to everything that runs in the foreground.
    fn interrupt(&self) {
        let group = format!("-{}", self.make.id());
        Command::new("kill").args(["-INT", "--", &group]).status().unwrap();
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if self.make.try_wait().is_ok_and(|status| status.is_none()) {
            self.interrupt();
            self.make.wait().ok();
        }
    }
}

#[test]
fn a_sabotaged_demo_fails_and_says_why() {
    let _alone = alone();
    let sabotages = [
        ("SABOTAGE=refuse-start", ["NOT WELL", "evening-news", "CallRefused"]),
        ("SABOTAGE=lose-stop", ["NOT WELL", "still on air, and billed", "AnswerLost"]),
    ];
    let demos: Vec<Demo> = sabotages.iter().map(|(setting, _)| Demo::start(&[setting])).collect();
    for (mut demo, (setting, words)) in demos.into_iter().zip(sabotages) {
        let status = demo.ended();
        let said = demo.said();
        assert!(!status.success(), "{setting} succeeded:\n{said}");
        for word in words {
            assert!(said.contains(word), "{setting} does not say {word}:\n{said}");
        }
    }
}

#[test]
fn the_live_apis_own_scheduler_switches_the_same_windows_and_the_operator_makes_what_it_forgets() {
    let _alone = alone();
    let executor = "EXECUTOR=LiveScheduler";
    let well = ["ALL WELL", "one workflow", "off at"];
    let demos = [
        (vec![executor], true, vec!["6 calls by the Live API's scheduler", "the operator made none itself"]),
        (vec![executor, "SABOTAGE=lose-stop"], true, vec!["forgotten", "1 was missing and made by the operator"]),
        // The operator makes the start that failed there, and is refused.
        (vec![executor, "SABOTAGE=refuse-start"], false, vec!["NOT WELL", "evening-news", "CallRefused"]),
    ];
    let demos = demos.map(|(settings, is_well, words)| (Demo::start(&settings), settings, is_well, words));
    for (mut demo, settings, is_well, words) in demos {
        let status = demo.ended();
        let said = demo.said();
        assert_eq!(status.success(), is_well, "{settings:?}:\n{said}");
        for word in well.into_iter().filter(|_| is_well).chain(words) {
            assert!(said.contains(word), "{settings:?} does not say {word}:\n{said}");
        }
    }
}

#[test]
fn an_executor_that_there_is_not_is_told_in_a_sentence() {
    let mut demo = Demo::start(&["EXECUTOR=Vendor"]);
    let status = demo.ended();
    let said = demo.said();
    assert!(!status.success(), "it succeeded:\n{said}");
    assert!(said.contains("invalid value 'Vendor'") && said.contains("it is Operator or LiveScheduler"), "{said}");
}

#[test]
fn a_demo_that_is_kept_can_be_tried_by_the_commands_that_it_prints() {
    let _alone = alone();
    let mut demo = Demo::start(&["KEEP=1"]);
    let last_line = "/metrics";
    demo.wait_for(|demo| {
        assert!(demo.make.try_wait().unwrap().is_none(), "it ended:\n{}", demo.said());
        demo.said().trim_end().ends_with(last_line).then_some(())
    });
    let said = demo.said();
    assert!(said.contains("ALL WELL"), "{said}");
    let (_, commands) = said.split_once("In another terminal:").unwrap();
    let tried = try_out(&demo, commands);
    for word in ["Scheduled", "jobID", "jobstartstop.scheduler.bcovlive.io/encore patched", "jobstartstop_windows"] {
        assert!(tried.contains(word), "no {word} in:\n{tried}");
    }
    demo.interrupt();
    assert!(!demo.ended().success(), "interrupted is not the same as all well");
    let said = demo.said();
    assert!(said.contains("interrupted: ending"), "{said}");
}

/// In a shell, with two changes: what would watch for ever looks once, and the stop waits for the start.
fn try_out(demo: &Demo, commands: &str) -> String {
    let on_air = "kubectl wait --for=jsonpath='{.status.phase}'=Active --timeout=60s jss/encore";
    let commands = commands.replace(" --watch", "").replace("# off air now", on_air);
    let script = demo.home.path().join("try.sh");
    fs::write(&script, format!("set -e\nshopt -s expand_aliases\n{commands}\n")).unwrap();
    let output = Command::new("bash").arg(&script).env("HOME", demo.home.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    text.into_owned()
}
