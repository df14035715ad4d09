//! Competes for a Lease, and holds it: carries out what [`plan::election`] says.

use std::collections::BTreeMap;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use plan::election::{Election, LeaseRecord, News, Step, StoredLease};
use plan::{LeaseTimings, ObjectName, ProcessId, Term, TermId};
use tokio::time::{sleep, timeout};

use crate::timetable::Clock;

use super::tenure::Tenure;

/// Where a holder that lets go in order leaves its name.
const RELEASED_BY: &str = "scheduler.bcovlive.io/released-by";

/// How a tenure ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The lease was not renewed in time, or is another's: nothing may be called any more.
    Lost,
    /// It was asked to leave. A lease that is held is held still: to be let go, or to run out.
    Asked,
}

/// One process in the election.
pub struct Elector {
    api: Api<Lease>,
    name: ObjectName,
    process: ProcessId,
    clock: Arc<dyn Clock>,
    tenure: Arc<Tenure>,
    timings: LeaseTimings,
    election: Election,
    /// What was said of it last: each trouble is told once.
    trouble: Option<String>,
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

    /// Certainly not carried out. A 5xx may come from something in between.
    fn refused(&self) -> bool {
        self.code().is_some_and(|code| (400..500).contains(&code) && code != 408)
    }

    fn reason(&self) -> &'static str {
        match self.code() {
            Some(403) => "LeaseForbidden",
            Some(409) => "LeaseConflict",
            Some(404) => "LeaseNotFound",
            Some(_) => "LeaseRefused",
            None => "LeaseUnanswered",
        }
    }
}

impl Elector {
    /// A candidate for the Lease of that name, with a client of its own: one without retries, whose requests do not
    /// queue behind others. `instance` names the machine or Pod for people.
    pub fn new(
        client: Client,
        name: ObjectName,
        instance: &str,
        process: ProcessId,
        timings: LeaseTimings,
        clock: Arc<dyn Clock>,
        tenure: Arc<Tenure>,
    ) -> Self {
        let election = Election::new(format!("{instance}_{process}"), timings);
        let api = Api::namespaced(client, &name.namespace);
        Self { api, name, process, clock, tenure, timings, election, trouble: None }
    }

    /// Competes, and renews what is held, until it is lost or `leave` says so.
    pub async fn run(&mut self, leave: impl Future<Output = ()>) -> End {
        let mut leave = pin!(leave);
        let tenure = Arc::clone(&self.tenure);
        let mut watch = watched(&self.api, &self.name.name);
        let mut at_once = false;
        loop {
            let wait = match self.election.next(&self.clock.moment(), at_once) {
                Step::Wait(wait) => wait,
                Step::StepDown => {
                    tracing::error!(lease = %self.name, reason = "LeaseLost", "the lease was not renewed in time");
                    return self.lost();
                }
                step => {
                    at_once = false;
                    let done = tokio::select! {
                        biased;
                        () = &mut leave, if !self.leads() => return End::Asked,
                        news = self.attempt(step) => self.tell(news),
                    };
                    if done {
                        return End::Lost;
                    }
                    continue;
                }
            };
            tokio::select! {
                biased;
                () = &mut leave => return End::Asked,
                () = tenure.asked_for_renewal(), if self.leads() => at_once = true,
                heard = next_of(&mut watch) => {
                    let news = heard.map_or(News::Nothing, |heard| self.election.watched(heard, self.clock.moment()));
                    if self.tell(news) {
                        return End::Lost;
                    }
                }
                () = sleep(wait) => {}
            }
        }
    }

    /// Lets go of a lease that is held: another process takes over at once. Only once all that was called is recorded.
    pub async fn release(&mut self) {
        self.tenure.end();
        let Some(lease) = self.election.lease().cloned().filter(|_| self.leads()) else { return };
        let released = LeaseRecord {
            holder: String::new(),
            duration: Duration::from_secs(1),
            renewed: mark(self.clock.now()),
            released_by: Some(self.process.clone()),
            ..lease.record.clone()
        };
        match self.write(Some(&lease), &released).await {
            Ok(_) => tracing::info!(lease = %self.name, "released"),
            Err(error) => tracing::warn!(lease = %self.name, %error, "not released: it runs out by itself"),
        }
        self.election.step_down();
    }

