//! An authority that nobody knows, and what it certifies: a server here and a client.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

/// The certificates and keys, as files that have the names of docker's `certs.d`.
#[derive(Debug)]
pub(super) struct Pki {
    dir: TempDir,
}

impl Pki {
    pub(super) fn new() -> Pki {
        let dir = TempDir::with_prefix("ko-pki-").unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let ca = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        fs::write(dir.path().join("ca.crt"), ca).unwrap();
        // skopeo takes `*.cert` and `*.key` for a client's.
        for (name, certificate, key) in [
            ("127.0.0.1", "server.pem", "server-key.pem"),
            ("client.example", "client.cert", "client.key"),
        ] {
            let mut params = CertificateParams::new([name.to_owned()]).unwrap();
            // The authority's is rcgen's default, and whose is the same is taken for
            // self-signed by OpenSSL.
            params.distinguished_name.push(DnType::CommonName, name);
            let pair = KeyPair::generate().unwrap();
            let signed = params.signed_by(&pair, &issuer).unwrap();
            fs::write(dir.path().join(certificate), signed.pem()).unwrap();
            fs::write(dir.path().join(key), pair.serialize_pem()).unwrap();
        }
        Pki { dir }
    }

    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn ca(&self) -> PathBuf {
        self.dir().join("ca.crt")
    }

    pub(super) fn client(&self) -> (PathBuf, PathBuf) {
        (self.dir().join("client.cert"), self.dir().join("client.key"))
    }

    pub(super) fn server(&self) -> (PathBuf, PathBuf) {
        (self.dir().join("server.pem"), self.dir().join("server-key.pem"))
    }
}
