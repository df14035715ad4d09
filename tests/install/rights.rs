//! What a user may do, as the API server judges it; `kubectl auth can-i --as` asks it the same.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Subject};
use kube::Api;
use kube::api::{ListParams, PostParams};

use crate::cluster::Cluster;
use crate::harness::eventually;
use crate::release::Release;

const WINDOWS: &str = "jobstartstops.scheduler.bcovlive.io";
const ACCOUNTS: &str = "liveaccounts.scheduler.bcovlive.io";

/// What every operator does in a namespace that it serves, beside reading Secrets.
pub(crate) const SERVES: &[(&str, &[&str])] = &[
    (WINDOWS, &["get", "list", "watch", "patch", "delete"]),
    (ACCOUNTS, &["list", "watch", "patch"]),
    ("jobstartstops.scheduler.bcovlive.io/status", &["update"]),
    ("liveaccounts.scheduler.bcovlive.io/status", &["update"]),
    ("events.events.k8s.io", &["create"]),
];

/// What competing for a Lease takes.
pub(crate) const LEADS: &[(&str, &[&str])] = &[("leases.coordination.k8s.io", &["create", "get", "watch", "update"])];

/// How it reads Secrets.
pub(crate) const READS_SECRETS: &[(&str, &[&str])] = &[("secrets", &["get", "list", "watch"])];

/// What no operator may do anywhere.
pub(crate) const NEVER: &[(&str, &[&str])] = &[
    ("*.*", &["*"]),
    ("secrets", &["create", "update", "patch", "delete", "deletecollection"]),
    ("configmaps", &["get", "list", "create", "update", "patch", "delete"]),
    ("pods", &["get", "list", "watch", "create", "patch", "delete"]),
    ("pods/exec", &["get", "create"]),
    ("pods/attach", &["get", "create"]),
    ("pods/log", &["get"]),
    ("deployments.apps", &["get", "create", "update", "patch", "delete"]),
    ("nodes", &["get", "list", "watch"]),
    ("nodes/proxy", &["get", "create"]),
    ("namespaces", &["get", "list", "create", "patch", "delete"]),
    ("serviceaccounts", &["get", "create", "impersonate"]),
    ("serviceaccounts/token", &["create"]),
    ("users", &["impersonate"]),
    ("groups", &["impersonate"]),
    ("roles.rbac.authorization.k8s.io", &["create", "update", "patch", "bind", "escalate"]),
    ("clusterroles.rbac.authorization.k8s.io", &["create", "update", "patch", "bind", "escalate"]),
    ("rolebindings.rbac.authorization.k8s.io", &["create", "update", "patch"]),
    ("clusterrolebindings.rbac.authorization.k8s.io", &["create", "update", "patch"]),
    ("customresourcedefinitions.apiextensions.k8s.io", &["list", "watch", "create", "update", "patch", "delete"]),
    ("validatingadmissionpolicies.admissionregistration.k8s.io", &["create", "update", "patch", "delete"]),
    ("validatingadmissionpolicybindings.admissionregistration.k8s.io", &["create", "update", "patch", "delete"]),
    ("flowschemas.flowcontrol.apiserver.k8s.io", &["create", "update", "patch", "delete"]),
    ("leases.coordination.k8s.io", &["list", "delete", "deletecollection"]),
    ("events.events.k8s.io", &["get", "list", "watch", "update", "delete"]),
    (WINDOWS, &["update", "deletecollection"]),
    ("jobstartstops.scheduler.bcovlive.io/status", &["patch"]),
    (ACCOUNTS, &["get", "create", "update", "delete", "deletecollection"]),
    ("liveaccounts.scheduler.bcovlive.io/status", &["patch"]),
];

/// The right that only the HTTP interface takes.
pub(crate) const CREATES: &[(&str, &[&str])] = &[(WINDOWS, &["create"])];

/// One user's rights.
pub(crate) struct Rights<'a> {
    cluster: &'a Cluster,
    user: String,
    groups: Vec<String>,
}

