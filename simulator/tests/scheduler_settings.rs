//! Where the vendor is silent about its scheduler: each setting, at each of its values.
#![allow(clippy::unwrap_used, reason = "clippy sees tests in #[test] functions only, not beside them")]

mod common;

use common::{JOB, SCHEDULER, Scene, states};
use serde_json::{Value, json};
use simulator::{
    ActivationAfterCancel, CancelAgain, DeactivationWhenOff, ErrorBody, ListCall, ListState, NewJob, NotStatic,
    NotificationLeftOut, PastTime, QuotaScope, RedundantGroups, RefusedAs, SchedulerSettings, StopNotAfterStart,
    TaskKind, UnknownFields, UnknownWorkflow, UpdateNotPending, UpdateRule,
};

fn with(change: impl FnOnce(&mut SchedulerSettings)) -> Scene {
    let mut settings = SchedulerSettings::default();
    change(&mut settings);
    Scene::with_scheduler(settings)
}

/// Changes the settings of a scene that goes on.
fn set(scene: &mut Scene, change: impl FnOnce(&mut SchedulerSettings)) {
    let mut settings = scene.world.settings().clone();
    change(&mut settings.scheduler);
    scene.world.set_settings(settings);
}

/// With a second job.
fn second_job(scene: &mut Scene) -> &'static str {
    scene.world.create_job(scene.now, NewJob::with_id("second")).unwrap();
    "second"
}

/// Cancels nothing twice: a workflow in which nothing is pending.
fn cancelled(scene: &mut Scene) -> String {
    let id = scene.schedule(60, 120);
    assert_eq!(scene.unschedule(&id).0, 200);
    id
}

#[test]
fn without_the_feature_every_call_is_refused() {
    use RefusedAs::{
        BadRequest, Conflict, Forbidden, NotFound, ServerError, TooManyRequests, Unauthorized, Unprocessable,
    };
    assert_eq!(SchedulerSettings::default().disabled_answer, BadRequest);
    for (disabled_answer, status) in [
        (BadRequest, 400),
        (Unauthorized, 401),
        (Forbidden, 403),
        (NotFound, 404),
        (Conflict, 409),
        (Unprocessable, 422),
        (TooManyRequests, 429),
        (ServerError, 500),
    ] {
        let mut scene = with(|settings| settings.list = ListCall::Served);
        let id = scene.schedule(60, 120);
        set(&mut scene, |settings| {
            settings.disabled_accounts.insert("default".into());
            settings.disabled_answer = disabled_answer;
        });
        let path = format!("{SCHEDULER}/{id}");
        for (method, path) in
            [("POST", SCHEDULER), ("GET", SCHEDULER), ("GET", &path), ("PUT", &path), ("DELETE", &path)]
        {
            let (answered, body) = scene.ask(method, path, &scene.window(60, 120).to_string());
            assert_eq!(answered, status, "{method}");
            assert_eq!(body, json!({ "error": "The scheduler is not enabled for this account" }));
        }
        // Somebody else's account has it; and what is scheduled still happens.
        scene.world.add_key("theirs", "their-key", "other");
        let theirs = scene.call("GET", SCHEDULER, Some("their-key"), "");
        assert!(matches!(theirs.then, simulator::Then::Answer(answer) if answer.status() == 200));
        scene.wait_secs(60);
        assert_eq!(scene.report().sessions, 1);
    }
    let mut nobody = with(|settings| settings.enabled = false);
    assert_eq!(nobody.create(&nobody.window(60, 120)).0, 400);
}

#[test]
fn the_account_id_is_a_setting() {
    let mut scene = with(|settings| settings.account_id = "44bc2648864e40b7b0146fbe4e487523".into());
    let (_, answer) = scene.create(&scene.window(60, 120));
    assert_eq!(answer["account_id"], "44bc2648864e40b7b0146fbe4e487523");
}

