//! `JobStartStop`: one window of one channel.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::time::{TimeError, parse_instant};
use super::{NEVER_OBSERVED, is_default, rules};

/// What is wanted: the job, when it goes on air and when it goes off.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "scheduler.bcovlive.io",
    version = "v1alpha1",
    kind = "JobStartStop",
    doc = "JobStartStop switches a Brightcove Live job with a static entry point on at one time and off at another: \
           one window of one channel. The job must exist and be static; it is neither created nor deleted.",
    namespaced,
    status = "JobStartStopStatus",
    shortname = "jss",
    category = "live",
    derive = "PartialEq",
    selectable = ".spec.jobID",
    selectable = ".status.phase",
    selectable = ".status.workflowID",
    validation = rules::stop_after_start(),
    validation = rules::window_at_most_a_year(),
    validation = rules::start_locked(),
    validation = rules::stop_locked(),
    printcolumn(
        name = "Job",
        type_ = "string",
        json_path = ".spec.jobID",
        description = "Id of the Live job."
    ),
    printcolumn(
        name = "Start",
        type_ = "string",
        json_path = ".status.activation.time",
        description = "Start of the window in UTC; empty until the operator has seen the object."
    ),
    printcolumn(
        name = "Stop",
        type_ = "string",
        json_path = ".status.deactivation.time",
        description = "End of the window in UTC; empty until the operator has seen the object."
    ),
    printcolumn(
        name = "Phase",
        type_ = "string",
        json_path = ".status.phase",
        description = "Pending, Active, Finished, Cancelled, Failed or Missed."
    ),
    printcolumn(
        name = "OnAir",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="OnAir")].status"#,
        description = "Whether the channel is on for this window; Unknown while it turns."
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#,
        priority = 1,
        description = "Why the window is ready, or why not."
    ),
    printcolumn(
        name = "Late",
        type_ = "integer",
        json_path = ".status.activation.latenessMillis",
        priority = 1,
        description = "Milliseconds from the planned start to the call."
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(
    validation = rules::heads_up_needs_a_receiver(),
    validation = rules::executor_locked(),
    validation = rules::adoption_locked(),
    validation = rules::adoption_needs_the_live_scheduler()
)]
#[serde(rename_all = "camelCase")]
pub struct JobStartStopSpec {
    /// The LiveAccount, in the same namespace, whose key and endpoint are used for the calls. Left out, it is the
    /// LiveAccount named `default`. It cannot change: create another JobStartStop for another account.
    #[serde(default)]
    pub account_ref: AccountRef,

    /// Id of the Live job that is switched, as the Live API and the Live module show it, for example
    /// `15981d93877e490185e6ebc9af2c79a3`. The job must have been created with `"static": true`. It cannot change:
    /// create another JobStartStop for another job.
    #[serde(rename = "jobID")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = rules::job_id(), validation = rules::job_id_locked())]
    pub job_id: String,

    /// Text for people, for example "My Wednesday broadcast"; at most 512 characters. It changes nothing about the
    /// calls and may be edited at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub description: Option<String>,

    /// When the job is switched on.
    pub activation: Activation,

    /// When the job is switched off.
    pub deactivation: Deactivation,

    /// Where notifications are sent, as the Live API's scheduler sends them: a POST when the start was made or failed, one
    /// when the stop was, and one ahead of each where `notificationSeconds` asks for it. For example
    /// `https://example.com/live/callbacks`. A URL with http:// is used only where the LiveAccount allows it. The path is
    /// shown nowhere but here: it may be a secret. May be edited at any time; what is still to be sent goes to the new one.
    #[serde(rename = "notificationURL", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    #[x_kube(validation = rules::receiver_url())]
    pub notification_url: Option<String>,

    /// How many seconds after `activation.time` the start may still be made if it could not be made on time, for
    /// example because the operator or the Live API was down; from 10 to 31622400 (366 days). A start that is later
    /// than this is not made: the window is Missed, or Failed when a call was tried. Left out, the start may be made
    /// until the window ends. A job found on air already counts as started, however late. May be edited until the
    /// start is settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 31_622_400))]
    pub starting_deadline_seconds: Option<u32>,

