//! Cases of users of comparable systems, by their numbers: a window's life, its edits and its policies.

use futures::future::join_all;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::harness::{
    LATE, Record, Stage, Watched, condition, eventually, house, in_seconds, phase, plus, ready, received, until_past,
};

pub(crate) async fn case_4_resumed_inside_its_window_it_starts_late_as_the_deadline_allows_and_never_after_its_end() {
    let stage = Stage::open("case-4").await;
    let (late, too_late, over) =
        (stage.channel("late").await, stage.channel("too-late").await, stage.channel("over").await);
    let suspended = |deadline: u32| json!({ "suspend": true, "startingDeadlineSeconds": deadline });
    let (start, end) = (in_seconds(2), in_seconds(600));
    let late_one = stage.window("late", &late).with(suspended(60)).between(start, end).create().await;
    let past = in_seconds(-30);
    let too_late_one = stage.window("too-late", &too_late).with(suspended(10)).between(past, end).create().await;
    let over_one = stage.window("over", &over).with(suspended(60)).between(start, plus(start, 1)).create().await;
    let missed = over_one.reaches("Missed").await;
    assert_eq!(missed.activation.reason, "Suspended");
    until_past(plus(start, 2)).await;

    let resumed = json!({ "suspend": false });
    for window in [&late_one, &too_late_one, &over_one] {
        window.edit(resumed.clone()).await;
    }
    late_one.reaches("Active").await;
    let missed = too_late_one.reaches("Missed").await;
    assert_eq!(missed.activation.reason, "StartDeadlineExceeded");
    over_one.until("it stays missed", phase("Missed")).await;
    late.was_called(1, 0).await;
    too_late.was_left_alone().await;
    over.was_left_alone().await;
}

pub(crate) async fn case_5_past_its_deadline_a_start_is_missed_once_told_once_and_counted_once() {
    let stage = Stage::unattended("case-5").await;
    let operator = stage.start_operator().await;
    let (news, sport) = (stage.channel("news").await, stage.channel("sport").await);
    let deadline = |seconds: u32| json!({ "startingDeadlineSeconds": seconds });
    let start = in_seconds(-30);
    let window = stage.window("news", &news).with(deadline(10)).between(start, in_seconds(3)).create().await;
    let in_time = stage.window("sport", &sport).with(deadline(60)).between(start, in_seconds(600)).create().await;
    let missed = window.reaches("Missed").await;
    assert!(ready("False", "StartDeadlineExceeded")(&missed), "{:?}", missed.conditions);
    window.until("its stop is dropped", |status| status.deactivation.state == "cancelled").await;
    let told = eventually("an event tells", async || {
        let events = window.events().await;
        let told: Vec<_> =
            events.into_iter().filter(|event| event.reason.as_deref() == Some("StartDeadlineExceeded")).collect();
        (!told.is_empty()).then_some(told)
    })
    .await;
    assert_eq!((told.len(), told[0].type_.as_deref()), (1, Some("Warning")));
    let counted = r#"jobstartstop_failed_starts_total{reason="StartDeadlineExceeded"}"#;
    let count = operator.scrape().await.value(counted);
    assert!((count - 1.0).abs() < f64::EPSILON, "{count}");
    news.was_left_alone().await;

    // The one within its deadline is late by what it says, from its planned time.
    let active = in_time.reaches("Active").await;
    assert!(active.activation.lateness_millis >= Some(29_000), "{:?}", active.activation);
    sport.was_called(1, 0).await;
    let refusal = stage.window("jitter", &news).with(deadline(9)).between(start, in_seconds(600)).refusal().await;
    assert!(refusal.contains("startingDeadlineSeconds"), "below what can be kept: {refusal}");
}

