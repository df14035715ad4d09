//! Between a record's outbox and the part of the status that stores it.

use plan::outbox::Action;
use plan::{Delivery, DeliveryState, Outbox, Reason, WindowId};

use crate::api::NotificationStatus;
use crate::api::time::{micros, read_status, utc};

/// What is stored of a window's notifications.
pub(super) fn read(stored: &[NotificationStatus]) -> Outbox {
    Outbox::of(stored.iter().filter_map(delivery))
}

fn delivery(stored: &NotificationStatus) -> Option<Delivery> {
    let time = read_status(&stored.time)?;
    Some(Delivery {
        action: Action::parse(&stored.action)?,
        time,
        since: read_status(&stored.since).unwrap_or(time),
        state: DeliveryState::parse(&stored.state)?,
        reason: Reason::parse(&stored.reason),
        attempts: stored.attempts,
        last_code: stored.last_status_code,
        attempted_at: read_status(&stored.last_attempt_at),
        next_at: read_status(&stored.next_attempt_at),
        told: stored.told.iter().filter_map(|time| read_status(time)).collect(),
    })
}

/// The notifications as they are to be stored, in place of those `before`. What another version stored and this one does
/// not know stays.
pub(super) fn render(window: &WindowId, outbox: &Outbox, before: &[NotificationStatus]) -> Vec<NotificationStatus> {
    let strange = before.iter().filter(|stored| delivery(stored).is_none());
    let strange = strange.filter(|stored| Action::parse(&stored.action).is_none_or(|a| outbox.get(a).is_none()));
    outbox
        .deliveries()
        .iter()
        .map(|delivery| {
            notification(window, delivery, before.iter().find(|old| old.action == delivery.action.as_str()))
        })
        .chain(strange.cloned())
        .collect()
}

fn notification(window: &WindowId, delivery: &Delivery, before: Option<&NotificationStatus>) -> NotificationStatus {
    NotificationStatus {
        action: delivery.action.as_str().to_owned(),
        id: delivery.id(window),
        state: delivery.state.as_str().to_owned(),
        reason: delivery.reason.map(|reason| reason.as_str().to_owned()).unwrap_or_default(),
        time: utc(delivery.time),
        since: micros(delivery.since),
        attempts: delivery.attempts,
        last_status_code: delivery.last_code,
        last_attempt_at: delivery.attempted_at.map(micros).unwrap_or_default(),
        next_attempt_at: delivery.next_at.map(micros).unwrap_or_default(),
        told: delivery.told.iter().copied().map(utc).collect(),
        unknown: before.map(|before| before.unknown.clone()).unwrap_or_default(),
    }
}