    /// While true no start is made. A stop that is due is still made, so suspending on air does not leave the channel
    /// on. Set it back to false and a start that is due is made at once, if `startingDeadlineSeconds` (counted from
    /// `activation.time`) still allows it; suspended through its end, the window is Missed with reason Suspended.
    /// Default: false.
    #[serde(default)]
    pub suspend: bool,

    /// Set to true to cancel what is still pending, for good: before the start both the start and the stop, on air
    /// only the stop, which leaves the channel on until somebody switches it off. To go off air now, set
    /// `deactivation.time` to the present time instead. Setting it back to false has no effect. Default: false.
    #[serde(default)]
    pub cancel: bool,

    /// What deleting this object does. Stop: if the channel is on for this window and no other window covers it, it is
    /// switched off first, and the object stays until it is off. Cancel: pending calls are dropped, and a channel
    /// that is on stays on. Retain: nothing is called. Left out, the LiveAccount's
    /// `defaults.deletionPolicy` holds, else the operator's setting, else Stop. May be edited at any time, also while
    /// the object is being deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "DeletionPolicy")]
    pub deletion_policy: Option<DeletionPolicy>,

    /// How many seconds after `status.finishedAt` this object is deleted, from 0 to 31536000 (a year), for example
    /// 604800 for a week: it keeps the list of windows short. Counted once the window is Finished, Cancelled, Failed or
    /// Missed; deleting it then never calls anything. A window that was over when the operator first saw it is not
    /// deleted. Left out, the LiveAccount's `defaults.ttlSecondsAfterFinished` holds, and without that the object stays
    /// until somebody deletes it. May be edited at any time. Leave it out where a tool that applies manifests again and
    /// again, such as Flux or Argo CD, owns the object: the tool would create it anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 31_536_000))]
    pub ttl_seconds_after_finished: Option<u32>,

    /// Who makes the calls. Operator: this operator; while it or its cluster is down, nothing is switched until it is
    /// back. LiveScheduler: the Live API's own scheduler, with which the operator registers the window ahead of its start;
    /// start and stop are then made while the cluster is down, too, and the operator checks both and makes what is
    /// missing. Editing, suspending, cancelling and deleting work alike with either. What the Live API's scheduler cannot
    /// change once a window is registered are `description` and `notificationURL`: it keeps those that it was given, and
    /// the condition Drifted says so. Left out, the LiveAccount's `defaults.executor` holds, else Operator; what holds when
    /// the operator first sees the window stays (`status.executor`). It cannot change, be added or removed later: create
    /// another JobStartStop for another executor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Executor")]
    pub executor: Option<Executor>,

    /// Id of a workflow that stands at the Live API's scheduler already, for example
    /// `d44cf29f4f184757ac0995beb8a0097e`: this window takes it over, and no other one is made for it. It has to be of the
    /// same job. Only for the executor LiveScheduler. It is given when the window is created: once registered, a window
    /// has its workflow, and a second one would start the channel twice. So it cannot change, be added or removed later.
    #[serde(rename = "adoptWorkflowID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = rules::adopted_workflow_id())]
    pub adopt_workflow_id: Option<String>,
}

/// The `LiveAccount` of a window.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct AccountRef {
    /// Name of the LiveAccount in the same namespace. Default: default. It cannot change.
    #[serde(default = "default_account")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::object_name(), validation = rules::account_locked())]
    pub name: String,
}

fn default_account() -> String {
    "default".to_owned()
}

impl Default for AccountRef {
    fn default() -> Self {
        Self { name: default_account() }
    }
}

/// The start of a window.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Activation {
    /// When the job is switched on: a date and a time to the second with an offset from UTC, for example
    /// `"2026-12-02T14:00:00+01:00"` or, the same instant, `"2026-12-02T13:00:00Z"`. The call is made at this time,
    /// or earlier by the LiveAccount's `defaults.activationLeadSeconds`. May be edited until the start is made or
    /// settled; from then on it cannot change, though the same instant may be written in another way. A time in the
    /// past starts the channel at once if the window has not ended and `startingDeadlineSeconds` allows it.
    #[schemars(schema_with = "rules::time_schema")]
    pub time: String,

    /// How many seconds before `time` a notification is sent ahead, from 0 to 604800 (a week), for example 600; 0: none.
    /// It needs `notificationURL`. One whose moment has passed when it is first seen is not sent late. Default: 0.
    #[serde(default)]
    #[schemars(range(max = 604_800))]
    pub notification_seconds: u32,
}