    fn leads(&self) -> bool {
        self.election.held_since().is_some()
    }

    fn lost(&mut self) -> End {
        self.election.step_down();
        self.tenure.end();
        End::Lost
    }

    /// Tells the tenure. Whether it is over.
    fn tell(&mut self, news: News) -> bool {
        let renewed = self.election.held_since();
        match (news, renewed) {
            (News::Won, Some(renewed)) => {
                let term = self.term();
                tracing::info!(lease = %self.name, term = %term.id, before = ?term.before, "won the lease");
                self.tenure.begin(term, renewed);
            }
            (News::Renewed, Some(renewed)) => self.tenure.renewed(renewed),
            (News::Lost, _) => {
                tracing::error!(lease = %self.name, reason = "LeaseTaken", "the lease is another's");
                self.lost();
                return true;
            }
            _ => {}
        }
        false
    }

    fn term(&self) -> Term {
        let (uid, transitions) =
            self.election.lease().map_or(("", 0), |lease| (lease.uid.as_str(), lease.record.transitions));
        let id = TermId::new(format!("{}/{uid}/{transitions}", self.name));
        Term::new(self.process.clone(), id, self.clock.now(), self.election.before().clone(), &self.timings)
    }

    async fn attempt(&mut self, step: Step) -> News {
        let sent = self.clock.moment();
        self.election.tries(sent);
        let from = match step {
            Step::Create => None,
            Step::TakeOver(lease) | Step::Renew(lease) => Some(lease),
            _ => return self.read().await,
        };
        if !self.leads() {
            self.election.takes_over(from.as_ref().map(|lease| &lease.record));
        }
        let mark = mark(sent.wall);
        let record = self.election.record(from.as_ref().map(|lease| &lease.record), mark.clone());
        match self.write(from.as_ref(), &record).await {
            Ok(lease) => {
                self.trouble = None;
                self.election.wrote(lease, sent, self.clock.moment())
            }
            Err(error) => {
                let (refused, gone) = (error.refused(), error.code() == Some(404) && from.is_some());
                self.say(&error);
                if gone {
                    // Deleted. If it was ours, another may have made and lost one since.
                    return self.election.heard(None, self.clock.moment());
                }
                if refused && error.code() == Some(409) {
                    self.election.refused();
                } else if !refused {
                    self.election.unanswered(sent, mark);
                }
                News::Nothing
            }
        }
    }

    async fn read(&mut self) -> News {
        match self.within(self.api.get_opt(&self.name.name)).await {
            Ok(lease) => {
                self.trouble = None;
                self.election.heard(lease.map(stored), self.clock.moment())
            }
            Err(error) => {
                self.say(&error);
                News::Nothing
            }
        }
    }

    async fn write(&self, from: Option<&StoredLease>, record: &LeaseRecord) -> Result<StoredLease, Failure> {
        let lease = written(&self.name, from, record);
        let params = PostParams::default();
        let answer = match from {
            Some(_) => self.within(self.api.replace(&self.name.name, &params, &lease)).await,
            None => self.within(self.api.create(&params, &lease)).await,
        };
        answer.map(stored)
    }

    /// Never past the renew deadline: who has lost the lease must know it then.
    async fn within<T>(&self, request: impl Future<Output = kube::Result<T>>) -> Result<T, Failure> {
        let now = self.clock.moment();
        let age = self.election.held_since().map_or(Duration::ZERO, |held| now.boottime.saturating_sub(held.boottime));
        let longest = self.timings.attempt.min(self.timings.renew_deadline.saturating_sub(age));
        match timeout(longest, request).await {
            Ok(answer) => answer.map_err(|error| Box::new(error).into()),
            Err(_) => Err(Failure::TimedOut(longest)),
        }
    }

