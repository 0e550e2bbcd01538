//! Reads challenges: what a registry wants to see before it answers
//! (`WWW-Authenticate`, RFC 9110, 11.6.1; RFC 6750).

use reqwest::Url;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

use crate::scope::Scopes;

/// How a registry is spoken to.
#[derive(Debug, Clone)]
pub(crate) enum AuthScheme {
    /// It answered without having been shown anything.
    Open,
    /// User and password with each request.
    Basic,
    /// A token from elsewhere with each request.
    Bearer(Bearer),
}

/// Where tokens come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bearer {
    pub(crate) realm: Url,
    pub(crate) service: Option<String>,
    /// The scopes that the refused request needs.
    pub(crate) scopes: Scopes,
}

impl AuthScheme {
    /// Returns whether the registry is not known to want authorization.
    pub(crate) fn is_open(known: Option<&Self>) -> bool {
        matches!(known, None | Some(Self::Open))
    }

    /// Reads the challenge of a 401: the first that we understand.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, String> {
        let mut unknown = None;
        for value in headers.get_all(WWW_AUTHENTICATE) {
            let Ok(text) = value.to_str() else {
                continue;
            };
            let challenges = http_auth::parse_challenges(text)
                .map_err(|_| "the WWW-Authenticate header is malformed".to_owned())?;
            for challenge in challenges {
                if challenge.scheme.eq_ignore_ascii_case("basic") {
                    return Ok(Self::Basic);
                }
                if challenge.scheme.eq_ignore_ascii_case("bearer") {
                    return Bearer::of(&challenge).map(Self::Bearer);
                }
                unknown.get_or_insert_with(|| challenge.scheme.to_owned());
            }
        }
        Err(match unknown {
            Some(scheme) => format!("authentication scheme {scheme:?} is not supported"),
            None => "asks for authentication but does not say how".to_owned(),
        })
    }
}

impl Bearer {
    fn of(challenge: &http_auth::ChallengeRef<'_>) -> Result<Self, String> {
        let param = |name: &str| {
            let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.to_unescaped())
        };
        let realm = param("realm").ok_or("the bearer challenge names no realm")?;
        let realm = realm.parse::<Url>().ok().filter(Url::has_host);
        Ok(Self {
            realm: realm.ok_or("the realm of the bearer challenge is not a URL")?,
            service: param("service"),
            scopes: param("scope").map(|text| Scopes::parse(&text)).unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    use super::*;

    fn parse(values: &[&str]) -> Result<AuthScheme, String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, value.parse().unwrap());
        }
        AuthScheme::of(&headers)
    }

    #[test]
    fn bearer() {
        for value in [
            r#"Bearer realm="https://auth.io/token",service="reg.io",scope="repository:a:pull""#,
            r#"bearer Realm="https://auth.io/token", scope="repository:a:pull", service=reg.io"#,
            r#"Digest realm="x", BEARER realm="https://auth.io/token",service="reg.io",scope="repository:a:pull",error="invalid_token""#,
        ] {
            let Ok(AuthScheme::Bearer(bearer)) = parse(&[value]) else {
                panic!("{value}");
            };
            assert_eq!(bearer.realm.as_str(), "https://auth.io/token");
            assert_eq!(bearer.service.as_deref(), Some("reg.io"));
            assert_eq!(bearer.scopes.texts(), ["repository:a:pull"]);
        }
    }

    #[test]
    fn basic_and_the_first_wins() {
        for values in [
            &[r#"Basic realm="x""#][..],
            &["BASIC"],
            &[r#"Negotiate"#, r#"Basic realm="x", charset="UTF-8""#],
            &[r#"Basic realm="x""#, r#"Bearer realm="https://auth.io/""#],
        ] {
            assert!(matches!(parse(values), Ok(AuthScheme::Basic)), "{values:?}");
        }
    }

    #[test]
    fn what_we_cannot_answer() {
        for (values, want) in [
            (&[][..], "asks for authentication but does not say how"),
            (&["Negotiate"], "authentication scheme \"Negotiate\" is not supported"),
            (&["Bearer service=\"x\""], "the bearer challenge names no realm"),
            (&["Bearer realm=\"/token\""], "the realm of the bearer challenge is not a URL"),
            (&["Bearer realm=\"mailto:a@b\""], "the realm of the bearer challenge is not a URL"),
            (&["Bearer realm=\"open"], "the WWW-Authenticate header is malformed"),
        ] {
            assert_eq!(parse(values).unwrap_err(), want, "{values:?}");
        }
    }

    #[test]
    fn what_is_no_text_is_passed_over() {
        let mut headers = HeaderMap::new();
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_bytes(b"Basic realm=\xff").unwrap());
        let nothing = "asks for authentication but does not say how";
        assert_eq!(AuthScheme::of(&headers).unwrap_err(), nothing);
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=x"));
        assert!(matches!(AuthScheme::of(&headers), Ok(AuthScheme::Basic)));
    }

    /// A parameter as a quoted string of RFC 9110, 5.6.4, with more escapes
    /// than it needs.
    fn quoted(text: &str, escaped: usize) -> String {
        let mut quoted = "\"".to_owned();
        for (at, letter) in text.chars().enumerate() {
            if matches!(letter, '"' | '\\') || at == escaped {
                quoted.push('\\');
            }
            quoted.push(letter);
        }
        quoted + "\""
    }

    proptest! {
        /// What a registry asks for comes back, in any order and case, behind
        /// challenges that nobody understands.
        #[test]
        fn challenges_survive_their_header(
            host in "[a-z]{1,8}(\\.[a-z]{2,3})?(:[1-9][0-9]{0,3})?",
            path in "[a-z0-9/?=&]{0,9}",
            service in proptest::option::of("[ -~]{0,9}"),
            scopes in proptest::collection::vec("[a-z]{1,9}:[a-z/]{1,9}:(push|pull)", 0..3),
            other in "((Negotiate|Digest realm=\"x\"|X-1 a=b) ?, ?)?",
            escaped in 0..9_usize,
            reverse: bool,
            upper: bool,
        ) {
            let realm = format!("https://{host}/{path}");
            let mut params = vec![("realm", realm.clone()), ("scope", scopes.join(" "))];
            params.extend(service.clone().map(|service| ("service", service)));
            params.push(("error", "invalid_token".to_owned()));
            if reverse {
                params.reverse();
            }
            let case = |text: &str| if upper { text.to_uppercase() } else { text.to_owned() };
            let params: Vec<String> = params
                .iter()
                .map(|(name, value)| format!("{}={}", case(name), quoted(value, escaped)))
                .collect();
            let header = format!("{other}{} {}", case("bearer"), params.join(", "));
            let Ok(AuthScheme::Bearer(bearer)) = parse(&[&header]) else {
                return Err(TestCaseError::fail(header));
            };
            let want = Bearer {
                realm: realm.parse().unwrap(),
                service,
                scopes: Scopes::parse(&scopes.join(" ")),
            };
            prop_assert_eq!(bearer, want, "{}", header);
            let basic = format!("{other}{} realm={}", case("basic"), quoted(&realm, escaped));
            // The first that is understood counts, in one header or in two.
            let both = format!("{basic}, {header}");
            for headers in [&[&*basic, &*header][..], &[&*both]] {
                prop_assert!(matches!(parse(headers), Ok(AuthScheme::Basic)), "{:?}", headers);
            }
        }

        #[test]
        fn never_panics_on_headers(text in "[ -~]{0,80}") {
            let _ = parse(&[&text]);
        }
    }
}
