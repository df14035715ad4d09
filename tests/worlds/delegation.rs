//! Windows that the vendor's own scheduler runs.

mod crashes;
mod life;
mod quota;
mod shared;
mod supervision;

use serde_json::json;

use super::world::{World, minutes};

const PATH: &str = "tv/news";
const START: i64 = minutes(20);
const STOP: i64 = minutes(40);

/// A namespace, a job and an operator that runs for a minute before anything is applied.
async fn begin(world: &mut World) {
    world.settle("tv");
    world.jobs(&["studio"]);
    world.start_operator();
    world.until(60).await;
}

/// A namespace whose account has those limits, so many jobs, and an operator that runs for a minute. Gives the jobs.
async fn begin_season(world: &mut World, limits: serde_json::Value, jobs: usize) -> Vec<String> {
    world.settle_with("tv", "tv", &limits);
    let names: Vec<String> = (0..jobs).map(|number| format!("job-{number:02}")).collect();
    world.jobs(&names.iter().map(String::as_str).collect::<Vec<_>>());
    world.start_operator();
    world.until(60).await;
    names
}

/// An account without a limit of its own.
fn no_limits() -> serde_json::Value {
    json!({"pendingActivations": 0, "requestsPerSecond": 20})
}

/// Milliseconds since the world's beginning at which the vendor received a call.
fn received(call: &simulator::Call) -> i64 {
    (call.received_us - super::world::at(0).as_microsecond()) / 1_000
}
