//! How many windows an account has, kept as they change: there may be a hundred thousand of them.

use plan::{AccountName, Phase, WindowId, WindowPlan};

use crate::api::WindowCounts;
use crate::controller::status;
use crate::controller::window::Stored;

use super::Index;

/// The windows of one account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    total: u32,
    pending: u32,
    active: u32,
    failed: u32,
    /// Those for which something is left that only the account can do.
    needing: u32,
    /// Those that somebody is told of.
    told: u32,
}

impl Tally {
    fn one(stored: &Stored) -> Self {
        let phase = stored.planned.as_ref().map_or(Phase::Pending, |planned| planned.phase);
        Self {
            total: 1,
            pending: u32::from(phase == Phase::Pending),
            active: u32::from(phase == Phase::Active),
            failed: u32::from(phase.failed()),
            needing: u32::from(status::needs_its_account(stored)),
            told: u32::from(stored.spec.receiver.is_some()),
        }
    }

    fn with(self, other: Self, op: fn(u32, u32) -> u32) -> Self {
        Self {
            total: op(self.total, other.total),
            pending: op(self.pending, other.pending),
            active: op(self.active, other.active),
            failed: op(self.failed, other.failed),
            needing: op(self.needing, other.needing),
            told: op(self.told, other.told),
        }
    }
}

impl Index {
    /// The window is about to change, or to go. One that changes is to be [counted](Self::count) again.
    pub(super) fn uncount(&mut self, id: &WindowId) {
        let Some(stored) = self.windows.get(id) else { return };
        if let Some(tally) = self.tallies.get_mut(&stored.spec.account) {
            *tally = tally.with(Tally::one(stored), u32::saturating_sub);
            if *tally == Tally::default() {
                self.tallies.remove(&stored.spec.account);
            }
        }
    }

    /// The window is as it stands now.
    pub(super) fn count(&mut self, id: &WindowId) {
        let Some(stored) = self.windows.get(id) else { return };
        let tally = self.tallies.entry(stored.spec.account.clone()).or_default();
        *tally = tally.with(Tally::one(stored), u32::saturating_add);
    }

    /// Planned like this, it would count as something else.
    pub(super) fn counts_otherwise(&self, next: &WindowPlan) -> bool {
        let counts_as = |plan: &WindowPlan| (plan.phase, plan.record.needs_its_account());
        let planned = self.windows.get(&next.id).and_then(|stored| stored.planned.as_ref());
        planned.is_none_or(|before| counts_as(before) != counts_as(next))
    }

    pub(super) fn counts(&self, account: &AccountName) -> WindowCounts {
        let Tally { total, pending, active, failed, .. } = self.tally(account);
        WindowCounts { total, pending, active, failed }
    }

    /// One of its windows has its job on, or a workflow at the vendor's scheduler.
    pub(super) fn in_use(&self, account: &AccountName) -> bool {
        self.tally(account).needing > 0
    }

    /// Somebody is told of one of its windows.
    pub(super) fn tells(&self, account: &AccountName) -> bool {
        self.tally(account).told > 0
    }

    fn tally(&self, account: &AccountName) -> Tally {
        let tally = self.tallies.get(account).copied().unwrap_or_default();
        // In tests, against all of them.
        debug_assert_eq!(tally, self.counted_anew(account), "{account}");
        tally
    }

    fn counted_anew(&self, account: &AccountName) -> Tally {
        let windows = self.windows.values().filter(|stored| stored.spec.account == *account);
        windows.fold(Tally::default(), |all, stored| all.with(Tally::one(stored), u32::saturating_add))
    }
}
