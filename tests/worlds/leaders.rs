//! Two operators, of which one leads: whatever becomes of it, each window is started once and stopped.

use std::time::Duration;

use serde_json::Value;
use simulator::{Effect, Fault as VendorFault, LateAnswer, Operation};

use super::store::Break;
use super::world::{WINDOWS, World, minutes, simulate};

const PATH: &str = "tv/news";
const START: i64 = minutes(5);
const STOP: i64 = minutes(10);

/// The lease's duration, and two seconds in which to act.
const TAKEOVER: i64 = 17_000;

fn begin(world: &World) {
    world.settle("tv");
    world.jobs(&["studio"]);
    world.window(PATH, "studio", (START, STOP));
}

fn assert_once(world: &World, late: i64) {
    world.assert_sound();
    world.assert_finished(PATH);
    world.assert_blocks("studio", &[(START, STOP)]);
    world.assert_prompt("studio", &[(START, STOP)], late);
    assert_eq!(world.count("studio", Operation::Activate), 1, "activates");
    assert_eq!(world.count("studio", Operation::Deactivate), 1, "deactivates");
}

#[test]
fn without_trouble_the_standby_does_nothing() {
    simulate(1, async |world| {
        begin(world);
        let (leader, standby) = (world.start_candidate("operator-a"), world.start_candidate("operator-b"));
        world.until(minutes(20)).await;
        assert_once(world, 10);
        assert!(leader.leads() != standby.leads());
        let writers: std::collections::BTreeSet<String> = world
            .operators_writes()
            .into_iter()
            .filter(|write| write.plural != "leases")
            .map(|write| write.by)
            .collect();
        assert_eq!(writers.len(), 1, "only one writes: {writers:?}");
    });
}

/// docs/cases.md, case 25: killed at any moment around a call.
#[test]
fn case_25_whenever_the_leader_is_killed_the_standby_makes_what_is_left_and_nothing_twice() {
    let around = [-31_000_i64, -15_500, -2_100, -1_000, -1, 0, 1, 40, 120, 1_000, 9_000, 21_000, 60_000];
    for (moment, millis) in around.iter().flat_map(|at| [(START, *at), (STOP, *at)]) {
        simulate(u64::try_from(millis.rem_euclid(97)).unwrap(), async |world| {
            begin(world);
            let leader = world.start_candidate("operator-a");
            world.until(20).await;
            let standby = world.start_candidate("operator-b");
            world.until_millis(moment * 1_000 + millis).await;
            assert!(leader.leads() && !standby.leads());
            leader.kill();
            world.until(minutes(25)).await;
            assert!(standby.leads());
            assert_once(world, TAKEOVER);
        });
    }
}

/// The call left, its process died before anything of it was stored, and the vendor carries it out 6 s later: the next
/// process is there at once and reads the job off.
#[test]
fn case_25_a_start_carried_out_late_for_a_process_that_died_is_not_made_again() {
    simulate(1, async |world| {
        begin(world);
        let late = Effect::CarryOutLate { delay_ms: 6_000, answer: LateAnswer::Drop };
        world.vendor_fault(VendorFault::new(late).on(Operation::Activate).times(1));
        world.start_operator();
        world.until_millis(START * 1_000).await;
        world.store.latency(Duration::from_secs(2)..=Duration::from_secs(2));
        world.until_millis(START * 1_000 + 300).await;
        world.kill_operator().await;
        assert_eq!(world.count("studio", Operation::Activate), 1, "it left");
        assert_eq!(world.read(PATH)["status"]["activation"]["calledAt"], Value::Null, "and nobody knows");
        world.store.latency(Duration::from_millis(2)..=Duration::from_millis(30));
        world.start_operator();
        world.until(minutes(25)).await;
        assert_once(world, 10);
    });
}

