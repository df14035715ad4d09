//! The vendor's HTTP API: keys, errors, creating, reading, listing.
#![allow(clippy::unwrap_used, clippy::panic, reason = "clippy sees tests in #[test] functions only, not beside them")]

mod common;

use common::{JOB, KEY, Scene};
use serde_json::{Value, json};
use simulator::{NewJob, Operation, Overrides, Settings, Then};

fn answer(scene: &mut Scene, method: &str, path: &str, key: Option<&str>) -> (u16, Value) {
    match scene.call(method, path, key, "").then {
        Then::Answer(answer) => (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap()),
        other => panic!("no answer: {other:?}"),
    }
}

#[test]
fn errors_come_in_three_shapes() {
    let mut scene = Scene::new(Settings { simultaneous_activations: 1, ..Settings::default() });
    scene.world.create_job(scene.now, NewJob::with_id("second")).unwrap();
    scene.world.create_job(scene.now, NewJob { is_static: false, ..NewJob::with_id("event") }).unwrap();
    scene.put("activate");
    let unauthorized = json!({ "message": "Unauthorized" });
    let unknown = json!({ "message": "DB getItem, no results found" });
    let capacity = "Allocating additional streaming capacity to the region. Please retry your request.: \
                    no_streaming_capacity_in_region";
    let table = [
        ("GET", "/v1/jobs/studio-1", None, 401, unauthorized.clone()),
        ("GET", "/v1/jobs/studio-1", Some("wrong"), 401, unauthorized.clone()),
        ("PUT", "/v1/jobs/studio-1/activate", None, 401, unauthorized.clone()),
        ("GET", "/v1/job", Some(KEY), 404, unauthorized.clone()),
        ("POST", "/v1/jobs/studio-1/activate", Some(KEY), 404, unauthorized),
        ("GET", "/v1/jobs/nothing", Some(KEY), 500, unknown.clone()),
        ("PUT", "/v1/jobs/nothing/activate", Some(KEY), 500, unknown.clone()),
        ("PUT", "/v1/jobs/nothing/cancel", Some(KEY), 500, unknown),
        ("PUT", "/v1/jobs/event/activate", Some(KEY), 400, json!({ "error": "Invalid input value" })),
        (
            "PUT",
            "/v1/jobs/second/activate",
            Some(KEY),
            500,
            json!({ "message": capacity, "statusCode": 500, "name": "ApiError", "isApiError": true }),
        ),
        (
            "PUT",
            "/v1/jobs/second/deactivate",
            Some(KEY),
            500,
            json!({ "message": "After filtering, there is no job to process" }),
        ),
    ];
    for (method, path, key, status, body) in table {
        assert_eq!(answer(&mut scene, method, path, key), (status, body), "{method} {path}");
    }
}

#[test]
fn a_switch_answers_the_id() {
    let mut scene = Scene::new(Settings::default());
    assert_eq!(scene.ask("PUT", "/v1/jobs/studio-1/activate", "").1, json!({ "id": JOB }));
}

#[test]
fn an_account_sees_its_own_jobs_with_any_of_its_keys() {
    let mut scene = Scene::new(Settings::default());
    scene.world.add_key("ours-new", "new-key", "default");
    scene.world.add_key("theirs", "their-key", "other");
    let path = "/v1/jobs/studio-1";
    assert_eq!(answer(&mut scene, "GET", path, Some("new-key")).0, 200);
    assert_eq!(answer(&mut scene, "GET", path, Some("their-key")).0, 500, "as if unknown");
    assert_eq!(answer(&mut scene, "GET", "/v1/jobs", Some("their-key")).1, json!({ "jobs": [] }));
    assert!(scene.world.remove_key("ours"));
    assert_eq!(answer(&mut scene, "GET", path, Some(KEY)).0, 401);
    assert_eq!(answer(&mut scene, "GET", path, Some("new-key")).0, 200);
}

#[test]
fn reading_mixes_the_units() {
    let mut scene = Scene::new(Settings::default());
    let job = scene.get("/v1/jobs/studio-1")["job"].clone();
    assert_eq!(job["created_at"], "2030-01-01T12:00:00.000Z");
    assert_eq!(job["reconnect_time"], 1_800);
    assert_eq!(job["state_history"][0]["transition_timestamp"], 1_893_499_200_000_i64);
    assert_eq!(job["static"], true);
    scene.world.set_settings(Settings { bare_job: true, ..Settings::default() });
    assert_eq!(scene.get("/v1/jobs/studio-1")["id"], JOB);
}

