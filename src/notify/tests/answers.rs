//! What each answer, and each way to have none, means.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use jiff::{SignedDuration, Timestamp};
use testbed::{How, Receiver};

use super::rig::*;
use crate::notify::*;
use crate::tls_roots::TlsRoots;

fn refused(code: u16) -> Outcome {
    Outcome::Refused { code, retry_after: None }
}

#[tokio::test]
async fn a_notification_on_the_wire() {
    let receiver = Receiver::start(&[]).unwrap();
    let post = post(&format!("{}?token=1", receiver.url()));

    send(&sender(), &post).await;

    let [came] = receiver.received().try_into().unwrap();
    assert_eq!((came.method.as_str(), &*came.path), ("POST", "/live/callbacks?token=1"));
    assert_eq!(came.body, post.body);
    assert_eq!(came.header("content-type"), "application/json");
    assert_eq!(came.header("user-agent"), format!("jobstartstop/{}", env!("CARGO_PKG_VERSION")));
    assert_eq!(came.header("host"), format!("127.0.0.1:{}", receiver.port()));
    let mut names: Vec<_> = came.headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    let expected =
        ["accept", "content-length", "content-type", "host", "user-agent", "webhook-id", "webhook-timestamp"];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn case_94_only_2xx_is_delivered_410_is_gone_and_the_rest_is_refused() {
    let receiver = Receiver::start(&[]).unwrap();
    let (sender, post) = (sender(), post(&receiver.url()));
    let delivered = [200, 201, 202, 204, 299].map(|code| (code, Outcome::Delivered { code }));
    let gone = [(410, Outcome::Gone)];
    let others = [300, 301, 304, 307, 400, 401, 403, 404, 408, 409, 422, 429, 500, 501, 502, 503, 504, 599]
        .map(|code| (code, refused(code)));
    for (code, outcome) in delivered.into_iter().chain(gone).chain(others) {
        receiver.answer(How::code(code));
        assert_eq!(send(&sender, &post).await, outcome, "{code}");
    }
}

#[tokio::test]
async fn case_94_a_redirect_is_refused_and_not_followed() {
    let (receiver, elsewhere) = (Receiver::start(&[]).unwrap(), Receiver::start(&[]).unwrap());
    let (sender, post) = (sender(), post(&receiver.url()));
    for code in [301, 302, 303, 307, 308] {
        receiver.answer(How::redirect(code, &elsewhere.url()));
        assert_eq!(send(&sender, &post).await, refused(code));
    }
    assert_eq!(receiver.received().len(), 5, "each sent once");
    assert!(elsewhere.received().is_empty());
}

#[tokio::test]
async fn case_94_retry_after_comes_back_as_a_wait_of_a_day_at_most() {
    let receiver = Receiver::start(&[]).unwrap();
    let (sender, post) = (sender(), post(&receiver.url()));
    for (code, value, seconds) in [
        (429, "30", Some(30)),
        (503, "7", Some(7)),
        (500, "1", Some(1)),
        (429, "604800", Some(86_400)),
        (429, "?", None),
    ] {
        receiver.answer(How::retry_after(code, value));
        let retry_after = seconds.map(SignedDuration::from_secs);
        assert_eq!(send(&sender, &post).await, Outcome::Refused { code, retry_after }, "{value}");
    }

    receiver.answer(How::retry_after(503, "Wed, 25 Nov 2026 04:01:00 GMT"));
    let at: Timestamp = "2026-11-25T04:00:00Z".parse().unwrap();
    let Outcome::Refused { code: 503, retry_after: Some(wait) } = sender.send(&post, at).await else { panic!() };
    assert!(wait <= SignedDuration::from_mins(1) && wait > SignedDuration::from_secs(20), "{wait}: from the answer on");
}

/// A resolver that does not answer.
#[derive(Debug)]
struct SilentNames;

impl Resolver for SilentNames {
    fn addresses<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        std::future::pending().boxed()
    }
}

#[tokio::test]
async fn case_94_every_way_to_have_no_answer_is_told_apart() {
    let receiver = Receiver::start(&[]).unwrap();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let short = Duration::from_millis(100);
    let hasty = SendTimeouts { whole: short, ..SendTimeouts::default() };
    let names = || Names::new(&[("nowhere.test", &[&[]])]);
    let unanswered = async |how: How, url: &str, timeouts: SendTimeouts| {
        receiver.answer(how);
        send(&sender_with(loopback_open(), names(), timeouts), &post(url)).await
    };
    let (url, patient) = (receiver.url(), SendTimeouts::default());
    let tls = url.replace("http://", "https://");
    for (how, url, timeouts, why) in [
        (How::Never, &*url, hasty, Unanswered::TimedOut),
        (How::Close, &url, patient, Unanswered::Closed),
        (How::code(200), &format!("http://{nobody}/"), patient, Unanswered::ConnectionRefused),
        (How::code(200), &tls, patient, Unanswered::TlsFailed),
        (How::code(200), "http://unknown.test/", patient, Unanswered::NameNotFound),
        (How::code(200), "http://nowhere.test/", patient, Unanswered::NameNotFound),
    ] {
        assert_eq!(unanswered(how, url, timeouts).await, Outcome::Unanswered(why), "{url}");
    }
    let connect = SendTimeouts { connect: short, ..patient };
    let silent = Sender::over_http(loopback_open(), Arc::new(SilentNames), &TlsRoots::bundled(), connect).unwrap();
    assert_eq!(send(&silent, &post("http://silent.test/")).await, Outcome::Unanswered(Unanswered::TimedOut));
}

#[tokio::test]
async fn a_long_body_is_not_waited_for() {
    let receiver = Receiver::start(&[]).unwrap();
    let body = "x".repeat(16 * 1024 * 1024);
    receiver.answer(How::Answer { code: 200, headers: std::collections::BTreeMap::new(), body });
    assert_eq!(send(&sender(), &post(&receiver.url())).await, Outcome::Delivered { code: 200 });
}

#[tokio::test]
async fn plain_http_goes_out_only_where_it_is_allowed() {
    let receiver = Receiver::start(&[]).unwrap();
    let post = Post { allow_http: false, ..post(&receiver.url()) };

    assert_eq!(send(&sender(), &post).await, Outcome::NotAllowed(NotAllowed::PlainHttp));
    assert!(receiver.received().is_empty());
}
