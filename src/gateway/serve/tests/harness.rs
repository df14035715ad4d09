//! A server, a client that sends bytes as they are given, and an app.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::gateway::serve::{AccessName, Answered, Cut, Drained, Ground, Limits, Observer, Rate, Refusal, Tls, serve};
use crate::timetable::Clock;

pub(super) const SOON: Duration = Duration::from_millis(100);
pub(super) const NEVER: Duration = Duration::from_hours(1);
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) const ID: &str = "d44cf29f4f184757ac0995beb8a0097e";
pub(super) const KEY: &str = "canary-0123456789abcdef";

/// No time limit that a test would notice.
pub(super) fn patient() -> Limits {
    Limits {
        head: NEVER,
        body: NEVER,
        answer: NEVER,
        taking: NEVER,
        idle: NEVER,
        handshake: NEVER,
        shutdown: NEVER,
        ..Limits::default()
    }
}

pub(super) fn rate(per_second: u32, burst: u32) -> Rate {
    let number = |n| NonZeroU32::new(n).unwrap();
    Rate { per_second: number(per_second), burst: number(burst) }
}

pub(super) async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("not within ten seconds")
}

/// A clock that stands, at 2026-11-25T04:00:00Z.
#[derive(Debug)]
struct Standing;

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        "2026-11-25T04:00:00Z".parse().unwrap()
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn boottime(&self) -> Duration {
        Duration::ZERO
    }
}

/// What the observer was told, a line each.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    pub(super) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn push(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }
}

impl Observer for Seen {
    fn answered(&self, Answered { method, route, status, .. }: &Answered<'_>) {
        self.push(format!("{method} {route} {}", status.map_or("-".to_owned(), |status| status.to_string())));
    }

    fn refused(&self, refusal: Refusal) {
        self.push(refusal.name().to_owned());
    }

    fn cut(&self, cut: Cut) {
        self.push(cut.name().to_owned());
    }
}

/// Lets requests to `/gate` in and out.
#[derive(Debug, Default)]
pub(super) struct Gate {
    pub(super) entered: Notify,
    pub(super) leave: Notify,
}

pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) stop: CancellationToken,
    pub(super) ended: JoinHandle<Drained>,
    pub(super) seen: Seen,
    pub(super) gate: Arc<Gate>,
}

impl Server {
    pub(super) async fn start(limits: Limits) -> Self {
        Self::start_with(limits, None).await
    }

    pub(super) async fn start_with(limits: Limits, tls: Option<Tls>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, gate, stop) = (Seen::default(), Arc::new(Gate::default()), CancellationToken::new());
        let ground = Ground { limits, clock: Arc::new(Standing), observer: Arc::new(seen.clone()) };
        let ended = tokio::spawn(serve(listener, tls, app(Arc::clone(&gate)), ground, stop.clone()));
        Self { address, stop, ended, seen, gate }
    }

    pub(super) async fn connect(&self) -> Client<TcpStream> {
        Client::over(TcpStream::connect(self.address).await.unwrap())
    }

    /// One exchange on a connection of its own.
    pub(super) async fn ask(&self, request: &str) -> Answer {
        self.connect().await.ask(request).await
    }
}

fn app(gate: Arc<Gate>) -> Router {
    Router::new()
        .route("/hello", get(|| async { "hello" }))
        .route("/echo", post(|body: Bytes| async { body }))
        .route("/jobs/{id}", get(job))
        .route("/gate", get(pass_gate))
        .route("/never", get(std::future::pending::<()>))
        .route("/panic", get(fault))
        .route("/large", get(|| async { vec![b'.'; 16 * 1024 * 1024] }))
        .layer(Extension(gate))
}

async fn job(Path(id): Path<String>, headers: HeaderMap) -> Response {
    match headers.get("x-api-key") {
        Some(key) if *key == KEY => {
            let status = if id == ID { StatusCode::OK } else { StatusCode::NOT_FOUND };
            (status, Extension(AccessName("tv/default".to_owned())), "job").into_response()
        }
        _ => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn pass_gate(Extension(gate): Extension<Arc<Gate>>) -> &'static str {
    gate.entered.notify_one();
    gate.leave.notified().await;
    "passed"
}

async fn fault() -> &'static str {
    panic!("this handler always does")
}

pub(super) fn get_of(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
}

pub(super) fn get_with_key(path: &str, key: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nX-API-KEY: {key}\r\n\r\n")
}

pub(super) fn post_of(length: usize, body: &str) -> String {
    format!("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}")
}

pub(super) struct Client<T>(BufReader<T>);

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    /// Whether it is a refusal as all of them are.
    pub(super) fn refuses_with(&self, status: u16) -> bool {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        let is_sentence = body["message"].as_str().is_some_and(|message| message.ends_with('.'));
        self.status == status && is_sentence && self.head.contains("content-type: application/json\r\n")
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Client<T> {
    pub(super) fn over(io: T) -> Self {
        Self(BufReader::new(io))
    }

    pub(super) async fn send(&mut self, text: &str) {
        within(self.0.write_all(text.as_bytes())).await.unwrap();
        within(self.0.flush()).await.unwrap();
    }

    pub(super) async fn ask(&mut self, request: &str) -> Answer {
        self.send(request).await;
        self.answer().await
    }

    pub(super) async fn answer(&mut self) -> Answer {
        let head = self.head().await;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or("0", str::trim);
        let mut body = vec![0; length.parse().unwrap()];
        within(self.0.read_exact(&mut body)).await.unwrap();
        Answer { status: head[9..12].parse().unwrap(), head, body: String::from_utf8(body).unwrap() }
    }

    /// Up to the empty line.
    pub(super) async fn head(&mut self) -> String {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(within(self.0.read_line(&mut head)).await.unwrap(), 0, "closed after {head:?}");
        }
        head
    }

    /// Sends these bytes again and again, one each few milliseconds, until there is an answer or the end.
    pub(super) async fn trickle(&mut self, bytes: &str) {
        let mut ticks = interval(SOON / 10);
        let mut bytes = bytes.bytes().cycle();
        let until_answered = async {
            loop {
                tokio::select! {
                    biased;
                    _ = self.0.fill_buf() => return,
                    _ = ticks.tick() => {
                        let _ = self.0.write_all(&[bytes.next().unwrap()]).await;
                        let _ = self.0.flush().await;
                    }
                }
            }
        };
        within(until_answered).await;
    }

    /// Waits until the server closes, without having sent anything more.
    pub(super) async fn closed(&mut self) {
        let mut rest = Vec::new();
        // A reset is an end, too.
        let _ = within(self.0.read_to_end(&mut rest)).await;
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }
}
