//! Tells the program what it is built with and for, which `jobstartstop version` shows.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=JOBSTARTSTOP_RUSTC={}", rustc().unwrap_or_else(|| "unknown".to_owned()));
    println!("cargo::rustc-env=JOBSTARTSTOP_TARGET={}", env::var("TARGET").unwrap_or_else(|_| "unknown".to_owned()));
}

fn rustc() -> Option<String> {
    let output = Command::new(env::var_os("RUSTC")?).arg("--version").output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.split_whitespace().nth(1)?.to_owned())
}
