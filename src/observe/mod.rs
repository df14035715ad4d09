//! What can be seen from outside: metrics, health, logs, traces.

#[cfg(test)]
mod captured;
mod http;
mod logging;
mod metrics;
mod readiness;
pub(crate) mod spans;
mod traces;

#[cfg(test)]
pub(crate) use captured::Captured;
pub use http::serve;
pub use logging::{LogFilter, LogFormat, LoggingError, start as start_logging};
pub use metrics::{Metrics, QueueDepths};
pub use readiness::Readiness;
pub use traces::{Traces, TracesError};
