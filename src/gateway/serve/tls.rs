//! The certificate that the interface shows, and its key.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ring::digest::{Context, Digest, SHA256};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{InconsistentKeys, ServerConfig};
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use x509_cert::der::Decode;

use crate::timetable::Clock;

/// How often the files are looked at. The kubelet itself takes about a minute to bring a changed Secret into a volume.
const EVERY: Duration = Duration::from_secs(10);

/// A chain of certificates has some kilobytes.
const LARGEST_FILE: u64 = 1024 * 1024;

/// So long before its end a certificate is warned of, and so often.
const EXPIRES_SOON: SignedDuration = SignedDuration::from_hours(7 * 24);
const WARN_EVERY: Duration = Duration::from_hours(24);

/// Where a certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate in PEM, followed by those that lead from it to a root.
    pub certificate: PathBuf,
    /// Its private key in PEM: PKCS#8, PKCS#1 or SEC 1, without a password.
    pub key: PathBuf,
}

/// Why files cannot be served with. What is in them is not repeated.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file has more than a mebibyte.
    #[error("{}: is larger than a certificate or a key can be", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// No certificate in PEM.
    #[error("{}: holds no certificate in PEM", path.display())]
    NoCertificate {
        /// The certificate's file.
        path: PathBuf,
    },
    /// A section of the PEM is damaged, or the first certificate is not one.
    #[error("{}: holds a certificate that cannot be read", path.display())]
    CertificateMalformed {
        /// The certificate's file.
        path: PathBuf,
    },
    /// No key in PEM, a damaged one, or one of a kind that is not known.
    #[error(
        "{}: holds no private key in PEM that can be used (PKCS#8, PKCS#1 or SEC 1, without a password)",
        path.display()
    )]
    NoKey {
        /// The key's file.
        path: PathBuf,
    },
    /// The key is another certificate's.
    #[error("{}: is not the key of the certificate in {}", key.display(), certificate.display())]
    Mismatch {
        /// The key's file.
        key: PathBuf,
        /// The certificate's file.
        certificate: PathBuf,
    },
    /// The TLS library refuses its own defaults.
    #[error("TLS cannot be set up: {0}")]
    Unavailable(rustls::Error),
}

/// A certificate that can be served with, and where the next one will be.
pub struct Tls {
    files: TlsFiles,
    loaded: Loaded,
    every: Duration,
}

#[derive(Clone)]
struct Loaded {
    config: Arc<ServerConfig>,
    expires: Option<Timestamp>,
    seen: Vec<u8>,
}

/// Both files as they were.
struct Pair {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl TlsFiles {
    /// Reads the files for the first time.
    pub async fn load(self) -> Result<Tls, TlsError> {
        let loaded = self.understand(&self.read().await?)?;
        Ok(Tls { files: self, loaded, every: EVERY })
    }

    async fn read(&self) -> Result<Pair, TlsError> {
        Ok(Pair { certificate: read(&self.certificate).await?, key: read(&self.key).await? })
    }

    fn understand(&self, pair: &Pair) -> Result<Loaded, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let certificates = self.certificates(&pair.certificate)?;
        let expires = certificates.first().and_then(expires);
        let certified = self.certify(certificates, &pair.key, &provider)?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Unavailable)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Loaded { config: Arc::new(config), expires, seen: pair.digest().as_ref().to_vec() })
    }

    fn certificates(&self, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
        let certificates =
            certificates.map_err(|_| TlsError::CertificateMalformed { path: self.certificate.clone() })?;
        if certificates.is_empty() {
            return Err(TlsError::NoCertificate { path: self.certificate.clone() });
        }
        Ok(certificates)
    }

    fn certify(
        &self,
        certificates: Vec<CertificateDer<'static>>,
        key: &[u8],
        provider: &CryptoProvider,
    ) -> Result<CertifiedKey, TlsError> {
        let no_key = || TlsError::NoKey { path: self.key.clone() };
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| no_key())?;
        let key = provider.key_provider.load_private_key(key).map_err(|_| no_key())?;
        let certified = CertifiedKey::new(certificates, key);
        match certified.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
            Err(rustls::Error::InconsistentKeys(_)) => {
                Err(TlsError::Mismatch { key: self.key.clone(), certificate: self.certificate.clone() })
            }
            Err(_) => Err(TlsError::CertificateMalformed { path: self.certificate.clone() }),
        }
    }
}

