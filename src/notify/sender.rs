use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, timeout};
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt};
use tracing::field::{Empty, display};

use crate::TRACES;

use super::guard::Guard;
use super::outcome::{NotAllowed, Outcome, Unanswered};
use super::post::{NotPutTogether, Post};
use super::resolver::Resolver;
use super::wire::{NotAnswered, Wire, WireUnavailable, network};
use crate::tls_roots::TlsRoots;

/// How long an attempt may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendTimeouts {
    /// From the name to the connection, with TLS.
    pub connect: Duration,
    /// In all, up to the head of the answer.
    pub whole: Duration,
}

impl Default for SendTimeouts {
    /// 5 s and 20 s (Standard Webhooks: 15 to 30 s).
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), whole: Duration::from_secs(20) }
    }
}

/// Makes single attempts. Cheap to clone.
#[derive(Clone)]
pub struct Sender {
    wire: Wire,
    whole: Duration,
}

impl Sender {
    /// Over the network, to addresses that `guard` lets pass and `resolver` tells, where `roots` vouch for them. Proxies
    /// of the environment are not used.
    pub fn over_http(
        guard: Guard,
        resolver: Arc<dyn Resolver>,
        roots: &TlsRoots,
        timeouts: SendTimeouts,
    ) -> Result<Self, WireUnavailable> {
        Ok(Self { wire: network(guard, resolver, roots, timeouts.connect)?, whole: timeouts.whole })
    }

    /// Over any service, such as a simulated receiver. The guard is the network's: none stands before it.
    pub fn new<S>(service: S, timeouts: SendTimeouts) -> Self
    where
        S: Service<Request<Bytes>, Response = Response<()>, Error = NotAnswered> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        Self { wire: BoxCloneSyncService::new(service), whole: timeouts.whole }
    }

    /// Makes one attempt, at the time `at`, which the notification bears.
    pub async fn send(&self, post: &Post, at: Timestamp) -> Outcome {
        let begun = Instant::now();
        let span = tracing::trace_span!(
            target: TRACES,
            "notification",
            otel.kind = "client",
            id = post.id,
            receiver = %post.url,
            outcome = Empty,
        );
        let outcome = self.attempt(post, at, begun).await;
        span.record("outcome", display(&outcome));
        drop(span);
        let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(id = post.id, receiver = %post.url, %outcome, millis, "a notification was tried");
        outcome
    }

    async fn attempt(&self, post: &Post, at: Timestamp, begun: Instant) -> Outcome {
        if !post.allow_http && !post.url.is_https() {
            return Outcome::NotAllowed(NotAllowed::PlainHttp);
        }
        let request = match post.request(at) {
            Ok(request) => request,
            Err(NotPutTogether) => return Outcome::Unanswered(Unanswered::NotPutTogether),
        };
        match timeout(self.whole, self.wire.clone().oneshot(request)).await {
            Err(_) => Outcome::Unanswered(Unanswered::TimedOut),
            Ok(Err(NotAnswered::Refused(refused))) => Outcome::NotAllowed(NotAllowed::Address(refused)),
            Ok(Err(NotAnswered::Unanswered(why))) => Outcome::Unanswered(why),
            Ok(Ok(answer)) => outcome_of(&answer, later(at, begun.elapsed())),
        }
    }
}

fn outcome_of(answer: &Response<()>, now: Timestamp) -> Outcome {
    let retry_after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    Outcome::of_answer(answer.status().as_u16(), retry_after, now)
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_add(by).ok()).unwrap_or(at)
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("whole", &self.whole).finish_non_exhaustive()
    }
}
