//! What the Live API answers.

use std::collections::BTreeMap;

use jiff::Timestamp;
use plan::admit::Heard;
use plan::{AccountName, JobKey, LookError, Outcome, Reason, Seen, WorkflowAnswer, WorkflowOp};

use crate::controller::accounts::Scheduler;
use crate::controller::load::Origin;

use super::Index;

impl Index {
    pub(in crate::controller) fn look_answered(&mut self, origin: &Origin, key: &JobKey, seen: Seen) {
        self.contact(origin, &origin.account, seen.at, true);
        if let Some(queue) = self.queues.get_mut(&origin.load) {
            queue.pages.read(key);
        }
        self.ended(&origin.load, Some(key), origin.probe, Heard::Answer, seen.at);
        if let Some(job) = self.jobs.get_mut(key) {
            job.memory.look_answered(&origin.account, seen);
        }
    }

    pub(in crate::controller) fn look_failed(
        &mut self,
        origin: &Origin,
        key: &JobKey,
        (asked_at, at): (Timestamp, Timestamp),
        error: LookError,
        heard: Heard,
    ) {
        self.contact_failed(origin, &origin.account, at, error.reason);
        self.ended(&origin.load, Some(key), origin.probe, heard, at);
        self.note_failed_look(origin, &origin.account, key, (asked_at, at), error);
    }

    /// What an old key was told says nothing of the account's new one: it is asked again.
    fn note_failed_look(
        &mut self,
        origin: &Origin,
        account: &AccountName,
        key: &JobKey,
        (asked_at, at): (Timestamp, Timestamp),
        error: LookError,
    ) {
        let current = self.loads.get(account) == Some(&origin.load);
        let Some(job) = self.jobs.get_mut(key) else { return };
        if current {
            job.memory.look_failed(account, asked_at, at, error);
        } else {
            job.memory.look_dropped();
        }
    }

    /// A page of a list answered for these jobs.
    pub(in crate::controller) fn page_answered(&mut self, origin: &Origin, shown: Vec<(JobKey, AccountName, Seen)>) {
        for (key, account, seen) in shown {
            self.contact(origin, &account, seen.at, true);
            if let Some(job) = self.jobs.get_mut(&key) {
                job.memory.look_answered(&account, seen);
            }
        }
    }

    /// A list came to its end, after so many pages. The jobs that it did not show are read one by one from now on.
    pub(in crate::controller) fn list_answered(
        &mut self,
        origin: &Origin,
        unseen: &BTreeMap<JobKey, AccountName>,
        pages: usize,
        (asked_at, at): (Timestamp, Timestamp),
    ) {
        if let Some(queue) = self.queues.get_mut(&origin.load) {
            queue.pages.answered(pages.max(1), at.duration_since(asked_at));
            queue.load.spent(u32::try_from(pages.saturating_sub(1)).unwrap_or(u32::MAX));
            for key in unseen.keys() {
                queue.pages.missed(key);
            }
        }
        for key in unseen.keys() {
            if let Some(job) = self.jobs.get_mut(key) {
                job.memory.look_dropped();
            }
        }
        self.ended(&origin.load, None, origin.probe, Heard::Answer, at);
    }

    /// A list failed: the same as a failed look at each job that it had not shown so far, which are then read one by one:
    /// lists alone may be what fails.
    pub(in crate::controller) fn list_failed(
        &mut self,
        origin: &Origin,
        unseen: &BTreeMap<JobKey, AccountName>,
        (asked_at, at): (Timestamp, Timestamp),
        error: &LookError,
        heard: Heard,
    ) {
        if let Some(queue) = self.queues.get_mut(&origin.load) {
            queue.pages.failed(at, &self.timings);
        }
        for (key, account) in unseen {
            self.contact_failed(origin, account, at, error.reason);
            self.note_failed_look(origin, account, key, (asked_at, at), error.clone());
        }
        self.ended(&origin.load, None, origin.probe, heard, at);
    }

