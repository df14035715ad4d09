//! `LiveAccounts` as the index keeps them: where calls go, with which key, and how much an account allows.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta;
use plan::admit::Limits;
use plan::conditions::{Condition, Health, Said, Status};
use plan::serving::Serving;
use plan::skew::Skew;
use plan::{DeletionPolicy, Executor, ObjectName, Quota, Reason, Trouble};
use serde_json::json;

use crate::api::{self, LiveAccount, LiveAccountStatus};
use crate::live::{ApiKey, Endpoint, KeyDigest, LiveClient, Timeouts, Transport};

use super::attempts::Attempts;
use super::conditions::{self, whole_seconds};
use super::raw::{Raw, Read};
use super::signing::{self, Secrets, Signing};
use super::uncovered::Listed;
use super::window::{Defaults, name_of};

/// The finalizer under which a LiveAccount stays while one of its windows has its job on: a namespace is deleted in
/// any order, and the stop needs the account.
pub const IN_USE: &str = "scheduler.bcovlive.io/in-use";

const KEY_ACCEPTED: &str = "KeyAccepted";
const CLOCK_SKEW: &str = "ClockSkew";
const SCHEDULER_AVAILABLE: &str = "SchedulerAvailable";

/// How clients are made.
#[derive(Clone, Debug)]
pub(super) struct Dialling {
    pub(super) transport: Transport,
    pub(super) timeouts: Timeouts,
    /// The endpoints that an account may name; the first is used where it names none.
    pub(super) allowed: Vec<Endpoint>,
}

/// A LiveAccount in the index.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) uid: String,
    pub(super) generation: i64,
    pub(super) created: Timestamp,
    pub(super) resource_version: String,
    /// Being deleted: it serves only the windows that have their job on.
    pub(super) deleting: bool,
    pub(super) finalizers: Vec<String>,
    pub(super) endpoint: Result<Endpoint, Trouble>,
    /// What of its spec cannot be read: then it serves only the windows that have their job on.
    pub(super) unreadable: Option<Trouble>,
    /// Namespace and name of the Secret, and the key in it.
    pub(super) secret: ObjectName,
    secret_key: String,
    pub(super) defaults: Defaults,
    limits: Limits,
    quota: Quota,
    /// What the HTTP interface and notifications answer as `account_id`.
    pub(super) shown_as: Option<String>,
    /// It opted in to the HTTP interface.
    gateway: bool,
    pub(super) signing: Signing,
    pub(super) client: Result<LiveClient, Trouble>,
    /// The Secret that held the key is gone; the key is still used.
    key_gone: Option<Trouble>,
    /// What the Live API last said of the key.
    pub(super) key_accepted: Option<bool>,
    /// The Secret was read again because the Live API refused this key.
    pub(super) doubted: bool,
    pub(super) last_contact: Option<Timestamp>,
    pub(super) scheduler: Scheduler,
    /// Whether another installation serves it, too.
    pub(super) serving: Serving,
    /// The last list of all jobs of its key, by this process or, as it is stored, an earlier one.
    pub(super) listed: Option<Listed>,
    /// The status that the apiserver has acknowledged.
    pub(super) status: LiveAccountStatus,
    /// A status that was written, and what came back for it when that was less, as from an older definition: writing it
    /// again would bring no more.
    pub(super) cut: Option<Box<(LiveAccountStatus, LiveAccountStatus)>>,
    /// Status writes in vain.
    pub(super) writes: Attempts,
    /// Attempts in vain to put its finalizer on or off: an operator without that right still shows its status.
    pub(super) holds: Attempts,
}

/// What the vendor's scheduler said to the account's key when it was last asked to take a window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Scheduler {
    /// An earlier process asked, if any: what is stored stands.
    #[default]
    AsStored,
    /// The key was never asked with.
    NotAsked,
    Takes,
    /// It does not, in the vendor's words.
    Refuses(String),
}

/// What the index knows for an account's status beside the account itself.
pub(super) struct Around<'a> {
    pub(super) windows: api::WindowCounts,
    pub(super) skew: Skew,
    /// What is to be said of how its notifications are signed.
    pub(super) unsigned: Option<Condition>,
    /// What is wrong with sharing its key, if anything.
    pub(super) shared_key: Option<Trouble>,
    /// The last list of all jobs of its key.
    pub(super) listed: Option<&'a Listed>,
    /// The Lease of the installation that serves it.
    pub(super) served_by: String,
}

/// What neither says where calls go nor with which key: a stop can be made without it.
const ASIDE: [&str; 4] = ["spec.defaults", "spec.limits", "spec.accountID", "status"];

