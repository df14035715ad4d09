use super::harness::{KEY, NEVER, SOON, Server, get_of, get_with_key, patient, post_of, rate, within};
use crate::gateway::serve::Limits;

#[tokio::test]
async fn a_head_may_have_so_many_bytes_and_no_more() {
    let server = Server::start(Limits { head_bytes: 300, ..patient() }).await;
    let padded = |by: usize| format!("GET /hello HTTP/1.1\r\nHost: x\r\nPadding: {}\r\n\r\n", "x".repeat(by));
    let most = 300 - padded(0).len();
    assert_eq!(server.ask(&padded(most)).await.status, 200);
    assert!(server.ask(&padded(most + 1)).await.refuses_with(431));
    assert!(server.ask(&padded(100_000)).await.refuses_with(431));
    let mut endless = server.connect().await;
    endless.send(&format!("GET /hello HTTP/1.1\r\nPadding: {}", "x".repeat(260))).await;
    endless.trickle("x").await;
    assert!(endless.answer().await.refuses_with(431));
    endless.closed().await;
    assert!(server.seen.lines().contains(&"head_too_large".to_owned()));
}

#[tokio::test]
async fn a_request_may_have_so_many_headers_and_no_more() {
    let server = Server::start(Limits { headers: 8, ..patient() }).await;
    let with = |headers: usize| format!("GET /hello HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(headers));
    assert_eq!(server.ask(&with(8)).await.status, 200);
    assert!(server.ask(&with(9)).await.refuses_with(431));
}

#[tokio::test]
async fn a_head_that_trickles_is_cut_off() {
    let server = Server::start(Limits { head: SOON, ..patient() }).await;
    let mut client = server.connect().await;
    client.send("GET /hello HTTP/1.1\r\nPadding: ").await;
    client.trickle("x").await;
    assert!(client.answer().await.refuses_with(408));
    client.closed().await;
    let mut client = server.connect().await;
    assert_eq!(client.ask(&get_of("/hello")).await.status, 200);
    client.send("GET ").await;
    client.trickle("/").await;
    assert!(client.answer().await.refuses_with(408), "a second request has no more time");
}

#[tokio::test]
async fn a_client_that_sends_nothing_is_cut_off() {
    let server = Server::start(Limits { head: SOON, ..patient() }).await;
    server.connect().await.closed().await;
}

#[tokio::test]
async fn a_connection_is_kept_between_requests_for_a_time() {
    let server = Server::start(Limits { idle: SOON, ..patient() }).await;
    let mut client = server.connect().await;
    assert_eq!(client.ask(&get_of("/hello")).await.status, 200);
    assert_eq!(client.ask(&get_of("/hello")).await.status, 200);
    client.closed().await;
}

#[tokio::test]
async fn a_body_may_have_so_many_bytes_and_no_more() {
    let server = Server::start(Limits { body_bytes: 10, ..patient() }).await;
    let chunked =
        |chunks: &str| format!("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n");
    assert_eq!(server.ask(&post_of(10, "0123456789")).await.body, "0123456789");
    assert_eq!(server.ask(&chunked("5\r\n01234\r\n5\r\n56789\r\n")).await.body, "0123456789");
    assert!(server.ask(&post_of(11, "")).await.refuses_with(413), "announced, and not waited for");
    assert!(server.ask(&post_of(11, "01234567890")).await.refuses_with(413));
    assert!(server.ask(&chunked("5\r\n01234\r\n6\r\n567890\r\n")).await.refuses_with(413));
    let large = chunked(&format!("800000\r\n{}\r\n", "x".repeat(0x80_0000)));
    let mut client = server.connect().await;
    assert!(client.ask(&large).await.refuses_with(413), "a client that is still sending can read it");
    client.closed().await;
    let announced = format!("POST /echo HTTP/1.1\r\nContent-Length: {}\r\n\r\n", 1_u64 << 60);
    assert!(server.ask(&announced).await.refuses_with(413));
}

#[tokio::test]
async fn a_body_that_trickles_is_cut_off() {
    let server = Server::start(Limits { body: SOON, ..patient() }).await;
    let chunked = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (head, bytes) in [(post_of(60_000, ""), "x"), (chunked.to_owned(), "1\r\nx\r\n")] {
        let mut client = server.connect().await;
        client.send(&head).await;
        client.trickle(bytes).await;
        assert!(client.answer().await.refuses_with(408));
        client.closed().await;
    }
}

#[tokio::test]
async fn a_body_that_is_none_is_refused() {
    let server = Server::start(patient()).await;
    let request = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n";
    assert!(server.ask(request).await.refuses_with(400));
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_a_503() {
    let server = Server::start(Limits { answer: SOON, ..patient() }).await;
    let mut client = server.connect().await;
    let answer = client.ask(&get_of("/never")).await;
    assert!(answer.refuses_with(503));
    assert!(answer.head.contains("retry-after: 1\r\n"));
    assert_eq!(client.ask(&get_of("/hello")).await.status, 200, "the connection is kept");
    assert_eq!(server.seen.lines()[..2], ["answer_too_slow", "GET /never 503"]);
}

#[tokio::test]
async fn a_client_that_takes_no_answer_is_cut_off() {
    let server = Server::start(Limits { taking: SOON, connections: 1, ..patient() }).await;
    let mut client = server.connect().await;
    client.send(&get_of("/large")).await;
    assert_eq!(server.ask(&get_of("/hello")).await.status, 200, "its place is free again");
    assert!(server.seen.lines().contains(&"answer_not_taken".to_owned()));
}

#[tokio::test]
async fn so_many_requests_are_answered_at_once() {
    let server = Server::start(Limits { requests: 1, ..patient() }).await;
    let mut first = server.connect().await;
    first.send(&get_of("/gate")).await;
    within(server.gate.entered.notified()).await;
    let answer = server.ask(&get_of("/hello")).await;
    assert!(answer.refuses_with(503));
    assert!(answer.head.contains("retry-after: 1\r\n"));
    server.gate.leave.notify_one();
    assert_eq!(first.answer().await.body, "passed");
    assert_eq!(server.ask(&get_of("/hello")).await.status, 200);
}

#[tokio::test]
async fn a_client_that_still_sends_its_body_holds_no_place_of_a_request() {
    let server = Server::start(Limits { requests: 1, ..patient() }).await;
    let mut slow = server.connect().await;
    slow.send(&post_of(2, "x")).await;
    assert_eq!(server.ask(&get_of("/hello")).await.status, 200);
    assert_eq!(slow.ask("y").await.body, "xy");
}

#[tokio::test]
async fn one_connection_too_many_waits_for_one_to_end() {
    let server = Server::start(Limits { connections: 1, ..patient() }).await;
    let mut first = server.connect().await;
    first.send(&get_of("/gate")).await;
    within(server.gate.entered.notified()).await;
    let mut second = server.connect().await;
    second.send(&get_of("/hello")).await;
    let unanswered = tokio::time::timeout(SOON, second.head()).await;
    assert!(unanswered.is_err(), "it waits");
    server.gate.leave.notify_one();
    assert_eq!(first.answer().await.body, "passed");
    assert_eq!(second.answer().await.body, "hello");
}

#[tokio::test]
async fn the_connection_that_did_nothing_for_longest_makes_room() {
    let server = Server::start(Limits { connections: 2, ..patient() }).await;
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    for client in [&mut second, &mut first] {
        assert_eq!(client.ask(&get_of("/hello")).await.status, 200);
    }
    let mut third = server.connect().await;
    assert_eq!(third.ask(&get_of("/hello")).await.status, 200);
    second.closed().await;
    assert_eq!(first.ask(&get_of("/hello")).await.status, 200);
    assert_eq!(server.seen.lines().iter().filter(|line| *line == "made_room").count(), 1);
}

#[tokio::test]
async fn connections_that_never_send_keep_nobody_out() {
    let server = Server::start(Limits { connections: 2, ..patient() }).await;
    let mut silent = Vec::new();
    for _ in 0..10 {
        silent.push(server.connect().await);
    }
    assert_eq!(server.ask(&get_of("/hello")).await.status, 200);
}

#[tokio::test]
async fn a_client_above_its_rate_is_told_when_to_try_again() {
    let server = Server::start(Limits { rate: rate(1, 3), ..patient() }).await;
    let mut client = server.connect().await;
    assert_eq!(client.ask(&get_with_key("/jobs/1", KEY)).await.status, 404, "and the key is known from now on");
    assert_eq!(client.ask(&get_with_key("/jobs/1", "made-up-1")).await.status, 401);
    assert_eq!(client.ask(&get_with_key("/jobs/1", "made-up-2")).await.status, 401);
    let answer = client.ask(&get_with_key("/jobs/1", "made-up-3")).await;
    assert!(answer.refuses_with(429), "each made-up key counts for the address");
    assert!(answer.head.contains("retry-after: 1\r\n"));
    for _ in 0..3 {
        assert_eq!(client.ask(&get_with_key("/jobs/1", KEY)).await.status, 404, "a known key has a rate of its own");
    }
    assert!(client.ask(&get_with_key("/jobs/1", KEY)).await.refuses_with(429));
}

#[tokio::test]
async fn a_refusal_before_the_body_leaves_none_of_it_behind() {
    let server = Server::start(Limits { rate: rate(1, 1), ..patient() }).await;
    let mut client = server.connect().await;
    assert_eq!(client.ask(&get_of("/hello")).await.status, 200);
    let hidden = get_of("/hello");
    let answer = client.ask(&post_of(hidden.len(), &hidden)).await;
    assert!(answer.refuses_with(429));
    assert!(answer.head.contains("connection: close\r\n"));
    client.closed().await;
}

#[test]
fn what_is_set_is_what_the_documentation_says() {
    let limits = Limits::default();
    assert_eq!((limits.head_bytes, limits.body_bytes), (16_384, 65_536));
    assert_eq!((limits.rate.per_second.get(), limits.rate.burst.get()), (20, 40));
    assert!(limits.answer < NEVER);
}
