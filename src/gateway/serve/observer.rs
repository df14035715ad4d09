use std::time::Duration;

use super::Refusal;

/// Is told what was answered, for metrics. Called between requests: it must not block.
pub trait Observer: Send + Sync {
    /// An answer was handed over, or its client was gone before.
    fn answered(&self, answered: &Answered<'_>);

    /// A request was not answered by the app. If it had a head, [`Observer::answered`] follows.
    fn refused(&self, refusal: Refusal);

    /// A connection was closed without an answer.
    fn cut(&self, cut: Cut);
}

/// Nobody observes.
impl Observer for () {
    fn answered(&self, _: &Answered<'_>) {}

    fn refused(&self, _: Refusal) {}

    fn cut(&self, _: Cut) {}
}

/// One request and its answer. Nothing in it grows with use: it can be a metric's label.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answered<'a> {
    /// A method of RFC 9110, or `other`.
    pub method: &'static str,
    /// The pattern of the app's route, as `/jobs/{id}`; `none` where no route was reached.
    pub route: &'a str,
    /// Nothing if the connection ended first.
    pub status: Option<u16>,
    /// From the end of the head until the answer was handed to the connection.
    pub duration: Duration,
}

/// Why a connection was closed without an answer, besides by its client, by [`super::Limits::idle`], or at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The TLS handshake failed.
    HandshakeFailed,
    /// [`super::Limits::handshake`].
    HandshakeTooSlow,
    /// [`super::Limits::taking`].
    AnswerNotTaken,
    /// [`super::Limits::connections`]: it made room for another.
    MadeRoom,
}

impl Cut {
    /// Its name in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::HandshakeFailed => "handshake_failed",
            Self::HandshakeTooSlow => "handshake_too_slow",
            Self::AnswerNotTaken => "answer_not_taken",
            Self::MadeRoom => "made_room",
        }
    }
}
