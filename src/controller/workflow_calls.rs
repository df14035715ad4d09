//! Requests to the vendor's own scheduler, and what their answers mean to a plan.

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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use plan::{JobKey, WindowId};

    use super::*;

    const JOB: &str = "88bb4096a39c4e0bb75aa84dfea6ab9c";
    const WORKFLOW: &str = "d44cf29f4f184757ac0995beb8a0097e";
    const URL: &str = "https://receiver.example/hook/secret";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_617_386_100 + second).unwrap()
    }

    fn slot(second: i64, ahead: i64) -> Slot {
        Slot { time: at(second), ahead: SignedDuration::from_secs(ahead) }
    }

    fn errand(op: WorkflowOp, described: Option<Described>) -> Errand {
        Errand {
            job: JobKey { endpoint: "https://live".into(), job: JOB.into() },
            id: JobId::parse(JOB).unwrap(),
            window: WindowId::new("w"),
            op,
            described,
        }
    }

    fn marker() -> Marker {
        Marker::new(&WindowId::new("0d9f2b1c-0000-4000-8000-000000000001"), "eu")
    }

    fn create(start: Slot, stop: Slot) -> WorkflowOp {
        WorkflowOp::Create { marker: marker(), start, stop, tells: true }
    }

    fn workflow(description: Option<&str>) -> Workflow {
        let task = |state: &str, second, notification| WorkflowTask {
            state: state.into(),
            time_utc: at(second).as_second(),
            notification,
        };
        Workflow {
            id: WorkflowId::parse(WORKFLOW).unwrap(),
            account_id: None,
            job_id: JOB.into(),
            activation: task("pending", 0, Some(600)),
            deactivation: task("pending", 7_200, None),
            description: description.map(str::to_owned),
            notification_url: Some(URL.into()),
            start_time_utc: None,
        }
    }

    #[test]
    fn what_is_made_bears_whole_seconds_the_marker_and_no_notification_where_none_is_due() {
        let described = Described::new(marker().mark(Some("Wednesday")), Some(URL));
        let Ok(Some(Request::Make(new))) = request(&errand(create(slot(0, 600), slot(7_200, 0)), Some(described)))
        else {
            panic!("a workflow is made");
        };
        assert_eq!(new.activation, NewTask { time_utc: 1_617_386_100, notification: Some(600) });
        assert_eq!(new.deactivation, NewTask { time_utc: 1_617_393_300, notification: None });
        assert_eq!(new.description, Some(format!("Wednesday [jss:{}]", marker())));
        assert_eq!(new.notification_url.as_deref(), Some(URL));
    }

    #[test]
    fn an_update_names_the_tasks_that_change_and_no_others() {
        let id = plan::WorkflowId::new(WORKFLOW);
        let (start, stop) = (None, Some(slot(9_000, 60)));
        let Ok(Some(Request::Change(of, change))) = request(&errand(WorkflowOp::Update { id, start, stop }, None))
        else {
            panic!("a workflow is changed");
        };
        assert_eq!(of.as_str(), WORKFLOW);
        assert_eq!(change.activation(), None);
        assert_eq!(change.deactivation(), Some(NewTask { time_utc: at(9_000).as_second(), notification: Some(60) }));
    }

    #[test]
    fn nothing_is_sent_for_an_id_that_is_none_for_no_change_and_for_a_window_without_texts() {
        for id in ["", "a/b", "../jobs"] {
            let id = plan::WorkflowId::new(id);
            for op in [WorkflowOp::Cancel { id: id.clone() }, WorkflowOp::Read { id }] {
                assert!(matches!(request(&errand(op, None)), Err(WorkflowAnswer::NotFound(_))));
            }
        }
        let id = plan::WorkflowId::new(WORKFLOW);
        for op in [WorkflowOp::Update { id, start: None, stop: None }, create(slot(0, 0), slot(60, 0))] {
            assert!(matches!(request(&errand(op, None)), Err(WorkflowAnswer::Refused { .. })));
        }
    }

    #[test]
    fn a_workflow_shows_its_marker_and_the_users_texts_as_digests() {
        let WorkflowAnswer::Shows(shown) =
            shows(&workflow(Some(&marker().mark(Some("Wednesday")))), &JobId::parse(JOB).unwrap())
        else {
            panic!("it is of the job");
        };
        assert_eq!((shown.id.as_str(), shown.marker), (WORKFLOW, Some(marker())));
        assert_eq!(shown.start, Half::pending(slot(0, 600)));
        assert_eq!(shown.stop, Half::pending(slot(7_200, 0)));
        assert_eq!(shown.texts, Texts::of(Some("Wednesday"), Some(URL)));
    }

    #[test]
    fn one_without_a_marker_is_nobodys_and_a_strange_state_or_time_is_no_harm() {
        let strange = Workflow {
            activation: WorkflowTask { state: "running".into(), time_utc: i64::MAX, notification: None },
            deactivation: WorkflowTask { state: "cancelled".into(), time_utc: i64::MIN, notification: None },
            ..workflow(None)
        };
        let shown = shown(&strange);
        assert_eq!(shown.marker, None);
        assert_eq!((shown.start.state, shown.start.slot.time), (None, Timestamp::MAX));
        assert_eq!((shown.stop.state, shown.stop.slot.time), (Some(TaskState::Cancelled), Timestamp::MIN));
    }

    #[test]
    fn a_workflow_of_another_job_is_not_the_one_that_was_asked_for() {
        let other = Workflow { job_id: "another".into(), ..workflow(None) };
        let message = format!("The workflow {WORKFLOW} is for job another.");
        assert_eq!(shows(&other, &JobId::parse(JOB).unwrap()), WorkflowAnswer::NotFound(message));
    }

    #[test]
    fn a_list_with_entries_that_cannot_be_read_proves_nothing() {
        assert_eq!(listed(Vec::new(), 0), WorkflowAnswer::Lists(Vec::new()));
        assert!(matches!(listed(vec![shown(&workflow(None))], 1), WorkflowAnswer::Lost(_)));
    }

    #[test]
    fn what_may_have_been_carried_out_is_lost_and_what_was_not_is_refused_with_a_reason() {
        let after = Duration::from_secs(5);
        let message = || "no".to_owned();
        for lost in [
            LiveError::TimedOut { after },
            LiveError::ConnectionLost { reason: "closed".into() },
            LiveError::NotTheApi { status: 200, why: "it is HTML".into(), body: String::new() },
            LiveError::ServerError { status: 500, message: message(), retry_after: None },
        ] {
            assert!(matches!(refusal(&lost), WorkflowAnswer::Lost(_)), "{lost}");
        }
        for (refused, expected) in [
            (LiveError::Refused { status: 400, message: message() }, Reason::SchedulerUnavailable),
            (LiveError::NothingToProcess { status: 500, message: message() }, Reason::SchedulerUnavailable),
            (LiveError::JobNotFound { status: 500, message: message() }, Reason::JobNotFound),
            (LiveError::Unauthorized { status: 401, message: message() }, Reason::KeyRefused),
            (LiveError::Capacity { status: 400, message: message() }, Reason::WaitingForCapacity),
            (LiveError::RateLimited { retry_after: None, message: message() }, Reason::LiveAPIError),
            (LiveError::NotSent { reason: "refused".into() }, Reason::LiveAPIUnreachable),
        ] {
            let WorkflowAnswer::Refused { reason, message } = refusal(&refused) else { panic!("{refused}") };
            assert_eq!(reason, expected, "{refused}");
            assert!(message.starts_with(char::is_uppercase), "{message}");
        }
        let unknown = LiveError::WorkflowNotFound { status: 404, message: message() };
        assert!(matches!(refusal(&unknown), WorkflowAnswer::NotFound(_)));
        let no_list = LiveError::NoSuchOperation { status: 404, message: message() };
        assert_eq!(refusal(&no_list), WorkflowAnswer::NoList);
    }

    #[test]
    fn texts_are_in_no_debug_output() {
        let described = Described::new(marker().mark(Some("Wednesday")), Some(URL));
        let errand = errand(create(slot(0, 0), slot(60, 0)), Some(described));
        for shown in [format!("{errand:?}"), format!("{:?}", request(&errand).unwrap())] {
            assert!(!shown.contains("Wednesday") && !shown.contains("secret"), "{shown}");
        }
    }
}
