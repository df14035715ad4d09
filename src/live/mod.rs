//! The Brightcove Live API v1, as far as this operator calls it.
//!
//! Of jobs it reads one, lists them, calls `activate` and `deactivate`, and reads once more right before a call. Of the
//! vendor's own scheduler it makes, reads, changes, cancels and lists the workflows that start and stop a job.
//!
//! The vendor's `stop` and `cancel` of a job are left out on purpose: `stop` wedges a job with a static entry point and
//! `cancel` ends it for good (vendor: job reference).
//!
//! What a failed call may have done decides what happens next, so [`LiveError`] tells apart what was certainly
//! refused and what may have been carried out. When in doubt it is the latter.
//!
//! The client stands on a [`Transport`], a boxed `tower::Service`, so that a simulator can take the network's place
//! and paused tokio time moves every timeout.

mod answer;
mod ask;
mod client;
mod endpoint;
mod error;
mod job;
mod key;
mod scheduler;
mod timeouts;
mod trail;
mod transport;
mod wire;
mod withheld;
mod workflow;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use client::{Answered, ListQuery, LiveClient, PAGE_SIZE_MAX, Pages};
pub use endpoint::{Endpoint, EndpointError, VENDOR};
pub use error::LiveError;
pub use job::{Job, JobId, JobIdMalformed, Page, StateChange};
pub use key::{ApiKey, KeyDigest, KeyFingerprint, KeyMalformed};
pub use scheduler::{WorkflowPages, WorkflowQuery};
pub use timeouts::Timeouts;
pub use transport::{AnswerLimit, Lane, Transport, TransportError, TransportUnavailable};
pub use workflow::{
    NewTask, NewWorkflow, Workflow, WorkflowChange, WorkflowId, WorkflowIdMalformed, WorkflowPage, WorkflowTask,
};
