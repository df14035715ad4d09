//! What a process planned on one version of a window's object, and what is stored since: another process may have
//! written meanwhile.

use jiff::Timestamp;

use crate::ids::ProcessId;
use crate::record::{Claim, Record, Task};
use crate::registration::Registration;

/// What the apiserver has acknowledged of a window.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stored<'a> {
    /// The whole of it; `None`: nothing that can be read, or not asked for.
    pub record: Option<&'a Record>,
    /// Who is to make the start, by what is stored.
    pub claim: Option<&'a Claim>,
    /// The workflow at the vendor's scheduler, by what is stored.
    pub registration: Option<&'a Registration>,
}

/// What of a plan holds once its object is known as it is stored `now`; `None`: all is planned anew, from what is stored.
/// What was planned is never lost to an older version that comes back, and nothing that another process stored is taken
/// back by it.
///
/// `before`: as it was known until now. `us`: this process, once it leads.
#[must_use]
pub fn still_holds(planned: Record, before: Stored<'_>, now: Stored<'_>, us: Option<&ProcessId>) -> Option<Record> {
    if now.record.is_some_and(|theirs| is_further(theirs, &planned)) {
        return None;
    }
    let mut holds = planned;
    if before.claim != now.claim {
        // Ours, come back; or another process's, which is to be reckoned with whatever was planned.
        holds.claim = now.claim.cloned().or(holds.claim.take());
    }
    reckon_with_workflow(&mut holds, before, now, us);
    if let Some(theirs) = now.record {
        agree_on_ends(&mut holds, theirs);
    }
    Some(holds)
}

/// A start that was due again, a task that is settled, or a later call. One whose start is due again has less settled
/// and called than before.
fn is_further(theirs: &Record, ours: &Record) -> bool {
    if theirs.cuts != ours.cuts {
        return theirs.cuts > ours.cuts;
    }
    let further = |theirs: &Task, ours: &Task| {
        let settled = !theirs.is_pending() && ours.is_pending();
        settled || theirs.called_at > ours.called_at || theirs.attempts > ours.attempts
    };
    further(&theirs.activation, &ours.activation) || further(&theirs.deactivation, &ours.deactivation)
}

/// A workflow that another process has recorded since may be there, whatever was planned here.
fn reckon_with_workflow(holds: &mut Record, before: Stored<'_>, now: Stored<'_>, us: Option<&ProcessId>) {
    let Some(stored) = now.registration else { return };
    let of_same = holds.registration.as_deref().filter(|planned| planned.marker == stored.marker);
    if stored.id.is_some() && of_same.is_some_and(|planned| planned.id.is_none()) {
        // Whoever found its id: it is not lost again.
        holds.registration = Some(Box::new(stored.clone()));
        return;
    }
    let Some(theirs) = Some(stored).filter(|theirs| Some(&theirs.by) != us) else { return };
    let known = [before.registration, holds.registration.as_deref()];
    let identity = |registration: &Registration| (registration.by.clone(), registration.marker.clone());
    if !known.into_iter().flatten().any(|known| identity(known) == identity(theirs)) {
        // Its number is taken.
        holds.workflows = holds.workflows.max(theirs.attempt);
        holds.registration = Some(Box::new(theirs.clone()));
    }
}

/// Of one end that two processes read, each at its own time, the word that is stored stands: else each would put its own
/// time in the place of the other's, for as long as both are there.
fn agree_on_ends(holds: &mut Record, theirs: &Record) {
    let activation = agree(&mut holds.activation, &theirs.activation);
    let deactivation = agree(&mut holds.deactivation, &theirs.deactivation);
    if (activation || deactivation) && holds.settled() {
        holds.finished_at = theirs.finished_at.or(holds.finished_at);
    }
}

/// Whether another's word for it was taken over.
fn agree(ours: &mut Task, theirs: &Task) -> bool {
    let end = |task: &Task| (task.state, task.reason, task.called_at.map(stored_precision), task.attempts);
    let read_at = |task: &Task| task.confirmed_at.map(stored_precision);
    let at_other_times = read_at(ours).zip(read_at(theirs)).is_some_and(|(ours, theirs)| ours != theirs);
    let agreed = at_other_times && end(ours) == end(theirs);
    if agreed {
        ours.clone_from(theirs);
    }
    agreed
}

