//! Traces over OTLP, as protobuf over HTTP. Spans wait in a bounded queue for a thread of their own; what does not fit is
//! dropped, and nothing ever waits for a collector.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, Uri};
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider};
use tokio::runtime::Handle;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;

use crate::tls_roots::TlsRoots;
use crate::{TRACES, build};

use super::logging::Boxed;

/// What collectors add to their address for traces (OTLP specification).
const PATH: &str = "v1/traces";

/// How long an export may take.
const EXPORT: Duration = Duration::from_secs(5);

/// How long the last spans may take at the end.
const LAST_SPANS: Duration = Duration::from_secs(2);

/// Spans that wait; more are dropped.
const WAITING: usize = 2048;

/// Why traces cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// The address makes no sense.
    #[error("it has to be http:// or https:// and a host, such as http://collector:4318")]
    Endpoint,
    /// There is no HTTP client.
    #[error("no HTTP client can be made: {0}")]
    Client(#[from] reqwest::Error),
    /// There is no exporter.
    #[error(transparent)]
    Exporter(#[from] ExporterBuildError),
}

/// Sends spans to a collector.
pub struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// To the collector at `endpoint`, below which `/v1/traces` takes them; over connections of this runtime, which has to
    /// live until they are [flushed](Self::flush). `instance` names this process.
    pub fn over_http(endpoint: &str, roots: &TlsRoots, runtime: Handle, instance: &str) -> Result<Self, TracesError> {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        let client = Client { http: roots.client(http)?, runtime };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(address(endpoint).ok_or(TracesError::Endpoint)?)
            .with_timeout(EXPORT)
            .build()?;
        let waiting = BatchConfigBuilder::default().with_max_queue_size(WAITING).build();
        let process = Resource::builder_empty().with_attributes([
            KeyValue::new("service.name", "jobstartstop"),
            KeyValue::new("service.version", build::VERSION),
            KeyValue::new("service.instance.id", instance.to_owned()),
        ]);
        let provider = SdkTracerProvider::builder()
            .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(waiting).build())
            .with_resource(process.build())
            .build();
        Ok(Self { provider })
    }

    /// Takes up the spans that are for traces, and nothing else.
    pub(super) fn layer(&self) -> Boxed {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("jobstartstop"))
            .with_location(false)
            .with_threads(false)
            .with_level(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(|metadata| metadata.is_span() && metadata.target() == TRACES))
            .boxed()
    }

    /// Sends what is left, for two seconds at most. Not from within the runtime.
    pub fn flush(&self) {
        if let Err(error) = self.provider.shutdown_with_timeout(LAST_SPANS) {
            tracing::debug!(%error, "the last spans were not sent");
        }
    }
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Traces")
    }
}

/// Where traces go, below a collector's address.
fn address(endpoint: &str) -> Option<String> {
    let uri: Uri = endpoint.parse().ok()?;
    let http = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty());
    http.then(|| format!("{}/{PATH}", endpoint.trim_end_matches('/')))
}

/// The exporter has a thread without a runtime; requests need one.
#[derive(Clone, Debug)]
struct Client {
    http: reqwest::Client,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let http = self.http.clone();
        self.runtime.spawn(exchange(http, request)).await?
    }
}

