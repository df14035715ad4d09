//! The HTTP side: which request means what, on its way through latency and faults.

use std::{
    future::pending,
    io,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{body::Body, extract};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Method, Request, Response, header};
use kube::core::Status;
use serde_json::{Value, json};
use tokio::time::sleep;
use tower::Service;

use super::{
    Answer, Fault, Key, Listed, RESOURCES, Resource, State, Store, Verb, code_of, patch::Patch, reading::Query,
    refusal, watching,
};

/// One client's connection to the [`Store`].
#[derive(Clone)]
pub(crate) struct Apiserver {
    store: Store,
    who: Arc<str>,
}

/// A request, understood.
struct Call {
    verb: Verb,
    resource: &'static Resource,
    namespace: Option<String>,
    name: String,
    query: Query,
    content_type: String,
    body: Value,
}

impl Service<Request<kube::client::Body>> for Apiserver {
    type Response = Response<Body>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Response<Body>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<kube::client::Body>) -> Self::Future {
        // A task of its own: what was sent is carried out also when the client has given up.
        let task = tokio::spawn(self.clone().serve(request));
        Box::pin(async { task.await.map_err(io::Error::other)? })
    }
}

impl Apiserver {
    pub(super) fn new(store: Store, who: &str) -> Self {
        Self { store, who: who.into() }
    }

    async fn serve(self, request: Request<kube::client::Body>) -> io::Result<Response<Body>> {
        let (head, body) = request.into_parts();
        let body = body.collect_bytes().await.map_err(io::Error::other)?;
        self.travel().await;
        let call = match understand(&head, &body) {
            Ok(call) => call,
            Err(status) => return Ok(respond(status.code, &failure(&status))),
        };
        let fault = self.store.lock().fault_for(&call);
        let response = match fault {
            None => self.perform(&call, None),
            Some(Fault::Reset) => return Err(io::ErrorKind::ConnectionReset.into()),
            Some(Fault::Hang) => pending().await,
            Some(Fault::Refuse(_)) => self.perform(&call, fault),
            Some(Fault::Mislead(code)) => {
                self.perform(&call, fault);
                respond(code, &failure(&refusal(code, "failed after the fact, as the test asked")))
            }
            Some(Fault::LoseAnswer) => {
                self.perform(&call, fault);
                pending().await
            }
            Some(Fault::Late(by)) => {
                sleep(by).await;
                self.perform(&call, fault)
            }
        };
        self.travel().await;
        Ok(response)
    }

    /// One way over the network; nothing arrives over a cut one.
    async fn travel(&self) {
        let (half, cut) = {
            let mut state = self.store.lock();
            (state.half_latency(), state.faults.cut.contains(&*self.who))
        };
        if cut {
            pending::<()>().await;
        }
        if !half.is_zero() {
            sleep(half).await;
        }
    }

    fn perform(&self, call: &Call, fault: Option<Fault>) -> Response<Body> {
        let mut state = self.store.lock();
        if call.verb == Verb::Watch && !matches!(fault, Some(Fault::Refuse(_))) {
            return match state.watch(self.who.clone(), call.resource, call.namespace.clone(), &call.query) {
                Ok(watch) => stream_body(watching::stream(self.store.clone(), watch)),
                Err(status) => respond(status.code, &failure(&status)),
            };
        }
        let answer = match fault {
            Some(Fault::Refuse(code)) => Err(refusal(code, "refused, as the test asked")),
            _ => state.answer(call),
        };
        let code = code_of(call.verb, &answer);
        if call.verb == Verb::Get {
            *state.reads.entry(call.resource.plural).or_default() += 1;
        }
        if call.verb == Verb::List {
            let (by, plural, whole) = (self.who.to_string(), call.resource.plural, call.query.whole());
            state.lists.push(Listed { by, plural, whole });
        }
        if !matches!(call.verb, Verb::Get | Verb::List | Verb::Watch) {
            let told = match fault {
                Some(Fault::LoseAnswer) => None,
                Some(Fault::Mislead(code)) => Some(code),
                _ => Some(code),
            };
            state.record(&self.who, call.verb, call.key(), call.body.clone(), &answer, told);
        }
        match answer {
            Ok(object) => respond(code, &object),
            Err(status) => respond(code, &failure(&status)),
        }
    }
}

impl Call {
    fn key(&self) -> Key {
        let name = match self.body["metadata"]["name"].as_str() {
            Some(name) if self.verb == Verb::Create => name,
            _ => &self.name,
        };
        Key::new(self.resource, self.namespace.as_deref().unwrap_or_default(), name)
    }
}

