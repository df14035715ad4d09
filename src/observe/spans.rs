//! Spans of what leaves this process. They end when they are dropped, and go into traces only: where none are sent, they
//! cost nothing and are nowhere to be seen.

use jiff::SignedDuration;
use plan::ObjectName;
use tracing::field::Empty;
use tracing::{Span, trace_span};

use crate::TRACES;
use crate::live::{Endpoint, JobId, LiveError, WorkflowId};

use super::metrics;

/// A read of a job, or of a page of jobs.
pub(crate) fn live_request(operation: &'static str, endpoint: &Endpoint, job: Option<&JobId>) -> Span {
    trace_span!(
        target: TRACES,
        "Live API request",
        otel.name = operation,
        otel.kind = "client",
        otel.status_code = Empty,
        endpoint = %endpoint,
        job = job.map(display),
        outcome = Empty,
    )
}

/// A request to the vendor's scheduler; `workflow`: the one that it is about, if that is known.
pub(crate) fn workflow_request(
    operation: &'static str,
    endpoint: &Endpoint,
    job: &JobId,
    workflow: Option<&WorkflowId>,
) -> Span {
    trace_span!(
        target: TRACES,
        "Live API request",
        otel.name = operation,
        otel.kind = "client",
        otel.status_code = Empty,
        endpoint = %endpoint,
        job = %job,
        workflow = workflow.map(display),
        outcome = Empty,
    )
}

/// A call that was due so much earlier than it is sent.
pub(crate) fn live_call(
    verb: &'static str,
    endpoint: &Endpoint,
    job: &JobId,
    late: SignedDuration,
    attempt: u32,
) -> Span {
    trace_span!(
        target: TRACES,
        "Live API request",
        otel.name = verb,
        otel.kind = "client",
        otel.status_code = Empty,
        endpoint = %endpoint,
        job = %job,
        lateness_ms = late.as_secs_f64() * 1_000.0,
        attempt,
        outcome = Empty,
    )
}

/// What came of it.
pub(crate) fn live_answer(span: Span, error: Option<&LiveError>) {
    ended(span, metrics::live_outcome(error), error.is_none());
}

/// A write to the apiserver.
pub(crate) fn apiserver_write(object: &'static str, name: &ObjectName) -> Span {
    trace_span!(
        target: TRACES,
        "API server write",
        otel.name = "write",
        otel.kind = "client",
        otel.status_code = Empty,
        kind = object,
        object = %name,
        outcome = Empty,
    )
}

/// What came of it, as [`super::Metrics::apiserver_write`] has it.
pub(crate) fn write_answer(span: Span, answer: Result<(), Option<u16>>) {
    ended(span, metrics::write_outcome(answer), answer.is_ok());
}

fn ended(span: Span, outcome: &'static str, well: bool) {
    span.record("outcome", outcome);
    if !well {
        span.record("otel.status_code", "ERROR");
    }
    drop(span);
}
