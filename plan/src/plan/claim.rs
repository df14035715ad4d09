//! The claim on a start: stored on the object before the call, so that no two processes make it.
//!
//! Crash windows of a claim, each settled by whoever leads next ([`inherit`]):
//! - before it is stored (S1): nothing can have been called, and the next process claims.
//! - stored, its time ahead: the same, since no call is early.
//! - stored, its time past, and no call recorded since (S4 to S6): the call may have left. The job is read first, and a
//!   reading Off is believed only once a lost call would have been carried out (rule 6).
//! - stored, and a call recorded since: the record tells, and the claim nothing more.

use std::borrow::Cow;

use jiff::Timestamp;

use super::Entry;
use super::draft::Draft;
use super::facts::Facts;
use crate::lease::{Before, Term};
use crate::reason::Reason;
use crate::record::{Claim, Record, Task};

/// Takes over what earlier processes left: a claim of theirs that nothing was recorded of becomes a call that may have
/// left, or nothing.
pub(crate) fn inherit<'a>(entries: &'a [Entry], term: &Term, now: Timestamp) -> Cow<'a, [Entry]> {
    if !entries.iter().any(|entry| foreign(entry, term).is_some()) {
        return Cow::Borrowed(entries);
    }
    let mut entries = entries.to_vec();
    for entry in &mut entries {
        let Some(claim) = foreign(entry, term).cloned() else { continue };
        let Some(record) = &mut entry.record else { continue };
        if !reported(&record.activation, &claim) {
            perhaps_called(record, &claim, term, now);
        }
        record.claim = None;
    }
    Cow::Owned(entries)
}

/// Another process's claim on a start that is not settled.
fn foreign<'a>(entry: &'a Entry, term: &Term) -> Option<&'a Claim> {
    let record = entry.record.as_ref().filter(|record| record.activation.is_pending())?;
    record.claim.as_ref().filter(|claim| claim.by != term.by)
}

/// A call was recorded under this claim.
fn reported(task: &Task, claim: &Claim) -> bool {
    [task.called_at, task.attempted_at].into_iter().flatten().any(|at| at >= claim.at)
}

fn perhaps_called(record: &mut Record, claim: &Claim, term: &Term, now: Timestamp) {
    // One that let its lease go in order had recorded all that it had called.
    let all_recorded = matches!(&term.before, Before::Released(Some(last)) if *last == claim.by);
    if all_recorded || claim.at > term.since {
        return;
    }
    // As late as it can have been: a start that had to wait goes out some time after its claim's.
    let at = claim.at.max(term.others_until).min(now);
    record.activation.called_at = Some(at);
    record.activation.attempted_at = Some(at);
    record.activation.say(Reason::PerhapsCalled, Reason::PerhapsCalled.meaning());
}

/// Claims the next call of the start, where that is not claimed already (S1). Stored with the next write.
pub(crate) fn stake(draft: &mut Draft, facts: &Facts) {
    if !draft.entry.window.finalizer {
        return;
    }
    let retry_at = facts.start_retry_at(draft.entry).unwrap_or(facts.now).max(facts.now);
    let Record { claim, activation, .. } = &mut draft.record;
    if claim.as_ref().is_some_and(|claim| good(claim, activation, facts)) {
        return;
    }
    // A repeated call has a claim of its own, later than all that is recorded: whoever finds it knows of that call.
    let at = if activation.attempted_at.is_some() { retry_at } else { activation.call_at };
    *claim = Some(Claim { by: facts.term.by.clone(), term: facts.term.id.clone(), at });
}

/// This process's, in its present term, for the call that is to come.
fn good(claim: &Claim, task: &Task, facts: &Facts) -> bool {
    let ours = claim.by == facts.term.by && claim.term == facts.term.id;
    let ahead = match task.attempted_at {
        Some(attempted_at) => attempted_at < claim.at,
        None => claim.at == task.call_at,
    };
    ours && ahead
}

/// Whether the start may be called under its claim: it counts only once the apiserver has acknowledged it (S3).
pub(crate) fn holds(draft: &Draft, facts: &Facts) -> bool {
    let claim = draft.record.claim.as_ref().filter(|claim| good(claim, &draft.record.activation, facts));
    claim.is_some() && draft.entry.claimed.as_ref() == claim
}

/// No start is to come for now: an old claim would look like a call that was not recorded.
pub(crate) fn withdraw(draft: &mut Draft) {
    draft.record.claim = None;
}
