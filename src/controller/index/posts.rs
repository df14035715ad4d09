//! Notifications: what is to be sent for a window, and what came of it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use plan::outbox::Action;
use plan::workflow::{KnownTask, as_of, shown};
use plan::{Attempt, Delivery, DeliveryState, JobKey, ObjectName, Posted, Reason, Record, TaskState, WindowId};
use serde::Serialize;

use crate::api::Workflow;
use crate::api::workflow::{WORKFLOW_TYPE, WorkflowTask, workflow_id};
use crate::controller::window::{Receiver, Stored};
use crate::notify::{Post, ReceiverUrl};

use super::Index;

/// A notification that is to be sent now.
pub(in crate::controller) struct Posting {
    pub(in crate::controller) window: ObjectName,
    pub(in crate::controller) action: Action,
    /// The planned time that it is about.
    pub(in crate::controller) time: Timestamp,
    /// Where it goes.
    url: Box<str>,
    /// The how-manieth attempt it is.
    pub(in crate::controller) number: u32,
}

/// What goes out.
#[derive(Debug)]
pub(in crate::controller) enum Letter {
    Ready(Box<Post>),
    /// Nothing can be sent.
    Unsendable(Reason),
}

impl Posting {
    /// What came of it.
    pub(in crate::controller) fn attempt(&self, at: Timestamp, posted: Posted) -> Attempt {
        Attempt { action: self.action, time: self.time, number: self.number, at, posted }
    }
}

/// What receivers are sent: the vendor's body (Live API guide, scheduler notifications).
#[derive(Serialize)]
struct Body {
    action: &'static str,
    workflow: Workflow,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

/// Why the action failed. The vendor gives no shape for it.
#[derive(Serialize)]
struct Failure {
    reason: &'static str,
    message: String,
}

impl Index {
    /// The notification that is to be sent for this window, from now on under way. Not before the apiserver has stored
    /// that it is owed: else a crash right after the task was settled, and before that was stored, could send another
    /// one under the same id.
    pub(in crate::controller) fn post(&mut self, id: &WindowId) -> Option<(Posting, Letter)> {
        // Another's to send, until this process leads.
        self.term.as_ref()?;
        let stored = self.windows.get(id)?;
        let planned = stored.planned.as_ref()?;
        // One that was answered is planned on first.
        let free = !self.posting.contains(id) && stored.attempt.is_none();
        let delivery = planned.record.outbox.get(planned.post.filter(|_| free)?)?;
        let receiver = stored.spec.receiver.as_deref()?;
        let known = stored.acknowledged.status().notifications;
        known.iter().find(|known| known.id == delivery.id(id))?;
        let posting = Posting {
            window: stored.name.clone(),
            action: delivery.action,
            time: delivery.time,
            url: receiver.url.clone(),
            number: delivery.attempts + 1,
        };
        let letter = self.letter(stored, receiver, delivery, &planned.record).unwrap_or_else(Letter::Unsendable);
        self.posting.insert(id.clone());
        Some((posting, letter))
    }

    /// What is on its way is what would be sent now.
    pub(in crate::controller) fn still_wanted(&self, id: &WindowId, posting: &Posting) -> bool {
        let Some(stored) = self.windows.get(id) else { return false };
        let owed = stored.planned.as_ref().and_then(|planned| planned.record.outbox.get(posting.action));
        let owed = owed.is_some_and(|owed| owed.state == DeliveryState::Pending && owed.time == posting.time);
        owed && stored.spec.receiver.as_ref().is_some_and(|receiver| receiver.url == posting.url)
    }

    /// Nothing was sent of it, and it stays under way. Why is planned on.
    pub(in crate::controller) fn held(&mut self, id: &WindowId, attempt: Attempt) -> BTreeSet<JobKey> {
        if let Some(stored) = self.windows.get_mut(id) {
            stored.attempt = Some(Box::new(attempt));
        }
        self.job_of.get(id).cloned().into_iter().collect()
    }

    /// It is not under way any more; what came of it is planned on.
    pub(in crate::controller) fn posted(&mut self, id: &WindowId, attempt: Option<Attempt>) -> BTreeSet<JobKey> {
        self.posting.remove(id);
        match attempt {
            Some(attempt) => self.held(id, attempt),
            None => self.job_of.get(id).cloned().into_iter().collect(),
        }
    }

    fn letter(
        &self,
        stored: &Stored,
        receiver: &Receiver,
        delivery: &Delivery,
        record: &Record,
    ) -> Result<Letter, Reason> {
        let url = ReceiverUrl::parse(&receiver.url).map_err(|_| Reason::ReceiverNotAllowed)?;
        let account = self.accounts.get(&stored.spec.account).ok_or(Reason::AccountNotFound)?;
        let secrets =
            account.signing.secrets_for(url.host(), &self.secrets).map_err(|_| Reason::SigningSecretUnusable)?;
        let account_id = account.shown_as.clone().unwrap_or_default();
        let body = Body {
            action: delivery.action.as_str(),
            workflow: workflow(stored, receiver, account_id, record, delivery.action),
            error: failure(record, delivery.action),
        };
        let body = serde_json::to_string(&body).unwrap_or_default();
        let (id, allow_http) = (delivery.id(&stored.id), account.signing.allow_http);
        Ok(Letter::Ready(Box::new(Post { id, url, body, secrets, allow_http })))
    }
}

fn failure(record: &Record, action: Action) -> Option<Failure> {
    let task = match action {
        Action::Activate => &record.activation,
        Action::Deactivate => &record.deactivation,
        Action::NotifyActivate | Action::NotifyDeactivate => return None,
    };
    let reason = task.reason.filter(|_| task.state == TaskState::Failed)?;
    let message = if task.message.is_empty() { reason.meaning().to_owned() } else { task.message.clone() };
    Some(Failure { reason: reason.as_str(), message })
}

/// What the HTTP interface's GET answers, as it was when the action happened.
fn workflow(stored: &Stored, receiver: &Receiver, account_id: String, record: &Record, action: Action) -> Workflow {
    let spec = &stored.spec;
    let both = shown(
        spec.cancel,
        KnownTask::of(&record.activation, spec.activation),
        KnownTask::of(&record.deactivation, spec.deactivation),
    );
    let (start, stop) = as_of(action, both);
    Workflow {
        account_id,
        activation: WorkflowTask::new(start, receiver.ahead.0),
        deactivation: WorkflowTask::new(stop, receiver.ahead.1),
        description: receiver.description.as_deref().map(str::to_owned),
        job_id: spec.job.shared().to_string(),
        notification_url: Some(receiver.url.to_string()),
        kind: WORKFLOW_TYPE.to_owned(),
        workflow_id: workflow_id(stored.id.as_str()),
    }
}
