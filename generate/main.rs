//! Writes what is made from other files: the chart's definitions from `src/api`, and the page of its values from
//! `values.yaml`. With `--check` it names those that are out of date instead. `crds/` is written by the operator itself.

mod generated;

use std::{env, fs, path::Path, process::ExitCode};

use anyhow::Context;

fn main() -> anyhow::Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let check = env::args().any(|argument| argument == "--check");
    let mut stale = false;
    for (path, content) in generated::files(root)? {
        let file = root.join(&path);
        if fs::read_to_string(&file).is_ok_and(|found| found == content) {
            continue;
        }
        if check {
            eprintln!("{path} is out of date: run `make generate`");
            stale = true;
        } else {
            fs::write(&file, content).with_context(|| format!("cannot write {path}"))?;
        }
    }
    Ok(if stale { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
