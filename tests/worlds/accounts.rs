//! Accounts under load, failing, and sharing a key.

use std::time::Duration;

use serde_json::json;
use simulator::{Call, Effect, Fault, Operation, Switch};

use super::world::{WINDOWS, World, at, minutes, simulate};

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("job-{number:05}")).collect()
}

fn make(world: &World, jobs: &[String]) {
    world.jobs(&jobs.iter().map(String::as_str).collect::<Vec<_>>());
}

/// A window of the same times on each of the jobs.
fn book(world: &World, jobs: &[String], times: (i64, i64)) {
    for job in jobs {
        world.window(&format!("tv/{job}"), job, times);
    }
}

/// Each of the jobs had that one session.
fn assert_each(world: &World, jobs: &[String], session: (i64, i64)) {
    for job in jobs {
        world.assert_blocks(job, &[session]);
    }
}

/// Milliseconds since the world's beginning.
fn received(call: &Call) -> i64 {
    (call.received_us - at(0).as_microsecond()) / 1_000
}

fn calls(world: &World, from: i64, to: i64, which: impl Fn(&Call) -> bool) -> Vec<Call> {
    let inside = |call: &&Call| (from * 1_000..to * 1_000).contains(&received(call)) && which(call);
    world.vendor(|vendor| vendor.calls().filter(inside).cloned().collect())
}

/// Never more than a second's worth at once, and never more than the rate after that.
fn assert_rate(calls: &[Call], rate: usize) {
    let at: Vec<i64> = calls.iter().map(received).collect();
    for (i, first) in at.iter().enumerate() {
        let ten_seconds = at[i..].iter().take_while(|at| **at < first + 10_000).count();
        assert!(ten_seconds <= 11 * rate, "{ten_seconds} calls within 10 s of {first} ms, at {rate} a second");
    }
}

fn asks_to_wait(seconds: u32) -> Effect {
    let headers = [("retry-after".to_owned(), seconds.to_string())].into();
    Effect::Refuse { status: 429, body: json!({"message": "Too Many Requests"}), headers }
}

#[test]
fn a_thousand_stops_due_at_one_instant_under_a_tight_rate_are_all_made_and_confirmed() {
    simulate(1, async |world| {
        let (rate, stop) = (5, minutes(4));
        let limits = json!({"requestsPerSecond": rate, "simultaneousActivations": 0});
        world.settle_with("tv", "tv", &limits);
        let jobs = names(1_000);
        make(world, &jobs);
        for job in &jobs {
            world.vendor(|vendor| vendor.switch(world.now(), job, Switch::On)).unwrap();
        }
        world.until(60).await;
        book(world, &jobs, (30, stop));
        world.start_operator();
        world.until(stop + 10).await;
        let made = |world: &World| calls(world, stop, stop + 600, |call| call.operation == Operation::Deactivate);
        assert!(made(world).len() >= 40, "first calls go first: {} in 10 s", made(world).len());
        world.until(stop + 300).await;
        let stops = made(world);
        assert_eq!(stops.len(), jobs.len(), "one stop each");
        assert!(stops.iter().all(|call| call.carried_out));
        assert_rate(&calls(world, stop - 10, stop + 300, |_| true), rate);
        for job in &jobs {
            world.assert_finished(&format!("tv/{job}"));
        }
        world.assert_sound();
    });
}

#[test]
fn case_15_ten_thousand_far_future_windows_cost_no_calls_after_their_first_check() {
    simulate(1, async |world| {
        world.settle("tv");
        let jobs = names(1_000);
        make(world, &jobs);
        let days = 24 * 60;
        for (number, job) in (0..10).flat_map(|number| jobs.iter().map(move |job| (number, job))) {
            let start = minutes((number + 2) * days);
            world.window(&format!("tv/{job}-{number}"), job, (start, start + 600));
        }
        world.start_operator();
        world.until(minutes(30)).await;
        for window in world.store.list(WINDOWS) {
            assert_eq!(window["status"]["conditions"][0]["reason"], "Scheduled", "{window:#}");
        }
        let checks = calls(world, 0, minutes(30), |_| true).len();
        assert!(checks <= jobs.len(), "{checks} calls to check {} jobs", jobs.len());
        world.until(minutes(90)).await;
        assert_eq!(calls(world, minutes(30), minutes(90), |_| true), []);
    });
}

