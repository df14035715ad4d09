//! What a request asks of an API server, as far as tests count it.

use http::{Method, Uri};

/// Whether it asks for a watch.
pub(super) fn is_watch(method: &Method, uri: &Uri) -> bool {
    method == Method::GET && uri.query().is_some_and(|query| query.split('&').any(|pair| WATCH.contains(&pair)))
}

const WATCH: [&str; 3] = ["watch=true", "watch=1", "watch"];

/// Verb and resource, as Kubernetes' own audit log has them: `list jobstartstops`, `update jobstartstops/status`. What is
/// below no resource counts by its path: `get /readyz`.
pub(super) fn kind(method: &Method, uri: &Uri) -> String {
    let Some(resource) = Resource::of(uri.path()) else {
        return format!("{} {}", method.as_str().to_lowercase(), uri.path());
    };
    format!("{} {}", resource.verb(method, uri), resource.full_name())
}

struct Resource<'a> {
    name: &'a str,
    one: bool,
    sub: Option<&'a str>,
}

impl<'a> Resource<'a> {
    fn of(path: &'a str) -> Option<Self> {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        // The group, where there is one, and the version.
        match parts.next()? {
            "api" => parts.next()?,
            "apis" => parts.nth(1)?,
            _ => return None,
        };
        let rest: Vec<&str> = parts.collect();
        let rest = match rest.as_slice() {
            ["namespaces", _, rest @ ..] if !rest.is_empty() && !["status", "finalize"].contains(&rest[0]) => rest,
            rest => rest,
        };
        let [name, more @ ..] = rest else { return None };
        Some(Self { name, one: !more.is_empty(), sub: more.get(1).copied() })
    }

    fn verb(&self, method: &Method, uri: &Uri) -> String {
        let verb = match method.as_str() {
            "GET" if is_watch(method, uri) => "watch",
            "GET" if self.one => "get",
            "GET" => "list",
            "POST" => "create",
            "PUT" => "update",
            "DELETE" if !self.one => "deletecollection",
            other => return other.to_lowercase(),
        };
        verb.to_owned()
    }

    fn full_name(&self) -> String {
        self.sub.map_or_else(|| self.name.to_owned(), |sub| format!("{}/{sub}", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts_as(method: &Method, uri: &'static str) -> String {
        kind(method, &Uri::from_static(uri))
    }

    #[test]
    fn requests_count_by_verb_and_resource() {
        let windows = "/apis/scheduler.bcovlive.io/v1alpha1/namespaces/tv/jobstartstops";
        assert_eq!(counts_as(&Method::GET, windows), "list jobstartstops");
        assert_eq!(counts_as(&Method::GET, "/apis/a.b/v1/jobstartstops?limit=500"), "list jobstartstops");
        assert_eq!(
            counts_as(&Method::GET, "/apis/a.b/v1/jobstartstops?allowWatchBookmarks=true&watch=true"),
            "watch jobstartstops"
        );
        assert_eq!(
            counts_as(&Method::PUT, "/apis/a.b/v1/namespaces/tv/jobstartstops/x/status"),
            "update jobstartstops/status"
        );
        assert_eq!(counts_as(&Method::PATCH, "/apis/a.b/v1/namespaces/tv/jobstartstops/x"), "patch jobstartstops");
        assert_eq!(counts_as(&Method::GET, "/api/v1/namespaces/tv/secrets/key"), "get secrets");
    }

    #[test]
    fn a_namespace_is_a_resource_too() {
        assert_eq!(counts_as(&Method::POST, "/api/v1/namespaces"), "create namespaces");
        assert_eq!(counts_as(&Method::GET, "/api/v1/namespaces/tv"), "get namespaces");
        assert_eq!(counts_as(&Method::PUT, "/api/v1/namespaces/tv/finalize"), "update namespaces/finalize");
    }

    #[test]
    fn what_is_no_resource_counts_by_its_path() {
        assert_eq!(counts_as(&Method::GET, "/readyz"), "get /readyz");
        assert_eq!(counts_as(&Method::GET, "/api/v1"), "get /api/v1");
    }
}
