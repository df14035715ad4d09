//! Between a registration and what a status stores of it.

use jiff::{SignedDuration, Timestamp};
use plan::{Half, Marker, ProcessId, Record, Registration, Slot, TaskState, Texts, WindowId, WorkflowId};

use crate::api::time::{epoch_seconds, read_status, utc};
use crate::api::{AskedTask, JobStartStopStatus, RegisteredStatus, RegisteredTask, TaskStatus};

/// A state in a word that nobody knows, where there is no such word to keep.
const UNKNOWN: &str = "unknown";

/// The workflow that is recorded. What of it cannot be read is guessed from the rest: it may not be taken for none.
pub(crate) fn read(status: &JobStartStopStatus) -> Option<Registration> {
    let stored = status.registered.as_ref()?;
    let marker = Marker::parse(&stored.marker);
    let (start, asked_start) = task(&stored.activation, &status.activation)?;
    let (stop, asked_stop) = task(&stored.deactivation, &status.deactivation)?;
    Some(Registration {
        marker: marker
            .unwrap_or_else(|| Marker::new(&WindowId::new(status.workflow_id.as_str()), "").numbered(stored.attempt)),
        id: id(&status.vendor_workflow_id),
        by: ProcessId::new(stored.by.as_str()),
        attempt: stored.attempt,
        start,
        stop,
        asked: (asked_start, asked_stop),
        texts: Texts { description: stored.description_digest.clone(), url: stored.notification_url_digest.clone() },
        gone: stored.gone,
        withdrawn: stored.withdrawn,
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
    let asked = stored
        .asked
        .as_ref()
        .and_then(|asked| Some(Slot { time: read_status(&asked.time)?, ahead: seconds(asked.notification_seconds) }));
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
        gone: registration.gone,
        withdrawn: registration.withdrawn,
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

#[cfg(test)]
mod tests {
    use plan::{Executor, Reason, Trouble};
    use serde_json::{Value, json};

    use super::*;
    use crate::controller::fixtures::{status_of, window};
    use crate::controller::status::stored_record;

    fn scheduled(status: &Value) -> crate::controller::window::Stored {
        window(&json!({ "executor": "LiveScheduler" }), status)
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn slot(time: &str, ahead: i64) -> Slot {
        Slot { time: at(time), ahead: SignedDuration::from_secs(ahead) }
    }

    /// Changed by somebody else since it was made: nothing of it is what another field says, too.
    fn registration() -> Registration {
        let (start, stop) = (slot("2026-12-02T13:00:00Z", 600), slot("2026-12-02T15:30:00Z", 0));
        Registration {
            marker: Marker::new(&WindowId::new("0a-1b"), "prod-eu").numbered(2),
            id: Some(WorkflowId::new("f81d4fae7dec11d0a76500a0c91e6bf6")),
            by: ProcessId::new("5b1c"),
            attempt: 2,
            start: Half { slot: start, state: Some(TaskState::Finished) },
            stop: Half { slot: stop, state: Some(TaskState::Pending) },
            asked: (start, slot("2026-12-02T15:00:00Z", 300)),
            texts: Texts::of(Some("My Wednesday broadcast"), Some("https://example.com/secret")),
            gone: true,
            withdrawn: true,
            cleared: true,
        }
    }

    fn record() -> Record {
        Record::new(&scheduled(&Value::Null).window())
    }

    #[test]
    fn a_registration_is_read_back_as_it_was_stored() {
        let unregistered = |registration: Registration| Registration { id: None, gone: false, ..registration };
        for registration in [registration(), unregistered(registration())] {
            let record = Record {
                registration: Some(Box::new(registration)),
                foreign: Some(WorkflowId::new("0a")),
                workflows: 7,
                cuts: 3,
                ..record()
            };
            let status = status_of(&scheduled(&Value::Null), &record);
            let stored = scheduled(&serde_json::to_value(&status).unwrap());
            let read = stored_record(&stored).unwrap();
            assert_eq!(read.registration, record.registration);
            assert_eq!((read.foreign, read.workflows, read.cuts), (record.foreign.clone(), 7, 3));
            assert_eq!(read.executor, Executor::LiveScheduler);
            assert_eq!(stored.acknowledged.registered(), record.registration.as_deref());
            assert_eq!(status_of(&stored, &record), status, "and stored again unchanged");
        }
    }

    #[test]
    fn a_status_shows_times_and_states_as_the_vendors_scheduler_has_them_and_no_url() {
        let record = Record { registration: Some(Box::new(registration())), ..record() };
        let status = serde_json::to_value(status_of(&scheduled(&Value::Null), &record)).unwrap();
        assert_eq!(status["vendorWorkflowID"], "f81d4fae7dec11d0a76500a0c91e6bf6");
        assert_eq!(status["registered"]["marker"], "0a1b.2@prod-eu");
        assert_eq!(
            status["registered"]["activation"],
            json!({
                "state": "finished",
                "time": "2026-12-02T13:00:00Z",
                "timeUTC": 1_796_216_400,
                "notificationSeconds": 600,
            })
        );
        assert_eq!(
            status["registered"]["deactivation"],
            json!({
                "state": "pending",
                "time": "2026-12-02T15:30:00Z",
                "timeUTC": 1_796_225_400,
                "asked": { "time": "2026-12-02T15:00:00Z", "notificationSeconds": 300 },
            })
        );
        assert!(!status.to_string().contains("secret"), "{status}");
    }

    #[test]
    fn a_workflow_without_an_id_shows_none_and_the_last_one_stays_once_none_is_registered() {
        let stored = scheduled(&json!({ "vendorWorkflowID": "last" }));
        assert_eq!(status_of(&stored, &record()).vendor_workflow_id, "last");
        let next = Registration { id: None, ..registration() };
        let next = Record { registration: Some(Box::new(next)), ..record() };
        assert_eq!(status_of(&stored, &next).vendor_workflow_id, "", "another's id would be taken for its own");
    }

    #[test]
    fn words_and_fields_of_another_version_are_stored_again_and_may_still_be_called() {
        let registration = Registration { gone: false, ..registration() };
        let record = Record { registration: Some(Box::new(registration)), ..record() };
        let mut status = serde_json::to_value(status_of(&scheduled(&Value::Null), &record)).unwrap();
        status["registered"]["later"] = json!(1);
        status["registered"]["deactivation"]["state"] = json!("postponed");
        status["registered"]["deactivation"]["later"] = json!(2);
        status["registered"]["deactivation"]["asked"]["later"] = json!(3);
        let stored = scheduled(&status);
        let read = stored_record(&stored).unwrap();
        let registration = read.registration.as_deref().unwrap();
        assert!(registration.stop.state.is_none() && registration.may_stop());
        assert_eq!(serde_json::to_value(status_of(&stored, &read)).unwrap(), status);
    }

    #[test]
    fn a_state_in_a_word_that_nobody_knows_is_stored_as_unknown() {
        let mut registration = registration();
        registration.stop.state = None;
        let record = Record { registration: Some(Box::new(registration)), ..record() };
        let status = status_of(&scheduled(&Value::Null), &record);
        assert_eq!(status.registered.as_ref().unwrap().deactivation.state, "unknown");
        let read = stored_record(&scheduled(&serde_json::to_value(status).unwrap())).unwrap();
        assert_eq!(read.registration, record.registration);
    }

    #[test]
    fn what_cannot_be_read_of_a_registration_does_not_take_it_away() {
        let record = Record { registration: Some(Box::new(registration())), ..record() };
        let whole = serde_json::to_value(status_of(&scheduled(&Value::Null), &record)).unwrap();
        let with = |pointer: &str, value: Value| {
            let mut status = whole.clone();
            *status.pointer_mut(pointer).unwrap() = value;
            stored_record(&scheduled(&status)).unwrap().registration.unwrap()
        };
        let unmarked = with("/registered/marker", json!("no marker"));
        assert_eq!(unmarked.marker.to_string(), "d44cf29f4f184757ac0995beb8a0097e.2", "this window's");
        assert_eq!(with("/registered/activation/time", json!("soon")).start, registration().start, "its seconds tell");
        let mut timeless = whole.clone();
        timeless["registered"]["activation"] = json!({});
        let timeless = stored_record(&scheduled(&timeless)).unwrap().registration.unwrap();
        assert_eq!(timeless.start, Half { slot: slot("2026-12-02T13:00:00Z", 0), state: None }, "its task's time does");
    }

    #[test]
    fn how_it_stands_with_the_vendors_scheduler_is_read_from_the_conditions() {
        let told = |reason: Reason, message: &str| Some(Trouble { reason, message: message.into() });
        for (registered, differs, drift) in [
            (told(Reason::Registered, "Both calls are its."), None, None),
            (told(Reason::WaitingForQuota, "Two are sooner."), None, None),
            (told(Reason::Registered, "Both."), Some("Its description differs.".to_owned()), None),
            (None, None, Some(Reason::StoppedExternally)),
        ] {
            let record = Record { registered, differs, drift, ..record() };
            let status = serde_json::to_value(status_of(&scheduled(&Value::Null), &record)).unwrap();
            let read = stored_record(&scheduled(&status)).unwrap();
            assert_eq!(read.registered, record.registered, "{status}");
            assert_eq!((read.differs, read.drift), (record.differs, record.drift), "{status}");
        }
    }
}
