//! Operators that die, and answers that are lost.

use std::time::Duration;

use simulator::{Effect, Fault, LateAnswer, Operation};

use super::super::world::{WINDOWS, World, at, minutes, registered, simulate};
use super::{PATH, received};

const START: i64 = minutes(6);
const STOP: i64 = minutes(8);

/// When everything has come to rest.
const END: i64 = STOP + minutes(5);

/// An edit of the stop.
const EDIT: i64 = minutes(3);

fn settle(world: &World, list: bool) {
    world.settle("tv");
    world.jobs(&["studio"]);
    if list {
        world.serve_list();
    }
}

/// A POST takes so long that some die while it is under way.
fn slow_posts(world: &World) {
    world.vendor_fault(Fault::new(Effect::Latency { ms: 150, jitter_ms: 150 }).on(Operation::ScheduleCreate));
}

/// One workflow stands for the window, known by its id.
fn assert_registered(world: &World, what: &str) {
    let window = world.read(PATH);
    assert_eq!(world.stands("studio"), [format!("pending {START} | pending {STOP}")], "{what}: {window:#}");
    assert_eq!(registered(&window), "Registered", "{what}: {window:#}");
    assert_eq!(window["status"]["vendorWorkflowID"], world.workflows()[0].id.as_str(), "{what}");
}

async fn assert_run(world: &World, what: &str) {
    world.until(END).await;
    world.assert_sound();
    world.assert_finished(PATH);
    assert_eq!(world.stands("studio").len(), 1, "{what}: {:?}", world.stands("studio"));
    world.assert_run_by_vendor("studio", &[(START, STOP)]);
}

/// docs/cases.md, case 26, unaided.
#[test]
fn case_26_whenever_the_operator_is_killed_around_the_post_one_workflow_stands_within_a_minute() {
    let mut between = 0;
    for step in 0..50 {
        between += simulate(step, async |world| {
            settle(world, true);
            slow_posts(world);
            world.start_operator();
            world.until(60).await;
            world.delegate(PATH, "studio", (START, STOP));
            let killed = 60_000 + 20 * i64::try_from(step).unwrap();
            world.until_millis(killed).await;
            world.kill_operator().await;
            let sent = !world.asked(Operation::ScheduleCreate).is_empty();
            let known = world.read(PATH)["status"]["vendorWorkflowID"].is_string();
            world.start_operator();
            world.until_millis(killed + 60_000).await;
            assert_registered(world, &format!("killed at {killed}"));
            assert_run(world, &format!("killed at {killed}")).await;
            usize::from(sent && !known)
        });
    }
    assert!(between >= 5, "only {between} died between the POST and its record");
}

/// docs/cases.md, case 26: what left before the process died arrives when the next one looks already.
#[test]
fn case_26_a_post_that_arrives_seconds_after_its_process_died_is_found_and_not_made_again() {
    for delay_ms in [500, 3_000, 8_000] {
        simulate(delay_ms, async |world| {
            settle(world, true);
            let late = Effect::CarryOutLate { delay_ms, answer: LateAnswer::Drop };
            world.vendor_fault(Fault::new(late).on(Operation::ScheduleCreate).times(1));
            world.start_operator();
            world.until(60).await;
            world.delegate(PATH, "studio", (START, STOP));
            while world.asked(Operation::ScheduleCreate).is_empty() {
                let now = world.now().as_millisecond() - at(0).as_millisecond();
                world.until_millis(now + 1).await;
            }
            world.kill_operator().await;
            world.start_operator();
            world.until(minutes(2)).await;
            assert_registered(world, &format!("{delay_ms} ms late"));
            assert_eq!(world.asked(Operation::ScheduleCreate).len(), 1);
            assert_run(world, &format!("{delay_ms} ms late")).await;
        });
    }
}

