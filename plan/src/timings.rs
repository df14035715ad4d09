//! Every time that is not the user's, in one value.

use jiff::{SignedDuration, Timestamp};

/// The times a plan goes by. [`Timings::default`] are the real ones; end-to-end tests run them scaled down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timings {
    /// What a channel needs to turn; gaps between windows shorter than this are closed. 60 s (vendor: activation
    /// takes up to 60 s to be usable).
    pub channel_turn: SignedDuration,
    /// How long before a start it is claimed. 30 s.
    pub claim_ahead: SignedDuration,
    /// A call that is due for longer is not made on what was known when it fell due: the process may have been
    /// suspended. 1 s.
    pub overslept: SignedDuration,
    /// How long after a call was let go everything that can wait stands back for it, unless it is answered before. 250 ms.
    pub calls_first: SignedDuration,
    /// How long before a call the job is read fresh. 2 s.
    pub read_ahead: SignedDuration,
    /// How old a reading Off may be when an `activate` is sent. 3 s.
    pub reading_fresh: SignedDuration,
    /// How long after an unanswered call a reading that shows the opposite is not yet believed. 10 s.
    pub believe_unanswered: SignedDuration,
    /// The same after an answered call; also the longest wait of a stop for a channel that is turning. 90 s.
    pub believe_answered: SignedDuration,
    /// Between two looks at a job that is turning. 1 s.
    pub poll: SignedDuration,
    /// The same once it has been turning for fifteen polls. 3 s.
    pub poll_slow: SignedDuration,
    /// Between two looks at a job on air. 30 s.
    pub supervise: SignedDuration,
    /// How long before the start key and job are checked once more. 15 min.
    pub preflight_ahead: SignedDuration,
    /// First wait after a failed check that nothing due depends on; doubles. 5 s.
    pub check_retry_first: SignedDuration,
    /// The longest such wait, before it is spread by a quarter: never less than 5 min. 400 s.
    pub check_retry_most: SignedDuration,
    /// First wait after a refused call or a failed look that a call needs; doubles. 1 s.
    pub retry_first: SignedDuration,
    /// The longest such wait. 30 s.
    pub retry_most: SignedDuration,
    /// How long a rate that shrank on HTTP 429 takes to grow back. 60 s.
    pub rate_recovery: SignedDuration,
    /// How long three readings "job not found" must span before they count as evidence. 60 s.
    pub not_found_span: SignedDuration,
    /// How long no key at all is at hand before the stop of a deleted window is given up. 60 s.
    pub give_up_without_key: SignedDuration,
    /// The same when every key is refused. 10 min.
    pub give_up_refused: SignedDuration,
    /// The waits after a notification was sent in vain, before they are spread by a quarter: 5 s to 24 h, three days in
    /// all. After the last it is given up.
    pub delivery_waits: [SignedDuration; 9],
    /// How long a deleted object waits for a notification that is owed. 30 s.
    pub deliver_before_deletion: SignedDuration,
    /// How long a notification that cannot be sent for our own reasons, or finds no room, is held before it is looked at
    /// again. 30 s.
    pub delivery_hold: SignedDuration,
    /// Between two lists of all jobs of a key, in which channels are looked for that no window covers. 24 h.
    pub list_again: SignedDuration,
    /// How long before its start a window is registered with the vendor's scheduler at the latest, and read back for the
    /// last time. 2 min.
    pub register_by: SignedDuration,
    /// How long after its time a start of the vendor's scheduler may be pending before it is cancelled and made here. 60 s.
    pub step_in_start: SignedDuration,
    /// The same where it is not known whether there is a workflow. 120 s.
    pub step_in_unknown: SignedDuration,
    /// How long after its time a stop of the vendor's scheduler may leave the channel on before it is made here. 15 s.
    pub step_in_stop: SignedDuration,
    /// How long the name of another installation is left in an account's status before ours is tried again: that one may
    /// have gone. 10 min.
    pub serve_again: SignedDuration,
}

const MIN: i64 = 60;
const HOUR: i64 = 60 * MIN;

