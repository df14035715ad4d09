//! What this process knows of its own leading: told by the elector, asked by whoever is about to call.

use std::sync::{Mutex, MutexGuard, PoisonError};

use plan::lease::Before;
use plan::{LeaseTimings, Moment, ProcessId, Term, TermId};
use tokio::sync::Notify;

/// Whether this process leads, and since when that is proven.
#[derive(Debug)]
pub struct Tenure {
    timings: LeaseTimings,
    elected: bool,
    held: Mutex<Option<Held>>,
    /// Rings at each renewal, and at each change of `held`. Not a `watch` channel: that wakes those who wait in an order
    /// drawn by chance, and a simulation must repeat itself.
    changed: Notify,
    /// Somebody wants a renewal now.
    asked: Notify,
}

#[derive(Clone, Debug)]
struct Held {
    term: Term,
    /// When the last renewal was sent that was answered.
    renewed: Moment,
}

impl Tenure {
    /// Nobody's yet: an elector tells.
    pub fn vacant(timings: LeaseTimings) -> Self {
        Self::with(timings, true, None)
    }

    /// There is no election: this process leads from now on, for ever.
    pub fn unelected(by: ProcessId, timings: LeaseTimings, now: Moment) -> Self {
        let id = TermId::new("unelected");
        let term = Term::new(by, id, now.wall, Before::Unknown, &timings);
        Self::with(timings, false, Some(Held { term, renewed: now }))
    }

    fn with(timings: LeaseTimings, elected: bool, held: Option<Held>) -> Self {
        Self { timings, elected, held: Mutex::new(held), changed: Notify::new(), asked: Notify::new() }
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The present term; `None` while another process leads, or nobody.
    pub fn term(&self) -> Option<Term> {
        self.held().as_ref().map(|held| held.term.clone())
    }

    /// Whether a call may be sent now: the lease holds for as long as its answer may take.
    pub fn may_call(&self, now: &Moment) -> bool {
        let held = self.held();
        held.as_ref().is_some_and(|held| !self.elected || self.timings.may_call(&held.renewed, now))
    }

    /// Waits for the next renewal, or for a term to begin or end.
    pub async fn change(&self) {
        self.changed.notified().await;
    }

    /// Waits until this process leads.
    pub async fn until_leading(&self) -> Term {
        loop {
            let changed = self.changed.notified();
            if let Some(term) = self.term() {
                return term;
            }
            changed.await;
        }
    }

    /// Waits until this process does not lead, or leads in another term than this one.
    pub async fn until_over(&self, term: &TermId) {
        loop {
            let changed = self.changed.notified();
            if self.term().is_none_or(|now| now.id != *term) {
                return;
            }
            changed.await;
        }
    }

    /// Has the lease renewed, and waits until a renewal that was sent after `since` is answered. `false`: the term is
    /// over instead. The caller bounds the wait.
    pub async fn prove(&self, since: &Moment) -> bool {
        if !self.elected {
            return true;
        }
        loop {
            let changed = self.changed.notified();
            match self.held().as_ref() {
                None => return false,
                Some(held) if held.renewed.boottime >= since.boottime => return true,
                Some(_) => {}
            }
            self.asked.notify_one();
            changed.await;
        }
    }
}

/// What the elector tells, and is told.
impl Tenure {
    /// This process leads.
    pub fn begin(&self, term: Term, renewed: Moment) {
        *self.held() = Some(Held { term, renewed });
        self.ring();
    }

    /// The lease was renewed by a request that was sent then.
    pub fn renewed(&self, at: Moment) {
        if let Some(held) = self.held().as_mut() {
            held.renewed = at;
        }
        self.ring();
    }

    /// This process leads no longer.
    pub fn end(&self) {
        *self.held() = None;
        self.ring();
    }

    /// Waits until somebody wants a renewal.
    pub async fn asked_for_renewal(&self) {
        self.asked.notified().await;
    }

    fn ring(&self) {
        self.changed.notify_waiters();
    }
}
