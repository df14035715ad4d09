//! The image that `make image` writes: what is in it, and what it does where there is nothing else.
//!
//! Some tests run its program in an empty root, in namespaces of their own: as another user than root, on a root that is
//! read-only, on a network that has nothing but what the test puts there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "all of this is test code; a panic is how a test fails"
)]

mod authority;
mod dockerfile;
mod empty_root;
mod layout;
mod made;
mod materials;
mod names;
mod root;