/// docs/cases.md, case 28.
#[test]
fn case_28_after_a_post_whose_answer_was_lost_the_next_request_is_a_list_and_one_workflow_stands() {
    for effect in [Effect::DropAfter, Effect::Hang { carry_out: true }, Effect::Html { status: 502 }] {
        let done = !matches!(effect, Effect::Html { .. });
        simulate(1, async |world| {
            settle(world, true);
            world.vendor_fault(Fault::new(effect.clone()).on(Operation::ScheduleCreate).times(1));
            world.start_operator();
            world.until(60).await;
            world.delegate(PATH, "studio", (START, STOP));
            world.until(minutes(3)).await;
            assert_registered(world, &format!("{effect:?}"));
            let posts = world.asked(Operation::ScheduleCreate);
            assert_eq!(posts.len(), if done { 1 } else { 2 }, "{effect:?}");
            let next = world.calls_where(|call| call.operation.is_schedule() && call.sequence > posts[0].sequence);
            assert_eq!(next[0].operation, Operation::ScheduleList, "{effect:?}");
            assert_run(world, &format!("{effect:?}")).await;
        });
    }
}

/// docs/cases.md, case 28, where the vendor has no list.
#[test]
fn case_28_without_a_list_a_post_whose_answer_was_lost_is_never_repeated_and_the_vendors_start_counts() {
    simulate(1, async |world| {
        settle(world, false);
        world.vendor_fault(Fault::new(Effect::DropAfter).on(Operation::ScheduleCreate).times(1));
        world.start_operator();
        world.until(60).await;
        world.delegate(PATH, "studio", (START, STOP));
        world.until(minutes(3)).await;
        assert_eq!(registered(&world.read(PATH)), "WorkflowUnknown");
        assert_run(world, "without a list").await;
        assert_eq!(world.asked(Operation::ScheduleCreate).len(), 1);
    });
}

/// docs/cases.md, case 28: nothing was made, and nobody can know.
#[test]
fn case_28_without_a_list_a_post_that_was_lost_on_its_way_is_made_good_two_minutes_after_the_start() {
    simulate(1, async |world| {
        const STOP: i64 = START + minutes(20);
        settle(world, false);
        world.vendor_fault(Fault::new(Effect::DropBefore).on(Operation::ScheduleCreate).times(1));
        world.start_operator();
        world.until(60).await;
        world.delegate(PATH, "studio", (START, STOP));
        world.until(STOP + minutes(5)).await;
        world.assert_sound();
        world.assert_finished(PATH);
        assert_eq!(world.asked(Operation::ScheduleCreate).len(), 1);
        assert_eq!(world.starts("studio"), 1);
        let calls = world.calls_where(|call| call.operation.is_switch());
        let late: Vec<i64> = calls.iter().map(received).collect();
        assert_eq!(late.len(), 2, "{late:?}");
        assert!((START + 120..START + 125).contains(&(late[0] / 1_000)), "{late:?}");
        assert!((STOP..STOP + 20).contains(&(late[1] / 1_000)), "{late:?}");
    });
}

/// Moments of a life with an edit of the stop in it, in milliseconds: the registration, the edit, the last look ahead of the
/// start, the start and the stop.
fn moments() -> Vec<i64> {
    let about = |second: i64, around: &[i64]| around.iter().map(|ms| second * 1_000 + ms).collect::<Vec<_>>();
    let sent: Vec<i64> = (0..12).map(|step| step * 60).collect();
    [
        about(60, &sent),
        about(EDIT, &sent),
        about(START - 120, &[-500, 0, 50, 300]),
        about(START, &[-31_000, -15_500, -1_000, -1, 0, 1, 40, 1_000, 2_050, 9_000, 61_000]),
        about(STOP + 60, &[-31_000, -15_500, -1_000, -1, 0, 1, 40, 1_000, 2_050, 9_000, 16_000]),
    ]
    .concat()
}

