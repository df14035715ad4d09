//! What the process still waits for.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Ready once every first list is complete: a process that does not lead stands by, and is ready too. A failing watch later on is told of, and does
/// not make the process unready: its deadlines are still kept.
#[derive(Debug, Default)]
pub struct Readiness {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// What is listed first, by name: complete, or the last error.
    lists: BTreeMap<String, List>,
    warm: bool,
}

#[derive(Debug, Default)]
struct List {
    complete: bool,
    error: Option<String>,
}

impl Readiness {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything is to be listed anew.
    pub fn begin(&self) {
        *self.lock() = State::default();
    }

    /// A list by this name has to be complete first.
    pub fn expect_list(&self, name: &str) {
        self.lock().lists.entry(name.to_owned()).or_default();
    }

    /// The list is complete.
    pub fn listed(&self, name: &str) {
        self.lock().lists.insert(name.to_owned(), List { complete: true, error: None });
        self.changed.notify_waiters();
    }

    /// The list, or the watch after it, failed and is being tried again.
    pub fn failed(&self, name: &str, error: &str) {
        self.lock().lists.entry(name.to_owned()).or_default().error = Some(error.to_owned());
    }

    /// Everything is known that deciding needs: this process could lead.
    pub fn set_warm(&self) {
        self.lock().warm = true;
        self.changed.notify_waiters();
    }

    /// Whether everything is known that deciding needs.
    pub fn is_warm(&self) -> bool {
        self.lock().warm
    }

    /// Waits until every list is complete.
    pub async fn until_listed(&self) {
        loop {
            let changed = self.changed.notified();
            if self.all_listed() {
                return;
            }
            changed.await;
        }
    }

    /// Waits until everything is known that deciding needs.
    pub async fn until_warm(&self) {
        loop {
            let changed = self.changed.notified();
            if self.lock().warm {
                return;
            }
            changed.await;
        }
    }

    fn all_listed(&self) -> bool {
        let state = self.lock();
        !state.lists.is_empty() && state.lists.values().all(|list| list.complete)
    }

    /// `Ok` when ready, else what is missing, a line each.
    pub fn check(&self) -> Result<(), String> {
        let state = self.lock();
        let mut missing = String::new();
        for (name, list) in state.lists.iter().filter(|(_, list)| !list.complete) {
            let why = list.error.as_deref().unwrap_or("not answered yet");
            let _ = writeln!(missing, "waiting for the first list of {name}: {why}");
        }
        if missing.is_empty() && !state.warm {
            missing.push_str("waiting for the first lists, or for the Secrets that accounts name\n");
        }
        if missing.is_empty() { Ok(()) } else { Err(missing) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_when_listed_and_deciding_and_told_what_is_missing_before() {
        let readiness = Readiness::default();
        readiness.expect_list("jobstartstops");
        assert_eq!(readiness.check().unwrap_err(), "waiting for the first list of jobstartstops: not answered yet\n");
        readiness.failed("jobstartstops", "404 page not found");
        assert!(readiness.check().unwrap_err().contains("404 page not found"));
        readiness.listed("jobstartstops");
        assert!(readiness.check().is_err());
        readiness.set_warm();
        assert_eq!(readiness.check(), Ok(()));
        readiness.failed("jobstartstops", "connection refused");
        assert_eq!(readiness.check(), Ok(()), "deadlines are kept while a watch fails");
    }
}
