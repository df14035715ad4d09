//! The vendor's HTTP API: from a request to what the caller sees of it.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use http::{Method, Request, Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::calls::{Call, Operation, Outcome};
use crate::fault::{Effect, LateAnswer, Strike, Struck};
use crate::job::{NewJob, later};
use crate::list::ListQuery;
use crate::refusal::Refusal;
use crate::scheduler::{Answered, Ask};
use crate::world::{ControlError, Late, Limits, World};

/// The regions of the create call (vendor reference: Create a Live Job; the overview page adds `ap-northeast-2`).
const REGIONS: [&str; 9] = [
    "us-west-2",
    "us-east-1",
    "ap-southeast-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-southeast-1",
    "ap-south-1",
    "eu-central-1",
    "eu-west-1",
];

/// Fields of the create call that reading the job gives back.
const ECHOED: [&str; 4] = ["outputs", "videocloud", "notifications", "protocol"];

/// What becomes of a request.
#[derive(Debug)]
pub struct Reply {
    /// The call's number in the log; none for the control API.
    pub sequence: Option<u64>,
    /// To wait before the rest.
    pub after: Duration,
    /// What the caller sees then.
    pub then: Then,
}

/// What a caller sees.
#[derive(Debug)]
pub enum Then {
    /// An answer, still without its `Date`.
    Answer(Response<Bytes>),
    /// The connection is closed without an answer.
    Drop,
    /// Nothing, for ever.
    Hang,
}

/// A request's line and key, understood.
struct Asked<'a> {
    operation: Operation,
    job: Option<&'a str>,
    workflow: Option<&'a str>,
    /// Of calls that create or update a workflow.
    body: Option<Value>,
    key: Option<Caller>,
}

struct Caller {
    label: String,
    account: String,
}

/// What was done for a call.
struct Done {
    answer: Response<Bytes>,
    carried_out: bool,
    /// The new job of a create, or the new workflow of one.
    created: Option<String>,
}

impl From<Answered> for Done {
    fn from(Answered { status, body, created, carried_out }: Answered) -> Self {
        Self { answer: json_answer(status, &body), carried_out, created }
    }
}

impl World {
    /// Answers a request that was received at `received`: of the vendor's API, or of the control API (`/control/…`).
    pub fn handle(&mut self, received: Timestamp, request: &Request<Bytes>) -> Reply {
        let now = self.advance(received);
        if request.uri().path().starts_with("/control/") {
            let answer = self.control(now, request);
            return Reply { sequence: None, after: Duration::ZERO, then: Then::Answer(answer) };
        }
        let Route { operation, job, workflow } = route(request.method(), request.uri().path());
        let body = matches!(operation, Operation::ScheduleCreate | Operation::ScheduleUpdate)
            .then(|| json_or_text(request.body()));
        let asked = Asked { operation, job, workflow, body, key: self.caller(request) };
        let label = asked.key.as_ref().map(|caller| caller.label.clone());
        let job = self.job_meant(&asked);
        let strike = self.faults.strike(&Struck { operation, job: job.as_deref(), workflow, key: label.as_deref() });
        let after = self.latency(&strike);
        let sequence = self.calls.number();
        let fault = strike.effect.as_ref().map(|effect| effect.name().to_owned());
        let (then, done) = self.carry_out(now, sequence, request, &asked, strike.effect);

        let (outcome, status) = match &then {
            Then::Answer(answer) => (Outcome::Answered, Some(answer.status().as_u16())),
            Then::Drop => (Outcome::Dropped, None),
            Then::Hang => (Outcome::Hung, None),
        };
        let carried_out = done.as_ref().is_some_and(|done| done.carried_out);
        let created = done.and_then(|done| done.created);
        let (new_job, new_workflow) = if operation.is_schedule() { (None, created) } else { (created, None) };
        self.calls.note(Call {
            sequence,
            received_us: received.as_microsecond(),
            answered_us: None,
            operation,
            method: request.method().to_string(),
            path: request.uri().path_and_query().map_or_else(String::new, ToString::to_string),
            job: job.or(new_job),
            workflow: workflow.map(str::to_owned).or(new_workflow),
            body: asked.body,
            key: label,
            outcome,
            status,
            carried_out,
            carried_out_us: carried_out.then(|| now.as_microsecond()),
            fault,
        });
        Reply { sequence: Some(sequence), after, then }
    }

