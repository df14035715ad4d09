//! The log lines of calls, written when the due calls are on their way: a thousand of them take their thread longer than
//! deciding the calls does.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use plan::{AccountName, JobKey, Outcome, Verb};
use tokio::sync::Notify;

use super::shared::Shared;

/// What happened to a call, and when: the line itself is written up to [`plan::Timings::calls_first`] later.
#[derive(Debug)]
pub(super) enum Line {
    Sent { job: JobKey, account: AccountName, verb: Verb, at: Timestamp },
    Answered { job: JobKey, verb: Verb, at: Timestamp, outcome: Outcome },
}

impl Line {
    fn write(&self) {
        match self {
            Self::Sent { job, account, verb, at } => {
                tracing::info!(%job, %account, verb = verb.as_str(), %at, "called");
            }
            Self::Answered { job, verb, at, outcome: Outcome::Accepted } => {
                tracing::info!(%job, verb = verb.as_str(), %at, "accepted");
            }
            Self::Answered { job, verb, at, outcome: Outcome::Unanswered(why) } => {
                tracing::warn!(%job, verb = verb.as_str(), %at, why, "answer lost");
            }
            Self::Answered { job, verb, at, outcome: Outcome::Refused { reason, message, .. } } => {
                tracing::warn!(%job, verb = verb.as_str(), %at, %reason, message, "refused");
            }
        }
    }
}

/// Lines that are not written yet, in their order. At most two for each call under way.
#[derive(Debug, Default)]
pub(super) struct Journal {
    lines: Mutex<VecDeque<Line>>,
    filled: Notify,
}

impl Journal {
    pub(super) fn note(&self, line: Line) {
        self.lock().push_back(line);
        self.filled.notify_one();
    }

    /// Writes all there are.
    pub(super) fn flush(&self) {
        while let Some(line) = self.take() {
            line.write();
        }
    }

    fn take(&self) -> Option<Line> {
        self.lock().pop_front()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes lines as they come, whenever nothing is due. Runs for ever.
pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        shared.journal.filled.notified().await;
        shared.give_way().await;
        while let Some(line) = shared.journal.take() {
            line.write();
            shared.give_way().await;
        }
    }
}
