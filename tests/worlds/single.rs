//! One window, closely.

use std::time::Duration;

use serde_json::json;
use simulator::{Effect, Fault as VendorFault, LateAnswer, Operation};

use super::store::{Break, Fault, Verb, Write};
use super::world::{WINDOWS, World, minutes, simulate};

const PATH: &str = "tv/news";

/// A namespace, a job and an operator that runs for a minute before anything is applied.
async fn begin(world: &mut World) {
    world.settle("tv");
    world.jobs(&["studio"]);
    world.start_operator();
    world.until(minutes(1)).await;
}

fn assert_one_session(world: &World, start: i64, stop: i64) {
    world.assert_sound();
    world.assert_finished(PATH);
    world.assert_blocks("studio", &[(start, stop)]);
}

#[test]
fn without_faults_a_window_costs_one_activate_one_deactivate_and_at_most_8_status_writes() {
    simulate(1, async |world| {
        begin(world).await;
        world.window(PATH, "studio", (minutes(20), minutes(40)));
        world.until(minutes(60)).await;
        assert_one_session(world, minutes(20), minutes(40));
        world.assert_prompt("studio", &[(minutes(20), minutes(40))], 10);
        assert_eq!(world.count("studio", Operation::Activate), 1);
        assert_eq!(world.count("studio", Operation::Deactivate), 1);
        let of_window = |verb| {
            let writes = world.operators_writes();
            writes.iter().filter(|write| write.plural == WINDOWS && write.verb == verb).count()
        };
        assert!(of_window(Verb::UpdateStatus) <= 8, "{} status writes", of_window(Verb::UpdateStatus));
        assert_eq!(of_window(Verb::Patch), 2, "the finalizer comes and goes");
    });
}

/// docs/cases.md, case 27: what the operator wrote comes back late, and is not done a second time meanwhile.
#[test]
fn case_27_a_cache_5_s_behind_makes_no_second_call() {
    simulate(1, async |world| {
        begin(world).await;
        world.store.cache_lag(Duration::from_secs(5));
        world.window(PATH, "studio", (minutes(3), minutes(6)));
        world.until(minutes(10)).await;
        assert_one_session(world, minutes(3), minutes(6));
        assert_eq!(world.count("studio", Operation::Activate), 1);
        assert_eq!(world.count("studio", Operation::Deactivate), 1);
        let stale = |write: &&Write| write.plural == WINDOWS && write.code == Some(409);
        assert_eq!(world.operators_writes().iter().find(stale), None, "written on less than the operator knew");
    });
}

#[test]
fn a_window_first_seen_inside_its_time_is_started_at_once() {
    simulate(1, async |world| {
        begin(world).await;
        world.store.cache_lag(Duration::from_secs(5));
        world.window(PATH, "studio", (minutes(1) - 30, minutes(6)));
        world.until(minutes(10)).await;
        assert_one_session(world, minutes(1), minutes(6));
    });
}

/// The edit reaches the operator 5 s later, still 15 s ahead of the new stop.
#[test]
fn a_stop_moved_earlier_is_seen_through_a_lagging_watch() {
    simulate(1, async |world| {
        begin(world).await;
        world.store.cache_lag(Duration::from_secs(5));
        world.window(PATH, "studio", (minutes(3), minutes(30)));
        world.until(minutes(10)).await;
        world.move_stop(PATH, minutes(10) + 20);
        world.until(minutes(20)).await;
        assert_one_session(world, minutes(3), minutes(10) + 20);
        world.assert_prompt("studio", &[(minutes(3), minutes(10) + 20)], 10);
    });
}

