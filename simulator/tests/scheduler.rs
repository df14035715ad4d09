//! The vendor's scheduler as its guide documents it: the exchanges to the letter, and what happens at the times.
#![allow(clippy::unwrap_used, reason = "clippy sees tests in #[test] functions only, not beside them")]

mod common;

use common::{JOB, SCHEDULER, Scene, states};
use serde_json::{Value, json};
use simulator::{NewJob, Operation, Settings, Then};

/// The job of the guide's exchanges.
const GUIDES_JOB: &str = "15981d93877e490185e6ebc9af2c79a3";

/// A few days before the guide's times.
fn at_the_guides_times() -> Scene {
    Scene::beginning("2021-01-30T09:00:00Z", GUIDES_JOB, Settings::default())
}

fn id_in(answer: &str) -> String {
    let answer: Value = serde_json::from_str(answer).unwrap();
    answer["workflow_id"].as_str().unwrap().to_owned()
}

const CREATE: &str = r#"{"job_id": "15981d93877e490185e6ebc9af2c79a3",
 "activation": {"time_utc": 1617386100},
 "deactivation": {"time_utc": 1617393600},
 "description": "My Wednesday broadcast"}"#;

/// As it is sent.
fn one_line(answer: &str) -> String {
    answer.lines().map(str::trim).collect()
}

/// The guide's answer with other states and another stop.
fn answered(id: &str, state: &str, stop: i64) -> String {
    one_line(&format!(
        r#"{{"account_id":"1752604059001",
            "activation":{{"state":"{state}","time_utc":1617386100}},
            "deactivation":{{"state":"{state}","time_utc":{stop}}},
            "description":"My Wednesday broadcast",
            "job_id":"{GUIDES_JOB}",
            "type":"jobstartstop",
            "workflow_id":"{id}"}}"#
    ))
}

#[test]
fn the_guides_create_update_and_cancel_are_answered_to_the_letter() {
    let mut scene = at_the_guides_times();
    let (status, created) = scene.text("POST", SCHEDULER, CREATE);
    let id = id_in(&created);
    let path = format!("{SCHEDULER}/{id}");
    assert_eq!((status, created), (200, answered(&id, "pending", 1_617_393_600)));
    assert!(id.len() == 32 && id.chars().all(|digit| matches!(digit, '0'..='9' | 'a'..='f')), "{id}");

    let updated = scene.text("PUT", &path, r#"{"deactivation": {"time_utc": 1617391800}}"#);
    assert_eq!(updated, (200, answered(&id, "pending", 1_617_391_800)));
    assert_eq!(scene.text("GET", &path, ""), updated, "a read is the same object");

    let cancelled = scene.text("DELETE", &path, "");
    assert_eq!(cancelled, (200, answered(&id, "cancelled", 1_617_391_800)));
    assert_eq!(scene.text("GET", &path, ""), cancelled);
}

#[test]
fn the_guides_create_with_notifications_is_answered_to_the_letter() {
    let mut scene = at_the_guides_times();
    let (status, created) = scene.text(
        "POST",
        SCHEDULER,
        r#"{"job_id": "15981d93877e490185e6ebc9af2c79a3",
            "activation": {"time_utc": 1612274100, "notification": 600},
            "deactivation": {"time_utc": 1612281600, "notification": 600},
            "description": "My Tuesday broadcast",
            "notification_url": "https://example.com/live/jobstartstop/callbacks"}"#,
    );
    let id = id_in(&created);
    let expected = format!(
        r#"{{"account_id":"1752604059001",
            "activation":{{"notification":600,"state":"pending","time_utc":1612274100}},
            "deactivation":{{"notification":600,"state":"pending","time_utc":1612281600}},
            "description":"My Tuesday broadcast",
            "job_id":"{GUIDES_JOB}",
            "notification_url":"https://example.com/live/jobstartstop/callbacks",
            "type":"jobstartstop",
            "workflow_id":"{id}"}}"#
    );
    assert_eq!((status, created), (200, one_line(&expected)));
}

