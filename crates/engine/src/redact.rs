//! Removes secrets from text: passwords and tokens of URLs, and credentials in
//! echoed request headers.

mod variables;

pub(crate) use self::variables::{MASK, is_secret, without_secrets};

/// Replaces a secret.
const HIDDEN: &str = "…";

/// The characters that end a URL in a text.
const ENDS: &str = "\"'`<>\\^{|}";

/// Words in names of parameters whose values are secret.
const SECRET: [&str; 7] = ["token", "sig", "secret", "passw", "key", "auth", "cred"];

/// From so many characters on, what follows the name of an authentication
/// scheme is a credential and no word.
const CREDENTIAL: usize = 16;

/// A text in which URLs have neither passwords nor values of parameters that
/// look secret, and `Bearer` and `Basic` no credentials.
pub fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let start = at + 3;
        let ends = |c: char| c.is_whitespace() || c.is_control() || ENDS.contains(c);
        let length = rest[start..].find(ends).unwrap_or(rest.len() - start);
        out.push_str(&rest[..start]);
        // Where a name alone may be a token, as those of GitHub are.
        let is_web = ["http", "https"].iter().any(|scheme| rest[..at].ends_with(scheme));
        url(&rest[start..start + length], is_web, &secret, &mut out);
        rest = &rest[start + length..];
    }
    out.push_str(rest);
    for scheme in ["Bearer ", "Basic ", "bearer ", "basic "] {
        out = credentials(&out, scheme);
    }
    out
}

/// What the user named as a URL: no password, and no value of any parameter.
pub(crate) fn redact_url(raw: &str) -> String {
    let start = raw.find("://").map_or(0, |at| at + 3);
    let mut out = raw[..start].to_owned();
    url(&raw[start..], raw.starts_with("http"), &|_| true, &mut out);
    out
}

/// Writes what follows the `://` of a URL, without its secrets.
fn url(rest: &str, is_web: bool, is_secret: &dyn Fn(&str) -> bool, out: &mut String) {
    let (address, query) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
    // A password may have slashes, though it should not.
    let (user, address) = match address.rsplit_once('@') {
        Some((user, host)) if is_user(user) => (Some(user), host),
        _ => (None, address),
    };
    if let Some(user) = user {
        match user.split_once(':') {
            Some((name, _)) => out.extend([name, ":", HIDDEN, "@"]),
            None if is_web => out.extend([HIDDEN, "@"]),
            None => out.extend([user, "@"]),
        }
    }
    out.push_str(address);
    let mut parts = query.split_inclusive(['?', '&', '#', ';']);
    for part in &mut parts {
        let end = part.trim_end_matches(['?', '&', '#', ';']).len();
        let (pair, end) = part.split_at(end);
        match pair.split_once('=') {
            Some((name, value)) if !value.is_empty() && is_secret(name) => {
                out.extend([name, "=", HIDDEN]);
            }
            _ => out.push_str(pair),
        }
        out.push_str(end);
    }
}

/// Can this stand before the `@` of a URL? A path that has one later, such as
/// that of an image's reference, is no user.
fn is_user(text: &str) -> bool {
    let path = text.find('/').unwrap_or(text.len());
    path == text.len() || text[..path].contains(':') && !is_port(&text[..path])
}

/// Is it `host:port`?
fn is_port(text: &str) -> bool {
    let port = text.rsplit_once(':').map(|(_, port)| port);
    port.is_some_and(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
}

fn secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET.iter().any(|word| name.contains(word))
}

/// The text without what follows the name of an authentication scheme.
fn credentials(text: &str, scheme: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(scheme) {
        let start = at + scheme.len();
        let part = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
        let length = rest[start..].find(|c| !part(c)).unwrap_or(rest.len() - start);
        out.push_str(&rest[..start]);
        if length < CREDENTIAL {
            out.push_str(&rest[start..start + length]);
        } else {
            out.push_str(HIDDEN);
        }
        rest = &rest[start + length..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::{redact, redact_url};

    #[test]
    fn secrets_leave_a_text() {
        for (text, want) in [
            ("nothing", "nothing"),
            ("a http://u:pw@h/p b", "a http://u:…@h/p b"),
            ("http://u:p/w@h/p", "http://u:…@h/p"),
            ("\"https://u:pw@h\": no", "\"https://u:…@h\": no"),
            ("tcp://u:p:w@h:1", "tcp://u:…@h:1"),
            ("ssh://me@there", "ssh://me@there"),
            ("a https://token@h/p", "a https://…@h/p"),
            ("git+https://token@h/p", "git+https://…@h/p"),
            ("https://h:5000/a@sha256:ab", "https://h:5000/a@sha256:ab"),
            ("docker://r.io/a@sha256:ab", "docker://r.io/a@sha256:ab"),
            ("ko://example.com/a", "ko://example.com/a"),
            ("https://h/?go-get=1", "https://h/?go-get=1"),
            (
                "https://h/x?access_token=abc&a=b&X-Amz-Signature=d#y",
                "https://h/x?access_token=…&a=b&X-Amz-Signature=…#y",
            ),
            ("Authorization: Bearer abcdefghijklmnop1, and", "Authorization: Bearer …, and"),
            ("{Basic dXNlcjpwYXNzd29yZA==}", "{Basic …}"),
            ("Basic authentication", "Basic authentication"),
            ("http://", "http://"),
        ] {
            assert_eq!(redact(text), want);
        }
    }

    #[test]
    fn a_url_that_was_named_keeps_nothing() {
        for (raw, want) in [
            ("http://u:pw@h/x.yaml?token=t&v=1", "http://u:…@h/x.yaml?token=…&v=…"),
            ("ssh://me:pw@there:1/x", "ssh://me:…@there:1/x"),
            ("ssh://me@there:1/x", "ssh://me@there:1/x"),
            ("https://token@h/x", "https://…@h/x"),
            ("me:pw@there", "me:…@there"),
            ("unix:///run/docker.sock", "unix:///run/docker.sock"),
            ("unix://", "unix://"),
        ] {
            assert_eq!(redact_url(raw), want);
        }
    }
}