/// docs/cases.md, case 32: the quota is not burnt.
#[test]
fn case_32_a_failing_window_makes_at_most_20_calls_in_its_first_hour_and_none_once_it_is_deleted() {
    simulate(1, async |world| {
        world.settle("tv");
        world.start_operator();
        world.until(60).await;
        // No such job, and no such key.
        world.window("tv/lost", "nowhere", (minutes(300), minutes(310)));
        world.until(60 + minutes(60)).await;
        let of_window = |from, to| calls(world, from, to, |call| call.job.as_deref() == Some("nowhere")).len();
        let first_hour = of_window(0, 60 + minutes(60));
        assert!((3..=20).contains(&first_hour), "{first_hour} calls in the first hour");
        let deleted = world.second();
        world.delete("tv/lost");
        world.until(deleted + minutes(60)).await;
        assert_eq!(of_window(deleted, deleted + minutes(60)), 0);
        assert!(world.read("tv/lost").is_null());
    });
}

/// docs/cases.md, case 32, the window that waits. It is told from one that nobody looks after by being made.
#[test]
fn case_32_a_waiting_window_reads_at_most_once_in_5_minutes_away_from_its_times() {
    simulate(1, async |world| {
        world.settle("tv");
        world.jobs(&["studio"]);
        world.start_operator();
        world.until(60).await;
        let (start, stop) = (minutes(300), minutes(310));
        world.window("tv/news", "studio", (start, stop));
        world.until(minutes(400)).await;
        for from in (minutes(5)..start - minutes(60)).step_by(300) {
            let reads = calls(world, from, from + 300, |_| true).len();
            assert!(reads <= 1, "{reads} calls in the 5 minutes from {from} s");
        }
        assert_eq!(calls(world, stop + minutes(30), minutes(400), |_| true), []);
        world.assert_blocks("studio", &[(start, stop)]);
    });
}

#[test]
fn accounts_that_time_out_are_refused_or_are_told_to_wait_slow_no_other() {
    simulate(1, async |world| {
        let failing = ["hanging", "refused", "limited", "down"];
        for namespace in failing.iter().chain(&["well"]) {
            world.settle(namespace);
        }
        world.start_operator();
        let (start, stop) = (minutes(20), minutes(25));
        for namespace in failing.iter().chain(&["well"]) {
            let jobs: Vec<String> = (0..4).map(|number| format!("{namespace}-{number}")).collect();
            make(world, &jobs);
            for job in &jobs {
                world.window(&format!("{namespace}/{job}"), job, (start, stop));
            }
        }
        world.until(minutes(2)).await;
        world.vendor_fault(Fault::new(Effect::Hang { carry_out: false }).key("hanging"));
        world.vendor_fault(Fault::new(asks_to_wait(600)).key("limited"));
        let body = json!({"message": "Service Unavailable"});
        world.vendor_fault(Fault::new(Effect::Refuse { status: 503, body, headers: [].into() }).key("down"));
        world.vendor(|vendor| vendor.remove_key("refused"));
        world.until(minutes(40)).await;
        for number in 0..4 {
            let job = format!("well-{number}");
            world.assert_finished(&format!("well/{job}"));
            world.assert_blocks(&job, &[(start, stop)]);
            world.assert_prompt(&job, &[(start, stop)], 120);
        }
        for job in failing.iter().flat_map(|namespace| (0..4).map(move |number| format!("{namespace}-{number}"))) {
            assert_eq!(world.vendor(|vendor| vendor.report(world.now(), &job)).unwrap().sessions, 0, "{job}");
        }
    });
}

