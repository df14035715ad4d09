//! One window from its start to its stop, without faults.

use jiff::SignedDuration;

use super::rig::{Rig, ms};
use crate::conditions::Health;
use crate::memory::Verb;
use crate::phase::Phase;
use crate::plan::fixtures;
use crate::reading::Reading;
use crate::reason::Reason;
use crate::record::OnAir;
use crate::timings::Timings;

#[test]
fn a_whole_life() {
    let mut rig = Rig::one();
    rig.until(500);
    assert_eq!((rig.phase("w"), rig.on_air("w")), (Phase::Pending, OnAir::False));
    assert!(matches!(rig.health("w"), Health::Ready(Reason::Scheduled, _)));
    rig.until_ms(1_000_500);
    assert_eq!((rig.tasks("w").as_str(), rig.on_air("w")), ("pending Starting | pending -", OnAir::Unknown));
    rig.until(1500);
    assert_eq!((rig.phase("w"), rig.on_air("w")), (Phase::Active, OnAir::True));
    rig.until_ms(2_000_500);
    assert_eq!((rig.tasks("w").as_str(), rig.on_air("w")), ("finished Started | pending Stopping", OnAir::Unknown));
    rig.until(3000);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2000.000"]);
    assert_eq!(rig.tasks("w"), "finished Started | finished Stopped");
    assert_eq!((rig.phase("w"), rig.on_air("w")), (Phase::Finished, OnAir::False));
    assert_eq!(rig.told("w"), ["Scheduled", "Starting", "Started", "Stopping", "Stopped"]);
    assert!(rig.writes <= 8, "{} changes of the record", rig.writes);
    assert_eq!(rig.last.as_ref().unwrap().next, None, "nothing is left to wake up for");
    let record = rig.record("w");
    assert_eq!(record.activation.lateness, Some(SignedDuration::ZERO));
    assert_eq!(record.activation.attempts, 1);
    assert!(record.finished_at.is_some());
}

#[test]
fn a_window_far_ahead_is_read_once_when_seen_and_once_a_quarter_of_an_hour_before() {
    let mut rig = Rig::new().with("w", 100_000, 101_000);
    rig.until(99_000);
    assert_eq!(rig.looks, [0]);
    rig.until(99_900);
    assert_eq!(rig.looks, [0, 99_100_000]);
    assert!(rig.runs < 12, "{} runs", rig.runs);
}

#[test]
fn the_lead_moves_the_start_and_not_the_stop() {
    let mut rig = Rig::new().with_window("w", 1000, 2000, |w| w.lead = SignedDuration::from_secs(30));
    rig.until(3000);
    assert_eq!(rig.calls(), ["activate 970.000", "deactivate 2000.000"]);
}

#[test]
fn reads_just_before_both_calls_so_that_neither_waits() {
    for created in [0, 600, 996_900, 997_500, 998_100] {
        let mut rig = Rig::new();
        rig.until_ms(created);
        rig.add("w", 1000, 2000, |_| ());
        rig.until(3000);
        assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2000.000"], "first seen at {created} ms");
    }
}

/// One of 100,000 jobs has a hundred pages, and takes a quarter of a minute.
#[test]
fn a_list_that_is_to_answer_for_the_job_holds_up_neither_call_however_long_it_takes() {
    for asked in [900_000, 996_000, 997_500, 999_000] {
        let mut rig = Rig::new().with("w", 1000, 2000);
        rig.until_ms(asked);
        rig.memory.list_sent(ms(asked));
        rig.until_ms(1_996_000);
        rig.memory.list_sent(ms(1_996_000));
        rig.until(3000);
        assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2000.000"], "asked for at {asked} ms");
    }
}

#[test]
fn the_start_moves_until_it_is_called() {
    for (edit_at, to, expected) in
        [(500, 800, "activate 800.000"), (500, 1500, "activate 1500.000"), (999, 1200, "activate 1200.000")]
    {
        let mut rig = Rig::one();
        rig.until(edit_at).edit("w", |w| w.activation = fixtures::at(to));
        rig.until(3000);
        assert_eq!(rig.calls(), [expected, "deactivate 2000.000"]);
    }
}

#[test]
fn a_start_moved_into_the_past_is_made_at_once() {
    let mut rig = Rig::one();
    rig.until(500).edit("w", |w| w.activation = fixtures::at(400));
    rig.until(3000);
    assert_eq!(rig.calls(), ["activate 500.005", "deactivate 2000.000"]);
}

