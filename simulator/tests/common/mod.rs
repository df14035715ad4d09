//! A world with one account and one job, and a clock that the test turns.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "it is part of tests")]

use bytes::Bytes;
use http::{Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use serde_json::json;
use simulator::{
    Call, JobReport, NewJob, NewWorkflow, Notification, Reply, SchedulerSettings, Settings, Then, WorkflowReport, World,
};

pub(crate) const KEY: &str = "the-key";
pub(crate) const JOB: &str = "studio-1";
pub(crate) const SCHEDULER: &str = "/v1/scheduler/jobstartstop";

/// The world and its time.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) now: Timestamp,
}

impl Scene {
    pub(crate) fn new(settings: Settings) -> Self {
        Self::beginning("2030-01-01T12:00:00Z", JOB, settings)
    }

    /// At another time, with a job of that id.
    pub(crate) fn beginning(now: &str, job: &str, settings: Settings) -> Self {
        let now = now.parse().unwrap();
        let mut world = World::new(settings);
        world.add_key("ours", KEY, "default");
        world.create_job(now, NewJob::with_id(job)).unwrap();
        Self { world, now }
    }

    pub(crate) fn with_scheduler(scheduler: SchedulerSettings) -> Self {
        Self::new(Settings { scheduler, ..Settings::default() })
    }

    pub(crate) fn with_job(settings: Settings, job: NewJob) -> Self {
        let mut scene = Self::new(settings);
        scene.world.remove_job(JOB);
        scene.world.create_job(scene.now, NewJob { id: Some(JOB.to_owned()), ..job }).unwrap();
        scene
    }

    pub(crate) fn wait(&mut self, milliseconds: i64) -> &mut Self {
        self.now += SignedDuration::from_millis(milliseconds);
        self
    }

    pub(crate) fn wait_secs(&mut self, seconds: i64) -> &mut Self {
        self.wait(seconds * 1_000)
    }

    pub(crate) fn call(&mut self, method: &str, path: &str, key: Option<&str>, body: &str) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(key) = key {
            request = request.header("X-API-KEY", key);
        }
        let request = request.body(Bytes::from(body.to_owned())).unwrap();
        self.world.handle(self.now, &request)
    }

    /// Status and JSON of a call with the key.
    pub(crate) fn ask(&mut self, method: &str, path: &str, body: &str) -> (StatusCode, Value) {
        match self.call(method, path, Some(KEY), body).then {
            Then::Answer(answer) => (answer.status(), serde_json::from_slice(answer.body()).unwrap_or_default()),
            other => panic!("no answer: {other:?}"),
        }
    }

    /// Status and bare body of a call with the key.
    pub(crate) fn text(&mut self, method: &str, path: &str, body: &str) -> (u16, String) {
        match self.call(method, path, Some(KEY), body).then {
            Then::Answer(answer) => {
                (answer.status().as_u16(), String::from_utf8(answer.body().to_vec()).unwrap_or_default())
            }
            other => panic!("no answer: {other:?}"),
        }
    }

    pub(crate) fn get(&mut self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, "");
        assert_eq!(status, 200, "{body}");
        body
    }

    /// `activate`, `deactivate`, `stop` or `cancel`.
    pub(crate) fn put(&mut self, verb: &str) -> StatusCode {
        self.ask("PUT", &format!("/v1/jobs/{JOB}/{verb}"), "").0
    }

    /// `state/sep_state`, as the API shows them.
    pub(crate) fn standing(&mut self) -> String {
        let job = &self.get(&format!("/v1/jobs/{JOB}"))["job"];
        format!("{}/{}", job["state"].as_str().unwrap(), job["sep_state"].as_str().unwrap())
    }

    pub(crate) fn report(&mut self) -> JobReport {
        self.world.report(self.now, JOB).unwrap()
    }

    pub(crate) fn last_call(&self) -> Call {
        self.world.calls().last().unwrap().clone()
    }
}

/// The vendor's scheduler.
impl Scene {
    /// So many seconds from now, in epoch seconds.
    pub(crate) fn in_secs(&self, seconds: i64) -> i64 {
        self.now.as_second() + seconds
    }

    /// A create body for the job, from one second from now to another.
    pub(crate) fn window(&self, start: i64, stop: i64) -> Value {
        json!({ "job_id": JOB, "activation": { "time_utc": self.in_secs(start) },
                "deactivation": { "time_utc": self.in_secs(stop) } })
    }

    /// The same with a heads-up of a minute, and a receiver.
    pub(crate) fn told_window(&self, start: i64, stop: i64) -> Value {
        let mut window = self.window(start, stop);
        window["notification_url"] = json!("https://example.com/callbacks");
        window["activation"]["notification"] = json!(60);
        window["deactivation"]["notification"] = json!(60);
        window
    }

    pub(crate) fn create(&mut self, body: &Value) -> (u16, Value) {
        let (status, answer) = self.ask("POST", SCHEDULER, &body.to_string());
        (status.as_u16(), answer)
    }

    /// Creates a workflow for the job, and gives its id.
    pub(crate) fn schedule(&mut self, start: i64, stop: i64) -> String {
        self.scheduled(&self.window(start, stop))
    }

    /// Creates a workflow, and gives its id.
    pub(crate) fn scheduled(&mut self, body: &Value) -> String {
        let (status, answer) = self.create(body);
        assert_eq!(status, 200, "{answer}");
        answer["workflow_id"].as_str().unwrap().to_owned()
    }

    /// A workflow that a person made in the vendor's interface.
    pub(crate) fn foreign(&mut self, start: i64, stop: i64) -> String {
        let new = NewWorkflow::window(JOB, self.in_secs(start), self.in_secs(stop));
        self.world.schedule(self.now, new).unwrap()
    }

    pub(crate) fn reschedule(&mut self, id: &str, body: &Value) -> (u16, Value) {
        let (status, answer) = self.ask("PUT", &format!("{SCHEDULER}/{id}"), &body.to_string());
        (status.as_u16(), answer)
    }

    pub(crate) fn unschedule(&mut self, id: &str) -> (u16, Value) {
        let (status, answer) = self.ask("DELETE", &format!("{SCHEDULER}/{id}"), "");
        (status.as_u16(), answer)
    }

    /// The states of its tasks, as the API shows them: `activation/deactivation`.
    pub(crate) fn tasks(&mut self, id: &str) -> String {
        states(&self.get(&format!("{SCHEDULER}/{id}")))
    }

    pub(crate) fn workflow(&mut self, id: &str) -> WorkflowReport {
        self.world.workflow(self.now, id).unwrap()
    }

    /// What is to be sent now.
    pub(crate) fn due(&mut self) -> Vec<Notification> {
        self.world.take_notifications(self.now)
    }
}

/// `activation/deactivation`, of an answer.
pub(crate) fn states(workflow: &Value) -> String {
    let state = |task: &str| workflow[task]["state"].as_str().unwrap_or("?").to_owned();
    format!("{}/{}", state("activation"), state("deactivation"))
}