#[test]
fn the_same_seed_gives_the_same_ids() {
    let ids = |seed| {
        let mut scene = Scene::new(Settings { seed, ..Settings::default() });
        [scene.schedule(100, 200), scene.schedule(300, 400)]
    };
    assert_eq!(ids(1), ids(1));
    assert_ne!(ids(1), ids(2));
    assert_ne!(ids(1)[0], ids(1)[1]);
}

#[test]
fn a_workflow_switches_its_job_on_and_off_at_its_times() {
    let mut scene = Scene::new(Settings::default());
    let start = scene.now.as_millisecond();
    let id = scene.schedule(600, 4_200);
    assert_eq!(
        (scene.wait_secs(599).standing(), scene.tasks(&id)),
        ("standby/waiting".into(), "pending/pending".into())
    );
    assert_eq!(scene.wait_secs(1).standing(), "standby/pending_activation");
    assert_eq!(scene.tasks(&id), "finished/pending", "the call went through; nothing says that the job is ready");
    assert_eq!(scene.wait_secs(3_000).standing(), "standby/waiting", "no encoder came, for 30 min");

    let id = scene.schedule(0, 60);
    assert_eq!(scene.wait_secs(30).standing(), "waiting/ready");
    assert_eq!(scene.wait_secs(30).standing(), "waiting/pending_deactivation");
    assert_eq!(scene.tasks(&id), "finished/finished");
    let report = scene.report();
    assert_eq!((report.sessions, report.restarts), (2, 0));
    // However late one looks, it was at the time.
    let id = scene.schedule(40, 70);
    scene.wait_secs(5_000);
    let history = scene.report().sep_history;
    let begun = history.iter().find(|entry| entry.state == simulator::SepState::PendingActivation).unwrap();
    assert_eq!(begun.transition_timestamp - start, (3_600 + 60 + 40) * 1_000);
    assert_eq!(scene.tasks(&id), "finished/finished");
}

#[test]
fn its_own_firings_are_told_beside_the_log_of_calls() {
    let mut scene = Scene::new(Settings::default());
    let id = scene.schedule(60, 120);
    scene.world.clear_calls();
    scene.wait_secs(500);
    let firings = scene.get(&format!("/control/workflows/{id}"))["firings"].clone();
    let at = |second: i64| (1_893_499_200 + second) * 1_000_000;
    assert_eq!(
        firings,
        json!([{ "task": "activation", "at_us": at(60), "outcome": "finished" },
               { "task": "deactivation", "at_us": at(120), "outcome": "finished" }])
    );
    assert_eq!(scene.world.calls().count(), 0);
}

#[test]
fn a_failed_activation_cancels_the_deactivation() {
    let mut scene = Scene::new(Settings { simultaneous_activations: 1, ..Settings::default() });
    scene.world.create_job(scene.now, NewJob::with_id("second")).unwrap();
    let id = scene.schedule(60, 120);
    scene.wait_secs(59).ask("PUT", "/v1/jobs/second/activate", "");
    scene.wait_secs(1);
    assert_eq!(scene.tasks(&id), "failed/cancelled");
    let firing = scene.workflow(&id).firings.remove(0);
    assert_eq!(firing.error.unwrap()["name"], "ApiError", "no capacity, as an activate would answer");
    assert_eq!(scene.wait_secs(100).report().sessions, 0);
    assert_eq!(scene.workflow(&id).firings.len(), 1);
}

#[test]
fn an_activation_of_a_job_that_is_on_does_what_an_activate_does() {
    use simulator::ActivateWhenOn::{NoOp, Refuse, Restart};
    for (activate_when_on, tasks, restarts) in
        [(Restart, "finished/pending", 1), (NoOp, "finished/pending", 0), (Refuse, "failed/cancelled", 0)]
    {
        let mut scene = Scene::new(Settings { activate_when_on, ..Settings::default() });
        let id = scene.schedule(60, 120);
        scene.wait_secs(30).put("activate");
        scene.wait_secs(30);
        assert_eq!((scene.tasks(&id).as_str(), scene.report().restarts), (tasks, restarts), "{activate_when_on:?}");
    }
}

