//! What a JobStartStop asks for.

use jiff::{SignedDuration, Timestamp};

use crate::ids::{AccountName, ObjectName, WindowId};

/// What deleting a window does to a channel that it has on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DeletionPolicy {
    /// Switch the channel off, confirm it, then let the object go.
    #[default]
    Stop,
    /// As the Live API's DELETE: pending tasks are cancelled, a channel on air stays on.
    Cancel,
    /// Call nothing.
    Retain,
}

impl DeletionPolicy {
    /// The word used in spec and status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "Stop",
            Self::Cancel => "Cancel",
            Self::Retain => "Retain",
        }
    }
}

/// One window as its owner wants it now, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each mirrors one independent field of the object")]
pub struct Window {
    /// The object's uid.
    pub id: WindowId,
    /// The object's namespace and name.
    pub name: ObjectName,
    /// When the object was created; decides who yields when windows overlap.
    pub created: Timestamp,
    /// The account whose key reads and switches the job.
    pub account: AccountName,
    /// `activation.time`.
    pub activation: Timestamp,
    /// `deactivation.time`.
    pub deactivation: Timestamp,
    /// How long before `activation.time` the start is called, from the account's defaults.
    pub lead: SignedDuration,
    /// How late after `activation.time` a start may be made; `None`: until the window ends.
    pub starting_deadline: Option<SignedDuration>,
    /// No start while true.
    pub suspend: bool,
    /// Cancels every pending task, for good.
    pub cancel: bool,
    /// As it applies: object over account over flag.
    pub deletion_policy: DeletionPolicy,
    /// The object is being deleted.
    pub deleting: bool,
    /// Our finalizer stands on the object. Without it nothing is called for this window.
    pub finalizer: bool,
}

impl Window {
    /// When the start is to be called: `activation.time` less the lead.
    pub fn start(&self) -> Timestamp {
        self.activation.checked_sub(self.lead).unwrap_or(self.activation)
    }

    /// The last instant at which a start may still be made.
    pub fn start_deadline(&self) -> Option<Timestamp> {
        self.starting_deadline.and_then(|late| self.activation.checked_add(late).ok())
    }
}
