use std::time::Duration;

/// Why a request to the Live API has no good answer.
///
/// Typed by what the body says first and by the status second: the API answers an unknown job with a 500 and a full
/// region with a 400 or a 500 (vendor: error reference; static entry point guide). Texts of the server are kept up to
/// 1 KiB; they never hold the API key, and of receivers' URLs scheme and host only.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LiveError {
    /// The request never left: name resolution, connecting, a proxy's CONNECT or TLS failed.
    #[error("the request was not sent: {reason}")]
    NotSent {
        /// What failed.
        reason: String,
    },
    /// No whole answer came in time.
    #[error("no answer within {after:?}")]
    TimedOut {
        /// How long was waited.
        after: Duration,
    },
    /// The connection broke after the request may have been written, or the answer could not be read to its end.
    #[error("the connection was lost before the answer was complete: {reason}")]
    ConnectionLost {
        /// What broke.
        reason: String,
    },
    /// Somebody answered, but not as the Live API would: HTML, a redirect, another job's or workflow's id.
    #[error("the answer (HTTP {status}) is not the Live API's: {why}")]
    NotTheApi {
        /// The HTTP status.
        status: u16,
        /// What is wrong with the answer.
        why: String,
        /// The beginning of the body.
        body: String,
    },
    /// The key is missing or wrong (vendor: 401 `{"message":"Unauthorized"}`).
    #[error("the Live API does not accept the key (HTTP {status}): {message}")]
    Unauthorized {
        /// The HTTP status.
        status: u16,
        /// What the server said.
        message: String,
    },
    /// There is no such job, or the key's account does not have it (vendor: 500 `DB getItem, no results found`).
    #[error("the Live API does not know the job (HTTP {status}): {message}")]
    JobNotFound {
        /// The HTTP status.
        status: u16,
        /// What the server said.
        message: String,
    },
    /// There is no such workflow, or the key's account does not have it (vendor: what the scheduler answers then is not
    /// documented; a 404, or the 500 of an unknown job).
    #[error("the Live API does not know the workflow (HTTP {status}): {message}")]
    WorkflowNotFound {
        /// The HTTP status.
        status: u16,
        /// What the server said.
        message: String,
    },
    /// Workflows cannot be listed here: a 400, 404, 405 or 501 in answer to the list, by whomever (vendor: the list is in
    /// a draft of the reference only).
    #[error("the Live API has no list of workflows (HTTP {status}): {message}")]
    NoSuchOperation {
        /// The HTTP status.
        status: u16,
        /// What the server said.
        message: String,
    },
    /// No capacity at the moment, more than five activations at once for instance; to be tried again (vendor:
    /// `no_streaming_capacity_in_region`, as a 400 or a 500).
    #[error("the region has no streaming capacity at the moment (HTTP {status}): {message}")]
    Capacity {
        /// The HTTP status.
        status: u16,
        /// What the server said.
        message: String,
    },
    /// The job is already where the call would bring it (vendor: 500 `After filtering, there is no job to process`,
    /// documented for stopping a stopped job).
    #[error("the Live API found nothing to do (HTTP {status}): {message}")]
    NothingToProcess {
        /// The HTTP status.
        status: u16,
        /// What the server said.
        message: String,
    },
    /// Too many requests, HTTP 429 (not documented by the vendor).
    #[error("the Live API asks for fewer requests (HTTP 429): {message}")]
    RateLimited {
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
        /// What the server said.
        message: String,
    },
    /// The API refused for another reason: any other 4xx with an error body of the API.
    #[error("the Live API refused (HTTP {status}): {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What the server said.
        message: String,
    },
    /// The server, or something before it, failed: any other 5xx, or 408.
    #[error("the Live API failed (HTTP {status}): {message}")]
    ServerError {
        /// The HTTP status.
        status: u16,
        /// What the server said.
        message: String,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
}

impl LiveError {
    /// Whether the request was certainly not carried out.
    pub fn certainly_refused(&self) -> bool {
        match self {
            Self::NotSent { .. }
            | Self::Unauthorized { .. }
            | Self::JobNotFound { .. }
            | Self::WorkflowNotFound { .. }
            | Self::NoSuchOperation { .. }
            | Self::Capacity { .. }
            | Self::NothingToProcess { .. }
            | Self::RateLimited { .. }
            | Self::Refused { .. } => true,
            Self::TimedOut { .. } | Self::ConnectionLost { .. } | Self::NotTheApi { .. } | Self::ServerError { .. } => {
                false
            }
        }
    }

    /// Whether the request may have been carried out all the same; the opposite of
    /// [`certainly_refused`](Self::certainly_refused).
    pub fn unanswered(&self) -> bool {
        !self.certainly_refused()
    }

    /// How long the server asks to wait before the next request, as it was sent and up to a day; the caller decides
    /// how much of it to grant.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::ServerError { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
