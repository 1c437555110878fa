//! The certificate that a server shows: read from files, and read again when they have changed, so
//! that a renewed one needs no restart.

use runners_core::{BootTime, Clock};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{
            CertificateDer, PrivateKeyDer,
            pem::{self, PemObject as _},
        },
    },
};

/// The name of HTTP/2 in the handshake (RFC 7301, section 6).
pub(super) const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// How often the files are looked at, at most, and only when somebody connects.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A certificate with its private key, from two PEM files.
///
/// The files are looked at when somebody connects, at most every five seconds. What cannot be
/// read then, or does not fit together because only one of them was replaced yet, is left for the
/// next look; the certificate that was good stays in use.
#[derive(Debug)]
pub struct TlsIdentity {
    files: Files,
    shown: Mutex<Shown>,
}

#[derive(Clone, Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// What is shown now.
#[derive(Debug)]
struct Shown {
    config: Arc<ServerConfig>,
    /// Of the files it was read from.
    stamp: Stamp,
    looked_at: Option<BootTime>,
}

/// Tells whether the files have changed: when each was written, and how long it is.
type Stamp = [Option<(SystemTime, u64)>; 2];

impl TlsIdentity {
    /// Reads a chain of certificates, the server's own first, and its private key.
    ///
    /// # Errors
    /// A [`TlsError`] that names the file.
    ///
    /// # Cancel safety
    /// Nothing is changed.
    pub async fn open(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Self, TlsError> {
        let files = Files { certificate: certificate.into(), key: key.into() };
        let stamp = files.stamp();
        let config = on_thread(files.clone(), Files::read).await?;
        let shown = Mutex::new(Shown { config: Arc::new(config), stamp, looked_at: None });
        Ok(Self { files, shown })
    }

    /// What accepts a connection, with the newest certificate.
    pub(super) async fn acceptor(&self, clock: &dyn Clock) -> TlsAcceptor {
        if let Some(known) = self.is_to_look(clock.boot()) {
            let changed = on_thread(self.files.clone(), move |files| files.changed_since(known)).await;
            self.take(changed);
        }
        TlsAcceptor::from(Arc::clone(&self.lock().config))
    }

    /// The stamp of what is shown, if it is time to look.
    fn is_to_look(&self, now: BootTime) -> Option<Stamp> {
        let mut shown = self.lock();
        let is_time = shown.looked_at.is_none_or(|at| now.since(at) >= LOOK_EVERY);
        is_time.then(|| {
            shown.looked_at = Some(now);
            shown.stamp
        })
    }

    fn take(&self, changed: Result<Option<(Stamp, ServerConfig)>, TlsError>) {
        match changed {
            Ok(Some((stamp, config))) => {
                tracing::info!(certificate = %self.files.certificate.display(), "certificate was read again");
                let mut shown = self.lock();
                (shown.config, shown.stamp) = (Arc::new(config), stamp);
            }
            Ok(None) => {}
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "certificate has changed and cannot be used: the one before stays");
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files {
    fn stamp(&self) -> Stamp {
        [&self.certificate, &self.key].map(|path| {
            let facts = fs::metadata(path).ok()?;
            Some((facts.modified().ok()?, facts.len()))
        })
    }

    fn changed_since(&self, known: Stamp) -> Result<Option<(Stamp, ServerConfig)>, TlsError> {
        let stamp = self.stamp();
        if stamp == known { Ok(None) } else { self.read().map(|config| Some((stamp, config))) }
    }

    fn read(&self) -> Result<ServerConfig, TlsError> {
        let malformed = |path: &Path| {
            let path = path.to_owned();
            move |source| TlsError::Malformed { path, source }
        };
        let text = read(&self.certificate)?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        let chain = chain.map_err(malformed(&self.certificate))?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate { path: self.certificate.clone() });
        }
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key)?).map_err(|error| match error {
            pem::Error::NoItemsFound => TlsError::NoKey { path: self.key.clone() },
            error => malformed(&self.key)(error),
        })?;
        // The provider is named, so that no default of the process is needed or changed.
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("invariant: the provider has suites for the default versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|source| TlsError::Unfit {
                certificate: self.certificate.clone(),
                key: self.key.clone(),
                source,
            })?;
        config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
        Ok(config)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })
}

/// Files are read where a slow disk holds nobody up.
async fn on_thread<T: Send + 'static>(
    files: Files,
    read: impl FnOnce(&Files) -> Result<T, TlsError> + Send + 'static,
) -> Result<T, TlsError> {
    let path = files.certificate.clone();
    let reading = tokio::task::spawn_blocking(move || read(&files)).await;
    reading.unwrap_or_else(|error| Err(TlsError::Unreadable { path, source: error.into() }))
}

/// Why a certificate cannot be shown, by what must be mended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// Name a file that is there and may be read.
    #[error("could not read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Write the file as PEM.
    #[error("{} is not well-formed PEM", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where it is not.
        source: pem::Error,
    },
    /// Give the file with the certificate, beginning with the server's own.
    #[error("{} holds no certificate: it must have a section BEGIN CERTIFICATE", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// Give the file with the private key.
    #[error("{} holds no private key: it must have a section BEGIN PRIVATE KEY", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// Give the key that belongs to the certificate.
    #[error("{} and {} do not fit together", certificate.display(), key.display())]
    Unfit {
        /// The file with the certificate.
        certificate: PathBuf,
        /// The file with the key.
        key: PathBuf,
        /// What does not fit.
        source: rustls::Error,
    },
}
