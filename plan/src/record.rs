//! What a JobStartStop's status says: the stored memory of a window.

use jiff::{SignedDuration, Timestamp};

use crate::ids::{ProcessId, TermId, WorkflowId};
use crate::outbox::Outbox;
use crate::reason::Reason;
use crate::registration::{Executor, Registration};
use crate::window::Window;

/// The vendor's task states (Live API reference, scheduler).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TaskState {
    /// Not settled yet.
    #[default]
    Pending,
    /// Done, confirmed by reading the job.
    Finished,
    /// Not done, and will not be.
    Failed,
    /// Called off.
    Cancelled,
}

impl TaskState {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Finished, Self::Failed, Self::Cancelled];

    /// The vendor's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state that bears this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// One half of a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Where it stands.
    pub state: TaskState,
    /// Why it stands there; `None` while it just waits for its time.
    pub reason: Option<Reason>,
    /// The same in a sentence.
    pub message: String,
    /// The planned instant. Follows the spec until the task is called or settled.
    pub time: Timestamp,
    /// When the call is due: `time` less the lead for an activation, `time` for a deactivation. A stop that was moved
    /// into the past is due when that is seen.
    pub call_at: Timestamp,
    /// When the last call that was not certainly refused was sent.
    pub called_at: Option<Timestamp>,
    /// When the last call was sent, whatever became of it: a refused one is repeated after a wait that outlives the
    /// process.
    pub attempted_at: Option<Timestamp>,
    /// When a reading settled it.
    pub confirmed_at: Option<Timestamp>,
    /// `called_at` less `call_at`.
    pub lateness: Option<SignedDuration>,
    /// Calls made, the refused ones included.
    pub attempts: u32,
}

impl Task {
    fn pending(time: Timestamp, call_at: Timestamp) -> Self {
        Self {
            state: TaskState::Pending,
            reason: None,
            message: String::new(),
            time,
            call_at,
            called_at: None,
            attempted_at: None,
            confirmed_at: None,
            lateness: None,
            attempts: 0,
        }
    }

    /// Whether its time is frozen: a call may have left, or it is settled.
    pub fn frozen(&self) -> bool {
        self.called_at.is_some() || self.state != TaskState::Pending
    }

    /// It was made, or may have been: a call may have left.
    pub fn may_be_made(&self) -> bool {
        self.state == TaskState::Finished || self.called_at.is_some()
    }

    /// Whether it still waits.
    pub fn is_pending(&self) -> bool {
        self.state == TaskState::Pending
    }

    pub(crate) fn settle(&mut self, state: TaskState, reason: Reason, message: impl Into<String>) {
        self.state = state;
        self.say(reason, message);
    }

    pub(crate) fn say(&mut self, reason: Reason, message: impl Into<String>) {
        self.reason = Some(reason);
        self.message = message.into();
    }
}

/// A process's word, stored on the object before the call, that it is the one to make a start. Two processes that both
/// believe to lead cannot both store theirs: each write names the version of the object that it was computed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The process.
    pub by: ProcessId,
    /// The term in which it leads.
    pub term: TermId,
    /// From when on it may call. Once that has passed, and nothing is recorded since, the call may have left.
    pub at: Timestamp,
}

/// Whether this window's channel is on air.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnAir {
    /// Read on.
    True,
    /// Not on air through this window.
    #[default]
    False,
    /// Turning, or unreadable.
    Unknown,
    /// Another window keeps the channel on; this one no longer speaks for it.
    NotOurs,
}

/// What keeps a window from being ready, as its Ready condition shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The stable word for it.
    pub reason: Reason,
    /// The sentence, with the vendor's text where there is one.
    pub message: String,
}

/// The stored memory of one window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The start.
    pub activation: Task,
    /// The stop. No claim stands before it: nothing may.
    pub deactivation: Task,
    /// Who is to make the start, or made it.
    pub claim: Option<Claim>,
    /// When this window's account first read the job with its key; kept over restarts. Until then the window does
    /// not belong to the job's timeline: a stranger's object can neither hold a channel nor cut it.
    pub verified_at: Option<Timestamp>,
    /// As last shown.
    pub on_air: OnAir,
    /// What the last look at key, account and job found wrong.
    pub trouble: Option<Trouble>,
    /// Why the channel is off inside the window although nobody called a stop: `StoppedExternally` or
    /// `AutoDeactivated`. Shown, and not fought.
    pub drift: Option<Reason>,
    /// More starts are due about its own than its account allows at once. Told from a while before the start.
    pub too_many_starts: bool,
    /// Who makes its calls: resolved when it was first seen, and the same ever since.
    pub executor: Executor,
    /// How many workflows were recorded on it so far: each has a number of its own in its marker.
    pub workflows: u32,
    /// The workflow that stands for it at the vendor's scheduler. Of windows that are merged one bears it for all.
    pub registration: Option<Box<Registration>>,
    /// How it stands with the vendor's scheduler, where that is its executor: `Registered`, or why not.
    pub registered: Option<Trouble>,
    /// What of its workflow is not as its owner has it, or was changed there by somebody else.
    pub differs: Option<String>,
    /// A workflow of somebody else's on the same job, at the same time.
    pub foreign: Option<WorkflowId>,
    /// How often the vendor cut its session short, so that its start was due again.
    pub cuts: u32,
    /// When both tasks were settled.
    pub finished_at: Option<Timestamp>,
    /// The notifications that it owes, and those that were sent.
    pub outbox: Outbox,
}

impl Record {
    /// The record of a window that nobody has seen before.
    pub fn new(window: &Window) -> Self {
        Self {
            activation: Task::pending(window.activation, window.start()),
            deactivation: Task::pending(window.deactivation, window.deactivation),
            claim: None,
            verified_at: None,
            on_air: OnAir::False,
            trouble: None,
            drift: None,
            too_many_starts: false,
            executor: window.executor,
            workflows: 0,
            registration: None,
            registered: None,
            differs: None,
            foreign: None,
            cuts: 0,
            finished_at: None,
            outbox: Outbox::default(),
        }
    }

    /// Both tasks are settled: nothing will be called for this window any more.
    pub fn settled(&self) -> bool {
        !self.activation.is_pending() && !self.deactivation.is_pending()
    }

    /// Something is left to be done for it that only its account can do: its channel is on, or a workflow stands for it at
    /// the vendor's scheduler. Until that is done the account is not let go.
    pub fn needs_its_account(&self) -> bool {
        self.has_it_on() || self.registration.as_deref().is_some_and(Registration::stands)
    }

    /// Whether its two tasks [have the channel on](have_it_on).
    pub fn has_it_on(&self) -> bool {
        have_it_on(&self.activation, Some(&self.deactivation))
    }
}

/// A window with these two tasks *has the channel on*: from the moment its start may have been called, until its stop is
/// settled. A stop that nothing is known of is not.
pub fn have_it_on(activation: &Task, deactivation: Option<&Task>) -> bool {
    activation.may_be_made() && deactivation.is_none_or(Task::is_pending)
}
