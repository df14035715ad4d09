use std::{env, path::PathBuf};

use crate::error::{Doing as _, Error, Result};

/// A program of this workspace: in `TESTBED_BIN_DIR` when set, else beside the running program, else one
/// folder up (tests run in `deps`); in each also among the examples.
pub(crate) fn find(name: &str) -> Result<PathBuf> {
    let folders = match env::var_os("TESTBED_BIN_DIR").filter(|value| !value.is_empty()) {
        Some(folder) => vec![PathBuf::from(folder)],
        None => beside_this_program()?,
    };
    let found = folders
        .iter()
        .flat_map(|folder| [folder.join(name), folder.join("examples").join(name)])
        .find(|path| path.is_file());
    found.ok_or_else(|| Error::NoBinary {
        name: name.to_owned(),
        looked_in: folders.last().cloned().unwrap_or_default(),
    })
}

fn beside_this_program() -> Result<Vec<PathBuf>> {
    let program = env::current_exe().doing(|| "looking for this program's folder".to_owned())?;
    let folders: Vec<PathBuf> = program.ancestors().skip(1).take(2).map(PathBuf::from).collect();
    // A plain program stands in `target/debug` itself: what is above holds no programs.
    let depth = if folders.first().is_some_and(|folder| folder.ends_with("deps")) { 2 } else { 1 };
    Ok(folders.into_iter().take(depth).collect())
}
