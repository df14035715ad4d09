//! Windows that the vendor's scheduler runs.

mod deletion;
mod lost_answers;
mod merged;
mod quota;
mod shared_account;
mod supervision;

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
    let told = rig.record("w").registered.clone().unwrap();
    assert_eq!(told.reason, Reason::Cancelled);
    assert!(told.message.contains("its start is cancelled, its stop cancelled"), "{}", told.message);
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
