//! The control API, `/control/…`: what a test or a demo does to the simulated vendor, and sees of it. Without keys.

mod workflows;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::api::json_answer;
use crate::calls::Call;
use crate::fault::Fault;
use crate::job::NewJob;
use crate::settings::Overrides;
use crate::world::{ControlError, Encoder, Switch, World};

/// A status and what to tell.
type Answer = (StatusCode, Value);

/// One thing, or several in an array.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore<T> {
    More(Vec<T>),
    One(T),
}

impl<T> OneOrMore<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Self::More(all) => all,
            Self::One(one) => vec![one],
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SwitchTo {
    to: Switch,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EncoderTo {
    to: Encoder,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewKey {
    label: String,
    key: String,
    #[serde(default = "default_account")]
    account: String,
}

fn default_account() -> String {
    crate::DEFAULT_ACCOUNT.to_owned()
}

#[derive(Serialize)]
struct NumberedFault<'a> {
    id: u64,
    #[serde(flatten)]
    fault: &'a Fault,
}

impl World {
    pub(crate) fn control(&mut self, now: Timestamp, request: &Request<Bytes>) -> Response<Bytes> {
        let path = request.uri().path().strip_prefix("/control/").unwrap_or_default();
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let answer = match parts.as_slice() {
            ["settings"] => self.control_settings(request),
            ["jobs"] => self.control_jobs(now, request),
            ["jobs", id, rest @ ..] => self.control_job(now, id, rest, request),
            ["faults", rest @ ..] => self.control_faults(rest, request),
            ["keys", rest @ ..] => self.control_keys(rest, request),
            ["calls"] => self.control_calls(request),
            ["workflows", rest @ ..] => self.control_workflows(now, rest, request),
            ["firing-faults", rest @ ..] => self.control_firing_faults(rest, request),
            ["notifications"] => self.control_notifications(now, request),
            _ => Err(no_such_address()),
        };
        let (status, body) = answer.unwrap_or_else(|refusal| refusal);
        json_answer(status, &body)
    }

    fn control_settings(&mut self, request: &Request<Bytes>) -> Result<Answer, Answer> {
        match *request.method() {
            Method::GET => {}
            Method::PATCH | Method::POST => {
                let changes: Value = parse(request.body())?;
                self.set_settings(merge(self.settings(), changes)?);
            }
            _ => return Err(no_such_method()),
        }
        ok(self.settings())
    }

    fn control_jobs(&mut self, now: Timestamp, request: &Request<Bytes>) -> Result<Answer, Answer> {
        match *request.method() {
            Method::GET => ok(&json!({ "jobs": self.reports(now) })),
            Method::POST => {
                let mut ids = Vec::new();
                for new in parse::<OneOrMore<NewJob>>(request.body())?.into_vec() {
                    ids.push(self.create_job(now, new)?);
                }
                Ok((StatusCode::CREATED, json!({ "ids": ids })))
            }
            _ => Err(no_such_method()),
        }
    }

    fn control_job(
        &mut self,
        now: Timestamp,
        id: &str,
        rest: &[&str],
        request: &Request<Bytes>,
    ) -> Result<Answer, Answer> {
        match (request.method(), rest) {
            (&Method::GET, []) => {}
            (&Method::PATCH | &Method::POST, []) => {
                let before = self.report(now, id).map(|report| report.overrides).unwrap_or_default();
                let overrides: Overrides = merge(&before, parse(request.body())?)?;
                self.set_overrides(now, id, overrides)?;
            }
            (&Method::DELETE, []) => {
                return if self.remove_job(id) {
                    ok(&json!({ "id": id }))
                } else {
                    Err(ControlError::NoSuchJob(id.to_owned()).into())
                };
            }
            (&Method::POST, ["switch"]) => {
                let SwitchTo { to } = parse(request.body())?;
                self.switch(now, id, to)?;
            }
            (&Method::POST, ["encoder"]) => {
                let EncoderTo { to } = parse(request.body())?;
                self.encoder(now, id, to)?;
            }
            _ => return Err(no_such_address()),
        }
        let report = self.report(now, id).ok_or_else(|| ControlError::NoSuchJob(id.to_owned()))?;
        ok(&report)
    }

    fn control_faults(&mut self, rest: &[&str], request: &Request<Bytes>) -> Result<Answer, Answer> {
        match (request.method(), rest) {
            (&Method::GET, []) => {
                let faults: Vec<_> = self.faults().map(|(id, fault)| NumberedFault { id, fault }).collect();
                ok(&json!({ "faults": faults }))
            }
            (&Method::POST, []) => {
                let faults: Vec<Value> = parse::<OneOrMore<Value>>(request.body())?.into_vec();
                let faults = faults.into_iter().map(exactly::<Fault>).collect::<Result<Vec<_>, _>>()?;
                let ids: Vec<_> = faults.into_iter().map(|fault| self.add_fault(fault)).collect();
                Ok((StatusCode::CREATED, json!({ "ids": ids })))
            }
            (&Method::DELETE, []) => {
                self.clear_faults();
                ok(&json!({}))
            }
            (&Method::DELETE, [number]) => {
                let number = number.parse().map_err(|_| no_such_address())?;
                if self.remove_fault(number) { ok(&json!({})) } else { Err(no_such_address()) }
            }
            _ => Err(no_such_method()),
        }
    }

    fn control_keys(&mut self, rest: &[&str], request: &Request<Bytes>) -> Result<Answer, Answer> {
        match (request.method(), rest) {
            (&Method::GET, []) => ok(&json!({ "keys": self.keys().collect::<Vec<_>>() })),
            (&Method::POST, []) => {
                let NewKey { label, key, account } = parse(request.body())?;
                self.add_key(&label, &key, &account);
                Ok((StatusCode::CREATED, json!({ "label": label, "account": account })))
            }
            (&Method::DELETE, [label]) => {
                if self.remove_key(label) {
                    ok(&json!({}))
                } else {
                    Err(no_such_address())
                }
            }
            _ => Err(no_such_method()),
        }
    }

    fn control_calls(&mut self, request: &Request<Bytes>) -> Result<Answer, Answer> {
        match *request.method() {
            Method::GET => {
                let query = request.uri().query().unwrap_or_default();
                let mut since = 0;
                let (mut job, mut workflow) = (None, None);
                for (name, value) in form_urlencoded::parse(query.as_bytes()) {
                    match &*name {
                        "since" => since = value.parse().map_err(|_| bad("since is the number of a call"))?,
                        "job" => job = Some(value.into_owned()),
                        "workflow" => workflow = Some(value.into_owned()),
                        _ => return Err(bad("the parameters are since, job and workflow")),
                    }
                }
                let wanted = |call: &&Call| {
                    (job.is_none() || call.job == job) && (workflow.is_none() || call.workflow == workflow)
                };
                ok(&json!({ "calls": self.calls_since(since).filter(wanted).collect::<Vec<_>>() }))
            }
            Method::DELETE => {
                self.clear_calls();
                ok(&json!({}))
            }
            _ => Err(no_such_method()),
        }
    }
}

fn ok(body: &impl Serialize) -> Result<Answer, Answer> {
    let body = serde_json::to_value(body).map_err(|error| bad(&error.to_string()))?;
    Ok((StatusCode::OK, body))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Answer> {
    serde_json::from_slice(body).map_err(|error| bad(&error.to_string()))
}

/// Serde cannot refuse unknown fields beside the flattened ones of an effect; and a misspelt `job` would strike all
/// jobs.
fn exactly<T: Serialize + DeserializeOwned>(given: Value) -> Result<T, Answer> {
    let names: Vec<String> = given.as_object().map(|fields| fields.keys().cloned().collect()).unwrap_or_default();
    let thing: T = serde_json::from_value(given).map_err(|error| bad(&error.to_string()))?;
    let known = serde_json::to_value(&thing).map_err(|error| bad(&error.to_string()))?;
    match names.iter().find(|name| known.get(name.as_str()).is_none()) {
        Some(unknown) => Err(bad(&format!("there is no field {unknown:?} here"))),
        None => Ok(thing),
    }
}

/// The fields named are changed, the others stay; null sets a field back. The same in the objects that they hold.
fn merge<T: Serialize + DeserializeOwned>(before: &T, changes: Value) -> Result<T, Answer> {
    let (Ok(Value::Object(mut merged)), Value::Object(changes)) = (serde_json::to_value(before), changes) else {
        return Err(bad("an object is wanted"));
    };
    merge_fields(&mut merged, changes);
    serde_json::from_value(Value::Object(merged)).map_err(|error| bad(&error.to_string()))
}

fn merge_fields(fields: &mut Map<String, Value>, changes: Map<String, Value>) {
    for (name, value) in changes {
        match (fields.get_mut(&name), value) {
            (_, Value::Null) => {
                fields.remove(&name);
            }
            (Some(Value::Object(inner)), Value::Object(changes)) => merge_fields(inner, changes),
            (_, value) => {
                fields.insert(name, value);
            }
        }
    }
}

fn bad(text: &str) -> Answer {
    (StatusCode::BAD_REQUEST, json!({ "error": text }))
}

fn no_such_address() -> Answer {
    (StatusCode::NOT_FOUND, json!({ "error": "there is nothing at this address" }))
}

fn no_such_method() -> Answer {
    (StatusCode::METHOD_NOT_ALLOWED, json!({ "error": "this address does not know that method" }))
}

impl From<ControlError> for Answer {
    fn from(error: ControlError) -> Self {
        let status = match error {
            ControlError::NoSuchJob(_) | ControlError::NoSuchWorkflow(_) => StatusCode::NOT_FOUND,
            ControlError::BadId(_) => StatusCode::BAD_REQUEST,
            ControlError::JobExists(_)
            | ControlError::EncoderCannot(..)
            | ControlError::Refused(_)
            | ControlError::WorkflowRefused(_) => StatusCode::CONFLICT,
        };
        (status, json!({ "error": error.to_string() }))
    }
}
