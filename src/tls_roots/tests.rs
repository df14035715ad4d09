use std::sync::Arc;

use ::pem::Pem;
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

fn file(text: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

fn in_pem(tag: &str, bytes: &[u8]) -> String {
    ::pem::encode(&Pem::new(tag, bytes))
}

/// A private authority, in PEM, and the port of a server of `localhost` that it vouches for.
async fn authority_and_server() -> (String, u16) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name = DistinguishedName::new();
    authority.distinguished_name.push(DnType::CommonName, "a private authority");
    let root = authority.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(authority, authority_key);

    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap().der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = [0; 1024];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await;
            let _ = stream.shutdown().await;
        }
    });
    (in_pem("CERTIFICATE", root.der()), port)
}

async fn ask(roots: &TlsRoots, port: u16) -> reqwest::Result<u16> {
    // Another test may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = roots.client(Client::builder().no_proxy()).unwrap();
    client.get(format!("https://localhost:{port}/")).send().await.map(|answer| answer.status().as_u16())
}

fn refused(file: &NamedTempFile) -> String {
    TlsRoots::bundled().and_of_file(file.path()).unwrap_err().to_string()
}

#[test]
fn every_bundled_root_can_be_used() {
    let mut store = RootCertStore::empty();
    let (usable, ignored) = store.add_parsable_certificates(TlsRoots::bundled().certificates.iter().cloned());
    assert!(usable > 100, "{usable} are not what browsers believe");
    assert_eq!(ignored, 0);
}

#[tokio::test]
async fn a_private_authority_is_believed_once_its_file_is_given_and_not_before() {
    let (authority, port) = authority_and_server().await;
    let refusal = ask(&TlsRoots::bundled(), port).await.unwrap_err();
    assert!(format!("{refusal:?}").contains("UnknownIssuer"), "{refusal:?}");

    let roots = TlsRoots::bundled().and_of_file(file(&authority).path()).unwrap();
    assert_eq!(ask(&roots, port).await.unwrap(), 204);
    assert_eq!(roots.len(), TlsRoots::bundled().len() + 1, "those that are built in stay");
}

#[tokio::test]
async fn another_authority_vouches_for_nobody() {
    let (_, port) = authority_and_server().await;
    let (another, _) = authority_and_server().await;
    let roots = TlsRoots::bundled().and_of_file(file(&another).path()).unwrap();
    assert!(ask(&roots, port).await.is_err());
}

#[tokio::test]
async fn a_file_may_hold_several_certificates_and_words_between_them() {
    let (one, one_port) = authority_and_server().await;
    let (other, other_port) = authority_and_server().await;
    let roots = TlsRoots::bundled().and_of_file(file(&format!("Ours\n{one}\nTheirs\n{other}")).path()).unwrap();
    assert_eq!(ask(&roots, one_port).await.unwrap(), 204);
    assert_eq!(ask(&roots, other_port).await.unwrap(), 204);
}

#[tokio::test]
async fn a_file_that_is_wrong_says_how_and_adds_nothing() {
    let (authority, _) = authority_and_server().await;
    let key = in_pem("PRIVATE KEY", &KeyPair::generate().unwrap().serialize_der());
    let half = authority.replace("-----END CERTIFICATE-----", "");
    let second = format!("{authority}{}", in_pem("CERTIFICATE", b"not one"));
    for (text, sentence) in [
        ("", "holds no certificate in PEM"),
        ("no PEM at all\n", "holds no certificate in PEM"),
        (&*key, "holds no certificate in PEM"),
        (&half, "is no whole PEM file"),
        (&second, "holds a certificate that cannot be read, number 2"),
    ] {
        assert_eq!(refused(&file(text)), sentence, "{text}");
    }
    let missing = TlsRoots::bundled().and_of_file(Path::new("/nowhere/ca.crt")).unwrap_err().to_string();
    assert!(missing.starts_with("cannot be read: No such file"), "{missing}");
}
