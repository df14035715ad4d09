//! What the apiserver says, as the interface passes it on.

use std::time::Duration;

use kube::core::Status;
use kube::core::response::StatusCause;
use serde_json::{Deserializer, Value};
use tokio::time::timeout;

use super::refusal::{Invalid, Refusal};

/// How long one request to the apiserver may take.
const LONGEST: Duration = Duration::from_secs(5);

/// The longest wait that a client is asked for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Why the apiserver did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    #[error("no answer within {LONGEST:?}")]
    TimedOut,
    #[error(transparent)]
    Kube(#[from] Box<kube::Error>),
}

/// Waits for an answer.
pub(super) async fn ask<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, Failed> {
    match timeout(LONGEST, call).await {
        Ok(answer) => answer.map_err(|error| Failed::Kube(Box::new(error))),
        Err(_) => Err(Failed::TimedOut),
    }
}

impl Failed {
    pub(super) fn code(&self) -> Option<u16> {
        self.status().map(|status| status.code)
    }

    /// There is an object of this name already.
    pub(super) fn is_taken(&self) -> bool {
        self.status().is_some_and(Status::is_already_exists)
    }

    fn status(&self) -> Option<&Status> {
        match self {
            Self::Kube(error) => match error.as_ref() {
                kube::Error::Api(status) => Some(status),
                _ => None,
            },
            Self::TimedOut => None,
        }
    }

    /// In words that repeat nothing of a request: the apiserver's own do.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Kube(error) => match error.as_ref() {
                kube::Error::Api(status) => format!("{} {}", status.code, status.reason),
                kube::Error::SerdeError(_) => "an answer that cannot be read".to_owned(),
                error => error.to_string(),
            },
            Self::TimedOut => self.to_string(),
        }
    }
}

/// What breaks a rule of the schema, or of a policy, is the client's to mend. Everything else is nobody's fault that the
/// client could name, and passes.
impl From<Failed> for Refusal {
    fn from(failed: Failed) -> Self {
        if let Some(sentence) = failed.status().and_then(refused) {
            return Invalid::new(sentence).into();
        }
        tracing::warn!(why = failed.told(), "the API server did not do what a request over HTTP needs");
        let wait = failed.status().and_then(|status| status.details.as_ref()).map_or(0, |it| it.retry_after_seconds);
        Self::Unavailable(Duration::from_secs(wait.into()).clamp(Duration::from_secs(1), LONGEST_WAIT))
    }
}

/// The sentence of a refusal that is about the object.
fn refused(status: &Status) -> Option<String> {
    const BY_A_WEBHOOK: &str = "denied the request: ";
    match status.code {
        422 => {
            let causes = status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
            Some(causes.first().map_or_else(|| in_the_vendors_words(&status.message), sentence))
        }
        400 | 403 => status.message.split_once(BY_A_WEBHOOK).map(|(_, said)| in_the_vendors_words(said)),
        _ => None,
    }
}

fn sentence(cause: &StatusCause) -> String {
    let said = said(&cause.message);
    let in_body = format!("{} in body ", cause.field);
    let said = said.strip_prefix(&in_body).unwrap_or(said);
    in_the_vendors_words(format!("{} {said}", cause.field).trim_start())
}

/// A cause without what stands in front of its sentence: the kind of refusal, and perhaps the value.
fn said(message: &str) -> &str {
    if let Some(rest) = message.strip_prefix("Invalid value: ") {
        let mut value = Deserializer::from_str(rest).into_iter::<Value>();
        let end = value.next().and_then(Result::ok).map_or(0, |_| value.byte_offset());
        return rest.get(end..).and_then(|after| after.strip_prefix(": ")).unwrap_or(rest);
    }
    ["Forbidden: ", "Too long: ", "Required value: "]
        .iter()
        .find_map(|kind| message.strip_prefix(kind))
        .unwrap_or(message)
}

