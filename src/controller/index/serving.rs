//! Whether another installation serves the same accounts.

use jiff::{SignedDuration, Timestamp};
use plan::announce::Announcement;
use plan::{AccountName, Reason};

use crate::controller::accounts::Account;
use crate::controller::apiserver::version_number;
use crate::controller::notice::{Notice, Subject};

use super::Index;

impl Index {
    /// Our Lease, as an account's status names it. `None`: this process does not lead, or without an election.
    fn our_lease(&self) -> Option<String> {
        self.term.as_ref()?.id.lease().map(|lease| lease.to_string())
    }

    /// Takes in whose name the account's status bears. Returns what is to be told if that shows that another installation
    /// serves it, too.
    pub(in crate::controller) fn served(&mut self, name: &AccountName, now: Timestamp) -> Option<Notice> {
        let us = self.our_lease()?;
        let account = self.accounts.get_mut(name)?;
        let version = version_number(&account.resource_version)?;
        let theirs = &account.status.served_by;
        account.serving.seen(theirs, version, &us, now).then(|| Notice {
            subject: Subject::Account,
            object: name.clone(),
            uid: account.uid.clone(),
            resource_version: account.resource_version.clone(),
            announcement: Announcement {
                warning: true,
                reason: Reason::OtherInstallation,
                action: "Serve",
                note: format!(
                    "Two installations of the operator serve this account: the other's Lease is {theirs}, this one's {us}. \
                     Keep their scopes apart (--namespace)."
                ),
            },
        })
    }

    /// The name that the account's status is to bear.
    pub(super) fn served_by(&self, account: &Account, now: Timestamp) -> String {
        let stored = &account.status.served_by;
        match self.our_lease() {
            Some(us) => account.serving.name(stored, &us, now, &self.timings).to_owned(),
            None => stored.clone(),
        }
    }

    /// How long after another installation was found our name is tried again.
    pub(in crate::controller) fn serve_again(&self) -> SignedDuration {
        self.timings.serve_again
    }

    /// How many accounts another installation serves, too.
    pub(in crate::controller) fn served_elsewhere(&self) -> usize {
        self.accounts.values().filter(|account| account.serving.contested()).count()
    }
}
