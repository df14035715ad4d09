//! An apiserver with one Lease in it: versions, uids, preconditions and watches as they really are, over links that are
//! slow, lose requests or answers, or are cut.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use k8s_openapi::api::coordination::v1::Lease;
use serde_json::{Value, json};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

use super::dice::Dice;

/// What is stored, shared by all links.
#[derive(Clone, Default)]
pub(super) struct Apiserver(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    version: u64,
    lease: Option<Value>,
    events: Vec<(u64, Value)>,
}

impl Apiserver {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    pub(super) fn lease(&self) -> Option<Lease> {
        self.state().lease.clone().map(|lease| serde_json::from_value(lease).unwrap())
    }

    pub(super) fn holder(&self) -> String {
        self.lease().and_then(|lease| lease.spec?.holder_identity).unwrap_or_default()
    }

    pub(super) fn transitions(&self) -> i32 {
        self.lease().unwrap().spec.unwrap().lease_transitions.unwrap()
    }

    /// Somebody with kubectl changes it.
    pub(super) fn edit(&self, change: impl FnOnce(&mut Value)) {
        let mut lease = self.state().lease.clone().unwrap();
        change(&mut lease);
        self.put("MODIFIED", lease);
    }

    /// Somebody with kubectl deletes it.
    pub(super) fn delete(&self) {
        let gone = self.state().lease.clone().unwrap();
        self.put("DELETED", gone);
    }

    fn put(&self, kind: &str, mut lease: Value) -> Value {
        let mut state = self.state();
        state.version += 1;
        let version = state.version;
        lease["metadata"]["resourceVersion"] = json!(version.to_string());
        state.events.push((version, json!({ "type": kind, "object": lease })));
        state.lease = Some(lease.clone()).filter(|_| kind != "DELETED");
        drop(state);
        self.0.changed.notify_waiters();
        lease
    }

    fn perform(&self, method: &Method, mut body: Value) -> (u16, Value) {
        let stored = self.state().lease.clone();
        match (method, stored) {
            (&Method::GET, Some(lease)) => (200, lease),
            (&Method::POST, None) => {
                let number = self.state().version;
                body["metadata"]["uid"] = json!(format!("uid-{number}"));
                (201, self.put("ADDED", body))
            }
            (&Method::POST, Some(_)) => failure(409, "AlreadyExists"),
            (&Method::PUT, Some(lease)) => {
                let same = |field: &str| body["metadata"][field] == lease["metadata"][field];
                assert!(body["metadata"]["resourceVersion"].is_string(), "no write without a precondition: {body}");
                assert!(body["spec"]["leaseDurationSeconds"].as_i64().unwrap() > 0);
                if same("uid") && same("resourceVersion") {
                    (200, self.put("MODIFIED", body))
                } else {
                    failure(409, "Conflict")
                }
            }
            _ => failure(404, "NotFound"),
        }
    }
}

fn failure(code: u16, reason: &str) -> (u16, Value) {
    let status = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code,
        "message": reason });
    (code, status)
}

/// How one client reaches it.
#[derive(Clone)]
pub(super) struct Link {
    server: Apiserver,
    wire: Arc<Mutex<Wire>>,
    healed: Arc<Notify>,
}

#[derive(Default)]
pub(super) struct Wire {
    /// On the way there, and the way back.
    pub(super) delay: (Duration, Duration),
    /// Nothing gets through, in either direction; connections stand.
    pub(super) cut: bool,
    /// Connections are refused.
    pub(super) refusing: bool,
    /// So many of the next writes never arrive.
    pub(super) lose_writes: u32,
    /// The answers of so many of the next writes never arrive.
    pub(super) lose_answers: u32,
    /// These verbs are forbidden.
    pub(super) forbidden: &'static [&'static str],
    /// Watches are accepted and bring nothing.
    pub(super) silent_watches: bool,
    /// Every request's luck, where it is drawn.
    pub(super) dice: Option<Dice>,
    /// The writes that were answered with success: when they were sent.
    pub(super) renewals: Vec<Instant>,
    /// When anything was sent.
    pub(super) requests: Vec<(Instant, &'static str)>,
    writing: u32,
    /// The most writes that were waited for at once.
    pub(super) most_writing: u32,
}

enum Fate {
    Arrives,
    Lost,
    AnswerLost,
}

impl Link {
    pub(super) fn to(server: &Apiserver) -> Self {
        Self { server: server.clone(), wire: Arc::default(), healed: Arc::default() }
    }