#[test]
fn two_live_accounts_with_one_key_share_the_strictest_limits() {
    simulate(1, async |world| {
        let jobs = names(40);
        make(world, &jobs);
        world.vendor_settings(|settings| settings.simultaneous_activations = 2);
        world.settle_with("tv", "shared", &json!({"requestsPerSecond": 3, "simultaneousActivations": 5}));
        world.settle_with("sport", "shared", &json!({"requestsPerSecond": 20, "simultaneousActivations": 2}));
        world.start_operator();
        let (start, stop) = (minutes(20), minutes(40));
        for (number, job) in jobs.iter().enumerate() {
            let namespace = if number % 2 == 0 { "tv" } else { "sport" };
            world.window(&format!("{namespace}/{job}"), job, (start, stop));
        }
        world.until(minutes(50)).await;
        let all = calls(world, 0, minutes(50), |_| true);
        assert_rate(&all, 3);
        let refused = all.iter().filter(|call| call.operation == Operation::Activate && !call.carried_out).count();
        assert_eq!(refused, 0, "never more than two at once");
        assert_each(world, &jobs, (start, stop));
        world.assert_sound();
    });
}

#[test]
fn starts_beyond_the_slots_are_told_15_minutes_ahead_across_the_accounts_of_a_key() {
    simulate(1, async |world| {
        let jobs = names(4);
        make(world, &jobs);
        world.settle_with("tv", "shared", &json!({"simultaneousActivations": 2}));
        world.settle_with("sport", "shared", &json!({"simultaneousActivations": 5}));
        world.start_operator();
        let (start, stop) = (minutes(30), minutes(40));
        for (job, (namespace, at)) in jobs.iter().zip([("tv", 0), ("sport", 30), ("tv", 40), ("sport", 70)]) {
            world.window(&format!("{namespace}/{job}"), job, (start + at, stop));
        }
        let short = |world: &World| -> Vec<bool> {
            let windows = world.store.list(WINDOWS);
            let of_job = |job: &String| windows.iter().find(|window| window["spec"]["jobID"] == **job).unwrap();
            let shown = |window: &serde_json::Value| {
                let conditions = window["status"]["conditions"].as_array().unwrap();
                assert_eq!(conditions[0]["status"], "True", "Ready stays True");
                conditions
                    .iter()
                    .any(|condition| condition["type"] == "CapacityShort" && condition["reason"] == "TooManyStarts")
            };
            jobs.iter().map(|job| shown(of_job(job))).collect()
        };
        world.until(start - minutes(15) - 1).await;
        assert_eq!(short(world), [false; 4]);
        world.until(start - minutes(13)).await;
        assert_eq!(short(world), [false, false, true, true]);
        // One moves away, and leaves room.
        world.move_start(&format!("sport/{}", jobs[1]), start + 300);
        world.until(start - minutes(12)).await;
        assert_eq!(short(world), [false, false, false, false]);
        world.move_start(&format!("sport/{}", jobs[1]), start + 30);
        world.until(start - minutes(11)).await;
        assert_eq!(short(world), [false, false, true, true]);
        world.until(minutes(50)).await;
        let told = world.store.list("events");
        let of = |event: &&serde_json::Value| event["reason"] == "TooManyStarts";
        assert_eq!(told.iter().filter(of).count(), 4, "one for each window, each time that it is news");
        world.assert_sound();
    });
}

#[test]
fn nothing_is_called_before_retry_after_is_over() {
    simulate(1, async |world| {
        let jobs = names(6);
        make(world, &jobs);
        world.settle("tv");
        world.start_operator();
        let (start, stop) = (minutes(20), minutes(30));
        book(world, &jobs, (start, stop));
        world.until(minutes(25)).await;
        world.vendor_fault(Fault::new(asks_to_wait(20)).times(1));
        world.until(minutes(40)).await;
        let told = calls(world, minutes(25), minutes(40), |call| call.status == Some(429));
        assert_eq!(told.len(), 1);
        let after = calls(world, minutes(25), minutes(40), |call| call.sequence > told[0].sequence);
        let waited = received(&after[0]) - received(&told[0]);
        assert!((20_000..25_000).contains(&waited), "{waited} ms");
        world.assert_sound();
    });
}

