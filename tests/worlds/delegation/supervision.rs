//! A scheduler that does not do what it said, or that is not there.

use simulator::{FiringEffect, FiringFault, Operation, TaskKind, WorkflowEdit};

use super::super::world::{World, minutes, registered, simulate, told};
use super::{PATH, START, STOP, begin, received};

/// Plays the window through with something wrong at the vendor from its registration on.
async fn play(world: &mut World, wrong: impl FnOnce(&World)) {
    begin(world).await;
    world.delegate(PATH, "studio", (START, STOP));
    world.until(minutes(3)).await;
    assert_eq!(registered(&world.read(PATH)), "Registered");
    wrong(world);
    world.until(STOP + minutes(10)).await;
    world.assert_sound();
    world.assert_finished(PATH);
    assert_eq!(world.starts("studio"), 1, "{:?}", world.stands("studio"));
}

/// The operator's own call of that kind, in seconds since the world's beginning.
fn called(world: &World, operation: Operation) -> Vec<i64> {
    world.calls_where(|call| call.operation == operation).iter().map(|call| received(call) / 1_000).collect()
}

fn told_of(world: &World, reason: &str) -> bool {
    world.store.list("events").iter().any(|event| event["reason"] == reason)
}

/// docs/cases.md, case 69.
#[test]
fn case_69_a_scheduler_that_is_off_is_told_within_seconds_and_the_window_is_run_here_on_time() {
    simulate(1, async |world| {
        world.scheduler(|scheduler| scheduler.enabled = false);
        begin(world).await;
        world.delegate(PATH, "studio", (START, STOP));
        world.until(64).await;
        let condition = told(&world.read(PATH), "Registered");
        assert_eq!((&condition["status"], &condition["reason"]), (&"False".into(), &"SchedulerUnavailable".into()));
        let text = "The scheduler is not enabled for this account";
        assert!(condition["message"].as_str().unwrap().contains(text), "{condition:#}");
        world.until(75).await;
        let account = told(&world.store.get("liveaccounts", "tv", "default").unwrap(), "SchedulerAvailable");
        assert_eq!(account["status"], "False", "{account:#}");
        assert!(account["message"].as_str().unwrap().contains(text), "{account:#}");
        assert!(told(&world.read(PATH), "Ready")["status"] != "False", "it is run all the same");
        world.until(STOP + minutes(10)).await;
        world.assert_sound();
        world.assert_finished(PATH);
        world.assert_blocks("studio", &[(START, STOP)]);
        world.assert_prompt("studio", &[(START, STOP)], 10);
        assert_eq!(world.workflows(), []);
        let asked = world.calls_where(|call| call.operation.is_schedule()).len();
        assert!(asked <= 20, "{asked} requests in vain in 20 minutes");
    });
}

/// docs/cases.md, case 69: switched on again in time.
#[test]
fn case_69_a_scheduler_that_comes_back_takes_the_window_and_the_account_says_so() {
    simulate(1, async |world| {
        world.scheduler(|scheduler| scheduler.enabled = false);
        begin(world).await;
        world.delegate(PATH, "studio", (START, STOP));
        world.until(minutes(3)).await;
        world.scheduler(|scheduler| scheduler.enabled = true);
        world.until(START - 120).await;
        assert_eq!(registered(&world.read(PATH)), "Registered");
        let account = world.store.get("liveaccounts", "tv", "default").unwrap();
        assert_eq!(told(&account, "SchedulerAvailable")["status"], "True", "{account:#}");
        world.until(STOP + minutes(10)).await;
        world.assert_sound();
        world.assert_run_by_vendor("studio", &[(START, STOP)]);
    });
}

/// docs/cases.md, case 69, the job that is not static.
#[test]
fn case_69_a_job_that_is_not_static_is_told_as_it_is_applied_and_never_registered() {
    simulate(1, async |world| {
        begin(world).await;
        world
            .vendor(|vendor| {
                let job = simulator::NewJob { is_static: false, ..simulator::NewJob::with_id("event") };
                vendor.create_job(world.now(), job)
            })
            .unwrap();
        world.delegate(PATH, "event", (START, STOP));
        world.until(64).await;
        assert_eq!(told(&world.read(PATH), "Stalled")["reason"], "NotStatic", "{:#}", world.read(PATH));
        world.until(STOP + minutes(10)).await;
        assert_eq!(world.calls_where(|call| call.operation.changes_schedule()), []);
    });
}

