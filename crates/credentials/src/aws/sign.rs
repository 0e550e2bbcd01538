//! Signs requests to AWS (Signature Version 4).

use std::fmt::Write as _;

use aws_lc_rs::{digest, hmac};
use jiff::Timestamp;

use super::settings::Keys;
use crate::http::Ask;
use crate::problem::Result;

/// What a signature is good for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Service<'a> {
    pub(super) region: &'a str,
    pub(super) name: &'a str,
}

/// The time of a signature.
pub(super) fn now() -> Timestamp {
    Timestamp::now()
}

/// Signs a request: all of its headers, its host, and the time.
pub(super) fn sign(ask: Ask, keys: &Keys, service: Service<'_>, time: Timestamp) -> Result<Ask> {
    let time = time.strftime("%Y%m%dT%H%M%SZ").to_string();
    let mut ask = ask.header("x-amz-date", &time)?;
    if let Some(token) = &keys.session_token {
        ask = ask.header("x-amz-security-token", &token.expose())?;
    }
    let (method, url, headers, body) = ask.parts();
    let mut host = url.host_str().unwrap_or_default().to_owned();
    if let Some(port) = url.port() {
        let _ = write!(host, ":{port}");
    }
    let mut lines = vec![("host", host)];
    for (name, value) in headers {
        lines.push((name.as_str(), String::from_utf8_lossy(value.as_bytes()).trim().to_owned()));
    }
    lines.sort();
    let names: Vec<&str> = lines.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let mut canonical = format!("{method}\n{}\n{}\n", url.path(), url.query().unwrap_or_default());
    for (name, value) in &lines {
        let _ = writeln!(canonical, "{name}:{value}");
    }
    let _ = write!(canonical, "\n{names}\n{}", hash(body));
    let day = &time[..8];
    let scope = format!("{day}/{}/{}/aws4_request", service.region, service.name);
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hash(&canonical));
    let mut key = format!("AWS4{}", keys.secret.expose()).into_bytes();
    for part in [day, service.region, service.name, "aws4_request"] {
        key = mac(&key, part);
    }
    let signature = hex(&mac(&key, &text));
    let id = &keys.id;
    ask.header(
        "authorization",
        &format!(
            "AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}"
        ),
    )
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

fn hash(text: &str) -> String {
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

/// In hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Reach;
    use registry::Secret;
    use reqwest::Method;

    fn signed(method: Method, url: &str, token: Option<&str>, body: &str) -> String {
        let keys = Keys {
            id: "AKIDEXAMPLE".to_owned(),
            secret: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: token.map(Secret::new),
            source: String::new(),
        };
        let ask = Ask::new(method, url, Reach::Net).unwrap().body(body.to_owned());
        let ask = if body.is_empty() {
            ask
        } else {
            ask.header("content-type", "application/x-amz-json-1.1").unwrap()
        };
        let time: Timestamp = "2015-08-30T12:36:00Z".parse().unwrap();
        let service = Service { region: "us-east-1", name: "service" };
        let ask = sign(ask, &keys, service, time).unwrap();
        ask.parts().2["authorization"].to_str().unwrap().to_owned()
    }

    /// The vectors `get-vanilla`, `post-vanilla` and `get-vanilla-query-order-value`
    /// of Amazon's test suite for Signature Version 4.
    #[test]
    fn signatures_are_those_of_amazons_test_suite() {
        for (method, url, want) in [
            (
                Method::GET,
                "https://example.amazonaws.com/",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                Method::POST,
                "https://example.amazonaws.com/",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                Method::GET,
                "https://example.amazonaws.com/?Param1=value1&Param1=value2",
                "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694",
            ),
        ] {
            let want = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                 SignedHeaders=host;x-amz-date, Signature={want}"
            );
            assert_eq!(signed(method, url, None, ""), want, "{url}");
        }
    }

    #[test]
    fn the_session_token_and_all_headers_are_signed() {
        let signed = signed(Method::POST, "https://h:8443/", Some("token"), "{}");
        let names = "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token,";
        assert!(signed.contains(names), "{signed}");
    }
}
