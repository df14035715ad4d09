//! What receivers are told, whatever dies and whoever does not answer.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use simulator::Operation;

use super::store::Random;
use super::world::{Mood, World, at, minutes, simulate};

/// The ids that its receiver has, and how often it was sent each.
fn ids(world: &World) -> BTreeMap<String, usize> {
    let mut ids = BTreeMap::new();
    for letter in world.receivers.letters() {
        *ids.entry(letter.id).or_default() += 1;
    }
    ids
}

/// A window whose receiver is told a minute ahead.
fn told(world: &World, path: &str, job: &str, times: (i64, i64)) {
    world.window(path, job, times);
    world.edit(path, |spec| {
        spec["notificationURL"] = json!(format!("https://{job}.example.com/callbacks"));
        for task in ["activation", "deactivation"] {
            spec[task]["notificationSeconds"] = json!(60);
        }
    });
}

fn notifications(world: &World, path: &str) -> Vec<Value> {
    world.read(path)["status"]["notifications"].as_array().cloned().unwrap_or_default()
}

#[test]
fn case_99_killed_at_any_moment_each_notification_arrives_and_a_repeat_bears_the_same_id() {
    for seed in 1..=24 {
        simulate(seed, async |world: &mut World| {
            let mut dice = Random::new(seed);
            world.settle("tv");
            world.jobs(&["news"]);
            world.start_operator();
            world.until(1).await;
            told(world, "tv/news", "news", (200, 500));
            for around in [140, 200, 440, 500] {
                // Between a change of state and its delivery, most often: those are within a second or two of each other.
                let moment = around * 1_000 + i64::try_from(dice.below(4_000)).unwrap();
                world.until_millis(moment).await;
                world.receivers.are(if dice.below(2) == 0 { Mood::Mute } else { Mood::Down });
                world.kill_operator().await;
                world.until_millis(moment + 2_000).await;
                world.receivers.are(Mood::Well);
                world.start_operator();
            }
            world.until(minutes(30)).await;
            let accepted: BTreeSet<String> = world
                .receivers
                .letters()
                .into_iter()
                .filter(|letter| letter.accepted)
                .map(|letter| letter.id)
                .collect();
            assert_eq!(accepted.len(), 4, "seed {seed}: {:?}", ids(world));
            assert_eq!(ids(world).len(), 4, "seed {seed}: no other id was ever used: {:?}", ids(world));
            let states: Vec<Value> = notifications(world, "tv/news").iter().map(|one| one["state"].clone()).collect();
            assert_eq!(states, ["delivered"; 4], "seed {seed}");
            world.assert_sound();
        });
    }
}

/// How late the vendor received each of these, in microseconds from that second on.
fn lateness(world: &World, operation: Operation, second: i64) -> Vec<i64> {
    let calls: Vec<simulator::Call> = world.vendor(|vendor| vendor.calls().cloned().collect());
    let of_it = calls.iter().filter(|call| call.operation == operation);
    of_it.map(|call| call.received_us - at(second).as_microsecond()).collect()
}

#[test]
fn a_thousand_deliveries_to_receivers_that_never_answer_move_no_start_and_no_stop() {
    const MANY: usize = 1_000;
    simulate(7, async |world: &mut World| {
        world.vendor_settings(|settings| settings.simultaneous_activations = 0);
        let limits = json!({"simultaneousActivations": 0, "requestsPerSecond": 0, "concurrentRequests": 0});
        world.settle_with("tv", "tv", &limits);
        let jobs: Vec<String> = (0..MANY).map(|number| format!("job-{number}")).collect();
        world.jobs(&jobs.iter().map(String::as_str).collect::<Vec<_>>());
        world.receivers.are(Mood::Silent);
        world.start_operator();
        for job in &jobs {
            world.window(&format!("tv/{job}"), job, (120, 240));
            let host = if job.ends_with('7') { job.as_str() } else { "crowd" };
            let url = format!("https://{host}.example.com/");
            world.edit(&format!("tv/{job}"), |spec| spec["notificationURL"] = json!(url));
        }
        world.until(220).await;
        let owing =
            jobs.iter().filter(|job| notifications(world, &format!("tv/{job}"))[0]["state"] == "pending").count();
        assert_eq!(owing, MANY, "every start is to be told, and none has been, when the stops fall due");
        assert!(world.receivers.letters().len() > 100);
        world.until(minutes(6)).await;
        for (operation, planned) in [(Operation::Activate, 120), (Operation::Deactivate, 240)] {
            let late = lateness(world, operation, planned);
            assert_eq!(late.len(), MANY, "{operation:?}: once each");
            assert!(late.iter().all(|late| (0..1_000_000).contains(late)), "{operation:?}: {:?} µs", late.iter().max());
        }
    });
}

#[test]
fn a_receiver_that_is_down_for_a_day_has_everything_in_order_the_day_after() {
    simulate(3, async |world: &mut World| {
        world.settle("tv");
        world.jobs(&["news"]);
        world.receivers.are(Mood::Down);
        world.start_operator();
        told(world, "tv/news", "news", (200, 500));
        world.until(minutes(24 * 60)).await;
        world.receivers.are(Mood::Well);
        world.until(minutes(3 * 24 * 60)).await;
        let accepted: Vec<Value> = world
            .receivers
            .letters()
            .into_iter()
            .filter(|letter| letter.accepted)
            .map(|letter| letter.body["action"].clone())
            .collect();
        assert_eq!(accepted, ["activate", "deactivate"], "what was announced had come by then");
        let states: Vec<Value> = notifications(world, "tv/news").iter().map(|one| one["state"].clone()).collect();
        assert_eq!(states, ["expired", "delivered", "expired", "delivered"]);
        let tried = world.receivers.letters().len();
        assert!(tried < 30, "{tried} attempts in a day");
        world.assert_sound();
    });
}