#[test]
fn a_start_that_stays_pending_is_taken_away_after_a_minute_and_made_here() {
    simulate(1, async |world| {
        let skip = FiringFault::new(FiringEffect::Skip).on(TaskKind::Activation);
        play(world, |world| world.firing_fault(skip)).await;
        let starts = called(world, Operation::Activate);
        assert!(starts.len() == 1 && (START + 60..=START + 62).contains(&starts[0]), "{starts:?}");
        assert_eq!(called(world, Operation::Deactivate), [STOP], "the stop is made here, on time");
        assert_eq!(world.stands("studio"), [format!("cancelled {START} | cancelled {STOP}")]);
        assert!(told_of(world, "VendorStartMissing"));
    });
}

#[test]
fn a_start_that_failed_is_made_here_within_seconds() {
    simulate(1, async |world| {
        let error = "Something failed".to_owned();
        let fails = FiringFault::new(FiringEffect::Fail { error }).on(TaskKind::Activation);
        play(world, |world| world.firing_fault(fails)).await;
        let starts = called(world, Operation::Activate);
        assert!(starts.len() == 1 && (START..=START + 4).contains(&starts[0]), "{starts:?}");
        assert_eq!(called(world, Operation::Deactivate), [STOP]);
    });
}

#[test]
fn a_late_start_within_a_minute_is_the_vendors_and_a_later_one_is_not_waited_for() {
    for seconds in [1, 5, 40, 59, 61, 75, 300] {
        simulate(1, async |world| {
            let ms = u64::try_from(seconds * 1_000).unwrap();
            let late = FiringFault::new(FiringEffect::Late { ms }).on(TaskKind::Activation);
            play(world, |world| world.firing_fault(late)).await;
            let (fired, starts) = (world.fired("studio"), called(world, Operation::Activate));
            let by_vendor = fired.iter().any(|fired| fired.0 == TaskKind::Activation);
            assert_eq!(by_vendor, seconds < 60, "{seconds} s late: {fired:?}, {starts:?}");
            assert_eq!(starts.len(), usize::from(!by_vendor), "{seconds} s late");
            let billed = world.billed("studio");
            assert!(billed <= STOP - START + 5, "{seconds} s late: {billed} s billed");
        });
    }
}

#[test]
fn a_stop_that_does_not_come_is_made_here_after_15_seconds_and_its_workflow_goes() {
    simulate(1, async |world| {
        let skip = FiringFault::new(FiringEffect::Skip).on(TaskKind::Deactivation);
        play(world, |world| world.firing_fault(skip)).await;
        let stops = called(world, Operation::Deactivate);
        assert!(stops.len() == 1 && (STOP + 15..=STOP + 17).contains(&stops[0]), "{stops:?}");
        assert_eq!(world.stands("studio"), [format!("finished {START} | cancelled {STOP}")]);
        assert!(told_of(world, "VendorStopMissing"));
        let billed = world.billed("studio");
        assert!(billed <= STOP - START + 25, "{billed} s billed");
    });
}

#[test]
fn a_stop_that_failed_is_made_here_within_seconds() {
    simulate(1, async |world| {
        let error = "Something failed".to_owned();
        let fails = FiringFault::new(FiringEffect::Fail { error }).on(TaskKind::Deactivation);
        play(world, |world| world.firing_fault(fails)).await;
        let stops = called(world, Operation::Deactivate);
        assert!(stops.len() == 1 && (STOP..=STOP + 4).contains(&stops[0]), "{stops:?}");
    });
}

