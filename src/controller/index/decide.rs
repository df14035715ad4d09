//! What is decided for one job.

use std::collections::BTreeSet;

use jiff::Timestamp;
use plan::{AccountName, Entry, JobKey, Reason, TaskState, Trouble, Want, WindowId};

use crate::controller::status;

use super::Index;

/// What a decision asks for, beside the status that was planned.
#[derive(Debug, Default)]
pub(in crate::controller) struct Decided {
    /// When to decide again.
    pub(in crate::controller) next: Option<Timestamp>,
    /// Windows whose object is not as planned.
    pub(in crate::controller) writes: Vec<WindowId>,
    /// Accounts whose queue changed.
    pub(in crate::controller) accounts: BTreeSet<AccountName>,
    /// Windows of this account changed their phase: its counts did, too.
    pub(in crate::controller) counted: BTreeSet<AccountName>,
}

impl Index {
    /// Plans one job and keeps the result.
    pub(in crate::controller) fn decide(&mut self, key: &JobKey, now: Timestamp) -> Decided {
        let mut decided = Decided::default();
        if !self.ready {
            return decided;
        }
        let entries = self.entries(key);
        let Some(job) = self.jobs.get(key) else { return decided };
        if entries.is_empty() && job.memory.idle() {
            decided.accounts = self.withdraw(key);
            self.jobs.remove(key);
            return decided;
        }
        let plan = plan::plan(&entries, &job.memory, now, &self.timings);
        decided.next = plan.next;
        for planned in plan.windows {
            let Some(stored) = self.windows.get_mut(&planned.id) else { continue };
            if stored.planned.as_ref().is_none_or(|before| before.phase != planned.phase) {
                decided.counted.insert(stored.spec.account.clone());
            }
            stored.planned = Some(planned);
            stored.planned_generation = stored.generation;
        }
        decided.accounts = self.withdraw(key);
        for want in plan.wants {
            let account = account_of(&want).clone();
            if let Some(queue) = self.queues.get_mut(&account) {
                queue.wanted.entry(key.clone()).or_default().push(want);
                if let Some(job) = self.jobs.get_mut(key) {
                    job.queued.insert(account.clone());
                }
                decided.accounts.insert(account);
            }
        }
        self.free_slot(key, now);
        decided.writes =
            entries.iter().map(|entry| entry.window.id.clone()).filter(|id| self.write(id, now).is_some()).collect();
        decided
    }

    fn entries(&self, key: &JobKey) -> Vec<Entry> {
        let windows = self.jobs.get(key).into_iter().flat_map(|job| &job.windows);
        windows
            .filter_map(|id| self.windows.get(id))
            .map(|stored| Entry {
                window: stored.window(),
                record: status::record(stored),
                acknowledged: stored.status.activation.state == TaskState::Finished.as_str(),
                access: match self.accounts.get(&stored.spec.account) {
                    Some(account) => account.access(),
                    None => Some(Trouble {
                        reason: Reason::AccountNotFound,
                        message: format!("The LiveAccount {} does not exist.", stored.spec.account),
                    }),
                },
            })
            .collect()
    }

    /// Takes what the job wanted out of its queues. Returns those that held something.
    fn withdraw(&mut self, key: &JobKey) -> BTreeSet<AccountName> {
        let queued = self.jobs.get(key).map(|job| job.queued.clone()).unwrap_or_default();
        queued
            .into_iter()
            .filter(|name| self.queues.get_mut(name).is_some_and(|queue| queue.wanted.remove(key).is_some()))
            .collect()
    }

    fn free_slot(&mut self, key: &JobKey, now: Timestamp) {
        let Some(job) = self.jobs.get(key) else { return };
        if !job.memory.going_on(now, &self.timings) {
            for name in &job.queued {
                if let Some(queue) = self.queues.get_mut(name) {
                    queue.load.release(key);
                }
            }
        }
    }
}

fn account_of(want: &Want) -> &AccountName {
    match want {
        Want::Read { account, .. } | Want::Call { account, .. } => account,
    }
}
