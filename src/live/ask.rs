use std::time::Duration;

use bytes::Bytes;
use http::Method;

use super::job::JobId;
use super::transport::{AnswerLimit, Lane};
use super::workflow::WorkflowId;

/// A request before it has its endpoint and key.
pub(super) struct Ask<'a> {
    /// What it is called in logs.
    pub(super) name: &'static str,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) timeout: Duration,
    pub(super) body: Bytes,
    /// A receiver's URL in the body.
    pub(super) url: Option<&'a str>,
    pub(super) job: Option<&'a JobId>,
    pub(super) workflow: Option<&'a WorkflowId>,
    pub(super) lane: Lane,
    pub(super) limit: AnswerLimit,
}

impl Ask<'_> {
    /// A request without a body, about nothing in particular, over the connections of the reads.
    pub(super) fn new(name: &'static str, method: Method, path: String, timeout: Duration) -> Self {
        Self {
            name,
            method,
            path,
            timeout,
            body: Bytes::new(),
            url: None,
            job: None,
            workflow: None,
            lane: Lane::Reads,
            limit: AnswerLimit::DEFAULT,
        }
    }
}

/// Leaves unreserved characters (RFC 3986) as they are and encodes the rest.
pub(super) fn percent_encode(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
            encoded.push('%');
            encoded.extend(digits.map(char::from));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreserved_characters_stand_in_paths_and_queries_as_they_are() {
        assert_eq!(percent_encode("aZ09-._~"), "aZ09-._~");
        assert_eq!(percent_encode("a/../b?c=d&e#f%g h+ä"), "a%2F..%2Fb%3Fc%3Dd%26e%23f%25g%20h%2B%C3%A4");
    }
}
