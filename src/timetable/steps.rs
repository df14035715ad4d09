//! Steps of the wall clock: set by somebody, or a machine that was suspended.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Clock;

/// A smaller difference is a clock being slewed, or the time between two reads of it.
const LEAST: SignedDuration = SignedDuration::from_secs(1);

/// Compares the wall clock with the monotonic one.
#[derive(Clone, Copy, Debug)]
pub struct Steps {
    wall: Timestamp,
    monotonic: Duration,
}

impl Steps {
    /// Compares from now on.
    pub fn from_now(clock: &dyn Clock) -> Self {
        Self { wall: clock.now(), monotonic: clock.monotonic() }
    }

    /// By how much the wall clock stepped since the last time this was asked, if by more than a second: forward, also
    /// when the machine was suspended (the monotonic clock does not count that), or back (negative).
    pub fn since_last(&mut self, clock: &dyn Clock) -> Option<SignedDuration> {
        let last = std::mem::replace(self, Self::from_now(clock));
        let monotonic = self.monotonic.saturating_sub(last.monotonic);
        step(self.wall.duration_since(last.wall), SignedDuration::try_from(monotonic).unwrap_or(SignedDuration::MAX))
    }
}

fn step(wall: SignedDuration, monotonic: SignedDuration) -> Option<SignedDuration> {
    Some(wall.saturating_sub(monotonic)).filter(|step| step.abs() > LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_what_the_monotonic_clock_does_not_know_of() {
        let ms = SignedDuration::from_millis;
        for (wall, monotonic, expected) in [
            (500, 500, None),
            (1_400, 500, None),
            (3_600_500, 500, Some(3_600_000)),
            (-3_599_500, 500, Some(-3_600_000)),
            (60_000, 60_000, None),
            (1_501, 500, Some(1_001)),
            (-600, 500, Some(-1_100)),
        ] {
            assert_eq!(step(ms(wall), ms(monotonic)), expected.map(ms), "{wall} {monotonic}");
        }
    }
}
