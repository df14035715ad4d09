//! What the Live API answers.

use std::collections::BTreeMap;

use jiff::Timestamp;
use plan::{AccountName, JobKey, LookError, Outcome, Reason, Seen};

use super::Index;

impl Index {
    pub(in crate::controller) fn look_answered(&mut self, account: &AccountName, key: &JobKey, seen: Seen) {
        self.contact(account, seen.at, true);
        self.answered(account);
        if let Some(queue) = self.queues.get_mut(account) {
            queue.unlisted.remove(key);
        }
        if let Some(job) = self.jobs.get_mut(key) {
            job.memory.look_answered(account, seen);
        }
    }

    pub(in crate::controller) fn look_failed(
        &mut self,
        account: &AccountName,
        key: &JobKey,
        (asked_at, at): (Timestamp, Timestamp),
        error: LookError,
    ) {
        self.contact_failed(account, at, error.reason);
        self.answered(account);
        if let Some(job) = self.jobs.get_mut(key) {
            job.memory.look_failed(account, asked_at, at, error);
        }
    }

    /// A list answered for the jobs it showed. The others are read one by one from now on.
    pub(in crate::controller) fn list_answered(
        &mut self,
        account: &AccountName,
        asked: &[JobKey],
        mut seen: BTreeMap<JobKey, Seen>,
    ) {
        self.answered(account);
        for key in asked {
            let Some(job) = self.jobs.get_mut(key) else { continue };
            if let Some(seen) = seen.remove(key) {
                let at = seen.at;
                job.memory.look_answered(account, seen);
                self.contact(account, at, true);
            } else {
                job.memory.look_dropped();
                if let Some(queue) = self.queues.get_mut(account) {
                    queue.unlisted.insert(key.clone());
                }
            }
        }
    }

    /// A list brought nothing: the same as a failed look at each job.
    pub(in crate::controller) fn list_failed(
        &mut self,
        account: &AccountName,
        asked: &[JobKey],
        (asked_at, at): (Timestamp, Timestamp),
        error: &LookError,
    ) {
        self.answered(account);
        self.contact_failed(account, at, error.reason);
        for key in asked {
            if let Some(job) = self.jobs.get_mut(key) {
                job.memory.look_failed(account, asked_at, at, error.clone());
            }
        }
    }

    pub(in crate::controller) fn call_answered(
        &mut self,
        account: &AccountName,
        key: &JobKey,
        at: Timestamp,
        outcome: Outcome,
    ) {
        self.answered(account);
        match &outcome {
            Outcome::Refused { reason, .. } => self.contact_failed(account, at, *reason),
            Outcome::Accepted => self.contact(account, at, true),
            Outcome::Unanswered(_) => {}
        }
        if let Some(job) = self.jobs.get_mut(key) {
            job.memory.call_answered(at, outcome);
        }
    }

    pub(in crate::controller) fn answered(&mut self, account: &AccountName) {
        if let Some(queue) = self.queues.get_mut(account) {
            queue.load.answered();
        }
    }

    fn contact(&mut self, name: &AccountName, at: Timestamp, accepted: bool) {
        if let Some(account) = self.accounts.get_mut(name) {
            account.last_contact = Some(at);
            if account.key_accepted.replace(accepted) != Some(accepted) {
                self.stale_accounts.insert(name.clone());
            }
        }
    }

    fn contact_failed(&mut self, account: &AccountName, at: Timestamp, reason: Reason) {
        match reason {
            Reason::KeyRefused => self.contact(account, at, false),
            // Answers of the API: it knows the key.
            Reason::JobNotFound | Reason::CallRefused | Reason::WaitingForCapacity => self.contact(account, at, true),
            _ => {}
        }
    }
}
