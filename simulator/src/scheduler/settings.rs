//! How the vendor's scheduler behaves where its documentation is silent or contradicts itself.

use std::collections::BTreeSet;

use http::StatusCode;
use serde::{Deserialize, Serialize};

/// A week: as long as the vendor's interface shows failed schedules (vendor page: Scheduling a Live Event).
const A_WEEK_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

/// The behaviour of the vendor's scheduler. Where a page of the vendor suggests an answer, it is the default; otherwise
/// the one that costs a careless client most. The times of a task are in seconds, as in the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SchedulerSettings {
    /// Whether the vendor has switched the scheduler on at all (vendor guide: start and stop, "scheduler override").
    pub enabled: bool,
    /// Accounts for which it is off all the same.
    pub disabled_accounts: BTreeSet<String>,
    /// What every call answers when it is off. NOT DOCUMENTED; the vendor refuses other things that an account has not
    /// bought with 400 (vendor reference: error messages).
    pub disabled_answer: RefusedAs,
    /// What is shown as `account_id`. CONFLICT: a Video Cloud id in one sample, 32 hexadecimal digits, as of a Live
    /// account, in another (vendor guide: start and stop; vendor reference: clips).
    pub account_id: String,
    /// Activations that may be pending at once; creating one more is refused. 0: no limit. Six, and Support can raise
    /// it (vendor page: Scheduling a Live Event).
    pub pending_activations: usize,
    /// What shares these. NOT DOCUMENTED.
    pub pending_activations_of: QuotaScope,
    /// What one too many answers. NOT DOCUMENTED; the vendor's other limits answer 400 (vendor reference: error
    /// messages).
    pub over_quota_answer: RefusedAs,
    /// A time that is past when it is given. NOT DOCUMENTED.
    pub past_time: PastTime,
    /// A stop that is not after its start. NOT DOCUMENTED.
    pub stop_not_after_start: StopNotAfterStart,
    /// The shortest time from start to stop. NOT DOCUMENTED. 0: none.
    pub min_duration_seconds: u64,
    /// The least time from now to a time that is given. NOT DOCUMENTED: the vendor only recommends 60 s. 0: none.
    pub min_lead_seconds: u64,
    /// The most. NOT DOCUMENTED. 0: none.
    pub horizon_seconds: u64,
    /// The longest description, in characters. NOT DOCUMENTED. 0: none.
    pub max_description: usize,
    /// A job that is not static. The vendor guide (start and stop) wants a static one, and does not say when it looks.
    pub not_static: NotStatic,
    /// `"redundant_group": true`. CONFLICT: in the vendor reference, and "currently unsupported" (vendor page:
    /// Scheduling a Live Event).
    pub redundant_groups: RedundantGroups,
    /// Fields that the bodies do not have. NOT DOCUMENTED.
    pub unknown_fields: UnknownFields,
    /// Whether a DELETE needs a `Content-Type`. CONFLICT: not by the vendor guide, by the vendor reference it does.
    pub delete_needs_content_type: bool,
    /// Which tasks can be updated. The vendor guide says "while the state is pending", and each task has a state.
    pub update_rule: UpdateRule,
    /// An update of a task that cannot be updated. NOT DOCUMENTED.
    pub update_not_pending: UpdateNotPending,
    /// An update of a task without its `notification`. NOT DOCUMENTED.
    pub notification_left_out: NotificationLeftOut,
    /// A DELETE with nothing left to cancel. NOT DOCUMENTED.
    pub cancel_again: CancelAgain,
    /// What an activation that has been made shows after a DELETE. NOT DOCUMENTED.
    pub activation_after_cancel: ActivationAfterCancel,
    /// An id that is not known. The vendor reference lists a 404; an unknown job is a 500 (vendor reference: error
    /// messages).
    pub unknown_workflow: UnknownWorkflow,
    /// Milliseconds for which a cancelled workflow can still be read. NOT DOCUMENTED.
    pub cancelled_kept_ms: u64,
    /// Milliseconds for which a finished or failed workflow can still be read. NOT DOCUMENTED.
    pub ended_kept_ms: u64,
    /// `GET /v1/scheduler/jobstartstop`: only in a draft of the vendor's reference.
    pub list: ListCall,
    /// How the list's `state`, a workflow's, follows from those of its tasks. NOT DOCUMENTED.
    pub list_state: ListState,
    /// Whether `workflow_start_time_utc` is shown. CONFLICT: in the clips' sample and in the list's text, not in the
    /// schema.
    pub shows_start_time: bool,
    /// The shape of refusals. The vendor reference (error messages) shows both.
    pub error_body: ErrorBody,
    /// A task happens up to so many milliseconds late, from the seeded source. NOT DOCUMENTED.
    pub firing_jitter_ms: u64,
    /// A task happens at the next whole multiple of so many seconds. NOT DOCUMENTED.
    pub precision_seconds: u64,
    /// Further attempts at an activation that failed. NOT DOCUMENTED.
    pub activation_retries: u32,
    /// Milliseconds between them.
    pub activation_retry_ms: u64,
    /// What a deactivation becomes when the job is off already, or going off. NOT DOCUMENTED.
    pub deactivation_when_off: DeactivationWhenOff,
    /// A heads-up whose time is past when its task is given. NOT DOCUMENTED.
    pub past_heads_up: PastHeadsUp,
    /// The shape of a notification's `error`. NOT DOCUMENTED.
    pub notification_error: NotificationError,
    /// Further attempts at a notification that was not answered with a 2xx. NOT DOCUMENTED; 50 for those of jobs
    /// (vendor guide: Live API notifications).
    pub notification_retries: u32,
    /// Milliseconds between them.
    pub notification_retry_ms: u64,
    /// Milliseconds until a notification counts as not answered. NOT DOCUMENTED.
    pub notification_timeout_ms: u64,
}