pub(crate) async fn case_36_a_missing_key_and_an_unknown_job_are_told_before_the_start() {
    let stage = Stage::unattended("case-36").await;
    stage.create_second_account("no-secret").await;
    stage.plane().kubectl(["delete", "secret", "no-secret", "--namespace", &stage.namespace]).await;
    let operator = stage.start_operator().await;
    let (news, unknown) = (stage.channel("news").await, stage.no_channel("unknown"));
    let times = (in_seconds(300), in_seconds(600));
    let keyless = stage.window("keyless", &news).with(json!({ "accountRef": { "name": "no-secret" } }));
    let keyless = keyless.between(times.0, times.1).create().await;
    let jobless = stage.window("jobless", &unknown).between(times.0, times.1).create().await;
    for (window, reason) in [(&keyless, "SecretNotFound"), (&jobless, "JobNotFound")] {
        let told = window.until("it is told", ready("False", reason)).await;
        assert_eq!(told.phase, "Pending");
        eventually("an event tells", async || {
            let mut events = window.events().await.into_iter();
            events.find(|event| event.reason.as_deref() == Some(reason) && event.type_.as_deref() == Some("Warning"))
        })
        .await;
        let count = operator.scrape().await.value(&format!("jobstartstop_unready_windows{{reason=\"{reason}\"}}"));
        assert!((count - 1.0).abs() < f64::EPSILON, "{reason}: {count}");
    }
}

pub(crate) async fn case_39_a_thousand_edits_are_no_error_and_repeat_no_call() {
    const WINDOWS: usize = 10;
    const EDITS: i64 = 100;
    // The machine is busy with the edits, and with other scenes.
    const HELD_UP: SignedDuration = SignedDuration::from_secs(4);
    let stage = Stage::unattended("case-39").await;
    let operator = stage.start_operator().await;
    let (start, stop) = (in_seconds(4), in_seconds(8));
    let mut windows = Vec::new();
    for number in 0..WINDOWS {
        let channel = stage.channel(&format!("channel-{number}")).await;
        let booking = stage.window("window", &channel);
        let booking = booking.named(&format!("window-{number}"));
        let window = booking.between(start, stop).create().await;
        windows.push((channel, window));
    }
    // From before the start until after the stop, so that they meet every write of the status.
    let first = start - SignedDuration::from_secs(1);
    join_all(windows.iter().map(async |(_, window)| {
        for edit in 0..EDITS {
            until_past(first + SignedDuration::from_millis(edit * 60)).await;
            window.edit(json!({ "description": format!("Edit {edit}") })).await;
        }
    }))
    .await;
    assert!(jiff::Timestamp::now() > stop, "the edits ended before the stop");
    for (channel, window) in &windows {
        window.reaches("Finished").await;
        let calls = channel.was_called(1, 1).await;
        let late = received(&calls.activate[0]).duration_since(start);
        assert!(late < HELD_UP, "the start was held up for {late:?} by the edits of its object");
    }
    let conflicts = r#"jobstartstop_apiserver_writes_total{object="status",outcome="conflict"}"#;
    assert!(operator.scrape().await.value(conflicts) > 0.0, "no edit met a write: nothing is shown");
    for told in stage.everything_told() {
        let noise = |line: &&str| line.contains("object has been modified") && !line.contains("DEBUG");
        assert_eq!(told.lines().find(noise), None);
        assert_eq!(told.lines().find(|line| line.contains(" ERROR ")), None);
    }
}

pub(crate) async fn case_40_suspended_is_a_condition_of_its_own_and_holds_the_start_but_not_the_stop() {
    let stage = Stage::open("case-40").await;
    let (news, sport, control) =
        (stage.channel("news").await, stage.channel("sport").await, stage.channel("control").await);
    let (start, stop) = (in_seconds(2), in_seconds(8));
    let on = stage.window("sport", &sport).between(start, stop).create().await;
    let held = stage.window("news", &news).with(json!({ "suspend": true })).between(start, stop).create().await;
    let other = stage.window("control", &control).between(start, stop).create().await;
    let suspended = held.until("it says so", ready("True", "Suspended")).await;
    assert_eq!(condition(&suspended, "Suspended").unwrap().status, "True");
    on.reaches("Active").await;
    on.edit(json!({ "suspend": true })).await;
    // There is no start to hold any more.
    let seen = on.until("the edit is observed", phase("Active")).await;
    assert!(condition(&seen, "Suspended").is_none(), "{:?}", seen.conditions);
    for window in [&on, &other] {
        window.reaches("Finished").await;
    }
    held.reaches("Missed").await;
    for channel in [&sport, &control] {
        channel.was_called(1, 1).await;
    }
    news.was_left_alone().await;
}

