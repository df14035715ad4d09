//! The command line for those on duty: what is on air, what comes next, and the few edits that cannot wait for Git.
//!
//! - `window`, `session`: what is stored, as far as it can be read, and how windows of one job belong together.
//! - `actions`, `extension`, `release`: what a command changes, and when it refuses to. Nothing is written there.
//! - `ahead`: what comes next. `page`, `table`, `shape`: how it is shown, to people and to programs.
//! - `cluster`: the API server. `run`, `wait`: what joins all of them.
//!
//! It works without the operator, and with objects of other versions: what cannot be read is left out and named.

mod actions;
mod ahead;
mod called_as;
mod cluster;
mod complete;
mod error;
mod extension;
#[cfg(test)]
mod fixtures;
mod gitops;
mod options;
mod page;
mod paint;
mod release;
mod run;
mod session;
mod shape;
mod table;
mod times;
mod wait;
mod window;

pub use called_as::CalledAs;
pub use complete::complete;
pub use options::Command;
pub use run::run;

/// Under which name its edits are kept (`metadata.managedFields`). Flux takes over what `kubectl` edits, by its prefix.
const MANAGER: &str = "jobstartstop-duty";
