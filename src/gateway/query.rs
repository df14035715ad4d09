//! A GET of the list: which workflows, and how many at once.

use std::borrow::Cow;

use crate::api::Workflow;
use crate::live::JobId;

use super::body::shown;
use super::page::Place;
use super::refusal::Invalid;

/// How many workflows a page has at most (vendor: 1 to 1000, 10 when nothing is said).
const PAGE_SIZES: std::ops::RangeInclusive<usize> = 1..=1000;
const PAGE_SIZE: usize = 10;

const PARAMETERS: [&str; 6] = ["job_id", "state", "start", "end", "page_size", "start_token"];

/// A workflow's state as the list filters it. The vendor says its words and not how they follow from the tasks' states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// A task is pending.
    Pending,
    /// None is, and one has failed.
    Failed,
    /// None is, none has failed, and one was cancelled.
    Cancelled,
    /// Both have finished.
    Finished,
}

impl State {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "pending" => Some(Self::Pending),
            "failed" => Some(Self::Failed),
            "cancelled" => Some(Self::Cancelled),
            "finished" => Some(Self::Finished),
            _ => None,
        }
    }

    pub(super) fn of(workflow: &Workflow) -> Self {
        let any = |state: &str| [&workflow.activation, &workflow.deactivation].iter().any(|task| task.state == state);
        let by_weight = [("pending", Self::Pending), ("failed", Self::Failed), ("cancelled", Self::Cancelled)];
        by_weight.into_iter().find(|(word, _)| any(word)).map_or(Self::Finished, |(_, state)| state)
    }
}

/// What a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) job: Option<JobId>,
    /// One of these; `None`: any.
    states: Option<Vec<State>>,
    /// The start is later than this, and earlier than that; seconds since 1970.
    start: Option<i64>,
    end: Option<i64>,
    pub(super) page_size: usize,
    pub(super) from: Place,
}

impl Query {
    /// Reads the part of a URL behind the question mark.
    pub(super) fn read(text: &str) -> Result<Self, Invalid> {
        let given = Given::read(text)?;
        let size = |text: &str| text.parse().ok().filter(|size| PAGE_SIZES.contains(size));
        Ok(Self {
            job: given.read_as("job_id", "must be a job's id", |text| JobId::parse(text).ok())?,
            states: given.read_as("state", "must be of pending, finished, failed, cancelled", states)?,
            start: given.read_as("start", SECONDS, |text| text.parse().ok())?,
            end: given.read_as("end", SECONDS, |text| text.parse().ok())?,
            page_size: given.read_as("page_size", "must be 1 to 1000", size)?.unwrap_or(PAGE_SIZE),
            from: given.read_as("start_token", "must be the next_token of a list", Place::parse)?.unwrap_or_default(),
        })
    }

    /// Whether the list has this one.
    pub(super) fn has(&self, workflow: &Workflow) -> bool {
        let start = workflow.activation.time_utc;
        self.job.as_ref().is_none_or(|job| job.as_str() == workflow.job_id)
            && self.states.as_ref().is_none_or(|states| states.contains(&State::of(workflow)))
            && self.start.is_none_or(|bound| start > bound)
            && self.end.is_none_or(|bound| start < bound)
    }
}

const SECONDS: &str = "must be whole seconds since 1970";

fn states(text: &str) -> Option<Vec<State>> {
    text.split(',').map(State::parse).collect()
}

/// The parameters as they came.
struct Given<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Given<'a> {
    fn read(text: &'a str) -> Result<Self, Invalid> {
        let mut given: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            if !PARAMETERS.contains(&&*name) {
                let sentence = format!("{} is not a parameter here: there are {}", shown(&name), PARAMETERS.join(", "));
                return Err(Invalid::new(sentence));
            }
            if given.iter().any(|(before, _)| *before == name) {
                return Err(Invalid::new(format!("{name} stands there twice")));
            }
            given.push((name, value));
        }
        Ok(Self(given))
    }

    fn read_as<T>(&self, name: &str, rule: &str, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Invalid> {
        let Some((_, text)) = self.0.iter().find(|(given, _)| given == name) else { return Ok(None) };
        read(text).map(Some).ok_or_else(|| Invalid::new(format!("{name} {rule}")))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn workflow(activation: &str, deactivation: &str) -> Workflow {
        serde_json::from_value(json!({
            "account_id": "1", "job_id": "a", "type": "jobstartstop", "workflow_id": "d44cf29f4f184757ac0995beb8a0097e",
            "activation": { "state": activation, "time_utc": 1_617_386_100 },
            "deactivation": { "state": deactivation, "time_utc": 1_617_393_600 },
        }))
        .unwrap()
    }

    fn refusal(text: &str) -> String {
        Query::read(text).unwrap_err().to_string()
    }

    #[test]
    fn without_parameters_it_is_the_first_ten_of_all() {
        let query = Query::read("").unwrap();
        assert_eq!((query.page_size, query.job.as_ref(), &query.from), (10, None, &Place::default()));
        assert!(query.has(&workflow("pending", "pending")) && query.has(&workflow("failed", "cancelled")));
    }

    #[test]
    fn each_refusal_names_the_parameter() {
        for (text, sentence) in [
            ("job_id=a,b", "job_id must be a job's id"),
            ("job_id=", "job_id must be a job's id"),
            ("state=running", "state must be of pending, finished, failed, cancelled"),
            ("state=pending,", "state must be of pending, finished, failed, cancelled"),
            ("start=2021-04-02", "start must be whole seconds since 1970"),
            ("end=1.5", "end must be whole seconds since 1970"),
            ("page_size=0", "page_size must be 1 to 1000"),
            ("page_size=1001", "page_size must be 1 to 1000"),
            ("page_size=-1", "page_size must be 1 to 1000"),
            ("page_size=99999999999999999999", "page_size must be 1 to 1000"),
            ("start_token=", "start_token must be the next_token of a list"),
            ("state=pending&state=failed", "state stands there twice"),
        ] {
            assert_eq!(refusal(text), sentence, "{text}");
        }
        assert!(refusal("X-API-KEY=secret").starts_with("X-API-KEY is not a parameter here"));
        assert!(!refusal("X-API-KEY=secret").contains("secret"));
    }

    #[test]
    fn a_state_follows_from_the_states_of_the_tasks() {
        for (activation, deactivation, state) in [
            ("pending", "pending", State::Pending),
            ("finished", "pending", State::Pending),
            ("finished", "finished", State::Finished),
            ("finished", "cancelled", State::Cancelled),
            ("finished", "failed", State::Failed),
            ("failed", "cancelled", State::Failed),
            ("cancelled", "cancelled", State::Cancelled),
        ] {
            assert_eq!(State::of(&workflow(activation, deactivation)), state, "{activation}, {deactivation}");
        }
    }

    #[test]
    fn filters_are_joined_and_bounds_are_not_among_what_they_bound() {
        let has = |text: &str| Query::read(text).unwrap().has(&workflow("finished", "pending"));
        assert!(has("job_id=a&state=pending,failed&start=1617386099&end=1617386101"));
        assert!(!has("job_id=b") && !has("state=finished") && !has("start=1617386100") && !has("end=1617386100"));
        assert!(has("state=pending%2Cfinished"));
    }
}
