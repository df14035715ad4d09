//! What this process knows of its own leading: told by the elector, asked by whoever is about to call.

use std::sync::{Mutex, MutexGuard, PoisonError};

use plan::lease::Before;
use plan::{LeaseTimings, Moment, ProcessId, Term, TermId};
use tokio::sync::Notify;

/// Whether this process leads, and since when that is proven.
#[derive(Debug)]
pub struct Tenure {
    timings: LeaseTimings,
    /// How much the Lease has to say.
    mode: Mode,
    held: Mutex<Option<Held>>,
    /// Rings at each renewal, and at each change of `held`. Not a `watch` channel: that wakes those who wait in an order
    /// drawn by chance, and a simulation must repeat itself.
    changed: Notify,
    /// Somebody wants a renewal now.
    asked: Notify,
    /// The apiserver told an older version of the Lease than before.
    went_back: Notify,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Elected,
    /// There is no Lease.
    Unelected,
    /// It leads whatever the Lease says, and knows what it says: for tests of two leaders.
    Forced,
}

#[derive(Clone, Debug)]
struct Held {
    term: Term,
    /// When the last renewal was sent that was answered.
    renewed: Option<Moment>,
}

impl Tenure {
    /// Nobody's yet: an elector tells.
    pub fn vacant(timings: LeaseTimings) -> Self {
        Self::with(timings, Mode::Elected, None)
    }

    /// There is no election: this process leads from now on, for ever.
    pub fn unelected(by: ProcessId, timings: LeaseTimings, now: Moment) -> Self {
        let id = TermId::new("unelected");
        let term = Term::new(by, id, now.wall, Before::Unknown, &timings);
        Self::with(timings, Mode::Unelected, Some(Held { term, renewed: None }))
    }

    /// This process believes to lead from now on, whatever the Lease says. For tests: two such processes must not harm
    /// each other.
    pub fn forced(by: ProcessId, timings: LeaseTimings, now: Moment) -> Self {
        let term = Term::new(by, TermId::new("forced"), now.wall, Before::Unknown, &timings);
        Self::with(timings, Mode::Forced, Some(Held { term, renewed: None }))
    }

    fn with(timings: LeaseTimings, mode: Mode, held: Option<Held>) -> Self {
        Self {
            timings,
            mode,
            held: Mutex::new(held),
            changed: Notify::new(),
            went_back: Notify::new(),
            asked: Notify::new(),
        }
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
        let holds = |held: &Held| held.renewed.is_some_and(|renewed| self.timings.may_call(&renewed, now));
        held.as_ref().is_some_and(|held| self.mode != Mode::Elected || holds(held))
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

    /// Has the lease renewed, and waits until a renewal that was sent after `since` is answered. `false`: the term is
    /// over instead. The caller bounds the wait.
    pub async fn prove(&self, since: &Moment) -> bool {
        if self.mode == Mode::Unelected {
            return true;
        }
        loop {
            let changed = self.changed.notified();
            match self.held().as_ref() {
                None => return false,
                Some(held) if held.renewed.is_some_and(|at| at.boottime >= since.boottime) => return true,
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
        let mut held = self.held();
        match held.as_mut().filter(|_| self.mode == Mode::Forced) {
            Some(held) => held.renewed = Some(renewed),
            None => *held = Some(Held { term, renewed: Some(renewed) }),
        }
        drop(held);
        self.ring();
    }

    /// The lease was renewed by a request that was sent then.
    pub fn renewed(&self, at: Moment) {
        if let Some(held) = self.held().as_mut() {
            held.renewed = Some(at);
        }
        self.ring();
    }

    /// This process leads no longer.
    pub fn end(&self) {
        let mut held = self.held();
        match held.as_mut().filter(|_| self.mode == Mode::Forced) {
            Some(held) => held.renewed = None,
            None => *held = None,
        }
        drop(held);
        self.ring();
    }

    /// What the apiserver has stored was replaced by an older state: its version of the Lease went back.
    pub fn store_went_back(&self) {
        // Kept for who does not wait just now: it is told once.
        self.went_back.notify_one();
    }

    /// Waits until that is told.
    pub async fn until_store_went_back(&self) {
        self.went_back.notified().await;
    }

    /// Waits until somebody wants a renewal.
    pub async fn asked_for_renewal(&self) {
        self.asked.notified().await;
    }

    fn ring(&self) {
        self.changed.notify_waiters();
    }
}
