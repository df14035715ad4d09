//! Whose signature makes a server believed: the roots of TLS to the Live API and to receivers of notifications.
//!
//! The API server's certificate is checked against what the kubeconfig or the service account says, and not here.

use std::io;
use std::path::Path;
use std::sync::Arc;

use reqwest::{Certificate, Client, ClientBuilder};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Root certificates: Mozilla's, which are built in, and those that a file adds.
///
/// Those of the machine are not looked at: the same servers are believed wherever the operator runs, also where there
/// are none, as in its image. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TlsRoots {
    certificates: Arc<[CertificateDer<'static>]>,
}

/// Why a file adds no roots. What is in it is not repeated.
#[derive(Debug, thiserror::Error)]
pub enum CaFileError {
    /// The system does not let it be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// A section of it has no end, or is no base64.
    #[error("is no whole PEM file")]
    Malformed,
    /// It may have keys or other things, but no certificate.
    #[error("holds no certificate in PEM")]
    NoCertificate,
    /// A section that says it is a certificate is none.
    #[error("holds a certificate that cannot be read, number {number}")]
    NoRoot {
        /// Which of its certificates, from 1.
        number: usize,
    },
}

impl TlsRoots {
    /// Those that are built in, and no others.
    pub fn bundled() -> Self {
        Self { certificates: webpki_root_certs::TLS_SERVER_ROOT_CERTS.into() }
    }

    /// These, and all that are in a PEM file. A file of which any part cannot be used adds none.
    pub fn and_of_file(&self, path: &Path) -> Result<Self, CaFileError> {
        let text = std::fs::read(path)?;
        let added: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(&text).collect::<Result<_, _>>().map_err(|_| CaFileError::Malformed)?;
        if added.is_empty() {
            return Err(CaFileError::NoCertificate);
        }
        let mut store = RootCertStore::empty();
        for (index, certificate) in added.iter().enumerate() {
            store.add(certificate.clone()).map_err(|_| CaFileError::NoRoot { number: index + 1 })?;
        }
        Ok(Self { certificates: self.certificates.iter().cloned().chain(added).collect() })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.certificates.len()
    }

    /// Whether there is none: nothing is believed then.
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }

    /// Makes an HTTP client that believes these and no others.
    pub(crate) fn client(&self, builder: ClientBuilder) -> reqwest::Result<Client> {
        let certificates =
            self.certificates.iter().map(|der| Certificate::from_der(der)).collect::<reqwest::Result<Vec<_>>>()?;
        builder.tls_certs_only(certificates).build()
    }
}

#[cfg(test)]
mod tests;
