//! What goes wrong with calls about workflows, and with the scheduler itself.

mod common;

use common::{JOB, KEY, SCHEDULER, Scene};
use serde_json::json;
use simulator::{
    Effect, Fault, FiringEffect, FiringFault, FiringOutcome, LateAnswer, Operation, Outcome, SchedulerSettings,
    Settings, TaskKind, TaskState, Then,
};

/// What the caller sees, in a word; and the answer's body.
fn seen(scene: &mut Scene, method: &str, path: &str, body: &str) -> (String, serde_json::Value) {
    match scene.call(method, path, Some(KEY), body).then {
        Then::Answer(answer) => {
            (answer.status().as_u16().to_string(), serde_json::from_slice(answer.body()).unwrap_or_default())
        }
        Then::Drop => ("dropped".into(), json!(null)),
        Then::Hang => ("hung".into(), json!(null)),
    }
}

/// Each effect with what the caller sees of it, whether it is done at once, and whether it is done within a second.
fn effects() -> Vec<(Effect, &'static str, bool, bool)> {
    let late = |answer| Effect::CarryOutLate { delay_ms: 700, answer };
    vec![
        (Effect::Refuse { status: 503, body: json!(null), headers: [].into() }, "503", false, false),
        (Effect::Hang { carry_out: false }, "hung", false, false),
        (Effect::Hang { carry_out: true }, "hung", true, true),
        (Effect::DropBefore, "dropped", false, false),
        (Effect::DropAfter, "dropped", true, true),
        (late(LateAnswer::Ok), "200", false, true),
        (late(LateAnswer::Drop), "dropped", false, true),
        (Effect::Ignore, "200", false, false),
        (Effect::Redirect { location: "http://elsewhere/".into() }, "307", false, false),
        (Effect::Html { status: 502 }, "502", false, false),
        (Effect::Latency { ms: 50, jitter_ms: 0 }, "200", true, true),
    ]
}

#[test]
fn each_fault_does_its_own_to_a_create() {
    for (effect, answer, at_once, soon) in effects() {
        let name = effect.name();
        let mut scene = Scene::new(Settings::default());
        scene.world.add_fault(Fault::new(effect).on(Operation::ScheduleCreate).job(JOB));
        let body = scene.window(60, 120).to_string();
        let (status, answered) = seen(&mut scene, "POST", SCHEDULER, &body);
        assert_eq!(status, answer, "{name}");
        let count = |scene: &mut Scene| scene.world.workflows(scene.now).len();
        assert_eq!(count(&mut scene), usize::from(at_once), "{name}");
        scene.wait(1_000);
        assert_eq!(count(&mut scene), usize::from(soon), "{name}");
        let call = scene.world.calls().next().unwrap().clone();
        assert_eq!((call.carried_out, call.job.as_deref()), (soon, Some(JOB)), "{name}");
        if answer == "200" {
            let promised = answered["workflow_id"].as_str().unwrap();
            assert_eq!(call.workflow.as_deref(), Some(promised), "{name}");
            assert_eq!(scene.world.workflow(scene.now, promised).is_some(), soon, "{name}: the id it answered");
        }
        if answer == "dropped" {
            assert_eq!(call.outcome, Outcome::Dropped);
        }
    }
}

#[test]
fn each_fault_does_its_own_to_an_update_and_to_a_cancellation() {
    for operation in [Operation::ScheduleUpdate, Operation::ScheduleCancel] {
        for (effect, answer, at_once, soon) in effects() {
            let name = effect.name();
            let mut scene = Scene::new(Settings::default());
            let id = scene.schedule(60, 120);
            scene.world.add_fault(Fault::new(effect).on(operation).workflow(&id));
            let path = format!("{SCHEDULER}/{id}");
            let stop = scene.in_secs(180);
            let (method, body) = match operation {
                Operation::ScheduleUpdate => ("PUT", json!({ "deactivation": { "time_utc": stop } }).to_string()),
                _ => ("DELETE", String::new()),
            };
            let (status, answered) = seen(&mut scene, method, &path, &body);
            assert_eq!(status, answer, "{name}");
            if answer == "200" {
                let promised = &answered["deactivation"];
                assert!(promised["time_utc"] == stop || promised["state"] == "cancelled", "{name}: {answered}");
            }
            let done = |scene: &mut Scene| {
                let workflow = scene.workflow(&id);
                workflow.deactivation.time_utc == stop || workflow.deactivation.state == TaskState::Cancelled
            };
            assert_eq!(done(&mut scene), at_once, "{operation:?} {name}");
            scene.wait(1_000);
            assert_eq!(done(&mut scene), soon, "{operation:?} {name}");
            assert_eq!(scene.world.calls().last().unwrap().carried_out, soon, "{operation:?} {name}");
        }
    }
}

#[test]
fn a_late_call_is_carried_out_by_the_rules_of_then() {
    let scheduler = SchedulerSettings { pending_activations: 1, ..SchedulerSettings::default() };
    let mut scene = Scene::with_scheduler(scheduler);
    let late = Effect::CarryOutLate { delay_ms: 30_000, answer: LateAnswer::Ok };
    scene.world.add_fault(Fault::new(late).on(Operation::ScheduleCreate).times(1));
    let lost = scene.schedule(60, 120);
    let kept = scene.schedule(60, 120);
    scene.wait_secs(40);
    let ids: Vec<_> = scene.world.workflows(scene.now).into_iter().map(|workflow| workflow.id).collect();
    assert_eq!(ids, [kept], "there was room for one only by then, and it was not {lost}");
}

