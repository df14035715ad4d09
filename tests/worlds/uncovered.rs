//! Channels on air that no window covers: one list a day, and nothing is called for them.

use serde_json::{Value, json};
use simulator::{Call, Effect, Fault, Operation, Switch};

use super::world::{World, at, minutes, simulate};

const HOUR: i64 = minutes(60);

/// Two jobs in the namespace `tv`: `studio`, which has a window in three days, and `stray`, which somebody has switched on.
fn begin(world: &World) {
    world.settle("tv");
    world.jobs(&["studio", "stray"]);
    switch(world, "stray", Switch::On);
    world.window("tv/news", "studio", (72 * HOUR, 73 * HOUR));
}

fn switch(world: &World, job: &str, to: Switch) {
    world.vendor(|vendor| vendor.switch(world.now(), job, to)).unwrap();
}

/// Seconds at which lists were asked for.
fn lists(world: &World) -> Vec<i64> {
    let second = |call: &Call| (call.received_us - at(0).as_microsecond()) / 1_000_000;
    world.vendor(|vendor| vendor.calls().filter(|call| call.operation == Operation::List).map(second).collect())
}

/// What the account of that namespace shows.
fn shown(world: &World, namespace: &str) -> Value {
    world.store.get("liveaccounts", namespace, "default").unwrap()["status"]["uncovered"].clone()
}

fn told(world: &World) -> Vec<Value> {
    world.store.list("events").into_iter().filter(|event| event["reason"] == "UncoveredChannels").collect()
}

fn assert_scraped(world: &World, line: &str) {
    let text = world.scrape();
    assert!(text.lines().any(|have| have == line), "{line} is missing in\n{text}");
}

#[test]
fn a_channel_that_nobody_covers_is_shown_by_one_list_a_day_and_a_restart_neither_skips_nor_repeats_it() {
    simulate(1, async |world| {
        begin(world);
        world.start_operator();
        world.until(minutes(5)).await;
        assert_eq!(lists(world).len(), 1, "with the first answer to the key");
        let first = shown(world, "tv");
        assert_eq!((&first["count"], &first["jobs"]), (&json!(1), &json!(["stray"])));
        assert_scraped(world, "jobstartstop_uncovered_channels 1");
        assert_scraped(world, r#"jobstartstop_channel_lists_total{outcome="ok"} 1"#);
        let [event] = &told(world)[..] else { panic!("one event: {:#?}", told(world)) };
        assert_eq!(
            (&event["regarding"]["kind"], &event["regarding"]["name"]),
            (&json!("LiveAccount"), &json!("default"))
        );
        assert!(event["note"].as_str().unwrap().contains("stray"), "{event:#}");

        world.until(HOUR).await;
        world.stop_operator().await;
        switch(world, "stray", Switch::Off);
        world.until(23 * HOUR).await;
        world.start_operator();
        world.until(24 * HOUR).await;
        assert_eq!(lists(world).len(), 1, "the day is not over");
        assert_eq!(shown(world, "tv"), first, "and what was found is still shown");
        assert_scraped(world, "jobstartstop_uncovered_channels 1");

        world.until(26 * HOUR).await;
        let times = lists(world);
        assert_eq!(times.len(), 2);
        assert!((24 * HOUR..25 * HOUR + 60).contains(&(times[1] - times[0])), "{times:?}");
        assert!(shown(world, "tv")["count"].is_null(), "{}", shown(world, "tv"));
        assert_scraped(world, "jobstartstop_uncovered_channels 0");
        assert_eq!(told(world).len(), 1, "news once");
        assert_eq!(world.count("stray", Operation::Deactivate), 0, "nothing is called for it");
    });
}

#[test]
fn a_channel_on_air_for_its_window_or_just_after_it_is_no_news() {
    simulate(1, async |world| {
        world.settle("tv");
        world.jobs(&["studio"]);
        world.start_operator();
        world.window("tv/news", "studio", (30, 10 * HOUR));
        world.until(minutes(5)).await;
        assert_eq!(world.phase("tv/news"), "Active");
        assert!(!lists(world).is_empty());
        assert!(shown(world, "tv")["listedAt"].is_string() && shown(world, "tv")["count"].is_null());
        assert_eq!(told(world), Vec::<Value>::new());
    });
}

#[test]
fn accounts_that_share_a_key_list_once_and_all_of_them_show_it() {
    simulate(1, async |world| {
        world.jobs(&["studio", "stray"]);
        switch(world, "stray", Switch::On);
        for namespace in ["tv", "sport"] {
            world.settle_with(namespace, "shared", &json!({}));
            world.window(&format!("{namespace}/news"), "studio", (72 * HOUR, 73 * HOUR));
        }
        world.start_operator();
        world.until(minutes(10)).await;
        assert_eq!(lists(world).len(), 1);
        for namespace in ["tv", "sport"] {
            assert_eq!(shown(world, namespace)["count"], 1, "{namespace}");
        }
        assert_scraped(world, "jobstartstop_uncovered_channels 1");
    });
}

#[test]
fn a_standby_lists_nothing_and_does_not_list_again_when_it_leads() {
    simulate(1, async |world| {
        begin(world);
        let leader = world.start_candidate("operator-a");
        world.until(20).await;
        let standby = world.start_candidate("operator-b");
        world.until(minutes(30)).await;
        assert!(leader.leads() && !standby.leads());
        assert_eq!(lists(world).len(), 1);
        leader.kill();
        world.until(3 * HOUR).await;
        assert!(standby.leads());
        assert_eq!(lists(world).len(), 1);
    });
}

#[test]
fn a_list_that_fails_is_made_again_after_minutes_and_shows_nothing_of_what_it_had_seen() {
    simulate(1, async |world| {
        begin(world);
        let body = json!("no lists now");
        let fails = Fault::new(Effect::Refuse { status: 500, body, headers: [].into() });
        world.vendor_fault(fails.on(Operation::List).times(2));
        world.start_operator();
        world.until(minutes(2)).await;
        assert_eq!(lists(world).len(), 1);
        assert!(shown(world, "tv").is_null(), "{}", shown(world, "tv"));
        assert_scraped(world, r#"jobstartstop_channel_lists_total{outcome="server_error"} 1"#);
        world.until(HOUR).await;
        let times = lists(world);
        assert_eq!(times.len(), 3, "{times:?}");
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= minutes(5)), "{times:?}");
        assert_eq!(shown(world, "tv")["count"], 1);
    });
}
