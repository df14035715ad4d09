//! A receiver of notifications that keeps what it got and answers as it is told.

use std::{
    collections::BTreeMap,
    fmt,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use standardwebhooks::Webhook;
use tokio::{net::TcpStream, sync::watch, task::JoinSet};

use crate::error::{Doing as _, Error, Result};

/// A longer body is no notification; its connection is closed.
const LARGEST_BODY: usize = 1024 * 1024;

/// An HTTP server on a free port of 127.0.0.1, on a thread of its own, until it is dropped.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Received {
    /// When its head had been read.
    pub at: Timestamp,
    /// Its method; a notification's is POST.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// All its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// For each of the receiver's secrets, in their order, whether the reference library of Standard Webhooks accepts
    /// the signature by it.
    pub verified: Vec<bool>,
}

impl Received {
    /// A header's text; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Whether there are secrets and each of them verifies it.
    pub fn is_verified(&self) -> bool {
        !self.verified.is_empty() && self.verified.iter().all(|verified| *verified)
    }
}

/// How a receiver answers.
#[derive(Clone, Debug)]
pub enum How {
    /// With this.
    Answer {
        /// The status code.
        code: u16,
        /// Headers, besides those of every answer.
        headers: BTreeMap<String, String>,
        /// The body.
        body: String,
    },
    /// So often with this status code, then with 200.
    FailFirst {
        /// How often.
        times: usize,
        /// The status code.
        code: u16,
    },
    /// Keeps the connection open and says nothing.
    Never,
    /// Closes the connection.
    Close,
}

impl How {
    /// With this status code and nothing else.
    pub fn code(code: u16) -> Self {
        Self::with_headers(code, [])
    }

    /// With a redirect to somewhere else.
    pub fn redirect(code: u16, to: &str) -> Self {
        Self::with_headers(code, [("location", to)])
    }

    /// With a header `Retry-After`, in seconds or as an HTTP date.
    pub fn retry_after(code: u16, value: &str) -> Self {
        Self::with_headers(code, [("retry-after", value)])
    }

    fn with_headers<const N: usize>(code: u16, headers: [(&str, &str); N]) -> Self {
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self::Answer { code, headers: headers.into(), body: String::new() }
    }
}

struct Shared {
    verifiers: Vec<Webhook>,
    how: Mutex<How>,
    received: watch::Sender<Vec<Received>>,
    ended: watch::Sender<bool>,
}

impl Receiver {
    /// Starts one that answers 200. With secrets (`whsec_…`) it verifies what comes.
    pub fn start(secrets: &[&str]) -> Result<Self> {
        let doing = || "starting a receiver".to_owned();
        let verifiers = secrets.iter().map(|secret| verifier(secret)).collect::<Result<_>>()?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).doing(doing)?;
        listener.set_nonblocking(true).doing(doing)?;
        let address = listener.local_addr().doing(doing)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().doing(doing)?;
        let shared = Arc::new(Shared {
            verifiers,
            how: Mutex::new(How::code(200)),
            received: watch::Sender::default(),
            ended: watch::Sender::default(),
        });
        let serving = serve(listener, Arc::clone(&shared));
        let work = move || {
            if let Err(error) = runtime.block_on(serving) {
                eprintln!("a receiver has ended: {error}");
            }
        };
        let thread = thread::Builder::new().name("receiver".to_owned()).spawn(work).doing(doing)?;
        Ok(Self { address, shared, thread: Some(thread) })
    }

    /// Where it listens, with a path.
    pub fn url(&self) -> String {
        format!("http://{}/live/callbacks", self.address)
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What came so far, in order.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.borrow().clone()
    }

    /// From now on it answers so.
    pub fn answer(&self, how: How) {
        *self.shared.how() = how;
    }

    /// Waits until what came so far is enough, and returns it; an error if it is not within `timeout`.
    pub async fn until(&self, mut enough: impl FnMut(&[Received]) -> bool, timeout: Duration) -> Result<Vec<Received>> {
        let mut received = self.shared.received.subscribe();
        let waited = tokio::time::timeout(timeout, received.wait_for(|received| enough(received))).await;
        if let Ok(Ok(received)) = waited {
            return Ok(received.clone());
        }
        let got = self.shared.received.borrow().len();
        Err(Error::Invalid(format!("the receiver got {got} requests in {timeout:?}, and they are not enough")))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.ended.send_replace(true);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("address", &self.address).finish_non_exhaustive()
    }
}

fn verifier(secret: &str) -> Result<Webhook> {
    Webhook::new(secret).map_err(|_| Error::Invalid("a secret of the receiver is not whsec_ and base64".to_owned()))
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let mut ended = shared.ended.subscribe();
    // Dropping the set ends its tasks, and with them the connections.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            _ = ended.wait_for(|ended| *ended) => return Ok(()),
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                connections.spawn(connection(accepted?.0, Arc::clone(&shared)));
            }
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    stream.set_nodelay(true).ok();
    let answer = service_fn(|request: Request<Incoming>| shared.receive(request));
    // A sender that goes away is no error.
    http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await.ok();
}

