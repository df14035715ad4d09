//! What the operator and people may do, as the roles are rendered. That it is enough, and how the API server judges it, is
//! in `scenes/modes.rs` and `scenes/roles.rs`.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use super::{RELEASE, Rendered, by_default, named, rendered_modes, with};
use crate::harness::repository;

const GROUP: &str = "scheduler.bcovlive.io";

/// All that any role of the chart may grant to anybody: group, resource, verb.
const GRANTED: &[(&str, &str, &[&str])] = &[
    (GROUP, "jobstartstops", &["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"]),
    (GROUP, "liveaccounts", &["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"]),
    (GROUP, "jobstartstops/status", &["update"]),
    (GROUP, "liveaccounts/status", &["update"]),
    ("", "secrets", &["get", "list", "watch"]),
    ("coordination.k8s.io", "leases", &["get", "watch", "create", "update"]),
    ("events.k8s.io", "events", &["create"]),
    ("apiextensions.k8s.io", "customresourcedefinitions", &["get"]),
];

/// One right: group, resource, verb, and the name that it is for.
type Right = (String, String, String, Option<String>);

fn rights_of(role: &Value) -> BTreeSet<Right> {
    let words = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    let mut rights = BTreeSet::new();
    for rule in role["rules"].as_array().into_iter().flatten() {
        assert_eq!(rule.get("nonResourceURLs"), None, "{}", named(role));
        let names = words(&rule["resourceNames"]);
        let names = if names.is_empty() { vec![None] } else { names.into_iter().map(Some).collect() };
        for group in words(&rule["apiGroups"]) {
            for resource in words(&rule["resources"]) {
                for verb in words(&rule["verbs"]) {
                    rights
                        .extend(names.iter().map(|name| (group.clone(), resource.clone(), verb.clone(), name.clone())));
                }
            }
        }
    }
    rights
}

fn roles(rendered: &Rendered) -> impl Iterator<Item = &Value> {
    rendered.kind("Role").into_iter().chain(rendered.kind("ClusterRole"))
}

/// Whether the role is one of those for people.
fn for_people(role: &Value) -> bool {
    let labels = role["metadata"]["labels"].as_object().unwrap();
    labels.keys().any(|label| label.starts_with("rbac.authorization.k8s.io/aggregate-to-"))
}

#[test]
fn case_92_no_role_grants_more_than_the_table_has() {
    for (mode, rendered) in rendered_modes() {
        for role in roles(rendered) {
            for right in rights_of(role) {
                let (group, resource, verb, name) = &right;
                let known = GRANTED.iter().any(|(known_group, known_resource, verbs)| {
                    (known_group, known_resource) == (&group.as_str(), &resource.as_str())
                        && verbs.contains(&verb.as_str())
                });
                assert!(known, "{mode}: {} grants {right:?}", named(role));
                if resource == "customresourcedefinitions" {
                    assert_eq!(name.as_deref(), Some("jobstartstops.scheduler.bcovlive.io"), "{mode}");
                }
                if resource == "liveaccounts" && verb == "get" {
                    assert!(for_people(role), "{mode}: the operator reads no account by its name");
                }
                if resource == "leases" && verb != "create" {
                    assert!(name.is_some(), "{mode}: every Lease of the namespace");
                }
                assert!(!for_people(role) || group == GROUP && !resource.ends_with("/status"), "{mode}: {right:?}");
            }
        }
    }
}

#[test]
fn case_92_nobody_is_bound_but_the_operators_own_account_and_to_no_role_but_the_charts() {
    for (mode, rendered) in rendered_modes() {
        let account = &rendered.pods()[0]["serviceAccountName"];
        assert_eq!(&rendered.the("ServiceAccount")["metadata"]["name"], account, "{mode}");
        assert_eq!(rendered.the("ServiceAccount")["automountServiceAccountToken"], false, "{mode}");
        let subject = json!([{ "kind": "ServiceAccount", "name": account, "namespace": RELEASE[1] }]);
        for binding in rendered.kind("RoleBinding").into_iter().chain(rendered.kind("ClusterRoleBinding")) {
            assert_eq!(binding["subjects"], subject, "{mode}: {}", named(binding));
            let role = &binding["roleRef"];
            let bound = roles(rendered).find(|candidate| {
                let namespaced = candidate["kind"] == "Role";
                candidate["kind"] == role["kind"]
                    && candidate["metadata"]["name"] == role["name"]
                    && (!namespaced || candidate["metadata"]["namespace"] == binding["metadata"]["namespace"])
            });
            assert!(!for_people(bound.unwrap_or_else(|| panic!("{mode}: {} binds {role}", named(binding)))));
        }
        assert!(rendered.kind("Secret").is_empty(), "{mode}: a Secret of the chart's own");
    }
}

/// What those roles grant that are bound, where: `None` is everywhere.
fn granted(rendered: &Rendered) -> BTreeSet<(Option<String>, Right)> {
    let bound = roles(rendered).filter(|role| !for_people(role));
    let with_place = bound.flat_map(|role| {
        let place = role["metadata"]["namespace"].as_str().map(str::to_owned);
        rights_of(role).into_iter().map(move |right| (place.clone(), right))
    });
    with_place.collect()
}

