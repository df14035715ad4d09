//! Keys that are missing or refused, deletions whose extent is unclear, and waits that outlive the process.

use super::rig::{Blind, Fault, Rig};
use crate::conditions::Health;
use crate::ids::{AccountName, ObjectName};
use crate::phase::Phase;
use crate::plan::fixtures;
use crate::reading::Reading;
use crate::reason::Reason;
use crate::record::OnAir;
use crate::window::{Deletion, DeletionPolicy};

fn account(name: &str) -> AccountName {
    ObjectName::new("live", name)
}

/// `a` with the account `default`, and `b`, later on the same job, with the account `other`.
fn two_accounts() -> Rig {
    Rig::new().with("a", 1000, 2000).with_window("b", 3000, 4000, |w| w.account = account("other"))
}

#[test]
fn a_stop_is_made_with_another_accounts_key_when_its_own_is_refused() {
    let mut rig = two_accounts();
    rig.until(1500).refusing = vec![account("default")];
    rig.until(2100);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2000.000"], "on time, since the look 2 s ahead told");
    assert_eq!(rig.callers, [account("default"), account("other")]);
    assert_eq!(rig.tasks("a"), "finished Started | finished Stopped");
}

#[test]
fn a_call_refused_with_one_key_is_repeated_at_once_with_another() {
    let mut rig = two_accounts();
    rig.until_ms(1_999_500).refusing = vec![account("default")];
    rig.until(2100);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2000.000", "deactivate 2000.040"]);
    assert_eq!(rig.callers[1..], [account("default"), account("other")]);
    assert_eq!(rig.channel, Reading::Off);
}

#[test]
fn an_account_that_never_read_the_job_makes_no_stop() {
    let mut rig = Rig::new().with("a", 1000, 2000).with_window("b", 3000, 4000, |w| w.account = account("stranger"));
    rig.refusing = vec![account("stranger")];
    rig.until(1500).refusing = vec![account("stranger"), account("default")];
    rig.until(2100);
    assert!(rig.callers.iter().all(|caller| *caller == account("default")), "{:?}", rig.callers);
    rig.refusing = vec![account("stranger")];
    rig.until(2200);
    assert_eq!((rig.channel, rig.tasks("a")), (Reading::Off, "finished Started | finished Stopped".into()));
}

#[test]
fn every_rejected_key_gets_its_turn() {
    let mut rig = two_accounts();
    rig.until(1500).refusing = vec![account("default"), account("other")];
    rig.until(2200);
    for caller in [account("default"), account("other")] {
        assert!(rig.callers[1..].iter().filter(|c| **c == caller).count() > 1, "{:?}", rig.callers);
    }
    assert!(matches!(rig.health("a"), Health::Stalled(Reason::KeyRefused, _)));
    rig.refusing = vec![account("default")];
    rig.until(2300);
    assert_eq!(rig.channel, Reading::Off);
}

#[test]
fn a_start_is_never_made_with_a_key_that_is_not_its_windows_own() {
    let mut rig = Rig::new().with("a", 1000, 2000).with_window("b", 900, 950, |w| w.account = account("other"));
    rig.refusing = vec![account("default")];
    rig.until(1900);
    assert_eq!(rig.callers, [account("other"), account("other")], "both of them for b");
}

#[test]
fn without_any_key_the_stop_of_a_deleted_window_is_given_up_after_a_minute() {
    let mut rig = Rig::one();
    rig.until(1500).set_access("w", Some(Reason::SecretNotFound));
    rig.until(1510).delete("w");
    rig.until(1559);
    assert!(rig.exists("w"), "the stop may still be made");
    rig.until(1561);
    assert!(!rig.exists("w"));
    assert_eq!(rig.calls(), ["activate 1000.000"]);
    let (_, last) = rig.events.last().unwrap();
    assert_eq!((last.reason, last.warning), (Reason::StopGivenUp, true));
}

#[test]
fn a_strangers_key_is_no_key() {
    let mut rig = Rig::new().with("w", 1000, 2000).with_window("b", 3000, 4000, |w| w.account = account("stranger"));
    rig.refusing = vec![account("stranger")];
    rig.until(1500).set_access("w", Some(Reason::SecretNotFound));
    rig.delete("w");
    rig.until(1561);
    assert!(!rig.exists("w"), "{}", rig.tasks("w"));
}

#[test]
fn a_key_that_comes_back_within_the_minute_makes_the_stop() {
    let mut rig = Rig::one();
    rig.until(1500).set_access("w", Some(Reason::SecretNotFound));
    rig.until(1501).delete("w");
    rig.until(1550).set_access("w", None);
    rig.until(1700);
    assert_eq!((rig.exists("w"), rig.channel, rig.log.len()), (false, Reading::Off, 2));
}

#[test]
fn refused_by_every_key_it_is_given_up_after_ten_minutes_and_an_outage_never_counts() {
    let mut rig = two_accounts();
    rig.until(1500).refusing = vec![account("default"), account("other")];
    rig.delete("a");
    rig.until(2090);
    assert!(rig.exists("a"));
    rig.until(2140);
    assert!(!rig.exists("a"), "{}", rig.tasks("a"));

    let mut rig = Rig::one();
    rig.blind = vec![(1_500_000, 9_000_000, Blind::Error(Reason::LiveAPIUnreachable))];
    rig.deactivate_faults = vec![Fault::LostNotDone; 800];
    rig.until(1500).delete("w");
    rig.until(8000);
    assert!(rig.exists("w"), "an outage, however long, is waited for");
}

