//! More windows than the vendor's scheduler takes.

use serde_json::json;
use simulator::Operation;

use super::super::world::{World, at, minutes, registered, simulate, told};
use super::{begin_season, received};

const HOUR: i64 = minutes(60);

/// As many as the vendor takes by default.
const SIX: usize = 6;

/// Twenty windows, twenty minutes apart, each of ten minutes.
fn season(jobs: &[String]) -> Vec<(String, String, (i64, i64))> {
    let date = |number: i64| (number * minutes(20), number * minutes(20) + minutes(10));
    let of = |(number, job): (i64, &String)| (format!("tv/date-{number:02}"), job.clone(), date(number));
    (1..=20).zip(jobs.iter().cycle()).map(of).collect()
}

/// No request was refused: the quota was never overstepped.
fn assert_none_refused(world: &World) {
    let refused = world.calls_where(|call| call.operation.changes_schedule() && call.status != Some(200));
    assert_eq!(refused, []);
}

/// docs/cases.md, case 68.
#[test]
fn case_68_a_season_is_registered_six_at_a_time_unaided_and_nothing_starts_late() {
    for jobs in [1, 20] {
        simulate(1, async |world| {
            let jobs = begin_season(world, json!({}), jobs).await;
            let season = season(&jobs);
            // The farthest first: each displaces one.
            for (path, job, times) in season.iter().rev() {
                world.delegate(path, job, *times);
            }
            world.until(minutes(5)).await;
            assert_eq!(world.pending_starts(), SIX);
            for (place, (path, _, _)) in season.iter().enumerate() {
                let reason = if place < SIX { "Registered" } else { "WaitingForQuota" };
                assert_eq!(registered(&world.read(path)), reason, "{path}: {:#}", world.read(path));
            }
            let waits = told(&world.read(&season[SIX].0), "Registered");
            assert!(waits["message"].as_str().unwrap().starts_with("6 sooner windows"), "{waits:#}");
            for minute in 6..20 * 20 + 25 {
                world.until(minutes(minute)).await;
                let pending = world.pending_starts();
                assert!(pending <= SIX, "{pending} at minute {minute}");
                if minute % 20 == 10 {
                    let left = season.iter().filter(|(_, _, (start, _))| *start > minutes(minute)).count();
                    assert_eq!(pending, left.min(SIX), "the next ones follow at minute {minute}");
                }
            }
            assert_none_refused(world);
            world.assert_sound();
            for (path, _, _) in &season {
                world.assert_finished(path);
            }
            for job in &jobs {
                let of_job = season.iter().filter(|(_, of, _)| of == job);
                world.assert_run_by_vendor(job, &of_job.map(|(_, _, times)| *times).collect::<Vec<_>>());
            }
        });
    }
}

/// docs/cases.md, case 68.
#[test]
fn case_68_a_nearer_window_displaces_the_farthest_which_is_registered_again_later() {
    simulate(1, async |world| {
        let jobs = begin_season(world, json!({}), 7).await;
        let times = |place: usize| {
            let start = HOUR * (2 + i64::try_from(place).unwrap());
            (start, start + minutes(30))
        };
        let path = |place: usize| format!("tv/date-{place}");
        for (place, job) in jobs.iter().enumerate().skip(1) {
            world.delegate(&path(place), job, times(place));
        }
        world.until(minutes(5)).await;
        assert_eq!(world.pending_starts(), SIX);
        world.delegate(&path(0), &jobs[0], times(0));
        world.until(minutes(6)).await;
        assert_eq!(registered(&world.read(&path(0))), "Registered");
        assert_eq!(registered(&world.read(&path(6))), "WaitingForQuota");
        assert_eq!(world.pending_starts(), SIX);
        let (start, stop) = times(6);
        assert_eq!(world.stands(&jobs[6]), [format!("cancelled {start} | cancelled {stop}")]);
        world.until(12 * HOUR).await;
        assert_none_refused(world);
        world.assert_sound();
        for (place, job) in jobs.iter().enumerate() {
            world.assert_run_by_vendor(job, &[times(place)]);
            world.assert_finished(&path(place));
        }
    });
}

/// docs/cases.md, case 68: the vendor's quota is smaller than the account says.
#[test]
fn case_68_a_refusal_is_a_condition_and_no_storm_and_nothing_starts_late() {
    simulate(1, async |world| {
        world.scheduler(|scheduler| scheduler.pending_activations = 2);
        let jobs = begin_season(world, json!({}), 8).await;
        let times = |place: usize| {
            let start = 3 * HOUR + minutes(10) * i64::try_from(place).unwrap();
            (start, start + minutes(5))
        };
        for (place, job) in jobs.iter().enumerate() {
            world.delegate(&format!("tv/{job}"), job, times(place));
        }
        world.until(HOUR).await;
        assert_eq!(world.pending_starts(), 2);
        let reasons: Vec<String> = jobs.iter().map(|job| registered(&world.read(&format!("tv/{job}")))).collect();
        let count = |reason: &str| reasons.iter().filter(|of| *of == reason).count();
        assert_eq!((count("Registered"), count("SchedulerUnavailable")), (2, 4), "{reasons:?}");
        assert_eq!(count("WaitingForQuota"), 2, "{reasons:?}");
        let refused = reasons.iter().position(|reason| reason == "SchedulerUnavailable").unwrap();
        let refused = told(&world.read(&format!("tv/{}", jobs[refused])), "Registered");
        assert!(refused["message"].as_str().unwrap().contains("number of pending activations"), "{refused:#}");
        let asked = world.calls_where(|call| call.operation.is_schedule() && received(call) < HOUR * 1_000).len();
        assert!(asked <= 4 * 20 + 20, "{asked} requests in the first hour");
        let posts = world.calls_where(|call| {
            call.operation == Operation::ScheduleCreate && (HOUR * 1_000..2 * HOUR * 1_000).contains(&received(call))
        });
        assert!(posts.len() <= 4 * 13, "{} POSTs in the second hour", posts.len());
        world.until(6 * HOUR).await;
        world.assert_sound();
        for (place, job) in jobs.iter().enumerate() {
            let (start, _) = times(place);
            world.assert_finished(&format!("tv/{job}"));
            assert_eq!(world.starts(job), 1, "{job}");
            let report = world.vendor(|vendor| vendor.report(world.now(), job)).unwrap();
            let changes = report.sep_history.iter().map(|went| went.transition_timestamp);
            let went_on = changes.filter(|at| *at > report.created_us / 1_000).min();
            let late = went_on.unwrap() - at(start).as_millisecond();
            assert!((0..=200).contains(&late), "{job} started {late} ms late");
        }
    });
}
