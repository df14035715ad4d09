//! Cancelled, suspended, deleted.

use super::rig::{Fault, Rig};
use crate::conditions::Health;
use crate::phase::Phase;
use crate::reading::Reading;
use crate::reason::Reason;
use crate::record::OnAir;
use crate::window::DeletionPolicy::{self, Cancel, Retain, Stop};

#[test]
fn cancelled_before_the_start() {
    let mut rig = Rig::one();
    rig.until(500).cancel("w");
    rig.until(3000);
    assert_eq!(rig.calls().len(), 0);
    assert_eq!(rig.tasks("w"), "cancelled Cancelled | cancelled Cancelled");
    assert_eq!(rig.phase("w"), Phase::Cancelled);
    assert!(matches!(rig.health("w"), Health::Ready(Reason::Cancelled, _)));
    assert_eq!(rig.told("w"), ["Scheduled", "Cancelled"]);
}

#[test]
fn setting_cancel_back_has_no_effect() {
    let mut rig = Rig::one();
    rig.until(500).cancel("w");
    rig.until(600).edit("w", |w| w.cancel = false);
    rig.until(3000);
    assert_eq!((rig.calls().len(), rig.phase("w")), (0, Phase::Cancelled));
}

#[test]
fn cancelled_on_air_stays_on() {
    let mut rig = Rig::one();
    rig.until(1500).cancel("w");
    rig.until(4000);
    assert_eq!(rig.calls(), ["activate 1000.000"]);
    assert_eq!(rig.tasks("w"), "finished Started | cancelled StopCancelled");
    assert_eq!((rig.phase("w"), rig.on_air("w")), (Phase::Cancelled, OnAir::True));
    assert!(matches!(rig.health("w"), Health::Ready(Reason::StopCancelled, _)));
    rig.turn(Reading::Off);
    rig.until(4100);
    assert_eq!(rig.on_air("w"), OnAir::False);
    let looks = rig.looks.len();
    rig.turn(Reading::On);
    rig.until(9000);
    assert_eq!((rig.on_air("w"), rig.looks.len()), (OnAir::False, looks), "no longer this window's");
}

#[test]
fn cancelled_during_the_start_waits_for_a_believed_reading() {
    // On after all: switched off again.
    let mut rig = Rig::one();
    rig.until(1002).cancel("w");
    rig.until(1005);
    assert_eq!(rig.tasks("w"), "pending Starting | pending -");
    rig.until(1200);
    assert_eq!(rig.log.len(), 2, "{:?}", rig.calls());
    assert_eq!(rig.tasks("w"), "finished CancelledDuringStart | finished CancelledDuringStart");
    assert_eq!((rig.phase("w"), rig.channel), (Phase::Cancelled, Reading::Off));

    // Never carried out: cancelled once Off can be believed.
    let mut rig = Rig::one();
    rig.activate_faults.push(Fault::NotDone);
    rig.until(1002).cancel("w");
    rig.until(1085);
    assert_eq!(rig.tasks("w"), "pending Starting | pending -");
    rig.until(1200);
    assert_eq!((rig.calls().len(), rig.phase("w")), (1, Phase::Cancelled));
}

#[test]
fn cancelled_after_the_stop_was_called_runs_to_its_end() {
    let mut rig = Rig::one();
    rig.until(2002).cancel("w");
    rig.until(3000);
    assert_eq!(rig.tasks("w"), "finished Started | finished Stopped");
    assert_eq!(rig.phase("w"), Phase::Finished);
}

#[test]
fn cancelled_on_air_while_another_covers_is_no_stop_cancelled() {
    let mut rig = Rig::one().with("v", 1000, 2500);
    rig.until(1500).cancel("w");
    rig.until(1600);
    assert_eq!(rig.phase("w"), Phase::Cancelled);
    assert!(rig.tasks("w").ends_with("cancelled Cancelled"), "{}", rig.tasks("w"));
    rig.until(3000);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2500.000"]);
}

#[test]
fn cancelled_during_the_start_while_another_covers_keeps_it_on() {
    let mut rig = Rig::one().with("v", 1000, 2500);
    rig.until(1002).cancel("w");
    rig.until(1600);
    assert_eq!(rig.phase("w"), Phase::Cancelled);
    rig.until(3000);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2500.000"]);
}

