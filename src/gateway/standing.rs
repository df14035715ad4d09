//! How a stored window stands: what of it may still be changed, and what there is to cancel.

use jiff::Timestamp;

use crate::api::{JobStartStop, Workflow};

use super::create::RECEIVER_NEEDED;
use super::refusal::Invalid;
use super::task::{Half, Wanted};
use super::update::Update;

/// A task, as calls from outside may meet it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Task {
    /// Pending, and no call for it can have left.
    Open,
    /// Pending, and its call may have left: its time is frozen.
    Called,
    /// Over, in this state.
    Settled(String),
}

impl Task {
    fn new(state: &str, called_at: Option<&str>) -> Self {
        match (state, called_at) {
            ("pending", None | Some("")) => Self::Open,
            ("pending", Some(_)) => Self::Called,
            (state, _) => Self::Settled(state.to_owned()),
        }
    }

    /// Why its time cannot change, if so.
    fn closed(&self, half: Half) -> Option<Invalid> {
        let half = half.as_str();
        match self {
            Self::Open => None,
            Self::Called => Some(Invalid::new(format!("{half} cannot be changed any more: its call was made"))),
            Self::Settled(state) => Some(Invalid::new(format!("{half} cannot be changed any more: it is {state}"))),
        }
    }
}

/// A stored window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    activation: Task,
    deactivation: Task,
    /// `spec.deactivation.time`.
    stop: Timestamp,
    has_receiver: bool,
    cancelled: bool,
    deleting: bool,
}

/// What a DELETE comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cancel {
    /// Something is pending: it is to be cancelled.
    Pending,
    /// It was asked for before.
    AskedBefore,
}

impl Standing {
    /// Of an object, and of the same as it is shown; `None`: its times cannot be read.
    pub(super) fn of(object: &JobStartStop, shown: &Workflow) -> Option<Self> {
        let called = |half: Half| {
            let status = object.status.as_ref()?;
            Some(match half {
                Half::Activation => status.activation.called_at.as_str(),
                Half::Deactivation => status.deactivation.called_at.as_str(),
            })
        };
        Some(Self {
            activation: Task::new(&shown.activation.state, called(Half::Activation)),
            deactivation: Task::new(&shown.deactivation.state, called(Half::Deactivation)),
            stop: object.spec.times().ok()?.deactivation,
            has_receiver: object.spec.notification_url.is_some(),
            cancelled: object.spec.cancel,
            deleting: object.metadata.deletion_timestamp.is_some(),
        })
    }

    /// Whether this PUT may be made: only what is pending may be changed (vendor: start/stop guide), and as at a POST a
    /// window that has not started must not be over.
    pub(super) fn may_become(&self, update: &Update, now: Timestamp) -> Result<(), Invalid> {
        self.is_kept()?;
        for (half, wanted, task) in [
            (Half::Activation, update.activation, &self.activation),
            (Half::Deactivation, update.deactivation, &self.deactivation),
        ] {
            if wanted.is_none() {
                continue;
            }
            if let Some(closed) = task.closed(half) {
                return Err(closed);
            }
            if wanted.as_ref().is_some_and(Wanted::notifies) && !self.has_receiver {
                return Err(Invalid::new(format!("notification_url {RECEIVER_NEEDED}, and this workflow has none")));
            }
        }
        let stop = update.deactivation.map_or(self.stop, |wanted| wanted.time);
        if self.activation == Task::Open && stop <= now {
            let sentence = format!("deactivation.time_utc is in the past: it is {} now", now.as_second());
            return Err(Invalid::new(sentence));
        }
        Ok(())
    }

    /// What a DELETE is to do. Repeating one that was answered, or whose answer was lost, changes nothing and is no
    /// mistake; one that comes after the end is: nothing was cancelled.
    pub(super) fn may_be_cancelled(&self) -> Result<Cancel, Invalid> {
        if self.cancelled {
            return Ok(Cancel::AskedBefore);
        }
        self.is_kept()?;
        if [&self.activation, &self.deactivation].contains(&&Task::Open) {
            return Ok(Cancel::Pending);
        }
        Err(Invalid::new(
            "workflow_id names a workflow in which nothing is pending any more: there is nothing to cancel",
        ))
    }