/// The object without what cannot be read of it.
pub(super) fn read(raw: Raw<LiveAccount>) -> Result<Read<LiveAccount>, String> {
    let again = raw.clone();
    raw.read().or_else(|why| {
        let mut read = again.with_spec(json!({ "apiKeySecretRef": { "name": "" } })).read()?;
        read.left_out.insert(0, why);
        Ok(read)
    })
}

impl Account {
    /// Reads the object. The key comes apart from it, by [`Account::take_secret`].
    pub(super) fn parse(read: Read<LiveAccount>, dialling: &Dialling, flags: &Defaults) -> Self {
        let Read { object, left_out } = read;
        let name = name_of(&object);
        let unreadable = unreadable(&name, &left_out);
        let aside = |what: &String| ASIDE.iter().any(|aside| what.starts_with(aside));
        let lost = unreadable.clone().filter(|_| !left_out.iter().all(aside));
        let namespace = name.namespace;
        let spec = object.spec;
        // What cannot be read may be the wish to keep them.
        let ttl = spec.defaults.ttl_seconds_after_finished.filter(|_| unreadable.is_none());
        let policy = spec.defaults.deletion_policy.map_or(flags.deletion_policy, DeletionPolicy::from);
        // What cannot be read may say otherwise, and who makes a window's calls is settled once.
        let executor = unreadable.is_none().then(|| spec.defaults.executor.map(Executor::from).unwrap_or_default());
        let listed = object.status.as_ref().and_then(|status| Listed::read(&status.uncovered));
        Self {
            uid: object.metadata.uid.unwrap_or_default(),
            generation: object.metadata.generation.unwrap_or(0),
            created: object.metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |at| at.0),
            deleting: object.metadata.deletion_timestamp.is_some(),
            finalizers: object.metadata.finalizers.unwrap_or_default(),
            resource_version: object.metadata.resource_version.unwrap_or_default(),
            endpoint: lost.map_or_else(|| endpoint(spec.endpoint.as_deref(), &dialling.allowed), Err),
            unreadable,
            secret: ObjectName::new(namespace.clone(), spec.api_key_secret_ref.name),
            secret_key: spec.api_key_secret_ref.key,
            defaults: Defaults {
                deletion_policy: policy,
                activation_lead: SignedDuration::from_secs(i64::from(spec.defaults.activation_lead_seconds)),
                ttl: ttl.map(|s| SignedDuration::from_secs(i64::from(s))),
                executor,
                cluster: Arc::clone(&flags.cluster),
            },
            limits: Limits {
                simultaneous_activations: spec.limits.simultaneous_activations,
                requests_per_second: spec.limits.requests_per_second,
                concurrent_requests: spec.limits.concurrent_requests,
            },
            quota: Quota {
                pending_activations: spec.limits.pending_activations,
                ahead: SignedDuration::from_hours(24 * i64::from(spec.limits.register_ahead_days)),
            },
            shown_as: spec.account_id,
            gateway: spec.gateway.enabled,
            signing: Signing::of(&namespace, spec.notifications),
            client: Err(trouble(Reason::Checking, "The Secret with the API key has not been read yet.")),
            key_gone: None,
            key_accepted: None,
            doubted: false,
            last_contact: None,
            scheduler: Scheduler::default(),
            serving: Serving::default(),
            listed,
            status: object.status.unwrap_or_default(),
            cut: None,
            writes: Attempts::default(),
            holds: Attempts::default(),
        }
    }

    /// Whether the two objects ask for the same: only their statuses, or nothing, differ.
    pub(super) fn asks_the_same(&self, other: &Self) -> bool {
        self.endpoint == other.endpoint
            && self.secret == other.secret
            && self.secret_key == other.secret_key
            && self.defaults == other.defaults
            && self.limits == other.limits
            && self.quota == other.quota
            && self.deleting == other.deleting
            && self.unreadable == other.unreadable
    }

    /// Where a newer version cannot be fully read, what was read before holds.
    fn holding(self, before: &Self) -> Self {
        let lost = |account: &Self| account.endpoint.as_ref().is_err_and(|why| why.reason == Reason::Undecodable);
        if self.unreadable.is_none() || lost(before) {
            return self;
        }
        Self {
            endpoint: before.endpoint.clone(),
            secret: before.secret.clone(),
            secret_key: before.secret_key.clone(),
            defaults: before.defaults.clone(),
            limits: before.limits,
            quota: before.quota,
            signing: before.signing.clone(),
            ..self
        }
    }

    /// Takes over a newer version of the object; what was learnt with an unchanged key stays.
    pub(super) fn renew(&mut self, newer: Self) {
        let newer = newer.holding(self);
        let same_key = self.secret == newer.secret
            && self.secret_key == newer.secret_key
            && self.endpoint.as_ref().ok() == newer.endpoint.as_ref().ok();
        let old = std::mem::replace(self, newer);
        self.holds = old.holds;
        self.serving = old.serving;
        self.cut = old.cut;
        self.listed = old.listed.into_iter().chain(self.listed.take()).max_by_key(|listed| listed.at);
        if same_key {
            self.client = old.client;
            self.key_gone = old.key_gone;
            self.key_accepted = old.key_accepted;
            self.doubted = old.doubted;
            self.last_contact = old.last_contact;
            self.scheduler = old.scheduler;
        } else {
            self.scheduler = Scheduler::NotAsked;
        }
    }

    /// Takes the key out of the Secret, or notes what is wrong. Returns whether anything changed.
    pub(super) fn take_secret(&mut self, secret: Option<&Secret>, dialling: &Dialling) -> bool {
        let next = self.client_from(secret, dialling);
        if let (Ok(_), Err(gone)) = (&self.client, &next)
            && matches!(gone.reason, Reason::SecretNotFound | Reason::SecretKeyMissing)
        {
            // A namespace is deleted Secret first: the last key that worked stays, so that a stop can be made.
            return self.key_gone.replace(gone.clone()).as_ref() != Some(gone);
        }
        let back = self.key_gone.take().is_some();
        let changed = match (&self.client, &next) {
            (Ok(old), Ok(new)) => old.key_fingerprint() != new.key_fingerprint() || old.endpoint() != new.endpoint(),
            (Err(old), Err(new)) => old != new,
            _ => true,
        };
        if changed {
            if self.client.is_ok() {
                self.scheduler = Scheduler::NotAsked;
            }
            self.client = next;
            self.key_accepted = None;
            self.doubted = false;
        }
        changed || back
    }

    fn client_from(&self, secret: Option<&Secret>, dialling: &Dialling) -> Result<LiveClient, Trouble> {
        let endpoint = self.endpoint.clone()?;
        let (name, key) = (&self.secret, &self.secret_key);
        let secret = secret.ok_or_else(|| {
            trouble(Reason::SecretNotFound, format!("The Secret {name} with the API key does not exist."))
        })?;
        let bytes = secret.data.as_ref().and_then(|data| data.get(key)).ok_or_else(|| {
            trouble(Reason::SecretKeyMissing, format!("The Secret {name} has no key {key} in its data."))
        })?;
        let key = ApiKey::parse(&bytes.0)
            .map_err(|why| trouble(Reason::KeyMalformed, format!("The API key in Secret {name}, key {key}: {why}")))?;
        Ok(LiveClient::new(dialling.transport.clone(), endpoint, key, dialling.timeouts))
    }

    /// Why nothing can be called with this account, if so.
    pub(super) fn access(&self) -> Option<Trouble> {
        self.client.as_ref().err().cloned()
    }

    /// The same for a window: an account that is being deleted, or cannot be fully read, is there only for those that it is
    /// `needed` for: their job is on, or a workflow stands for them.
    pub(super) fn access_for(&self, name: &ObjectName, needed: bool) -> Option<Trouble> {
        if self.deleting && !needed {
            return Some(trouble(Reason::AccountNotFound, format!("The LiveAccount {name} is being deleted.")));
        }
        self.unreadable.clone().filter(|_| !needed).or_else(|| self.access())
    }

    /// The finalizers that it should bear, if not those that it bears.
    pub(super) fn finalizers_wanted(&self, in_use: bool) -> Option<Vec<String>> {
        let has = self.finalizers.iter().any(|finalizer| finalizer == IN_USE);
        match (in_use, has) {
            // An object that is being deleted takes no new finalizer.
            (true, false) if !self.deleting => {
                Some(self.finalizers.iter().cloned().chain([IN_USE.to_owned()]).collect())
            }
            (false, true) => Some(self.finalizers.iter().filter(|finalizer| *finalizer != IN_USE).cloned().collect()),
            _ => None,
        }
    }

    /// The status it should bear now.
    pub(super) fn render(&self, around: Around, now: Timestamp) -> LiveAccountStatus {
        let Around { windows, skew, unsigned, shared_key, listed, served_by } = around;
        let trouble = self.trouble().or(shared_key);
        let ready = Health::Ready(Reason::AccountReady, Said::Text("Calls can be made."));
        let health = trouble.as_ref().map_or(ready, |trouble| Health::of_trouble(trouble.reason, &trouble.message));
        let mut conditions = health.conditions();
        conditions.push(self.key_condition());
        conditions.extend(self.scheduler_condition());
        conditions.extend(skew_condition(skew));
        conditions.extend(unsigned);
        LiveAccountStatus {
            observed_generation: Some(self.generation),
            endpoint: self.endpoint.as_ref().map(ToString::to_string).unwrap_or_default(),
            last_contact: self.last_contact.map(api::time::utc).unwrap_or_default(),
            served_by,
            windows,
            uncovered: match listed {
                Some(listed) => listed.render(&self.status.uncovered),
                None => self.status.uncovered.clone(),
            },
            conditions: conditions
                .into_iter()
                .map(|next| conditions::stored(&self.status.conditions, &next, self.generation, &whole_seconds(now)))
                .chain(self.status.conditions.iter().filter(|condition| self.leaves(condition)).cloned())
                .collect(),
            unknown: self.status.unknown.clone(),
        }
    }

    /// Whether this status is worth a write. A newer `lastContact` alone is not.
    pub(super) fn worth_a_write(&self, next: &LiveAccountStatus) -> bool {
        let as_stored = |status: &LiveAccountStatus| LiveAccountStatus {
            last_contact: self.status.last_contact.clone(),
            ..status.clone()
        };
        let next = as_stored(next);
        let cut =
            self.cut.as_deref().is_some_and(|(sent, got)| as_stored(sent) == next && as_stored(got) == self.status);
        next != self.status && !cut
    }

    /// What is wrong with it, if anything.
    fn trouble(&self) -> Option<Trouble> {
        let refused = || trouble(Reason::KeyRefused, Reason::KeyRefused.meaning());
        let known = self.unreadable.clone().or_else(|| self.access()).or_else(|| self.key_gone.clone());
        known.or_else(|| (self.key_accepted == Some(false)).then(refused))
    }

    fn key_condition(&self) -> Condition {
        let (status, reason) = match self.key_accepted {
            Some(true) => (Status::True, Reason::KeyAccepted),
            Some(false) => (Status::False, Reason::KeyRefused),
            None => (Status::Unknown, Reason::KeyNotUsed),
        };
        Condition { kind: KEY_ACCEPTED, status, reason, message: reason.meaning().into() }
    }

    /// Nothing is said before the key was asked with.
    fn scheduler_condition(&self) -> Option<Condition> {
        let (status, reason, message) = match &self.scheduler {
            Scheduler::AsStored | Scheduler::NotAsked => return None,
            Scheduler::Takes => {
                (Status::True, Reason::SchedulerAvailable, Reason::SchedulerAvailable.meaning().to_owned())
            }
            Scheduler::Refuses(why) => (Status::False, Reason::SchedulerUnavailable, why.clone()),
        };
        Some(Condition { kind: SCHEDULER_AVAILABLE, status, reason, message })
    }

    /// A stored condition that stays as it is.
    fn leaves(&self, condition: &meta::v1::Condition) -> bool {
        let stands = condition.type_ == SCHEDULER_AVAILABLE && self.scheduler == Scheduler::AsStored;
        stands || !ours(condition)
    }

    /// The Secrets that it names.
    pub(super) fn secrets_named(&self) -> impl Iterator<Item = &ObjectName> {
        std::iter::once(&self.secret).chain(self.signing.secrets())
    }

    /// One of its signing secrets is kept there.
    pub(super) fn signs_with(&self, secret: &ObjectName) -> bool {
        self.signing.secrets().any(|named| named == secret)
    }

    /// What is to be said of how its notifications are signed.
    pub(super) fn unsigned(&self, secrets: &Secrets) -> Option<Condition> {
        self.signing.unsigned(secrets)
    }

    /// The key that opens the HTTP interface for it, and what it is called there; `None`: nothing does. A key whose Secret
    /// is gone still makes stops, but lets nobody in.
    pub(super) fn door(&self) -> Option<(KeyDigest, &str)> {
        let open = self.gateway && !self.deleting && self.unreadable.is_none() && self.key_gone.is_none();
        let client = self.client.as_ref().ok().filter(|_| open)?;
        Some((client.key_digest(), self.shown_as.as_deref()?))
    }

    /// The list of all jobs may be made with it: the Live API took its key, if not from this process then from an earlier
    /// one.
    pub(super) fn may_list(&self) -> bool {
        let taken = self.key_accepted.unwrap_or(self.listed.is_some());
        taken && !self.deleting && self.unreadable.is_none() && self.key_gone.is_none()
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// How much of the vendor's scheduler its windows may take.
    pub(super) fn quota(&self) -> Quota {
        self.quota
    }
}

