//! The scheduler from behind: what a test or a demo does to it, and its notifications.

mod common;

use common::{JOB, SCHEDULER, Scene};
use serde_json::json;
use simulator::{
    Action, ControlError, Delivery, Fate, NewJob, NewWorkflow, Notification, NotificationError, PastHeadsUp,
    SchedulerSettings, Settings, TaskEdit, TaskState, WorkflowEdit, WorkflowRefusal, WorkflowReport,
};

#[test]
fn a_person_makes_a_workflow_in_the_vendors_interface() {
    let mut scene = Scene::with_scheduler(SchedulerSettings { pending_activations: 1, ..SchedulerSettings::default() });
    let ours = scene.schedule(600, 900);
    let body = json!([{ "job_id": JOB, "activation": { "time_utc": scene.in_secs(60) },
                        "deactivation": { "time_utc": scene.in_secs(120) }, "description": "By hand" }]);
    let calls = scene.world.calls().count();
    let (status, made) = scene.ask("POST", "/control/workflows", &body.to_string());
    assert_eq!(status, 201, "the quota holds no person up");
    let id = made["ids"][0].as_str().unwrap().to_owned();
    assert_eq!(scene.world.calls().count(), calls, "in no log");
    assert_eq!(scene.get(&format!("{SCHEDULER}/{id}"))["description"], "By hand");

    let all = scene.get("/control/workflows");
    let seen: Vec<_> = all["workflows"].as_array().unwrap().iter().map(|it| it["created_by"].clone()).collect();
    assert_eq!(seen.iter().filter(|by| by.is_null()).count(), 1);
    assert!(seen.contains(&json!("ours")) && seen.len() == 2, "{seen:?} and {ours}");
    scene.unschedule(&ours);
    assert_eq!(scene.create(&scene.window(600, 900)).0, 400, "but it counts");
    assert_eq!(scene.wait_secs(60).standing(), "standby/pending_activation");

    for (wrong, status) in [
        (json!({ "job_id": "nothing", "activation": { "time_utc": 1 }, "deactivation": { "time_utc": 2 } }), 404),
        (json!({ "job_id": JOB, "activation": { "time_utc": 1 }, "deactivation": { "time_utc": 2 } }), 409),
        (json!({ "job_id": JOB, "activation": { "time_utc": 1, "time": 2 }, "deactivation": { "time_utc": 2 } }), 400),
        (json!({ "job_id": JOB }), 400),
    ] {
        assert_eq!(scene.ask("POST", "/control/workflows", &wrong.to_string()).0, status, "{wrong}");
    }
}

#[test]
fn a_workflow_is_told_with_all_that_happened_to_it() {
    let mut scene = Scene::new(Settings::default());
    let id = scene.schedule(60, 120);
    scene.wait_secs(60);
    let at = |second: i64| (1_893_499_200 + second) * 1_000_000;
    assert_eq!(
        scene.get(&format!("/control/workflows/{id}")),
        json!({ "id": id, "account": "default", "job": JOB, "created_by": "ours", "created_us": at(0), "gone": false,
                "activation": { "state": "finished", "time_utc": 1_893_499_260, "notification": null, "due_us": null },
                "deactivation": { "state": "pending", "time_utc": 1_893_499_320, "notification": null,
                                  "due_us": at(120) },
                "description": null, "notification_url": null,
                "firings": [{ "task": "activation", "at_us": at(60), "outcome": "finished" }] })
    );
}

