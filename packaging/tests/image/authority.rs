//! A private authority, and TLS in front of a server that has none.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use pem::Pem;
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// An authority that no browser knows, and a server that it vouches for.
pub(crate) struct Authority {
    /// Its certificate, in PEM.
    pub(crate) root: String,
    config: Arc<ServerConfig>,
}

impl Authority {
    /// Vouches for a server of this name.
    pub(crate) fn of(name: &str) -> Self {
        let (own_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let mut own = CertificateParams::default();
        own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        own.distinguished_name = DistinguishedName::new();
        own.distinguished_name.push(DnType::CommonName, "a private authority");
        let root = pem::encode(&Pem::new("CERTIFICATE", own.self_signed(&own_key).unwrap().der().to_vec()));
        let issuer = Issuer::new(own, own_key);
        let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        Self { root, config: Arc::new(config) }
    }

    /// Serves TLS on a free port, and passes what is said on to `behind`. For as long as this program runs.
    pub(crate) fn in_front_of(&self, behind: SocketAddr) -> u16 {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let acceptor = TlsAcceptor::from(Arc::clone(&self.config));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        thread::spawn(move || runtime.block_on(pass_on(listener, acceptor, behind)));
        port
    }
}

async fn pass_on(listener: std::net::TcpListener, acceptor: TlsAcceptor, behind: SocketAddr) {
    let listener = TcpListener::from_std(listener).unwrap();
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let mut inside = TcpStream::connect(behind).await.unwrap();
            if let Ok(mut outside) = acceptor.accept(stream).await {
                let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
            }
        });
    }
}
