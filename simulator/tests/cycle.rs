//! A job's cycle, at the vendor's figures: 20 s to turn on, 10 s to turn off, 30 min without an encoder.

mod common;

use common::Scene;
use simulator::{
    ActivateWhenOn, DeactivateWhenOff, Encoder, EncoderScript, NewJob, Overrides, Settings, ShortEvent, State, Switch,
    WhileTurning,
};

fn script(steps: &[u64]) -> Settings {
    Settings { encoder: EncoderScript(steps.to_vec()), ..Settings::default() }
}

#[test]
fn a_job_turns_on_and_off_in_steps() {
    let mut scene = Scene::new(script(&[3_000]));
    assert_eq!(scene.standing(), "standby/waiting");
    assert_eq!(scene.put("activate"), 200);
    let mut seen = vec![scene.standing()];
    for wait in [10_000, 10_000, 3_000] {
        seen.push(scene.wait(wait).standing());
    }
    assert_eq!(scene.put("deactivate"), 200);
    for wait in [0, 5_000, 5_000] {
        seen.push(scene.wait(wait).standing());
    }
    assert_eq!(
        seen,
        [
            "standby/pending_activation",
            "standby/activation_in_progress",
            "waiting/ready",
            "processing/ready",
            "processing/pending_deactivation",
            "processing/deactivation_in_progress",
            "standby/waiting",
        ]
    );
}

#[test]
fn transitions_keep_their_own_times_however_late_one_looks() {
    let mut scene = Scene::new(script(&[3_000]));
    let start = scene.now.as_millisecond();
    scene.put("activate");
    scene.wait_secs(3_600);
    let history: Vec<_> =
        scene.report().state_history.iter().map(|it| (it.state, it.transition_timestamp - start)).collect();
    assert_eq!(history, [(State::Processing, 23_000), (State::Waiting, 20_000), (State::Standby, 0)]);
}

#[test]
fn finishing_may_show_in_between() {
    let mut scene = Scene::new(Settings { finishing_while_deactivating: true, ..Settings::default() });
    scene.put("activate");
    scene.wait_secs(20);
    scene.put("deactivate");
    assert_eq!(scene.standing(), "finishing/pending_deactivation");
    scene.wait_secs(10);
    assert_eq!(scene.standing(), "standby/waiting");
    assert_eq!(scene.report().billed_seconds, 0);
}

#[test]
fn billed_are_waiting_processing_and_disconnected() {
    // Connects after 5 s, drops after 60 s, back after 30 s, gone for good after 60 s more.
    let mut scene = Scene::new(script(&[5_000, 60_000, 30_000, 60_000]));
    scene.put("activate");
    scene.wait_secs(20);
    assert_eq!(scene.report().billed_seconds, 0);
    scene.wait_secs(5 + 60 + 30 + 60);
    assert_eq!(scene.standing(), "disconnected/ready");
    assert_eq!(scene.report().billed_seconds, 155);
    // reconnect_time, 1,800 s, is billed; and so is the time it takes to turn off.
    scene.wait_secs(1_800 + 10);
    assert_eq!(scene.standing(), "standby/waiting");
    assert_eq!(scene.wait_secs(9_999).report().billed_seconds, 155 + 1_800 + 10);
}

#[test]
fn without_an_encoder_a_job_switches_itself_off() {
    use ShortEvent::{UnderMaxWaiting, UnderReconnectTime};
    // event_length, reconnect_time, which page holds -> seconds of waiting
    let table = [
        (0, 1_800, UnderMaxWaiting, 1_800),
        (7_200, 1_800, UnderMaxWaiting, 1_800),
        (600, 1_800, UnderMaxWaiting, 600),
        (600, 300, UnderMaxWaiting, 600),
        (600, 1_800, UnderReconnectTime, 600),
        (600, 300, UnderReconnectTime, 1_800),
        (3_600, 7_200, UnderReconnectTime, 1_800),
    ];
    for (event_length, reconnect_time, short_event, waits) in table {
        let settings = Settings { short_event, ..Settings::default() };
        let mut scene = Scene::with_job(settings, NewJob { event_length, reconnect_time, ..NewJob::default() });
        scene.put("activate");
        scene.wait_secs(20 + waits).wait(-1);
        assert_eq!(scene.standing(), "waiting/ready", "{event_length} {reconnect_time}");
        assert_eq!(scene.wait(1).standing(), "waiting/pending_deactivation", "{event_length} {reconnect_time}");
    }
}

