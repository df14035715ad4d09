//! Watch, index, plan, act, status: the only place that joins the other modules.
//!
//! Two lanes work on one index. The *timetable* lane ([`lane`]) decides what is due and makes the calls; `main` gives
//! it a thread of its own, so that a storm of events cannot delay a deadline. The *convergence* lane watches
//! ([`watches`]), decides what was edited, and writes ([`writer`], [`events`]). Both are plain async functions: a
//! simulation runs them on one thread under virtual time.

mod accounts;
mod acknowledged;
mod apiserver;
mod attempts;
mod backlog;
mod conditions;
mod definitions;
mod directory;
mod events;
mod expiry;
#[cfg(test)]
mod fixtures;
mod foreign;
mod index;
mod installations;
mod journal;
mod lane;
mod live_calls;
mod load;
mod notice;
mod outbox;
mod posts;
pub(crate) mod raw;
mod recheck;
pub(crate) mod registered;
mod shared;
mod signing;
mod status;
mod step;
#[cfg(test)]
mod stored_fixtures;
mod uncovered;
mod under_way;
mod unread;
mod wanted;
mod watches;
mod window;
mod workflow_calls;
mod writer;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use plan::conditions::Health;
use plan::{DeletionPolicy, Timings};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::leader::Tenure;
use crate::live::{Endpoint, Timeouts, Transport};
use crate::notify::Queue;
use crate::observe::{Metrics, Readiness};
use crate::timetable::Clock;

use accounts::Dialling;
use index::{Index, Order};
use live_calls::carry_out;
use shared::{Ground, Outlets, Shared};
use window::Defaults;

pub use accounts::IN_USE;
pub use directory::Known;
pub use step::{Step, Steps, Untold};
pub use window::FINALIZER;

/// How long the end waits for statuses that are planned and not written.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// What a controller stands on.
pub struct Setup {
    /// The apiserver.
    pub client: Client,
    /// The way to the Live API.
    pub transport: Transport,
    /// How long requests to the Live API may take.
    pub timeouts: Timeouts,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Whether this process leads.
    pub tenure: Arc<Tenure>,
    /// Is told how far calls have come.
    pub steps: Arc<dyn Steps>,
    /// The times that plans go by.
    pub timings: Timings,
    /// Where to watch; none means in all namespaces.
    pub namespaces: BTreeSet<String>,
    /// The endpoints that a LiveAccount may name; the first is used where it names none.
    pub endpoints: Vec<Endpoint>,
    /// What deleting does where neither object nor account say.
    pub deletion_policy: DeletionPolicy,
    /// The cluster's name, which stands in the description of workflows; empty: it has none.
    pub cluster: String,
    /// Names this process in events.
    pub instance: String,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// What the process is waiting for.
    pub readiness: Arc<Readiness>,
    /// Those that send notifications.
    pub posts: Arc<Queue>,
}

/// The two lanes, each a future of its own.
pub struct Lanes {
    timetable: Timetable,
    convergence: Convergence,
    gauges: Gauges,
}

/// The lane that decides what is due and calls.
pub struct Timetable {
    shared: Arc<Shared>,
    orders: mpsc::UnboundedReceiver<Order>,
}

/// The lane that watches, decides what was edited, and writes.
pub struct Convergence {
    shared: Arc<Shared>,
    client: Client,
    namespaces: BTreeSet<String>,
    dialling: Dialling,
    instance: String,
    posts: Arc<Queue>,
    lists: mpsc::UnboundedReceiver<Order>,
    notices: mpsc::Receiver<notice::Notice>,
}

/// Brings the gauges up to date before they are read.
#[derive(Clone)]
pub struct Gauges {
    shared: Arc<Shared>,
    posts: Arc<Queue>,
}

impl Lanes {
    /// Puts the lanes together; nothing runs yet.
    pub fn new(setup: Setup) -> Self {
        let dialling = Dialling { transport: setup.transport, timeouts: setup.timeouts, allowed: setup.endpoints };
        let flags =
            Defaults { deletion_policy: setup.deletion_policy, cluster: setup.cluster.into(), ..Defaults::default() };
        let index = Index::new(setup.timings, dialling.clone(), flags);
        let Setup { clock, tenure, steps, metrics, readiness, .. } = setup;
        let (shared, outlets) = Shared::new(index, Ground { clock, tenure, steps, metrics, readiness });
        let Outlets { orders, lists, notices } = outlets;
        Self {
            gauges: Gauges { shared: Arc::clone(&shared), posts: Arc::clone(&setup.posts) },
            timetable: Timetable { shared: Arc::clone(&shared), orders },
            convergence: Convergence {
                shared,
                client: setup.client,
                namespaces: setup.namespaces,
                dialling,
                instance: setup.instance,
                posts: setup.posts,
                lists,
                notices,
            },
        }
    }

    /// The lanes, to be run, and the gauges.
    pub fn split(self) -> (Timetable, Convergence, Gauges) {
        (self.timetable, self.convergence, self.gauges)
    }
}

impl Timetable {
    /// Runs until `stop`; then requests under way finish and are recorded.
    pub async fn run(self, stop: CancellationToken) {
        lane::run(self.shared, self.orders, stop).await;
    }
}

