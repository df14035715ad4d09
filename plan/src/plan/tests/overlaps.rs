//! Several windows of one job: the unit is the job.

use super::rig::{Fault, Rig};
use crate::phase::Phase;
use crate::plan::fixtures;
use crate::reading::Reading;
use crate::reason::Reason;
use crate::record::{OnAir, TaskState};

#[test]
fn overlapping_windows_are_one_start_and_one_stop() {
    let mut rig = Rig::new().with("a", 1000, 2000).with_window("b", 1500, 2500, |w| w.created = fixtures::at(10));
    rig.until(100);
    let conflicts: Vec<_> = rig.last.as_ref().unwrap().windows.iter().map(|w| w.conflict.clone()).collect();
    assert_eq!(conflicts, [None, Some("live/a".to_owned())], "the later-created one shows it");
    rig.until(1600);
    assert_eq!(rig.tasks("b"), "finished AlreadyOnAir | pending -");
    rig.until(2100);
    assert_eq!(rig.tasks("a"), "finished Started | finished KeptOnAir");
    assert_eq!((rig.phase("a"), rig.on_air("a")), (Phase::Finished, OnAir::NotOurs));
    assert!(rig.record("a").deactivation.message.contains("live/b"));
    rig.until(3000);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2500.000"]);
    assert_eq!(rig.tasks("b"), "finished AlreadyOnAir | finished Stopped");
}

#[test]
fn of_two_created_together_the_smaller_uid_shows_the_conflict() {
    let mut rig = Rig::new().with("a", 1000, 2000).with("b", 1500, 2500);
    rig.until(100);
    let conflicts: Vec<_> = rig.last.as_ref().unwrap().windows.iter().map(|w| w.conflict.is_some()).collect();
    assert_eq!(conflicts, [true, false]);
}

#[test]
fn a_nested_window_changes_nothing() {
    let mut rig = Rig::new().with("outer", 1000, 3000).with("inner", 1500, 2000);
    rig.until(4000);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 3000.000"]);
    assert_eq!(rig.tasks("inner"), "finished AlreadyOnAir | finished KeptOnAir");
}

#[test]
fn equal_windows_are_started_and_stopped_together() {
    let mut rig = Rig::new().with("a", 1000, 2000).with("b", 1000, 2000);
    rig.until(3000);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2000.000"]);
    for id in ["a", "b"] {
        assert!(rig.tasks(id).ends_with("finished Stopped"), "{}", rig.tasks(id));
    }
}

#[test]
fn touching_windows_are_one_block() {
    let mut rig = Rig::new().with("a", 1000, 2000).with("b", 2000, 3000);
    rig.until(4000);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 3000.000"]);
    assert_eq!(rig.tasks("a"), "finished Started | finished KeptOnAir");
    assert!(rig.told("b").iter().all(|reason| *reason != "Overlap"), "touching is no conflict");
}

#[test]
fn a_gap_of_59_seconds_is_closed_and_one_of_60_is_not() {
    let mut rig = Rig::new().with("a", 1000, 2000).with("b", 2059, 3000);
    rig.until(2030);
    assert_eq!(rig.tasks("a"), "finished Started | pending -", "the duty stays here through the gap");
    rig.until(4000);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 3000.000"]);

    let mut rig = Rig::new().with("a", 1000, 2000).with("b", 2060, 3000);
    rig.until(4000);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2000.000", "activate 2060.000", "deactivate 3000.000"]);
}

#[test]
fn three_windows_in_a_row() {
    let mut rig = Rig::new().with("a", 1000, 2000).with("b", 1900, 2500).with("c", 2500, 3000);
    rig.until(4000);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 3000.000"]);
    assert!(rig.settled());
}

