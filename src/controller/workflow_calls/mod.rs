//! Requests to the vendor's own scheduler, and what their answers mean to a plan.

#[cfg(test)]
mod tests;

use std::fmt;
use std::pin::pin;

use jiff::{SignedDuration, Timestamp};
use plan::admit::Heard;
use plan::{Half, Marker, Reason, ShownWorkflow, Slot, TaskState, Texts, WorkflowAnswer, WorkflowOp};

use crate::live::{
    Answered, JobId, LiveClient, LiveError, NewTask, NewWorkflow, Workflow, WorkflowChange, WorkflowId, WorkflowTask,
};
use crate::observe::spans;

use super::index::{Errand, Order};
use super::live_calls::{heard, hesitated, poll_once, reason, sentence, told};
use super::shared::Shared;
use super::step::OfCall;

/// The texts that a workflow bears from its making on. What a URL's path says may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Described {
    /// The user's, with the marker behind it.
    description: String,
    url: Option<Box<str>>,
}

impl Described {
    pub(super) fn new(description: String, url: Option<&str>) -> Self {
        Self { description, url: url.map(Into::into) }
    }
}

impl fmt::Debug for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Described").finish_non_exhaustive()
    }
}

/// An errand as it goes out.
#[derive(Debug, PartialEq, Eq)]
enum Request {
    Make(NewWorkflow),
    Change(WorkflowId, WorkflowChange),
    Cancel(WorkflowId),
    Read(WorkflowId),
}

/// Runs one errand, and hands its answer to the index. What has left is recorded whatever happens to the lane that asked
/// for it.
pub(super) async fn carry_out(shared: &Shared, order: &Order, errand: &Errand) {
    let steps = OfCall::of_workflow(&errand.op);
    let answer = match request(errand) {
        Err(answer) => (answer, Heard::Nothing),
        Ok(_) if steps.as_ref().is_some_and(|steps| hesitated(shared, order, steps.checked)) => {
            let reason = Reason::Overslept;
            let message = reason.meaning().to_owned();
            (WorkflowAnswer::Refused { reason, message }, Heard::Nothing)
        }
        Ok(None) => list(shared, order, errand).await,
        Ok(Some(request)) => send(shared, order, errand, &request, steps.as_ref()).await,
    };
    let (answer, heard) = answer;
    let at = shared.clock.now();
    tell(order, errand, &answer, at);
    shared.index().workflow_answered(&order.origin, (&errand.job, &errand.op), at, answer, heard);
    // What follows may be pressing: the id of what was made is recorded, or a call waits for what was read.
    shared.answered([errand.job.clone()], &order.origin.load);
}

async fn send(
    shared: &Shared,
    order: &Order,
    errand: &Errand,
    request: &Request,
    steps: Option<&OfCall>,
) -> (WorkflowAnswer, Heard) {
    let name = errand.op.as_str();
    let asked_at = shared.clock.now();
    let span = spans::workflow_request(name, order.client.endpoint(), &errand.id, request.workflow());
    let mut asked = pin!(request.send(&order.client));
    // From here on it may have left. A process that dies before the answer is recorded leaves a registration without an id,
    // or one that is not as it was asked for: both are looked up before anything is asked again.
    let first = poll_once(asked.as_mut()).await;
    if let Some(steps) = steps {
        shared.steps.reached(steps.sent);
        let (job, account, window) = (&errand.job, &order.origin.account, &errand.window);
        let workflow = request.workflow().map(tracing::field::display);
        tracing::info!(%job, %account, %window, request = name, workflow, at = %asked_at, "asked the vendor's scheduler");
    }
    let answer = match first {
        Some(answer) => answer,
        None => asked.await,
    };
    let at = shared.clock.now();
    if let Some(steps) = steps {
        shared.steps.reached(steps.answered);
    }
    spans::live_answer(span, answer.as_ref().err());
    shared.metrics.live_request(name, answer.as_ref().err(), at.duration_since(asked_at));
    match answer {
        Ok(answer) => {
            told(shared, order, asked_at, at, answer.date);
            (shows(&answer.value, &errand.id), Heard::Answer)
        }
        Err(error) => (refusal(&error), heard(&error)),
    }
}

/// Reads the list of the job's workflows to its end.
async fn list(shared: &Shared, order: &Order, errand: &Errand) -> (WorkflowAnswer, Heard) {
    let name = errand.op.as_str();
    let (mut all, mut unread, mut count) = (Vec::new(), 0, 0);
    let mut pages = order.client.workflows_of(&errand.id);
    while !pages.is_over() {
        shared.give_way().await;
        let asked_at = shared.clock.now();
        let span = spans::workflow_request(name, order.client.endpoint(), &errand.id, None);
        let Some(page) = pages.next().await else { break };
        let at = shared.clock.now();
        spans::live_answer(span, page.as_ref().err());
        shared.metrics.live_request(name, page.as_ref().err(), at.duration_since(asked_at));
        if count > 0 {
            shared.index().spent(&order.origin.load, 1);
        }
        count += 1;
        match page {
            Ok(page) => {
                told(shared, order, asked_at, at, page.date);
                unread += page.value.unread;
                all.extend(page.value.workflows.iter().map(shown));
            }
            Err(error) => return (refusal(&error), heard(&error)),
        }
    }
    (listed(all, unread), Heard::Answer)
}

/// One that cannot be read may be the one that is looked for.
fn listed(all: Vec<ShownWorkflow>, unread: usize) -> WorkflowAnswer {
    match unread {
        0 => WorkflowAnswer::Lists(all),
        _ => WorkflowAnswer::Lost(format!("{unread} of the listed workflows could not be read")),
    }
}

