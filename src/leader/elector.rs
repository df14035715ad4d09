//! Competes for a Lease, and holds it: carries out what [`plan::election`] says.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures::future::FusedFuture;
use futures::{FutureExt, Stream, StreamExt, TryStreamExt, stream};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{PostParams, WatchEvent, WatchParams};
use kube::{Api, Client};
use plan::election::{Election, LeaseRecord, News, Predecessor, Refusal, Step};
use plan::lease::Before;
use plan::{LeaseTimings, ObjectName, ProcessId, Term, TermId};
use tokio::time::{sleep, timeout};

use crate::timetable::Clock;

use super::object::{saying, stored};
use super::tenure::Tenure;

/// How [`Elector::run`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The lease was not renewed in time, or is another's: nothing may be called any more.
    Lost,
    /// It was asked to leave. A lease that is held is held still: to be renewed further, let go, or left to run out.
    Stopped,
}

/// One process in the election. Plain async: whoever runs it gives it a thread on which nothing else delays it.
pub struct Elector {
    api: Api<Lease>,
    name: ObjectName,
    process: ProcessId,
    timings: LeaseTimings,
    clock: Arc<dyn Clock>,
    tenure: Arc<Tenure>,
    election: Election,
    /// The Lease as it was last received: what others put on it is kept.
    object: Option<Lease>,
    /// What was said of it last: each kind of trouble is told once.
    trouble: Option<&'static str>,
    watch_trouble: Option<&'static str>,
    /// A watch that failed is made anew only after a read that did not.
    may_watch: bool,
}

/// Why a request for the Lease brought nothing.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    #[error(transparent)]
    Kube(#[from] Box<kube::Error>),
}

impl Failure {
    fn code(&self) -> Option<u16> {
        match self {
            Self::Kube(error) => match error.as_ref() {
                kube::Error::Api(status) => Some(status.code),
                _ => None,
            },
            Self::TimedOut(_) => None,
        }
    }

    /// Whether a write was certainly not made; a 5xx may come from something in between.
    fn refusal(&self) -> Option<Refusal> {
        match self.code()? {
            409 => Some(Refusal::Conflict),
            404 => Some(Refusal::Gone),
            408 => None,
            400..500 => Some(Refusal::Other),
            _ => None,
        }
    }

    fn reason(&self) -> &'static str {
        match self.code() {
            None => "LeaseUnreachable",
            Some(401) => "LeaseUnauthorized",
            Some(403) => "LeaseForbidden",
            Some(404) => "LeaseNotFound",
            Some(409) => "LeaseConflict",
            Some(429) => "LeaseThrottled",
            Some(400..500) => "LeaseRefused",
            Some(_) => "LeaseServerError",
        }
    }
}

impl Elector {
    /// A candidate for the Lease `name`. `client` is its own: without retries, and its requests do not queue behind
    /// others. `instance` names the machine or Pod, for people: the holder's identity is `<instance>_<process>`.
    pub fn new(
        client: Client,
        name: ObjectName,
        instance: impl Into<String>,
        process: ProcessId,
        timings: LeaseTimings,
        clock: Arc<dyn Clock>,
        tenure: Arc<Tenure>,
    ) -> Self {
        Self {
            api: Api::namespaced(client, &name.namespace),
            election: Election::new(Self::holder(&instance.into(), &process), process.clone(), timings),
            name,
            process,
            timings,
            clock,
            tenure,
            object: None,
            trouble: None,
            watch_trouble: None,
            may_watch: true,
        }
    }

    /// The same, in place of an earlier candidate of this very process that is over.
    #[must_use]
    pub fn after(self, predecessor: Option<Predecessor>) -> Self {
        Self { election: self.election.after(predecessor), ..self }
    }

    /// The name under which a process holds the Lease.
    pub fn holder(instance: &str, process: &ProcessId) -> String {
        format!("{instance}_{process}")
    }

    /// Renews what is held until `done`: that is, until the calls under way are recorded. Never competes: where the lease
    /// is not held (any more) this ends at once, and `done` is to be waited for without it.
    pub async fn keep_until(&mut self, done: impl Future<Output = ()>) -> End {
        if self.leads() { self.run(done).await } else { End::Lost }
    }

