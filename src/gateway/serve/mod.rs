//! The sockets under the HTTP interface: connections, TLS, limits, access log, and an end that cuts nothing off.
//!
//! [`serve`] stands between clients that nobody vouches for and an app that may take each request as whole, small and
//! timely. All of what it refuses is answered with `{"message": "…"}`.

mod access;
mod connection;
mod exchange;
mod limits;
mod observer;
mod rates;
mod refusal;
mod stage;
mod tls;

#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures::FutureExt;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

pub use self::access::AccessName;
pub use self::limits::{Limits, Rate};
pub use self::observer::{Answered, Cut, Observer};
pub use self::refusal::Refusal;
pub use self::tls::{Tls, TlsError, TlsFiles};
use crate::timetable::Clock;

/// How often clients are forgotten that do not send any more.
const TIDY: Duration = Duration::from_mins(1);

/// What [`serve`] stands on.
pub struct Ground {
    /// What clients may take.
    pub limits: Limits,
    /// Rates go by its monotonic clock, the end of a certificate by its wall clock. Time limits are tokio's.
    pub clock: Arc<dyn Clock>,
    /// Is told what was answered; `()` for nobody.
    pub observer: Arc<dyn Observer>,
}

/// How the interface came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// All requests under way were answered.
    Whole,
    /// Some connections were cut off: they had not ended within [`Limits::shutdown`].
    CutOff {
        /// How many.
        connections: usize,
    },
}

/// Serves `app` until `stop`, over TLS where a certificate is given; then connections between two requests are closed
/// and requests under way are finished.
///
/// The app gets each request with its whole body, and no way out of HTTP. It may put an [`AccessName`] on its answers.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    app: Router,
    ground: Ground,
    stop: CancellationToken,
) -> Drained {
    let Ground { limits, clock, observer } = ground;
    let patience = limits.shutdown;
    let (tls, watch) = tls.map(Tls::split).unzip();
    let mut door = Door {
        listener,
        tls,
        places: Arc::new(Semaphore::new(limits.connections)),
        open: JoinSet::new(),
        connections: Arc::new(connection::Connections {
            exchanges: exchange::Exchanges {
                rates: rates::Rates::new(&limits, &clock),
                places: Semaphore::new(limits.requests),
                app: app.layer(axum::middleware::from_fn(access::tell_route)),
                observer,
                limits,
            },
            crowd: Notify::new(),
            stop: stop.clone(),
        }),
    };
    let certificates = async {
        match watch {
            Some(watch) => watch.run(&*clock).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = certificates => {}
        () = door.keep_open() => {}
    }
    door.close(patience).await
}

/// Where connections come in.
struct Door {
    listener: TcpListener,
    tls: Option<watch::Receiver<Arc<ServerConfig>>>,
    /// One permit for each connection that may be open.
    places: Arc<Semaphore>,
    open: JoinSet<()>,
    connections: Arc<connection::Connections>,
}

impl Door {
    /// Never ends.
    async fn keep_open(&mut self) {
        let mut tidy = interval(TIDY);
        tidy.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                Some(ended) = self.open.join_next() => tell_panic(ended),
                _ = tidy.tick() => self.connections.exchanges.rates.tidy(),
                accepted = self.listener.accept() => self.let_in(accepted).await,
            }
        }
    }

    async fn let_in(&mut self, accepted: io::Result<(TcpStream, SocketAddr)>) {
        match accepted {
            Ok((stream, peer)) => {
                let Some(place) = self.place().await else { return };
                let tls = self.tls.as_ref().map(|tls| Arc::clone(&tls.borrow()));
                let served = Arc::clone(&self.connections).serve(stream, peer, tls);
                self.open.spawn(async move {
                    served.await;
                    drop(place);
                });
            }
            Err(error) => {
                // Out of file descriptors, mostly: it passes, or it does not and is seen here.
                warn!(%error, "a connection could not be accepted");
                sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// Waits for a place; of the connections that do nothing, one makes room.
    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Some(place);
        }
        let crowd = &self.connections.crowd;
        crowd.notify_one();
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        // If nobody has heard of the crowd, it is over.
        let _ = crowd.notified().now_or_never();
        place
    }

    async fn close(mut self, patience: Duration) -> Drained {
        drop(self.listener);
        let all = async {
            while let Some(ended) = self.open.join_next().await {
                tell_panic(ended);
            }
        };
        if timeout(patience, all).await.is_ok() {
            return Drained::Whole;
        }
        let connections = self.open.len();
        self.open.shutdown().await;
        Drained::CutOff { connections }
    }
}

fn tell_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        error!("a connection ended by a panic");
    }
}
