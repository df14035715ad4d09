//! What receivers are told, and when.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use testbed::{How, Received, Receiver};

use crate::harness::{
    Stage, Watched, Window, blocking, condition, eventually, in_seconds, killed, patience, plus, restarted,
};

/// Signing secrets, as Standard Webhooks writes them.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// Receivers of tests are on this machine.
const HERE: [&str; 2] = ["--allow-notification-cidr", "127.0.0.0/8"];

async fn receiver(secrets: &'static [&'static str]) -> Receiver {
    blocking(|| Receiver::start(secrets).unwrap()).await
}

/// Lets receivers on this machine be sent to.
async fn allow(stage: &Stage) {
    stage.edit_account(json!({ "accountID": "1752604059001", "notifications": { "allowHTTP": true } })).await;
}

async fn sign_with(stage: &Stage, entries: &[(&str, &str)]) {
    stage.put_entries("hooks", entries).await;
    let refs: Vec<Value> = entries.iter().map(|(key, _)| json!({ "name": "hooks", "key": key })).collect();
    stage.edit_account(json!({ "notifications": { "signingSecretRefs": refs } })).await;
}

/// What it was sent, once that is enough.
async fn sent(receiver: &Receiver, enough: impl FnMut(&[Received]) -> bool) -> Vec<Received> {
    receiver.until(enough, patience()).await.unwrap_or_else(|error| panic!("waited in vain: {error}"))
}

fn body(received: &Received) -> Value {
    serde_json::from_slice(&received.body).unwrap()
}

fn actions(received: &[Received]) -> Vec<String> {
    received.iter().map(|one| body(one)["action"].as_str().unwrap().to_owned()).collect()
}

/// State and reason of a notification, as its window shows it.
async fn shows(window: &Window, action: &str, state: &str, reason: &str) {
    window
        .until(&format!("{action} is {state} {reason}"), |status| {
            let found = status.notifications.iter().find(|one| one.action == action);
            found.is_some_and(|one| one.state == state && one.reason == reason)
        })
        .await;
}

pub(crate) async fn a_whole_life_is_told_in_the_vendors_bodies_in_order_and_signed() {
    let stage = Stage::unattended("told").await;
    let receiver = receiver(&[SECRET]).await;
    allow(&stage).await;
    sign_with(&stage, &[("signingSecret", SECRET)]).await;
    let _operator = stage.start_operator_with(&HERE).await;
    let news = stage.channel("news").await;
    let (start, stop) = (in_seconds(5), in_seconds(9));
    let ahead = json!({
        "activation": { "notificationSeconds": 2 },
        "deactivation": { "notificationSeconds": 2 },
        "notificationURL": receiver.url(),
        "description": "The news",
    });
    let window = stage.window("news", &news).between(start, stop).with(ahead).create().await;
    let letters = sent(&receiver, |received| received.len() == 4).await;
    assert_eq!(actions(&letters), ["notify-activate", "activate", "notify-deactivate", "deactivate"]);
    assert!(letters.iter().all(Received::is_verified));

    let workflow_id = window.uid.replace('-', "");
    let states = [("pending", "pending"), ("finished", "pending"), ("finished", "pending"), ("finished", "finished")];
    for (one, (activation, deactivation)) in letters.iter().zip(states) {
        let told = body(one);
        let expected = json!({
            "action": told["action"],
            "workflow": {
                "account_id": "1752604059001",
                "activation": { "notification": 2, "state": activation, "time_utc": start.as_second() },
                "deactivation": { "notification": 2, "state": deactivation, "time_utc": stop.as_second() },
                "description": "The news",
                "job_id": news.id,
                "notification_url": receiver.url(),
                "type": "jobstartstop",
                "workflow_id": workflow_id,
            },
        });
        assert_eq!(told, expected);
        assert_eq!(one.header("content-type"), "application/json");
    }
    for (one, at) in [(&letters[0], plus(start, -2)), (&letters[2], plus(stop, -2))] {
        let late = one.at.duration_since(at);
        assert!((SignedDuration::ZERO..SignedDuration::from_secs(1)).contains(&late), "{late:?}");
    }
    for action in ["notify-activate", "activate", "notify-deactivate", "deactivate"] {
        shows(&window, action, "delivered", "").await;
    }
    news.was_called(1, 1).await;
    let path = "/live/callbacks";
    assert!(stage.everything_told().iter().all(|told| !told.contains(path)), "the path is a secret");
}

