//! What tests ask of a rig.

use super::{Ms, Rig};
use crate::conditions::Health;
use crate::memory::Verb;
use crate::phase::Phase;
use crate::reason::Reason;
use crate::record::{OnAir, Record, Task};
use crate::window::Window;

impl Rig {
    pub(in crate::plan::tests) fn record(&self, id: &str) -> &Record {
        self.objects.iter().find(|o| o.window.id.as_str() == id).unwrap().record.as_ref().unwrap()
    }

    pub(in crate::plan::tests) fn stored(&self, id: &str) -> &Record {
        self.objects.iter().find(|o| o.window.id.as_str() == id).unwrap().stored.as_ref().unwrap()
    }

    pub(in crate::plan::tests) fn phase(&self, id: &str) -> Phase {
        Phase::of(self.record(id))
    }

    pub(in crate::plan::tests) fn on_air(&self, id: &str) -> OnAir {
        self.record(id).on_air
    }

    pub(in crate::plan::tests) fn health(&self, id: &str) -> Health<'_> {
        self.last.as_ref().unwrap().windows.iter().find(|w| w.id.as_str() == id).unwrap().health()
    }

    /// `finished Started | pending -`.
    pub(in crate::plan::tests) fn tasks(&self, id: &str) -> String {
        let record = self.record(id);
        let word = |task: &Task| format!("{} {}", task.state.as_str(), task.reason.map_or("-", Reason::as_str));
        format!("{} | {}", word(&record.activation), word(&record.deactivation))
    }

    /// `activate 1000.000`.
    pub(in crate::plan::tests) fn calls(&self) -> Vec<String> {
        let called = |(at, verb): &(Ms, Verb)| format!("{} {}.{:03}", verb.as_str(), at / 1000, at % 1000);
        self.log.iter().map(called).collect()
    }

    pub(in crate::plan::tests) fn told(&self, id: &str) -> Vec<&'static str> {
        self.events.iter().filter(|(of, _)| of == id).map(|(_, event)| event.reason.as_str()).collect()
    }

    pub(in crate::plan::tests) fn exists(&self, id: &str) -> bool {
        self.objects.iter().any(|o| o.window.id.as_str() == id)
    }

    pub(in crate::plan::tests) fn settled(&self) -> bool {
        self.objects.iter().all(|o| o.record.as_ref().is_some_and(Record::settled))
    }

    pub(in crate::plan::tests) fn windows(&self) -> impl Iterator<Item = (&Window, &Record)> {
        self.objects.iter().filter_map(|o| o.record.as_ref().map(|record| (&o.window, record)))
    }
}
