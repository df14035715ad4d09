//! Leadership: who may call, and what an earlier leader may have called.
//!
//! A lease is no fence: the process that loses it may not know yet. So a leader stops calling well before anybody else
//! can take over ([`LeaseTimings::check`]), and a start also needs a claim on its own object
//! (its `claim`).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::ids::{ProcessId, TermId};

/// One instant by the three clocks of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock, which people and NTP set.
    pub wall: Timestamp,
    /// Counts while the machine runs.
    pub monotonic: Duration,
    /// Counts also while the machine is suspended.
    pub boottime: Duration,
}

/// The times of the election (design §6; client-go's defaults).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseTimings {
    /// How long others let a lease alone after its record last changed. 15 s.
    pub duration: Duration,
    /// How long a holder goes on after its last renewal. 10 s.
    pub renew_deadline: Duration,
    /// Between two attempts at it. 2 s.
    pub retry: Duration,
    /// How long one request for it may take: an admission webhook's 3 s must fit. 4 s.
    pub attempt: Duration,
    /// How long a call to the Live API may take. 5 s.
    pub call: Duration,
}

impl Default for LeaseTimings {
    fn default() -> Self {
        let s = Duration::from_secs;
        Self { duration: s(15), renew_deadline: s(10), retry: s(2), attempt: s(4), call: s(5) }
    }
}

/// Two times of the election are the wrong way round.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the lease's {shorter} must be shorter than its {longer}")]
pub struct LeaseTimingsError {
    shorter: &'static str,
    longer: &'static str,
}

impl LeaseTimings {
    /// The real times, each divided by `divisor` (at least 1).
    pub fn divided(divisor: u32) -> Self {
        let by = divisor.max(1);
        let Self { duration, renew_deadline, retry, attempt, call } = Self::default();
        Self {
            duration: duration / by,
            renew_deadline: renew_deadline / by,
            retry: retry / by,
            attempt: attempt / by,
            call: call / by,
        }
    }

    /// Checks the ratios that the election relies on.
    pub fn check(&self) -> Result<(), LeaseTimingsError> {
        let ordered = [
            // The old leader has stopped by the time that a new one may begin.
            ("renew deadline", self.renew_deadline, "duration", self.duration),
            ("attempt", self.attempt, "renew deadline", self.renew_deadline),
            // Between two renewals there is time in which a call may be made.
            ("call and retry", self.call + self.retry, "renew deadline", self.renew_deadline),
        ];
        match ordered.into_iter().find(|(_, a, _, b)| a >= b) {
            Some((shorter, _, longer, _)) => Err(LeaseTimingsError { shorter, longer }),
            None => Ok(()),
        }
    }

    /// Whether a holder that renewed at `renewed` (when the request was sent) may send a call now: its answer, or the
    /// end of waiting for it, must come before the renew deadline. The age counts suspension; and when somebody has set
    /// the wall clock since, or the machine was suspended, the renewal proves nothing until there is a newer one.
    pub fn may_call(&self, renewed: &Moment, now: &Moment) -> bool {
        let age = now.boottime.saturating_sub(renewed.boottime);
        let wall = now.wall.duration_since(renewed.wall);
        let monotonic = SignedDuration::try_from(now.monotonic.saturating_sub(renewed.monotonic));
        let stepped = monotonic.is_ok_and(|monotonic| (wall - monotonic).abs() > SignedDuration::from_secs(1));
        age + self.call <= self.renew_deadline && !stepped
    }
}

/// What is known of the process that led before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Before {
    /// It let the lease go in order: whatever it called is recorded. Of others nothing is known.
    Released(Option<ProcessId>),
    /// Its lease ran out: it may have called until its renew deadline, and not after.
    Expired,
    /// There is no election: it may have called until this process began.
    Unknown,
}

/// One time of leading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// The process that leads.
    pub by: ProcessId,
    /// Which term of which Lease.
    pub id: TermId,
    /// When it began.
    pub since: Timestamp,
    /// Who led before.
    pub before: Before,
    /// After that instant no earlier leader can have sent a call.
    pub others_until: Timestamp,
}

