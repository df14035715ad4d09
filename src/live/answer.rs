//! From an HTTP answer to a value or a [`LiveError`].

use std::time::Duration;

use bytes::Bytes;
use http::header::{AGE, CONTENT_TYPE, DATE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderName, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use serde_json::Value;

use super::error::LiveError;
use super::job::{Job, JobId, Page, WireJob, WirePage};
use super::withheld::Withheld;
use super::workflow::{NotAWorkflow, WireWorkflow, WireWorkflowPage, Workflow, WorkflowId, WorkflowPage};

/// Longer requests to wait are cut to this.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

// vendor: error reference; the static entry point guide for the capacity text as a 500.
const NOT_FOUND: &str = "DB getItem, no results found";
const NOTHING_TO_PROCESS: &str = "After filtering, there is no job to process";
const CAPACITY: [&str; 2] = ["no_streaming_capacity_in_region", "Allocating additional streaming capacity"];
const UNAUTHORIZED: &str = "Unauthorized";

/// An answer, and what is needed to judge it.
pub(super) struct Answer<'a> {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) withheld: Withheld<'a>,
}

/// What a request was about: the same words tell different things of each.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    Job,
    Jobs,
    /// One that is to be made.
    NewWorkflow,
    Workflow,
    Workflows,
}

impl About {
    /// What there is none of when the API finds nothing; lists cannot say.
    fn not_found(self, status: u16, message: &str) -> Option<LiveError> {
        let message = message.to_owned();
        match self {
            Self::Job | Self::NewWorkflow => Some(LiveError::JobNotFound { status, message }),
            Self::Workflow => Some(LiveError::WorkflowNotFound { status, message }),
            Self::Jobs | Self::Workflows => None,
        }
    }
}

