//! Three hours, each lived through twice: the same seed gives the same trace.
//!
//! Only so can a failure that was found in a simulation be found again, and only then does a simulation that passes
//! say anything about the one that will be run next.

use std::time::Duration;

use serde_json::json;
use simulator::{Effect, Fault as VendorFault, LateAnswer, Operation};

use super::store::{Break, Fault, Verb};
use super::world::{Trace, WINDOWS, World, minutes, simulate};

/// The story is the same each time and ends by checking its own outcome.
#[expect(clippy::needless_pass_by_value, reason = "a story is told in place")]
fn assert_repeats(story: impl AsyncFn(&mut World)) {
    let live = |seed| -> Trace {
        simulate(seed, async |world| {
            story(world).await;
            world.until(minutes(60)).await;
            world.assert_sound();
            world.trace()
        })
    };
    let first = live(7);
    first.assert_repeats(&live(7));
    first.assert_other_than(&live(8));
}

#[test]
fn one_jobs_plain_windows_with_edits_and_cancels() {
    assert_repeats(async |world| {
        plain_windows(world).await;
        world.until(minutes(60)).await;
        let blocks = [
            (minutes(5), minutes(8)),
            (minutes(12), minutes(14)),
            (minutes(20), minutes(26)),
            (minutes(40), minutes(45)),
        ];
        world.assert_blocks("studio", &blocks);
        world.assert_prompt("studio", &blocks, 10);
        for path in ["tv/plain", "tv/later", "tv/longer", "tv/shorter"] {
            world.assert_finished(path);
        }
        assert_eq!(world.phase("tv/cancelled"), "Cancelled");
        assert!(world.read("tv/deleted").is_null());
    });
}

async fn plain_windows(world: &mut World) {
    world.settle("tv");
    world.jobs(&["studio"]);
    world.start_operator();
    world.until(60).await;
    world.window("tv/plain", "studio", (minutes(5), minutes(8)));
    world.window("tv/later", "studio", (minutes(10), minutes(14)));
    world.window("tv/longer", "studio", (minutes(20), minutes(23)));
    world.window("tv/cancelled", "studio", (minutes(30), minutes(33)));
    world.window("tv/deleted", "studio", (minutes(35), minutes(37)));
    world.window("tv/shorter", "studio", (minutes(40), minutes(55)));
    world.until(minutes(7)).await;
    world.store.break_watches(Break::Reset);
    world.until(minutes(9)).await;
    world.move_start("tv/later", minutes(12));
    world.until(minutes(22)).await;
    world.move_stop("tv/longer", minutes(26));
    world.until(minutes(28)).await;
    world.cancel("tv/cancelled");
    world.delete("tv/deleted");
    world.store.break_watches(Break::Error(410));
    world.until(minutes(43)).await;
    world.move_stop("tv/shorter", minutes(45));
}

#[test]
fn overlaps_over_two_namespaces_while_the_live_api_fails() {
    assert_repeats(async |world| {
        overlaps(world).await;
        world.until(minutes(60)).await;
        world.assert_blocks("overlap", &[(minutes(5), minutes(15))]);
        world.assert_blocks("touch", &[(minutes(5), minutes(15)), (minutes(30), minutes(33))]);
        world.assert_blocks("nested", &[(minutes(5), minutes(25))]);
        world.assert_blocks("gap", &[(minutes(16), minutes(20))]);
        world.assert_blocks("refused", &[(minutes(6), minutes(12))]);
        world.assert_blocks("lost", &[(minutes(6), minutes(12)), (minutes(20), minutes(24))]);
        world.assert_blocks("ignored", &[(minutes(6), minutes(12))]);
        let windows = world.store.list(WINDOWS);
        assert_eq!(windows.len(), 15);
        for window in windows {
            assert_eq!(window["status"]["phase"], "Finished", "{window:#}");
        }
    });
}

