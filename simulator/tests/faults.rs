//! What goes wrong with calls, as seen by the caller, the job and the log.

mod common;

use std::time::Duration;

use common::{JOB, KEY, Scene};
use serde_json::json;
use simulator::{Effect, Fault, LateAnswer, Operation, Outcome, Settings, Then};

const ACTIVATE: &str = "/v1/jobs/studio-1/activate";

fn refuse(status: u16) -> Effect {
    Effect::Refuse { status, body: serde_json::Value::Null, headers: [].into() }
}

/// What the caller sees, in a word.
fn seen(scene: &mut Scene, method: &str, path: &str) -> String {
    match scene.call(method, path, Some(KEY), "").then {
        Then::Answer(answer) => answer.status().as_u16().to_string(),
        Then::Drop => "dropped".into(),
        Then::Hang => "hung".into(),
    }
}

#[test]
fn each_fault_does_its_own_to_an_activate() {
    let on = "standby/pending_activation";
    let off = "standby/waiting";
    let late = |answer| Effect::CarryOutLate { delay_ms: 700, answer };
    // What the caller sees; the job at once; the job a second later; whether the log says "carried out" then.
    let table = [
        (refuse(503), "503", off, off, false),
        (Effect::Hang { carry_out: false }, "hung", off, off, false),
        (Effect::Hang { carry_out: true }, "hung", on, on, true),
        (Effect::DropBefore, "dropped", off, off, false),
        (Effect::DropAfter, "dropped", on, on, true),
        (late(LateAnswer::Ok), "200", off, on, true),
        (late(LateAnswer::Drop), "dropped", off, on, true),
        (Effect::Ignore, "200", off, off, false),
        (Effect::Redirect { location: "http://elsewhere/".into() }, "307", off, off, false),
        (Effect::Html { status: 200 }, "200", off, off, false),
        (Effect::Html { status: 502 }, "502", off, off, false),
        (Effect::Latency { ms: 50, jitter_ms: 0 }, "200", on, on, true),
    ];
    for (effect, answer, at_once, later, carried_out) in table {
        let mut scene = Scene::new(Settings::default());
        let name = effect.name();
        scene.world.add_fault(Fault::new(effect).on(Operation::Activate));
        assert_eq!(seen(&mut scene, "PUT", ACTIVATE), answer, "{name}");
        assert_eq!(scene.standing(), at_once, "{name}");
        assert_eq!(scene.wait(1_000).standing(), later, "{name}");
        let call = scene.world.calls().next().unwrap();
        assert_eq!(call.carried_out, carried_out, "{name}");
        assert_eq!(call.fault.as_deref(), (name != "latency").then_some(name));
        let outcome = match answer {
            "hung" => Outcome::Hung,
            "dropped" => Outcome::Dropped,
            _ => Outcome::Answered,
        };
        assert_eq!(call.outcome, outcome, "{name}");
    }
}

#[test]
fn a_late_call_is_carried_out_at_its_time_and_by_the_rules_of_then() {
    let mut scene = Scene::new(Settings::default());
    let late = Effect::CarryOutLate { delay_ms: 30_000, answer: LateAnswer::Ok };
    scene.world.add_fault(Fault::new(late).on(Operation::Activate).times(1));
    scene.put("activate");
    let due = scene.now.as_microsecond() + 30_000_000;
    // A careless second try; then the first one arrives and cuts the session short.
    scene.wait_secs(5).put("activate");
    scene.wait_secs(60);
    assert_eq!((scene.report().sessions, scene.report().restarts), (2, 1));
    assert_eq!(scene.world.calls().next().unwrap().carried_out_us, Some(due));
}

