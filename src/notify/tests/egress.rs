//! docs/cases.md, case 95: a notification is a request that somebody else has made up, and it goes where it may only.

use std::process::Command;
use std::time::Duration;

use testbed::{How, Receiver};

use super::rig::*;
use crate::notify::*;

const METADATA: &str = "169.254.169.254";

fn not_allowed(kind: AddressRefused) -> Outcome {
    Outcome::NotAllowed(NotAllowed::Address(kind))
}

/// Nothing is opened.
fn closed(names: &[(&str, &[&[&str]])]) -> Sender {
    sender_with(Guard::default(), Names::new(names), SendTimeouts::default())
}

#[tokio::test]
async fn case_95_an_address_in_the_url_is_refused_in_every_notation() {
    use AddressRefused::{Loopback, Metadata, Private, Unspecified};
    let receiver = Receiver::start(&[]).unwrap();
    // Each reaches the receiver where loopback is open: nothing but the guard keeps them from it.
    let loopback = [
        "127.0.0.1",
        "127.1",
        "127.0.0.1.",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0X7F.0.0.1",
        "0177.0.0.1",
        "017700000001",
        "%31%32%37.0.0.1",
        "１２７.0.0.1",
        "127。0。0。1",
    ];
    for host in loopback {
        let post = post(&format!("http://{host}:{}/", receiver.port()));
        assert_eq!(send(&closed(&[]), &post).await, not_allowed(Loopback), "{host}");
        assert!(receiver.received().is_empty(), "{host}");
    }
    for host in loopback {
        let post = post(&format!("http://{host}:{}/", receiver.port()));
        assert_eq!(send(&sender(), &post).await, Outcome::Delivered { code: 200 }, "{host}");
    }
    let before = receiver.received().len();
    for (host, kind) in [
        ("0.0.0.0", Unspecified),
        ("0", Unspecified),
        ("[::]", Unspecified),
        ("[::1]", Loopback),
        ("[0:0:0:0:0:0:0:1]", Loopback),
        ("[::ffff:127.0.0.1]", Loopback),
        ("[::ffff:7f00:1]", Loopback),
        ("[::127.0.0.1]", Loopback),
        ("[64:ff9b::127.0.0.1]", Loopback),
        ("[2002:7f00:1::]", Loopback),
        (METADATA, Metadata),
        ("2852039166", Metadata),
        ("0xa9fea9fe", Metadata),
        ("0251.0376.0251.0376", Metadata),
        ("169.254.43518", Metadata),
        ("[::ffff:a9fe:a9fe]", Metadata),
        ("[fd00:ec2::254]", Metadata),
        ("10.1", Private),
        ("0xc0a80001", Private),
    ] {
        let post = post(&format!("http://{host}:{}/", receiver.port()));
        assert_eq!(send(&closed(&[]), &post).await, not_allowed(kind), "{host}");
    }
    assert_eq!(receiver.received().len(), before);
}

#[tokio::test]
async fn case_95_names_of_inner_services_are_refused_by_their_addresses() {
    use AddressRefused::{Loopback, Metadata, Private};
    for (name, address, kind) in [
        ("metadata.google.internal", METADATA, Metadata),
        ("kubernetes.default.svc", "10.96.0.1", Private),
        ("localhost", "127.0.0.1", Loopback),
        ("localhost", "::1", Loopback),
        ("127.0.0.1.nip.test", "127.0.0.1", Loopback),
        ("mapped.test", "::ffff:169.254.169.254", Metadata),
    ] {
        let sender = closed(&[(name, &[&[address]])]);
        for scheme in ["http", "https"] {
            let post = post(&format!("{scheme}://{name}/computeMetadata/v1/"));
            assert_eq!(send(&sender, &post).await, not_allowed(kind), "{name}");
        }
    }
}

