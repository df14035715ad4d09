//! Requests to the Live API, and what their answers mean to a plan. The one place from which calls leave.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use plan::admit::Heard;
use plan::{AccountName, JobKey, LookError, Outcome, Reading, Reason, Seen, Verb};

use crate::live::{Job, JobId, LiveError, Pages};
use crate::observe::spans;

use super::index::{LiveRequest, Order};
use super::journal::Line;
use super::shared::Shared;
use super::step::{self, Step};
use super::uncovered;
use super::workflow_calls;

/// Sends one request, and hands its answer to the index. The answer is recorded whatever happens to the lane that
/// asked for it: a call that has left is never forgotten.
pub(super) async fn carry_out(shared: Arc<Shared>, order: Order) {
    match &order.request {
        LiveRequest::Look { job, id, for_call } => look(&shared, &order, job, id, *for_call).await,
        LiveRequest::List { jobs } => list(&shared, &order, jobs).await,
        LiveRequest::DailyList => uncovered::list(&shared, &order).await,
        LiveRequest::Workflow(errand) => workflow_calls::carry_out(&shared, &order, errand).await,
        LiveRequest::Call { verb, job, .. } if hesitated(&shared, &order, step::OfCall::of(*verb).checked) => {
            shared.call_ended();
            not_sent(&shared, &order, *verb, job);
        }
        LiveRequest::Call { verb, job, id, planned, attempt } => {
            let late = order.sent_at.duration_since(*planned);
            call(&shared, &order, *verb, job, id, late, *attempt).await;
        }
    }
}

async fn look(shared: &Shared, order: &Order, key: &JobKey, id: &JobId, for_call: bool) {
    let asked_at = shared.clock.now();
    let span = spans::live_request("read", order.client.endpoint(), Some(id));
    let answer = if for_call { order.client.read_for_call(id).await } else { order.client.read(id).await };
    let at = shared.clock.now();
    spans::live_answer(span, answer.as_ref().err());
    shared.metrics.live_request("read", answer.as_ref().err(), at.duration_since(asked_at));
    match answer {
        Ok(answer) => {
            told(shared, order, asked_at, at, answer.date);
            let seen = seen(answer.value, asked_at, at);
            tracing::debug!(job = %key, reading = %seen.reading, "job read");
            shared.index().look_answered(&order.origin, key, seen);
        }
        Err(error) => {
            let (error, heard) = (look_error(&error), heard(&error));
            tracing::info!(job = %key, reason = %error.reason, message = %error.message, "job not read");
            shared.index().look_failed(&order.origin, key, (asked_at, at), error, heard);
        }
    }
    shared.answered([key.clone()], &order.origin.load);
}

/// So many jobs are decided at a time after a page: others get a turn between.
const AT_A_TIME: usize = 64;

/// Reads the list to its end. Each page answers for its jobs at once; those that none showed are told of at the end.
async fn list(shared: &Shared, order: &Order, jobs: &BTreeMap<JobKey, AccountName>) {
    let begun = shared.clock.now();
    let mut unseen = jobs.clone();
    let answer = pages_answered(shared, order, &mut unseen).await;
    let at = shared.clock.now();
    match answer {
        Ok(pages) => {
            tracing::debug!(asked = jobs.len(), unseen = unseen.len(), pages, "jobs listed");
            shared.index().list_answered(&order.origin, &unseen, pages, (begun, at));
        }
        Err(error) => {
            let (error, heard) = (look_error(&error), heard(&error));
            tracing::info!(asked = jobs.len(), reason = %error.reason, message = %error.message, "jobs not listed");
            shared.index().list_failed(&order.origin, &unseen, (begun, at), &error, heard);
        }
    }
    shared.answered(unseen.into_keys(), &order.origin.load);
}

/// Takes what the pages show out of `unseen`. Returns how many pages there were.
async fn pages_answered(
    shared: &Shared,
    order: &Order,
    unseen: &mut BTreeMap<JobKey, AccountName>,
) -> Result<usize, LiveError> {
    let mut count = 0;
    let endpoint = order.client.endpoint().origin();
    let mut pages = order.client.pages(true);
    while let Some((page, (asked_at, at))) = page(shared, order, &mut pages).await {
        let page = page?;
        count += 1;
        let shown = page.into_iter().filter_map(|job| {
            let key = JobKey { endpoint: Arc::clone(&endpoint), job: job.id.as_str().into() };
            let account = unseen.remove(&key)?;
            Some((key, account, seen(job, asked_at, at)))
        });
        let shown: Vec<(JobKey, AccountName, Seen)> = shown.collect();
        let keys: Vec<JobKey> = shown.iter().map(|(key, ..)| key.clone()).collect();
        shared.index().page_answered(&order.origin, shown);
        for some in keys.chunks(AT_A_TIME) {
            shared.answered(some.iter().cloned(), &order.origin.load);
            tokio::task::yield_now().await;
        }
    }
    Ok(count)
}

