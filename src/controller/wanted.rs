//! What is wanted of a load and was not let go yet.

use std::collections::BTreeMap;

use plan::admit::Urgency;
use plan::{JobKey, ReadPurpose, Want};

/// Kept apart by how often it is gone through: what a call needs at every turn, what can wait never as a whole.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    /// Calls, and the reads that a call or a turning channel needs; by job, at most one of each. No more of them than
    /// channels are due.
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
