//! What README.md and docs/ say is true: the commands are run, the names exist, the links lead somewhere.

// The lint's exception for tests does not reach the functions that they share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod alerts;
mod cases;
mod dashboard;
mod demo;
mod gitops;
mod names;
mod openmetrics;
mod pages;
mod prometheus;
mod story;
