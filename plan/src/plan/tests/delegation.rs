//! Windows that the vendor's scheduler runs.

use jiff::SignedDuration;

use super::rig::{Firing, Rig, VendorFault, delegated, delegated_with_receiver, ms};
use crate::conditions::Health;
use crate::ids::WorkflowId;
use crate::outbox::Action;
use crate::phase::Phase;
use crate::plan::fixtures;
use crate::reading::Reading;
use crate::reason::Reason;
use crate::record::OnAir;
use crate::registration::{Executor, Grant};
use crate::scheduler::WorkflowOp;
use crate::window::{Deletion, DeletionPolicy, Window};

const NONE: [&str; 0] = [];

#[test]
fn a_whole_life_is_run_by_the_vendor_and_confirmed_here() {
    let mut rig = Rig::delegating();
    rig.until(500);
    assert_eq!(rig.stands(), ["pending 1000 | pending 2000"]);
    assert_eq!((rig.phase("w"), rig.registered("w")), (Phase::Pending, Some(Reason::Registered)));
    assert!(matches!(rig.health("w"), Health::Ready(Reason::Scheduled, _)));
    rig.until(1500);
    assert_eq!((rig.tasks("w").as_str(), rig.on_air("w")), ("finished Started | pending -", OnAir::True));
    rig.until(3000);
    assert_eq!(rig.tasks("w"), "finished Started | finished Stopped");
    assert_eq!(rig.fired(), ["activate 1000.000", "deactivate 2000.000"]);
    assert_eq!(rig.calls(), NONE, "the vendor makes both");
    assert_eq!(rig.asked(), ["schedule 0.045"]);
    assert_eq!(rig.told("w"), ["Scheduled", "Registered", "Starting", "Started", "Stopping", "Stopped"]);
    assert!(rig.writes <= 11, "{} changes of the record", rig.writes);
    assert_eq!(rig.last.as_ref().unwrap().next, None, "nothing is left to wake up for");
}

#[test]
fn a_window_far_ahead_is_registered_and_left_alone() {
    let mut rig = Rig::new().with_window("w", 100_000, 101_000, delegated);
    rig.until(99_000);
    assert_eq!(rig.stands(), ["pending 100000 | pending 101000"]);
    assert_eq!((rig.vendor.log.len(), rig.looks.len()), (2, 1), "listed, made; and the job read once");
}

#[test]
fn one_too_far_ahead_is_registered_when_it_is_near_enough() {
    let mut rig = Rig::new();
    rig.horizon = SignedDuration::from_secs(10_000);
    let mut rig = rig.with_window("w", 100_000, 101_000, delegated);
    rig.until(89_990);
    assert_eq!((rig.asked(), rig.registered("w")), (vec![], Some(Reason::RegistersLater)));
    rig.until(90_010);
    assert_eq!(rig.stands(), ["pending 100000 | pending 101000"]);
}

#[test]
fn one_seen_too_late_to_be_registered_is_run_here_and_on_time() {
    for start in [1, 60, 119] {
        let mut rig = Rig::new().with_window("w", start, 2000, delegated);
        rig.until(3000);
        assert_eq!(rig.asked(), NONE);
        assert_eq!(rig.calls(), [format!("activate {start}.000"), "deactivate 2000.000".into()]);
        assert_eq!(rig.registered("w"), Some(Reason::TooLateToRegister));
    }
}

#[test]
fn case_67_an_edit_changes_the_task_that_it_changes_and_no_other() {
    let mut rig = Rig::delegating();
    rig.until(100);
    rig.edit("w", |w| w.activation = fixtures::at(1100));
    rig.until(200);
    rig.edit("w", |w| w.deactivation = fixtures::at(2100));
    rig.until(1500);
    rig.edit("w", |w| w.deactivation = fixtures::at(1900));
    rig.until(3000);
    let changed = rig.vendor.log.iter().filter_map(|(_, op)| match op {
        WorkflowOp::Update { start, stop, .. } => Some((start.is_some(), stop.is_some())),
        _ => None,
    });
    assert_eq!(changed.collect::<Vec<_>>(), [(true, false), (false, true), (false, true)]);
    assert_eq!(rig.fired(), ["activate 1100.000", "deactivate 1900.000"]);
    assert_eq!((rig.calls(), rig.tasks("w").as_str()), (vec![], "finished Started | finished Stopped"));
}

#[test]
fn case_67_a_start_that_was_made_is_not_moved_any_more() {
    let mut rig = Rig::delegating();
    rig.until(1500);
    rig.edit("w", |w| w.activation = fixtures::at(1600));
    rig.until(1800);
    assert_eq!(rig.asked(), ["schedule 0.045"], "no update");
    assert_eq!(rig.tasks("w"), "finished StartAlreadyMade | pending -");
}

