//! What is decided for one job.

use std::collections::BTreeSet;

use jiff::Timestamp;
use plan::outbox::Action;
use plan::{
    AccountName, Deletion, Delivery, DeliveryState, Entry, JobKey, ObjectName, Reason, Recheck, Record, TaskState,
    Trouble, Verb, Want, Window, WindowId,
};

use crate::controller::load::LoadKey;
use crate::controller::status;

use super::Index;
use super::starts::to_come;

/// What a decision asks for, beside the status that was planned.
#[derive(Debug, Default)]
pub(in crate::controller) struct Decided {
    /// When to decide again.
    pub(in crate::controller) next: Option<Timestamp>,
    /// Windows whose object may not be as planned: what to write is found out by the writer, off the path of calls.
    pub(in crate::controller) writes: Vec<WindowId>,
    /// Those of them that a start, or a request to the vendor's scheduler, waits for, and those that name its workflow.
    pub(in crate::controller) urgent_writes: Vec<WindowId>,
    /// Loads whose queue changed.
    pub(in crate::controller) loads: BTreeSet<LoadKey>,
    /// Windows of this account changed their phase: its counts did, too.
    pub(in crate::controller) counted: BTreeSet<AccountName>,
    /// Jobs to be decided again.
    pub(in crate::controller) touched: BTreeSet<JobKey>,
    /// Deleted windows of which it is to be found out whether their definition goes too.
    pub(in crate::controller) unclear: Vec<WindowId>,
    /// The job's stored objects are to be read anew.
    pub(in crate::controller) recheck: Option<Recheck>,
    /// Windows whose stop was given up just now.
    pub(in crate::controller) given_up: Vec<ObjectName>,
    /// Windows with a notification to be sent.
    pub(in crate::controller) posts: Vec<WindowId>,
    /// Notifications that their receivers will not have, found out just now.
    pub(in crate::controller) lost_posts: Vec<(Action, DeliveryState)>,
    /// Why starts failed for good just now, or were missed; those that nobody wanted made are left out.
    pub(in crate::controller) failed_starts: Vec<Reason>,
    /// Calls that are made here, as was found out just now, because the vendor's scheduler did not make them. One is for
    /// all windows that are merged.
    pub(in crate::controller) step_ins: BTreeSet<Verb>,
}

impl Index {
    /// Plans one job and keeps the result. `lease_holds`: for as long as a call takes.
    pub(in crate::controller) fn decide(&mut self, key: &JobKey, now: Timestamp, lease_holds: bool) -> Decided {
        let mut decided = Decided::default();
        let Some(term) = self.term.clone() else { return decided };
        let entries = self.entries(key, now);
        let listed_at = self.listed_at();
        let ahead = self.skew(&key.endpoint).acted_on();
        let Some(job) = self.jobs.get_mut(key) else { return decided };
        if entries.is_empty() && job.memory.idle() {
            decided.loads = self.withdraw(key);
            for load in self.jobs.remove(key).into_iter().flat_map(|job| job.queued) {
                if let Some(queue) = self.queues.get_mut(&load) {
                    queue.pages.read(key);
                }
            }
            return decided;
        }
        job.memory.clock_ahead(ahead);
        job.memory.key_at_hand(plan::key_at_hand(&entries), now);
        job.memory.workflows_recorded(&entries, &term, now);
        job.memory.listed(listed_at);
        job.memory.lease_holds(lease_holds);
        let plan = plan::plan(&entries, &job.memory, &term, now, &self.timings);
        decided.next = plan.next;
        decided.recheck = plan.recheck;
        if plan.recheck.is_some() {
            job.memory.objects_asked(now);
        }
        if plan.awaits_lease {
            self.awaiting_lease.insert(key.clone());
        }
        for (planned, entry) in plan.windows.into_iter().zip(&entries).filter(|(planned, _)| !planned.undecided) {
            let recount = self.counts_otherwise(&planned);
            if recount {
                self.uncount(&planned.id);
            }
            let Some(stored) = self.windows.get_mut(&planned.id) else { continue };
            let given_up = |record: &Record| record.deactivation.reason == Some(Reason::StopGivenUp);
            if given_up(&planned.record) && !entry.record.as_ref().is_some_and(given_up) {
                decided.given_up.push(stored.name.clone());
            }
            if entry.record.as_ref().and_then(failed_start).is_none() {
                decided.failed_starts.extend(failed_start(&planned.record));
            }
            let known = entry.record.as_ref().and_then(step_in);
            decided.step_ins.extend(step_in(&planned.record).filter(|verb| known != Some(*verb)));
            decided.lost_posts.extend(lost_posts(entry.record.as_ref(), &planned.record));
            stored.attempt = None;
            if planned.post.is_some() {
                decided.posts.push(planned.id.clone());
            }
            if stored.deletion == Deletion::Unclear {
                decided.unclear.push(stored.id.clone());
            }
            let (id, start, place) = (planned.id.clone(), to_come(&planned.record.activation), planned.place);
            stored.planned = Some(planned);
            stored.planned_generation = stored.generation;
            if recount {
                decided.counted.insert(stored.spec.account.clone());
                self.count(&id);
            }
            decided.touched.extend(self.note_start(key, &id, start, now));
            decided.touched.extend(self.note_place(&id, place, entry.window.start()));
        }
        decided.loads = self.withdraw(key);
        for want in plan.wants {
            let Some(load) = self.loads.get(account_of(&want)) else { continue };
            if let Some(queue) = self.queues.get_mut(load) {
                queue.want(key, want);
                if let Some(job) = self.jobs.get_mut(key) {
                    job.stands_in(load);
                }
                decided.loads.insert(load.clone());
            }
        }
        self.free_slot(key, now);
        decided.writes = entries.iter().map(|entry| entry.window.id.clone()).collect();
        let urgent = decided.writes.iter().filter(|id| self.claims(id) || self.registers(id));
        decided.urgent_writes = urgent.cloned().collect();
        decided
    }

