//! The index: all windows by job, all accounts, and what this process knows of them.
//!
//! Watches, answers and deadlines are turned into plain calls on this struct; what comes back is what to do. Nothing
//! here waits, and nothing here reads a clock.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use plan::admit::{Request, Urgency};
use plan::{
    AccountName, DeletionPolicy, Entry, FinalizerWish, JobKey, LookError, Memory, ObjectName, Outcome, Phase,
    ReadPurpose, Reason, Record, Seen, TaskState, Timings, Trouble, Verb, Want, WindowId,
};

use crate::api::{JobStartStopStatus, LiveAccount, LiveAccountStatus, WindowCounts};
use crate::live::{JobId, LiveClient};

use super::accounts::{Account, Defaults, Dialling, Queue};
use super::status;
use super::window::{FINALIZER, Stored};

/// A job: its windows, and what is known of it.
#[derive(Default)]
struct Job {
    windows: BTreeSet<WindowId>,
    memory: Memory,
    /// The accounts in whose queues it may stand, or hold a slot.
    queued: BTreeSet<AccountName>,
}

/// See the module.
pub(super) struct Index {
    timings: Timings,
    dialling: Dialling,
    deletion_policy: DeletionPolicy,
    /// Every first list is complete. Before, nothing is decided: a window not yet seen may want the channel on.
    ready: bool,
    windows: BTreeMap<WindowId, Stored>,
    ids: BTreeMap<ObjectName, WindowId>,
    job_of: BTreeMap<WindowId, JobKey>,
    jobs: BTreeMap<JobKey, Job>,
    accounts: BTreeMap<AccountName, Account>,
    users: BTreeMap<AccountName, BTreeSet<WindowId>>,
    queues: BTreeMap<AccountName, Queue>,
    secrets: BTreeMap<ObjectName, Option<Secret>>,
    /// Accounts of which something was learnt that their status may not show yet.
    stale_accounts: BTreeSet<AccountName>,
}

/// What a decision asks for, beside the status that was planned.
#[derive(Debug, Default)]
pub(super) struct Decided {
    /// When to decide again.
    pub(super) next: Option<Timestamp>,
    /// Windows whose object is not as planned.
    pub(super) writes: Vec<WindowId>,
    /// Accounts whose queue changed.
    pub(super) accounts: BTreeSet<AccountName>,
    /// Windows of this account changed their phase: its counts did, too.
    pub(super) counted: BTreeSet<AccountName>,
}

/// A request to the Live API that was let go. It is under way from now on.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) account: AccountName,
    pub(super) client: LiveClient,
    pub(super) sent_at: Timestamp,
    pub(super) request: LiveRequest,
}

#[derive(Debug)]
pub(super) enum LiveRequest {
    Look { job: JobKey, id: JobId, for_call: bool },
    List { jobs: Vec<JobKey> },
    Call { verb: Verb, job: JobKey, id: JobId, planned: Timestamp, attempt: u32 },
}

/// What admission let go.
#[derive(Debug, Default)]
pub(super) struct Admitted {
    pub(super) orders: Vec<Order>,
    /// When time alone may let more go.
    pub(super) next: Option<Timestamp>,
    /// Jobs whose call has to wait, or no longer has to: their status says so.
    pub(super) changed: BTreeSet<JobKey>,
}

/// The next write that a window's object needs.
#[derive(Debug)]
pub(super) enum WindowWrite {
    /// The whole list of finalizers, from the version of the object that it was computed on.
    Finalizers { name: ObjectName, resource_version: String, finalizers: Vec<String> },
    /// The whole status, the same way.
    Status { name: ObjectName, resource_version: String, status: Box<JobStartStopStatus>, record: Box<Record> },
}

