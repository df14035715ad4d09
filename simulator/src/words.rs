//! The vendor's words for what a job is doing.

use serde::{Deserialize, Serialize};

/// A job's `state` (vendor reference: Get Live Job Details).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Static entry points only: off, ready to be activated. Not billed.
    Standby,
    /// On, no encoder yet. Billed.
    Waiting,
    /// An encoder is connected. Billed.
    Processing,
    /// The encoder is gone and may come back. Billed.
    Disconnected,
    /// Stopping for good, recordings being made. Not billed.
    Finishing,
    /// Ended normally.
    Finished,
    /// Being cancelled.
    Cancelling,
    /// Cancelled for good.
    Cancelled,
    /// Ended by a system error.
    Failed,
}

impl State {
    /// The states for which the vendor bills (vendor guide: Overview of the Live API).
    pub fn is_billed(self) -> bool {
        matches!(self, Self::Waiting | Self::Processing | Self::Disconnected)
    }

    /// No activation is possible ever again.
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Finished | Self::Cancelling | Self::Cancelled | Self::Failed)
    }

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standby => "standby",
            Self::Waiting => "waiting",
            Self::Processing => "processing",
            Self::Disconnected => "disconnected",
            Self::Finishing => "finishing",
            Self::Finished => "finished",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }
}

/// A job's `sep_state`, its state as a static entry point (vendor reference: Get Live Job Details).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SepState {
    /// Not a static entry point.
    None,
    /// Off. The notifications guide reads the word otherwise; the list example of the API guide supports this.
    Waiting,
    /// An activation was accepted.
    PendingActivation,
    /// An activation is under way.
    ActivationInProgress,
    /// On: an encoder may connect.
    Ready,
    /// A deactivation was accepted.
    PendingDeactivation,
    /// A deactivation is under way.
    DeactivationInProgress,
    /// Cancelled for good.
    Cancelled,
    /// Ended.
    Finished,
}

impl SepState {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Waiting => "waiting",
            Self::PendingActivation => "pending_activation",
            Self::ActivationInProgress => "activation_in_progress",
            Self::Ready => "ready",
            Self::PendingDeactivation => "pending_deactivation",
            Self::DeactivationInProgress => "deactivation_in_progress",
            Self::Cancelled => "cancelled",
            Self::Finished => "finished",
        }
    }
}