#[test]
fn an_event_ends_its_length_after_the_first_connection() {
    let mut scene = Scene::with_job(script(&[0, 100_000, 100_000]), NewJob { event_length: 400, ..NewJob::default() });
    scene.put("activate");
    scene.wait_secs(20 + 399);
    assert_eq!(scene.standing(), "processing/ready");
    assert_eq!(scene.wait_secs(1).standing(), "processing/pending_deactivation");
}

#[test]
fn an_encoder_can_be_told_what_to_do() {
    let mut scene = Scene::new(script(&[60_000]));
    assert!(scene.world.encoder(scene.now, common::JOB, Encoder::Connect).is_err(), "before the activation");
    scene.put("activate");
    scene.wait_secs(21);
    scene.world.encoder(scene.now, common::JOB, Encoder::Connect).unwrap();
    assert_eq!(scene.standing(), "processing/ready");
    scene.world.encoder(scene.now, common::JOB, Encoder::Drop).unwrap();
    assert_eq!(scene.wait_secs(60).standing(), "disconnected/ready", "the script is left aside");
}

#[test]
fn activating_again_loses_the_recording() {
    // The knob, the answer, what is left.
    let table = [
        (ActivateWhenOn::Restart, 200, "standby/pending_activation", (2, 1, 1)),
        (ActivateWhenOn::NoOp, 200, "processing/ready", (1, 0, 0)),
        (ActivateWhenOn::Refuse, 500, "processing/ready", (1, 0, 0)),
    ];
    for (activate_when_on, status, standing, counters) in table {
        let mut scene = Scene::new(Settings { activate_when_on, ..script(&[0]) });
        scene.put("activate");
        scene.wait_secs(60);
        assert_eq!(scene.report().recording, Some(1));
        assert_eq!(scene.put("activate"), status);
        assert_eq!(scene.last_call().carried_out, activate_when_on == ActivateWhenOn::Restart);
        assert_eq!(scene.standing(), standing);
        let report = scene.report();
        assert_eq!((report.sessions, report.restarts, report.recordings_discarded), counters);
    }
}

#[test]
fn the_next_session_discards_the_recording_too_but_is_no_restart() {
    let mut scene = Scene::new(script(&[0]));
    for _ in 0..2 {
        assert_eq!(scene.put("activate"), 200);
        scene.wait_secs(60);
        assert_eq!(scene.put("deactivate"), 200);
        scene.wait_secs(10);
    }
    let report = scene.report();
    assert_eq!((report.sessions, report.restarts, report.recordings_discarded), (2, 0, 1));
    assert_eq!(report.recording, Some(2));
}

#[test]
fn deactivating_a_job_that_is_off() {
    for (deactivate_when_off, status) in [(DeactivateWhenOff::Refuse, 500), (DeactivateWhenOff::NoOp, 200)] {
        let mut scene = Scene::new(Settings { deactivate_when_off, ..Settings::default() });
        assert_eq!(scene.put("deactivate"), status);
        assert!(!scene.last_call().carried_out);
        assert_eq!(scene.standing(), "standby/waiting");
    }
}

#[test]
fn switching_a_job_that_turns_the_other_way() {
    let table = [
        (WhileTurning::Refuse, 400, ["standby/pending_activation", "waiting/pending_deactivation"]),
        (WhileTurning::NoOp, 200, ["standby/pending_activation", "waiting/pending_deactivation"]),
        (WhileTurning::TurnRound, 200, ["standby/pending_deactivation", "standby/pending_activation"]),
    ];
    for (while_turning, status, standings) in table {
        let settings = Settings { while_turning, ..Settings::default() };
        let mut going_on = Scene::new(settings.clone());
        going_on.put("activate");
        assert_eq!(going_on.put("deactivate"), status);
        assert_eq!(going_on.standing(), standings[0]);

        let mut going_off = Scene::new(settings);
        going_off.put("activate");
        going_off.wait_secs(20);
        going_off.put("deactivate");
        assert_eq!(going_off.put("activate"), status);
        assert_eq!(going_off.standing(), standings[1]);
    }
}

#[test]
fn stop_wedges_a_static_job() {
    let mut scene = Scene::new(Settings::default());
    assert_eq!(scene.put("stop"), 500, "nothing to stop");
    scene.put("activate");
    scene.wait_secs(20);
    assert_eq!(scene.put("stop"), 200);
    assert!(scene.report().wedged);
    assert_eq!(scene.put("deactivate"), 500);
    assert_eq!(scene.put("activate"), 500);
    assert_eq!(scene.wait_secs(99_999).standing(), "finishing/ready");
    assert_eq!(scene.put("cancel"), 200, "the only way out");
}

