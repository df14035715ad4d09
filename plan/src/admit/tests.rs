//! What a load lets go.

use super::*;
use crate::ids::{ObjectName, WindowId, WorkflowId};
use crate::scheduler::WorkflowOp;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap()
}

fn request(urgency: Urgency, due: i64, job: &str) -> Request {
    Request { urgency, due: at(due), job: JobKey { endpoint: "https://live".into(), job: job.into() } }
}

fn jobs(requests: &[Request]) -> Vec<&str> {
    requests.iter().map(|request| request.job.job.as_ref()).collect()
}

/// Lets these go.
fn go(requests: &[Request], load: &mut Load, now: Timestamp) -> Admission {
    admit(requests, load, now, &Timings::default())
}

/// An answer to one of them.
fn hear(load: &mut Load, heard: Heard, now: i64) {
    load.answered(heard, None, false, at(now), &Timings::default());
}

const NONE: Limits = Limits { simultaneous_activations: 0, requests_per_second: 0, concurrent_requests: 0 };

#[test]
fn the_order_of_calls_is_by_urgency_then_by_the_longest_wait() {
    let wanted = [
        request(Urgency::DailyList, 0, "list"),
        request(Urgency::OtherRead, 0, "check"),
        request(Urgency::RepeatedStart, 0, "start-again"),
        request(Urgency::Workflow, 0, "workflow"),
        request(Urgency::RepeatedStop, 0, "stop-again"),
        request(Urgency::PressingWorkflow, 0, "pressing"),
        request(Urgency::NeededRead, 0, "read"),
        request(Urgency::FirstStart, 5, "start-later"),
        request(Urgency::FirstStart, 0, "start"),
        request(Urgency::FirstStop, 9, "stop"),
    ];
    let admission = go(&wanted, &mut Load::new(NONE, at(0)), at(10));
    let order =
        ["stop", "start", "start-later", "read", "pressing", "stop-again", "start-again", "workflow", "check", "list"];
    assert_eq!(jobs(&admission.go), order);
}

#[test]
fn a_request_to_the_vendors_scheduler_goes_with_the_calls_only_where_one_hangs_on_it() {
    let of = |op: WorkflowOp, pressing| {
        let (account, window) = (ObjectName::new("tv", "tv"), WindowId::new("w"));
        Urgency::of(&Want::Workflow { account, window, op, pressing })
    };
    let cancel = WorkflowOp::Cancel { id: WorkflowId::new("a") };
    for op in [WorkflowOp::Find, cancel] {
        assert!(of(op.clone(), true).serves_a_call() && !of(op, false).serves_a_call());
    }
}

#[test]
fn an_outage_holds_up_what_the_vendors_scheduler_is_asked_and_not_what_a_call_hangs_on() {
    let (pressing, other) = (one(Urgency::PressingWorkflow), one(Urgency::Workflow));
    let mut load = down(5);
    assert_eq!(go(&pressing, &mut load, at(0)).go.len(), 1);
    let waits = go(&other, &mut load, at(0));
    assert_eq!(waits.go.len(), 0);
    let next = waits.next.expect("time alone lets it ask whether the outage is over");
    assert_eq!(go(&other, &mut load, next).probe.as_ref(), Some(&other[0]));
}

#[test]
fn a_start_waits_for_a_slot_and_a_stop_never_does() {
    let limits = Limits { simultaneous_activations: 2, ..NONE };
    let mut load = Load::new(limits, at(0));
    let starts: Vec<_> = ["a", "b", "c"].map(|job| request(Urgency::FirstStart, 0, job)).into();
    let admission = go(&starts, &mut load, at(0));
    assert_eq!(jobs(&admission.go), ["a", "b"]);
    assert_eq!(admission.wait[0].1, Reason::WaitingForCapacity);
    assert_eq!(admission.next, Some(at(90_000)), "a slot is given up after the longest turn");

    let mixed = [request(Urgency::FirstStart, 0, "c"), request(Urgency::FirstStop, 0, "d")];
    assert_eq!(jobs(&go(&mixed, &mut load, at(1)).go), ["d"]);

    load.release(&starts[0].job);
    assert_eq!(jobs(&go(&starts[2..], &mut load, at(2)).go), ["c"]);
}