/// Statuses have microseconds, and what is planned may have less of a second.
fn stored_precision(at: Timestamp) -> i64 {
    at.as_microsecond()
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::Reason;
    use crate::ids::{TermId, WindowId, WorkflowId};
    use crate::plan::fixtures::{at, window};
    use crate::record::TaskState;
    use crate::registration::{Half, Marker, Slot, Texts};

    fn new() -> Record {
        Record::new(&window("a"))
    }

    fn of(record: &Record) -> Stored<'_> {
        Stored { record: Some(record), claim: record.claim.as_ref(), registration: record.registration.as_deref() }
    }

    /// What holds of it, once `us` has seen what is stored now.
    fn after(planned: &Record, before: &Record, now: &Record) -> Option<Record> {
        still_holds(planned.clone(), of(before), of(now), Some(&ProcessId::new("us")))
    }

    fn started(called: i64, read: i64) -> Record {
        let mut record = new();
        let task = &mut record.activation;
        (task.state, task.reason, task.attempts) = (TaskState::Finished, Some(Reason::Started), 1);
        (task.called_at, task.confirmed_at) = (Some(at(called)), Some(at(read)));
        task.message = format!("read at {read}");
        record
    }

    #[test]
    fn a_start_that_was_due_again_is_further_than_the_one_before_it_however_far_that_came() {
        let first = Record { finished_at: Some(at(190)), ..started(100, 104) };
        let again = Record { cuts: 1, ..new() };
        assert_eq!(after(&first, &first, &again), None);
        assert_eq!(after(&again, &first, &first), Some(again.clone()));
        assert_eq!(after(&again, &again, &again), Some(again.clone()), "it is the same");
        let called = Record { cuts: 1, ..first };
        assert_eq!(after(&again, &again, &called), None, "of one and the same start the later call counts");
        assert_eq!(after(&called, &again, &again), Some(called));
    }

    #[test]
    fn case_100_of_an_end_that_two_processes_read_the_word_that_is_stored_stands() {
        let (ours, theirs) = (started(100, 104), started(100, 103));
        assert_eq!(after(&ours, &new(), &theirs), Some(theirs.clone()));
        assert_eq!(after(&theirs, &ours, &ours), Some(ours.clone()), "whichever it is");
        let stopped = |read, finished| {
            let mut record = theirs.clone();
            let task = &mut record.deactivation;
            (task.state, task.reason, task.confirmed_at) = (TaskState::Finished, Some(Reason::Stopped), Some(at(read)));
            Record { finished_at: Some(at(finished)), ..record }
        };
        assert_eq!(after(&stopped(204, 205), &theirs, &stopped(203, 204)), Some(stopped(203, 204)));
    }

    #[test]
    fn ends_that_differ_are_not_taken_for_one() {
        let ours = started(100, 104);
        for other in [
            Record {
                activation: Task { reason: Some(Reason::AlreadyOnAir), ..ours.activation.clone() },
                ..ours.clone()
            },
            Record { activation: Task { confirmed_at: None, ..ours.activation.clone() }, ..ours.clone() },
            started(99, 103),
        ] {
            assert_eq!(after(&ours, &new(), &other), Some(ours.clone()), "{:?}", other.activation);
        }
    }

    /// A status has no more than microseconds, and its `finishedAt` no more than seconds.
    #[test]
    fn what_comes_back_of_ones_own_is_not_taken_for_anothers() {
        let later = |at: Timestamp| at.checked_add(SignedDuration::from_nanos(1)).unwrap();
        let mut ours = started(100, 104);
        let sent = Record { finished_at: Some(at(205)), ..ours.clone() };
        ours.activation.called_at = ours.activation.called_at.map(later);
        ours.activation.confirmed_at = ours.activation.confirmed_at.map(later);
        ours.finished_at = Some(later(at(205)));
        assert_eq!(after(&ours, &new(), &sent), Some(ours));
    }

    #[test]
    fn a_claim_that_appeared_or_changed_is_reckoned_with_and_one_that_went_is_ours_to_put_back() {
        let claimed = |by: &str| {
            let claim = Claim { by: ProcessId::new(by), term: TermId::new("lease"), at: at(100) };
            Record { claim: Some(claim), ..new() }
        };
        let (ours, theirs) = (claimed("us"), claimed("them"));
        let claim = |holds: Option<Record>| holds.unwrap().claim;
        assert_eq!(claim(after(&ours, &new(), &theirs)), theirs.claim);
        assert_eq!(claim(after(&new(), &new(), &theirs)), theirs.claim);
        assert_eq!(claim(after(&ours, &theirs, &theirs)), ours.claim, "it was seen, and ours is to replace it");
        assert_eq!(claim(after(&ours, &ours, &new())), ours.claim);
    }

    fn registered_by(process: &str, attempt: u32, id: Option<&str>) -> Record {
        let slot = Slot { time: Timestamp::UNIX_EPOCH, ahead: SignedDuration::ZERO };
        let half = Half { slot, state: Some(TaskState::Pending) };
        let registration = Registration {
            marker: Marker::new(&WindowId::new("d44c"), "").numbered(attempt),
            id: id.map(WorkflowId::new),
            by: ProcessId::new(process),
            attempt,
            start: half,
            stop: half,
            asked: (slot, slot),
            texts: Texts::default(),
            gone: false,
            withdrawn: false,
            cleared: false,
        };
        Record { registration: Some(Box::new(registration)), ..new() }
    }

    fn registration(holds: Option<Record>) -> Option<Box<Registration>> {
        holds.unwrap().registration
    }

    #[test]
    fn a_workflow_that_another_process_recorded_meanwhile_is_reckoned_with() {
        let (ours, theirs) = (registered_by("us", 1, None), registered_by("them", 1, None));
        assert_eq!(registration(after(&ours, &new(), &theirs)), theirs.registration);
        assert_eq!(registration(after(&new(), &new(), &theirs)), theirs.registration);
        let again = registered_by("them", 2, None);
        let holds = after(&ours, &theirs, &again).unwrap();
        assert_eq!((holds.workflows, holds.registration), (2, again.registration), "its number is taken");
    }

    #[test]
    fn an_id_that_another_process_found_is_not_lost_again() {
        let (unknown, found) = (registered_by("them", 1, None), registered_by("them", 1, Some("0a")));
        assert_eq!(registration(after(&unknown, &unknown, &found)), found.registration);
    }

    #[test]
    fn what_comes_back_of_ones_own_workflow_takes_nothing_back() {
        let (sent, made) = (registered_by("us", 1, None), registered_by("us", 1, Some("0a")));
        assert_eq!(registration(after(&made, &new(), &sent)), made.registration);
        assert_eq!(registration(after(&new(), &new(), &sent)), None, "it was let go of since");
        let (theirs, read) = (registered_by("them", 1, None), registered_by("them", 1, Some("0a")));
        assert_eq!(registration(after(&new(), &theirs, &read)), None, "it is known");
        assert_eq!(registration(after(&read, &new(), &theirs)), read.registration, "taken over from another window");
    }
}