#[test]
fn suspended_through_its_end_is_missed_and_not_counted() {
    let mut rig = Rig::one();
    rig.until(500).edit("w", |w| w.suspend = true);
    rig.until(1500);
    assert!(matches!(rig.health("w"), Health::Ready(Reason::Suspended, _)));
    rig.until(2100);
    assert_eq!(rig.tasks("w"), "failed Suspended | cancelled Suspended");
    assert_eq!((rig.calls().len(), rig.phase("w")), (0, Phase::Missed));
    assert!(matches!(rig.health("w"), Health::Ready(Reason::Suspended, _)));
}

#[test]
fn resumed_before_the_start_is_as_if_never_suspended() {
    let mut rig = Rig::one();
    rig.until(500).edit("w", |w| w.suspend = true);
    rig.until(700).edit("w", |w| w.suspend = false);
    rig.until(3000);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2000.000"]);
}

#[test]
fn resumed_inside_is_a_late_start_counted_from_the_activation() {
    for (deadline, calls) in [(None, 1), (Some(600), 1), (Some(400), 0)] {
        let mut rig = Rig::one();
        rig.edit("w", |w| {
            w.suspend = true;
            w.starting_deadline = deadline.map(jiff::SignedDuration::from_secs);
        });
        rig.until(1500).edit("w", |w| w.suspend = false);
        rig.until(1800);
        assert_eq!(rig.calls().len(), calls, "deadline {deadline:?}: {}", rig.tasks("w"));
    }
}

#[test]
fn suspended_on_air_still_stops() {
    let mut rig = Rig::one();
    rig.until(1500).edit("w", |w| w.suspend = true);
    rig.until(3000);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2000.000"]);
    assert_eq!(rig.phase("w"), Phase::Finished);
}

fn deleted_at(second: i64, policy: DeletionPolicy) -> Rig {
    let mut rig = Rig::one();
    rig.edit("w", |w| w.deletion_policy = policy);
    rig.until(second).delete("w");
    rig
}

#[test]
fn deleted_before_the_start_goes_at_once_whatever_the_policy() {
    for policy in [Stop, Cancel, Retain] {
        let mut rig = deleted_at(500, policy);
        assert_eq!(rig.gone, ["w"], "{policy:?}");
        rig.until(3000);
        assert_eq!(rig.calls().len(), 0);
    }
}

#[test]
fn deleted_on_air_goes_by_its_policy() {
    let mut rig = deleted_at(1500, Stop);
    assert!(rig.gone.is_empty());
    rig.until(1504);
    assert!(rig.gone.is_empty(), "not before it is read off");
    rig.until(1520);
    assert_eq!((rig.gone.len(), rig.channel), (1, Reading::Off));
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 1500.005"]);

    for policy in [Cancel, Retain] {
        let mut rig = deleted_at(1500, policy);
        rig.until(3000);
        assert_eq!((rig.gone.len(), rig.log.len(), rig.channel), (1, 1, Reading::On), "{policy:?}");
    }
}

#[test]
fn deleted_during_the_start_goes_by_its_policy() {
    let mut rig = deleted_at(1002, Stop);
    rig.until(1200);
    assert_eq!((rig.gone.len(), rig.channel), (1, Reading::Off), "{:?}", rig.calls());
    let last_on = rig.history.iter().rev().find(|(_, reading)| *reading == Reading::On).unwrap().0;
    assert!(last_on < 1_015_000);

    // As the vendor's DELETE during the start: wait, and switch off what came on.
    let mut rig = deleted_at(1002, Cancel);
    rig.until(1200);
    assert_eq!((rig.gone.len(), rig.channel), (1, Reading::Off), "{:?}", rig.calls());

    let mut rig = deleted_at(1002, Retain);
    rig.until(1200);
    assert_eq!((rig.gone.len(), rig.log.len(), rig.channel), (1, 1, Reading::On));
}

#[test]
fn deleted_after_its_end_goes_at_once() {
    let mut rig = deleted_at(2500, Stop);
    rig.until(2510);
    assert_eq!((rig.gone.len(), rig.log.len()), (1, 2));
}