/// The end of a window.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Deactivation {
    /// When the job is switched off: a date and a time to the second with an offset from UTC, for example
    /// `"2026-12-02T16:00:00+01:00"`; later than `activation.time`, by 366 days at most. Edit it on air to extend
    /// or shorten the window; set it to the present time, or any time before, to switch off now. Once the stop is
    /// made or settled it cannot change, though the same instant may be written in another way.
    #[schemars(schema_with = "rules::time_schema")]
    pub time: String,

    /// How many seconds before `time` a notification is sent ahead, from 0 to 604800 (a week), for example 600; 0: none.
    /// It needs `notificationURL`. One whose moment has passed when it is first seen is not sent late. Default: 0.
    #[serde(default)]
    #[schemars(range(max = 604_800))]
    pub notification_seconds: u32,
}

/// What deleting an object does to its job.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeletionPolicy {
    /// Switch the job off if the window has it on.
    #[default]
    Stop,
    /// As the Live API's DELETE: drop what is pending.
    Cancel,
    /// Call nothing.
    Retain,
}

impl From<DeletionPolicy> for plan::DeletionPolicy {
    fn from(policy: DeletionPolicy) -> Self {
        match policy {
            DeletionPolicy::Stop => Self::Stop,
            DeletionPolicy::Cancel => Self::Cancel,
            DeletionPolicy::Retain => Self::Retain,
        }
    }
}

/// Who makes the calls of a window.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Executor {
    /// This operator.
    Operator,
    /// The Live API's own scheduler.
    LiveScheduler,
}

impl From<Executor> for plan::Executor {
    fn from(executor: Executor) -> Self {
        match executor {
            Executor::Operator => Self::Operator,
            Executor::LiveScheduler => Self::LiveScheduler,
        }
    }
}

/// What the operator saw and did. It is written as a whole; nothing in it is required, and its words are open, so
/// that an older or newer operator can read it.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("default" = { "observedGeneration": NEVER_OBSERVED }))]
pub struct JobStartStopStatus {
    /// The `metadata.generation` that this status was computed from. -1: the operator has not seen the object yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// The window as a whole. Pending: the start is still to come. Active: started, the stop is still to come.
    /// Finished: started and stopped. Cancelled. Failed: the start was tried in vain. Missed: no start was called.
    #[serde(skip_serializing_if = "is_default")]
    pub phase: String,

    /// Id of this window where the Live API would show a workflow id: the object's uid without the dashes.
    #[serde(rename = "workflowID", skip_serializing_if = "is_default")]
    pub workflow_id: String,

    /// What deleting the object would do now: Stop, Cancel or Retain, from the object, its LiveAccount or the
    /// operator's setting.
    #[serde(skip_serializing_if = "is_default")]
    pub deletion_policy: String,

    /// Who makes the calls: Operator or LiveScheduler. Settled when the operator first saw the window.
    #[serde(skip_serializing_if = "is_default")]
    pub executor: String,

    /// How many workflows at the Live API's scheduler were recorded for this window so far; each has its number in its
    /// marker.
    #[serde(skip_serializing_if = "is_default")]
    pub workflows: u32,

    /// The id that the Live API's scheduler gave the workflow in `registered`, or the last one where there is none now.
    #[serde(rename = "vendorWorkflowID", skip_serializing_if = "is_default")]
    pub vendor_workflow_id: String,

    /// The workflow at the Live API's scheduler that stands for this window, and for those that it is merged with. Written
    /// before it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registered: Option<RegisteredStatus>,

    /// Id of a workflow at the Live API's scheduler that is not this operator's, for the same job and time. It is left
    /// alone.
    #[serde(rename = "foreignWorkflowID", skip_serializing_if = "is_default")]
    pub foreign_workflow_id: String,

    /// The start of the window.
    #[serde(skip_serializing_if = "is_default")]
    pub activation: TaskStatus,

    /// The end of the window.
    #[serde(skip_serializing_if = "is_default")]
    pub deactivation: TaskStatus,

