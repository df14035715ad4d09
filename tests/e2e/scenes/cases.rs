//! Cases that users of comparable systems had to ask for, by their numbers.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::json;
use simulator::SepState;

use crate::harness::{
    Record, Stage, condition, eventually, in_seconds, on_air, phase, plus, ready, received, until_past,
};

fn shows_on_air(record: &Record) -> bool {
    condition(record.status(), "OnAir").is_some_and(|condition| condition.status == "True")
}

pub(crate) async fn case_31_on_air_is_shown_only_once_the_job_was_read_on() {
    let stage = Stage::open("case-31").await;
    let news = stage.channel("news").await;
    news.overrides(json!({ "activation_ms": 2000 })).await;
    let window = stage.window("news", &news).between(in_seconds(2), in_seconds(600)).create().await;
    let called = window.until("its start is called", |status| !status.activation.called_at.is_empty()).await;
    assert!(on_air("Unknown", "Turning")(&called), "{:?}", called.conditions);
    assert_eq!((&*called.phase, &*called.activation.reason), ("Pending", "Starting"));
    window.reaches("Active").await;

    let history = news.report().await.sep_history;
    let ready_at = history.iter().find(|change| change.state == SepState::Ready).unwrap().transition_timestamp;
    let shown = window.records().iter().find(|record| shows_on_air(record)).unwrap().at;
    assert!(shown.as_millisecond() >= ready_at, "OnAir=True before the channel was on");
    news.was_called(1, 0).await;
}

pub(crate) async fn case_31_a_start_that_does_nothing_times_out_into_a_condition() {
    let stage = Stage::open("case-31-ignored").await;
    let news = stage.channel("news").await;
    news.fault("activate", json!({ "effect": "ignore", "times": 1 })).await;
    let window = stage.window("news", &news).between(in_seconds(2), in_seconds(600)).create().await;
    let told = window.until("its start is not confirmed", ready("False", "StartNotConfirmed")).await;
    assert_eq!(told.phase, "Pending");
    window.reaches("Active").await;
    news.was_called(2, 0).await;
    let sent = window.starts_sent();
    // 90 s, at a twentieth.
    assert!(sent[1].duration_since(sent[0]).as_millis() >= 4500, "an accepted start was repeated too soon: {sent:?}");
}

pub(crate) async fn case_42_one_event_a_change_and_at_most_15_in_a_life_with_retries() {
    let stage = Stage::open("case-42").await;
    let news = stage.channel("news").await;
    for operation in ["activate", "deactivate"] {
        news.fault(operation, json!({ "effect": "refuse", "status": 429, "times": 5 })).await;
    }
    let window = stage.window("news", &news).between(in_seconds(3), in_seconds(8)).create().await;
    window.reaches("Finished").await;
    let calls = news.calls().await;
    assert_eq!((calls.activate.len(), calls.deactivate.len()), (6, 6));
    window.delete().await;
    window.is_gone().await;

    let told = |event: &k8s_openapi::api::events::v1::Event| {
        format!(
            "{} {}: {}",
            event.action.as_deref().unwrap(),
            event.reason.as_deref().unwrap(),
            event.note.as_deref().unwrap()
        )
    };
    let events = eventually("its end is an event", async || {
        let events: Vec<String> = window.events().await.iter().map(told).collect();
        events.iter().any(|event| event.starts_with("Deactivate Stopped")).then_some(events)
    })
    .await;
    assert!(events.len() <= 15, "{} events: {events:#?}", events.len());
    let distinct: BTreeSet<&String> = events.iter().collect();
    assert_eq!(distinct.len(), events.len(), "an event is repeated: {events:#?}");
    for change in ["Activate Started", "Deactivate Stopped"] {
        let count = events.iter().filter(|event| event.starts_with(&format!("{change}:"))).count();
        assert_eq!(count, 1, "{change}: {events:#?}");
    }
    let status = window.status();
    assert_eq!((status.activation.attempts, status.deactivation.attempts), (6, 6), "the trail is in the status");
}

