//! Finds out how TLS is spoken with a host: which authorities count there besides
//! the system's, who we are, and whether its certificate is looked at. Files are
//! read when the host is first spoken to by TLS, away from the runtime's threads.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use once::blocking;
use reqwest::Url;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use tokio::sync::OnceCell;

use crate::error::RegistryError;
use crate::namespace::host_key;
use crate::options::ClientOptions;
use crate::settings::{IdentityFiles, RegistrySettings, TlsFile};
use crate::trust::{Trust, provider};

/// What TLS with a host takes that is not the same for all.
#[derive(Debug, Default)]
pub(crate) struct HostTls {
    skip_verify: bool,
    authorities: Vec<CertificateDer<'static>>,
    identity: Option<Arc<CertifiedKey>>,
}

/// The host and port of a URL of https, as they are looked up.
fn host_of(url: &Url) -> Option<String> {
    let origin = url.origin().ascii_serialization();
    origin.strip_prefix("https://").map(host_key)
}

/// By host, and by the registry whose tokens it gives if that is another one.
type Hosts<T> = HashMap<(String, Option<String>), Arc<OnceCell<Option<Arc<T>>>>>;

/// Of each host what is made for it alone; `T` holds its connections.
#[derive(Debug)]
pub(crate) struct ByHost<T>(Mutex<Hosts<T>>);

impl<T> Default for ByHost<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> ByHost<T> {
    /// What was made for the host of a URL; `None` if it is spoken to as any other. A
    /// server of tokens is trusted as its registry is, but does not learn who we are.
    pub(crate) async fn get(
        &self,
        url: &Url,
        token_of: Option<&Url>,
        options: &ClientOptions,
        make: impl FnOnce(Arc<Trust>) -> T,
    ) -> Result<Option<Arc<T>>, RegistryError> {
        let Some(host) = host_of(url) else { return Ok(None) };
        let registry = token_of.and_then(host_of).filter(|registry| *registry != host);
        let cell = {
            let mut hosts = self.0.lock().expect("no holder of this lock panics");
            let key = (host.clone(), registry.clone());
            Arc::clone(hosts.entry(key).or_default())
        };
        let made = cell.get_or_try_init(|| async {
            let mut tls = HostTls::read(host, options).await?;
            if let Some(registry) = registry
                && let Some(of_registry) = HostTls::read(registry, options).await?
            {
                let tls = tls.get_or_insert_default();
                tls.skip_verify |= of_registry.skip_verify;
                tls.authorities.extend(of_registry.authorities);
            }
            let Some(tls) = tls else { return Ok::<_, RegistryError>(None) };
            let HostTls { skip_verify, mut authorities, identity } = tls;
            authorities.extend(options.extra_roots()?);
            let trust = match skip_verify || options.skip_verify {
                true => Trust::of_all(identity),
                false => Trust::new(options.roots.clone(), authorities, identity),
            };
            Ok(Some(Arc::new(make(trust))))
        });
        Ok(made.await?.clone())
    }
}

impl HostTls {
    /// Reads the files of a host; `None` if there are none, and nothing else is
    /// said.
    async fn read(host: String, options: &ClientOptions) -> Result<Option<Self>, RegistryError> {
        let settings = options.registries.of(&host);
        let dirs = options.registries.certificate_dirs().to_vec();
        let skip_verify = settings.skip_verify.unwrap_or(false);
        let named = settings.authorities.is_some() || settings.identity.is_some();
        if !named && dirs.is_empty() {
            return Ok(skip_verify.then(|| Self { skip_verify, ..Self::default() }));
        }
        let read = move || {
            let mut tls = Self { skip_verify, ..Self::default() };
            tls.read_dir(&host, &dirs)?;
            tls.read_files(&host, &settings)?;
            let is_own = skip_verify || !tls.authorities.is_empty() || tls.identity.is_some();
            Ok(is_own.then_some(tls))
        };
        blocking(read).await
    }

    /// Reads what settings name. An identity is over one of a directory.
    fn read_files(&mut self, host: &str, settings: &RegistrySettings) -> Result<(), RegistryError> {
        if let Some(file) = &settings.authorities {
            let wrong = wrong(host, file);
            self.authorities.extend(certificates(&file.path).map_err(wrong)?);
        }
        if let Some(files) = &settings.identity {
            self.identity = Some(identity(host, files)?);
        }
        Ok(())
    }

    /// Reads the first directory that there is for a host, as docker and podman
    /// do: `*.crt` are authorities, `*.cert` with `*.key` is who we are. A `*.crt`
    /// without certificates is ignored, as they ignore it.
    fn read_dir(&mut self, host: &str, dirs: &[PathBuf]) -> Result<(), RegistryError> {
        // There, a name cannot have a colon.
        let name = if cfg!(windows) { host.replace(':', "") } else { host.to_owned() };
        let Some(names) = dirs.iter().find_map(|dir| names(&dir.join(&name))) else {
            return Ok(());
        };
        for path in &names {
            let beside = |extension| {
                let path = path.with_extension(extension);
                TlsFile { path, setting: "certs.d".to_owned() }
            };
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("crt") => self.authorities.extend(certificates(path).unwrap_or_default()),
                Some("cert") if self.identity.is_none() => {
                    let files = IdentityFiles { certificate: beside("cert"), key: beside("key") };
                    self.identity = Some(identity(host, &files)?);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The files of a directory, sorted; none if there is no such directory, or it is
/// not for us to read.
fn names(dir: &Path) -> Option<Vec<PathBuf>> {
    let entries = std::fs::read_dir(dir).ok()?;
    let mut names: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    names.sort();
    Some(names)
}

/// The certificates in a file.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if found.is_empty() => Err("there is no certificate in it (PEM)".to_owned()),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("it is no PEM: {error}")),
    }
}

fn identity(host: &str, files: &IdentityFiles) -> Result<Arc<CertifiedKey>, RegistryError> {
    let chain = certificates(&files.certificate.path).map_err(wrong(host, &files.certificate))?;
    // What is wrong with a key is not said in the library's words: they may have
    // bytes of it.
    let key = read(&files.key.path).and_then(|bytes| {
        PrivateKeyDer::from_pem_slice(&bytes)
            .map_err(|_| "there is no private key in it (PEM, not encrypted)".to_owned())
    });
    let key = key.map_err(wrong(host, &files.key))?;
    certified(chain, key, &provider()).map(Arc::new).map_err(wrong(host, &files.key))
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, String> {
    CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => "it is not the certificate's key".to_owned(),
        error => error.to_string(),
    })
}

/// The largest certificate file that is read, in bytes.
const LIMIT: u64 = 16 << 20;

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let open = || -> io::Result<Vec<u8>> {
        // A pipe would never end.
        let metadata = std::fs::metadata(path)?;
        if !metadata.is_file() || metadata.len() > LIMIT {
            return Err(io::Error::other("it is no regular file, or too large"));
        }
        std::fs::read(path)
    };
    open().map_err(|error| error.to_string())
}

fn wrong(host: &str, file: &TlsFile) -> impl FnOnce(String) -> RegistryError + use<> {
    let (host, file) = (host.to_owned(), file.clone());
    move |problem| RegistryError::TlsFile { host, file, problem }
}
