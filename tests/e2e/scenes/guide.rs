//! The vendor guide's own example.

use jiff::Timestamp;
use serde_json::json;

use crate::harness::{Stage, in_seconds, phase, ready, received};

const JOB: &str = "15981d93877e490185e6ebc9af2c79a3";
const ACTIVATION: i64 = 1_617_386_100;
const DEACTIVATION: i64 = 1_617_393_600;
const THIRTY_MINUTES_EARLIER: i64 = 1_617_391_800;

/// Create, then stop 30 minutes earlier; every time moved into the near future by one and the same number of seconds.
pub(crate) async fn its_story_shifted_by_one_constant() {
    let stage = Stage::open("guide").await;
    let channel = stage.channel(JOB).await;
    let shift = in_seconds(4).as_second() - ACTIVATION;
    let shifted = |epoch: i64| Timestamp::from_second(epoch + shift).unwrap();

    let booking =
        stage.window("wednesday-broadcast", &channel).with(json!({ "description": "My Wednesday broadcast" }));
    let window = booking.between(shifted(ACTIVATION), shifted(DEACTIVATION)).create().await;
    let created = window.until("key and job are checked", ready("True", "Scheduled")).await;
    assert_eq!((&*created.activation.state, &*created.deactivation.state), ("pending", "pending"));
    assert_eq!(created.activation.time_utc, Some(ACTIVATION + shift));
    assert_eq!(created.deactivation.time_utc, Some(DEACTIVATION + shift));
    assert_eq!(created.workflow_id.len(), "d44cf29f4f184757ac0995beb8a0097e".len());

    window.edit(json!({ "deactivation": { "time": shifted(THIRTY_MINUTES_EARLIER) } })).await;
    let updated = window.until("the update is seen", |status| status.activation.state == "pending").await;
    assert_eq!(updated.deactivation.time_utc, created.deactivation.time_utc.map(|before| before - 1800));
    assert_eq!(updated.activation.time_utc, created.activation.time_utc);
    assert_eq!(updated.workflow_id, created.workflow_id);

    window.reaches("Active").await;
    let calls = channel.was_called(1, 0).await;
    assert!(received(&calls.activate[0]) >= shifted(ACTIVATION), "the start was early");
    // The guide's window still has an hour and a half to run.
    window.edit(json!({ "deactivation": { "time": Timestamp::now().round(jiff::Unit::Second).unwrap() } })).await;
    window.reaches("Finished").await;
    channel.was_called(1, 1).await;
}

/// The same on air: the stop that was planned moves by exactly half an hour, and nothing is called for it.
pub(crate) async fn its_update_on_air() {
    let stage = Stage::open("guide-on-air").await;
    let channel = stage.channel(JOB).await;
    let shift = in_seconds(2).as_second() - ACTIVATION;
    let shifted = |epoch: i64| Timestamp::from_second(epoch + shift).unwrap();

    let booking = stage.window("wednesday-broadcast", &channel);
    let window = booking.between(shifted(ACTIVATION), shifted(DEACTIVATION)).create().await;
    let before = window.reaches("Active").await;
    window.edit(json!({ "deactivation": { "time": shifted(THIRTY_MINUTES_EARLIER) } })).await;
    let after = window.until("the update is seen", phase("Active")).await;
    assert_eq!(after.deactivation.time_utc.unwrap() - before.deactivation.time_utc.unwrap(), -1800);
    assert_eq!(after.deactivation.state, "pending");
    channel.was_called(1, 0).await;
}

/// The very epochs of the guide, long past: shown as they are, and nothing is called.
pub(crate) async fn its_epochs_as_they_stand() {
    let stage = Stage::open("guide-epochs").await;
    let channel = stage.channel(JOB).await;
    let times = json!({
        "activation": { "time": "2021-04-02T17:55:00+00:00" },
        "deactivation": { "time": "2021-04-02T22:00:00+02:00" },
    });
    let window = stage.window("wednesday-broadcast", &channel).with(times).create().await;
    let status = window.until("its one look was made", |status| !status.job.verified_at.is_empty()).await;

    assert_eq!((status.activation.time_utc, status.deactivation.time_utc), (Some(ACTIVATION), Some(DEACTIVATION)));
    assert_eq!(
        (&*status.activation.given, &*status.activation.time),
        ("2021-04-02T17:55:00+00:00", "2021-04-02T17:55:00Z")
    );
    assert_eq!(
        (&*status.deactivation.given, &*status.deactivation.time),
        ("2021-04-02T22:00:00+02:00", "2021-04-02T20:00:00Z")
    );
    assert_eq!((&*status.phase, &*status.activation.reason), ("Missed", "WindowPast"));
    assert!(ready("True", "WindowPast")(&status), "an old manifest is no miss: {:?}", status.conditions);
    channel.was_left_alone().await;
}
