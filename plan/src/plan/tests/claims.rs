//! Once, whatever crashes: claims, what an earlier process may have called, and what is read anew before a call.

use super::rig::{Fault, Rig, ms};
use crate::ids::{ProcessId, TermId};
use crate::lease::Before;
use crate::memory::Verb;
use crate::reading::Reading;
use crate::reason::Reason;
use crate::record::Claim;

fn starts(rig: &Rig) -> Vec<i64> {
    rig.log.iter().filter(|(_, verb)| *verb == Verb::Activate).map(|(at, _)| *at).collect()
}

/// A window from 1000 to 2000, up to that millisecond.
fn up_to(millis: i64) -> Rig {
    let mut rig = Rig::one();
    rig.until_ms(millis);
    rig
}

#[test]
fn a_start_is_claimed_half_a_minute_ahead_and_called_under_that_claim() {
    let mut rig = up_to(969_999);
    assert_eq!(rig.record("w").claim, None);
    rig.until_ms(970_000);
    let claim = rig.stored("w").claim.clone().unwrap();
    assert_eq!((claim.by, claim.term, claim.at), (rig.term.by.clone(), rig.term.id.clone(), ms(1_000_000)));
    rig.until(1_100);
    assert_eq!(starts(&rig), [1_000_000]);
    assert_eq!(rig.record("w").claim.as_ref().map(|claim| claim.at), Some(ms(1_000_000)), "shows who made it");
}

#[test]
fn nothing_is_called_before_the_claim_is_stored() {
    let mut rig = Rig::one();
    rig.until(960);
    rig.store_lag = 45_000;
    rig.until_ms(1_014_999);
    assert_eq!(starts(&rig), []);
    assert_eq!(rig.tasks("w"), "pending WaitingForClaim | pending -");
    rig.until(1_100);
    assert_eq!(starts(&rig), [1_015_000]);
}

#[test]
fn a_stop_stands_behind_no_write() {
    let mut rig = up_to(1_100_000);
    rig.store_lag = 3_600_000;
    rig.until(2_100);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2000.000"]);
}

#[test]
fn a_claim_whose_time_is_ahead_is_replaced_and_the_start_is_on_time() {
    for died in [970_001, 998_500, 999_900] {
        let mut rig = up_to(died);
        rig.succeeded(Before::Expired);
        rig.until(1_100);
        assert_eq!(starts(&rig), [1_000_000], "died at {died}");
        assert_eq!(rig.record("w").claim.as_ref().unwrap().by, rig.term.by);
    }
}

/// S4 to S6: the call left, and nothing of it was stored.
#[test]
fn case_25_a_start_that_no_process_remembers_is_not_made_again() {
    for lost in [false, true] {
        for before in [Before::Unknown, Before::Expired, Before::Released(None)] {
            let mut rig = Rig::one();
            rig.until(960);
            rig.activate_faults = vec![if lost { Fault::LostDone } else { Fault::DoneLate(9) }];
            rig.until(990);
            rig.store_lag = 10_000;
            rig.until_ms(1_000_200);
            rig.store_lag = 0;
            rig.succeeded(before.clone());
            assert_eq!(rig.stored("w").activation.reason, Some(Reason::PerhapsCalled));
            rig.until(1_100);
            assert_eq!(starts(&rig), [1_000_000], "{before:?}");
            assert_eq!(rig.tasks("w"), "finished Started | pending -");
            rig.until(2_100);
            assert_eq!(rig.channel, Reading::Off);
        }
    }
}

/// Nothing left: the next process cannot know, and finds it off for long enough.
#[test]
fn a_start_that_may_have_been_made_and_was_not_is_made_ten_seconds_after_it_could_have_been() {
    for (before, called) in
        [(Before::Unknown, 1_023_005), (Before::Released(None), 1_023_005), (Before::Expired, 1_013_005)]
    {
        let mut rig = up_to(999_999);
        rig.down_for_succession(1_013_000, before.clone());
        rig.until(1_100);
        assert_eq!(starts(&rig), [called], "{before:?}");
        assert_eq!(rig.record("w").activation.attempts, 1);
    }
}

/// Who lets the lease go in order has recorded all that it called.
#[test]
fn case_105_after_an_orderly_handover_the_start_waits_for_nothing() {
    let mut rig = up_to(999_500);
    let before = Before::Released(Some(rig.term.by.clone()));
    rig.down_for_succession(1_000_700, before);
    rig.until(1_100);
    // The stored objects and the job are read, both at once.
    assert_eq!(starts(&rig), [1_000_705]);
}

#[test]
fn a_start_moved_away_while_nobody_knew_whether_it_was_made_is_made_at_its_new_time() {
    let mut rig = up_to(999_999);
    rig.down_until(1_001);
    rig.edit("w", |w| w.activation = crate::plan::fixtures::at(1_500));
    rig.until(1_600);
    assert_eq!(starts(&rig), [1_500_000]);
    assert_eq!(rig.record("w").activation.time, crate::plan::fixtures::at(1_500));
}

#[test]
fn a_claim_is_withdrawn_when_its_start_is_moved_away_or_suspended() {
    let mut rig = up_to(980_000);
    rig.edit("w", |w| w.activation = crate::plan::fixtures::at(1_500));
    assert_eq!(rig.stored("w").claim, None);
    rig.until(1_480);
    assert!(rig.stored("w").claim.is_some());
    rig.edit("w", |w| w.suspend = true);
    assert_eq!(rig.stored("w").claim, None);
}

