//! What the scheduler refuses, and how. Most of it is NOT DOCUMENTED: the texts are modelled on those of the vendor's
//! error page, and the statuses are settings.

use http::StatusCode;
use serde_json::{Value, json};
use thiserror::Error;

use super::settings::{ErrorBody, SchedulerSettings, UnknownWorkflow, UpdateNotPending};
use crate::refusal::Refusal;

/// A call about workflows that the vendor answers with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WorkflowRefusal {
    /// As for jobs.
    #[error(transparent)]
    Job(Refusal),
    /// The scheduler is off for the account.
    #[error("The scheduler is not enabled for this account")]
    Disabled,
    /// A field that is missing or bad, a time that cannot be.
    #[error("Invalid input value")]
    Invalid,
    /// A `notification_url` without a scheme, or with an unknown one: documented for the notifications of jobs.
    #[error("The notification target type is not supported currently")]
    NotificationTarget,
    /// Too many activations are pending.
    #[error("You've reached the number of pending activations you can schedule for your account")]
    OverQuota,
    /// No such workflow in the key's account.
    #[error("DB getItem, no results found")]
    Unknown,
    /// An update of a task that cannot be updated any more.
    #[error("Only pending tasks can be updated")]
    NotPending,
    /// A DELETE of a workflow of which nothing is pending.
    #[error("There is no pending task to cancel")]
    NothingToCancel,
    /// There is no list.
    #[error("Unauthorized")]
    NoList,
    /// The address does not know the method.
    #[error("Method Not Allowed")]
    NoSuchMethod,
}

impl WorkflowRefusal {
    /// The status it comes with.
    pub fn status(self, settings: &SchedulerSettings) -> StatusCode {
        match self {
            Self::Job(refusal) => refusal.status(),
            Self::Disabled => settings.disabled_answer.status(),
            Self::OverQuota => settings.over_quota_answer.status(),
            Self::Invalid | Self::NotificationTarget | Self::NothingToCancel => StatusCode::BAD_REQUEST,
            Self::Unknown => match settings.unknown_workflow {
                UnknownWorkflow::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
                UnknownWorkflow::NotFound => StatusCode::NOT_FOUND,
            },
            Self::NotPending => match settings.update_not_pending {
                UpdateNotPending::BadRequest | UpdateNotPending::Ignore => StatusCode::BAD_REQUEST,
                UpdateNotPending::NotFound => StatusCode::NOT_FOUND,
                UpdateNotPending::Conflict => StatusCode::CONFLICT,
                UpdateNotPending::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
            },
            Self::NoList => StatusCode::NOT_FOUND,
            Self::NoSuchMethod => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    /// The body, in its shape.
    pub fn body(self, settings: &SchedulerSettings) -> Value {
        match (self, settings.error_body) {
            (Self::Job(refusal), _) => refusal.body(),
            (Self::Unknown, _) if settings.unknown_workflow == UnknownWorkflow::NotFound => {
                json!({ "message": "Not Found" })
            }
            (Self::Unknown | Self::NoList | Self::NoSuchMethod, _) | (_, ErrorBody::Message) => {
                json!({ "message": self.to_string() })
            }
            (_, ErrorBody::Error) => json!({ "error": self.to_string() }),
        }
    }
}

impl From<Refusal> for WorkflowRefusal {
    fn from(refusal: Refusal) -> Self {
        Self::Job(refusal)
    }
}
