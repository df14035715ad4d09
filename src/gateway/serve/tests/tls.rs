use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pem::Pem;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::pki_types::CertificateDer;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::interval;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::harness::{Client, SOON, Server, get_of, patient, within};
use crate::gateway::serve::{Drained, Limits, Tls, TlsError, TlsFiles};
use crate::observe::Captured;

/// A certificate for `localhost` and its key, in PEM.
struct Pair {
    certificate: String,
    key: String,
    der: CertificateDer<'static>,
}

fn pair_until(year: i32, month: u8, day: u8) -> Pair {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(year, month, day);
    let der = params.self_signed(&key).unwrap().der().clone();
    Pair {
        certificate: pem::encode(&Pem::new("CERTIFICATE", der.to_vec())),
        key: pem::encode(&Pem::new("PRIVATE KEY", key.serialize_der())),
        der,
    }
}

fn pair() -> Pair {
    pair_until(2090, 1, 1)
}

/// A Secret's volume: the kubelet writes a directory for each version and turns one link to it.
struct Volume {
    directory: TempDir,
    versions: u32,
}

impl Volume {
    fn with(pair: &Pair) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for name in ["tls.crt", "tls.key"] {
            symlink(Path::new("..data").join(name), directory.path().join(name)).unwrap();
        }
        let mut volume = Self { directory, versions: 0 };
        volume.hold(&pair.certificate, &pair.key);
        volume
    }

    fn hold(&mut self, certificate: &str, key: &str) {
        self.versions += 1;
        let (root, version) = (self.directory.path(), format!("..version-{}", self.versions));
        fs::create_dir(root.join(&version)).unwrap();
        fs::write(root.join(&version).join("tls.crt"), certificate).unwrap();
        fs::write(root.join(&version).join("tls.key"), key).unwrap();
        symlink(&version, root.join("..next")).unwrap();
        fs::rename(root.join("..next"), root.join("..data")).unwrap();
    }

    fn files(&self) -> TlsFiles {
        let path = |name| self.directory.path().join(name);
        TlsFiles { certificate: path("tls.crt"), key: path("tls.key") }
    }

    async fn load(&self) -> Result<Tls, TlsError> {
        Ok(self.files().load().await?.looking_every(Duration::from_millis(5)))
    }
}

