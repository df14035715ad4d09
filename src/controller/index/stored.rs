//! What is to be stored, and what came of it.

use jiff::{SignedDuration, Timestamp};
use kube::Resource;
use plan::{AccountName, Deletion, FinalizerWish, ObjectName, Record, WindowId};

use crate::api::{JobStartStopStatus, LiveAccount, LiveAccountStatus};
use crate::controller::accounts::Around;
use crate::controller::attempts::{Attempts, Waits};
use crate::controller::raw::Raw;
use crate::controller::status;
use crate::controller::window::FINALIZER;

use super::Index;

/// The first and the longest wait after a failed write of an account's status.
const ACCOUNT_RETRY: Waits = Waits(SignedDuration::from_millis(250), SignedDuration::from_secs(30));

/// The first and the longest wait after an account's finalizer could not be put on or off.
const HOLD_RETRY: Waits = Waits(SignedDuration::from_secs(1), SignedDuration::from_mins(5));

/// The first and the longest wait after a failed write of a window.
const WRITE_RETRY: Waits = Waits(SignedDuration::from_millis(250), SignedDuration::from_secs(5));

/// The next write that a window's object needs.
#[derive(Debug)]
pub(in crate::controller) enum WindowWrite {
    /// The whole list of finalizers, from the version of the object that it was computed on.
    Finalizers { name: ObjectName, resource_version: String, finalizers: Vec<String> },
    /// The whole status, the same way.
    Status { name: ObjectName, resource_version: String, status: Box<JobStartStopStatus>, record: Box<Record> },
    /// The object has outlived its use.
    Expiry { name: ObjectName, resource_version: String },
}

impl WindowWrite {
    /// The object.
    pub(in crate::controller) fn name(&self) -> &ObjectName {
        match self {
            Self::Finalizers { name, .. } | Self::Status { name, .. } | Self::Expiry { name, .. } => name,
        }
    }

    /// The version of the object that it was computed on.
    pub(in crate::controller) fn version(&self) -> &str {
        match self {
            Self::Finalizers { resource_version, .. }
            | Self::Status { resource_version, .. }
            | Self::Expiry { resource_version, .. } => resource_version,
        }
    }
}

/// The next write that an account's object needs.
#[derive(Debug)]
pub(in crate::controller) enum AccountWrite {
    /// The whole list of finalizers.
    Finalizers { resource_version: String, finalizers: Vec<String> },
    /// The whole status.
    Status { resource_version: String, status: Box<LiveAccountStatus> },
}

impl Index {
    /// The next write that the window's object needs, if any. Finalizer first, status second, and a finalizer goes
    /// only after the status that ends the duty is stored. An expired window is deleted only as it was planned on.
    pub(in crate::controller) fn write(&self, id: &WindowId, now: Timestamp) -> Option<WindowWrite> {
        let stored = self.windows.get(id)?;
        if !stored.writes.may_try(now) {
            return None;
        }
        let planned = stored.planned.as_ref().filter(|_| stored.planned_generation == stored.generation)?;
        let memory = &self.jobs.get(self.job_of.get(id)?)?.memory;
        let finalizers = |finalizers| WindowWrite::Finalizers {
            name: stored.name.clone(),
            resource_version: stored.resource_version.clone(),
            finalizers,
        };
        if planned.finalizer == FinalizerWish::Add && stored.deletion == Deletion::No && !stored.has_finalizer() {
            let more = stored.finalizers.iter().cloned().chain([FINALIZER.to_owned()]).collect();
            return Some(finalizers(more));
        }
        let before = stored.acknowledged.status();
        let status = status::render(stored, &before, planned, memory, now);
        let cut = |(sent, got): &(JobStartStopStatus, JobStartStopStatus)| *sent == status && *got == before;
        if status != before && !stored.cut.as_deref().is_some_and(cut) {
            return Some(WindowWrite::Status {
                name: stored.name.clone(),
                resource_version: stored.resource_version.clone(),
                status: Box::new(status),
                record: Box::new(planned.record.clone()),
            });
        }
        if planned.finalizer == FinalizerWish::Remove && stored.has_finalizer() {
            let fewer = stored.finalizers.iter().filter(|finalizer| *finalizer != FINALIZER).cloned().collect();
            return Some(finalizers(fewer));
        }
        let expired = planned.expires_at.is_some_and(|at| at <= now) && stored.deletion == Deletion::No;
        (expired && stored.expiry.may_try(now)).then(|| WindowWrite::Expiry {
            name: stored.name.clone(),
            resource_version: stored.resource_version.clone(),
        })
    }