impl Pair {
    fn digest(&self) -> Digest {
        let mut context = Context::new(&SHA256);
        context.update(&(self.certificate.len() as u64).to_be_bytes());
        context.update(&self.certificate);
        context.update(&self.key);
        context.finish()
    }
}

impl Tls {
    /// Looks at the files so often, instead of every 10 s.
    #[cfg(test)]
    pub(super) fn looking_every(self, every: Duration) -> Self {
        Self { every, ..self }
    }

    /// What new connections are opened with, and what keeps that up to date.
    pub(super) fn split(self) -> (watch::Receiver<Arc<ServerConfig>>, Watch) {
        let (config, current) = watch::channel(Arc::clone(&self.loaded.config));
        let Self { files, loaded: Loaded { seen, expires, .. }, every } = self;
        (current, Watch { files, every, config, seen, expires, failure: None, warned: None })
    }
}

/// Takes what the files hold next. Both are swapped together or not at all.
pub(super) struct Watch {
    files: TlsFiles,
    every: Duration,
    config: watch::Sender<Arc<ServerConfig>>,
    /// The digest of what was tried last, usable or not.
    seen: Vec<u8>,
    expires: Option<Timestamp>,
    /// What was told last of files that cannot be used.
    failure: Option<String>,
    /// When the end of the certificate was told last, by the monotonic clock.
    warned: Option<Duration>,
}

impl Watch {
    /// Never ends.
    pub(super) async fn run(mut self, clock: &dyn Clock) {
        let mut looks = interval(self.every);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            match self.look().await {
                Ok(()) => {}
                Err(error) => self.tell(&error),
            }
            self.warn_of_end(clock);
        }
    }

    async fn look(&mut self) -> Result<(), TlsError> {
        let pair = self.files.read().await?;
        let digest = pair.digest();
        if digest.as_ref() == self.seen {
            return Ok(());
        }
        if self.files.read().await?.digest().as_ref() != digest.as_ref() {
            // They are being swapped, and this could be one file from before and one from after. Next time.
            return Ok(());
        }
        self.seen = digest.as_ref().to_vec();
        let Loaded { config, expires, .. } = self.files.understand(&pair)?;
        tracing::info!(
            certificate = %self.files.certificate.display(), expires = expires.map(tracing::field::display),
            "a new certificate is used for new connections"
        );
        (self.expires, self.failure, self.warned) = (expires, None, None);
        self.config.send_replace(config);
        Ok(())
    }

    fn tell(&mut self, error: &TlsError) {
        let failure = error.to_string();
        if self.failure.as_ref() != Some(&failure) {
            tracing::warn!(error = failure, "the certificate's files cannot be used; the one before stays in use");
            self.failure = Some(failure);
        }
    }

    fn warn_of_end(&mut self, clock: &dyn Clock) {
        let Some(expires) = self.expires else { return };
        let now = clock.monotonic();
        let is_told = self.warned.is_some_and(|warned| now.saturating_sub(warned) < WARN_EVERY);
        if is_told || expires.duration_since(clock.now()) > EXPIRES_SOON {
            return;
        }
        self.warned = Some(now);
        tracing::warn!(
            certificate = %self.files.certificate.display(), %expires, "the certificate expires soon, or has expired"
        );
    }
}

async fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable = |source| TlsError::Unreadable { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).await.map_err(unreadable)?;
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).await.map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(TlsError::TooLarge { path: path.to_owned() });
    }
    Ok(bytes)
}

fn expires(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let certificate = x509_cert::Certificate::from_der(certificate).ok()?;
    let end = certificate.tbs_certificate().validity().not_after.to_unix_duration();
    Timestamp::from_second(i64::try_from(end.as_secs()).ok()?).ok()
}