/// The new stop has passed by the time the operator hears of it: late by what the watch was behind, and no more.
#[test]
fn a_stop_moved_to_a_time_that_passes_unseen_is_made_when_it_is_seen() {
    simulate(1, async |world| {
        begin(world).await;
        world.window(PATH, "studio", (minutes(3), minutes(30)));
        world.until(minutes(10)).await;
        world.store.cache_lag(Duration::from_secs(20));
        world.move_stop(PATH, minutes(10) + 1);
        world.until(minutes(20)).await;
        assert_one_session(world, minutes(3), minutes(10) + 1);
        world.assert_prompt("studio", &[(minutes(10) + 1, minutes(10) + 1)], 20_000);
    });
}

/// Nothing reaches the operator for half a minute, and it cannot know: an edit is late by that, and by what is left of the
/// list's silence, after which it is begun anew (it had begun a second after the cut).
#[test]
fn an_apiserver_out_of_reach_delays_an_edit_by_its_silence() {
    simulate(1, async |world| {
        begin(world).await;
        world.window(PATH, "studio", (minutes(3), minutes(30)));
        world.until(minutes(10)).await;
        world.store.cut("operator-1");
        world.move_stop(PATH, minutes(10) + 5);
        world.until(minutes(10) + 30).await;
        world.store.heal("operator-1");
        world.until(minutes(20)).await;
        assert_one_session(world, minutes(3), minutes(10) + 5);
        world.assert_prompt("studio", &[(minutes(10) + 5, minutes(10) + 5)], 26_500);
    });
}

#[test]
fn an_apiserver_that_is_away_keeps_no_deadline_waiting() {
    simulate(1, async |world| {
        begin(world).await;
        world.window(PATH, "studio", (minutes(3), minutes(6)));
        // The start is claimed 30 s ahead.
        world.until(minutes(3) - 29).await;
        world.store.cut("operator-1");
        world.until(minutes(8)).await;
        world.store.heal("operator-1");
        world.until(minutes(12)).await;
        assert_one_session(world, minutes(3), minutes(6));
        world.assert_prompt("studio", &[(minutes(3), minutes(6))], 10);
    });
}

#[test]
fn an_edit_of_the_stop_that_is_seen_only_by_the_list_after_an_expired_watch_counts() {
    simulate(1, async |world| {
        begin(world).await;
        world.window(PATH, "studio", (minutes(3), minutes(30)));
        world.until(minutes(10)).await;
        world.store.fail_next(1, Verb::Watch, WINDOWS, Fault::Refuse(410));
        world.store.break_watches(Break::Error(410));
        world.move_stop(PATH, minutes(10) + 10);
        world.until(minutes(20)).await;
        assert_one_session(world, minutes(3), minutes(10) + 10);
        world.assert_prompt("studio", &[(minutes(10) + 10, minutes(10) + 10)], 10);
    });
}

/// Every way for the writes of one life to go wrong: none of them makes a second call.
#[test]
fn no_fate_of_a_status_write_makes_a_second_call() {
    let fates = [
        Fault::Refuse(409),
        Fault::Refuse(500),
        Fault::Mislead(504),
        Fault::LoseAnswer,
        Fault::Hang,
        Fault::Reset,
        Fault::Late(Duration::from_secs(15)),
    ];
    for fate in fates {
        simulate(1, async |world| {
            begin(world).await;
            world.window(PATH, "studio", (minutes(3), minutes(6)));
            world.until(minutes(3) - 5).await;
            world.store.fail_next(2, Verb::UpdateStatus, WINDOWS, fate);
            world.until(minutes(6) - 5).await;
            world.store.fail_next(2, Verb::UpdateStatus, WINDOWS, fate);
            world.until(minutes(12)).await;
            assert_one_session(world, minutes(3), minutes(6));
            assert_eq!(world.count("studio", Operation::Activate), 1, "{fate:?}");
            assert_eq!(world.count("studio", Operation::Deactivate), 1, "{fate:?}");
        });
    }
}

/// A crash at each quarter of a second around both ends, then at each second while the channel turns: the next process
/// finds what was stored, reads the job first, and no channel is left on or switched on twice.
#[test]
fn a_crash_at_any_moment_cuts_no_session_short() {
    for end in [minutes(3), minutes(6)] {
        let moments = (-12..24).chain((24..120).step_by(4)).map(|quarter| millis(end) + 250 * quarter);
        for moment in moments {
            simulate(1, async |world| crash(world, moment).await);
        }
    }
}