#[test]
fn a_slot_is_given_up_after_the_longest_turn() {
    let mut load = Load::new(Limits { simultaneous_activations: 1, ..NONE }, at(0));
    go(&[request(Urgency::FirstStart, 0, "a")], &mut load, at(0));
    let next = [request(Urgency::FirstStart, 0, "b")];
    assert!(go(&next, &mut load, at(89_999)).go.is_empty());
    assert_eq!(jobs(&go(&next, &mut load, at(90_000)).go), ["b"]);
}

#[test]
fn other_reads_leave_a_quarter_of_the_rate_to_first_calls() {
    let mut load = Load::new(Limits { requests_per_second: 20, ..NONE }, at(0));
    let reads: Vec<_> = (0..30).map(|i| request(Urgency::OtherRead, 0, &format!("read-{i:02}"))).collect();
    assert_eq!(go(&reads, &mut load, at(0)).go.len(), 15);
    let stops: Vec<_> = (0..30).map(|i| request(Urgency::FirstStop, 0, &format!("stop-{i:02}"))).collect();
    let admission = go(&stops, &mut load, at(0));
    assert_eq!(admission.go.len(), 5);
    assert_eq!(admission.next, Some(at(50)), "20 a second: one every 50 ms");
}

#[test]
fn the_rate_is_kept_over_time_and_time_alone_lets_the_next_one_go() {
    let mut load = Load::new(Limits { requests_per_second: 10, ..NONE }, at(0));
    let mut waiting: Vec<_> = (0..100).map(|i| request(Urgency::FirstStop, 0, &format!("{i:03}"))).collect();
    let (mut now, mut rounds) = (at(0), 0);
    while !waiting.is_empty() {
        let admission = go(&waiting, &mut load, now);
        waiting.retain(|request| !admission.go.contains(request));
        for _ in &admission.go {
            hear(&mut load, Heard::Answer, 0);
        }
        rounds += 1;
        assert!(rounds < 200, "makes progress at every wake-up");
        now = admission.next.unwrap_or(now);
    }
    assert_eq!(now, at(9_000), "10 at once, then 10 a second");
}

#[test]
fn connections_are_bounded_and_freed_by_answers() {
    let mut load = Load::new(Limits { concurrent_requests: 4, ..NONE }, at(0));
    let stops: Vec<_> = (0..6).map(|i| request(Urgency::FirstStop, 0, &format!("{i}"))).collect();
    assert_eq!(go(&stops, &mut load, at(0)).go.len(), 4);
    hear(&mut load, Heard::Answer, 0);
    assert_eq!(jobs(&go(&stops[4..], &mut load, at(1)).go), ["4"]);
}

fn one(urgency: Urgency) -> [Request; 1] {
    [request(urgency, 0, "a")]
}

/// What may go now, of each kind.
fn passing(load: &Load, now: i64) -> Vec<Urgency> {
    let mut free = load.clone();
    free.limit(NONE);
    ALL.into_iter().filter(|urgency| !go(&one(*urgency), &mut free.clone(), at(now)).go.is_empty()).collect()
}

const ALL: [Urgency; 9] = [
    Urgency::FirstStop,
    Urgency::FirstStart,
    Urgency::NeededRead,
    Urgency::TurningRead,
    Urgency::PressingWorkflow,
    Urgency::RepeatedStop,
    Urgency::RepeatedStart,
    Urgency::Workflow,
    Urgency::OtherRead,
];

/// What the Live API can hold up for half a minute at most, and what its outage cannot hold up at all.
const PRESSING: [Urgency; 5] =
    [Urgency::FirstStop, Urgency::FirstStart, Urgency::NeededRead, Urgency::PressingWorkflow, Urgency::RepeatedStop];

#[test]
fn the_strictest_of_two_accounts_with_one_key_counts_and_no_limit_is_none() {
    let one = Limits { simultaneous_activations: 5, requests_per_second: 0, concurrent_requests: 0 };
    let two = Limits { simultaneous_activations: 2, requests_per_second: 10, concurrent_requests: 0 };
    let both = Limits { simultaneous_activations: 2, requests_per_second: 10, concurrent_requests: 0 };
    assert_eq!(one.strictest(two), both);
    assert_eq!(two.strictest(one), both);
}

fn asks_to_wait(seconds: i64) -> [Heard; 2] {
    let retry_after = Some(SignedDuration::from_secs(seconds));
    [Heard::TooMany { retry_after }, Heard::Outage { retry_after }]
}

const OUTAGE: Heard = Heard::Outage { retry_after: None };
const TOO_MANY: Heard = Heard::TooMany { retry_after: None };

