//! Several windows of one channel: it is on from the first start to the last stop.

use jiff::Timestamp;
use jobstartstop::api::JobStartStopStatus;

use crate::harness::{Channel, LATE, Stage, Window, condition, in_seconds, plus, received};

fn conflicts_with(other: &Window) -> impl Fn(&JobStartStopStatus) -> bool {
    let other = other.full_name();
    move |status| condition(status, "Conflict").is_some_and(|c| c.status == "True" && c.message.contains(&other))
}

async fn one_session(channel: &Channel, from: Timestamp, to: Timestamp) {
    let calls = channel.was_called(1, 1).await;
    for (call, planned) in [(&calls.activate[0], from), (&calls.deactivate[0], to)] {
        let late = received(call).duration_since(planned);
        assert!(!late.is_negative() && late < LATE, "{:?} {late:?} after its time", call.operation);
    }
}

pub(crate) async fn overlapping_windows_are_one_session() {
    let stage = Stage::open("overlap").await;
    let cinema = stage.channel("cinema").await;
    let start = in_seconds(3);
    let matinee = stage.window("matinee", &cinema).between(start, plus(start, 3)).create().await;
    let premiere = stage.window("premiere", &cinema).between(plus(start, 2), plus(start, 5)).create().await;
    overlapping(&cinema, (&matinee, &premiere), start).await;
}

pub(crate) async fn overlapping_windows_of_two_namespaces_are_one_session() {
    let stage = Stage::open("overlap-teams").await;
    let other_team = stage.second_namespace().await;
    let cinema = stage.channel("cinema").await;
    let start = in_seconds(3);
    let matinee = stage.window("matinee", &cinema).between(start, plus(start, 3)).create().await;
    let booking = stage.window("premiere", &cinema).in_namespace(&other_team);
    let premiere = booking.between(plus(start, 2), plus(start, 5)).create().await;
    overlapping(&cinema, (&matinee, &premiere), start).await;
}

async fn overlapping(channel: &Channel, (first, second): (&Window, &Window), start: Timestamp) {
    // Names and uids decide between windows created in one second.
    let told = first.until("either shows the conflict", |_| {
        conflicts_with(second)(&first.status()) || conflicts_with(first)(&second.status())
    });
    told.await;
    assert!(Timestamp::now() < start, "told only on air");

    let second_on = second.reaches("Active").await;
    assert_eq!(second_on.activation.reason, "AlreadyOnAir");
    let kept = first.reaches("Finished").await;
    assert_eq!(kept.deactivation.reason, "KeptOnAir");
    assert!(kept.deactivation.message.contains(&second.full_name()), "{}", kept.deactivation.message);
    assert!(condition(&kept, "OnAir").is_none(), "it no longer speaks for the channel: {:?}", kept.conditions);
    let stopped = second.reaches("Finished").await;
    assert_eq!(stopped.deactivation.reason, "Stopped");
    one_session(channel, start, plus(start, 5)).await;
}

pub(crate) async fn a_nested_window_ends_without_a_stop() {
    let stage = Stage::open("nested").await;
    let cinema = stage.channel("cinema").await;
    let start = in_seconds(3);
    let festival = stage.window("festival", &cinema).between(start, plus(start, 5)).create().await;
    let short_film = stage.window("short-film", &cinema).between(plus(start, 2), plus(start, 3)).create().await;
    let kept = short_film.reaches("Finished").await;
    assert_eq!((&*kept.activation.reason, &*kept.deactivation.reason), ("AlreadyOnAir", "KeptOnAir"));
    assert!(kept.deactivation.message.contains(&festival.full_name()), "{}", kept.deactivation.message);
    assert_eq!(festival.status().phase, "Active");
    let stopped = festival.reaches("Finished").await;
    assert_eq!(stopped.deactivation.reason, "Stopped");
    one_session(&cinema, start, plus(start, 5)).await;
}

pub(crate) async fn touching_windows_are_one_session_without_a_conflict() {
    let stage = Stage::open("touching").await;
    let cinema = stage.channel("cinema").await;
    let start = in_seconds(3);
    let first = stage.window("first", &cinema).between(start, plus(start, 2)).create().await;
    let second = stage.window("second", &cinema).between(plus(start, 2), plus(start, 4)).create().await;
    let kept = first.reaches("Finished").await;
    assert_eq!(kept.deactivation.reason, "KeptOnAir");
    let stopped = second.reaches("Finished").await;
    assert_eq!(stopped.activation.reason, "AlreadyOnAir");
    one_session(&cinema, start, plus(start, 4)).await;
    for window in [first, second] {
        assert!(window.records().iter().all(|record| condition(record.status(), "Conflict").is_none()));
    }
}

pub(crate) async fn a_gap_too_short_to_turn_in_is_closed() {
    let stage = Stage::open("short-gap").await;
    let cinema = stage.channel("cinema").await;
    let start = in_seconds(3);
    // 2 s apart; a channel needs 3 s to turn, at a twentieth.
    let first = stage.window("first", &cinema).between(start, plus(start, 1)).create().await;
    let second = stage.window("second", &cinema).between(plus(start, 3), plus(start, 5)).create().await;
    second.reaches("Finished").await;
    first.reaches("Finished").await;
    one_session(&cinema, start, plus(start, 5)).await;
}
