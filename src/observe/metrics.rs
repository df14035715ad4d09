//! Counters, gauges and histograms. No label holds the name of an object: their number must not grow with use.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

use jiff::SignedDuration;
use plan::{DeliveryState, Phase, Posted, Reason, Verb, outbox};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::build;
use crate::gateway::serve::{self, Answered, Cut};
use crate::live::LiveError;

/// From 1 ms, what an idle operator reaches, to ten minutes, what an outage leaves.
const LATENESS: [f64; 16] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0];

const DURATION: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct FirstCall {
    action: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Request {
    operation: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Operation {
    operation: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Ended {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Queue {
    queue: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Write {
    object: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Watch {
    resource: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Windows {
    phase: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Why {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StepIn {
    task: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Step {
    direction: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct HttpRequest {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Notification {
    action: &'static str,
    outcome: &'static str,
}

/// What waits inside of this process, by what it waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueDepths {
    /// Jobs to be decided.
    pub decisions: usize,
    /// Objects whose status or finalizer may have to be written.
    pub status: usize,
    /// Events to be sent.
    pub events: usize,
    /// Reads of jobs that an account's limits, or an answer, have not let go yet.
    pub reads: usize,
}

/// Everything that is measured.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    lateness: Family<FirstCall, Histogram, fn() -> Histogram>,
    deadlines: Gauge,
    queues: Family<Queue, Gauge>,
    live_requests: Family<Request, Counter>,
    live_seconds: Family<Operation, Histogram, fn() -> Histogram>,
    windows: Family<Windows, Gauge>,
    unready: Family<Why, Gauge>,
    failed_starts: Family<Why, Counter>,
    registrations: Family<Why, Gauge>,
    step_ins: Family<StepIn, Counter>,
    overdue: Gauge<f64, AtomicU64>,
    uncovered: Gauge,
    channel_lists: Family<Ended, Counter>,
    writes: Family<Write, Counter>,
    watch_failures: Family<Watch, Counter>,
    undecodable: Counter,
    leading: Gauge,
    store_went_back: Counter,
    claimed_elsewhere: Counter,
    served_elsewhere: Gauge,
    stops_given_up: Counter,
    clock_steps: Family<Step, Counter>,
    clock_offset: Gauge<f64, AtomicU64>,
    events_dropped: Counter,
    notifications: Family<Notification, Counter>,
    notifications_lost: Family<Notification, Counter>,
    notifications_waiting: Gauge,
    notifications_outbox: Gauge,
    http_requests: Family<HttpRequest, Counter>,
    http_refused: Family<Why, Counter>,
    http_cut: Family<Why, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// A registry of its own, everything at zero.
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("jobstartstop"),
            lateness: Family::new_with_constructor(|| Histogram::new(LATENESS)),
            deadlines: Gauge::default(),
            queues: Family::default(),
            live_requests: Family::default(),
            live_seconds: Family::new_with_constructor(|| Histogram::new(DURATION)),
            windows: Family::default(),
            unready: Family::default(),
            failed_starts: Family::default(),
            registrations: Family::default(),
            step_ins: Family::default(),
            overdue: Gauge::default(),
            uncovered: Gauge::default(),
            channel_lists: Family::default(),
            writes: Family::default(),
            watch_failures: Family::default(),
            undecodable: Counter::default(),
            leading: Gauge::default(),
            store_went_back: Counter::default(),
            claimed_elsewhere: Counter::default(),
            served_elsewhere: Gauge::default(),
            stops_given_up: Counter::default(),
            clock_steps: Family::default(),
            clock_offset: Gauge::default(),
            events_dropped: Counter::default(),
            notifications: Family::default(),
            notifications_lost: Family::default(),
            notifications_waiting: Gauge::default(),
            notifications_outbox: Gauge::default(),
            http_requests: Family::default(),
            http_refused: Family::default(),
            http_cut: Family::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let build = Info::new([("version", build::VERSION), ("revision", build::REVISION)]);
        self.registry.register("build", "The running build", build);
        self.registry.register_with_unit(
            "action_lateness",
            "From the planned time to the first call of a start (activate) or a stop (deactivate)",
            Unit::Seconds,
            self.lateness.clone(),
        );
        self.registry.register(
            "live_requests",
            "Requests to the Live API by operation and outcome",
            self.live_requests.clone(),
        );
        self.registry.register_with_unit(
            "live_request_duration",
            "How long requests to the Live API took",
            Unit::Seconds,
            self.live_seconds.clone(),
        );
        self.registry.register("windows", "JobStartStops by phase", self.windows.clone());
        self.registry.register("unready_windows", "JobStartStops that are not Ready, by reason", self.unready.clone());
        self.registry.register(
            "failed_starts",
            "Starts that failed for good or were missed, by reason",
            self.failed_starts.clone(),
        );
        self.registry.register_with_unit(
            "billed_past_stop",
            "How long stops that are due and not confirmed are overdue, added up; above 0 a channel may be on and \
             billed",
            Unit::Seconds,
            self.overdue.clone(),
        );
        self.registry.register(
            "apiserver_writes",
            "Writes to the apiserver by object and outcome",
            self.writes.clone(),
        );
        self.registry.register(
            "watch_failures",
            "Watches that failed and were started again",
            self.watch_failures.clone(),
        );
        self.registry.register(
            "undecodable_objects",
            "Stored objects that could not be used when they were seen",
            self.undecodable.clone(),
        );
        self.registry.register(
            "leading",
            "1 while this process leads: it alone calls and writes",
            self.leading.clone(),
        );
        self.registry.register(
            "store_went_back",
            "Times that the API server answered with an older state than before, as after a restored backup",
            self.store_went_back.clone(),
        );
        self.registry.register(
            "stops_given_up",
            "Stops of deleted windows that were given up because no API key could be had",
            self.stops_given_up.clone(),
        );
        self.registry.register(
            "clock_steps",
            "Steps of the wall clock by more than a second; a suspended machine counts as forward",
            self.clock_steps.clone(),
        );
        self.registry.register_with_unit(
            "clock_offset",
            "How far this machine's clock is certainly ahead of the Live API's; negative: behind",
            Unit::Seconds,
            self.clock_offset.clone(),
        );
        self.registry.register("events_dropped", "Events that were not sent", self.events_dropped.clone());
        self.register_waiting();
        self.register_delegated();
        self.register_elsewhere();
        self.register_uncovered();
        self.register_notifications();
        self.register_http();
    }

    fn register_waiting(&mut self) {
        self.registry.register(
            "deadlines_pending",
            "Deadlines in the timetable: jobs with something ahead, and keys that wait for their limits",
            self.deadlines.clone(),
        );
        self.registry.register("queue_depth", "What waits inside of this process, by queue", self.queues.clone());
    }

    fn register_delegated(&mut self) {
        self.registry.register(
            "registrations",
            "JobStartStops of the Live API's scheduler that are not settled, by how they stand with it",
            self.registrations.clone(),
        );
        self.registry.register(
            "step_ins",
            "Calls that are made here because the Live API's scheduler did not make them, by task",
            self.step_ins.clone(),
        );
    }

    fn register_elsewhere(&mut self) {
        self.registry.register(
            "starts_claimed_elsewhere",
            "Starts that another installation of the operator has claimed: two serve the same windows",
            self.claimed_elsewhere.clone(),
        );
        self.registry.register(
            "accounts_served_elsewhere",
            "LiveAccounts that another installation of the operator serves, too",
            self.served_elsewhere.clone(),
        );
    }

    fn register_uncovered(&mut self) {
        self.registry.register(
            "uncovered_channels",
            "Channels on air that no window covers, as the last daily list of each key showed them",
            self.uncovered.clone(),
        );
        self.registry.register(
            "channel_lists",
            "Daily lists of all jobs of a key, by outcome",
            self.channel_lists.clone(),
        );
    }

    fn register_notifications(&mut self) {
        self.registry.register(
            "notifications",
            "Attempts to deliver a notification by action and outcome: Delivered, or the reason for the failure",
            self.notifications.clone(),
        );
        self.registry.register(
            "notifications_lost",
            "Notifications that their receivers will not have by action and how they ended: expired, failed, dropped",
            self.notifications_lost.clone(),
        );
        self.registry.register(
            "notifications_waiting",
            "Notifications that are being sent, or wait for their receiver's turn",
            self.notifications_waiting.clone(),
        );
        self.registry.register(
            "notifications_outbox",
            "Notifications that are owed and not delivered yet",
            self.notifications_outbox.clone(),
        );
    }

    fn register_http(&mut self) {
        self.registry.register(
            "http_requests",
            "Requests to the HTTP interface by method, route and status; 0: the connection ended first",
            self.http_requests.clone(),
        );
        self.registry.register(
            "http_refused",
            "Requests that the HTTP interface refused before they were looked at, by the limit that they broke",
            self.http_refused.clone(),
        );
        self.registry.register(
            "http_cut",
            "Connections that the HTTP interface closed without an answer, by why",
            self.http_cut.clone(),
        );
    }

    /// A call that was sent this much later than planned was answered, or given up on. Only the first call of a task
    /// counts: a repeated one is late by what it repeats.
    pub fn lateness(&self, verb: Verb, late: SignedDuration, attempt: u32, error: Option<&LiveError>) {
        if attempt == 1 {
            let call = FirstCall { action: verb.as_str(), outcome: live_outcome(error) };
            self.lateness.get_or_create(&call).observe(late.as_secs_f64().max(0.0));
        }
    }

    /// So many deadlines are in the timetable.
    pub fn deadlines_pending(&self, count: usize) {
        self.deadlines.set(gauged(count));
    }

    /// So much waits.
    pub fn queue_depths(&self, depths: QueueDepths) {
        let QueueDepths { decisions, status, events, reads } = depths;
        for (queue, depth) in [("decisions", decisions), ("status", status), ("events", events), ("reads", reads)] {
            self.queues.get_or_create(&Queue { queue }).set(gauged(depth));
        }
    }

    /// So many accounts are served by another installation, too.
    pub fn accounts_served_elsewhere(&self, count: usize) {
        self.served_elsewhere.set(gauged(count));
    }

    /// So many channels are on air that no window covers.
    pub fn uncovered_channels(&self, count: u32) {
        self.uncovered.set(count.into());
    }

    /// A daily list of all jobs of a key came to its end.
    pub fn channel_list(&self, error: Option<&LiveError>) {
        self.channel_lists.get_or_create(&Ended { outcome: live_outcome(error) }).inc();
    }

    /// A notification was sent, or could not be.
    pub fn notification(&self, action: outbox::Action, posted: &Posted) {
        let outcome = match posted {
            Posted::Accepted { .. } => "Delivered",
            Posted::Refused { .. } => Reason::ReceiverRefused.as_str(),
            Posted::Gone => Reason::ReceiverGone.as_str(),
            Posted::Failed(reason) | Posted::Held(reason) => reason.as_str(),
        };
        self.notifications.get_or_create(&Notification { action: action.as_str(), outcome }).inc();
    }

    /// A notification ended without its receiver having it.
    pub fn notification_lost(&self, action: outbox::Action, state: DeliveryState) {
        let outcome = state.as_str();
        self.notifications_lost.get_or_create(&Notification { action: action.as_str(), outcome }).inc();
    }

    /// So many are with those that send them.
    pub fn notifications_waiting(&self, count: usize) {
        self.notifications_waiting.set(gauged(count));
    }

    /// So many are owed and not delivered yet.
    pub fn notifications_outbox(&self, count: usize) {
        self.notifications_outbox.set(gauged(count));
    }

    /// A request to the Live API was answered, or given up on.
    pub fn live_request(&self, operation: &'static str, error: Option<&LiveError>, took: SignedDuration) {
        self.live_requests.get_or_create(&Request { operation, outcome: live_outcome(error) }).inc();
        self.live_seconds.get_or_create(&Operation { operation }).observe(took.as_secs_f64().max(0.0));
    }

    /// The windows there are, each with how long its stop is overdue.
    pub fn windows(&self, windows: impl Iterator<Item = (Phase, Option<Reason>, Option<SignedDuration>)>) {
        const PHASES: [Phase; 6] =
            [Phase::Pending, Phase::Active, Phase::Finished, Phase::Cancelled, Phase::Failed, Phase::Missed];
        let mut counts = [0_i64; PHASES.len()];
        let mut unready: BTreeMap<Reason, i64> = BTreeMap::new();
        let mut overdue = 0.0;
        for (phase, trouble, late) in windows {
            for (count, of) in counts.iter_mut().zip(PHASES) {
                *count += i64::from(of == phase);
            }
            if let Some(reason) = trouble {
                *unready.entry(reason).or_default() += 1;
            }
            overdue += late.map_or(0.0, |late| late.as_secs_f64());
        }
        for (count, phase) in counts.into_iter().zip(PHASES) {
            self.windows.get_or_create(&Windows { phase: phase.as_str() }).set(count);
        }
        set_by_reason(&self.unready, unready);
        self.overdue.set(overdue);
    }

    /// How each window of the vendor's scheduler that is not settled stands with it.
    pub fn registrations(&self, windows: impl Iterator<Item = Reason>) {
        let mut counts: BTreeMap<Reason, i64> = BTreeMap::new();
        for reason in windows {
            *counts.entry(reason).or_default() += 1;
        }
        set_by_reason(&self.registrations, counts);
    }

    /// A write to the apiserver was answered: `Err` holds the HTTP status, if there was one.
    pub fn apiserver_write(&self, object: &'static str, answer: Result<(), Option<u16>>) {
        self.writes.get_or_create(&Write { object, outcome: write_outcome(answer) }).inc();
    }

    /// A watch failed and is being started again.
    pub fn watch_failed(&self, resource: &'static str) {
        self.watch_failures.get_or_create(&Watch { resource }).inc();
    }

    /// A stored object could not be used.
    pub fn undecodable(&self) {
        self.undecodable.inc();
    }

    /// This process leads, or no longer does.
    pub fn leading(&self, leads: bool) {
        self.leading.set(i64::from(leads));
    }

    /// A start is another installation's.
    pub fn claimed_elsewhere(&self) {
        self.claimed_elsewhere.inc();
    }

    /// What the apiserver has stored was replaced by an older state.
    pub fn store_went_back(&self) {
        self.store_went_back.inc();
    }

    /// A start failed for good, or was missed.
    pub fn start_failed(&self, reason: Reason) {
        self.failed_starts.get_or_create(&Why { reason: reason.as_str() }).inc();
    }

    /// The vendor's scheduler did not make a call, and this operator makes it.
    pub fn stepped_in(&self, verb: Verb) {
        let task = match verb {
            Verb::Activate => "activation",
            Verb::Deactivate => "deactivation",
        };
        self.step_ins.get_or_create(&StepIn { task }).inc();
    }

    /// The stop of a deleted window was given up: no key could be had.
    pub fn stop_given_up(&self) {
        self.stops_given_up.inc();
    }

    /// The wall clock stepped.
    pub fn clock_stepped(&self, by: SignedDuration) {
        let direction = if by.is_negative() { "back" } else { "forward" };
        self.clock_steps.get_or_create(&Step { direction }).inc();
    }

    /// How far our clock is certainly ahead of the Live API's.
    pub fn clock_offset(&self, ahead: SignedDuration) {
        self.clock_offset.set(ahead.as_secs_f64());
    }

    /// An event was not sent.
    pub fn event_dropped(&self) {
        self.events_dropped.inc();
    }

    /// The text that a scrape reads (`OpenMetrics`).
    ///
    /// # Errors
    ///
    /// A value cannot be formatted.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// A reason that no window has any more is not shown.
fn set_by_reason(family: &Family<Why, Gauge>, counts: BTreeMap<Reason, i64>) {
    family.clear();
    for (reason, count) in counts {
        family.get_or_create(&Why { reason: reason.as_str() }).set(count);
    }
}

fn gauged(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// How a write to the apiserver ended; `Err` holds the HTTP status, if there was one.
pub(super) fn write_outcome(answer: Result<(), Option<u16>>) -> &'static str {
    match answer {
        Ok(()) => "ok",
        Err(Some(409)) => "conflict",
        Err(Some(404)) => "gone",
        Err(Some(_)) => "refused",
        Err(None) => "unanswered",
    }
}

/// How a request to the Live API ended.
pub(super) fn live_outcome(error: Option<&LiveError>) -> &'static str {
    let Some(error) = error else { return "ok" };
    match error {
        LiveError::NotSent { .. } => "not_sent",
        LiveError::TimedOut { .. } => "timed_out",
        LiveError::ConnectionLost { .. } => "connection_lost",
        LiveError::NotTheApi { .. } => "not_the_api",
        LiveError::Unauthorized { .. } => "key_refused",
        LiveError::JobNotFound { .. } => "job_not_found",
        LiveError::WorkflowNotFound { .. } => "workflow_not_found",
        LiveError::NoSuchOperation { .. } => "no_such_operation",
        LiveError::Capacity { .. } => "capacity",
        LiveError::NothingToProcess { .. } => "nothing_to_process",
        LiveError::RateLimited { .. } => "rate_limited",
        LiveError::Refused { .. } => "refused",
        LiveError::ServerError { .. } => "server_error",
    }
}

impl serve::Observer for Metrics {
    fn answered(&self, answered: &Answered<'_>) {
        let Answered { method, route, status, .. } = *answered;
        let request = HttpRequest { method, route: route.to_owned(), status: status.unwrap_or(0) };
        self.http_requests.get_or_create(&request).inc();
    }

    fn refused(&self, refusal: serve::Refusal) {
        self.http_refused.get_or_create(&Why { reason: refusal.name() }).inc();
    }

    fn cut(&self, cut: Cut) {
        self.http_cut.get_or_create(&Why { reason: cut.name() }).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_shows_lateness_windows_and_overdue_stops() {
        let metrics = Metrics::new();
        metrics.lateness(Verb::Activate, SignedDuration::from_millis(4), 1, None);
        metrics.lateness(Verb::Activate, SignedDuration::from_secs(40), 2, None);
        let lost = LiveError::ConnectionLost { reason: "closed".to_owned() };
        metrics.lateness(Verb::Deactivate, SignedDuration::from_millis(4), 1, Some(&lost));
        let overdue = SignedDuration::from_millis(1_500);
        let refused = Some(Reason::KeyRefused);
        metrics.windows([(Phase::Active, None, Some(overdue)), (Phase::Pending, refused, None)].into_iter());
        let text = metrics.encode().unwrap();
        for line in [
            "jobstartstop_action_lateness_seconds_count{action=\"activate\",outcome=\"ok\"} 1",
            "jobstartstop_action_lateness_seconds_count{action=\"deactivate\",outcome=\"connection_lost\"} 1",
            "jobstartstop_windows{phase=\"Active\"} 1",
            "jobstartstop_windows{phase=\"Missed\"} 0",
            "jobstartstop_billed_past_stop_seconds 1.5",
        ] {
            assert!(text.lines().any(|have| have == line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn a_scrape_shows_what_waits_and_what_is_not_covered() {
        let metrics = Metrics::new();
        metrics.deadlines_pending(7);
        metrics.queue_depths(QueueDepths { decisions: 1, status: 2, events: 3, reads: 4 });
        metrics.uncovered_channels(5);
        metrics.accounts_served_elsewhere(8);
        metrics.channel_list(None);
        metrics.notifications_outbox(6);
        let text = metrics.encode().unwrap();
        let build =
            format!("jobstartstop_build_info{{version=\"{}\",revision=\"{}\"}} 1", build::VERSION, build::REVISION);
        for line in [
            "jobstartstop_deadlines_pending 7",
            "jobstartstop_queue_depth{queue=\"decisions\"} 1",
            "jobstartstop_queue_depth{queue=\"status\"} 2",
            "jobstartstop_queue_depth{queue=\"events\"} 3",
            "jobstartstop_queue_depth{queue=\"reads\"} 4",
            "jobstartstop_uncovered_channels 5",
            "jobstartstop_accounts_served_elsewhere 8",
            "jobstartstop_channel_lists_total{outcome=\"ok\"} 1",
            "jobstartstop_notifications_outbox 6",
            &build,
        ] {
            assert!(text.lines().any(|have| have == line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn a_scrape_shows_how_windows_stand_with_the_vendors_scheduler_and_what_it_left_undone() {
        let metrics = Metrics::new();
        metrics.registrations([Reason::SchedulerUnavailable, Reason::Registered].into_iter());
        metrics.registrations([Reason::Registered, Reason::WaitingForQuota, Reason::Registered].into_iter());
        for verb in [Verb::Activate, Verb::Deactivate, Verb::Deactivate] {
            metrics.stepped_in(verb);
        }
        let text = metrics.encode().unwrap();
        for line in [
            "jobstartstop_registrations{reason=\"Registered\"} 2",
            "jobstartstop_registrations{reason=\"WaitingForQuota\"} 1",
            "jobstartstop_step_ins_total{task=\"activation\"} 1",
            "jobstartstop_step_ins_total{task=\"deactivation\"} 2",
        ] {
            assert!(text.lines().any(|have| have == line), "{line} is missing in\n{text}");
        }
        assert!(!text.contains("SchedulerUnavailable"), "nobody stands so any more:\n{text}");
    }
}