impl Index {
    pub(super) fn new(timings: Timings, dialling: Dialling, deletion_policy: DeletionPolicy) -> Self {
        Self {
            timings,
            dialling,
            deletion_policy,
            ready: false,
            windows: BTreeMap::new(),
            ids: BTreeMap::new(),
            job_of: BTreeMap::new(),
            jobs: BTreeMap::new(),
            accounts: BTreeMap::new(),
            users: BTreeMap::new(),
            queues: BTreeMap::new(),
            secrets: BTreeMap::new(),
            stale_accounts: BTreeSet::new(),
        }
    }

    /// All first lists are complete; every job is to be decided.
    pub(super) fn set_ready(&mut self) -> BTreeSet<JobKey> {
        self.ready = true;
        self.jobs.keys().cloned().collect()
    }

    // ---- what watches bring ---------------------------------------------------------------------------------

    /// A window as it is stored now. An older version than the one known is dropped: the cache may lag behind what
    /// this process wrote itself.
    pub(super) fn apply_window(&mut self, mut newer: Stored) -> BTreeSet<JobKey> {
        let mut touched = BTreeSet::new();
        if let Some(known) = self.ids.get(&newer.name).filter(|id| **id != newer.id).cloned() {
            // Deleted and made again under the same name, and the deletion was not seen.
            touched.extend(self.remove_window(&known));
        }
        newer.resolve(&self.defaults(&newer.spec.account));
        let id = newer.id.clone();
        match self.windows.get_mut(&id) {
            Some(known) if newer.older_than(known) => return touched,
            Some(known) => known.renew(newer),
            None => {
                self.ids.insert(newer.name.clone(), id.clone());
                self.users.entry(newer.spec.account.clone()).or_default().insert(id.clone());
                self.windows.insert(id.clone(), newer);
            }
        }
        touched.extend(self.place(&id));
        touched
    }

    /// Puts the window on the timeline that it belongs to now.
    fn place(&mut self, id: &WindowId) -> BTreeSet<JobKey> {
        let Some(stored) = self.windows.get(id) else { return BTreeSet::new() };
        let account = &stored.spec.account;
        let endpoint = match self.accounts.get(account).map(|account| &account.endpoint) {
            Some(Ok(endpoint)) => endpoint.to_string(),
            // Deleted while it was in use: the windows stay where they are.
            None if self.job_of.contains_key(id) => return self.job_of.get(id).cloned().into_iter().collect(),
            // Nobody knows yet where its job is: a timeline of its own, on which only time passes.
            _ => format!("unknown endpoint of {account}"),
        };
        let key = JobKey { endpoint, job: stored.spec.job.to_string() };
        let mut touched = BTreeSet::from([key.clone()]);
        if let Some(before) = self.job_of.insert(id.clone(), key.clone()).filter(|before| *before != key) {
            self.leave(&before, id);
            touched.insert(before);
        }
        self.jobs.entry(key).or_default().windows.insert(id.clone());
        touched
    }

    fn leave(&mut self, key: &JobKey, id: &WindowId) {
        if let Some(job) = self.jobs.get_mut(key) {
            job.windows.remove(id);
        }
    }

    /// The object is gone.
    pub(super) fn remove_window(&mut self, id: &WindowId) -> BTreeSet<JobKey> {
        let Some(stored) = self.windows.remove(id) else { return BTreeSet::new() };
        self.ids.remove(&stored.name);
        if let Some(users) = self.users.get_mut(&stored.spec.account) {
            users.remove(id);
        }
        let Some(key) = self.job_of.remove(id) else { return BTreeSet::new() };
        self.leave(&key, id);
        BTreeSet::from([key])
    }

    /// A list is complete: what it did not show is gone. `namespace`: the scope of the list, `None` for all.
    pub(super) fn retain_windows(&mut self, namespace: Option<&str>, seen: &BTreeSet<WindowId>) -> BTreeSet<JobKey> {
        let gone: Vec<WindowId> = self
            .windows
            .values()
            .filter(|stored| namespace.is_none_or(|namespace| stored.name.namespace == namespace))
            .filter(|stored| !seen.contains(&stored.id))
            .map(|stored| stored.id.clone())
            .collect();
        gone.iter().flat_map(|id| self.remove_window(id)).collect()
    }