#[test]
fn stops_and_first_starts_wait_half_a_minute_at_most_for_an_api_that_asks_for_an_hour() {
    simulate(1, async |world| {
        make(world, &names(2));
        world.settle("tv");
        world.start_operator();
        world.window("tv/on-air", "job-00000", (minutes(20), minutes(30)));
        world.window("tv/to-come", "job-00001", (minutes(30), minutes(40)));
        world.until(minutes(30) - 10).await;
        world.vendor_fault(Fault::new(asks_to_wait(3_600)).on(Operation::Read).on(Operation::Deactivate).times(1));
        world.until(minutes(45)).await;
        for (job, block) in [("job-00000", (minutes(20), minutes(30))), ("job-00001", (minutes(30), minutes(40)))] {
            world.assert_blocks(job, &[block]);
            world.assert_prompt(job, &[block], 35_000);
        }
    });
}

#[test]
fn an_outage_is_asked_after_by_one_read_at_a_time_and_blocks_no_stop() {
    simulate(1, async |world| {
        let jobs = names(30);
        make(world, &jobs);
        world.settle_with("tv", "tv", &json!({"simultaneousActivations": 0}));
        world.vendor_settings(|settings| settings.simultaneous_activations = 0);
        world.start_operator();
        let (start, stop) = (minutes(20), minutes(40));
        book(world, &jobs, (start, stop));
        world.window("tv/early", "job-00000", (minutes(20), minutes(29)));
        world.until(minutes(25)).await;
        let down = Effect::Refuse { status: 503, body: json!("down"), headers: [].into() };
        let fault = world.vendor(|vendor| vendor.add_fault(Fault::new(down)));
        world.until(minutes(35)).await;
        let reads = calls(world, minutes(27), minutes(35), |call| !call.operation.is_switch()).len();
        assert!((10..=40).contains(&reads), "{reads} reads in 8 minutes of outage, of 30 channels on air");
        world.vendor(|vendor| vendor.remove_fault(fault));
        world.until(minutes(36)).await;
        let reads = calls(world, minutes(35), minutes(36), |call| call.carried_out).len();
        assert!(reads >= 1, "asked again");
        world.vendor_fault(Fault::new(Effect::Hang { carry_out: true }).on(Operation::Read).on(Operation::List));
        world.until(stop + 20).await;
        for job in &jobs {
            assert!(world.count(job, Operation::Deactivate) >= 1, "{job} was not stopped blind");
        }
        world.vendor(simulator::World::clear_faults);
        world.until(minutes(50)).await;
        world.assert_sound();
    });
}

#[test]
fn where_lists_alone_fail_channels_are_read_one_by_one() {
    simulate(1, async |world| {
        let jobs = names(10);
        make(world, &jobs);
        world.settle_with("tv", "tv", &json!({"simultaneousActivations": 0}));
        world.vendor_settings(|settings| settings.simultaneous_activations = 0);
        let body = json!("no lists today");
        let fault = Fault::new(Effect::Refuse { status: 500, body, headers: [].into() }).on(Operation::List);
        world.vendor_fault(fault);
        world.start_operator();
        let (start, stop) = (minutes(20), minutes(30));
        book(world, &jobs, (start, stop));
        world.until(minutes(40)).await;
        for job in &jobs {
            world.assert_blocks(job, &[(start, stop)]);
            world.assert_prompt(job, &[(start, stop)], 1_500);
        }
        world.assert_sound();
        let lists = calls(world, start, stop, |call| call.operation == Operation::List).len();
        assert!((10..=25).contains(&lists), "{lists} lists in ten minutes");
    });
}

