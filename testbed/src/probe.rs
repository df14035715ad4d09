//! Readiness by a plain GET, blocking and without a connection pool.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
    time::Duration,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};

const TIMEOUT: Duration = Duration::from_secs(2);

/// Whether something listens there.
pub(crate) fn listens(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, TIMEOUT).is_ok()
}

/// The status that a GET over plain HTTP answers.
pub(crate) fn http_status(address: SocketAddr, path: &str) -> io::Result<u16> {
    status(connect(address)?, path, "")
}

/// The status that a GET with a bearer token answers over TLS.
pub(crate) fn https_status(address: SocketAddr, authority: &Path, token: &str, path: &str) -> io::Result<u16> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(authority).map_err(io::Error::other)? {
        roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
    }
    // Named, since a program with two providers in its tree has no default one.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::IpAddress(address.ip().into());
    let client = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let stream = StreamOwned::new(client, connect(address)?);
    status(stream, path, &format!("Authorization: Bearer {token}\r\n"))
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

fn status(mut stream: impl Read + Write, path: &str, header: &str) -> io::Result<u16> {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{header}\r\n")?;
    let mut start = [0; 12];
    stream.read_exact(&mut start)?;
    str::from_utf8(&start)
        .ok()
        .and_then(|line| line.strip_prefix("HTTP/1.1 "))
        .and_then(|code| code.parse().ok())
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}