#[test]
fn a_long_history_is_cut() {
    let settings = Settings { activation_ms: 0, deactivation_ms: 0, ..Settings::default() };
    let mut scene = Scene::new(settings);
    for _ in 0..40 {
        scene.put("activate");
        scene.wait(1);
        scene.put("deactivate");
        scene.wait(1);
    }
    let job = scene.get("/v1/jobs/studio-1")["job"].clone();
    assert_eq!(job["state_history"].as_array().unwrap().len(), 50);
    assert_eq!(job["state_history"][0]["state"], "standby");
    assert_eq!(job["state_history_is_truncated"], true);
    assert_eq!(scene.report().state_history.len(), 81);
}

#[test]
fn creating_a_job() {
    let good = json!({ "live_stream": true, "region": "us-east-1", "outputs": [], "static": true,
                       "reconnect_time": 60, "videocloud": { "video": { "name": "Morning" } } });
    let mut scene = Scene::new(Settings { static_jobs: 2, ..Settings::default() });
    let (status, created) = scene.ask("POST", "/v1/jobs", &good.to_string());
    assert_eq!(status, 200);
    assert_eq!(created["sep_state"], "waiting");
    let id = created["id"].as_str().unwrap();
    assert_eq!(id.len(), 32);
    assert_eq!(scene.last_call().job.as_deref(), Some(id));
    let job = scene.get(&format!("/v1/jobs/{id}"))["job"].clone();
    assert_eq!((&job["region"], &job["reconnect_time"]), (&json!("us-east-1"), &json!(60)));
    assert_eq!(job["videocloud"]["video"]["name"], "Morning");

    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body.to_string()
    };
    let table = [
        (with("region", json!("mars-1")), "Invalid region"),
        (with("outputs", Value::Null), "Invalid input value"),
        (with("live_stream", Value::Null), "Invalid input value"),
        (with("reconnect_time", json!(0)), "Invalid input value"),
        (with("event_length", json!(93_601)), "Invalid input value"),
        (with("channel_type", json!("radio")), "Invalid input value"),
        ("not json".to_owned(), "Invalid input value"),
        (
            good.to_string(),
            "You've reached the number of static entry points jobs you can create in this region for your account",
        ),
    ];
    for (body, text) in table {
        let (status, answer) = scene.ask("POST", "/v1/jobs", &body);
        assert_eq!((status.as_u16(), answer), (400, json!({ "error": text })), "{body}");
    }
}

