//! The elector and the tenure over an apiserver in memory, in virtual time.

mod apiserver;
mod candidate;
mod clocks;
mod dice;
mod faults;
mod handover;
mod race;

use std::time::Duration;

use tokio::time::{Instant, sleep};

use apiserver::{Apiserver, Link};
use candidate::Candidate;

const MS: Duration = Duration::from_millis(1);

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// For so long, this holds every 10 ms.
async fn always(span: Duration, mut holds: impl FnMut() -> bool) {
    let (began, end) = (Instant::now(), Instant::now() + span);
    while Instant::now() < end {
        assert!(holds(), "not after {:?}", began.elapsed());
        sleep(10 * MS).await;
    }
}

/// How long it takes until this holds, by 1 ms.
async fn until(mut holds: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < s(180), "never");
        sleep(MS).await;
    }
    began.elapsed()
}

/// One process that leads.
async fn leader() -> (Apiserver, Candidate) {
    let server = Apiserver::default();
    let a = Candidate::start("a", &server);
    a.leading().await;
    (server, a)
}

/// One that leads, and one that stands by.
async fn pair() -> (Apiserver, Candidate, Candidate) {
    let (server, a) = leader().await;
    let b = Candidate::start("b", &server);
    sleep(s(5)).await;
    assert!(a.leads() && !b.leads());
    (server, a, b)
}