/// docs/cases.md, case 105: the next one leads at once, and waits for nothing.
#[test]
fn case_105_whenever_the_leader_is_asked_to_end_the_standby_is_on_time() {
    let around = [-31_000_i64, -2_100, -1_000, -500, -1, 0, 1, 40, 120, 1_000, 9_000, 21_000];
    for (moment, millis) in around.iter().flat_map(|at| [(START, *at), (STOP, *at)]) {
        simulate(u64::try_from(millis.rem_euclid(89)).unwrap(), async |world| {
            begin(world);
            let leader = world.start_candidate("operator-a");
            world.until(20).await;
            let standby = world.start_candidate("operator-b");
            world.until_millis(moment * 1_000 + millis).await;
            leader.terminate().await;
            world.until_millis(moment * 1_000 + millis + 2_000).await;
            assert!(standby.leads());
            world.until(minutes(25)).await;
            assert_once(world, 1_000);
        });
    }
}

/// docs/cases.md, case 101: cut off from the apiserver it calls nothing once another may lead.
#[test]
fn case_101_a_leader_cut_off_from_the_apiserver_calls_nothing_past_its_renew_deadline() {
    for ahead in [3, 7, 12, 60] {
        for moment in [START, STOP] {
            simulate(u64::try_from(ahead).unwrap(), async |world| {
                begin(world);
                let leader = world.start_candidate("operator-a");
                world.until(20).await;
                let _standby = world.start_candidate("operator-b");
                world.until(moment - ahead).await;
                world.store.cut("operator-a");
                world.until(minutes(25)).await;
                assert!(!leader.leads());
                assert_once(world, TAKEOVER);
            });
        }
    }
}

/// docs/cases.md, case 100: a claim is stored on the object before the call, and only one of two can store it.
#[test]
fn case_100_of_two_that_both_believe_to_lead_one_starts() {
    for seed in 0..40 {
        simulate(seed, async |world| {
            begin(world);
            world.store.latency(Duration::from_millis(1)..=Duration::from_millis(200));
            let _both = (world.start_believer("operator-a"), world.start_believer("operator-b"));
            world.until(minutes(20)).await;
            world.assert_sound();
            assert_eq!(world.count("studio", Operation::Activate), 1, "seed {seed}");
        });
    }
}

/// docs/cases.md, case 27: what a watch does not show is read right before the call.
#[test]
fn case_27_with_watches_a_minute_behind_an_edit_of_the_stop_still_counts() {
    simulate(1, async |world| {
        begin(world);
        let _leader = world.start_candidate("operator-a");
        world.until(minutes(7)).await;
        world.store.cache_lag(Duration::from_mins(1));
        world.until(STOP - 20).await;
        world.move_stop(PATH, STOP + 30);
        world.until(minutes(20)).await;
        world.assert_sound();
        world.assert_blocks("studio", &[(START, STOP + 30)]);
        world.assert_prompt("studio", &[(STOP + 30, STOP + 30)], 10);
    });
}

/// The same for a window that nobody has seen yet and that wants the channel on.
#[test]
fn a_window_that_the_watch_has_not_shown_keeps_the_channel_on() {
    simulate(1, async |world| {
        begin(world);
        let _leader = world.start_candidate("operator-a");
        world.until(minutes(7)).await;
        world.store.cache_lag(Duration::from_mins(1));
        world.until(STOP - 20).await;
        world.window("tv/longer", "studio", (START + 60, STOP + 120));
        world.until(minutes(20)).await;
        world.assert_sound();
        world.assert_blocks("studio", &[(START, STOP + 120)]);
    });
}

/// etcd restored from a backup under a running operator: a resumed watch stays silent, and versions go back.
#[test]
fn a_store_that_goes_back_is_noticed_and_every_stop_is_made() {
    for (taken, restored) in [(60, START - 10), (60, START + 60), (START + 100, START + 200), (START + 100, STOP - 1)] {
        simulate(3, async |world| {
            begin(world);
            let _leader = world.start_candidate("operator-a");
            world.until(taken).await;
            let backup = world.store.snapshot();
            world.until(restored).await;
            world.store.restore(backup);
            // An edit after it has a version that was there before.
            world.until(restored + 1).await;
            world.until(minutes(25)).await;
            world.assert_finished(PATH);
            assert_eq!(world.count("studio", Operation::Activate), 1, "taken {taken}, restored {restored}");
            world.assert_prompt("studio", &[(STOP, STOP)], TAKEOVER);
        });
    }
}

