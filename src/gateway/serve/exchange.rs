//! From the head of a request to its answer: what is refused, and what is asked of the app.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use http::request::Parts;
use http::{Extensions, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tower::ServiceExt;

use super::access::{AccessName, Record, Route};
use super::rates::{KeyDigest, Rates};
use super::stage::Stage;
use super::{Limits, Observer, Refusal};

/// What all exchanges have in common.
pub(super) struct Exchanges {
    pub(super) limits: Limits,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) rates: Rates,
    pub(super) app: Router,
    /// One permit for each request that the app may have at once.
    pub(super) places: Semaphore,
}

impl Exchanges {
    /// Answers one request. The line of the access log is written when the answer has been handed over, or dropped.
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        stage: Stage,
    ) -> Response<AnswerBody> {
        let (head, mut body) = request.into_parts();
        let mut record = Record::begin(Arc::clone(&self.observer), peer, &head);
        let key = KeyDigest::of(&head.headers);
        let answer = match self.receive(&head.method, key.as_ref(), &mut body, peer).await {
            Ok(whole) => self.pass_on(head, key, whole, record.route()).await.unwrap_or_else(|refusal| {
                record.refused(refusal);
                refusal.answer(&self.limits)
            }),
            Err(refusal) => {
                record.refused(refusal);
                let mut answer = refusal.answer(&self.limits);
                if !body.is_end_stream() {
                    // What is left of the body would be taken for the next request.
                    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                answer
            }
        };
        record.answered(&answer);
        stage.answered();
        answer.map(|body| AnswerBody { body, record, stage })
    }

    /// The whole body of a request that the app is to answer.
    async fn receive(
        &self,
        method: &Method,
        key: Option<&KeyDigest>,
        body: &mut Incoming,
        peer: SocketAddr,
    ) -> Result<Bytes, Refusal> {
        if method == Method::CONNECT {
            return Err(Refusal::NoProxy);
        }
        self.rates.admit(key, peer.ip()).map_err(|wait| Refusal::RateExceeded { wait })?;
        read(body, &self.limits).await
    }

    async fn pass_on(
        &self,
        mut head: Parts,
        key: Option<KeyDigest>,
        whole: Bytes,
        route: Route,
    ) -> Result<Response<Body>, Refusal> {
        let _place = self.places.try_acquire().map_err(|_| Refusal::Busy)?;
        // What hyper left there would let an answer end HTTP on the connection.
        head.extensions = Extensions::new();
        head.extensions.insert(route);
        let answer = self.ask(Request::from_parts(head, Body::from(whole))).await?;
        self.learn(key, &answer);
        Ok(answer)
    }

    async fn ask(&self, request: Request<Body>) -> Result<Response<Body>, Refusal> {
        let answer = AssertUnwindSafe(self.app.clone().oneshot(request)).catch_unwind();
        match timeout(self.limits.answer, answer).await {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(never))) => match never {},
            // What it panicked with is not told: it may hold what the client sent.
            Ok(Err(_)) => {
                tracing::error!("a request's handler panicked; its line in the access log follows");
                Err(Refusal::Panicked)
            }
            Err(_) => Err(Refusal::AnswerTooSlow),
        }
    }

    fn learn(&self, key: Option<KeyDigest>, answer: &Response<Body>) {
        let Some(key) = key else { return };
        if answer.extensions().get::<AccessName>().is_some() {
            self.rates.learn(key, true);
        } else if answer.status() == StatusCode::UNAUTHORIZED {
            self.rates.learn(key, false);
        }
    }
}

/// Reads a body whole. One that is announced as too large is not begun.
async fn read(body: &mut Incoming, limits: &Limits) -> Result<Bytes, Refusal> {
    if body.size_hint().lower() > limits.body_bytes as u64 {
        return Err(Refusal::BodyTooLarge);
    }
    let all = async {
        // Copied together: of chunks of a byte each, each would keep a whole buffer.
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Refusal::BodyMalformed)?.into_data() else { continue };
            if whole.len() + data.len() > limits.body_bytes {
                return Err(Refusal::BodyTooLarge);
            }
            whole.extend_from_slice(&data);
        }
        Ok(whole.freeze())
    };
    timeout(limits.body, all).await.map_err(|_| Refusal::BodyTooSlow)?
}

/// The body of an answer, with all that ends with it.
pub(super) struct AnswerBody {
    body: Body,
    record: Record,
    stage: Stage,
}

impl hyper::body::Body for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(data) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()) {
            let bytes = data.len();
            self.record.sent(bytes);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        self.stage.handed_over();
    }
}
