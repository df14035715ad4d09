//! What this binary was built from.

/// The version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The git revision: `JOBSTARTSTOP_REVISION` when it was built, for a release build else what git said. `unknown` where
/// neither told.
pub const REVISION: &str = env!("JOBSTARTSTOP_REVISION");
