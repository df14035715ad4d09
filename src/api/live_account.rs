//! `LiveAccount`: the key, the endpoint and the limits that windows are switched with.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{DeletionPolicy, Executor, NEVER_OBSERVED, is_default, rules};

/// How the Live API is reached for the windows that name this account.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "scheduler.bcovlive.io",
    version = "v1alpha1",
    kind = "LiveAccount",
    doc = "LiveAccount is the access to the Brightcove Live API that the JobStartStops of its namespace use: a key, \
           an endpoint, defaults and limits. One named default is used by every JobStartStop that names none.",
    namespaced,
    status = "LiveAccountStatus",
    shortname = "liveacct",
    category = "live",
    derive = "PartialEq",
    printcolumn(name = "Endpoint", type_ = "string", json_path = ".status.endpoint", description = "Endpoint in use."),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether calls can be made."
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#,
        description = "Why calls can be made, or why not."
    ),
    printcolumn(
        name = "Windows",
        type_ = "integer",
        json_path = ".status.windows.total",
        description = "JobStartStops that use this account."
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = rules::endpoint_locked(), validation = rules::gateway_needs_an_account_id())]
#[serde(rename_all = "camelCase")]
pub struct LiveAccountSpec {
    /// Where the Live API is: scheme and host, for example `https://api.bcovlive.io`. It must be among the endpoints
    /// that the operator was started with. Left out, it is the operator's default endpoint. It cannot be changed, added
    /// or removed later: create another LiveAccount for another endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    #[x_kube(validation = rules::endpoint())]
    pub endpoint: Option<String>,

    /// The Secret with the Live API key. A changed Secret is used from the next call on, without a restart.
    pub api_key_secret_ref: ApiKeySecretRef,

    /// The Video Cloud account id that the key belongs to, for example `"1752604059001"` (quoted: it is text). For
    /// people and for answers that show an account; it is not sent to the Live API.
    #[serde(rename = "accountID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = rules::account_id())]
    pub account_id: Option<String>,

    /// What holds for the JobStartStops of this account that do not say otherwise.
    #[serde(default)]
    pub defaults: AccountDefaults,

    /// How much is asked of the Live API at once, over everything that uses the same endpoint and key. 0 means no
    /// limit. A change applies at once.
    #[serde(default)]
    pub limits: AccountLimits,

    /// How the notifications of this account's JobStartStops are sent.
    #[serde(default)]
    pub notifications: AccountNotifications,

    /// Whether this account's key opens the operator's HTTP interface, which is the Live API scheduler's own.
    #[serde(default)]
    pub gateway: GatewayAccess,
}

/// How notifications are sent.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct AccountNotifications {
    /// The secrets that notifications are signed with, as Standard Webhooks has it (whsec_ and base64); at most 8.
    /// Several that apply make several signatures: name the old and the new one while receivers change over. Without one
    /// that applies notifications go out unsigned, and the condition NotificationsUnsigned says so.
    #[schemars(length(max = 8))]
    pub signing_secret_refs: Vec<SigningSecretRef>,

    /// Whether a `notificationURL` may begin with http://, which anybody on the way can read and change. Default: false.
    #[serde(rename = "allowHTTP")]
    pub allow_http: bool,
}

/// The Secret entry with a signing secret.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct SigningSecretRef {
    /// Name of the Secret, in the LiveAccount's namespace.
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::object_name())]
    pub name: String,

    /// Entry of the Secret that holds the signing secret. Default: signingSecret.
    #[serde(default = "default_signing_key")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::secret_key())]
    pub key: String,

    /// The receiver it is for: the host of `notificationURL`, for example `example.com`. Left out, it is for every host
    /// that no other entry names. Receivers that must not be able to sign for each other need one each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::host())]
    pub host: Option<String>,
}

fn default_signing_key() -> String {
    "signingSecret".to_owned()
}

/// Whether an account is served by the HTTP interface.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(default)]
pub struct GatewayAccess {
    /// Whoever presents this account's API key there creates, reads, changes and cancels the JobStartStops of its
    /// namespace that use this account. It needs `accountID`. Default: false.
    pub enabled: bool,
}

/// The Secret entry with the Live API key.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct ApiKeySecretRef {
    /// Name of the Secret, in the LiveAccount's namespace.
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::object_name())]
    pub name: String,

    /// Entry of the Secret that holds the key. White space around the key is ignored. Default: apiKey.
    #[serde(default = "default_key")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::secret_key())]
    pub key: String,
}

fn default_key() -> String {
    "apiKey".to_owned()
}

