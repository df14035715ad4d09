//! The phase: one word for where a window stands.

use std::fmt;

use crate::reason::Reason;
use crate::record::{Record, TaskState};

/// Where a window stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Not on air through this window yet.
    Pending,
    /// Started; the stop is ahead or under way.
    Active,
    /// Started and stopped.
    Finished,
    /// Called off before the start, or its stop was called off on air.
    Cancelled,
    /// The start or the stop went wrong for good.
    Failed,
    /// The start was not made, and nothing was called.
    Missed,
}

impl Phase {
    /// The word used in status and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Active => "Active",
            Self::Finished => "Finished",
            Self::Cancelled => "Cancelled",
            Self::Failed => "Failed",
            Self::Missed => "Missed",
        }
    }

    /// It went wrong, or nothing came of it: what an account counts as failed.
    pub fn failed(self) -> bool {
        matches!(self, Self::Failed | Self::Missed)
    }

    /// The phase of a record: a total function of its two task states, with the activation's history telling Missed
    /// from Failed.
    pub fn of(record: &Record) -> Self {
        use TaskState::{Cancelled, Failed, Finished, Pending};
        match (record.activation.state, record.deactivation.state) {
            (Pending, _) => Self::Pending,
            (Cancelled, _) | (Finished, Cancelled) => Self::Cancelled,
            (Failed, _) if was_missed(record) => Self::Missed,
            (Failed, _) | (Finished, Failed) => Self::Failed,
            (Finished, Pending) => Self::Active,
            (Finished, Finished)
                if [record.activation.reason, record.deactivation.reason]
                    .contains(&Some(Reason::CancelledDuringStart)) =>
            {
                Self::Cancelled
            }
            (Finished, Finished) => Self::Finished,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Nothing was called, and the start was not refused for good either.
fn was_missed(record: &Record) -> bool {
    record.activation.attempts == 0
        && record.activation.called_at.is_none()
        && !record.activation.reason.is_some_and(Reason::refuses_for_good)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixtures;

    #[test]
    fn the_phase_table() {
        use TaskState::{Cancelled, Failed, Finished, Pending};
        // (activation, attempts, activation's reason, deactivation, deactivation's reason) -> phase
        let table = [
            (Pending, 0, None, Pending, None, Phase::Pending),
            (Pending, 1, Some(Reason::Starting), Pending, None, Phase::Pending),
            (Finished, 1, Some(Reason::Started), Pending, None, Phase::Active),
            (Finished, 0, Some(Reason::AlreadyOnAir), Pending, None, Phase::Active),
            (Finished, 1, Some(Reason::Started), Finished, Some(Reason::Stopped), Phase::Finished),
            (Finished, 1, Some(Reason::Started), Finished, Some(Reason::KeptOnAir), Phase::Finished),
            (Finished, 1, Some(Reason::Started), Finished, Some(Reason::JobEnded), Phase::Finished),
            (Finished, 1, Some(Reason::Started), Cancelled, Some(Reason::StopCancelled), Phase::Cancelled),
            (Finished, 1, Some(Reason::Started), Finished, Some(Reason::CancelledDuringStart), Phase::Cancelled),
            (Finished, 1, Some(Reason::Started), Failed, None, Phase::Failed),
            (Failed, 0, Some(Reason::StartDeadlineExceeded), Pending, None, Phase::Missed),
            (Failed, 0, Some(Reason::Suspended), Cancelled, Some(Reason::Suspended), Phase::Missed),
            (Failed, 0, Some(Reason::WindowPast), Cancelled, Some(Reason::WindowPast), Phase::Missed),
            (Failed, 2, Some(Reason::StartDeadlineExceeded), Pending, None, Phase::Failed),
            (Failed, 0, Some(Reason::JobEnded), Cancelled, Some(Reason::StartFailed), Phase::Failed),
            (Failed, 0, Some(Reason::NotStatic), Pending, None, Phase::Failed),
            (
                Failed,
                1,
                Some(Reason::StartNotConfirmed),
                Finished,
                Some(Reason::StoppedAfterFailedStart),
                Phase::Failed,
            ),
            (Cancelled, 0, Some(Reason::Cancelled), Cancelled, Some(Reason::Cancelled), Phase::Cancelled),
        ];
        for (activation, attempts, why, deactivation, why_stop, expected) in table {
            let mut record = Record::new(&fixtures::window("w"));
            record.activation.state = activation;
            record.activation.attempts = attempts;
            record.activation.reason = why;
            record.deactivation.state = deactivation;
            record.deactivation.reason = why_stop;
            assert_eq!(Phase::of(&record), expected, "{activation:?} {why:?} / {deactivation:?} {why_stop:?}");
        }
    }

    #[test]
    fn every_pair_of_states_has_a_phase() {
        for activation in TaskState::ALL {
            for deactivation in TaskState::ALL {
                let mut record = Record::new(&fixtures::window("w"));
                record.activation.state = activation;
                record.deactivation.state = deactivation;
                let phase = Phase::of(&record);
                assert_eq!(
                    phase == Phase::Pending,
                    activation == TaskState::Pending,
                    "{activation:?}/{deactivation:?}"
                );
            }
        }
    }
}