impl Answer<'_> {
    /// The server's clock: the `Date` header, unless a cache held the answer back (`Age`).
    pub(super) fn date(&self) -> Option<Timestamp> {
        if self.headers.contains_key(AGE) {
            return None;
        }
        self.sent_at()
    }

    /// The job that was asked for.
    pub(super) fn job(&self, id: &JobId) -> Result<Job, LiveError> {
        if !self.status.is_success() {
            return Err(self.failure(About::Job));
        }
        let job = match serde_json::from_slice::<WireJob>(&self.body) {
            Ok(wire) => wire.into_job(),
            Err(_) => return Err(self.not_the_api(&self.what_it_is_instead())),
        };
        match job {
            Some(job) if job.id == id.as_str() => Ok(job),
            Some(job) => Err(self.not_the_api(&format!("it speaks of `{}` instead of job `{id}`", job.id))),
            None => Err(self.documented(About::Job).unwrap_or_else(|| self.not_the_api("it names no job"))),
        }
    }

    /// That the call for this job was accepted (vendor: 200 `{"id":"<job_id>"}`).
    pub(super) fn accepted(&self, id: &JobId) -> Result<(), LiveError> {
        self.job(id).map(|_| ())
    }

    /// A page of the list.
    pub(super) fn page(&self) -> Result<Page, LiveError> {
        if !self.status.is_success() {
            return Err(self.failure(About::Jobs));
        }
        let page = serde_json::from_slice::<WirePage>(&self.body).map(WirePage::into_page);
        page.map_err(|_| self.no_list(About::Jobs, "it holds no list of jobs"))
    }

    /// The workflow that was made for this job (vendor guide: 200 with the whole workflow).
    pub(super) fn new_workflow(&self, job: &JobId) -> Result<Workflow, LiveError> {
        let made = self.any_workflow(About::NewWorkflow)?;
        if made.job_id != job.as_str() {
            let why = format!("it speaks of a workflow of job `{}` instead of `{job}`", made.job_id);
            return Err(self.not_the_api(&why));
        }
        Ok(made)
    }

    /// The workflow that was asked for, changed or cancelled (vendor guide: 200 with the whole workflow each time).
    pub(super) fn workflow(&self, id: &WorkflowId) -> Result<Workflow, LiveError> {
        let workflow = self.any_workflow(About::Workflow)?;
        if workflow.id != *id {
            return Err(self.not_the_api(&format!("it speaks of workflow `{}` instead of `{id}`", workflow.id)));
        }
        Ok(workflow)
    }

    /// A page of the list of workflows.
    pub(super) fn workflow_page(&self) -> Result<WorkflowPage, LiveError> {
        if !self.status.is_success() {
            return Err(self.failure(About::Workflows));
        }
        let page = serde_json::from_slice::<WireWorkflowPage>(&self.body).map(WireWorkflowPage::into_page);
        page.map_err(|_| self.no_list(About::Workflows, "it holds no list of workflows"))
    }

    fn any_workflow(&self, about: About) -> Result<Workflow, LiveError> {
        if !self.status.is_success() {
            return Err(self.failure(about));
        }
        let Ok(wire) = serde_json::from_slice::<WireWorkflow>(&self.body) else {
            return Err(self.not_the_api(&self.what_it_is_instead()));
        };
        wire.into_workflow().map_err(|why| match why {
            NotAWorkflow::Nameless => self.documented(about).unwrap_or_else(|| self.not_the_api(&why.to_string())),
            _ => self.not_the_api(&why.to_string()),
        })
    }

    fn no_list(&self, about: About, why: &str) -> LiveError {
        let why = if self.is_json() { why.to_owned() } else { self.what_it_is_instead() };
        self.documented(about).unwrap_or_else(|| self.not_the_api(&why))
    }

    /// The error that an answer outside 2xx stands for: by its body first, by its status second.
    fn failure(&self, about: About) -> LiveError {
        if self.status.is_redirection() {
            return self.not_the_api(&self.redirect());
        }
        self.documented(about).unwrap_or_else(|| self.by_status(about))
    }

    /// The errors known by their text, whatever the status.
    fn documented(&self, about: About) -> Option<LiveError> {
        let said = self.error_text().or_else(|| self.plain_text())?;
        let (status, message) = (self.status.as_u16(), self.excerpt(&said));
        let not_found = about.not_found(status, &message).filter(|_| said.contains(NOT_FOUND));
        if not_found.is_some() {
            not_found
        } else if said.contains(NOTHING_TO_PROCESS) {
            Some(LiveError::NothingToProcess { status, message })
        } else if CAPACITY.iter().any(|text| said.contains(text)) {
            Some(LiveError::Capacity { status, message })
        } else {
            None
        }
    }

    fn by_status(&self, about: About) -> LiveError {
        let (status, message) = (self.status.as_u16(), self.message());
        let said = self.error_text();
        let says_unauthorized = said.as_deref().map(str::trim) == Some(UNAUTHORIZED);
        match status {
            400 | 404 | 405 | 501 if about == About::Workflows => LiveError::NoSuchOperation { status, message },
            // An empty body tells no less than the documented one; a page of HTML is some proxy's.
            401 if said.is_some() || self.body.is_empty() => LiveError::Unauthorized { status, message },
            403 if says_unauthorized => LiveError::Unauthorized { status, message },
            // vendor: error reference prints a 404 with the body of a 401 for a wrong URL. Neither the key nor the job
            // is at fault then.
            404 if says_unauthorized => self.not_the_api("the URL is none of the API's"),
            404 if said.is_some() => match about {
                About::Job => LiveError::JobNotFound { status, message },
                About::Workflow => LiveError::WorkflowNotFound { status, message },
                // Its path names the operation, and nothing that could be missing.
                About::NewWorkflow => LiveError::Refused { status, message },
                About::Jobs | About::Workflows => self.not_the_api(&self.what_it_is_instead()),
            },
            429 => LiveError::RateLimited { retry_after: self.retry_after(), message },
            // A gateway also says 408 when it gave up waiting for the server behind it.
            408 | 500..=599 => LiveError::ServerError { status, message, retry_after: self.retry_after() },
            400..=499 if said.is_some() => LiveError::Refused { status, message },
            _ => self.not_the_api(&self.what_it_is_instead()),
        }
    }

    /// The text of an error body: `{"error": …}`, `{"message": …}`, or the longer one with `message`, `statusCode`,
    /// `name` and `isApiError` (vendor: error reference, static entry point guide).
    fn error_text(&self) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        let error = body.get("error");
        [error, error.and_then(|error| error.get("message")), body.get("message")]
            .into_iter()
            .flatten()
            .find_map(|text| text.as_str().map(str::to_owned))
    }

    /// The body of an answer that is neither JSON nor HTML.
    fn plain_text(&self) -> Option<String> {
        if self.is_json() || self.is_html() {
            return None;
        }
        Some(String::from_utf8_lossy(&self.body).into_owned())
    }

    fn message(&self) -> String {
        self.error_text().map_or_else(|| self.body_excerpt(), |text| self.excerpt(&text))
    }

    fn not_the_api(&self, why: &str) -> LiveError {
        LiveError::NotTheApi { status: self.status.as_u16(), why: self.excerpt(why), body: self.body_excerpt() }
    }

    fn what_it_is_instead(&self) -> String {
        let what = if self.body.is_empty() {
            "its body is empty"
        } else if self.is_html() {
            "it is HTML"
        } else if self.is_json() {
            "its JSON is not of the API's shape"
        } else {
            "it is not JSON"
        };
        what.to_owned()
    }

    /// Where a redirect points, without path and query: what the server sends along there is its own affair.
    fn redirect(&self) -> String {
        let target = self.header(&LOCATION).and_then(|to| to.parse::<http::Uri>().ok());
        let host = target.as_ref().and_then(|to| to.host());
        host.map_or_else(
            || "it is a redirect, which is not followed".to_owned(),
            |host| format!("it is a redirect to {host}, which is not followed"),
        )
    }

    fn is_json(&self) -> bool {
        serde_json::from_slice::<serde::de::IgnoredAny>(&self.body).is_ok()
    }

    fn is_html(&self) -> bool {
        let declared = self.header(&CONTENT_TYPE).is_some_and(|kind| kind.contains("html"));
        declared || self.body.trim_ascii_start().first() == Some(&b'<')
    }

    /// Seconds, or a date that is counted from the answer's own `Date`.
    fn retry_after(&self) -> Option<Duration> {
        let value = self.header(&RETRY_AFTER)?;
        let wait = if value.bytes().all(|byte| byte.is_ascii_digit()) {
            Duration::from_secs(value.parse().unwrap_or(u64::MAX))
        } else {
            let wait = http_date(value)?.duration_since(self.sent_at()?);
            Duration::try_from(wait).unwrap_or(Duration::ZERO)
        };
        Some(wait.min(RETRY_AFTER_MAX))
    }

    fn sent_at(&self) -> Option<Timestamp> {
        http_date(self.header(&DATE)?)
    }

    fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim).filter(|value| !value.is_empty())
    }

    fn body_excerpt(&self) -> String {
        self.withheld.excerpt_of_body(&self.body)
    }

    fn excerpt(&self, text: &str) -> String {
        self.withheld.excerpt(text)
    }
}

