//! One connection, from its opening to its end.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::access::refused_head;
use super::exchange::Exchanges;
use super::stage::{Phase, Stage, Standing, Watched};
use super::{Cut, Limits, Refusal};

/// How long a client has to read its last answer. A connection closed while the client still sends is reset, and the
/// answer may be lost with it.
const LINGER: Duration = Duration::from_secs(1);

/// hyper takes no smaller buffer.
const SMALLEST_BUFFER: usize = 8192;

/// What connections have in common.
pub(super) struct Connections {
    pub(super) exchanges: Exchanges,
    /// Told when a connection is wanted for another client.
    pub(super) crowd: Notify,
    pub(super) stop: CancellationToken,
}

/// How a connection came to its end.
enum End {
    /// By the last exchange, or by the client.
    Done,
    /// Between two exchanges, by us.
    Idle,
    /// With a head of which no request could be made.
    Refused(Refusal),
    /// By a client that takes no answer: there is no use in saying more.
    Stuck,
}

impl Connections {
    /// Serves a connection that was just accepted.
    pub(super) async fn serve(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, tls: Option<Arc<ServerConfig>>) {
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "no TCP_NODELAY");
        }
        let Some(config) = tls else { return self.converse(stream, peer).await };
        let handshake = timeout(self.limits().handshake, TlsAcceptor::from(config).accept(stream));
        let shaken = tokio::select! {
            biased;
            () = self.stop.cancelled() => return,
            shaken = handshake => shaken,
        };
        match shaken {
            Ok(Ok(stream)) => self.converse(stream, peer).await,
            Ok(Err(error)) => {
                debug!(%peer, %error, "a TLS handshake failed");
                self.cut(Cut::HandshakeFailed);
            }
            Err(_) => self.cut(Cut::HandshakeTooSlow),
        }
    }

    async fn converse<T>(self: Arc<Self>, io: T, peer: SocketAddr)
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stage = Stage::new();
        let (connections, at) = (Arc::clone(&self), stage.clone());
        let answer = service_fn(move |request: Request<Incoming>| {
            at.requested();
            let (connections, stage) = (Arc::clone(&connections), at.clone());
            async move { Ok::<_, Infallible>(connections.exchanges.answer(request, peer, stage).await) }
        });
        let io = TokioIo::new(Watched::new(io, stage.clone()));
        let mut connection = http(self.limits()).serve_connection(io, answer);
        let end = self.attend(&mut connection, &stage).await;
        let io = connection.into_parts().io.into_inner().into_inner();
        self.close(io, end, peer).await;
    }

    /// Drives a connection until it ends, or until its time is over.
    async fn attend<C: Connection>(&self, connection: &mut C, stage: &Stage) -> End {
        let mut stopping = false;
        loop {
            let standing = stage.standing();
            tokio::select! {
                biased;
                ended = progress(connection, stage, standing) => if let Some(result) = ended {
                    return end(result, stage.standing());
                },
                () = self.stop.cancelled(), if !stopping => {
                    if standing.is_idle() {
                        return End::Idle;
                    }
                    stopping = true;
                    connection.end_after_answer();
                }
                () = self.crowd.notified(), if standing.is_idle() => {
                    self.cut(Cut::MadeRoom);
                    return End::Idle;
                }
                () = until(standing.due(self.limits())) => return self.overdue(standing.phase),
            }
        }
    }

    fn overdue(&self, phase: Phase) -> End {
        match phase {
            Phase::New | Phase::Idle => End::Idle,
            Phase::Head => End::Refused(Refusal::HeadTooSlow),
            Phase::Exchange | Phase::Answer | Phase::Sending => {
                self.cut(Cut::AnswerNotTaken);
                End::Stuck
            }
        }
    }

    async fn close<T: AsyncRead + AsyncWrite + Unpin>(&self, mut io: T, end: End, peer: SocketAddr) {
        if let End::Refused(refusal) = &end {
            refused_head(&*self.exchanges.observer, peer, *refusal);
        }
        let parting = async {
            match end {
                End::Stuck => return Ok(()),
                End::Idle => return io.shutdown().await,
                End::Refused(refusal) => io.write_all(&refusal.last_words(self.limits())).await?,
                End::Done => {}
            }
            io.shutdown().await?;
            tokio::io::copy(&mut io, &mut tokio::io::sink()).await.map(drop)
        };
        // The client is gone, or does not go: neither is of interest any more.
        let _ = timeout(LINGER, parting).await;
    }

    fn cut(&self, cut: Cut) {
        self.exchanges.observer.cut(cut);
    }

    fn limits(&self) -> &Limits {
        &self.exchanges.limits
    }
}

/// HTTP/1.1 and 1.0, with no time limits of hyper's: it has one for all that is before a request.
fn http(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .header_read_timeout(None)
        .max_headers(limits.headers)
        .max_header_size(limits.head_bytes)
        .max_buf_size(limits.head_bytes.max(SMALLEST_BUFFER))
        // A client may send its request, close its side and wait for the answer. And one that goes away does not cut a
        // change off between two of its writes.
        .half_close(true);
    builder
}

/// What of hyper's connection is used here, without its type's parameters.
trait Connection: Future<Output = hyper::Result<()>> + Unpin {
    /// No further request is read.
    fn end_after_answer(&mut self);
}

impl<I, B, S> Connection for http1::Connection<I, S>
where
    S: hyper::service::HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: hyper::body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn end_after_answer(&mut self) {
        Pin::new(self).graceful_shutdown();
    }
}

/// Drives a connection until it ends or leaves this standing.
async fn progress<C: Connection>(connection: &mut C, stage: &Stage, standing: Standing) -> Option<hyper::Result<()>> {
    poll_fn(|cx| match Pin::new(&mut *connection).poll(cx) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending if stage.standing() != standing => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn end(result: hyper::Result<()>, standing: Standing) -> End {
    match result {
        Err(error) if standing.is_before_request() && error.is_parse_too_large() => End::Refused(Refusal::HeadTooLarge),
        Err(error) if standing.is_before_request() && error.is_parse() => End::Refused(Refusal::HeadMalformed),
        Err(error) => {
            debug!(%error, "a connection ended");
            End::Done
        }
        Ok(()) => End::Done,
    }
}
