//! What holds at every moment of every test.

use super::{Rig, ms};
use crate::conditions::{Health, Status};
use crate::memory::Verb;
use crate::plan::{Plan, Want};
use crate::reading::Reading;
use crate::record::TaskState;

impl Rig {
    /// What holds of every plan.
    pub(super) fn check(&self, plan: &Plan) {
        let now = ms(self.now);
        assert!(plan.next.is_none_or(|next| next > now), "an alarm in the past at {}", self.now);
        let calls: Vec<_> = plan.wants.iter().filter(|w| matches!(w, Want::Call { .. })).collect();
        assert!(calls.len() <= 1 && plan.wants.len() <= 3, "{:?}", plan.wants);
        let under_way = self.memory.last_call().is_some_and(crate::memory::Call::under_way);
        assert!(!under_way || calls.is_empty(), "two calls at once at {}", self.now);
        if let Some(Want::Call { verb: Verb::Activate, planned, windows, .. }) = calls.first() {
            let seen = self.memory.seen().unwrap();
            assert_eq!(seen.reading, Reading::Off, "at {}", self.now);
            assert!(now.duration_since(seen.at) <= self.timings.reading_fresh, "a stale reading at {}", self.now);
            assert!(*planned <= now, "early");
            for id in windows {
                let object = self.objects.iter().find(|o| &o.window.id == id).unwrap();
                assert!(now >= object.window.start() && now < object.window.deactivation, "outside its window");
                assert!(!object.window.suspend && !object.window.cancel && !object.window.deleting());
            }
        }
        // The same again on its own records: nothing changes.
        let mut own = self.entries();
        for (entry, next) in own.iter_mut().zip(&plan.windows).filter(|(_, next)| !next.undecided) {
            entry.record = Some(next.record.clone());
        }
        let second = crate::plan::plan(&own, &self.memory, &self.term, now, &self.timings);
        for (first, second) in plan.windows.iter().zip(&second.windows) {
            assert_eq!(first.record, second.record, "at {}", self.now);
            assert_eq!(first.conditions(), second.conditions(), "at {}", self.now);
            assert_eq!((first.finalizer, first.phase), (second.finalizer, second.phase), "at {}", self.now);
        }
        for window in &plan.windows {
            let conditions = window.conditions();
            let holds = |kind: &str| conditions.iter().any(|c| c.kind == kind && c.status == Status::True);
            let sure = ["Ready", "Reconciling", "Stalled"].into_iter().filter(|kind| holds(kind)).count();
            assert_eq!(sure, 1, "{conditions:?}");
            assert_eq!(holds("Ready"), matches!(window.health(), Health::Ready(..)));
        }
    }

    /// Against what the channel really does, which the plan cannot see.
    pub(super) fn check_call(&self, verb: Verb) {
        if self.outsiders {
            return;
        }
        let (now, channel) = (self.now, self.channel);
        if verb == Verb::Activate {
            assert_eq!((channel, self.turns.len()), (Reading::Off, 0), "switched on at {now}: {:?}", self.calls());
            return;
        }
        for (window, record) in self.windows() {
            let wants_it_on = record.activation.state == TaskState::Finished
                && record.deactivation.is_pending()
                && !window.cancel
                && !window.deleting()
                && record.activation.call_at <= ms(now)
                && ms(now) < record.deactivation.call_at;
            assert!(!wants_it_on, "switched off at {now} although {} wants it on: {:?}", window.id, self.calls());
        }
    }
}