impl Term {
    /// A term that began at `since`.
    pub fn new(by: ProcessId, id: TermId, since: Timestamp, before: Before, timings: &LeaseTimings) -> Self {
        // Others take over a duration after the last renewal; the holder sends no call after its renew deadline less
        // the time that a call takes.
        let silent = (timings.duration + timings.call).saturating_sub(timings.renew_deadline);
        let silent = SignedDuration::try_from(silent).unwrap_or_default();
        let others_until = match before {
            Before::Expired => since.checked_sub(silent).unwrap_or(since),
            Before::Released(_) | Before::Unknown => since,
        };
        Self { by, id, since, before, others_until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: SignedDuration = SignedDuration::from_secs(1);

    fn at(seconds: f64) -> Moment {
        let run = Duration::from_secs_f64(seconds);
        let wall = Timestamp::UNIX_EPOCH + SignedDuration::try_from(run).unwrap();
        Moment { wall, monotonic: run, boottime: run }
    }

    fn fields(timings: &LeaseTimings) -> [Duration; 5] {
        [timings.duration, timings.renew_deadline, timings.retry, timings.attempt, timings.call]
    }

    #[test]
    fn divided_times_keep_their_ratios() {
        let real = LeaseTimings::default();
        for divisor in 1..=20 {
            let timings = LeaseTimings::divided(divisor);
            assert_eq!(timings.check(), Ok(()), "{divisor}");
            for (divided, real) in fields(&timings).into_iter().zip(fields(&real)) {
                assert!((divided * divisor).abs_diff(real) < Duration::from_micros(1), "{divisor}: {divided:?}");
            }
        }
        assert_eq!(LeaseTimings::divided(0), real);
    }

    /// The plan believes a reading 10 s after an unanswered call: by the time that anybody else leads, it may.
    #[test]
    fn nobody_else_leads_within_ten_seconds_of_a_call() {
        let real = LeaseTimings::default();
        let last_call = real.renew_deadline.saturating_sub(real.call);
        assert!(real.duration.saturating_sub(last_call) >= Duration::from_secs(10));
        // An admission webhook's time and some more.
        assert!(real.attempt > Duration::from_secs(3));
        // One attempt may fail, and its repetition be answered before calls are held up for long.
        assert!(real.retry + real.attempt + real.attempt <= real.renew_deadline);
    }

    #[test]
    fn times_the_wrong_way_round_are_told() {
        let real = LeaseTimings::default();
        let s = Duration::from_secs;
        for (timings, shorter) in [
            (LeaseTimings { renew_deadline: s(15), ..real }, "renew deadline"),
            (LeaseTimings { attempt: s(10), ..real }, "attempt"),
            (LeaseTimings { call: s(8), ..real }, "call and retry"),
        ] {
            assert_eq!(timings.check().map_err(|error| error.shorter), Err(shorter));
        }
    }

    #[test]
    fn a_call_and_its_answer_end_before_the_renew_deadline() {
        let timings = LeaseTimings::default();
        let renewed = at(100.0);
        for (now, may) in
            [(100.0, true), (102.0, true), (105.0, true), (105.001, false), (109.0, false), (200.0, false)]
        {
            assert_eq!(timings.may_call(&renewed, &at(now)), may, "{now}");
        }
    }

    #[test]
    fn a_clock_that_was_set_and_a_machine_that_was_suspended_prove_nothing() {
        let timings = LeaseTimings::default();
        let renewed = at(100.0);
        let now = at(102.0);
        for (step, may) in [(1.0, true), (1.1, false), (-1.0, true), (-1.1, false), (3_600.0, false)] {
            let wall = now.wall + SignedDuration::from_secs_f64(step);
            assert_eq!(timings.may_call(&renewed, &Moment { wall, ..now }), may, "{step}");
        }
        // Suspended for 4 s, and the wall clock with it; or it was set back meanwhile.
        let boottime = now.boottime + Duration::from_secs(4);
        assert!(!timings.may_call(&renewed, &Moment { boottime, wall: now.wall + S * 4, ..now }));
        assert!(!timings.may_call(&renewed, &Moment { boottime, ..now }));
    }

    #[test]
    fn a_term_knows_until_when_others_may_have_called() {
        let timings = LeaseTimings::default();
        let since = at(1_000.0).wall;
        for (before, silent) in [(Before::Expired, 10), (Before::Unknown, 0), (Before::Released(None), 0)] {
            let term = Term::new(ProcessId::new("p"), TermId::new("t"), since, before, &timings);
            assert_eq!(term.others_until, since - S * silent);
        }
    }
}
