//! The Live scheduler's own HTTP interface.

pub mod serve;
