//! docs/cases.md, case 97: nothing that a receiver says, and no secret of the one who notifies, is told to anybody.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use testbed::{How, Receiver};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::rig::*;
use crate::notify::*;
use crate::observe::Captured;

/// In all that the receiver says.
const SAID: &str = "said-by-the-receiver";
/// In the URL's path and query, the body, and (as base64) the signing secret.
const SECRETS: [&str; 3] = ["path-of-the-url", "text-of-the-body", "c2lnbmluZy1zZWNyZXQtb2YtYS1yZWNlaXZlcg=="];

fn telling(base: &str) -> Post {
    Post {
        body: format!(r#"{{"action":"activate","workflow":"{}"}}"#, SECRETS[1]),
        secrets: vec![secret(&format!("whsec_{}", SECRETS[2]))],
        ..post(&format!("{base}/{}?{}", SECRETS[0], SECRETS[0]))
    }
}

/// Sends to a server that writes these bytes and closes.
async fn answered_with(bytes: String) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut some = [0; 64];
        stream.read_exact(&mut some).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        // To the end: closing with unread bytes would break the connection off before the answer is there.
        while stream.read(&mut some).await.is_ok_and(|read| read > 0) {}
    };
    let post = telling(&base);
    let sender = sender();
    let (outcome, ()) = tokio::join!(send(&sender, &post), server);
    outcome
}

#[tokio::test]
async fn case_97_what_the_receiver_says_and_what_is_secret_is_told_nowhere() {
    let (log, _here) = Captured::start();

    let mut shown = String::new();
    let mut show = |outcome: Outcome| writeln!(shown, "{outcome} {outcome:?}").unwrap();
    let receiver = Receiver::start(&[]).unwrap();
    let base = receiver.url().replace("/live/callbacks", "");
    let (sender, post) = (sender(), telling(&base));
    for code in [200, 302, 400, 401, 410, 429, 500, 503] {
        let headers = ["location", "retry-after", "server", "www-authenticate", "set-cookie", SAID];
        let headers = BTreeMap::from(headers.map(|name| (name.to_owned(), format!("http://{SAID}/"))));
        receiver.answer(How::Answer { code, headers, body: SAID.repeat(100) });
        show(send(&sender, &post).await);
    }
    assert_eq!(receiver.received().len(), 8);
    receiver.answer(How::Close);
    show(send(&sender, &post).await);
    // Not HTTP, a status line with a text of its own, and a head that breaks off.
    for bytes in
        [format!("{SAID}\r\n\r\n"), format!("HTTP/1.1 500 {SAID}\r\n\r\n"), format!("HTTP/1.1 200 OK\r\n{SAID}: ")]
    {
        show(answered_with(bytes).await);
    }
    show(send(&sender, &telling("https://unknown.test")).await);
    show(send(&sender, &telling("http://10.0.0.1")).await);
    show(sender.send(&telling(&base.replace("http:", "https:")), Timestamp::now()).await);
    write!(shown, "{post:?} {:?} {} {sender:?} {:?}", post.url, post.url, post.secrets).unwrap();

    let logged = log.text();
    assert!(logged.contains("a notification was tried") && logged.contains("refused (HTTP 429)"), "{logged}");
    assert!(shown.contains("refused (HTTP 503)") && shown.contains("no answer: closed"), "{shown}");
    for text in [shown, logged] {
        for secret in SECRETS.into_iter().chain([SAID]) {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
}
