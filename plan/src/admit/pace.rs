//! How fast: the token bucket of a load's rate, and how it shrinks where the Live API asks for fewer requests.

use jiff::{SignedDuration, Timestamp};

use super::Limits;

/// A call, in the bucket's unit.
const TOKEN: i64 = 1000;

/// The least that the rate shrinks to: a call a second, in thousandths.
const LEAST: i64 = TOKEN;

const MICROS: i64 = 1_000_000;

/// See the module. Rates are in thousandths of a call a second; 0 means no limit.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    /// Thousandths of a call that may be made at once.
    tokens: i64,
    filled_at: Timestamp,
    shrunk: Option<Shrunk>,
}

/// A rate that had to give way, and grows back from then on.
#[derive(Clone, Copy, Debug)]
struct Shrunk {
    rate: i64,
    at: Timestamp,
}

impl Pace {
    pub(super) fn new(limits: &Limits, now: Timestamp) -> Self {
        Self { tokens: i64::from(limits.requests_per_second) * TOKEN, filled_at: now, shrunk: None }
    }

    /// The rate now.
    fn rate(&self, limits: &Limits, now: Timestamp, recovery: SignedDuration) -> i64 {
        let full = i64::from(limits.requests_per_second) * TOKEN;
        let Some(shrunk) = self.shrunk else { return full };
        let back = unlimited_or(full);
        let grown = shrunk.rate + share(back, now.duration_since(shrunk.at), recovery);
        if grown < back { grown } else { full }
    }

    /// The Live API asks for fewer requests: half the rate from now on, at least one call a second, back in full after
    /// `recovery`. Answers to calls that were under way together count once a second.
    pub(super) fn shrink(&mut self, limits: &Limits, now: Timestamp, recovery: SignedDuration) {
        let age = self.shrunk.map(|shrunk| now.duration_since(shrunk.at));
        if age.is_some_and(|age| !age.is_negative() && age < SignedDuration::from_secs(1)) {
            return;
        }
        let rate = unlimited_or(self.rate(limits, now, recovery)).div_euclid(2).max(LEAST);
        self.shrunk = Some(Shrunk { rate, at: now });
        self.tokens = self.tokens.min(rate);
    }

    /// Fills the bucket for the time that has passed.
    pub(super) fn refill(&mut self, limits: &Limits, now: Timestamp, recovery: SignedDuration) {
        // A clock that was set back must not keep the rate down, or the bucket empty, until it is where it was.
        if let Some(shrunk) = &mut self.shrunk {
            shrunk.at = shrunk.at.min(now);
        }
        self.filled_at = self.filled_at.min(now);
        let rate = self.rate(limits, now, recovery);
        if self.shrunk.is_some() && rate == i64::from(limits.requests_per_second) * TOKEN {
            self.shrunk = None;
            self.tokens = self.tokens.max(0);
        }
        if rate == 0 {
            self.filled_at = now;
            return;
        }
        let passed = i64::try_from(now.duration_since(self.filled_at).as_micros()).unwrap_or(i64::MAX);
        let gained = passed.saturating_mul(rate) / MICROS;
        let full = self.tokens.saturating_add(gained) >= rate;
        self.tokens = self.tokens.saturating_add(gained).min(rate);
        let used = if full { passed } else { gained.saturating_mul(MICROS) / rate };
        self.filled_at = self.filled_at.checked_add(SignedDuration::from_micros(used)).unwrap_or(now);
    }

    /// `None`: a call may be made now. Otherwise when time alone lets it. Not `reserved`: a quarter of the bucket is
    /// left to others.
    pub(super) fn wait(
        &self,
        reserved: bool,
        limits: &Limits,
        now: Timestamp,
        recovery: SignedDuration,
    ) -> Option<Timestamp> {
        let rate = self.rate(limits, now, recovery);
        let kept = if reserved { 0 } else { (rate / 4).min(rate - TOKEN) };
        let missing = kept + TOKEN - self.tokens;
        if rate == 0 || missing <= 0 {
            return None;
        }
        let wait = SignedDuration::from_micros((missing * MICROS + rate - 1) / rate);
        Some(self.filled_at.checked_add(wait).unwrap_or(Timestamp::MAX))
    }

    pub(super) fn is_shrunk(&self) -> bool {
        self.shrunk.is_some()
    }

    /// So many calls were made. More than there was room for is paid back out of what comes.
    pub(super) fn spend(&mut self, calls: u32) {
        self.tokens -= i64::from(calls) * TOKEN;
    }
}

/// A load without a limit that is asked for fewer requests falls back on the default one.
fn unlimited_or(rate: i64) -> i64 {
    if rate == 0 { i64::from(Limits::default().requests_per_second) * TOKEN } else { rate }
}

fn share(whole: i64, passed: SignedDuration, of: SignedDuration) -> i64 {
    let (passed, of) = (passed.as_millis().max(0), of.as_millis().max(1));
    i64::try_from(i128::from(whole) * passed / of).unwrap_or(i64::MAX)
}
