//! What the scheduler does by itself: heads-ups, the two tasks at their times, and forgetting what is over.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::outbox::Action;
use super::settings::{DeactivationWhenOff, NotificationError};
use super::workflow::{Due, Firing, FiringOutcome, TaskKind, TaskState, Workflow};
use crate::calls::Operation;
use crate::job::later;
use crate::refusal::Refusal;
use crate::world::{Limits, World};

/// Something that goes wrong with tasks that are due. Of those that match, the one that was added first strikes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FiringFault {
    /// The workflow it strikes; none: any.
    #[serde(default)]
    pub workflow: Option<String>,
    /// The job whose workflows it strikes; none: any.
    #[serde(default)]
    pub job: Option<String>,
    /// The task it strikes; none: both.
    #[serde(default)]
    pub task: Option<TaskKind>,
    /// So many tasks are struck, then it is gone; none: for ever.
    #[serde(default)]
    pub times: Option<u32>,
    /// What goes wrong.
    #[serde(flatten)]
    pub effect: FiringEffect,
}

/// What goes wrong with a task that is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum FiringEffect {
    /// Nothing happens, and the task stays pending for ever.
    Skip,
    /// It fails, and the job is left alone.
    Fail {
        /// The text of the notification's `error`.
        error: String,
    },
    /// It happens so much later.
    Late {
        /// How much later, in milliseconds.
        ms: u64,
    },
}

impl FiringFault {
    /// Strikes every task, for ever.
    #[must_use]
    pub fn new(effect: FiringEffect) -> Self {
        Self { workflow: None, job: None, task: None, times: None, effect }
    }

    /// Strikes this task only.
    #[must_use]
    pub fn on(mut self, task: TaskKind) -> Self {
        self.task = Some(task);
        self
    }

    /// Strikes this workflow only.
    #[must_use]
    pub fn workflow(mut self, id: impl Into<String>) -> Self {
        self.workflow = Some(id.into());
        self
    }

    /// Strikes the workflows of this job only.
    #[must_use]
    pub fn job(mut self, job: impl Into<String>) -> Self {
        self.job = Some(job.into());
        self
    }

    /// Strikes so many tasks.
    #[must_use]
    pub fn times(mut self, tasks: u32) -> Self {
        self.times = Some(tasks);
        self
    }

    fn matches(&self, workflow: &Workflow, task: TaskKind) -> bool {
        self.workflow.as_ref().is_none_or(|id| *id == workflow.id)
            && self.job.as_ref().is_none_or(|job| *job == workflow.job)
            && self.task.is_none_or(|struck| struck == task)
            // It has been put off once, and for ever is not "so much later".
            && !(workflow.task(task).put_off && matches!(self.effect, FiringEffect::Late { .. }))
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct FiringFaults {
    faults: BTreeMap<u64, FiringFault>,
    added: u64,
}

impl FiringFaults {
    fn strike(&mut self, workflow: &Workflow, task: TaskKind) -> Option<FiringEffect> {
        let (number, fault) = self.faults.iter_mut().find(|(_, fault)| fault.matches(workflow, task))?;
        let (number, effect) = (*number, fault.effect.clone());
        if let Some(times) = &mut fault.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                self.faults.remove(&number);
            }
        }
        Some(effect)
    }
}

/// Faults of the scheduler itself.
impl World {
    /// Adds a fault of tasks that are due, and gives its number.
    pub fn add_firing_fault(&mut self, fault: FiringFault) -> u64 {
        let faults = &mut self.scheduler.faults;
        faults.added += 1;
        if fault.times != Some(0) {
            faults.faults.insert(faults.added, fault);
        }
        faults.added
    }

    /// Takes a fault away; whether there was one.
    pub fn remove_firing_fault(&mut self, number: u64) -> bool {
        self.scheduler.faults.faults.remove(&number).is_some()
    }

    /// Takes all of them away.
    pub fn clear_firing_faults(&mut self) {
        self.scheduler.faults.faults.clear();
    }

    /// Those that can still strike, with their numbers.
    pub fn firing_faults(&self) -> impl Iterator<Item = (u64, &FiringFault)> {
        self.scheduler.faults.faults.iter().map(|(number, fault)| (*number, fault))
    }
}

/// Why a task failed.
enum Failure {
    Refused(Refusal),
    Fault(String),
}

