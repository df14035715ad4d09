//! Clocks that step, stand still or are wrong: the operator's, the Live API's, the apiserver's.

use serde_json::{Value, json};
use simulator::Operation;

use super::world::{World, at, minutes, simulate};

const PATH: &str = "tv/news";
const START: i64 = minutes(20);
const STOP: i64 = minutes(40);
const HOUR: i64 = 3600;

async fn begin(world: &mut World) {
    world.settle("tv");
    world.jobs(&["studio"]);
    world.start_operator();
    world.until(minutes(1)).await;
    world.window(PATH, "studio", (START, STOP));
    world.until(minutes(2)).await;
}

fn assert_once(world: &World, start: i64, stop: i64) {
    world.assert_blocks("studio", &[(start, stop)]);
    assert_eq!(world.count("studio", Operation::Activate), 1);
    assert_eq!(world.count("studio", Operation::Deactivate), 1);
    world.assert_finished(PATH);
}

fn skew_condition(world: &World) -> Option<Value> {
    let account = world.store.get("liveaccounts", "tv", "default").unwrap();
    let conditions = account["status"]["conditions"].as_array().unwrap().clone();
    conditions.into_iter().find(|condition| condition["type"] == "ClockSkew")
}

/// Somebody sets the clock an hour ahead, at any moment of a window's life: the Live API's answers tell, and both calls
/// are made at the right time all the same.
#[test]
fn set_an_hour_ahead_at_any_moment_nothing_is_early_or_missed() {
    for moment in [minutes(5), START - 1, START + 1, minutes(30), STOP - 1, STOP + 1] {
        simulate(1, async |world| {
            begin(world).await;
            world.until(moment).await;
            world.set_operators_clock(HOUR);
            world.until(minutes(60)).await;
            assert_once(world, START, STOP);
            world.assert_prompt("studio", &[(START, STOP)], 1_500);
            let told = skew_condition(world).expect("the account says so");
            assert_eq!((&told["status"], &told["reason"]), (&json!("True"), &json!("ClockSkew")));
        });
    }
}

/// An hour behind a start is late, by the operator's own clock it is not; the stop goes by the Live API's.
#[test]
fn set_an_hour_back_on_air_the_stop_is_on_time_and_no_start_is_repeated() {
    for moment in [START + 1, START + 30, minutes(30), STOP - 1, STOP + 1] {
        simulate(1, async |world| {
            begin(world).await;
            world.until(moment).await;
            world.set_operators_clock(-HOUR);
            world.until(minutes(60)).await;
            assert_once(world, START, STOP);
            world.assert_prompt("studio", &[(START, STOP)], 2_500);
        });
    }
}

#[test]
fn set_back_before_the_start_nothing_is_early_and_set_right_again_it_is_made_at_once() {
    simulate(1, async |world| {
        begin(world).await;
        world.until(minutes(5)).await;
        world.set_operators_clock(-HOUR);
        world.until(minutes(25)).await;
        assert_eq!(world.count("studio", Operation::Activate), 0);
        world.set_operators_clock(0);
        world.until(minutes(60)).await;
        assert_once(world, minutes(25), STOP);
        world.assert_prompt("studio", &[(minutes(25), STOP)], 1_000);
    });
}

/// What a suspended machine sees: half an hour is gone, and the Live API's clock went along.
#[test]
fn waking_after_half_an_hour_what_is_due_is_made_within_a_second_and_once() {
    const ASLEEP: i64 = minutes(30);
    for (asleep_from, wakes, expected) in [
        // Across the start; across the start's call and its confirmation; across the stop.
        (minutes(5), minutes(25), Some((minutes(25), STOP))),
        (minutes(15), minutes(45), None),
    ] {
        simulate(1, async |world| {
            // Both clocks run behind, until both are right at once.
            world.set_operators_clock(-ASLEEP);
            world.vendor_settings(|settings| settings.date_skew_seconds = -ASLEEP);
            begin(world).await;
            world.until(asleep_from.max(minutes(3))).await;
            world.until(wakes).await;
            world.set_operators_clock(0);
            world.vendor_settings(|settings| settings.date_skew_seconds = 0);
            world.until(minutes(60)).await;
            if let Some((start, stop)) = expected {
                assert_once(world, start, stop);
                world.assert_prompt("studio", &[(start, stop)], 1_000);
            } else {
                assert_eq!(world.count("studio", Operation::Activate), 0, "the window was slept through");
                assert_eq!(world.phase(PATH), "Missed");
            }
        });
    }
}

#[test]
fn waking_after_the_stop_it_is_made_within_a_second() {
    simulate(1, async |world| {
        begin(world).await;
        // The machine sleeps on air: its clock stands, and so does what it hears of the Live API's.
        world.until(minutes(30)).await;
        world.set_operators_clock(-minutes(10));
        world.vendor_settings(|settings| settings.date_skew_seconds = -minutes(10));
        world.until(minutes(45)).await;
        assert_eq!(world.count("studio", Operation::Deactivate), 0);
        world.set_operators_clock(0);
        world.vendor_settings(|settings| settings.date_skew_seconds = 0);
        world.until(minutes(60)).await;
        assert_once(world, START, minutes(45));
        world.assert_prompt("studio", &[(START, minutes(45))], 1_000);
    });
}

/// From the beginning: the operator is the one that is right, or nobody can tell.
#[test]
fn a_clock_that_is_a_minute_off_from_the_vendors_makes_no_start_early_and_stops_by_the_vendors() {
    for off in [60, -60] {
        simulate(1, async |world| {
            world.vendor_settings(|settings| settings.date_skew_seconds = off);
            begin(world).await;
            world.until(minutes(60)).await;
            let (start, stop) = (START + (-off).max(0), STOP - off);
            assert_once(world, start, stop);
            world.assert_prompt("studio", &[(start, stop)], 1_500);
            assert!(skew_condition(world).is_some());
        });
    }
}

#[test]
fn a_few_seconds_off_change_nothing() {
    for off in [-4, 4] {
        simulate(1, async |world| {
            world.vendor_settings(|settings| settings.date_skew_seconds = off);
            begin(world).await;
            world.until(minutes(60)).await;
            assert_once(world, START, STOP);
            world.assert_prompt("studio", &[(START, STOP)], 10);
        });
    }
}

/// The apiserver's timestamps are looked at for their order and their presence only.
#[test]
fn the_apiservers_clock_does_not_matter() {
    for off in [-10 * HOUR, 10 * HOUR] {
        simulate(1, async |world| {
            begin(world).await;
            world
                .store
                .edit("jobstartstops", "tv", "news", |object| {
                    object["metadata"]["creationTimestamp"] = json!(at(off));
                })
                .unwrap();
            world.until(minutes(60)).await;
            assert_once(world, START, STOP);
            world.assert_prompt("studio", &[(START, STOP)], 10);
        });
    }
}

/// A process that begins with a wrong clock has nothing to compare it with but the first answer.
#[test]
fn started_with_a_clock_that_is_an_hour_ahead_nothing_is_missed_and_nothing_is_early() {
    for moment in [minutes(5), START - 1, minutes(30), STOP - 1] {
        simulate(1, async |world| {
            begin(world).await;
            world.until(moment).await;
            world.kill_operator().await;
            world.set_operators_clock(HOUR);
            world.start_operator();
            world.until(minutes(60)).await;
            assert_once(world, START, STOP);
            // Killed a second before the start, by a wrong clock it had passed: the next process first makes sure that
            // the call had not left.
            let late = if moment == START - 1 { 11_000 } else { 2_500 };
            world.assert_prompt("studio", &[(START, STOP)], late);
        });
    }
}
