use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::harness::{NEVER, SOON, Server, get_of, patient, post_of, within};
use crate::gateway::serve::{Drained, Limits};

#[tokio::test]
async fn an_idle_interface_ends_at_once_and_takes_nobody_any_more() {
    let server = Server::start(Limits { shutdown: 5 * SOON, ..patient() }).await;
    let (mut silent, mut idle) = (server.connect().await, server.connect().await);
    assert_eq!(idle.ask(&get_of("/hello")).await.status, 200);
    server.stop.cancel();
    silent.closed().await;
    idle.closed().await;
    assert_eq!(within(server.ended).await.unwrap(), Drained::Whole);
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_request_under_way_is_finished() {
    let server = Server::start(patient()).await;
    let mut client = server.connect().await;
    client.send(&get_of("/gate")).await;
    within(server.gate.entered.notified()).await;
    let mut sending = server.connect().await;
    sending.send(&post_of(2, "x")).await;
    // It has to be a request by then, and not a connection with some bytes in the kernel.
    assert_eq!(server.ask(&get_of("/hello")).await.status, 200);
    server.stop.cancel();
    assert_eq!(sending.ask("y").await.body, "xy");
    server.gate.leave.notify_one();
    let answer = client.answer().await;
    assert_eq!(answer.body, "passed");
    assert!(answer.head.contains("connection: close\r\n"));
    client.closed().await;
    assert_eq!(within(server.ended).await.unwrap(), Drained::Whole);
}

#[tokio::test]
async fn a_request_that_does_not_end_is_cut_off() {
    let server = Server::start(Limits { shutdown: SOON, ..patient() }).await;
    let mut client = server.connect().await;
    client.send(&get_of("/gate")).await;
    within(server.gate.entered.notified()).await;
    server.stop.cancel();
    assert_eq!(within(server.ended).await.unwrap(), Drained::CutOff { connections: 1 });
    client.closed().await;
    assert_eq!(server.seen.lines(), ["GET /gate -"]);
}

#[tokio::test]
async fn a_panic_is_a_500_for_its_request_alone() {
    let server = Server::start(patient()).await;
    let mut client = server.connect().await;
    assert!(client.ask(&get_of("/panic")).await.refuses_with(500));
    assert_eq!(client.ask(&get_of("/hello")).await.body, "hello");
    assert_eq!(server.seen.lines(), ["panicked", "GET /panic 500", "GET /hello 200"]);
}

#[tokio::test]
async fn unusual_requests_do_no_harm() {
    let server = Server::start(patient()).await;
    for (request, status) in [
        ("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        ("OPTIONS /hello HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        ("GET http://elsewhere.example/hello HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        ("GET /hello HTTP/1.0\r\n\r\n", 200),
        ("GET /hello HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", 200),
        ("GET /hello HTTP/1.1\r\nConnection: upgrade, http2-settings\r\nUpgrade: h2c\r\n\r\n", 200),
        ("TRACE /hello HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        ("BREW /hello HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        ("GET /%00%2e%2e/%ff HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        ("GET //hello HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    ] {
        assert_eq!(server.ask(request).await.status, status, "{request}");
    }
    let mut client = server.connect().await;
    let tunnel = client.ask("CONNECT elsewhere.example:443 HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(tunnel.refuses_with(405));
    for request in [
        "no http\r\n\r\n",
        "GET /hello HTTP/3.0\r\n\r\n",
        "GET /hello HTTP/1.1\r\nNo colon\r\n\r\n",
        "GET /hello HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "GET /hello HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut client = server.connect().await;
        assert!(client.ask(request).await.refuses_with(400), "{request}");
        client.closed().await;
    }
}

#[tokio::test]
async fn a_head_request_has_no_body() {
    let server = Server::start(patient()).await;
    let mut client = server.connect().await;
    client.send("HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(client.head().await.starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(client.ask(&get_of("/hello")).await.body, "hello");
}

#[tokio::test]
async fn requests_sent_at_once_are_answered_in_turn() {
    let server = Server::start(Limits { idle: NEVER, ..patient() }).await;
    let mut client = server.connect().await;
    client.send(&(get_of("/hello") + &post_of(3, "abc") + &get_of("/nowhere") + "bad\r\n\r\n")).await;
    assert_eq!(client.answer().await.body, "hello");
    assert_eq!(client.answer().await.body, "abc");
    assert_eq!(client.answer().await.status, 404);
    assert_eq!(client.answer().await.status, 400);
    client.closed().await;
}

#[tokio::test]
async fn a_client_that_closes_its_side_is_answered() {
    let server = Server::start(patient()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(get_of("/gate").as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    within(server.gate.entered.notified()).await;
    // By the time of another's answer its end has been seen.
    assert_eq!(server.ask(&get_of("/hello")).await.status, 200);
    server.gate.leave.notify_one();
    let mut answer = String::new();
    within(stream.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.ends_with("\r\n\r\npassed"), "{answer}");
}
