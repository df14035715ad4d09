//! The status of a window that the apiserver has acknowledged, as the index keeps it.

use plan::{Claim, Executor, Registration, TaskState, overtaken};

use crate::api::JobStartStopStatus;

use super::{registered, status};

/// Packed: there may be a hundred thousand of them, and the whole is needed only when its object is written or read anew.
/// Beside it stands what each decision asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Acknowledged {
    /// The status as JSON; empty where nothing is stored.
    packed: Box<[u8]>,
    started: bool,
    settled: bool,
    has_it_on: bool,
    /// Few windows have one: it is put in place shortly before the start.
    claim: Option<Box<Claim>>,
    executor: Option<Executor>,
    /// Few windows have one: those that stand at the vendor's scheduler.
    registered: Option<Box<Registration>>,
}

impl Acknowledged {
    /// Of the status that is stored, if one is.
    pub(super) fn of(stored: Option<&JobStartStopStatus>) -> Self {
        stored.map(Self::pack).unwrap_or_default()
    }

    fn pack(stored: &JobStartStopStatus) -> Self {
        Self {
            packed: serde_json::to_vec(stored).unwrap_or_default().into(),
            started: stored.activation.state == TaskState::Finished.as_str(),
            settled: !stored.finished_at.is_empty(),
            has_it_on: status::tells_it_is_on(stored),
            claim: status::claim(stored).map(Box::new),
            executor: executor(stored),
            registered: registered::read(stored).map(Box::new),
        }
    }

    /// The whole of it.
    pub(super) fn status(&self) -> JobStartStopStatus {
        serde_json::from_slice(&self.packed).unwrap_or_default()
    }

    /// The start is stored as finished.
    pub(super) fn started(&self) -> bool {
        self.started
    }

    /// Both tasks are stored as settled.
    pub(super) fn settled(&self) -> bool {
        self.settled
    }

    /// The window has its job on, by what is stored.
    pub(super) fn has_it_on(&self) -> bool {
        self.has_it_on
    }

    /// The claim on the start that is stored.
    pub(super) fn claim(&self) -> Option<&Claim> {
        self.claim.as_deref()
    }

    /// What another process may have had part in, but for the whole record.
    pub(super) fn told(&self) -> overtaken::Stored<'_> {
        overtaken::Stored { record: None, claim: self.claim(), registration: self.registered() }
    }

    /// Who is stored as making its calls.
    pub(super) fn executor(&self) -> Option<Executor> {
        self.executor
    }

    /// The workflow at the vendor's scheduler that is stored as standing for it.
    pub(super) fn registered(&self) -> Option<&Registration> {
        self.registered.as_deref()
    }
}

/// The executor that is stored. An earlier version, which knew one only, stored none: a window whose job it had read was
/// its own.
fn executor(stored: &JobStartStopStatus) -> Option<Executor> {
    let of_earlier = stored.executor.is_empty() && !stored.job.verified_at.is_empty();
    if of_earlier { Some(Executor::Operator) } else { Executor::parse(&stored.executor) }
}