pub(crate) async fn case_42_a_life_without_faults_is_told_once_a_change() {
    let stage = Stage::open("case-42-calm").await;
    let news = stage.channel("news").await;
    let window = stage.window("news", &news).between(in_seconds(3), in_seconds(4)).create().await;
    window.reaches("Finished").await;
    let reasons = eventually("its end is an event", async || {
        let events = window.events().await;
        let reasons: Vec<String> = events.into_iter().filter_map(|event| event.reason).collect();
        reasons.contains(&"Stopped".to_owned()).then_some(reasons)
    })
    .await;
    assert_eq!(reasons, ["Scheduled", "Starting", "Started", "Stopping", "Stopped"]);
}

pub(crate) async fn case_57_a_status_and_its_conditions_are_of_one_generation() {
    let stage = Stage::open("case-57").await;
    let news = stage.channel("news").await;
    let start = in_seconds(4);
    let window = stage.window("news", &news).between(start, plus(start, 60)).create().await;
    let mut stops = vec![plus(start, 60)];
    for later in 1..=5 {
        stops.push(plus(start, 60 + later));
        window.edit(json!({ "deactivation": { "time": stops.last().unwrap() }, "suspend": later % 2 == 1 })).await;
    }
    window.edit(json!({ "suspend": false })).await;
    stops.push(plus(start, 65));
    window.reaches("Active").await;
    window.edit(json!({ "deactivation": { "time": in_seconds(0) } })).await;
    window.reaches("Finished").await;

    // That each status and its conditions bear one generation is asserted for every scene. Here: what a status says is
    // what that generation asked for.
    for record in window.records().iter().filter(|record| record.observed() > 0) {
        let generation = usize::try_from(record.observed()).unwrap();
        if let Some(stop) = stops.get(generation - 1) {
            assert_eq!(record.status().deactivation.time_utc, Some(stop.as_second()), "generation {generation}");
        }
    }
}

pub(crate) async fn case_59_before_the_first_reconcile_nothing_reads_as_done() {
    let stage = Stage::unattended("case-59").await;
    let news = stage.channel("news").await;
    let window = stage.window("news", &news).between(in_seconds(300), in_seconds(600)).create().await;
    let created = eventually("it is recorded", async || window.records().first().cloned()).await;
    // kstatus: InProgress while observedGeneration is not metadata.generation, whatever else is there.
    assert_eq!(created.observed(), -1);
    assert_ne!(created.object.metadata.generation, created.status().observed_generation);
    assert_eq!(created.status().conditions, []);

    let _operator = stage.start_operator().await;
    window.until("it waits for its start", ready("True", "Scheduled")).await;
    let mut states = window.records();
    states.retain(|record| record.observed() != -1);
    let first = states.first().unwrap();
    let done = ready("True", "Scheduled")(first.status());
    assert!(!done || !first.status().job.verified_at.is_empty(), "Ready before key and job were checked");
}

pub(crate) async fn case_60_ready_reconciling_and_stalled_are_never_true_together() {
    let stage = Stage::without_access("case-60").await;
    let news = stage.channel("news").await;
    news.fault("deactivate", json!({ "effect": "refuse", "status": 400, "times": 3 })).await;
    let start = in_seconds(6);
    let window = stage.window("news", &news).between(start, plus(start, 2)).create().await;
    window.until("its account is missing", ready("False", "AccountNotFound")).await;
    stage.put_secret("an-old-key").await;
    stage.create_account(json!({})).await;
    window.until("its key is refused", ready("False", "KeyRefused")).await;
    stage.put_secret(&stage.key).await;
    window.reaches("Finished").await;

    // That no two are True at once is asserted for every scene. Here: each of them was, at some time.
    let shown: BTreeSet<String> = window
        .records()
        .iter()
        .flat_map(|record| record.status().conditions.clone())
        .filter(|condition| condition.status == "True")
        .map(|condition| condition.type_)
        .collect();
    for kind in ["Ready", "Reconciling", "Stalled"] {
        assert!(shown.contains(kind), "{kind} is not among {shown:?}");
    }
}