#[test]
fn jobs_that_a_list_does_not_show_are_read_one_by_one() {
    simulate(1, async |world| {
        let jobs = names(10);
        make(world, &jobs);
        world.settle_with("tv", "tv", &json!({"simultaneousActivations": 0}));
        world.vendor_settings(|settings| settings.simultaneous_activations = 0);
        let empty = Effect::Refuse { status: 200, body: json!({"jobs": []}), headers: [].into() };
        world.vendor_fault(Fault::new(empty).on(Operation::List));
        world.start_operator();
        let (start, stop) = (minutes(20), minutes(30));
        book(world, &jobs, (start, stop));
        world.until(minutes(40)).await;
        assert!(!calls(world, 0, minutes(40), |call| call.operation == Operation::List).is_empty());
        assert_each(world, &jobs, (start, stop));
        world.assert_sound();
    });
}

/// What nobody waits for does not open a connection for each job, whatever the account allows.
#[test]
fn three_hundred_windows_seen_at_once_in_an_account_without_limits_are_checked_by_lists() {
    simulate(1, async |world| {
        let jobs = names(300);
        make(world, &jobs);
        let unlimited = json!({"simultaneousActivations": 0, "requestsPerSecond": 0, "concurrentRequests": 0});
        world.settle_with("tv", "tv", &unlimited);
        book(world, &jobs, (minutes(60), minutes(70)));
        world.start_operator();
        world.until(60).await;
        let of = |operation| calls(world, 0, 60, |call| call.operation == operation).len();
        let (lists, single) = (of(Operation::List), of(Operation::Read));
        assert!((1..=4).contains(&lists) && single <= 40, "{lists} lists and {single} reads");
        for job in &jobs {
            assert!(
                world.read(&format!("tv/{job}"))["status"]["job"]["verifiedAt"].is_string(),
                "{job} was not checked"
            );
        }
    });
}

#[test]
fn one_list_answers_for_thirty_channels_that_turn_together() {
    simulate(1, async |world| {
        let jobs = names(30);
        make(world, &jobs);
        world.settle_with("tv", "tv", &json!({"simultaneousActivations": 0}));
        world.vendor_settings(|settings| settings.simultaneous_activations = 0);
        world.start_operator();
        let (start, stop) = (minutes(20), minutes(30));
        book(world, &jobs, (start, stop));
        world.until(minutes(40)).await;
        let reads = calls(world, start - 5, start + 40, |call| !call.operation.is_switch());
        let of = |operation| reads.iter().filter(|call| call.operation == operation).count();
        let (lists, single) = (of(Operation::List), of(Operation::Read));
        assert!((5..=45).contains(&lists) && single <= 60, "{lists} lists and {single} reads");
        for job in &jobs {
            world.assert_blocks(job, &[(start, stop)]);
            world.assert_prompt(job, &[(start, stop)], 3_000);
        }
        world.assert_sound();
    });
}

/// docs/cases.md, case 34: the watch brings the new key late, and the Live API refuses the old one already.
#[test]
fn case_34_a_refused_key_has_its_secret_read_again_and_another_one_is_used_at_once() {
    simulate(1, async |world| {
        world.settle("tv");
        world.jobs(&["studio"]);
        world.start_operator();
        world.until(60).await;
        let (start, stop) = (minutes(20), minutes(25));
        world.window("tv/news", "studio", (start, stop));
        world.until(start - 10).await;
        world.store.cache_lag(Duration::from_mins(1));
        world.rotate("tv", "tv", "the-next-key");
        world.until(start + 30).await;
        world.assert_prompt("studio", &[(start, start)], 120);
        world.until(stop - 30).await;
        world.rotate("tv", "tv", "the-third-key");
        world.until(minutes(30)).await;
        world.assert_blocks("studio", &[(start, stop)]);
        world.assert_prompt("studio", &[(start, stop)], 120);
        let refused = calls(world, start - 10, minutes(30), |call| call.key.is_none()).len();
        assert!((2..=4).contains(&refused), "{refused} calls with an old key");
    });
}