#[test]
fn a_task_that_finds_the_job_turning_or_ended_fails() {
    let mut scene = Scene::new(Settings::default());
    let id = scene.schedule(60, 120);
    scene.put("activate");
    scene.wait_secs(55).put("deactivate");
    scene.wait_secs(5);
    assert_eq!(scene.tasks(&id), "failed/cancelled", "it is going off");

    let id = scene.schedule(60, 65);
    scene.wait_secs(65);
    assert_eq!(scene.tasks(&id), "finished/failed", "it is going on");

    let id = scene.schedule(60, 120);
    scene.put("cancel");
    scene.wait_secs(60);
    assert_eq!(scene.tasks(&id), "failed/cancelled", "it has ended");
    let id = scene.schedule(60, 120);
    scene.world.remove_job(JOB);
    scene.wait_secs(60);
    assert_eq!(scene.tasks(&id), "failed/cancelled", "it is gone");
}

#[test]
fn overlapping_workflows_are_accepted_and_cut_each_other() {
    let mut scene = Scene::new(Settings::default());
    let (first, second) = (scene.schedule(60, 600), scene.schedule(300, 900));
    scene.wait_secs(650);
    assert_eq!(scene.report().restarts, 1);
    assert_eq!(scene.standing(), "standby/waiting", "the first one's stop");
    scene.wait_secs(300);
    assert_eq!((scene.tasks(&first), scene.tasks(&second)), ("finished/finished".into(), "finished/failed".into()));
}

#[test]
fn an_update_moves_a_task_while_it_is_pending() {
    let mut scene = Scene::new(Settings::default());
    let id = scene.schedule(60, 120);
    let later = json!({ "activation": { "time_utc": scene.in_secs(90) } });
    assert_eq!(scene.reschedule(&id, &later).0, 200);
    assert_eq!(scene.wait_secs(60).tasks(&id), "pending/pending");
    assert_eq!(scene.wait_secs(30).tasks(&id), "finished/pending");

    let longer = json!({ "deactivation": { "time_utc": scene.in_secs(300) } });
    assert_eq!(scene.reschedule(&id, &longer).0, 200, "the stop can be moved on air");
    assert_eq!(scene.wait_secs(200).tasks(&id), "finished/pending");
    let (status, answer) = scene.reschedule(&id, &json!({ "activation": { "time_utc": scene.in_secs(50) } }));
    assert_eq!((status, answer), (400, json!({ "error": "Only pending tasks can be updated" })));
    assert_eq!(scene.wait_secs(100).tasks(&id), "finished/finished");
    assert_eq!(scene.reschedule(&id, &longer).0, 400);
    assert_eq!(scene.report().sessions, 1);
}

#[test]
fn an_update_that_is_refused_in_part_changes_nothing() {
    let mut scene = Scene::new(Settings::default());
    let id = scene.schedule(60, 120);
    scene.wait_secs(60);
    let before = scene.get(&format!("{SCHEDULER}/{id}"));
    let both =
        json!({ "activation": { "time_utc": scene.in_secs(30) }, "deactivation": { "time_utc": scene.in_secs(90) } });
    assert_eq!(scene.reschedule(&id, &both).0, 400);
    assert_eq!(scene.get(&format!("{SCHEDULER}/{id}")), before);
    assert!(!scene.world.calls().any(|call| call.operation == Operation::ScheduleUpdate && call.carried_out));
    assert_eq!(scene.reschedule(&id, &json!({})), (200, before), "nothing asked, nothing done");
}

