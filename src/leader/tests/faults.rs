//! An apiserver that is away, slow, deaf or dumb, and people with kubectl.

use std::time::Duration;

use plan::lease::Before;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::*;

#[tokio::test(start_paused = true)]
async fn the_first_candidate_makes_the_lease_and_renews_it() {
    let (server, a) = leader().await;
    let lease = server.lease().unwrap();
    let spec = lease.spec.clone().unwrap();
    assert_eq!(spec.holder_identity, Some(a.identity()));
    assert_eq!((spec.lease_duration_seconds, spec.lease_transitions), (Some(15), Some(0)));
    assert_eq!(lease.metadata.labels.unwrap()["app.kubernetes.io/name"], "jobstartstop");
    let term = a.term().unwrap();
    assert_eq!(term.id.as_str(), format!("ops/jobstartstop/{}/0", lease.metadata.uid.unwrap()));
    // It may have been deleted under a holder.
    assert_eq!((term.before, term.others_until), (Before::Unknown, term.since));
    always(s(60), || a.may_call()).await;
    let renewed = server.lease().unwrap().spec.unwrap();
    assert!(renewed.renew_time > spec.renew_time);
    assert_eq!((renewed.acquire_time, renewed.lease_transitions), (spec.acquire_time, Some(0)));
    let renewals = a.link.count("update");
    assert!((30..=36).contains(&renewals), "{renewals}");
}

