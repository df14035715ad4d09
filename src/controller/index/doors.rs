//! Whose key opens the HTTP interface.

use plan::{AccountName, Reason, Trouble, WindowId};

use crate::gateway::{self, Denied, holder};
use crate::live::KeyDigest;

use super::Index;

impl Index {
    /// The account that opted in and has this key.
    pub(in crate::controller) fn account_of_key(&self, presented: KeyDigest) -> Result<gateway::Account, Denied> {
        let doors = self.accounts.iter().filter_map(|(name, account)| {
            let (key, id) = account.door()?;
            Some((key, (name, id)))
        });
        let (name, id) = holder(presented, doors)?;
        Ok(gateway::Account { name: name.clone(), account_id: id.into() })
    }

    /// The name of the account's window with this uid.
    pub(in crate::controller) fn name_of_window(&self, account: &AccountName, uid: String) -> Option<String> {
        let stored = self.windows.get(&WindowId::new(uid))?;
        (stored.spec.account == *account).then(|| stored.name.name.to_string())
    }

    /// What is wrong with an account whose key an older one has, too.
    pub(super) fn shared_key(&self, name: &AccountName) -> Option<Trouble> {
        let (key, _) = self.accounts.get(name)?.door()?;
        let first = self
            .accounts
            .iter()
            .filter(|(_, account)| account.door().is_some_and(|(other, _)| other.is(key)))
            .min_by_key(|(name, account)| (account.created, *name))?;
        (first.0 != name).then(|| Trouble {
            reason: Reason::GatewayKeyShared,
            message: format!(
                "The LiveAccount {} opted in to the HTTP interface with the same API key: the key opens neither there. \
                 Take gateway.enabled off one of them, or give them keys of their own.",
                first.0
            ),
        })
    }

    pub(super) fn door(&self, name: &AccountName) -> Option<KeyDigest> {
        self.accounts.get(name)?.door().map(|(key, _)| key)
    }

    /// What the accounts with one of these keys say of sharing it may be out of date.
    pub(super) fn door_moved(&mut self, before: Option<KeyDigest>, after: Option<KeyDigest>) {
        let moved = match (before, after) {
            (Some(before), Some(after)) => !before.is(after),
            (before, after) => before.is_some() != after.is_some(),
        };
        if !moved {
            return;
        }
        let concerned = |key: KeyDigest| [before, after].into_iter().flatten().any(|moved| moved.is(key));
        let doors = self.accounts.iter().filter(|(_, account)| account.door().is_some_and(|(key, _)| concerned(key)));
        self.stale_accounts.extend(doors.map(|(name, _)| name.clone()).collect::<Vec<_>>());
    }
}