impl Convergence {
    /// Runs until `stop`; then what is planned is written, for a few seconds at most. Stop it after the timetable
    /// lane has ended, so that its last answers are among that. Returns whether all of it was written.
    pub async fn run(self, stop: CancellationToken) -> bool {
        let Self { shared, client, namespaces, dialling, instance, posts, lists, notices } = self;
        let mut parts = JoinSet::new();
        let scopes: Vec<Option<String>> =
            if namespaces.is_empty() { vec![None] } else { namespaces.into_iter().map(Some).collect() };
        parts.spawn(recheck::run(Arc::clone(&shared), client.clone(), scopes.clone()));
        parts.spawn(watches::run(Arc::clone(&shared), client.clone(), scopes, dialling));
        parts.spawn(decide(Arc::clone(&shared)));
        parts.spawn(journal::run(Arc::clone(&shared)));
        parts.spawn(renewals(Arc::clone(&shared)));
        parts.spawn(definitions::run(Arc::clone(&shared), client.clone()));
        parts.spawn(definitions::compare(Arc::clone(&shared), client.clone()));
        parts.spawn(unread::run(Arc::clone(&shared), client.clone()));
        parts.spawn(uncovered::run(Arc::clone(&shared)));
        parts.spawn(ask_for_lists(Arc::clone(&shared), lists));
        parts.spawn(events::run(Arc::clone(&shared), client.clone(), instance, notices));
        parts.spawn(posts::run(Arc::clone(&shared), posts));
        parts.spawn(writer::accounts(Arc::clone(&shared), client.clone()));
        for _ in 0..writer::WRITERS {
            parts.spawn(writer::windows(Arc::clone(&shared), client.clone()));
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            // None of them returns: one that does has panicked, and the process is better restarted.
            Some(part) = parts.join_next() => {
                tracing::error!(?part, "a part of the convergence lane has ended");
                return false;
            }
        }
        let in_time = tokio::time::timeout(LAST_WRITES, written(&shared)).await.is_ok();
        shared.journal.flush();
        if !in_time {
            tracing::warn!("statuses were left unwritten at the end; the next process writes them");
            return false;
        }
        true
    }
}

/// Decides what was edited, stored or answered, one job after another, giving others a turn between.
async fn decide(shared: Arc<Shared>) {
    loop {
        let key = shared.jobs.next_alone().await;
        shared.give_way_to_rereads().await;
        let loads = shared.decide([key.clone()]);
        shared.admit(loads, false);
        shared.jobs.done(&key);
        tokio::task::yield_now().await;
    }
}

/// Lets calls go that waited for the lease to be renewed.
async fn renewals(shared: Arc<Shared>) {
    loop {
        tokio::select! {
            biased;
            () = shared.tenure.until_store_went_back() => shared.store_went_back(),
            () = shared.tenure.change() => shared.lease_renewed(),
        }
    }
}

async fn ask_for_lists(shared: Arc<Shared>, mut lists: mpsc::UnboundedReceiver<Order>) {
    let mut under_way = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            order = lists.recv() => match order {
                Some(order) => { under_way.spawn(carry_out(Arc::clone(&shared), order)); }
                None => return,
            },
            Some(_) = under_way.join_next() => {}
        }
    }
}

/// Waits until nothing is left to decide or to write.
async fn written(shared: &Shared) {
    const LOOK_AGAIN: Duration = Duration::from_millis(20);
    let mut quiet = 0;
    while quiet < 3 {
        tokio::time::sleep(LOOK_AGAIN).await;
        quiet = if shared.jobs.is_empty() && shared.windows.is_empty() { quiet + 1 } else { 0 };
    }
}

impl Gauges {
    /// Counts windows by phase and by how they stand with the vendor's scheduler, how long stops are overdue, the
    /// notifications on their way, and what waits.
    pub fn refresh(&self) {
        let Self { shared, posts } = self;
        shared.metrics.notifications_waiting(posts.depth());
        shared.metrics.deadlines_pending(shared.timetable.len());
        let now = shared.clock.now();
        let index = shared.index();
        shared.metrics.queue_depths(shared.queue_depths(&index));
        shared.metrics.uncovered_channels(index.uncovered_channels());
        shared.metrics.accounts_served_elsewhere(index.served_elsewhere());
        let mut owed = 0;
        let counted = index.planned().inspect(|planned| owed += planned.record.outbox.owed());
        let shown = counted.map(|planned| {
            let health = planned.health();
            let trouble = Some(health.reason()).filter(|_| !matches!(health, Health::Ready(..)));
            (planned.phase, trouble, planned.overdue_since.map(|since| now.duration_since(since)))
        });
        shared.metrics.windows(shown);
        let unsettled = index.planned().filter(|planned| !planned.record.settled());
        let standing = unsettled.filter_map(|planned| planned.record.registered.as_ref());
        shared.metrics.registrations(standing.map(|told| told.reason));
        shared.metrics.notifications_outbox(owed);
        shared.metrics.clock_offset(index.clock_offset());
    }
}
