//! An index with an account at the vendor's scheduler, and windows that are registered there.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use plan::admit::Heard;
use plan::lease::Before;
use plan::{
    Grant, JobKey, LeaseTimings, Marker, ObjectName, Offer, Place, ProcessId, Slot, Term, TermId, Timings, Want,
    WindowId, WorkflowAnswer, WorkflowOp,
};
use serde_json::{Value, json};

use super::{Admitted, Index};
use crate::controller::accounts::{self, Account, Dialling};
use crate::controller::load::{LoadKey, Origin};
use crate::controller::window::{Defaults, Stored};
use crate::live::{Endpoint, Timeouts, Transport, TransportError};

pub(in crate::controller) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub(in crate::controller) fn tv(name: &str) -> ObjectName {
    ObjectName::new("tv", name)
}

pub(in crate::controller) fn job(name: &str) -> JobKey {
    JobKey { endpoint: Endpoint::vendor().origin(), job: name.into() }
}

pub(in crate::controller) fn jobs<const N: usize>(names: [&str; N]) -> BTreeSet<JobKey> {
    names.into_iter().map(job).collect()
}

pub(in crate::controller) struct Rig {
    pub(in crate::controller) index: Index,
    dialling: Dialling,
}

impl Rig {
    /// With an account `one` whose key is known, and that allows so many pending activations.
    pub(in crate::controller) fn with_limit(pending: u32) -> Self {
        let silent = tower::service_fn(|_: Request<Bytes>| async {
            Err::<Response<Bytes>, _>(TransportError::NotSent("nothing is sent here".to_owned()))
        });
        Self::over(Transport::new(silent), pending)
    }

    /// The same, over this transport.
    pub(in crate::controller) fn over(transport: Transport, pending: u32) -> Self {
        let dialling = Dialling { transport, timeouts: Timeouts::default(), allowed: vec![Endpoint::vendor()] };
        let index = Index::new(Timings::default(), dialling.clone(), Defaults::default());
        let mut rig = Self { index, dialling };
        rig.account("one", pending);
        rig.key("the-key");
        let by = ProcessId::new("p");
        rig.index.lead(Term::new(by, TermId::new("t"), at(0), Before::Unknown, &LeaseTimings::default()));
        rig
    }

    pub(in crate::controller) fn account(&mut self, name: &str, pending: u32) -> BTreeSet<JobKey> {
        let object = json!({
            "apiVersion": "scheduler.bcovlive.io/v1alpha1",
            "kind": "LiveAccount",
            "metadata": { "namespace": "tv", "name": name, "uid": name, "resourceVersion": "1" },
            "spec": {
                "apiKeySecretRef": { "name": "key", "key": "apiKey" },
                "limits": { "pendingActivations": pending, "registerAheadDays": 10 },
            },
        });
        let read = accounts::read(serde_json::from_value(object).unwrap()).unwrap();
        let account = Account::parse(read, &self.dialling, &Defaults::default());
        self.index.apply_account(&tv(name), account, at(0))
    }

    pub(in crate::controller) fn key(&mut self, key: &str) -> BTreeSet<JobKey> {
        let data = [("apiKey".to_owned(), ByteString(key.as_bytes().to_vec()))].into();
        let secret = Secret { data: Some(data), ..Secret::default() };
        self.index.apply_secret(&tv("key"), Some(secret), at(0))
    }

    /// A window of a job of that name, which starts then; `status` is stored with it.
    pub(in crate::controller) fn stored(&mut self, name: &str, second: i64, status: &Value) -> BTreeSet<JobKey> {
        let object = json!({
            "apiVersion": "scheduler.bcovlive.io/v1alpha1",
            "kind": "JobStartStop",
            "metadata": { "namespace": "tv", "name": name, "uid": name, "resourceVersion": "1" },
            "spec": {
                "accountRef": { "name": "one" },
                "executor": "LiveScheduler",
                "jobID": name,
                "activation": { "time": at(second).to_string() },
                "deactivation": { "time": at(second + 3_600).to_string() },
            },
            "status": status,
        });
        self.index.apply_window(Stored::read(serde_json::from_value(object).unwrap()).unwrap())
    }

    pub(in crate::controller) fn window(&mut self, name: &str, second: i64) -> BTreeSet<JobKey> {
        self.stored(name, second, &Value::Null)
    }

    /// What was decided of the window's place.
    pub(in crate::controller) fn decided(&mut self, name: &str, place: Option<(i64, bool)>) -> BTreeSet<JobKey> {
        let id = WindowId::new(name);
        let asked = self.index.windows[&id].window().start();
        self.index.note_place(&id, place.map(|(second, taken)| Place { start: at(second), taken }), asked)
    }

    pub(in crate::controller) fn offer(&self, name: &str) -> Offer {
        self.index.offer(&self.index.windows[&WindowId::new(name)].window(), at(0))
    }

    pub(in crate::controller) fn grants<const N: usize>(&self, names: [&str; N]) -> [Grant; N] {
        names.map(|name| self.offer(name).grant)
    }

    pub(in crate::controller) fn load(&self) -> LoadKey {
        self.index.loads[&tv("one")].clone()
    }

    pub(in crate::controller) fn want(&mut self, name: &str, op: WorkflowOp) {
        let (account, window) = (tv("one"), WindowId::new(name));
        let want = Want::Workflow { account, window, op, pressing: false };
        let load = self.load();
        self.index.queues.get_mut(&load).unwrap().want(&job(name), want);
    }

    pub(in crate::controller) fn admit(&mut self, lease_holds: bool) -> Admitted {
        let load = self.load();
        self.index.admit(&load, at(0), lease_holds, false)
    }

    pub(in crate::controller) fn origin(&self) -> Origin {
        Origin { load: self.load(), account: tv("one"), probe: false }
    }

    pub(in crate::controller) fn answered(&mut self, name: &str, op: &WorkflowOp, answer: WorkflowAnswer) {
        let origin = self.origin();
        self.index.workflow_answered(&origin, (&job(name), op), at(1), answer, Heard::Answer);
    }
}

pub(in crate::controller) const PENDING: &str = "pending";

pub(in crate::controller) fn create(marker: &str) -> WorkflowOp {
    let slot = Slot { time: at(100), ahead: SignedDuration::ZERO };
    WorkflowOp::Create { marker: Marker::parse(marker).unwrap(), start: slot, stop: slot, tells: false }
}

/// A status that tells of a workflow whose start is at that second.
pub(in crate::controller) fn registered(second: i64, state: &str) -> Value {
    let task = |second: i64, state: &str| json!({ "state": state, "time": at(second).to_string() });
    json!({
        "executor": "LiveScheduler",
        "activation": task(second, PENDING),
        "deactivation": task(second + 3_600, PENDING),
        "vendorWorkflowID": "a",
        "registered": {
            "marker": "abc.1@eu",
            "by": "p",
            "attempt": 1,
            "activation": task(second, state),
            "deactivation": task(second + 3_600, PENDING),
        },
    })
}
