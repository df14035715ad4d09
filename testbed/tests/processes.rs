//! Processes end as promised, and say why they ended when they should not have.

// The lint's exception for tests does not reach the functions that they share.
#![allow(clippy::unwrap_used)]

use std::{
    path::Path,
    time::{Duration, Instant},
};

use testbed::{Error, Launch, Process, Run, Signal};

const SOON: Duration = Duration::from_secs(10);

fn shell(script: &str) -> Launch {
    Launch::new("shell", "/bin/sh").args(["-c", script])
}

fn wait_for_output(process: &Process, text: &str) {
    process.wait_until_ready(SOON, |process| process.log_text().contains(text)).unwrap();
}

fn exists(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

#[test]
fn a_died_process_shows_the_end_of_its_log() {
    let run = Run::new().unwrap();
    let process = shell("echo first; echo the cause >&2; exit 3").start(&run).unwrap();
    let error = process.wait_until_ready(SOON, |_| false).unwrap_err();
    assert!(matches!(&error, Error::Died { code: 3, .. }), "{error}");
    assert!(error.to_string().ends_with("first\nthe cause"), "{error}");
}

#[test]
fn a_program_that_is_not_there_is_said_so() {
    let run = Run::new().unwrap();
    let process = Launch::new("nothing", "/no/such/program").start(&run).unwrap();
    let error = process.wait_until_ready(SOON, |_| false).unwrap_err();
    assert!(matches!(&error, Error::Died { code: 127, .. }), "{error}");
    assert!(error.to_string().contains("/no/such/program"), "{error}");
}

#[test]
fn a_process_that_never_gets_ready_shows_the_end_of_its_log() {
    let run = Run::new().unwrap();
    let process = shell("echo still at it; sleep 60").start(&run).unwrap();
    wait_for_output(&process, "still");
    let error = process.wait_until_ready(Duration::from_millis(50), |_| false).unwrap_err();
    assert!(matches!(&error, Error::NotReady { .. }), "{error}");
    assert!(error.to_string().ends_with("still at it"), "{error}");
}

#[test]
fn stopping_asks_first() {
    let run = Run::new().unwrap();
    let process = shell("trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.05; done").start(&run).unwrap();
    wait_for_output(&process, "up");
    assert_eq!(process.stop(), 7);
    assert!(process.log_text().contains("bye"));
}

#[test]
fn stopping_kills_who_does_not_listen_and_who_is_frozen() {
    let run = Run::new().unwrap();
    for frozen in [false, true] {
        let process = shell("trap '' TERM; echo up; while :; do sleep 0.05; done")
            .grace(Duration::from_millis(300))
            .start(&run)
            .unwrap();
        wait_for_output(&process, "up");
        if frozen {
            process.signal(Signal::Stop).unwrap();
        }
        let began = Instant::now();
        assert_eq!(process.stop(), 128 + 9);
        assert!(began.elapsed() < SOON);
        assert!(!exists(process.pid()));
    }
}

#[test]
fn a_killed_process_starts_again() {
    let run = Run::new().unwrap();
    let process = shell("echo up; exec sleep 60").start(&run).unwrap();
    let first = process.pid();
    wait_for_output(&process, "up");
    process.kill9().unwrap();
    assert_eq!(process.exit_code(), Some(128 + 9));
    assert!(matches!(process.signal(Signal::Term), Err(Error::NotRunning { .. })));
    process.restart().unwrap();
    assert!(process.is_running());
    assert_ne!(process.pid(), first);
}

#[test]
fn dropping_leaves_neither_process_nor_folder() {
    let run = Run::new().unwrap();
    let folder = run.path().to_owned();
    let process = shell("exec sleep 60").start(&run).unwrap();
    let pid = process.pid();
    drop(run);
    assert!(exists(pid) && folder.exists(), "the process needs its folder");
    drop(process);
    assert!(!exists(pid) && !folder.exists());
}
