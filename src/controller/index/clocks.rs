//! Our clock, and how it compares with the Live API's.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use plan::JobKey;
use plan::skew::Skew;

use crate::live::Endpoint;

use super::Index;

/// An answer that took longer tells too little of the clock, or our own stepped while it was under way.
const LONGEST_ANSWER: SignedDuration = SignedDuration::from_secs(30);

impl Index {
    /// Our clock stepped: what is remembered moves with it, and what was known of the Live API's is void. Every job is
    /// to be decided, in this order; each with when its next call is due.
    pub(in crate::controller) fn clock_stepped(&mut self, by: SignedDuration) -> Vec<(Timestamp, JobKey)> {
        self.skews.clear();
        self.lists_moved(by);
        for job in self.jobs.values_mut() {
            job.memory.clock_stepped(by);
        }
        for account in self.accounts.values_mut() {
            account.holds.clock_stepped();
        }
        for queue in self.queues.values_mut() {
            queue.pages.clock_stepped(by);
            queue.daily.clock_stepped();
            queue.workflows.clock_stepped(by);
        }
        for stored in self.windows.values_mut() {
            stored.writes.clock_stepped();
            stored.expiry.clock_stepped();
        }
        self.stale_accounts.extend(self.accounts.keys().cloned());
        self.by_urgency()
    }

    /// An answer of the Live API told its clock. Returns the jobs whose calls go by another time now.
    pub(in crate::controller) fn clock_told(
        &mut self,
        endpoint: &Endpoint,
        asked_at: Timestamp,
        at: Timestamp,
        date: Timestamp,
    ) -> BTreeSet<JobKey> {
        let took = at.duration_since(asked_at);
        if took.is_negative() || took > LONGEST_ANSWER {
            return BTreeSet::new();
        }
        let endpoint = endpoint.origin();
        let skew = self.skews.entry(endpoint.clone()).or_default();
        let before = *skew;
        skew.answered(asked_at, at, date);
        let moved = (skew.acted_on() - before.acted_on()).abs() > SignedDuration::from_secs(1);
        if skew.told().is_some() != before.told().is_some() {
            let using = |account: &&super::Account| account.endpoint.as_ref().is_ok_and(|e| e.origin() == endpoint);
            let names = self.accounts.iter().filter(|(_, account)| using(account)).map(|(name, _)| name.clone());
            self.stale_accounts.extend(names.collect::<Vec<_>>());
        }
        // Every deadline of the endpoint moves with it.
        if moved { self.jobs.keys().filter(|key| key.endpoint == endpoint).cloned().collect() } else { BTreeSet::new() }
    }

    /// What is known of the clock at an endpoint.
    pub(super) fn skew(&self, endpoint: &str) -> Skew {
        self.skews.get(endpoint).copied().unwrap_or_default()
    }

    /// How far our clock is certainly off from the one of the Live API that it is off from most.
    pub(in crate::controller) fn clock_offset(&self) -> SignedDuration {
        let offsets = self.skews.values().map(Skew::certain);
        offsets.max_by_key(|offset| offset.abs()).unwrap_or_default()
    }
}