async fn overlaps(world: &mut World) {
    for namespace in ["tv", "sport"] {
        world.settle(namespace);
    }
    let jobs = ["overlap", "touch", "nested", "gap", "refused", "lost", "ignored"];
    world.jobs(&jobs);
    world.vendor_settings(|settings| settings.latency_jitter_ms = 900);
    world.vendor_settings(|settings| settings.simultaneous_activations = 2);
    world.store.latency(Duration::from_millis(1)..=Duration::from_millis(300));
    break_the_vendor(world);
    world.start_operator();
    world.until(30).await;
    world.window("tv/overlap-1", "overlap", (minutes(5), minutes(10)));
    world.window("sport/overlap-2", "overlap", (minutes(8), minutes(15)));
    world.window("tv/touch-1", "touch", (minutes(5), minutes(10)));
    world.window("sport/touch-2", "touch", (minutes(10), minutes(15)));
    world.window("sport/touch-3", "touch", (minutes(30), minutes(33)));
    world.window("tv/nested-1", "nested", (minutes(5), minutes(25)));
    world.window("tv/nested-2", "nested", (minutes(6), minutes(9)));
    world.window("sport/nested-3", "nested", (minutes(10), minutes(11)));
    world.window("sport/nested-4", "nested", (minutes(24), minutes(25)));
    world.window("tv/gap-1", "gap", (minutes(16), minutes(18)));
    world.window("sport/gap-2", "gap", (minutes(18) + 40, minutes(20)));
    world.window("tv/refused", "refused", (minutes(6), minutes(12)));
    world.window("tv/lost-1", "lost", (minutes(6), minutes(12)));
    world.window("sport/lost-2", "lost", (minutes(20), minutes(24)));
    world.window("sport/ignored", "ignored", (minutes(6), minutes(12)));
    world.until(minutes(9)).await;
    world.store.break_watches(Break::Error(500));
    world.until(minutes(32)).await;
    world.store.break_watches(Break::Reset);
}

fn break_the_vendor(world: &World) {
    let refuse = |status| Effect::Refuse { status, body: json!({"message": "later"}), headers: [].into() };
    let on = |effect, operation, job| VendorFault::new(effect).on(operation).job(job);
    world.vendor_fault(on(refuse(503), Operation::Activate, "refused").times(2));
    world.vendor_fault(on(refuse(429), Operation::Deactivate, "refused").times(2));
    world.vendor_fault(on(Effect::DropAfter, Operation::Activate, "lost").times(1));
    world.vendor_fault(on(Effect::DropBefore, Operation::Deactivate, "lost").times(1));
    world.vendor_fault(on(Effect::Hang { carry_out: false }, Operation::Deactivate, "lost").times(1));
    let late = Effect::CarryOutLate { delay_ms: 6_000, answer: LateAnswer::Drop };
    world.vendor_fault(on(late, Operation::Activate, "lost").after(1).times(1));
    world.vendor_fault(on(Effect::Ignore, Operation::Deactivate, "ignored").times(1));
    world.vendor_fault(VendorFault::new(Effect::Html { status: 502 }).on(Operation::Read).after(40).times(10));
}

#[test]
fn restarts_while_the_apiserver_fails_and_lags() {
    assert_repeats(async |world| {
        troubled_apiserver(world).await;
        world.until(minutes(60)).await;
        world.assert_blocks("a", &[(minutes(5), minutes(10)), (minutes(20), minutes(24)), (minutes(40), minutes(44))]);
        world.assert_blocks("b", &[(minutes(5) + 30, minutes(14)), (minutes(30), minutes(36))]);
        for path in ["tv/a-1", "tv/a-2", "tv/a-3", "tv/b-1", "tv/b-2", "tv/b-3"] {
            world.assert_finished(path);
        }
    });
}

async fn troubled_apiserver(world: &mut World) {
    world.settle("tv");
    world.jobs(&["a", "b"]);
    world.store.cache_lag(Duration::from_secs(5));
    world.start_operator();
    world.until(30).await;
    world.window("tv/a-1", "a", (minutes(5), minutes(10)));
    world.window("tv/a-2", "a", (minutes(20), minutes(24)));
    world.window("tv/a-3", "a", (minutes(40), minutes(50)));
    world.window("tv/b-1", "b", (minutes(5) + 30, minutes(11)));
    world.window("tv/b-2", "b", (minutes(10), minutes(14)));
    world.window("tv/b-3", "b", (minutes(30), minutes(36)));
    for (minute, fate) in [(5, Fault::Refuse(409)), (6, Fault::LoseAnswer), (10, Fault::Mislead(504))] {
        world.until(minutes(minute) - 1).await;
        world.store.fail_next(2, Verb::UpdateStatus, WINDOWS, fate);
    }
    world.until(minutes(12)).await;
    world.store.break_watches(Break::Error(410));
    // Between call and confirmation, on air, and right before a start.
    world.until(minutes(20) + 3).await;
    world.kill_operator().await;
    world.until(minutes(20) + 5).await;
    world.start_operator();
    world.until(minutes(22)).await;
    world.stop_operator().await;
    world.until(minutes(23)).await;
    world.start_operator();
    world.store.fail_at_random(100);
    world.until(minutes(30) - 1).await;
    world.kill_operator().await;
    world.until(minutes(30) + 4).await;
    world.start_operator();
    world.until(minutes(34)).await;
    world.store.break_watches(Break::Reset);
    world.until(minutes(42)).await;
    world.move_stop("tv/a-3", minutes(44));
    world.until(minutes(50)).await;
    world.store.fail_at_random(0);
}