#[test]
fn stop_now_is_made_here_and_the_workflow_goes_after() {
    let mut rig = Rig::delegating();
    rig.until(1500);
    rig.edit("w", |w| w.deactivation = fixtures::at(1500));
    rig.until(1600);
    assert!(rig.calls()[0].starts_with("deactivate 1500.0"), "{:?}", rig.calls());
    assert_eq!(rig.stands(), ["finished 1000 | cancelled 2000"]);
    assert_eq!(rig.tasks("w"), "finished Started | finished Stopped");
}

#[test]
fn case_74_after_a_cancel_both_tasks_are_read_back_before_it_is_said() {
    let mut rig = Rig::delegating();
    rig.until(50);
    rig.cancel("w");
    assert_eq!(rig.tasks("w"), "pending CancellingWorkflow | pending -");
    rig.until_ms(50_050);
    assert_eq!(rig.tasks("w"), "pending CancellingWorkflow | pending -", "cancelled, and not read back");
    rig.until(51);
    assert_eq!(rig.tasks("w"), "cancelled Cancelled | cancelled Cancelled");
    assert_eq!(rig.stands(), ["cancelled 1000 | cancelled 2000"]);
    let ops: Vec<&str> = rig.vendor.log.iter().map(|(_, op)| op.as_str()).collect();
    assert_eq!(ops, ["list_workflows", "schedule", "cancel_workflow", "read_workflow"]);
    rig.until(3000);
    assert_eq!(rig.fired(), NONE);
}

#[test]
fn case_74_what_is_still_pending_when_it_is_read_back_is_cancelled_again() {
    let mut rig = Rig::delegating();
    rig.until(100);
    rig.vendor.faults = vec![VendorFault::LostNotDone, VendorFault::LostNotDone];
    rig.cancel("w");
    rig.until(140);
    assert_eq!(rig.tasks("w"), "cancelled Cancelled | cancelled Cancelled");
    let cancels = rig.asked().len() - 1;
    assert_eq!(cancels, 3, "{:?}", rig.asked());
}

#[test]
fn cancelled_on_air_only_the_stop_is_dropped() {
    let mut rig = Rig::delegating();
    rig.until(1500);
    rig.cancel("w");
    rig.until(3000);
    assert_eq!(rig.tasks("w"), "finished Started | cancelled StopCancelled");
    assert_eq!(rig.stands(), ["finished 1000 | cancelled 2000"]);
    assert_eq!((rig.calls(), rig.channel), (vec![], Reading::On));
}

#[test]
fn suspending_takes_the_workflow_away_and_resuming_makes_another() {
    let mut rig = Rig::delegating();
    rig.until(100);
    rig.edit("w", |w| w.suspend = true);
    rig.until(200);
    assert_eq!(rig.stands(), ["cancelled 1000 | cancelled 2000"]);
    rig.edit("w", |w| w.suspend = false);
    rig.until(300);
    assert_eq!(rig.stands(), ["cancelled 1000 | cancelled 2000", "pending 1000 | pending 2000"]);
    rig.until(3000);
    assert_eq!((rig.calls(), rig.tasks("w").as_str()), (vec![], "finished Started | finished Stopped"));
}

#[test]
fn suspended_on_air_the_stop_stays() {
    let mut rig = Rig::delegating();
    rig.until(1500);
    rig.edit("w", |w| w.suspend = true);
    rig.until(3000);
    assert_eq!(rig.asked(), ["schedule 0.045"]);
    assert_eq!(rig.fired(), ["activate 1000.000", "deactivate 2000.000"]);
}

mod lost_answers {
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
}

mod supervision {
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
}

mod deletion {
    use super::*;

    fn deleted(at: i64, policy: DeletionPolicy) -> Rig {
        let mut rig = Rig::delegating();
        rig.until(at);
        rig.edit("w", |w| {
            w.deletion_policy = policy;
            w.deletion = Deletion::Meant;
        });
        rig
    }

    #[test]
    fn before_the_start_the_workflow_goes_first_and_then_the_object() {
        for policy in [DeletionPolicy::Stop, DeletionPolicy::Cancel] {
            let mut rig = deleted(100, policy);
            assert!(rig.exists("w"));
            rig.until(110);
            assert_eq!((rig.gone.len(), rig.stands()), (1, vec!["cancelled 1000 | cancelled 2000".to_owned()]));
        }
    }

