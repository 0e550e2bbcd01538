//! Decides where a registry may send us. A registry that is hostile, or was
//! taken over, must not turn us against the network that we run in, and must not
//! make us show a secret to somebody else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;

/// The kinds of addresses outside the public network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Private {
    /// This machine.
    Loopback,
    /// A company's network, or a provider's.
    Network,
    /// The link, where clouds serve secrets to machines, and addresses without
    /// meaning elsewhere.
    Link,
}

/// Metadata services of clouds outside the link-local range: Alibaba's and
/// Amazon's.
const METADATA: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// The kind of the host, if it is a private address written as a number. Names
/// are not resolved: that is for the network's own DNS, as it is for ko.
fn private(url: &Url) -> Option<Private> {
    fn v4(ip: Ipv4Addr) -> Option<Private> {
        if ip.is_loopback() {
            return Some(Private::Loopback);
        }
        if METADATA.contains(&ip.into()) {
            return Some(Private::Link);
        }
        // 100.64.0.0/10 (RFC 6598) is in use by providers, and by clouds and
        // overlay networks inside.
        let [a, b, ..] = ip.octets();
        if ip.is_private() || a == 100 && b & 0xc0 == 64 {
            return Some(Private::Network);
        }
        let is_link = ip.is_link_local() || ip.is_unspecified() || ip.is_multicast();
        is_link.then_some(Private::Link)
    }
    // `Url` has brought all spellings of IPv4 addresses into one form.
    let host = url.host_str().unwrap_or_default();
    let ip = match host.trim_matches(['[', ']']).parse().ok()? {
        IpAddr::V4(ip) => return v4(ip),
        IpAddr::V6(ip) => ip,
    };
    if ip.is_loopback() {
        Some(Private::Loopback)
    } else if METADATA.contains(&ip.into()) {
        Some(Private::Link)
    } else if ip.is_unique_local() {
        Some(Private::Network)
    } else if ip.is_unicast_link_local() || ip.is_unspecified() || ip.is_multicast() {
        Some(Private::Link)
    } else {
        carried(ip).and_then(v4)
    }
}

/// The IPv4 address that an IPv6 address leads to: one that is written as
/// IPv6 (RFC 4291), or behind NAT64 (RFC 6052) or 6to4 (RFC 3056).
fn carried(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    let (high, low) = match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0 | 0xffff) | (0x64, 0xff9b, 0, 0, 0, 0) => (g, h),
        (0x2002, ..) => (b, c),
        _ => return None,
    };
    Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
}

/// Returns whether the host is this machine, by name or number. Such hosts are
/// never behind a proxy.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let ip = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// Same scheme, host and port: the only place where a credential may go.
pub(crate) fn same_origin(a: &Url, b: &Url) -> bool {
    a.origin() == b.origin()
}

/// A place as the registry at `base` means it. Behind a front that ends TLS, a
/// registry may not know how it is spoken to: on its own host and port, the
/// scheme counts that was found.
pub(crate) fn as_found(base: &Url, mut place: Url) -> Url {
    let known = matches!(place.scheme(), "https" | "http");
    let same_port = place.port_or_known_default() == base.port_or_known_default()
        || place.port().is_none() && base.port().is_none();
    if known && same_port && place.host() == base.host() {
        // Between these two schemes this never fails. The port goes with it: it
        // is not kept where it was the old scheme's own.
        let _ = place.set_scheme(base.scheme());
        let _ = place.set_port(base.port());
    }
    place
}

/// May content be read from `target`, to which `from` has redirected us?
/// Nothing secret is sent along, and digests are checked.
pub(crate) fn check_redirect(from: &Url, target: &Url) -> Result<(), &'static str> {
    if !matches!(target.scheme(), "https" | "http") {
        return Err("it is neither https nor http");
    }
    if private(target).is_some() && from.host() != target.host() {
        return Err("it is a private address on another host");
    }
    Ok(())
}

/// May content be sent to `target`, the location of an upload?
pub(crate) fn check_location(origin: &Url, target: &Url) -> Result<(), &'static str> {
    check_redirect(origin, target)?;
    if origin.scheme() == "https" && target.scheme() == "http" {
        return Err("it leads from https to http");
    }
    Ok(())
}

