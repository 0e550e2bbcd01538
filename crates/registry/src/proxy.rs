//! Chooses the proxy of a request as Go's HTTP client does (`ProxyFromEnvironment`),
//! from what the variables `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;
use thiserror::Error;

use crate::guard;
use crate::keychain::Secret;

/// The proxies of requests; without any, hosts are spoken to directly. Hosts
/// that are this machine are never behind one.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    http: Option<Address>,
    https: Option<Address>,
    exceptions: Vec<Exception>,
}

/// A variable does not hold the address of a proxy. Its value is not shown: it
/// may have a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{variable} is no address of a proxy")]
pub struct ProxyError {
    /// The variable, as it is usually written.
    pub variable: &'static str,
}

/// Where a proxy is, with its user and password; an error if that was not to be
/// understood.
#[derive(Clone)]
struct Address(Result<Url, ProxyError>);

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("REDACTED")
    }
}

/// An entry of `NO_PROXY`: hosts that are spoken to directly, at one port or all.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Exception {
    /// `*`
    All,
    /// The address of a network, and how many of its bits count.
    Network(IpAddr, u32),
    Address(IpAddr, Option<u16>),
    /// What a name ends with, after a dot; and whether it may be all of the name.
    Domain {
        suffix: String,
        itself: bool,
        port: Option<u16>,
    },
}

impl Proxies {
    /// From the values of `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`. The schemes
    /// `http`, `https`, `socks5` and `socks5h` are known; `http` may be left out.
    #[must_use]
    pub fn new(http: Option<&Secret>, https: Option<&Secret>, no_proxy: &str) -> Self {
        let address = |variable, value: Option<&Secret>| {
            let value = value.filter(|value| !value.is_empty())?;
            Some(Address(address(&value.expose()).ok_or(ProxyError { variable })))
        };
        Self {
            http: address("HTTP_PROXY", http),
            https: address("HTTPS_PROXY", https),
            exceptions: no_proxy.split(',').filter_map(Exception::parse).collect(),
        }
    }

    /// The proxy for a request, if it goes through one.
    ///
    /// # Errors
    /// It would, but the variable does not hold an address.
    pub fn of(&self, url: &Url) -> Result<Option<&Url>, ProxyError> {
        let address = match url.scheme() {
            "https" => &self.https,
            "http" => &self.http,
            _ => &None,
        };
        let Some(Address(address)) = address else { return Ok(None) };
        if guard::is_loopback(url) || self.exceptions.iter().any(|rule| rule.matches(url)) {
            return Ok(None);
        }
        address.as_ref().map(Some).map_err(|error| *error)
    }

    /// What errors say of the way that a request took.
    pub(crate) fn way(&self, url: &Url) -> Option<String> {
        let proxy = self.of(url).ok().flatten()?;
        let host = proxy.host_str().unwrap_or_default();
        let port = proxy.port().map(|port| format!(":{port}")).unwrap_or_default();
        Some(format!("through the proxy {host}{port}"))
    }

    /// Makes a client use these proxies, and no others.
    pub fn apply(&self, client: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        let client = client.no_proxy();
        if self.http.is_none() && self.https.is_none() {
            return client;
        }
        let proxies = self.clone();
        client.proxy(reqwest::Proxy::custom(move |url| proxies.of(url).ok().flatten().cloned()))
    }
}

fn address(value: &str) -> Option<Url> {
    let whole = Url::parse(value).ok().filter(Url::has_host);
    let mut url = whole.or_else(|| Url::parse(&format!("http://{value}")).ok())?;
    if url.scheme() == "socks5" {
        // As in Go, names are for the proxy to look up.
        url.set_scheme("socks5h").ok()?;
    }
    matches!(url.scheme(), "http" | "https" | "socks5h").then_some(url)
}

impl Exception {
    fn parse(entry: &str) -> Option<Self> {
        let entry = entry.trim().to_lowercase();
        if entry == "*" {
            return Some(Self::All);
        }
        if let Some(network) = network(&entry) {
            return Some(network);
        }
        let (host, port) = match entry.rsplit_once(':') {
            // An address of IPv6 has colons of its own.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host.trim_matches(['[', ']']), Some(port.parse().ok()?))
            }
            _ => (entry.as_str(), None),
        };
        if host.is_empty() {
            return None;
        }
        if let Ok(address) = host.parse() {
            return Some(Self::Address(address, port));
        }
        let host = host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host);
        Some(match host.strip_prefix('.') {
            Some(suffix) => Self::Domain { suffix: suffix.to_owned(), itself: false, port },
            None => Self::Domain { suffix: host.to_owned(), itself: true, port },
        })
    }

    fn matches(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let at = |port: &Option<u16>| port.is_none() || *port == url.port_or_known_default();
        let address = || host.parse::<IpAddr>().ok();
        match self {
            Self::All => true,
            Self::Network(network, bits) => {
                address().is_some_and(|address| is_within(address, *network, *bits))
            }
            Self::Address(wanted, port) => address() == Some(*wanted) && at(port),
            Self::Domain { suffix, itself, port } => {
                let below = host.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.'));
                (below || *itself && host == suffix) && at(port)
            }
        }
    }
}

