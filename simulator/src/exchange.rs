//! From a reply to what the caller lives through: waiting, an answer with its `Date`, a closed connection, silence. The
//! same over TCP and inside a process.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{DATE, HeaderValue};
use http::{Request, Response};
use jiff::Timestamp;
use thiserror::Error;
use tokio::sync::Notify;
use tower::Service;

use crate::api::{Reply, Then};
use crate::world::World;

/// A world that several hold.
#[derive(Debug, Clone)]
pub struct SharedWorld {
    world: Arc<Mutex<World>>,
    rescheduled: Arc<Notify>,
}

impl SharedWorld {
    /// Shares a world.
    pub fn new(world: World) -> Self {
        Self { world: Arc::new(Mutex::new(world)), rescheduled: Arc::default() }
    }

    /// Does something with the world, while nobody else does.
    pub fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let before = world.next_firing();
        let result = act(&mut world);
        if world.next_firing() != before {
            self.rescheduled.notify_one();
        }
        result
    }

    /// Waits until [`World::next_firing`] may be another. One at a time may wait.
    pub(crate) async fn rescheduled(&self) {
        self.rescheduled.notified().await;
    }
}

/// What tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The computer's wall clock.
pub fn wall_clock() -> Clock {
    Arc::new(Timestamp::now)
}

/// The connection was closed without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the connection was closed without an answer")]
pub struct Dropped;

impl From<Infallible> for Dropped {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// The simulated vendor as a service inside the process: no sockets, and with tokio's paused clock no waiting.
#[derive(Clone)]
pub struct InProcess {
    world: SharedWorld,
    now: Clock,
}

impl InProcess {
    /// A service over a world, at the times that `now` tells.
    pub fn new(world: SharedWorld, now: Clock) -> Self {
        Self { world, now }
    }

    /// The world behind it.
    pub fn world(&self) -> &SharedWorld {
        &self.world
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// Lives through a request that was received at `received`.
    pub(crate) async fn exchange(
        &self,
        received: Timestamp,
        request: &Request<Bytes>,
    ) -> Result<Response<Bytes>, Dropped> {
        let Reply { sequence, after, then } = self.world.with(|world| world.handle(received, request));
        if !after.is_zero() {
            tokio::time::sleep(after).await;
        }
        if matches!(then, Then::Hang) {
            return pending().await;
        }
        let now = self.now();
        let date = self.world.with(|world| {
            if let Some(sequence) = sequence {
                world.answered(sequence, now);
            }
            world.date(now)
        });
        let Then::Answer(mut answer) = then else { return Err(Dropped) };
        if let Ok(date) = HeaderValue::try_from(date) {
            // A fault may have set one of its own.
            answer.headers_mut().entry(DATE).or_insert(date);
        }
        Ok(answer)
    }
}

impl fmt::Debug for InProcess {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("InProcess").finish_non_exhaustive()
    }
}

impl Service<Request<Bytes>> for InProcess {
    type Response = Response<Bytes>;
    type Error = Dropped;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Bytes>, Dropped>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Dropped>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { service.exchange(service.now(), &request).await })
    }
}
