//! Windows for tests: 10:00 to 11:00, in seconds from a fixed zero.

use jiff::{SignedDuration, Timestamp};

use crate::ids::{ObjectName, WindowId};
use crate::registration::Executor;
use crate::window::{Deletion, DeletionPolicy, Window};

/// Second `s` of the tests' day.
pub(crate) fn at(s: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + s).unwrap()
}

/// A window from second 1000 to second 2000, created at 0.
pub(crate) fn window(id: &str) -> Window {
    Window {
        id: WindowId::new(id),
        name: ObjectName::new("live", id),
        created: at(0),
        account: ObjectName::new("live", "default"),
        activation: at(1000),
        deactivation: at(2000),
        lead: SignedDuration::ZERO,
        starting_deadline: None,
        suspend: false,
        cancel: false,
        deletion_policy: DeletionPolicy::Stop,
        ttl: None,
        heads_up: None,
        executor: Executor::Operator,
        delegation: None,
        deletion: Deletion::No,
        deleted_at: None,
        finalizer: true,
        undecodable: None,
        definition_lacks: None,
    }
}