    /// The job that a call is about, whether there is one or not.
    fn job_meant(&self, asked: &Asked<'_>) -> Option<String> {
        let of_workflow = || asked.workflow.and_then(|id| self.job_of_workflow(id));
        let in_body = || asked.body.as_ref()?.get("job_id")?.as_str();
        let job = asked.job.or_else(of_workflow);
        let job = if asked.operation == Operation::ScheduleCreate { job.or_else(in_body) } else { job };
        job.map(str::to_owned)
    }

    fn caller(&self, request: &Request<Bytes>) -> Option<Caller> {
        let secret = request.headers().get("x-api-key")?.to_str().ok()?;
        let key = self.key(secret)?;
        Some(Caller { label: key.label.clone(), account: key.account.clone() })
    }

    fn latency(&mut self, strike: &Strike) -> Duration {
        let everywhere = (self.settings.latency_ms, self.settings.latency_jitter_ms);
        let mut milliseconds = 0_u64;
        for (fixed, jitter) in strike.latencies.iter().copied().chain([everywhere]) {
            let jitter = if jitter == 0 { 0 } else { self.chance.up_to(jitter) };
            milliseconds = milliseconds.saturating_add(fixed).saturating_add(jitter);
        }
        Duration::from_millis(milliseconds)
    }

    /// What the caller sees, and what was done, if anything was.
    fn carry_out(
        &mut self,
        now: Timestamp,
        sequence: u64,
        request: &Request<Bytes>,
        asked: &Asked<'_>,
        effect: Option<Effect>,
    ) -> (Then, Option<Done>) {
        match effect {
            None | Some(Effect::Latency { .. }) => self.answer(now, request, asked),
            Some(Effect::Refuse { status, body, headers }) => {
                let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                (Then::Answer(made_up(status, &body, headers)), None)
            }
            Some(Effect::Hang { carry_out: false }) => (Then::Hang, None),
            Some(Effect::Hang { carry_out: true }) => (Then::Hang, Some(self.operate(now, request, asked))),
            Some(Effect::DropBefore) => (Then::Drop, None),
            Some(Effect::DropAfter) => (Then::Drop, Some(self.operate(now, request, asked))),
            Some(Effect::Redirect { location }) => {
                let nothing = Value::String(String::new());
                (Then::Answer(made_up(307, &nothing, [(LOCATION.as_str(), location.as_str())])), None)
            }
            Some(Effect::Html { status }) => (Then::Answer(web_page(status)), None),
            Some(Effect::Ignore | Effect::CarryOutLate { .. }) if asked.operation.changes_schedule() => {
                self.promise(now, sequence, request, asked, effect.as_ref())
            }
            Some(Effect::Ignore) => match self.switchable(asked) {
                Some(id) => (Then::Answer(json_answer(StatusCode::OK, &json!({ "id": id }))), None),
                None => self.answer(now, request, asked),
            },
            Some(Effect::CarryOutLate { delay_ms, answer }) => {
                let Some(id) = self.switchable(asked) else { return self.answer(now, request, asked) };
                let late = Late::Switch { job: id.to_owned(), operation: asked.operation };
                self.postpone(later(now, delay_ms), sequence, late);
                match answer {
                    LateAnswer::Ok => (Then::Answer(json_answer(StatusCode::OK, &json!({ "id": id }))), None),
                    LateAnswer::Drop => (Then::Drop, None),
                }
            }
        }
    }

    /// A call that changes a workflow is answered as if it were done, where it can be; it is done late, or never.
    fn promise(
        &mut self,
        now: Timestamp,
        sequence: u64,
        request: &Request<Bytes>,
        asked: &Asked<'_>,
        effect: Option<&Effect>,
    ) -> (Then, Option<Done>) {
        let Some(mut ask) = schedule_ask(request, asked) else { return self.answer(now, request, asked) };
        let promised = match self.promise_schedule_call(now, &ask) {
            Ok(promised) => promised,
            Err(refused) => {
                let mut done = Done::from(refused);
                return (Then::Answer(std::mem::take(&mut done.answer)), Some(done));
            }
        };
        let mut then = None;
        if let Some(Effect::CarryOutLate { delay_ms, answer }) = effect {
            ask.workflow = promised.created.clone().or(ask.workflow);
            self.postpone(later(now, *delay_ms), sequence, Late::Schedule(ask));
            then = (*answer == LateAnswer::Drop).then_some(Then::Drop);
        }
        let mut done = Done::from(promised);
        let answer = std::mem::take(&mut done.answer);
        (then.unwrap_or(Then::Answer(answer)), Some(done))
    }