    pub(super) fn wire(&self) -> MutexGuard<'_, Wire> {
        self.wire.lock().unwrap()
    }

    pub(super) fn cut(&self, cut: bool) {
        self.wire().cut = cut;
        self.healed.notify_waiters();
    }

    pub(super) fn last_renewal(&self) -> Instant {
        *self.wire().renewals.last().unwrap()
    }

    pub(super) fn count(&self, verb: &str) -> usize {
        self.wire().requests.iter().filter(|(_, sent)| *sent == verb).count()
    }

    pub(super) fn client(&self) -> kube::Client {
        let link = self.clone();
        kube::Client::new(tower::service_fn(move |request| link.clone().serve(request)), "ops")
    }

    async fn serve(self, request: Request<kube::client::Body>) -> io::Result<Response<Body>> {
        let sent = Instant::now();
        let (parts, body) = request.into_parts();
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let verb = match parts.method {
            Method::POST => "create",
            Method::PUT => "update",
            _ if query.contains("watch=true") => "watch",
            _ => "get",
        };
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let writes = matches!(verb, "create" | "update");
        let (there, back, fate) = {
            let mut wire = self.wire();
            wire.requests.push((sent, verb));
            if wire.refusing {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            wire.luck(writes)
        };
        let _writing = writes.then(|| Writing::begin(&self));
        // What was sent arrives also when nobody waits for the answer any more.
        let (answer, answered) = oneshot::channel();
        let link = self.clone();
        tokio::spawn(async move {
            sleep(there).await;
            if matches!(fate, Fate::Lost) || link.wire().cut {
                return;
            }
            let forbidden = link.wire().forbidden.contains(&verb);
            let performed = match verb {
                _ if forbidden => failure(403, "Forbidden"),
                "watch" => (200, Value::Null),
                _ => link.server.perform(&parts.method, body),
            };
            sleep(back).await;
            if !matches!(fate, Fate::AnswerLost) && !link.wire().cut {
                let _ = answer.send(performed);
            }
        });
        let Ok((code, object)) = answered.await else { return std::future::pending().await };
        if writes && code < 300 {
            self.wire().renewals.push(sent);
        }
        if verb == "watch" && code == 200 {
            return Ok(Response::new(self.events(&query)));
        }
        let mut response = Response::new(Body::from(object.to_string()));
        *response.status_mut() = code.try_into().unwrap();
        Ok(response)
    }

    fn events(&self, query: &str) -> Body {
        let parameter = |name: &str| {
            let found = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            found.and_then(|value| value.parse::<u64>().ok()).unwrap()
        };
        let ends = Instant::now() + Duration::from_secs(parameter("timeoutSeconds"));
        let stream = stream::unfold((self.clone(), parameter("resourceVersion")), move |(link, after)| async move {
            loop {
                let (changed, healed) = (link.server.0.changed.notified(), link.healed.notified());
                let through = { !link.wire().cut && !link.wire().silent_watches };
                let next = link.server.state().events.iter().find(|(version, _)| *version > after).cloned();
                if let Some((version, event)) = next.filter(|_| through) {
                    let back = { link.wire().delay.1 };
                    sleep(back).await;
                    let line = Bytes::from(format!("{event}\n"));
                    return Some((Ok::<_, io::Error>(line), (link.clone(), version)));
                }
                tokio::select! {
                    biased;
                    () = changed => {}
                    () = healed => {}
                    () = sleep_until(ends) => return None,
                }
            }
        });
        Body::from_stream(stream)
    }
}

impl Wire {
    fn luck(&mut self, writes: bool) -> (Duration, Duration, Fate) {
        let (there, back) = self.delay;
        if writes && self.lose_writes > 0 {
            self.lose_writes -= 1;
            return (there, back, Fate::Lost);
        }
        if writes && self.lose_answers > 0 {
            self.lose_answers -= 1;
            return (there, back, Fate::AnswerLost);
        }
        let Some(dice) = &mut self.dice else { return (there, back, Fate::Arrives) };
        // Mostly prompt, now and then slow, seldom slower than anybody waits.
        let longest = dice.pick(&[20, 20, 20, 200, 200, 1_500, 3_000, 9_000]);
        let (there, back) = (dice.millis(longest), dice.millis(longest));
        let fate = match dice.below(10) {
            0 => Fate::Lost,
            1 => Fate::AnswerLost,
            _ => Fate::Arrives,
        };
        (there, back, fate)
    }
}

/// A write that is waited for.
struct Writing(Link);

impl Writing {
    fn begin(link: &Link) -> Self {
        let mut wire = link.wire();
        wire.writing += 1;
        wire.most_writing = wire.most_writing.max(wire.writing);
        Self(link.clone())
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.wire().writing -= 1;
    }
}
