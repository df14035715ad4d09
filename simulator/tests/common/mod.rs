//! A world with one account and one job, and a clock that the test turns.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "it is part of tests")]

use bytes::Bytes;
use http::{Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use simulator::{Call, JobReport, NewJob, Reply, Settings, Then, World};

pub(crate) const KEY: &str = "the-key";
pub(crate) const JOB: &str = "studio-1";

/// The world and its time.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) now: Timestamp,
}

impl Scene {
    pub(crate) fn new(settings: Settings) -> Self {
        let now = "2030-01-01T12:00:00Z".parse().unwrap();
        let mut world = World::new(settings);
        world.add_key("ours", KEY, "default");
        world.create_job(now, NewJob::with_id(JOB)).unwrap();
        Self { world, now }
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
