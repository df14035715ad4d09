//! How one notification goes out: one attempt at a time, and what came of it.
//!
//! What is to be delivered, and when it is tried again, is not decided here. A receiver is somebody's choice who may
//! create a JobStartStop, so it is not trusted: the address that is dialled is checked ([`Guard`]), no redirect is
//! followed, no body is read, and of what the receiver answers nothing but the status code and `Retry-After` is looked
//! at ([`Outcome`]). A slow receiver delays no other ([`Queue`]).

mod guard;
mod outcome;
mod post;
mod queue;
mod remembered;
mod resolver;
mod sender;
mod sign;
mod turns;
mod url;
mod wire;

#[cfg(test)]
mod tests;

pub use guard::{AddressRefused, Guard};
pub use outcome::{NotAllowed, Outcome, RETRY_AFTER_MAX, Unanswered};
pub use post::Post;
pub use queue::{Later, Queue};
pub use resolver::{Resolver, SystemResolver};
pub use sender::{SendTimeouts, Sender};
pub use sign::{SecretMalformed, SigningSecret};
pub use turns::QueueLimits;
pub use url::{ReceiverUrl, UrlMalformed};
pub use wire::{NotAnswered, WireUnavailable};
