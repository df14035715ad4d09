//! What can be seen from outside: metrics, health, logs.

mod http;
mod logging;
mod metrics;
mod readiness;

pub use http::serve;
pub use logging::{LogFormat, start as start_logging};
pub use metrics::Metrics;
pub use readiness::Readiness;
