//! What the tests stand on: a server that sees bytes, and a client of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::tls_roots::TlsRoots;

pub(super) const KEY: &str = "the-secret-key";
pub(super) const ID: &str = "88bb4096a39c4e0bb75aa84dfea6ab9c";

pub(super) fn id() -> JobId {
    JobId::parse(ID).unwrap()
}

pub(super) fn client(transport: Transport, endpoint: &str, timeouts: Timeouts) -> LiveClient {
    LiveClient::new(transport, Endpoint::parse(endpoint).unwrap(), ApiKey::parse(KEY).unwrap(), timeouts)
}

/// A client over the network; a proxy in the tests' environment is passed by.
pub(super) fn http_client(endpoint: &str) -> LiveClient {
    let timeouts = Timeouts::default();
    client(http_transport(&timeouts, reqwest::ClientBuilder::no_proxy), endpoint, timeouts)
}

pub(super) fn http_transport(
    timeouts: &Timeouts,
    adjust: impl Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> Transport {
    // Another test may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Transport::over_http_with(timeouts, &TlsRoots::bundled(), adjust).unwrap()
}

/// What a [`Server`] does once it has a request.
pub(super) enum Reply {
    /// Writes this and waits for the next request.
    Write(String),
    /// Writes this and closes the connection.
    WriteAndClose(String),
    /// Writes this, then zeros for as long as anyone takes them.
    WriteForever(String),
}

/// An answer with a length, after which the connection may stay open.
pub(super) fn answer(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// What the API says of a job, and what it answers to a call.
pub(super) fn good() -> String {
    answer(200, "Date: Wed, 25 Nov 2026 04:00:00 GMT\r\n", &format!(r#"{{"id":"{ID}","state":"standby"}}"#))
}

/// A server that keeps the requests it got as text, head and body.
pub(super) struct Server {
    pub(super) endpoint: String,
    requests: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    pub(super) async fn start(reply: impl Fn() -> Reply + Clone + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            endpoint: format!("http://{}", listener.local_addr().unwrap()),
            requests: Arc::default(),
            connections: Arc::default(),
        };
        let (requests, connections) = (server.requests.clone(), server.connections.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, requests.clone(), reply.clone()));
            }
        });
        server
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn serve(mut stream: TcpStream, requests: Arc<Mutex<Vec<String>>>, reply: impl Fn() -> Reply) {
    while let Some(request) = read_request(&mut stream).await {
        requests.lock().unwrap().push(request);
        match reply() {
            Reply::Write(text) => stream.write_all(text.as_bytes()).await.unwrap(),
            Reply::WriteAndClose(text) => return stream.write_all(text.as_bytes()).await.unwrap(),
            Reply::WriteForever(text) => {
                stream.write_all(text.as_bytes()).await.unwrap();
                while stream.write_all(&[b'0'; 8192]).await.is_ok() {}
            }
        }
    }
}

/// The next request; none at the end of the connection, or if what comes is not HTTP.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut request = read_head(stream).await?;
    let length = request.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.ok()?;
    request.push_str(&String::from_utf8(body).unwrap());
    Some(request)
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
        if head[0] == 0x16 {
            return None;
        }
    }
    String::from_utf8(head).ok()
}
