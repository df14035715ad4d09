use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, Request};
use jiff::Timestamp;
use tokio::time::Instant;

use super::answer::Answer;
use super::ask::{Ask, percent_encode};
use super::endpoint::Endpoint;
use super::error::LiveError;
use super::job::{Job, JobId, Page};
use super::key::{ApiKey, KeyDigest, KeyFingerprint};
use super::timeouts::Timeouts;
use super::trail::Trail;
use super::transport::{AnswerLimit, Lane, Transport, TransportError};
use super::withheld::Withheld;
use super::workflow::WorkflowId;

/// The largest page of a list (vendor: `page_size` 1–1000).
pub const PAGE_SIZE_MAX: u16 = 1000;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// One account of a Live API: an endpoint and a key. Cheap to clone.
///
/// Each method sends one request, once, and ends within its timeout. There is no retry in here: whether and when to
/// ask again depends on what the last request may have done.
#[derive(Clone, Debug)]
pub struct LiveClient {
    transport: Transport,
    account: Arc<Account>,
}

#[derive(Debug)]
struct Account {
    endpoint: Endpoint,
    key: ApiKey,
    timeouts: Timeouts,
}

/// A good answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered<T> {
    /// What was answered.
    pub value: T,
    /// The server's clock when it answered, to the second (header `Date`); none if it sent none or a cache held the
    /// answer back (header `Age`).
    pub date: Option<Timestamp>,
}

/// Which part of the job list to read (vendor: `GET /v1/jobs`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    /// Only jobs with a static entry point.
    pub static_only: bool,
    /// Jobs per page, 1 to [`PAGE_SIZE_MAX`]; other values are moved to the nearer end.
    pub page_size: u16,
    /// The previous page's `next_token`; none for the first page.
    pub start_token: Option<String>,
}

impl Default for ListQuery {
    fn default() -> Self {
        Self { static_only: false, page_size: PAGE_SIZE_MAX, start_token: None }
    }
}

/// The pages of a job list, one after another ([`LiveClient::pages`]). One that failed is the last.
///
/// That a job is absent proves nothing: it may have moved between pages. A list of more than 1,000 pages, or one that
/// leads back to itself, is an error.
#[derive(Debug)]
pub struct Pages<'a> {
    client: &'a LiveClient,
    /// What to ask for next; `None`: there is no more.
    query: Option<ListQuery>,
    trail: Trail,
}

impl Pages<'_> {
    /// The last page was read, or one failed.
    pub fn is_over(&self) -> bool {
        self.query.is_none()
    }

    /// The jobs of the next page; `None` after the last.
    pub async fn next(&mut self) -> Option<Result<Answered<Vec<Job>>, LiveError>> {
        let query = self.query.take()?;
        let Answered { value: Page { jobs, next_token }, date } = match self.client.list(&query).await {
            Ok(page) => page,
            Err(error) => return Some(Err(error)),
        };
        if let Some(token) = next_token {
            if let Err(endless) = self.trail.lead_to(&token) {
                return Some(Err(endless));
            }
            self.query = Some(ListQuery { start_token: Some(token), ..query });
        }
        Some(Ok(Answered { value: jobs, date }))
    }
}

impl LiveClient {
    /// A client of `endpoint` with `key`. A change of key makes a new client over the same transport.
    pub fn new(transport: Transport, endpoint: Endpoint, key: ApiKey, timeouts: Timeouts) -> Self {
        Self { transport, account: Arc::new(Account { endpoint, key, timeouts }) }
    }

    /// Where the requests go.
    pub fn endpoint(&self) -> &Endpoint {
        &self.account.endpoint
    }

    /// What their key is compared by.
    pub fn key_digest(&self) -> KeyDigest {
        self.account.key.digest()
    }

    /// Which key they carry.
    pub fn key_fingerprint(&self) -> KeyFingerprint {
        self.account.key.fingerprint()
    }

    /// Reads a job (vendor: `GET /v1/jobs/{job_id}`).
    pub async fn read(&self, id: &JobId) -> Result<Answered<Job>, LiveError> {
        self.read_over("read", id, Lane::Reads).await
    }

    /// Reads a job over the connections of the calls, so that an [`activate`](Self::activate) or
    /// [`deactivate`](Self::deactivate) that follows within [`Timeouts::idle_calls`] finds an open one.
    pub async fn read_for_call(&self, id: &JobId) -> Result<Answered<Job>, LiveError> {
        self.read_over("read_for_call", id, Lane::Calls).await
    }

    /// Switches a job on (vendor: `PUT /v1/jobs/{job_id}/activate`). The answer means accepted, not on.
    ///
    /// On a job that is on already this may discard its recording (vendor: static entry point guide); read first.
    pub async fn activate(&self, id: &JobId) -> Result<Answered<()>, LiveError> {
        self.call("activate", id).await
    }

