//! What a call is answered that is not done.

use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

/// Why a call is not done. Its body is the vendor's shape, `{"message": "…"}` (vendor: error messages).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// The vendor's own word for a key that is missing, malformed, unknown or ambiguous.
    #[error("Unauthorized")]
    Unauthorized,
    #[error("there is no workflow of this id")]
    UnknownWorkflow,
    #[error("there is no such path")]
    UnknownPath,
    #[error("the method is not allowed on this path")]
    MethodNotAllowed,
    #[error("the body is larger than {0} bytes")]
    BodyTooLarge(usize),
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The apiserver cannot be asked now.
    #[error("the scheduler cannot reach its store at the moment: repeat the request later")]
    Unavailable(Duration),
}

/// What is wrong with a request: one sentence that begins with the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Invalid(String);

impl Invalid {
    pub(super) fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

impl Refusal {
    /// Later, when nothing is known of how much later.
    pub(super) const LATER: Self = Self::Unavailable(Duration::from_secs(1));

    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::UnknownWorkflow | Self::UnknownPath => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status(), Json(json!({ "message": self.to_string() }))).into_response();
        if let Self::Unavailable(after) = self {
            let seconds = HeaderValue::from(after.as_secs().max(1));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}
