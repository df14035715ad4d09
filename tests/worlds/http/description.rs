//! `docs/openapi.json`, and whether an answer is one that it describes.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use http::{Method, StatusCode};
use jsonschema::Validator;
use serde_json::{Value, json};

use super::Answer;

pub(super) struct Description {
    document: Value,
    /// By the name of the schema.
    validators: BTreeMap<String, Validator>,
}

impl Description {
    pub(super) fn of_this_interface() -> &'static Self {
        static DESCRIPTION: LazyLock<Description> =
            LazyLock::new(|| Description::read(include_str!("../../../docs/openapi.json")));
        &DESCRIPTION
    }

    fn read(text: &str) -> Self {
        let document: Value = serde_json::from_str(text).unwrap();
        let validator = |name: &String| {
            let schema = json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "$ref": format!("#/components/schemas/{name}"),
                "components": document["components"],
            });
            (name.clone(), jsonschema::validator_for(&schema).unwrap())
        };
        let validators = document["components"]["schemas"].as_object().unwrap().keys().map(validator).collect();
        Self { document, validators }
    }

    /// What this schema has against a value.
    pub(super) fn complaints(&self, schema: &str, value: &Value) -> Vec<String> {
        self.validators[schema].iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    /// Holds an answer against what is said of its path, method and status.
    pub(super) fn check(&self, method: &Method, path: &str, answer: &Answer) {
        if *method == Method::HEAD {
            return;
        }
        let schema = self.schema_of(method, path, answer.status);
        if let Some(schema) = schema {
            let complaints = self.complaints(&schema, &answer.json());
            assert!(complaints.is_empty(), "{method} {path}: {answer:?}\n{complaints:#?}");
        }
    }

    /// `None`: any JSON is right. Paths and methods that are not described answer an error.
    fn schema_of(&self, method: &Method, path: &str, status: StatusCode) -> Option<String> {
        if [StatusCode::METHOD_NOT_ALLOWED, StatusCode::NOT_FOUND].contains(&status) {
            return Some("Error".to_owned());
        }
        let paths = &self.document["paths"];
        let (collection, _) = path.rsplit_once('/').unwrap();
        let item = paths.get(path).unwrap_or_else(|| &paths[format!("{collection}/{{workflow_id}}")]);
        let operation = &item[method.as_str().to_lowercase()];
        let described = &operation["responses"][status.as_str()];
        assert!(described.is_object(), "{method} {path}: {status} is not described");
        let response = match described["$ref"].as_str() {
            Some(reference) => self.document.pointer(reference.trim_start_matches('#')).unwrap(),
            None => described,
        };
        let schema = response["content"]["application/json"]["schema"]["$ref"].as_str()?;
        Some(schema.rsplit('/').next().unwrap().to_owned())
    }
}

#[test]
fn the_guides_bodies_are_requests_of_the_description() {
    let description = Description::of_this_interface();
    let notifying = json!({
        "job_id": "15981d93877e490185e6ebc9af2c79a3",
        "activation": { "time_utc": 1_612_274_100, "notification": 600 },
        "deactivation": { "time_utc": 1_612_281_600, "notification": 600 },
        "description": "My Tuesday broadcast",
        "notification_url": "https://example.com/live/jobstartstop/callbacks",
    });
    assert_eq!(description.complaints("Create", &super::guide()), [""; 0]);
    assert_eq!(description.complaints("Create", &notifying), [""; 0]);
    assert_eq!(description.complaints("Update", &json!({ "deactivation": { "time_utc": 1_617_391_800 } })), [""; 0]);
    assert!(!description.complaints("Create", &json!({ "job_id": "a" })).is_empty());
    assert!(!description.complaints("Update", &json!({})).is_empty());
}
