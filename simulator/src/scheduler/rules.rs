//! What the scheduler accepts: new workflows, updates and cancellations. Each is drafted first, and changes nothing
//! until the draft is kept.

use http::Uri;
use jiff::Timestamp;

use super::refusal::WorkflowRefusal;
use super::request::{NewWorkflow, TaskEdit, TaskTimes, Update, WorkflowEdit};
use super::settings::{
    ActivationAfterCancel, CancelAgain, NotStatic, NotificationLeftOut, PastHeadsUp, PastTime, QuotaScope,
    RedundantGroups, StopNotAfterStart, UpdateNotPending, UpdateRule,
};
use super::workflow::{Task, TaskKind, TaskState, Workflow, WorkflowReport};
use crate::job::later;
use crate::refusal::Refusal;
use crate::world::{ControlError, World};

/// Who creates a workflow.
pub(super) struct Author {
    pub(super) account: String,
    /// None: a person in the vendor's interface, whom the quota does not hold up.
    pub(super) key: Option<String>,
}

/// Workflows, and what others than the API's callers do to them. None of it is in the log of calls.
impl World {
    /// A person creates a workflow in the vendor's interface, in the account of its job; gives its id. The account's
    /// quota does not hold it up, but it counts.
    pub fn schedule(&mut self, now: Timestamp, new: NewWorkflow) -> Result<String, ControlError> {
        let now = self.advance(now);
        let job = self.jobs.get(&new.job_id).ok_or_else(|| ControlError::NoSuchJob(new.job_id.clone()))?;
        let author = Author { account: job.account.clone(), key: None };
        let id = self.new_workflow_id();
        let workflow = self.draft_new(now, id.clone(), author, new)?;
        self.scheduler.keep(workflow);
        Ok(id)
    }

    /// Everything about one workflow, also when the API has forgotten it.
    pub fn workflow(&mut self, now: Timestamp, id: &str) -> Option<WorkflowReport> {
        self.advance(now);
        self.scheduler.get(id).map(Workflow::report)
    }

    /// Everything about all workflows, in the order in which they were created.
    pub fn workflows(&mut self, now: Timestamp) -> Vec<WorkflowReport> {
        self.advance(now);
        let mut all: Vec<_> = self.scheduler.workflows.values().map(Workflow::report).collect();
        all.sort_by(|one, other| (one.created_us, &one.id).cmp(&(other.created_us, &other.id)));
        all
    }

    /// Somebody changes a workflow behind the back of the API's callers.
    pub fn change_workflow(&mut self, now: Timestamp, id: &str, edit: WorkflowEdit) -> Result<(), ControlError> {
        let now = self.advance(now);
        let before = self.scheduler.get(id).cloned().ok_or_else(|| ControlError::NoSuchWorkflow(id.to_owned()))?;
        let workflow = self.draft_edit(now, before, edit)?;
        self.scheduler.keep(workflow);
        Ok(())
    }

    /// Removes a workflow without a trace, and nothing comes of it; whether there was one.
    pub fn remove_workflow(&mut self, id: &str) -> bool {
        self.scheduler.take(id).is_some()
    }

    /// When the scheduler does something next by itself, or has a notification to be sent.
    pub fn next_firing(&self) -> Option<Timestamp> {
        self.scheduler.next_change()
    }
}

/// Drafts.
impl World {
    /// One that no workflow has: the random source can begin anew.
    pub(super) fn new_workflow_id(&mut self) -> String {
        loop {
            let id = self.chance.id();
            if self.scheduler.get(&id).is_none() {
                return id;
            }
        }
    }

    pub(super) fn draft_new(
        &mut self,
        now: Timestamp,
        id: String,
        author: Author,
        new: NewWorkflow,
    ) -> Result<Workflow, WorkflowRefusal> {
        let Author { account, key } = author;
        let settings = &self.settings.scheduler;
        let longest = settings.max_description;
        if longest > 0 && new.description.as_ref().is_some_and(|text| text.chars().count() > longest) {
            return Err(WorkflowRefusal::Invalid);
        }
        check_notifications(new.notification_url.as_deref(), &[new.activation, new.deactivation])?;
        if new.redundant_group == Some(true) {
            if settings.redundant_groups == RedundantGroups::Refuse {
                return Err(WorkflowRefusal::Invalid);
            }
        } else {
            let job = self.jobs.get(&new.job_id).filter(|job| job.account == account).ok_or(Refusal::NoSuchJob)?;
            if !job.is_static && settings.not_static == NotStatic::Refuse {
                return Err(WorkflowRefusal::Invalid);
            }
        }
        let (start, stop) = (new.activation.time_utc, new.deactivation.time_utc);
        self.check_times(now, (start, stop), &[start, stop])?;
        if key.is_some() && self.is_over_quota(&account, &new.job_id) {
            return Err(WorkflowRefusal::OverQuota);
        }
        Ok(Workflow {
            id,
            account,
            job: new.job_id,
            created_by: key,
            created_at: now,
            activation: self.arm(now, new.activation),
            deactivation: self.arm(now, new.deactivation),
            description: new.description,
            notification_url: new.notification_url,
            firings: Vec::new(),
            oblivion: None,
            gone: false,
        })
    }