impl Default for Timings {
    fn default() -> Self {
        let s = SignedDuration::from_secs;
        Self {
            channel_turn: s(60),
            claim_ahead: s(30),
            overslept: s(1),
            calls_first: SignedDuration::from_millis(250),
            read_ahead: s(2),
            reading_fresh: s(3),
            believe_unanswered: s(10),
            believe_answered: s(90),
            poll: s(1),
            poll_slow: s(3),
            supervise: s(30),
            preflight_ahead: s(15 * 60),
            check_retry_first: s(5),
            check_retry_most: s(400),
            retry_first: s(1),
            retry_most: s(30),
            rate_recovery: s(60),
            not_found_span: s(60),
            give_up_without_key: s(60),
            give_up_refused: s(10 * 60),
            delivery_waits: [5, 5 * MIN, 30 * MIN, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR]
                .map(s),
            deliver_before_deletion: s(30),
            delivery_hold: s(30),
            list_again: s(24 * HOUR),
            register_by: s(2 * MIN),
            step_in_start: s(60),
            step_in_unknown: s(2 * MIN),
            step_in_stop: s(15),
            serve_again: s(10 * MIN),
        }
    }
}

/// Two times whose order the plan relies on are the wrong way round.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the timing `{shorter}` must be shorter than `{longer}`")]
pub struct TimingsError {
    /// Name of the time that is too long.
    pub shorter: &'static str,
    /// Name of the time it must stay below.
    pub longer: &'static str,
}

impl Timings {
    /// Whether what was read at `at` is fresh enough to start on. A reading from the future is from before our clock
    /// was set back, and tells nothing of now.
    pub fn is_fresh(&self, at: Timestamp, now: Timestamp) -> bool {
        (SignedDuration::ZERO..=self.reading_fresh).contains(&now.duration_since(at))
    }

    /// How long what a call or a turning channel needs waits for an answer that is on its way, be it of a read or of a list
    /// of all jobs, before it does without.
    pub fn answer_awaited(&self) -> SignedDuration {
        self.read_ahead / 2
    }

    /// The real timings, each divided by `divisor` (at least 1).
    pub fn divided(divisor: u32) -> Self {
        let by = i32::try_from(divisor.max(1)).unwrap_or(i32::MAX);
        let Self {
            channel_turn,
            claim_ahead,
            overslept,
            calls_first,
            read_ahead,
            reading_fresh,
            believe_unanswered,
            believe_answered,
            poll,
            poll_slow,
            supervise,
            preflight_ahead,
            check_retry_first,
            check_retry_most,
            retry_first,
            retry_most,
            rate_recovery,
            not_found_span,
            give_up_without_key,
            give_up_refused,
            delivery_waits,
            deliver_before_deletion,
            delivery_hold,
            list_again,
            register_by,
            step_in_start,
            step_in_unknown,
            step_in_stop,
            serve_again,
        } = Self::default();
        Self {
            channel_turn: channel_turn / by,
            claim_ahead: claim_ahead / by,
            overslept: overslept / by,
            calls_first: calls_first / by,
            read_ahead: read_ahead / by,
            reading_fresh: reading_fresh / by,
            believe_unanswered: believe_unanswered / by,
            believe_answered: believe_answered / by,
            poll: poll / by,
            poll_slow: poll_slow / by,
            supervise: supervise / by,
            preflight_ahead: preflight_ahead / by,
            check_retry_first: check_retry_first / by,
            check_retry_most: check_retry_most / by,
            retry_first: retry_first / by,
            retry_most: retry_most / by,
            rate_recovery: rate_recovery / by,
            not_found_span: not_found_span / by,
            give_up_without_key: give_up_without_key / by,
            give_up_refused: give_up_refused / by,
            delivery_waits: delivery_waits.map(|wait| wait / by),
            deliver_before_deletion: deliver_before_deletion / by,
            delivery_hold: delivery_hold / by,
            list_again: list_again / by,
            register_by: register_by / by,
            step_in_start: step_in_start / by,
            step_in_unknown: step_in_unknown / by,
            step_in_stop: step_in_stop / by,
            serve_again: serve_again / by,
        }
    }

