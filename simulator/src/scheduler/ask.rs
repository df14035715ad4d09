//! The calls about workflows, from what is asked to what is answered.

use http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;

use super::list::WorkflowQuery;
use super::refusal::WorkflowRefusal;
use super::request::{parse_new, parse_update};
use super::rules::Author;
use super::settings::ListCall;
use super::workflow::Workflow;
use crate::calls::Operation;
use crate::world::World;

/// A call about workflows.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) operation: Operation,
    /// The workflow in the path; of a create that is carried out late, the one that was promised.
    pub(crate) workflow: Option<String>,
    pub(crate) body: Option<Value>,
    pub(crate) query: String,
    pub(crate) has_content_type: bool,
    pub(crate) account: String,
    /// Label of the key.
    pub(crate) key: String,
}

/// What a call about workflows is answered.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
    /// The workflow of a create.
    pub(crate) created: Option<String>,
    pub(crate) carried_out: bool,
}

impl World {
    /// Does what is asked.
    pub(crate) fn schedule_call(&mut self, now: Timestamp, ask: &Ask) -> Answered {
        match self.try_schedule_call(now, ask) {
            Ok(answered) => answered,
            Err(refusal) => self.workflow_refused(refusal),
        }
    }

    fn try_schedule_call(&mut self, now: Timestamp, ask: &Ask) -> Result<Answered, WorkflowRefusal> {
        match ask.operation {
            Operation::ScheduleList => {
                match self.settings.scheduler.list {
                    ListCall::Served => {}
                    ListCall::NotFound => return Err(WorkflowRefusal::NoList),
                    ListCall::MethodNotAllowed => return Err(WorkflowRefusal::NoSuchMethod),
                }
                self.check_enabled(&ask.account)?;
                let query = WorkflowQuery::parse(&ask.query)?;
                let settings = &self.settings.scheduler;
                let known = |workflow: &&Workflow| workflow.account == ask.account && !workflow.gone;
                let page = query.page(self.scheduler.workflows.values().filter(known), settings);
                Ok(accepted(serde_json::to_value(page), true))
            }
            Operation::ScheduleRead => {
                self.check_enabled(&ask.account)?;
                let workflow = self.known_workflow(ask)?;
                Ok(accepted(serde_json::to_value(workflow.shown(&self.settings.scheduler)), true))
            }
            _ => {
                let workflow = self.draft(now, ask)?;
                let changed = self.scheduler.get(&workflow.id) != Some(&workflow);
                let created = (ask.operation == Operation::ScheduleCreate).then(|| workflow.id.clone());
                let shown = serde_json::to_value(workflow.shown(&self.settings.scheduler));
                self.scheduler.keep(workflow);
                Ok(Answered { created, ..accepted(shown, changed) })
            }
        }
    }

    /// Promises what is asked, without doing it: what it would answer, and the workflow of a create.
    pub(crate) fn promise_schedule_call(&mut self, now: Timestamp, ask: &Ask) -> Result<Answered, Answered> {
        let workflow = self.draft(now, ask).map_err(|refusal| self.workflow_refused(refusal))?;
        let shown = serde_json::to_value(workflow.shown(&self.settings.scheduler));
        let created = (ask.operation == Operation::ScheduleCreate).then(|| workflow.id.clone());
        Ok(Answered { created, ..accepted(shown, false) })
    }

    /// What a call that changes something would leave behind.
    fn draft(&mut self, now: Timestamp, ask: &Ask) -> Result<Workflow, WorkflowRefusal> {
        self.check_enabled(&ask.account)?;
        let unknown_fields = self.settings.scheduler.unknown_fields;
        let body = ask.body.as_ref().ok_or(WorkflowRefusal::Invalid);
        match ask.operation {
            Operation::ScheduleCreate => {
                let new = parse_new(body?, unknown_fields)?;
                let id = ask.workflow.clone().unwrap_or_else(|| self.new_workflow_id());
                let author = Author { account: ask.account.clone(), key: Some(ask.key.clone()) };
                self.draft_new(now, id, author, new)
            }
            Operation::ScheduleUpdate => {
                let workflow = self.known_workflow(ask)?.clone();
                let update = parse_update(body?, unknown_fields)?;
                self.draft_update(now, workflow, update)
            }
            Operation::ScheduleCancel => {
                let workflow = self.known_workflow(ask)?.clone();
                if self.settings.scheduler.delete_needs_content_type && !ask.has_content_type {
                    return Err(WorkflowRefusal::Invalid);
                }
                self.draft_cancel(now, workflow)
            }
            _ => Err(WorkflowRefusal::NoSuchMethod),
        }
    }

    fn check_enabled(&self, account: &str) -> Result<(), WorkflowRefusal> {
        let settings = &self.settings.scheduler;
        let enabled = settings.enabled && !settings.disabled_accounts.contains(account);
        if enabled { Ok(()) } else { Err(WorkflowRefusal::Disabled) }
    }

    /// Another account's workflow is as unknown as one that is not there.
    fn known_workflow(&self, ask: &Ask) -> Result<&Workflow, WorkflowRefusal> {
        let workflow = ask.workflow.as_ref().and_then(|id| self.scheduler.get(id));
        workflow.filter(|it| it.account == ask.account && !it.gone).ok_or(WorkflowRefusal::Unknown)
    }

    /// The job of a workflow, whoever's it is.
    pub(crate) fn job_of_workflow(&self, id: &str) -> Option<&str> {
        self.scheduler.get(id).map(|workflow| workflow.job.as_str())
    }

    fn workflow_refused(&self, refusal: WorkflowRefusal) -> Answered {
        let settings = &self.settings.scheduler;
        let (status, body) = (refusal.status(settings), refusal.body(settings));
        Answered { status, body, created: None, carried_out: false }
    }
}

fn accepted(body: serde_json::Result<Value>, carried_out: bool) -> Answered {
    Answered { status: StatusCode::OK, body: body.unwrap_or_default(), created: None, carried_out }
}