#[test]
fn an_ignored_call_still_needs_its_key_and_its_rules() {
    let mut scene = Scene::new(Settings::default());
    scene.world.add_fault(Fault::new(Effect::Ignore));
    assert_eq!(scene.create(&json!({})).0, 400);
    let Then::Answer(answer) = scene.call("POST", SCHEDULER, None, "").then else { panic!() };
    assert_eq!(answer.status(), 401);
    assert_eq!(scene.unschedule("nothing").0, 500);
    let id = scene.foreign(60, 120);
    assert_eq!(scene.tasks(&id), "pending/pending", "reads are as ever");
}

#[test]
fn a_fault_strikes_the_operations_the_job_and_the_workflow_that_it_names() {
    let refuse = || Fault::new(Effect::Refuse { status: 503, body: json!(null), headers: [].into() });
    let table = [
        (refuse().on(Operation::ScheduleRead), "GET", "503"),
        (refuse().on(Operation::ScheduleUpdate), "GET", "200"),
        (refuse().on(Operation::Read), "GET", "200"),
        (refuse().job(JOB), "GET", "503"),
        (refuse().job("another"), "DELETE", "200"),
        (refuse().workflow("another"), "DELETE", "200"),
        (refuse().on(Operation::ScheduleCancel), "DELETE", "503"),
        (refuse().key("theirs"), "DELETE", "200"),
    ];
    for (fault, method, answer) in table {
        let mut scene = Scene::new(Settings::default());
        let id = scene.schedule(60, 120);
        scene.world.add_fault(fault.clone());
        assert_eq!(seen(&mut scene, method, &format!("{SCHEDULER}/{id}"), "").0, answer, "{fault:?}");
    }
    let mut scene = Scene::new(Settings::default());
    scene.world.add_fault(refuse().on(Operation::ScheduleList));
    assert_eq!(seen(&mut scene, "GET", SCHEDULER, "").0, "503");
}

#[test]
fn a_skipped_task_stays_pending_for_ever() {
    let mut scene = Scene::new(Settings::default());
    scene.world.add_firing_fault(FiringFault::new(FiringEffect::Skip).on(TaskKind::Deactivation));
    let id = scene.schedule(60, 120);
    scene.wait_secs(1_000);
    assert_eq!((scene.tasks(&id), scene.standing()), ("finished/pending".into(), "waiting/ready".into()));
    let outcomes: Vec<_> = scene.workflow(&id).firings.iter().map(|firing| firing.outcome).collect();
    assert_eq!(outcomes, [FiringOutcome::Finished, FiringOutcome::Skipped]);

    scene.world.clear_firing_faults();
    let stop = json!({ "deactivation": { "time_utc": scene.in_secs(60) } });
    assert_eq!(scene.reschedule(&id, &stop).0, 200, "unless it is moved");
    assert_eq!(scene.wait_secs(60).tasks(&id), "finished/finished");
}

#[test]
fn a_task_can_fail_by_itself() {
    let mut scene = Scene::new(Settings::default());
    let fault = FiringFault::new(FiringEffect::Fail { error: "The worker was lost".into() });
    scene.world.add_firing_fault(fault.on(TaskKind::Activation).times(1));
    let id = scene.scheduled(&scene.told_window(60, 120));
    assert_eq!(scene.wait_secs(60).tasks(&id), "failed/cancelled");
    assert_eq!(scene.report().sessions, 0);
    assert_eq!(scene.due().last().unwrap().body["error"], json!({ "message": "The worker was lost" }));
    let next = scene.schedule(60, 120);
    assert_eq!(scene.wait_secs(60).tasks(&next), "finished/pending", "once");
}

#[test]
fn a_task_can_be_late_by_itself() {
    let mut scene = Scene::new(Settings::default());
    scene.world.add_firing_fault(FiringFault::new(FiringEffect::Late { ms: 1_500 }));
    let id = scene.schedule(60, 120);
    assert_eq!(scene.wait(61_499).tasks(&id), "pending/pending");
    assert_eq!(scene.wait(1).tasks(&id), "finished/pending");
    assert_eq!(scene.wait_secs(61).tasks(&id), "finished/finished", "each once");
    assert_eq!(scene.workflow(&id).firings.len(), 4);
}

#[test]
fn a_fault_of_the_scheduler_strikes_what_it_names() {
    let mut scene = Scene::new(Settings::default());
    let (first, second) = (scene.schedule(60, 3_000), scene.schedule(60, 3_000));
    scene.world.add_firing_fault(FiringFault::new(FiringEffect::Skip).workflow(&second).times(1));
    scene.world.add_firing_fault(FiringFault::new(FiringEffect::Skip).job("another"));
    let number = scene.world.add_firing_fault(FiringFault::new(FiringEffect::Skip).job(JOB).on(TaskKind::Deactivation));
    scene.wait_secs(60);
    assert_eq!((scene.tasks(&first), scene.tasks(&second)), ("finished/pending".into(), "pending/pending".into()));
    assert_eq!(scene.world.firing_faults().count(), 2, "the first one is used up");
    assert!(scene.world.remove_firing_fault(number));
    assert!(!scene.world.remove_firing_fault(number));
}
