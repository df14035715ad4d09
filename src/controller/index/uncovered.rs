//! The daily list of all jobs of each key: when it is made, and what comes of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use plan::admit::Heard;
use plan::announce::Announcement;
use plan::{AccountName, JobKey, Reading, Reason};

use crate::controller::accounts::Account;
use crate::controller::load::{LoadKey, Origin, Queue};
use crate::controller::notice::{Notice, Subject};
use crate::controller::status;
use crate::controller::uncovered::Listed;
use crate::live;

use super::Index;
use super::admit::{LiveRequest, Order};

impl Index {
    /// The loads whose daily list is due. It is wanted from now on.
    pub(in crate::controller) fn want_daily_lists(&mut self, now: Timestamp) -> BTreeSet<LoadKey> {
        // Another's to make, until this process leads; and a window not yet seen may cover what it shows.
        if self.term.is_none() || self.listed_at().is_none() {
            return BTreeSet::new();
        }
        let due: BTreeSet<LoadKey> = self
            .queues
            .iter()
            .filter(|(_, queue)| self.daily_list_due(queue, now))
            .map(|(load, _)| load.clone())
            .collect();
        for load in &due {
            if let Some(queue) = self.queues.get_mut(load) {
                queue.daily.want();
            }
        }
        due
    }

    fn daily_list_due(&self, queue: &Queue, now: Timestamp) -> bool {
        let Some(account) = self.lister(queue).filter(|_| queue.daily.may_begin(now)) else { return false };
        let last = self.last_list(queue).map(|listed| listed.at);
        plan::uncovered::next_list(last, &account.to_string(), now, &self.timings) <= now
    }

    /// The account that the list is made with.
    fn lister<'a>(&self, queue: &'a Queue) -> Option<&'a AccountName> {
        queue.accounts().find(|name| self.accounts.get(*name).is_some_and(Account::may_list))
    }

    /// Accounts that share a key share its list: the last one counts.
    fn last_list(&self, queue: &Queue) -> Option<&Listed> {
        let of_each = queue.accounts().filter_map(|name| self.accounts.get(name)?.listed.as_ref());
        of_each.max_by_key(|listed| listed.at)
    }

    /// The last list of the account's key.
    pub(super) fn listed_for(&self, name: &AccountName) -> Option<&Listed> {
        let queue = self.loads.get(name).and_then(|load| self.queues.get(load));
        queue.and_then(|queue| self.last_list(queue)).or_else(|| self.accounts.get(name)?.listed.as_ref())
    }

    /// Marks the list as under way, and says what is to be sent. `None`: no account is left to make it with.
    pub(super) fn let_daily_list_go(&mut self, load: &LoadKey, probe: bool, now: Timestamp) -> Option<Order> {
        let account = self.queues.get(load).and_then(|queue| self.lister(queue)).cloned();
        let asks = account.and_then(|account| Some((self.client(load, &account)?, account)));
        self.queues.get_mut(load)?.daily.let_go(asks.is_some());
        let (client, account) = asks?;
        let origin = Origin { load: load.clone(), account, probe };
        Some(Order { origin, client, sent_at: now, request: LiveRequest::DailyList })
    }

    /// Whether a job that the list shows is a channel on air that no window covers.
    pub(in crate::controller) fn is_uncovered(&self, endpoint: &Arc<str>, job: &live::Job, now: Timestamp) -> bool {
        let key = JobKey { endpoint: Arc::clone(endpoint), job: job.id.as_str().into() };
        let reading = Reading::of(job.state.as_deref(), job.sep_state.as_deref());
        let windows = self.jobs.get(&key).into_iter().flat_map(|job| &job.windows);
        let windows = windows.filter_map(|id| self.windows.get(id));
        let windows = windows.map(|stored| (stored.window(), status::record(stored)));
        plan::uncovered::is_uncovered(job.is_static, reading, windows, now, &self.timings)
    }

    /// The list came to its end, after so many pages. Returns what is to be told: each account that had no such channel
    /// before, and has one now.
    pub(in crate::controller) fn daily_list_answered(
        &mut self,
        origin: &Origin,
        listed: &Listed,
        pages: usize,
        at: Timestamp,
    ) -> Vec<Notice> {
        self.contact(origin, &origin.account, at, true);
        let mut accounts = Vec::new();
        if let Some(queue) = self.queues.get_mut(&origin.load) {
            queue.daily.answered();
            queue.load.spent(u32::try_from(pages.saturating_sub(1)).unwrap_or(u32::MAX));
            accounts.extend(queue.accounts().cloned());
        }
        self.ended(&origin.load, None, origin.probe, Heard::Answer, at);
        accounts.into_iter().filter_map(|name| self.take_list(name, listed)).collect()
    }

    fn take_list(&mut self, name: AccountName, listed: &Listed) -> Option<Notice> {
        let account = self.accounts.get_mut(&name)?;
        let before = account.listed.replace(listed.clone()).map_or(0, |before| before.count);
        self.stale_accounts.insert(name.clone());
        (before == 0 && listed.count > 0).then(|| Notice {
            subject: Subject::Account,
            object: name,
            uid: account.uid.clone(),
            resource_version: account.resource_version.clone(),
            announcement: Announcement {
                warning: true,
                reason: Reason::UncoveredChannels,
                action: "List",
                note: listed.sentence(),
            },
        })
    }

    /// The list failed, perhaps after some pages.
    pub(in crate::controller) fn daily_list_failed(
        &mut self,
        origin: &Origin,
        at: Timestamp,
        reason: Reason,
        heard: Heard,
    ) {
        self.contact_failed(origin, &origin.account, at, reason);
        if let Some(queue) = self.queues.get_mut(&origin.load) {
            queue.daily.failed(&origin.account.to_string(), at, &self.timings);
        }
        self.ended(&origin.load, None, origin.probe, heard, at);
    }

    /// How many channels the last lists showed, over all keys. Of a process that does not lead: none.
    pub(in crate::controller) fn uncovered_channels(&self) -> u32 {
        let lists = self.queues.values().filter_map(|queue| self.last_list(queue)).filter(|_| self.term.is_some());
        lists.fold(0, |all, listed| all.saturating_add(listed.count))
    }
}
