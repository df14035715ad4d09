//! What goes out, what an answer is taken for, and when nothing is sent.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use plan::{JobKey, LeaseTimings, ProcessId, WindowId};
use serde_json::{Value, json};

use super::*;
use crate::controller::index::fixtures::{self, PENDING, Rig, registered};
use crate::controller::live_calls;
use crate::controller::shared::{Ground, Outlets};
use crate::controller::step::{Step, Steps};
use crate::leader::Tenure;
use crate::live::{Transport, TransportError};
use crate::observe::{Metrics, Readiness};
use crate::timetable::Clock;

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
    let Ok(Some(Request::Make(new))) = request(&errand(create(slot(0, 600), slot(7_200, 0)), Some(described))) else {
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
    let Ok(Some(Request::Change(of, change))) = request(&errand(WorkflowOp::Update { id, start, stop }, None)) else {
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

/// A clock that stands where it is put.
#[derive(Debug, Default)]
struct Standing(AtomicI64);

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        fixtures::at(self.0.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn boottime(&self) -> Duration {
        Duration::ZERO
    }
}

#[derive(Debug, Default)]
struct Reached(Mutex<Vec<Step>>);

impl Steps for Reached {
    fn reached(&self, step: Step) {
        self.0.lock().unwrap().push(step);
    }
}

type Sent = Arc<Mutex<Vec<(String, String, Value)>>>;

/// What is between the operator and a Live API that gives these answers, one after the other.
struct Stage {
    shared: Arc<Shared>,
    order: Option<Order>,
    clock: Arc<Standing>,
    steps: Arc<Reached>,
    metrics: Arc<Metrics>,
    sent: Sent,
    _outlets: Outlets,
}

impl Stage {
    /// With this errand let go for a window of the job `a` whose workflow is recorded. `leads`: the lease holds.
    fn about(op: WorkflowOp, answers: Vec<Result<Value, TransportError>>, leads: bool) -> Self {
        let sent = Sent::default();
        let (log, answers) = (Arc::clone(&sent), Arc::new(Mutex::new(VecDeque::from(answers))));
        let scripted = tower::service_fn(move |request: http::Request<Bytes>| {
            let body = serde_json::from_slice(request.body()).unwrap_or_default();
            let path = request.uri().path_and_query().unwrap().to_string();
            log.lock().unwrap().push((request.method().to_string(), path, body));
            let answer = answers.lock().unwrap().pop_front().expect("so many are asked for");
            async { answer.map(|body| Response::new(Bytes::from(body.to_string()))) }
        });
        let mut rig = Rig::over(Transport::new(scripted), 6);
        rig.stored("a", 100, &registered(100, PENDING));
        rig.want("a", op);
        let mut orders = rig.admit(true).orders;
        let clock = Arc::new(Standing::default());
        let timings = LeaseTimings::default();
        let tenure =
            if leads { Tenure::forced(ProcessId::new("p"), timings, clock.moment()) } else { Tenure::vacant(timings) };
        let (steps, metrics) = (Arc::new(Reached::default()), Arc::new(Metrics::new()));
        let ground = Ground {
            clock: Arc::<Standing>::clone(&clock),
            tenure: Arc::new(tenure),
            steps: Arc::<Reached>::clone(&steps),
            metrics: Arc::clone(&metrics),
            readiness: Arc::new(Readiness::default()),
        };
        let (shared, outlets) = Shared::new(rig.index, ground);
        Self { shared, order: orders.pop(), clock, steps, metrics, sent, _outlets: outlets }
    }

    async fn carry_out(&mut self) {
        let order = self.order.take().expect("one errand was let go");
        live_calls::carry_out(Arc::clone(&self.shared), order).await;
    }

    fn steps(&self) -> Vec<Step> {
        self.steps.0.lock().unwrap().clone()
    }

    fn sent(&self) -> Vec<(String, String, Value)> {
        self.sent.lock().unwrap().clone()
    }

    fn counts(&self, operation: &str, outcome: &str, times: u32) -> bool {
        let line =
            format!("jobstartstop_live_requests_total{{operation=\"{operation}\",outcome=\"{outcome}\"}} {times}");
        self.metrics.encode().unwrap().lines().any(|have| have == line)
    }
}

/// What the scheduler tells of a workflow of the job `a`.
fn told_of(id: &str) -> Value {
    let task = |second: i64| json!({ "state": "pending", "time_utc": fixtures::at(second).as_second() });
    json!({ "workflow_id": id, "job_id": "a", "type": "jobstartstop", "activation": task(100), "deactivation": task(3_700) })
}

#[tokio::test]
async fn a_workflow_is_made_by_one_request_that_bears_its_marker() {
    let mut stage = Stage::about(fixtures::create("abc.1@eu"), vec![Ok(told_of("w"))], true);
    stage.carry_out().await;
    let body = json!({
        "job_id": "a",
        "activation": { "time_utc": fixtures::at(100).as_second() },
        "deactivation": { "time_utc": fixtures::at(100).as_second() },
        "description": "[jss:abc.1@eu]",
    });
    assert_eq!(stage.sent(), [("POST".to_owned(), "/v1/scheduler/jobstartstop".to_owned(), body)]);
    assert_eq!(stage.steps(), [Step::W2Checked, Step::W3Sent, Step::W4Answered]);
    assert!(stage.counts("schedule", "ok", 1));
    assert!(!stage.shared.windows.is_empty(), "it was decided at once: its id is to be recorded");
}

#[tokio::test]
async fn changing_and_cancelling_come_to_steps_of_their_own_and_reading_to_none() {
    let id = || plan::WorkflowId::new("w");
    let update = WorkflowOp::Update { id: id(), start: None, stop: Some(slot(0, 0)) };
    for (op, steps) in [
        (update, vec![Step::U2Checked, Step::U3Sent, Step::U4Answered]),
        (WorkflowOp::Cancel { id: id() }, vec![Step::C2Checked, Step::C3Sent, Step::C4Answered]),
        (WorkflowOp::Read { id: id() }, vec![]),
    ] {
        let mut stage = Stage::about(op.clone(), vec![Ok(told_of("w"))], true);
        stage.carry_out().await;
        assert_eq!(stage.steps(), steps, "{op:?}");
        assert!(stage.counts(op.as_str(), "ok", 1), "{op:?}");
    }
}

#[tokio::test]
async fn nothing_that_changes_anything_is_sent_after_a_suspension_or_without_the_lease() {
    for (asleep, leads) in [(2, true), (0, false)] {
        let mut stage = Stage::about(fixtures::create("abc.1@eu"), Vec::new(), leads);
        stage.clock.0.store(asleep, Ordering::SeqCst);
        stage.carry_out().await;
        assert_eq!((stage.sent(), stage.steps()), (Vec::new(), vec![Step::W2Checked]));
    }
    let read = WorkflowOp::Read { id: plan::WorkflowId::new("w") };
    let mut stage = Stage::about(read, vec![Ok(told_of("w"))], false);
    stage.carry_out().await;
    assert_eq!(stage.sent().len(), 1, "reading harms nobody");
}

#[tokio::test]
async fn a_lost_answer_is_answered_once_and_nothing_is_sent_again() {
    let lost = Err(TransportError::Lost("closed".to_owned()));
    let mut stage = Stage::about(fixtures::create("abc.1@eu"), vec![lost], true);
    stage.carry_out().await;
    assert_eq!(stage.sent().len(), 1);
    assert!(stage.counts("schedule", "connection_lost", 1));
}

#[tokio::test]
async fn a_list_is_read_to_its_end() {
    let page = |id: &str, token: Value| json!({ "workflows": [told_of(id)], "next_token": token });
    let pages = vec![Ok(page("v", json!("more"))), Ok(page("w", Value::Null))];
    let mut stage = Stage::about(WorkflowOp::Find, pages, true);
    stage.carry_out().await;
    let paths: Vec<String> = stage.sent().into_iter().map(|(_, path, _)| path).collect();
    assert_eq!(paths.len(), 2);
    assert!(paths.iter().all(|path| path.contains("job_id=a")), "{paths:?}");
    assert!(paths[1].contains("start_token=more"), "{paths:?}");
    assert!(stage.counts("list_workflows", "ok", 2));
}

#[tokio::test]
async fn an_id_that_is_none_is_answered_without_a_request() {
    let cancel = WorkflowOp::Cancel { id: plan::WorkflowId::new("../jobs/a") };
    let mut stage = Stage::about(cancel, Vec::new(), true);
    stage.carry_out().await;
    assert_eq!((stage.sent(), stage.steps()), (Vec::new(), Vec::new()));
}