    /// Competes, and renews what is held, until it is lost or `leave` says so; then it is held still, to be let go by
    /// [`Self::release`] once what was called is recorded. May be run again after either end. No
    /// request is in flight when it returns, a read aside.
    pub async fn run(&mut self, leave: impl Future<Output = ()>) -> End {
        let mut leave = pin!(leave.fuse());
        let tenure = Arc::clone(&self.tenure);
        let mut watch = None;
        loop {
            self.watch(&mut watch);
            let news = match self.election.next(&self.clock.moment(), watch.is_some()) {
                Step::StepDown => return self.lost("LeaseExpired", "the lease was not renewed in time"),
                Step::Wait(wait) => tokio::select! {
                    biased;
                    () = &mut leave => return End::Stopped,
                    () = tenure.asked_for_renewal(), if self.leads() => {
                        self.election.hurry();
                        News::Nothing
                    }
                    event = Watch::next(&mut watch) => {
                        self.heard(event, &mut watch);
                        News::Nothing
                    }
                    () = sleep(wait) => News::Nothing,
                },
                Step::Read => tokio::select! {
                    biased;
                    () = &mut leave => return End::Stopped,
                    news = self.read() => news,
                },
                Step::Create(record) => self.write(false, &record).await,
                Step::Update { to, .. } => self.write(true, &to).await,
            };
            match news {
                News::Won(before) => {
                    // Who was asked to leave meanwhile does not begin: what was won is let go or runs out.
                    if leave.is_terminated() || leave.as_mut().now_or_never().is_some() {
                        return End::Stopped;
                    }
                    self.begin(before);
                }
                News::Renewed => self.renewed(),
                News::Lost => return self.lost("LeaseTaken", "the lease is another's, or gone"),
                News::Nothing | News::Released => {}
            }
        }
    }

    /// Lets go of the lease, if it is held: another process takes over at once. Only once all that was called is
    /// recorded. Tries until the renew deadline; then it runs out by itself.
    pub async fn release(&mut self) {
        self.tenure.end();
        self.election.leave(self.clock.moment());
        loop {
            let news = match self.election.next(&self.clock.moment(), false) {
                Step::StepDown => return,
                Step::Wait(wait) => {
                    sleep(wait).await;
                    News::Nothing
                }
                Step::Read => self.read().await,
                Step::Create(record) => self.write(false, &record).await,
                Step::Update { to, .. } => self.write(true, &to).await,
            };
            match news {
                News::Released => {
                    return tracing::info!(lease = %self.name, reason = "LeaseReleased", "let go of the lease");
                }
                News::Lost => return,
                News::Nothing | News::Won(_) | News::Renewed => {}
            }
        }
    }

    fn leads(&self) -> bool {
        self.election.held().is_some()
    }

    fn begin(&mut self, before: Before) {
        let Some(held) = self.election.held() else { return };
        let id = TermId::new(format!("{}/{}/{}", self.name, held.uid, held.transitions));
        let term = Term::new(self.process.clone(), id, self.clock.now(), before, &self.timings);
        tracing::info!(lease = %self.name, reason = "LeaseWon", term = %term.id, before = ?term.before, "this process leads");
        self.tenure.begin(term, held.renewed);
    }

    fn renewed(&self) {
        if let Some(held) = self.election.held() {
            self.tenure.renewed(held.renewed);
        }
    }

    fn lost(&self, reason: &str, why: &str) -> End {
        self.tenure.end();
        tracing::error!(lease = %self.name, reason, why, "this process leads no longer");
        End::Lost
    }

    async fn read(&mut self) -> News {
        let answer = self.within(self.api.get_opt(&self.name.name)).await;
        let now = self.clock.moment();
        match answer {
            Ok(lease) => {
                self.untroubled();
                self.may_watch = true;
                let found = lease.as_ref().map(stored);
                if let (Some(before), Some(now)) = (self.election.lease(), &found) {
                    let number = |version: &str| version.parse::<u64>().ok();
                    if before.uid == now.uid && number(&now.version) < number(&before.version) {
                        tracing::error!(lease = %self.name, reason = "LeaseWentBack", "an older version than before is stored");
                        self.tenure.store_went_back();
                    }
                }
                let news = self.election.read(found, now);
                self.object = lease;
                news
            }
            Err(error) => {
                self.tell(&error, "get");
                News::Nothing
            }
        }
    }

    async fn write(&mut self, update: bool, record: &LeaseRecord) -> News {
        let (params, lease) = (PostParams::default(), saying(record, &self.name, self.base(update)));
        let (verb, answer) = if update {
            ("update", self.within(self.api.replace(&self.name.name, &params, &lease)).await)
        } else {
            ("create", self.within(self.api.create(&params, &lease)).await)
        };
        let now = self.clock.moment();
        match answer {
            Ok(lease) => {
                self.untroubled();
                let news = self.election.answered(&stored(&lease), now);
                self.object = Some(lease);
                news
            }
            Err(error) => {
                self.tell(&error, verb);
                match error.refusal() {
                    Some(Refusal::Gone) if !update => self.election.refused(Refusal::Other, now),
                    Some(refusal) => self.election.refused(refusal, now),
                    None => News::Nothing,
                }
            }
        }
    }