/// The jobs of the next page of a list, and from when to when it was asked for; `None` after the last.
pub(super) async fn page(
    shared: &Shared,
    order: &Order,
    pages: &mut Pages<'_>,
) -> Option<(Result<Vec<Job>, LiveError>, (Timestamp, Timestamp))> {
    if pages.is_over() {
        return None;
    }
    // There may be a hundred pages, each of a thousand jobs, and a call that is due waits for those reads.
    shared.give_way_to_rereads().await;
    let asked_at = shared.clock.now();
    let span = spans::live_request("list", order.client.endpoint(), None);
    let page = pages.next().await?;
    let at = shared.clock.now();
    spans::live_answer(span, page.as_ref().err());
    shared.metrics.live_request("list", page.as_ref().err(), at.duration_since(asked_at));
    let page = page.map(|page| {
        told(shared, order, asked_at, at, page.date);
        page.value
    });
    Some((page, (asked_at, at)))
}

/// From a decision to its call it is less than a millisecond. Longer, and the process was suspended between the two: the
/// lease may be another's by now, and its call made.
///
/// What remains is a suspension after this check and before the bytes are on their way. Nothing that the vendor offers
/// closes that.
const HESITATION: SignedDuration = SignedDuration::from_secs(1);

pub(super) fn hesitated(shared: &Shared, order: &Order, checked: Step) -> bool {
    shared.steps.reached(checked);
    shared.clock.now().duration_since(order.sent_at) > HESITATION || !shared.lease_holds()
}

fn not_sent(shared: &Shared, order: &Order, verb: Verb, key: &JobKey) {
    let reason = Reason::Overslept;
    tracing::warn!(job = %key, verb = verb.as_str(), %reason, "nothing was sent");
    let outcome = Outcome::Refused { reason, message: reason.meaning().to_owned(), for_good: false };
    shared.index().call_answered(&order.origin, key, shared.clock.now(), outcome, Heard::Nothing);
    shared.answered([key.clone()], &order.origin.load);
}

async fn call(
    shared: &Shared,
    order: &Order,
    verb: Verb,
    key: &JobKey,
    id: &JobId,
    late: SignedDuration,
    attempt: u32,
) {
    let steps = step::OfCall::of(verb);
    let span = spans::live_call(verb.as_str(), order.client.endpoint(), id, late, attempt);
    let mut asked = pin!(async {
        match verb {
            Verb::Activate => order.client.activate(id).await,
            Verb::Deactivate => order.client.deactivate(id).await,
        }
    });
    // From here on the call may have left. A process that dies before S6 or P5 is written leaves a claim whose time has
    // passed, or a stop that was due: both are read before they are made again.
    let first = poll_once(asked.as_mut()).await;
    shared.steps.reached(steps.sent);
    let (job, account) = (key.clone(), order.origin.account.clone());
    shared.journal.note(Line::Sent { job, account, verb, at: order.sent_at });
    let answer = match first {
        Some(answer) => answer,
        None => asked.await,
    };
    let at = shared.clock.now();
    shared.call_ended();
    shared.steps.reached(steps.answered);
    spans::live_answer(span, answer.as_ref().err());
    shared.metrics.live_request(verb.as_str(), answer.as_ref().err(), at.duration_since(order.sent_at));
    shared.metrics.lateness(verb, late, attempt, answer.as_ref().err());
    if let Ok(answer) = &answer {
        told(shared, order, order.sent_at, at, answer.date);
    }
    let (outcome, heard) =
        answer.map_or_else(|error| (outcome(&error), heard(&error)), |_| (Outcome::Accepted, Heard::Answer));
    shared.journal.note(Line::Answered { job: key.clone(), verb, at, outcome: outcome.clone() });
    shared.index().call_answered(&order.origin, key, at, outcome, heard);
    // Nothing is due yet that this leads to; others' calls may be.
    shared.answered_later(key.clone(), &order.origin.load);
}

