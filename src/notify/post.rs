use std::fmt;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Request};
use jiff::Timestamp;
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP};

use super::sign::SigningSecret;
use super::url::ReceiverUrl;

/// A notification, ready to be sent. `Debug` shows neither body nor path.
#[derive(Clone)]
pub struct Post {
    /// What tells the receiver that a notification has come before: the same at each attempt. Visible ASCII without a
    /// full stop.
    pub id: String,
    /// Where it goes.
    pub url: ReceiverUrl,
    /// JSON. A text and not bytes: only text can be signed.
    pub body: String,
    /// What it is signed with, in this order; two while a secret is replaced by another. Empty: it goes unsigned.
    pub secrets: Vec<SigningSecret>,
    /// Whether it may go over `http://`.
    pub allow_http: bool,
}

/// The id cannot be a header's value.
#[derive(Debug)]
pub(super) struct NotPutTogether;

impl Post {
    /// The request of an attempt at this time.
    pub(super) fn request(&self, at: Timestamp) -> Result<Request<Bytes>, NotPutTogether> {
        let mut request = Request::post(self.url.uri())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("jobstartstop/", env!("CARGO_PKG_VERSION")))
            .header(HEADER_WEBHOOK_ID, &self.id)
            .header(HEADER_WEBHOOK_TIMESTAMP, at.as_second());
        if !self.secrets.is_empty() {
            request = request.header(HEADER_WEBHOOK_SIGNATURE, self.signatures(at)?);
        }
        request.body(Bytes::copy_from_slice(self.body.as_bytes())).map_err(|_| NotPutTogether)
    }

    /// One for each secret, a space between them.
    fn signatures(&self, at: Timestamp) -> Result<HeaderValue, NotPutTogether> {
        let signed = self.secrets.iter().map(|secret| secret.sign(&self.id, at, &self.body));
        let signed = signed.collect::<Result<Vec<_>, _>>().map_err(|_| NotPutTogether)?;
        HeaderValue::try_from(signed.join(" ")).map_err(|_| NotPutTogether)
    }
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post").field("id", &self.id).field("url", &self.url).finish_non_exhaustive()
    }
}
