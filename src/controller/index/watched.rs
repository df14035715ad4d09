//! What watches bring.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::Resource;
use plan::{AccountName, Deletion, JobKey, ObjectName, WindowId};

use crate::api::JobStartStop;
use crate::controller::accounts::Account;
use crate::controller::apiserver::version_number;
use crate::controller::raw::Raw;
use crate::controller::window::{Stored, Unusable};

use super::Index;

impl Index {
    /// A window as it is stored now. An older version than the one known is dropped: the cache may lag behind what
    /// this process wrote itself.
    pub(in crate::controller) fn apply_window(&mut self, mut newer: Stored) -> BTreeSet<JobKey> {
        let mut touched = BTreeSet::new();
        if let Some(known) = self.ids.get(&newer.name).filter(|id| **id != newer.id).cloned() {
            // Deleted and made again under the same name, and the deletion was not seen.
            touched.extend(self.remove_window(&known));
        }
        let id = newer.id.clone();
        if let Some(known) = self.windows.get(&id) {
            newer.keep_account(known);
        }
        newer.resolve(&self.defaults(&newer.spec.account));
        if self.windows.get(&id).is_some_and(|known| newer.older_than(known)) {
            return touched;
        }
        self.uncount(&id);
        if let Some(known) = self.windows.get_mut(&id) {
            known.renew(newer, self.term.as_ref().map(|term| &term.by));
        } else {
            self.ids.insert(newer.name.clone(), id.clone());
            self.users.entry(newer.spec.account.clone()).or_default().insert(id.clone());
            self.windows.insert(id.clone(), Box::new(newer));
        }
        self.count(&id);
        touched.extend(self.place(&id));
        touched.extend(self.bring_place(&id));
        touched
    }

    /// Whether the window is known in this version.
    pub(in crate::controller) fn knows(&self, id: &WindowId, version: Option<&str>) -> bool {
        let known = self.windows.get(id).filter(|stored| !stored.void);
        known.is_some_and(|stored| Some(stored.resource_version.as_str()) == version)
    }

    /// A version of a window of which neither job nor times can be read. `None`: nothing is known of it from before
    /// either.
    pub(in crate::controller) fn apply_unread(
        &mut self,
        newer: &Raw<JobStartStop>,
        why: &Unusable,
    ) -> Option<BTreeSet<JobKey>> {
        let id = WindowId::new(newer.meta().uid.clone()?);
        let newer = self.windows.get(&id)?.unread_since(newer, why);
        Some(self.apply_window(newer))
    }

    /// Puts the window on the timeline that it belongs to now.
    fn place(&mut self, id: &WindowId) -> BTreeSet<JobKey> {
        let Some(stored) = self.windows.get(id) else { return BTreeSet::new() };
        let account = &stored.spec.account;
        let endpoint = match self.accounts.get(account).map(|account| &account.endpoint) {
            Some(Ok(endpoint)) => endpoint.origin(),
            // Deleted while it was in use: the windows stay where they are.
            None if self.job_of.contains_key(id) => return self.job_of.get(id).cloned().into_iter().collect(),
            // Nobody knows yet where its job is: a timeline of its own, on which only time passes.
            _ => format!("unknown endpoint of {account}").into(),
        };
        let key = JobKey { endpoint, job: stored.spec.job.shared() };
        let mut touched = BTreeSet::from([key.clone()]);
        if let Some(before) = self.job_of.insert(id.clone(), key.clone()).filter(|before| *before != key) {
            self.leave(&before, id);
            touched.insert(before);
        }
        self.jobs.entry(key).or_default().join(id);
        touched
    }

    fn leave(&mut self, key: &JobKey, id: &WindowId) {
        if let Some(job) = self.jobs.get_mut(key) {
            job.leave(id);
        }
    }

    /// The object is gone.
    pub(in crate::controller) fn remove_window(&mut self, id: &WindowId) -> BTreeSet<JobKey> {
        self.uncount(id);
        let Some(stored) = self.windows.remove(id) else { return BTreeSet::new() };
        let mut touched = self.forget_start(id);
        touched.extend(self.forget_place(id));
        self.ids.remove(&stored.name);
        if let Some(users) = self.users.get_mut(&stored.spec.account) {
            users.remove(id);
        }
        if let Some(key) = self.job_of.remove(id) {
            self.leave(&key, id);
            touched.insert(key);
        }
        touched
    }

    /// The windows that are being deleted, and of which it is not known yet whether their definition goes too.
    pub(in crate::controller) fn unclear_deletions(&self) -> BTreeSet<WindowId> {
        let unclear = self.windows.values().filter(|stored| stored.deletion == Deletion::Unclear);
        unclear.map(|stored| stored.id.clone()).collect()
    }

    /// The definition was read after these windows were found deleted.
    pub(in crate::controller) fn deletion_clear(&mut self, ids: &BTreeSet<WindowId>, going: bool) -> BTreeSet<JobKey> {
        for id in ids {
            if let Some(stored) = self.windows.get_mut(id).filter(|stored| stored.deletion == Deletion::Unclear) {
                stored.deletion = if going { Deletion::WithDefinition } else { Deletion::Meant };
            }
        }
        ids.iter().filter_map(|id| self.job_of.get(id)).cloned().collect()
    }

