//! `ttlSecondsAfterFinished`: what is over is deleted, and nothing is called for it.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::Operation;

use super::store::{Fault, Verb, Write};
use super::world::{WINDOWS, World, minutes, simulate};

const PATH: &str = "tv/news";
const ACCOUNTS: &str = "liveaccounts";

async fn begin(world: &mut World) {
    world.settle("tv");
    world.jobs(&["studio"]);
    world.start_operator();
    world.until(minutes(1)).await;
}

/// A window from minute 3 to minute 6, with this time to live.
fn book(world: &World, ttl: impl Into<Value>) {
    world.window(PATH, "studio", (minutes(3), minutes(6)));
    let ttl = ttl.into();
    world.edit(PATH, |spec| spec["ttlSecondsAfterFinished"] = ttl);
}

fn gone(world: &World) -> bool {
    world.read(PATH).is_null()
}

fn deletions(world: &World) -> Vec<Write> {
    world.operators_writes().into_iter().filter(|write| write.verb == Verb::Delete).collect()
}

fn calls(world: &World) -> [usize; 2] {
    [Operation::Activate, Operation::Deactivate].map(|verb| world.count("studio", verb))
}

#[test]
fn a_finished_window_goes_when_its_time_to_live_has_passed_and_not_before() {
    simulate(1, async |world| {
        begin(world).await;
        book(world, 600);
        world.until(minutes(16) - 1).await;
        assert_eq!(world.phase(PATH), "Finished");
        world.until(minutes(17)).await;
        assert!(gone(world), "{}", world.read(PATH));
        assert_eq!((deletions(world).len(), calls(world)), (1, [1, 1]));
    });
}

#[test]
fn the_accounts_default_holds_where_the_window_says_nothing() {
    simulate(1, async |world| {
        begin(world).await;
        world.window(PATH, "studio", (minutes(3), minutes(6)));
        world.until(minutes(30)).await;
        assert!(!gone(world), "without either it stays");
        let default = json!({ "ttlSecondsAfterFinished": 3600 });
        world.store.edit(ACCOUNTS, "tv", "default", |object| object["spec"]["defaults"] = default).unwrap();
        world.until(minutes(64)).await;
        assert!(!gone(world));
        world.until(minutes(68)).await;
        assert!(gone(world), "{}", world.read(PATH));
    });
}

#[test]
fn a_window_that_names_its_own_is_not_held_to_the_accounts() {
    simulate(1, async |world| {
        begin(world).await;
        let default = json!({ "ttlSecondsAfterFinished": 0 });
        world.store.edit(ACCOUNTS, "tv", "default", |object| object["spec"]["defaults"] = default).unwrap();
        book(world, 3600);
        world.until(minutes(60)).await;
        assert!(!gone(world));
    });
}

/// The operator's own view is 20 s old when it deletes.
#[test]
fn an_edit_that_arrives_before_the_deletion_wins() {
    simulate(1, async |world| {
        begin(world).await;
        book(world, 600);
        world.until(minutes(15)).await;
        world.store.cache_lag(Duration::from_secs(90));
        world.until(minutes(16) - 10).await;
        world.edit(PATH, |spec| spec["ttlSecondsAfterFinished"] = json!(6000));
        world.until(minutes(60)).await;
        assert!(!gone(world), "the longer one counts");
        assert!(deletions(world).iter().all(|deletion| deletion.code == Some(409)), "{:?}", deletions(world));
        assert!(!deletions(world).is_empty(), "it was tried on what the operator knew");
        world.until(minutes(110)).await;
        assert!(gone(world));
    });
}

#[test]
fn a_process_that_was_down_deletes_on_its_return() {
    simulate(1, async |world| {
        begin(world).await;
        book(world, 600);
        world.until(minutes(10)).await;
        world.kill_operator().await;
        world.until(minutes(30)).await;
        assert!(!gone(world));
        world.start_operator();
        world.until(minutes(31)).await;
        assert!(gone(world));
        assert_eq!(calls(world), [1, 1]);
    });
}

/// The right to delete was taken away, say.
#[test]
fn a_refused_deletion_is_tried_again_ever_more_rarely_and_holds_nothing_else_up() {
    simulate(1, async |world| {
        begin(world).await;
        book(world, 0);
        world.store.fail_next(1000, Verb::Delete, WINDOWS, Fault::Refuse(403));
        world.until(minutes(60)).await;
        let tried = deletions(world).len();
        assert!((10..30).contains(&tried), "{tried} in 54 minutes");
        world.edit(PATH, |spec| spec["description"] = json!("kept for the record"));
        world.until(minutes(60) + 5).await;
        let object = world.read(PATH);
        assert_eq!(object["status"]["observedGeneration"], object["metadata"]["generation"], "its status is written");
    });
}

/// The vendor's DELETE leaves such a channel to whoever wants it: the object may go, the channel stays.
#[test]
fn a_window_cancelled_on_air_goes_and_its_channel_stays_on() {
    simulate(1, async |world| {
        begin(world).await;
        book(world, 600);
        world.until(minutes(5)).await;
        world.cancel(PATH);
        world.until(minutes(20)).await;
        assert!(gone(world));
        assert_eq!(calls(world), [1, 0]);
    });
}

/// GitOps tools store the manifest again after each deletion.
#[test]
fn over_when_first_seen_it_stays_so_that_nobody_stores_it_anew_for_ever() {
    simulate(1, async |world| {
        begin(world).await;
        world.until(minutes(20)).await;
        book(world, 0);
        world.until(minutes(60)).await;
        assert_eq!((world.phase(PATH).as_str(), deletions(world).len()), ("Missed", 0));
    });
}