#[test]
fn a_late_stop_is_not_waited_for_longer_than_15_seconds() {
    for seconds in [1, 5, 10, 20, 30, 120] {
        simulate(1, async |world| {
            let ms = u64::try_from(seconds * 1_000).unwrap();
            let late = FiringFault::new(FiringEffect::Late { ms }).on(TaskKind::Deactivation);
            play(world, |world| world.firing_fault(late)).await;
            let stops = called(world, Operation::Deactivate);
            assert_eq!(stops.len(), usize::from(seconds > 15), "{seconds} s late: {stops:?}");
            let billed = world.billed("studio");
            assert!(billed <= STOP - START + 25, "{seconds} s late: {billed} s billed");
        });
    }
}

#[test]
fn cancelled_by_a_person_it_is_told_and_run_here_on_time() {
    simulate(1, async |world| {
        play(world, |world| {
            let id = world.workflows()[0].id.clone();
            let cancel = WorkflowEdit { cancel: true, ..WorkflowEdit::default() };
            world.vendor(|vendor| vendor.change_workflow(world.now(), &id, cancel)).unwrap();
        })
        .await;
        world.assert_blocks("studio", &[(START, STOP)]);
        world.assert_prompt("studio", &[(START, STOP)], 10);
        assert_eq!(world.workflows().len(), 1, "whoever cancelled it meant it");
        assert_eq!(registered(&world.read(PATH)), "DroppedByVendor");
    });
}

#[test]
fn gone_from_the_vendor_it_is_told_and_run_here_on_time() {
    simulate(1, async |world| {
        play(world, |world| {
            let id = world.workflows()[0].id.clone();
            assert!(world.vendor(|vendor| vendor.remove_workflow(&id)));
        })
        .await;
        world.assert_blocks("studio", &[(START, STOP)]);
        world.assert_prompt("studio", &[(START, STOP)], 10);
        assert_eq!(registered(&world.read(PATH)), "DroppedByVendor");
    });
}

#[test]
fn a_stop_that_a_person_moved_is_told_and_not_fought_and_the_windows_own_time_holds() {
    simulate(1, async |world| {
        begin(world).await;
        world.delegate(PATH, "studio", (START, STOP));
        world.until(minutes(3)).await;
        let id = world.workflows()[0].id.clone();
        let mut later = WorkflowEdit::default();
        later.deactivation.time_utc = Some(world.workflows()[0].deactivation.time_utc + 300);
        world.vendor(|vendor| vendor.change_workflow(world.now(), &id, later)).unwrap();
        world.until(START + 30).await;
        assert_eq!(told(&world.read(PATH), "Drifted")["reason"], "VendorCopyDiffers", "{:#}", world.read(PATH));
        assert_eq!(world.asked(Operation::ScheduleUpdate), []);
        world.until(STOP + minutes(10)).await;
        world.assert_sound();
        world.assert_finished(PATH);
        assert_eq!(called(world, Operation::Deactivate), [STOP]);
    });
}

/// Whatever each firing does, the channel is started once at most and is off in the end.
#[test]
fn whatever_the_scheduler_does_the_channel_starts_once_and_no_more_than_seconds_are_billed_past_the_stop() {
    let effects = || {
        [
            None,
            Some(FiringEffect::Skip),
            Some(FiringEffect::Fail { error: "Something failed".to_owned() }),
            Some(FiringEffect::Late { ms: 30_000 }),
            Some(FiringEffect::Late { ms: 60_500 }),
        ]
    };
    for (number, (start, stop)) in effects().into_iter().flat_map(|s| effects().map(|e| (s.clone(), e))).enumerate() {
        for list in [false, true] {
            simulate(u64::try_from(number).unwrap(), async |world| {
                if list {
                    world.serve_list();
                }
                let faults = [(start.clone(), TaskKind::Activation), (stop.clone(), TaskKind::Deactivation)];
                play(world, |world| {
                    for (effect, task) in faults {
                        if let Some(effect) = effect {
                            world.firing_fault(FiringFault::new(effect).on(task));
                        }
                    }
                })
                .await;
                let billed = world.billed("studio");
                assert!(billed <= STOP - START + 25, "{start:?}, {stop:?}: {billed} s billed");
            });
        }
    }
}