impl State {
    fn answer(&mut self, call: &Call) -> Answer {
        let (resource, key) = (call.resource, call.key());
        if call.query.dry_run.is_some() {
            return Err(refusal(400, "dryRun is not simulated"));
        }
        match call.verb {
            Verb::Get => self.get(resource, &key, &call.query),
            Verb::List | Verb::Watch => self.list(resource, call.namespace.as_deref(), &call.query),
            Verb::Create => self.create(resource, &key.namespace, call.body.clone()),
            Verb::Update | Verb::UpdateStatus => self.replace(resource, &key, call.body.clone(), call.verb),
            Verb::Delete => self.delete(resource, &key, &call.body),
            Verb::Patch | Verb::PatchStatus => {
                let patch = Patch::new(&call.content_type, call.body.clone())
                    .ok_or_else(|| refusal(415, format!("not served: {}", call.content_type)))?;
                self.patch(resource, &key, &patch, call.verb)
            }
        }
    }

    fn fault_for(&mut self, call: &Call) -> Option<Fault> {
        let planned = &mut self.faults.planned;
        let meant = planned.iter().position(|(verb, plural, _)| *verb == call.verb && plural == call.resource.plural);
        if let Some(index) = meant {
            return Some(planned.remove(index).2);
        }
        if self.faults.per_mille == 0 || self.chance.below(1000) >= self.faults.per_mille {
            return None;
        }
        // kube's watcher would wait for ever for a list that is never answered.
        let kinds = if matches!(call.verb, Verb::List | Verb::Watch) { 3 } else { 6 };
        Some(match self.chance.below(kinds) {
            0 => Fault::Refuse(429),
            1 => Fault::Refuse(500),
            2 => Fault::Reset,
            3 => Fault::Mislead(504),
            4 => Fault::LoseAnswer,
            _ => Fault::Late(Duration::from_millis(self.chance.below(20_000))),
        })
    }

    fn half_latency(&mut self) -> Duration {
        let Some(range) = self.faults.latency.clone() else { return Duration::ZERO };
        let spread = u64::try_from(range.end().saturating_sub(*range.start()).as_micros()).unwrap_or(u64::MAX - 1);
        (*range.start() + Duration::from_micros(self.chance.below(spread + 1))) / 2
    }
}

fn understand(head: &http::request::Parts, body: &Bytes) -> Result<Call, Box<Status>> {
    let nowhere = || refusal(404, "the server could not find the requested resource");
    let (resource, namespace, rest) = route(head.uri.path()).ok_or_else(nowhere)?;
    let extract::Query(query) =
        extract::Query::<Query>::try_from_uri(&head.uri).map_err(|error| refusal(400, error.to_string()))?;
    let (name, status) = match rest.as_slice() {
        [] => ("", false),
        [name] => (*name, false),
        [name, "status"] if resource.custom => (*name, true),
        _ => return Err(nowhere()),
    };
    let verb = match (&head.method, name.is_empty(), status) {
        (&Method::GET, true, _) if query.watch => Verb::Watch,
        (&Method::GET, true, _) => Verb::List,
        (&Method::GET, false, _) => Verb::Get,
        (&Method::POST, true, _) => Verb::Create,
        (&Method::PUT, false, false) => Verb::Update,
        (&Method::PUT, false, true) => Verb::UpdateStatus,
        (&Method::PATCH, false, false) => Verb::Patch,
        (&Method::PATCH, false, true) => Verb::PatchStatus,
        (&Method::DELETE, false, false) => Verb::Delete,
        _ => return Err(refusal(405, "the server does not allow this method on the requested resource")),
    };
    let body = match body.as_ref() {
        [] => Value::Null,
        bytes => serde_json::from_slice(bytes).map_err(|error| refusal(400, error.to_string()))?,
    };
    let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    Ok(Call {
        verb,
        resource,
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
        query,
        content_type: content_type.unwrap_or_default().to_owned(),
        body,
    })
}

/// The resource, the namespace and what follows of `/api/v1/…` or `/apis/<group>/<version>/…`.
fn route(path: &str) -> Option<(&'static Resource, Option<&str>, Vec<&str>)> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (group, version, rest) = match parts.as_slice() {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return None,
    };
    let (namespace, plural, rest) = match rest {
        ["namespaces", namespace, plural, rest @ ..] => (Some(*namespace), *plural, rest),
        [plural, rest @ ..] => (None, *plural, rest),
        [] => return None,
    };
    let served = |r: &&Resource| (r.group, r.version, r.plural) == (group, version, plural);
    let resource = RESOURCES.iter().find(served)?;
    Some((resource, namespace, rest.to_vec()))
}

/// A refusal as it goes over the wire.
pub(super) fn failure(status: &Status) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": status.message, "reason": status.reason, "code": status.code})
}

fn respond(code: u16, object: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(object.to_string()));
    *response.status_mut() = http::StatusCode::from_u16(code).unwrap_or_default();
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn stream_body(stream: impl futures::Stream<Item = io::Result<Bytes>> + Send + 'static) -> Response<Body> {
    Response::new(Body::from_stream(stream))
}
