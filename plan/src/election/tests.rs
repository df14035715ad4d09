use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;

/// Milliseconds since the machine began, by all three clocks.
fn at(ms: u64) -> Moment {
    let run = Duration::from_millis(ms);
    let wall = Timestamp::UNIX_EPOCH + SignedDuration::try_from(run).unwrap();
    Moment { wall, monotonic: run, boottime: run }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn election() -> Election {
    named("me")
}

fn named(me: &str) -> Election {
    Election::new(me, ProcessId::new("p"), LeaseTimings::default())
}

/// Another's Lease, at that version.
fn theirs(version: u64, renewed: &str) -> StoredLease {
    lease(version, "other", renewed)
}

fn lease(version: u64, holder: &str, renewed: &str) -> StoredLease {
    StoredLease {
        uid: "uid".into(),
        version: version.to_string(),
        record: LeaseRecord {
            holder: holder.into(),
            duration: Duration::from_secs(15),
            transitions: 4,
            acquired: "a".into(),
            renewed: renewed.into(),
            released_by: None,
        },
    }
}

/// What a server answers to this write.
fn kept(step: &Step, version: u64) -> StoredLease {
    let (Step::Create(record) | Step::Update { to: record, .. }) = step else { panic!("no write: {step:?}") };
    StoredLease { uid: "uid".into(), version: version.to_string(), record: record.clone() }
}

/// One that leads since `sent`, in the fifth term, at version 10.
fn holder(sent: u64) -> Election {
    let mut election = election();
    election.read(Some(lease(9, "", "r")), at(sent));
    let write = election.next(&at(sent), false);
    assert_eq!(election.answered(&kept(&write, 10), at(sent + 50)), News::Won(Before::Unknown));
    election
}

/// When it next does anything but wait, from `from` on, and what.
fn acts(election: &mut Election, from: u64) -> (u64, Step) {
    let mut now = from;
    loop {
        match election.next(&at(now), false) {
            Step::Wait(wait) => now += u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap(),
            step => return (now, step),
        }
    }
}

#[test]
fn the_lease_is_read_before_anything_and_again_while_no_read_is_answered() {
    let mut election = election();
    assert_eq!(election.next(&at(0), false), Step::Read);
    let (again, step) = acts(&mut election, 5);
    assert_eq!(step, Step::Read);
    assert!((1_750..=2_000).contains(&again), "{again}");
}

#[test]
fn a_lease_that_is_not_there_is_made() {
    let mut election = election();
    election.read(None, at(0));
    let step = election.next(&at(7), false);
    let mark = mark(at(7).wall);
    let record = LeaseRecord {
        holder: "me".into(),
        duration: Duration::from_secs(15),
        transitions: 0,
        acquired: mark.clone(),
        renewed: mark,
        released_by: None,
    };
    assert_eq!(step, Step::Create(record));
    assert_eq!(election.answered(&kept(&step, 1), at(900)), News::Won(Before::Unknown));
    let held = election.held().unwrap();
    assert_eq!((held.uid.as_str(), held.transitions, held.renewed), ("uid", 0, at(7)));
}

#[test]
fn anothers_lease_is_left_alone_for_a_duration_since_it_was_last_seen_to_change() {
    for (written, left_alone) in [(15, 15_000), (60, 60_000), (1, 15_000)] {
        let mut election = election();
        let mut found = theirs(7, "1999-01-01T00:00:00Z");
        found.record.duration = Duration::from_secs(written);
        election.read(Some(found.clone()), at(1_000));
        // Read again, unchanged; a version that changed alone is no renewal.
        found.version = "8".into();
        election.read(Some(found.clone()), at(9_000));
        let mut now = 9_000;
        loop {
            let (then, step) = acts(&mut election, now);
            if step == Step::Read {
                assert!(then < 1_000 + left_alone);
                election.read(Some(found.clone()), at(then));
                now = then;
                continue;
            }
            assert_eq!(then, 1_000 + left_alone);
            let Step::Update { from, to } = step else { panic!("{step:?}") };
            assert_eq!((from, to.transitions, to.holder.as_str()), (found, 5, "me"));
            break;
        }
    }
}

#[test]
fn a_renewal_that_is_seen_begins_the_wait_anew() {
    let mut election = election();
    election.read(Some(theirs(7, "r1")), at(0));
    election.watched(theirs(8, "r2"), at(14_000));
    let mut steps = Vec::new();
    for now in (14_000..29_000).step_by(100) {
        match election.next(&at(now), true) {
            Step::Wait(_) => {}
            Step::Read => {
                election.read(Some(theirs(8, "r2")), at(now));
            }
            step => steps.push((now, step)),
        }
    }
    assert_eq!(steps, []);
    assert!(matches!(election.next(&at(29_000), true), Step::Update { .. }));
}

/// While a watch brings renewals nothing is read; a silent one is not trusted for long.
#[test]
fn a_silent_watch_is_helped_by_reads() {
    let mut election = election();
    election.read(Some(theirs(1, "r1")), at(0));
    for turn in 1..10 {
        let now = turn * 2_000;
        assert!(matches!(election.next(&at(now - 1), true), Step::Wait(_)), "{now}");
        election.watched(theirs(1 + turn, &format!("r{turn}")), at(now));
    }
    assert_eq!(election.next(&at(18_000), true), Step::Wait(ms(4_000)));
    assert_eq!(election.next(&at(22_000), true), Step::Read);
}

#[test]
fn suspension_counts_and_steps_of_the_wall_clock_do_not() {
    let mut election = election();
    election.read(Some(theirs(1, "r1")), at(0));
    let mut now = at(1_000);
    now.wall = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(5);
    assert!(matches!(election.next(&now, true), Step::Wait(_)));
    now.boottime = ms(15_000);
    assert!(matches!(election.next(&now, true), Step::Update { .. }));

    let mut election = holder(0);
    now.boottime = ms(9_999);
    assert!(!matches!(election.next(&now, true), Step::StepDown));
    now.boottime = ms(10_000);
    assert_eq!(election.next(&now, true), Step::StepDown);
}

#[test]
fn what_was_let_go_is_taken_at_once_and_tells_by_whom() {
    for (by, before) in
        [(Some(ProcessId::new("q")), Before::Released(Some(ProcessId::new("q")))), (None, Before::Unknown)]
    {
        let mut election = election();
        let mut released = lease(3, "", "r");
        released.record.released_by = by;
        election.read(Some(released), at(0));
        let write = election.next(&at(0), true);
        let lease = kept(&write, 4);
        assert_eq!((lease.record.transitions, &lease.record.released_by), (5, &None));
        assert_eq!(election.answered(&lease, at(10)), News::Won(before));
    }
}

/// A note of a release long ago means nothing under a holder.
#[test]
fn an_old_note_of_a_release_is_not_believed() {
    let mut election = election();
    let mut found = theirs(3, "r");
    found.record.released_by = Some(ProcessId::new("q"));
    election.read(Some(found), at(0));
    let write = election.next(&at(15_000), true);
    assert_eq!(election.answered(&kept(&write, 4), at(15_010)), News::Won(Before::Expired));
}

#[test]
fn a_holder_renews_the_same_term_every_retry() {
    let mut election = holder(0);
    let (then, step) = acts(&mut election, 50);
    assert!((1_750..=2_000).contains(&then));
    let Step::Update { from, to } = &step else { panic!("{step:?}") };
    assert_eq!((from.version.as_str(), to.transitions, to.holder.as_str()), ("10", 5, "me"));
    assert!(to.renewed != from.record.renewed && to.acquired == from.record.acquired);
    assert_eq!(election.answered(&kept(&step, 11), at(then + 3_000)), News::Renewed);
    // Counted from when it was sent.
    assert_eq!(election.held().unwrap().renewed, at(then));
    assert_eq!(election.left(&at(then + 3_000)), Some(ms(7_000)));
}

#[test]
fn somebody_who_wants_to_know_hurries_one_step() {
    let mut election = holder(0);
    assert!(matches!(election.next(&at(60), false), Step::Wait(_)));
    election.hurry();
    let write = election.next(&at(60), false);
    election.answered(&kept(&write, 11), at(61));
    assert!(matches!(election.next(&at(61), false), Step::Wait(_)));
}

#[test]
fn a_holder_that_hears_nothing_steps_down_at_the_renew_deadline() {
    let mut election = holder(500);
    let (then, step) = acts(&mut election, 600);
    assert!(matches!(step, Step::Update { .. }));
    let mut now = then;
    loop {
        let (then, step) = acts(&mut election, now);
        now = then;
        match step {
            // An answer that was lost: read before anything.
            Step::Read => {}
            step => {
                assert_eq!((now, step), (10_500, Step::StepDown));
                break;
            }
        }
    }
    assert_eq!(election.held(), None);
}

#[test]
fn a_write_whose_answer_was_lost_is_looked_for_before_anything_is_written() {
    // As a candidate.
    let mut election = election();
    election.read(Some(lease(9, "", "r")), at(0));
    let write = election.next(&at(0), false);
    assert_eq!(acts(&mut election, 4_000), (4_000, Step::Read));
    let stored = kept(&write, 10);
    assert_eq!(election.read(Some(stored), at(4_100)), News::Won(Before::Unknown));
    assert_eq!(election.held().unwrap().renewed, at(0));

    // As the holder; and where it is not stored it is written again at once.
    for stored in [true, false] {
        let mut election = holder(0);
        let (sent, write) = acts(&mut election, 50);
        let written = kept(&write, 11);
        assert_eq!(acts(&mut election, sent + 4_000), (sent + 4_000, Step::Read));
        let found = if stored { written } else { election.lease().unwrap().clone() };
        let news = election.read(Some(found), at(sent + 4_010));
        let next = election.next(&at(sent + 4_010), false);
        if stored {
            assert_eq!((news, election.held().unwrap().renewed), (News::Renewed, at(sent)));
        } else {
            assert_eq!((news, election.held().unwrap().renewed), (News::Nothing, at(0)));
            assert!(matches!(next, Step::Update { .. }), "{next:?}");
        }
    }
}

/// A takeover found stored only after its own renew deadline: it proves nothing any more and is made once more.
#[test]
fn a_lost_answer_found_too_late_is_no_tenure() {
    let mut election = election();
    election.read(Some(lease(9, "", "r")), at(0));
    let write = election.next(&at(0), false);
    assert_eq!(election.next(&at(11_000), false), Step::Read);
    assert_eq!(election.read(Some(kept(&write, 10)), at(11_000)), News::Nothing);
    assert_eq!(election.held(), None);
    let write = election.next(&at(11_000), false);
    let stored = kept(&write, 11);
    assert_eq!(stored.record.transitions, 6);
    // Of our own, and not run out when it was taken up.
    assert_eq!(election.answered(&stored, at(11_010)), News::Won(Before::Unknown));
}

/// A renewal that is stored after its term is over is no renewal, and no win either: the term's name is not used twice.
#[test]
fn ones_own_late_write_is_taken_over_like_anothers_but_at_once() {
    let mut election = holder(0);
    let (_, write) = acts(&mut election, 9_000);
    let late = kept(&write, 11);
    assert_eq!(election.next(&at(10_000), false), Step::StepDown);
    assert_eq!(acts(&mut election, 12_000).1, Step::Read);
    assert_eq!(election.read(Some(late.clone()), at(12_000)), News::Nothing);
    assert_eq!(election.held(), None);
    let Step::Update { from, to } = election.next(&at(12_000), false) else { panic!() };
    assert_eq!((from, to.transitions), (late, 6));
}

#[test]
fn anothers_name_in_the_record_ends_a_tenure() {
    let found = [Some(theirs(11, "r")), None, Some(lease(11, "", "r"))];
    let another_uid = StoredLease { uid: "another".into(), ..lease(11, "me", "r") };
    let another_term = lease(11, "me", "r");
    for found in found.into_iter().chain([Some(another_uid), Some(another_term)]) {
        let mut election = holder(0);
        acts(&mut election, 50);
        assert_eq!(election.refused(Refusal::Conflict, at(2_100)), News::Nothing);
        assert_eq!(election.next(&at(2_100), false), Step::Read);
        assert_eq!(election.read(found, at(2_200)), News::Lost);
        assert_eq!(election.held(), None);
    }
}

#[test]
fn a_conflict_is_read_up_and_written_again_at_once_but_not_for_ever() {
    let mut election = holder(0);
    let (mut now, _) = acts(&mut election, 50);
    let term = election.lease().unwrap().record.clone();
    let mut writes = 0;
    for version in 11..40_u64 {
        election.refused(Refusal::Conflict, at(now));
        let (then, step) = acts(&mut election, now);
        if then >= 10_000 {
            break;
        }
        assert_eq!(step, Step::Read);
        election.read(
            Some(StoredLease { version: version.to_string(), uid: "uid".into(), record: term.clone() }),
            at(then),
        );
        now = acts(&mut election, then).0;
        writes += 1;
    }
    assert!((5..=12).contains(&writes), "{writes}");
}

#[test]
fn a_lease_that_is_gone_ends_the_tenure() {
    let mut election = holder(0);
    acts(&mut election, 50);
    assert_eq!(election.refused(Refusal::Gone, at(2_100)), News::Lost);
    // Nobody else was seen to hold it.
    assert!(matches!(acts(&mut election, 2_100), (..4_100, Step::Create(_))));
}

#[test]
fn a_holder_whose_lease_is_deleted_is_left_its_time() {
    let mut election = election();
    election.read(Some(theirs(4, "r")), at(0));
    election.watched_deletion(&theirs(5, "r"), at(3_000));
    for now in (3_000..15_000).step_by(250) {
        match election.next(&at(now), true) {
            Step::Wait(_) => {}
            Step::Read => assert_eq!(election.read(None, at(now)), News::Nothing),
            step => panic!("{step:?} at {now}"),
        }
    }
    let write = election.next(&at(15_000), true);
    assert!(matches!(write, Step::Create(_)), "{write:?}");
    assert_eq!(election.answered(&kept(&write, 6), at(15_010)), News::Won(Before::Unknown));

    // One that was let go, or a deletion of another Lease than the one that is known.
    let mut election = self::election();
    election.read(Some(lease(4, "", "r")), at(0));
    election.watched_deletion(&lease(5, "", "r"), at(0));
    assert!(matches!(election.next(&at(0), true), Step::Create(_)));
    let mut election = self::election();
    election.read(Some(theirs(4, "r")), at(0));
    election.watched_deletion(&StoredLease { uid: "old".into(), ..theirs(3, "r") }, at(0));
    assert_eq!(election.lease(), Some(&theirs(4, "r")));
}

#[test]
fn what_a_watch_brings_late_is_no_change() {
    let mut election = election();
    election.read(Some(theirs(8, "r8")), at(0));
    for version in [6, 7, 8] {
        election.watched(theirs(version, &format!("r{version}")), at(14_000));
    }
    assert_eq!(election.lease(), Some(&theirs(8, "r8")));
    assert!(matches!(election.next(&at(15_000), true), Step::Update { .. }));
    // What a watch says is no word on a write whose answer was lost.
    election.watched(theirs(9, "r9"), at(15_100));
    assert_eq!(acts(&mut election, 19_000).1, Step::Read);
}

#[test]
fn a_release_says_who_and_is_repeated_until_it_is_known_or_the_deadline_has_passed() {
    let mut election = holder(0);
    election.leave(at(100));
    let step = election.next(&at(100), false);
    let Step::Update { from, to } = step.clone() else { panic!("{step:?}") };
    assert_eq!((to.holder.as_str(), to.transitions, &to.released_by), ("", 5, &Some(ProcessId::new("p"))));
    assert_eq!((from.version.as_str(), to.duration), ("10", Duration::from_secs(1)));
    let mut answered = election.clone();
    assert_eq!(answered.answered(&kept(&step, 11), at(110)), News::Released);
    assert_eq!(answered.held(), None);

    // The answer is lost.
    let mut found = election.clone();
    assert_eq!(acts(&mut found, 4_100).1, Step::Read);
    assert_eq!(found.read(Some(kept(&step, 11)), at(4_200)), News::Released);
    let mut taken = election.clone();
    acts(&mut taken, 4_100);
    assert_eq!(taken.read(Some(theirs(12, "r")), at(4_200)), News::Lost);
    let mut unchanged = election.clone();
    acts(&mut unchanged, 4_100);
    unchanged.read(Some(from), at(4_200));
    assert!(matches!(acts(&mut unchanged, 4_200), (4_200, Step::Update { .. })));
    let (mut now, mut step) = acts(&mut election, 4_100);
    while step == Step::Read {
        (now, step) = acts(&mut election, now);
    }
    assert_eq!((now, step), (10_000, Step::StepDown));
}

#[test]
fn who_does_not_lead_has_nothing_to_let_go() {
    let mut election = election();
    election.leave(at(0));
    assert_eq!(election.next(&at(0), false), Step::StepDown);
    let mut election = self::election();
    election.read(Some(theirs(4, "r")), at(0));
    election.leave(at(0));
    assert_eq!(election.next(&at(0), false), Step::StepDown);
}

/// A process that lost the lease and begins anew knows that its old self is over.
#[test]
fn what_an_earlier_candidate_of_this_process_held_is_taken_over_at_once() {
    for (recorded, before) in [(true, Before::Released(Some(ProcessId::new("old")))), (false, Before::Unknown)] {
        let predecessor = Predecessor { holder: "host_old".into(), process: ProcessId::new("old"), recorded };
        let mut election = election().after(Some(predecessor));
        election.read(Some(lease(9, "host_old", "r")), at(0));
        let write = election.next(&at(0), false);
        assert!(matches!(&write, Step::Update { to, .. } if to.holder == "me" && to.transitions == 5), "{write:?}");
        assert_eq!(election.answered(&kept(&write, 10), at(50)), News::Won(before));
        // Another's is waited for as ever.
        let mut election = super::tests::election().after(None);
        election.read(Some(lease(9, "host_old", "r")), at(0));
        assert!(matches!(election.next(&at(0), false), Step::Wait(_)));
    }
}

#[test]
fn a_lease_tells_whole_seconds_rounded_up() {
    for (divisor, seconds) in [(1, 15), (2, 8), (4, 4), (20, 1)] {
        let mut election = Election::new("me", ProcessId::new("p"), LeaseTimings::divided(divisor));
        election.read(None, at(0));
        let Step::Create(record) = election.next(&at(0), false) else { panic!() };
        assert_eq!(record.duration, Duration::from_secs(seconds));
    }
}

#[test]
fn candidates_do_not_go_in_step() {
    let timings = LeaseTimings::default();
    let pause = |process: &str| Election::new("me", ProcessId::new(process), timings).pause;
    let pauses: std::collections::BTreeSet<_> = (0..50).map(|number| pause(&format!("process-{number}"))).collect();
    assert!(pauses.len() > 25, "{}", pauses.len());
    assert!(pauses.iter().all(|pause| *pause <= timings.retry && *pause >= timings.retry * 7 / 8));
    assert_eq!(pause("process-1"), pause("process-1"));
}

/// Two candidates and a store, without anything else: every write lands at any later time, or never.
struct Store {
    lease: Option<StoredLease>,
    version: u64,
    sailing: Vec<(usize, u64, Step)>,
}

impl Store {
    fn lands(&mut self, step: &Step) -> Result<StoredLease, Refusal> {
        let record = match (step, &self.lease) {
            (Step::Create(record), None) => record,
            (Step::Update { from, to }, Some(lease)) if (&lease.uid, &lease.version) == (&from.uid, &from.version) => {
                to
            }
            (Step::Update { .. }, None) => return Err(Refusal::Gone),
            _ => return Err(Refusal::Conflict),
        };
        self.version += 1;
        let lease = StoredLease { uid: "uid".into(), version: self.version.to_string(), record: record.clone() };
        self.lease = Some(lease.clone());
        Ok(lease)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever is lost or late, and whoever stands still for how long: who may call is the holder, alone.
    #[test]
    fn never_two_may_call(moves in proptest::collection::vec((0..2_usize, 0..8_u8, 0..6_000_u64), 1..120)) {
        let timings = LeaseTimings::default();
        let mut both = [named("a"), named("b")];
        let mut store = Store { lease: None, version: 0, sailing: Vec::new() };
        let mut now = 0;
        let mut able = [None, None];
        for (who, fate, span) in moves {
            let step = both[who].next(&at(now), false);
            match (&step, fate) {
                (Step::Read, 0..6) => {
                    both[who].read(store.lease.clone(), at(now));
                }
                (Step::Create(_) | Step::Update { .. }, 0..5) => {
                    let news = match store.lands(&step) {
                        Ok(lease) => both[who].answered(&lease, at(now)),
                        Err(refusal) => both[who].refused(refusal, at(now)),
                    };
                    if news == News::Won(Before::Expired) {
                        let other: Option<u64> = able[1 - who];
                        prop_assert!(other.is_none_or(|other| now >= other + 10_000));
                    }
                }
                (Step::Create(_) | Step::Update { .. }, 5..7) => store.sailing.push((who, now + span * 4, step)),
                _ => {}
            }
            // Time passes; what is under way lands.
            let then = now + span / 3;
            while now < then {
                now += 100;
                let landed: Vec<_> = store.sailing.extract_if(.., |(_, lands, _)| *lands <= now).collect();
                for (_, _, step) in landed {
                    let _ = store.lands(&step);
                }
                for (who, election) in both.iter().enumerate() {
                    if election.held().is_some_and(|held| timings.may_call(&held.renewed, &at(now))) {
                        able[who] = Some(now);
                        prop_assert_eq!(&store.lease.as_ref().unwrap().record.holder, ["a", "b"][who]);
                    }
                }
                prop_assert!(able != [Some(now), Some(now)]);
            }
        }
    }
}