    /// What was last read about the job.
    #[serde(skip_serializing_if = "is_default")]
    pub job: JobReading,

    /// The notifications of this window: at most one of each action.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["action"]))]
    pub notifications: Vec<NotificationStatus>,

    /// When the window ended, in whatever way; UTC.
    #[serde(skip_serializing_if = "is_default")]
    pub finished_at: String,

    /// Ready, Reconciling and Stalled as kubectl wait, Flux and Argo CD read them; OnAir, and Conflict, Suspended,
    /// CapacityShort and Drifted where they apply; Registered where the Live API's scheduler is to make the calls.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,

    /// What another version of the operator wrote and this one does not know: carried through whole writes.
    #[serde(flatten)]
    #[schemars(skip)]
    pub unknown: BTreeMap<String, Value>,
}

/// One half of a window: what is planned, what was called and what came of it.
///
/// Only what a rule of the schema reads is bounded: a text that grew too long must not cost a status write.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskStatus {
    /// pending, finished, failed or cancelled, as the Live API's scheduler calls them.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 64))]
    pub state: String,

    /// Why it is in this state, in one word, for example AlreadyOnAir; empty when there is nothing to explain.
    #[serde(skip_serializing_if = "is_default")]
    pub reason: String,

    /// The reason in a sentence.
    #[serde(skip_serializing_if = "is_default")]
    pub message: String,

    /// The planned time as it was written in spec, for example `2026-12-02T14:00:00+01:00`.
    #[serde(skip_serializing_if = "is_default")]
    pub given: String,

    /// The planned time in UTC, for example `2026-12-02T13:00:00Z`.
    #[serde(skip_serializing_if = "is_default")]
    pub time: String,

    /// The planned time in seconds since 1970, as the Live API counts, for example 1796216400.
    #[serde(rename = "timeUTC", skip_serializing_if = "Option::is_none")]
    pub time_utc: Option<i64>,

    /// When the call is due, in UTC: the planned time, for a start with the account's lead taken off; for a stop that
    /// was moved into the past, the moment at which the edit was seen. `latenessMillis` counts from here.
    #[serde(skip_serializing_if = "is_default")]
    pub call_at: String,

    /// Which operator process makes this start, written before the call so that no two do. Only starts are claimed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim: Option<ClaimStatus>,

    /// When the call was last sent, in UTC with microseconds; empty as long as no call can have reached the Live API.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 40))]
    pub called_at: String,

    /// When the last call was sent, refused ones included, in UTC with microseconds. What is refused is repeated after
    /// a wait that counts from here, also by the next process.
    #[serde(skip_serializing_if = "is_default")]
    pub attempted_at: String,

    /// When the job was read to be on, or off, as wanted; in UTC with microseconds.
    #[serde(skip_serializing_if = "is_default")]
    pub confirmed_at: String,

    /// Milliseconds from `callAt` to `calledAt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lateness_millis: Option<i64>,

    /// How many calls were sent.
    #[serde(skip_serializing_if = "is_default")]
    pub attempts: u32,

    /// How often the Live API's scheduler switched the channel off while a window wanted it on, so that this start was due
    /// again. Only starts are.
    #[serde(skip_serializing_if = "is_default")]
    pub cuts: u32,

    /// What another version of the operator wrote and this one does not know.
    #[serde(flatten)]
    #[schemars(skip)]
    pub unknown: BTreeMap<String, Value>,
}