/// `10.0.0.0/8`; one of IPv4 may be written as IPv6.
fn network(entry: &str) -> Option<Exception> {
    let (address, bits) = entry.split_once('/')?;
    let (address, bits) = (address.parse::<IpAddr>().ok()?, bits.parse::<u32>().ok()?);
    let network = address.to_canonical();
    let (bits, length) = match (address, network) {
        (IpAddr::V6(_), IpAddr::V4(_)) => (bits.checked_sub(96)?, 32),
        (_, IpAddr::V4(_)) => (bits, 32),
        _ => (bits, 128),
    };
    (bits <= length).then_some(Exception::Network(network, bits))
}

fn is_within(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let shifted = |address: u128, length: u32| address.checked_shr(length - bits).unwrap_or(0);
    match (address.to_canonical(), network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let (address, network) = (address.to_bits(), network.to_bits());
            shifted(address.into(), 32) == shifted(network.into(), 32)
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            shifted(address.to_bits(), 128) == shifted(network.to_bits(), 128)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(http: &str, https: &str, no_proxy: &str) -> Proxies {
        let (http, https) = (Secret::new(http), Secret::new(https));
        Proxies::new(Some(&http), Some(&https), no_proxy)
    }

    /// What golang.org/x/net/http/httpproxy 0.62.0 answers to the same.
    #[test]
    fn exceptions_are_those_of_go() {
        for (no_proxy, url, proxied) in [
            ("", "https://r.example/", true),
            ("*", "https://r.example/", false),
            ("other.example, r.example", "https://r.example/", false),
            ("r.example", "https://a.r.example/", false),
            ("r.example", "https://ar.example/", true),
            (".r.example", "https://r.example/", true),
            (".r.example", "https://a.r.example/", false),
            ("*.r.example", "https://r.example/", true),
            ("*.r.example", "https://a.r.example/", false),
            ("R.Example", "https://r.example/", false),
            ("r.example:443", "https://r.example/", false),
            ("r.example:5000", "https://r.example/", true),
            ("r.example:5000", "https://r.example:5000/", false),
            ("10.0.0.0/8", "https://10.1.2.3/", false),
            ("10.0.0.0/8", "https://11.1.2.3/", true),
            ("10.1.2.3", "https://10.1.2.3/", false),
            ("10.1.2.3:5000", "https://10.1.2.3/", true),
            ("fd00::/8", "https://[fd00::1]/", false),
            ("[fd00::1]:5000", "https://[fd00::1]:5000/", false),
            ("fd00::1", "https://[fd00::1]/", false),
            ("0.0.0.0/0", "https://10.1.2.3/", false),
            ("::/0", "https://[fd00::1]/", false),
            ("::/0", "https://10.1.2.3/", true),
            ("::ffff:10.0.0.0/104", "https://10.1.2.3/", false),
            ("10.0.0.0/33", "https://10.1.2.3/", true),
            ("[fd00::1]", "https://[fd00::1]/", true),
            ("*r.example", "https://ar.example/", true),
            ("r.example:x", "https://r.example/", true),
            ("r.example.", "https://r.example/", true),
            (".", "https://r.example/", true),
            ("a,*,b", "https://r.example/", false),
            (":443", "https://r.example/", true),
            (",, ,", "https://r.example/", true),
            ("", "https://localhost:5000/", false),
            ("", "https://127.0.0.1/", false),
            ("", "https://[::1]/", false),
        ] {
            let proxies = proxies("", "proxy.example:3128", no_proxy);
            let found = proxies.of(&url.parse().unwrap()).unwrap();
            assert_eq!(found.is_some(), proxied, "{no_proxy} {url}");
        }
    }

    #[test]
    fn each_scheme_has_its_proxy() {
        let proxies = proxies("http://u:p@one.example:3128", "socks5://two.example", "");
        let of = |url: &str| proxies.of(&url.parse().unwrap()).unwrap().map(Url::as_str);
        assert_eq!(of("http://r.example/"), Some("http://u:p@one.example:3128/"));
        assert_eq!(of("https://r.example/"), Some("socks5h://two.example"));
        assert!(!format!("{proxies:?}").contains("u:p"));
    }

    #[test]
    fn what_is_no_address_is_an_error_only_where_it_is_needed() {
        let proxies = proxies("ftp://one.example", "", "r.example");
        let of = |url: &str| proxies.of(&url.parse().unwrap()).map(|found| found.is_some());
        assert_eq!(of("http://a.example/"), Err(ProxyError { variable: "HTTP_PROXY" }));
        assert_eq!((of("http://r.example/"), of("https://a.example/")), (Ok(false), Ok(false)));
    }
}
