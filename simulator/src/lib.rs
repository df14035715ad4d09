//! A Brightcove Live API v1 for jobs and their scheduler, with faults: for the demo, the tests and the benches.
//!
//! [`World`] is the vendor as a state machine that is handed the time. [`serve`] puts it on a socket, [`InProcess`]
//! makes it a service inside a process. Over HTTP, `/control/…` does what [`World`]'s methods do in Rust.
//!
//! Where the vendor's documentation is silent or contradicts itself, the code says "NOT DOCUMENTED" or names the page
//! it follows, and [`Settings`] usually has a choice.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod api;
mod calls;
mod chance;
mod control;
mod exchange;
mod fault;
mod job;
mod list;
mod notifier;
mod refusal;
mod scheduler;
mod server;
mod settings;
mod words;
mod world;

pub use api::{Reply, Then};
pub use calls::{Call, Operation, Outcome};
pub use exchange::{Clock, Dropped, InProcess, SharedWorld, wall_clock};
pub use fault::{Effect, Fault, LateAnswer};
pub use job::{JobReport, NewJob, Transition};
pub use refusal::Refusal;
pub use scheduler::{
    Action, ActivationAfterCancel, CancelAgain, DeactivationWhenOff, Delivery, ErrorBody, Fate, Firing, FiringEffect,
    FiringFault, FiringOutcome, ListCall, ListState, NewWorkflow, NotStatic, Notification, NotificationError,
    NotificationLeftOut, PastHeadsUp, PastTime, QuotaScope, RedundantGroups, RefusedAs, SchedulerSettings,
    StopNotAfterStart, TaskEdit, TaskKind, TaskReport, TaskState, TaskTimes, UnknownFields, UnknownWorkflow,
    UpdateNotPending, UpdateRule, WorkflowEdit, WorkflowRefusal, WorkflowReport,
};
pub use server::serve;
pub use settings::{ActivateWhenOn, DeactivateWhenOff, EncoderScript, Overrides, Settings, ShortEvent, WhileTurning};
pub use words::{SepState, State};
pub use world::{ControlError, Encoder, Key, Switch, World};

/// The account of jobs and keys that name none.
pub const DEFAULT_ACCOUNT: &str = "default";