#[test]
fn the_quota_counts_pending_activations_of_an_account_or_of_a_job() {
    for (scope, limit, second_jobs) in
        [(QuotaScope::Account, 1, 400), (QuotaScope::Job, 1, 200), (QuotaScope::Account, 0, 200)]
    {
        let mut scene = with(|settings| {
            settings.pending_activations = limit;
            settings.pending_activations_of = scope;
        });
        let second = second_job(&mut scene);
        scene.schedule(60, 120);
        let again = scene.create(&scene.window(300, 400)).0;
        assert_eq!(again, if limit == 0 { 200 } else { 400 }, "{scope:?}");
        let mut other = scene.window(60, 120);
        other["job_id"] = json!(second);
        assert_eq!(scene.create(&other).0, second_jobs, "{scope:?}");
    }
}

#[test]
fn one_too_many_is_answered_as_the_setting_says() {
    assert_eq!(SchedulerSettings::default().over_quota_answer, RefusedAs::BadRequest);
    let mut scene = with(|settings| {
        settings.pending_activations = 1;
        settings.over_quota_answer = RefusedAs::TooManyRequests;
    });
    scene.schedule(60, 120);
    assert_eq!(scene.create(&scene.window(300, 400)).0, 429);
}

#[test]
fn a_time_that_is_past_is_refused_or_happens_at_once_or_fails() {
    // At once: what is answered, the tasks then, the sessions.
    for (past_time, status, tasks, sessions) in [
        (PastTime::Refuse, 400, "", 0),
        (PastTime::FireAtOnce, 200, "finished/pending", 1),
        (PastTime::Fail, 200, "failed/cancelled", 0),
    ] {
        let mut scene = with(|settings| settings.past_time = past_time);
        let (answered, workflow) = scene.create(&scene.window(-1, 120));
        assert_eq!(answered, status, "{past_time:?}");
        if status == 200 {
            assert_eq!(states(&workflow), "pending/pending");
            assert_eq!(scene.tasks(workflow["workflow_id"].as_str().unwrap()), tasks, "{past_time:?}");
        }
        assert_eq!(scene.report().sessions, sessions, "{past_time:?}");

        let id = scene.schedule(200, 300);
        scene.wait_secs(250);
        let stop = json!({ "deactivation": { "time_utc": scene.in_secs(-1) } });
        assert_eq!(scene.reschedule(&id, &stop).0, status, "a stop, too");
    }
    let mut scene = with(|_| {});
    assert_eq!(scene.create(&scene.window(0, 60)).0, 200, "the present is not past");
}

#[test]
fn a_stop_that_is_not_after_its_start_is_refused_or_leaves_the_job_on() {
    assert_eq!(SchedulerSettings::default().stop_not_after_start, StopNotAfterStart::Refuse);
    let mut scene = with(|settings| settings.stop_not_after_start = StopNotAfterStart::Accept);
    let id = scene.schedule(60, 30);
    scene.wait_secs(600);
    assert_eq!((scene.tasks(&id).as_str(), scene.standing().as_str()), ("finished/failed", "waiting/ready"));
}

#[test]
fn times_can_be_too_near_too_far_and_too_short() {
    let mut scene = with(|settings| {
        settings.min_lead_seconds = 15;
        settings.horizon_seconds = 1_000;
        settings.min_duration_seconds = 60;
    });
    for (start, stop, status) in
        [(14, 100, 400), (15, 75, 200), (15, 74, 400), (900, 1_000, 200), (900, 1_001, 400), (1_001, 1_100, 400)]
    {
        assert_eq!(scene.create(&scene.window(start, stop)).0, status, "{start} {stop}");
    }
    let id = scene.schedule(100, 200);
    scene.wait_secs(190);
    for (stop, status) in [(14, 400), (15, 200), (1_001, 400)] {
        let stop = json!({ "deactivation": { "time_utc": scene.in_secs(stop) } });
        assert_eq!(scene.reschedule(&id, &stop).0, status, "{stop}");
    }
    let mut free = with(|_| {});
    assert_eq!(free.create(&free.window(0, 1)).0, 200);
    assert_eq!(free.create(&free.window(3_000_000_000, 3_000_000_001)).0, 200);
}