/// A workflow at the Live API's scheduler, as this operator made it and last read it.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct RegisteredStatus {
    /// What marks it as this operator's, as `[jss:…]` at the end of its description: the uid of the window that it was made
    /// for, without the dashes, its number after a dot, and the cluster's name after an @, where it has one.
    #[serde(skip_serializing_if = "is_default")]
    pub marker: String,

    /// The process that makes it, by an id of its own.
    #[serde(skip_serializing_if = "is_default")]
    pub by: String,

    /// The how-manieth it is of the window that it was made for, from 1.
    #[serde(skip_serializing_if = "is_default")]
    pub attempt: u32,

    /// Its start.
    #[serde(skip_serializing_if = "is_default")]
    pub activation: RegisteredTask,

    /// Its stop.
    #[serde(skip_serializing_if = "is_default")]
    pub deactivation: RegisteredTask,

    /// A digest of the description that it bears, the marker left out; empty: it bears none.
    #[serde(skip_serializing_if = "is_default")]
    pub description_digest: String,

    /// A digest of the URL that it has for notifications, which may be a secret. Where it has one, the Live API's scheduler
    /// sends the window's notifications.
    #[serde(rename = "notificationURLDigest", skip_serializing_if = "is_default")]
    pub notification_url_digest: String,

    /// The Live API's scheduler does not have it: it never took it, or has it no more.
    #[serde(skip_serializing_if = "is_default")]
    pub gone: bool,

    /// This operator asked for it to be cancelled.
    #[serde(skip_serializing_if = "is_default")]
    pub withdrawn: bool,

    /// It made its start when no window wanted that any more, and the channel was read off since.
    #[serde(skip_serializing_if = "is_default")]
    pub cleared: bool,

    /// What another version of the operator wrote and this one does not know.
    #[serde(flatten)]
    #[schemars(skip)]
    pub unknown: BTreeMap<String, Value>,
}

/// One half of a workflow at the Live API's scheduler.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct RegisteredTask {
    /// pending, finished, failed or cancelled, as last read; any other word may still mean a call.
    #[serde(skip_serializing_if = "is_default")]
    pub state: String,

    /// When the Live API's scheduler makes the call, in UTC.
    #[serde(skip_serializing_if = "is_default")]
    pub time: String,

    /// The same in seconds since 1970, as the Live API counts.
    #[serde(rename = "timeUTC", skip_serializing_if = "Option::is_none")]
    pub time_utc: Option<i64>,

    /// How many seconds before `time` it sends a notification ahead; 0: none.
    #[serde(skip_serializing_if = "is_default")]
    pub notification_seconds: u32,

    /// What this operator asked for last, where the above is something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<AskedTask>,

    /// What another version of the operator wrote and this one does not know.
    #[serde(flatten)]
    #[schemars(skip)]
    pub unknown: BTreeMap<String, Value>,
}

/// What was asked for one half of a workflow.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct AskedTask {
    /// When the call was to be made, in UTC.
    #[serde(skip_serializing_if = "is_default")]
    pub time: String,

    /// How many seconds before that a notification was to go ahead; 0: none.
    #[serde(skip_serializing_if = "is_default")]
    pub notification_seconds: u32,

    /// What another version of the operator wrote and this one does not know.
    #[serde(flatten)]
    #[schemars(skip)]
    pub unknown: BTreeMap<String, Value>,
}

/// A process's claim on a start.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct ClaimStatus {
    /// The process, by an id of its own.
    #[serde(skip_serializing_if = "is_default")]
    pub by: String,

    /// The Lease and the term in which it leads, as `namespace/name/uid/transitions`; `unelected` without an election.
    #[serde(skip_serializing_if = "is_default")]
    pub lease: String,

    /// From when on it may call; in UTC with microseconds.
    #[serde(skip_serializing_if = "is_default")]
    pub at: String,

    /// What another version of the operator wrote and this one does not know.
    #[serde(flatten)]
    #[schemars(skip)]
    pub unknown: BTreeMap<String, Value>,
}

/// One notification: what it tells, and how far its delivery has come.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct NotificationStatus {
    /// What it tells, in the Live API's words: notify-activate and notify-deactivate ahead of a call; activate and
    /// deactivate when it was made, or failed.
    pub action: String,

    /// The `webhook-id` it is sent with, the same at each attempt: a receiver tells repeats by it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub id: String,

    /// scheduled: its moment is ahead. pending: being delivered. delivered: the receiver answered 2xx. expired: the time
    /// it announces came first. failed: given up. dropped: its object was deleted first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub state: String,

    /// Why the last attempt failed, in one word, for example ReceiverRefused.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reason: String,

    /// The planned time of the call it is about, in UTC.
    #[serde(default, skip_serializing_if = "is_default")]
    pub time: String,

    /// From when on it is sent, in UTC.
    #[serde(default, skip_serializing_if = "is_default")]
    pub since: String,

    /// How often it was sent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub attempts: u32,

    /// The HTTP status of the last answer. Nothing else of an answer is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_status_code: Option<u16>,

    /// When it was last sent, in UTC.
    #[serde(default, skip_serializing_if = "is_default")]
    pub last_attempt_at: String,

    /// When it is sent again, in UTC; empty when it is not.
    #[serde(default, skip_serializing_if = "is_default")]
    pub next_attempt_at: String,

    /// The times that were announced before an edit moved the call; an edit back to one of them announces nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub told: Vec<String>,

    /// What another version of the operator wrote and this one does not know.
    #[serde(flatten)]
    #[schemars(skip)]
    pub unknown: BTreeMap<String, Value>,
}