    pub(super) fn draft_update(
        &mut self,
        now: Timestamp,
        mut workflow: Workflow,
        update: Update,
    ) -> Result<Workflow, WorkflowRefusal> {
        let settings = &self.settings.scheduler;
        let both = workflow.activation.is_pending() && workflow.deactivation.is_pending();
        let mut changes = Vec::new();
        for (task, times) in [(TaskKind::Activation, update.activation), (TaskKind::Deactivation, update.deactivation)]
        {
            let Some(mut times) = times else { continue };
            let before = workflow.task(task);
            let may = match settings.update_rule {
                UpdateRule::PerTask => before.is_pending(),
                UpdateRule::WholeWorkflow => both,
            };
            if !may {
                match settings.update_not_pending {
                    UpdateNotPending::Ignore => continue,
                    _ => return Err(WorkflowRefusal::NotPending),
                }
            }
            if settings.notification_left_out == NotificationLeftOut::Keep {
                times.notification = times.notification.or(before.notification);
            }
            changes.push((task, times));
        }
        self.put_times(now, &mut workflow, &changes)?;
        Ok(workflow)
    }

    /// Before the activation both tasks, after it the stop only (vendor guide: start and stop). It switches nothing
    /// off.
    pub(super) fn draft_cancel(&self, now: Timestamp, mut workflow: Workflow) -> Result<Workflow, WorkflowRefusal> {
        let settings = &self.settings.scheduler;
        if workflow.is_over() {
            return match settings.cancel_again {
                CancelAgain::Unknown => Err(WorkflowRefusal::Unknown),
                CancelAgain::BadRequest => Err(WorkflowRefusal::NothingToCancel),
                CancelAgain::AsItIs => Ok(workflow),
            };
        }
        if workflow.activation.state == TaskState::Finished
            && settings.activation_after_cancel == ActivationAfterCancel::Cancelled
        {
            workflow.activation.state = TaskState::Cancelled;
        }
        for task in [&mut workflow.activation, &mut workflow.deactivation] {
            if task.is_pending() {
                task.end(TaskState::Cancelled);
            }
        }
        workflow.settle(now, settings);
        Ok(workflow)
    }

    fn draft_edit(
        &mut self,
        now: Timestamp,
        mut workflow: Workflow,
        edit: WorkflowEdit,
    ) -> Result<Workflow, WorkflowRefusal> {
        if edit.cancel {
            workflow = self.draft_cancel(now, workflow)?;
        }
        workflow.description = edit.description.or(workflow.description);
        workflow.notification_url = edit.notification_url.or(workflow.notification_url);
        let mut changes = Vec::new();
        for (kind, edit) in [(TaskKind::Activation, edit.activation), (TaskKind::Deactivation, edit.deactivation)] {
            let TaskEdit { time_utc, notification, state, shows_state } = edit;
            let task = workflow.task_mut(kind);
            if let Some(word) = shows_state {
                task.shows_state = Some(word).filter(|word| !word.is_empty());
            }
            match state {
                Some(TaskState::Pending) => {
                    let times = TaskTimes { time_utc: task.time_utc, notification: task.notification };
                    self.rearm(now, &mut workflow, kind, times);
                }
                Some(state) => task.end(state),
                None => {}
            }
            let task = workflow.task(kind);
            if time_utc.is_some() || notification.is_some() {
                if !task.is_pending() {
                    return Err(WorkflowRefusal::NotPending);
                }
                changes.push((
                    kind,
                    TaskTimes {
                        time_utc: time_utc.unwrap_or(task.time_utc),
                        notification: notification.or(task.notification),
                    },
                ));
            }
        }
        self.put_times(now, &mut workflow, &changes)?;
        workflow.settle(now, &self.settings.scheduler);
        Ok(workflow)
    }