    #[test]
    fn on_air_the_channel_is_off_before_the_workflow_is_touched() {
        let mut rig = deleted(1500, DeletionPolicy::Stop);
        rig.until(1600);
        let cancelled = rig.vendor.log.iter().find(|(_, op)| matches!(op, WorkflowOp::Cancel { .. })).unwrap().0;
        let off = rig.history.iter().find(|(at, reading)| *at > 1_500_000 && *reading == Reading::Off).unwrap().0;
        assert!(off < cancelled, "off at {off}, cancelled at {cancelled}");
        assert_eq!((rig.gone.len(), rig.stands()), (1, vec!["finished 1000 | cancelled 2000".to_owned()]));
    }

    #[test]
    fn under_cancel_only_the_stop_is_dropped() {
        let mut rig = deleted(1500, DeletionPolicy::Cancel);
        rig.until(3000);
        assert_eq!((rig.gone.len(), rig.calls(), rig.channel), (1, vec![], Reading::On));
        assert_eq!(rig.stands(), ["finished 1000 | cancelled 2000"]);
    }

    #[test]
    fn case_51_retained_the_last_word_says_what_stays_at_the_vendor() {
        for at in [100, 1500] {
            let mut rig = deleted(at, DeletionPolicy::Retain);
            rig.until(at + 10);
            assert_eq!((rig.gone.len(), rig.asked()), (1, vec!["schedule 0.045".to_owned()]));
            let (_, event) = rig.events.iter().rfind(|(_, event)| event.reason == Reason::Retained).unwrap();
            for part in ["workflow-0", "its stop at 2027-01-15T08:33:20Z", "marker w.1@here"] {
                assert!(event.note.contains(part), "{}", event.note);
            }
            rig.until(3000);
            assert_eq!(rig.fired().len(), 2, "the vendor goes on");
        }
    }

    #[test]
    fn nothing_is_asked_while_it_is_unclear_what_is_meant() {
        let mut rig = Rig::delegating();
        rig.until(100);
        rig.delete_unclear("w");
        rig.until(200);
        assert_eq!(rig.asked(), ["schedule 0.045"]);
        rig.edit("w", |w| w.deletion = Deletion::WithDefinition);
        rig.until(210);
        assert_eq!((rig.gone.len(), rig.asked().len()), (1, 1), "as under Retain");
    }
}

mod merged {
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
        assert_eq!(
            rig.fired(),
            ["activate 1000.000", "deactivate 2000.000", "activate 3000.000", "deactivate 3500.000"]
        );
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
}

mod shared_account {
    use super::*;

    #[test]
    fn case_52_a_workflow_of_somebody_else_is_left_alone_and_none_is_made_beside_it() {
        let mut rig = Rig::new();
        rig.foreign(1000, 2000);
        let mut rig = rig.with_window("w", 1000, 2000, delegated);
        rig.until(900);
        assert_eq!((rig.asked(), rig.registered("w")), (vec![], Some(Reason::ForeignWorkflow)));
        assert!(rig.last.as_ref().unwrap().windows[0].conditions().iter().any(|c| c.kind == "Conflict"));
        rig.until(3000);
        assert_eq!(rig.fired(), ["activate 1000.000", "deactivate 2000.000"], "as its owner has it");
        let stops = rig.calls().iter().all(|call| call.starts_with("deactivate"));
        assert!(stops, "no second start beside it: {:?}", rig.calls());
        assert_eq!(rig.tasks("w").split(' ').next(), Some("finished"));
    }

    #[test]
    fn case_52_one_that_comes_to_stand_beside_ours_is_told_ahead_of_the_start() {
        let mut rig = Rig::new().with_window("w", 2000, 3000, delegated);
        rig.until(500);
        rig.foreign(2500, 3500);
        rig.until(1090);
        assert_eq!(rig.record("w").foreign, None);
        rig.until(1110);
        assert_eq!(rig.record("w").foreign, Some(WorkflowId::new("workflow-1")));
        assert_eq!(rig.registered("w"), Some(Reason::Registered), "ours stands all the same");
        assert_eq!(rig.asked(), ["schedule 0.045"]);
    }

    #[test]
    fn case_37_what_does_not_bear_our_mark_is_neither_changed_nor_cancelled() {
        let mut rig = Rig::new();
        rig.foreign(5000, 6000);
        let mut rig = rig.with_window("w", 1000, 2000, delegated);
        rig.until(100);
        rig.delete("w");
        rig.until(7000);
        assert_eq!(rig.fired(), ["activate 5000.000", "deactivate 6000.000"]);
        assert_eq!(rig.calls(), NONE);
        let theirs = WorkflowId::new("workflow-0");
        assert!(rig.vendor.log.iter().all(|(_, op)| op.id() != Some(&theirs)), "{:?}", rig.vendor.log);
    }