/// The connection is closed without an answer: hyper does that when a service fails.
#[derive(Debug, thiserror::Error)]
#[error("closed without an answer")]
struct Closed;

impl Shared {
    async fn receive(&self, request: Request<Incoming>) -> std::result::Result<Response<Full<Bytes>>, Closed> {
        let at = Timestamp::now();
        let (head, body) = request.into_parts();
        let body = Limited::new(body, LARGEST_BODY).collect().await.map_err(|_| Closed)?.to_bytes();
        let verified = self.verifiers.iter().map(|by| by.verify(&body, &head.headers).is_ok()).collect();
        let path = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
        let received = Received { at, method: head.method, path, headers: head.headers, body, verified };
        // Before the answer, so that whoever has the answer finds the request.
        let how = self.next_how();
        self.received.send_modify(|all| all.push(received));
        match how {
            How::Answer { code, headers, body } => answer(code, &headers, body),
            // Taken apart by `next_how`.
            How::FailFirst { code, .. } => answer(code, &BTreeMap::new(), String::new()),
            How::Never => std::future::pending().await,
            How::Close => Err(Closed),
        }
    }

    fn next_how(&self) -> How {
        let mut how = self.how();
        if let How::FailFirst { times, .. } = &mut *how {
            match times.checked_sub(1) {
                Some(left) => *times = left,
                None => *how = How::code(200),
            }
        }
        how.clone()
    }

    fn how(&self) -> MutexGuard<'_, How> {
        self.how.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer(
    code: u16,
    headers: &BTreeMap<String, String>,
    body: String,
) -> std::result::Result<Response<Full<Bytes>>, Closed> {
    let code = StatusCode::from_u16(code).map_err(|_| Closed)?;
    let response = headers.iter().fold(Response::builder().status(code), |to, (name, value)| to.header(name, value));
    response.body(Full::from(body)).map_err(|_| Closed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(20);
    const SECRETS: [&str; 2] = ["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"];

    fn client() -> reqwest::Client {
        rustls::crypto::ring::default_provider().install_default().ok();
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
    }

    async fn post(receiver: &Receiver, body: &'static str) -> reqwest::Result<reqwest::Response> {
        client().post(receiver.url()).body(body).send().await
    }

    #[tokio::test]
    async fn it_keeps_what_came_in_order_and_answers_as_it_is_told() {
        let receiver = Receiver::start(&[]).unwrap();
        assert_eq!(post(&receiver, "first").await.unwrap().status(), 200);
        receiver.answer(How::retry_after(429, "30"));
        assert_eq!(post(&receiver, "second").await.unwrap().headers()["retry-after"], "30");
        receiver.answer(How::redirect(302, "http://elsewhere.test/"));
        assert_eq!(post(&receiver, "third").await.unwrap().headers()["location"], "http://elsewhere.test/");
        receiver.answer(How::FailFirst { times: 2, code: 503 });
        for code in [503, 503, 200, 200] {
            assert_eq!(post(&receiver, "more").await.unwrap().status(), code);
        }
        let came = receiver.received();
        assert_eq!(came.len(), 7);
        assert_eq!(came[..3].iter().map(|one| &one.body[..]).collect::<Vec<_>>(), [&b"first"[..], b"second", b"third"]);
        assert!(came.iter().all(|one| one.path == "/live/callbacks" && !one.is_verified()));
        assert!(came.is_sorted_by_key(|one| one.at));
    }

    #[tokio::test]
    async fn it_closes_and_is_silent_when_it_is_told_and_what_came_is_kept() {
        let receiver = Receiver::start(&[]).unwrap();
        receiver.answer(How::Close);
        assert!(post(&receiver, "closed").await.is_err());
        receiver.answer(How::Never);
        let waiting = post(&receiver, "unanswered");
        let both = receiver.until(|received| received.len() == 2, SOON);
        tokio::select! {
            answered = waiting => panic!("{answered:?}"),
            both = both => assert_eq!(both.unwrap()[1].body, "unanswered"),
        }
        assert!(receiver.until(|received| received.len() == 3, Duration::ZERO).await.is_err());
    }

    #[tokio::test]
    async fn it_verifies_by_each_of_its_secrets() {
        let receiver = Receiver::start(&SECRETS).unwrap();
        let now = Timestamp::now().as_second();
        let signature = Webhook::new(SECRETS[1]).unwrap().sign("msg", now, b"{}").unwrap();
        let signed = client()
            .post(receiver.url())
            .header("webhook-id", "msg")
            .header("webhook-timestamp", now)
            .header("webhook-signature", signature)
            .body("{}");
        signed.send().await.unwrap();
        post(&receiver, "{}").await.unwrap();
        let verified: Vec<_> = receiver.received().into_iter().map(|one| one.verified).collect();
        assert_eq!(verified, [[false, true], [false, false]]);
        assert!(Receiver::start(&["no base64!"]).is_err());
    }
}
