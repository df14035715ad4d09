//! `GET /v1/jobs`: filters, order and pages (vendor guide: List Live Jobs; `sep_state` is in the guide only).

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::job::Job;
use crate::refusal::Refusal;

const DEFAULT_PAGE: usize = 10;
const LARGEST_PAGE: usize = 1_000;

#[derive(Debug)]
pub(crate) struct ListQuery {
    states: Vec<String>,
    sep_states: Vec<String>,
    regions: Vec<String>,
    is_static: Option<bool>,
    created: Vec<Bound>,
    modified: Vec<Bound>,
    by_modified: bool,
    descending: bool,
    page_size: usize,
    start: Option<Place>,
    start_token: Option<String>,
}

/// A comparison with a time in milliseconds.
#[derive(Debug)]
struct Bound {
    allowed: &'static [Ordering],
    milliseconds: i64,
}

/// A job's place in the order.
type Place = (Timestamp, String);

impl ListQuery {
    /// Unknown parameters are left aside; bad values are refused.
    pub(crate) fn parse(query: &str) -> Result<Self, Refusal> {
        let mut parsed = Self {
            states: Vec::new(),
            sep_states: Vec::new(),
            regions: Vec::new(),
            is_static: None,
            created: Vec::new(),
            modified: Vec::new(),
            by_modified: false,
            descending: false,
            page_size: DEFAULT_PAGE,
            start: None,
            start_token: None,
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            parsed.take(&name, &value).ok_or(Refusal::InvalidInput)?;
        }
        Ok(parsed)
    }

    fn take(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "state" => self.states = words(value),
            "sep_state" => self.sep_states = words(value),
            "region" => self.regions = words(value),
            "static" => self.is_static = Some(value.parse().ok()?),
            "created_at" => self.created = bounds(value)?,
            "modified_at" => self.modified = bounds(value)?,
            "sort" => self.by_modified = choice(value, "created_at", "modified_at")?,
            "sort_dir" => self.descending = choice(value, "asc", "desc")?,
            "page_size" => {
                self.page_size = value.parse().ok().filter(|size| (1..=LARGEST_PAGE).contains(size))?;
            }
            "start_token" => {
                self.start = Some(place(value)?);
                self.start_token = Some(value.to_owned());
            }
            _ => {}
        }
        Some(())
    }

    /// The page of one account.
    pub(crate) fn page<'a>(&self, jobs: impl Iterator<Item = &'a Job>) -> Value {
        let mut found: Vec<(Place, &Job)> = jobs
            .filter(|job| self.matches(job))
            .map(|job| (self.place_of(job), job))
            .filter(|(place, _)| self.start.as_ref().is_none_or(|start| self.order(place, start) != Ordering::Less))
            .collect();
        // Only the page and the job after it need to be in order.
        if found.len() > self.page_size + 1 {
            found.select_nth_unstable_by(self.page_size, |one, other| self.order(&one.0, &other.0));
            found.truncate(self.page_size + 1);
        }
        found.sort_unstable_by(|one, other| self.order(&one.0, &other.0));

        let shown: Vec<Value> = found.iter().take(self.page_size).map(|(_, job)| job.shown()).collect();
        let mut answer = json!({ "jobs": shown });
        // Absent where there is nothing to tell: so the text; the schema calls start_token required.
        if let Some(((at, id), _)) = found.get(self.page_size) {
            answer["next_token"] = json!(format!("{}_{id}", at.as_microsecond()));
        }
        if let Some(token) = &self.start_token {
            answer["start_token"] = json!(token);
        }
        answer
    }

    fn matches(&self, job: &Job) -> bool {
        let one_of = |words: &[String], word: &str| words.is_empty() || words.iter().any(|listed| listed == word);
        one_of(&self.states, job.shown_state())
            && one_of(&self.sep_states, job.shown_sep_state())
            && one_of(&self.regions, &job.region)
            && self.is_static.is_none_or(|is_static| is_static == job.is_static)
            && self.created.iter().all(|bound| bound.holds(job.created_at))
            && self.modified.iter().all(|bound| bound.holds(job.updated_at))
    }

    fn place_of(&self, job: &Job) -> Place {
        let at = if self.by_modified { job.updated_at } else { job.created_at };
        // To the microsecond, as in the token.
        (Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at), job.id.clone())
    }

    fn order(&self, one: &Place, other: &Place) -> Ordering {
        let ascending = one.cmp(other);
        if self.descending { ascending.reverse() } else { ascending }
    }
}

impl Bound {
    fn holds(&self, at: Timestamp) -> bool {
        self.allowed.contains(&at.as_millisecond().cmp(&self.milliseconds))
    }
}

/// `a,b` and `[a,b]` are both in the vendor's pages.
fn words(value: &str) -> Vec<String> {
    let inner = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(value);
    inner.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
}

/// `gt:`, `ge:`, `lt:`, `le:` and milliseconds; several of them all hold. Without a comparison: exactly.
fn bounds(value: &str) -> Option<Vec<Bound>> {
    words(value).iter().map(|word| bound(word)).collect()
}

fn bound(word: &str) -> Option<Bound> {
    let (comparison, number) = word.split_once(':').unwrap_or(("eq", word));
    let allowed: &[Ordering] = match comparison {
        "gt" => &[Ordering::Greater],
        "ge" => &[Ordering::Greater, Ordering::Equal],
        "lt" => &[Ordering::Less],
        "le" => &[Ordering::Less, Ordering::Equal],
        "eq" => &[Ordering::Equal],
        _ => return None,
    };
    Some(Bound { allowed, milliseconds: number.parse().ok()? })
}

/// Whether it is the second of two words.
fn choice(value: &str, first: &str, second: &str) -> Option<bool> {
    (value == first || value == second).then_some(value == second)
}

fn place(token: &str) -> Option<Place> {
    let (at, id) = token.split_once('_')?;
    Some((Timestamp::from_microsecond(at.parse().ok()?).ok()?, id.to_owned()))
}
