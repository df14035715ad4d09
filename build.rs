//! Tells the code with what and for what it is built, and from which revision: `JOBSTARTSTOP_REVISION` where it is set, else, for release builds, what
//! git says. Debug builds do not ask git: each commit would have all of them built anew.

use std::path::Path;
use std::process::Command;

const REVISION: &str = "JOBSTARTSTOP_REVISION";

fn main() {
    println!("cargo::rerun-if-env-changed={REVISION}");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=JOBSTARTSTOP_RUSTC={}", rustc().unwrap_or_else(|| "unknown".to_owned()));
    println!(
        "cargo::rustc-env=JOBSTARTSTOP_TARGET={}",
        std::env::var("TARGET").unwrap_or_else(|_| "unknown".to_owned())
    );
    let release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let given = std::env::var(REVISION).ok().filter(|revision| !revision.is_empty());
    // Not one of a repository that this folder merely lies in.
    let asks = given.is_none() && release && Path::new(".git").exists();
    let revision = given.or_else(|| asks.then(head).flatten()).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env={REVISION}={revision}");
}

fn rustc() -> Option<String> {
    let output = Command::new(std::env::var_os("RUSTC")?).arg("--version").output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.split_whitespace().nth(1)?.to_owned())
}

/// The commit that is checked out; this script runs again once it is another one.
fn head() -> Option<String> {
    for path in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", path]).filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned())
}
