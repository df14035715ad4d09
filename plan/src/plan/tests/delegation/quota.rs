//! Room at the scheduler, and refusals.

use super::*;

#[test]
fn without_room_a_window_waits_for_its_turn_and_is_run_here_when_that_does_not_come() {
    let mut rig = Rig::delegating();
    rig.until_ms(0);
    rig.grant("w", Grant::Waits(6));
    rig.until(100);
    assert_eq!((rig.asked(), rig.registered("w")), (vec![], Some(Reason::WaitingForQuota)));
    rig.grant("w", Grant::Granted);
    rig.until(200);
    assert_eq!(rig.stands(), ["pending 1000 | pending 2000"]);
    let mut rig = Rig::new();
    let mut rig = {
        rig.add("w", 1000, 2000, delegated);
        rig
    };
    rig.grant("w", Grant::Waits(6));
    rig.until(3000);
    assert_eq!((rig.asked(), rig.calls().len()), (vec![], 2));
}

#[test]
fn case_68_a_sooner_window_displaces_it_and_it_is_registered_again_later() {
    let mut rig = Rig::new().with_window("w", 9000, 9900, delegated);
    rig.until(100);
    rig.grant("w", Grant::Waits(6));
    rig.until(110);
    assert_eq!(rig.stands(), ["cancelled 9000 | cancelled 9900"]);
    assert_eq!(rig.registered("w"), Some(Reason::WaitingForQuota));
    rig.grant("w", Grant::Granted);
    rig.until(9999);
    assert_eq!(rig.stands().last().unwrap(), "finished 9000 | finished 9900");
    assert_eq!(rig.calls(), NONE);
}

#[test]
fn case_68_a_refusal_is_a_condition_and_no_storm() {
    let mut rig = Rig::new();
    rig.vendor.faults = vec![VendorFault::Refused(Reason::SchedulerUnavailable); 100];
    let mut rig = rig.with_window("w", 4000, 5000, delegated);
    rig.until(3600);
    assert_eq!(rig.registered("w"), Some(Reason::SchedulerUnavailable));
    assert!((10..=25).contains(&rig.asked().len()), "{} tries in an hour", rig.asked().len());
    let told = rig.told("w").into_iter().filter(|told| *told == "SchedulerUnavailable").count();
    assert_eq!(told, 1);
    rig.until(6000);
    assert_eq!(rig.calls(), ["activate 4000.000", "deactivate 5000.000"]);
}

#[test]
fn case_69_a_job_that_no_scheduler_can_switch_is_told_and_not_registered() {
    let mut rig = Rig::new();
    rig.is_static = false;
    let mut rig = rig.with_window("w", 1000, 2000, delegated);
    rig.until(100);
    assert!(matches!(rig.health("w"), Health::Stalled(Reason::NotStatic, _)), "{:?}", rig.health("w"));
    assert_eq!(rig.asked(), NONE);
}
