//! Answers of the scheduler that were lost.

use super::*;

#[test]
fn case_28_one_that_was_made_although_its_answer_was_lost_is_found_and_not_made_twice() {
    let mut rig = Rig::new();
    rig.vendor.faults = vec![VendorFault::LostDone];
    let mut rig = rig.with_window("w", 1000, 2000, delegated);
    rig.until(60);
    assert_eq!(rig.stands(), ["pending 1000 | pending 2000"]);
    assert_eq!(rig.registered("w"), Some(Reason::Registered));
    rig.until(3000);
    assert_eq!(rig.asked(), ["schedule 0.045"]);
    assert_eq!((rig.calls(), rig.tasks("w").as_str()), (vec![], "finished Started | finished Stopped"));
}

#[test]
fn one_that_was_not_made_is_made_once_the_list_proves_it() {
    let mut rig = Rig::new();
    rig.vendor.faults = vec![VendorFault::LostNotDone];
    let mut rig = rig.with_window("w", 1000, 2000, delegated);
    rig.until_ms(10_040);
    assert_eq!(rig.asked(), ["schedule 0.045"], "not before ten seconds have passed");
    rig.until(60);
    assert_eq!(rig.asked().len(), 2, "{:?}", rig.asked());
    assert_eq!(rig.stands(), ["pending 1000 | pending 2000"]);
}

#[test]
fn case_26_a_process_that_dies_while_it_registers_leaves_one_workflow_unaided_within_a_minute() {
    for crash in [1, 6, 44, 45, 46, 60, 84, 85, 86, 90, 3_000] {
        for fault in [None, Some(VendorFault::LostDone), Some(VendorFault::LostNotDone)] {
            for lag in [0, 30] {
                let mut rig = Rig::new();
                rig.vendor.faults = fault.clone().into_iter().collect();
                rig.store_lag = lag;
                let mut rig = rig.with_window("w", 1000, 2000, delegated);
                rig.until_ms(crash);
                rig.crash();
                rig.until_ms(crash + 60_000);
                let what = format!("crash at {crash} with {fault:?} and {lag} ms to store");
                assert_eq!(rig.stands(), ["pending 1000 | pending 2000"], "{what}");
                rig.until(3000);
                assert_eq!(rig.fired().len(), 2, "{what}");
                assert_eq!(rig.tasks("w"), "finished Started | finished Stopped", "{what}");
            }
        }
    }
}

#[test]
fn without_a_list_it_is_never_made_a_second_time_and_the_vendors_start_counts() {
    let mut rig = Rig::new();
    rig.vendor.no_list = true;
    rig.vendor.faults = vec![VendorFault::LostDone];
    let mut rig = rig.with_window("w", 1000, 2000, delegated);
    rig.until(500);
    assert_eq!(rig.registered("w"), Some(Reason::WorkflowUnknown));
    rig.until(3000);
    assert_eq!(rig.asked().len(), 1);
    assert_eq!(rig.fired(), ["activate 1000.000", "deactivate 2000.000"]);
    assert_eq!((rig.calls(), rig.tasks("w").as_str()), (vec![], "finished Started | finished Stopped"));
}

#[test]
fn without_a_list_a_start_that_does_not_come_is_made_here_two_minutes_late_and_the_stop_after_15_seconds() {
    let mut rig = Rig::new();
    rig.vendor.no_list = true;
    rig.vendor.faults = vec![VendorFault::LostNotDone];
    let mut rig = rig.with_window("w", 1000, 2000, delegated);
    rig.until(3000);
    assert_eq!(rig.asked().len(), 1);
    let calls = rig.calls();
    assert!(calls[0].starts_with("activate 112"), "{calls:?}");
    assert!(calls[1].starts_with("deactivate 201"), "{calls:?}");
    assert_eq!(rig.tasks("w"), "finished Started | finished Stopped");
}

#[test]
fn without_a_list_what_goes_on_for_a_window_that_is_cancelled_is_switched_off() {
    for crash in [None, Some(1_002_000), Some(1_030_000)] {
        let mut rig = Rig::new();
        rig.vendor.no_list = true;
        rig.vendor.faults = vec![VendorFault::LostDone];
        let mut rig = rig.with_window("w", 1000, 2000, delegated);
        rig.until(500);
        rig.cancel("w");
        rig.until(900);
        assert_eq!(rig.tasks("w"), "pending CancellingWorkflow | pending -");
        if let Some(crash) = crash {
            rig.until_ms(crash);
            rig.crash();
        }
        rig.until(1300);
        assert_eq!((rig.fired(), rig.channel), (vec!["activate 1000.000".to_owned()], Reading::Off), "{crash:?}");
        assert!(rig.calls()[0].starts_with("deactivate 10"), "{:?}", rig.calls());
        assert_eq!(rig.tasks("w"), "cancelled Cancelled | cancelled Cancelled");
    }
}

#[test]
fn without_a_list_a_deleted_window_stays_until_its_workflow_can_start_nothing_any_more() {
    let mut rig = Rig::new();
    rig.vendor.no_list = true;
    rig.vendor.faults = vec![VendorFault::LostNotDone];
    let mut rig = rig.with_window("w", 1000, 2000, delegated);
    rig.until(500);
    rig.delete("w");
    rig.until(1100);
    assert!(rig.exists("w"));
    rig.until(1130);
    assert_eq!((rig.gone.len(), rig.calls()), (1, vec![]));
    let mut rig = Rig::new();
    rig.vendor.no_list = true;
    rig.vendor.faults = vec![VendorFault::LostNotDone];
    let mut rig = rig.with_window("w", 1000, 2000, delegated);
    rig.until(500);
    rig.delete("w");
    rig.edit("w", |w| w.deletion_policy = DeletionPolicy::Retain);
    rig.until(510);
    assert_eq!(rig.gone.len(), 1, "let go at once");
}