    pub(super) fn apply_account(&mut self, name: &AccountName, newer: Account, now: Timestamp) -> BTreeSet<JobKey> {
        let limits = newer.limits();
        let queue = self.queues.entry(name.clone()).or_insert_with(|| Queue::new(limits, now));
        queue.load.limits = limits;
        match self.accounts.get_mut(name) {
            Some(known) => known.renew(newer),
            None => {
                self.accounts.insert(name.clone(), newer);
            }
        }
        self.stale_accounts.insert(name.clone());
        self.read_key(name);
        let defaults = self.defaults(name);
        let users = self.users.get(name).cloned().unwrap_or_default();
        for id in &users {
            if let Some(stored) = self.windows.get_mut(id) {
                stored.resolve(&defaults);
            }
        }
        users.iter().flat_map(|id| self.place(id)).collect()
    }

    pub(super) fn remove_account(&mut self, name: &AccountName) -> BTreeSet<JobKey> {
        self.accounts.remove(name);
        self.queues.remove(name);
        self.jobs_of(name)
    }

    pub(super) fn retain_accounts(
        &mut self,
        namespace: Option<&str>,
        seen: &BTreeSet<AccountName>,
    ) -> BTreeSet<JobKey> {
        let gone: Vec<AccountName> = self
            .accounts
            .keys()
            .filter(|name| namespace.is_none_or(|namespace| name.namespace == namespace))
            .filter(|name| !seen.contains(name))
            .cloned()
            .collect();
        gone.iter().flat_map(|name| self.remove_account(name)).collect()
    }

    /// The Secret as it is now; `None` when it does not exist.
    pub(super) fn apply_secret(&mut self, name: &ObjectName, secret: Option<Secret>) -> BTreeSet<JobKey> {
        self.secrets.insert(name.clone(), secret);
        let users: Vec<AccountName> =
            self.accounts.iter().filter(|(_, account)| &account.secret == name).map(|(name, _)| name.clone()).collect();
        users.iter().flat_map(|account| self.read_key(account)).collect()
    }

    /// A Secret that no account names any more is forgotten.
    pub(super) fn forget_secret(&mut self, name: &ObjectName) {
        self.secrets.remove(name);
    }

    /// Every Secret that an account names has been read, or is known not to exist.
    pub(super) fn secrets_read(&self) -> bool {
        self.secrets_named().iter().all(|name| self.secrets.contains_key(name))
    }

    /// The flag's word on deletion.
    pub(super) fn deletion_policy(&self) -> DeletionPolicy {
        self.deletion_policy
    }

    /// The Secrets that accounts name.
    pub(super) fn secrets_named(&self) -> BTreeSet<ObjectName> {
        self.accounts.values().map(|account| account.secret.clone()).collect()
    }

    /// Takes the key from the Secret, if that has been read. A changed key makes old failures meaningless.
    fn read_key(&mut self, name: &AccountName) -> BTreeSet<JobKey> {
        let Some(account) = self.accounts.get_mut(name) else { return BTreeSet::new() };
        let known = self.secrets.get(&account.secret);
        let unusable = account.endpoint.is_err();
        if (known.is_none() && !unusable) || !account.take_secret(known.and_then(Option::as_ref), &self.dialling) {
            return BTreeSet::new();
        }
        self.stale_accounts.insert(name.clone());
        let touched = self.jobs_of(name);
        for key in &touched {
            if let Some(job) = self.jobs.get_mut(key) {
                job.memory.forget_failures(name);
            }
        }
        touched
    }

    fn jobs_of(&self, account: &AccountName) -> BTreeSet<JobKey> {
        self.users.get(account).into_iter().flatten().filter_map(|id| self.job_of.get(id)).cloned().collect()
    }

