//! The client as its callers and the other end of the wire see it.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use reqwest::dns::{Name, Resolve, Resolving};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tower::service_fn;

use super::testing::*;
use super::*;
use crate::observe::Captured;

mod scheduler;

/// A transport in this process that answers from a list and keeps what it was asked.
fn scripted(answers: &[&str]) -> (Transport, Arc<Mutex<Vec<Request<Bytes>>>>) {
    let answers: VecDeque<_> = answers.iter().map(|body| Bytes::copy_from_slice(body.as_bytes())).collect();
    let (answers, asked) = (Arc::new(Mutex::new(answers)), Arc::new(Mutex::new(Vec::new())));
    let requests = asked.clone();
    let transport = Transport::new(service_fn(move |request| {
        asked.lock().unwrap().push(request);
        let body = answers.lock().unwrap().pop_front().unwrap();
        async move { Ok(Response::new(body)) }
    }));
    (transport, requests)
}

fn in_process(transport: Transport) -> LiveClient {
    client(transport, VENDOR, Timeouts::default())
}

fn headers(head: &str) -> Vec<String> {
    let mut headers: Vec<_> = head.trim_end().lines().skip(1).map(str::to_owned).collect();
    headers.sort();
    headers
}

#[tokio::test]
async fn a_call_on_the_wire() {
    let server = Server::start(|| Reply::Write(good())).await;
    let client = http_client(&server.endpoint);

    client.activate(&id()).await.unwrap();
    client.deactivate(&id()).await.unwrap();

    let [activate, deactivate] = server.requests().try_into().unwrap();
    assert!(activate.starts_with(&format!("PUT /v1/jobs/{ID}/activate HTTP/1.1\r\n")), "{activate}");
    assert!(deactivate.starts_with(&format!("PUT /v1/jobs/{ID}/deactivate HTTP/1.1\r\n")), "{deactivate}");
    let expected = [
        "accept: application/json".to_owned(),
        "content-length: 0".to_owned(),
        "content-type: application/json".to_owned(),
        format!("host: {}", server.endpoint.trim_start_matches("http://")),
        format!("user-agent: jobstartstop/{}", env!("CARGO_PKG_VERSION")),
        format!("x-api-key: {KEY}"),
    ];
    assert_eq!(headers(&activate), expected);
    assert_eq!(headers(&deactivate), expected);
}

#[tokio::test]
async fn a_read_on_the_wire() {
    let server = Server::start(|| Reply::Write(good())).await;

    let job = http_client(&server.endpoint).read(&id()).await.unwrap();

    assert_eq!((job.value.id.as_str(), job.value.state.as_deref()), (ID, Some("standby")));
    assert_eq!(job.date.unwrap().to_string(), "2026-11-25T04:00:00Z");
    let [read] = server.requests().try_into().unwrap();
    assert!(read.starts_with(&format!("GET /v1/jobs/{ID} HTTP/1.1\r\n")), "{read}");
    assert!(read.contains(&format!("x-api-key: {KEY}\r\n")), "{read}");
}