    /// Deleting an expired window failed. Returns how often in a row, and the wait before the next.
    pub(in crate::controller) fn expiry_failed(
        &mut self,
        id: &WindowId,
        waits: Waits,
        now: Timestamp,
    ) -> Option<(u32, SignedDuration)> {
        self.windows.get_mut(id).map(|stored| stored.expiry.failed(waits, id.as_str(), now))
    }

    /// A status was stored, and what came back is not what was sent.
    pub(in crate::controller) fn status_cut(
        &mut self,
        id: &WindowId,
        sent: JobStartStopStatus,
        got: JobStartStopStatus,
    ) {
        if let Some(stored) = self.windows.get_mut(id) {
            stored.cut = Some(Box::new((sent, got)));
        }
    }

    /// A write failed. Returns how often in a row, and the wait before the next.
    pub(in crate::controller) fn write_failed(
        &mut self,
        id: &WindowId,
        now: Timestamp,
    ) -> Option<(u32, SignedDuration)> {
        self.windows.get_mut(id).map(|stored| stored.writes.failed(WRITE_RETRY, id.as_str(), now))
    }

    pub(in crate::controller) fn write_succeeded(&mut self, id: &WindowId) {
        if let Some(stored) = self.windows.get_mut(id) {
            stored.writes = Attempts::default();
        }
    }

    /// The next write that the account's object needs, with the version that it was computed on.
    pub(in crate::controller) fn account_write(&self, name: &AccountName, now: Timestamp) -> Option<AccountWrite> {
        // Another's to write, until this process leads.
        self.term.as_ref()?;
        let account = self.accounts.get(name)?;
        let resource_version = account.resource_version.clone();
        if let Some(finalizers) = account.finalizers_wanted(self.in_use(name)).filter(|_| account.holds.may_try(now)) {
            return Some(AccountWrite::Finalizers { resource_version, finalizers });
        }
        let skew = account.endpoint.as_ref().map(|endpoint| self.skew(&endpoint.to_string())).unwrap_or_default();
        let unsigned = if self.tells(name) { account.unsigned(&self.secrets) } else { None };
        let around = Around {
            windows: self.counts(name),
            skew,
            unsigned,
            shared_key: self.shared_key(name),
            listed: self.listed_for(name),
            served_by: self.served_by(account, now),
        };
        let next = account.render(around, now);
        account.worth_a_write(&next).then(|| AccountWrite::Status { resource_version, status: Box::new(next) })
    }

    /// Less of the status was stored than was sent.
    pub(in crate::controller) fn account_cut(
        &mut self,
        name: &AccountName,
        sent: LiveAccountStatus,
        got: LiveAccountStatus,
    ) {
        if let Some(account) = self.accounts.get_mut(name) {
            account.cut = Some(Box::new((sent, got)));
        }
    }

    /// The apiserver stored the account's status.
    pub(in crate::controller) fn account_written(
        &mut self,
        name: &AccountName,
        object: &Raw<LiveAccount>,
        now: Timestamp,
    ) {
        if let Some(account) = self.accounts.get_mut(name) {
            account.writes = Attempts::default();
            account.resource_version = object.meta().resource_version.clone().unwrap_or_default();
            account.finalizers = object.meta().finalizers.clone().unwrap_or_default();
            account.status = object.read_status();
        }
        // It bears our name from now on; another may replace that before it is looked at once more.
        let _ = self.served(name, now);
    }

    /// Its finalizer could not be put on or off. Returns the wait before that is tried again.
    pub(in crate::controller) fn account_hold_failed(
        &mut self,
        name: &AccountName,
        now: Timestamp,
    ) -> Option<SignedDuration> {
        let account = self.accounts.get_mut(name)?;
        Some(account.holds.failed(HOLD_RETRY, &name.name, now).1)
    }

    /// Its status could not be written. Returns how often in a row, and the wait before that is tried again.
    pub(in crate::controller) fn account_write_failed(
        &mut self,
        name: &AccountName,
        now: Timestamp,
    ) -> Option<(u32, SignedDuration)> {
        let account = self.accounts.get_mut(name)?;
        Some(account.writes.failed(ACCOUNT_RETRY, &name.name, now))
    }
}