    /// Switches a job off (vendor: `PUT /v1/jobs/{job_id}/deactivate`). The answer means accepted, not off.
    pub async fn deactivate(&self, id: &JobId) -> Result<Answered<()>, LiveError> {
        self.call("deactivate", id).await
    }

    /// Reads one page of the job list.
    pub async fn list(&self, query: &ListQuery) -> Result<Answered<Page>, LiveError> {
        let answer = self.send(self.list_request(query)).await?;
        Ok(Answered { date: answer.date(), value: answer.page()? })
    }

    /// The whole job list, page by page; each page has a timeout of its own.
    pub fn pages(&self, static_only: bool) -> Pages<'_> {
        let query = ListQuery { static_only, ..ListQuery::default() };
        Pages { client: self, query: Some(query), trail: Trail::new("jobs") }
    }

    pub(super) fn timeouts(&self) -> &Timeouts {
        &self.account.timeouts
    }

    async fn read_over(&self, name: &'static str, id: &JobId, lane: Lane) -> Result<Answered<Job>, LiveError> {
        let path = format!("/v1/jobs/{}", percent_encode(id.as_str()));
        let ask = Ask { job: Some(id), lane, ..Ask::new(name, Method::GET, path, self.timeouts().read) };
        let answer = self.send(ask).await?;
        Ok(Answered { date: answer.date(), value: answer.job(id)? })
    }

    async fn call(&self, name: &'static str, id: &JobId) -> Result<Answered<()>, LiveError> {
        let path = format!("/v1/jobs/{}/{name}", percent_encode(id.as_str()));
        let ask = Ask { job: Some(id), lane: Lane::Calls, ..Ask::new(name, Method::PUT, path, self.timeouts().call) };
        let answer = self.send(ask).await?;
        Ok(Answered { date: answer.date(), value: answer.accepted(id)? })
    }

    fn list_request(&self, query: &ListQuery) -> Ask<'static> {
        let mut path = format!("/v1/jobs?page_size={}", query.page_size.clamp(1, PAGE_SIZE_MAX));
        if query.static_only {
            path.push_str("&static=true");
        }
        if let Some(token) = &query.start_token {
            path.push_str("&start_token=");
            path.push_str(&percent_encode(token));
        }
        Ask { limit: AnswerLimit::LIST, ..Ask::new("list", Method::GET, path, self.timeouts().list) }
    }

    pub(super) async fn send<'a>(&'a self, ask: Ask<'a>) -> Result<Answer<'a>, LiveError> {
        let (name, job, workflow, timeout, begun) = (ask.name, ask.job, ask.workflow, ask.timeout, Instant::now());
        let answer = match tokio::time::timeout(timeout, self.exchange(ask)).await {
            Ok(answer) => answer,
            Err(_) => Err(LiveError::TimedOut { after: timeout }),
        };
        let (status, error) = match &answer {
            Ok(answer) => (Some(answer.status.as_u16()), None),
            Err(error) => (None, Some(error)),
        };
        tracing::debug!(
            endpoint = %self.account.endpoint,
            request = name,
            job = job.map(JobId::as_str),
            workflow = workflow.map(WorkflowId::as_str),
            status,
            error = error.map(tracing::field::display),
            millis = begun.elapsed().as_millis(),
            "Live API"
        );
        answer
    }

    async fn exchange<'a>(&'a self, ask: Ask<'a>) -> Result<Answer<'a>, LiveError> {
        let withheld = Withheld { key: &self.account.key, url: ask.url };
        let request = self.request(ask)?;
        let response = self.transport.send(request).await.map_err(|error| match error {
            TransportError::NotSent(reason) => LiveError::NotSent { reason: withheld.excerpt(&reason) },
            TransportError::Lost(reason) => LiveError::ConnectionLost { reason: withheld.excerpt(&reason) },
        })?;
        let (head, body) = response.into_parts();
        Ok(Answer { status: head.status, headers: head.headers, body, withheld })
    }

    fn request(&self, ask: Ask<'_>) -> Result<Request<Bytes>, LiveError> {
        let mut builder = Request::builder()
            .method(&ask.method)
            .uri(format!("{}{}", self.account.endpoint, ask.path))
            .header(API_KEY, self.account.key.header())
            .header(ACCEPT, JSON)
            .extension(ask.lane)
            .extension(ask.limit);
        if ask.method != Method::GET {
            // Also where there is no body (vendor: the reference wants it of a DELETE, the guide does without).
            builder = builder.header(CONTENT_TYPE, JSON);
        }
        if matches!(ask.method, Method::POST | Method::PUT) {
            // hyper leaves the length of an empty body out, and some servers answer that with 411.
            builder = builder.header(CONTENT_LENGTH, ask.body.len());
        }
        builder.body(ask.body).map_err(|error| LiveError::NotSent { reason: error.to_string() })
    }
}
