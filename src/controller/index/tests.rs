//! Who has a place at the vendor's scheduler, and what it is asked: by watches and answers, without a network.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use plan::admit::Heard;
use plan::{Grant, Half, Reason, ShownWorkflow, Slot, Texts, Verb, WindowId, WorkflowAnswer, WorkflowId, WorkflowOp};
use serde_json::{Value, json};

use super::fixtures::{PENDING, Rig, at, create, job, jobs, registered, tv};
use super::{Admitted, Errand, LiveRequest};
use crate::controller::accounts::Scheduler;
use crate::controller::workflow_calls::Described;

#[test]
fn windows_take_places_in_their_order_and_those_that_may_be_offered_another_are_decided_anew() {
    let mut rig = Rig::with_limit(2);
    for (name, second) in [("a", 100), ("b", 200), ("c", 300)] {
        rig.window(name, second);
    }
    assert_eq!(rig.grants(["a", "b", "c"]), [Grant::Granted; 3], "nobody stands in line yet");
    rig.decided("c", Some((300, true)));
    rig.decided("b", Some((200, true)));
    assert_eq!(rig.grants(["a", "b", "c"]), [Grant::Making, Grant::Granted, Grant::Granted], "it is about to join");
    assert_eq!(rig.decided("a", Some((100, false))), jobs(["a", "b", "c"]));
    assert_eq!(rig.grants(["a", "b", "c"]), [Grant::Making, Grant::Granted, Grant::Waits(2)]);
    assert_eq!(rig.decided("c", Some((300, false))), jobs(["a", "b", "c"]), "it was cancelled");
    assert_eq!(rig.grants(["a", "b", "c"]), [Grant::Granted, Grant::Granted, Grant::Waits(2)]);
    assert_eq!(rig.decided("c", Some((300, false))), BTreeSet::new(), "nothing new");
    assert_eq!(rig.decided("b", None), jobs(["a", "c"]));
    assert_eq!(rig.grants(["a", "c"]), [Grant::Granted; 2]);
    assert_eq!(rig.offer("a").horizon, SignedDuration::from_hours(240));
}

#[test]
fn a_window_whose_start_moves_is_decided_anew_by_its_new_place() {
    let mut rig = Rig::with_limit(1);
    rig.window("a", 100);
    for (name, second) in [("b", 200), ("c", 300)] {
        rig.window(name, second);
        rig.decided(name, Some((second, false)));
    }
    assert!(rig.decided("c", Some((900, false))).contains(&job("c")));
    assert!(rig.decided("c", Some((150, false))).contains(&job("c")));
    assert_eq!(rig.grants(["b", "c"]), [Grant::Waits(1), Grant::Granted]);
}

#[test]
fn a_window_that_goes_gives_its_place_up() {
    let mut rig = Rig::with_limit(1);
    for (name, second) in [("a", 100), ("b", 200)] {
        rig.window(name, second);
        rig.decided(name, Some((second, name == "a")));
    }
    assert_eq!(rig.grants(["b"]), [Grant::Waits(1)]);
    let touched = rig.index.remove_window(&WindowId::new("a"));
    assert!(touched.contains(&job("b")));
    assert_eq!(rig.grants(["b"]), [Grant::Granted]);
}

#[test]
fn what_is_stored_as_registered_has_its_place_before_anything_is_decided() {
    let mut rig = Rig::with_limit(1);
    rig.stored("b", 200, &registered(200, PENDING));
    rig.window("a", 100);
    assert_eq!(rig.grants(["a", "b"]), [Grant::Making, Grant::Granted]);
    rig.stored("started", 50, &registered(50, "finished"));
    rig.window("c", 300);
    assert_eq!(rig.grants(["c"]), [Grant::Waits(1)], "one whose start was made takes no place");
}

