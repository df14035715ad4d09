//! What a stored change is worth telling.

use plan::announce::{Announcement, changes};
use plan::{ObjectName, Record};

use super::status;
use super::window::Stored;

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Window,
    Account,
}

impl Subject {
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Window => "JobStartStop",
            Self::Account => "LiveAccount",
        }
    }
}

/// An event on its way.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    pub(super) subject: Subject,
    pub(super) object: ObjectName,
    pub(super) uid: String,
    pub(super) resource_version: String,
    pub(super) announcement: Announcement,
}

/// What storing `after` changes, compared with what is stored in `before`.
pub(super) fn of_change(before: &Stored, after: &Record) -> Vec<Notice> {
    let old = status::stored_record(before);
    let stored = before.acknowledged.status();
    let conflicted = stored.conditions.iter().any(|condition| condition.type_ == "Conflict");
    let conflict = before.planned.as_ref().and_then(|planned| planned.conflict.as_deref());
    changes(before.spec.suspend, old.as_ref().map(|record| (record, conflicted)), after, conflict)
        .into_iter()
        .map(|announcement| Notice {
            subject: Subject::Window,
            object: before.name.clone(),
            uid: before.id.to_string(),
            resource_version: before.resource_version.clone(),
            announcement,
        })
        .collect()
}
