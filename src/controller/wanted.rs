//! What is wanted of a load and was not let go yet.

use std::collections::BTreeMap;

use plan::admit::Urgency;
use plan::{JobKey, ReadPurpose, Want};

/// Kept apart by how often it is gone through: what a call needs at every turn, what can wait never as a whole.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    /// Calls, the reads that a call or a turning channel needs, and requests to the vendor's scheduler; by job, at most one
    /// of each. No more of them than channels are due and workflows may stand there.
    pressing: BTreeMap<JobKey, Vec<Want>>,
    /// Supervision and checks that a list may answer. As many as there are jobs, after a start.
    others: BTreeMap<JobKey, Want>,
    /// The same for jobs that the last list did not show.
    alone: BTreeMap<JobKey, Want>,
    /// How many of `others` are for channels on air.
    supervisions: usize,
}

impl Wanted {
    /// `listed`: a list may answer for the job.
    pub(super) fn push(&mut self, key: &JobKey, want: Want, listed: bool) {
        if Urgency::of(&want) != Urgency::OtherRead {
            self.pressing.entry(key.clone()).or_default().push(want);
        } else if listed {
            self.supervisions += usize::from(supervises(&want));
            let before = self.others.insert(key.clone(), want);
            self.supervisions -= usize::from(before.as_ref().is_some_and(supervises));
        } else {
            self.alone.insert(key.clone(), want);
        }
    }

    /// The job wants nothing any more. Whether it did.
    pub(super) fn withdraw(&mut self, key: &JobKey) -> bool {
        let pressing = self.pressing.remove(key).is_some();
        self.take_other(key).is_some() || pressing
    }

    /// Takes out what the job wants of this urgency.
    pub(super) fn take(&mut self, key: &JobKey, urgency: Urgency) -> Option<Want> {
        if urgency == Urgency::OtherRead {
            return self.take_other(key);
        }
        let of_job = self.pressing.get_mut(key)?;
        let at = of_job.iter().position(|want| Urgency::of(want) == urgency)?;
        let want = of_job.remove(at);
        if of_job.is_empty() {
            self.pressing.remove(key);
        }
        Some(want)
    }

    fn take_other(&mut self, key: &JobKey) -> Option<Want> {
        let other = self.others.remove(key);
        self.supervisions -= usize::from(other.as_ref().is_some_and(supervises));
        other.or_else(|| self.alone.remove(key))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pressing.is_empty() && self.others.is_empty() && self.alone.is_empty()
    }

    /// How many reads there are.
    pub(super) fn reads(&self) -> usize {
        let pressing = self.pressing().filter(|(_, want)| matches!(want, Want::Read { .. })).count();
        pressing + self.others.len() + self.alone.len()
    }

    /// Everything that presses.
    pub(super) fn pressing(&self) -> impl Iterator<Item = (&JobKey, &Want)> {
        self.pressing.iter().flat_map(|(key, wants)| wants.iter().map(move |want| (key, want)))
    }

    /// Supervision and checks that a list may answer.
    pub(super) fn others(&self) -> impl Iterator<Item = (&JobKey, &Want)> {
        self.others.iter()
    }

    /// Those that none can.
    pub(super) fn alone(&self) -> impl Iterator<Item = (&JobKey, &Want)> {
        self.alone.iter()
    }

    /// How many reads that a list may answer are for channels on air, and how many there are besides those that press.
    pub(super) fn unhurried(&self) -> (usize, usize) {
        (self.supervisions, self.others.len())
    }
}

fn supervises(want: &Want) -> bool {
    matches!(want, Want::Read { purpose: ReadPurpose::Supervise, .. })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use plan::{ObjectName, Verb, WindowId, WorkflowOp};

    use super::*;

    fn key(job: &str) -> JobKey {
        JobKey { endpoint: "https://live".into(), job: job.into() }
    }

    fn read(purpose: ReadPurpose) -> Want {
        Want::Read { account: ObjectName::new("tv", "tv"), purpose }
    }

    fn stop() -> Want {
        Want::Call {
            verb: Verb::Deactivate,
            account: ObjectName::new("tv", "tv"),
            windows: Vec::new(),
            attempt: 1,
            planned: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn what_presses_is_kept_apart_from_what_can_wait() {
        let mut wanted = Wanted::default();
        wanted.push(&key("a"), stop(), true);
        wanted.push(&key("a"), read(ReadPurpose::ForStop), true);
        wanted.push(&key("b"), read(ReadPurpose::Supervise), true);
        wanted.push(&key("c"), read(ReadPurpose::Check), true);
        wanted.push(&key("d"), read(ReadPurpose::Check), false);
        assert_eq!((wanted.pressing().count(), wanted.others().count(), wanted.alone().count()), (2, 2, 1));
        assert_eq!(wanted.unhurried(), (1, 2));
        assert_eq!(wanted.reads(), 4, "the stop is none");
    }

    #[test]
    fn a_request_to_the_vendors_scheduler_stands_beside_the_reads_and_is_none() {
        let mut wanted = Wanted::default();
        for (job, pressing) in [("a", true), ("b", false)] {
            let window = WindowId::new("w");
            let op = WorkflowOp::Find;
            wanted.push(&key(job), Want::Workflow { account: ObjectName::new("tv", "tv"), window, op, pressing }, true);
        }
        wanted.push(&key("a"), read(ReadPurpose::Supervise), true);
        assert_eq!((wanted.pressing().count(), wanted.others().count(), wanted.reads()), (2, 1, 1));
        assert_eq!(wanted.take(&key("a"), Urgency::Workflow), None, "of another urgency");
        assert!(wanted.take(&key("a"), Urgency::PressingWorkflow).is_some());
        assert!(wanted.take(&key("b"), Urgency::Workflow).is_some());
        assert_eq!(wanted.pressing().count(), 0);
    }

    #[test]
    fn what_is_taken_or_withdrawn_is_gone() {
        let mut wanted = Wanted::default();
        wanted.push(&key("a"), stop(), true);
        wanted.push(&key("a"), read(ReadPurpose::ForStop), true);
        wanted.push(&key("b"), read(ReadPurpose::Supervise), true);
        wanted.push(&key("c"), read(ReadPurpose::Check), false);
        assert_eq!(wanted.take(&key("a"), Urgency::FirstStart), None, "of another urgency");
        assert_eq!(wanted.take(&key("a"), Urgency::FirstStop), Some(stop()));
        assert!(wanted.withdraw(&key("a")) && !wanted.withdraw(&key("a")));
        assert!(wanted.take(&key("b"), Urgency::OtherRead).is_some());
        assert_eq!(wanted.unhurried(), (0, 0));
        assert!(wanted.withdraw(&key("c")) && wanted.is_empty());
    }

    #[test]
    fn the_same_wish_twice_counts_once() {
        let mut wanted = Wanted::default();
        for purpose in [ReadPurpose::Supervise, ReadPurpose::Supervise, ReadPurpose::Check] {
            wanted.push(&key("a"), read(purpose), true);
        }
        assert_eq!(wanted.unhurried(), (0, 1));
    }
}