#[test]
fn places_follow_the_account_to_the_load_of_its_new_key() {
    let mut rig = Rig::with_limit(1);
    rig.window("a", 100);
    rig.stored("b", 200, &registered(200, PENDING));
    let before = rig.load();
    let touched = rig.key("another-key");
    assert!(touched.contains(&job("a")) && touched.contains(&job("b")));
    assert_ne!(rig.load(), before);
    assert_eq!(rig.grants(["a", "b"]), [Grant::Making, Grant::Granted]);
    assert!(!rig.index.lines.contains_key(&before));
    rig.index.remove_account(&tv("one"));
    assert!(rig.index.lines.is_empty() && rig.index.placed.is_empty());
}

#[test]
fn of_accounts_that_share_a_key_the_strictest_limit_holds_until_its_account_is_gone() {
    let mut rig = Rig::with_limit(2);
    for (name, second) in [("a", 100), ("b", 200), ("c", 300)] {
        rig.window(name, second);
        rig.decided(name, Some((second, false)));
    }
    assert_eq!(rig.grants(["a", "b", "c"]), [Grant::Granted, Grant::Granted, Grant::Waits(2)]);
    let touched = rig.account("two", 1);
    assert!(touched.is_superset(&jobs(["a", "b"])), "{touched:?}");
    assert_eq!(rig.grants(["a", "b", "c"]), [Grant::Granted, Grant::Waits(1), Grant::Waits(2)]);
    let touched = rig.index.remove_account(&tv("two"));
    assert!(touched.is_superset(&jobs(["a", "b"])), "{touched:?}");
    assert_eq!(rig.grants(["b"]), [Grant::Granted]);
    assert!(rig.account("one", 0).is_superset(&jobs(["a", "b", "c"])));
    assert_eq!(rig.grants(["a", "b", "c"]), [Grant::Granted; 3]);
}

fn errands(admitted: &Admitted) -> Vec<&Errand> {
    let errands = admitted.orders.iter().filter_map(|order| match &order.request {
        LiveRequest::Workflow(errand) => Some(&**errand),
        _ => None,
    });
    errands.collect()
}

fn cancel() -> WorkflowOp {
    WorkflowOp::Cancel { id: WorkflowId::new("a") }
}

#[test]
fn what_changes_something_waits_for_the_lease_and_what_reads_does_not() {
    let mut rig = Rig::with_limit(6);
    for name in ["a", "b", "c"] {
        rig.window(name, 100);
    }
    rig.want("a", cancel());
    rig.want("b", WorkflowOp::Read { id: WorkflowId::new("b") });
    rig.want("c", WorkflowOp::Find);
    let admitted = rig.admit(false);
    let read: Vec<&str> = errands(&admitted).iter().map(|errand| errand.op.as_str()).collect();
    assert_eq!(read, ["read_workflow", "list_workflows"]);
    assert_eq!(rig.index.take_awaiting_lease(), jobs(["a"]));
    let admitted = rig.admit(true);
    assert_eq!(errands(&admitted).iter().map(|errand| &errand.op).collect::<Vec<_>>(), [&cancel()]);
    assert!(errands(&rig.admit(true)).is_empty(), "each goes out once");
}

#[test]
fn a_read_asks_whether_an_outage_is_over_in_place_of_what_changes_something() {
    let mut rig = Rig::with_limit(6);
    let (origin, find) = (rig.origin(), WorkflowOp::Find);
    for name in ["a", "b", "c", "d", "e", "f"] {
        rig.window(name, 100);
        let lost = WorkflowAnswer::Lost("closed".to_owned());
        rig.index.workflow_answered(&origin, (&job(name), &find), at(0), lost, Heard::Outage { retry_after: None });
    }
    let load = rig.load();
    for (op, reads_the_job) in [(cancel(), true), (find, false)] {
        rig.want("a", op);
        let admitted = rig.index.admit(&load, at(60), true, false);
        let [order] = &admitted.orders[..] else { panic!("one goes out") };
        assert!(order.origin.probe);
        assert_eq!(matches!(order.request, LiveRequest::Look { .. }), reads_the_job);
        rig.index.ended(&load, None, true, Heard::Nothing, at(60));
    }
}