#[test]
fn the_stop_moves_until_it_is_called() {
    for (edit_at, to, expected) in [
        (500, 1800, "deactivate 1800.000"),
        (1500, 1800, "deactivate 1800.000"),
        (1500, 2500, "deactivate 2500.000"),
        (1999, 2500, "deactivate 2500.000"),
    ] {
        let mut rig = Rig::one();
        rig.until(edit_at).edit("w", |w| w.deactivation = fixtures::at(to));
        rig.until(3000);
        assert_eq!(rig.calls(), ["activate 1000.000", expected], "edited at {edit_at}");
    }
}

#[test]
fn stop_now_is_an_edit_of_the_stop() {
    let mut rig = Rig::one();
    rig.until(1500).edit("w", |w| w.deactivation = fixtures::at(1400));
    rig.until(3000);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 1500.005"], "read fresh, then called");
    assert_eq!(rig.phase("w"), Phase::Finished);
}

#[test]
fn a_stop_moved_into_the_past_is_late_from_the_edit() {
    for to in [1100, 1400, 1499] {
        let mut rig = Rig::one();
        rig.until(1500).edit("w", |w| w.deactivation = fixtures::at(to));
        rig.until(3000);
        assert_eq!(rig.record("w").deactivation.time, fixtures::at(to));
        assert_eq!(rig.record("w").deactivation.lateness, Some(SignedDuration::from_millis(5)), "moved to {to}");
    }
}

#[test]
fn a_stop_that_passed_while_nobody_was_there_is_late_from_its_time() {
    let mut rig = Rig::one();
    rig.until(1500);
    rig.crash();
    rig.edit("w", |w| w.deactivation = fixtures::at(1600));
    rig.down_until(1700);
    rig.until(3000);
    let late = rig.record("w").deactivation.lateness.unwrap();
    assert!(late >= SignedDuration::from_secs(100), "{late:?}");
}

#[test]
fn an_edit_that_lost_the_race_changes_nothing_and_says_so() {
    let mut rig = Rig::one();
    rig.until(1001).edit("w", |w| w.activation = fixtures::at(1100));
    rig.until(1500);
    assert_eq!(rig.tasks("w"), "finished StartAlreadyMade | pending -");
    rig.until(2001).edit("w", |w| w.deactivation = fixtures::at(2100));
    rig.until(3000);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2000.000"]);
    assert_eq!(rig.tasks("w"), "finished StartAlreadyMade | finished StopAlreadyMade");
    assert_eq!(rig.phase("w"), Phase::Finished);
}

#[test]
fn a_late_start_is_made_while_the_deadline_allows_it() {
    for (deadline, expected) in [(None, "finished Started"), (Some(600), "finished Started")] {
        let mut rig = Rig::new();
        rig.until(1500).add("w", 1000, 2000, |w| w.starting_deadline = deadline.map(SignedDuration::from_secs));
        rig.until(1600);
        assert_eq!(rig.calls(), ["activate 1500.005"]);
        assert!(rig.tasks("w").starts_with(expected));
        assert_eq!(rig.record("w").activation.lateness, Some(SignedDuration::from_millis(500_005)));
    }
}

#[test]
fn past_the_deadline_the_start_is_missed_and_the_stop_waits_for_its_time() {
    let mut rig = Rig::new();
    rig.until(1500).add("w", 1000, 2000, |w| w.starting_deadline = Some(SignedDuration::from_secs(60)));
    rig.until(1600);
    assert_eq!(rig.tasks("w"), "failed StartDeadlineExceeded | pending -");
    assert_eq!(rig.phase("w"), Phase::Missed);
    assert!(matches!(rig.health("w"), Health::Stalled(Reason::StartDeadlineExceeded, _)));
    rig.until(2100);
    assert_eq!(rig.tasks("w"), "failed StartDeadlineExceeded | cancelled StartFailed");
    assert_eq!((rig.calls().len(), rig.phase("w")), (0, Phase::Missed));
}

#[test]
fn on_or_going_on_inside_the_window_is_its_start_whatever_the_deadline() {
    for reading in [Reading::On, Reading::GoingOn] {
        let mut rig = Rig::new();
        rig.turn(reading);
        rig.until(1500).add("w", 1000, 2000, |w| w.starting_deadline = Some(SignedDuration::from_secs(60)));
        rig.until(1600);
        assert_eq!(rig.tasks("w"), "finished AlreadyOnAir | pending -", "{reading}");
        rig.turn(Reading::On);
        rig.until(2100);
        assert_eq!(rig.calls(), ["deactivate 2000.000"]);
        assert_eq!(rig.tasks("w"), "finished AlreadyOnAir | finished Stopped");
    }
}

