//! The simulated vendor over TCP, HTTP/1.1 with keep-alive. On hyper itself and not on axum: only a service that fails
//! makes hyper close a connection without an answer, and axum's cannot fail.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tracing::{debug, warn};

use crate::exchange::{Dropped, InProcess, SharedWorld, wall_clock};
use crate::notifier::Notifier;

/// A larger body is no call of this API; its connection is closed.
const LARGEST_BODY: usize = 16 * 1024 * 1024;

/// Serves a world on a listener, and sends its scheduler's notifications, until `shutdown`; then all connections are
/// closed at once, calls under way included.
pub async fn serve(listener: TcpListener, world: SharedWorld, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let notifier = Notifier::new(world.clone())?;
    let service = InProcess::new(world, wall_clock());
    // Dropping the set ends its tasks, and with them the connections.
    let mut connections = JoinSet::new();
    connections.spawn(notifier.run());
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => return Ok(()),
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve_connection(stream, service.clone()));
                }
                Err(error) => {
                    // Out of file descriptors, mostly: it passes, or it does not and is seen here.
                    warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            },
        }
    }
}

async fn serve_connection(stream: TcpStream, service: InProcess) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "no TCP_NODELAY");
    }
    let answer = service_fn(move |request: Request<Incoming>| {
        // The first thing that happens once the head has been read: benches measure lateness by it.
        let received = Timestamp::now();
        let service = service.clone();
        async move { answer(&service, received, request).await }
    });
    let connection = http1::Builder::new().header_read_timeout(None).serve_connection(TokioIo::new(stream), answer);
    if let Err(error) = connection.await {
        debug!(%error, "a connection ended");
    }
}

async fn answer(
    service: &InProcess,
    received: Timestamp,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Dropped> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, LARGEST_BODY).collect().await.map_err(|_| Dropped)?.to_bytes();
    let answer = service.exchange(received, &Request::from_parts(head, body)).await?;
    Ok(answer.map(Full::new))
}