/// docs/cases.md, case 29: what repeating cannot heal is sent once, and told in the vendor's words.
#[tokio::test]
async fn case_29_400_401_403_404_409_and_422_are_not_retried_and_keep_the_vendors_message() {
    for status in [400, 401, 403, 404, 409, 422] {
        let said = format!("the vendor's words for {status}");
        let body = serde_json::json!({ "message": said }).to_string();
        let server = Server::start(move || Reply::Write(answer(status, "", &body))).await;
        let client = http_client(&server.endpoint);
        let errors = [
            client.read(&id()).await.unwrap_err(),
            client.activate(&id()).await.unwrap_err(),
            client.deactivate(&id()).await.unwrap_err(),
        ];
        let of_scheduler = scheduler::all(&client).await.map(|(_, result)| result.unwrap_err());
        let list = client.list(&ListQuery::default()).await.unwrap_err();
        assert_eq!(server.requests().len(), errors.len() + of_scheduler.len() + 1, "{status}: one request each");
        // A 404 to the list is none of the API's, and keeps its body all the same.
        assert!(format!("{list:?}").contains(&said), "{status}: {list:?}");
        for error in errors.into_iter().chain(of_scheduler) {
            assert!(error.to_string().contains(&said), "{status}: {error}");
            assert!(error.retry_after().is_none());
        }
    }
    // Such a server would answer the second try.
    let server = Server::start(|| Reply::Write(good())).await;
    http_client(&server.endpoint).activate(&id()).await.unwrap();
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_the_key_stays() {
    let target = Server::start(|| Reply::Write(good())).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("Location: {}/v1/jobs/{ID}/activate?x=1\r\n", target.endpoint);
        let server = Server::start(move || Reply::Write(answer(status, &location, ""))).await;
        let client = http_client(&server.endpoint);

        for error in [client.activate(&id()).await.unwrap_err(), client.read(&id()).await.unwrap_err()] {
            assert!(matches!(&error, LiveError::NotTheApi { status: s, .. } if *s == status), "{error:?}");
            assert!(error.to_string().contains("a redirect to 127.0.0.1, which is not followed"), "{error}");
        }
        assert_eq!(server.requests().len(), 2);
    }
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn an_unreachable_server_is_told_as_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);

    let error = http_client(&endpoint).activate(&id()).await.unwrap_err();

    assert!(matches!(&error, LiveError::NotSent { reason } if reason.contains("refused")), "{error:?}");
    assert!(error.certainly_refused());
}

#[tokio::test]
async fn a_failed_tls_handshake_is_told_as_not_sent() {
    let server = Server::start(|| Reply::Write(good())).await;
    let endpoint = server.endpoint.replace("http://", "https://");

    let error = http_client(&endpoint).activate(&id()).await.unwrap_err();

    assert!(matches!(error, LiveError::NotSent { .. }), "{error:?}");
    assert_eq!(server.requests(), [""; 0]);
}

#[tokio::test]
async fn a_proxy_that_refuses_to_connect_is_told_as_not_sent() {
    let proxy = Server::start(|| Reply::WriteAndClose(answer(407, "", ""))).await;
    let timeouts = Timeouts::default();
    let through_proxy =
        http_transport(&timeouts, |builder| builder.proxy(reqwest::Proxy::all(&proxy.endpoint).unwrap()));

    let error = client(through_proxy, VENDOR, timeouts).activate(&id()).await.unwrap_err();

    assert!(matches!(error, LiveError::NotSent { .. }), "{error:?}");
    let [connect] = proxy.requests().try_into().unwrap();
    assert!(connect.starts_with("CONNECT api.bcovlive.io:443 ") && !connect.contains(KEY), "{connect}");
}

#[derive(Clone)]
struct NoNames;

impl Resolve for NoNames {
    fn resolve(&self, _: Name) -> Resolving {
        Box::pin(async { Err("no such name".into()) })
    }
}

#[derive(Clone)]
struct SlowNames;

