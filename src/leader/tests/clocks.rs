//! Clocks that differ, that are set, and machines that are suspended.

use std::time::Duration;

use jiff::SignedDuration;
use plan::lease::Before;
use tokio::time::{Instant, sleep};

use super::*;

#[tokio::test(start_paused = true)]
async fn clocks_hours_apart_neither_cost_nor_give_a_lease() {
    for hours in [-5, 5] {
        let (_server, a, b) = pair().await;
        b.clock.set_by(SignedDuration::from_hours(hours));
        always(s(120), || a.leads() && !b.leads()).await;
        let renewed = a.link.last_renewal();
        a.kill();
        let term = b.leading().await;
        assert!(renewed.elapsed() >= s(15) && renewed.elapsed() < s(16));
        assert_eq!(term.before, Before::Expired);
    }
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_is_set_proves_nothing_until_the_next_renewal() {
    let ms = SignedDuration::from_millis;
    for (step, proven) in
        [(ms(1_500), false), (ms(-1_500), false), (ms(3_600_000), false), (ms(900), true), (ms(-900), true)]
    {
        let (_server, a, b) = pair().await;
        let (set, term) = (Instant::now(), a.term().unwrap());
        a.clock.set_by(step);
        while set.elapsed() < s(5) {
            assert_eq!(a.may_call(), proven || a.link.last_renewal() > set, "{step} {:?}", set.elapsed());
            sleep(7 * MS).await;
        }
        assert!(a.may_call());
        assert_eq!((a.term().unwrap(), a.lost(), b.leads()), (term, 0, false));
    }
}

/// The suspended time is not in any timer: only the clock that counts it tells.
#[tokio::test(start_paused = true)]
async fn a_suspended_machine_may_not_call_when_it_wakes() {
    for suspended in [6, 9, 60] {
        let (_server, a) = leader().await;
        sleep(s(3)).await;
        let (woke, before) = (Instant::now(), a.term().unwrap());
        a.clock.skip(s(suspended));
        assert!(!a.may_call());
        while a.link.last_renewal() < woke {
            assert!(!a.may_call());
            sleep(MS).await;
        }
        until(|| a.may_call()).await;
        assert!(woke.elapsed() < s(3), "{:?}", woke.elapsed());
        // A tenure ends only at the renew deadline; and then the term that follows is another.
        assert_eq!(a.lost() == 0, suspended < 9);
        assert_eq!(a.term().unwrap().id == before.id, suspended < 9);
    }
}

#[tokio::test(start_paused = true)]
async fn who_wakes_after_another_took_over_steps_down() {
    for suspended in [20, 60, 3_600] {
        let (server, a, b) = pair().await;
        a.suspend();
        sleep(s(suspended)).await;
        assert!(b.leads() && b.may_call());
        a.resume();
        assert!(!a.may_call());
        let woke = Instant::now();
        always(s(30), || !a.may_call() && b.may_call() && (!a.leads() || woke.elapsed() < s(3))).await;
        assert_eq!((a.lost(), server.holder()), (1, b.identity()));
    }
}

/// The answer of a renewal was on its way while the machine was suspended.
#[tokio::test(start_paused = true)]
async fn an_answer_that_waited_through_a_suspension_is_as_old_as_its_request() {
    let (_server, a) = leader().await;
    a.link.wire().delay = (Duration::ZERO, 500 * MS);
    let updates = a.link.count("update");
    until(|| a.link.count("update") > updates).await;
    sleep(100 * MS).await;
    a.clock.skip(s(30));
    always(s(1), || !a.may_call()).await;
    until(|| a.lost() == 1).await;
}

/// A standby that wakes believes the lease to have run out, and its write is refused: the holder has renewed meanwhile.
#[tokio::test(start_paused = true)]
async fn a_standby_that_wakes_takes_nothing_from_a_living_holder() {
    let (_server, a, b) = pair().await;
    b.suspend();
    sleep(s(60)).await;
    b.resume();
    always(s(30), || a.may_call() && !b.leads()).await;
}
