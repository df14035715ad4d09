//! The control API of the scheduler: workflows, what goes wrong when they are due, and notifications.

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Answer, OneOrMore, bad, exactly, no_such_address, no_such_method, ok, parse};
use crate::scheduler::{FiringFault, UnknownFields, WorkflowEdit, parse_new};
use crate::world::{ControlError, World};

#[derive(Serialize)]
struct NumberedFault<'a> {
    id: u64,
    #[serde(flatten)]
    fault: &'a FiringFault,
}

impl World {
    pub(super) fn control_workflows(
        &mut self,
        now: Timestamp,
        rest: &[&str],
        request: &Request<Bytes>,
    ) -> Result<Answer, Answer> {
        match (request.method(), rest) {
            (&Method::GET, []) => ok(&json!({ "workflows": self.workflows(now) })),
            (&Method::POST, []) => {
                let mut ids = Vec::new();
                for new in parse::<OneOrMore<Value>>(request.body())?.into_vec() {
                    let new = parse_new(&new, UnknownFields::Refuse).map_err(|_| bad("this is no new workflow"))?;
                    ids.push(self.schedule(now, new)?);
                }
                Ok((StatusCode::CREATED, json!({ "ids": ids })))
            }
            (_, []) => Err(no_such_method()),
            (method, [id]) => {
                match *method {
                    Method::POST | Method::PATCH => {
                        let edit: WorkflowEdit = parse(request.body())?;
                        self.change_workflow(now, id, edit)?;
                    }
                    Method::DELETE if self.remove_workflow(id) => return ok(&json!({ "id": id })),
                    Method::GET | Method::DELETE => {}
                    _ => return Err(no_such_method()),
                }
                let report = self.workflow(now, id).ok_or_else(|| ControlError::NoSuchWorkflow((*id).to_owned()))?;
                ok(&report)
            }
            _ => Err(no_such_address()),
        }
    }

    pub(super) fn control_firing_faults(&mut self, rest: &[&str], request: &Request<Bytes>) -> Result<Answer, Answer> {
        match (request.method(), rest) {
            (&Method::GET, []) => {
                let faults: Vec<_> = self.firing_faults().map(|(id, fault)| NumberedFault { id, fault }).collect();
                ok(&json!({ "faults": faults }))
            }
            (&Method::POST, []) => {
                let faults = parse::<OneOrMore<Value>>(request.body())?.into_vec();
                let faults = faults.into_iter().map(exactly::<FiringFault>).collect::<Result<Vec<_>, _>>()?;
                let ids: Vec<_> = faults.into_iter().map(|fault| self.add_firing_fault(fault)).collect();
                Ok((StatusCode::CREATED, json!({ "ids": ids })))
            }
            (&Method::DELETE, []) => {
                self.clear_firing_faults();
                ok(&json!({}))
            }
            (&Method::DELETE, [number]) => {
                let number = number.parse().map_err(|_| no_such_address())?;
                if self.remove_firing_fault(number) { ok(&json!({})) } else { Err(no_such_address()) }
            }
            _ => Err(no_such_method()),
        }
    }

    pub(super) fn control_notifications(&mut self, now: Timestamp, request: &Request<Bytes>) -> Result<Answer, Answer> {
        if request.method() != Method::GET {
            return Err(no_such_method());
        }
        ok(&json!({ "notifications": self.notifications(now).collect::<Vec<_>>() }))
    }
}
