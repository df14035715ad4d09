//! What the scenes are played with: control planes, the simulated vendor, operators, and a record of every status.

pub(crate) mod channel;
mod house;
mod invariants;
mod operator;
#[macro_use]
mod programme;
mod recorder;
mod scheduler;
mod stage;
mod window;

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

pub(crate) use channel::{Channel, received};
pub(crate) use house::{
    Plane, annex, bare_plane, house, install, install_definitions, install_definitions_without_rules,
    install_older_definition, install_rights, repository,
};
pub(crate) use operator::{Watched, get, killed, restarted};
pub(crate) use programme::{Scene, play_to_end};
pub(crate) use recorder::Record;
pub(crate) use scheduler::body;
pub(crate) use stage::Stage;
pub(crate) use window::{Window, condition, on_air, phase, ready, registered, shows};

/// How long a scene waits for what must come: much longer than it takes, for machines that have much else to do.
const PATIENCE: Duration = Duration::from_mins(1);

/// The same; less where every scene is to fail (`make test-null`).
pub(crate) fn patience() -> Duration {
    let seconds = std::env::var("E2E_PATIENCE_SECONDS").ok();
    seconds.map_or(PATIENCE, |seconds| Duration::from_secs(seconds.parse().unwrap()))
}

/// Whether the scenes are played with another program than the operator (`make test-null`). What holds for every status
/// is not asked of that: each scene would fail for it, also one that shows nothing itself.
fn stand_in() -> bool {
    std::env::var_os("TESTBED_OPERATOR").is_some()
}

/// How late a call may be on a machine that runs everything at once.
pub(crate) const LATE: SignedDuration = SignedDuration::from_secs(2);

const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// So many whole seconds from the next whole second on.
pub(crate) fn in_seconds(seconds: i64) -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second() + 1 + seconds).unwrap()
}

/// Moved by so many seconds.
pub(crate) fn plus(at: Timestamp, seconds: i64) -> Timestamp {
    at + SignedDuration::from_secs(seconds)
}

/// Waits for an instant. For what must not happen until then; what must happen is waited for by itself.
pub(crate) async fn until_past(at: Timestamp) {
    while let Ok(left) = Duration::try_from(at.duration_since(Timestamp::now())) {
        tokio::time::sleep(left.max(Duration::from_millis(1))).await;
    }
}

/// Asks again and again until there is an answer.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {:?} in vain until {what}", patience());
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Runs what blocks, off the runtime's own threads.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}
