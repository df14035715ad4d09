//! The stored objects of the job, read anew right before a call (S2, P1): a watch may lag behind an edit, and a process
//! that was suspended, or has just begun to lead, knows less than it thinks.

use jiff::Timestamp;

use super::Alarm;
use super::facts::{Facts, later, sooner};
use crate::memory::Verb;

/// Whether enough is known of the stored objects for a call that was due at `due`.
///
/// On time: that they were read once in this term. The read at S2 or P1 is not waited for: while the apiserver does not
/// answer nobody can edit them either, and the lease bounds how long that lasts. Overslept: that they were read since.
/// A stop does not hang on it: an attempt in vain is enough.
pub(crate) fn enough(verb: Verb, due: Timestamp, facts: &Facts) -> bool {
    let reads = facts.memory.object_reads();
    // One that takes too long is an attempt in vain, though its answer still counts when it comes.
    let slow = reads.under_way.filter(|asked_at| facts.now >= later(*asked_at, facts.timings.read_ahead));
    let failed = reads.failed.map(|(asked_at, _)| asked_at);
    let tried = failed.max(slow).filter(|_| verb == Verb::Deactivate);
    let as_of = facts.memory.objects_as_of().max(tried);
    as_of.is_some_and(|as_of| as_of >= needed_since(due, facts))
}

fn needed_since(due: Timestamp, facts: &Facts) -> Timestamp {
    let begun = facts.term.since;
    if overslept(due, facts) { begun.max(due) } else { begun }
}

fn overslept(due: Timestamp, facts: &Facts) -> bool {
    facts.now > later(due, facts.timings.overslept)
}

/// What a read of the stored objects is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recheck {
    /// The call that it stands before.
    pub verb: Verb,
    /// The lease is to be renewed first: the process may have been suspended.
    pub renew: bool,
}

/// Whether one list of everything answers sooner for so many jobs than a list of each, with so many objects stored. The
/// apiserver goes over all of them for each list of a job (0.5 µs each), and a list of everything has to be carried over
/// and read as well (70 µs each): so it is worth it from 8 jobs on where few are stored, and from 100 on where many are.
pub fn one_list_for_all(jobs: usize, stored: usize) -> bool {
    jobs >= (stored / 32).clamp(8, 100)
}

/// The read that a call due at `due` asks for now, if any.
pub(crate) fn wanted(verb: Verb, due: Timestamp, facts: &Facts, alarm: &mut Alarm) -> Option<Recheck> {
    let from = sooner(due, facts.timings.read_ahead);
    if facts.now < from {
        alarm.at(from);
        return None;
    }
    let reads = facts.memory.object_reads();
    // One that takes too long may never be answered, and is asked again.
    let again = reads.under_way.map(|asked_at| later(asked_at, facts.timings.read_ahead));
    if let Some(again) = again.filter(|again| *again > facts.now) {
        alarm.at(again);
        return None;
    }
    let since = from.max(needed_since(due, facts));
    let failed = reads.failed.filter(|(asked_at, _)| *asked_at >= since);
    let known = facts.memory.objects_as_of().is_some_and(|as_of| as_of >= since);
    if known || (failed.is_some() && enough(verb, due, facts)) {
        return None;
    }
    let again = failed.map(|(_, at)| later(at, facts.timings.retry_first)).filter(|again| *again > facts.now);
    if let Some(again) = again {
        alarm.at(again);
        return None;
    }
    Some(Recheck { verb, renew: overslept(due, facts) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_is_stored_the_more_jobs_are_read_one_by_one() {
        for (jobs, stored, one_list) in [
            (7, 7, false),
            (8, 8, true),
            (200, 200, true),
            (30, 1_000, false),
            (1_000, 1_000, true),
            (99, 100_000, false),
            (100, 100_000, true),
        ] {
            assert_eq!(one_list_for_all(jobs, stored), one_list, "{jobs} of {stored}");
        }
    }
}