impl<'a> Rights<'a> {
    /// Those of a release's operator.
    pub(crate) async fn of(cluster: &'a Cluster, release: &Release) -> Self {
        let groups = ["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{}", release.namespace)];
        Self { cluster, user: release.user(cluster).await, groups: groups.into() }
    }

    /// Those of a person.
    pub(crate) fn of_person(cluster: &'a Cluster, name: &str) -> Self {
        Self { cluster, user: name.to_owned(), groups: Vec::new() }
    }

    /// Whether this is allowed: `resource.group/subresource`, in a namespace or, without one, in all of them.
    pub(crate) async fn may(&self, verb: &str, what: &str, name: Option<&str>, namespace: Option<&str>) -> bool {
        let (kind, subresource) = what.split_once('/').map_or((what, None), |(kind, sub)| (kind, Some(sub)));
        let (resource, group) = kind.split_once('.').unwrap_or((kind, ""));
        let asked = ResourceAttributes {
            verb: Some(verb.to_owned()),
            group: Some(group.to_owned()),
            resource: Some(resource.to_owned()),
            subresource: subresource.map(str::to_owned),
            name: name.map(str::to_owned),
            namespace: namespace.map(str::to_owned),
            ..ResourceAttributes::default()
        };
        let groups = self.groups.iter().cloned().chain(["system:authenticated".to_owned()]);
        let spec = SubjectAccessReviewSpec {
            user: Some(self.user.clone()),
            groups: Some(groups.collect()),
            resource_attributes: Some(asked),
            ..SubjectAccessReviewSpec::default()
        };
        let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
        let reviews: Api<SubjectAccessReview> = Api::all(self.cluster.plane.client.clone());
        reviews.create(&PostParams::default(), &review).await.unwrap().status.unwrap().allowed
    }

    /// What of this is allowed there, and what is not.
    async fn sorted(&self, table: &[(&str, &[&str])], namespace: Option<&str>) -> (Vec<String>, Vec<String>) {
        let (mut allowed, mut refused) = (Vec::new(), Vec::new());
        for (what, verbs) in table {
            for verb in *verbs {
                let list = if self.may(verb, what, None, namespace).await { &mut allowed } else { &mut refused };
                list.push(format!("{verb} {what} in {namespace:?}"));
            }
        }
        (allowed, refused)
    }

    /// Waits until all of this is allowed there: the API server learns of a new role by watching.
    pub(crate) async fn include(&self, table: &[(&str, &[&str])], namespace: Option<&str>) {
        let what = format!("{} may do in {namespace:?} all of {table:?}", self.user);
        eventually(&what, async || self.sorted(table, namespace).await.1.is_empty().then_some(())).await;
    }

    /// Waits until this is allowed.
    pub(crate) async fn include_one(&self, verb: &str, what: &str, name: Option<&str>, namespace: Option<&str>) {
        let sentence = format!("{} may {verb} {what} {name:?} in {namespace:?}", self.user);
        eventually(&sentence, async || self.may(verb, what, name, namespace).await.then_some(())).await;
    }

    /// It may compete for this Lease, and look at no other.
    pub(crate) async fn include_leading(&self, lease: &str, namespace: &str) {
        let (what, here) = ("leases.coordination.k8s.io", Some(namespace));
        for verb in ["get", "watch", "update"] {
            assert!(self.may(verb, what, Some(lease), here).await, "{} may not {verb} {lease}", self.user);
            assert!(!self.may(verb, what, Some("another"), here).await, "{} may {verb} another Lease", self.user);
        }
        assert!(self.may("create", what, None, here).await, "{} may make no Lease", self.user);
    }

    /// Nothing of this is allowed there. Ask only when something else is allowed already.
    pub(crate) async fn exclude(&self, table: &[(&str, &[&str])], namespace: Option<&str>) {
        let (allowed, _) = self.sorted(table, namespace).await;
        assert!(allowed.is_empty(), "{} may {allowed:#?}", self.user);
    }

    /// What it may never do is refused in each of these namespaces, in the system's own, and in all of them at once.
    pub(crate) async fn exclude_what_is_never_needed(&self, namespaces: &[&str]) {
        for namespace in namespaces.iter().copied().chain(["kube-system"]).map(Some).chain([None]) {
            self.exclude(NEVER, namespace).await;
        }
    }

    /// The rules that hold for it all over the cluster.
    pub(crate) async fn rules_everywhere(&self) -> Vec<PolicyRule> {
        let client = &self.cluster.plane.client;
        let bound: Api<ClusterRoleBinding> = Api::all(client.clone());
        let granted: Api<ClusterRole> = Api::all(client.clone());
        let mut rules = Vec::new();
        for binding in bound.list(&ListParams::default()).await.unwrap() {
            let subjects = binding.subjects.unwrap_or_default();
            let ours = |subject: &Subject| {
                let namespace = subject.namespace.as_deref().unwrap_or_default();
                self.user == format!("system:serviceaccount:{namespace}:{}", subject.name)
            };
            if subjects.iter().any(ours) {
                rules.extend(granted.get(&binding.role_ref.name).await.unwrap().rules.unwrap_or_default());
            }
        }
        rules
    }
}

/// All that a namespaced installation may do beyond its namespaces: to read our own definitions, by their names.
pub(crate) fn assert_only_reads_definitions(rules: &[PolicyRule]) {
    assert!(!rules.is_empty(), "the definition has to be read before a deletion switches anything off");
    for rule in rules {
        let words = |list: Option<&Vec<String>>| list.map(|words| words.join(",")).unwrap_or_default();
        let shown = (words(rule.api_groups.as_ref()), words(rule.resources.as_ref()), rule.verbs.join(","));
        let expected = ("apiextensions.k8s.io", "customresourcedefinitions", "get");
        assert_eq!((&*shown.0, &*shown.1, &*shown.2), expected, "{rule:?}");
        let names = rule.resource_names.clone().unwrap_or_default();
        assert!(!names.is_empty() && names.iter().all(|name| name.ends_with(".scheduler.bcovlive.io")), "{names:?}");
    }
}
