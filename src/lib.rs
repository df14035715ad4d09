//! The JobStartStop operator.
