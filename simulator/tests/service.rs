//! The world over sockets and inside a process.
#![allow(clippy::unwrap_used, reason = "clippy sees tests in #[test] functions only, not beside them")]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::{JOB, KEY, Scene};
use http::Request;
use jiff::{SignedDuration, Timestamp};
use simulator::{
    Dropped, Effect, Fate, Fault, InProcess, NewJob, NewWorkflow, Operation, Outcome, Settings, SharedWorld, World,
    serve,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tower::{Service as _, ServiceExt as _};

struct Running {
    address: SocketAddr,
    world: SharedWorld,
    end: oneshot::Sender<()>,
}

async fn running() -> Running {
    let mut world = World::new(Settings::default());
    world.add_key("ours", KEY, "default");
    world.create_job(Timestamp::now(), NewJob::with_id(JOB)).unwrap();
    let world = SharedWorld::new(world);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (end, ended) = oneshot::channel();
    tokio::spawn(serve(listener, world.clone(), async {
        let _ = ended.await;
    }));
    Running { address, world, end }
}

/// The bare bytes of a call without a body.
fn call(method: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nX-API-KEY: {KEY}\r\nContent-Length: 0\r\n\r\n")
}

/// Sends a call and reads once: an answer, or nothing when the connection is closed.
async fn exchange(stream: &mut TcpStream, call: &str) -> String {
    stream.write_all(call.as_bytes()).await.unwrap();
    let mut buffer = vec![0; 65_536];
    let read = stream.read(&mut buffer).await.unwrap_or(0);
    String::from_utf8(buffer[..read].to_vec()).unwrap()
}

#[tokio::test]
async fn a_connection_serves_many_calls() {
    let running = running().await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let activated = exchange(&mut stream, &call("PUT", "/v1/jobs/studio-1/activate")).await;
    assert!(activated.starts_with("HTTP/1.1 200 OK\r\n"), "{activated}");
    assert!(activated.contains("\r\ndate: "), "{activated}");
    assert!(activated.ends_with(r#"{"id":"studio-1"}"#), "{activated}");
    let read = exchange(&mut stream, &call("GET", "/v1/jobs/studio-1")).await;
    assert!(read.contains("pending_activation"), "{read}");
    let calls = exchange(&mut stream, &call("GET", "/control/calls")).await;
    assert!(calls.contains(r#""operation":"activate""#), "{calls}");
    running.world.with(|world| {
        let call = world.calls().next().unwrap();
        assert!(call.answered_us.unwrap() >= call.received_us);
    });
}

#[tokio::test]
async fn a_drop_closes_the_connection_without_a_byte() {
    let running = running().await;
    for (effect, carried_out) in [(Effect::DropBefore, false), (Effect::DropAfter, true)] {
        running.world.with(|world| world.add_fault(Fault::new(effect).on(Operation::Activate).times(1)));
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        assert_eq!(exchange(&mut stream, &call("PUT", "/v1/jobs/studio-1/activate")).await, "");
        running.world.with(|world| {
            let call = world.calls().last().unwrap();
            assert_eq!((call.outcome, call.status, call.carried_out), (Outcome::Dropped, None, carried_out));
        });
    }
}

#[tokio::test]
async fn a_hang_keeps_the_connection_open_and_silent() {
    let running = running().await;
    running.world.with(|world| world.add_fault(Fault::new(Effect::Hang { carry_out: true })));
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let activate = call("PUT", "/v1/jobs/studio-1/activate");
    let silence = tokio::time::timeout(Duration::from_millis(150), exchange(&mut stream, &activate)).await;
    assert!(silence.is_err());
    running.world.with(|world| {
        let call = world.calls().next().unwrap();
        assert_eq!((call.outcome, call.answered_us, call.carried_out), (Outcome::Hung, None, true));
    });
    // The end of the simulator ends what hangs.
    running.end.send(()).unwrap();
    let mut rest = Vec::new();
    assert_eq!(stream.read_to_end(&mut rest).await.unwrap_or(0), 0);
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn the_date_can_be_wrong() {
    let running = running().await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let settings = Settings { date_skew_seconds: -3_600, ..Settings::default() };
    running.world.with(|world| world.set_settings(settings));
    let answer = exchange(&mut stream, &call("GET", "/v1/jobs")).await;
    let date = answer.lines().find_map(|line| line.strip_prefix("date: ")).unwrap();
    let date = jiff::fmt::rfc2822::parse(date).unwrap().timestamp();
    let behind = Timestamp::now().duration_since(date).as_secs();
    assert!((3_600..3_610).contains(&behind), "{behind}");
}

/// A receiver that answers the statuses in turn, and gives what it got.
async fn receiver(statuses: &'static [u16]) -> (SocketAddr, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let got = tokio::spawn(async move {
        let mut got = Vec::new();
        for status in statuses {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = String::new();
            while !request.ends_with('}') {
                let mut buffer = vec![0; 65_536];
                let read = stream.read(&mut buffer).await.unwrap();
                assert!(read > 0, "it ended after {request}");
                request.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
            }
            let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            got.push(request);
        }
        got
    });
    (address, got)
}

#[tokio::test]
async fn the_schedulers_notifications_are_sent_when_they_are_due_with_nobody_calling() {
    let running = running().await;
    let (address, got) = receiver(&[500, 204]).await;
    running.world.with(|world| {
        let mut settings = world.settings().clone();
        settings.scheduler.notification_retries = 1;
        settings.scheduler.notification_retry_ms = 1;
        world.set_settings(settings);
        let start = Timestamp::now().as_second() + 1;
        let mut new = NewWorkflow::window(JOB, start, start + 3_600);
        new.notification_url = Some(format!("http://{address}/callbacks?show=1"));
        world.schedule(Timestamp::now(), new).unwrap();
    });
    let got = tokio::time::timeout(Duration::from_secs(20), got).await.unwrap().unwrap();
    assert!(got[0].starts_with("POST /callbacks?show=1 HTTP/1.1\r\n"), "{}", got[0]);
    assert!(got[0].to_lowercase().contains("\r\ncontent-type: application/json\r\n"), "{}", got[0]);
    assert!(got[0].contains(r#"{"action":"activate","workflow":{"account_id":"#), "{}", got[0]);
    assert_eq!(got[0].split_once("\r\n\r\n"), got[1].split_once("\r\n\r\n"));
    let delivered = async {
        while running.world.with(|world| world.notifications(Timestamp::now()).next().unwrap().fate) != Fate::Delivered
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), delivered).await.unwrap();
    running.world.with(|world| {
        let notification = world.notifications(Timestamp::now()).next().unwrap();
        assert_eq!((notification.attempts, notification.status), (2, Some(204)));
    });
}

/// A scene's world in the process, on a clock that tokio's paused one turns.
fn in_process() -> InProcess {
    let Scene { world, now } = Scene::new(Settings::default());
    let start = tokio::time::Instant::now();
    let clock = move || now + SignedDuration::try_from(start.elapsed()).unwrap();
    InProcess::new(SharedWorld::new(world), Arc::new(clock))
}

fn activate() -> Request<Bytes> {
    Request::put("/v1/jobs/studio-1/activate").header("X-API-KEY", KEY).body(Bytes::new()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn in_process_latencies_take_virtual_time_only() {
    let mut service = in_process();
    service.world().with(|world| world.add_fault(Fault::new(Effect::Latency { ms: 3_600_000, jitter_ms: 0 })));
    let answer = service.ready().await.unwrap().call(activate()).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["date"], "Tue, 01 Jan 2030 13:00:00 GMT");
    let call = service.world().with(|world| world.calls().next().cloned()).unwrap();
    assert_eq!(call.answered_us.unwrap() - call.received_us, 3_600_000_000);
}

#[tokio::test(start_paused = true)]
async fn in_process_drops_are_errors_and_hangs_last() {
    let service = in_process();
    service.world().with(|world| world.add_fault(Fault::new(Effect::DropAfter).times(1)));
    assert_eq!(service.clone().oneshot(activate()).await.unwrap_err(), Dropped);
    service.world().with(|world| world.add_fault(Fault::new(Effect::Hang { carry_out: false })));
    let a_day = Duration::from_hours(24);
    assert!(tokio::time::timeout(a_day, service.clone().oneshot(activate())).await.is_err());
}

/// `cargo test -p simulator --release --test service -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: how long until the last of 1,000 calls of one instant is received"]
async fn a_thousand_calls_at_one_instant() {
    let running = running().await;
    running.world.with(|world| {
        world.set_settings(Settings { simultaneous_activations: 0, ..Settings::default() });
        for number in 0..1_000 {
            world.create_job(Timestamp::now(), NewJob::with_id(format!("job-{number}"))).unwrap();
        }
    });
    let mut streams = Vec::new();
    for _ in 0..1_000 {
        streams.push(TcpStream::connect(running.address).await.unwrap());
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let start = Timestamp::now().as_microsecond();
    let calls = streams.into_iter().enumerate().map(|(number, mut stream)| {
        tokio::spawn(
            async move { exchange(&mut stream, &call("PUT", &format!("/v1/jobs/job-{number}/activate"))).await },
        )
    });
    for call in calls.collect::<Vec<_>>() {
        assert!(call.await.unwrap().starts_with("HTTP/1.1 200"));
    }
    let after: Vec<_> = running.world.with(|world| world.calls().map(|call| call.received_us - start).collect());
    println!("received after: median {} us, last {} us", after[after.len() / 2], after.iter().max().unwrap());
}
