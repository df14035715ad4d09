//! What a JobStartStop asks for.

use jiff::{SignedDuration, Timestamp};

use crate::ids::{AccountName, ObjectName, WindowId};
use crate::reason::Reason;
use crate::record::Trouble;
use crate::registration::{Delegation, Executor};

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

/// Whether the object is being deleted, and by what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Deletion {
    /// It is not.
    #[default]
    No,
    /// It is; whether its definition goes with it is not known yet. Deleting a definition marks each of its objects
    /// deleted, and nobody who does that means to cut every channel.
    Unclear,
    /// It is, and its definition stays: somebody means this object, or its namespace.
    Meant,
    /// It goes because its definition is being deleted.
    WithDefinition,
}

/// How long ahead of its calls a window's receiver is told of them; zero: not ahead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeadsUp {
    /// Ahead of `activation.time`.
    pub start: SignedDuration,
    /// Ahead of `deactivation.time`.
    pub stop: SignedDuration,
}

/// One window as its owner wants it now, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// How long the object stays once its window is settled; `None`: until somebody deletes it.
    pub ttl: Option<SignedDuration>,
    /// It has a receiver of notifications, who is told this long ahead. `None`: nobody is told anything.
    pub heads_up: Option<HeadsUp>,
    /// Who is to make its calls, as object and account have it now. What its record says, once it has one, holds.
    pub executor: Executor,
    /// What it is registered with at the vendor's scheduler; `None`: it never is.
    pub delegation: Option<Delegation>,
    /// Whether the object is being deleted.
    pub deletion: Deletion,
    /// When it was deleted, as the apiserver has it.
    pub deleted_at: Option<Timestamp>,
    /// Our finalizer stands on the object. Without it nothing is called for this window.
    pub finalizer: bool,
    /// What of the object this binary could not read, if anything: then it makes no start, and still the stop.
    pub undecodable: Option<String>,
    /// What the installed definition lacks of the status that this binary writes, if anything: what was called could not
    /// be stored, so no start is made, and still the stop.
    pub definition_lacks: Option<String>,
}

impl Window {
    /// Nothing in the object forbids its start.
    pub fn may_start(&self) -> bool {
        !self.suspend && self.barred().is_none()
    }

    /// Why this binary may not start it, suspended or not.
    pub fn barred(&self) -> Option<Trouble> {
        let trouble =
            |reason: Reason, what: &String| Trouble { reason, message: format!("{} {what}", reason.meaning()) };
        let undecodable = self.undecodable.as_ref().map(|what| trouble(Reason::Undecodable, what));
        undecodable.or_else(|| self.definition_lacks.as_ref().map(|what| trouble(Reason::CRDTooOld, what)))
    }

    /// The object is being deleted.
    pub fn deleting(&self) -> bool {
        self.deletion != Deletion::No
    }

    /// What its deletion does to its channel: every policy acts as Retain while the definition goes. `None`: it is not
    /// being deleted.
    pub fn deleted_under(&self) -> Option<DeletionPolicy> {
        match self.deletion {
            Deletion::No => None,
            Deletion::WithDefinition => Some(DeletionPolicy::Retain),
            Deletion::Unclear | Deletion::Meant => Some(self.deletion_policy),
        }
    }

    /// Its deletion asks for the channel to be switched off now.
    pub fn deleted_to_stop(&self) -> bool {
        self.deletion == Deletion::Meant && self.deletion_policy == DeletionPolicy::Stop
    }

    /// When the start is to be called: `activation.time` less the lead.
    pub fn start(&self) -> Timestamp {
        self.activation.checked_sub(self.lead).unwrap_or(self.activation)
    }

    /// The last instant at which a start may still be made.
    pub fn start_deadline(&self) -> Option<Timestamp> {
        self.starting_deadline.and_then(|late| self.activation.checked_add(late).ok())
    }
}
