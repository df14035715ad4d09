//! The control API: what the README shows.

mod common;

use common::{JOB, KEY, Scene};
use serde_json::json;
use simulator::{Settings, Then};

#[test]
fn jobs() {
    let mut scene = Scene::new(Settings::default());
    let (status, made) =
        scene.ask("POST", "/control/jobs", r#"{"id":"a","account":"other","overrides":{"activation_ms":100}}"#);
    assert_eq!((status.as_u16(), made), (201, json!({ "ids": ["a"] })));
    let (_, made) = scene.ask("POST", "/control/jobs", r#"[{"id":"b"},{"id":"c","static":false}]"#);
    assert_eq!(made, json!({ "ids": ["b", "c"] }));
    assert_eq!(scene.get("/control/jobs")["jobs"].as_array().unwrap().len(), 4);
    assert_eq!(scene.ask("POST", "/control/jobs", r#"{"id":"a"}"#).0, 409);
    assert_eq!(scene.ask("POST", "/control/jobs", r#"{"id":"a/b"}"#).0, 400);
    assert_eq!(scene.ask("POST", "/control/jobs", r#"{"name":"a"}"#).0, 400);

    let (_, report) = scene.ask("POST", "/control/jobs/a/switch", r#"{"to":"on"}"#);
    assert_eq!(report["sep_state"], "pending_activation");
    scene.wait(100);
    let (_, report) = scene.ask("POST", "/control/jobs/a/encoder", r#"{"to":"connect"}"#);
    assert_eq!(report["state"], "processing");
    scene.wait(1_500);
    let report = scene.get("/control/jobs/a");
    assert_eq!((&report["billed_ms"], &report["billed_seconds"]), (&json!(1_500), &json!(1)));
    assert_eq!(report["sep_history"][0]["state"], "ready");
    assert_eq!(scene.ask("POST", "/control/jobs/b/encoder", r#"{"to":"drop"}"#).0, 409);

    let (_, report) = scene.ask("PATCH", "/control/jobs/a", r#"{"shows_state":"error"}"#);
    assert_eq!(report["overrides"], json!({ "activation_ms": 100, "shows_state": "error" }));
    let (_, report) = scene.ask("POST", "/control/jobs/a", r#"{"shows_state":null}"#);
    assert_eq!(report["overrides"], json!({ "activation_ms": 100 }));

    assert_eq!(scene.ask("DELETE", "/control/jobs/a", "").0, 200);
    assert_eq!(scene.ask("DELETE", "/control/jobs/a", "").0, 404);
    scene.wait_secs(9_999);
    assert_eq!(scene.ask("GET", "/control/jobs/a", "").0, 404);
}

#[test]
fn settings() {
    let mut scene = Scene::new(Settings::default());
    let (_, settings) =
        scene.ask("PATCH", "/control/settings", r#"{"latency_ms":20,"activate_when_on":"no_op","encoder":[100]}"#);
    assert_eq!(settings["latency_ms"], 20);
    assert_eq!(settings["activation_ms"], 20_000);
    assert_eq!(settings, scene.get("/control/settings"));
    assert_eq!(scene.ask("PATCH", "/control/settings", r#"{"latency":20}"#).0, 400);
    let (_, settings) = scene.ask("POST", "/control/settings", r#"{"latency_ms":null}"#);
    assert_eq!(settings["latency_ms"], 0);
}

#[test]
fn faults() {
    let mut scene = Scene::new(Settings::default());
    let fault = r#"{"operations":["activate"],"job":"studio-1","times":1,
                    "effect":"refuse","status":503,"headers":{"retry-after":"5"}}"#;
    assert_eq!(scene.ask("POST", "/control/faults", fault).1, json!({ "ids": [1] }));
    let more = r#"[{"effect":"hang"},{"effect":"carry_out_late","delay_ms":50,"answer":"drop"}]"#;
    assert_eq!(scene.ask("POST", "/control/faults", more).1, json!({ "ids": [2, 3] }));
    assert_eq!(scene.ask("DELETE", "/control/faults/2", "").0, 200);
    let faults = scene.get("/control/faults");
    assert_eq!(faults["faults"][0]["status"], 503);
    assert_eq!(faults["faults"][1]["id"], 3);
    assert_eq!(scene.put("activate"), 503);
    scene.ask("DELETE", "/control/faults", "");
    assert_eq!(scene.put("activate"), 200);
    for wrong in [
        r#"{"effect":"explode"}"#,
        r#"{"effect":"hang","operation":"activate"}"#,
        r#"{"effect":"hang","status":503}"#,
        r#"[{"effect":"hang"},{"effect":"ignore","jobs":"studio-1"}]"#,
        "[]]",
        "7",
    ] {
        assert_eq!(scene.ask("POST", "/control/faults", wrong).0, 400, "{wrong}");
    }
    assert_eq!(scene.world.faults().count(), 0);
}

#[test]
fn keys() {
    let mut scene = Scene::new(Settings::default());
    let (_, key) = scene.ask("POST", "/control/keys", r#"{"label":"new","key":"s3cret"}"#);
    assert_eq!(key, json!({ "label": "new", "account": "default" }));
    assert!(!scene.get("/control/keys").to_string().contains("s3cret"));
    let reply = scene.call("GET", "/v1/jobs", Some("s3cret"), "");
    assert!(matches!(reply.then, Then::Answer(answer) if answer.status() == 200));
    assert_eq!(scene.ask("DELETE", "/control/keys/ours", "").0, 200);
    let reply = scene.call("GET", "/v1/jobs", Some(KEY), "");
    assert!(matches!(reply.then, Then::Answer(answer) if answer.status() == 401));
}

#[test]
fn calls() {
    let mut scene = Scene::new(Settings::default());
    scene.put("activate");
    scene.get("/v1/jobs");
    scene.put("deactivate");
    let sequences = |page: serde_json::Value| -> Vec<u64> {
        page["calls"].as_array().unwrap().iter().map(|call| call["sequence"].as_u64().unwrap()).collect()
    };
    assert_eq!(sequences(scene.get("/control/calls")), [1, 2, 3]);
    assert_eq!(sequences(scene.get("/control/calls?since=1")), [2, 3]);
    assert_eq!(sequences(scene.get(&format!("/control/calls?since=1&job={JOB}"))), [3]);
    scene.ask("DELETE", "/control/calls", "");
    assert_eq!(sequences(scene.get("/control/calls")), [] as [u64; 0]);
}

#[test]
fn addresses_and_methods() {
    let mut scene = Scene::new(Settings::default());
    for (method, path, status) in [
        ("GET", "/control/nothing", 404),
        ("DELETE", "/control/settings", 405),
        ("PUT", "/control/calls", 405),
        ("GET", "/control/calls?after=1", 400),
        ("POST", "/control/jobs/studio-1/explode", 404),
        ("POST", "/control/jobs/nothing/switch", 400),
    ] {
        assert_eq!(scene.ask(method, path, "").0, status, "{method} {path}");
    }
    assert_eq!(scene.ask("POST", "/control/jobs/nothing/switch", r#"{"to":"on"}"#).0, 404);
}
