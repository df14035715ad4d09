//! Which account's key reads and switches the job, and when no key will.

use jiff::Timestamp;

use super::facts::{Facts, later};
use super::{Alarm, Entry};
use crate::ids::AccountName;
use crate::memory::Rejection;
use crate::reason::Reason;

/// Whether any account can be used that has read the job. One that never did is a stranger's, and makes no stop.
pub fn key_at_hand(entries: &[Entry]) -> bool {
    entries.iter().any(usable)
}

fn usable(entry: &Entry) -> bool {
    entry.access.is_none() && entry.record.as_ref().is_some_and(|record| record.verified_at.is_some())
}

impl Facts<'_> {
    /// The accounts that may act for a window: its own, then those that have read the job for other windows. A
    /// stranger's, which never read it, is none of them.
    fn accounts(&self, entry: &Entry) -> Vec<AccountName> {
        let own = entry.access.is_none().then(|| entry.window.account.clone());
        let mut all: Vec<AccountName> = own.into_iter().collect();
        for account in self.entries.iter().filter(|e| usable(e)).map(|e| &e.window.account) {
            if !all.contains(account) {
                all.push(account.clone());
            }
        }
        all
    }

    /// The account to read or switch the job with: the window's own; another only where that cannot be used at all,
    /// or where a stop hangs on it and the Live API rejects the own one. Among rejected ones each gets its turn.
    pub(crate) fn account_for(&self, entry: &Entry) -> Option<AccountName> {
        let accounts = self.accounts(entry);
        if !entry.has_it_on() {
            return accounts.into_iter().next();
        }
        accounts.into_iter().min_by_key(|account| self.rejection(account).map(|rejection| rejection.last))
    }

    fn rejection(&self, account: &AccountName) -> Option<&Rejection> {
        self.memory.rejections.get(account)
    }

    /// Whether another key is at hand than the one that the last call was refused with: then nothing is waited for.
    pub(crate) fn other_key_at_hand(&self, entry: &Entry, refused: &AccountName) -> bool {
        self.rejection(refused).is_some()
            && self.accounts(entry).iter().any(|account| account != refused && self.rejection(account).is_none())
    }

    /// The Live API does not know the job, for what is due at `due`: an older finding is looked at again first. A stop
    /// hears it from every key that it could be made with.
    pub(crate) fn surely_not_found(&self, entry: &Entry, due: Timestamp) -> bool {
        let since = super::facts::sooner(due, self.timings.reading_fresh);
        let unknown_to = |account: &AccountName| self.memory.surely_not_found(account, since, self.timings);
        let accounts = self.accounts(entry);
        if entry.has_it_on() {
            return !accounts.is_empty() && accounts.iter().all(unknown_to);
        }
        accounts.first().is_some_and(unknown_to)
    }

    /// Why a stop that a deletion asks for will not be made, if credentials have been missing for long enough; outages
    /// never count (design, rule 9). Otherwise a namespace whose Secret went first would stay for ever.
    pub(crate) fn credentials_gone(&self, entry: &Entry, alarm: &mut Alarm) -> Option<&'static str> {
        let accounts = self.accounts(entry);
        if accounts.is_empty() {
            let over = later(self.memory.keyless_since?, self.timings.give_up_without_key);
            alarm.at(over);
            return (over <= self.now).then_some("no API key could be had");
        }
        let refused_since = |account: &AccountName| {
            self.rejection(account).filter(|rejection| rejection.reason == Reason::KeyRefused).map(|r| r.since)
        };
        let all: Option<Vec<Timestamp>> = accounts.iter().map(refused_since).collect();
        let over = later(all?.into_iter().max()?, self.timings.give_up_refused);
        alarm.at(over);
        (over <= self.now).then_some("the Live API refused every API key")
    }
}
