//! Outages: a Live API that is down is asked by one read at a time, until it gives an answer of its own.

use jiff::Timestamp;

use super::Urgency;
use crate::ids::JobKey;
use crate::timings::{Timings, backoff};

/// So many requests in a row that found it down.
const OPENS_AFTER: u32 = 5;

/// See the module. It blocks no stop, no first start, and no read that one of them needs.
#[derive(Clone, Debug, Default)]
pub(super) struct Breaker {
    /// Outages in a row; while open only those that a probe found.
    failures: u32,
    /// When the next probe may go out.
    probe_at: Option<Timestamp>,
    probing: bool,
    /// The job that failed last. One job alone that keeps failing is no outage; and it is not the one to probe with
    /// where another can be.
    last_failed: Option<JobKey>,
}

/// What the breaker says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    Free,
    /// It may go, and is the one that asks whether the outage is over.
    Probe,
    /// Not before then; `None`: not before an answer.
    Wait(Option<Timestamp>),
}

impl Breaker {
    pub(super) fn passage(&self, urgency: Urgency, now: Timestamp, timings: &Timings) -> Passage {
        let Some(probe_at) = self.probe_at else { return Passage::Free };
        match urgency {
            Urgency::FirstStop
            | Urgency::RepeatedStop
            | Urgency::FirstStart
            | Urgency::NeededRead
            | Urgency::StartRead
            | Urgency::PressingWorkflow => Passage::Free,
            // Reads alone probe; whoever repeats a start reads as well.
            Urgency::RepeatedStart => Passage::Wait(None),
            Urgency::TurningRead | Urgency::Workflow | Urgency::OtherRead | Urgency::DailyList if self.probing => {
                Passage::Wait(None)
            }
            Urgency::TurningRead | Urgency::Workflow | Urgency::OtherRead | Urgency::DailyList => {
                // A clock that was set back must not put the probe off.
                let far = probe_at.duration_since(now) > timings.retry_most * 2;
                if now >= probe_at || far { Passage::Probe } else { Passage::Wait(Some(probe_at)) }
            }
        }
    }

    pub(super) fn probe_sent(&mut self) {
        self.probing = true;
    }

    /// A probe came to an end, whatever it found.
    pub(super) fn probe_over(&mut self) {
        self.probing = false;
    }

    /// Another job than the one that failed last.
    pub(super) fn is_other(&self, job: &JobKey) -> bool {
        self.last_failed.as_ref() != Some(job)
    }

    /// A request found it down; `about`: for which job, if for one.
    pub(super) fn outage(&mut self, about: Option<&JobKey>, probe: bool, now: Timestamp, timings: &Timings) {
        let open = self.probe_at.is_some();
        let again = about.is_some() && self.last_failed.as_ref() == about;
        self.last_failed = about.cloned();
        if (open && !probe) || (!open && again) {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures >= OPENS_AFTER {
            let pause = backoff(timings.retry_first, timings.retry_most, self.failures - OPENS_AFTER + 1, "probe");
            self.probe_at = Some(now.checked_add(pause).unwrap_or(now));
        }
    }

    pub(super) fn close(&mut self) {
        self.failures = 0;
        self.probe_at = None;
        self.last_failed = None;
    }
}
