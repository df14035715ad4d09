//! Why a command did not do what it was asked, in words for people.

use std::path::PathBuf;
use std::time::Duration;

use super::actions::Refusal;

/// What was asked of the API server when it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// As rights are granted: `get`, `list`, `patch`, `create`.
    pub(super) verb: &'static str,
    /// As rights are granted: `jobstartstops`.
    pub(super) resource: &'static str,
    /// `None`: in all namespaces.
    pub(super) namespace: Option<String>,
}

impl Asked {
    pub(super) fn of(verb: &'static str, resource: &'static str, namespace: Option<&str>) -> Self {
        Self { verb, resource, namespace: namespace.map(str::to_owned) }
    }

    fn place(&self) -> String {
        self.namespace.as_ref().map_or_else(|| "all namespaces".to_owned(), |name| format!("the namespace {name}"))
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("the kubeconfig {0} cannot be read: {1}")]
    Kubeconfig(PathBuf, String),
    #[error("no cluster can be found: {0}. Set --kubeconfig or KUBECONFIG")]
    NoCluster(String),
    #[error("{0} is no time zone that is known here: give a name such as Europe/Berlin or UTC")]
    NoSuchZone(String),
    #[error(
        "the API server does not know JobStartStops. Install their definitions first: jobstartstop crds | kubectl apply -f -"
    )]
    NoDefinitions,
    #[error("there is no JobStartStop {name} in the namespace {namespace}{}", others(.alike))]
    NotFound { namespace: String, name: String, alike: Vec<String> },
    #[error("you may not {} {} in {}: {said}", .asked.verb, .asked.resource, .asked.place())]
    Forbidden { asked: Asked, said: String },
    #[error("the API server does not accept your credentials: {0}")]
    Unauthorized(String),
    #[error("the API server did not answer within {0:?} (--request-timeout)")]
    TimedOut(Duration),
    #[error("the API server cannot be reached: {0}")]
    Unreachable(String),
    #[error("the API server refused it: {0}")]
    Rejected(String),
    #[error("the API server cannot do it now: {0}")]
    NotNow(String),
    #[error("{0} was changed by others each time that it was to be edited. Try again")]
    Contended(String),
    #[error("there is another object called {0}, which is not this extension: choose a name with --name")]
    Taken(String),
    #[error("{name} was made before, and {state}: it does not keep the channel on. {what_now}")]
    Dead { name: String, state: &'static str, what_now: String },
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("{0}")]
    Undone(String),
    #[error("{made}; then: {error}")]
    Partly { made: String, error: Box<Error> },
    #[error("{0}")]
    Local(String),
}

fn others(names: &[String]) -> String {
    match names {
        [] => String::new(),
        names => format!(". Alike are called: {}", names.join(", ")),
    }
}

/// How an answer that is none is taken.
#[derive(Debug)]
pub(super) enum Failed {
    /// There is no such thing there.
    Missing,
    /// It is not the version that was read, or there is one already.
    Conflict,
    /// What a person is told.
    For(Error),
}

impl Failed {
    pub(super) fn of(error: kube::Error, asked: &Asked) -> Self {
        let status = match error {
            kube::Error::Api(status) => status,
            other => return Self::For(Error::Unreachable(reached(&other))),
        };
        let said = status.message.trim().to_owned();
        Self::For(match status.code {
            404 => return Self::Missing,
            409 => return Self::Conflict,
            401 => Error::Unauthorized(said),
            // A policy's refusal, which no role would grant.
            403 if said.contains("denied request") || said.contains("denied the request") => Error::Rejected(said),
            403 => Error::Forbidden { asked: asked.clone(), said },
            400 | 405 | 413 | 415 | 422 => Error::Rejected(said),
            _ => Error::NotNow(said),
        })
    }

    /// Where neither of the other two is looked for.
    pub(super) fn told(self) -> Error {
        match self {
            Self::Missing => Error::NoDefinitions,
            Self::Conflict => Error::NotNow("it was changed by others at the same time. Try again".to_owned()),
            Self::For(error) => error,
        }
    }
}

/// The innermost cause, which has the address or the system's own words.
fn reached(error: &kube::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = inner.source();
    }
    text
}

/// Names that somebody may have meant.
pub(super) fn alike_names(name: &str, there: &[String]) -> Vec<String> {
    const MOST: usize = 3;
    let score = |other: &String| {
        let part = other.contains(name) || name.contains(other.as_str());
        strsim::jaro_winkler(name, other) + if part { 1.0 } else { 0.0 }
    };
    let mut scored: Vec<_> =
        there.iter().map(|other| (score(other), other)).filter(|(score, _)| *score > 0.8).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    scored.into_iter().take(MOST).map(|(_, name)| name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn answer(code: u16, message: &str) -> Failed {
        let status = Status::failure(message, "").with_code(code);
        Failed::of(kube::Error::Api(status.boxed()), &Asked::of("patch", "jobstartstops", Some("live")))
    }

    #[test]
    fn a_missing_right_is_named_with_its_verb_and_its_resource() {
        let told = answer(403, "User \"eve\" cannot patch").told().to_string();
        assert!(told.starts_with("you may not patch jobstartstops in the namespace live: User"), "{told}");
        let everywhere = Error::Forbidden { asked: Asked::of("list", "leases", None), said: "no".to_owned() };
        assert_eq!(everywhere.to_string(), "you may not list leases in all namespaces: no");
    }

    #[test]
    fn a_policys_refusal_is_none_of_rights() {
        let told = answer(403, "admission webhook \"x\" denied the request: not on Fridays").told();
        assert!(matches!(told, Error::Rejected(_)), "{told}");
        assert!(matches!(answer(422, "is invalid").told(), Error::Rejected(_)));
        assert!(matches!(answer(409, ""), Failed::Conflict));
        assert!(matches!(answer(404, ""), Failed::Missing));
        assert!(matches!(answer(503, "busy").told(), Error::NotNow(_)));
    }

    #[test]
    fn names_that_may_have_been_meant_are_told() {
        let there = ["evening-news", "evening-news-late", "gala", "morning-news"].map(str::to_owned);
        assert_eq!(alike_names("evning-news", &there)[0], "evening-news");
        assert_eq!(alike_names("news", &there).len(), 3);
        assert!(alike_names("concert", &there).is_empty());
        let error = Error::NotFound { namespace: "live".into(), name: "gla".into(), alike: vec!["gala".into()] };
        assert_eq!(error.to_string(), "there is no JobStartStop gla in the namespace live. Alike are called: gala");
    }
}