/// The job as the Live API last showed it; written when it changes, not each time it is read.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct JobReading {
    /// The Live API's `state`, for example standby or processing.
    #[serde(skip_serializing_if = "is_default")]
    pub state: String,

    /// The Live API's `sep_state`, for example `activation_in_progress`.
    #[serde(skip_serializing_if = "is_default")]
    pub sep_state: String,

    /// What both mean: Off, GoingOn, On, GoingOff, Ended or Unknown.
    #[serde(skip_serializing_if = "is_default")]
    pub reading: String,

    /// Since when it reads like this, in UTC.
    #[serde(skip_serializing_if = "is_default")]
    pub since: String,

    /// When the account's key first read this job, in UTC. From then on the window counts beside the other windows of
    /// the job.
    #[serde(skip_serializing_if = "is_default")]
    pub verified_at: String,

    /// What another version of the operator wrote and this one does not know.
    #[serde(flatten)]
    #[schemars(skip)]
    pub unknown: BTreeMap<String, Value>,
}

/// The two times of a spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecTimes {
    /// `activation.time`.
    pub activation: Timestamp,
    /// `deactivation.time`.
    pub deactivation: Timestamp,
}

/// A time of a stored spec that cannot be read; only an object stored under other rules has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("spec.{field} {source}")]
pub struct SpecTimeError {
    /// `activation.time` or `deactivation.time`.
    pub field: &'static str,
    /// The rule that it breaks.
    pub source: TimeError,
}