/// The apiserver is blocked for one replica, which has calls due all the time.
#[tokio::test(start_paused = true)]
async fn case_101_no_call_is_sent_after_the_lease_is_lost() {
    for wait in [0, 400, 900, 1_500, 1_990] {
        let (_server, a, b) = pair().await;
        sleep(wait * MS).await;
        let renewed = a.link.last_renewal();
        a.link.cut(true);
        let mut last_call = Instant::now();
        let mut takeover = None;
        while renewed.elapsed() < s(40) {
            // A call and its answer end before the renew deadline, and none begins after.
            if a.may_call() {
                last_call = Instant::now();
            }
            assert!(!(a.may_call() && b.may_call()));
            assert_eq!(a.leads(), renewed.elapsed() < s(10), "{:?}", renewed.elapsed());
            takeover = takeover.or(Some(Instant::now()).filter(|_| b.may_call()));
            sleep(10 * MS).await;
        }
        let called = last_call - renewed;
        assert!(called <= s(5) && called > Duration::from_millis(4_900), "{called:?}");
        let taken = takeover.unwrap() - renewed;
        assert!(taken >= s(15) && taken < Duration::from_millis(15_500), "{taken:?}");
        // Nobody called in the 10 s before: the plan goes by that.
        let term = b.term().unwrap();
        assert_eq!(term.before, Before::Expired);
        assert_eq!(term.since.duration_since(term.others_until).as_secs(), 10);
        assert_eq!(a.lost(), 1);
        // It stands by and comes back into the election without being started anew.
        a.link.cut(false);
        sleep(s(10)).await;
        assert!(!a.leads() && b.leads());
        b.kill();
        a.leading().await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_lost_the_apiserver_leads_again_in_another_term() {
    let (_server, a) = leader().await;
    let before = a.term().unwrap();
    a.link.cut(true);
    let ended = until(|| !a.leads()).await;
    assert!(ended <= s(10), "{ended:?}");
    sleep(s(60)).await;
    assert!(!a.may_call());
    a.link.cut(false);
    let after = a.leading().await;
    assert_ne!(before.id, after.id);
    // It had run out long before: only the last 10 s are in doubt.
    assert_eq!(after.before, Before::Expired);
    always(s(20), || a.may_call()).await;
}

/// A loss so short that the lease has not run out: it is taken up again at once, and what this process called until its
/// last term ended is in doubt.
#[tokio::test(start_paused = true)]
async fn ones_own_lease_is_taken_up_before_it_runs_out() {
    let (server, a) = leader().await;
    sleep(s(3)).await;
    let renewed = a.link.last_renewal();
    a.link.cut(true);
    until(|| !a.leads()).await;
    a.link.cut(false);
    let term = a.leading().await;
    assert!(renewed.elapsed() < s(15), "{:?}", renewed.elapsed());
    assert_eq!((term.before, term.others_until), (Before::Unknown, term.since));
    assert_eq!(server.transitions(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_apiserver_takes_nothing_away() {
    let (_server, a, b) = pair().await;
    a.link.wire().delay = (Duration::from_millis(1_500), Duration::from_millis(1_500));
    sleep(s(10)).await;
    let (mut able, mut steps) = (0, 0);
    always(s(120), || {
        steps += 1;
        able += u32::from(a.may_call());
        a.leads() && !b.leads()
    })
    .await;
    assert_eq!((a.lost(), a.link.wire().most_writing), (0, 1));
    assert!(able * 2 > steps, "may call in {able} of {steps}");
}

#[tokio::test(start_paused = true)]
async fn the_lease_overwritten_by_somebody_ends_the_tenure_at_the_next_renewal() {
    let (server, a) = leader().await;
    server.edit(|lease| lease["spec"]["holderIdentity"] = json!("somebody"));
    let ended = until(|| !a.leads()).await;
    assert!(ended <= Duration::from_millis(2_010), "{ended:?}");
    // The other is left its time.
    let waited = until(|| a.leads()).await;
    assert!(waited >= s(15) && waited < s(16), "{waited:?}");
    assert_eq!((server.holder(), server.transitions()), (a.identity(), 1));
    assert_eq!(a.term().unwrap().before, Before::Expired);
}

/// Labels and annotations of others, in the middle of a tenure.
#[tokio::test(start_paused = true)]
async fn what_others_put_on_the_lease_stays_and_costs_no_tenure() {
    let (server, a) = leader().await;
    server.edit(|lease| lease["metadata"]["annotations"] = json!({ "team": "sports" }));
    server.edit(|lease| lease["metadata"]["labels"]["team"] = json!("sports"));
    always(s(10), || a.may_call()).await;
    let meta = server.lease().unwrap().metadata;
    assert_eq!(
        (&meta.annotations.unwrap()["team"], &meta.labels.unwrap()["team"]),
        (&"sports".into(), &"sports".into())
    );
    assert_eq!(server.transitions(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_lease_ends_the_tenure_and_the_standby_leaves_the_holder_its_time() {
    let (server, a, b) = pair().await;
    let before = a.term().unwrap();
    a.link.cut(true);
    server.delete();
    // The holder cannot know yet; whoever makes another Lease waits as if it had not been deleted.
    let renewed = a.link.last_renewal();
    until(|| b.leads()).await;
    assert!(renewed.elapsed() >= s(15), "{:?}", renewed.elapsed());
    assert_eq!(b.term().unwrap().before, Before::Unknown);
    assert!(!a.leads());

    b.kill();
    a.link.cut(false);
    let again = a.leading().await;
    server.delete();
    until(|| a.lost() == 2).await;
    let third = a.leading().await;
    assert!(before.id != again.id && again.id != third.id);
    assert_eq!(third.before, Before::Unknown);
}

#[tokio::test(start_paused = true)]
async fn an_apiserver_away_at_the_start_is_waited_for() {
    for refusing in [true, false] {
        let server = Apiserver::default();
        let link = Link::to(&server);
        link.wire().refusing = refusing;
        link.cut(!refusing);
        let a = Candidate::over("a", link);
        sleep(s(600)).await;
        let tries = a.link.wire().requests.len();
        assert!((100..=400).contains(&tries), "{tries}");
        a.link.wire().refusing = false;
        a.link.cut(false);
        assert!(until(|| a.leads()).await < s(5));
    }
}

#[tokio::test(start_paused = true)]
async fn missing_rights_are_waited_for() {
    let server = Apiserver::default();
    let link = Link::to(&server);
    link.wire().forbidden = &["get", "create", "update", "watch"];
    let a = Candidate::over("a", link);
    for (forbidden, leads) in [(&["create", "update", "watch"][..], false), (&["watch"], true), (&[], true)] {
        sleep(s(9)).await;
        a.link.wire().forbidden = forbidden;
        sleep(s(4)).await;
        assert_eq!(a.leads(), leads, "{forbidden:?}");
    }
    let requests = a.link.wire().requests.len();
    assert!(requests < 60, "{requests}");
    assert_eq!(a.lost(), 0);
}

/// The answer of the write that makes the Lease is lost: it is read before anything else, and held from when it was
/// sent.
#[tokio::test(start_paused = true)]
async fn a_lost_answer_of_the_first_write_is_read_up() {
    let server = Apiserver::default();
    let link = Link::to(&server);
    link.wire().lose_answers = 1;
    let (sent, a) = (Instant::now(), Candidate::over("a", link));
    a.leading().await;
    assert_eq!(sent.elapsed().as_secs(), 4);
    assert_eq!((a.link.count("create"), a.link.count("update"), server.transitions()), (1, 0, 0));
    // Had it counted from the reading, it might call until 9 s.
    a.link.cut(true);
    while sent.elapsed() < s(12) {
        assert_eq!(a.may_call(), sent.elapsed() <= s(5), "{:?}", sent.elapsed());
        assert_eq!(a.leads(), sent.elapsed() < s(10), "{:?}", sent.elapsed());
        sleep(7 * MS).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_of_a_takeover_is_read_up() {
    let (server, a, b) = pair().await;
    b.link.wire().lose_answers = 1;
    a.kill();
    let term = b.leading().await;
    assert_eq!((term.before, server.transitions(), server.holder()), (Before::Expired, 1, b.identity()));
}

#[tokio::test(start_paused = true)]
async fn a_lost_renewal_or_its_answer_costs_no_tenure() {
    for (writes, answers) in [(1, 0), (0, 1)] {
        let (server, a, b) = pair().await;
        let term = a.term().unwrap();
        a.link.wire().lose_writes = writes;
        a.link.wire().lose_answers = answers;
        always(s(30), || a.leads() && !b.leads()).await;
        assert_eq!((a.term().unwrap(), server.transitions()), (term, 0));
        assert!(a.may_call());
        assert_eq!(a.link.wire().most_writing, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_proof_is_a_renewal_sent_after_it_was_asked_for() {
    let (_server, a) = leader().await;
    for wait in [1_u32, 300, 1_000, 1_900] {
        sleep(wait * MS).await;
        a.link.wire().delay = (30 * MS, 30 * MS);
        let asked = Instant::now();
        assert!(a.tenure.prove(&crate::timetable::Clock::moment(&*a.clock)).await);
        assert!(a.link.last_renewal() >= asked && asked.elapsed() <= 121 * MS, "{:?}", asked.elapsed());
    }
    a.link.cut(true);
    let asked = Instant::now();
    assert!(!a.tenure.prove(&crate::timetable::Clock::moment(&*a.clock)).await);
    assert!(asked.elapsed() > s(7) && asked.elapsed() <= s(10));
}
