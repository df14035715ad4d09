//! Requests that due calls hang on, to which other work gives way.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use jiff::SignedDuration;

/// Requests of one kind that are under way, and when the last was begun, on the monotonic clock.
pub(super) struct UnderWay {
    count: AtomicUsize,
    last_millis: AtomicU64,
    most_millis: u64,
}

impl UnderWay {
    /// They are given way to for at most so long after the last was begun: one that is not answered holds nothing up for
    /// long.
    pub(super) fn given_way_for(most: SignedDuration) -> Self {
        let most_millis = u64::try_from(most.as_millis()).unwrap_or(0);
        Self { count: AtomicUsize::new(0), last_millis: AtomicU64::new(0), most_millis }
    }

    /// One was sent.
    pub(super) fn begun(&self, now: Duration) {
        self.count.fetch_add(1, Ordering::SeqCst);
        self.last_millis.store(millis(now), Ordering::SeqCst);
    }

    /// One was answered, or given up.
    pub(super) fn ended(&self) {
        self.count.fetch_sub(1, Ordering::SeqCst);
    }

    /// Whether other work gives way to them now.
    pub(super) fn go_first(&self, now: Duration) -> bool {
        let since = millis(now).saturating_sub(self.last_millis.load(Ordering::SeqCst));
        self.count.load(Ordering::SeqCst) > 0 && since < self.most_millis
    }
}

fn millis(at: Duration) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(u64::MAX)
}
