//! `GET /v1/scheduler/jobstartstop`: filters and pages (a draft of the vendor reference; the same as the published list
//! of clips). The order is NOT DOCUMENTED; here it is that of their creation.

use jiff::Timestamp;
use serde::Serialize;

use super::refusal::WorkflowRefusal;
use super::settings::{ListState, SchedulerSettings};
use super::workflow::{ShownWorkflow, TaskState, Workflow};

const DEFAULT_PAGE: usize = 10;
const LARGEST_PAGE: usize = 1_000;

#[derive(Debug)]
pub(super) struct WorkflowQuery {
    job: Option<String>,
    states: Vec<TaskState>,
    /// `workflow_start_time_utc` is greater than this.
    start: Option<i64>,
    /// `workflow_start_time_utc` is less than this.
    end: Option<i64>,
    page_size: usize,
    from: Option<Place>,
}

/// A workflow's place in the order.
type Place = (Timestamp, String);

#[derive(Debug, Serialize)]
pub(super) struct Page<'a> {
    workflows: Vec<ShownWorkflow<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl WorkflowQuery {
    /// Unknown parameters are left aside; bad values are refused.
    pub(super) fn parse(query: &str) -> Result<Self, WorkflowRefusal> {
        let mut parsed =
            Self { job: None, states: Vec::new(), start: None, end: None, page_size: DEFAULT_PAGE, from: None };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            parsed.take(&name, &value).ok_or(WorkflowRefusal::Invalid)?;
        }
        Ok(parsed)
    }

    fn take(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "job_id" => self.job = Some(value.to_owned()),
            "state" => {
                self.states = value.split(',').map(|word| TaskState::from_word(word.trim())).collect::<Option<_>>()?;
            }
            "start" => self.start = Some(value.parse().ok()?),
            "end" => self.end = Some(value.parse().ok()?),
            "page_size" => {
                self.page_size = value.parse().ok().filter(|size| (1..=LARGEST_PAGE).contains(size))?;
            }
            "start_token" => self.from = Some(place(value)?),
            _ => {}
        }
        Some(())
    }

    /// The page of one account.
    pub(super) fn page<'a>(
        &self,
        workflows: impl Iterator<Item = &'a Workflow>,
        settings: &'a SchedulerSettings,
    ) -> Page<'a> {
        let mut found: Vec<(Place, &Workflow)> = workflows
            .filter(|workflow| self.matches(workflow, settings.list_state))
            .map(|workflow| (place_of(workflow), workflow))
            .filter(|(place, _)| self.from.as_ref().is_none_or(|from| place >= from))
            .collect();
        // Only the page and the workflow after it need to be in order.
        if found.len() > self.page_size + 1 {
            found.select_nth_unstable_by(self.page_size, |one, other| one.0.cmp(&other.0));
            found.truncate(self.page_size + 1);
        }
        found.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        let next_token = found.get(self.page_size).map(|((at, id), _)| format!("{}_{id}", at.as_microsecond()));
        let workflows = found.into_iter().take(self.page_size).map(|(_, workflow)| workflow.shown(settings)).collect();
        Page { workflows, next_token }
    }

    fn matches(&self, workflow: &Workflow, list_state: ListState) -> bool {
        let start = workflow.activation.time_utc;
        self.job.as_ref().is_none_or(|job| *job == workflow.job)
            && self.start.is_none_or(|bound| start > bound)
            && self.end.is_none_or(|bound| start < bound)
            && (self.states.is_empty() || self.states.iter().any(|state| is_in(workflow, *state, list_state)))
    }
}

fn is_in(workflow: &Workflow, state: TaskState, list_state: ListState) -> bool {
    let tasks = [workflow.activation.state, workflow.deactivation.state];
    match list_state {
        ListState::Activation => workflow.activation.state == state,
        ListState::AnyTask => tasks.contains(&state),
        ListState::Overall => {
            let first = [TaskState::Pending, TaskState::Failed, TaskState::Cancelled, TaskState::Finished]
                .into_iter()
                .find(|state| tasks.contains(state));
            first == Some(state)
        }
    }
}

fn place_of(workflow: &Workflow) -> Place {
    // To the microsecond, as in the token.
    let at = Timestamp::from_microsecond(workflow.created_at.as_microsecond()).unwrap_or(workflow.created_at);
    (at, workflow.id.clone())
}

fn place(token: &str) -> Option<Place> {
    let (at, id) = token.split_once('_')?;
    Some((Timestamp::from_microsecond(at.parse().ok()?).ok()?, id.to_owned()))
}
