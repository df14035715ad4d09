//! Notifications of the scheduler (vendor guide: scheduler notifications). The world makes no network: it says what is
//! to be sent, and is told what became of it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::workflow::{ShownWorkflow, TaskKind, Workflow};
use crate::job::later;
use crate::world::World;

/// What a notification tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// A heads-up before the activation.
    NotifyActivate,
    /// The activation was attempted.
    Activate,
    /// A heads-up before the deactivation.
    NotifyDeactivate,
    /// The deactivation was attempted.
    Deactivate,
}

impl Action {
    pub(super) fn heads_up(task: TaskKind) -> Self {
        match task {
            TaskKind::Activation => Self::NotifyActivate,
            TaskKind::Deactivation => Self::NotifyDeactivate,
        }
    }

    pub(super) fn attempt(task: TaskKind) -> Self {
        match task {
            TaskKind::Activation => Self::Activate,
            TaskKind::Deactivation => Self::Deactivate,
        }
    }
}

/// A POST of JSON to a workflow's `notification_url`, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// From 1, in the order in which they became due.
    pub number: u64,
    /// The workflow's id.
    pub workflow: String,
    /// What it tells of.
    pub action: Action,
    /// Where it goes.
    pub url: String,
    /// What is sent.
    pub body: Value,
    /// When it became due, in epoch microseconds.
    pub due_us: i64,
    /// Times that it was handed out to be sent.
    pub attempts: u32,
    /// What became of it.
    pub fate: Fate,
    /// The status that the last attempt was answered with.
    pub status: Option<u16>,
    /// Why the last attempt had no answer.
    pub error: Option<String>,
}

/// What became of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// To be sent, or to be sent again.
    Waiting,
    /// Handed out to be sent.
    Sending,
    /// Answered with a 2xx.
    Delivered,
    /// Not answered so, as often as it was tried.
    Failed,
}

/// How an attempt at a notification ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// With this status.
    Answered(u16),
    /// Without an answer.
    Unanswered(String),
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Outbox {
    notifications: BTreeMap<u64, Notification>,
    due: BTreeSet<(Timestamp, u64)>,
}

#[derive(Serialize)]
struct Body<'a> {
    action: Action,
    workflow: ShownWorkflow<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a Value>,
}

impl Outbox {
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }
}

impl World {
    /// Notes that a workflow's receiver is to be told; nothing where it has none.
    pub(super) fn notify(&mut self, at: Timestamp, action: Action, workflow: &Workflow, error: Option<&Value>) {
        let Some(url) = &workflow.notification_url else { return };
        let body = Body { action, workflow: workflow.shown(&self.settings.scheduler), error };
        let Ok(body) = serde_json::to_value(&body) else { return };
        let outbox = &mut self.scheduler.outbox;
        let number = outbox.notifications.last_key_value().map_or(0, |(number, _)| *number) + 1;
        outbox.due.insert((at, number));
        outbox.notifications.insert(
            number,
            Notification {
                number,
                workflow: workflow.id.clone(),
                action,
                url: url.clone(),
                body,
                due_us: at.as_microsecond(),
                attempts: 0,
                fate: Fate::Waiting,
                status: None,
                error: None,
            },
        );
    }

    /// The notifications that are due by `now`, for the caller to send. Each is handed out once, and again after an
    /// attempt that failed where the settings say so.
    pub fn take_notifications(&mut self, now: Timestamp) -> Vec<Notification> {
        let now = self.advance(now);
        let outbox = &mut self.scheduler.outbox;
        let mut due = Vec::new();
        while let Some((_, number)) = outbox.due.first().copied().filter(|(at, _)| *at <= now) {
            outbox.due.pop_first();
            if let Some(notification) = outbox.notifications.get_mut(&number) {
                notification.attempts += 1;
                notification.fate = Fate::Sending;
                due.push(notification.clone());
            }
        }
        due
    }

    /// Tells what became of a notification that was handed out.
    pub fn settle_notification(&mut self, now: Timestamp, number: u64, delivery: Delivery) {
        let now = self.advance(now);
        let settings = &self.settings.scheduler;
        let outbox = &mut self.scheduler.outbox;
        let Some(notification) = outbox.notifications.get_mut(&number) else { return };
        (notification.status, notification.error) = match delivery {
            Delivery::Answered(status) => (Some(status), None),
            Delivery::Unanswered(error) => (None, Some(error)),
        };
        notification.fate = if notification.status.is_some_and(|status| (200..300).contains(&status)) {
            Fate::Delivered
        } else if notification.attempts <= settings.notification_retries {
            outbox.due.insert((later(now, settings.notification_retry_ms), number));
            Fate::Waiting
        } else {
            Fate::Failed
        };
    }

    /// All notifications so far, oldest first.
    pub fn notifications(&mut self, now: Timestamp) -> impl Iterator<Item = &Notification> {
        self.advance(now);
        self.scheduler.outbox.notifications.values()
    }
}