/// The fields' names as the interface has them.
fn in_the_vendors_words(text: &str) -> String {
    [
        ("spec.", ""),
        ("notificationSeconds", "notification"),
        ("notificationURL", "notification_url"),
        ("activation.time", "activation.time_utc"),
        ("jobID", "job_id"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (ours, theirs)| text.replace(ours, theirs))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::rules;

    fn refusal(status: Value) -> Refusal {
        let status: Status = serde_json::from_value(status).unwrap();
        Failed::Kube(Box::new(kube::Error::Api(Box::new(status)))).into()
    }

    fn invalid(field: &str, message: &str) -> String {
        let causes = json!([{ "field": field, "message": message, "reason": "FieldValueInvalid" }]);
        refusal(json!({ "code": 422, "reason": "Invalid", "message": "…", "details": { "causes": causes } }))
            .to_string()
    }

    #[test]
    fn a_broken_rule_is_told_in_its_sentence_and_the_vendors_fields() {
        for (field, message, sentence) in [
            (
                "spec.deactivation.time",
                format!("Invalid value: \"object\": {}", rules::STOP_NOT_AFTER_START),
                "deactivation.time_utc must be later than activation.time_utc",
            ),
            (
                "spec.activation.time",
                format!("Forbidden: {}", rules::START_LOCKED),
                "activation.time_utc cannot change any more: the start was made or is settled. To go off air at \
                 another time change deactivation.time_utc",
            ),
            (
                "spec.jobID",
                format!("Invalid value: \"a: \\\"b\\\": c\": {}", rules::JOB_ID_SENTENCE),
                "job_id must be the job's id as the Live API shows it: 1 to 64 letters, digits, hyphens or underscores, \
                 and nothing else",
            ),
            (
                "spec.description",
                "Too long: may not be more than 512 bytes".to_owned(),
                "description may not be more than 512 bytes",
            ),
            (
                "spec.activation.notificationSeconds",
                "Invalid value: 604801: spec.activation.notificationSeconds in body should be less than or equal to \
                 604800"
                    .to_owned(),
                "activation.notification should be less than or equal to 604800",
            ),
            (
                "spec.notificationURL",
                "Invalid value: {\"jobID\":\"a\",\"x\":\": \"}: must be a URL".to_owned(),
                "notification_url must be a URL",
            ),
            (
                "spec.deactivation.time",
                format!("Invalid value: {}", rules::WINDOW_TOO_LONG),
                "deactivation.time_utc must be at most 366 days after activation.time_utc: check the year, or use several \
                 JobStartStops",
            ),
            ("", "no channels on Sundays".to_owned(), "no channels on Sundays"),
        ] {
            assert_eq!(invalid(field, &message), sentence);
        }
    }

    #[test]
    fn a_webhooks_refusal_is_the_clients_to_mend_and_missing_rights_are_not() {
        let webhook = "admission webhook \"w.example.com\" denied the request: no channels on Sundays";
        let refused = refusal(json!({ "code": 403, "reason": "Forbidden", "message": webhook }));
        assert_eq!(refused, Invalid::new("no channels on Sundays").into());
        let rights = "jobstartstops is forbidden: User \"system:serviceaccount:live:jobstartstop\" cannot create";
        let unable = refusal(json!({ "code": 403, "reason": "Forbidden", "message": rights }));
        assert_eq!(unable, Refusal::LATER);
        assert!(!unable.to_string().contains("serviceaccount"));
    }

    #[test]
    fn whatever_else_goes_wrong_is_to_be_repeated_later() {
        for code in [400, 401, 404, 409, 410, 500, 502, 503, 504] {
            assert_eq!(refusal(json!({ "code": code, "reason": "x", "message": "x" })), Refusal::LATER, "{code}");
        }
        let throttled = |seconds: u32| {
            refusal(json!({ "code": 429, "reason": "TooManyRequests", "details": { "retryAfterSeconds": seconds } }))
        };
        assert_eq!(throttled(7), Refusal::Unavailable(Duration::from_secs(7)));
        assert_eq!(throttled(7000), Refusal::Unavailable(LONGEST_WAIT));
        assert_eq!(Refusal::from(Failed::TimedOut), Refusal::LATER);
    }
}