    fn put_times(
        &mut self,
        now: Timestamp,
        workflow: &mut Workflow,
        changes: &[(TaskKind, TaskTimes)],
    ) -> Result<(), WorkflowRefusal> {
        let given: Vec<i64> = changes.iter().map(|(_, times)| times.time_utc).collect();
        let after = |kind: TaskKind| {
            let given = changes.iter().find(|(task, _)| *task == kind);
            given.map_or(workflow.task(kind).time_utc, |(_, times)| times.time_utc)
        };
        self.check_times(now, (after(TaskKind::Activation), after(TaskKind::Deactivation)), &given)?;
        let times: Vec<TaskTimes> = changes.iter().map(|(_, times)| *times).collect();
        check_notifications(workflow.notification_url.as_deref(), &times)?;
        for (kind, times) in changes {
            self.rearm(now, workflow, *kind, *times);
        }
        Ok(())
    }

    fn rearm(&mut self, now: Timestamp, workflow: &mut Workflow, kind: TaskKind, times: TaskTimes) {
        let armed = self.arm(now, times);
        let task = workflow.task_mut(kind);
        *task = Task { shows_state: task.shows_state.take(), ..armed };
    }

    /// The times that are given, and the window that they make.
    fn check_times(&self, now: Timestamp, (start, stop): (i64, i64), given: &[i64]) -> Result<(), WorkflowRefusal> {
        let settings = &self.settings.scheduler;
        let in_seconds = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
        let least = now.as_second().saturating_add(in_seconds(settings.min_lead_seconds));
        let most = now.as_second().saturating_add(in_seconds(settings.horizon_seconds));
        for time in given {
            let at = Timestamp::from_second(*time).map_err(|_| WorkflowRefusal::Invalid)?;
            let past = at < now && settings.past_time == PastTime::Refuse;
            let too_soon = settings.min_lead_seconds > 0 && *time < least;
            let too_far = settings.horizon_seconds > 0 && *time > most;
            if past || too_soon || too_far {
                return Err(WorkflowRefusal::Invalid);
            }
        }
        let reversed = stop <= start && settings.stop_not_after_start == StopNotAfterStart::Refuse;
        let short = stop > start && stop.saturating_sub(start) < in_seconds(settings.min_duration_seconds);
        if !given.is_empty() && (reversed || short) { Err(WorkflowRefusal::Invalid) } else { Ok(()) }
    }

    fn is_over_quota(&self, account: &str, job: &str) -> bool {
        let settings = &self.settings.scheduler;
        let pending = match settings.pending_activations_of {
            QuotaScope::Account => self.scheduler.pending_of_account(account),
            QuotaScope::Job => self.scheduler.pending_of_job(account, job),
        };
        settings.pending_activations > 0 && pending >= settings.pending_activations
    }

    /// A pending task.
    fn arm(&mut self, now: Timestamp, times: TaskTimes) -> Task {
        let settings = &self.settings.scheduler;
        let TaskTimes { time_utc, notification } = times;
        let precision = i64::try_from(settings.precision_seconds).unwrap_or(i64::MAX).max(1);
        let short_of = (precision - time_utc.rem_euclid(precision)) % precision;
        let at = Timestamp::from_second(time_utc.saturating_add(short_of)).unwrap_or(Timestamp::MAX);
        let given = Timestamp::from_second(time_utc).unwrap_or(Timestamp::MAX);
        let heads_up = notification.filter(|seconds| *seconds > 0).and_then(|seconds| {
            let before = time_utc.saturating_sub(i64::try_from(seconds).unwrap_or(i64::MAX));
            let heads_up = Timestamp::from_second(before).unwrap_or(Timestamp::MIN);
            match settings.past_heads_up {
                PastHeadsUp::Drop => Some(heads_up).filter(|at| *at >= now),
                PastHeadsUp::AtOnce => Some(heads_up.max(now)),
            }
        });
        let doomed = given < now && settings.past_time == PastTime::Fail;
        let jitter = match settings.firing_jitter_ms {
            0 => 0,
            most => self.chance.up_to(most),
        };
        Task {
            state: TaskState::Pending,
            time_utc,
            notification,
            due: Some(later(at.max(now), jitter)),
            heads_up,
            refused: 0,
            put_off: false,
            doomed,
            shows_state: None,
        }
    }
}

/// A heads-up needs an address to go to, and any address a scheme that is known.
fn check_notifications(url: Option<&str>, tasks: &[TaskTimes]) -> Result<(), WorkflowRefusal> {
    match url {
        None if tasks.iter().any(|task| task.notification.is_some_and(|seconds| seconds > 0)) => {
            Err(WorkflowRefusal::Invalid)
        }
        None => Ok(()),
        Some(url) => {
            let known = url.parse::<Uri>().is_ok_and(|uri| {
                matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
            });
            if known { Ok(()) } else { Err(WorkflowRefusal::NotificationTarget) }
        }
    }
}
