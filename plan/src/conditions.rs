//! The conditions: a record in the words of Kubernetes.

use std::fmt;

use jiff::Timestamp;

use crate::phase::Phase;
use crate::reason::Reason;
use crate::record::{OnAir, Record, TaskState, Trouble};

/// A condition's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody can tell now.
    Unknown,
}

impl Status {
    /// The word used in a condition.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// Every kind of condition that a window can bear, in the order shown.
pub const KINDS: [&str; 9] =
    ["Ready", "Reconciling", "Stalled", "OnAir", "Registered", "Conflict", "Drifted", "Suspended", "CapacityShort"];

/// A condition, without the times and generations that the writer adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// One of [`KINDS`].
    pub kind: &'static str,
    /// Whether it holds.
    pub status: Status,
    /// Why.
    pub reason: Reason,
    /// The same in a sentence.
    pub message: String,
}

/// The sentence of a condition. It is put into words only where it is shown: most plans change nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// As it stands.
    Text(&'a str),
    /// The start is ahead, at this time.
    StartsAt(Timestamp),
    /// On air, up to this time.
    OnAirUntil(Timestamp),
    /// Off air before the stop was due.
    OffAirBefore {
        /// The stop.
        stop: Timestamp,
        /// Why it is off.
        why: Reason,
    },
}

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::StartsAt(start) => write!(f, "Starts at {start}."),
            Self::OnAirUntil(stop) => write!(f, "On air until {stop}."),
            Self::OffAirBefore { stop, why } => write!(f, "Off air before its stop at {stop}. {}", why.meaning()),
        }
    }
}

/// Whether a window is as it should be. One of three by construction, so that no status ever shows two of
/// Ready=True, Reconciling=True and Stalled=True.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health<'a> {
    /// As it should be.
    Ready(Reason, Said<'a>),
    /// Not yet, or not now; may come right by itself.
    Reconciling(Reason, Said<'a>),
    /// A person has to act (some are retried all the same).
    Stalled(Reason, Said<'a>),
}

impl<'a> Health<'a> {
    /// The reason shown on the Ready condition.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Ready(reason, _) | Self::Reconciling(reason, _) | Self::Stalled(reason, _) => *reason,
        }
    }

    /// The sentence shown on the Ready condition.
    pub fn said(&self) -> Said<'a> {
        match self {
            Self::Ready(_, said) | Self::Reconciling(_, said) | Self::Stalled(_, said) => *said,
        }
    }

    /// Not as it should be, for this reason.
    pub fn of_trouble(reason: Reason, message: &'a str) -> Self {
        let said = Said::Text(message);
        if reason.stalls() { Self::Stalled(reason, said) } else { Self::Reconciling(reason, said) }
    }

    /// Ready, and beside it Reconciling or Stalled where it is not.
    pub fn conditions(&self) -> Vec<Condition> {
        let condition =
            |kind, status| Condition { kind, status, reason: self.reason(), message: self.said().to_string() };
        match self {
            Self::Ready(..) => vec![condition("Ready", Status::True)],
            Self::Reconciling(..) => vec![condition("Ready", Status::False), condition("Reconciling", Status::True)],
            Self::Stalled(..) => vec![condition("Ready", Status::False), condition("Stalled", Status::True)],
        }
    }
}

/// How a window is, after the table of the design (section 2). `suspended`: no start is to be made.
pub fn health(suspended: bool, record: &Record) -> Health<'_> {
    let (activation, deactivation) = (&record.activation, &record.deactivation);
    match Phase::of(record) {
        _ if deactivation.state == TaskState::Failed => {
            Health::Stalled(deactivation.reason.unwrap_or(Reason::StopGivenUp), Said::Text(&deactivation.message))
        }
        Phase::Finished => Health::Ready(Reason::Finished, said(&deactivation.message, "Started and stopped.")),
        Phase::Cancelled if record.settled() => {
            let reason = match deactivation.reason {
                Some(reason @ (Reason::StopCancelled | Reason::Retained)) => reason,
                _ => Reason::Cancelled,
            };
            Health::Ready(reason, said(&deactivation.message, "Cancelled."))
        }
        Phase::Missed | Phase::Failed if record.activation.state == TaskState::Failed => {
            let reason = activation.reason.unwrap_or(Reason::StartMissed);
            let message = Said::Text(&activation.message);
            match reason {
                // Neither is a miss that somebody has to act on.
                Reason::Suspended | Reason::WindowPast => Health::Ready(reason, message),
                _ => Health::Stalled(reason, message),
            }
        }
        _ => under_way(suspended, record),
    }
}

