//! A client of OCI registries (OCI distribution-spec): who may ask, what is
//! there, pull and push. It streams blobs between a registry and the local
//! store, checks every digest and size that it reads, and keeps secrets out of
//! everything that can be printed. It knows nothing of Go, prints nothing, and
//! reads no environment: paths and tokens come from the caller.

mod ahead;
mod answer;
mod blob_source;
mod body;
mod call;
mod certificate;
mod challenge;
mod client;
mod coding;
mod endpoint;
mod error;
mod error_kind;
mod exchange;
mod gate;
mod grant;
mod guard;
mod host_tls;
mod keychain;
mod learn;
mod memory;
mod meter;
mod mirror;
mod namespace;
mod opener;
mod options;
mod preflight;
mod proxy;
mod pull;
mod pulls;
mod pulse;
mod push;
mod redirect;
mod referrers;
mod request_line;
mod retry;
mod roots;
mod scheme;
mod scope;
mod send;
mod session;
mod settings;
mod sink;
mod sources;
mod stream;
mod tags;
mod token;
mod transport;
mod trust;
mod under_way;
mod upload;

pub use answer::{ApiError, Failure};
pub use blob_source::BlobSource;
pub use certificate::CertificateProblem;
pub use client::Client;
pub use error::{Broken, RegistryError};
pub use exchange::{Answer, Exchange, Watched, Watcher};
pub use keychain::{
    Anonymous, Chain, Credential, CredentialStore, DockerConfig, DockerPlaces, GitHub,
    HelperOutput, Kept, Keychain, KeychainError, Secret, Variables,
};
pub use meter::Traffic;
pub use mirror::{MirrorAnswer, MirrorObserver};
pub use namespace::{Location, Mirror, NamespaceError, NamespaceRule, Prefix, Pulls};
pub use opener::{Chunks, Opener};
pub use options::ClientOptions;
pub use proxy::{Proxies, ProxyError};
pub use pull::FetchedManifest;
pub use push::{PushHint, Pushed};
pub use request_line::RequestLine;
pub use retry::{RetryPolicy, Tried};
pub use roots::RootPlaces;
pub use scope::Access;
pub use settings::{IdentityFiles, PlainHttp, Registries, RegistrySettings, TlsFile};
pub use stream::BlobStream;
pub use token::Grant;
pub use trust::tls;
pub use under_way::UnderWay;

/// What a keychain's methods return: a future behind a pointer, so that
/// keychains can be chosen at run time.
pub use futures::future::BoxFuture;
