//! The JobStartStop operator: switches Brightcove Live channels on and off at planned times.
//!
//! - [`api`]: what users write.
//! - [`live`]: the Brightcove Live API.
//! - [`leader`]: which process leads.
//! - [`timetable`]: wall-clock deadlines.
//! - [`controller`]: joins them with the decisions of the crate `plan`.
//! - [`notify`]: how a notification goes out.
//! - [`gateway`]: the Live scheduler's own HTTP interface.
//! - [`observe`]: metrics, health, logs.
//! - [`duty`]: the command line for those on duty.

pub mod api;
pub mod controller;
pub mod duty;
pub mod gateway;
pub mod leader;
pub mod live;
pub mod notify;
pub mod observe;
pub mod timetable;