/// Defaults of an account's windows.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AccountDefaults {
    /// What deleting a JobStartStop without a `deletionPolicy` does: Stop, Cancel or Retain, as described there. Left
    /// out, the operator's setting holds, else Stop. A change applies to all such JobStartStops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "DeletionPolicy")]
    pub deletion_policy: Option<DeletionPolicy>,

    /// How many seconds before `activation.time` a start is called, from 0 to 3600, for channels that need time to
    /// come up. The channel is billed from the call on. A change applies to every start that was not made yet; stops
    /// are never called ahead of time. Default: 0.
    #[serde(default)]
    #[schemars(range(max = 3600))]
    pub activation_lead_seconds: u32,

    /// How many seconds after its end a JobStartStop without a `ttlSecondsAfterFinished` is deleted, from 0 to 31536000
    /// (a year), as described there. Left out, it stays until somebody deletes it. A change applies to all such
    /// JobStartStops, also to those that ended long ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 31_536_000))]
    pub ttl_seconds_after_finished: Option<u32>,

    /// Who makes the calls of a JobStartStop without an `executor`: Operator or LiveScheduler, as described there. Left
    /// out, it is Operator. A change applies to JobStartStops that the operator has not seen yet, and to no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Executor")]
    pub executor: Option<Executor>,
}

/// Limits of an account.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct AccountLimits {
    /// How many channels may be on their way on air at one moment; further starts wait until one of them is on. 0:
    /// no limit. Default: 5.
    #[schemars(range(max = 10_000))]
    pub simultaneous_activations: u32,

    /// How many requests are sent per second; stops and starts that are due go first. 0: no limit. Default: 20.
    #[schemars(range(max = 10_000))]
    pub requests_per_second: u32,

    /// How many requests may be waiting for an answer at one moment. 0: no limit, except that checks which nobody waits
    /// for go out at most 16 at a time. Default: 16.
    #[schemars(range(max = 10_000))]
    pub concurrent_requests: u32,

    /// How many workflows whose start is pending may stand at the Live API's scheduler at one moment, for windows that it
    /// makes the calls of; the soonest are registered first, and a sooner one takes the place of the last. The Live API
    /// allows six; its Support can raise that. 0: no limit. Default: 6.
    #[schemars(range(max = 10_000))]
    pub pending_activations: u32,

    /// How many days before its start a window is registered with the Live API's scheduler at the earliest, up to 366:
    /// the Live API does not say how far ahead it plans. 0: as soon as it is seen. Default: 30.
    #[schemars(range(max = 366))]
    pub register_ahead_days: u32,
}

impl Default for AccountLimits {
    fn default() -> Self {
        Self {
            simultaneous_activations: 5,
            requests_per_second: 20,
            concurrent_requests: 16,
            pending_activations: 6,
            register_ahead_days: 30,
        }
    }
}

/// What the operator knows of an account. It is written as a whole; nothing in it is required.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("default" = { "observedGeneration": NEVER_OBSERVED }))]
pub struct LiveAccountStatus {
    /// The `metadata.generation` that this status was computed from. -1: the operator has not seen the object yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// The endpoint in use: spec's, else the operator's default.
    #[serde(skip_serializing_if = "is_default")]
    pub endpoint: String,

    /// When the Live API last answered a call with this account's key, in UTC. Not moved at each call.
    #[serde(skip_serializing_if = "is_default")]
    pub last_contact: String,

    /// The Lease of the installation that serves this account, as namespace/name. One that finds its own replaced says so:
    /// two serve the same objects. An operator without leader election leaves it as it is.
    #[serde(skip_serializing_if = "is_default")]
    pub served_by: String,

    /// How many JobStartStops use this account.
    #[serde(skip_serializing_if = "is_default")]
    pub windows: WindowCounts,

    /// Channels on air that no JobStartStop covers, as the daily list of the key's jobs showed them. They are told of;
    /// nothing is called for them.
    #[serde(skip_serializing_if = "is_default")]
    pub uncovered: UncoveredChannels,

    /// Ready, Reconciling and Stalled as kubectl wait, Flux and Argo CD read them; KeyAccepted: whether the Live API
    /// took the key; SchedulerAvailable: whether its scheduler takes windows, once that was tried; NotificationsUnsigned
    /// where notifications are sent and not signed.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,

    /// What another version of the operator wrote and this one does not know: carried through whole writes.
    #[serde(flatten)]
    #[schemars(skip)]
    pub unknown: BTreeMap<String, Value>,
}

/// What a list of all jobs of a key showed to be on air and covered by no window.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct UncoveredChannels {
    /// When the last complete list was asked for, in UTC. The next one is a day later, over restarts, too.
    #[serde(skip_serializing_if = "is_default")]
    pub listed_at: String,

    /// How many channels with a static entry point were on air, or going on, and covered by no JobStartStop of the
    /// namespaces that this operator watches.
    #[serde(skip_serializing_if = "is_default")]
    pub count: u32,

    /// The ids of their jobs, the first 10 of them.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 10))]
    pub jobs: Vec<String>,

    /// What another version of the operator wrote and this one does not know: carried through whole writes.
    #[serde(flatten)]
    #[schemars(skip)]
    pub unknown: BTreeMap<String, Value>,
}

/// Windows by phase.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(default)]
pub struct WindowCounts {
    /// All of them.
    #[serde(skip_serializing_if = "is_default")]
    pub total: u32,

    /// Those that have not started yet.
    #[serde(skip_serializing_if = "is_default")]
    pub pending: u32,

    /// Those on air.
    #[serde(skip_serializing_if = "is_default")]
    pub active: u32,

    /// Those that failed or were missed.
    #[serde(skip_serializing_if = "is_default")]
    pub failed: u32,
}
