//! Refusals, lost answers, blindness, restarts.

use super::rig::{Blind, Fault, Rig};
use crate::conditions::Health;
use crate::memory::Verb;
use crate::phase::Phase;
use crate::reading::Reading;
use crate::reason::Reason;
use crate::record::OnAir;

fn times(rig: &Rig, verb: Verb) -> Vec<i64> {
    rig.log.iter().filter(|(_, v)| *v == verb).map(|(at, _)| *at).collect()
}

#[test]
fn a_start_refused_for_capacity_is_repeated_until_it_is_taken() {
    let mut rig = Rig::one();
    rig.activate_faults = vec![Fault::Refused(Reason::WaitingForCapacity); 3];
    rig.until_ms(1_000_500);
    assert_eq!(rig.tasks("w"), "pending WaitingForCapacity | pending -");
    assert!(rig.record("w").activation.called_at.is_none(), "certainly refused");
    rig.until(3000);
    assert_eq!(times(&rig, Verb::Activate).len(), 4);
    assert!(times(&rig, Verb::Activate)[3] < 1_012_000, "1 s, 2 s, 4 s: {:?}", rig.calls());
    assert_eq!(times(&rig, Verb::Deactivate), [2_000_000]);
    assert_eq!(rig.record("w").activation.attempts, 4);
}

#[test]
fn however_often_it_was_refused_ahead_a_start_is_made_at_its_time() {
    for lead in [5, 20, 60, 120, 600] {
        for refusals in 1..30 {
            let seconds = jiff::SignedDuration::from_secs(lead);
            let mut rig = Rig::new().with_window("w", 1000, 2000, |w| w.lead = seconds);
            rig.activate_faults = vec![Fault::Refused(Reason::WaitingForCapacity); refusals];
            rig.until(3000);
            let made = times(&rig, Verb::Activate);
            assert_eq!(made.len(), refusals + 1);
            // A repeat is read for first; the rig's reads take 5 ms.
            let in_time = made.iter().any(|at| (1_000_000..=1_000_005).contains(at));
            let taken_ahead = *made.last().unwrap() < 1_000_000;
            assert!(taken_ahead || in_time, "a lead of {lead} s makes it late: {:?}", rig.calls());
        }
    }
}

#[test]
fn a_refused_start_past_its_deadline_has_failed() {
    let mut rig = Rig::one();
    rig.edit("w", |w| w.starting_deadline = Some(jiff::SignedDuration::from_secs(60)));
    rig.activate_faults = vec![Fault::Refused(Reason::CallRefused); 50];
    rig.until(1500);
    assert!(times(&rig, Verb::Activate).iter().all(|at| *at <= 1_060_000));
    assert_eq!((rig.tasks("w").as_str(), rig.phase("w")), ("failed StartDeadlineExceeded | pending -", Phase::Failed));
    rig.until(2100);
    assert!(rig.settled());
}

#[test]
fn a_start_refused_for_good_is_made_once() {
    let mut rig = Rig::one();
    rig.activate_faults = vec![Fault::RefusedForGood];
    rig.until(3000);
    assert_eq!(rig.calls(), ["activate 1000.000"]);
    assert_eq!(rig.tasks("w"), "failed CallRefused | cancelled StartFailed");
    assert_eq!(rig.phase("w"), Phase::Failed);
}

#[test]
fn a_start_whose_answer_was_lost_but_was_carried_out_is_made_once() {
    let mut rig = Rig::one();
    rig.activate_faults = vec![Fault::LostDone];
    rig.until(3000);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2000.000"]);
    assert_eq!(rig.told("w"), ["Scheduled", "Starting", "AnswerLost", "Started", "Stopping", "Stopped"]);
}

#[test]
fn a_lost_start_is_repeated_once_off_is_believed_after_ten_seconds() {
    let mut rig = Rig::one();
    rig.activate_faults = vec![Fault::LostNotDone];
    rig.until(1500);
    let starts = times(&rig, Verb::Activate);
    assert_eq!(starts.len(), 2);
    assert!((1_010_000..1_013_000).contains(&starts[1]), "{starts:?}");
    assert!(rig.tasks("w").starts_with("finished Started"));
}

#[test]
fn an_accepted_start_that_is_never_carried_out_is_repeated_after_ninety_seconds() {
    let mut rig = Rig::one();
    rig.activate_faults = vec![Fault::NotDone];
    rig.until(1500);
    let starts = times(&rig, Verb::Activate);
    assert_eq!(starts.len(), 2);
    assert!((1_090_000..1_094_000).contains(&starts[1]), "{starts:?}");
}

#[test]
fn a_start_carried_out_late_but_inside_the_patience_is_made_once() {
    let mut rig = Rig::one();
    rig.activate_faults = vec![Fault::DoneLate(70)];
    rig.until(3000);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2000.000"]);
}

