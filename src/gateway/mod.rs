//! The Live scheduler's own HTTP interface: a client written for the vendor's `/v1/scheduler/jobstartstop` works here
//! by changing its host.
//!
//! Each call creates, reads, changes or cancels a [`JobStartStop`](crate::api::JobStartStop) in the namespace of the
//! LiveAccount whose key it carries. Nothing is decided here about the channel: what a call asks becomes an object, the
//! apiserver's rules are the rules, and the controller acts on what is stored. What may be answered without the
//! apiserver (is this body a request, may this task still be changed) is decided by plain functions.
//!
//! What the vendor leaves undocumented is answered strictly; `docs/http.md` says how.

mod access;
mod body;
mod create;
mod directory;
mod fields;
mod idempotency;
mod objects;
mod page;
mod query;
mod refusal;
mod router;
pub mod serve;
mod standing;
mod task;
mod update;
mod upstream;
mod workflow_id;

pub use access::API_KEY;
pub use directory::{Account, Denied, Directory, holder};
pub use router::{COLLECTION, Gateway, LARGEST_BODY, OPENAPI, router};
pub use workflow_id::WorkflowId;