async fn exchange(http: reqwest::Client, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let mut answer = http.execute(reqwest::Request::try_from(request)?).await?;
    let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
    let mut whole = Response::new(answer.bytes().await?);
    *whole.status_mut() = status;
    *whole.headers_mut() = headers;
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::Router;
    use axum::extract::State;
    use axum::routing::post;
    use jiff::SignedDuration;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::trace::v1::Span;
    use prost::Message;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::live::{Endpoint, JobId, LiveError};
    use crate::observe::spans;

    type Received = Arc<Mutex<Vec<Bytes>>>;

    async fn take(State(received): State<Received>, body: Bytes) {
        received.lock().unwrap().push(body);
    }

    /// A collector on a runtime of its own, and what it has received.
    fn collector() -> (tokio::runtime::Runtime, String, Received) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let received = Received::default();
        let router = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&received));
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, router).await });
        (runtime, endpoint, received)
    }

    fn traces(endpoint: &str, runtime: &tokio::runtime::Runtime) -> Traces {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Traces::over_http(endpoint, &TlsRoots::bundled(), runtime.handle().clone(), "test").unwrap()
    }

    /// Does this with spans going there, and sends them.
    fn traced(traces: &Traces, act: impl FnOnce()) {
        let subscriber = tracing_subscriber::registry().with(traces.layer());
        // As in `Captured`: with two dispatchers, tracing asks both whether a span is wanted.
        let second = tracing::Dispatch::new(tracing_subscriber::registry());
        tracing::subscriber::with_default(subscriber, act);
        drop(second);
        traces.flush();
    }

    fn spans_of(received: &Received) -> Vec<Span> {
        let bodies = received.lock().unwrap();
        let requests = bodies.iter().map(|body| ExportTraceServiceRequest::decode(body.clone()).unwrap());
        let scopes = requests.flat_map(|request| request.resource_spans).flat_map(|of| of.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }

    fn attribute(span: &Span, key: &str) -> Option<Value> {
        span.attributes.iter().find(|attribute| attribute.key == key)?.value.clone()?.value
    }

    fn text(text: &str) -> Value {
        Value::StringValue(text.to_owned())
    }

    #[test]
    fn a_collector_receives_the_span_of_an_activate_with_its_outcome_and_lateness() {
        let (runtime, endpoint, received) = collector();
        traced(&traces(&endpoint, &runtime), || {
            let (vendor, job) = (Endpoint::vendor(), JobId::parse("studio").unwrap());
            let late = SignedDuration::from_millis(4);
            spans::live_answer(spans::live_call("activate", &vendor, &job, late, 1), None);
            let lost = LiveError::ConnectionLost { reason: "with a text of the server's".to_owned() };
            spans::live_answer(spans::live_request("read", &vendor, Some(&job)), Some(&lost));
        });
        let spans = spans_of(&received);
        assert_eq!(spans.iter().map(|span| span.name.as_str()).collect::<Vec<_>>(), ["activate", "read"]);
        let [activate, read] = &spans[..] else { panic!("{spans:?}") };
        assert_eq!(attribute(activate, "job"), Some(text("studio")));
        assert_eq!(attribute(activate, "endpoint"), Some(text(&Endpoint::vendor().to_string())));
        assert_eq!(attribute(activate, "outcome"), Some(text("ok")));
        assert_eq!(attribute(activate, "lateness_ms"), Some(Value::DoubleValue(4.0)));
        assert!(activate.end_time_unix_nano >= activate.start_time_unix_nano && activate.start_time_unix_nano > 0);
        assert_eq!(attribute(read, "outcome"), Some(text("connection_lost")));
        assert!(!format!("{read:?}").contains("of the server's"), "outcomes are words of ours");
    }

    #[test]
    fn what_is_logged_within_does_not_go_there() {
        let (runtime, endpoint, received) = collector();
        traced(&traces(&endpoint, &runtime), || {
            let span = spans::live_request("list", &Endpoint::vendor(), None);
            span.in_scope(|| tracing::error!("a line"));
            tracing::info_span!("of somebody else").in_scope(|| tracing::error!("a line"));
        });
        let spans = spans_of(&received);
        assert_eq!(spans.len(), 1, "{spans:?}");
        assert!(spans[0].events.is_empty(), "{spans:?}");
    }

    #[test]
    fn a_collector_that_does_not_answer_holds_nothing_up_for_longer_than_the_last_spans_may_take() {
        let (runtime, _, _) = collector();
        // Connections are taken and never answered.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let silent = traces(&format!("http://{}", listener.local_addr().unwrap()), &runtime);
        let begun = std::time::Instant::now();
        traced(&silent, || drop(spans::live_request("list", &Endpoint::vendor(), None)));
        assert!(begun.elapsed() < LAST_SPANS + Duration::from_secs(1), "{:?}", begun.elapsed());
    }

    #[test]
    fn an_address_is_a_scheme_and_a_host() {
        assert_eq!(address("http://collector:4318").as_deref(), Some("http://collector:4318/v1/traces"));
        assert_eq!(address("https://collector/otlp/").as_deref(), Some("https://collector/otlp/v1/traces"));
        for wrong in ["", "collector:4318", "ftp://collector", "http://", "/v1/traces"] {
            assert_eq!(address(wrong), None, "{wrong}");
        }
    }
}