#[tokio::test]
async fn case_95_a_name_that_turns_into_the_metadata_service_at_delivery_is_refused_then() {
    let receiver = Receiver::start(&[]).unwrap();
    let names = Names::new(&[("receiver.test", &[&["127.0.0.1"], &[METADATA]])]);
    let sender = sender_with(loopback_open(), names.clone(), SendTimeouts::default());
    let post = post(&format!("http://receiver.test:{}/", receiver.port()));

    assert_eq!(send(&sender, &post).await, Outcome::Delivered { code: 200 });
    assert_eq!(names.asked(), ["receiver.test"], "the address that was checked is dialled, and not asked for again");
    assert_eq!(send(&sender, &post).await, not_allowed(AddressRefused::Metadata));
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn case_95_one_refused_address_among_a_names_addresses_is_enough() {
    let receiver = Receiver::start(&[]).unwrap();
    for addresses in [["127.0.0.1", "10.0.0.1"], ["10.0.0.1", "127.0.0.1"], ["127.0.0.1", "fd12::1"]] {
        let names = Names::new(&[("mixed.test", &[&addresses])]);
        let sender = sender_with(loopback_open(), names, SendTimeouts::default());
        let post = post(&format!("http://mixed.test:{}/", receiver.port()));
        assert_eq!(send(&sender, &post).await, not_allowed(AddressRefused::Private), "{addresses:?}");
    }
    assert!(receiver.received().is_empty());
}

#[tokio::test]
async fn case_95_a_redirect_to_the_metadata_service_goes_nowhere() {
    let receiver = Receiver::start(&[]).unwrap();
    let names = Names::new(&[]);
    let sender = sender_with(loopback_open(), names.clone(), SendTimeouts::default());
    for to in ["http://169.254.169.254/latest/meta-data/", "http://metadata.google.internal/", "//169.254.169.254/"] {
        receiver.answer(How::redirect(302, to));
        let outcome = send(&sender, &post(&receiver.url())).await;
        assert_eq!(outcome, Outcome::Refused { code: 302, retry_after: None }, "{to}");
    }
    assert_eq!(names.asked(), [""; 0]);
}

const BEHIND_PROXY: &str = "JOBSTARTSTOP_TEST_BEHIND_PROXY";

/// The environment belongs to a process, so this test runs itself in another, whose variables all name a proxy.
#[tokio::test]
async fn case_95_proxy_variables_do_not_lead_past_the_check() {
    if std::env::var_os(BEHIND_PROXY).is_some() {
        return behind_a_proxy().await;
    }
    let proxy = Receiver::start(&[]).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    let name = "notify::tests::egress::case_95_proxy_variables_do_not_lead_past_the_check";
    child.args(["--exact", name, "--nocapture"]).env(BEHIND_PROXY, "1");
    for variable in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        child.env(variable, format!("http://127.0.0.1:{}", proxy.port()));
    }
    child.env_remove("NO_PROXY").env_remove("no_proxy");
    let output = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let passed: Vec<_> = proxy.received().iter().map(|received| received.header("host").to_owned()).collect();
    assert_eq!(passed, ["control.test"], "what heeds the variables, and no notification");
}

async fn behind_a_proxy() {
    let receiver = Receiver::start(&[]).unwrap();
    assert_eq!(send(&sender(), &post(&receiver.url())).await, Outcome::Delivered { code: 200 });
    assert_eq!(receiver.received().len(), 1);
    let sender = closed(&[("inner.test", &[&["10.0.0.1"]])]);
    for url in ["http://inner.test/", "https://inner.test/"] {
        assert_eq!(send(&sender, &post(url)).await, not_allowed(AddressRefused::Private));
    }
    assert_eq!(send(&sender, &post("http://169.254.169.254/")).await, not_allowed(AddressRefused::Metadata));
    // The variables are there: a client that heeds them goes to the proxy.
    let heedful = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
    assert_eq!(heedful.get("http://control.test/").send().await.unwrap().status(), 200);
}
