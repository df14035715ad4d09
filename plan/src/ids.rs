//! Names of the things a plan speaks of. Their text is shared: the same names stand in many places at once.

use std::fmt;
use std::sync::Arc;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the name as it is.
            pub fn new(name: impl Into<Arc<str>>) -> Self {
                Self(name.into())
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// The uid of a JobStartStop: one window, over all its edits. A namesake made later is another window.
    WindowId
);

name!(
    /// One process of the operator, from its start to its end: random, so that no two ever share it.
    ProcessId
);

name!(
    /// One term of leading, as `namespace/name/uid/transitions` of its Lease; one word where there is none.
    TermId
);

name!(
    /// The vendor's id of a workflow of its scheduler.
    WorkflowId
);

impl TermId {
    /// The Lease; `None`: there was none.
    pub fn lease(&self) -> Option<ObjectName> {
        let mut parts = self.as_str().split('/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(namespace), Some(name), Some(_)) => Some(ObjectName::new(namespace, name)),
            _ => None,
        }
    }
}

/// Namespace and name of an object, shown as `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name there.
    pub name: Arc<str>,
}

impl ObjectName {
    /// Namespace first, as in `namespace/name`.
    pub fn new(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The LiveAccount whose key a call carries.
pub type AccountName = ObjectName;

/// A job at an endpoint: what a timeline belongs to, across namespaces.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobKey {
    /// Origin of the Live API, such as `https://api.bcovlive.io`.
    pub endpoint: Arc<str>,
    /// The job's id there.
    pub job: Arc<str>,
}

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.job, self.endpoint)
    }
}
