//! The decisions of the operator, and nothing else: no clock, no client, no async.
//!
//! - [`reading`]: what reading a job tells, the one place where the vendor's state words are interpreted.
//! - [`timeline`]: all windows of one job, merged.
//! - [`plan()`]: what one job needs now, what its windows' records say, and when to look again.
//! - [`admit()`]: across the jobs of one load (an endpoint and a key), which of the wanted calls go out now;
//!   [`capacity`]: which starts will have to wait.
//! - [`lease`], [`election`]: who may call, what an earlier leader may have called, and how a leader is found.
//! - [`phase`], [`conditions`], [`announce`], [`workflow`]: how a record is shown.
//! - [`registration`], [`scheduler`]: a window at the vendor's own scheduler, as recorded and as its answers show it.
//! - [`quota`]: across the jobs of one load, whose workflows stand at that scheduler.
//! - [`overtaken`]: what of a plan holds once another process has written its object.
//! - [`outbox`]: which notifications a window owes, and when each is tried.
//! - [`uncovered`]: which channels are on air that no window covers.
//! - [`serving`]: whether another installation serves the same account.
//!
//! Everything that decides takes the time as an argument. The same input gives the same output, also a second time:
//! running [`plan()`] on its own output changes nothing.

pub mod admit;
pub mod announce;
pub mod capacity;
pub mod conditions;
pub mod election;
pub mod ids;
pub mod lease;
pub mod memory;
pub mod outbox;
pub mod overtaken;
pub mod phase;
mod plan;
pub mod quota;
pub mod reading;
pub mod reason;
pub mod record;
pub mod registration;
pub mod scheduler;
pub mod serving;
pub mod skew;
pub mod timeline;
pub mod timings;
pub mod uncovered;
pub mod window;
pub mod workflow;

pub use admit::admit;
pub use ids::{AccountName, JobKey, ObjectName, ProcessId, TermId, WindowId, WorkflowId};
pub use lease::{LeaseTimings, Moment, Term};
pub use memory::{Call, Look, LookError, Memory, Outcome, Seen, Verb};
pub use outbox::{Attempt, Delivery, DeliveryState, Outbox, Posted};
pub use phase::Phase;
pub use plan::{
    Entry, FinalizerWish, Place, Plan, ReadPurpose, Recheck, Want, WindowPlan, key_at_hand, next_call,
    one_list_for_all, plan,
};
pub use reading::{Reading, Word, word};
pub use reason::Reason;
pub use record::{Claim, OnAir, Record, Task, TaskState, Trouble};
pub use registration::{Delegation, Executor, Grant, Half, Marker, Offer, Quota, Registration, Slot, Texts};
pub use scheduler::{ShownWorkflow, WorkflowAnswer, WorkflowOp};
pub use timings::Timings;
pub use window::{Deletion, DeletionPolicy, HeadsUp, Window};
