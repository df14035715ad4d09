//! SIGTERM, SIGKILL, and who comes next.

use std::time::Duration;

use plan::lease::Before;
use plan::{LeaseTimings, ProcessId};
use tokio::time::sleep;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_released_lease_is_taken_at_once() {
    let (server, a, b) = pair().await;
    let term = a.term().unwrap();
    a.stop.cancel();
    // Calls are being recorded: the lease is renewed further.
    always(s(40), || a.may_call() && !b.leads()).await;
    a.recorded.cancel();
    let nobody = until(|| b.may_call()).await;
    assert!(nobody < s(1), "{nobody:?}");
    assert!(a.ended() && !a.leads());
    let next = b.term().unwrap();
    assert_eq!(next.before, Before::Released(Some(ProcessId::new("a"))));
    assert_eq!(server.transitions(), 1);
    assert_ne!(next.id, term.id);
    // The note is of the release before, not of this tenure.
    let notes = server.lease().unwrap().metadata.annotations.unwrap_or_default();
    assert!(!notes.contains_key("scheduler.bcovlive.io/released-by"), "{notes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_released_lease_says_who_let_it_go() {
    let (server, a) = leader().await;
    a.stop.cancel();
    a.recorded.cancel();
    until(|| a.ended()).await;
    let lease = server.lease().unwrap();
    assert_eq!(server.holder(), "");
    assert_eq!(lease.metadata.annotations.unwrap()["scheduler.bcovlive.io/released-by"], "a");
    assert_eq!(lease.spec.unwrap().lease_transitions, Some(0));
}

#[tokio::test(start_paused = true)]
async fn without_a_watch_a_release_is_found_by_reading() {
    for silent in [true, false] {
        let (server, a) = leader().await;
        let link = Link::to(&server);
        link.wire().silent_watches = silent;
        link.wire().forbidden = if silent { &[] } else { &["watch"] };
        let b = Candidate::over("b", link);
        sleep(s(30)).await;
        let (reads, watches) = (b.link.count("get"), b.link.count("watch"));
        assert!((7..=20).contains(&reads) && watches <= reads, "{reads} reads, {watches} watches");
        a.stop.cancel();
        a.recorded.cancel();
        let nobody = until(|| b.may_call()).await;
        assert!(nobody <= s(4), "{nobody:?}");
    }
}

/// A standby that watches asks nothing.
#[tokio::test(start_paused = true)]
async fn standing_by_costs_a_watch_and_no_reads() {
    let (_server, _a, b) = pair().await;
    let (reads, watches) = (b.link.count("get"), b.link.count("watch"));
    sleep(s(300)).await;
    assert_eq!(b.link.count("get"), reads);
    assert!(b.link.count("watch") - watches <= 11);
}

#[tokio::test(start_paused = true)]
async fn a_killed_leader_is_followed_when_its_lease_runs_out() {
    let (_server, a, b) = pair().await;
    let renewed = a.link.last_renewal();
    a.kill();
    until(|| b.may_call()).await;
    let after = renewed.elapsed();
    assert!(after >= s(15) && after < s(15) + 100 * MS, "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn the_answer_of_a_release_may_be_lost() {
    let (server, a, b) = pair().await;
    a.stop.cancel();
    a.link.wire().lose_answers = 1;
    a.recorded.cancel();
    assert!(until(|| b.may_call()).await < s(1));
    assert!(until(|| a.ended()).await <= s(5));
    assert_eq!(server.holder(), b.identity());
    always(s(20), || b.may_call()).await;
}

#[tokio::test(start_paused = true)]
async fn a_release_that_never_arrives_is_repeated_and_given_up_at_the_renew_deadline() {
    let (server, a) = leader().await;
    a.stop.cancel();
    a.link.wire().lose_writes = 1;
    a.recorded.cancel();
    until(|| a.ended()).await;
    assert_eq!(server.holder(), "");

    let (server, a) = leader().await;
    a.stop.cancel();
    a.link.cut(true);
    a.recorded.cancel();
    assert!(until(|| a.ended()).await <= s(10));
    assert_eq!(server.holder(), a.identity());
}

#[tokio::test(start_paused = true)]
async fn who_leaves_while_standing_by_leaves_at_once_also_without_an_apiserver() {
    for cut in [false, true] {
        let (server, a, b) = pair().await;
        b.link.cut(cut);
        sleep(s(9)).await;
        b.stop.cancel();
        b.recorded.cancel();
        assert!(until(|| b.ended()).await <= 10 * MS);
        assert_eq!(server.holder(), a.identity());
    }
}

/// SIGTERM comes while the write that wins is under way: no tenure begins, and the lease is let go.
#[tokio::test(start_paused = true)]
async fn who_wins_after_being_asked_to_leave_does_not_begin() {
    for lost_answers in [0, 1] {
        let server = Apiserver::default();
        let link = Link::to(&server);
        link.wire().delay = (300 * MS, 300 * MS);
        link.wire().lose_answers = lost_answers;
        let a = Candidate::over("a", link);
        sleep(s(1)).await;
        assert_eq!(server.holder(), a.identity());
        a.stop.cancel();
        always(s(3), || !a.leads()).await;
        a.recorded.cancel();
        assert!(until(|| a.ended()).await < s(8));
        assert!(!a.leads());
        assert_eq!(server.holder(), "");
    }
}

#[tokio::test(start_paused = true)]
async fn it_works_at_a_twentieth_of_the_times() {
    let server = Apiserver::default();
    let timings = LeaseTimings::divided(20);
    let start = |name| Candidate::with(name, Link::to(&server), timings);
    let (a, b) = (start("a"), start("b"));
    sleep(s(1)).await;
    let (leader, other) = if a.leads() { (&a, &b) } else { (&b, &a) };
    always(s(10), || leader.may_call() && !other.leads()).await;
    // A Lease tells whole seconds.
    assert_eq!(server.lease().unwrap().spec.unwrap().lease_duration_seconds, Some(1));
    leader.kill();
    let taken = until(|| other.may_call()).await;
    assert!(taken <= Duration::from_millis(1_100) && taken >= Duration::from_millis(850), "{taken:?}");
}
