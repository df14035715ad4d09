//! The conditions: a record in the words of Kubernetes.

use crate::phase::Phase;
use crate::reason::Reason;
use crate::record::{OnAir, Record, TaskState};
use crate::window::Window;

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

/// A condition, without the times and generations that the writer adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// `Ready`, `Reconciling`, `Stalled`, `OnAir`, `Conflict`, `Suspended`, `CapacityShort`.
    pub kind: &'static str,
    /// Whether it holds.
    pub status: Status,
    /// Why.
    pub reason: Reason,
    /// The same in a sentence.
    pub message: String,
}

/// Whether a window is as it should be. One of three by construction, so that no status ever shows two of
/// Ready=True, Reconciling=True and Stalled=True.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// As it should be.
    Ready(Reason, String),
    /// Not yet, or not now; may come right by itself.
    Reconciling(Reason, String),
    /// A person has to act (some are retried all the same).
    Stalled(Reason, String),
}

impl Health {
    /// The reason shown on the Ready condition.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Ready(reason, _) | Self::Reconciling(reason, _) | Self::Stalled(reason, _) => *reason,
        }
    }

    /// The sentence shown on the Ready condition.
    pub fn message(&self) -> &str {
        match self {
            Self::Ready(_, message) | Self::Reconciling(_, message) | Self::Stalled(_, message) => message,
        }
    }

    fn of_trouble(reason: Reason, message: String) -> Self {
        if reason.stalls() { Self::Stalled(reason, message) } else { Self::Reconciling(reason, message) }
    }

    /// Ready, and beside it Reconciling or Stalled where it is not.
    pub fn conditions(&self) -> Vec<Condition> {
        let condition =
            |kind, status| Condition { kind, status, reason: self.reason(), message: self.message().to_owned() };
        match self {
            Self::Ready(..) => vec![condition("Ready", Status::True)],
            Self::Reconciling(..) => vec![condition("Ready", Status::False), condition("Reconciling", Status::True)],
            Self::Stalled(..) => vec![condition("Ready", Status::False), condition("Stalled", Status::True)],
        }
    }
}

/// How a window is, after the table of the design (section 2).
pub fn health(window: &Window, record: &Record) -> Health {
    let (activation, deactivation) = (&record.activation, &record.deactivation);
    match Phase::of(record) {
        Phase::Finished => Health::Ready(Reason::Finished, said(&deactivation.message, "Started and stopped.")),
        Phase::Cancelled if record.settled() => {
            let reason = if deactivation.reason == Some(Reason::StopCancelled) {
                Reason::StopCancelled
            } else {
                Reason::Cancelled
            };
            Health::Ready(reason, said(&deactivation.message, "Cancelled."))
        }
        Phase::Missed | Phase::Failed if record.activation.state == TaskState::Failed => {
            let reason = activation.reason.unwrap_or(Reason::StartMissed);
            match reason {
                // Neither is a miss that somebody has to act on.
                Reason::Suspended | Reason::WindowPast => Health::Ready(reason, activation.message.clone()),
                _ => Health::Stalled(reason, activation.message.clone()),
            }
        }
        _ => under_way(window, record),
    }
}

fn under_way(window: &Window, record: &Record) -> Health {
    let (activation, deactivation) = (&record.activation, &record.deactivation);
    // A stop or a start that is due says more than what a look found wrong: it carries the same text.
    if let (TaskState::Pending, Some(reason)) = (deactivation.state, deactivation.reason) {
        return Health::of_trouble(reason, deactivation.message.clone());
    }
    if let Some(trouble) = &record.trouble {
        return Health::of_trouble(trouble.reason, trouble.message.clone());
    }
    match (activation.state, activation.reason) {
        (TaskState::Pending, Some(Reason::Suspended)) => {
            Health::Ready(Reason::Suspended, "Suspended: no start is made while spec.suspend is true.".into())
        }
        (TaskState::Pending, Some(reason)) => Health::Reconciling(reason, activation.message.clone()),
        (TaskState::Pending, None) if record.verified_at.is_none() => {
            Health::Reconciling(Reason::Checking, "Checking key and job.".into())
        }
        (TaskState::Pending, None) if window.suspend => {
            Health::Ready(Reason::Suspended, "Suspended: no start is made while spec.suspend is true.".into())
        }
        (TaskState::Pending, None) => Health::Ready(Reason::Scheduled, format!("Starts at {}.", activation.call_at)),
        _ if record.on_air == OnAir::False => Health::Ready(
            Reason::StoppedExternally,
            format!("Off air before its stop at {}; it is not switched on again.", deactivation.call_at),
        ),
        _ => Health::Ready(Reason::OnAir, format!("On air until {}.", deactivation.call_at)),
    }
}

fn said(message: &str, otherwise: &str) -> String {
    if message.is_empty() { otherwise.to_owned() } else { message.to_owned() }
}

/// The OnAir condition; `None` once another window speaks for the channel.
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
            (Status::False, Reason::StoppedExternally, Reason::StoppedExternally.meaning())
        }
        OnAir::False if record.activation.is_pending() => (Status::False, Reason::NotStarted, "The start is ahead."),
        OnAir::False => (Status::False, Reason::OffAir, "The channel is not on air through this window."),
    };
    Some(Condition { kind: "OnAir", status, reason, message: message.to_owned() })
}

/// Every condition of a window, in the order shown.
pub fn of(window: &Window, record: &Record, conflict: Option<&str>) -> Vec<Condition> {
    let mut all = health(window, record).conditions();
    all.extend(on_air(record));
    if let Some(with) = conflict {
        all.push(Condition {
            kind: "Conflict",
            status: Status::True,
            reason: Reason::Overlap,
            message: format!("Overlaps with {with} on the same job; the channel stays on until the last of them ends."),
        });
    }
    if window.suspend && record.activation.is_pending() {
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
    }
    all
}