#[test]
fn case_88_with_namespaces_named_the_only_right_everywhere_is_to_read_our_definition() {
    for values in [
        json!({ "watchNamespaces": ["live", "sports"] }),
        json!({ "watchNamespaces": ["live", "sports"], "httpInterface": { "enabled": true } }),
    ] {
        let rendered = Rendered::with(&values);
        let rights = granted(&rendered);
        let everywhere: Vec<&Right> =
            rights.iter().filter(|(place, _)| place.is_none()).map(|(_, right)| right).collect();
        let [(_, resource, verb, Some(name))] = everywhere[..] else { panic!("{everywhere:?}") };
        assert_eq!(
            (&**resource, &**verb, &**name),
            ("customresourcedefinitions", "get", "jobstartstops.scheduler.bcovlive.io")
        );
        let in_release: Vec<&Right> =
            rights.iter().filter(|(place, _)| place.as_deref() == Some(RELEASE[1])).map(|(_, right)| right).collect();
        assert!(in_release.iter().all(|(_, resource, ..)| resource == "leases"), "{in_release:?}");
        for namespace in ["live", "sports"] {
            let has = |resource: &str, verb: &str| {
                let right = |(place, right): &(Option<String>, Right)| {
                    place.as_deref() == Some(namespace) && (&*right.1, &*right.2) == (resource, verb)
                };
                rights.iter().any(right)
            };
            assert!(has("secrets", "watch") && has("jobstartstops/status", "update"));
            assert_eq!(has("jobstartstops", "create"), values.get("httpInterface").is_some());
        }
    }
}

#[test]
fn case_88_with_secrets_named_no_other_can_be_read_in_either_scope() {
    let secrets = json!([{ "namespace": "live", "names": ["bcov-live", "hooks"] }]);
    for scope in [json!({}), json!({ "watchNamespaces": ["live", "sports"] })] {
        let rendered = Rendered::with(&with(scope, "rbac.secrets", secrets.clone()));
        let of_secrets: BTreeSet<_> = granted(&rendered)
            .into_iter()
            .filter(|(_, (_, resource, ..))| resource == "secrets")
            .map(|(place, (_, _, verb, name))| (place.unwrap(), verb, name.unwrap()))
            .collect();
        let expected = ["get", "list", "watch"]
            .into_iter()
            .flat_map(|verb| ["bcov-live", "hooks"].map(|name| ("live".to_owned(), verb.to_owned(), name.to_owned())));
        assert_eq!(of_secrets, expected.collect());
    }
}

#[test]
fn the_right_to_create_comes_with_the_http_interface_only() {
    let creates = |rendered: &Rendered| {
        granted(rendered).iter().any(|(_, (_, resource, verb, _))| resource == "jobstartstops" && verb == "create")
    };
    assert!(!creates(by_default()));
    assert!(creates(&Rendered::with(&json!({ "httpInterface": { "enabled": true } }))));
}

/// docs/operations.md explains the rights of the examples; those of the chart are the same.
#[test]
fn the_rights_are_those_of_the_examples() {
    let nameless = |(group, resource, verb, name): Right| {
        // The example leaves the Lease's name open.
        (group, resource.clone(), verb, name.filter(|_| resource != "leases"))
    };
    let of_example = |file: &str| -> BTreeSet<Right> {
        let example = Rendered::of(fs::read_to_string(repository(file)).unwrap());
        roles(&example).flat_map(rights_of).map(nameless).collect()
    };
    let of_chart = |rendered: &Rendered| -> BTreeSet<Right> {
        granted(rendered).into_iter().map(|(_, right)| nameless(right)).collect()
    };
    let operator = of_example("examples/operator-rbac.yaml");
    assert_eq!(of_chart(by_default()), operator);
    let http = Rendered::with(&json!({ "httpInterface": { "enabled": true } }));
    assert_eq!(of_chart(&http), &operator | &of_example("examples/http-interface.yaml"));
}

#[test]
fn each_verb_of_each_role_has_its_reason_beside_it() {
    for (mode, rendered) in rendered_modes() {
        let documents = rendered
            .text
            .split("\n---\n")
            .filter(|text| text.lines().any(|line| line == "kind: Role" || line == "kind: ClusterRole"));
        let mut verbs = 0;
        for document in documents {
            let mut among_verbs = false;
            for line in document.lines() {
                let text = line.trim();
                let (verb, reason) = text.split_once(" # ").unwrap_or((text, ""));
                among_verbs = verb == "verbs:" || among_verbs && verb.starts_with("- ") && !verb.contains(':');
                if among_verbs && verb != "verbs:" {
                    assert!(reason.contains(' '), "{mode}: {text:?} in {document}");
                    verbs += 1;
                }
            }
        }
        let total: usize = roles(rendered)
            .flat_map(|role| role["rules"].as_array().unwrap())
            .map(|rule| rule["verbs"].as_array().unwrap().len())
            .sum();
        assert_eq!(verbs, total, "{mode}: all are looked at");
    }
}

#[test]
fn people_get_their_roles_by_those_that_the_cluster_has() {
    let into = |rendered: &Rendered, role: &str| -> BTreeSet<(String, String)> {
        let label = format!("rbac.authorization.k8s.io/aggregate-to-{role}");
        let aggregated = roles(rendered).filter(|role| role["metadata"]["labels"][&label] == "true");
        aggregated.flat_map(rights_of).map(|(_, resource, verb, _)| (resource, verb)).collect()
    };
    let may = |rights: &BTreeSet<(String, String)>, resource: &str, verb: &str| {
        rights.contains(&(resource.to_owned(), verb.to_owned()))
    };
    let [view, edit, admin] = ["view", "edit", "admin"].map(|role| into(by_default(), role));
    assert!(view.iter().all(|(_, verb)| ["get", "list", "watch"].contains(&&**verb)), "{view:?}");
    assert!(may(&view, "jobstartstops", "watch") && may(&view, "liveaccounts", "get"));
    assert!(may(&edit, "jobstartstops", "patch") && !edit.iter().any(|(resource, _)| resource == "liveaccounts"));
    assert!(may(&admin, "liveaccounts", "patch"));
    let without = Rendered::with(&json!({ "rbac": { "userRoles": false } }));
    assert!(!roles(&without).any(for_people));
}
