//! Which build this is.

/// The version, as in `Cargo.toml`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit it was built from, where whoever built it set `JOBSTARTSTOP_REVISION`; else `unknown`.
pub const REVISION: &str = match option_env!("JOBSTARTSTOP_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};