    fn is_kept(&self) -> Result<(), Invalid> {
        if self.deleting {
            return Err(Invalid::new("workflow_id names a workflow whose object is being deleted from the cluster"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const BEFORE: i64 = 1_617_386_000;
    const ON_AIR: i64 = 1_617_390_000;

    fn standing(change: impl FnOnce(&mut Value)) -> Standing {
        let mut object = json!({
            "apiVersion": "scheduler.bcovlive.io/v1alpha1",
            "kind": "JobStartStop",
            "metadata": { "name": "w", "namespace": "live", "uid": "d44cf29f-4f18-4757-ac09-95beb8a0097e" },
            "spec": {
                "jobID": "a",
                "activation": { "time": "2021-04-02T17:55:00Z" },
                "deactivation": { "time": "2021-04-02T20:00:00Z" },
            },
            "status": { "observedGeneration": -1 },
        });
        change(&mut object);
        let object: JobStartStop = serde_json::from_value(object).unwrap();
        Standing::of(&object, &Workflow::of(&object, "1").unwrap()).unwrap()
    }

    fn with_tasks(activation: Value, deactivation: Value) -> Standing {
        standing(|object| {
            object["status"]["activation"] = activation;
            object["status"]["deactivation"] = deactivation;
        })
    }

    fn task(state: &str) -> Value {
        json!({ "state": state, "time": "2021-04-02T17:55:00Z" })
    }

    fn called(state: &str) -> Value {
        json!({ "state": state, "time": "2021-04-02T17:55:00Z", "calledAt": "2021-04-02T17:55:00.000123Z" })
    }

    fn put(standing: &Standing, body: &str, now: i64) -> Result<(), String> {
        let update = Update::read(body.as_bytes()).unwrap();
        standing.may_become(&update, Timestamp::from_second(now).unwrap()).map_err(|why| why.to_string())
    }

    const START: &str = r#"{"activation": {"time_utc": 1617386200}}"#;
    const STOP: &str = r#"{"deactivation": {"time_utc": 1617391800}}"#;

    #[test]
    fn only_what_is_pending_and_not_called_may_be_changed() {
        let settled = |half: &str, state: &str| Err(format!("{half} cannot be changed any more: it is {state}"));
        let made = |half: &str| Err(format!("{half} cannot be changed any more: its call was made"));
        for (standing, start, stop) in [
            (standing(|_| ()), Ok(()), Ok(())),
            (with_tasks(task("pending"), task("pending")), Ok(()), Ok(())),
            (with_tasks(called("pending"), task("pending")), made("activation"), Ok(())),
            (with_tasks(called("finished"), task("pending")), settled("activation", "finished"), Ok(())),
            (
                with_tasks(called("finished"), called("pending")),
                settled("activation", "finished"),
                made("deactivation"),
            ),
            (
                with_tasks(called("finished"), called("finished")),
                settled("activation", "finished"),
                settled("deactivation", "finished"),
            ),
            (
                with_tasks(called("failed"), task("pending")),
                settled("activation", "failed"),
                settled("deactivation", "cancelled"),
            ),
            (
                with_tasks(task("cancelled"), task("cancelled")),
                settled("activation", "cancelled"),
                settled("deactivation", "cancelled"),
            ),
            (
                standing(|object| object["spec"]["cancel"] = json!(true)),
                settled("activation", "cancelled"),
                settled("deactivation", "cancelled"),
            ),
        ] {
            assert_eq!(put(&standing, START, BEFORE), start, "{standing:?}");
            assert_eq!(put(&standing, STOP, BEFORE), stop, "{standing:?}");
        }
    }

    #[test]
    fn on_air_a_stop_may_be_moved_to_any_time_and_before_the_start_not_into_the_past() {
        let past = r#"{"deactivation": {"time_utc": 1617380000}}"#;
        assert_eq!(put(&with_tasks(called("finished"), task("pending")), past, ON_AIR), Ok(()));
        let refused = Err("deactivation.time_utc is in the past: it is 1617390000 now".to_owned());
        assert_eq!(put(&standing(|_| ()), past, ON_AIR), refused);
        assert_eq!(put(&standing(|_| ()), START, ON_AIR), Ok(()), "the window still runs");
    }

    #[test]
    fn a_notification_needs_a_receiver_also_later() {
        let body = r#"{"deactivation": {"time_utc": 1617391800, "notification": 60}}"#;
        let sentence = "notification_url is required where a notification is set, and this workflow has none";
        assert_eq!(put(&standing(|_| ()), body, BEFORE), Err(sentence.to_owned()));
        let notified = standing(|object| object["spec"]["notificationURL"] = json!("https://example.com/"));
        assert_eq!(put(&notified, body, BEFORE), Ok(()));
    }

    #[test]
    fn what_is_pending_is_cancelled_and_what_was_cancelled_is_shown() {
        assert_eq!(standing(|_| ()).may_be_cancelled(), Ok(Cancel::Pending));
        let on_air = with_tasks(called("finished"), task("pending"));
        assert_eq!(on_air.may_be_cancelled(), Ok(Cancel::Pending));
        let starting = with_tasks(called("pending"), task("pending"));
        assert_eq!(starting.may_be_cancelled(), Ok(Cancel::Pending));
        let asked = standing(|object| object["spec"]["cancel"] = json!(true));
        assert_eq!(asked.may_be_cancelled(), Ok(Cancel::AskedBefore));
    }

    #[test]
    fn after_the_end_there_is_nothing_to_cancel() {
        for over in [
            with_tasks(called("finished"), called("finished")),
            with_tasks(called("finished"), called("pending")),
            with_tasks(called("failed"), task("cancelled")),
            with_tasks(task("failed"), task("pending")),
        ] {
            assert!(over.may_be_cancelled().unwrap_err().to_string().contains("nothing is pending"), "{over:?}");
        }
    }

    #[test]
    fn an_object_that_is_being_deleted_is_not_changed() {
        let going = |cancel| {
            standing(|object| {
                object["metadata"]["deletionTimestamp"] = json!("2021-04-02T18:00:00Z");
                object["spec"]["cancel"] = json!(cancel);
            })
        };
        assert!(put(&going(false), STOP, BEFORE).unwrap_err().contains("is being deleted"));
        assert!(going(false).may_be_cancelled().unwrap_err().to_string().contains("is being deleted"));
        assert_eq!(going(true).may_be_cancelled(), Ok(Cancel::AskedBefore));
    }
}
