//! What the scheduler leaves undone, and what others do to it.

use super::*;

#[test]
fn a_start_that_stays_pending_is_cancelled_read_back_and_made_here() {
    let mut rig = Rig::delegating();
    rig.vendor.start_firing = Some(Firing::Never);
    rig.until(3000);
    assert_eq!(rig.stands(), ["cancelled 1000 | cancelled 2000"]);
    let calls = rig.calls();
    assert!(calls[0].starts_with("activate 1060."), "{calls:?}");
    assert_eq!(calls[1], "deactivate 2000.000", "its stop is made here, on time");
    assert_eq!(rig.tasks("w"), "finished Started | finished Stopped");
    assert!(rig.told("w").contains(&"VendorStartMissing"), "{:?}", rig.told("w"));
}

#[test]
fn a_start_that_fails_is_made_here_as_soon_as_that_is_read() {
    let mut rig = Rig::delegating();
    rig.vendor.start_firing = Some(Firing::Fails);
    rig.until(3000);
    let calls = rig.calls();
    assert!(calls[0].starts_with("activate 1002."), "{calls:?}");
    assert_eq!(calls[1], "deactivate 2000.000");
    assert_eq!(rig.tasks("w"), "finished Started | finished Stopped");
}

#[test]
fn a_start_that_was_made_and_shows_nothing_is_spent() {
    let mut rig = Rig::delegating();
    rig.vendor.start_firing = Some(Firing::Idle);
    rig.until(3000);
    assert_eq!(rig.calls(), NONE, "a second start could cut a session short");
    assert_eq!(rig.tasks("w"), "failed StartNotConfirmed | cancelled StartFailed");
}

#[test]
fn a_missing_stop_is_made_here_after_15_seconds_and_the_workflow_goes_after() {
    for firing in [Firing::Never, Firing::Idle] {
        let mut rig = Rig::delegating();
        rig.vendor.stop_firing = Some(firing);
        rig.until(3000);
        let calls = rig.calls();
        assert_eq!(calls.len(), 1, "{firing:?}: {calls:?}");
        assert!(calls[0].starts_with("deactivate 201"), "{firing:?}: {calls:?}");
        assert_eq!((rig.channel, rig.tasks("w").as_str()), (Reading::Off, "finished Started | finished Stopped"));
        assert_eq!(rig.registered("w"), Some(Reason::VendorStopMissing));
        assert!(rig.told("w").contains(&"VendorStopMissing"), "{:?}", rig.told("w"));
        assert!(!rig.vendor.workflows[0].stop.is_open(), "{:?}", rig.stands());
    }
}

#[test]
fn a_stop_that_failed_is_made_here_as_soon_as_that_is_read() {
    let mut rig = Rig::delegating();
    rig.vendor.stop_firing = Some(Firing::Fails);
    rig.until(3000);
    let calls = rig.calls();
    assert!(calls.len() == 1 && calls[0].starts_with("deactivate 2002."), "{calls:?}");
}

#[test]
fn cancelled_by_somebody_else_it_is_told_and_run_here_on_time() {
    let mut rig = Rig::delegating();
    rig.until(10);
    for half in [true, false] {
        let workflow = rig.workflow(0);
        let half = if half { &mut workflow.start } else { &mut workflow.stop };
        half.state = Some(crate::record::TaskState::Cancelled);
    }
    rig.until(900);
    assert_eq!(rig.registered("w"), Some(Reason::DroppedByVendor));
    rig.until(3000);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2000.000"]);
    assert_eq!(rig.stands().len(), 1, "not made again: whoever cancelled it meant it");
}

#[test]
fn gone_without_a_word_it_is_told_and_run_here_on_time() {
    let mut rig = Rig::delegating();
    rig.until(10);
    rig.vendor.workflows.clear();
    rig.until(3000);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2000.000"]);
    assert_eq!(rig.registered("w"), Some(Reason::DroppedByVendor));
}

#[test]
fn its_stop_taken_away_by_somebody_else_is_made_here_on_time() {
    let mut rig = Rig::delegating();
    rig.until(1500);
    rig.workflow(0).stop.state = Some(crate::record::TaskState::Cancelled);
    rig.until(3000);
    assert_eq!(rig.calls(), ["deactivate 2000.000"]);
}

