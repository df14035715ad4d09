//! Connections and requests.

use std::{io, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use http_body_util::BodyExt as _;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::sleep,
};

use super::{
    Shared, other, request,
    stream::{self, Streamed},
};

/// What stands behind the proxy.
#[derive(Clone)]
pub(super) struct Upstream {
    pub(super) client: reqwest::Client,
    pub(super) base: String,
}

/// Serves until it is told to end.
pub(super) async fn serve(listener: std::net::TcpListener, upstream: Upstream, shared: Arc<Shared>) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let mut mode = shared.mode.subscribe();
    // Dropping the set ends its tasks, and with them the connections.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            _ = mode.wait_for(|mode| mode.ended) => return Ok(()),
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                connections.spawn(connection(accepted?.0, upstream.clone(), Arc::clone(&shared)));
            }
        }
    }
}

/// One connection, until it ends or is cut.
async fn connection(stream: TcpStream, upstream: Upstream, shared: Arc<Shared>) {
    stream.set_nodelay(true).ok();
    let mut mode = shared.mode.subscribe();
    let answer = service_fn(|request: Request<Incoming>| pass_on(&upstream, &shared, request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
    tokio::select! {
        biased;
        _ = mode.wait_for(|mode| mode.cut) => {}
        // A client that goes away is no error, and neither is an API server that does: its client sees the end too.
        _ = connection => {}
    }
}

async fn pass_on(
    upstream: &Upstream,
    shared: &Arc<Shared>,
    request: Request<Incoming>,
) -> io::Result<Response<Streamed>> {
    let (head, body) = request.into_parts();
    let is_watch = request::is_watch(&head.method, &head.uri);
    shared.count(request::kind(&head.method, &head.uri));
    let body: Bytes = body.collect().await.map_err(other)?.to_bytes();
    let delay = shared.mode.borrow().delay;
    if !delay.is_zero() {
        sleep(delay).await;
    }
    let answer = upstream
        .client
        .request(head.method, format!("{}{}", upstream.base, head.uri))
        .headers(end_to_end(head.headers))
        .body(body)
        .send()
        .await
        .map_err(other)?;
    let mut response = Response::builder().status(answer.status());
    if let Some(headers) = response.headers_mut() {
        *headers = end_to_end(answer.headers().clone());
    }
    let body = if is_watch { stream::held(answer, shared.mode.subscribe()) } else { stream::passed(answer) };
    response.body(body).map_err(other)
}

/// Without what speaks of one connection only.
fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    for of_the_hop in [header::HOST, header::CONNECTION, header::TRANSFER_ENCODING] {
        headers.remove(of_the_hop);
    }
    headers
}