impl JobStartStopSpec {
    /// Reads both times. Their order is not looked at: a stop moved to the past is a stop that is due.
    pub fn times(&self) -> Result<SpecTimes, SpecTimeError> {
        let read = |field, text: &str| parse_instant(text).map_err(|source| SpecTimeError { field, source });
        Ok(SpecTimes {
            activation: read("activation.time", &self.activation.time)?,
            deactivation: read("deactivation.time", &self.deactivation.time)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    fn window() -> Value {
        json!({
            "jobID": "15981d93877e490185e6ebc9af2c79a3",
            "activation": { "time": "2026-12-02T14:00:00+01:00" },
            "deactivation": { "time": "2026-12-02T15:00:00Z" },
        })
    }

    #[test]
    fn what_is_left_out_is_as_the_schema_defaults_it() {
        let spec: JobStartStopSpec = serde_json::from_value(window()).unwrap();
        assert_eq!(spec.account_ref.name, "default");
        assert!(!spec.suspend && !spec.cancel);
        assert_eq!((spec.deletion_policy, spec.executor, spec.adopt_workflow_id), (None, None, None));
    }

    #[test]
    fn times_are_instants() {
        let spec: JobStartStopSpec = serde_json::from_value(window()).unwrap();
        let times = spec.times().unwrap();
        assert_eq!(times.activation.as_second(), 1_796_216_400);
        assert_eq!(times.deactivation.as_second(), 1_796_223_600);
    }

    #[test]
    fn a_time_that_cannot_be_read_is_named() {
        let mut window = window();
        window["deactivation"]["time"] = json!("2026-12-02T15:00:00");
        let spec: JobStartStopSpec = serde_json::from_value(window).unwrap();
        let error = spec.times().unwrap_err();
        assert_eq!(error.source, TimeError::NoOffset);
        assert!(error.to_string().starts_with("spec.deactivation.time has no offset from UTC"));
    }

    #[test]
    fn an_empty_status_writes_nothing() {
        assert_eq!(serde_json::to_value(JobStartStopStatus::default()).unwrap(), json!({}));
    }

    #[test]
    fn a_full_status_reads_back_equal() {
        let task = TaskStatus {
            state: "finished".to_owned(),
            reason: "AlreadyOnAir".to_owned(),
            message: "The job was on.".to_owned(),
            given: "2026-12-02T14:00:00+01:00".to_owned(),
            time: "2026-12-02T13:00:00Z".to_owned(),
            time_utc: Some(1_796_216_400),
            call_at: "2026-12-02T13:00:00Z".to_owned(),
            claim: Some(ClaimStatus { by: "5b1c".to_owned(), ..ClaimStatus::default() }),
            called_at: "2026-12-02T13:00:00.000123Z".to_owned(),
            attempted_at: String::new(),
            confirmed_at: "2026-12-02T13:00:04.000000Z".to_owned(),
            lateness_millis: Some(0),
            attempts: 1,
            cuts: 1,
            unknown: BTreeMap::new(),
        };
        let registered = RegisteredTask {
            state: "pending".to_owned(),
            time: "2026-12-02T13:00:00Z".to_owned(),
            time_utc: Some(1_796_216_400),
            notification_seconds: 600,
            asked: Some(AskedTask { time: "2026-12-02T13:30:00Z".to_owned(), ..AskedTask::default() }),
            unknown: BTreeMap::new(),
        };
        let status = JobStartStopStatus {
            observed_generation: Some(3),
            phase: "Active".to_owned(),
            workflow_id: "d44cf29f4f184757ac0995beb8a0097e".to_owned(),
            deletion_policy: "Stop".to_owned(),
            executor: "LiveScheduler".to_owned(),
            workflows: 2,
            vendor_workflow_id: "0a7c3b2e9d5f4e1c8b6a7d9e0f1a2b3c".to_owned(),
            registered: Some(RegisteredStatus {
                marker: "d44cf29f4f184757ac0995beb8a0097e@eu".to_owned(),
                by: "5b1c".to_owned(),
                attempt: 2,
                activation: registered.clone(),
                deactivation: RegisteredTask { asked: None, ..registered },
                description_digest: "85944171f73967e8".to_owned(),
                notification_url_digest: "85944171f73967e9".to_owned(),
                gone: true,
                withdrawn: true,
                cleared: true,
                unknown: BTreeMap::new(),
            }),
            foreign_workflow_id: "1a7c3b2e9d5f4e1c8b6a7d9e0f1a2b3c".to_owned(),
            activation: task.clone(),
            deactivation: TaskStatus { attempts: 0, lateness_millis: None, ..task },
            job: JobReading { state: "processing".to_owned(), reading: "On".to_owned(), ..JobReading::default() },
            notifications: vec![NotificationStatus {
                action: "activate".to_owned(),
                id: "d44cf29f4f184757ac0995beb8a0097e-activate".to_owned(),
                state: "delivered".to_owned(),
                last_status_code: Some(204),
                ..NotificationStatus::default()
            }],
            finished_at: String::new(),
            conditions: vec![Condition {
                type_: "OnAir".to_owned(),
                status: "True".to_owned(),
                reason: "OnAir".to_owned(),
                message: String::new(),
                observed_generation: Some(3),
                last_transition_time: Time(Timestamp::UNIX_EPOCH),
            }],
            unknown: BTreeMap::from([("later".to_owned(), json!({ "a": 1 }))]),
        };
        let text = serde_json::to_string(&status).unwrap();
        assert_eq!(serde_json::from_str::<JobStartStopStatus>(&text).unwrap(), status);
        for name in [
            "workflowID",
            "vendorWorkflowID",
            "foreignWorkflowID",
            "notificationURLDigest",
            "timeUTC",
            "callAt",
            "calledAt",
            "confirmedAt",
            "latenessMillis",
        ] {
            assert!(text.contains(&format!("{name:?}")), "{name}");
        }
    }

    #[test]
    fn the_default_status_of_the_schema_reads_as_never_observed() {
        let status: JobStartStopStatus = serde_json::from_value(json!({ "observedGeneration": -1 })).unwrap();
        assert_eq!(status.observed_generation, Some(NEVER_OBSERVED));
        assert_eq!(status.activation, TaskStatus::default());
    }
}