#[test]
fn somebody_changes_a_workflow_behind_our_back() {
    let mut scene = Scene::new(Settings::default());
    let id = scene.schedule(60, 120);
    let path = format!("/control/workflows/{id}");
    let edit = json!({ "activation": { "time_utc": scene.in_secs(90) }, "description": "Moved" });
    let (status, report) = scene.ask("POST", &path, &edit.to_string());
    assert_eq!((status.as_u16(), &report["description"]), (200, &json!("Moved")));
    assert_eq!(scene.wait_secs(60).tasks(&id), "pending/pending");
    assert_eq!(scene.wait_secs(30).tasks(&id), "finished/pending");
    let late = json!({ "activation": { "time_utc": scene.in_secs(90) } });
    assert_eq!(scene.ask("POST", &path, &late.to_string()).0, 409, "by the vendor's rules");
    assert_eq!(scene.ask("POST", &path, r#"{"cancelled":true}"#).0, 400);

    scene.ask("PATCH", &path, r#"{"cancel":true}"#);
    assert_eq!(scene.tasks(&id), "finished/cancelled");
    scene.ask("PATCH", &path, r#"{"deactivation":{"state":"pending"}}"#);
    assert_eq!(scene.wait_secs(30).tasks(&id), "finished/finished", "made pending again, it happens");
    assert_eq!(scene.world.calls().filter(|call| call.operation.changes_schedule()).count(), 1);
}

#[test]
fn a_state_can_be_set_without_a_call_and_a_word_shown_that_nobody_documents() {
    let mut scene = Scene::new(Settings::default());
    let id = scene.schedule(60, 120);
    let state = |state| TaskEdit { state: Some(state), ..TaskEdit::default() };
    let edit = WorkflowEdit { activation: state(TaskState::Finished), ..WorkflowEdit::default() };
    scene.world.change_workflow(scene.now, &id, edit).unwrap();
    assert_eq!((scene.tasks(&id).as_str(), scene.report().sessions), ("finished/pending", 0));
    let word = |word: &str| WorkflowEdit {
        deactivation: TaskEdit { shows_state: Some(word.into()), ..TaskEdit::default() },
        ..WorkflowEdit::default()
    };
    scene.world.change_workflow(scene.now, &id, word("running")).unwrap();
    assert_eq!(scene.tasks(&id), "finished/running");
    scene.world.change_workflow(scene.now, &id, word("")).unwrap();
    assert_eq!(scene.tasks(&id), "finished/pending");
    assert_eq!(
        scene.world.change_workflow(scene.now, "nothing", word("x")),
        Err(ControlError::NoSuchWorkflow("nothing".into()))
    );
}

#[test]
fn a_workflow_can_vanish() {
    let mut scene = Scene::new(Settings::default());
    let id = scene.schedule(60, 120);
    let path = format!("/control/workflows/{id}");
    assert_eq!(scene.ask("DELETE", &path, "").0, 200);
    assert_eq!(scene.ask("DELETE", &path, "").0, 404);
    assert_eq!(scene.unschedule(&id).0, 500);
    assert_eq!(scene.wait_secs(60).report().sessions, 0);
    assert_eq!(scene.world.next_firing(), None);
}

#[test]
fn firing_faults_over_the_control_api() {
    let mut scene = Scene::new(Settings::default());
    let id = scene.schedule(60, 120);
    let faults = json!([{ "effect": "skip", "workflow": id, "task": "activation", "times": 1 },
                        { "effect": "fail", "error": "broken" }, { "effect": "late", "ms": 500, "job": JOB }]);
    let (status, made) = scene.ask("POST", "/control/firing-faults", &faults.to_string());
    assert_eq!((status.as_u16(), made), (201, json!({ "ids": [1, 2, 3] })));
    assert_eq!(scene.get("/control/firing-faults")["faults"][2]["ms"], 500);
    assert_eq!(scene.ask("DELETE", "/control/firing-faults/2", "").0, 200);
    assert_eq!(scene.ask("DELETE", "/control/firing-faults/2", "").0, 404);
    assert_eq!(scene.wait_secs(200).tasks(&id), "pending/failed", "off was never on");
    scene.ask("DELETE", "/control/firing-faults", "");
    assert_eq!(scene.get("/control/firing-faults"), json!({ "faults": [] }));
    for wrong in [r#"{"effect":"explode"}"#, r#"{"effect":"skip","jobs":"x"}"#, r#"{"effect":"late"}"#] {
        assert_eq!(scene.ask("POST", "/control/firing-faults", wrong).0, 400, "{wrong}");
    }
    for (method, path, status) in [
        ("PUT", "/control/workflows", 405),
        ("PUT", "/control/workflows/x", 405),
        ("GET", "/control/workflows/x", 404),
        ("GET", "/control/workflows/x/y", 404),
        ("POST", "/control/notifications", 405),
        ("PUT", "/control/firing-faults", 405),
    ] {
        assert_eq!(scene.ask(method, path, "{}").0, status, "{method} {path}");
    }
}

/// What was due, as seconds after the beginning and actions.
fn told(scene: &mut Scene) -> Vec<(i64, Action)> {
    scene.due().iter().map(|it| (it.due_us / 1_000_000 - 1_893_499_200, it.action)).collect()
}

#[test]
fn a_receiver_is_told_ahead_of_each_task_and_after_it() {
    let mut scene = Scene::new(Settings::default());
    let id = scene.scheduled(&scene.told_window(600, 900));
    assert_eq!(told(&mut scene), []);
    scene.wait_secs(1_000);
    assert_eq!(
        told(&mut scene),
        [
            (540, Action::NotifyActivate),
            (600, Action::Activate),
            (840, Action::NotifyDeactivate),
            (900, Action::Deactivate)
        ]
    );
    assert_eq!(told(&mut scene), [], "each is handed out once");

    // The workflow as it is after the action, the same as a read of it.
    let now = scene.get(&format!("{SCHEDULER}/{id}"));
    let last = scene.world.notifications(scene.now).last().unwrap().clone();
    assert_eq!(last.url, "https://example.com/callbacks");
    assert_eq!(last.body, json!({ "action": "deactivate", "workflow": now }));
    let first = scene.get("/control/notifications")["notifications"][0].clone();
    assert_eq!(first["action"], "notify-activate");
    assert_eq!(first["body"]["workflow"]["activation"]["state"], "pending");
    assert_eq!((&first["fate"], &first["workflow"]), (&json!("sending"), &json!(id)));
}

#[test]
fn a_failed_activation_is_told_with_its_error_and_nothing_of_the_stop() {
    for (notification_error, error) in [
        (NotificationError::Body, json!({ "message": "After filtering, there is no job to process" })),
        (NotificationError::Text, json!("After filtering, there is no job to process")),
    ] {
        let mut scene = Scene::with_scheduler(SchedulerSettings { notification_error, ..SchedulerSettings::default() });
        let mut body = scene.window(60, 600);
        body["notification_url"] = json!("https://example.com/callbacks");
        scene.scheduled(&body);
        scene.put("cancel");
        scene.wait_secs(1_000);
        let due = scene.due();
        assert_eq!(due.len(), 1);
        let body = &due[0].body;
        assert_eq!((&body["action"], &body["error"]), (&json!("activate"), &error));
        assert_eq!(common::states(&body["workflow"]), "failed/cancelled");
    }
}

#[test]
fn what_is_cancelled_or_moved_is_not_announced_at_the_old_time() {
    let mut scene = Scene::new(Settings::default());
    let id = scene.scheduled(&scene.told_window(600, 900));
    let later = json!({ "activation": { "time_utc": scene.in_secs(700), "notification": 30 } });
    assert_eq!(scene.reschedule(&id, &later).0, 200);
    scene.wait_secs(660);
    assert_eq!(told(&mut scene), []);
    scene.wait_secs(10);
    assert_eq!(told(&mut scene), [(670, Action::NotifyActivate)]);
    scene.unschedule(&id);
    scene.wait_secs(1_000);
    assert_eq!(told(&mut scene), []);
}

#[test]
fn a_heads_up_whose_time_is_past_is_dropped_or_sent_at_once() {
    for (past_heads_up, due) in [(PastHeadsUp::Drop, vec![]), (PastHeadsUp::AtOnce, vec![(0, Action::NotifyActivate)])]
    {
        let mut scene = Scene::with_scheduler(SchedulerSettings { past_heads_up, ..SchedulerSettings::default() });
        scene.scheduled(&scene.told_window(30, 900));
        assert_eq!(told(&mut scene), due, "{past_heads_up:?}");
    }
}

#[test]
fn a_notification_that_is_not_accepted_is_lost_or_sent_again() {
    let scheduler =
        SchedulerSettings { notification_retries: 1, notification_retry_ms: 5_000, ..SchedulerSettings::default() };
    for (scheduler, deliveries, fate, attempts) in [
        (SchedulerSettings::default(), vec![Delivery::Answered(204)], Fate::Delivered, 1),
        (SchedulerSettings::default(), vec![Delivery::Answered(302)], Fate::Failed, 1),
        (SchedulerSettings::default(), vec![Delivery::Unanswered("lost".into())], Fate::Failed, 1),
        (scheduler.clone(), vec![Delivery::Answered(500)], Fate::Waiting, 1),
        (scheduler.clone(), vec![Delivery::Answered(500), Delivery::Answered(200)], Fate::Delivered, 2),
        (scheduler, vec![Delivery::Answered(500), Delivery::Answered(500)], Fate::Failed, 2),
    ] {
        let mut scene = Scene::with_scheduler(scheduler);
        scene.scheduled(&scene.told_window(600, 900));
        scene.wait_secs(540);
        for delivery in deliveries {
            let number = scene.due()[0].number;
            scene.world.settle_notification(scene.now, number, delivery);
            scene.wait(4_999);
            assert!(scene.due().is_empty());
            scene.wait(1);
        }
        let notification = scene.world.notifications(scene.now).next().unwrap();
        assert_eq!((notification.fate, notification.attempts), (fate, attempts));
    }
}

#[test]
fn what_the_control_api_tells_is_what_rust_has() {
    let mut scene = Scene::new(Settings::default());
    scene.scheduled(&scene.told_window(600, 900));
    scene.wait_secs(700);
    scene.due();
    let workflows = scene.get("/control/workflows")["workflows"].clone();
    let workflows: Vec<WorkflowReport> = serde_json::from_value(workflows).unwrap();
    assert_eq!(workflows, scene.world.workflows(scene.now));
    let notifications = scene.get("/control/notifications")["notifications"].clone();
    let notifications: Vec<Notification> = serde_json::from_value(notifications).unwrap();
    assert!(notifications.iter().eq(scene.world.notifications(scene.now)) && notifications.len() == 2);
}

#[test]
fn what_is_due_next_can_be_asked() {
    let mut scene = Scene::new(Settings::default());
    assert_eq!(scene.world.next_firing(), None);
    scene.scheduled(&scene.told_window(600, 900));
    let next = |scene: &Scene| scene.world.next_firing().map(|at| at.as_second() - 1_893_499_200);
    assert_eq!(next(&scene), Some(540));
    scene.wait_secs(550);
    scene.get("/v1/jobs");
    assert_eq!(next(&scene), Some(540), "the notification waits to be taken");
    scene.due();
    assert_eq!(next(&scene), Some(600));
}

#[test]
fn from_rust_a_workflow_is_refused_by_the_same_rules() {
    let mut scene = Scene::new(Settings::default());
    scene.world.create_job(scene.now, NewJob { is_static: false, ..NewJob::with_id("event") }).unwrap();
    let (start, stop) = (scene.in_secs(60), scene.in_secs(120));
    let refused = |scene: &mut Scene, new| scene.world.schedule(scene.now, new).unwrap_err();
    assert_eq!(
        refused(&mut scene, NewWorkflow::window("nothing", start, stop)),
        ControlError::NoSuchJob("nothing".into())
    );
    for new in [NewWorkflow::window("event", start, stop), NewWorkflow::window(JOB, stop, start)] {
        assert_eq!(refused(&mut scene, new), ControlError::WorkflowRefused(WorkflowRefusal::Invalid));
    }
}

#[test]
fn many_workflows_cost_by_the_firing_and_not_by_the_look() {
    let scheduler = SchedulerSettings { pending_activations: 0, ..SchedulerSettings::default() };
    let mut scene = Scene::new(Settings { scheduler, simultaneous_activations: 0, ..Settings::default() });
    for number in 0..10_000 {
        let job = format!("job-{number}");
        scene.world.create_job(scene.now, NewJob::with_id(&job)).unwrap();
        let start = scene.in_secs(60 + number % 1_000);
        scene.world.schedule(scene.now, NewWorkflow::window(job, start, start + 600)).unwrap();
    }
    // To look at all workflows each time would take minutes.
    let begun = std::time::Instant::now();
    for _ in 0..100_000 {
        scene.wait(0);
        scene.world.advance(scene.now);
    }
    assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
    scene.wait_secs(2_000);
    let over = scene.world.workflows(scene.now);
    assert!(over.len() == 10_000 && over.iter().all(|workflow| workflow.firings.len() == 2));
}