impl Default for SchedulerSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            disabled_accounts: BTreeSet::new(),
            disabled_answer: RefusedAs::default(),
            account_id: "1752604059001".to_owned(),
            pending_activations: 6,
            pending_activations_of: QuotaScope::default(),
            over_quota_answer: RefusedAs::default(),
            past_time: PastTime::default(),
            stop_not_after_start: StopNotAfterStart::default(),
            min_duration_seconds: 0,
            min_lead_seconds: 0,
            horizon_seconds: 0,
            max_description: 0,
            not_static: NotStatic::default(),
            redundant_groups: RedundantGroups::default(),
            unknown_fields: UnknownFields::default(),
            delete_needs_content_type: false,
            update_rule: UpdateRule::default(),
            update_not_pending: UpdateNotPending::default(),
            notification_left_out: NotificationLeftOut::default(),
            cancel_again: CancelAgain::default(),
            activation_after_cancel: ActivationAfterCancel::default(),
            unknown_workflow: UnknownWorkflow::default(),
            cancelled_kept_ms: A_WEEK_MS,
            ended_kept_ms: A_WEEK_MS,
            list: ListCall::default(),
            list_state: ListState::default(),
            shows_start_time: false,
            error_body: ErrorBody::default(),
            firing_jitter_ms: 0,
            precision_seconds: 1,
            activation_retries: 0,
            activation_retry_ms: 60_000,
            deactivation_when_off: DeactivationWhenOff::default(),
            past_heads_up: PastHeadsUp::default(),
            notification_error: NotificationError::default(),
            notification_retries: 0,
            notification_retry_ms: 5_000,
            notification_timeout_ms: 10_000,
        }
    }
}

/// The status of a refusal for which none is documented.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusedAs {
    /// 400
    #[default]
    BadRequest,
    /// 401, which looks like a wrong key.
    Unauthorized,
    /// 403
    Forbidden,
    /// 404
    NotFound,
    /// 409
    Conflict,
    /// 422
    Unprocessable,
    /// 429
    TooManyRequests,
    /// 500, which looks as if it would pass.
    ServerError,
}

