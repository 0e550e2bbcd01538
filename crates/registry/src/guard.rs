//! Where a registry may send us. A registry that is hostile, or was taken
//! over, must not turn us against the network that we run in, and must not
//! make us show a secret to somebody else.

use std::net::Ipv4Addr;

use reqwest::Url;

/// Is the host an address of this machine or of a private network, written as
/// a number? Names are not resolved: that is for the network's own DNS.
fn is_private(url: &Url) -> bool {
    fn v4(ip: Ipv4Addr) -> bool {
        ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified()
    }
    let host = url.host_str().unwrap_or_default();
    // `Url` has brought all spellings of IPv4 addresses into one form.
    if let Ok(ip) = host.parse() {
        return v4(ip);
    }
    let Ok(ip) = host.trim_matches(['[', ']']).parse::<std::net::Ipv6Addr>() else {
        return false;
    };
    ip.is_loopback()
        || ip.is_unspecified()
        || ip.is_unique_local()
        || ip.is_unicast_link_local()
        || ip.to_ipv4_mapped().is_some_and(v4)
}

/// Is it this machine, by name or number? Such hosts are never behind a proxy.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let ip = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// Same scheme, host and port: the only place where a credential may go.
pub(crate) fn same_origin(a: &Url, b: &Url) -> bool {
    a.origin() == b.origin()
}

/// May content be read from `target`, to which `from` has redirected us?
/// Nothing secret is sent along, and digests are checked.
pub(crate) fn check_redirect(from: &Url, target: &Url) -> Result<(), &'static str> {
    if !matches!(target.scheme(), "https" | "http") {
        return Err("it is neither https nor http");
    }
    if is_private(target) && from.host() != target.host() {
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
/// `origin`, or of the token server that redirects there?
pub(crate) fn check_realm(origin: &Url, realm: &Url) -> Result<(), &'static str> {
    match realm.scheme() {
        "https" => {}
        "http" if origin.scheme() == "http" => {}
        "http" => return Err("credentials are not sent over plain http"),
        _ => return Err("it is neither https nor http"),
    }
    let same = (origin.host(), origin.port_or_known_default())
        == (realm.host(), realm.port_or_known_default());
    if is_private(realm) && !same {
        return Err("it is a private address that is not the registry's");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn private_addresses() {
        for (text, want) in [
            ("http://10.0.0.1/", true),
            ("http://127.1/", true),
            ("http://2130706433/", true),
            ("http://169.254.169.254/latest", true),
            ("http://0.0.0.0/", true),
            ("http://[::1]/", true),
            ("http://[fe80::1]/", true),
            ("http://[fd00::1]:80/", true),
            ("http://[::ffff:10.0.0.1]/", true),
            ("http://8.8.8.8/", false),
            ("http://[2001:db8::1]/", false),
            ("http://localhost/", false),
            ("http://r.io/", false),
        ] {
            assert_eq!(is_private(&url(text)), want, "{text}");
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
    fn realms() {
        for (origin, realm, want) in [
            ("https://r.io", "https://auth.r.io/token", true),
            ("https://r.io", "http://auth.r.io/token", false),
            ("http://10.0.0.1:5000", "http://10.0.0.1:5000/token", true),
            ("http://10.0.0.1:5000", "http://10.0.0.1:5001/token", false),
            ("http://10.0.0.1:5000", "http://auth.lan/token", true),
            ("https://r.io", "https://127.0.0.1/token", false),
            ("https://10.0.0.1", "https://10.0.0.1:443/token", true),
            ("https://r.io", "ftp://r.io/token", false),
        ] {
            assert_eq!(check_realm(&url(origin), &url(realm)).is_ok(), want, "{origin} {realm}");
        }
    }
}
