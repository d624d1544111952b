//! Listening with TLS: a certificate and its key from files, which may be changed while somebody listens.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{self, ServerConfig, client};

/// Why two files are not a certificate and its key.
#[derive(Debug, thiserror::Error)]
pub enum TlsFilesError {
    /// A file is not what it should be.
    #[error("{path} {what}")]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Both can be read, and do not go together.
    #[error("{key} is not the key of the certificate in {cert}: {why}")]
    Pair {
        /// The certificate.
        cert: PathBuf,
        /// The key.
        key: PathBuf,
        /// In the library's words.
        why: rustls::Error,
    },
}

/// What tells that a file has changed: when it was written, and how long it is; `None`: it is not there.
pub type FileMark = Option<(SystemTime, u64)>;

/// The mark of a file now.
pub fn file_mark(file: &Path) -> FileMark {
    let found = std::fs::metadata(file).ok()?;
    Some((found.modified().ok()?, found.len()))
}

/// A server's certificate and key, ready to be used. Cheap to clone; every clone has the same.
#[derive(Clone)]
pub struct TlsServer {
    files: Arc<[PathBuf; 2]>,
    current: Arc<RwLock<Current>>,
}

#[derive(Clone)]
struct Current {
    acceptor: TlsAcceptor,
    leaf: CertificateDer<'static>,
    marks: [FileMark; 2],
}

impl TlsServer {
    /// From two PEM files: the chain, the server's certificate first, and its key.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn from_files(cert: &Path, key: &Path) -> Result<Self, TlsFilesError> {
        let current = Current::read(cert, key)?;
        let files = Arc::new([cert.to_owned(), key.to_owned()]);
        Ok(Self { files, current: Arc::new(RwLock::new(current)) })
    }

    /// Takes what the files hold now, if they have changed; whether they had. What cannot be used changes nothing: a
    /// certificate and its key are two files, and one is written before the other.
    ///
    /// # Errors
    /// What is wrong with which file, once for each change.
    pub fn renew(&self) -> Result<bool, TlsFilesError> {
        let [cert, key] = &*self.files;
        let marks = [file_mark(cert), file_mark(key)];
        if self.current().marks == marks {
            return Ok(false);
        }
        let read = Current::read(cert, key);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.marks = marks;
        *current = Current { marks, ..read? };
        Ok(true)
    }

    fn current(&self) -> Current {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Does the server's part of a handshake.
    pub fn acceptor(&self) -> TlsAcceptor {
        self.current().acceptor
    }

    /// Whether the certificate is for a server of this name or address.
    pub fn bears(&self, name: &str) -> bool {
        let leaf = self.current().leaf;
        let (Ok(certificate), Ok(name)) = (ParsedCertificate::try_from(&leaf), ServerName::try_from(name)) else {
            return false;
        };
        client::verify_server_name(&certificate, &name).is_ok()
    }
}

impl Current {
    fn read(cert: &Path, key: &Path) -> Result<Self, TlsFilesError> {
        let marks = [file_mark(cert), file_mark(key)];
        let wrong = |path: &Path, what: String| TlsFilesError::File { path: path.to_owned(), what };
        let read = |path: &Path| std::fs::read(path).map_err(|error| wrong(path, format!("cannot be read: {error}")));
        let chain = CertificateDer::pem_slice_iter(&read(cert)?).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|error| wrong(cert, format!("is no PEM file: {error}")))?;
        let leaf = chain.first().cloned().ok_or_else(|| wrong(cert, "holds no certificate".to_owned()))?;
        let secret = PrivateKeyDer::from_pem_slice(&read(key)?);
        let secret = secret.map_err(|error| wrong(key, format!("holds no private key: {error}")))?;
        let pair = |why| TlsFilesError::Pair { cert: cert.to_owned(), key: key.to_owned(), why };
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().map_err(pair)?;
        let mut config = config.with_no_client_auth().with_single_cert(chain, secret).map_err(pair)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), leaf, marks })
    }
}
