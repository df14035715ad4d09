//! What the apiserver accepts and refuses: tests/fixtures/refusals.yaml, case by case.

use std::sync::Arc;

use kube::api::{Patch, PatchParams, PostParams, ValidationDirective};
use kube::core::Request;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::harness::{Plane, Stage};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) object: Value,
    pub(super) status: Option<Value>,
    pub(super) patch: Option<Value>,
    #[serde(default)]
    strict: bool,
    pub(super) accepted: bool,
    pub(super) path: Option<String>,
    pub(super) message: Option<String>,
    stored: Option<Value>,
}

pub(crate) async fn every_case_of_the_fixture() {
    let stage = Stage::bare("rules").await;
    let cases = cases();
    assert!(cases.len() > 50);
    let mut wrong = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let tried = Trial::of(&stage, number, case);
        if let Err(why) = judge(case, tried.outcome(case).await) {
            wrong.push(format!("{}: {why}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

pub(super) fn cases() -> Vec<Case> {
    let mut text: serde_norway::Value = serde_norway::from_str(include_str!("../../fixtures/refusals.yaml")).unwrap();
    text.apply_merge().unwrap();
    serde_norway::from_value(text).unwrap()
}

struct Trial {
    plane: Arc<Plane>,
    collection: String,
    object: Value,
}

impl Trial {
    fn of(stage: &Stage, number: usize, case: &Case) -> Self {
        let mut object = case.object.clone();
        object["apiVersion"] = json!("scheduler.bcovlive.io/v1alpha1");
        object["metadata"]["name"] = json!(format!("case-{number}"));
        let plural = format!("{}s", object["kind"].as_str().unwrap().to_lowercase());
        let path = format!("/apis/scheduler.bcovlive.io/v1alpha1/namespaces/{}", stage.namespace);
        Self { plane: Arc::clone(stage.plane()), collection: format!("{path}/{plural}"), object }
    }

    async fn outcome(&self, case: &Case) -> kube::Result<Value> {
        let body = serde_json::to_vec(&self.object).unwrap();
        let mut create = Request::new(&self.collection).create(&PostParams::default(), body).unwrap();
        if case.strict {
            // kube's parameters of a create know no such word.
            *create.uri_mut() = format!("{}&fieldValidation=Strict", create.uri()).parse().unwrap();
        }
        let created = self.plane.client.request(create).await;
        let Some(patch) = &case.patch else { return created };
        created.unwrap_or_else(|error| panic!("{}: is not stored: {error}", case.name));
        if let Some(status) = &case.status {
            let stored = self.patch("status", &json!({ "status": status }), None).await;
            stored.unwrap_or_else(|error| panic!("{}: its status is not stored: {error}", case.name));
        }
        self.patch("", patch, validation(case)).await
    }

    async fn patch(
        &self,
        subresource: &str,
        patch: &Value,
        field_validation: Option<ValidationDirective>,
    ) -> kube::Result<Value> {
        let (name, request) = (self.object["metadata"]["name"].as_str().unwrap(), Request::new(&self.collection));
        let (params, patch) = (PatchParams { field_validation, ..PatchParams::default() }, Patch::Merge(patch));
        let request = match subresource {
            "" => request.patch(name, &params, &patch),
            subresource => request.patch_subresource(subresource, name, &params, &patch),
        };
        self.plane.client.request(request.unwrap()).await
    }
}

/// As kubectl asks for, unless told not to.
fn validation(case: &Case) -> Option<ValidationDirective> {
    case.strict.then_some(ValidationDirective::Strict)
}

fn judge(case: &Case, outcome: kube::Result<Value>) -> Result<(), String> {
    match (outcome, case.accepted) {
        (Ok(stored), true) => match &case.stored {
            Some(part) if !holds(&stored, part) => Err(format!("stored as {stored}")),
            _ => Ok(()),
        },
        (Err(kube::Error::Api(refusal)), false) => {
            let causes = refusal.details.as_ref().map(|details| details.causes.clone()).unwrap_or_default();
            let message = case.message.as_deref().unwrap();
            let told = match &case.path {
                Some(path) => causes.iter().any(|cause| cause.field == *path && cause.message.contains(message)),
                None => refusal.message.contains(message),
            };
            if told { Ok(()) } else { Err(format!("refused with {causes:?}")) }
        }
        (Ok(stored), false) => Err(format!("accepted as {stored}")),
        (Err(error), _) => Err(format!("refused: {error}")),
    }
}

/// Whether `part` is a part of `whole`.
fn holds(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(name, part)| holds(whole.get(name).unwrap_or(&Value::Null), part))
        }
        (whole, part) => whole == part,
    }
}
