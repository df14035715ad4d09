//! What carries a request to a receiver: the network, or a service in the same process.

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, Request, Response};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tower::service_fn;
use tower::util::BoxCloneSyncService;

use super::guard::{AddressRefused, Guard};
use super::outcome::Unanswered;
use super::resolver::Resolver;
use crate::tls_roots::TlsRoots;

/// Sends each request once and returns the head of its answer, whatever its status.
pub(super) type Wire = BoxCloneSyncService<Request<Bytes>, Response<()>, NotAnswered>;

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnswered {
    /// It was not sent: an address of the receiver may not be dialled.
    #[error("{0}")]
    Refused(#[from] AddressRefused),
    /// Anything else.
    #[error("{0}")]
    Unanswered(Unanswered),
}

/// The network cannot be used at all: no TLS provider.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no HTTP client for notifications can be made: {reason}")]
pub struct WireUnavailable {
    reason: String,
}

/// HTTP/1.1, rustls with the process's default provider and these root certificates, as to the Live API.
///
/// Each request has a connection of its own, so the address of each attempt is checked, and closing it is all that is
/// done about the answer's body.
pub(super) fn network(
    guard: Guard,
    resolver: Arc<dyn Resolver>,
    roots: &TlsRoots,
    connect: Duration,
) -> Result<Wire, WireUnavailable> {
    let client = roots
        .client(http_client(Guarded { guard: guard.clone(), resolver }, connect))
        .map_err(|error| WireUnavailable { reason: innermost(&error) })?;
    let network = Network { client, guard };
    Ok(BoxCloneSyncService::new(service_fn(move |request| network.clone().exchange(request))))
}

fn http_client(guarded: Guarded, connect: Duration) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .http1_only()
        // A proxy would resolve the name itself, out of the guard's sight.
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(connect)
        .pool_max_idle_per_host(0)
        .dns_resolver(Arc::new(guarded))
}

#[derive(Clone, Debug)]
struct Network {
    client: reqwest::Client,
    guard: Guard,
}

impl Network {
    async fn exchange(self, request: Request<Bytes>) -> Result<Response<()>, NotAnswered> {
        let request = reqwest::Request::try_from(request).map_err(|_| not_put_together())?;
        let host = request.url().host_str().ok_or_else(not_put_together)?;
        // The connector asks the resolver for names only.
        if let Some(address) = literal(host) {
            self.guard.check(address)?;
        }
        let mut answer = self.client.execute(request).await.map_err(|error| classify(&error))?;
        let mut head = Response::new(());
        *head.status_mut() = answer.status();
        *head.headers_mut() = only_retry_after(answer.headers_mut());
        Ok(head)
    }
}

/// The address that a host already is. The URL has brought other notations into the usual one.
fn literal(host: &str) -> Option<IpAddr> {
    let v6 = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    v6.unwrap_or(host).parse().ok()
}

fn only_retry_after(headers: &mut HeaderMap) -> HeaderMap {
    headers.remove(RETRY_AFTER).map(|value| (RETRY_AFTER, value)).into_iter().collect()
}

/// The connector's only source of addresses: it dials what comes out of here and resolves nothing again.
#[derive(Debug)]
struct Guarded {
    guard: Guard,
    resolver: Arc<dyn Resolver>,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, resolver) = (self.guard.clone(), Arc::clone(&self.resolver));
        Box::pin(async move {
            let addresses = resolver.addresses(name.as_str()).await?;
            if addresses.is_empty() {
                return Err(io::Error::from(io::ErrorKind::NotFound).into());
            }
            for address in &addresses {
                guard.check(*address)?;
            }
            // The connector puts the URL's port for 0.
            Ok(Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

fn not_put_together() -> NotAnswered {
    NotAnswered::Unanswered(Unanswered::NotPutTogether)
}

/// Tells by the types of an error's layers what went wrong; their texts are left where they are.
fn classify(error: &reqwest::Error) -> NotAnswered {
    if let Some(refused) = layers(error).find_map(|layer| layer.downcast_ref::<AddressRefused>()) {
        return NotAnswered::Refused(*refused);
    }
    NotAnswered::Unanswered(match error {
        _ if error.is_builder() => Unanswered::NotPutTogether,
        _ if error.is_timeout() => Unanswered::TimedOut,
        _ if error.is_dns() => Unanswered::NameNotFound,
        _ if !error.is_connect() => Unanswered::Closed,
        _ if layers(error).any(is_tls) => Unanswered::TlsFailed,
        _ if layers(error).any(is_refused) => Unanswered::ConnectionRefused,
        _ => Unanswered::NotReachable,
    })
}

fn layers<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| below(*error))
}

/// An I/O error passes over the error that it was made of when it is asked for its source.
fn below<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

fn is_refused(layer: &(dyn Error + 'static)) -> bool {
    layer.downcast_ref().is_some_and(|error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// The end of the connection in the middle of a handshake is told as an I/O error.
fn is_tls(layer: &(dyn Error + 'static)) -> bool {
    let cut = |error: &io::Error| error.kind() == io::ErrorKind::UnexpectedEof;
    layer.is::<rustls::Error>() || layer.downcast_ref().is_some_and(cut)
}

fn innermost(error: &reqwest::Error) -> String {
    layers(error).last().map(ToString::to_string).unwrap_or_default()
}