#[test]
fn nothing_goes_before_retry_after_is_over() {
    for heard in asks_to_wait(10) {
        let mut load = Load::new(NONE, at(0));
        hear(&mut load, heard, 0);
        assert_eq!(passing(&load, 9_999), []);
        assert_eq!(go(&one(Urgency::FirstStop), &mut load.clone(), at(1)).next, Some(at(10_000)));
        assert_eq!(passing(&load, 10_000), ALL);
    }
}

#[test]
fn stops_and_first_starts_wait_half_a_minute_at_most_each_time_they_are_told() {
    for heard in asks_to_wait(600) {
        let mut load = Load::new(NONE, at(0));
        hear(&mut load, heard, 0);
        assert_eq!(passing(&load, 29_999), []);
        assert_eq!(passing(&load, 30_000), PRESSING);
        hear(&mut load, heard, 31_000);
        assert_eq!(passing(&load, 60_999), []);
        assert_eq!(passing(&load, 61_000), PRESSING);
        assert_eq!(passing(&load, 630_999), PRESSING);
        assert_eq!(passing(&load, 631_000), ALL);
    }
}

#[test]
fn a_shorter_wait_does_not_undo_a_longer_one_and_a_clock_set_back_ends_it() {
    let mut load = Load::new(NONE, at(0));
    hear(&mut load, asks_to_wait(20)[1], 0);
    hear(&mut load, asks_to_wait(5)[1], 1_000);
    assert_eq!(passing(&load, 19_999), []);
    assert_eq!(passing(&load, -3_600_000), ALL);
}

/// Calls that go out within a second when more than enough are wanted.
fn rate(load: &Load, from: i64) -> usize {
    let mut load = load.clone();
    let mut sent = 0;
    // Empties the bucket first.
    for now in (from - 1_000..from + 1_000).step_by(10) {
        let many: Vec<_> = (0..60).map(|i| request(Urgency::FirstStop, 0, &format!("{i}"))).collect();
        let gone = go(&many, &mut load, at(now)).go.len();
        sent += if now >= from { gone } else { 0 };
    }
    sent
}

#[test]
fn a_429_halves_the_rate_which_grows_back_within_a_minute() {
    let mut load = Load::new(Limits { requests_per_second: 20, ..NONE }, at(0));
    assert_eq!(rate(&load, 10_000), 20);
    hear(&mut load, TOO_MANY, 10_000);
    assert!((10..=11).contains(&rate(&load, 11_000)), "{}", rate(&load, 11_000));
    assert!((14..=16).contains(&rate(&load, 25_000)), "{}", rate(&load, 25_000));
    assert_eq!(rate(&load, 45_000), 20);
    // Told again and again: down to one a second, and from there back within a minute.
    for second in 0..20 {
        hear(&mut load, TOO_MANY, 100_000 + second * 1_000);
    }
    assert!((1..=2).contains(&rate(&load, 120_000)), "{}", rate(&load, 120_000));
    assert_eq!(rate(&load, 181_000), 20);
}

#[test]
fn answers_that_were_under_way_together_halve_the_rate_once() {
    let mut load = Load::new(Limits { requests_per_second: 20, ..NONE }, at(0));
    for _ in 0..16 {
        hear(&mut load, TOO_MANY, 0);
    }
    assert!((10..=11).contains(&rate(&load, 1_000)), "{}", rate(&load, 1_000));
}

#[test]
fn a_load_without_a_limit_shrinks_too_and_is_without_one_again_after_a_minute() {
    let mut load = Load::new(NONE, at(0));
    hear(&mut load, TOO_MANY, 0);
    assert!((10..=12).contains(&rate(&load, 1_000)), "{}", rate(&load, 1_000));
    assert!(rate(&load, 62_000) > 1_000);
}

#[test]
fn a_clock_set_back_keeps_a_shrunk_rate_down_for_a_minute_and_no_longer() {
    let mut load = Load::new(Limits { requests_per_second: 20, ..NONE }, at(0));
    hear(&mut load, TOO_MANY, 3_600_000);
    go(&one(Urgency::FirstStop), &mut load, at(0));
    assert_eq!(rate(&load, 61_000), 20);
}