#[test]
fn a_workflow_is_made_as_it_is_recorded_and_not_otherwise() {
    let marked = Described::new("[jss:abc.1@eu]".to_owned(), None);
    for (marker, described) in [("abc.1@eu", Some(marked)), ("abc.2@eu", None)] {
        let mut rig = Rig::with_limit(6);
        rig.stored("a", 100, &registered(100, PENDING));
        rig.want("a", create(marker));
        let admitted = rig.admit(true);
        let [errand] = errands(&admitted)[..] else { panic!("one goes out") };
        assert_eq!((&errand.op, &errand.described), (&create(marker), &described));
        assert!(!rig.index.jobs[&job("a")].memory.idle(), "it is under way");
    }
}

#[test]
fn a_workflow_that_another_process_has_recorded_is_not_made() {
    let mut rig = Rig::with_limit(6);
    let mut status = registered(100, PENDING);
    status["registered"]["by"] = json!("another");
    rig.stored("a", 100, &status);
    rig.want("a", create("abc.1@eu"));
    assert_eq!(errands(&rig.admit(true))[0].described, None);
}

#[test]
fn a_list_that_is_not_there_is_not_offered_for_a_day() {
    let mut rig = Rig::with_limit(6);
    rig.window("a", 100);
    assert!(!rig.offer("a").no_list);
    rig.answered("a", &WorkflowOp::Find, WorkflowAnswer::NoList);
    assert!(rig.offer("a").no_list);
    let window = rig.index.windows[&WindowId::new("a")].window();
    let a_day = 24 * 3_600;
    assert!(rig.index.offer(&window, at(a_day)).no_list);
    assert!(!rig.index.offer(&window, at(a_day + 1)).no_list);
    rig.answered("a", &WorkflowOp::Find, WorkflowAnswer::Lists(Vec::new()));
    assert!(!rig.offer("a").no_list, "it is there after all");
}

#[test]
fn an_account_shows_whether_the_vendors_scheduler_takes_its_windows_once_that_was_asked() {
    let mut rig = Rig::with_limit(6);
    rig.window("a", 100);
    let said = |rig: &Rig| rig.index.accounts[&tv("one")].scheduler.clone();
    let create = create("abc.1@eu");
    let refused = |reason| WorkflowAnswer::Refused { reason, message: "Not enabled.".to_owned() };
    let stale = |rig: &mut Rig| rig.index.take_stale_accounts().contains(&tv("one"));
    stale(&mut rig);
    rig.answered("a", &cancel(), refused(Reason::SchedulerUnavailable));
    rig.answered("a", &create, refused(Reason::LiveAPIUnreachable));
    rig.answered("a", &create, WorkflowAnswer::Lost("closed".to_owned()));
    assert_eq!(said(&rig), Scheduler::AsStored, "none of these says so");
    stale(&mut rig);
    rig.answered("a", &create, refused(Reason::SchedulerUnavailable));
    assert_eq!(said(&rig), Scheduler::Refuses("Not enabled.".to_owned()));
    assert!(stale(&mut rig), "its status is written");
    rig.answered("a", &create, refused(Reason::SchedulerUnavailable));
    assert!(!stale(&mut rig), "nothing new");
    let half = Half::pending(Slot { time: at(100), ahead: SignedDuration::ZERO });
    let id = WorkflowId::new("a");
    let shown = ShownWorkflow { id, marker: None, start: half, stop: half, texts: Texts::default() };
    rig.answered("a", &create, WorkflowAnswer::Shows(Box::new(shown)));
    assert_eq!(said(&rig), Scheduler::Takes);
    rig.key("another-key");
    assert_eq!(said(&rig), Scheduler::NotAsked);
}

