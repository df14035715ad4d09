//! What users write: the custom resources, the rules they must keep and the words of their conditions.
//!
//! Everything a rule can say stands in the schema, so that `kubectl` and GitOps dry runs refuse a bad object with
//! the field's path and one sentence. The doc comments on the fields are what `kubectl explain` prints.

pub mod crds;
// `KubeSchema` puts a public type into a function; two columns of one type are no duplicate; the field docs are read
// in a terminal, where backticks are noise.
#[allow(unreachable_pub, clippy::duplicated_attributes, clippy::doc_markdown)]
pub mod job_start_stop;
#[allow(unreachable_pub, clippy::duplicated_attributes, clippy::doc_markdown)]
pub mod live_account;
pub mod rules;
pub mod time;
pub mod workflow;

pub use job_start_stop::{
    AccountRef, Activation, AskedTask, ClaimStatus, Deactivation, DeletionPolicy, Executor, JobReading, JobStartStop,
    JobStartStopSpec, JobStartStopStatus, NotificationStatus, RegisteredStatus, RegisteredTask, SpecTimeError,
    SpecTimes, TaskStatus,
};
pub use live_account::{
    AccountDefaults, AccountLimits, AccountNotifications, ApiKeySecretRef, GatewayAccess, LiveAccount, LiveAccountSpec,
    LiveAccountStatus, SigningSecretRef, UncoveredChannels, WindowCounts,
};
pub use workflow::Workflow;

/// The API group of every resource here.
pub const GROUP: &str = "scheduler.bcovlive.io";

/// The version of every resource here.
pub const VERSION: &str = "v1alpha1";

/// `observedGeneration` of an object that no operator has seen yet; the schema's default, so that tools which wait
/// for a status do not take an empty one for "done".
pub const NEVER_OBSERVED: i64 = -1;

/// For `skip_serializing_if`: a field at its default is left out, and reads back as the same default.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
