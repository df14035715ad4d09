//! What can be seen from outside: metrics, health, logs.

#[cfg(test)]
mod captured;
mod http;
mod logging;
mod metrics;
mod readiness;

#[cfg(test)]
pub(crate) use captured::Captured;
pub use http::serve;
pub use logging::{LogFormat, start as start_logging};
pub use metrics::Metrics;
pub use readiness::Readiness;
