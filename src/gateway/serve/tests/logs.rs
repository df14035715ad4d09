use super::harness::{ID, KEY, Server, get_of, get_with_key, patient};
use crate::gateway::serve::Limits;
use crate::observe::Captured;

#[tokio::test]
async fn a_request_is_a_line() {
    let (log, _guard) = Captured::start();
    let server = Server::start(patient()).await;
    let mut client = server.connect().await;
    assert_eq!(client.ask(&get_with_key(&format!("/jobs/{ID}?page_size=1"), KEY)).await.status, 200);
    assert_eq!(client.ask(&get_of("/panic")).await.status, 500);
    let lines = log.lines(" access: ");
    assert!(lines[0].contains(&format!("method=\"GET\" path=\"/jobs/{ID}\" status=200 bytes=3 duration_ms=")));
    assert!(lines[0].contains("peer=127.0.0.1:") && lines[0].contains("account=\"tv/default\""), "{}", lines[0]);
    assert!(lines[1].contains("path=\"/panic\" status=500") && lines[1].contains("refused=\"panicked\""));
    assert_eq!(lines.len(), 2);
    assert_eq!(log.lines("a request's handler panicked").len(), 1);
}

#[tokio::test]
async fn a_key_shows_in_no_log_wherever_a_client_puts_it() {
    let (log, _guard) = Captured::start();
    let server = Server::start(Limits { head_bytes: 1000, ..patient() }).await;
    let endless = "x".repeat(2000);
    for request in [
        get_with_key(&format!("/jobs/{ID}"), KEY),
        get_of(&format!("/jobs/{KEY}")),
        get_of(&format!("/{KEY}")),
        get_of(&format!("/hello?X-API-KEY={KEY}")),
        format!("GET http://{KEY}@{KEY}/hello HTTP/1.1\r\nHost: {KEY}\r\nAuthorization: {KEY}\r\n\r\n"),
        format!("{KEY} /hello HTTP/1.1\r\nHost: x\r\n\r\n"),
        format!("POST /echo HTTP/1.1\r\nContent-Length: {}\r\n\r\n{KEY}", KEY.len()),
        format!("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{KEY}\r\n"),
        format!("GET /panic?{KEY} HTTP/1.1\r\nX-API-KEY: {KEY}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nX-API-KEY {KEY}\r\n\r\n"),
        format!("{KEY}\r\n\r\n"),
        get_with_key(&format!("/{endless}"), KEY),
    ] {
        let answer = server.ask(&request).await;
        assert!(answer.status == 200 || !answer.body.contains(KEY));
    }
    let text = log.text();
    assert_eq!(log.lines(" access: ").len(), 12, "{text}");
    assert!(!text.contains(KEY), "{text}");
    assert!(!text.contains(&KEY[..12]), "{text}");
}

#[tokio::test]
async fn an_id_that_nobody_knows_could_be_a_key_and_is_not_shown() {
    let (log, _guard) = Captured::start();
    let server = Server::start(patient()).await;
    let key = "0123456789abcdef0123456789abcdef";
    assert_eq!(server.ask(&get_with_key(&format!("/jobs/{key}"), KEY)).await.status, 404);
    assert!(log.lines(" access: ")[0].contains("path=\"/jobs/{id}\" status=404"));
    assert!(!log.text().contains(key));
}