#[test]
fn an_answer_to_an_old_key_says_nothing_of_the_account() {
    let mut rig = Rig::with_limit(6);
    rig.window("a", 100);
    let origin = rig.origin();
    let read = WorkflowOp::Read { id: WorkflowId::new("a") };
    rig.want("a", read.clone());
    assert_eq!(errands(&rig.admit(true)).len(), 1);
    rig.key("another-key");
    let refused = WorkflowAnswer::Refused { reason: Reason::KeyRefused, message: "Unauthorized".to_owned() };
    rig.index.workflow_answered(&origin, (&job("a"), &read), at(1), refused, Heard::Answer);
    assert_eq!(rig.index.accounts[&tv("one")].key_accepted, None);
    assert!(rig.index.jobs[&job("a")].memory.idle(), "it may be asked anew");
}

#[test]
fn a_key_that_the_scheduler_answered_to_is_taken_and_one_that_was_asked_for_nothing_is_not() {
    let mut rig = Rig::with_limit(6);
    rig.window("a", 100);
    let accepted = |rig: &Rig| rig.index.accounts[&tv("one")].key_accepted;
    let origin = rig.origin();
    let nothing = WorkflowAnswer::NotFound("no id".to_owned());
    rig.index.workflow_answered(&origin, (&job("a"), &cancel()), at(1), nothing.clone(), Heard::Nothing);
    assert_eq!(accepted(&rig), None, "nothing was sent");
    rig.answered("a", &WorkflowOp::Find, WorkflowAnswer::NoList);
    assert_eq!(accepted(&rig), None, "whoever has no list need not have looked at the key");
    rig.answered("a", &cancel(), nothing);
    assert_eq!(accepted(&rig), Some(true));
}

#[test]
fn a_new_registration_is_written_before_what_can_wait() {
    let mut rig = Rig::with_limit(6);
    rig.stored("a", 100, &registered(100, PENDING));
    let id = WindowId::new("a");
    rig.index.decide(&job("a"), at(0), true);
    assert!(!rig.index.registers(&id), "nothing is planned that is not stored");
    let planned = rig.index.windows.get_mut(&id).unwrap().planned.as_mut().unwrap();
    planned.record.registration.as_mut().unwrap().id = Some(WorkflowId::new("b"));
    assert!(rig.index.registers(&id));
    rig.index.windows.get_mut(&id).unwrap().planned = None;
    assert!(!rig.index.registers(&id), "nothing is planned");
}

/// A window whose start the vendor's scheduler was to make at second 100: its workflow was cancelled and read back since.
fn left_undone() -> Value {
    let mut status = registered(100, "cancelled");
    status["activation"]["calledAt"] = json!(at(100).to_string());
    status["registered"]["deactivation"]["state"] = json!("cancelled");
    status
}

#[test]
fn a_call_that_the_vendors_scheduler_did_not_make_counts_once() {
    let mut rig = Rig::with_limit(6);
    rig.stored("a", 100, &left_undone());
    assert_eq!(rig.index.decide(&job("a"), at(170), true).step_ins, BTreeSet::from([Verb::Activate]));
    assert_eq!(rig.index.decide(&job("a"), at(171), true).step_ins, BTreeSet::new());
}

#[test]
fn a_step_in_that_an_earlier_process_has_told_of_does_not_count_again() {
    let told_before = [("Registered", BTreeSet::from([Verb::Activate])), ("VendorStartMissing", BTreeSet::new())];
    for (reason, counted) in told_before {
        let mut rig = Rig::with_limit(6);
        let mut status = left_undone();
        status["conditions"] = json!([{
            "type": "Registered",
            "status": "False",
            "reason": reason,
            "message": "",
            "lastTransitionTime": at(160).to_string(),
        }]);
        rig.stored("a", 100, &status);
        assert_eq!(rig.index.decide(&job("a"), at(170), true).step_ins, counted, "{reason}");
    }
}