/// A window made after the backup is gone with it, and its channel is on: this process still knows.
#[test]
fn a_window_that_was_lost_with_the_store_is_still_stopped() {
    simulate(3, async |world| {
        world.settle("tv");
        world.jobs(&["studio"]);
        let _leader = world.start_candidate("operator-a");
        world.until(30).await;
        let backup = world.store.snapshot();
        world.until(60).await;
        world.window(PATH, "studio", (START, STOP));
        world.until(START + 60).await;
        world.store.restore(backup);
        world.until(minutes(25)).await;
        assert!(world.read(PATH).is_null());
        world.assert_blocks("studio", &[(START, STOP)]);
        world.assert_prompt("studio", &[(STOP, STOP)], TAKEOVER);
    });
}

#[test]
fn with_broken_watches_and_a_failing_apiserver_a_handover_makes_nothing_twice() {
    for seed in 0..10 {
        simulate(seed, async |world| {
            begin(world);
            let leader = world.start_candidate("operator-a");
            world.until(20).await;
            let _standby = world.start_candidate("operator-b");
            world.store.fail_at_random(50);
            world.until(START - 1).await;
            world.store.break_watches(Break::Error(410));
            leader.terminate().await;
            world.until(STOP - 5).await;
            world.store.fail_at_random(0);
            // The standby may have lost the lease, and `run` would begin another round.
            let _third = world.start_candidate("operator-c");
            world.until(minutes(25)).await;
            world.assert_sound();
            assert_eq!(world.count("studio", Operation::Activate), 1, "seed {seed}");
            world.assert_finished(PATH);
        });
    }
}

/// Two installations serve one namespace, which nobody meant: the second says so, and makes no start. When the first has
/// gone, it takes over.
#[test]
fn of_two_overlapping_installations_one_starts_and_the_other_says_so() {
    for seed in 0..10 {
        simulate(seed, async |world| {
            begin(world);
            world.store.latency(Duration::from_millis(1)..=Duration::from_millis(100));
            let first = world.start_installation("operator-a", "first");
            let second = world.start_installation("operator-b", "second");
            world.until(START + 60).await;
            assert!(first.leads() && second.leads());
            assert_eq!(world.count("studio", Operation::Activate), 1, "seed {seed}");
            let told = |event: &Value| event["reason"] == "OtherInstallation";
            assert!(world.store.list("events").iter().any(told), "seed {seed}: nobody said so");
            let claimed = world.read(PATH)["status"]["activation"]["claim"]["by"].clone();
            if claimed == "operator-a" {
                first.kill();
            } else {
                second.kill();
            }
            world.until(minutes(25)).await;
            world.assert_sound();
            world.assert_finished(PATH);
        });
    }
}

fn told_elsewhere(world: &World) -> Vec<String> {
    let events = world.store.list("events").into_iter();
    let told =
        events.filter(|event| event["reason"] == "OtherInstallation" && event["regarding"]["kind"] == "LiveAccount");
    told.map(|event| event["note"].as_str().unwrap().to_owned()).collect()
}

fn served_by(world: &World) -> Value {
    world.store.get("liveaccounts", "tv", "default").unwrap()["status"]["servedBy"].clone()
}