#[test]
fn going_off_when_the_start_is_due_is_waited_for() {
    let mut rig = Rig::one();
    rig.until(990).turn(Reading::GoingOff);
    rig.until(1005);
    assert_eq!(rig.tasks("w"), "pending WaitingForStop | pending -");
    rig.turn(Reading::Off);
    rig.until(1010);
    assert_eq!(rig.log.len(), 1);
    assert!(rig.log[0].0 <= 1_006_100, "{:?}", rig.log);
}

#[test]
fn wholly_past_when_first_seen_is_one_read_and_no_call() {
    let mut rig = Rig::new();
    rig.until(5000).add("w", 1000, 2000, |_| ());
    rig.until(9000);
    assert_eq!((rig.looks.as_slice(), rig.calls().len()), ([5_000_000].as_slice(), 0));
    assert_eq!(rig.tasks("w"), "failed WindowPast | cancelled WindowPast");
    assert_eq!((rig.phase("w"), rig.on_air("w")), (Phase::Missed, OnAir::False));
    assert!(matches!(rig.health("w"), Health::Ready(Reason::WindowPast, _)));
}

#[test]
fn wholly_past_with_the_channel_on_is_reported_and_not_touched() {
    let mut rig = Rig::new();
    rig.turn(Reading::On);
    rig.until(5000).add("w", 1000, 2000, |_| ());
    rig.until(9000);
    assert_eq!((rig.on_air("w"), rig.calls().len()), (OnAir::True, 0));
    let conditions = rig.last.as_ref().unwrap().windows[0].conditions();
    assert!(conditions.iter().any(|c| c.kind == "OnAir" && c.reason == Reason::LeftOn), "{conditions:?}");
}

#[test]
fn an_old_window_does_not_speak_for_the_life_of_a_later_one() {
    let mut rig = Rig::new();
    rig.until(5000).add("old", 1000, 2000, |_| ());
    rig.add("new", 6000, 7000, |_| ());
    for second in 5000..7100 {
        rig.until(second);
        assert_eq!(rig.on_air("old"), OnAir::False, "at {second}");
    }
    assert_eq!(rig.calls(), ["activate 6000.000", "deactivate 7000.000"]);
}

#[test]
fn a_window_that_nobody_watched_over_is_missed_and_its_channel_read_at_the_end() {
    let mut rig = Rig::one();
    rig.until(500).down_until(2500);
    rig.until(2600);
    assert_eq!(rig.tasks("w"), "failed StartMissed | cancelled StartFailed");
    assert_eq!((rig.calls().len(), rig.phase("w")), (0, Phase::Missed));
}

#[test]
fn after_a_failed_start_a_channel_found_on_at_the_end_is_switched_off() {
    let mut rig = Rig::new();
    rig.until(1500).add("w", 1000, 2000, |w| w.starting_deadline = Some(SignedDuration::from_secs(60)));
    rig.until(1700).turn(Reading::On);
    rig.until(2100);
    assert_eq!(rig.calls(), ["deactivate 2000.000"]);
    assert_eq!(rig.tasks("w"), "failed StartDeadlineExceeded | finished StoppedAfterFailedStart");
    assert_eq!(rig.phase("w"), Phase::Missed, "unchanged");
}

#[test]
fn switched_off_by_a_person_is_shown_and_not_undone() {
    let mut rig = Rig::one();
    rig.until(1500).turn(Reading::Off);
    rig.until(1600);
    assert_eq!((rig.phase("w"), rig.on_air("w")), (Phase::Active, OnAir::False));
    assert!(matches!(rig.health("w"), Health::Ready(Reason::StoppedExternally, _)));
    rig.until(2100);
    assert_eq!(rig.calls(), ["activate 1000.000"]);
    assert_eq!(rig.tasks("w"), "finished Started | finished AlreadyOff");
    assert_eq!(rig.phase("w"), Phase::Finished);
    assert_eq!(rig.told("w"), ["Scheduled", "Starting", "Started", "StoppedExternally", "AlreadyOff"]);
}

#[test]
fn a_job_that_ended_before_the_start_fails_it() {
    let mut rig = Rig::one();
    rig.turn(Reading::Ended);
    rig.until(100);
    assert!(matches!(rig.health("w"), Health::Stalled(Reason::JobEnded, _)), "told long before the start");
    rig.until(1500);
    assert_eq!(rig.tasks("w"), "failed JobEnded | pending -");
    rig.until(2100);
    assert_eq!(rig.tasks("w"), "failed JobEnded | cancelled StartFailed");
    assert_eq!((rig.calls().len(), rig.phase("w")), (0, Phase::Failed));
}

