//! The one clock. Passed in, never read in passing, so that a simulation can move it.

use std::fmt::Debug;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use plan::Moment;

/// Tells the time.
pub trait Clock: Debug + Send + Sync {
    /// The wall clock, to the microsecond.
    fn now(&self) -> Timestamp;

    /// A clock that nobody sets, from an origin of its own. It need not count the time a machine is suspended.
    fn monotonic(&self) -> Duration;

    /// The same, and it counts that time.
    fn boottime(&self) -> Duration;

    /// All three.
    fn moment(&self) -> Moment {
        Moment { wall: self.now(), monotonic: self.monotonic(), boottime: self.boottime() }
    }
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

    fn monotonic(&self) -> Duration {
        static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
        ORIGIN.elapsed()
    }

    fn boottime(&self) -> Duration {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::try_from(now).unwrap_or_default()
    }
}