    /// A list is complete: what it did not show is gone. `namespace`: the scope of the list, `None` for all.
    pub(in crate::controller) fn retain_windows(
        &mut self,
        namespace: Option<&str>,
        seen: &BTreeSet<WindowId>,
    ) -> BTreeSet<JobKey> {
        let gone: Vec<WindowId> = self
            .windows
            .values()
            .filter(|stored| namespace.is_none_or(|namespace| *stored.name.namespace == *namespace))
            .filter(|stored| !seen.contains(&stored.id))
            .map(|stored| stored.id.clone())
            .collect();
        let gone: Vec<WindowId> = gone.into_iter().filter(|id| !self.must_stay(id)).collect();
        gone.iter().flat_map(|id| self.remove_window(id)).collect()
    }

    pub(in crate::controller) fn apply_account(
        &mut self,
        name: &AccountName,
        newer: Account,
        now: Timestamp,
    ) -> BTreeSet<JobKey> {
        let same = self.accounts.get(name).is_some_and(|known| known.asks_the_same(&newer));
        let door = self.door(name);
        match self.accounts.get_mut(name) {
            Some(known) => known.renew(newer),
            None => {
                self.accounts.insert(name.clone(), newer);
            }
        }
        self.stale_accounts.insert(name.clone());
        let mut touched = self.read_key(name, now);
        self.door_moved(door, self.door(name));
        if same {
            // Our own status write, most often: nothing that its windows are decided by has changed.
            return touched;
        }
        let defaults = self.defaults(name);
        let users = self.users.get(name).cloned().unwrap_or_default();
        for id in &users {
            if let Some(stored) = self.windows.get_mut(id) {
                stored.resolve(&defaults);
            }
        }
        touched.extend(users.iter().flat_map(|id| self.place(id)));
        touched
    }

    pub(in crate::controller) fn remove_account(&mut self, name: &AccountName) -> BTreeSet<JobKey> {
        let door = self.door(name);
        self.accounts.remove(name);
        self.door_moved(door, None);
        let mut touched = self.leave_load(name);
        touched.extend(self.jobs_of(name));
        touched
    }

    pub(in crate::controller) fn retain_accounts(
        &mut self,
        namespace: Option<&str>,
        seen: &BTreeSet<AccountName>,
    ) -> BTreeSet<JobKey> {
        let gone: Vec<AccountName> = self
            .accounts
            .keys()
            .filter(|name| namespace.is_none_or(|namespace| *name.namespace == *namespace))
            .filter(|name| !seen.contains(name))
            .cloned()
            .collect();
        gone.iter().flat_map(|name| self.remove_account(name)).collect()
    }

    /// The Secret as it is now; `None` when it does not exist.
    pub(in crate::controller) fn apply_secret(
        &mut self,
        name: &ObjectName,
        secret: Option<Secret>,
        now: Timestamp,
    ) -> BTreeSet<JobKey> {
        self.secrets.insert(name.clone(), secret);
        let users: Vec<AccountName> =
            self.accounts.iter().filter(|(_, account)| &account.secret == name).map(|(name, _)| name.clone()).collect();
        self.stale_accounts
            .extend(self.accounts.iter().filter(|(_, account)| account.signs_with(name)).map(|(n, _)| n.clone()));
        users.iter().flat_map(|account| self.read_key(account, now)).collect()
    }

    /// The Secret as it was read once more. The watch may have brought a newer one meanwhile.
    pub(in crate::controller) fn apply_read_again(
        &mut self,
        name: &ObjectName,
        secret: Secret,
        now: Timestamp,
    ) -> BTreeSet<JobKey> {
        let version = |secret: &Secret| version_number(secret.metadata.resource_version.as_ref()?);
        match self.secrets.get(name) {
            None => BTreeSet::new(),
            Some(Some(known)) if version(known) >= version(&secret) => BTreeSet::new(),
            Some(_) => self.apply_secret(name, Some(secret), now),
        }
    }

    /// A Secret that no account names any more is forgotten.
    pub(in crate::controller) fn forget_secret(&mut self, name: &ObjectName) {
        self.secrets.remove(name);
    }

    /// Every Secret that an account names has been read, or is known not to exist.
    pub(in crate::controller) fn secrets_read(&self) -> bool {
        self.secrets_named().iter().all(|name| self.secrets.contains_key(name))
    }

    /// The Secrets that accounts name.
    pub(in crate::controller) fn secrets_named(&self) -> BTreeSet<ObjectName> {
        let named = self.accounts.values().flat_map(Account::secrets_named);
        // One whose name could not be read is none.
        named.filter(|secret| !secret.name.is_empty()).cloned().collect()
    }

    /// Takes the key from the Secret, if that has been read. A changed key makes old failures meaningless.
    fn read_key(&mut self, name: &AccountName, now: Timestamp) -> BTreeSet<JobKey> {
        let door = self.door(name);
        let Some(account) = self.accounts.get_mut(name) else { return BTreeSet::new() };
        let known = self.secrets.get(&account.secret);
        let unusable = account.endpoint.is_err();
        let read = known.is_some() || unusable;
        let changed = read && account.take_secret(known.and_then(Option::as_ref), &self.dialling);
        let mut touched = self.settle_load(name, now);
        if !changed {
            return touched;
        }
        self.door_moved(door, self.door(name));
        self.stale_accounts.insert(name.clone());
        let rekeyed = self.jobs_of(name);
        for key in &rekeyed {
            if let Some(job) = self.jobs.get_mut(key) {
                job.memory.forget_failures(name);
            }
        }
        touched.extend(rekeyed);
        touched
    }
}