#[test]
fn a_description_can_be_too_long() {
    for (max_description, status) in [(0, 200), (4, 200), (3, 400)] {
        let mut scene = with(|settings| settings.max_description = max_description);
        let mut body = scene.window(60, 120);
        body["description"] = json!("café");
        assert_eq!(scene.create(&body).0, status, "{max_description}");
    }
}

#[test]
fn a_job_that_is_not_static_is_found_out_at_once_or_at_the_start() {
    for (not_static, status) in [(NotStatic::Refuse, 400), (NotStatic::FailWhenFired, 200)] {
        let mut scene = with(|settings| settings.not_static = not_static);
        scene.world.create_job(scene.now, NewJob { is_static: false, ..NewJob::with_id("event") }).unwrap();
        let mut body = scene.window(60, 120);
        body["job_id"] = json!("event");
        let (answered, workflow) = scene.create(&body);
        assert_eq!(answered, status);
        if status == 200 {
            scene.wait_secs(60);
            assert_eq!(scene.tasks(workflow["workflow_id"].as_str().unwrap()), "failed/cancelled");
        }
    }
}

#[test]
fn redundant_groups_are_refused_or_accepted_and_not_echoed() {
    for (redundant_groups, status) in [(RedundantGroups::Refuse, 400), (RedundantGroups::Accept, 200)] {
        let mut scene = with(|settings| settings.redundant_groups = redundant_groups);
        let mut body = scene.window(60, 120);
        body["job_id"] = json!("a-group");
        body["redundant_group"] = json!(true);
        let (answered, workflow) = scene.create(&body);
        assert_eq!(answered, status);
        assert!(workflow.get("redundant_group").is_none());
        if status == 200 {
            scene.wait_secs(60);
            assert_eq!(scene.tasks(workflow["workflow_id"].as_str().unwrap()), "failed/cancelled");
        }
    }
}

#[test]
fn unknown_fields_are_refused_or_left_aside() {
    for (unknown_fields, status) in [(UnknownFields::Refuse, 400), (UnknownFields::Ignore, 200)] {
        let mut scene = with(|settings| settings.unknown_fields = unknown_fields);
        let mut body = scene.window(60, 120);
        body["tags"] = json!(["a"]);
        assert_eq!(scene.create(&body).0, status);
        let id = scene.schedule(60, 120);
        let time = scene.in_secs(180);
        for update in [
            json!({ "description": "another" }),
            json!({ "notification_url": "https://example.com/" }),
            json!({ "job_id": "another" }),
            json!({ "deactivation": { "time_utc": time, "state": "finished" } }),
        ] {
            assert_eq!(scene.reschedule(&id, &update).0, status, "{update}");
        }
        let workflow = scene.workflow(&id);
        assert_eq!((workflow.description, workflow.notification_url, workflow.job.as_str()), (None, None, JOB));
        assert_eq!(scene.reschedule(&id, &json!({ "deactivation": { "notification": 60 } })).0, 400, "without a time");
    }
}

#[test]
fn a_delete_may_need_a_content_type() {
    let mut scene = with(|settings| settings.delete_needs_content_type = true);
    let id = scene.schedule(60, 120);
    assert_eq!(scene.unschedule(&id).0, 400);
    let request = http::Request::delete(format!("{SCHEDULER}/{id}"))
        .header("X-API-KEY", common::KEY)
        .header("Content-Type", "application/json")
        .body(bytes::Bytes::new())
        .unwrap();
    scene.world.handle(scene.now, &request);
    assert_eq!(scene.tasks(&id), "cancelled/cancelled");
}