#[test]
fn times_that_somebody_else_changed_are_told_and_not_fought() {
    let mut rig = Rig::delegating();
    rig.until(10);
    rig.workflow(0).stop.slot.time = fixtures::at(2500);
    rig.until(900);
    let told = rig.record("w").differs.clone().unwrap();
    assert!(told.contains("deactivation.time is 2027-01-15T08:41:40Z there"), "{told}");
    assert_eq!(rig.asked(), ["schedule 0.045"]);
    rig.until(3000);
    assert_eq!(rig.calls(), ["deactivate 2000.000"], "the window's own stop holds");
    assert!(rig.told("w").contains(&"VendorCopyDiffers"));
}

#[test]
fn what_the_scheduler_takes_only_once_is_told_to_differ() {
    let mut rig = Rig::delegating();
    rig.until(100);
    rig.edit("w", |w| {
        let delegation = w.delegation.as_mut().unwrap();
        delegation.texts = crate::registration::Texts::of(Some("Another show"), None);
    });
    assert!(rig.record("w").differs.as_ref().unwrap().contains("description"), "{:?}", rig.record("w").differs);
    rig.edit("w", |w| {
        let delegation = w.delegation.as_mut().unwrap();
        delegation.texts = crate::registration::Texts::of(Some("Show"), None);
    });
    assert_eq!(rig.record("w").differs, None);
}

#[test]
fn an_edit_that_does_not_get_through_in_time_leaves_nothing_on_for_nobody() {
    let mut rig = Rig::delegating();
    rig.until(700);
    rig.vendor.silent = Some((700_000, 1_010_000));
    rig.edit("w", |w| {
        w.activation = fixtures::at(3000);
        w.deactivation = fixtures::at(4000);
    });
    rig.until(2500);
    assert_eq!(rig.fired()[0], "activate 1000.000", "at the old time");
    assert_eq!(rig.channel, Reading::Off);
    assert!(rig.calls()[0].starts_with("deactivate 10"), "{:?}", rig.calls());
    rig.until(5000);
    assert_eq!(rig.tasks("w"), "finished Started | finished Stopped");
    assert_eq!(rig.fired().last().unwrap(), "deactivate 4000.000");
}

#[test]
fn moved_ahead_without_getting_through_it_is_started_here_once_the_old_workflow_is_gone() {
    let mut rig = Rig::new().with_window("w", 2000, 3000, delegated);
    rig.until(700);
    rig.vendor.silent = Some((700_000, 1_010_000));
    rig.edit("w", |w| w.activation = fixtures::at(1000));
    rig.until(4000);
    assert!(rig.calls()[0].starts_with("activate 10"), "{:?}", rig.calls());
    assert_eq!(rig.stands()[0], "cancelled 2000 | cancelled 3000");
    assert_eq!(rig.tasks("w"), "finished Started | finished Stopped");
}

#[test]
fn a_stop_that_the_vendor_made_at_its_old_time_is_made_good() {
    let mut rig = Rig::delegating();
    rig.until(1900);
    rig.vendor.silent = Some((1_900_000, 2_010_000));
    rig.edit("w", |w| w.deactivation = fixtures::at(2500));
    rig.until(2200);
    assert_eq!(rig.fired(), ["activate 1000.000", "deactivate 2000.000"]);
    assert!(rig.told("w").contains(&"CutByVendor"), "{:?}", rig.told("w"));
    assert_eq!((rig.channel, rig.record("w").cuts), (Reading::On, 1));
    rig.until(3000);
    assert_eq!((rig.channel, rig.tasks("w").as_str()), (Reading::Off, "finished Started | finished Stopped"));
    assert_eq!(rig.calls().last().unwrap(), "deactivate 2500.000");
}

#[test]
fn switched_off_by_a_person_it_is_told_and_left_off() {
    let mut rig = Rig::delegating();
    rig.outsiders = true;
    rig.until(1500);
    rig.turn(Reading::Off);
    rig.until(1900);
    assert_eq!((rig.record("w").drift, rig.calls()), (Some(Reason::StoppedExternally), vec![]));
    rig.until(3000);
    assert_eq!((rig.calls(), rig.tasks("w").as_str()), (vec![], "finished Started | finished AlreadyOff"));
}