    pub(in crate::controller) fn call_answered(
        &mut self,
        origin: &Origin,
        key: &JobKey,
        at: Timestamp,
        outcome: Outcome,
        heard: Heard,
    ) {
        match &outcome {
            Outcome::Refused { reason, .. } => self.contact_failed(origin, &origin.account, at, *reason),
            Outcome::Accepted => self.contact(origin, &origin.account, at, true),
            Outcome::Unanswered(_) => {}
        }
        self.ended(&origin.load, Some(key), origin.probe, heard, at);
        if let Some(job) = self.jobs.get_mut(key) {
            job.memory.call_answered(at, outcome);
        }
    }

    /// The vendor's scheduler answered, or was given up on.
    pub(in crate::controller) fn workflow_answered(
        &mut self,
        origin: &Origin,
        (key, op): (&JobKey, &WorkflowOp),
        at: Timestamp,
        answer: WorkflowAnswer,
        heard: Heard,
    ) {
        match &answer {
            // Nothing was sent.
            _ if heard == Heard::Nothing => {}
            WorkflowAnswer::Refused { reason, .. } => self.contact_failed(origin, &origin.account, at, *reason),
            WorkflowAnswer::Shows(_) | WorkflowAnswer::Lists(_) | WorkflowAnswer::NotFound(_) => {
                self.contact(origin, &origin.account, at, true);
            }
            // Whoever has no list need not have looked at the key.
            WorkflowAnswer::NoList | WorkflowAnswer::Lost(_) => {}
        }
        if let Some(queue) = self.queues.get_mut(&origin.load) {
            match &answer {
                WorkflowAnswer::NoList => queue.workflows.missing(at, &self.timings),
                WorkflowAnswer::Lists(_) => queue.workflows.answered(),
                _ => {}
            }
        }
        if matches!(op, WorkflowOp::Create { .. }) {
            self.scheduler_told(origin, &answer);
        }
        self.ended(&origin.load, Some(key), origin.probe, heard, at);
        let of_old_key = self.loads.get(&origin.account) != Some(&origin.load);
        let Some(job) = self.jobs.get_mut(key) else { return };
        if of_old_key && !op.changes() && matches!(answer, WorkflowAnswer::Refused { .. }) {
            job.memory.workflow_dropped();
        } else {
            job.memory.workflow_answered(at, answer);
        }
    }

    /// Whether the vendor's scheduler takes windows of the account: what it said when it was last asked to.
    fn scheduler_told(&mut self, origin: &Origin, answer: &WorkflowAnswer) {
        let told = match answer {
            WorkflowAnswer::Shows(_) => Scheduler::Takes,
            WorkflowAnswer::Refused { reason: Reason::SchedulerUnavailable, message } => {
                Scheduler::Refuses(message.clone())
            }
            _ => return,
        };
        let name = &origin.account;
        let of_key = self.loads.get(name) == Some(&origin.load);
        let Some(account) = self.accounts.get_mut(name).filter(|_| of_key) else { return };
        if account.scheduler != told {
            account.scheduler = told;
            self.stale_accounts.insert(name.clone());
        }
    }

    /// The account's key was accepted or refused: news of the key that it has now, not of an earlier one.
    pub(super) fn contact(&mut self, origin: &Origin, name: &AccountName, at: Timestamp, accepted: bool) {
        if self.loads.get(name) != Some(&origin.load) {
            return;
        }
        let Some(account) = self.accounts.get_mut(name) else { return };
        account.last_contact = Some(at);
        if account.key_accepted.replace(accepted) != Some(accepted) {
            self.stale_accounts.insert(name.clone());
        }
        if accepted {
            account.doubted = false;
        } else if !std::mem::replace(&mut account.doubted, true) {
            // Once for each key that worked: a wrong one must not have its Secret read with every try.
            self.doubted.insert(account.secret.clone());
        }
    }

    pub(super) fn contact_failed(&mut self, origin: &Origin, account: &AccountName, at: Timestamp, reason: Reason) {
        match reason {
            Reason::KeyRefused => self.contact(origin, account, at, false),
            // Answers of the API: it knows the key.
            Reason::JobNotFound | Reason::CallRefused | Reason::WaitingForCapacity | Reason::SchedulerUnavailable => {
                self.contact(origin, account, at, true);
            }
            _ => {}
        }
    }
}