    fn say(&mut self, error: &Failure) {
        let reason = error.reason();
        if self.trouble.as_deref() != Some(reason) {
            tracing::warn!(lease = %self.name, reason, %error, leads = self.leads(), "the lease was not had, trying again");
            self.trouble = Some(reason.to_owned());
        }
    }
}

/// What others see change.
fn mark(now: Timestamp) -> String {
    format!("{now:.6}")
}

fn written(name: &ObjectName, from: Option<&StoredLease>, record: &LeaseRecord) -> Lease {
    let renewed: Option<MicroTime> = record.renewed.parse().ok().map(MicroTime);
    let took = from.is_none_or(|from| from.record.holder != record.holder);
    Lease {
        metadata: ObjectMeta {
            name: Some(name.name.clone()),
            namespace: Some(name.namespace.clone()),
            uid: from.map(|from| from.uid.clone()),
            resource_version: from.map(|from| from.version.clone()),
            labels: Some(BTreeMap::from([("app.kubernetes.io/name".to_owned(), "jobstartstop".to_owned())])),
            annotations: record
                .released_by
                .as_ref()
                .map(|process| BTreeMap::from([(RELEASED_BY.to_owned(), process.to_string())])),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(record.holder.clone()),
            // Whole seconds are all that it can say: rounded up, so that nobody takes over too early.
            lease_duration_seconds: Some(
                i32::try_from(record.duration.as_millis().div_ceil(1_000)).unwrap_or(i32::MAX),
            ),
            lease_transitions: Some(i32::try_from(record.transitions).unwrap_or(i32::MAX)),
            renew_time: renewed.clone(),
            acquire_time: renewed.filter(|_| took),
            ..LeaseSpec::default()
        }),
    }
}

fn stored(lease: Lease) -> StoredLease {
    let spec = lease.spec.unwrap_or_default();
    let seconds = u64::try_from(spec.lease_duration_seconds.unwrap_or(0)).unwrap_or(0);
    StoredLease {
        uid: lease.metadata.uid.unwrap_or_default(),
        version: lease.metadata.resource_version.unwrap_or_default(),
        record: LeaseRecord {
            holder: spec.holder_identity.unwrap_or_default(),
            duration: Duration::from_secs(seconds),
            transitions: i64::from(spec.lease_transitions.unwrap_or(0)),
            renewed: spec.renew_time.map(|at| mark(at.0)).unwrap_or_default(),
            released_by: lease.metadata.annotations.and_then(|mut all| all.remove(RELEASED_BY)).map(ProcessId::new),
        },
    }
}

type Heard = Pin<Box<dyn Stream<Item = watcher::Result<Event<Lease>>> + Send>>;

/// A release is heard of at once. A watch that fails is made anew by the next poll; reads go on beside it.
fn watched(api: &Api<Lease>, name: &str) -> Heard {
    let one = watcher::Config::default().fields(&format!("metadata.name={name}")).timeout(30);
    watcher::watcher(api.clone(), one).boxed()
}

/// The next thing heard of the Lease; `Some(None)`: it was deleted. Never returns while there is no news.
async fn next_of(watch: &mut Heard) -> Option<Option<StoredLease>> {
    const AGAIN: Duration = Duration::from_secs(2);
    loop {
        match watch.next().await {
            Some(Ok(Event::Apply(lease) | Event::InitApply(lease))) => return Some(Some(stored(lease))),
            Some(Ok(Event::Delete(_))) => return Some(None),
            Some(Ok(Event::Init | Event::InitDone)) => {}
            Some(Err(error)) => {
                tracing::debug!(%error, "the lease is not watched, trying again");
                sleep(AGAIN).await;
            }
            None => std::future::pending().await,
        }
    }
}
