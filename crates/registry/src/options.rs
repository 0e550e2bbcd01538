//! Holds the options of a client. What is said of single registries is in
//! `settings`.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use store::Store;

use crate::error::RegistryError;
use crate::exchange::Watcher;
use crate::mirror::MirrorObserver;
use crate::proxy::Proxies;
use crate::retry::RetryPolicy;
use crate::roots::RootPlaces;
use crate::settings::Registries;

/// What the caller decides about a [`Client`](crate::Client).
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// The `User-Agent` of every request.
    pub user_agent: String,
    /// Allows plain http for registries for which it is not allowed anyway
    /// (see [`oci::Registry::may_be_http`]); https is tried first.
    pub insecure: bool,
    /// Accepts any certificate.
    pub skip_verify: bool,
    /// Where the certificates of authorities are.
    pub roots: RootPlaces,
    /// Certificates of authorities to trust besides the system's; each entry
    /// may hold several, in PEM.
    pub root_certificates: Vec<Vec<u8>>,
    /// What is said of single registries.
    pub registries: Registries,
    /// Is told which mirrors of bases answer, and which do not.
    pub mirror_observer: Option<MirrorObserver>,
    /// Which requests go through a proxy.
    pub proxies: Proxies,
    /// When and how often to try again.
    pub retry: RetryPolicy,
    /// How long a registry may be silent when it is its turn.
    pub silence: Duration,
    /// How long an upload may go on without a byte on its way or an answer.
    pub stall: Duration,
    /// Where it is kept how repositories were spoken to: by which scheme, and where
    /// their tokens came from, which are then fetched before a registry asks for
    /// them. Without, each client asks first.
    pub memory: Option<Store>,
    /// Who is told of each request that has ended.
    pub watcher: Option<Watcher>,
    /// Has the keychain make repositories that are not there, where it can.
    pub create_repositories: bool,
    /// Requests to one registry that may wait for their answer at once; fewer
    /// while it says that this is too much.
    pub max_requests: usize,
    /// Blobs that may be on their way from or to one registry at once, besides small
    /// ones.
    pub max_transfers: usize,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            user_agent: "ko".to_owned(),
            insecure: false,
            skip_verify: false,
            roots: RootPlaces::default(),
            root_certificates: Vec::new(),
            registries: Registries::default(),
            mirror_observer: None,
            proxies: Proxies::default(),
            retry: RetryPolicy::default(),
            silence: Duration::from_secs(120),
            // What is on its way in the system's buffers cannot be seen, and a
            // registry may check a blob for minutes before it answers.
            stall: Duration::from_secs(600),
            memory: None,
            watcher: None,
            create_repositories: false,
            max_requests: 32,
            max_transfers: 4,
        }
    }
}

impl ClientOptions {
    /// The authorities that are trusted besides the system's.
    pub(crate) fn extra_roots(&self) -> Result<Vec<CertificateDer<'static>>, RegistryError> {
        let pem = self.root_certificates.iter();
        let extra = pem.flat_map(|pem| CertificateDer::pem_slice_iter(pem));
        let extra = extra.collect::<Result<_, _>>();
        extra.map_err(|error| RegistryError::Tls(Arc::new(error)))
    }
}