pub(crate) async fn case_46_a_window_wholly_past_when_first_seen_calls_nothing() {
    let stage = Stage::open("case-46").await;
    let (old, control) = (stage.channel("old").await, stage.channel("control").await);
    let past = stage.window("old", &old).between(in_seconds(-7200), in_seconds(-3600)).create().await;
    let now = stage.window("now", &control).between(in_seconds(1), in_seconds(3)).create().await;
    let missed = past.reaches("Missed").await;
    assert_eq!(missed.activation.reason, "WindowPast");
    assert!(ready("True", "WindowPast")(&missed), "nobody has to act: {:?}", missed.conditions);
    now.reaches("Finished").await;
    control.was_called(1, 1).await;
    old.was_left_alone().await;
}

/// Unset, and each of the three.
const POLICIES: [Option<&str>; 4] = [None, Some("Stop"), Some("Cancel"), Some("Retain")];

pub(crate) async fn case_49_the_objects_policy_holds_over_the_accounts_and_that_over_the_flag() {
    join_all(POLICIES.map(policies_under)).await;
    let explained = house().await.plane.kubectl(["explain", "jss.spec.deletionPolicy"]).await;
    let named = POLICIES.iter().flatten().all(|policy| explained.contains(policy));
    assert!(named && explained.contains("else Stop"), "{explained}");
}

/// With one value of the flag, every policy of an account and of an object.
async fn policies_under(flag: Option<&str>) {
    let named = |policy: Option<&str>| policy.unwrap_or("none").to_lowercase();
    let stage = Stage::unattended(&format!("case-49-{}", named(flag))).await;
    let arguments: Vec<&str> = flag.into_iter().flat_map(|flag| ["--deletion-policy", flag]).collect();
    let _operator = stage.start_operator_with(&arguments).await;
    let news = stage.channel("news").await;
    let mut windows = Vec::new();
    for own in POLICIES {
        let booking = stage.window("policy", &news).named(&named(own)).between(in_seconds(3600), in_seconds(7200));
        windows.push((own, booking.with(json!({ "deletionPolicy": own })).create().await));
    }
    for account in POLICIES {
        stage.edit_account(json!({ "defaults": { "deletionPolicy": account } })).await;
        for (own, window) in &windows {
            let wanted = own.or(account).or(flag).unwrap_or("Stop");
            let what = format!("flag {flag:?}, account {account:?} and object {own:?} are {wanted}");
            eventually(&what, async || (window.status().deletion_policy == wanted).then_some(())).await;
        }
    }
    for (own, window) in windows {
        let shown = window.records().into_iter().map(|record| record.status().deletion_policy.clone());
        let others: Vec<_> = shown.filter(|shown| !shown.is_empty() && own.is_some_and(|own| own != shown)).collect();
        assert_eq!(others, [""; 0], "an object's own policy {own:?} was overruled for a while");
    }
}

pub(crate) async fn case_54_on_air_neither_job_nor_account_can_be_changed() {
    let stage = Stage::open("case-54").await;
    let (news, sport) = (stage.channel("news").await, stage.channel("sport").await);
    let window = stage.window("news", &news).between(in_seconds(1), in_seconds(5)).create().await;
    window.reaches("Active").await;
    for edit in [json!({ "jobID": sport.id }), json!({ "accountRef": { "name": "another" } })] {
        let refusal = window.try_edit(edit).await.unwrap_err().to_string();
        assert!(refusal.contains("cannot change"), "{refusal}");
    }
    window.reaches("Finished").await;
    news.was_called(1, 1).await;
    sport.was_left_alone().await;
}