#[test]
fn a_start_never_carried_out_at_all_fails_and_leaves_nothing_on() {
    let mut rig = Rig::one();
    rig.activate_faults = vec![Fault::NotDone; 30];
    rig.until(3000);
    assert!((10..=12).contains(&times(&rig, Verb::Activate).len()), "{:?}", rig.calls());
    assert_eq!(rig.phase("w"), Phase::Failed);
    assert!(rig.settled() && rig.told("w").len() <= 15, "{:?}", rig.told("w"));
}

#[test]
fn a_refused_stop_is_repeated_from_one_second_up_to_thirty() {
    let mut rig = Rig::one();
    rig.deactivate_faults = vec![Fault::Refused(Reason::CallRefused); 20];
    rig.until(4000);
    let stops = times(&rig, Verb::Deactivate);
    assert_eq!(stops.len(), 21);
    let waits: Vec<i64> = stops.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!((750..=1400).contains(&waits[0]), "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= 38_000), "{waits:?}");
    assert_eq!(rig.tasks("w"), "finished Started | finished Stopped");
    assert!(rig.told("w").len() <= 15, "{:?}", rig.told("w"));
}

#[test]
fn refusals_of_both_calls_stay_within_fifteen_events() {
    let mut rig = Rig::one();
    let mixed = |n: usize| -> Vec<Fault> {
        (0..n)
            .map(|i| match i % 4 {
                0 => Fault::Refused(Reason::CallRefused),
                1 => Fault::Refused(Reason::LiveAPIUnreachable),
                2 => Fault::LostNotDone,
                _ => Fault::NotDone,
            })
            .collect()
    };
    rig.activate_faults = mixed(12);
    rig.deactivate_faults = mixed(20);
    rig.until(6000);
    assert!(rig.settled());
    assert!(rig.told("w").len() <= 15, "{:?}", rig.told("w"));
}

#[test]
fn an_accepted_stop_that_leaves_it_on_is_repeated_after_ninety_seconds() {
    let mut rig = Rig::one();
    rig.deactivate_faults = vec![Fault::NotDone, Fault::NotDone];
    rig.until(2050);
    let plan = rig.last.as_ref().unwrap();
    assert_eq!(plan.windows[0].overdue_since, Some(crate::plan::fixtures::at(2000)));
    assert!(matches!(rig.health("w"), Health::Reconciling(..)));
    rig.until(2500);
    let stops = times(&rig, Verb::Deactivate);
    assert_eq!(stops.len(), 3);
    for pair in stops.windows(2) {
        assert!((90_000..94_000).contains(&(pair[1] - pair[0])), "{stops:?}");
    }
    assert_eq!(rig.told("w"), ["Scheduled", "Starting", "Started", "Stopping", "StopNotConfirmed", "Stopped"],);
}

#[test]
fn a_stop_whose_answer_was_lost_is_repeated_after_ten_seconds_only_if_still_on() {
    for (fault, calls) in [(Fault::LostDone, 1), (Fault::LostNotDone, 2)] {
        let mut rig = Rig::one();
        rig.deactivate_faults = vec![fault];
        rig.until(2100);
        let stops = times(&rig, Verb::Deactivate);
        assert_eq!(stops.len(), calls);
        assert!(stops.iter().skip(1).all(|at| (2_010_000..2_013_000).contains(at)), "{stops:?}");
        assert!(rig.settled());
    }
}

#[test]
fn a_job_that_cannot_be_read_is_stopped_all_the_same() {
    for (how, latest) in [
        (Blind::Error(Reason::LiveAPIError), 2_000_000),
        (Blind::Error(Reason::KeyRefused), 2_000_000),
        (Blind::UnknownWord, 2_000_000),
        (Blind::Silent, 2_000_000),
    ] {
        for from in [1_500_000, 1_997_000] {
            let mut rig = Rig::one();
            rig.blind = vec![(from, 2_060_000, how)];
            rig.until(2300);
            let stops = times(&rig, Verb::Deactivate);
            assert!(stops[0] <= latest + 1000, "{how:?} from {from}: {stops:?}");
            assert!(stops.len() <= 2, "{how:?}: accepted, so not repeated for 90 s: {stops:?}");
            assert!(rig.settled(), "{how:?}");
        }
    }
}

#[test]
fn a_start_is_never_made_unread() {
    for how in [Blind::Error(Reason::LiveAPIError), Blind::UnknownWord, Blind::Silent] {
        let mut rig = Rig::one();
        rig.blind = vec![(900_000, 1_060_000, how)];
        rig.until(1059);
        assert!(rig.log.is_empty(), "{how:?}");
        assert_eq!(rig.tasks("w"), "pending WaitingForReading | pending -");
        rig.until(1120);
        assert_eq!(rig.log.len(), 1, "{how:?}");
    }
}

#[test]
fn a_job_not_found_at_the_stop_ends_it_after_three_reads_over_a_minute() {
    let mut rig = Rig::one();
    rig.blind = vec![(1_900_000, i64::MAX, Blind::Error(Reason::JobNotFound))];
    rig.until(1990);
    assert!(matches!(rig.health("w"), Health::Stalled(Reason::JobNotFound, _)));
    assert_eq!(rig.tasks("w"), "finished Started | pending -");
    rig.until(2100);
    assert_eq!(rig.tasks("w"), "finished Started | finished JobNotFound");

    let mut rig = Rig::one();
    rig.blind = vec![(1_990_000, 2_050_000, Blind::Error(Reason::JobNotFound))];
    rig.until(2045);
    assert!(!rig.settled(), "not yet a minute");
    rig.until(2200);
    assert_eq!(rig.tasks("w"), "finished Started | finished Stopped", "it was there after all");
}

#[test]
fn a_job_not_found_long_ago_is_looked_at_again_before_the_start_fails() {
    let mut rig = Rig::one();
    rig.blind = vec![(0, 997_500, Blind::Error(Reason::JobNotFound))];
    rig.until(990);
    assert!(matches!(rig.health("w"), Health::Stalled(Reason::JobNotFound, _)));
    rig.until(1100);
    assert_eq!(rig.log.len(), 1, "{}", rig.tasks("w"));
    assert!(rig.log[0].0 < 1_005_000);

    let mut rig = Rig::one();
    rig.blind = vec![(0, i64::MAX, Blind::Error(Reason::JobNotFound))];
    rig.until(1100);
    assert_eq!(rig.tasks("w"), "failed JobNotFound | pending -");
    rig.until(2300);
    assert!(rig.settled());
    assert_eq!((rig.log.len(), rig.phase("w")), (0, Phase::Failed));
}

#[test]
fn another_keys_not_found_is_no_evidence() {
    let mut rig = Rig::one().with_window("stranger", 1000, 2000, |w| w.account.name = "other".into());
    let other = crate::ids::ObjectName::new("live", "other");
    rig.until(1500);
    for i in 0..5 {
        let error = crate::memory::LookError { reason: Reason::JobNotFound, message: "no".into() };
        let at = super::rig::ms(1_900_000 + i * 25_000);
        rig.memory.look_failed(&other, at, at, error);
    }
    rig.until(2010);
    assert!(rig.tasks("w").ends_with("finished Stopped"), "{}", rig.tasks("w"));
}

#[test]
fn going_on_at_the_stop_is_waited_for_at_most_ninety_seconds() {
    let mut rig = Rig::new().with("w", 1000, 1020);
    rig.turning.0 = 40;
    rig.until(1030);
    assert_eq!(rig.tasks("w"), "pending Starting | pending WaitingForStart");
    rig.until(1100);
    let stops = times(&rig, Verb::Deactivate);
    assert!((1_040_000..1_044_000).contains(&stops[0]), "{stops:?}");

    let mut rig = Rig::new().with("w", 1000, 1020);
    rig.turning.0 = 1_000_000;
    rig.deactivate_faults = vec![Fault::NotDone, Fault::NotDone];
    rig.until(1400);
    let stops = times(&rig, Verb::Deactivate);
    assert!((1_085_000..1_112_000).contains(&stops[0]), "{stops:?}");
    assert_eq!(stops.len(), 3, "each given its ninety seconds: {stops:?}");
}

#[test]
fn going_off_at_the_stop_is_left_alone_for_ninety_seconds() {
    let mut rig = Rig::one();
    rig.until(1995).turn(Reading::GoingOff);
    rig.until(2050);
    assert_eq!(rig.log.len(), 1);
    rig.turn(Reading::Off);
    rig.until(2100);
    assert_eq!((rig.log.len(), rig.tasks("w").as_str()), (1, "finished Started | finished AlreadyOff"));

    let mut rig = Rig::one();
    rig.turning.1 = 1_000_000;
    rig.until(2300);
    let stops = times(&rig, Verb::Deactivate);
    assert!(stops.len() <= 4 && stops.windows(2).all(|p| p[1] - p[0] >= 90_000), "{stops:?}");
    assert!(stops.len() >= 2);
}

#[test]
fn a_key_refused_before_the_start_and_then_healed() {
    let mut rig = Rig::one();
    rig.blind = vec![(0, 400_000, Blind::Error(Reason::KeyRefused))];
    rig.until(300);
    assert!(matches!(rig.health("w"), Health::Stalled(Reason::KeyRefused, _)));
    assert!(rig.looks.len() < 10, "{:?}", rig.looks);
    rig.until(400);
    let account = crate::plan::fixtures::window("w").account;
    rig.memory.forget_failures(&account);
    rig.step();
    rig.until_ms(400_010);
    assert!(matches!(rig.health("w"), Health::Ready(Reason::Scheduled, _)));
    rig.until(3000);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2000.000"]);
}

#[test]
fn a_missing_secret_is_told_and_healed_by_its_coming_back() {
    let mut rig = Rig::one();
    rig.until(100).set_access("w", Some(Reason::SecretNotFound));
    assert!(matches!(rig.health("w"), Health::Reconciling(Reason::SecretNotFound, _)));
    rig.until(1500);
    assert!(rig.log.is_empty());
    rig.set_access("w", None);
    rig.until(3000);
    assert_eq!(rig.log.len(), 2, "{:?}", rig.calls());
    assert!(rig.log[0].0 <= 1_500_010);
}

#[test]
fn an_outage_of_one_answer_is_no_trouble_for_a_window_on_air() {
    let mut rig = Rig::one();
    rig.blind = vec![(1_500_000, 1_500_900, Blind::Error(Reason::LiveAPIUnreachable))];
    rig.until(1600);
    assert_eq!(rig.on_air("w"), OnAir::True);
    assert_eq!(rig.told("w"), ["Scheduled", "Starting", "Started"]);
}

#[test]
fn a_long_outage_on_air_shows_that_nobody_knows() {
    let mut rig = Rig::one();
    rig.blind = vec![(1_500_000, 1_800_000, Blind::Error(Reason::LiveAPIUnreachable))];
    rig.until(1700);
    assert_eq!(rig.on_air("w"), OnAir::Unknown);
    assert!(matches!(rig.health("w"), Health::Reconciling(Reason::LiveAPIUnreachable, _)));
    rig.until(1900);
    assert_eq!(rig.on_air("w"), OnAir::True);
    assert!(matches!(rig.health("w"), Health::Ready(Reason::OnAir, _)));
}

#[test]
fn waiting_for_a_slot_does_not_flap_and_keeps_the_reading_fresh() {
    let mut rig = Rig::one();
    rig.until(999);
    rig.hold = true;
    rig.until(1100);
    assert_eq!(rig.tasks("w"), "pending WaitingForCapacity | pending -");
    let writes = rig.writes;
    rig.until(1200);
    assert_eq!(rig.writes, writes, "waiting writes nothing");
    rig.hold = false;
    rig.until(1201);
    assert_eq!(rig.log.len(), 1);
    assert!(rig.log[0].0 <= 1_200_100, "{:?}", rig.log);
}

#[test]
fn a_crash_at_any_moment_makes_one_start_and_one_stop() {
    let moments = (0..60).map(|i| 996_000 + i * 300).chain((0..60).map(|i| 1_996_000 + i * 300));
    for moment in moments {
        let mut rig = Rig::one();
        rig.until_ms(moment).crash();
        rig.until(3000);
        assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2000.000"], "crash at {moment}");
        assert_eq!(rig.phase("w"), Phase::Finished);
    }
}

#[test]
fn a_process_that_finds_a_called_start_reads_first() {
    let mut rig = Rig::one();
    rig.activate_faults = vec![Fault::DoneLate(60)];
    rig.until_ms(1_000_010).crash();
    rig.until(1050);
    assert_eq!(rig.tasks("w"), "pending Starting | pending -");
    rig.until(3000);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2000.000"]);
}

#[test]
fn down_from_the_start_until_after_the_stop() {
    let mut rig = Rig::one();
    rig.until(1100).down_until(2500);
    rig.until(2600);
    assert_eq!(rig.log[1].1, Verb::Deactivate);
    assert!(rig.log[1].0 <= 2_500_010, "{:?}", rig.log);
    assert_eq!(rig.tasks("w"), "finished Started | finished Stopped");

    // Called and never confirmed: the channel is on, so the start is this window's, and the stop is made.
    let mut rig = Rig::one();
    rig.until_ms(1_000_030).down_until(2500);
    rig.until(2600);
    assert_eq!((rig.log.len(), rig.channel), (2, Reading::Off));
}

#[test]
fn a_refused_repeat_does_not_undo_an_earlier_call_that_may_have_left() {
    let mut rig = Rig::one();
    rig.deactivate_faults = vec![Fault::LostNotDone, Fault::Refused(Reason::CallRefused)];
    rig.until_ms(2_011_200);
    assert!(rig.record("w").deactivation.called_at.is_some());
    rig.cancel("w");
    rig.until(2100);
    assert_eq!(rig.tasks("w"), "finished Started | finished Stopped", "cancelled after the stop was called");
}