/// A condition that this version writes.
fn ours(condition: &meta::v1::Condition) -> bool {
    let kind = condition.type_.as_str();
    [KEY_ACCEPTED, CLOCK_SKEW, SCHEDULER_AVAILABLE, signing::UNSIGNED].contains(&kind)
        || plan::conditions::KINDS.contains(&kind)
}

fn unreadable(name: &ObjectName, left_out: &[String]) -> Option<Trouble> {
    let what: Vec<&str> = left_out.iter().map(String::as_str).filter(|what| !what.starts_with("status")).collect();
    (!what.is_empty()).then(|| {
        let meaning = "no start is made with it, a stop that is due is where key and endpoint are known";
        let message = format!("The LiveAccount {name} cannot be fully read: {meaning}. {}", what.join("; "));
        trouble(Reason::Undecodable, message)
    })
}

/// Our clock against the Live API's, where they certainly differ.
fn skew_condition(skew: Skew) -> Option<Condition> {
    let off = skew.told()?;
    let (seconds, how) = (off.abs().as_secs(), if off.is_positive() { "ahead of" } else { "behind" });
    let message = format!("This machine's clock is at least {seconds} s {how} the Live API's.");
    Some(Condition { kind: CLOCK_SKEW, status: Status::True, reason: Reason::ClockSkew, message })
}