/// May credentials be sent to `realm`, the token server of the registry at
/// `origin`, or of the token server that redirects there? A registry that is
/// itself on a private address may have it on another of the same kind, as
/// where a company has both on one machine.
pub(crate) fn check_realm(origin: &Url, realm: &Url) -> Result<(), &'static str> {
    match realm.scheme() {
        "https" => {}
        "http" if origin.scheme() == "http" => {}
        "http" => return Err("credentials are not sent over plain http"),
        _ => return Err("it is neither https nor http"),
    }
    let of_origin = match private(origin) {
        None if is_loopback(origin) => Some(Private::Loopback),
        found => found,
    };
    match private(realm) {
        None => Ok(()),
        Some(_) if origin.host() == realm.host() => Ok(()),
        Some(kind) if kind != Private::Link && of_origin == Some(kind) => Ok(()),
        Some(_) => Err("it is a private address that is not the registry's"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn private_addresses() {
        use Private::{Link, Loopback, Network};
        for (host, want) in [
            ("10.0.0.1", Some(Network)),
            ("172.31.0.1", Some(Network)),
            ("127.1", Some(Loopback)),
            ("2130706433", Some(Loopback)),
            ("169.254.169.254", Some(Link)),
            ("0.0.0.0", Some(Link)),
            ("224.0.0.1", Some(Link)),
            // Behind a provider's NAT.
            ("100.63.255.255", None),
            ("100.64.0.0", Some(Network)),
            ("100.100.100.200", Some(Link)),
            ("100.127.255.255", Some(Network)),
            ("100.128.0.0", None),
            ("[::1]", Some(Loopback)),
            ("[::]", Some(Link)),
            ("[fe80::1]", Some(Link)),
            ("[ff02::1]", Some(Link)),
            ("[fd00::1]", Some(Network)),
            ("[fd00:ec2::254]", Some(Link)),
            // IPv4 in other clothes.
            ("[::ffff:10.0.0.1]", Some(Network)),
            ("[::ffff:8.8.8.8]", None),
            ("[::10.0.0.1]", Some(Network)),
            ("[64:ff9b::10.0.0.1]", Some(Network)),
            ("[64:ff9b::a9fe:a9fe]", Some(Link)),
            ("[64:ff9b::8.8.8.8]", None),
            ("[2002:7f00:1::]", Some(Loopback)),
            ("[2002:808:808::]", None),
            ("8.8.8.8", None),
            ("[2001:db8::1]", None),
            ("localhost", None),
            ("r.io", None),
        ] {
            assert_eq!(private(&url(&format!("http://{host}:80/"))), want, "{host}");
        }
    }

    #[test]
    fn loopback() {
        for (text, want) in [
            ("http://localhost:1/", true),
            ("http://127.8.9.1/", true),
            ("http://[::1]/", true),
            ("http://10.0.0.1/", false),
            ("http://a.localhost/", false),
        ] {
            assert_eq!(is_loopback(&url(text)), want, "{text}");
        }
    }

    #[test]
    fn redirects_and_locations() {
        for (from, target, redirect, location) in [
            ("https://r.io", "https://cdn.io/x", true, true),
            ("https://r.io", "http://cdn.io/x", true, false),
            ("https://r.io", "https://10.0.0.1/x", false, false),
            ("https://r.io", "https://169.254.169.254/", false, false),
            ("http://10.0.0.1:5000", "http://10.0.0.1:9000/x", true, true),
            ("http://10.0.0.1:5000", "http://10.0.0.2:5000/x", false, false),
            ("https://r.io", "file:///etc/passwd", false, false),
        ] {
            let (from, target) = (url(from), url(target));
            assert_eq!(check_redirect(&from, &target).is_ok(), redirect, "{target}");
            assert_eq!(check_location(&from, &target).is_ok(), location, "{target}");
        }
    }

    #[test]
    fn a_registry_may_not_know_its_scheme() {
        for (base, place, want) in [
            ("https://r.io/", "http://r.io/x?q=1", "https://r.io/x?q=1"),
            ("https://r.io/", "http://r.io:443/x", "https://r.io/x"),
            ("https://r.io/", "http://r.io:8080/x", "http://r.io:8080/x"),
            ("https://r.io/", "http://cdn.io/x", "http://cdn.io/x"),
            ("https://r.io:5000/", "http://r.io:5000/x", "https://r.io:5000/x"),
            ("https://r.io:5000/", "http://r.io/x", "http://r.io/x"),
            ("https://r.io:80/", "http://r.io:80/x", "https://r.io:80/x"),
            ("https://[::1]:5000/", "http://[::1]:5000/x", "https://[::1]:5000/x"),
            ("http://r.io:5000/", "https://r.io:5000/x", "http://r.io:5000/x"),
            ("http://r.io/", "https://r.io/x", "http://r.io/x"),
            ("https://r.io/", "ftp://r.io:443/x", "ftp://r.io:443/x"),
        ] {
            assert_eq!(as_found(&url(base), url(place)).as_str(), want, "{base} {place}");
        }
    }

    #[test]
    fn realms() {
        for (origin, realm, want) in [
            ("https://r.io", "https://auth.r.io/token", true),
            ("https://r.io", "http://auth.r.io/token", false),
            ("http://10.0.0.1:5000", "http://10.0.0.1:5000/token", true),
            ("http://10.0.0.1:5000", "http://10.0.0.1:5001/token", true),
            ("http://10.0.0.1:5000", "http://192.168.0.1:5001/token", true),
            ("http://10.0.0.1:5000", "http://127.0.0.1:5001/token", false),
            ("http://10.0.0.1:5000", "http://169.254.169.254/token", false),
            ("http://169.254.0.1", "http://169.254.169.254/token", false),
            ("http://169.254.0.1", "http://169.254.0.1:81/token", true),
            ("http://100.64.0.1", "http://100.100.100.200/token", false),
            ("http://localhost:5000", "http://127.0.0.1:5001/token", true),
            ("http://localhost:5000", "http://10.0.0.1/token", false),
            ("https://[fd00::1]", "https://[fd00::2]/token", true),
            ("https://100.64.0.1", "https://100.64.0.2/token", true),
            ("https://r.io", "https://100.100.100.200/token", false),
            ("https://r.io", "https://[64:ff9b::a00:1]/token", false),
            ("http://10.0.0.1:5000", "http://auth.lan/token", true),
            ("https://r.io", "https://127.0.0.1/token", false),
            ("https://10.0.0.1", "https://10.0.0.1:443/token", true),
            ("https://r.io", "ftp://r.io/token", false),
        ] {
            assert_eq!(check_realm(&url(origin), &url(realm)).is_ok(), want, "{origin} {realm}");
        }
    }
}
