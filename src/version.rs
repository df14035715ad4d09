//! What this program is and what is built into it, for whoever has only the image in front of them.

use std::fmt;

use serde::Serialize;

use crate::build::{REVISION, VERSION};
use crate::tls_roots::TlsRoots;

/// What this program is and what is built into it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// As in `Cargo.toml`.
    pub version: &'static str,
    /// The commit it was built from.
    pub revision: &'static str,
    /// The compiler's version.
    pub rustc: &'static str,
    /// The platform it was built for, in the compiler's words.
    pub target: &'static str,
    /// Whether the C library is built in, too, so that nothing else is needed to run it.
    #[serde(rename = "static")]
    pub is_static: bool,
    /// How many time zones it knows by name: the machine's, or those built in where the machine has none.
    pub time_zones: usize,
    /// How many root certificates are built in.
    pub tls_roots: usize,
}

impl Version {
    /// Of the program that runs.
    pub fn of_this_program() -> Self {
        Self {
            version: VERSION,
            revision: REVISION,
            rustc: env!("JOBSTARTSTOP_RUSTC"),
            target: env!("JOBSTARTSTOP_TARGET"),
            is_static: cfg!(target_feature = "crt-static"),
            time_zones: jiff::tz::db().available().count(),
            tls_roots: TlsRoots::bundled().len(),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "jobstartstop {}", self.version)?;
        writeln!(f, "revision      {}", self.revision)?;
        writeln!(f, "rustc         {}", self.rustc)?;
        writeln!(f, "target        {}{}", self.target, if self.is_static { ", static" } else { "" })?;
        writeln!(f, "time zones    {}", self.time_zones)?;
        write!(f, "TLS roots     {}", self.tls_roots)
    }
}
