//! Which process leads.
//!
//! [`Elector`] competes for a Lease and holds it, on a thread and with a client of its own; [`Tenure`] is what it tells
//! the rest of the process. The decisions are [`plan::election`]'s.

mod elector;
mod object;
mod tenure;

pub use elector::{Elector, End};
pub use tenure::Tenure;

#[cfg(test)]
mod tests;
