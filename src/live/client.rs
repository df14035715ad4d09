use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, Request};
use jiff::Timestamp;
use tokio::time::Instant;

use super::answer::{Answer, excerpt};
use super::endpoint::Endpoint;
use super::error::LiveError;
use super::job::{Job, JobId, Page};
use super::key::{ApiKey, KeyDigest, KeyFingerprint};
use super::timeouts::Timeouts;
use super::transport::{AnswerLimit, Lane, Transport, TransportError};

/// The largest page of the job list (vendor: `GET /v1/jobs`, `page_size` 1–1000).
pub const PAGE_SIZE_MAX: u16 = 1000;

/// Where [`Pages`] gives up: a million jobs.
const PAGES_MAX: usize = 1000;

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
    /// Where the pages so far led to.
    tokens: BTreeSet<String>,
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
            if !self.tokens.insert(token.clone()) {
                return Some(Err(endless("the list of jobs leads back to a page it has been on")));
            }
            if self.tokens.len() >= PAGES_MAX {
                return Some(Err(endless("the list of jobs does not end")));
            }
            self.query = Some(ListQuery { start_token: Some(token), ..query });
        }
        Some(Ok(Answered { value: jobs, date }))
    }
}

/// A request before it has its endpoint and key.
struct Ask<'a> {
    /// What it is called in logs.
    name: &'static str,
    method: Method,
    path: String,
    job: Option<&'a JobId>,
    lane: Lane,
    limit: AnswerLimit,
    timeout: Duration,
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
        self.read_over(id, Lane::Reads).await
    }

    /// Reads a job over the connections of the calls, so that an [`activate`](Self::activate) or
    /// [`deactivate`](Self::deactivate) that follows within [`Timeouts::idle_calls`] finds an open one.
    pub async fn read_for_call(&self, id: &JobId) -> Result<Answered<Job>, LiveError> {
        self.read_over(id, Lane::Calls).await
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
        Pages { client: self, query: Some(query), tokens: BTreeSet::new() }
    }

    async fn read_over(&self, id: &JobId, lane: Lane) -> Result<Answered<Job>, LiveError> {
        let name = match lane {
            Lane::Reads => "read",
            Lane::Calls => "read_for_call",
        };
        let path = format!("/v1/jobs/{}", percent_encode(id.as_str()));
        let limit = AnswerLimit::DEFAULT;
        let timeout = self.account.timeouts.read;
        let answer = self.send(Ask { name, method: Method::GET, path, job: Some(id), lane, limit, timeout }).await?;
        Ok(Answered { date: answer.date(), value: answer.job(id)? })
    }

    async fn call(&self, name: &'static str, id: &JobId) -> Result<Answered<()>, LiveError> {
        let path = format!("/v1/jobs/{}/{name}", percent_encode(id.as_str()));
        let (lane, limit) = (Lane::Calls, AnswerLimit::DEFAULT);
        let timeout = self.account.timeouts.call;
        let answer = self.send(Ask { name, method: Method::PUT, path, job: Some(id), lane, limit, timeout }).await?;
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
        Ask {
            name: "list",
            method: Method::GET,
            path,
            job: None,
            lane: Lane::Reads,
            limit: AnswerLimit::LIST,
            timeout: self.account.timeouts.list,
        }
    }

    async fn send(&self, ask: Ask<'_>) -> Result<Answer<'_>, LiveError> {
        let (name, job, timeout, begun) = (ask.name, ask.job, ask.timeout, Instant::now());
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
            status,
            error = error.map(tracing::field::display),
            millis = begun.elapsed().as_millis(),
            "Live API"
        );
        answer
    }

    async fn exchange(&self, ask: Ask<'_>) -> Result<Answer<'_>, LiveError> {
        let key = &self.account.key;
        let request = self.request(&ask)?;
        let response = self.transport.send(request).await.map_err(|error| match error {
            TransportError::NotSent(reason) => LiveError::NotSent { reason: excerpt(key, &reason) },
            TransportError::Lost(reason) => LiveError::ConnectionLost { reason: excerpt(key, &reason) },
        })?;
        let (head, body) = response.into_parts();
        Ok(Answer { status: head.status, headers: head.headers, body, key })
    }

    fn request(&self, ask: &Ask<'_>) -> Result<Request<Bytes>, LiveError> {
        let mut builder = Request::builder()
            .method(&ask.method)
            .uri(format!("{}{}", self.account.endpoint, ask.path))
            .header(API_KEY, self.account.key.header())
            .header(ACCEPT, JSON)
            .extension(ask.lane)
            .extension(ask.limit);
        if ask.method == Method::PUT {
            // hyper leaves the length of an empty body out, and some servers answer that with 411.
            builder = builder.header(CONTENT_TYPE, JSON).header(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        builder.body(Bytes::new()).map_err(|error| LiveError::NotSent { reason: error.to_string() })
    }
}

fn endless(why: &str) -> LiveError {
    LiveError::NotTheApi { status: 200, why: why.to_owned(), body: String::new() }
}

/// Leaves unreserved characters (RFC 3986) as they are and encodes the rest.
fn percent_encode(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
            encoded.push('%');
            encoded.extend(digits.map(char::from));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreserved_characters_stand_in_paths_and_queries_as_they_are() {
        assert_eq!(percent_encode("aZ09-._~"), "aZ09-._~");
        assert_eq!(percent_encode("a/../b?c=d&e#f%g h+ä"), "a%2F..%2Fb%3Fc%3Dd%26e%23f%25g%20h%2B%C3%A4");
    }
}
