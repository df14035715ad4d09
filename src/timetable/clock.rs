//! The one clock. Passed in, never read in passing, so that a simulation can move it.

use std::fmt::Debug;

use jiff::Timestamp;

/// Tells the time.
pub trait Clock: Debug + Send + Sync {
    /// The wall clock, to the microsecond.
    fn now(&self) -> Timestamp;
}

/// The machine's wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        // Cut, never rounded up: a time is not to be told before it is there.
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }
}