    fn answer(&mut self, now: Timestamp, request: &Request<Bytes>, asked: &Asked<'_>) -> (Then, Option<Done>) {
        let mut done = self.operate(now, request, asked);
        let answer = std::mem::take(&mut done.answer);
        (Then::Answer(answer), Some(done))
    }

    /// The job of a switch that the caller may make.
    fn switchable<'a>(&self, asked: &Asked<'a>) -> Option<&'a str> {
        let id = asked.job.filter(|_| asked.operation.is_switch())?;
        let caller = asked.key.as_ref()?;
        (self.jobs.get(id)?.account == caller.account).then_some(id)
    }

    fn operate(&mut self, now: Timestamp, request: &Request<Bytes>, asked: &Asked<'_>) -> Done {
        self.try_operate(now, request, asked).unwrap_or_else(|refusal| Done {
            answer: json_answer(refusal.status(), &refusal.body()),
            carried_out: false,
            created: None,
        })
    }

    fn try_operate(&mut self, now: Timestamp, request: &Request<Bytes>, asked: &Asked<'_>) -> Result<Done, Refusal> {
        let caller = asked.key.as_ref().ok_or(Refusal::Unauthorized)?;
        if let Some(ask) = schedule_ask(request, asked) {
            return Ok(self.schedule_call(now, &ask).into());
        }
        let done = |body: &Value| Done { answer: json_answer(StatusCode::OK, body), carried_out: true, created: None };
        let Some(id) = asked.job else {
            return match asked.operation {
                Operation::Create => self.create_by_api(now, request.body(), caller),
                Operation::List => {
                    let query = ListQuery::parse(request.uri().query().unwrap_or_default())?;
                    let account = self.jobs.values().filter(|job| job.account == caller.account);
                    Ok(done(&query.page(account)))
                }
                _ => Err(Refusal::NoSuchAddress),
            };
        };
        // Another account's job is as unknown as one that is not there.
        let job = self.jobs.get(id).filter(|job| job.account == caller.account).ok_or(Refusal::NoSuchJob)?;
        if asked.operation == Operation::Read {
            let shown = job.shown();
            return Ok(done(&if self.settings.bare_job { shown } else { json!({ "job": shown }) }));
        }
        let changed = self.switch_job(now, id, asked.operation, Limits::Apply)?;
        Ok(Done { carried_out: changed, ..done(&json!({ "id": id })) })
    }

    fn create_by_api(&mut self, now: Timestamp, body: &Bytes, caller: &Caller) -> Result<Done, Refusal> {
        let fields: Map<String, Value> = serde_json::from_slice(body).map_err(|_| Refusal::InvalidInput)?;
        let new = new_job(&fields, &caller.account)?;
        let limit = self.settings.static_jobs;
        let counts = |job: &&crate::job::Job| job.is_static && job.account == caller.account && !job.is_ended();
        if new.is_static && limit > 0 && self.jobs.values().filter(counts).nth(limit - 1).is_some() {
            return Err(Refusal::TooManyStaticJobs);
        }
        let echoed = fields.into_iter().filter(|(name, _)| ECHOED.contains(&name.as_str())).collect();
        let id = self.create(now, new, echoed).map_err(|_: ControlError| Refusal::InvalidInput)?;
        let created = self.jobs.get(&id).map(crate::job::Job::created).unwrap_or_default();
        Ok(Done { answer: json_answer(StatusCode::OK, &created), carried_out: true, created: Some(id) })
    }
}

/// What a request's line asks for.
struct Route<'a> {
    operation: Operation,
    job: Option<&'a str>,
    workflow: Option<&'a str>,
}

fn route<'a>(method: &Method, path: &'a str) -> Route<'a> {
    if let Some(rest) = path.strip_prefix("/v1/scheduler/jobstartstop") {
        let (operation, workflow) = route_to_scheduler(method, rest);
        return Route { operation, job: None, workflow };
    }
    let (operation, job) =
        path.strip_prefix("/v1/jobs").map_or((Operation::Other, None), |rest| route_to_jobs(method, rest));
    Route { operation, job, workflow: None }
}