    fn adopting(rig: Rig, id: &WorkflowId) -> Rig {
        rig.with_window("w", 1000, 2000, |w: &mut Window| {
            delegated(w);
            w.delegation.as_mut().unwrap().adopt = Some(id.clone());
        })
    }

    #[test]
    fn one_that_is_named_is_taken_over_and_kept_in_step() {
        let mut rig = Rig::new();
        let id = rig.foreign(1500, 2500);
        let mut rig = adopting(rig, &id);
        rig.until(100);
        assert_eq!(rig.stands(), ["pending 1000 | pending 2000"]);
        assert_eq!(rig.registered("w"), Some(Reason::Registered));
        assert!(rig.record("w").differs.as_ref().unwrap().contains("description"), "it keeps its own");
        rig.until(3000);
        assert_eq!((rig.fired().len(), rig.calls()), (2, vec![]));
    }

    #[test]
    fn one_that_is_not_there_or_over_or_another_windows_is_not_taken_over_and_none_is_made() {
        let not_there = adopting(Rig::new(), &WorkflowId::new("nowhere"));
        let mut over = Rig::new();
        let id = over.foreign(10, 20);
        over.workflow(0).start.state = Some(crate::record::TaskState::Cancelled);
        over.workflow(0).stop.state = Some(crate::record::TaskState::Cancelled);
        let over = adopting(over, &id);
        let mut theirs = Rig::new();
        let id = theirs.foreign(5000, 6000);
        theirs.workflow(0).marker = Some(crate::registration::Marker::new(&crate::WindowId::new("v"), "there"));
        let theirs = adopting(theirs, &id);
        for mut rig in [not_there, over, theirs] {
            rig.until(100);
            assert_eq!((rig.asked(), rig.registered("w")), (vec![], Some(Reason::AdoptionFailed)));
            rig.until(3000);
            assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2000.000"]);
        }
    }
}

mod quota {
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
}

#[test]
fn while_nobody_is_there_the_vendor_runs_the_window_and_whoever_comes_next_says_so() {
    for (from, to) in [(900, 1500), (900, 3000), (1500, 3000), (10, 5000)] {
        let mut rig = Rig::delegating();
        rig.until(from);
        rig.down_until(to);
        rig.until(to + 1000);
        assert_eq!(rig.fired(), ["activate 1000.000", "deactivate 2000.000"], "{from} to {to}");
        assert_eq!((rig.calls(), rig.tasks("w").as_str()), (vec![], "finished Started | finished Stopped"));
        assert_eq!(rig.phase("w"), Phase::Finished);
    }
}

#[test]
fn while_nobody_is_there_a_start_that_failed_is_not_said_to_have_been_made() {
    let mut rig = Rig::delegating();
    rig.vendor.start_firing = Some(Firing::Fails);
    rig.until(900);
    rig.down_until(3000);
    rig.until(4000);
    assert_eq!((rig.calls(), rig.phase("w")), (vec![], Phase::Missed));
}

#[test]
fn the_vendor_tells_of_what_it_makes_and_this_operator_of_the_rest() {
    let mut rig = Rig::new().with_window("w", 1000, 2000, delegated_with_receiver);
    rig.until(3000);
    assert_eq!(rig.record("w").outbox.deliveries(), [], "the vendor tells all four");
    let mut rig = Rig::new().with_window("w", 1000, 2000, delegated_with_receiver);
    rig.vendor.stop_firing = Some(Firing::Never);
    rig.until(3000);
    let told: Vec<Action> = rig.record("w").outbox.deliveries().iter().map(|delivery| delivery.action).collect();
    assert_eq!(told, [Action::Deactivate], "the one that was made here");
}

#[test]
fn the_executor_is_the_one_that_it_was_first_seen_with() {
    let mut rig = Rig::delegating();
    rig.until(100);
    rig.edit("w", |w| w.executor = Executor::Operator);
    rig.until(3000);
    assert_eq!((rig.record("w").executor, rig.calls()), (Executor::LiveScheduler, vec![]));
}

#[test]
fn after_a_restart_a_registered_window_far_ahead_asks_for_nothing() {
    let mut rig = Rig::new().with_window("w", 100_000, 101_000, delegated);
    rig.until(100);
    let asked = rig.vendor.log.len();
    rig.crash();
    rig.until(90_000);
    assert_eq!(rig.vendor.log.len(), asked);
    rig.until(102_000);
    assert_eq!((rig.calls(), rig.tasks("w").as_str()), (vec![], "finished Started | finished Stopped"));
    assert_eq!(ms(0), fixtures::at(0));
}