#[test]
fn a_window_that_is_not_deleted_is_never_given_up() {
    let mut rig = Rig::one();
    rig.until(1500).set_access("w", Some(Reason::SecretNotFound));
    rig.until(8000).set_access("w", None);
    rig.until(8100);
    assert_eq!(rig.tasks("w"), "finished Started | finished Stopped");
}

#[test]
fn what_was_given_up_is_failed_and_stalled_and_perhaps_on_air() {
    let mut rig = Rig::one();
    rig.store_lag = 10_000;
    rig.until(1500).set_access("w", Some(Reason::SecretNotFound));
    rig.delete("w");
    rig.until(1565);
    assert_eq!(rig.tasks("w"), "finished Started | failed StopGivenUp");
    assert_eq!((rig.phase("w"), rig.on_air("w")), (Phase::Failed, OnAir::Unknown));
    assert!(matches!(rig.health("w"), Health::Stalled(Reason::StopGivenUp, _)));
}

#[test]
fn a_deletion_stops_nothing_before_it_is_clear_that_the_definition_stays() {
    let mut rig = Rig::one();
    rig.until(1500).delete_unclear("w");
    rig.until(1600);
    assert_eq!((rig.exists("w"), rig.log.len()), (true, 1));
    rig.edit("w", |w| w.deletion = Deletion::Meant);
    rig.until(1700);
    assert_eq!((rig.exists("w"), rig.channel), (false, Reading::Off));
}

#[test]
fn a_planned_stop_does_not_wait_for_a_deletion_to_become_clear() {
    let mut rig = Rig::one();
    rig.until(1500).delete_unclear("w");
    rig.until(2100);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2000.000"]);
    assert!(!rig.exists("w"));
}

#[test]
fn while_the_definition_goes_every_policy_acts_as_retain() {
    for policy in [DeletionPolicy::Stop, DeletionPolicy::Cancel, DeletionPolicy::Retain] {
        for at in [500, 1001, 1500] {
            let mut rig = Rig::one();
            rig.until(at).edit("w", |w| {
                (w.deletion, w.deletion_policy) = (Deletion::WithDefinition, policy);
            });
            rig.until(3000);
            assert!(!rig.exists("w"));
            assert_eq!(rig.log.len(), usize::from(at > 1000), "{policy:?} at {at}: {:?}", rig.calls());
            let told = rig.events.last().unwrap().1.reason;
            assert!(at < 1000 || told == Reason::Retained, "{policy:?} at {at}: {told}");
        }
    }
}

#[test]
fn the_wait_after_a_refusal_outlives_the_process() {
    for verb in ["activate", "deactivate"] {
        let mut rig = Rig::one();
        let faults = vec![Fault::Refused(Reason::CallRefused); 40];
        if verb == "activate" {
            rig.activate_faults = faults;
        } else {
            rig.deactivate_faults = faults;
        }
        let due = if verb == "activate" { 1000 } else { 2000 };
        rig.until(due + 100);
        let calls = rig.log.len();
        // A process that crashes every second would call each time that it starts.
        for second in 1..=60 {
            rig.until(due + 100 + second).crash();
        }
        let more = rig.log.len() - calls;
        assert!((1..=4).contains(&more), "{verb}: {more} calls in a minute, waits have grown to 30 s");
    }
}

#[test]
fn off_inside_the_window_is_shown_as_drift_and_not_fought() {
    for (vendors_timer_ran_out, reason) in [(false, Reason::StoppedExternally), (true, Reason::AutoDeactivated)] {
        let mut rig = Rig::one();
        rig.until(1500).turn(Reading::Off);
        rig.vendors_timer_ran_out = vendors_timer_ran_out;
        rig.until(1600);
        let drifted = rig.last.as_ref().unwrap().windows[0].conditions().into_iter().find(|c| c.kind == "Drifted");
        assert_eq!(drifted.map(|condition| condition.reason), Some(reason));
        assert!(matches!(rig.health("w"), Health::Ready(shown, _) if shown == reason));
        assert_eq!(rig.events.last().map(|(_, event)| (event.reason, event.warning)), Some((reason, true)));
        rig.until(3000);
        assert_eq!(rig.calls(), ["activate 1000.000"]);
        assert_eq!(rig.tasks("w"), "finished Started | finished AlreadyOff");
    }
}

#[test]
fn a_channel_that_is_switched_on_again_has_not_drifted() {
    let mut rig = Rig::one();
    rig.until(1500).turn(Reading::Off);
    rig.until(1600).turn(Reading::On);
    rig.until(1700);
    assert_eq!((rig.on_air("w"), rig.record("w").drift), (OnAir::True, None));
    rig.until(3000);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2000.000"]);
    assert_eq!(rig.record("w").deactivation.call_at, fixtures::at(2000));
}