pub(crate) async fn case_64_times_are_shown_as_given_in_utc_and_as_the_epoch_and_are_one_instant() {
    let stage = Stage::open("case-64").await;
    let news = stage.channel("news").await;
    let times = json!({
        "activation": { "time": "2030-12-02T14:00:00+01:00" },
        "deactivation": { "time": "2030-12-02T10:05:00.000-05:00" },
    });
    let window = stage.window("news", &news).with(times).create().await;
    let status = window.until("it was seen", phase("Pending")).await;
    for (task, given, utc) in [
        (&status.activation, "2030-12-02T14:00:00+01:00", "2030-12-02T13:00:00Z"),
        (&status.deactivation, "2030-12-02T10:05:00.000-05:00", "2030-12-02T15:05:00Z"),
    ] {
        assert_eq!((&*task.given, &*task.time), (given, utc));
        assert_eq!(Timestamp::from_second(task.time_utc.unwrap()).unwrap(), given.parse().unwrap());
    }
    assert_eq!(status.activation.time_utc, Some(1_922_446_800));

    for stop in ["2030-12-02T13:00:00Z", "2030-12-02T13:30:00+01:00"] {
        let times = json!({ "activation": { "time": "2030-12-02T13:00:00Z" }, "deactivation": { "time": stop } });
        let refusal = stage.window("backwards", &news).with(times).refusal().await;
        assert!(refusal.contains("spec.deactivation.time"), "{refusal}");
        assert!(refusal.contains("must be later than activation.time"), "{refusal}");
    }
}

pub(crate) async fn case_78_the_later_of_two_windows_says_before_its_start_which_other_it_overlaps() {
    let stage = Stage::open("case-78").await;
    let other_team = stage.second_namespace().await;
    let cinema = stage.channel("cinema").await;
    let start = in_seconds(300);
    let first = stage.window("ours", &cinema).between(start, plus(start, 60)).create().await;
    // In another second, so that which is the later one is certain.
    until_past(in_seconds(0)).await;
    let booking = stage.window("theirs", &cinema).in_namespace(&other_team);
    let second = booking.between(plus(start, 59), plus(start, 120)).create().await;
    let told = second.until("it shows the conflict", |status| condition(status, "Conflict").is_some()).await;
    let conflict = condition(&told, "Conflict").unwrap();
    assert_eq!(conflict.status, "True");
    assert!(conflict.message.contains(&first.full_name()), "{}", conflict.message);
    assert!(ready("True", "Scheduled")(&told), "the union resolves it: {:?}", told.conditions);
    assert!(condition(&first.status(), "Conflict").is_none(), "the earlier one was there first");

    second.edit(json!({ "activation": { "time": plus(start, 60) } })).await;
    let no_more = |status: &jobstartstop::api::JobStartStopStatus| condition(status, "Conflict").is_none();
    second.until("the conflict is gone with its reason", no_more).await;
}

pub(crate) async fn case_82_planned_sent_and_confirmed_times_are_kept_apart_for_start_and_stop() {
    let stage = Stage::open("case-82").await;
    let news = stage.channel("news").await;
    news.fault("activate", json!({ "effect": "refuse", "status": 429, "times": 1 })).await;
    let (start, stop) = (in_seconds(3), in_seconds(5));
    let window = stage.window("news", &news).between(start, stop).create().await;
    let status = window.reaches("Finished").await;
    assert_eq!((status.activation.attempts, status.deactivation.attempts), (2, 1));
    assert_eq!(status.workflow_id, window.uid.replace('-', ""));

    let calls = news.was_called(2, 1).await;
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    for (task, planned, call) in
        [(&status.activation, start, &calls.activate[1]), (&status.deactivation, stop, &calls.deactivate[0])]
    {
        assert_eq!((at(&task.time), at(&task.call_at)), (planned, planned));
        let (sent, confirmed) = (at(&task.called_at), at(&task.confirmed_at));
        assert!(planned <= sent && sent < confirmed, "{task:?}");
        assert!(sent <= received(call) && received(call) < confirmed, "{task:?} was received at {}", received(call));
    }
    let late = i128::from(status.deactivation.lateness_millis.unwrap());
    assert_eq!(late, at(&status.deactivation.called_at).duration_since(stop).as_millis());
}