pub(crate) async fn case_67_on_air_an_edit_reaches_only_the_stop_and_one_of_the_start_is_refused() {
    let stage = Stage::open("case-67").await;
    let news = stage.channel("news").await;
    let start = in_seconds(1);
    let window = stage.window("news", &news).between(start, in_seconds(600)).create().await;
    let active = window.reaches("Active").await;
    let refusal = window.try_edit(json!({ "activation": { "time": plus(start, 60) } })).await.unwrap_err().to_string();
    assert!(refusal.contains("activation.time") && refusal.contains("the start was made"), "{refusal}");
    let stop = in_seconds(2);
    window.edit(json!({ "deactivation": { "time": stop } })).await;
    let ended = window.reaches("Finished").await;
    assert_eq!((&ended.activation, ended.deactivation.attempts), (&active.activation, 1));
    let calls = news.was_called(1, 1).await;
    assert!(received(&calls.deactivate[0]) >= stop);
}

pub(crate) async fn case_71_a_stop_is_repeated_without_limit_until_a_state_is_read_that_is_not_billed() {
    let stage = Stage::unattended("case-71").await;
    let operator = stage.start_operator().await;
    let mut windows = Vec::new();
    // Waiting for an encoder, with one, and with one lost: all three are billed.
    for (name, encoder, state) in [
        ("waiting", json!([]), "waiting"),
        ("processing", json!([100]), "processing"),
        ("disconnected", json!([100, 400]), "disconnected"),
    ] {
        let channel = stage.channel(name).await;
        channel.overrides(json!({ "encoder": encoder })).await;
        channel.fault("deactivate", json!({ "effect": "refuse", "status": 400, "times": 4 })).await;
        let window = stage.window(name, &channel).between(in_seconds(1), in_seconds(4)).create().await;
        windows.push((channel, window, state));
    }
    for (_, window, state) in &windows {
        let told = window.until("its stop is refused", ready("False", "StopRefused")).await;
        assert_eq!((&*told.phase, &*told.job.state), ("Active", *state));
    }
    eventually("what is billed past the stop is measured", async || {
        (operator.scrape().await.value("jobstartstop_billed_past_stop_seconds") > 0.0).then_some(())
    })
    .await;
    for (channel, window, _) in &windows {
        let ended = window.reaches("Finished").await;
        assert_eq!((&*ended.job.reading, ended.deactivation.attempts), ("Off", 5));
        channel.was_called(1, 5).await;
    }
    let billed = operator.scrape().await.value("jobstartstop_billed_past_stop_seconds");
    assert!(billed.abs() < f64::EPSILON, "{billed}");
}

/// A stage whose account calls its starts 5 s ahead.
async fn with_a_lead(name: &str) -> Stage {
    let stage = Stage::without_access(name).await;
    stage.put_secret(&stage.key).await;
    stage.create_account(json!({ "defaults": { "activationLeadSeconds": 5 } })).await;
    stage
}

fn no_capacity(times: u32) -> Value {
    json!({ "effect": "refuse", "status": 400, "times": times, "body": { "error": {
        "message": "no_streaming_capacity_in_region", "code": "400" } } })
}

pub(crate) async fn case_72_a_start_refused_for_capacity_is_repeated_within_its_lead_and_is_not_late() {
    let stage = with_a_lead("case-72").await;
    let (news, sport) = (stage.channel("news").await, stage.channel("sport").await);
    news.fault("activate", no_capacity(2)).await;
    let start = in_seconds(7);
    let window = stage.window("news", &news).between(start, in_seconds(600)).create().await;
    let active = window.reaches("Active").await;
    assert_eq!(active.activation.attempts, 3);
    let calls = news.was_called(3, 0).await;
    let first = received(&calls.activate[0]).duration_since(plus(start, -5));
    assert!(!first.is_negative() && first < LATE, "called ahead by its lead: {first:?}");
    assert!(received(&calls.activate[2]) < start, "on before its time");

    // First seen when its lead has begun, it is called at once and not after another lead.
    let soon = in_seconds(3);
    let within = stage.window("sport", &sport).between(soon, in_seconds(600)).create().await;
    within.reaches("Active").await;
    let calls = sport.was_called(1, 0).await;
    assert!(received(&calls.activate[0]) < soon, "the lead made it late");
}