pub(crate) async fn a_failed_start_is_told_with_its_error() {
    let stage = Stage::unattended("told-failed").await;
    let receiver = receiver(&[]).await;
    allow(&stage).await;
    let _operator = stage.start_operator_with(&HERE).await;
    let film = stage.channel_that_is("film", json!({ "static": false })).await;
    let url = json!({ "notificationURL": receiver.url() });
    let window = stage.window("film", &film).between(in_seconds(1), in_seconds(600)).with(url).create().await;
    let letters = sent(&receiver, |received| !received.is_empty()).await;
    let told = body(&letters[0]);
    assert_eq!(told["action"], "activate");
    assert_eq!(told["error"]["reason"], "NotStatic");
    assert!(told["error"]["message"].as_str().unwrap().contains("static"), "{told}");
    assert_eq!(told["workflow"]["activation"]["state"], "failed");
    assert_eq!(told["workflow"]["deactivation"]["state"], "cancelled", "as the vendor has it");
    shows(&window, "activate", "delivered", "").await;
}

pub(crate) async fn case_99_killed_before_its_delivery_a_notification_comes_after_the_restart_under_the_same_id() {
    let stage = Stage::unattended("told-later").await;
    let receiver = receiver(&[]).await;
    receiver.answer(How::code(503));
    allow(&stage).await;
    let operator = stage.start_operator_with(&HERE).await;
    let news = stage.channel("news").await;
    let url = json!({ "notificationURL": receiver.url() });
    let window = stage.window("news", &news).between(in_seconds(1), in_seconds(600)).with(url).create().await;
    shows(&window, "activate", "pending", "ReceiverRefused").await;
    let operator = killed(operator).await;
    let before = receiver.received();
    receiver.answer(How::code(204));
    let _operator = restarted(operator).await;
    let more = |received: &[Received]| received.len() > before.len();
    let letters = sent(&receiver, more).await;
    let ids: Vec<&str> = letters.iter().map(|one| one.header("webhook-id")).collect();
    assert!(ids.iter().all(|id| *id == ids[0] && id.contains(&window.uid.replace('-', ""))), "{ids:?}");
    shows(&window, "activate", "delivered", "").await;
    assert_eq!(window.status().notifications[0].id, ids[0]);
    news.was_called(1, 0).await;
}

pub(crate) async fn case_93_while_a_secret_is_changed_both_sign_and_each_verifies() {
    let stage = Stage::unattended("told-rotated").await;
    let receiver = receiver(&[SECRET, NEW_SECRET]).await;
    receiver.answer(How::FailFirst { times: 2, code: 500 });
    allow(&stage).await;
    sign_with(&stage, &[("new", NEW_SECRET), ("old", SECRET)]).await;
    let _operator = stage.start_operator_with(&HERE).await;
    let news = stage.channel("news").await;
    let url = json!({ "notificationURL": receiver.url() });
    stage.window("news", &news).between(in_seconds(1), in_seconds(600)).with(url).create().await;
    let letters = sent(&receiver, |received| received.len() == 3).await;
    assert!(letters.iter().all(Received::is_verified), "by both secrets");
    assert!(letters.iter().all(|one| one.header("webhook-id") == letters[0].header("webhook-id")));
    assert!(letters.iter().all(|one| {
        let stamped: i64 = one.header("webhook-timestamp").parse().unwrap();
        (one.at.as_second() - stamped).abs() <= 1
    }));
    assert!(letters.iter().all(|one| one.body == letters[0].body));
}

pub(crate) async fn case_94_who_is_gone_is_asked_no_more_and_that_is_shown_and_counted() {
    let stage = Stage::unattended("told-gone").await;
    let receiver = receiver(&[]).await;
    receiver.answer(How::code(410));
    allow(&stage).await;
    let operator = stage.start_operator_with(&HERE).await;
    let news = stage.channel("news").await;
    let url = json!({ "notificationURL": receiver.url() });
    let window = stage.window("news", &news).between(in_seconds(1), in_seconds(4)).with(url).create().await;
    window.reaches("Finished").await;
    shows(&window, "activate", "failed", "ReceiverGone").await;
    shows(&window, "deactivate", "failed", "ReceiverGone").await;
    assert_eq!(receiver.received().len(), 1, "its second notification is not even tried");
    eventually("the dead letter is an event", async || {
        let events = window.events().await;
        events.iter().any(|event| event.reason.as_deref() == Some("NotificationFailed")).then_some(())
    })
    .await;
    let lost = "jobstartstop_notifications_lost_total{action=\"activate\",outcome=\"failed\"}";
    assert!((operator.scrape().await.value(lost) - 1.0).abs() < f64::EPSILON);
    assert_eq!(
        condition(&window.status(), "Ready").unwrap().status,
        "True",
        "a receiver keeps no window from being well"
    );
}

