//! The Brightcove Live API v1, as far as this operator calls it.
//!
//! Five requests exist: read one job, list jobs, `activate`, `deactivate`, and the read that stands right before a
//! call. The vendor's `stop` and `cancel` of a job are left out on purpose: `stop` wedges a job with a static entry
//! point and `cancel` ends it for good (vendor: job reference).
//!
//! What a failed call may have done decides what happens next, so [`LiveError`] tells apart what was certainly
//! refused and what may have been carried out. When in doubt it is the latter.
//!
//! The client stands on a [`Transport`], a boxed `tower::Service`, so that a simulator can take the network's place
//! and paused tokio time moves every timeout.

mod answer;
mod client;
mod endpoint;
mod error;
mod job;
mod key;
mod timeouts;
mod transport;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use client::{Answered, ListQuery, LiveClient, PAGE_SIZE_MAX, Pages};
pub use endpoint::{Endpoint, EndpointError, VENDOR};
pub use error::LiveError;
pub use job::{Job, JobId, JobIdMalformed, Page, StateChange};
pub use key::{ApiKey, KeyDigest, KeyFingerprint, KeyMalformed};
pub use timeouts::Timeouts;
pub use transport::{AnswerLimit, Lane, Transport, TransportError, TransportUnavailable};