pub(crate) async fn case_72_refused_for_capacity_throughout_it_is_called_at_its_time_too_and_up_to_its_deadline() {
    let stage = with_a_lead("case-72-full").await;
    let news = stage.channel("news").await;
    news.fault("activate", no_capacity(1000)).await;
    let (start, deadline) = (in_seconds(6), json!({ "startingDeadlineSeconds": 10 }));
    let window = stage.window("news", &news).with(deadline).between(start, plus(start, 600)).create().await;
    window.until("it waits for capacity", |status| status.activation.reason == "WaitingForCapacity").await;
    let failed = window.reaches("Failed").await;
    assert_eq!(failed.activation.reason, "StartDeadlineExceeded");
    let calls = news.calls().await;
    let made: Vec<SignedDuration> = calls.activate.iter().map(|call| received(call).duration_since(start)).collect();
    let from_lead_to_deadline = SignedDuration::from_secs(-5)..=SignedDuration::from_secs(10) + LATE;
    assert!(made.iter().all(|at| from_lead_to_deadline.contains(at)), "{made:?}");
    let at_its_time = SignedDuration::ZERO..SignedDuration::from_secs(1);
    assert!(made.iter().any(|at| at_its_time.contains(at)), "a wait begun in its lead made it late: {made:?}");
    assert_eq!(calls.deactivate.len(), 0);
}

pub(crate) async fn case_76_extended_just_before_its_stop_a_show_stays_on_without_a_gap_and_keeps_its_settings() {
    let stage = Stage::open("case-76").await;
    let news = stage.channel("news").await;
    let settings = json!({ "startingDeadlineSeconds": 60, "deletionPolicy": "Cancel", "description": "The final" });
    let stop = in_seconds(8);
    let window = stage.window("news", &news).with(settings.clone()).between(in_seconds(1), stop).create().await;
    window.reaches("Active").await;
    until_past(plus(stop, -5)).await;
    let extended = plus(stop, 3);
    window.edit(json!({ "deactivation": { "time": extended } })).await;
    window.reaches("Finished").await;
    let calls = news.was_called(1, 1).await;
    assert!(received(&calls.deactivate[0]) >= extended, "cut at its old stop");
    assert_eq!(news.report().await.sessions, 1);
    let spec = serde_json::to_value(&window.records().last().unwrap().object.spec).unwrap();
    for (field, value) in settings.as_object().unwrap() {
        assert_eq!(&spec[field], value, "{field}");
    }
}

pub(crate) async fn case_84_an_encoder_that_drops_out_ends_and_starts_nothing() {
    let stage = Stage::open("case-84").await;
    let news = stage.channel("news").await;
    news.overrides(json!({ "encoder": [200, 800, 6000] })).await;
    let stop = in_seconds(6);
    let window = stage.window("news", &news).between(in_seconds(1), stop).create().await;
    window.until("it is without its encoder", |status| status.job.state == "disconnected").await;
    window.reaches("Finished").await;
    let calls = news.was_called(1, 1).await;
    assert!(received(&calls.deactivate[0]) >= stop);
    // From its start to its stop it is shown as on air, with its encoder and without.
    let records = window.records();
    let on_air = records.iter().map(Record::status).filter(|status| !status.activation.confirmed_at.is_empty());
    for status in on_air.take_while(|status| status.deactivation.called_at.is_empty()) {
        let shown = (&*status.phase, &*condition(status, "OnAir").unwrap().status);
        assert_eq!(shown, ("Active", "True"), "{status:?}");
    }
}

/// docs/cases.md, case 37, as far as it goes here: what no window of ours has on is not ours to switch off.
pub(crate) async fn case_37_a_channel_that_somebody_else_has_on_is_not_switched_off_by_a_window_that_goes_before_its_start()
 {
    let stage = Stage::open("not-ours").await;
    let news = stage.channel("news").await;
    let planned = stage.window("news", &news).between(in_seconds(600), in_seconds(1200)).create().await;
    planned.reaches("Pending").await;
    news.somebody_switches_it("on").await;
    planned.delete().await;
    planned.is_gone().await;
    eventually("it has come on", async || news.is_on().await.then_some(())).await;
    news.was_left_alone().await;
}
