use std::error::Error;
use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt, service_fn};

use super::timeouts::Timeouts;
use crate::tls_roots::TlsRoots;

/// What carries a request to a Live API: the network ([`Transport::over_http`]), or a simulator in the same process
/// ([`Transport::new`]). Cheap to clone; clones share their connections.
///
/// A transport sends each request once, follows no redirect and returns whole answers of any status.
#[derive(Clone)]
pub struct Transport(BoxCloneSyncService<Request<Bytes>, Response<Bytes>, TransportError>);

/// Which connections a request goes over, as a request extension; without it, [`Lane::Reads`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lane {
    /// Reads and lists.
    #[default]
    Reads,
    /// `activate`, `deactivate`, and the read right before them, which leaves behind a connection known to be alive.
    Calls,
    /// A connection of its own, which is opened for the request and closed after it: for changes to workflows. No read
    /// stands before them to show that an idle connection is alive; what a handshake takes is nothing to them, and a
    /// lost answer costs much.
    Fresh,
}

/// How many bytes of body an answer may have, as a request extension; without it, [`AnswerLimit::DEFAULT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerLimit(pub usize);

impl AnswerLimit {
    /// Enough for any one job: 1 MiB.
    pub const DEFAULT: Self = Self(1024 * 1024);
    /// Enough for a list page: 16 MiB, that is 16 KiB for each of 1,000 jobs.
    pub const LIST: Self = Self(16 * 1024 * 1024);
}

impl Default for AnswerLimit {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// It failed before any of the request was written (name resolution, connecting, a proxy's CONNECT, TLS): the
    /// server certainly did not carry it out.
    #[error("not sent: {0}")]
    NotSent(String),
    /// Anything later, or not known: the server may have carried it out.
    #[error("connection lost: {0}")]
    Lost(String),
}

/// The network cannot be used at all: no TLS provider, or a proxy setting that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no HTTP client can be made: {reason}")]
pub struct TransportUnavailable {
    reason: String,
}

impl Transport {
    /// A transport over any service, such as a simulator's.
    pub fn new<S>(service: S) -> Self
    where
        S: Service<Request<Bytes>, Response = Response<Bytes>, Error = TransportError> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        Self(BoxCloneSyncService::new(service))
    }

    /// A transport over the network: HTTP/1.1, rustls with the process's default provider and these root certificates, a
    /// proxy where `HTTPS_PROXY` and its kin name one.
    ///
    /// Connections are driven by the tokio runtime that opened them, so a transport belongs to one runtime.
    pub fn over_http(timeouts: &Timeouts, roots: &TlsRoots) -> Result<Self, TransportUnavailable> {
        Self::over_http_with(timeouts, roots, |builder| builder)
    }

    pub(super) fn over_http_with(
        timeouts: &Timeouts,
        roots: &TlsRoots,
        adjust: impl Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Result<Self, TransportUnavailable> {
        let client = |keep: fn(reqwest::ClientBuilder, &Timeouts) -> reqwest::ClientBuilder| {
            let client = roots.client(adjust(keep(http_client(timeouts.connect), timeouts)));
            client.map_err(|error| TransportUnavailable { reason: chain(&error) })
        };
        let pools = Pools {
            reads: client(|builder, timeouts| builder.pool_idle_timeout(timeouts.idle_reads))?,
            calls: client(|builder, timeouts| builder.pool_idle_timeout(timeouts.idle_calls))?,
            fresh: client(|builder, _| builder.pool_max_idle_per_host(0))?,
        };
        Ok(Self::new(service_fn(move |request| pools.clone().exchange(request))))
    }

    pub(super) async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        self.0.clone().oneshot(request).await
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport")
    }
}

/// A client for each lane, because how long idle connections are kept belongs to the client: for calls not long, and
/// not at all for what needs a fresh one.
#[derive(Clone)]
struct Pools {
    reads: reqwest::Client,
    calls: reqwest::Client,
    fresh: reqwest::Client,
}

impl Pools {
    async fn exchange(self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let client = match request.extensions().get().copied().unwrap_or_default() {
            Lane::Reads => self.reads,
            Lane::Calls => self.calls,
            Lane::Fresh => self.fresh,
        };
        let limit = request.extensions().get().copied().unwrap_or_default();
        let request = reqwest::Request::try_from(request).map_err(not_sent)?;
        let answer = client.execute(request).await.map_err(classify)?;
        collect(answer, limit).await
    }
}

fn http_client(connect: Duration) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("jobstartstop/", env!("CARGO_PKG_VERSION")))
        // One request on one connection at a time, so that the connection a read has warmed is the call's alone.
        .http1_only()
        // A 307 would repeat the request, key included, at whatever host it names.
        .redirect(reqwest::redirect::Policy::none())
        // One retry remains that no setting reaches: hyper-util moves a request to another connection when the pooled
        // one turns out closed before any of the request was written. It still leaves once at most.
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(connect)
}

/// Tells what was certainly not written from the rest.
///
/// reqwest 0.13 reports everything up to the answer's headers as one kind, "request". What tells the stages apart is
/// hyper-util's error below it: `Connect` covers the whole connector (name resolution, TCP, CONNECT, TLS, and the
/// connect timeout), which ends before a connection is handed a request; `is_connect` looks for it. `Canceled` (not
/// written either, the connection closed first) cannot be told from `SendRequest` from outside, so both are lost.
/// "Builder" errors come from checking the request, before anything else.
fn classify(error: reqwest::Error) -> TransportError {
    if error.is_connect() || error.is_builder() { not_sent(error) } else { lost(error) }
}

fn not_sent(error: reqwest::Error) -> TransportError {
    TransportError::NotSent(chain(&error.without_url()))
}

fn lost(error: reqwest::Error) -> TransportError {
    TransportError::Lost(chain(&error.without_url()))
}

/// Reads the answer to its end, or gives up as soon as it is longer than allowed.
async fn collect(mut answer: reqwest::Response, limit: AnswerLimit) -> Result<Response<Bytes>, TransportError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(lost)? {
        if body.len() + chunk.len() > limit.0 {
            return Err(TransportError::Lost(format!("the answer is longer than {} bytes", limit.0)));
        }
        body.extend_from_slice(&chunk);
    }
    let mut whole = Response::new(body.freeze());
    *whole.status_mut() = answer.status();
    *whole.headers_mut() = std::mem::take(answer.headers_mut());
    Ok(whole)
}

/// What caused an error, in one line. The outer layers of reqwest and hyper-util name themselves and not what went
/// wrong: they are left out where there is more to tell.
fn chain(error: &(dyn Error + 'static)) -> String {
    let layers = std::iter::successors(Some(error), |error: &&dyn Error| (*error).source()).map(ToString::to_string);
    let mut texts: Vec<String> = layers.collect();
    let of_client = |text: &String| text.starts_with("error sending request") || text.starts_with("client error (");
    let told = texts.iter().position(|text| !of_client(text)).unwrap_or(0);
    texts.drain(..told);
    // Some layers repeat the one below.
    let repeats = |text: &String, below: Option<&String>| below.is_some_and(|below| text.ends_with(below.as_str()));
    let kept = (0..texts.len()).filter(|at| !repeats(&texts[*at], texts.get(at + 1)));
    kept.map(|at| texts[at].as_str()).collect::<Vec<_>>().join(": ")
}