#[test]
fn deleted_while_stopping_waits_for_the_reading() {
    let mut rig = deleted_at(2002, Stop);
    assert!(rig.gone.is_empty());
    rig.until(2100);
    assert_eq!((rig.gone.len(), rig.log.len()), (1, 2));
}

#[test]
fn deleted_with_a_stop_refused_stays_until_it_is_off() {
    let mut rig = Rig::one();
    rig.deactivate_faults = vec![Fault::Refused(Reason::CallRefused); 5];
    rig.until(1500).delete("w");
    rig.until(1510);
    assert!(rig.gone.is_empty());
    rig.until(1700);
    assert_eq!((rig.gone.len(), rig.channel), (1, Reading::Off));
    assert_eq!(rig.log.len(), 7);
}

#[test]
fn a_policy_edited_while_terminating_holds_until_the_stop_is_called() {
    let mut rig = Rig::one();
    rig.deactivate_faults = vec![Fault::Refused(Reason::CallRefused); 50];
    rig.until(1500).delete("w");
    rig.until(1510).edit("w", |w| w.deletion_policy = Retain);
    assert_eq!((rig.gone.len(), rig.channel), (1, Reading::On));

    let mut rig = deleted_at(1500, Stop);
    rig.until(1501).edit("w", |w| w.deletion_policy = Cancel);
    rig.until(1600);
    assert_eq!((rig.gone.len(), rig.channel), (1, Reading::Off), "the stop had been called");
}

#[test]
fn deleted_while_another_covers_leaves_the_channel_on() {
    let mut rig = Rig::one().with("v", 1200, 2500);
    rig.until(1500).delete("w");
    rig.until(1510);
    assert_eq!(rig.gone, ["w"]);
    rig.until(3000);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2500.000"]);
}

#[test]
fn deleted_shortly_before_the_next_start_stays_on_for_it() {
    let mut rig = Rig::one().with("v", 1530, 2500);
    rig.until(1500).delete("w");
    rig.until(1520);
    assert!(rig.gone.is_empty(), "the duty to stop rests here until the other has started");
    rig.until(3000);
    assert_eq!(rig.gone, ["w"]);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2500.000"]);
}

#[test]
fn a_missed_window_that_is_deleted_goes_at_once() {
    let mut rig = Rig::new();
    rig.until(1500).add("w", 1000, 2000, |w| w.starting_deadline = Some(jiff::SignedDuration::from_secs(60)));
    rig.until(1600).delete("w");
    rig.until(1601);
    assert_eq!((rig.gone.len(), rig.log.len()), (1, 0));
}

#[test]
fn a_finalizer_goes_only_when_the_last_word_is_stored() {
    let mut rig = Rig::one();
    rig.store_lag = 3000;
    rig.until(1500).delete("w");
    rig.until(1600);
    assert_eq!(rig.gone, ["w"]);
    assert_eq!(rig.channel, Reading::Off);
}

#[test]
fn what_cannot_be_fully_read_is_not_started_and_still_stopped() {
    // Before its start.
    let mut rig = Rig::one();
    rig.until(500).edit("w", |w| w.undecodable = Some("spec.deletionPolicy: unknown variant".into()));
    rig.until(600);
    let Health::Stalled(Reason::Undecodable, said) = rig.health("w") else { panic!("{:?}", rig.health("w")) };
    assert!(said.to_string().contains("spec.deletionPolicy"), "{said}");
    rig.until(1500);
    assert_eq!(rig.tasks("w"), "pending Undecodable | pending -");
    rig.until(3000);
    assert_eq!((rig.log.len(), rig.tasks("w")), (0, "failed Undecodable | cancelled StartFailed".into()));
    // On air.
    let mut rig = Rig::one();
    rig.until(1500).edit("w", |w| w.undecodable = Some("spec.suspend: invalid type".into()));
    rig.until(3000);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2000.000"]);
    assert_eq!(rig.phase("w"), Phase::Finished);
}

#[test]
fn readable_again_before_the_end_it_starts_late() {
    let mut rig = Rig::one();
    rig.until(500).edit("w", |w| w.undecodable = Some("spec.suspend: invalid type".into()));
    rig.until(1200).edit("w", |w| w.undecodable = None);
    rig.until(1300);
    assert_eq!(rig.phase("w"), Phase::Active);
    assert!(matches!(rig.health("w"), Health::Ready(Reason::OnAir, _)));
}
