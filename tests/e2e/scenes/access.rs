//! Accounts, Secrets and keys that are missing or wrong, and heal without a restart.

use serde_json::json;

use crate::harness::{Stage, condition, in_seconds, plus, ready, until_past};

pub(crate) async fn a_refused_key_heals_when_its_secret_is_changed() {
    let stage = Stage::without_access("key-refused").await;
    stage.put_secret("an-old-key").await;
    stage.create_account(json!({})).await;
    let news = stage.channel("news").await;
    let start = in_seconds(6);
    let window = stage.window("news", &news).between(start, plus(start, 600)).create().await;
    let refused = window.until("its key is refused", ready("False", "KeyRefused")).await;
    assert_eq!(condition(&refused, "Stalled").unwrap().status, "True");
    let shows = |kind, status| {
        move |account: &jobstartstop::api::LiveAccountStatus| {
            account.conditions.iter().any(|condition| condition.type_ == kind && condition.status == status)
        }
    };
    stage.account_shows("that its key is refused", shows("KeyAccepted", "False")).await;

    stage.put_secret(&stage.key).await;
    window
        .until("it waits for its start", |status| ready("True", "Scheduled")(status) || status.phase == "Active")
        .await;
    stage.account_shows("that its key is accepted", shows("KeyAccepted", "True")).await;
    window.reaches("Active").await;
    news.was_called(1, 0).await;
}

pub(crate) async fn a_secret_created_later_is_found() {
    let stage = Stage::without_access("secret-later").await;
    stage.create_account(json!({})).await;
    let news = stage.channel("news").await;
    let window = stage.window("news", &news).between(in_seconds(300), in_seconds(600)).create().await;
    let waiting = window.until("its Secret is missing", ready("False", "SecretNotFound")).await;
    assert_eq!(condition(&waiting, "Reconciling").unwrap().status, "True");
    stage.put_secret(&stage.key).await;
    window.until("it waits for its start", ready("True", "Scheduled")).await;
}

pub(crate) async fn an_account_created_after_its_window_is_found() {
    let stage = Stage::without_access("account-later").await;
    let news = stage.channel("news").await;
    let window = stage.window("news", &news).between(in_seconds(300), in_seconds(600)).create().await;
    let waiting = window.until("its account is missing", ready("False", "AccountNotFound")).await;
    assert_eq!(condition(&waiting, "Reconciling").unwrap().status, "True");
    stage.put_secret(&stage.key).await;
    stage.create_account(json!({})).await;
    window.until("it waits for its start", ready("True", "Scheduled")).await;
}

pub(crate) async fn an_account_that_comes_too_late_leaves_a_miss() {
    let stage = Stage::without_access("account-too-late").await;
    let news = stage.channel("news").await;
    let stop = in_seconds(3);
    let window = stage.window("news", &news).between(in_seconds(2), stop).create().await;
    let missed = window.reaches("Missed").await;
    assert!(ready("False", "StartMissed")(&missed), "{:?}", missed.conditions);
    stage.put_secret(&stage.key).await;
    stage.create_account(json!({})).await;
    window.until("its stop is dropped", |status| status.deactivation.state == "cancelled").await;
    until_past(plus(stop, 1)).await;
    news.was_left_alone().await;
}

pub(crate) async fn an_endpoint_that_is_not_allowed_gets_no_key() {
    let stage = Stage::without_access("endpoint").await;
    stage.put_secret(&stage.key).await;
    stage.create_account(json!({ "endpoint": "http://127.0.0.1:9" })).await;
    let news = stage.channel("news").await;
    let window = stage.window("news", &news).between(in_seconds(2), in_seconds(4)).create().await;
    let told = window.until("its endpoint is not allowed", ready("False", "EndpointNotAllowed")).await;
    assert_eq!(condition(&told, "Stalled").unwrap().status, "True");
    window.reaches("Missed").await;
    news.was_left_alone().await;
}

pub(crate) async fn an_entry_that_the_secret_lacks_is_named() {
    let stage = Stage::without_access("entry").await;
    stage.put_secret(&stage.key).await;
    stage.create_account(json!({ "apiKeySecretRef": { "key": "another" } })).await;
    let news = stage.channel("news").await;
    let window = stage.window("news", &news).between(in_seconds(300), in_seconds(600)).create().await;
    let told = window.until("the entry is missing", ready("False", "SecretKeyMissing")).await;
    let message = &condition(&told, "Ready").unwrap().message;
    assert!(message.contains("another") && message.contains("bcov-live"), "{message}");
}

pub(crate) async fn a_key_removed_on_air_still_makes_the_stop() {
    let stage = Stage::open("secret-gone").await;
    let news = stage.channel("news").await;
    let window = stage.window("news", &news).between(in_seconds(2), in_seconds(5)).create().await;
    window.reaches("Active").await;
    stage.plane().kubectl(["delete", "secret", "bcov-live", "--namespace", &stage.namespace]).await;
    news.receives(simulator::Operation::Deactivate, 1).await;
    window.reaches("Finished").await;
    news.was_called(1, 1).await;
}

/// docs/cases.md, case 34: the stop after a rotation carries the new key.
pub(crate) async fn case_34_a_rotated_key_is_used_by_the_next_call_without_a_restart() {
    let stage = Stage::open("rotated").await;
    let news = stage.channel("news").await;
    let stop = in_seconds(7);
    let window = stage.window("news", &news).between(in_seconds(2), stop).create().await;
    window.reaches("Active").await;
    let key = stage.rotated_key().await;
    stage.put_secret(&key).await;
    let finished = window.reaches("Finished").await;
    assert_eq!((finished.deactivation.attempts, &*finished.deactivation.reason), (1, "Stopped"));
    news.was_called(1, 1).await;
}

/// docs/cases.md, case 34: the vendor ended the old key before the Secret was changed, and a stop is due meanwhile.
pub(crate) async fn case_34_a_stop_refused_for_its_old_key_is_made_as_soon_as_the_secret_has_another() {
    let stage = Stage::open("rotated-late").await;
    let news = stage.channel("news").await;
    let stop = in_seconds(5);
    let window = stage.window("news", &news).between(in_seconds(2), stop).create().await;
    window.reaches("Active").await;
    let key = stage.rotated_key().await;
    window.until("its stop is refused", |status| status.deactivation.reason == "KeyRefused").await;
    stage.put_secret(&key).await;
    window.reaches("Finished").await;
    assert!(!news.is_on().await);
}
