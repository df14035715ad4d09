//! The vendor's scheduler of starts and stops: `/v1/scheduler/jobstartstop`.

mod ask;
mod firing;
mod list;
mod outbox;
mod refusal;
mod request;
mod rules;
mod settings;
mod workflow;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use firing::FiringFaults;
use outbox::Outbox;

pub(crate) use ask::{Answered, Ask};
pub use firing::{FiringEffect, FiringFault};
pub use outbox::{Action, Delivery, Fate, Notification};
pub use refusal::WorkflowRefusal;
pub(crate) use request::parse_new;
pub use request::{NewWorkflow, TaskEdit, TaskTimes, WorkflowEdit};
pub use settings::{
    ActivationAfterCancel, CancelAgain, DeactivationWhenOff, ErrorBody, ListCall, ListState, NotStatic,
    NotificationError, NotificationLeftOut, PastHeadsUp, PastTime, QuotaScope, RedundantGroups, RefusedAs,
    SchedulerSettings, StopNotAfterStart, UnknownFields, UnknownWorkflow, UpdateNotPending, UpdateRule,
};
pub use workflow::{Firing, FiringOutcome, TaskKind, TaskReport, TaskState, WorkflowReport};

pub(crate) use workflow::Workflow;

/// The workflows of all accounts, and what is due of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scheduler {
    workflows: BTreeMap<String, Workflow>,
    /// When each workflow has something due.
    agenda: BTreeSet<(Timestamp, String)>,
    /// Pending activations by account and job.
    pending: BTreeMap<(String, String), usize>,
    faults: FiringFaults,
    outbox: Outbox,
}

impl Scheduler {
    /// When something happens next by itself.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.agenda.first().map(|(at, _)| *at)
    }

    /// The same, or when a notification is due.
    pub(crate) fn next_change(&self) -> Option<Timestamp> {
        [self.next_due(), self.outbox.next_due()].into_iter().flatten().min()
    }

    /// Also one that the API has forgotten.
    fn get(&self, id: &str) -> Option<&Workflow> {
        self.workflows.get(id)
    }

    /// Takes a workflow out, to be changed; with [`Scheduler::keep`] the only place where one changes, so that the
    /// agenda and the count of pending activations are always right.
    fn take(&mut self, id: &str) -> Option<Workflow> {
        let workflow = self.workflows.remove(id)?;
        if let Some((at, _)) = workflow.next_due() {
            self.agenda.remove(&(at, workflow.id.clone()));
        }
        if workflow.activation.is_pending() {
            let key = (workflow.account.clone(), workflow.job.clone());
            match self.pending.get_mut(&key) {
                Some(count) if *count > 1 => *count -= 1,
                _ => {
                    self.pending.remove(&key);
                }
            }
        }
        Some(workflow)
    }

    /// Puts a workflow in, in the place of the one that has its id.
    fn keep(&mut self, workflow: Workflow) {
        self.take(&workflow.id);
        if let Some((at, _)) = workflow.next_due() {
            self.agenda.insert((at, workflow.id.clone()));
        }
        if workflow.activation.is_pending() {
            *self.pending.entry((workflow.account.clone(), workflow.job.clone())).or_default() += 1;
        }
        self.workflows.insert(workflow.id.clone(), workflow);
    }

    fn pending_of_account(&self, account: &str) -> usize {
        let from = (account.to_owned(), String::new());
        self.pending.range(from..).take_while(|((of, _), _)| of == account).map(|(_, count)| count).sum()
    }

    fn pending_of_job(&self, account: &str, job: &str) -> usize {
        self.pending.get(&(account.to_owned(), job.to_owned())).copied().unwrap_or(0)
    }
}