    /// After so long a notification is given up, however often it was sent: all its waits, spread as far as they can be.
    pub fn delivery_age(&self) -> SignedDuration {
        self.delivery_waits.iter().fold(SignedDuration::ZERO, |all, wait| all + *wait / 4 * 5)
    }

    /// Checks the ratios that the rules rely on.
    pub fn check(&self) -> Result<(), TimingsError> {
        let ordered = [
            // A look made ahead must still be fresh when the call goes out.
            ("read_ahead", self.read_ahead, "reading_fresh", self.reading_fresh),
            // The claim is stored by the time that the last readings begin.
            ("read_ahead", self.read_ahead, "claim_ahead", self.claim_ahead),
            ("believe_unanswered", self.believe_unanswered, "believe_answered", self.believe_answered),
            // A channel that takes its full time to turn must not look like one that refused to.
            ("channel_turn", self.channel_turn, "believe_answered", self.believe_answered),
            ("poll", self.poll, "poll_slow", self.poll_slow),
            ("poll_slow", self.poll_slow, "believe_unanswered", self.believe_unanswered),
            // A stop that is under way shows before it is made again.
            ("step_in_stop", self.step_in_stop, "step_in_start", self.step_in_start),
            ("step_in_start", self.step_in_start, "step_in_unknown", self.step_in_unknown),
            // A window that is registered too late is claimed in time.
            ("claim_ahead", self.claim_ahead, "register_by", self.register_by),
            ("register_by", self.register_by, "preflight_ahead", self.preflight_ahead),
            ("retry_first", self.retry_first, "retry_most", self.retry_most),
            ("check_retry_first", self.check_retry_first, "check_retry_most", self.check_retry_most),
        ];
        match ordered.into_iter().find(|(_, a, _, b)| a >= b) {
            Some((shorter, _, longer, _)) => Err(TimingsError { shorter, longer }),
            None => Ok(()),
        }
    }
}

/// `first`, doubled for each failure after the first, at most `most`, then spread by up to a quarter either way.
/// The spread is a pure function of `seed`, so that the same attempt of the same window waits the same time.
pub fn backoff(first: SignedDuration, most: SignedDuration, failures: u32, seed: &str) -> SignedDuration {
    let doublings = failures.saturating_sub(1).min(20);
    spread_out(first.saturating_mul(1 << doublings).min(most), failures, seed)
}

/// A wait, spread by up to a quarter either way; a pure function of the attempt and the seed.
pub(crate) fn spread_out(wait: SignedDuration, attempt: u32, seed: &str) -> SignedDuration {
    let eighths = i32::try_from(spread(seed, attempt) % 5).unwrap_or(0) - 2;
    wait + (wait / 8) * eighths
}

/// FNV-1a over the seed and the attempt: stable across processes and releases, which `std`'s hasher is not.
pub(crate) fn spread(seed: &str, attempt: u32) -> u64 {
    seed.bytes()
        .chain(attempt.to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_and_scaled_timings_keep_their_ratios() {
        for divisor in [1, 2, 20, 100] {
            assert_eq!(Timings::divided(divisor).check(), Ok(()), "divided by {divisor}");
        }
    }

    #[test]
    fn a_broken_ratio_is_named() {
        let broken = Timings { read_ahead: SignedDuration::from_secs(5), ..Timings::default() };
        assert_eq!(
            broken.check().unwrap_err().to_string(),
            "the timing `read_ahead` must be shorter than `reading_fresh`"
        );
    }

    #[test]
    fn backoff_doubles_up_to_the_most_and_never_strays_by_more_than_a_quarter() {
        let (first, most) = (SignedDuration::from_secs(1), SignedDuration::from_secs(30));
        for failures in 1..40 {
            let plain = first.saturating_mul(1 << (failures - 1).min(20)).min(most);
            let wait = backoff(first, most, failures, "a-window");
            assert!(wait >= plain * 3 / 4 && wait <= plain * 5 / 4, "{failures}: {wait:?} around {plain:?}");
            assert_eq!(wait, backoff(first, most, failures, "a-window"));
        }
    }
}
