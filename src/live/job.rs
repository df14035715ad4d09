use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::wire::{ID_MAX_LENGTH, is_id, lenient, next_token};

/// A job's id, as it stands in the API's paths: 1 to 64 of `A-Z a-z 0-9 _ -`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(Arc<str>);

/// Why a text is not a [`JobId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a job id is 1 to 64 letters, digits, `_` or `-`")]
pub struct JobIdMalformed;

impl JobId {
    /// The longest id, in characters.
    pub const MAX_LENGTH: usize = ID_MAX_LENGTH;

    /// Reads an id; nothing is trimmed.
    pub fn parse(text: &str) -> Result<Self, JobIdMalformed> {
        if is_id(text) { Ok(Self(text.into())) } else { Err(JobIdMalformed) }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same text, shared by all who hold it.
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for JobId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobId({})", self.0)
    }
}

/// What the API tells of a job, as far as this operator reads it (vendor: job reference, response example; several
/// of the fields are not in the vendor's schema).
///
/// Words are kept as they came: the vendor's list of states is open. A field of an unexpected type is as if absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The job's id.
    pub id: String,
    /// `standby`, `waiting`, `processing`, `disconnected`, `finishing`, `finished`, `cancelling`, `cancelled`,
    /// `failed`, `error`, or another word.
    pub state: Option<String>,
    /// `none`, `waiting`, `pending_activation`, `activation_in_progress`, `ready`, `pending_deactivation`,
    /// `deactivation_in_progress`, `cancelled`, `finished`, or another word.
    pub sep_state: Option<String>,
    /// Whether the job has a static entry point (`static`), that is, whether it can be switched on and off at all.
    pub is_static: Option<bool>,
    /// How long a lost encoder is waited for, in seconds (vendor: 1 to 7,200, by default 1,800).
    pub reconnect_time: Option<u32>,
    /// How long the event may last, in seconds; 0 is the default (vendor: one shorter than half an hour also ends the
    /// wait for an encoder).
    pub event_length: Option<u32>,
    /// The states the job has been in, newest first.
    pub state_history: Vec<StateChange>,
    /// Whether older entries of the history were left out.
    pub history_truncated: bool,
}

/// An entry of a job's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// The state that was entered.
    pub state: String,
    /// When; the API gives Unix milliseconds here, unlike elsewhere.
    pub at: Timestamp,
}

/// One page of the job list (vendor: `GET /v1/jobs`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The jobs in the API's order. Entries without an id are left out: that a job is absent proves nothing.
    pub jobs: Vec<Job>,
    /// What to ask the next page with; none on the last page.
    pub next_token: Option<String>,
}

/// A job on the wire: bare, or wrapped as `{"job":{…}}` (vendor: the published example wraps, the schema does not).
#[derive(Deserialize)]
pub(super) struct WireJob {
    #[serde(default, deserialize_with = "lenient")]
    job: Option<Box<WireJob>>,
    #[serde(default, deserialize_with = "lenient")]
    id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    state: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    sep_state: Option<String>,
    #[serde(default, rename = "static", deserialize_with = "lenient")]
    is_static: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    reconnect_time: Option<u32>,
    #[serde(default, deserialize_with = "lenient")]
    event_length: Option<u32>,
    #[serde(default, deserialize_with = "lenient")]
    state_history: Option<Vec<Value>>,
    #[serde(default, rename = "state_history_is_truncated", deserialize_with = "lenient")]
    history_truncated: Option<bool>,
}

#[derive(Deserialize)]
struct WireChange {
    state: String,
    transition_timestamp: i64,
}

/// A list page on the wire. `jobs` is the one field it must have.
#[derive(Deserialize)]
pub(super) struct WirePage {
    jobs: Vec<WireJob>,
    #[serde(default, deserialize_with = "lenient")]
    next_token: Option<Value>,
}

impl WireJob {
    /// The job, if it has an id.
    pub(super) fn into_job(self) -> Option<Job> {
        let Self { job, id, .. } = self;
        let Some(id) = id else {
            return job?.into_job();
        };
        Some(Job {
            id,
            state: self.state,
            sep_state: self.sep_state,
            is_static: self.is_static,
            reconnect_time: self.reconnect_time,
            event_length: self.event_length,
            state_history: history(self.state_history.unwrap_or_default()),
            history_truncated: self.history_truncated.unwrap_or(false),
        })
    }
}

impl WirePage {
    pub(super) fn into_page(self) -> Page {
        Page {
            jobs: self.jobs.into_iter().filter_map(WireJob::into_job).collect(),
            next_token: next_token(self.next_token),
        }
    }
}

