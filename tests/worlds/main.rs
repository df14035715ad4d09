//! Simulated worlds: the operator against an apiserver in memory, under one paused clock.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "all of this file is test code; a panic is how a test fails"
)]

mod accounts;
mod clock;
mod crowd;
mod delegation;
mod expiry;
mod hours;
mod http;
mod leaders;
mod notifications;
mod single;
mod store;
mod strange;
mod uncovered;
mod world;
