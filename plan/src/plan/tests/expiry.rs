//! `ttlSecondsAfterFinished`.

use jiff::{SignedDuration, Timestamp};

use super::rig::Rig;
use crate::plan::fixtures::at;
use crate::window::Window;

fn an_hour(window: &mut Window) {
    window.ttl = Some(SignedDuration::from_hours(1));
}

impl Rig {
    fn expires(&self, id: &str) -> Option<Timestamp> {
        self.last.as_ref().unwrap().windows.iter().find(|w| w.id.as_str() == id).unwrap().expires_at
    }

    fn finished_and(&self, seconds: i64) -> Timestamp {
        self.record("w").finished_at.unwrap() + SignedDuration::from_secs(seconds)
    }
}

#[test]
fn it_counts_from_the_end_and_wakes_the_plan_when_it_is_over() {
    let mut rig = Rig::new().with_window("w", 1000, 2000, an_hour);
    rig.until(1500);
    assert_eq!(rig.expires("w"), None, "on air nothing expires");
    rig.until(2100);
    assert_eq!(rig.expires("w"), Some(rig.finished_and(3600)));
    let runs = rig.runs;
    rig.until(5500);
    assert_eq!(rig.last.as_ref().unwrap().next, rig.expires("w"));
    assert!(rig.runs <= runs + 1, "nothing happens before");
    rig.until(9000);
    assert_eq!((rig.last.as_ref().unwrap().next, rig.log.len()), (None, 2), "over, and no call is made for it");
}

#[test]
fn without_it_a_window_stays() {
    let mut rig = Rig::one();
    rig.until(9000);
    assert_eq!((rig.expires("w"), rig.last.as_ref().unwrap().next), (None, None));
}

#[test]
fn edited_after_the_end_it_counts_from_the_end_all_the_same() {
    let mut rig = Rig::one();
    rig.until(3000).edit("w", an_hour);
    assert_eq!(rig.expires("w"), Some(rig.finished_and(3600)));
    rig.edit("w", |w| w.ttl = Some(SignedDuration::ZERO));
    assert_eq!(rig.expires("w"), Some(rig.finished_and(0)));
    rig.edit("w", |w| w.ttl = None);
    assert_eq!(rig.expires("w"), None);
}

#[test]
fn cancelled_missed_and_failed_windows_expire_too() {
    let mut rig = Rig::new().with_window("w", 1000, 2000, an_hour);
    rig.until(500).cancel("w");
    rig.until(600);
    assert_eq!(rig.expires("w"), Some(at(500 + 3600)), "{}", rig.tasks("w"));

    let mut rig = Rig::new().with_window("w", 1000, 2000, |w| (an_hour(w), w.suspend = true).0);
    rig.until(3000);
    assert_eq!(rig.expires("w"), Some(rig.finished_and(3600)), "{}", rig.tasks("w"));

    let mut rig = Rig::new().with_window("w", 1000, 2000, an_hour);
    rig.activate_faults.push(super::rig::Fault::RefusedForGood);
    rig.until(3000);
    assert_eq!(rig.expires("w"), Some(rig.finished_and(3600)), "{}", rig.tasks("w"));
}

/// What stored it anew (a manifest, a backup) would do so again after each deletion.
#[test]
fn over_before_it_was_there_it_stays() {
    for change in [an_hour, |w: &mut Window| (an_hour(w), w.cancel = true).0] {
        let mut rig = Rig::new();
        rig.until(5000).add("w", 1000, 2000, change);
        rig.until(20_000);
        assert_eq!((rig.expires("w"), rig.log.len()), (None, 0), "{}", rig.tasks("w"));
    }
}

#[test]
fn stopped_by_a_time_long_past_it_expires_like_any_other() {
    let mut rig = Rig::new().with_window("w", 1000, 2000, |w| (an_hour(w), w.created = at(900)).0);
    rig.until(1500).edit("w", |w| w.deactivation = at(100));
    rig.until(1600);
    assert_eq!((rig.log.len(), rig.expires("w")), (2, Some(rig.finished_and(3600))));
}

#[test]
fn deleted_by_somebody_it_does_not_expire_as_well() {
    let mut rig = Rig::new().with_window("w", 1000, 2000, an_hour);
    rig.until(1500).delete("w");
    assert_eq!(rig.expires("w"), None);
}

#[test]
fn an_object_that_cannot_be_fully_read_stays() {
    let mut rig = Rig::new().with_window("w", 1000, 2000, an_hour);
    rig.until(1500).edit("w", |w| w.undecodable = Some("spec.ttlSecondsAfterFinished: invalid type".into()));
    rig.until(20_000);
    assert_eq!((rig.log.len(), rig.expires("w")), (2, None));
    rig.edit("w", |w| w.undecodable = None);
    assert_eq!(rig.expires("w"), Some(rig.finished_and(3600)));
}