/// Entries that cannot be read are left out. The order of the API (newest first in its example) is not relied on.
fn history(entries: Vec<Value>) -> Vec<StateChange> {
    let mut changes: Vec<_> = entries.into_iter().filter_map(change).collect();
    changes.sort_by_key(|change| std::cmp::Reverse(change.at));
    changes
}

fn change(entry: Value) -> Option<StateChange> {
    let entry: WireChange = serde_json::from_value(entry).ok()?;
    let at = Timestamp::from_millisecond(entry.transition_timestamp).ok()?;
    Some(StateChange { state: entry.state, at })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn decode(text: &Value) -> Option<Job> {
        serde_json::from_value::<WireJob>(text.clone()).unwrap().into_job()
    }

    #[test]
    fn a_job_id_is_64_characters_at_most_and_nothing_that_changes_a_path() {
        for good in ["a", "88bb4096a39c4e0bb75aa84dfea6ab9c", "A-b_9", &"x".repeat(64)] {
            assert_eq!(JobId::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", " a", "a/b", "..", "a?b", "a%2Fb", "ä", &"x".repeat(65)] {
            assert_eq!(JobId::parse(bad), Err(JobIdMalformed), "{bad}");
        }
    }

    #[test]
    fn a_job_is_read_wrapped_or_bare() {
        let bare = json!({
            "id": "j1", "state": "processing", "sep_state": "ready", "static": true, "region": "us-west-2",
            "state_history": [
                {"state": "processing", "transition_timestamp": 1_488_576_664_015_i64},
                {"state": "waiting", "transition_timestamp": 1_488_576_000_000_i64},
            ],
            "state_history_is_truncated": true,
        });
        let job = decode(&bare).unwrap();
        assert_eq!(job.state.as_deref(), Some("processing"));
        assert_eq!(job.sep_state.as_deref(), Some("ready"));
        assert_eq!(job.is_static, Some(true));
        assert_eq!(job.state_history[0].at.to_string(), "2017-03-03T21:31:04.015Z");
        assert!(job.history_truncated);
        assert_eq!(decode(&json!({"job": bare})), Some(job));
    }

    #[test]
    fn unknown_words_stay_and_wrong_types_are_as_if_absent() {
        let odd = json!({
            "id": "j1", "job": 7, "state": "creating_asset", "sep_state": 4, "static": "true",
            "state_history": [{"state": "a"}, 7, {"state": "b", "transition_timestamp": 1}], "extra": [{}],
        });
        let expected = Job {
            id: "j1".to_owned(),
            state: Some("creating_asset".to_owned()),
            sep_state: None,
            is_static: None,
            reconnect_time: None,
            event_length: None,
            state_history: vec![StateChange { state: "b".to_owned(), at: Timestamp::from_millisecond(1).unwrap() }],
            history_truncated: false,
        };
        assert_eq!(decode(&odd), Some(expected));
        assert_eq!(decode(&json!({"state_history": "none", "id": "j1"})).unwrap().state_history, []);
    }

    #[test]
    fn history_comes_newest_first_whatever_the_order_on_the_wire() {
        let job = decode(&json!({"id": "j", "state_history": [
            {"state": "old", "transition_timestamp": 1}, {"state": "new", "transition_timestamp": 2},
        ]}));
        let states: Vec<_> = job.unwrap().state_history.into_iter().map(|c| c.state).collect();
        assert_eq!(states, ["new", "old"]);
    }

    #[test]
    fn without_an_id_there_is_no_job() {
        assert_eq!(decode(&json!({"state": "standby"})), None);
        assert_eq!(decode(&json!({"id": 4})), None);
        assert_eq!(decode(&json!({"job": {"state": "standby"}})), None);
    }

    #[test]
    fn a_page_keeps_what_has_an_id_and_tells_the_next_token() {
        let page = json!({"jobs": [{"id": "a"}, {"state": "x"}, {"id": "b"}], "next_token": "t", "start_token": 0});
        let page = serde_json::from_value::<WirePage>(page).unwrap().into_page();
        assert_eq!(page.jobs.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(page.next_token.as_deref(), Some("t"));
        for last in
            [json!({"jobs": []}), json!({"jobs": [], "next_token": null}), json!({"jobs": [], "next_token": ""})]
        {
            assert_eq!(serde_json::from_value::<WirePage>(last).unwrap().into_page().next_token, None);
        }
    }
}
