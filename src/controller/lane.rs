//! The timetable lane: what is due is decided and called here, and nothing else is done here.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::timetable::Steps;

use super::index::Order;
use super::live_calls::carry_out;
use super::load::LoadKey;
use super::shared::{Due, Shared};

/// How many due jobs are decided before the calls they made get their turn. With 32, answers to the first were taken in
/// before the last were sent; with 1,024, the first waited for the last to be decided (docs/performance.md).
const CHUNK: usize = 128;

/// How long a stop waits for requests under way; longer than any of them can take.
const LAST_ANSWERS: Duration = Duration::from_secs(10);

/// Runs until `stop`, then lets the requests under way finish and be recorded.
pub(super) async fn run(shared: Arc<Shared>, mut orders: mpsc::UnboundedReceiver<Order>, stop: CancellationToken) {
    let mut under_way = JoinSet::new();
    let mut loads = BTreeSet::new();
    let mut steps = Steps::from_now(shared.clock.as_ref());
    loop {
        // The sleep is half a second at most: so long after a step what it made due is decided.
        if let Some(step) = steps.since_last(shared.clock.as_ref()) {
            loads.extend(shared.clock_stepped(step));
        }
        while let Ok(order) = orders.try_recv() {
            under_way.spawn(carry_out(Arc::clone(&shared), order));
        }
        let due = shared.timetable.take_due(shared.clock.now(), CHUNK);
        if !due.is_empty() {
            loads.extend(fall_due(&shared, due.into_iter().map(|(_, due)| due)));
            tokio::task::yield_now().await;
            continue;
        }
        // The due calls are out; now the rest that fell due with them, which one list may answer for.
        shared.admit(std::mem::take(&mut loads), false);
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(order) = orders.recv() => { under_way.spawn(carry_out(Arc::clone(&shared), order)); }
            Some(_) = under_way.join_next() => {}
            () = shared.timetable.sleep(shared.clock.as_ref()) => {}
        }
    }
    shared.close();
    while let Ok(order) = orders.try_recv() {
        under_way.spawn(carry_out(Arc::clone(&shared), order));
    }
    let finished = async { while under_way.join_next().await.is_some() {} };
    if tokio::time::timeout(LAST_ANSWERS, finished).await.is_err() {
        tracing::warn!("requests to the Live API were still under way at the end");
    }
}

/// Decides what is due and lets its calls go. Returns the loads that may have more.
fn fall_due(shared: &Shared, due: impl Iterator<Item = Due>) -> BTreeSet<LoadKey> {
    let mut loads = BTreeSet::new();
    let mut jobs = Vec::new();
    for due in due {
        match due {
            Due::Job(key) => jobs.push(key),
            Due::Load(load) => {
                loads.insert(load);
            }
        }
    }
    loads.extend(shared.decide(jobs));
    shared.admit(loads.iter().cloned(), true);
    loads
}
