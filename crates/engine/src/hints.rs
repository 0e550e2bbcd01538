//! Words the hints that several rooms give about an error.

use std::io;

use registry::{Failure, ProxyError, RegistryError, RequestLine};

/// Records and blobs of somebody else would decide what is built.
pub(crate) const FOREIGN_CACHE: &str = "run ko as one user, or set KOCACHE to a directory for each";

/// No variable says where the cache could be.
pub(crate) const NO_CACHE: &str = "set KOCACHE to one, or HOME";

/// A disk that is full, read-only or broken.
pub(crate) fn disk(error: &io::Error) -> Option<String> {
    trouble_of_disk(error).map(|is| format!("the disk {is}, or write to another one"))
}

/// The same of the disk that holds the cache.
pub(crate) fn cache_disk(error: Option<&io::Error>) -> Option<String> {
    let is = trouble_of_disk(error?)?;
    let other = "or set KOCACHE to a directory on another one";
    Some(format!("the disk that holds the cache {is}, {other}"))
}

fn trouble_of_disk(error: &io::Error) -> Option<&'static str> {
    /// The number that Linux, macOS and the BSDs give to a failure of the device; std has
    /// no kind for it.
    const EIO: i32 = 5;
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some("is full: make room"),
        // Some file systems become so when the device fails.
        io::ErrorKind::ReadOnlyFilesystem => Some("is read-only: mount it to be written"),
        _ if cfg!(unix) && error.raw_os_error() == Some(EIO) => {
            Some("fails: see the log of the system")
        }
        _ => None,
    }
}

/// What a registry was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked<'a> {
    /// To take an image.
    Destination,
    /// For a base, with what has named it, if that is known.
    Base(Option<&'a str>),
    /// For an image that somebody wants to know about.
    Image,
}

/// A registry that refuses a request.
pub(crate) fn registry(error: &RegistryError, asked: Asked<'_>) -> String {
    let base = matches!(asked, Asked::Base(_));
    if let RegistryError::Offline { .. } = error {
        "`ko base pull` brings bases and their layers into the cache while there is a network; \
         offline, a base has to be named by digest, in ko.lock (`ko lock`) or by itself"
            .to_owned()
    } else if let RegistryError::Create { .. } = error {
        "make the repository, or allow these credentials to do that (ecr:CreateRepository)"
            .to_owned()
    } else if asked == Asked::Destination && is_missing_in_cloud(error) {
        "--create-repositories makes repositories that are not there".to_owned()
    } else if let RegistryError::Proxy(ProxyError { variable }) = error {
        format!("set {variable} to the URL of a proxy (http, https, socks5), or unset it")
    } else if error.is_certificate() {
        "if the registry's certificate is of your own authority, name its PEM file: SSL_CERT_FILE, \
         or caFile of the registry below registries in .ko.yaml; --insecure-registry trusts any \
         certificate of the destination"
            .to_owned()
    } else if error.is_client_certificate() {
        "name your certificate and its key: certFile and keyFile of the registry below registries \
         in .ko.yaml"
            .to_owned()
    } else if error.is_plain_http() {
        "if the registry is meant to speak plain http: `http: only` for it below registries in \
         .ko.yaml, or --insecure-registry"
            .to_owned()
    } else if error.is_https_wanted() {
        "the registry speaks https: `http: only` for it in .ko.yaml must go".to_owned()
    } else if let RegistryError::TlsFile { .. } = error {
        "set right the file, or what names it: a setting below registries in .ko.yaml, or a \
         directory certs.d of docker or podman"
            .to_owned()
    } else if let RegistryError::Blocked { .. } = error {
        "registriesConf in .ko.yaml, or KO_REGISTRIESCONF, says that this file counts".to_owned()
    } else if error.is_unauthorized() || error.is_forbidden() {
        login(error)
    } else if let Asked::Base(named_by) = asked
        && error.is_not_found()
    {
        let named_by =
            named_by.unwrap_or("defaultBaseImage or baseImageOverrides in .ko.yaml name it");
        format!(
            "see whether this base is there: {named_by}; ko.static is built in, and needs no \
             registry"
        )
    } else if base && error.failure().is_some_and(is_trouble) {
        "the registry has trouble, or too much to do: try again later, log in, or name a mirror \
         below registries in .ko.yaml; ko.static is a base that needs no registry"
            .to_owned()
    } else if base {
        embedded(asked)
    } else if asked == Asked::Image {
        of_image(error)
    } else if error.is_unreachable() {
        "check KO_DOCKER_REPO and the network; --push=false builds without a registry".to_owned()
    } else if error.failure().is_some_and(is_trouble) {
        "the registry has trouble of its own: try again later; --retries tries more often"
            .to_owned()
    } else if error.is_read_only() {
        "the registry takes no images: it may be read-only or a mirror; check KO_DOCKER_REPO"
            .to_owned()
    } else if error.is_unknown_repository() || error.is_not_found() {
        "the registry has no such repository, and makes none by itself: make it, or the project \
         that it is in, or check KO_DOCKER_REPO"
            .to_owned()
    } else if error.to_string().to_lowercase().contains("immutable") {
        "the tag may not be moved there: name another with -t".to_owned()
    } else {
        "check KO_DOCKER_REPO".to_owned()
    }
}