fn ids(page: &Value) -> Vec<&str> {
    page["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap()).collect()
}

/// job-0 to job-4, one second apart, after studio-1; job-1 on, job-2 not static, job-3 elsewhere.
fn channels() -> Scene {
    let mut scene = Scene::new(Settings::default());
    for number in 0..5 {
        scene.wait_secs(1);
        let mut job = NewJob::with_id(format!("job-{number}"));
        job.is_static = number != 2;
        if number == 3 {
            "eu-west-1".clone_into(&mut job.region);
        }
        scene.world.create_job(scene.now, job).unwrap();
    }
    scene.ask("PUT", "/v1/jobs/job-1/activate", "");
    scene.wait_secs(20);
    scene
}

#[test]
fn listing_with_filters_and_order() {
    let mut scene = channels();
    let ms = |seconds: i64| 1_893_499_200_000 + seconds * 1_000;
    let table = [
        (String::new(), "studio-1 job-0 job-1 job-2 job-3 job-4"),
        ("sort_dir=desc".into(), "job-4 job-3 job-2 job-1 job-0 studio-1"),
        ("sort=modified_at&sort_dir=desc&page_size=1".into(), "job-1"),
        ("static=true&sep_state=ready".into(), "job-1"),
        ("static=false".into(), "job-2"),
        ("state=waiting".into(), "job-1 job-2"),
        ("state=waiting,processing".into(), "job-1 job-2"),
        ("state=%5Bwaiting,processing%5D&static=true".into(), "job-1"),
        ("region=eu-west-1".into(), "job-3"),
        (format!("created_at=gt:{}", ms(4)), "job-4"),
        (format!("created_at=ge:{}", ms(4)), "job-3 job-4"),
        (format!("created_at=lt:{}", ms(1)), "studio-1"),
        (format!("created_at=le:{}", ms(1)), "studio-1 job-0"),
        (format!("created_at=[ge:{},lt:{}]", ms(1), ms(3)), "job-0 job-1"),
        (format!("modified_at=gt:{}", ms(5)), "job-1"),
        ("something=else".into(), "studio-1 job-0 job-1 job-2 job-3 job-4"),
    ];
    for (query, expected) in table {
        let page = scene.get(&format!("/v1/jobs?{query}"));
        assert_eq!(ids(&page).join(" "), expected, "{query}");
    }
    for bad in ["page_size=0", "page_size=1001", "sort=name", "sort_dir=up", "created_at=about:1", "static=perhaps"] {
        assert_eq!(scene.ask("GET", &format!("/v1/jobs?{bad}"), "").0, 400, "{bad}");
    }
}

#[test]
fn pages_hang_together() {
    let mut scene = channels();
    for direction in ["asc", "desc"] {
        let path = format!("/v1/jobs?page_size=4&sort_dir={direction}");
        let first = scene.get(&path);
        assert_eq!(first.get("start_token"), None);
        let token = first["next_token"].as_str().unwrap();
        let second = scene.get(&format!("{path}&start_token={token}"));
        assert_eq!(second["start_token"], token);
        assert_eq!(second.get("next_token"), None);
        let mut all = ids(&first);
        all.extend(ids(&second));
        all.sort_unstable();
        assert_eq!(all, ["job-0", "job-1", "job-2", "job-3", "job-4", "studio-1"]);
    }
}

#[test]
fn ten_to_a_page_and_a_thousand_at_most() {
    let mut scene = Scene::new(Settings::default());
    for number in 0..1_500 {
        scene.world.create_job(scene.now, NewJob::with_id(format!("job-{number:04}"))).unwrap();
    }
    assert_eq!(ids(&scene.get("/v1/jobs")).len(), 10);
    let page = scene.get("/v1/jobs?page_size=1000");
    assert_eq!((ids(&page)[0], ids(&page)[999]), ("job-0000", "job-0999"));
    let path = format!("/v1/jobs?page_size=1000&start_token={}", page["next_token"].as_str().unwrap());
    let rest = scene.get(&path);
    assert_eq!((ids(&rest).len(), ids(&rest)[0]), (501, "job-1000"));
}

#[test]
fn the_list_shows_what_the_job_shows() {
    let mut scene = Scene::new(Settings::default());
    let shows = Overrides { shows_sep_state: Some("ready".into()), ..Overrides::default() };
    scene.world.set_overrides(scene.now, JOB, shows).unwrap();
    assert_eq!(ids(&scene.get("/v1/jobs?sep_state=ready")), [JOB]);
}

#[test]
fn the_log_has_every_call_and_no_key() {
    let mut scene = Scene::new(Settings::default());
    scene.now += jiff::SignedDuration::from_micros(7);
    scene.put("activate");
    let sequence = scene.call("GET", "/v1/jobs?state=waiting", None, "").sequence.unwrap();
    scene.world.answered(sequence, scene.now + jiff::SignedDuration::from_micros(3));
    let calls: Vec<_> = scene.world.calls().cloned().collect();
    let received = 1_893_499_200_000_007_i64;
    assert_eq!(
        serde_json::to_value(&calls).unwrap(),
        json!([
            { "sequence": 1, "received_us": received, "answered_us": null, "operation": "activate", "method": "PUT",
              "path": "/v1/jobs/studio-1/activate", "job": JOB, "key": "ours", "outcome": "answered", "status": 200,
              "carried_out": true, "carried_out_us": received, "fault": null },
            { "sequence": 2, "received_us": received, "answered_us": received + 3, "operation": "list", "method": "GET",
              "path": "/v1/jobs?state=waiting", "job": null, "key": null, "outcome": "answered", "status": 401,
              "carried_out": false, "carried_out_us": null, "fault": null },
        ])
    );
    scene.world.clear_calls();
    scene.put("deactivate");
    assert_eq!(scene.last_call().sequence, 3);
    assert_eq!(scene.last_call().operation, Operation::Deactivate);
}