    /// What is written over: the version that the election decided upon.
    fn base(&self, update: bool) -> Option<Lease> {
        let known = self.election.lease().filter(|_| update)?;
        let mut lease = self.object.clone().unwrap_or_default();
        if lease.metadata.resource_version.as_ref() != Some(&known.version) {
            lease = Lease::default();
            lease.metadata.name = Some(self.name.name.to_string());
            lease.metadata.namespace = Some(self.name.namespace.to_string());
            lease.metadata.uid = Some(known.uid.clone());
            lease.metadata.resource_version = Some(known.version.clone());
        }
        Some(lease)
    }

    /// Never past the renew deadline: who has lost the lease must know it then.
    async fn within<T>(&self, request: impl Future<Output = kube::Result<T>>) -> Result<T, Failure> {
        let left = self.election.left(&self.clock.moment()).unwrap_or(Duration::MAX);
        let longest = self.timings.attempt.min(left);
        match timeout(longest, request).await {
            Ok(answer) => answer.map_err(|error| Box::new(error).into()),
            Err(_) => Err(Failure::TimedOut(longest)),
        }
    }

    fn tell(&mut self, error: &Failure, verb: &str) {
        let reason = error.reason();
        let races = reason == "LeaseConflict";
        if races || self.trouble == Some(reason) {
            tracing::debug!(lease = %self.name, reason, verb, %error, "a request for the lease failed");
            return;
        }
        self.trouble = Some(reason);
        let leads = self.leads();
        if reason == "LeaseForbidden" {
            tracing::error!(
                lease = %self.name, reason, verb, %error, leads,
                "no right to {verb} the lease: the service account needs get, create, update and watch on leases of \
                 coordination.k8s.io in namespace {}; trying again",
                self.name.namespace
            );
        } else {
            tracing::warn!(lease = %self.name, reason, verb, %error, leads, "a request for the lease failed, trying again");
        }
    }

    fn untroubled(&mut self) {
        if let Some(reason) = self.trouble.take() {
            tracing::info!(lease = %self.name, was = reason, reason = "LeaseReachable", "requests for the lease are answered again");
        }
    }
}

/// Standing by: the holder's release is heard of at once.
impl Elector {
    /// Who leads does not watch: its own writes tell. From the version that was read, so nothing between is missed.
    fn watch(&mut self, watch: &mut Option<Watch>) {
        let version = self.election.lease().map(|lease| lease.version.clone());
        match version {
            _ if self.leads() => *watch = None,
            Some(version) if watch.is_none() && self.may_watch => {
                *watch = Some(Watch::from(self.api.clone(), &self.name.name, version, self.timings.duration * 2));
                self.may_watch = false;
            }
            _ => {}
        }
    }

    fn heard(&mut self, event: Option<kube::Result<WatchEvent<Lease>>>, watch: &mut Option<Watch>) {
        let now = self.clock.moment();
        match event {
            Some(Ok(WatchEvent::Added(lease) | WatchEvent::Modified(lease))) => {
                self.watch_trouble = None;
                // A watch that brings something may be made anew at once after its end.
                self.may_watch = true;
                self.election.watched(stored(&lease), now);
                self.object = Some(lease);
            }
            Some(Ok(WatchEvent::Deleted(lease))) => self.election.watched_deletion(&stored(&lease), now),
            Some(Ok(WatchEvent::Bookmark(_))) => {}
            Some(Ok(WatchEvent::Error(status))) => self.unwatched(kube::Error::Api(status), watch),
            Some(Err(error)) => self.unwatched(error, watch),
            None => *watch = None,
        }
    }

    /// Reads go on, and the next that succeeds begins another watch.
    fn unwatched(&mut self, error: kube::Error, watch: &mut Option<Watch>) {
        *watch = None;
        self.may_watch = false;
        let error = Failure::from(Box::new(error));
        let reason = error.reason();
        if self.watch_trouble.replace(reason) != Some(reason) {
            tracing::warn!(lease = %self.name, reason, verb = "watch", %error, "the lease is not watched but read now and then");
        }
    }
}

/// Changes of the one Lease.
struct Watch {
    events: Pin<Box<dyn Stream<Item = kube::Result<WatchEvent<Lease>>> + Send>>,
}

impl Watch {
    fn from(api: Api<Lease>, name: &str, version: String, longest: Duration) -> Self {
        let seconds = u32::try_from(longest.as_secs().max(1)).unwrap_or(u32::MAX);
        let one = WatchParams::default().fields(&format!("metadata.name={name}")).timeout(seconds);
        let events = stream::once(async move { api.watch(&one, &version).await }).try_flatten().boxed();
        Self { events }
    }

    /// The next event; `None`: the watch has ended. Without a watch there is no news, ever.
    async fn next(watch: &mut Option<Self>) -> Option<kube::Result<WatchEvent<Lease>>> {
        match watch {
            Some(watch) => watch.events.next().await,
            None => std::future::pending().await,
        }
    }
}