#[test]
fn the_rate_never_runs_dry_for_any_kind_of_call_however_tight_it_is() {
    for requests_per_second in 1..=5 {
        for urgency in ALL {
            let mut load = Load::new(Limits { requests_per_second, ..NONE }, at(0));
            let (mut now, mut sent) = (at(0), 0);
            for _ in 0..200 {
                let admission = go(&one(urgency), &mut load, now);
                sent += admission.go.len();
                admission.go.iter().for_each(|_| load.answered(Heard::Answer, None, false, now, &Timings::default()));
                now = admission.next.unwrap_or(now);
            }
            assert!(sent >= 100, "{urgency:?} at {requests_per_second}/s: {sent}");
            let passed = usize::try_from(now.duration_since(at(0)).as_secs()).unwrap();
            assert!(sent <= (passed + 2) * requests_per_second as usize, "{sent} in {passed} s");
        }
    }
}

fn down(outages: usize) -> Load {
    let mut load = Load::new(NONE, at(0));
    for _ in 0..outages {
        hear(&mut load, OUTAGE, 0);
    }
    load
}

#[test]
fn five_outages_in_a_row_open_the_breaker_and_it_blocks_no_stop_no_first_start_and_no_read_that_one_needs() {
    assert_eq!(passing(&down(4), 0), ALL);
    assert_eq!(passing(&down(5), 0), PRESSING);
    let mut interrupted = down(4);
    hear(&mut interrupted, Heard::Answer, 0);
    hear(&mut interrupted, OUTAGE, 0);
    assert_eq!(passing(&interrupted, 0), ALL);
}

#[test]
fn one_read_at_a_time_asks_whether_the_outage_is_over_after_growing_pauses() {
    let mut load = down(5);
    let reads: Vec<_> = (0..50).map(|i| request(Urgency::OtherRead, 0, &format!("{i:02}"))).collect();
    let (mut now, mut pauses) = (at(0), Vec::new());
    for _ in 0..10 {
        let waits = go(&reads, &mut load, now);
        assert_eq!(waits.go.len(), 0);
        let next = waits.next.expect("time alone lets the probe go");
        pauses.push(next.duration_since(now).as_millis());
        let probe = go(&reads, &mut load, next);
        assert_eq!(jobs(&probe.go), ["00"]);
        assert_eq!(probe.probe.as_ref(), Some(&probe.go[0]));
        let later = next.checked_add(SignedDuration::from_secs(5)).unwrap();
        let waits = go(&reads, &mut load, later);
        assert_eq!((waits.go.len(), waits.next), (0, None), "its answer is waited for");
        load.answered(OUTAGE, None, true, later, &Timings::default());
        now = later;
    }
    assert!((750..=1_250).contains(&pauses[0]), "{pauses:?}");
    assert!(pauses.windows(2).take(4).all(|pair| pair[0] < pair[1]), "{pauses:?}");
    assert!(pauses[5..].iter().all(|pause| (22_500..=37_500).contains(pause)), "{pauses:?}");
    load.answered(Heard::Answer, None, false, now, &Timings::default());
    assert_eq!(go(&reads, &mut load, now).go.len(), 16, "closed at the first good answer: as many as ever go at once");
}

#[test]
fn a_probe_that_was_never_sent_leaves_its_place_to_another() {
    let mut load = down(5);
    assert_eq!(go(&one(Urgency::TurningRead), &mut load, at(2_000)).go.len(), 1);
    load.answered(Heard::Nothing, None, true, at(2_000), &Timings::default());
    assert_eq!(go(&one(Urgency::OtherRead), &mut load, at(2_000)).go.len(), 1);
}

/// Whatever is answered in whatever order: what waits is let go in the end, and nothing stays under way.
#[test]
fn whatever_is_answered_everything_goes_out_in_the_end() {
    let limits = Limits { simultaneous_activations: 2, requests_per_second: 5, concurrent_requests: 3 };
    for seed in 0..200_u64 {
        let mut dice = seed;
        let mut roll = move |sides: u64| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (dice >> 33) % sides
        };
        let mut load = Load::new(limits, at(0));
        let mut waiting: Vec<_> = (0..30).map(|i| request(ALL[i % 7], 0, &format!("{i:02}"))).collect();
        let mut now = at(0);
        let mut rounds = 0;
        while !waiting.is_empty() {
            rounds += 1;
            assert!(rounds < 2_000, "seed {seed}: {waiting:?}");
            let admission = go(&waiting, &mut load, now);
            for request in &admission.go {
                let probe = admission.probe.as_ref() == Some(request);
                let heard = match roll(6) {
                    _ if rounds > 300 => Heard::Answer,
                    0 => TOO_MANY,
                    1 => asks_to_wait(i64::try_from(roll(90)).unwrap())[0],
                    2 => asks_to_wait(i64::try_from(roll(90)).unwrap())[1],
                    3 => OUTAGE,
                    4 => Heard::Nothing,
                    _ => Heard::Answer,
                };
                load.answered(heard, None, probe, now, &Timings::default());
                if heard == Heard::Answer {
                    waiting.retain(|other| other != request);
                    load.release(&request.job);
                }
            }
            // Someone asks again after a while, as every failed look does.
            let poked = now.checked_add(SignedDuration::from_secs(1)).unwrap();
            now = admission.next.unwrap_or(poked).max(now);
            if !waiting.is_empty() && waiting.iter().all(|request| request.urgency == Urgency::RepeatedStart) {
                // Whoever repeats a start reads as well.
                waiting.push(request(Urgency::NeededRead, 0, &format!("read-{rounds}")));
            }
        }
        assert_eq!(load.under_way(), 0);
    }
}