#[test]
fn a_task_can_be_updated_while_it_or_while_both_are_pending() {
    for (update_rule, status) in [(UpdateRule::PerTask, 200), (UpdateRule::WholeWorkflow, 400)] {
        let mut scene = with(|settings| settings.update_rule = update_rule);
        let id = scene.schedule(60, 120);
        let stop = json!({ "deactivation": { "time_utc": scene.in_secs(180) } });
        assert_eq!(scene.reschedule(&id, &stop).0, 200);
        scene.wait_secs(60);
        assert_eq!(scene.reschedule(&id, &stop).0, status, "{update_rule:?}");
    }
}

#[test]
fn an_update_of_a_task_that_is_not_pending_is_refused_or_left_aside() {
    use UpdateNotPending::{BadRequest, Conflict, Ignore, NotFound, ServerError};
    assert_eq!(UpdateNotPending::default(), BadRequest);
    for (update_not_pending, status) in
        [(BadRequest, 400), (NotFound, 404), (Conflict, 409), (ServerError, 500), (Ignore, 200)]
    {
        let mut scene = with(|settings| settings.update_not_pending = update_not_pending);
        let id = scene.schedule(60, 120);
        scene.wait_secs(60);
        let before = scene.in_secs(0);
        let start = json!({ "activation": { "time_utc": scene.in_secs(30) } });
        assert_eq!(scene.reschedule(&id, &start).0, status, "{update_not_pending:?}");
        assert!(!scene.last_call().carried_out);
        let both = json!({ "activation": { "time_utc": scene.in_secs(30) },
                           "deactivation": { "time_utc": scene.in_secs(600) } });
        scene.reschedule(&id, &both);
        let workflow = scene.workflow(&id);
        assert_eq!(workflow.activation.time_utc, before);
        let moved = if status == 200 { 600 } else { 60 };
        assert_eq!(workflow.deactivation.time_utc, scene.in_secs(moved), "{update_not_pending:?}");
    }
}

#[test]
fn an_update_without_a_notification_drops_it_or_keeps_it() {
    for (notification_left_out, left) in [(NotificationLeftOut::Drop, None), (NotificationLeftOut::Keep, Some(60))] {
        let mut scene = with(|settings| settings.notification_left_out = notification_left_out);
        let id = scene.scheduled(&scene.told_window(600, 900));
        scene.reschedule(&id, &json!({ "activation": { "time_utc": scene.in_secs(700) } }));
        assert_eq!(scene.workflow(&id).activation.notification, left);
        assert_eq!(scene.workflow(&id).deactivation.notification, Some(60), "it was not named");
        scene.reschedule(&id, &json!({ "activation": { "time_utc": scene.in_secs(700), "notification": 5 } }));
        assert_eq!(scene.workflow(&id).activation.notification, Some(5));
    }
}

#[test]
fn a_second_delete_is_unknown_or_refused_or_answered() {
    for (cancel_again, status) in
        [(CancelAgain::Unknown, 500), (CancelAgain::BadRequest, 400), (CancelAgain::AsItIs, 200)]
    {
        let mut scene = with(|settings| settings.cancel_again = cancel_again);
        let id = cancelled(&mut scene);
        assert_eq!(scene.unschedule(&id).0, status, "{cancel_again:?}");
        assert!(!scene.last_call().carried_out);
        let finished = scene.schedule(60, 120);
        scene.wait_secs(120);
        assert_eq!(scene.unschedule(&finished).0, status, "{cancel_again:?}");
        assert_eq!(scene.tasks(&finished), "finished/finished");
    }
}

#[test]
fn the_activation_keeps_its_state_after_a_delete_or_is_cancelled_too() {
    for (activation_after_cancel, tasks) in [
        (ActivationAfterCancel::Finished, "finished/cancelled"),
        (ActivationAfterCancel::Cancelled, "cancelled/cancelled"),
    ] {
        let mut scene = with(|settings| settings.activation_after_cancel = activation_after_cancel);
        let id = scene.schedule(60, 120);
        scene.wait_secs(60);
        assert_eq!(states(&scene.unschedule(&id).1), tasks);
        assert_eq!(scene.tasks(&id), tasks);
    }
}