    fn defaults(&self, account: &AccountName) -> Defaults {
        let unknown = Defaults { deletion_policy: self.deletion_policy, ..Defaults::default() };
        self.accounts.get(account).map_or(unknown, |account| account.defaults)
    }

    // ---- what is decided ------------------------------------------------------------------------------------

    /// Plans one job and keeps the result.
    pub(super) fn decide(&mut self, key: &JobKey, now: Timestamp) -> Decided {
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
                record: stored.record(),
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

    /// Lets go what the account has room for. With `calls_first` only what a call needs: the rest follows when the
    /// due calls are out.
    pub(super) fn admit(&mut self, name: &AccountName, now: Timestamp, calls_first: bool) -> Admitted {
        let mut admitted = Admitted::default();
        let Some(client) = self.accounts.get(name).and_then(|account| account.client.clone().ok()) else {
            return admitted;
        };
        let Some(queue) = self.queues.get_mut(name) else { return admitted };
        let listed = supervised(queue);
        let requests = requests(queue, &listed, now, calls_first);
        let admission = plan::admit(&requests, &mut queue.load, now, self.timings.believe_answered);
        admitted.next = admission.next;
        for request in &admission.go {
            let jobs = if listed.first() == Some(&request.job) && request.urgency == Urgency::OtherRead {
                listed.clone()
            } else {
                vec![request.job.clone()]
            };
            if let Some(request) = self.let_go(name, &jobs, request.urgency, now) {
                admitted.orders.push(Order { account: name.clone(), client: client.clone(), sent_at: now, request });
            } else {
                // Decided anew, and its place in the account is free.
                self.answered(name);
                admitted.changed.extend(jobs);
            }
        }
        for (request, why) in &admission.wait {
            let waits = matches!(request.urgency, Urgency::FirstStop | Urgency::FirstStart);
            if let Some(job) = self.jobs.get_mut(&request.job).filter(|_| waits)
                && job.memory.hold_back(Some(*why))
            {
                admitted.changed.insert(request.job.clone());
            }
        }
        admitted
    }

    /// Marks the request as under way, and says what is to be sent. `None`: it is wanted no longer, or had to wait for
    /// too long.
    fn let_go(
        &mut self,
        account: &AccountName,
        jobs: &[JobKey],
        urgency: Urgency,
        now: Timestamp,
    ) -> Option<LiveRequest> {
        if jobs.len() > 1 {
            let jobs: Vec<JobKey> =
                jobs.iter().filter(|key| self.send_look(account, key, urgency, now)).cloned().collect();
            return (!jobs.is_empty()).then_some(LiveRequest::List { jobs });
        }
        let job = jobs.first()?.clone();
        let want = self.take_want(account, &job, urgency)?;
        let id = JobId::parse(&job.job).ok()?;
        let memory = &mut self.jobs.get_mut(&job)?.memory;
        match want {
            Want::Read { purpose, .. } => {
                memory.look_sent(now);
                Some(LiveRequest::Look { job, id, for_call: purpose == ReadPurpose::ForCall })
            }
            Want::Call { verb, windows, planned, attempt, .. } if memory.still_fit(verb, now, &self.timings) => {
                memory.call_sent(verb, windows, attempt, now);
                Some(LiveRequest::Call { verb, job, id, planned, attempt })
            }
            Want::Call { .. } => None,
        }
    }

    fn send_look(&mut self, account: &AccountName, key: &JobKey, urgency: Urgency, now: Timestamp) -> bool {
        let wanted = self.take_want(account, key, urgency).is_some();
        if let Some(job) = self.jobs.get_mut(key).filter(|_| wanted) {
            job.memory.look_sent(now);
        }
        wanted
    }

    fn take_want(&mut self, account: &AccountName, key: &JobKey, urgency: Urgency) -> Option<Want> {
        let queue = self.queues.get_mut(account)?;
        let of_job = queue.wanted.get_mut(key)?;
        let at = of_job.iter().position(|want| Urgency::of(want) == urgency)?;
        let want = of_job.remove(at);
        if of_job.is_empty() {
            queue.wanted.remove(key);
        }
        Some(want)
    }

    // ---- what the Live API answers --------------------------------------------------------------------------

    pub(super) fn look_answered(&mut self, account: &AccountName, key: &JobKey, seen: Seen) {
        self.contact(account, seen.at, true);
        self.answered(account);
        if let Some(queue) = self.queues.get_mut(account) {
            queue.unlisted.remove(key);
        }
        if let Some(job) = self.jobs.get_mut(key) {
            job.memory.look_answered(account, seen);
        }
    }

    pub(super) fn look_failed(
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
    pub(super) fn list_answered(&mut self, account: &AccountName, asked: &[JobKey], mut seen: BTreeMap<JobKey, Seen>) {
        self.answered(account);
        for key in asked {
            let Some(job) = self.jobs.get_mut(key) else { continue };
            job.memory.look_dropped();
            if let Some(seen) = seen.remove(key) {
                let at = seen.at;
                job.memory.listed(account, seen);
                self.contact(account, at, true);
            } else if let Some(queue) = self.queues.get_mut(account) {
                queue.unlisted.insert(key.clone());
            }
        }
    }

    /// A list brought nothing: the same as a failed look at each job.
    pub(super) fn list_failed(
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

    pub(super) fn call_answered(&mut self, account: &AccountName, key: &JobKey, at: Timestamp, outcome: Outcome) {
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

    fn answered(&mut self, account: &AccountName) {
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

    /// The accounts of which something was learnt since the last time this was asked.
    pub(super) fn take_stale_accounts(&mut self) -> BTreeSet<AccountName> {
        std::mem::take(&mut self.stale_accounts)
    }

    fn contact_failed(&mut self, account: &AccountName, at: Timestamp, reason: Reason) {
        match reason {
            Reason::KeyRefused => self.contact(account, at, false),
            // Answers of the API: it knows the key.
            Reason::JobNotFound | Reason::CallRefused | Reason::WaitingForCapacity => self.contact(account, at, true),
            _ => {}
        }
    }

    // ---- what is stored -------------------------------------------------------------------------------------

    /// The next write that the window's object needs, if any. Finalizer first, status second, and a finalizer goes
    /// only after the status that ends the duty is stored.
    pub(super) fn write(&self, id: &WindowId, now: Timestamp) -> Option<WindowWrite> {
        let stored = self.windows.get(id)?;
        let planned = stored.planned.as_ref().filter(|_| stored.planned_generation == stored.generation)?;
        let memory = &self.jobs.get(self.job_of.get(id)?)?.memory;
        let finalizers = |finalizers| WindowWrite::Finalizers {
            name: stored.name.clone(),
            resource_version: stored.resource_version.clone(),
            finalizers,
        };
        if planned.finalizer == FinalizerWish::Add && !stored.deleting && !stored.window().finalizer {
            let more = stored.finalizers.iter().cloned().chain([FINALIZER.to_owned()]).collect();
            return Some(finalizers(more));
        }
        let status = status::render(stored, planned, memory, now);
        if status != stored.status {
            return Some(WindowWrite::Status {
                name: stored.name.clone(),
                resource_version: stored.resource_version.clone(),
                status: Box::new(status),
                record: Box::new(planned.record.clone()),
            });
        }
        if planned.finalizer == FinalizerWish::Remove && stored.window().finalizer {
            let fewer = stored.finalizers.iter().filter(|finalizer| *finalizer != FINALIZER).cloned().collect();
            return Some(finalizers(fewer));
        }
        None
    }

    pub(super) fn window(&self, id: &WindowId) -> Option<&Stored> {
        self.windows.get(id)
    }

    /// A write failed: how often in a row.
    pub(super) fn write_failed(&mut self, id: &WindowId) -> u32 {
        self.windows.get_mut(id).map_or(0, |stored| {
            stored.write_failures += 1;
            stored.write_failures
        })
    }

    pub(super) fn write_succeeded(&mut self, id: &WindowId) {
        if let Some(stored) = self.windows.get_mut(id) {
            stored.write_failures = 0;
        }
    }

    /// The status that an account should bear, with the version that it was computed on. A newer `lastContact` alone
    /// is not worth a write.
    pub(super) fn account_write(&self, name: &AccountName, now: Timestamp) -> Option<(String, LiveAccountStatus)> {
        let account = self.accounts.get(name)?;
        let next = account.render(self.counts(name), now);
        let same = LiveAccountStatus { last_contact: account.status.last_contact.clone(), ..next.clone() };
        (same != account.status).then(|| (account.resource_version.clone(), next))
    }

    /// The apiserver stored the account's status.
    pub(super) fn account_written(&mut self, name: &AccountName, object: &LiveAccount) {
        if let Some(account) = self.accounts.get_mut(name) {
            account.write_failures = 0;
            account.resource_version = object.metadata.resource_version.clone().unwrap_or_default();
            account.status = object.status.clone().unwrap_or_default();
        }
    }

    pub(super) fn account_write_failed(&mut self, name: &AccountName) -> u32 {
        self.accounts.get_mut(name).map_or(0, |account| {
            account.write_failures += 1;
            account.write_failures
        })
    }

    fn counts(&self, account: &AccountName) -> WindowCounts {
        let mut counts = WindowCounts::default();
        let phases = self.users.get(account).into_iter().flatten().filter_map(|id| self.windows.get(id));
        for stored in phases {
            counts.total += 1;
            match stored.planned.as_ref().map(|planned| planned.phase) {
                Some(Phase::Active) => counts.active += 1,
                Some(Phase::Pending) | None => counts.pending += 1,
                Some(Phase::Failed | Phase::Missed) => counts.failed += 1,
                Some(Phase::Finished | Phase::Cancelled) => {}
            }
        }
        counts
    }

    // ---- what is measured -----------------------------------------------------------------------------------

    /// Every window's phase, and since when its stop is overdue.
    pub(super) fn planned(&self) -> impl Iterator<Item = (Phase, Option<Timestamp>)> {
        self.windows
            .values()
            .filter_map(|stored| stored.planned.as_ref())
            .map(|planned| (planned.phase, planned.overdue_since))
    }
}

fn account_of(want: &Want) -> &AccountName {
    match want {
        Want::Read { account, .. } | Want::Call { account, .. } => account,
    }
}

/// The jobs on air that are due for a look now and that one list can answer for: two or more, or none.
fn supervised(queue: &Queue) -> Vec<JobKey> {
    let jobs: Vec<JobKey> = queue
        .wanted
        .iter()
        .filter(|(key, _)| !queue.unlisted.contains(key))
        .filter(|(_, wants)| {
            wants.iter().any(|want| matches!(want, Want::Read { purpose: ReadPurpose::Supervise, .. }))
        })
        .map(|(key, _)| key.clone())
        .collect();
    if jobs.len() > 1 { jobs } else { Vec::new() }
}

/// The queue as requests; a list stands for all jobs it answers for, under the first one's name.
fn requests(queue: &Queue, listed: &[JobKey], now: Timestamp, calls_first: bool) -> Vec<Request> {
    let of_want = |key: &JobKey, want: &Want| {
        let urgency = Urgency::of(want);
        let due = match want {
            Want::Call { planned, .. } => *planned,
            Want::Read { .. } => now,
        };
        Request { urgency, due, job: key.clone() }
    };
    let in_list =
        |key: &JobKey, urgency| urgency == Urgency::OtherRead && listed.first() != Some(key) && listed.contains(key);
    queue
        .wanted
        .iter()
        .flat_map(|(key, wants)| wants.iter().map(move |want| of_want(key, want)))
        .filter(|request| !in_list(&request.job, request.urgency))
        .filter(|request| !calls_first || request.urgency != Urgency::OtherRead)
        .collect()
}
