//! The vendor's own scheduler: workflows that start a job and stop it.

use bytes::Bytes;
use http::Method;
use serde::Serialize;

use super::ask::{Ask, percent_encode};
use super::client::{Answered, LiveClient, PAGE_SIZE_MAX};
use super::error::LiveError;
use super::job::JobId;
use super::trail::Trail;
use super::transport::{AnswerLimit, Lane};
use super::workflow::{NewWorkflow, Workflow, WorkflowChange, WorkflowId, WorkflowPage};

const WORKFLOWS: &str = "/v1/scheduler/jobstartstop";

/// Which part of the list of workflows to read.
///
/// The vendor's filter by state is left out: it goes by the state of a whole workflow, and how that follows from the
/// states of the two tasks is not documented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowQuery {
    /// Only workflows of this job.
    pub job_id: Option<JobId>,
    /// Workflows per page, 1 to [`PAGE_SIZE_MAX`]; other values are moved to the nearer end.
    pub page_size: u16,
    /// The previous page's `next_token`; none for the first page.
    pub start_token: Option<String>,
}

impl Default for WorkflowQuery {
    fn default() -> Self {
        Self { job_id: None, page_size: PAGE_SIZE_MAX, start_token: None }
    }
}

/// The workflows of one job, page by page ([`LiveClient::workflows_of`]). A page that failed is the last.
///
/// That a workflow is absent proves nothing while a page has entries that could not be read. A list of more than 1,000
/// pages, or one that leads back to itself, is an error.
#[derive(Debug)]
pub struct WorkflowPages<'a> {
    client: &'a LiveClient,
    job: JobId,
    /// What to ask for next; `None`: there is no more.
    query: Option<WorkflowQuery>,
    trail: Trail,
}

impl WorkflowPages<'_> {
    /// The last page was read, or one failed.
    pub fn is_over(&self) -> bool {
        self.query.is_none()
    }

    /// The next page, without what a server that knows no filter says of other jobs; `None` after the last.
    pub async fn next(&mut self) -> Option<Result<Answered<WorkflowPage>, LiveError>> {
        let query = self.query.take()?;
        let mut page = match self.client.workflows(&query).await {
            Ok(page) => page,
            Err(error) => return Some(Err(error)),
        };
        if let Some(token) = &page.value.next_token {
            if let Err(endless) = self.trail.lead_to(token) {
                return Some(Err(endless));
            }
            self.query = Some(WorkflowQuery { start_token: Some(token.clone()), ..query });
        }
        page.value.workflows.retain(|workflow| workflow.job_id == self.job.as_str());
        Some(Ok(page))
    }
}

impl LiveClient {
    /// Registers a workflow (vendor: `POST /v1/scheduler/jobstartstop`).
    ///
    /// After an error that is [`unanswered`](LiveError::unanswered) the workflow may exist, under an id that is not
    /// known: another call may make a second one.
    pub async fn schedule(&self, new: &NewWorkflow) -> Result<Answered<Workflow>, LiveError> {
        let ask = Ask {
            body: body(new)?,
            job: Some(&new.job_id),
            url: new.notification_url.as_deref(),
            ..self.change("schedule", Method::POST, WORKFLOWS.to_owned())
        };
        let answer = self.send(ask).await?;
        Ok(Answered { date: answer.date(), value: answer.new_workflow(&new.job_id)? })
    }

    /// Reads a workflow (vendor: `GET /v1/scheduler/jobstartstop/{workflow_id}`).
    pub async fn workflow(&self, id: &WorkflowId) -> Result<Answered<Workflow>, LiveError> {
        let ask = Ask { workflow: Some(id), ..Ask::new("workflow", Method::GET, path(id), self.timeouts().read) };
        let answer = self.send(ask).await?;
        Ok(Answered { date: answer.date(), value: answer.workflow(id)? })
    }

    /// Moves tasks of a workflow (vendor: `PUT /v1/scheduler/jobstartstop/{workflow_id}`), possible while they are
    /// pending. Tasks that do not change are not sent.
    pub async fn reschedule(&self, id: &WorkflowId, change: &WorkflowChange) -> Result<Answered<Workflow>, LiveError> {
        let ask = Ask { body: body(change)?, workflow: Some(id), ..self.change("reschedule", Method::PUT, path(id)) };
        let answer = self.send(ask).await?;
        Ok(Answered { date: answer.date(), value: answer.workflow(id)? })
    }

    /// Cancels a workflow (vendor: `DELETE /v1/scheduler/jobstartstop/{workflow_id}`): both tasks, or after its start
    /// the stop alone. A job that is on stays on.
    pub async fn cancel_workflow(&self, id: &WorkflowId) -> Result<Answered<Workflow>, LiveError> {
        let ask = Ask { workflow: Some(id), ..self.change("cancel_workflow", Method::DELETE, path(id)) };
        let answer = self.send(ask).await?;
        Ok(Answered { date: answer.date(), value: answer.workflow(id)? })
    }

    /// Reads one page of the list of workflows (vendor: `GET /v1/scheduler/jobstartstop`, in a draft of the reference
    /// only: [`LiveError::NoSuchOperation`] where it is missing).
    pub async fn workflows(&self, query: &WorkflowQuery) -> Result<Answered<WorkflowPage>, LiveError> {
        let mut path = format!("{WORKFLOWS}?page_size={}", query.page_size.clamp(1, PAGE_SIZE_MAX));
        if let Some(job) = &query.job_id {
            path.push_str("&job_id=");
            path.push_str(&percent_encode(job.as_str()));
        }
        if let Some(token) = &query.start_token {
            path.push_str("&start_token=");
            path.push_str(&percent_encode(token));
        }
        let ask = Ask {
            job: query.job_id.as_ref(),
            limit: AnswerLimit::LIST,
            ..Ask::new("workflows", Method::GET, path, self.timeouts().list)
        };
        let answer = self.send(ask).await?;
        Ok(Answered { date: answer.date(), value: answer.workflow_page()? })
    }

    /// All workflows of one job, page by page; each page has a timeout of its own.
    pub fn workflows_of(&self, job: &JobId) -> WorkflowPages<'_> {
        let query = WorkflowQuery { job_id: Some(job.clone()), ..WorkflowQuery::default() };
        WorkflowPages { client: self, job: job.clone(), query: Some(query), trail: Trail::new("workflows") }
    }

    fn change<'a>(&self, name: &'static str, method: Method, path: String) -> Ask<'a> {
        Ask { lane: Lane::Fresh, ..Ask::new(name, method, path, self.timeouts().call) }
    }
}

fn path(id: &WorkflowId) -> String {
    format!("{WORKFLOWS}/{}", percent_encode(id.as_str()))
}

fn body(value: &impl Serialize) -> Result<Bytes, LiveError> {
    let bytes = serde_json::to_vec(value).map_err(|error| LiveError::NotSent { reason: error.to_string() })?;
    Ok(bytes.into())
}
