//! Reads the certificates of authorities that this machine trusts: PEM files in
//! the places where Go looks for them.

use std::path::PathBuf;

/// Where the certificates are. Each place that is named stands for the system's
/// of its kind, and only for that, as in Go: with a file of one's own, the
/// system's directories still count. Windows and macOS have a store instead.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RootPlaces {
    /// A file, as of `SSL_CERT_FILE`.
    pub file: Option<PathBuf>,
    /// Directories, as of `SSL_CERT_DIR`.
    pub dirs: Option<Vec<PathBuf>>,
}

#[cfg(all(unix, not(target_os = "macos")))]
mod files {
    use std::path::{Path, PathBuf};

    use rustls::pki_types::CertificateDer;
    use rustls_native_certs::load_certs_from_paths;

    use super::RootPlaces;

    /// Bundles of Linux and the BSDs, in Go's order; the first that exists is
    /// read (`crypto/x509/root_linux.go` and `root_bsd.go`).
    const FILES: [&str; 9] = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/pki/tls/cacert.pem",
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/ssl/cert.pem",
        "/usr/local/etc/ssl/cert.pem",
        "/usr/local/share/certs/ca-root-nss.crt",
        "/etc/openssl/certs/ca-certificates.crt",
    ];

    /// Directories of such files; all are read.
    const DIRS: [&str; 2] = ["/etc/ssl/certs", "/etc/pki/tls/certs"];

    impl RootPlaces {
        /// Reads the certificates. What cannot be read is left out, as in Go.
        pub(crate) fn load(&self) -> Vec<CertificateDer<'static>> {
            let exists = || FILES.map(Path::new).into_iter().find(|file| file.exists());
            let file = self.file.as_deref().or_else(exists);
            let dirs = self.dirs.clone().unwrap_or_else(|| DIRS.map(PathBuf::from).to_vec());
            let mut dirs = dirs.iter();
            // The file often lies in the first directory, and is read once.
            let mut found = load_certs_from_paths(file, dirs.next().map(PathBuf::as_path)).certs;
            for dir in dirs {
                found.extend(load_certs_from_paths(None, Some(dir)).certs);
            }
            found
        }
    }
}