#[test]
fn one_job_that_keeps_failing_holds_no_other_up() {
    let mut load = Load::new(NONE, at(0));
    let failing = request(Urgency::OtherRead, 0, "a-failing").job;
    for second in 0..20 {
        load.answered(OUTAGE, Some(&failing), false, at(second * 1000), &Timings::default());
    }
    let reads = [request(Urgency::OtherRead, 0, "a-failing"), request(Urgency::TurningRead, 0, "b-well")];
    let admission = admit(&reads, &mut load, at(30_000), &Timings::default());
    assert_eq!((admission.go.len(), admission.probe), (2, None), "no outage");
}

#[test]
fn an_outage_is_probed_with_another_job_than_the_one_that_failed_last() {
    let mut load = Load::new(NONE, at(0));
    let job = |name: &str| request(Urgency::OtherRead, 0, name).job;
    for second in 0..6 {
        let about = if second % 2 == 0 { job("b") } else { job("a") };
        load.answered(OUTAGE, Some(&about), false, at(second * 1000), &Timings::default());
    }
    let reads = ["a", "b", "c"].map(|name| request(Urgency::OtherRead, 0, name));
    let admission = admit(&reads, &mut load, at(3_600_000), &Timings::default());
    assert_eq!(jobs(&admission.go), ["b"]);
    assert_eq!(admission.probe.map(|probe| probe.job), Some(job("b")));
}

#[test]
fn starts_that_wait_for_a_slot_read_nothing_and_leave_room_for_what_frees_one() {
    let limits = Limits { simultaneous_activations: 2, requests_per_second: 3, concurrent_requests: 0 };
    let mut load = Load::new(limits, at(0));
    let mut wanted: Vec<_> = (0..20).map(|i| request(Urgency::StartRead, 0, &format!("start-{i:02}"))).collect();
    let admission = admit(&wanted, &mut load, at(0), &Timings::default());
    assert_eq!(jobs(&admission.go), ["start-00", "start-01"], "as many as there are slots");
    for name in ["a", "b"] {
        admit(&[request(Urgency::FirstStart, 0, name)], &mut load, at(2_000), &Timings::default());
    }
    wanted.push(request(Urgency::TurningRead, 0, "a"));
    let admission = admit(&wanted, &mut load, at(4_000), &Timings::default());
    assert_eq!(jobs(&admission.go), ["a"]);
    assert_eq!(admission.next, Some(at(92_000)), "a slot is given up after the longest turn");
}

#[test]
fn without_limits_checks_go_out_a_few_at_a_time_and_what_serves_a_call_all_at_once() {
    let mut load = Load::new(NONE, at(0));
    let many =
        |urgency, name: &str| -> Vec<_> { (0..40).map(|i| request(urgency, 0, &format!("{name}-{i}"))).collect() };
    let checks = go(&many(Urgency::OtherRead, "check"), &mut load, at(0));
    assert_eq!((checks.go.len(), checks.wait.len()), (16, 24));
    assert_eq!(checks.next, None, "an answer lets the next go");
    for urgency in [Urgency::FirstStop, Urgency::FirstStart, Urgency::StartRead, Urgency::TurningRead] {
        assert_eq!(go(&many(urgency, "other"), &mut load, at(0)).go.len(), 40, "{urgency:?}");
    }
    for _ in 0..(16 + 4 * 40) {
        hear(&mut load, Heard::Answer, 1);
    }
    assert_eq!(
        go(&checks.wait.iter().map(|(request, _)| request.clone()).collect::<Vec<_>>(), &mut load, at(2)).go.len(),
        16
    );
}
