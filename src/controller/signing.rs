//! What an account's notifications are signed with.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use plan::conditions::{Condition, Status};
use plan::{ObjectName, Reason};

use crate::api::AccountNotifications;
use crate::notify::SigningSecret;

/// The condition of an account whose notifications are not signed, or not sent for want of a secret.
pub(super) const UNSIGNED: &str = "NotificationsUnsigned";

/// The Secrets that were read; `None`: it does not exist.
pub(super) type Secrets = BTreeMap<ObjectName, Option<Secret>>;

/// How an account's notifications are to be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Signing {
    refs: Vec<Ref>,
    /// A receiver's URL may begin with http://.
    pub(super) allow_http: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Ref {
    secret: ObjectName,
    key: String,
    /// The receiver it is for; `None`: every host that no other names.
    host: Option<String>,
}

impl Signing {
    pub(super) fn of(namespace: &Arc<str>, spec: AccountNotifications) -> Self {
        let refs = spec.signing_secret_refs.into_iter().map(|named| Ref {
            secret: ObjectName::new(Arc::clone(namespace), named.name),
            key: named.key,
            host: named.host,
        });
        Self { refs: refs.collect(), allow_http: spec.allow_http }
    }

    /// Where they are kept.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &ObjectName> {
        self.refs.iter().map(|named| &named.secret)
    }

    /// What is sent to this host is signed with these, in order; none: it goes unsigned. The error says what is wrong
    /// with one of them: then nothing is sent, since its receiver would not believe it.
    pub(super) fn secrets_for(&self, host: &str, secrets: &Secrets) -> Result<Vec<SigningSecret>, String> {
        let own: Vec<&Ref> = self.refs.iter().filter(|named| named.host.as_deref() == Some(host)).collect();
        let refs = if own.is_empty() { self.refs.iter().filter(|named| named.host.is_none()).collect() } else { own };
        refs.into_iter().map(|named| named.read(secrets)).collect()
    }

    /// What is to be said of it, if anything.
    pub(super) fn unsigned(&self, secrets: &Secrets) -> Option<Condition> {
        let condition =
            |status, reason: Reason, message: String| Some(Condition { kind: UNSIGNED, status, reason, message });
        if let Some(why) = self.refs.iter().find_map(|named| named.read(secrets).err()) {
            return condition(Status::Unknown, Reason::SigningSecretUnusable, format!("Not sent: {why}"));
        }
        if self.refs.iter().any(|named| named.host.is_none()) {
            return None;
        }
        let hosts: Vec<&str> = self.refs.iter().filter_map(|named| named.host.as_deref()).collect();
        let to = if hosts.is_empty() { String::new() } else { format!(" Signed are those to {}.", hosts.join(", ")) };
        condition(Status::True, Reason::NoSigningSecret, format!("{}{to}", Reason::NoSigningSecret.meaning()))
    }
}

impl Ref {
    fn read(&self, secrets: &Secrets) -> Result<SigningSecret, String> {
        let Self { secret: name, key, .. } = self;
        let secret = match secrets.get(name) {
            Some(Some(secret)) => secret,
            Some(None) => return Err(format!("the Secret {name} with the signing secret does not exist.")),
            None => return Err(format!("the Secret {name} with the signing secret has not been read yet.")),
        };
        let bytes = secret.data.as_ref().and_then(|data| data.get(key));
        let bytes = bytes.ok_or_else(|| format!("the Secret {name} has no key {key} in its data."))?;
        SigningSecret::parse(&bytes.0).map_err(|why| format!("the signing secret in Secret {name}, key {key}: {why}"))
    }
}