async fn secured(
    server: &Server,
    version: &'static SupportedProtocolVersion,
    trusted: &[&Pair],
) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    for pair in trusted {
        roots.add(pair.der.clone()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(server.address).await.unwrap();
    let name = "localhost".try_into().unwrap();
    within(TlsConnector::from(Arc::new(config)).connect(name, stream)).await.unwrap()
}

/// Connects until the server shows this certificate.
async fn until_shown(server: &Server, wanted: &Pair, trusted: &[&Pair]) {
    let shown = async {
        let mut tries = interval(Duration::from_millis(5));
        loop {
            tries.tick().await;
            let stream = secured(server, &TLS13, trusted).await;
            if stream.get_ref().1.peer_certificates().unwrap()[0] == wanted.der {
                return;
            }
        }
    };
    within(shown).await;
}

async fn until_logged(log: &Captured, text: &str) {
    let logged = async {
        let mut tries = interval(Duration::from_millis(5));
        while log.lines(text).is_empty() {
            tries.tick().await;
        }
    };
    within(logged).await;
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_served() {
    let pair = pair();
    let volume = Volume::with(&pair);
    let server = Server::start_with(patient(), Some(volume.load().await.unwrap())).await;
    for (version, spoken) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        let stream = secured(&server, version, &[&pair]).await;
        assert_eq!(stream.get_ref().1.protocol_version(), Some(spoken));
        let mut client = Client::over(stream);
        assert_eq!(client.ask(&get_of("/hello")).await.body, "hello");
        assert_eq!(client.ask(&get_of("/hello")).await.body, "hello");
    }
    let mut idle = Client::over(secured(&server, &TLS13, &[&pair]).await);
    assert_eq!(idle.ask(&get_of("/hello")).await.body, "hello");
    server.stop.cancel();
    idle.closed().await;
    assert_eq!(within(server.ended).await.unwrap(), Drained::Whole);
}

#[tokio::test]
async fn limits_are_kept_under_tls_too() {
    let pair = pair();
    let volume = Volume::with(&pair);
    let limits = Limits { head: SOON, head_bytes: 300, ..patient() };
    let server = Server::start_with(limits, Some(volume.load().await.unwrap())).await;
    let mut client = Client::over(secured(&server, &TLS13, &[&pair]).await);
    client.send("GET /hello HTTP/1.1\r\nPadding: ").await;
    client.trickle("x").await;
    assert!(client.answer().await.refuses_with(408));
    client.closed().await;
    let mut client = Client::over(secured(&server, &TLS13, &[&pair]).await);
    assert!(client.ask(&get_of(&"/".repeat(300))).await.refuses_with(431));
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_cut_off() {
    let volume = Volume::with(&pair());
    let server = Server::start_with(Limits { handshake: SOON, ..patient() }, Some(volume.load().await.unwrap())).await;
    server.connect().await.closed().await;
    assert_eq!(server.seen.lines(), ["handshake_too_slow"]);
}

#[tokio::test]
async fn plain_http_is_no_handshake() {
    let volume = Volume::with(&pair());
    let server = Server::start_with(patient(), Some(volume.load().await.unwrap())).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, get_of("/hello").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = within(tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer)).await;
    assert!(!answer.starts_with(b"HTTP"));
    assert_eq!(server.seen.lines(), ["handshake_failed"]);
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections_and_open_ones_stay() {
    let (old, new) = (pair(), pair());
    let mut volume = Volume::with(&old);
    let server = Server::start_with(patient(), Some(volume.load().await.unwrap())).await;
    let mut open = Client::over(secured(&server, &TLS13, &[&old]).await);
    assert_eq!(open.ask(&get_of("/hello")).await.body, "hello");
    volume.hold(&new.certificate, &new.key);
    until_shown(&server, &new, &[&old, &new]).await;
    assert_eq!(open.ask(&get_of("/hello")).await.body, "hello");
}

#[tokio::test]
async fn a_broken_pair_is_told_once_and_the_one_before_stays() {
    let (log, _guard) = Captured::start();
    let told = ["is not the key of the certificate", "holds no private key", "tls.crt: No such file"];
    let (old, new) = (pair(), pair());
    let mut volume = Volume::with(&old);
    let server = Server::start_with(patient(), Some(volume.load().await.unwrap())).await;
    volume.hold(&new.certificate, &old.key);
    until_logged(&log, told[0]).await;
    until_shown(&server, &old, &[&old]).await;
    volume.hold(&new.certificate, "");
    until_logged(&log, told[1]).await;
    until_shown(&server, &old, &[&old]).await;
    fs::remove_file(volume.directory.path().join("..data")).unwrap();
    until_logged(&log, told[2]).await;
    until_shown(&server, &old, &[&old]).await;
    volume.hold(&new.certificate, &new.key);
    until_shown(&server, &new, &[&old, &new]).await;
    for text in told {
        assert_eq!(log.lines(text).len(), 1, "{}", log.text());
    }
}

#[tokio::test]
async fn what_cannot_be_served_with_is_told_by_file() {
    let (one, other) = (pair(), pair());
    let canary = "canary0123456789";
    for (certificate, key, told) in [
        ("", &*one.key, "tls.crt: holds no certificate"),
        (&one.key, &one.key, "tls.crt: holds no certificate"),
        ("-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n", &one.key, "tls.crt: holds a certificate that"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            &one.key,
            "tls.crt: holds a certificate that",
        ),
        (&one.certificate, "", "tls.key: holds no private key"),
        (&one.certificate, &one.certificate, "tls.key: holds no private key"),
        (&one.certificate, &format!("-----BEGIN {canary}\n{canary}\n"), "tls.key: holds no private key"),
        (
            &one.certificate,
            &format!("-----BEGIN PRIVATE KEY-----\n{canary}\n-----END PRIVATE KEY-----\n"),
            "tls.key: holds no private key",
        ),
        (&one.certificate, &other.key, "tls.key: is not the key of the certificate in "),
        (&"x".repeat(1024 * 1024 + 1), &one.key, "tls.crt: is larger than"),
    ] {
        let mut volume = Volume::with(&one);
        volume.hold(certificate, key);
        let Err(error) = volume.load().await else { panic!("it is used: {certificate} {key}") };
        assert!(error.to_string().contains(told), "{error} is not {told}");
        assert!(!format!("{error} {error:?}").contains(canary));
    }
    let nowhere = TlsFiles { certificate: "/nowhere/tls.crt".into(), key: "/nowhere/tls.key".into() };
    let Err(error) = nowhere.load().await else { panic!("it is used") };
    assert!(error.to_string().starts_with("/nowhere/tls.crt: No such file"), "{error}");
}

#[tokio::test]
async fn a_certificate_is_warned_of_a_week_before_its_end() {
    let (log, _guard) = Captured::start();
    let mut volume = Volume::with(&pair_until(2026, 12, 3));
    let server = Server::start_with(patient(), Some(volume.load().await.unwrap())).await;
    let soon = pair_until(2026, 12, 2);
    volume.hold(&soon.certificate, &soon.key);
    until_logged(&log, "expires soon").await;
    volume.hold(&soon.certificate, "");
    until_logged(&log, "holds no private key").await;
    let later = pair();
    volume.hold(&later.certificate, &later.key);
    until_shown(&server, &later, &[&soon, &later]).await;
    let told = log.lines("the certificate expires soon");
    assert!(told[0].contains("expires=2026-12-02T00:00:00Z"), "{}", told[0]);
    assert_eq!(told.len(), 1, "not at each look");
}