#[test]
fn a_cancellation_before_the_activation_takes_both_tasks_and_after_it_the_stop() {
    let mut scene = Scene::new(Settings::default());
    let id = scene.schedule(60, 120);
    let (status, answer) = scene.unschedule(&id);
    assert_eq!((status, states(&answer)), (200, "cancelled/cancelled".into()));
    assert_eq!(scene.wait_secs(200).report().sessions, 0);

    let id = scene.schedule(60, 120);
    scene.wait_secs(90);
    let (status, answer) = scene.unschedule(&id);
    assert_eq!((status, states(&answer)), (200, "finished/cancelled".into()));
    assert_eq!(scene.wait_secs(200).standing(), "waiting/ready", "it stays on");
    assert!(scene.last_call().workflow.is_none());
}

#[test]
fn what_cannot_be_is_refused() {
    let mut scene = Scene::new(Settings::default());
    scene.world.create_job(scene.now, NewJob { is_static: false, ..NewJob::with_id("event") }).unwrap();
    let other = NewJob { account: "other".into(), ..NewJob::with_id("theirs") };
    scene.world.create_job(scene.now, other).unwrap();
    let good = scene.window(60, 120);
    let with = |path: &str, value: Value| {
        let mut body = good.clone();
        *body.pointer_mut(path).unwrap() = value;
        body
    };
    let and = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    let without = |path: &str| {
        let mut body = good.clone();
        let (parent, field) = path.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(field);
        body
    };
    let mut heads_up = good.clone();
    heads_up["activation"]["notification"] = json!(60);
    let invalid = json!({ "error": "Invalid input value" });
    let unknown = json!({ "message": "DB getItem, no results found" });
    let target = json!({ "error": "The notification target type is not supported currently" });
    let table = [
        (with("/job_id", json!("nothing")), 500, &unknown),
        (with("/job_id", json!("theirs")), 500, &unknown),
        (with("/job_id", json!("event")), 400, &invalid),
        (with("/job_id", json!(7)), 400, &invalid),
        (without("/job_id"), 400, &invalid),
        (without("/activation"), 400, &invalid),
        (without("/deactivation"), 400, &invalid),
        (without("/activation/time_utc"), 400, &invalid),
        (with("/activation", json!(1_893_499_260)), 400, &invalid),
        (with("/activation", json!([1_893_499_260])), 400, &invalid),
        (with("/activation/time_utc", json!("1893499260")), 400, &invalid),
        (with("/activation/time_utc", json!(1_893_499_260.5)), 400, &invalid),
        (with("/activation/time_utc", json!(1e30)), 400, &invalid),
        (with("/activation/time_utc", json!("2030-01-01T13:00:00Z")), 400, &invalid),
        (with("/activation/time_utc", json!(scene.in_secs(-1))), 400, &invalid),
        (with("/deactivation/time_utc", json!(scene.in_secs(60))), 400, &invalid),
        (with("/deactivation/time_utc", json!(scene.in_secs(59))), 400, &invalid),
        (and("description", json!(7)), 400, &invalid),
        (and("redundant_group", json!(true)), 400, &invalid),
        (and("redundant_group", json!("true")), 400, &invalid),
        (and("notification_url", json!("example.com/callbacks")), 400, &target),
        (and("notification_url", json!("ftp://example.com/callbacks")), 400, &target),
        (heads_up, 400, &invalid),
        (json!([good]), 400, &invalid),
        (json!("not an object"), 400, &invalid),
    ];
    for (body, status, refusal) in table {
        assert_eq!(scene.create(&body), (status, refusal.clone()), "{body}");
        assert!(!scene.last_call().carried_out);
    }
    assert_eq!(scene.text("POST", SCHEDULER, "{").0, 400, "no JSON");
    assert_eq!(scene.world.workflows(scene.now).len(), 0);
    for good in [
        good.clone(),
        and("redundant_group", json!(false)),
        and("description", Value::Null),
        with("/activation/time_utc", json!(1_893_499_260.0)),
        and("notification_url", json!("https://example.com/callbacks")),
    ] {
        let (status, answer) = scene.create(&good);
        assert_eq!((status, &answer["activation"]["time_utc"]), (200, &json!(1_893_499_260)), "{good}");
        assert!(answer.get("redundant_group").is_none());
    }
}