pub(crate) async fn case_95_a_receiver_inside_the_network_is_sent_nothing_unless_its_range_is_opened() {
    let stage = Stage::unattended("told-inside").await;
    let receiver = receiver(&[]).await;
    allow(&stage).await;
    let _operator = stage.start_operator().await;
    let names = ["127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]", "169.254.169.254"];
    let mut windows = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let channel = stage.channel(&format!("inside-{number}")).await;
        let url = json!({ "notificationURL": format!("http://{name}:{}/", receiver.port()) });
        let booking = stage.window("inside", &channel).named(&format!("inside-{number}"));
        windows.push(booking.between(in_seconds(1), in_seconds(600)).with(url).create().await);
    }
    for window in &windows {
        shows(window, "activate", "pending", "ReceiverNotAllowed").await;
    }
    assert_eq!(receiver.received().len(), 0);
}

pub(crate) async fn without_a_secret_the_account_says_that_notifications_are_unsigned_and_with_a_broken_one_none_go_out()
 {
    let stage = Stage::unattended("told-unsigned").await;
    let receiver = receiver(&[]).await;
    allow(&stage).await;
    let _operator = stage.start_operator_with(&HERE).await;
    let unsigned = |status: &'static str, reason: &'static str| {
        move |shown: &jobstartstop::api::LiveAccountStatus| {
            let found = shown.conditions.iter().find(|condition| condition.type_ == "NotificationsUnsigned");
            found.is_some_and(|found| found.status == status && found.reason == reason)
        }
    };
    let news = stage.channel("news").await;
    let url = json!({ "notificationURL": receiver.url() });
    let window = stage.window("news", &news).between(in_seconds(4), in_seconds(600)).with(url).create().await;
    stage.account_shows("that nothing is signed", unsigned("True", "NoSigningSecret")).await;
    sign_with(&stage, &[("signingSecret", "too-short")]).await;
    stage.account_shows("a broken secret", unsigned("Unknown", "SigningSecretUnusable")).await;
    shows(&window, "activate", "pending", "SigningSecretUnusable").await;
    assert_eq!(receiver.received().len(), 0);
    sign_with(&stage, &[("signingSecret", SECRET)]).await;
    shows(&window, "activate", "delivered", "").await;
}

pub(crate) async fn an_edit_moves_what_is_told_ahead() {
    let stage = Stage::unattended("told-moved").await;
    let receiver = receiver(&[]).await;
    allow(&stage).await;
    let _operator = stage.start_operator_with(&HERE).await;
    let news = stage.channel("news").await;
    let (first, second) = (in_seconds(6), in_seconds(8));
    let ahead = json!({ "activation": { "notificationSeconds": 3 }, "notificationURL": receiver.url() });
    let window = stage.window("news", &news).between(first, in_seconds(600)).with(ahead).create().await;
    shows(&window, "notify-activate", "scheduled", "").await;
    window.edit(json!({ "activation": { "time": second } })).await;
    let letters = sent(&receiver, |received| received.len() == 2).await;
    assert_eq!(actions(&letters), ["notify-activate", "activate"]);
    assert!(letters[0].at >= plus(second, -3), "not at the moment it was moved from");
    assert_eq!(body(&letters[0])["workflow"]["activation"]["time_utc"], second.as_second());
}

pub(crate) async fn a_deleted_window_waits_for_its_last_notification_and_not_for_ever() {
    let stage = Stage::unattended("told-deleted").await;
    let receiver = receiver(&[]).await;
    receiver.answer(How::FailFirst { times: 1, code: 500 });
    allow(&stage).await;
    let _operator = stage.start_operator_with(&HERE).await;
    let news = stage.channel("news").await;
    let url = json!({ "notificationURL": receiver.url() });
    let window = stage.window("news", &news).between(in_seconds(1), in_seconds(600)).with(url.clone()).create().await;
    shows(&window, "activate", "delivered", "").await;
    window.delete().await;
    window.is_gone().await;
    assert_eq!(actions(&receiver.received()).last().map(String::as_str), Some("deactivate"));
    news.was_called(1, 1).await;

    receiver.answer(How::code(500));
    let late = stage.channel("late").await;
    let window = stage.window("late", &late).between(in_seconds(1), in_seconds(600)).with(url).create().await;
    shows(&window, "activate", "pending", "ReceiverRefused").await;
    let deleted = Timestamp::now();
    window.delete().await;
    let gone = window.is_gone().await;
    let last = gone.status().notifications.last().unwrap();
    assert_eq!((last.action.as_str(), last.state.as_str()), ("deactivate", "dropped"));
    // Half a minute, at a twentieth, from the stop's confirmation.
    assert!(Timestamp::now().duration_since(deleted) < SignedDuration::from_secs(20));
}
