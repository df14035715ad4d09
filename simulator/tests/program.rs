//! The program itself: what it prints, and how it ends.
#![allow(clippy::unwrap_used, reason = "clippy sees tests in #[test] functions only, not beside them")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn start(options: &[&str]) -> (Child, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_live-simulator"))
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(program.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim_end().strip_prefix("listening on http://").unwrap().to_owned();
    (program, address)
}

/// Whether it ended, and well, within two seconds.
fn ends_well(mut program: Child) -> bool {
    let deadline = Instant::now() + Duration::from_secs(2);
    while Instant::now() < deadline {
        if let Some(status) = program.try_wait().unwrap() {
            return status.success();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    program.kill().unwrap();
    false
}

fn get(address: &str, path: &str, key: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nX-API-KEY: {key}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn it_says_where_it_listens_and_ends_on_sigterm() {
    let (program, address) = start(&["--job", "studio-1", "--job", "news@other", "--key", "theirs@other=s3cret"]);
    let jobs = get(&address, "/v1/jobs", "s3cret");
    assert!(jobs.contains(r#""id":"news""#) && !jobs.contains("studio-1"), "{jobs}");
    assert!(get(&address, "/v1/jobs", "demo-key").starts_with("HTTP/1.1 401"), "the demo key is for no keys at all");
    // A connection that is open holds nothing up.
    let _idle = TcpStream::connect(&address).unwrap();
    assert!(Command::new("kill").arg(program.id().to_string()).status().unwrap().success());
    assert!(ends_well(program));
}

#[test]
fn the_scheduler_is_there_or_not_and_lists_where_that_is_wanted() {
    let path = "/v1/scheduler/jobstartstop";
    for (options, status) in
        [(&[][..], "404"), (&["--scheduler-list"], "200"), (&["--no-scheduler", "--scheduler-list"], "400")]
    {
        let (mut program, address) = start(options);
        let answer = get(&address, path, "demo-key");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{options:?}: {answer}");
        program.kill().unwrap();
        program.wait().unwrap();
    }
}

#[test]
fn it_ends_with_its_stdin_where_that_is_wanted() {
    let (mut program, address) = start(&["--exit-on-stdin-eof"]);
    assert!(get(&address, "/v1/jobs", "demo-key").starts_with("HTTP/1.1 200"));
    drop(program.stdin.take());
    assert!(ends_well(program));

    let (mut program, address) = start(&[]);
    drop(program.stdin.take());
    std::thread::sleep(Duration::from_millis(100));
    assert!(get(&address, "/v1/jobs", "demo-key").starts_with("HTTP/1.1 200"), "it goes on");
    program.kill().unwrap();
    program.wait().unwrap();
}