#[test]
fn an_account_sees_its_own_workflows() {
    let mut scene = Scene::new(Settings::default());
    scene.world.add_key("theirs", "their-key", "other");
    let id = scene.schedule(60, 120);
    let path = format!("{SCHEDULER}/{id}");
    for (method, body) in [("GET", ""), ("PUT", "{}"), ("DELETE", "")] {
        for (key, status) in [(Some("their-key"), 500), (Some("wrong"), 401), (None, 401)] {
            let Then::Answer(answer) = scene.call(method, &path, key, body).then else { panic!() };
            assert_eq!(answer.status(), status, "{method} {key:?}");
        }
    }
    assert_eq!(scene.tasks(&id), "pending/pending");
    assert_eq!(
        scene.ask("GET", &format!("{SCHEDULER}/nothing"), "").1,
        json!({ "message": "DB getItem, no results found" })
    );
    for (method, path) in [("PATCH", path.clone()), ("GET", format!("{path}/more")), ("PUT", SCHEDULER.to_owned())] {
        assert_eq!(scene.ask(method, &path, "").0, 404, "{method} {path}");
    }
}

#[test]
fn the_log_has_the_workflow_the_job_and_the_body() {
    let mut scene = Scene::new(Settings::default());
    let body = scene.window(60, 120);
    let id = scene.scheduled(&body);
    let stop = json!({ "deactivation": { "time_utc": scene.in_secs(180) } });
    scene.reschedule(&id, &stop);
    scene.tasks(&id);
    scene.unschedule(&id);
    scene.ask("GET", SCHEDULER, "");
    scene.text("POST", SCHEDULER, "{");
    let seen: Vec<_> = scene.world.calls().map(|call| (call.operation, call.body.clone(), call.carried_out)).collect();
    assert_eq!(
        seen,
        [
            (Operation::ScheduleCreate, Some(body), true),
            (Operation::ScheduleUpdate, Some(stop), true),
            (Operation::ScheduleRead, None, true),
            (Operation::ScheduleCancel, None, true),
            (Operation::ScheduleList, None, false),
            (Operation::ScheduleCreate, Some(json!("{")), false),
        ]
    );
    for call in scene.world.calls().take(4) {
        assert_eq!((call.job.as_deref(), call.workflow.as_deref()), (Some(JOB), Some(id.as_str())));
    }
    let of = |page: Value| page["calls"].as_array().unwrap().len();
    assert_eq!(of(scene.get(&format!("/control/calls?workflow={id}"))), 4);
    assert_eq!(of(scene.get("/control/calls?workflow=another")), 0);
    let call = &scene.get("/control/calls")["calls"][1];
    assert_eq!((&call["operation"], &call["body"]["activation"]), (&json!("schedule_update"), &Value::Null));
    assert!(scene.get("/control/calls")["calls"][3].get("body").is_none());
}

#[test]
fn six_activations_may_be_pending() {
    let mut scene = Scene::new(Settings::default());
    let ids: Vec<_> = (0..6).map(|number| scene.schedule(600 + number * 200, 700 + number * 200)).collect();
    let (status, answer) = scene.create(&scene.window(60, 120));
    assert_eq!(status, 400);
    assert!(answer["error"].as_str().unwrap().starts_with("You've reached the number of pending activations"));
    scene.wait_secs(600);
    scene.schedule(9_000, 9_100);
    assert_eq!(scene.create(&scene.window(9_200, 9_300)).0, 400, "a pending stop does not count, the new start does");
    scene.unschedule(&ids[3]);
    scene.schedule(9_200, 9_300);
}