/// Says what came of it. Texts of workflows are never told.
fn tell(order: &Order, errand: &Errand, answer: &WorkflowAnswer, at: Timestamp) {
    let (job, account, window) = (&errand.job, &order.origin.account, &errand.window);
    let request = errand.op.as_str();
    match answer {
        WorkflowAnswer::Shows(workflow) if errand.op.changes() => {
            let (id, start, stop) = (&workflow.id, state(workflow.start), state(workflow.stop));
            tracing::info!(%job, %account, %window, request, workflow = %id, start, stop, %at, "answered");
        }
        WorkflowAnswer::Shows(workflow) => {
            let (id, start, stop) = (&workflow.id, state(workflow.start), state(workflow.stop));
            tracing::debug!(%job, request, workflow = %id, start, stop, "workflow read");
        }
        WorkflowAnswer::Lists(all) => tracing::debug!(%job, request, workflows = all.len(), "workflows listed"),
        WorkflowAnswer::NotFound(message) => {
            tracing::warn!(%job, %account, %window, request, message, %at, "workflow not found");
        }
        WorkflowAnswer::NoList => tracing::info!(%job, %account, request, "workflows cannot be listed"),
        WorkflowAnswer::Lost(why) => {
            tracing::warn!(%job, %account, %window, request, why, %at, "answer lost");
        }
        WorkflowAnswer::Refused { reason, message } => {
            tracing::warn!(%job, %account, %window, request, %reason, message, %at, "refused");
        }
    }
}

fn state(half: Half) -> &'static str {
    half.state.map_or("unknown", TaskState::as_str)
}

impl Request {
    fn workflow(&self) -> Option<&WorkflowId> {
        match self {
            Self::Change(id, _) | Self::Cancel(id) | Self::Read(id) => Some(id),
            Self::Make(_) => None,
        }
    }

    async fn send(&self, client: &LiveClient) -> Result<Answered<Workflow>, LiveError> {
        match self {
            Self::Make(new) => client.schedule(new).await,
            Self::Change(id, change) => client.reschedule(id, change).await,
            Self::Cancel(id) => client.cancel_workflow(id).await,
            Self::Read(id) => client.workflow(id).await,
        }
    }
}

/// The errand as it is sent; `None`: it is a list, which has pages. An answer, where it cannot be sent.
fn request(errand: &Errand) -> Result<Option<Request>, WorkflowAnswer> {
    // An id that was edited into a status may be anything.
    let id = |id: &plan::WorkflowId| {
        WorkflowId::parse(id.as_str()).map_err(|why| WorkflowAnswer::NotFound(format!("`{id}`: {why}.")))
    };
    let nothing = |why: &str| {
        let message = format!("Nothing was sent: {why}.");
        WorkflowAnswer::Refused { reason: Reason::SchedulerUnavailable, message }
    };
    Ok(Some(match &errand.op {
        WorkflowOp::Create { start, stop, .. } => {
            let described = errand.described.clone().ok_or_else(|| nothing("the workflow is not recorded"))?;
            Request::Make(NewWorkflow {
                job_id: errand.id.clone(),
                activation: task(*start),
                deactivation: task(*stop),
                description: Some(described.description),
                notification_url: described.url.map(String::from),
            })
        }
        WorkflowOp::Update { id: of, start, stop } => {
            let change = WorkflowChange::new(start.map(task), stop.map(task));
            Request::Change(id(of)?, change.ok_or_else(|| nothing("neither task changes"))?)
        }
        WorkflowOp::Cancel { id: of } => Request::Cancel(id(of)?),
        WorkflowOp::Read { id: of } => Request::Read(id(of)?),
        WorkflowOp::Find => return Ok(None),
    }))
}

fn task(slot: Slot) -> NewTask {
    let ahead = u32::try_from(slot.ahead.as_secs()).ok().filter(|seconds| *seconds > 0);
    NewTask { time_utc: slot.time.as_second(), notification: ahead }
}

fn shows(workflow: &Workflow, job: &JobId) -> WorkflowAnswer {
    if workflow.job_id == job.as_str() {
        WorkflowAnswer::Shows(Box::new(shown(workflow)))
    } else {
        WorkflowAnswer::NotFound(format!("The workflow {} is for job {}.", workflow.id, workflow.job_id))
    }
}

fn shown(workflow: &Workflow) -> ShownWorkflow {
    let (text, marker) = Marker::unmark(workflow.description.as_deref().unwrap_or_default());
    ShownWorkflow {
        id: plan::WorkflowId::new(workflow.id.as_str()),
        marker,
        start: half(&workflow.activation),
        stop: half(&workflow.deactivation),
        texts: Texts::of(Some(text), workflow.notification_url.as_deref()),
    }
}

fn half(task: &WorkflowTask) -> Half {
    let beyond = if task.time_utc < 0 { Timestamp::MIN } else { Timestamp::MAX };
    let slot = Slot {
        time: Timestamp::from_second(task.time_utc).unwrap_or(beyond),
        ahead: SignedDuration::from_secs(i64::from(task.notification.unwrap_or(0))),
    };
    Half { slot, state: TaskState::parse(&task.state) }
}

/// What an error means to whoever asked.
fn refusal(error: &LiveError) -> WorkflowAnswer {
    if error.unanswered() {
        return WorkflowAnswer::Lost(error.to_string());
    }
    let reason = match error {
        LiveError::WorkflowNotFound { .. } => return WorkflowAnswer::NotFound(sentence(error)),
        LiveError::NoSuchOperation { .. } => return WorkflowAnswer::NoList,
        LiveError::Refused { .. } | LiveError::NothingToProcess { .. } => Reason::SchedulerUnavailable,
        _ => reason(error),
    };
    WorkflowAnswer::Refused { reason, message: sentence(error) }
}