fn route_to_scheduler<'a>(method: &Method, rest: &'a str) -> (Operation, Option<&'a str>) {
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.is_empty() {
        return match *method {
            Method::GET => (Operation::ScheduleList, None),
            Method::POST => (Operation::ScheduleCreate, None),
            _ => (Operation::Other, None),
        };
    }
    match (method, rest.strip_prefix('/').filter(|id| !id.contains('/'))) {
        (&Method::GET, Some(id)) => (Operation::ScheduleRead, Some(id)),
        (&Method::PUT, Some(id)) => (Operation::ScheduleUpdate, Some(id)),
        (&Method::DELETE, Some(id)) => (Operation::ScheduleCancel, Some(id)),
        _ => (Operation::Other, None),
    }
}

/// A call about workflows, by somebody with a key.
fn schedule_ask(request: &Request<Bytes>, asked: &Asked<'_>) -> Option<Ask> {
    let caller = asked.key.as_ref().filter(|_| asked.operation.is_schedule())?;
    Some(Ask {
        operation: asked.operation,
        workflow: asked.workflow.map(str::to_owned),
        body: asked.body.clone(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        has_content_type: request.headers().contains_key(CONTENT_TYPE),
        account: caller.account.clone(),
        key: caller.label.clone(),
    })
}

fn json_or_text(body: &Bytes) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}

fn route_to_jobs<'a>(method: &Method, rest: &'a str) -> (Operation, Option<&'a str>) {
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.is_empty() {
        return match *method {
            Method::GET => (Operation::List, None),
            Method::POST => (Operation::Create, None),
            _ => (Operation::Other, None),
        };
    }
    let mut parts = rest.split('/').skip(1);
    match (rest.starts_with('/'), method, parts.next(), parts.next(), parts.next()) {
        (true, &Method::GET, Some(id), None, None) => (Operation::Read, Some(id)),
        (true, &Method::PUT, Some(id), Some("activate"), None) => (Operation::Activate, Some(id)),
        (true, &Method::PUT, Some(id), Some("deactivate"), None) => (Operation::Deactivate, Some(id)),
        (true, &Method::PUT, Some(id), Some("stop"), None) => (Operation::Stop, Some(id)),
        (true, &Method::PUT, Some(id), Some("cancel"), None) => (Operation::Cancel, Some(id)),
        _ => (Operation::Other, None),
    }
}

/// The vendor's create call: `live_stream`, `region` and `outputs` are required.
fn new_job(fields: &Map<String, Value>, account: &str) -> Result<NewJob, Refusal> {
    let field = |name: &str| fields.get(name).filter(|value| !value.is_null());
    if field("live_stream").and_then(Value::as_bool).is_none() || field("outputs").is_none_or(|it| !it.is_array()) {
        return Err(Refusal::InvalidInput);
    }
    let region = field("region").and_then(Value::as_str).filter(|region| REGIONS.contains(region));
    let channel_type = match field("channel_type").map(Value::as_str) {
        None => "event",
        Some(Some(word @ ("event" | "24x7"))) => word,
        Some(_) => return Err(Refusal::InvalidInput),
    };
    let is_static = match field("static") {
        None => false,
        Some(value) => value.as_bool().ok_or(Refusal::InvalidInput)?,
    };
    let seconds = |name: &str, least: u32, most: u32, default: u32| match field(name) {
        None => Ok(default),
        Some(value) => value
            .as_u64()
            .and_then(|seconds| u32::try_from(seconds).ok())
            .filter(|seconds| (least..=most).contains(seconds))
            .ok_or(Refusal::InvalidInput),
    };
    Ok(NewJob {
        account: account.to_owned(),
        is_static,
        region: region.ok_or(Refusal::InvalidRegion)?.to_owned(),
        reconnect_time: seconds("reconnect_time", 1, 7_200, 1_800)?,
        event_length: seconds("event_length", 0, 93_600, 0)?,
        channel_type: channel_type.to_owned(),
        ..NewJob::default()
    })
}

pub(crate) fn json_answer(status: StatusCode, body: &Value) -> Response<Bytes> {
    with_type(status, "application/json", Bytes::from(body.to_string()))
}

fn with_type(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Bytes> {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// A fault's answer. A status or header that HTTP does not have is left out.
fn made_up<'a>(status: u16, body: &Value, headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Response<Bytes> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = match body {
        Value::Null => json_answer(status, &json!({ "message": status.canonical_reason() })),
        Value::String(text) => with_type(status, "text/plain", Bytes::from(text.clone())),
        body => json_answer(status, body),
    };
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

fn web_page(status: u16) -> Response<Bytes> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    let title = status.canonical_reason().unwrap_or("Error");
    let page =
        format!("<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n");
    with_type(status, "text/html; charset=utf-8", Bytes::from(page))
}