#[test]
fn a_refusal_brings_its_body_and_headers() {
    let mut scene = Scene::new(Settings::default());
    scene.world.add_fault(Fault::new(Effect::Refuse {
        status: 429,
        body: json!({ "message": "Too Many Requests" }),
        headers: [("retry-after".to_owned(), "7".to_owned())].into(),
    }));
    let Then::Answer(answer) = scene.call("PUT", ACTIVATE, Some(KEY), "").then else { panic!() };
    assert_eq!(answer.status(), 429);
    assert_eq!(answer.headers()["retry-after"], "7");
    assert_eq!(answer.body(), r#"{"message":"Too Many Requests"}"#);
}

#[test]
fn a_fault_strikes_what_it_names() {
    let read = "/v1/jobs/studio-1";
    let table = [
        (Fault::new(refuse(503)), "GET", read, "503"),
        (Fault::new(refuse(503)), "GET", "/v1/jobs", "503"),
        (Fault::new(refuse(503)).on(Operation::Activate), "GET", read, "200"),
        (Fault::new(refuse(503)).on(Operation::Activate).on(Operation::Read), "GET", read, "503"),
        (Fault::new(refuse(503)).job(JOB), "GET", read, "503"),
        (Fault::new(refuse(503)).job(JOB), "GET", "/v1/jobs", "200"),
        (Fault::new(refuse(503)).job("another"), "GET", read, "200"),
        (Fault::new(refuse(503)).key("ours"), "GET", read, "503"),
        (Fault::new(refuse(503)).key("theirs"), "GET", read, "200"),
    ];
    for (fault, method, path, answer) in table {
        let mut scene = Scene::new(Settings::default());
        scene.world.add_fault(fault.clone());
        assert_eq!(seen(&mut scene, method, path), answer, "{fault:?} {path}");
    }
}

#[test]
fn a_fault_passes_some_calls_strikes_some_and_is_gone() {
    let mut scene = Scene::new(Settings::default());
    scene.world.add_fault(Fault::new(refuse(503)).after(1).times(2));
    // Comes into play once the first one is gone.
    scene.world.add_fault(Fault::new(Effect::DropBefore).times(1));
    let all: Vec<_> = (0..5).map(|_| seen(&mut scene, "GET", "/v1/jobs")).collect();
    assert_eq!(all, ["dropped", "503", "503", "200", "200"]);
    assert_eq!(scene.world.faults().count(), 0);
}

#[test]
fn faults_can_be_taken_away() {
    let mut scene = Scene::new(Settings::default());
    let number = scene.world.add_fault(Fault::new(refuse(503)));
    assert!(scene.world.remove_fault(number));
    assert!(!scene.world.remove_fault(number));
    scene.world.add_fault(Fault::new(refuse(503)));
    scene.world.clear_faults();
    assert_eq!(scene.put("activate"), 200);
}

#[test]
fn latencies_add_up_and_jitter_is_seeded() {
    let mut scene = Scene::new(Settings { latency_ms: 5, ..Settings::default() });
    scene.world.add_fault(Fault::new(Effect::Latency { ms: 100, jitter_ms: 0 }).on(Operation::Activate));
    assert_eq!(scene.call("PUT", ACTIVATE, Some(KEY), "").after, Duration::from_millis(105));
    assert_eq!(scene.call("GET", "/v1/jobs", Some(KEY), "").after, Duration::from_millis(5));

    let latencies = |seed| {
        let mut scene = Scene::new(Settings { latency_ms: 10, latency_jitter_ms: 90, seed, ..Settings::default() });
        (0..20).map(|_| scene.call("GET", "/v1/jobs", Some(KEY), "").after).collect::<Vec<_>>()
    };
    assert_eq!(latencies(1), latencies(1));
    assert_ne!(latencies(1), latencies(2));
    assert!(latencies(3).iter().all(|after| (10..=100).contains(&after.as_millis())));
}

#[test]
fn an_ignored_call_still_needs_its_key_and_its_job() {
    let mut scene = Scene::new(Settings::default());
    scene.world.add_fault(Fault::new(Effect::Ignore));
    let Then::Answer(answer) = scene.call("PUT", ACTIVATE, None, "").then else { panic!() };
    assert_eq!(answer.status(), 401);
    assert_eq!(seen(&mut scene, "PUT", "/v1/jobs/nothing/activate"), "500");
    assert_eq!(seen(&mut scene, "GET", "/v1/jobs/studio-1"), "200", "reads are as ever");
}
