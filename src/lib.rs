//! The JobStartStop operator: switches Brightcove Live channels on and off at planned times.
//!
//! - [`api`]: what users write.
//! - [`live`]: the Brightcove Live API.
//! - [`leader`]: which process leads.
//! - [`timetable`]: wall-clock deadlines.
//! - [`controller`]: joins them with the decisions of the crate `plan`.
//! - [`notify`]: how a notification goes out.
//! - [`gateway`]: the Live scheduler's own HTTP interface.
//! - [`observe`]: metrics, health, logs, traces.
//! - [`duty`]: the command line for those on duty.
//! - [`tls_roots`]: whose signature makes a server believed.
//! - [`notations`]: one instant as each side writes it.
//! - [`build`]: what this binary was built from; [`version`]: that, and what is built into it.

pub mod api;
pub mod build;
pub mod controller;
pub mod duty;
pub mod gateway;
pub mod leader;
pub mod live;
pub mod notations;
pub mod notify;
pub mod observe;
pub mod timetable;
pub mod tls_roots;
pub mod version;

/// The target of spans that go into traces.
pub(crate) const TRACES: &str = "jobstartstop::traces";
