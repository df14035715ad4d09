//! Scenarios, read as specifications: design §4, row by row, against a scripted channel.

mod claims;
mod delegation;
mod delegation_properties;
mod ends;
mod expiry;
mod faults;
mod keys;
mod life;
mod overlaps;
mod properties;
mod rig;