/// A base that cannot be reached.
fn embedded(asked: Asked<'_>) -> String {
    let named_by = match asked {
        Asked::Base(Some(named_by)) => format!("{named_by}; "),
        _ => String::new(),
    };
    format!(
        "{named_by}the embedded base ko.static needs no network: --base=ko.static, or \
         defaultBaseImage: ko.static in .ko.yaml"
    )
}

/// A registry that does not know us, or refuses what we are.
fn login(error: &RegistryError) -> String {
    let registry = error.registry().unwrap_or_else(|| "REGISTRY".to_owned());
    let login = format!("`ko login {registry}` or a credential helper");
    match error.failure().and_then(|failure| failure.source.as_deref()) {
        Some(source) => format!(
            "the credentials come from {source}; if they are old or somebody else's, log in \
             again with {login}"
        ),
        None => format!(
            "no login for {registry} is stored: log in with {login}; ko reads what Docker and \
             Podman have stored, too"
        ),
    }
}

/// An image that was named, and that a registry does not give.
fn of_image(error: &RegistryError) -> String {
    let hint = if error.is_unreachable() {
        "check the name of the image, which begins with its registry, and the network"
    } else if error.failure().is_some_and(is_trouble) {
        "the registry has trouble of its own: try again later"
    } else {
        "check the name of the image, and its tag or digest"
    };
    hint.to_owned()
}

/// Is it the registry that fails, or that has too much to do?
fn is_trouble(failure: &Failure) -> bool {
    failure.status.is_server_error() || failure.status.as_u16() == 429
}

/// Is it that a repository is not there, which a keychain could make?
fn is_missing_in_cloud(error: &RegistryError) -> bool {
    error.is_unknown_repository()
        && error
            .request()
            .and_then(RequestLine::host)
            .is_some_and(|host| credentials::wants_repositories(&host))
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::{cache_disk, disk};

    #[test]
    #[cfg(unix)]
    fn of_disks() {
        // EIO, ENOSPC, EROFS, EACCES.
        let hint = |number| disk(&io::Error::from_raw_os_error(number));
        let said = |text: &str| Some(format!("the disk {text}, or write to another one"));
        assert_eq!(hint(5), said("fails: see the log of the system"));
        assert_eq!(hint(28), said("is full: make room"));
        assert_eq!(hint(30), said("is read-only: mount it to be written"));
        assert_eq!(hint(13), None);
        assert_eq!(
            cache_disk(Some(&io::ErrorKind::QuotaExceeded.into())).unwrap(),
            "the disk that holds the cache is full: make room, or set KOCACHE to a directory on \
             another one"
        );
    }
}
