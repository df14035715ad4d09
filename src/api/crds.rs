//! The `CustomResourceDefinition`s, as the command line prints them and as `crds/` holds them.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;

use super::{JobStartStop, LiveAccount};

const HEADER: &str = "# Generated from src/api by `make generate`. Do not edit.\n";

/// Every `CustomResourceDefinition` of this operator.
pub fn all() -> Vec<CustomResourceDefinition> {
    vec![tidied(JobStartStop::crd()), tidied(LiveAccount::crd())]
}

/// The fields of a JobStartStop's status that an installed definition does not have, as paths: the apiserver would drop
/// them from what is written, with a warning only.
pub fn status_fields_missing(installed: &CustomResourceDefinition) -> Vec<String> {
    let ours = JobStartStop::crd();
    let mut missing = Vec::new();
    match (status_schema(&ours), status_schema(installed)) {
        (Some(ours), Some(theirs)) => compare(ours, theirs, "status", &mut missing),
        (Some(_), None) => missing.push("status".to_owned()),
        (None, _) => {}
    }
    missing
}

fn status_schema(crd: &CustomResourceDefinition) -> Option<&JSONSchemaProps> {
    let version = crd.spec.versions.iter().find(|version| version.name == super::VERSION)?;
    version.schema.as_ref()?.open_api_v3_schema.as_ref()?.properties.as_ref()?.get("status")
}

fn compare(ours: &JSONSchemaProps, theirs: &JSONSchemaProps, path: &str, missing: &mut Vec<String>) {
    if theirs.x_kubernetes_preserve_unknown_fields == Some(true) {
        return;
    }
    for (name, ours) in ours.properties.iter().flatten() {
        let path = format!("{path}.{name}");
        match theirs.properties.as_ref().and_then(|theirs| theirs.get(name)) {
            Some(theirs) => compare(ours, theirs, &path, missing),
            None => missing.push(path),
        }
    }
}

/// All of them as one YAML stream.
pub fn yaml() -> Result<String, serde_norway::Error> {
    let documents: Vec<String> = all().iter().map(serde_norway::to_string).collect::<Result<_, _>>()?;
    Ok(format!("{HEADER}---\n{}", documents.join("---\n")))
}

/// The files of `crds/`: name and content.
pub fn files() -> Result<Vec<(String, String)>, serde_norway::Error> {
    all()
        .iter()
        .map(|crd| {
            let name = format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural);
            Ok((name, format!("{HEADER}{}", serde_norway::to_string(crd)?)))
        })
        .collect()
}

fn tidied(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        if let Some(schema) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            tidy(schema);
        }
    }
    crd
}

/// Takes out what the derive adds for Rust's sake:
/// - `nullable`: without it the apiserver drops a null, as Helm templates write it, and applies the default;
/// - formats that Kubernetes does not know;
/// - the line breaks of the source in descriptions, which `kubectl explain` would print as they are.
fn tidy(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    schema.format = schema.format.take().filter(|format| !format.starts_with("uint"));
    schema.description = schema.description.take().map(|text| unwrapped(&text));
    for property in schema.properties.iter_mut().flatten() {
        tidy(property.1);
    }
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => tidy(items),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(tidy),
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        tidy(values);
    }
}

fn unwrapped(text: &str) -> String {
    text.split("\n\n")
        .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join("\n\n")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::{GROUP, VERSION};

    #[test]
    fn generated_files_are_current() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
        for (name, content) in files().unwrap() {
            let path = folder.join(&name);
            let found = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(found == content, "{} is out of date: run `make generate`", path.display());
        }
    }

    #[test]
    fn every_resource_has_the_group_and_the_version() {
        for crd in all() {
            assert_eq!(crd.spec.group, GROUP);
            assert!(crd.spec.versions.iter().all(|version| version.name == VERSION));
        }
    }

    #[test]
    fn nothing_at_the_top_of_a_status_is_required_and_an_unseen_object_shows() {
        for schema in schemas() {
            let status = &schema["properties"]["status"];
            assert_eq!(status["default"], json!({ "observedGeneration": -1 }));
            assert_eq!(status.get("required"), None);
        }
    }

    #[test]
    fn every_text_and_list_that_a_user_writes_is_bounded() {
        for schema in schemas() {
            assert_bounded("spec", &schema["properties"]["spec"]);
        }
    }

    #[test]
    fn every_field_is_explained() {
        for schema in schemas() {
            assert_explained("", &schema);
        }
    }

    /// A root rule is checked on every write, so it must let an unchanged spec pass.
    #[test]
    fn root_rules_are_transition_rules() {
        for schema in schemas() {
            for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
                assert!(rule["rule"].as_str().unwrap().contains("oldSelf"), "{rule}");
            }
        }
    }

    fn schemas() -> Vec<Value> {
        all()
            .into_iter()
            .flat_map(|crd| crd.spec.versions)
            .map(|version| serde_json::to_value(version.schema.unwrap().open_api_v3_schema).unwrap())
            .collect()
    }

    fn assert_bounded(path: &str, schema: &Value) {
        match schema["type"].as_str() {
            Some("string") => {
                assert!(schema.get("maxLength").or(schema.get("enum")).is_some(), "{path} has no bound");
            }
            Some("array") => assert!(schema.get("maxItems").is_some(), "{path} has no bound"),
            Some("integer") => assert!(schema.get("maximum").is_some(), "{path} has no bound"),
            _ => {}
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            assert_bounded(&format!("{path}.{name}"), property);
        }
    }

    fn assert_explained(path: &str, schema: &Value) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            let description = property["description"].as_str().unwrap_or_default();
            assert!(!description.is_empty(), "{path} is not explained");
            assert!(!description.contains('\n'), "{path} has line breaks");
            assert_explained(&path, property);
        }
    }
}