/// Hours before the first start, without a right to read the other's Lease.
#[test]
fn a_second_installation_over_the_same_objects_is_told_of_within_seconds_and_again_until_one_has_gone() {
    for seed in 0..5 {
        simulate(seed, async |world| {
            world.settle("tv");
            world.store.latency(Duration::from_millis(1)..=Duration::from_millis(100));
            let _first = world.start_installation("operator-a", "first");
            world.until(60).await;
            assert_eq!(served_by(world), "live/first");
            assert_eq!(told_elsewhere(world), [""; 0], "seed {seed}");
            let second = world.start_installation("operator-b", "second");
            world.until(75).await;
            let told = told_elsewhere(world);
            assert!(told.len() == 1 && told[0].contains("live/second"), "seed {seed}: {told:?}");
            assert_eq!(served_by(world), "live/second");
            // The first tries its own name again, and the second says so.
            world.until(60 + minutes(11)).await;
            assert_eq!(served_by(world), "live/first");
            assert!(told_elsewhere(world).iter().any(|told| told.contains("is live/first, this one's live/second")));
            second.kill();
            world.until(minutes(60)).await;
            let (told, served) = (told_elsewhere(world).len(), served_by(world));
            assert_eq!((told, served), (2, "live/first".into()), "seed {seed}");
        });
    }
}

/// Each has replaced the other's name before it has looked at its own.
#[test]
fn two_installations_that_begin_together_are_told_of_too() {
    for apart in [0_i64, 100, 300] {
        simulate(apart.unsigned_abs(), async |world| {
            world.settle("tv");
            world.store.latency(Duration::from_millis(5)..=Duration::from_millis(15));
            let _first = world.start_installation("operator-a", "first");
            world.until_millis(apart).await;
            let _second = world.start_installation("operator-b", "second");
            world.until(30).await;
            let writes = world.operators_writes();
            let of_the_account = writes.iter().filter(|write| write.plural == "liveaccounts").count();
            assert!(of_the_account <= 12, "{apart} ms apart: {of_the_account} writes of the account");
            assert_eq!(told_elsewhere(world).len(), 1, "{apart} ms apart");
        });
    }
}

#[test]
fn an_installation_that_follows_one_that_is_gone_takes_its_accounts_over_without_a_word() {
    simulate(1, async |world| {
        world.settle("tv");
        let first = world.start_installation("operator-a", "first");
        world.until(60).await;
        first.kill();
        let _second = world.start_installation("operator-b", "second");
        let _standby = world.start_installation("operator-c", "second");
        world.until(minutes(30)).await;
        assert_eq!(served_by(world), "live/second");
        assert_eq!(told_elsewhere(world), [""; 0]);
    });
}

/// Only once all is listed is it known that nobody started it, and time alone brings that no nearer.
#[test]
fn a_window_that_passed_while_nobody_led_is_missed_soon_after_somebody_does() {
    for seed in 0..5 {
        simulate(seed, async |world| {
            begin(world);
            let leader = world.start_candidate("operator-a");
            world.until(START - 60).await;
            leader.kill();
            world.until(STOP + 60).await;
            let _next = world.start_candidate("operator-b");
            world.until(STOP + 90).await;
            assert_eq!(world.phase(PATH), "Missed", "seed {seed}");
            assert_eq!(world.count("studio", Operation::Activate), 0);
        });
    }
}

/// The apiserver takes seconds to list very many objects: reads of those that are due must not wait for it.
#[test]
fn at_a_terms_beginning_the_objects_of_due_jobs_are_read_before_all_are_listed() {
    let jobs = ["a", "b", "c", "d", "e", "f"];
    simulate(1, async |world| {
        world.settle("tv");
        world.jobs(&jobs);
        let leader = world.start_candidate("operator-a");
        world.until(100).await;
        let _standby = world.start_candidate("operator-b");
        world.until(START - 10).await;
        leader.kill();
        for job in jobs {
            world.window(&format!("tv/{job}"), job, (START, minutes(60)));
        }
        world.store.latency(Duration::from_millis(300)..=Duration::from_millis(300));
        world.until(START + 60).await;
        let lists = world.store.lists(WINDOWS);
        let whole: Vec<bool> = lists.iter().filter(|list| list.by == "operator-b").map(|list| list.whole).collect();
        // The first list, each job's own, and that of the term.
        assert_eq!(whole, [true, false, false, false, false, false, false, true]);
        for job in jobs {
            assert_eq!(world.count(job, Operation::Activate), 1, "{job}");
        }
    });
}