#[test]
fn the_duty_passes_on_only_once_the_apiserver_has_stored_the_others_start() {
    let mut rig = Rig::new().with("a", 1000, 2000).with("b", 1999, 3000);
    rig.store_lag = 20_000;
    rig.until(2015);
    assert_eq!(rig.record("b").activation.state, TaskState::Finished);
    assert_eq!(rig.stored("b").activation.state, TaskState::Pending);
    assert_eq!(rig.tasks("a"), "finished Started | pending -");
    rig.until(2025);
    assert_eq!(rig.tasks("a"), "finished Started | finished KeptOnAir");
    rig.until(4000);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 3000.000"]);
}

#[test]
fn a_crash_before_the_other_start_is_stored_loses_no_stop() {
    let mut rig = Rig::new().with("a", 1000, 2000).with("b", 1999, 3000);
    rig.store_lag = 20_000;
    rig.until(2010).crash();
    rig.until(4000);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 3000.000"]);
    assert_eq!(rig.channel, Reading::Off);
}

#[test]
fn a_suspended_window_holds_nothing() {
    let mut rig = Rig::new().with("a", 1000, 2000).with_window("b", 1500, 2500, |w| w.suspend = true);
    rig.until(3000);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2000.000"]);

    // Suspended only in the gap: the first is stopped at once.
    let mut rig = Rig::new().with("a", 1000, 2000).with("b", 2050, 2500);
    rig.until(2020).edit("b", |w| w.suspend = true);
    rig.until(2030);
    assert_eq!(rig.log.len(), 2, "{:?}", rig.calls());
}

#[test]
fn a_failed_window_holds_nothing() {
    let mut rig = Rig::new().with("a", 1000, 2000).with_window("b", 1500, 2500, |w| {
        w.account.name = "other".into();
    });
    rig.set_access("b", Some(Reason::SecretNotFound));
    rig.until(3000);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2000.000"], "never verified");
    assert_eq!(rig.tasks("b"), "failed StartMissed | cancelled StartFailed");
}

#[test]
fn a_window_whose_start_is_refused_for_good_holds_nothing() {
    let mut rig = Rig::new().with("a", 1000, 1200).with("b", 1000, 2500);
    rig.activate_faults = vec![Fault::RefusedForGood, Fault::RefusedForGood];
    rig.until(1100);
    assert_eq!((rig.phase("a"), rig.phase("b")), (Phase::Failed, Phase::Failed));
    rig.turn(Reading::On);
    rig.until(3000);
    assert_eq!(rig.log.last().unwrap().0, 1_200_000, "nobody wants it on: {:?}", rig.calls());
    assert_eq!(rig.channel, Reading::Off);
}

#[test]
fn the_next_windows_edge_starts_a_channel_that_was_switched_off() {
    let mut rig = Rig::new().with("a", 1000, 3000).with("b", 2000, 4000);
    rig.until(1500).turn(Reading::Off);
    rig.until(5000);
    assert_eq!(rig.calls(), ["activate 1000.000", "activate 2000.000", "deactivate 4000.000"]);
}

#[test]
fn a_window_made_while_the_stop_is_called_waits_for_it_and_starts() {
    let mut rig = Rig::one();
    rig.until(2001).add("v", 2001, 3000, |_| ());
    rig.until(2004);
    assert!(rig.tasks("v").starts_with("pending WaitingForStop"), "{}", rig.tasks("v"));
    rig.until(4000);
    assert_eq!(rig.log.len(), 4, "{:?}", rig.calls());
    assert_eq!((rig.tasks("w").as_str(), rig.phase("v")), ("finished Started | finished Stopped", Phase::Finished));
}

#[test]
fn a_stop_that_was_never_carried_out_is_not_repeated_once_another_window_covers() {
    let mut rig = Rig::one();
    rig.deactivate_faults = vec![Fault::NotDone];
    rig.until(2010).add("v", 2010, 3000, |_| ());
    rig.until(2200);
    assert!(rig.tasks("w").ends_with("finished KeptOnAir"), "{}", rig.tasks("w"));
    assert!(rig.tasks("v").starts_with("finished AlreadyOnAir"), "{}", rig.tasks("v"));
    rig.until(4000);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2000.000", "deactivate 3000.000"]);
}