#[test]
fn an_unknown_workflow_is_a_server_error_or_not_found() {
    for (unknown_workflow, status, text) in [
        (UnknownWorkflow::ServerError, 500, "DB getItem, no results found"),
        (UnknownWorkflow::NotFound, 404, "Not Found"),
    ] {
        let mut scene = with(|settings| settings.unknown_workflow = unknown_workflow);
        for (method, body) in [("GET", ""), ("PUT", "{}"), ("DELETE", "")] {
            let (answered, answer) = scene.ask(method, &format!("{SCHEDULER}/nothing"), body);
            assert_eq!((answered.as_u16(), answer), (status, json!({ "message": text })), "{method}");
        }
    }
}

#[test]
fn what_is_over_can_be_read_for_so_long() {
    let mut scene = with(|settings| {
        settings.list = ListCall::Served;
        settings.cancelled_kept_ms = 0;
        settings.ended_kept_ms = 5_000;
    });
    let id = scene.schedule(60, 120);
    let (status, answer) = scene.unschedule(&id);
    assert_eq!((status, states(&answer)), (200, "cancelled/cancelled".into()), "the answer still has it");
    let finished = scene.schedule(60, 120);
    let known = |scene: &mut Scene, id: &str| scene.ask("GET", &format!("{SCHEDULER}/{id}"), "").0 == 200;
    assert!(!known(&mut scene, &id));
    scene.wait(124_999);
    assert!(known(&mut scene, &finished));
    scene.wait(1);
    assert!(!known(&mut scene, &finished));
    assert_eq!(scene.unschedule(&finished).0, 500);
    assert_eq!(scene.get(SCHEDULER), json!({ "workflows": [] }));
    assert!(scene.workflow(&finished).gone, "the control API still tells");

    let mut week = with(|_| {});
    let id = cancelled(&mut week);
    week.wait_secs(7 * 86_400 - 1);
    assert!(known(&mut week, &id));
    week.wait_secs(1);
    assert!(!known(&mut week, &id));
}

#[test]
fn the_list_is_there_or_not() {
    for (list, status) in [(ListCall::NotFound, 404), (ListCall::MethodNotAllowed, 405), (ListCall::Served, 200)] {
        let mut scene = with(|settings| settings.list = list);
        assert_eq!(scene.ask("GET", SCHEDULER, "").0, status, "{list:?}");
    }
    assert_eq!(SchedulerSettings::default().list, ListCall::NotFound);
}

fn listed(scene: &mut Scene, query: &str) -> Vec<Value> {
    scene.get(&format!("{SCHEDULER}?{query}"))["workflows"].as_array().unwrap().clone()
}