/// docs/cases.md, case 25.
#[test]
fn case_25_whenever_the_leader_is_killed_one_workflow_runs_the_window_and_nobody_else() {
    for killed in moments() {
        simulate(killed.unsigned_abs(), async |world| {
            settle(world, true);
            slow_posts(world);
            let leader = world.start_candidate("operator-a");
            world.until(20).await;
            let standby = world.start_candidate("operator-b");
            let mut leader = Some(leader);
            for (second, act) in [(60, 0), (EDIT, 1), (END, 2)] {
                if let Some(alive) = leader.take_if(|_| killed < second * 1_000) {
                    world.until_millis(killed).await;
                    assert!(alive.leads() && !standby.leads());
                    alive.kill();
                }
                world.until(second).await;
                match act {
                    0 => world.delegate(PATH, "studio", (START, STOP)),
                    1 => world.move_stop(PATH, STOP + 60),
                    _ => assert!(standby.leads()),
                }
            }
            world.assert_sound();
            world.assert_finished(PATH);
            assert_eq!(world.stands("studio").len(), 1, "killed at {killed}: {:?}", world.stands("studio"));
            world.assert_run_by_vendor("studio", &[(START, STOP + 60)]);
        });
    }
}

/// docs/cases.md, case 25, where the vendor has no list.
#[test]
fn case_25_without_a_list_no_second_workflow_is_made_whenever_the_leader_is_killed() {
    let mut unknown = 0;
    for killed in moments() {
        unknown += simulate(killed.unsigned_abs(), async |world| {
            settle(world, false);
            slow_posts(world);
            let leader = world.start_candidate("operator-a");
            world.until(20).await;
            let standby = world.start_candidate("operator-b");
            world.until(60).await;
            world.delegate(PATH, "studio", (START, STOP));
            world.until_millis(killed).await;
            leader.kill();
            world.until_millis(killed.max(minutes(2) * 1_000)).await;
            let unknown = registered(&world.read(PATH)) == "WorkflowUnknown";
            world.until(END).await;
            assert!(standby.leads());
            world.assert_sound();
            world.assert_finished(PATH);
            assert!(world.asked(Operation::ScheduleCreate).len() <= 1, "killed at {killed}");
            assert_eq!(world.starts("studio"), 1, "killed at {killed}");
            let billed = world.billed("studio");
            assert!((STOP - START - 130..=STOP - START + 30).contains(&billed), "killed at {killed}: {billed} s");
            usize::from(unknown)
        });
    }
    assert!(unknown >= 1, "none died where nobody can know");
}

/// The operator is away from before the start until after the stop.
#[test]
fn a_registered_window_happens_while_no_operator_runs_and_the_next_one_reports_it() {
    simulate(1, async |world| {
        settle(world, false);
        world.start_operator();
        world.until(60).await;
        world.delegate(PATH, "studio", (START, STOP));
        world.until(minutes(5)).await;
        world.kill_operator().await;
        world.until(STOP + minutes(30)).await;
        world.start_operator();
        world.until(STOP + minutes(32)).await;
        world.assert_sound();
        world.assert_finished(PATH);
        world.assert_run_by_vendor("studio", &[(START, STOP)]);
    });
}
/// docs/cases.md, case 100: a registration is stored on the object before the POST, and only one of two can store it.
#[test]
fn case_100_of_two_that_both_believe_to_lead_one_registers() {
    for seed in 0..10 {
        simulate(seed, async |world| {
            settle(world, seed % 2 == 0);
            world.store.latency(Duration::from_millis(1)..=Duration::from_millis(200));
            let _both = (world.start_believer("operator-a"), world.start_believer("operator-b"));
            world.until(60).await;
            world.delegate(PATH, "studio", (START, STOP));
            world.until(END).await;
            world.assert_sound();
            assert_eq!(world.asked(Operation::ScheduleCreate).len(), 1, "seed {seed}");
            assert_eq!(world.starts("studio"), 1, "seed {seed}");
            let writes = world.store.writes();
            let writes = writes.iter().filter(|write| write.plural == WINDOWS && write.by.starts_with("operator"));
            assert!((5..60).contains(&writes.count()), "they put their words in the place of one another's");
        });
    }
}
