//! How far the exchange on a connection has come. hyper tells of requests only; that a client has begun one, or has
//! taken all of an answer, shows in what is read and written below hyper.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::Limits;

/// Shared by all that have a part in one connection.
#[derive(Clone, Debug)]
pub(super) struct Stage(Arc<Mutex<Standing>>);

/// A phase, and when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) phase: Phase,
    since: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The client has sent nothing yet.
    New,
    /// The client has begun a request.
    Head,
    /// The request is being answered.
    Exchange,
    /// The answer is being handed to hyper.
    Answer,
    /// hyper has all of the answer, the client has not.
    Sending,
    /// The client has all of the answer.
    Idle,
}

impl Stage {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Standing { phase: Phase::New, since: Instant::now() })))
    }

    pub(super) fn standing(&self) -> Standing {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request has its head.
    pub(super) fn requested(&self) {
        self.step(|_| Some(Phase::Exchange));
    }

    /// A request has its answer.
    pub(super) fn answered(&self) {
        self.step(|_| Some(Phase::Answer));
    }

    /// hyper has the whole answer.
    pub(super) fn handed_over(&self) {
        let mut standing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if standing.phase == Phase::Answer {
            // The time for the client to take it runs on.
            standing.phase = Phase::Sending;
        }
    }

    fn received(&self) {
        self.step(|phase| matches!(phase, Phase::New | Phase::Idle).then_some(Phase::Head));
    }

    fn flushed(&self) {
        self.step(|phase| (phase == Phase::Sending).then_some(Phase::Idle));
    }

    fn step(&self, next: impl FnOnce(Phase) -> Option<Phase>) {
        let mut standing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(phase) = next(standing.phase) {
            *standing = Standing { phase, since: Instant::now() };
        }
    }
}

impl Standing {
    /// When the client's patience with us, or ours with the client, is over. The time of an exchange is limited by the
    /// exchange itself.
    pub(super) fn due(self, limits: &Limits) -> Option<Instant> {
        let patience = match self.phase {
            Phase::New | Phase::Head => limits.head,
            Phase::Exchange => return None,
            Phase::Answer | Phase::Sending => limits.taking,
            Phase::Idle => limits.idle,
        };
        Some(self.since + patience)
    }

    /// Nothing would be lost with the connection.
    pub(super) fn is_idle(self) -> bool {
        matches!(self.phase, Phase::New | Phase::Idle)
    }

    /// No request is there to be answered.
    pub(super) fn is_before_request(self) -> bool {
        matches!(self.phase, Phase::New | Phase::Idle | Phase::Head)
    }
}

/// A connection's bytes, below hyper.
#[derive(Debug)]
pub(super) struct Watched<T> {
    io: T,
    stage: Stage,
}

impl<T> Watched<T> {
    pub(super) fn new(io: T, stage: Stage) -> Self {
        Self { io, stage }
    }

    pub(super) fn into_inner(self) -> T {
        self.io
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.stage.received();
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.stage.standing().is_before_request() {
            // hyper's own answer to a head that it can make no request of. It has no body: ours is sent in its place.
            return Poll::Ready(Ok(buf.len()));
        }
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        self.stage.flushed();
        Poll::Ready(Ok(()))
    }

    /// Does nothing: hyper's is not the last word, see `connection`.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