/// Refused, and claimed anew for the next try: a process that dies in the wait, or right after the next call, leaves
/// what the one after it needs.
#[test]
fn a_repeated_start_has_a_claim_of_its_own() {
    let refused_once = || {
        let mut rig = Rig::one();
        rig.activate_faults = vec![Fault::Refused(Reason::CallRefused)];
        rig.until_ms(1_000_100);
        rig
    };
    let mut rig = refused_once();
    let claim = rig.stored("w").claim.clone().unwrap();
    assert!(claim.at > ms(1_000_700), "not before the wait is over: {claim:?}");
    rig.succeeded(Before::Unknown);
    rig.until(1_100);
    assert_eq!(starts(&rig).len(), 2, "died in the wait: {:?}", rig.calls());
    assert!(starts(&rig)[1] < 1_002_000);

    let mut rig = refused_once();
    rig.store_lag = 10_000;
    rig.until_ms(1_001_500);
    assert_eq!(starts(&rig).len(), 2, "{:?}", rig.calls());
    rig.store_lag = 0;
    rig.succeeded(Before::Unknown);
    rig.until(1_100);
    assert_eq!(starts(&rig).len(), 2, "died right after it: {:?}", rig.calls());
    assert_eq!(rig.tasks("w"), "finished Started | pending -");
}

/// Another process that believes to lead has put its claim over ours: nothing is called under it.
#[test]
fn case_100_under_another_processs_claim_nothing_is_called() {
    let mut rig = up_to(980_000);
    let theirs = Claim { by: ProcessId::new("other"), term: TermId::new("other"), at: ms(1_000_000) };
    rig.claim_by_another("w", &theirs);
    rig.store_lag = 60_000;
    rig.until(1_030);
    assert_eq!(starts(&rig), [], "our own claim has not come back");
}

#[test]
fn right_before_each_call_the_stored_objects_are_read_and_not_waited_for() {
    let mut rig = up_to(2_100_000);
    assert_eq!(rig.rechecks, [998_000, 1_998_000]);
    rig.check_nothing_more();
    let mut rig = up_to(900_000);
    rig.apiserver_silent = true;
    rig.until(2_100);
    assert_eq!(rig.calls(), ["activate 1000.000", "deactivate 2000.000"]);
}

/// Suspended across both times: what is known when it wakes is not gone by.
#[test]
fn a_call_that_overslept_waits_until_the_stored_objects_are_read() {
    let mut rig = up_to(990_000);
    rig.sleep_until(1_030);
    rig.until(1_100);
    assert_eq!(rig.rechecks, [1_030_000]);
    assert_eq!(starts(&rig), [1_030_005]);
    rig.sleep_until(2_030);
    rig.until(2_100);
    assert_eq!(rig.calls()[1], "deactivate 2030.005");

    let mut rig = up_to(990_000);
    rig.apiserver_silent = true;
    rig.sleep_until(1_030);
    rig.until(1_100);
    assert_eq!(starts(&rig), [], "a start is not made on what was known before");
    let asked = rig.rechecks.len();
    assert!(asked > 10, "what may never be answered is asked again: {asked} times in 70 s");
    rig.apiserver_silent = false;
    rig.until(1_200);
    assert_eq!(starts(&rig).len(), 1);
    rig.apiserver_silent = true;
    rig.sleep_until(2_030);
    rig.until(2_100);
    assert_eq!(rig.calls()[1], "deactivate 2032.000", "a stop is, once the apiserver was asked in vain");
}

/// A new leader reads before it acts, whatever its watches have shown it as a standby.
#[test]
fn a_new_leader_reads_the_stored_objects_before_its_first_call() {
    let mut rig = up_to(999_500);
    rig.succeeded_unlisted(Before::Expired);
    rig.until(1_100);
    assert_eq!(rig.rechecks.last(), Some(&999_500));
    assert_eq!(starts(&rig), [1_000_000]);
}

/// What the one before did for a window may not have come by our watch yet.
#[test]
fn a_new_leader_calls_no_window_missed_before_it_has_listed_all() {
    let mut rig = up_to(900_000);
    rig.down_for_succession(2_500_000, Before::Expired);
    rig.unlist();
    rig.until(2_600);
    assert!(rig.record("w").activation.is_pending(), "{}", rig.tasks("w"));
    rig.list();
    rig.until(2_700);
    assert_eq!(rig.tasks("w"), "failed StartMissed | cancelled StartFailed");
}

/// A restored backup is seen by the process that begins with it: the list of its term comes later.
#[test]
fn a_window_that_was_over_when_first_seen_stays_that_until_all_is_listed() {
    let mut rig = Rig::new();
    rig.until(5_000);
    rig.unlist();
    rig.add("w", 1_000, 2_000, |_| ());
    rig.until(5_010);
    assert!(rig.last.as_ref().unwrap().windows[0].undecided);
    rig.list();
    rig.until(5_100);
    assert_eq!(rig.tasks("w"), "failed WindowPast | cancelled WindowPast");
    assert_eq!(starts(&rig), []);
}

#[test]
fn no_call_is_wanted_while_the_lease_does_not_hold_for_it() {
    let mut rig = up_to(999_000);
    rig.lease_holds(false);
    rig.until(1_004);
    assert!(rig.last.as_ref().unwrap().awaits_lease);
    assert_eq!(starts(&rig), []);
    rig.lease_holds(true);
    rig.until(1_100);
    assert_eq!(starts(&rig).len(), 1);
}