#[test]
fn a_job_that_ends_on_air_ends_the_window() {
    let mut rig = Rig::one();
    rig.until(1500).turn(Reading::Ended);
    rig.until(1600);
    assert_eq!(rig.tasks("w"), "finished Started | finished JobEnded");
    rig.until(3000);
    assert_eq!((rig.log.len(), rig.phase("w"), rig.on_air("w")), (1, Phase::Finished, OnAir::False));
}

#[test]
fn a_job_without_a_static_entry_point_is_told_at_once_and_never_called() {
    let mut rig = Rig::one();
    rig.is_static = false;
    rig.until(100);
    assert!(matches!(rig.health("w"), Health::Stalled(Reason::NotStatic, _)));
    rig.until(2100);
    assert_eq!(rig.tasks("w"), "failed NotStatic | cancelled StartFailed");
    assert_eq!((rig.calls().len(), rig.phase("w")), (0, Phase::Failed));
}

#[test]
fn a_window_as_short_as_a_second_is_started_and_stopped() {
    let mut rig = Rig::new().with("w", 1000, 1001);
    rig.until(1300);
    assert_eq!(rig.log[0], (1_000_000, Verb::Activate));
    assert_eq!(rig.log.len(), 2, "{:?}", rig.calls());
    assert_eq!(rig.channel, Reading::Off);
    assert!(rig.settled());
}

#[test]
fn case_37_nothing_is_called_before_our_finalizer_stands() {
    let mut rig = Rig::new().with_window("w", 1000, 2000, |w| w.finalizer = false);
    rig.until(3000);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2000.000"], "the rig puts it on when asked to");
    let window = rig.windows().next().unwrap().0;
    assert!(!window.finalizer, "and takes it off at the end");
    assert!(rig.record("w").finished_at.is_some_and(|at| at > ms(2_000_000)));
}

#[test]
fn a_whole_life_at_a_twentieth_of_the_times() {
    let mut rig = Rig::new().with("w", 50, 100).with("v", 102, 130);
    rig.timings = Timings::divided(20);
    rig.turning = (1, 1);
    rig.until(200);
    assert_eq!(rig.calls(), ["activate 50.000", "deactivate 130.000"], "a gap of 2 s is shorter than a turn of 3 s");
    assert!(rig.settled());
}

#[test]
fn a_stop_held_back_by_the_account_goes_out_as_soon_as_it_may() {
    let mut rig = Rig::one();
    rig.until(1999);
    rig.hold = true;
    rig.until(2010);
    assert_eq!(rig.log.len(), 1);
    rig.hold = false;
    rig.until(2012);
    assert_eq!(rig.log.len(), 2);
    rig.until(2100);
    assert_eq!(rig.tasks("w"), "finished Started | finished Stopped");
}

#[test]
fn a_start_that_will_have_to_wait_is_told_from_15_minutes_before_it_with_one_event_and_stays_ready() {
    let shown = |rig: &Rig| {
        let window = &rig.last.as_ref().unwrap().windows[0];
        let short = window.conditions().into_iter().find(|condition| condition.kind == "CapacityShort");
        (short.map(|condition| condition.reason), window.health().reason())
    };
    let mut rig = Rig::one();
    rig.set_short_of_capacity("w", true);
    rig.until(99);
    assert_eq!(shown(&rig), (None, Reason::Scheduled));
    rig.until(101);
    assert_eq!(shown(&rig), (Some(Reason::TooManyStarts), Reason::Scheduled));
    rig.until(999);
    assert_eq!(shown(&rig), (Some(Reason::TooManyStarts), Reason::Scheduled));
    assert_eq!(rig.told("w").iter().filter(|reason| **reason == "TooManyStarts").count(), 1);
    rig.until(1_500);
    assert_eq!(shown(&rig), (None, Reason::OnAir));
    rig.until(3_000);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2000.000"]);
}

#[test]
fn a_start_that_no_longer_has_to_wait_says_so_at_once() {
    let mut rig = Rig::one();
    rig.set_short_of_capacity("w", true);
    rig.until(500);
    rig.set_short_of_capacity("w", false);
    let window = &rig.last.as_ref().unwrap().windows[0];
    assert!(window.conditions().iter().all(|condition| condition.kind != "CapacityShort"));
}