async fn crash(world: &mut World, moment: i64) {
    begin(world).await;
    world.window(PATH, "studio", (minutes(3), minutes(6)));
    world.until_millis(moment).await;
    world.kill_operator().await;
    world.until_millis(moment + 700).await;
    world.start_operator();
    world.until(minutes(12)).await;
    assert_one_session(world, minutes(3), minutes(6));
}

/// A call that is answered and carried out 6 s later: until then the job reads as if nothing had been called. A
/// process that comes between goes by the recorded call, not by the reading.
#[test]
fn a_crash_while_the_vendor_dawdles_repeats_no_call() {
    for (end, operation) in [(minutes(3), Operation::Activate), (minutes(6), Operation::Deactivate)] {
        for second in 1..6 {
            simulate(1, async |world| {
                let effect = Effect::CarryOutLate { delay_ms: 6_000, answer: LateAnswer::Ok };
                world.vendor_fault(VendorFault::new(effect).on(operation));
                crash(world, millis(end + second)).await;
                assert_eq!(world.count("studio", operation), 1);
            });
        }
    }
}

/// What was called is stored before the process ends, however slow the apiserver is.
#[test]
fn case_103_sigterm_right_after_a_call_leaves_it_recorded() {
    simulate(1, async |world| {
        begin(world).await;
        world.window(PATH, "studio", (minutes(3), minutes(6)));
        world.until(minutes(2)).await;
        world.store.latency(Duration::from_millis(400)..=Duration::from_millis(500));
        world.until_millis(millis(minutes(3)) + 50).await;
        world.stop_operator().await;
        let window = world.read(PATH);
        let start = &window["status"]["activation"];
        assert!(start["calledAt"].is_string(), "the call is not recorded: {window:#}");
        world.start_operator();
        world.until(minutes(12)).await;
        assert_one_session(world, minutes(3), minutes(6));
    });
}

/// Somebody takes the finalizer off and deletes the object just as the watch has expired: only the next list tells.
#[test]
fn a_window_that_vanished_between_two_watches_is_not_started() {
    simulate(1, async |world| {
        begin(world).await;
        world.window(PATH, "studio", (minutes(3), minutes(6)));
        world.until(minutes(2)).await;
        world.store.edit(WINDOWS, "tv", "news", |object| object["metadata"]["finalizers"] = json!([])).unwrap();
        world.delete(PATH);
        assert!(world.read(PATH).is_null());
        world.store.compact();
        world.store.break_watches(Break::Reset);
        world.until(minutes(10)).await;
        world.assert_sound();
        world.assert_blocks("studio", &[]);
        assert_eq!(world.count("studio", Operation::Activate), 0);
    });
}

const fn millis(seconds: i64) -> i64 {
    seconds * 1_000
}

/// An operator that may not hold accounts still shows how they are.
#[test]
fn without_the_right_to_an_accounts_finalizer_its_status_is_written_all_the_same() {
    simulate(1, async |world| {
        world.store.fail_next(1_000, Verb::Patch, "liveaccounts", Fault::Refuse(403));
        begin(world).await;
        world.window(PATH, "studio", (minutes(3), minutes(30)));
        world.until(minutes(10)).await;
        let account = world.store.get("liveaccounts", "tv", "default").unwrap();
        assert_eq!(account["status"]["windows"]["active"], 1, "{account}");
        let tried = world
            .operators_writes()
            .iter()
            .filter(|write| write.verb == Verb::Patch && write.code == Some(403))
            .count();
        assert!((2..20).contains(&tried), "{tried} attempts in seven minutes");
        world.until(minutes(40)).await;
        assert_one_session(world, minutes(3), minutes(30));
    });
}