fn http_date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::ApiKey;

    const ID: &str = "88bb4096a39c4e0bb75aa84dfea6ab9c";
    const CAPACITY_TEXT: &str = "Allocating additional streaming capacity to the region. Please retry your request.: \
                                 no_streaming_capacity_in_region";

    fn key() -> ApiKey {
        ApiKey::parse("the-secret-key").unwrap()
    }

    fn answer<'a>(key: &'a ApiKey, status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Answer<'a> {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), http::HeaderValue::from_static(value)))
            .collect();
        let status = StatusCode::from_u16(status).unwrap();
        let withheld = Withheld { key, url: None };
        Answer { status, headers, body: Bytes::copy_from_slice(body.as_bytes()), withheld }
    }

    fn read(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Result<Job, LiveError> {
        answer(&key(), status, headers, body).job(&JobId::parse(ID).unwrap())
    }

    fn list(status: u16, body: &str) -> Result<Page, LiveError> {
        answer(&key(), status, &[], body).page()
    }

    /// The variant's name, and whether it is certain that nothing was carried out.
    fn kind(error: &LiveError) -> (String, bool) {
        let debug = format!("{error:?}");
        (debug.split(' ').next().unwrap().to_owned(), error.certainly_refused())
    }

    #[test]
    fn an_error_is_typed_by_its_body_first_and_its_status_second() {
        let api_error =
            |text: &str| format!(r#"{{"message":"{text}","statusCode":500,"name":"ApiError","isApiError":true}}"#);
        let error = |text: &str| format!(r#"{{"error":"{text}"}}"#);
        let message = |text: &str| format!(r#"{{"message":"{text}"}}"#);
        for (status, body, expected, refused) in [
            (401, message("Unauthorized"), "Unauthorized", true),
            (401, String::new(), "Unauthorized", true),
            (401, "<html>log in</html>".to_owned(), "NotTheApi", false),
            (403, message("Unauthorized"), "Unauthorized", true),
            (403, message("Forbidden"), "Refused", true),
            (403, "<html>denied</html>".to_owned(), "NotTheApi", false),
            (500, error("DB getItem, no results found"), "JobNotFound", true),
            (500, message("DB getItem, no results found"), "JobNotFound", true),
            (500, "DB getItem, no results found".to_owned(), "JobNotFound", true),
            (200, error("DB getItem, no results found"), "JobNotFound", true),
            (404, message("Not Found"), "JobNotFound", true),
            (404, message("Unauthorized"), "NotTheApi", false),
            (404, "default backend - 404".to_owned(), "NotTheApi", false),
            (404, String::new(), "NotTheApi", false),
            (400, error(CAPACITY_TEXT), "Capacity", true),
            (500, api_error(CAPACITY_TEXT), "Capacity", true),
            (503, api_error("no_streaming_capacity_in_region"), "Capacity", true),
            (500, error("After filtering, there is no job to process"), "NothingToProcess", true),
            (400, error("Invalid input value"), "Refused", true),
            (409, message("busy"), "Refused", true),
            (400, "<html>Bad Request</html>".to_owned(), "NotTheApi", false),
            (400, r#"{"unrelated":1}"#.to_owned(), "NotTheApi", false),
            (408, message("timeout"), "ServerError", false),
            (429, String::new(), "RateLimited", true),
            (429, "<html>slow down</html>".to_owned(), "RateLimited", true),
            (500, error("boom"), "ServerError", false),
            (502, "<html>Bad Gateway</html>".to_owned(), "ServerError", false),
            (500, format!("<html>{NOT_FOUND}</html>"), "ServerError", false),
            (504, String::new(), "ServerError", false),
            (307, String::new(), "NotTheApi", false),
            (304, String::new(), "NotTheApi", false),
        ] {
            let found = read(status, &[], &body).unwrap_err();
            assert_eq!(kind(&found), (expected.to_owned(), refused), "{status} {body}");
            assert_ne!(found.certainly_refused(), found.unanswered());
        }
    }

    #[test]
    fn a_2xx_is_accepted_only_with_the_jobs_id() {
        let good = format!(r#"{{"id":"{ID}"}}"#);
        assert_eq!(read(200, &[], &good).unwrap().id, ID);
        assert_eq!(read(202, &[], &format!(r#"{{"job":{good}}}"#)).unwrap().id, ID);
        for (body, why) in [
            ("", "its body is empty"),
            ("<html>Welcome</html>", "it is HTML"),
            ("OK", "it is not JSON"),
            ("7", "its JSON is not of the API's shape"),
            ("{}", "it names no job"),
            (r#"{"message":"hello"}"#, "it names no job"),
            (r#"{"id":"another"}"#, "it speaks of `another` instead of job `88bb4096a39c4e0bb75aa84dfea6ab9c`"),
        ] {
            let Err(LiveError::NotTheApi { status: 200, why: said, body: kept }) = read(200, &[], body) else {
                panic!("{body} was accepted");
            };
            assert_eq!((said.as_str(), kept.as_str()), (why, body));
        }
    }

    #[test]
    fn a_jobs_own_words_are_not_taken_for_an_error() {
        let body = format!(r#"{{"id":"{ID}","message":"{NOT_FOUND}"}}"#);
        assert!(read(200, &[], &body).is_ok());
    }

    #[test]
    fn a_list_cannot_say_that_a_job_is_not_found() {
        assert_eq!(list(200, r#"{"jobs":[]}"#).unwrap(), Page { jobs: vec![], next_token: None });
        for (status, body, expected) in [
            (404, r#"{"message":"Not Found"}"#, "NotTheApi"),
            (500, r#"{"error":"DB getItem, no results found"}"#, "ServerError"),
            (401, r#"{"message":"Unauthorized"}"#, "Unauthorized"),
            (200, r#"{"id":"x"}"#, "NotTheApi"),
            (200, r#"{"jobs":{}}"#, "NotTheApi"),
            (200, "<html>", "NotTheApi"),
        ] {
            assert_eq!(kind(&list(status, body).unwrap_err()).0, expected, "{status} {body}");
        }
    }

    #[test]
    fn a_redirect_tells_the_host_and_nothing_else() {
        let found = read(307, &[("location", "https://elsewhere.example/login?token=abc")], "").unwrap_err();
        assert_eq!(
            found.to_string(),
            "the answer (HTTP 307) is not the Live API's: it is a redirect to elsewhere.example, which is not followed"
        );
        let found = read(302, &[("location", "/login?token=abc")], "").unwrap_err();
        assert!(found.to_string().ends_with("it is a redirect, which is not followed"));
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_as_a_date() {
        let date = ("date", "Wed, 25 Nov 2026 04:00:00 GMT");
        for (status, value, seconds) in [
            (429, "120", Some(120)),
            (503, "7", Some(7)),
            (429, "99999999999999999999999", Some(86_400)),
            (429, "Wed, 25 Nov 2026 04:00:30 GMT", Some(30)),
            (429, "Wed, 25 Nov 2026 03:00:00 GMT", Some(0)),
            (429, "soon", None),
            (429, "-1", None),
        ] {
            let found = read(status, &[("retry-after", value), date], "").unwrap_err();
            assert_eq!(found.retry_after(), seconds.map(Duration::from_secs), "{value}");
        }
        let without_date = read(429, &[("retry-after", "Wed, 25 Nov 2026 04:00:30 GMT")], "").unwrap_err();
        assert_eq!(without_date.retry_after(), None);
    }

    #[test]
    fn the_servers_clock_is_read_unless_a_cache_held_the_answer() {
        let (key, date) = (key(), ("date", "Sun, 06 Nov 1994 08:49:37 GMT"));
        let clock = |headers: &[_]| answer(&key, 200, headers, "").date().map(|date| date.to_string());
        assert_eq!(clock(&[date]).as_deref(), Some("1994-11-06T08:49:37Z"));
        assert_eq!(clock(&[date, ("age", "0")]), None);
        assert_eq!(clock(&[("date", "yesterday")]), None);
        assert_eq!(clock(&[]), None);
    }

    #[test]
    fn no_error_repeats_a_key_that_the_server_echoes() {
        let bodies = [
            r#"{"error":"the-secret-key"}"#,
            r#"{"message":"bad key the-secret-key"}"#,
            r#"{"id":"the-secret-key"}"#,
            r#"{"error":"DB getItem, no results found: the-secret-key"}"#,
            r#"{"error":"no_streaming_capacity_in_region the-secret-key"}"#,
            r#"{"error":"After filtering, there is no job to process the-secret-key"}"#,
            "<html>the-secret-key</html>",
            "the-secret-key",
        ];
        let location = [("location", "https://the-secret-key/")];
        for status in [200, 302, 400, 401, 403, 404, 408, 429, 500, 503] {
            for body in bodies {
                let errors = [read(status, &location, body).unwrap_err(), list(status, body).unwrap_err()];
                let shown = format!("{errors:?} {} {}", errors[0], errors[1]);
                assert!(!shown.contains("secret"), "{status} {body}: {shown}");
            }
        }
    }
}