fn under_way(suspended: bool, record: &Record) -> Health<'_> {
    let (activation, deactivation) = (&record.activation, &record.deactivation);
    // A stop or a start that is due says more than what a look found wrong: it carries the same text.
    if let (TaskState::Pending, Some(reason)) = (deactivation.state, deactivation.reason) {
        return Health::of_trouble(reason, &deactivation.message);
    }
    if let Some(trouble) = &record.trouble {
        return Health::of_trouble(trouble.reason, &trouble.message);
    }
    let waits = Said::Text("Suspended: no start is made while spec.suspend is true.");
    match (activation.state, activation.reason) {
        (TaskState::Pending, Some(Reason::Suspended)) => Health::Ready(Reason::Suspended, waits),
        // It is called again; only when its time is over is it a miss.
        (TaskState::Pending, Some(reason @ Reason::StartNotConfirmed)) => {
            Health::Reconciling(reason, Said::Text(&activation.message))
        }
        (TaskState::Pending, Some(reason)) => Health::of_trouble(reason, &activation.message),
        (TaskState::Pending, None) if record.verified_at.is_none() => {
            Health::Reconciling(Reason::Checking, Said::Text("Checking key and job."))
        }
        (TaskState::Pending, None) if suspended => Health::Ready(Reason::Suspended, waits),
        (TaskState::Pending, None) => Health::Ready(Reason::Scheduled, Said::StartsAt(activation.call_at)),
        _ if record.on_air == OnAir::False => {
            let why = record.drift.unwrap_or(Reason::StoppedExternally);
            Health::Ready(why, Said::OffAirBefore { stop: deactivation.call_at, why })
        }
        _ => Health::Ready(Reason::OnAir, Said::OnAirUntil(deactivation.call_at)),
    }
}

fn said<'a>(message: &'a str, otherwise: &'static str) -> Said<'a> {
    Said::Text(if message.is_empty() { otherwise } else { message })
}

/// The `OnAir` condition; `None` once another window speaks for the channel.
pub fn on_air(record: &Record) -> Option<Condition> {
    let stopped_early = record.activation.state == TaskState::Finished && record.deactivation.is_pending();
    let left_on = record.activation.reason == Some(Reason::WindowPast);
    let (status, reason, message) = match record.on_air {
        OnAir::NotOurs => return None,
        OnAir::True if left_on => (Status::True, Reason::LeftOn, Reason::LeftOn.meaning()),
        OnAir::True if record.deactivation.reason == Some(Reason::StopCancelled) => {
            (Status::True, Reason::StopCancelled, Reason::StopCancelled.meaning())
        }
        OnAir::True => (Status::True, Reason::OnAir, "The channel was read on."),
        OnAir::Unknown => (Status::Unknown, Reason::Turning, "The channel is turning, or could not be read."),
        OnAir::False if stopped_early => {
            let reason = record.drift.unwrap_or(Reason::StoppedExternally);
            (Status::False, reason, reason.meaning())
        }
        OnAir::False if record.activation.is_pending() => (Status::False, Reason::NotStarted, "The start is ahead."),
        OnAir::False => (Status::False, Reason::OffAir, "The channel is not on air through this window."),
    };
    Some(Condition { kind: "OnAir", status, reason, message: message.to_owned() })
}

/// The `Registered` condition: how the window stands with the vendor's scheduler, where that is its executor.
fn registered(record: &Record) -> Option<Condition> {
    let Trouble { reason, message } = record.registered.clone()?;
    let status = match reason {
        Reason::Registered | Reason::CarriedByAnother => Status::True,
        Reason::WorkflowUnknown => Status::Unknown,
        _ => Status::False,
    };
    Some(Condition { kind: "Registered", status, reason, message })
}