pub(super) async fn poll_once<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
    std::future::poll_fn(|context| match future.poll_unpin(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Takes in the server's clock, where the answer told it.
pub(super) fn told(shared: &Shared, order: &Order, asked_at: Timestamp, at: Timestamp, date: Option<Timestamp>) {
    if let Some(date) = date {
        shared.clock_told(order.client.endpoint(), asked_at, at, date);
    }
}

/// What a job's answer tells.
fn seen(job: Job, asked_at: Timestamp, at: Timestamp) -> Seen {
    Seen {
        reading: Reading::of(job.state.as_deref(), job.sep_state.as_deref()),
        on_since: on_since(&job),
        vendors_timer_ran_out: vendors_timer_ran_out(&job),
        state: job.state.map(plan::word),
        sep_state: job.sep_state.map(plan::word),
        is_static: job.is_static,
        // Our clock may have been set back while the answer was under way.
        asked_at: asked_at.min(at),
        at,
    }
}

/// When the job last went on, by its history (newest first): the start of the newest run of states that are on.
fn on_since(job: &Job) -> Option<Timestamp> {
    let is_on = |state: &str| Reading::of(Some(state), None) == Reading::On;
    job.state_history
        .iter()
        .skip_while(|change| !is_on(&change.state))
        .take_while(|change| is_on(&change.state))
        .last()
        .map(|change| change.at)
}

/// How long the vendor waits for an encoder unless the job says otherwise (vendor: static entry point guide, live API
/// best practices).
const ENCODER_WAIT_SECONDS: u32 = 1800;

/// Whether the job went off after it had been without an encoder for as long as the vendor waits for one. A person who
/// switches a channel off cannot be told from that timer in any other way.
fn vendors_timer_ran_out(job: &Job) -> bool {
    let is_on = |state: &str| Reading::of(Some(state), None) == Reading::On;
    let Some(last_on) = job.state_history.iter().position(|change| is_on(&change.state)).filter(|at| *at > 0) else {
        return false;
    };
    let (lost, off) = (&job.state_history[last_on], &job.state_history[last_on - 1]);
    let event = job.event_length.filter(|seconds| *seconds > 0).unwrap_or(ENCODER_WAIT_SECONDS);
    let patience = match lost.state.as_str() {
        "waiting" => ENCODER_WAIT_SECONDS.min(event),
        "disconnected" => job.reconnect_time.unwrap_or(ENCODER_WAIT_SECONDS),
        _ => return false,
    };
    // The vendor's own clock on both sides; its timers are not exact.
    off.at.duration_since(lost.at) >= SignedDuration::from_millis(i64::from(patience) * 950)
}

fn look_error(error: &LiveError) -> LookError {
    LookError { reason: reason(error), message: sentence(error) }
}

/// The stable word for what went wrong.
pub(super) fn reason(error: &LiveError) -> Reason {
    match error {
        LiveError::Unauthorized { .. } => Reason::KeyRefused,
        LiveError::JobNotFound { .. } => Reason::JobNotFound,
        LiveError::NotSent { .. } | LiveError::TimedOut { .. } | LiveError::ConnectionLost { .. } => {
            Reason::LiveAPIUnreachable
        }
        LiveError::Capacity { .. } => Reason::WaitingForCapacity,
        _ => Reason::LiveAPIError,
    }
}

/// What an error tells of the Live API as a whole.
pub(super) fn heard(error: &LiveError) -> Heard {
    let retry_after = error.retry_after().and_then(|wait| SignedDuration::try_from(wait).ok());
    match error {
        LiveError::RateLimited { .. } => Heard::TooMany { retry_after },
        LiveError::NotSent { .. }
        | LiveError::TimedOut { .. }
        | LiveError::ConnectionLost { .. }
        | LiveError::NotTheApi { .. }
        | LiveError::ServerError { .. } => Heard::Outage { retry_after },
        LiveError::Unauthorized { .. }
        | LiveError::JobNotFound { .. }
        | LiveError::WorkflowNotFound { .. }
        | LiveError::NoSuchOperation { .. }
        | LiveError::Capacity { .. }
        | LiveError::NothingToProcess { .. }
        | LiveError::Refused { .. } => Heard::Answer,
    }
}

/// What became of a call that was not taken.
fn outcome(error: &LiveError) -> Outcome {
    if error.unanswered() {
        return Outcome::Unanswered(error.to_string());
    }
    let (reason, for_good) = match error {
        // The API understood the call and will not carry it out, now or later (400 and the like).
        LiveError::Refused { .. } => (Reason::CallRefused, true),
        // A channel that is off already, or more than the API takes at once: not for good.
        LiveError::NothingToProcess { .. } | LiveError::RateLimited { .. } => (Reason::CallRefused, false),
        _ => (reason(error), false),
    };
    Outcome::Refused { reason, message: sentence(error), for_good }
}

/// An error as a status shows it: with a capital.
pub(super) fn sentence(error: &LiveError) -> String {
    let text = error.to_string();
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::StateChange;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn job(history: &[(&str, i64)]) -> Job {
        Job {
            id: "a".into(),
            state: Some("standby".into()),
            sep_state: Some("waiting".into()),
            is_static: Some(true),
            reconnect_time: None,
            event_length: None,
            state_history: history
                .iter()
                .map(|(state, second)| StateChange { state: (*state).into(), at: at(*second) })
                .collect(),
            history_truncated: false,
        }
    }

    #[test]
    fn the_history_tells_when_the_job_last_went_on() {
        let on_off_on =
            job(&[("processing", 50), ("waiting", 40), ("standby", 30), ("processing", 20), ("waiting", 10)]);
        assert_eq!(on_since(&on_off_on), Some(at(40)));
        let off_again = job(&[("standby", 60), ("disconnected", 50), ("waiting", 40), ("standby", 0)]);
        assert_eq!(on_since(&off_again), Some(at(40)));
        assert_eq!(on_since(&job(&[("standby", 0)])), None);
        assert_eq!(on_since(&job(&[])), None);
    }

    #[test]
    fn a_vendors_timer_that_ran_out_is_told_from_a_hand_at_the_switch() {
        let (off, waiting, lost, on) = ("standby", "waiting", "disconnected", "processing");
        for (history, ran_out) in [
            (&[(off, 1840), (waiting, 40)][..], true),
            (&[(off, 1840), ("finishing", 1839), (waiting, 40)], true),
            (&[(off, 100), (waiting, 40)], false),
            (&[(off, 9000), (on, 50), (waiting, 40)], false),
            (&[(off, 2000), (lost, 100), (on, 50)], true),
            (&[(off, 200), (lost, 100), (on, 50)], false),
            (&[(waiting, 40), (off, 0)], false),
            (&[(off, 0)], false),
            (&[], false),
        ] {
            assert_eq!(vendors_timer_ran_out(&job(history)), ran_out, "{history:?}");
        }
        let mut short = job(&[(off, 140), (lost, 100), (on, 50)]);
        short.reconnect_time = Some(40);
        assert!(vendors_timer_ran_out(&short), "the job's own reconnect_time");
        let mut short = job(&[(off, 140), (waiting, 80)]);
        short.event_length = Some(60);
        assert!(vendors_timer_ran_out(&short), "a short event ends the wait");
    }

    #[test]
    fn what_an_error_tells_of_the_api_as_a_whole() {
        let wait = std::time::Duration::from_secs(7);
        let retry_after = Some(SignedDuration::from_secs(7));
        let limited = LiveError::RateLimited { retry_after: Some(wait), message: "slow down".into() };
        assert_eq!(heard(&limited), Heard::TooMany { retry_after });
        let failed = LiveError::ServerError { status: 503, message: "down".into(), retry_after: Some(wait) };
        assert_eq!(heard(&failed), Heard::Outage { retry_after });
        let silent = LiveError::TimedOut { after: wait };
        assert_eq!(heard(&silent), Heard::Outage { retry_after: None });
        // A 500 in the API's own words is an answer.
        let unknown = LiveError::JobNotFound { status: 500, message: "DB getItem, no results found".into() };
        assert_eq!(heard(&unknown), Heard::Answer);
    }

    #[test]
    fn what_may_have_been_carried_out_is_never_called_refused() {
        let lost = LiveError::ConnectionLost { reason: "closed".into() };
        assert!(matches!(outcome(&lost), Outcome::Unanswered(_)));
        let refused = LiveError::Refused { status: 400, message: "Invalid input value".into() };
        assert!(matches!(outcome(&refused), Outcome::Refused { reason: Reason::CallRefused, for_good: true, .. }));
        let not_sent = LiveError::NotSent { reason: "connection refused".into() };
        assert!(matches!(
            outcome(&not_sent),
            Outcome::Refused { reason: Reason::LiveAPIUnreachable, for_good: false, .. }
        ));
    }
}
