//! The JobStartStop operator.

pub mod api;
pub mod live;