impl Failure {
    fn body(&self) -> Value {
        match self {
            Self::Refused(refusal) => refusal.body(),
            Self::Fault(text) => json!({ "message": text }),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Refused(refusal) => refusal.to_string(),
            Self::Fault(text) => text.clone(),
        }
    }
}

impl World {
    /// Lets the first thing that is due happen, at its own time.
    pub(crate) fn let_scheduler_happen(&mut self) {
        let Some(id) = self.scheduler.agenda.first().map(|(_, id)| id.clone()) else { return };
        let Some(mut workflow) = self.scheduler.take(&id) else { return };
        if let Some((at, due)) = workflow.next_due() {
            match due {
                Due::HeadsUp(task) => {
                    workflow.task_mut(task).heads_up = None;
                    self.notify(at, Action::heads_up(task), &workflow, None);
                }
                Due::Task(task) => self.fire(at, task, &mut workflow),
                Due::Oblivion => {
                    workflow.oblivion = None;
                    workflow.gone = true;
                }
            }
            workflow.settle(at, &self.settings.scheduler);
        }
        self.scheduler.keep(workflow);
    }

    fn fire(&mut self, at: Timestamp, task: TaskKind, workflow: &mut Workflow) {
        let failure = match self.scheduler.faults.strike(workflow, task) {
            Some(FiringEffect::Skip) => {
                workflow.task_mut(task).due = None;
                note(workflow, task, at, FiringOutcome::Skipped, None);
                return;
            }
            Some(FiringEffect::Late { ms }) => {
                let put_off = workflow.task_mut(task);
                put_off.due = Some(later(at, ms));
                put_off.put_off = true;
                note(workflow, task, at, FiringOutcome::PutOff, None);
                return;
            }
            Some(FiringEffect::Fail { error }) => Some(Failure::Fault(error)),
            None if workflow.task(task).doomed => Some(Failure::Refused(Refusal::InvalidInput)),
            None => self.make(at, task, workflow).err().map(Failure::Refused),
        };
        let settings = &self.settings.scheduler;
        if let (TaskKind::Activation, Some(Failure::Refused(_))) = (task, &failure)
            && workflow.activation.refused < settings.activation_retries
        {
            workflow.activation.refused += 1;
            workflow.activation.due = Some(later(at, settings.activation_retry_ms));
            note(workflow, task, at, FiringOutcome::Retried, failure.as_ref());
            return;
        }
        let told = failure.as_ref().map(|failure| match settings.notification_error {
            NotificationError::Body => failure.body(),
            NotificationError::Text => Value::String(failure.text()),
        });
        if failure.is_some() {
            workflow.task_mut(task).end(TaskState::Failed);
            // Vendor guide: scheduler notifications.
            if task == TaskKind::Activation && workflow.deactivation.is_pending() {
                workflow.deactivation.end(TaskState::Cancelled);
            }
            note(workflow, task, at, FiringOutcome::Failed, failure.as_ref());
        } else {
            workflow.task_mut(task).end(TaskState::Finished);
            note(workflow, task, at, FiringOutcome::Finished, None);
        }
        self.notify(at, Action::attempt(task), workflow, told.as_ref());
    }

    /// The call itself, by the rules of the HTTP call.
    fn make(&mut self, at: Timestamp, task: TaskKind, workflow: &Workflow) -> Result<(), Refusal> {
        let job = self.jobs.get(&workflow.job).filter(|job| job.account == workflow.account);
        let job = job.ok_or(Refusal::NoSuchJob)?;
        let operation = match task {
            TaskKind::Activation => Operation::Activate,
            TaskKind::Deactivation if job.is_off() || job.is_going_off() => {
                return match self.settings.scheduler.deactivation_when_off {
                    DeactivationWhenOff::Failed => Err(Refusal::NothingToProcess),
                    DeactivationWhenOff::Finished => Ok(()),
                };
            }
            TaskKind::Deactivation => Operation::Deactivate,
        };
        self.switch_job(at, &workflow.job, operation, Limits::Apply).map(|_| ())
    }
}

fn note(workflow: &mut Workflow, task: TaskKind, at: Timestamp, outcome: FiringOutcome, failure: Option<&Failure>) {
    let error = failure.map(Failure::body);
    workflow.firings.push(Firing { task, at_us: at.as_microsecond(), outcome, error });
}