impl Resolve for SlowNames {
    fn resolve(&self, _: Name) -> Resolving {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_told_as_not_sent() {
    let timeouts = Timeouts::default();
    let transport = http_transport(&timeouts, |builder| builder.no_proxy().dns_resolver(Arc::new(NoNames)));

    let error = client(transport, VENDOR, timeouts).activate(&id()).await.unwrap_err();

    assert!(matches!(&error, LiveError::NotSent { reason } if reason.contains("no such name")), "{error:?}");
}

#[tokio::test]
async fn connecting_that_takes_too_long_is_told_as_not_sent_and_not_as_unanswered() {
    let timeouts = Timeouts { connect: Duration::from_millis(20), ..Timeouts::default() };
    let transport = http_transport(&timeouts, |builder| builder.no_proxy().dns_resolver(Arc::new(SlowNames)));

    let error = client(transport, VENDOR, timeouts).activate(&id()).await.unwrap_err();

    assert!(matches!(error, LiveError::NotSent { .. }), "{error:?}");
}

#[tokio::test]
async fn a_connection_closed_after_the_request_is_told_as_lost() {
    let good_but_cut = good().replace("Content-Length: ", "Content-Length: 1");
    for written in [String::new(), "HTTP/1.1 2".to_owned(), good_but_cut] {
        let server = Server::start(move || Reply::WriteAndClose(written.clone())).await;

        let error = http_client(&server.endpoint).activate(&id()).await.unwrap_err();

        assert!(matches!(error, LiveError::ConnectionLost { .. }), "{error:?}");
        assert!(error.unanswered());
        assert_eq!(server.requests().len(), 1, "sent once, not repeated");
    }
}

#[tokio::test]
async fn an_answer_over_the_bound_is_given_up_while_it_comes() {
    let server = Server::start(|| Reply::WriteForever("HTTP/1.1 200 OK\r\n\r\n".to_owned())).await;

    let error = http_client(&server.endpoint).read(&id()).await.unwrap_err();

    let LiveError::ConnectionLost { reason } = error else { panic!("{error:?}") };
    assert_eq!(reason, "the answer is longer than 1048576 bytes");
}

#[tokio::test]
async fn a_call_goes_over_the_connection_that_the_read_before_it_opened() {
    let server = Server::start(|| Reply::Write(good())).await;
    let client = http_client(&server.endpoint);

    client.read(&id()).await.unwrap();
    assert_eq!(server.connections(), 1);
    client.read_for_call(&id()).await.unwrap();
    assert_eq!(server.connections(), 2, "reads leave nothing behind that a call would use");
    client.activate(&id()).await.unwrap();
    assert_eq!(server.connections(), 2, "the call found the connection warm");
}

#[tokio::test]
async fn a_connection_idle_for_too_long_carries_no_call() {
    let server = Server::start(|| Reply::Write(good())).await;
    let timeouts = Timeouts { idle_calls: Duration::from_millis(30), ..Timeouts::default() };
    let client = client(http_transport(&timeouts, reqwest::ClientBuilder::no_proxy), &server.endpoint, timeouts);

    client.read_for_call(&id()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(60)).await;
    client.activate(&id()).await.unwrap();

    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_meanwhile_carries_no_call() {
    let server = Server::start(|| Reply::WriteAndClose(good())).await;
    let client = http_client(&server.endpoint);

    client.read_for_call(&id()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    client.activate(&id()).await.unwrap();

    assert_eq!((server.connections(), server.requests().len()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_slow_server_runs_into_the_timeout_of_each_request() {
    let never = Transport::new(service_fn(|_| async {
        tokio::time::sleep(Duration::from_hours(1)).await;
        Ok(Response::default())
    }));
    let client = in_process(never);
    let begun = Instant::now();
    let after = |seconds| LiveError::TimedOut { after: Duration::from_secs(seconds) };

    assert_eq!(client.activate(&id()).await, Err(after(5)));
    assert_eq!(client.deactivate(&id()).await, Err(after(5)));
    assert_eq!(client.read(&id()).await, Err(after(5)));
    assert_eq!(client.read_for_call(&id()).await, Err(after(5)));
    assert_eq!(client.list(&ListQuery::default()).await, Err(after(10)));
    assert_eq!(begun.elapsed(), Duration::from_secs(30));
    assert!(after(5).unanswered());
}

#[tokio::test]
async fn a_call_answered_for_another_job_is_not_accepted() {
    let (transport, _) = scripted(&[r#"{"id":"another"}"#, r#"{"id":"another"}"#, r#"{"id":"another"}"#]);
    let client = in_process(transport);
    for error in [
        client.activate(&id()).await.unwrap_err(),
        client.deactivate(&id()).await.unwrap_err(),
        client.read(&id()).await.unwrap_err(),
    ] {
        assert!(matches!(&error, LiveError::NotTheApi { why, .. } if why.contains("another")), "{error:?}");
        assert!(error.unanswered());
    }
}

fn lane_and_limit(request: &Request<Bytes>) -> (Lane, AnswerLimit) {
    (*request.extensions().get().unwrap(), *request.extensions().get().unwrap())
}

#[tokio::test]
async fn a_simulator_sees_lane_and_limit() {
    let job = format!(r#"{{"id":"{ID}"}}"#);
    let (transport, asked) = scripted(&[&job, &job, &job, r#"{"jobs":[]}"#]);
    let client = in_process(transport);

    client.read(&id()).await.unwrap();
    client.read_for_call(&id()).await.unwrap();
    client.activate(&id()).await.unwrap();
    client.list(&ListQuery::default()).await.unwrap();

    let seen: Vec<_> = asked.lock().unwrap().iter().map(lane_and_limit).collect();
    assert_eq!(
        seen,
        [
            (Lane::Reads, AnswerLimit::DEFAULT),
            (Lane::Calls, AnswerLimit::DEFAULT),
            (Lane::Calls, AnswerLimit::DEFAULT),
            (Lane::Reads, AnswerLimit::LIST),
        ]
    );
}

async fn whole_list(client: &LiveClient, static_only: bool) -> Result<Vec<Job>, LiveError> {
    let (mut pages, mut jobs) = (client.pages(static_only), Vec::new());
    while let Some(page) = pages.next().await {
        jobs.extend(page?.value);
    }
    Ok(jobs)
}

#[tokio::test]
async fn the_list_is_read_to_its_end() {
    let (transport, asked) = scripted(&[
        r#"{"jobs":[{"id":"a","static":true}],"next_token":"t&1"}"#,
        r#"{"jobs":[{"id":"b"}],"next_token":"t2"}"#,
        r#"{"jobs":[]}"#,
    ]);

    let jobs = whole_list(&in_process(transport), true).await.unwrap();

    assert_eq!(jobs.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let asked: Vec<_> = asked.lock().unwrap().iter().map(|request| request.uri().to_string()).collect();
    assert_eq!(
        asked,
        [
            "https://api.bcovlive.io/v1/jobs?page_size=1000&static=true",
            "https://api.bcovlive.io/v1/jobs?page_size=1000&static=true&start_token=t%261",
            "https://api.bcovlive.io/v1/jobs?page_size=1000&static=true&start_token=t2",
        ]
    );
}

#[tokio::test]
async fn a_list_without_end_is_given_up() {
    let (transport, asked) = scripted(&[r#"{"jobs":[],"next_token":"same"}"#; 9]);
    let error = whole_list(&in_process(transport), false).await.unwrap_err();
    assert!(error.to_string().contains("leads back"), "{error}");
    assert_eq!(asked.lock().unwrap().len(), 2);

    let pages: Vec<_> = (0..2000).map(|n| format!(r#"{{"jobs":[],"next_token":"{n}"}}"#)).collect();
    let (transport, asked) = scripted(&pages.iter().map(String::as_str).collect::<Vec<_>>());
    let error = whole_list(&in_process(transport), false).await.unwrap_err();
    assert!(error.to_string().contains("does not end"), "{error}");
    assert_eq!(asked.lock().unwrap().len(), 1000);
}

#[tokio::test]
async fn the_key_shows_in_no_debug_output_no_error_and_no_log() {
    let (log, _here) = Captured::start();
    let echo = format!(r#"{{"message":"no such key: {KEY}"}}"#);
    let mut shown = String::new();
    for status in [200, 307, 400, 401, 404, 429, 500] {
        let reply = answer(status, &format!("Location: https://{KEY}/\r\nX-Echo: {KEY}\r\n"), &echo);
        let server = Server::start(move || Reply::Write(reply.clone())).await;
        let client = http_client(&server.endpoint);
        write!(shown, "{client:?} {}", client.key_fingerprint()).unwrap();
        for error in [
            client.read(&id()).await.unwrap_err(),
            client.activate(&id()).await.unwrap_err(),
            client.list(&ListQuery::default()).await.unwrap_err(),
        ] {
            write!(shown, "{error} {error:?}").unwrap();
        }
    }
    let lost = Transport::new(service_fn(|request: Request<Bytes>| async move {
        Err(TransportError::Lost(format!("{request:?} {KEY}")))
    }));
    let error = in_process(lost).activate(&id()).await.unwrap_err();
    write!(shown, "{error} {error:?}").unwrap();

    let logged = log.text();
    assert!(logged.contains("request=\"activate\""), "{logged}");
    for text in [shown, logged] {
        assert!(text.contains(ID) || text.contains("ApiKey(…)"));
        assert!(!text.contains(KEY), "{text}");
    }
}
