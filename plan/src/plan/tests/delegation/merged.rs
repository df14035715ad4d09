//! Windows that are merged: one workflow for all.

use super::*;

#[test]
fn windows_that_overlap_or_touch_have_one_workflow_for_all() {
    let mut rig = Rig::delegating();
    rig.until(100);
    rig.add("v", 1500, 2500, delegated);
    rig.until(200);
    rig.add("u", 2500, 2800, delegated);
    rig.until(300);
    assert_eq!(rig.stands(), ["pending 1000 | pending 2800"]);
    assert_eq!(rig.registered("v"), Some(Reason::CarriedByAnother));
    rig.until(3500);
    assert_eq!(rig.fired(), ["activate 1000.000", "deactivate 2800.000"]);
    assert_eq!(rig.calls(), NONE);
    assert_eq!(rig.tasks("w"), "finished Started | finished KeptOnAir");
    assert_eq!(rig.tasks("u"), "finished AlreadyOnAir | finished Stopped");
}

#[test]
fn two_that_become_one_keep_one_workflow() {
    let mut rig = Rig::delegating();
    rig.until(50);
    rig.add("v", 2500, 3000, delegated);
    rig.until(100);
    assert_eq!(rig.stands(), ["pending 1000 | pending 2000", "pending 2500 | pending 3000"]);
    rig.edit("v", |w| w.activation = fixtures::at(1500));
    rig.until(200);
    assert_eq!(rig.stands(), ["pending 1000 | pending 3000", "cancelled 2500 | cancelled 3000"]);
    rig.until(3500);
    assert_eq!((rig.fired().len(), rig.calls()), (2, vec![]));
}

#[test]
fn one_that_becomes_two_has_two_workflows() {
    let mut rig = Rig::delegating().with_window("v", 1500, 2500, delegated);
    rig.until(100);
    rig.edit("v", |w| {
        w.deactivation = fixtures::at(3500);
        w.activation = fixtures::at(3000);
    });
    rig.until(4000);
    assert_eq!(rig.fired(), ["activate 1000.000", "deactivate 2000.000", "activate 3000.000", "deactivate 3500.000"]);
    assert_eq!(rig.calls(), NONE);
}

#[test]
fn the_next_bearer_records_the_workflow_before_the_one_that_goes_lets_go() {
    for at in [100, 1600] {
        for lag in [0, 300] {
            let mut rig = Rig::delegating().with_window("v", 1500, 2500, delegated);
            rig.until(at);
            rig.store_lag = lag;
            rig.delete("w");
            rig.until_ms(at * 1000 + 100);
            if lag > 0 {
                assert!(rig.exists("w"), "the other has not stored it yet");
            }
            rig.until(at + 30);
            assert!(!rig.exists("w"));
            assert_eq!(rig.record("v").registration.as_ref().unwrap().id, Some(WorkflowId::new("workflow-0")));
            rig.until(3500);
            assert_eq!(rig.fired().last().unwrap(), "deactivate 2500.000");
            assert_eq!((rig.fired().len(), rig.calls()), (2, vec![]), "at {at}");
        }
    }
}

#[test]
fn one_that_is_over_hands_its_workflow_to_the_one_that_goes_on() {
    let mut rig = Rig::delegating().with_window("v", 1500, 2500, delegated);
    rig.until(2100);
    assert_eq!(rig.record("w").registration, None);
    assert_eq!(rig.record("v").registration.as_ref().unwrap().id, Some(WorkflowId::new("workflow-0")));
    rig.delete("w");
    rig.until(3500);
    assert_eq!((rig.gone.len(), rig.calls()), (1, vec![]));
    assert_eq!(rig.fired(), ["activate 1000.000", "deactivate 2500.000"]);
}

#[test]
fn with_both_executors_in_it_the_workflow_goes_and_all_is_run_here() {
    for at in [100, 1200] {
        let mut rig = Rig::delegating();
        rig.until(at);
        rig.add("v", 1500, 2500, |_| ());
        rig.until(at + 50);
        assert_eq!(rig.registered("w"), Some(Reason::MixedExecutors));
        assert!(rig.vendor.workflows.iter().all(|workflow| !workflow.stop.is_open()), "{:?}", rig.stands());
        rig.until(3500);
        let ours: &[&str] =
            if at < 1000 { &["activate 1000.000", "deactivate 2500.000"] } else { &["deactivate 2500.000"] };
        assert_eq!(rig.calls(), ours);
        assert_eq!(rig.tasks("w"), "finished Started | finished KeptOnAir");
    }
}

#[test]
fn of_several_that_go_each_is_cancelled_once_and_read_back() {
    let mut rig = Rig::delegating().with_window("v", 2030, 2500, |_| ()).with_window("u", 2530, 3000, delegated);
    rig.until(500);
    assert_eq!(rig.stands(), NONE);
    let mut rig = Rig::delegating().with_window("u", 2530, 3000, delegated);
    rig.until(500);
    rig.add("v", 2030, 2500, |_| ());
    rig.until(600);
    assert_eq!(rig.stands(), ["cancelled 1000 | cancelled 2000", "cancelled 2530 | cancelled 3000"]);
    let cancels = rig.asked().iter().filter(|asked| asked.starts_with("cancel")).count();
    assert_eq!(cancels, 2, "{:?}", rig.asked());
}

#[test]
fn while_its_workflow_cannot_be_cancelled_no_other_start_is_made() {
    let mut rig = Rig::delegating();
    rig.until(900);
    rig.vendor.silent = Some((900_000, 1_100_000));
    rig.add("v", 1000, 2500, |_| ());
    rig.until(3500);
    assert_eq!(rig.fired()[0], "activate 1000.000");
    assert!(rig.calls().iter().all(|call| call.starts_with("deactivate")), "{:?}", rig.calls());
    assert_eq!(rig.channel, Reading::Off);
}