#[test]
fn a_wedged_job_does_not_count_as_going_on() {
    let mut scene = Scene::new(Settings { simultaneous_activations: 1, ..Settings::default() });
    scene.world.create_job(scene.now, NewJob::with_id("second")).unwrap();
    scene.put("activate");
    assert_eq!(scene.put("stop"), 200);
    assert_eq!(scene.ask("PUT", "/v1/jobs/second/activate", "").0, 200);
}

#[test]
fn cancel_is_for_good() {
    let mut scene = Scene::new(Settings::default());
    scene.put("activate");
    assert_eq!(scene.put("cancel"), 200);
    assert_eq!(scene.standing(), "cancelling/cancelled");
    assert_eq!(scene.wait_secs(2).standing(), "cancelled/cancelled");
    for verb in ["activate", "deactivate", "stop", "cancel"] {
        assert_eq!(scene.put(verb), 500, "{verb}");
    }
}

#[test]
fn the_sixth_simultaneous_activation_finds_no_capacity() {
    let mut scene = Scene::new(Settings::default());
    scene.world.add_key("theirs", "their-key", "other");
    for job in 0..6 {
        scene.world.create_job(scene.now, NewJob::with_id(format!("job-{job}"))).unwrap();
    }
    let other = NewJob { account: "other".to_owned(), ..NewJob::with_id("other-job") };
    scene.world.create_job(scene.now, other).unwrap();

    let activate = |scene: &mut Scene, job: u32| scene.ask("PUT", &format!("/v1/jobs/job-{job}/activate"), "");
    for job in 0..5 {
        assert_eq!(activate(&mut scene, job).0, 200);
    }
    let (status, body) = activate(&mut scene, 5);
    assert_eq!(status, 500);
    assert_eq!(body["name"], "ApiError");
    assert_eq!(body["statusCode"], 500);
    assert!(body["message"].as_str().unwrap().contains("no_streaming_capacity_in_region"));
    let reply = scene.call("PUT", "/v1/jobs/other-job/activate", Some("their-key"), "");
    assert!(matches!(reply.then, simulator::Then::Answer(answer) if answer.status() == 200), "another account");
    scene.wait_secs(20);
    assert_eq!(activate(&mut scene, 5).0, 200, "the others are on");
}

#[test]
fn a_job_that_is_not_static_cannot_be_activated() {
    let mut scene = Scene::with_job(Settings::default(), NewJob { is_static: false, ..NewJob::default() });
    assert_eq!(scene.standing(), "waiting/none");
    let (status, body) = scene.ask("PUT", "/v1/jobs/studio-1/activate", "");
    assert_eq!((status.as_u16(), body.to_string().as_str()), (400, r#"{"error":"Invalid input value"}"#));
}

#[test]
fn somebody_else_switches_a_job() {
    let mut scene = Scene::new(Settings::default());
    assert!(scene.world.switch(scene.now, common::JOB, Switch::On).unwrap());
    assert_eq!(scene.wait_secs(20).standing(), "waiting/ready");
    scene.world.clear_calls();
    assert!(scene.world.switch(scene.now, common::JOB, Switch::Off).unwrap());
    assert_eq!(scene.world.calls().count(), 0, "in no log");
    assert_eq!(scene.wait_secs(10).standing(), "standby/waiting");
    scene.world.switch(scene.now, common::JOB, Switch::Failed).unwrap();
    assert_eq!(scene.standing(), "failed/finished");
}

#[test]
fn one_job_can_differ() {
    let overrides = Overrides {
        activation_ms: Some(100),
        max_waiting_ms: Some(1_000),
        deactivation_ms: Some(0),
        ..Overrides::default()
    };
    let mut scene = Scene::with_job(Settings::default(), NewJob { overrides, ..NewJob::default() });
    scene.put("activate");
    assert_eq!(scene.wait(100).standing(), "waiting/ready");
    assert_eq!(scene.wait(1_000).standing(), "standby/waiting");
    let shows = Overrides { shows_state: Some("creating_asset".to_owned()), ..Overrides::default() };
    scene.world.set_overrides(scene.now, common::JOB, shows).unwrap();
    assert_eq!(scene.standing(), "creating_asset/waiting", "a word nobody has documented");
}

#[test]
fn time_does_not_go_back_for_a_job() {
    let mut scene = Scene::new(Settings::default());
    scene.put("activate");
    scene.wait_secs(20);
    assert_eq!(scene.standing(), "waiting/ready");
    scene.wait_secs(-15);
    assert_eq!(scene.standing(), "waiting/ready");
    assert_eq!(scene.last_call().received_us, scene.now.as_microsecond(), "but the log says what was");
}
