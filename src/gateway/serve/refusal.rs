use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;

use super::Limits;

/// Why a request was not answered by the app. Each is answered with a status of its own and `{"message": "…"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The head is no HTTP/1: 400.
    HeadMalformed,
    /// [`Limits::head_bytes`] or [`Limits::headers`]: 431.
    HeadTooLarge,
    /// [`Limits::head`]: 408.
    HeadTooSlow,
    /// The body broke off, or its chunks are none: 400.
    BodyMalformed,
    /// [`Limits::body_bytes`]: 413.
    BodyTooLarge,
    /// [`Limits::body`]: 408.
    BodyTooSlow,
    /// [`Limits::rate`]: 429.
    RateExceeded {
        /// When the client's next request will be passed on.
        wait: Duration,
    },
    /// [`Limits::requests`]: 503.
    Busy,
    /// [`Limits::answer`]: 503.
    AnswerTooSlow,
    /// The app panicked: 500.
    Panicked,
    /// `CONNECT`, which no app may answer, since its answer would end HTTP on the connection: 405.
    NoProxy,
}

impl Refusal {
    /// Its name in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::HeadMalformed => "head_malformed",
            Self::HeadTooLarge => "head_too_large",
            Self::HeadTooSlow => "head_too_slow",
            Self::BodyMalformed => "body_malformed",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyTooSlow => "body_too_slow",
            Self::RateExceeded { .. } => "rate_exceeded",
            Self::Busy => "busy",
            Self::AnswerTooSlow => "answer_too_slow",
            Self::Panicked => "panicked",
            Self::NoProxy => "no_proxy",
        }
    }

    /// What the client is answered.
    pub fn status(self) -> StatusCode {
        match self {
            Self::HeadMalformed | Self::BodyMalformed => StatusCode::BAD_REQUEST,
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::HeadTooSlow | Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::RateExceeded { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy | Self::AnswerTooSlow => StatusCode::SERVICE_UNAVAILABLE,
            Self::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NoProxy => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    fn sentence(self, limits: &Limits) -> String {
        match self {
            Self::HeadMalformed => "The request is not HTTP/1.1.".to_owned(),
            Self::HeadTooLarge => format!(
                "The request line and the headers are more than {} bytes or {} headers.",
                limits.head_bytes, limits.headers
            ),
            Self::HeadTooSlow => format!("The headers were not complete after {} s.", limits.head.as_secs_f64()),
            Self::BodyMalformed => "The body broke off, or is not encoded as its headers say.".to_owned(),
            Self::BodyTooLarge => format!("The body is larger than {} bytes.", limits.body_bytes),
            Self::BodyTooSlow => format!("The body was not complete after {} s.", limits.body.as_secs_f64()),
            Self::RateExceeded { wait } => {
                format!("Too many requests; the next one is accepted in {} s.", seconds_up(wait))
            }
            Self::Busy => "Too many requests are under way; try again in 1 s.".to_owned(),
            Self::AnswerTooSlow => {
                format!("There was no answer within {} s; it may still take effect.", limits.answer.as_secs_f64())
            }
            Self::Panicked => "The request could not be answered because of a fault in the operator.".to_owned(),
            Self::NoProxy => "CONNECT is not served here.".to_owned(),
        }
    }

    fn retry_after(self) -> Option<u64> {
        match self {
            Self::RateExceeded { wait } => Some(seconds_up(wait)),
            Self::Busy | Self::AnswerTooSlow => Some(1),
            _ => None,
        }
    }

    pub(super) fn answer(self, limits: &Limits) -> Response<Body> {
        let mut answer = Response::new(Body::from(self.body(limits)));
        *answer.status_mut() = self.status();
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = self.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        answer
    }

    /// The same as the last bytes of a connection, for a head that hyper can make no request of.
    pub(super) fn last_words(self, limits: &Limits) -> Bytes {
        let (status, body) = (self.status(), self.body(limits));
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        (head + &body).into()
    }

    fn body(self, limits: &Limits) -> String {
        json!({"message": self.sentence(limits)}).to_string()
    }
}

fn seconds_up(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}
