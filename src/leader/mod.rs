//! Which process leads.

mod tenure;

pub use tenure::Tenure;