/// docs/cases.md, case 34: it is the call itself that finds the key refused.
#[test]
fn case_34_a_call_refused_for_its_key_is_repeated_at_once_with_the_next_one() {
    simulate(1, async |world| {
        world.settle("tv");
        world.jobs(&["studio"]);
        world.start_operator();
        world.until(60).await;
        let (start, stop) = (minutes(20), minutes(25));
        world.window("tv/news", "studio", (start, stop));
        world.until(start - 1).await;
        world.store.cache_lag(Duration::from_mins(1));
        world.rotate("tv", "tv", "the-next-key");
        world.until(stop - 1).await;
        world.rotate("tv", "tv", "the-third-key");
        world.until(minutes(30)).await;
        world.assert_blocks("studio", &[(start, stop)]);
        for operation in [Operation::Activate, Operation::Deactivate] {
            let tries = calls(world, 0, minutes(30), |call| call.operation == operation);
            let keys: Vec<_> = tries.iter().map(|call| call.key.as_deref()).collect();
            assert_eq!(keys, [None, Some("tv")], "{operation:?}");
            let between = received(&tries[1]) - received(&tries[0]);
            assert!(between <= 500, "{operation:?} was repeated after {between} ms");
        }
    });
}

/// Once: a key that stays wrong has its Secret read no more often.
#[test]
fn case_34_a_key_that_stays_wrong_has_its_secret_read_again_once() {
    simulate(1, async |world| {
        world.settle("tv");
        world.jobs(&["studio"]);
        world.vendor(|vendor| vendor.remove_key("tv"));
        world.start_operator();
        world.window("tv/news", "studio", (minutes(90), minutes(95)));
        world.until(minutes(60)).await;
        let reads = world.store.reads("secrets");
        assert_eq!(reads, 1, "GETs of the Secret");
        world.rotate("tv", "tv", "a-good-key");
        world.until(minutes(100)).await;
        world.assert_blocks("studio", &[(minutes(90), minutes(95))]);
    });
}

#[test]
fn a_key_rotated_while_calls_are_under_way_leaves_nothing_behind() {
    simulate(1, async |world| {
        let jobs = names(12);
        make(world, &jobs);
        world.settle_with("tv", "tv", &json!({"concurrentRequests": 2, "simultaneousActivations": 0}));
        world.vendor_settings(|settings| settings.simultaneous_activations = 0);
        world.start_operator();
        let (start, stop) = (minutes(2), minutes(25));
        book(world, &jobs, (start, stop));
        // Two requests at once, and each time one hangs: there and back again, a load must not be full for ever.
        for minute in (5..21).step_by(2) {
            world.until(minutes(minute) - 1).await;
            world.vendor_fault(Fault::new(Effect::Hang { carry_out: false }).times(1));
            world.until(minutes(minute) + 2).await;
            assert_eq!(world.vendor(|vendor| vendor.faults().count()), 0, "a request hangs");
            world.rotate("tv", "tv", if minute % 4 == 1 { "one" } else { "another" });
        }
        world.until(minutes(30)).await;
        for job in &jobs {
            world.assert_blocks(job, &[(start, stop)]);
            world.assert_prompt(job, &[(start, stop)], 1_500);
        }
        world.assert_sound();
    });
}

/// Those that wait for a slot must not use the rate up that the readings need which free the slots.
#[test]
fn two_hundred_starts_at_one_instant_take_their_turns_in_five_slots_and_none_starves() {
    simulate(1, async |world| {
        const ROUNDS: i64 = 200 / 5;
        world.settle("tv");
        let jobs = names(200);
        make(world, &jobs);
        world.start_operator();
        world.until(10).await;
        book(world, &jobs, (minutes(2), minutes(90)));
        // A channel takes 20 s to go on; a second or two more until that is read, and the next one is called.
        world.until(minutes(2) + ROUNDS * 24).await;
        let on = calls(world, 0, minutes(90), |call| call.operation == Operation::Activate);
        assert_eq!(on.len(), jobs.len(), "each once");
        assert!(on.iter().all(|call| received(call) >= minutes(2) * 1_000));
        let reads = calls(world, minutes(2), minutes(2) + ROUNDS * 24, |call| call.operation == Operation::Read);
        assert!(reads.len() < 10 * jobs.len(), "{} reads", reads.len());
    });
}
