//! Attempts in vain, and when the next one may be made: not before, however often it is decided meanwhile. An apiserver
//! in trouble must not be asked more than one in good health.

use jiff::{SignedDuration, Timestamp};
use plan::timings::backoff;

/// The first and the longest wait after an attempt in vain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waits(pub(super) SignedDuration, pub(super) SignedDuration);

/// Attempts at one thing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attempts {
    failures: u32,
    again_at: Option<Timestamp>,
}

impl Attempts {
    pub(super) fn may_try(&self, now: Timestamp) -> bool {
        self.again_at.is_none_or(|at| at <= now)
    }

    /// One more. Returns how many there were in a row, and the wait before the next; `seed` spreads it.
    pub(super) fn failed(&mut self, waits: Waits, seed: &str, now: Timestamp) -> (u32, SignedDuration) {
        self.failures += 1;
        let wait = backoff(waits.0, waits.1, self.failures, seed);
        self.again_at = now.checked_add(wait).ok();
        (self.failures, wait)
    }

    /// The clock stepped: what was to be waited for lies anywhere now.
    pub(super) fn clock_stepped(&mut self) {
        self.again_at = None;
    }
}