impl RefusedAs {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Conflict => StatusCode::CONFLICT,
            Self::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// What shares the pending activations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaScope {
    /// All workflows of an account.
    #[default]
    Account,
    /// The workflows of one job.
    Job,
}

/// A task whose time is past when it is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PastTime {
    /// 400 `Invalid input value`.
    #[default]
    Refuse,
    /// 200, and it happens at once.
    FireAtOnce,
    /// 200, and it fails at once.
    Fail,
}

/// A stop that is not after its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopNotAfterStart {
    /// 400 `Invalid input value`.
    #[default]
    Refuse,
    /// 200, and both happen at their times: the job stays on.
    Accept,
}

/// A workflow for a job that is not static.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotStatic {
    /// 400 `Invalid input value`.
    #[default]
    Refuse,
    /// 200, and the activation fails.
    FailWhenFired,
}

/// A workflow for a redundant group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedundantGroups {
    /// 400 `Invalid input value`.
    #[default]
    Refuse,
    /// 200, whatever the `job_id`. There are no groups here: it fails when it fires, unless a job has that id.
    Accept,
}

/// Fields that a body does not have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownFields {
    /// 400 `Invalid input value`.
    #[default]
    Refuse,
    /// They are left aside.
    Ignore,
}

/// Which tasks can be updated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdateRule {
    /// Each while it is pending: the vendor page (Scheduling a Live Event) says that once an event has started only the
    /// start time is locked.
    #[default]
    PerTask,
    /// Any only while both are.
    WholeWorkflow,
}

/// An update of a task that cannot be updated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdateNotPending {
    /// 400, and nothing is changed.
    #[default]
    BadRequest,
    /// 404, and nothing is changed.
    NotFound,
    /// 409, and nothing is changed.
    Conflict,
    /// 500, and nothing is changed.
    ServerError,
    /// 200, and that task stays as it was.
    Ignore,
}

/// A task is updated without its `notification`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationLeftOut {
    /// It has none from then on.
    #[default]
    Drop,
    /// It keeps the one it had.
    Keep,
}

/// A DELETE with nothing left to cancel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelAgain {
    /// As an id that is not known.
    #[default]
    Unknown,
    /// 400
    BadRequest,
    /// 200 and the workflow as it is.
    AsItIs,
}

/// An activation that has been made, after a DELETE.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActivationAfterCancel {
    /// `finished`, as before.
    #[default]
    Finished,
    /// `cancelled`, as its stop.
    Cancelled,
}

/// An id that is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownWorkflow {
    /// 500 `DB getItem, no results found`, as an unknown job.
    #[default]
    ServerError,
    /// 404 `Not Found`.
    NotFound,
}

/// The list of workflows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListCall {
    /// 404: the published reference does not have it.
    #[default]
    NotFound,
    /// 405
    MethodNotAllowed,
    /// It is there.
    Served,
}

/// A workflow's state in the list's filter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListState {
    /// `pending` while a task is; then `failed` if one is, `cancelled` if one is, `finished`.
    #[default]
    Overall,
    /// That of its activation: a workflow on air is not `pending`.
    Activation,
    /// It is in every state that one of its tasks is in.
    AnyTask,
}

/// The shape of a refusal's body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorBody {
    /// `{"error": …}`
    #[default]
    Error,
    /// `{"message": …}`
    Message,
}

/// A deactivation that finds the job off or going off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeactivationWhenOff {
    /// `failed`, with `After filtering, there is no job to process`.
    #[default]
    Failed,
    /// `finished`
    Finished,
}

/// A heads-up whose time is past when its task is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PastHeadsUp {
    /// It is not sent.
    #[default]
    Drop,
    /// It is sent at once.
    AtOnce,
}

/// The shape of a notification's `error`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationError {
    /// The body with which the call was refused.
    #[default]
    Body,
    /// Its text.
    Text,
}
