//! The starts that are to come, in their order on each load: which of them will have to wait is told ahead of time.

use std::collections::BTreeSet;

use jiff::Timestamp;
use plan::{JobKey, Task, WindowId, capacity};

use crate::controller::load::LoadKey;

use super::Index;

/// A start's place among all that are to come.
pub(super) type Place = (LoadKey, Timestamp, WindowId);

/// When a start is to come that was not called yet.
pub(super) fn to_come(start: &Task) -> Option<Timestamp> {
    (start.is_pending() && start.attempts == 0).then_some(start.call_at)
}

impl Index {
    /// Whether the window's start finds all slots of its load taken, going by the starts before it.
    pub(super) fn short_of_capacity(&self, id: &WindowId) -> bool {
        let Some((place, job)) = self.starting.get(id).and_then(|place| self.starts.get_key_value(place)) else {
            return false;
        };
        let earlier = self.starts.range(..place).rev().take_while(|((load, ..), _)| *load == place.0);
        let most = self.slots(&place.0);
        capacity::is_short(place.1, job, earlier.map(|((_, at, _), job)| (*at, job)), most, self.timings.channel_turn)
    }

    fn slots(&self, load: &LoadKey) -> u32 {
        self.queues.get(load).map_or(0, |queue| queue.load.limits().simultaneous_activations)
    }

    /// Takes up when the window's start is to come, if it is. Returns the jobs of which that may change what is told.
    pub(super) fn note_start(
        &mut self,
        job: &JobKey,
        id: &WindowId,
        at: Option<Timestamp>,
        now: Timestamp,
    ) -> BTreeSet<JobKey> {
        let stored = self.windows.get(id).filter(|stored| !stored.spec.suspend && !stored.spec.cancel);
        let load = stored.and_then(|stored| self.loads.get(&stored.spec.account));
        let next = load.zip(at).map(|(load, at)| (load.clone(), at, id.clone()));
        if self.starting.get(id) == next.as_ref() {
            return BTreeSet::new();
        }
        let mut touched = self.forget_start(id);
        if let Some(place) = next {
            self.starting.insert(id.clone(), place.clone());
            self.starts.insert(place.clone(), job.clone());
            // Of what is further ahead nothing is told yet, and it is decided again by then.
            let told = now.checked_add(self.timings.preflight_ahead + self.timings.channel_turn);
            if told.is_ok_and(|told| place.1 <= told) {
                touched.extend(self.after(&place));
                touched.insert(job.clone());
            }
        }
        touched
    }

    pub(super) fn forget_start(&mut self, id: &WindowId) -> BTreeSet<JobKey> {
        let Some(place) = self.starting.remove(id) else { return BTreeSet::new() };
        self.starts.remove(&place);
        self.after(&place)
    }

    /// The jobs whose starts come so soon after this place that what is told of them may hang on it: no more than there
    /// are slots.
    fn after(&self, place: &Place) -> BTreeSet<JobKey> {
        let slots = self.slots(&place.0) as usize;
        let near = |at: Timestamp| at.duration_since(place.1) < self.timings.channel_turn;
        self.starts
            .range(place..)
            .take_while(|((load, at, _), _)| *load == place.0 && near(*at))
            .take(slots + 1)
            .map(|(_, job)| job.clone())
            .collect()
    }
}
