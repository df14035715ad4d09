use std::fmt;

use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};

use super::guard::AddressRefused;

/// The longest wait that a receiver is granted: a day.
pub const RETRY_AFTER_MAX: SignedDuration = SignedDuration::from_hours(24);

/// What came of one attempt. Nothing in it is a text that came from the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver took it.
    Delivered {
        /// The status code, 200 to 299.
        code: u16,
    },
    /// The receiver answered anything else; a redirect, too, which is not followed.
    Refused {
        /// The status code.
        code: u16,
        /// How long the receiver asks to wait, at most [`RETRY_AFTER_MAX`].
        retry_after: Option<SignedDuration>,
    },
    /// The receiver wants no more notifications at this URL (HTTP 410), said now or within the last day.
    Gone,
    /// Nothing was sent, because it may not be.
    NotAllowed(NotAllowed),
    /// There is no answer. The receiver may have the notification all the same.
    Unanswered(Unanswered),
    /// Nothing was sent, because it was not wanted any more when its turn came. No attempt; only
    /// [`Queue`](super::Queue) says so.
    NotWanted,
    /// Nothing was sent, because the receiver's host has asked for time. No attempt; only [`Queue`](super::Queue) says
    /// so.
    NotYet {
        /// How much longer.
        wait: SignedDuration,
    },
}

/// Why a notification may not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum NotAllowed {
    /// The URL is `http://`, and only encrypted notifications are allowed.
    #[error("the notification URL is not encrypted (http://)")]
    PlainHttp,
    /// The receiver's host has an address that may not be dialled; one is enough.
    #[error("{0}")]
    Address(AddressRefused),
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Unanswered {
    /// Connecting, or all of it, took too long.
    #[error("timed out")]
    TimedOut,
    /// The host's name has no address.
    #[error("name not found")]
    NameNotFound,
    /// Nobody listens there.
    #[error("connection refused")]
    ConnectionRefused,
    /// There is no way there, or the connection broke while it was made.
    #[error("not reachable")]
    NotReachable,
    /// No TLS there, or a certificate that is not trusted.
    #[error("TLS failed")]
    TlsFailed,
    /// The connection was closed, or what came over it was no HTTP.
    #[error("closed without an answer")]
    Closed,
    /// Id or URL cannot stand in a request; nothing was sent.
    #[error("the request could not be put together")]
    NotPutTogether,
}

impl Outcome {
    /// What an answer at `now` with this status code and this header `Retry-After` means.
    pub(super) fn of_answer(code: u16, retry_after: Option<&str>, now: Timestamp) -> Self {
        match code {
            200..=299 => Self::Delivered { code },
            410 => Self::Gone,
            _ => Self::Refused { code, retry_after: retry_after.and_then(|value| wait(value, now)) },
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivered { code } => write!(f, "delivered (HTTP {code})"),
            Self::Refused { code, .. } => write!(f, "refused (HTTP {code})"),
            Self::Gone => f.write_str("the receiver is gone (HTTP 410)"),
            Self::NotAllowed(why) => write!(f, "not allowed: {why}"),
            Self::Unanswered(why) => write!(f, "no answer: {why}"),
            Self::NotWanted => f.write_str("not sent: not wanted any more"),
            Self::NotYet { wait } => write!(f, "not sent: the receiver's host has asked for {wait:#} more"),
        }
    }
}

/// Seconds, or a date; a date that is past asks for no wait.
fn wait(value: &str, now: Timestamp) -> Option<SignedDuration> {
    let value = value.trim();
    let digits_only = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let wait = if digits_only {
        SignedDuration::from_secs(value.parse().unwrap_or(i64::MAX))
    } else {
        DateTimeParser::new().parse_timestamp(value).ok()?.duration_since(now)
    };
    Some(wait.clamp(SignedDuration::ZERO, RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_or_as_a_date_and_bounded_to_a_day() {
        let now = "2026-11-25T04:00:00Z".parse().unwrap();
        for (value, seconds) in [
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("0", Some(0)),
            ("86401", Some(86_400)),
            ("99999999999999999999999", Some(86_400)),
            ("Wed, 25 Nov 2026 04:00:30 GMT", Some(30)),
            ("Wed, 25 Nov 2026 03:00:00 GMT", Some(0)),
            ("Thu, 25 Nov 2027 04:00:00 GMT", Some(86_400)),
            ("soon", None),
            ("-1", None),
            ("", None),
        ] {
            let outcome = Outcome::of_answer(429, Some(value), now);
            let retry_after = seconds.map(SignedDuration::from_secs);
            assert_eq!(outcome, Outcome::Refused { code: 429, retry_after }, "{value:?}");
        }
    }
}