#[test]
fn the_list_has_filters_and_pages() {
    let mut scene = with(|settings| {
        settings.list = ListCall::Served;
        settings.pending_activations = 0;
    });
    let second = second_job(&mut scene);
    let mut ids = Vec::new();
    for number in 0..12 {
        let mut body = scene.window(100 * (number + 1), 100 * (number + 1) + 50);
        if number == 11 {
            body["job_id"] = json!(second);
        }
        ids.push(scene.scheduled(&body));
        scene.wait(1);
    }
    let start = scene.in_secs(0);
    let of = |page: &[Value]| -> Vec<usize> {
        page.iter().map(|it| ids.iter().position(|id| it["workflow_id"] == **id).unwrap()).collect()
    };
    assert_eq!(of(&listed(&mut scene, "")), (0..10).collect::<Vec<_>>(), "ten to a page");
    assert_eq!(of(&listed(&mut scene, "page_size=1000")).len(), 12);
    assert_eq!(of(&listed(&mut scene, &format!("job_id={second}"))), [11]);
    assert_eq!(of(&listed(&mut scene, "job_id=nothing")), [] as [usize; 0]);
    let bounds = format!("start={}&end={}", start + 200, start + 500);
    assert_eq!(of(&listed(&mut scene, &bounds)), [2, 3], "greater than, and less than");
    assert_eq!(listed(&mut scene, "")[0], scene.get(&format!("{SCHEDULER}/{}", ids[0])));

    let first = scene.get(&format!("{SCHEDULER}?page_size=8"));
    let token = first["next_token"].as_str().unwrap();
    let rest = scene.get(&format!("{SCHEDULER}?page_size=8&start_token={token}"));
    assert_eq!(of(rest["workflows"].as_array().unwrap()), [8, 9, 10, 11]);
    assert!(rest.get("next_token").is_none());
    for bad in ["page_size=0", "page_size=1001", "page_size=many", "state=running", "start=soon", "start_token=x"] {
        assert_eq!(scene.ask("GET", &format!("{SCHEDULER}?{bad}"), "").0, 400, "{bad}");
    }
    scene.world.add_key("theirs", "their-key", "other");
    let simulator::Then::Answer(answer) = scene.call("GET", SCHEDULER, Some("their-key"), "").then else { panic!() };
    assert_eq!(answer.body(), r#"{"workflows":[]}"#);
}

#[test]
fn a_workflows_state_in_the_list_follows_from_its_tasks_in_one_of_three_ways() {
    // For each workflow: the states in which the list has it.
    let table = [
        (ListState::Overall, ["pending", "pending", "finished", "cancelled", "failed"]),
        (ListState::Activation, ["pending", "finished", "finished", "cancelled", "failed"]),
        (ListState::AnyTask, ["pending", "finished pending", "finished", "cancelled", "cancelled failed"]),
    ];
    for (list_state, expected) in table {
        let mut scene = with(|settings| {
            settings.list = ListCall::Served;
            settings.list_state = list_state;
        });
        let failed = scene.schedule(10, 20);
        scene.world.add_firing_fault(
            simulator::FiringFault::new(simulator::FiringEffect::Fail { error: "broken".into() }).workflow(&failed),
        );
        let finished = scene.schedule(10, 50);
        let cancelled = cancelled(&mut scene);
        let on_air = scene.schedule(90, 200);
        let to_come = scene.schedule(300, 400);
        scene.wait_secs(100);
        let seen = [to_come, on_air, finished, cancelled, failed].map(|id| {
            let states = ["cancelled", "failed", "finished", "pending"].into_iter().filter(|state| {
                listed(&mut scene, &format!("state={state}")).iter().any(|it| it["workflow_id"] == *id)
            });
            states.collect::<Vec<_>>().join(" ")
        });
        assert_eq!(seen, expected, "{list_state:?}");
        assert_eq!(listed(&mut scene, "state=pending,cancelled,failed,finished").len(), 5);
    }
}

#[test]
fn the_start_time_may_be_shown() {
    let mut scene = with(|settings| settings.shows_start_time = true);
    let (_, answer) = scene.create(&scene.window(60, 120));
    assert_eq!(answer["workflow_start_time_utc"], scene.in_secs(60));
    let mut scene = with(|_| {});
    assert!(scene.create(&scene.window(60, 120)).1.get("workflow_start_time_utc").is_none());
}

#[test]
fn refusals_come_in_two_shapes() {
    let mut scene = with(|settings| settings.error_body = ErrorBody::Message);
    assert_eq!(scene.create(&json!({})), (400, json!({ "message": "Invalid input value" })));
}

#[test]
fn tasks_can_be_late() {
    let mut scene = with(|settings| {
        settings.firing_jitter_ms = 5_000;
        settings.pending_activations = 0;
    });
    let ids: Vec<_> = (0..20).map(|_| scene.schedule(60, 600)).collect();
    scene.wait_secs(700);
    let late = |scene: &mut Scene, id: &str, task: usize| {
        let firing = scene.workflow(id).firings[task].clone();
        let time = if firing.task == TaskKind::Activation { 1_893_499_260 } else { 1_893_499_800 };
        firing.at_us - time * 1_000_000
    };
    let all: Vec<_> = ids.iter().map(|id| late(&mut scene, id, 0)).collect();
    assert!(all.iter().all(|late| (0..=5_000_000).contains(late)), "{all:?}");
    assert!(all.iter().any(|late| *late != all[0]));
}

#[test]
fn tasks_can_wait_for_the_full_minute() {
    let mut scene = with(|settings| settings.precision_seconds = 60);
    let id = scene.schedule(61, 180);
    assert_eq!(scene.wait_secs(119).tasks(&id), "pending/pending");
    assert_eq!(scene.wait_secs(1).tasks(&id), "finished/pending");
    assert_eq!(scene.wait_secs(60).tasks(&id), "finished/finished");
}

#[test]
fn a_failed_activation_may_be_tried_again() {
    let mut scene = with(|settings| {
        settings.activation_retries = 2;
        settings.activation_retry_ms = 10_000;
    });
    let id = scene.schedule(60, 600);
    scene.put("activate");
    scene.wait_secs(55).put("deactivate");
    assert_eq!(scene.wait_secs(5).tasks(&id), "pending/pending", "it is going off");
    assert_eq!(scene.wait_secs(10).tasks(&id), "finished/pending", "it was off by then");
    let outcomes: Vec<_> = scene.workflow(&id).firings.iter().map(|firing| firing.outcome).collect();
    assert_eq!(outcomes, [simulator::FiringOutcome::Retried, simulator::FiringOutcome::Finished]);

    let id = scene.schedule(600, 700);
    scene.put("cancel");
    assert_eq!(scene.wait_secs(619).tasks(&id), "pending/pending");
    assert_eq!(scene.wait_secs(1).tasks(&id), "failed/cancelled", "after the second retry");
}

#[test]
fn a_deactivation_of_a_job_that_is_off_has_failed_or_finished() {
    for (deactivation_when_off, tasks) in
        [(DeactivationWhenOff::Failed, "finished/failed"), (DeactivationWhenOff::Finished, "finished/finished")]
    {
        let mut scene = with(|settings| settings.deactivation_when_off = deactivation_when_off);
        let id = scene.schedule(60, 600);
        scene.wait_secs(100).put("deactivate");
        assert_eq!(scene.wait_secs(500).tasks(&id), tasks);
    }
}

#[test]
fn the_settings_are_named_over_the_control_api() {
    let mut scene = Scene::new(simulator::Settings::default());
    let change = r#"{"scheduler":{"list":"served","past_time":"fire_at_once","pending_activations":2}}"#;
    let (status, settings) = scene.ask("POST", "/control/settings", change);
    assert_eq!(status, 200);
    assert_eq!(settings["scheduler"]["cancel_again"], "unknown", "those that are not named stay");
    let (_, settings) = scene.ask("POST", "/control/settings", r#"{"scheduler":{"pending_activations":null}}"#);
    assert_eq!(
        (&settings["scheduler"]["pending_activations"], &settings["scheduler"]["list"]),
        (&json!(6), &json!("served"))
    );
    assert_eq!(scene.ask("POST", "/control/settings", r#"{"scheduler":{"lists":"served"}}"#).0, 400);
    let (_, settings) = scene.ask("POST", "/control/settings", r#"{"scheduler":null}"#);
    assert_eq!(settings["scheduler"], serde_json::to_value(SchedulerSettings::default()).unwrap());
}

#[test]
fn the_readme_names_every_setting_of_the_scheduler_and_its_values() {
    let readme = include_str!("../README.md");
    let section = readme.split("### About the scheduler").nth(1).unwrap().split("\n## ").next().unwrap();
    let settings = serde_json::to_value(SchedulerSettings::default()).unwrap();
    for (name, value) in settings.as_object().unwrap() {
        assert!(section.contains(&format!("`{name}`")), "{name}");
        if let Some(word) = value.as_str().filter(|_| name != "account_id") {
            assert!(section.contains(&format!("`{word}`")) || name == "over_quota_answer", "{name}: {word}");
        }
    }
}