fn endpoint(named: Option<&str>, allowed: &[Endpoint]) -> Result<Endpoint, Trouble> {
    let list = || allowed.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let Some(named) = named else {
        return allowed
            .first()
            .cloned()
            .ok_or_else(|| trouble(Reason::EndpointNotAllowed, "The operator allows no endpoint (--live-endpoint)."));
    };
    let parsed =
        Endpoint::parse(named).map_err(|why| trouble(Reason::EndpointNotAllowed, format!("spec.endpoint: {why}")))?;
    if allowed.contains(&parsed) {
        return Ok(parsed);
    }
    let message =
        format!("spec.endpoint {parsed} is not among those that the operator allows: {} (--live-endpoint).", list());
    Err(trouble(Reason::EndpointNotAllowed, message))
}

fn trouble(reason: Reason, message: impl Into<String>) -> Trouble {
    Trouble { reason, message: message.into() }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::live::TransportError;

    fn account(spec: &Value) -> Account {
        let mut whole = json!({ "apiKeySecretRef": { "name": "bcov-live" } });
        for (field, value) in spec.as_object().unwrap() {
            whole[field] = value.clone();
        }
        let object = json!({
            "apiVersion": "scheduler.bcovlive.io/v1alpha1",
            "kind": "LiveAccount",
            "metadata": { "name": "default", "namespace": "live" },
            "spec": whole,
        });
        let raw: Raw<LiveAccount> = serde_json::from_value(object).unwrap();
        let dialling = Dialling {
            transport: Transport::new(tower::service_fn(|_| async { Err(TransportError::Lost(String::new())) })),
            timeouts: Timeouts::default(),
            allowed: vec![Endpoint::vendor()],
        };
        let flags = Defaults { cluster: "prod-eu".into(), ..Defaults::default() };
        Account::parse(read(raw).unwrap(), &dialling, &flags)
    }

    #[test]
    fn an_account_that_says_nothing_has_the_vendors_quota_and_its_windows_are_the_operators() {
        let account = account(&json!({}));
        assert_eq!(account.quota(), Quota::default());
        assert_eq!(account.defaults.executor, Some(Executor::Operator));
        assert_eq!(&*account.defaults.cluster, "prod-eu");
    }

    #[test]
    fn an_accounts_quota_and_executor_are_as_it_says() {
        let account = account(&json!({
            "defaults": { "executor": "LiveScheduler" },
            "limits": { "pendingActivations": 12, "registerAheadDays": 0 },
        }));
        assert_eq!(account.quota(), Quota { pending_activations: 12, ahead: SignedDuration::ZERO });
        assert_eq!(account.defaults.executor, Some(Executor::LiveScheduler));
    }

    #[test]
    fn an_account_that_cannot_be_fully_read_says_nothing_of_an_executor() {
        for spec in
            [json!({ "defaults": { "executor": "Studio" } }), json!({ "limits": { "pendingActivations": "6" } })]
        {
            let account = account(&spec);
            assert!(account.unreadable.is_some());
            assert_eq!(account.defaults.executor, None, "who makes a window's calls is settled once");
        }
    }
}
