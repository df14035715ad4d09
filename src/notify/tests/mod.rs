//! Notifications as their receivers, and those who would misuse them, see them.

mod answers;
mod egress;
mod queue;
mod rig;
mod signing;
mod silence;