/// The `Drifted` condition: the channel, or the vendor's copy of the window, is not as the window has it.
fn drifted(record: &Record) -> Option<Condition> {
    let (reason, message) = match (record.drift, &record.differs) {
        (Some(reason), _) => (reason, reason.meaning().to_owned()),
        (None, Some(differs)) => (Reason::VendorCopyDiffers, differs.clone()),
        (None, None) => return None,
    };
    Some(Condition { kind: "Drifted", status: Status::True, reason, message })
}

/// Every condition of a window, in the order shown.
pub fn of(suspended: bool, record: &Record, conflict: Option<&str>) -> Vec<Condition> {
    let mut all = health(suspended, record).conditions();
    all.extend(on_air(record));
    all.extend(registered(record));
    if let Some(with) = conflict {
        all.push(Condition {
            kind: "Conflict",
            status: Status::True,
            reason: Reason::Overlap,
            message: format!("Overlaps with {with} on the same job; the channel stays on until the last of them ends."),
        });
    }
    if let (Some(id), None) = (&record.foreign, conflict) {
        let reason = Reason::ForeignWorkflow;
        let message = format!("{} Its id: {id}.", reason.meaning());
        all.push(Condition { kind: "Conflict", status: Status::True, reason, message });
    }
    all.extend(drifted(record));
    if suspended && record.activation.is_pending() {
        all.push(Condition {
            kind: "Suspended",
            status: Status::True,
            reason: Reason::Suspended,
            message: "spec.suspend is true: no start is made. A stop that is due is still made.".into(),
        });
    }
    if record.activation.reason == Some(Reason::WaitingForCapacity) && record.activation.is_pending() {
        all.push(Condition {
            kind: "CapacityShort",
            status: Status::True,
            reason: Reason::WaitingForCapacity,
            message: Reason::WaitingForCapacity.meaning().into(),
        });
    } else if record.too_many_starts {
        all.push(Condition {
            kind: "CapacityShort",
            status: Status::True,
            reason: Reason::TooManyStarts,
            message: Reason::TooManyStarts.meaning().into(),
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixtures;
    use crate::record::Task;

    type Made = (TaskState, Option<Reason>);

    fn set(task: &mut Task, (state, reason): Made) {
        (task.state, task.reason) = (state, reason);
        task.message = reason.map_or(String::new(), |reason| reason.meaning().into());
    }

    /// Its key and job were read.
    fn record(activation: Made, deactivation: Made) -> Record {
        let mut record = Record::new(&fixtures::window("w"));
        record.verified_at = Some(fixtures::at(0));
        set(&mut record.activation, activation);
        set(&mut record.deactivation, deactivation);
        record.on_air = if activation.0 == TaskState::Finished { OnAir::True } else { OnAir::False };
        record
    }

    fn ready_of(record: &Record) -> (&'static str, Reason) {
        match health(false, record) {
            Health::Ready(reason, _) => ("Ready", reason),
            Health::Reconciling(reason, _) => ("Reconciling", reason),
            Health::Stalled(reason, _) => ("Stalled", reason),
        }
    }

    #[test]
    fn the_ready_table() {
        use Reason as R;
        use TaskState::{Cancelled, Failed, Finished, Pending};
        let rows: &[(Made, Made, &str, Reason)] = &[
            // Waiting, on air, finished, cancelled, suspended, past when first seen: as it should be.
            ((Pending, None), (Pending, None), "Ready", R::Scheduled),
            ((Pending, Some(R::Suspended)), (Pending, None), "Ready", R::Suspended),
            ((Finished, Some(R::Started)), (Pending, None), "Ready", R::OnAir),
            ((Finished, Some(R::AlreadyOnAir)), (Pending, None), "Ready", R::OnAir),
            ((Finished, Some(R::StartAlreadyMade)), (Pending, None), "Ready", R::OnAir),
            ((Finished, Some(R::Started)), (Finished, Some(R::Stopped)), "Ready", R::Finished),
            ((Finished, Some(R::Started)), (Finished, Some(R::KeptOnAir)), "Ready", R::Finished),
            ((Finished, Some(R::Started)), (Finished, Some(R::JobEnded)), "Ready", R::Finished),
            ((Finished, Some(R::Started)), (Cancelled, Some(R::StopCancelled)), "Ready", R::StopCancelled),
            ((Finished, Some(R::Started)), (Cancelled, Some(R::Cancelled)), "Ready", R::Cancelled),
            ((Cancelled, Some(R::Cancelled)), (Cancelled, Some(R::Cancelled)), "Ready", R::Cancelled),
            ((Failed, Some(R::WindowPast)), (Cancelled, Some(R::WindowPast)), "Ready", R::WindowPast),
            ((Failed, Some(R::Suspended)), (Cancelled, Some(R::Suspended)), "Ready", R::Suspended),
            // Under way, or in the way of something that may pass.
            ((Pending, Some(R::Starting)), (Pending, None), "Reconciling", R::Starting),
            ((Pending, Some(R::WaitingForCapacity)), (Pending, None), "Reconciling", R::WaitingForCapacity),
            ((Pending, Some(R::WaitingForStop)), (Pending, None), "Reconciling", R::WaitingForStop),
            ((Pending, Some(R::StartRefused)), (Pending, None), "Reconciling", R::StartRefused),
            ((Pending, Some(R::StartNotConfirmed)), (Pending, None), "Reconciling", R::StartNotConfirmed),
            ((Finished, Some(R::Started)), (Pending, Some(R::Stopping)), "Reconciling", R::Stopping),
            ((Finished, Some(R::Started)), (Pending, Some(R::StopRefused)), "Reconciling", R::StopRefused),
            ((Finished, Some(R::Started)), (Pending, Some(R::StopNotConfirmed)), "Reconciling", R::StopNotConfirmed),
            // A person has to act.
            ((Pending, Some(R::KeyRefused)), (Pending, None), "Stalled", R::KeyRefused),
            ((Finished, Some(R::Started)), (Pending, Some(R::KeyRefused)), "Stalled", R::KeyRefused),
            ((Failed, Some(R::StartMissed)), (Pending, None), "Stalled", R::StartMissed),
            ((Failed, Some(R::StartDeadlineExceeded)), (Pending, None), "Stalled", R::StartDeadlineExceeded),
            ((Failed, Some(R::NotStatic)), (Cancelled, Some(R::StartFailed)), "Stalled", R::NotStatic),
            ((Failed, Some(R::JobNotFound)), (Pending, None), "Stalled", R::JobNotFound),
            ((Failed, Some(R::CallRefused)), (Finished, Some(R::StoppedAfterFailedStart)), "Stalled", R::CallRefused),
        ];
        for (activation, deactivation, kind, reason) in rows {
            let found = ready_of(&record(*activation, *deactivation));
            assert_eq!(found, (*kind, *reason), "{activation:?} / {deactivation:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_account_key_or_job_shows_until_the_window_is_settled() {
        let rows = [
            (Reason::AccountNotFound, "Reconciling"),
            (Reason::SecretNotFound, "Reconciling"),
            (Reason::LiveAPIUnreachable, "Reconciling"),
            (Reason::LiveAPIError, "Reconciling"),
            (Reason::KeyRefused, "Stalled"),
            (Reason::KeyMalformed, "Stalled"),
            (Reason::SecretKeyMissing, "Stalled"),
            (Reason::EndpointNotAllowed, "Stalled"),
            (Reason::JobNotFound, "Stalled"),
            (Reason::NotStatic, "Stalled"),
            (Reason::JobEnded, "Stalled"),
        ];
        for (reason, kind) in rows {
            for activation in [(TaskState::Pending, None), (TaskState::Finished, Some(Reason::Started))] {
                let mut record = record(activation, (TaskState::Pending, None));
                record.trouble = Some(Trouble { reason, message: "text of the vendor".into() });
                assert_eq!(ready_of(&record), (kind, reason));
                assert_eq!(health(false, &record).said(), Said::Text("text of the vendor"));
            }
        }
    }

    #[test]
    fn unread_is_checking_and_off_on_air_is_stopped_externally() {
        let mut unread = record((TaskState::Pending, None), (TaskState::Pending, None));
        unread.verified_at = None;
        assert_eq!(ready_of(&unread), ("Reconciling", Reason::Checking));
        let mut off = record((TaskState::Finished, Some(Reason::Started)), (TaskState::Pending, None));
        off.on_air = OnAir::False;
        assert_eq!(ready_of(&off), ("Ready", Reason::StoppedExternally));
    }

    #[test]
    fn never_two_of_ready_reconciling_and_stalled() {
        for activation in TaskState::ALL {
            for deactivation in TaskState::ALL {
                for first in Reason::ALL {
                    for second in [None, Some(*first)] {
                        let mut record = record((activation, Some(*first)), (deactivation, second));
                        record.trouble = Some(Trouble { reason: *first, message: String::new() });
                        let all = of(false, &record, Some("live/other"));
                        let holds = |kind: &str| all.iter().any(|c| c.kind == kind && c.status == Status::True);
                        let sure = ["Ready", "Reconciling", "Stalled"].into_iter().filter(|kind| holds(kind)).count();
                        assert_eq!(sure, 1, "{activation:?}/{deactivation:?} {first}: {all:?}");
                        assert!(all.iter().any(|c| c.kind == "Ready"), "Ready is always there");
                        for (i, one) in all.iter().enumerate() {
                            assert!(all[i + 1..].iter().all(|other| other.kind != one.kind), "twice {}", one.kind);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_on_air_table() {
        use TaskState::{Cancelled, Failed, Finished, Pending};
        type Row = (Made, Made, OnAir, Option<(Status, Reason)>);
        let rows: &[Row] = &[
            ((Pending, None), (Pending, None), OnAir::False, Some((Status::False, Reason::NotStarted))),
            (
                (Pending, Some(Reason::Starting)),
                (Pending, None),
                OnAir::Unknown,
                Some((Status::Unknown, Reason::Turning)),
            ),
            ((Finished, Some(Reason::Started)), (Pending, None), OnAir::True, Some((Status::True, Reason::OnAir))),
            (
                (Finished, Some(Reason::Started)),
                (Pending, None),
                OnAir::False,
                Some((Status::False, Reason::StoppedExternally)),
            ),
            ((Finished, Some(Reason::Started)), (Finished, Some(Reason::KeptOnAir)), OnAir::NotOurs, None),
            (
                (Finished, Some(Reason::Started)),
                (Cancelled, Some(Reason::StopCancelled)),
                OnAir::True,
                Some((Status::True, Reason::StopCancelled)),
            ),
            (
                (Finished, Some(Reason::Started)),
                (Finished, Some(Reason::Stopped)),
                OnAir::False,
                Some((Status::False, Reason::OffAir)),
            ),
            (
                (Failed, Some(Reason::WindowPast)),
                (Cancelled, Some(Reason::WindowPast)),
                OnAir::True,
                Some((Status::True, Reason::LeftOn)),
            ),
        ];
        for (activation, deactivation, shown, expected) in rows {
            let mut record = record(*activation, *deactivation);
            record.on_air = *shown;
            assert_eq!(on_air(&record).map(|c| (c.status, c.reason)), *expected, "{activation:?} {deactivation:?}");
        }
    }

    #[test]
    fn conflict_suspension_and_short_capacity_stand_beside_ready() {
        let kinds = |suspended, record: &Record, conflict| -> Vec<_> {
            of(suspended, record, conflict).into_iter().map(|c| c.kind).collect()
        };
        let waiting = record((TaskState::Pending, None), (TaskState::Pending, None));
        assert_eq!(kinds(false, &waiting, None), ["Ready", "OnAir"]);
        assert_eq!(kinds(false, &waiting, Some("live/other")), ["Ready", "OnAir", "Conflict"]);
        assert_eq!(kinds(true, &waiting, None), ["Ready", "OnAir", "Suspended"]);
        let short = record((TaskState::Pending, Some(Reason::WaitingForCapacity)), (TaskState::Pending, None));
        assert_eq!(kinds(false, &short, None), ["Ready", "Reconciling", "OnAir", "CapacityShort"]);
    }
}