    fn entries(&self, key: &JobKey, now: Timestamp) -> Vec<Entry> {
        let windows = self.jobs.get(key).into_iter().flat_map(|job| &job.windows);
        windows
            .filter_map(|id| self.windows.get(id))
            .map(|stored| {
                let record = status::record(stored);
                let window = Window { definition_lacks: self.definition_lacks.clone(), ..stored.window() };
                Entry {
                    offer: self.offer(&window, now),
                    window,
                    acknowledged: stored.acknowledged.started(),
                    registered: stored.acknowledged.registered().cloned(),
                    claimed: stored.acknowledged.claim().cloned(),
                    access: self.access(&stored.spec.account, record.as_ref().is_some_and(Record::needs_its_account)),
                    short_of_capacity: self.short_of_capacity(&stored.id),
                    attempt: stored.attempt.as_deref().copied(),
                    record,
                }
            })
            .collect()
    }

    fn access(&self, name: &AccountName, needed: bool) -> Option<Trouble> {
        match self.accounts.get(name) {
            Some(account) => account.access_for(name, needed),
            None => Some(Trouble {
                reason: Reason::AccountNotFound,
                message: format!("The LiveAccount {name} does not exist."),
            }),
        }
    }

    /// Takes what the job wanted out of its queues. Returns those that held something.
    fn withdraw(&mut self, key: &JobKey) -> BTreeSet<LoadKey> {
        let Some(job) = self.jobs.get_mut(key) else { return BTreeSet::new() };
        // Those of an earlier key are gone once nothing of them is under way.
        job.queued.retain(|load| self.queues.contains_key(load));
        let queued = job.queued.clone();
        queued
            .into_iter()
            .filter(|load| self.queues.get_mut(load).is_some_and(|queue| queue.wanted.withdraw(key)))
            .collect()
    }

    fn free_slot(&mut self, key: &JobKey, now: Timestamp) {
        let Some(job) = self.jobs.get(key) else { return };
        if !job.memory.going_on(now, &self.timings) {
            for load in &job.queued {
                if let Some(queue) = self.queues.get_mut(load) {
                    queue.load.release(key);
                }
            }
        }
    }
}

/// The notifications that ended just now without their receivers having them.
fn lost_posts(before: Option<&Record>, after: &Record) -> Vec<(Action, DeliveryState)> {
    let was_lost = |delivery: &Delivery| {
        let old = before.and_then(|record| record.outbox.get(delivery.action));
        old.is_some_and(|old| old.state.lost() && old.time == delivery.time)
    };
    let lost = after.outbox.deliveries().iter().filter(|delivery| delivery.state.lost() && !was_lost(delivery));
    lost.map(|delivery| (delivery.action, delivery.state)).collect()
}

/// Why the start of a window failed although it was to be made.
fn failed_start(record: &Record) -> Option<Reason> {
    let reason = record.activation.reason.filter(|_| record.activation.state == TaskState::Failed)?;
    (!matches!(reason, Reason::Suspended | Reason::WindowPast)).then_some(reason)
}

/// The call that is made here because the vendor's scheduler did not make it.
fn step_in(record: &Record) -> Option<Verb> {
    match record.registered.as_ref()?.reason {
        Reason::VendorStartMissing => Some(Verb::Activate),
        Reason::VendorStopMissing => Some(Verb::Deactivate),
        _ => None,
    }
}

pub(super) fn account_of(want: &Want) -> &AccountName {
    match want {
        Want::Read { account, .. } | Want::Call { account, .. } | Want::Workflow { account, .. } => account,
    }
}
