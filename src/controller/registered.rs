//! Between a registration and what a status stores of it.

use jiff::{SignedDuration, Timestamp};
use plan::{Half, Marker, ProcessId, Record, Registration, Slot, TaskState, Texts, WindowId, WorkflowId};

use crate::api::time::{epoch_seconds, read_status, utc};
use crate::api::{AskedTask, JobStartStopStatus, RegisteredStatus, RegisteredTask, TaskStatus};

/// A state in a word that nobody knows, where there is no such word to keep.
const UNKNOWN: &str = "unknown";

/// The workflow that is recorded. What of it cannot be read is guessed from the rest: it may not be taken for none.
pub(super) fn read(status: &JobStartStopStatus) -> Option<Registration> {
    let stored = status.registered.as_ref()?;
    let marker = Marker::parse(&stored.marker);
    let (start, asked_start) = task(&stored.activation, &status.activation)?;
    let (stop, asked_stop) = task(&stored.deactivation, &status.deactivation)?;
    Some(Registration {
        marker: marker.unwrap_or_else(|| Marker::new(&WindowId::new(status.workflow_id.as_str()), "")),
        id: id(&status.vendor_workflow_id),
        by: ProcessId::new(stored.by.as_str()),
        attempt: stored.attempt,
        start,
        stop,
        asked: (asked_start, asked_stop),
        texts: Texts { description: stored.description_digest.clone(), url: stored.notification_url_digest.clone() },
        tells: stored.notifies,
        gone: stored.gone,
        cleared: stored.cleared,
    })
}

/// A workflow's id, if one stands there.
pub(super) fn id(text: &str) -> Option<WorkflowId> {
    (!text.is_empty()).then(|| WorkflowId::new(text))
}

fn task(stored: &RegisteredTask, planned: &TaskStatus) -> Option<(Half, Slot)> {
    let in_seconds = || stored.time_utc.and_then(|seconds| Timestamp::from_second(seconds).ok());
    let time = read_status(&stored.time).or_else(in_seconds).or_else(|| read_status(&planned.time))?;
    let slot = Slot { time, ahead: seconds(stored.notification_seconds) };
    let asked = stored.asked.as_ref().and_then(|asked| {
        Some(Slot { time: read_status(&asked.time)?, ahead: seconds(asked.notification_seconds) })
    });
    Some((Half { slot, state: TaskState::parse(&stored.state) }, asked.unwrap_or(slot)))
}

fn seconds(seconds: u32) -> SignedDuration {
    SignedDuration::from_secs(i64::from(seconds))
}

/// The registration as it is stored, in place of the one `before`.
pub(super) fn render(registration: &Registration, before: Option<&RegisteredStatus>) -> RegisteredStatus {
    let (asked_start, asked_stop) = registration.asked;
    let before = before.cloned().unwrap_or_default();
    RegisteredStatus {
        marker: registration.marker.to_string(),
        by: registration.by.to_string(),
        attempt: registration.attempt,
        activation: task_status(&registration.start, asked_start, before.activation),
        deactivation: task_status(&registration.stop, asked_stop, before.deactivation),
        description_digest: registration.texts.description.clone(),
        notification_url_digest: registration.texts.url.clone(),
        notifies: registration.tells,
        gone: registration.gone,
        cleared: registration.cleared,
        unknown: before.unknown,
    }
}

fn task_status(half: &Half, asked: Slot, before: RegisteredTask) -> RegisteredTask {
    let strange = !before.state.is_empty() && TaskState::parse(&before.state).is_none();
    let state = match half.state {
        Some(state) => state.as_str().to_owned(),
        None if strange => before.state,
        None => UNKNOWN.to_owned(),
    };
    let asked = (asked != half.slot).then(|| AskedTask {
        time: utc(asked.time),
        notification_seconds: whole_seconds(asked.ahead),
        unknown: before.asked.unwrap_or_default().unknown,
    });
    RegisteredTask {
        state,
        time: utc(half.slot.time),
        time_utc: Some(epoch_seconds(half.slot.time)),
        notification_seconds: whole_seconds(half.slot.ahead),
        asked,
        unknown: before.unknown,
    }
}

fn whole_seconds(ahead: SignedDuration) -> u32 {
    u32::try_from(ahead.as_secs()).unwrap_or_default()
}

/// The vendor's id of what is registered; the last one stays once nothing is. A workflow that has none yet shows none:
/// another one's would be taken for its own.
pub(super) fn vendor_id(record: &Record, before: &JobStartStopStatus) -> String {
    match &record.registration {
        Some(registration) => registration.id.as_ref().map(ToString::to_string).unwrap_or_default(),
        None => before.vendor_workflow_id.clone(),
    }
}
