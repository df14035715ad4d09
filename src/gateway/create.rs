//! A POST: a new window.

use jiff::Timestamp;

use crate::api::time::utc;
use crate::api::{AccountRef, Activation, Deactivation, JobStartStopSpec};

use super::body::json;
use super::fields::Fields;
use super::refusal::Invalid;
use super::task::{Half, Wanted};

const FIELDS: [&str; 6] =
    ["job_id", "activation", "deactivation", "description", "notification_url", "redundant_group"];

/// What a POST asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Create {
    job_id: String,
    activation: Wanted,
    deactivation: Wanted,
    description: Option<String>,
    notification_url: Option<String>,
}

impl Create {
    /// Reads a body. What the schema has a rule for (how the times stand to each other, how long a text may be, what a
    /// job's id looks like) is the apiserver's to refuse.
    pub(super) fn read(body: &[u8]) -> Result<Self, Invalid> {
        let mut body = Fields::of_body(json(body)?, &FIELDS)?;
        let (job_id, activation) = (body.text("job_id")?, Wanted::read(&mut body, Half::Activation)?);
        let deactivation = Wanted::read(&mut body, Half::Deactivation)?;
        let create = Self {
            job_id: body.required("job_id", job_id)?,
            activation: body.required("activation", activation)?,
            deactivation: body.required("deactivation", deactivation)?,
            description: body.text("description")?,
            notification_url: body.text("notification_url")?,
        };
        if body.flag("redundant_group")? == Some(true) {
            return Err(body.wrong("redundant_group", "must be false: redundant groups are not supported"));
        }
        if create.notification_url.is_none() && (create.activation.notifies() || create.deactivation.notifies()) {
            return Err(body.wrong("notification_url", RECEIVER_NEEDED));
        }
        Ok(create)
    }

    /// A window that is over calls nothing: who asks for one has mistaken a time. One that has begun is started late.
    pub(super) fn is_ahead(&self, now: Timestamp) -> Result<(), Invalid> {
        if self.deactivation.time > now {
            return Ok(());
        }
        let sentence = format!("deactivation.time_utc is in the past: it is {} now", now.as_second());
        Err(Invalid::new(sentence))
    }

    /// The window, of an account of that name.
    pub(super) fn into_spec(self, account: &str) -> JobStartStopSpec {
        let seconds = |task: &Wanted| task.notification.unwrap_or(0);
        JobStartStopSpec {
            account_ref: AccountRef { name: account.to_owned() },
            job_id: self.job_id,
            description: self.description,
            activation: Activation { time: utc(self.activation.time), notification_seconds: seconds(&self.activation) },
            deactivation: Deactivation {
                time: utc(self.deactivation.time),
                notification_seconds: seconds(&self.deactivation),
            },
            notification_url: self.notification_url,
            starting_deadline_seconds: None,
            suspend: false,
            cancel: false,
            deletion_policy: None,
            ttl_seconds_after_finished: None,
            executor: None,
            adopt_workflow_id: None,
        }
    }
}

/// Sentence for a notification ahead that has nowhere to go.
pub(super) const RECEIVER_NEEDED: &str = "is required where a notification is set";

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The guide's body, to the byte.
    const GUIDE: &str = r#"{"job_id": "15981d93877e490185e6ebc9af2c79a3",
 "activation": {"time_utc": 1617386100},
 "deactivation": {"time_utc": 1617393600},
 "description": "My Wednesday broadcast"}"#;

    /// The guide's body with notifications, to the byte.
    const NOTIFYING: &str = r#"{"job_id": "15981d93877e490185e6ebc9af2c79a3",
 "activation": {"time_utc": 1612274100, "notification": 600},
 "deactivation": {"time_utc": 1612281600, "notification": 600},
 "description": "My Tuesday broadcast",
 "notification_url": "https://example.com/live/jobstartstop/callbacks"}"#;

    fn spec(body: &str) -> Value {
        let create = Create::read(body.as_bytes()).unwrap();
        serde_json::to_value(create.into_spec("default")).unwrap()
    }

    fn refusal(change: impl FnOnce(&mut Value)) -> String {
        let mut body: Value = serde_json::from_str(NOTIFYING).unwrap();
        change(&mut body);
        Create::read(body.to_string().as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn the_guides_request_becomes_a_window_of_the_instants_it_sends() {
        assert_eq!(
            spec(GUIDE),
            json!({
                "accountRef": { "name": "default" },
                "jobID": "15981d93877e490185e6ebc9af2c79a3",
                "description": "My Wednesday broadcast",
                "activation": { "time": "2021-04-02T17:55:00Z", "notificationSeconds": 0 },
                "deactivation": { "time": "2021-04-02T20:00:00Z", "notificationSeconds": 0 },
                "suspend": false,
                "cancel": false,
            })
        );
    }

    #[test]
    fn the_guides_request_with_notifications_becomes_a_window_with_a_receiver() {
        let spec = spec(NOTIFYING);
        assert_eq!(spec["activation"], json!({ "time": "2021-02-02T13:55:00Z", "notificationSeconds": 600 }));
        assert_eq!(spec["deactivation"], json!({ "time": "2021-02-02T16:00:00Z", "notificationSeconds": 600 }));
        assert_eq!(spec["notificationURL"], "https://example.com/live/jobstartstop/callbacks");
    }

    #[test]
    fn each_refusal_names_the_field() {
        for field in ["job_id", "activation", "deactivation"] {
            let sentence = refusal(|body| drop(body.as_object_mut().unwrap().remove(field)));
            assert_eq!(sentence, format!("{field} is required"));
        }
        for (field, value, sentence) in [
            ("job_id", json!(7), "job_id must be a string"),
            ("description", json!(null), "description must be a string"),
            ("notification_url", json!(["https://a"]), "notification_url must be a string"),
            ("redundant_group", json!("true"), "redundant_group must be true or false"),
            ("redundant_group", json!(true), "redundant_group must be false: redundant groups are not supported"),
        ] {
            assert_eq!(refusal(|body| body[field] = value), sentence);
        }
        assert!(refusal(|body| body["jobID"] = json!("a")).starts_with("jobID is not a field here"));
        let no_url = refusal(|body| drop(body.as_object_mut().unwrap().remove("notification_url")));
        assert_eq!(no_url, "notification_url is required where a notification is set");
    }

    #[test]
    fn a_redundant_group_that_is_none_and_a_notification_of_zero_need_nothing() {
        let body = GUIDE.replace("1617386100}", "1617386100, \"notification\": 0}");
        let body = body.replacen('{', "{\"redundant_group\": false, ", 1);
        assert_eq!(spec(&body), spec(GUIDE));
    }

    #[test]
    fn a_window_that_is_over_is_refused_and_one_that_has_begun_is_not() {
        let create = Create::read(GUIDE.as_bytes()).unwrap();
        let at = |seconds| create.is_ahead(Timestamp::from_second(seconds).unwrap()).map_err(|why| why.to_string());
        assert_eq!(at(1_617_386_099), Ok(()));
        assert_eq!(at(1_617_393_599), Ok(()));
        assert_eq!(at(1_617_393_600), Err("deactivation.time_utc is in the past: it is 1617393600 now".to_owned()));
    }
}
