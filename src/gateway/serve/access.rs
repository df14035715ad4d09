//! One log line for each request. It says nothing that the client chose freely: a key belongs into a header, but some
//! send it in the path, in the query or as the method.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::Method;
use http::request::Parts;
use tokio::time::Instant;

use super::{Answered, Observer, Refusal};

/// The name of the account for which the app answered, as an extension of its answer. With it an answer says, too,
/// that the app knows the key of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessName(pub String);

/// The route that a request came to, also when the app never answers it.
#[derive(Clone, Debug, Default)]
pub(super) struct Route(Arc<OnceLock<MatchedPath>>);

/// Middleware of the app's routes: only behind the router is the route known.
pub(super) async fn tell_route(request: Request, next: Next) -> Response {
    let extensions = request.extensions();
    if let (Some(route), Some(matched)) = (extensions.get::<Route>(), extensions.get::<MatchedPath>()) {
        let _ = route.0.set(matched.clone());
    }
    next.run(request).await
}

/// A request under way. When it is dropped, its line is written.
pub(super) struct Record {
    observer: Arc<dyn Observer>,
    peer: SocketAddr,
    method: &'static str,
    path: String,
    route: Route,
    began: Instant,
    status: Option<u16>,
    refusal: Option<Refusal>,
    account: Option<AccessName>,
    bytes: u64,
}

impl Record {
    pub(super) fn begin(observer: Arc<dyn Observer>, peer: SocketAddr, head: &Parts) -> Self {
        Self {
            observer,
            peer,
            method: method(&head.method),
            path: head.uri.path().to_owned(),
            route: Route::default(),
            began: Instant::now(),
            status: None,
            refusal: None,
            account: None,
            bytes: 0,
        }
    }

    pub(super) fn route(&self) -> Route {
        self.route.clone()
    }

    pub(super) fn refused(&mut self, refusal: Refusal) {
        self.observer.refused(refusal);
        self.refusal = Some(refusal);
    }

    pub(super) fn answered<B>(&mut self, answer: &http::Response<B>) {
        self.status = Some(answer.status().as_u16());
        self.account = answer.extensions().get().cloned();
    }

    /// So many bytes of the answer's body were handed over.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    fn shown_path(&self) -> String {
        match self.route.0.get() {
            Some(route) => shown_path(route.as_str(), &self.path, self.status == Some(200)),
            None => NO_ROUTE.to_owned(),
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let duration = self.began.elapsed();
        tracing::info!(
            target: "access",
            method = self.method,
            path = self.shown_path(),
            status = self.status,
            bytes = self.bytes,
            duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            peer = %self.peer,
            account = self.account.as_ref().map(|AccessName(name)| name.as_str()),
            refused = self.refusal.map(Refusal::name),
            "request"
        );
        let route = self.route.0.get().map_or(NO_ROUTE, MatchedPath::as_str);
        self.observer.answered(&Answered { method: self.method, route, status: self.status, duration });
    }
}

/// The line of a request that has no head.
pub(super) fn refused_head(observer: &dyn Observer, peer: SocketAddr, refusal: Refusal) {
    tracing::info!(target: "access", status = refusal.status().as_u16(), %peer, refused = refusal.name(), "request");
    observer.refused(refusal);
}

const NO_ROUTE: &str = "none";

fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::CONNECT => "CONNECT",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}

/// The route's pattern, with workflow ids in place of its parameters. Only where the app has `found` what was asked
/// for: what it does not know could be a key in the wrong place, and some keys look like ids.
fn shown_path(pattern: &str, path: &str, found: bool) -> String {
    let mut given = path.split('/');
    let shown = pattern.split('/').map(|part| match given.next() {
        Some(id) if found && part.starts_with('{') && is_workflow_id(id) => id,
        _ => part,
    });
    shown.collect::<Vec<_>>().join("/")
}

fn is_workflow_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_with_the_ids_that_were_found_and_nothing_else_of_the_clients() {
        let id = "d44cf29f4f184757ac0995beb8a0097e";
        for (pattern, path, found, shown) in [
            ("/v1/jobs", "/v1/jobs".to_owned(), true, "/v1/jobs".to_owned()),
            ("/v1/jobs/{id}", format!("/v1/jobs/{id}"), true, format!("/v1/jobs/{id}")),
            ("/v1/jobs/{id}", format!("/v1/jobs/{id}"), false, "/v1/jobs/{id}".to_owned()),
            ("/v1/jobs/{id}", "/v1/jobs/some-key".to_owned(), true, "/v1/jobs/{id}".to_owned()),
            ("/v1/jobs/{id}", format!("/v1/jobs/{}", id.to_uppercase()), true, "/v1/jobs/{id}".to_owned()),
            ("/v1/{*rest}", format!("/v1/jobs/{id}"), true, "/v1/{*rest}".to_owned()),
        ] {
            assert_eq!(shown_path(pattern, &path, found), shown);
        }
    }
}
