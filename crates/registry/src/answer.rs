//! Reads a registry's answer that says no: the status, and the error codes in
//! its body (OCI distribution-spec, "Error Codes"). The texts are those that
//! ko's users know.

use std::fmt;
use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;
use serde_json::Value;

use crate::keychain::KeychainError;

/// How much of a body without error codes is shown, in characters.
const SHOWN: usize = 512;

/// One entry of the list of errors in an answer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ApiError {
    /// Such as `MANIFEST_UNKNOWN`.
    #[serde(default)]
    pub code: String,
    /// For people.
    #[serde(default)]
    pub message: String,
    /// Whatever the registry adds.
    #[serde(default)]
    pub detail: Value,
}

/// An answer whose status is not what was hoped for.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The status.
    pub status: StatusCode,
    /// The error codes, in the order of the body; empty if it has none.
    pub errors: Vec<ApiError>,
    /// When the registry asks to be left alone for a while: how long.
    pub retry_after: Option<Duration>,
    /// Where we are refused: why a keychain that should know us does not.
    pub trouble: Option<KeychainError>,
    /// And where the credential came from that was shown, if that is known.
    pub source: Option<String>,
    body: Option<String>,
}

impl Failure {
    /// Reads an answer. `body` is `None` for an answer to `HEAD`.
    pub(crate) fn new(status: StatusCode, headers: &HeaderMap, body: Option<&[u8]>) -> Self {
        #[derive(Deserialize)]
        struct Body {
            errors: Vec<ApiError>,
        }
        let parsed = body.and_then(|body| serde_json::from_slice::<Body>(body).ok());
        Self {
            status,
            errors: parsed.map(|body| body.errors).unwrap_or_default(),
            retry_after: retry_after(headers),
            trouble: None,
            source: None,
            body: body.map(|body| {
                let text = String::from_utf8_lossy(body);
                text.trim().chars().filter(|c| !c.is_control()).take(SHOWN).collect()
            }),
        }
    }

    /// Are we not known, or not let in?
    pub(crate) fn is_refusal(&self) -> bool {
        is_refusal(self.status)
    }

    /// Does the answer carry this error code?
    pub fn has_code(&self, code: &str) -> bool {
        self.errors.iter().any(|error| error.code == code)
    }
}

/// Does a status say that we are not known, or not let in?
pub(crate) fn is_refusal(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

/// For how long a registry asks to be left alone.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    waiting_time(headers.get(RETRY_AFTER)?.to_str().ok()?)
}

/// Reads `Retry-After` (RFC 9110, 10.2.3): seconds or a date.
fn waiting_time(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text.trim()).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        match &self.detail {
            Value::Null => Ok(()),
            detail => write!(f, "; {}", Plain(detail)),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errors.as_slice() {
            [] => {
                write!(f, "unexpected status code {}", self.status.as_u16())?;
                if let Some(reason) = self.status.canonical_reason() {
                    write!(f, " {reason}")?;
                }
                match self.body.as_deref() {
                    None => f.write_str(" (HEAD responses have no body, use GET for details)")?,
                    Some("") => {}
                    Some(body) => write!(f, ": {body}")?,
                }
            }
            [error] => error.fmt(f)?,
            errors => {
                f.write_str("multiple errors returned: ")?;
                for (at, error) in errors.iter().enumerate() {
                    write!(f, "{}{error}", if at == 0 { "" } else { "; " })?;
                }
            }
        }
        match &self.trouble {
            Some(trouble) => write!(f, " ({trouble})"),
            None => Ok(()),
        }
    }
}

/// JSON as Go prints it with `%v`, which is how ko shows details.
struct Plain<'a>(&'a Value);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Null => f.write_str("<nil>"),
            Value::String(text) => f.write_str(text),
            Value::Array(items) => {
                f.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    write!(f, "{}{}", if at == 0 { "" } else { " " }, Plain(item))?;
                }
                f.write_str("]")
            }
            Value::Object(fields) => {
                let mut fields: Vec<_> = fields.iter().collect();
                fields.sort_unstable_by_key(|(key, _)| *key);
                f.write_str("map[")?;
                for (at, (key, value)) in fields.into_iter().enumerate() {
                    write!(f, "{}{key}:{}", if at == 0 { "" } else { " " }, Plain(value))?;
                }
                f.write_str("]")
            }
            other => other.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(status: u16, body: Option<&str>) -> String {
        let status = StatusCode::from_u16(status).unwrap();
        Failure::new(status, &HeaderMap::new(), body.map(str::as_bytes)).to_string()
    }

    #[test]
    fn answers_read_as_in_ko() {
        for (status, body, want) in [
            (404, Some(""), "unexpected status code 404 Not Found"),
            (502, Some("<html>\n"), "unexpected status code 502 Bad Gateway: <html>"),
            (599, Some("{}"), "unexpected status code 599: {}"),
            (
                403,
                None,
                "unexpected status code 403 Forbidden (HEAD responses have no body, use GET for details)",
            ),
            (
                404,
                Some(r#"{"errors":[{"code":"NAME_UNKNOWN","message":"Unknown name"}]}"#),
                "NAME_UNKNOWN: Unknown name",
            ),
            (
                401,
                Some(
                    r#"{"errors":[{"code":"UNAUTHORIZED","message":"m","detail":[{"Type":"repository","Class":"","Name":"a","n":null}]}]}"#,
                ),
                "UNAUTHORIZED: m; [map[Class: Name:a Type:repository n:<nil>]]",
            ),
            (
                400,
                Some(
                    r#"{"errors":[{"code":"A","message":"1"},{"code":"B","message":"2","detail":3}]}"#,
                ),
                "multiple errors returned: A: 1; B: 2; 3",
            ),
        ] {
            assert_eq!(shown(status, body), want);
        }
    }

    #[test]
    fn waiting_times() {
        assert_eq!(waiting_time("7"), Some(Duration::from_secs(7)));
        assert_eq!(waiting_time("soon"), None);
        assert_eq!(waiting_time("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3600));
        let wait = waiting_time(&date).unwrap();
        assert!(wait > Duration::from_secs(3000) && wait <= Duration::from_secs(3600), "{wait:?}");
    }

    #[test]
    fn who_is_not_known_or_not_let_in_is_refused() {
        for (status, want) in [(401, true), (403, true), (400, false), (404, false), (500, false)] {
            let status = StatusCode::from_u16(status).unwrap();
            let failure = Failure::new(status, &HeaderMap::new(), None);
            assert_eq!(failure.is_refusal(), want, "{status}");
        }
    }

    /// A detail, and how Go's `%v` prints it.
    fn detail() -> impl Strategy<Value = (Value, String)> {
        let leaf = prop_oneof![
            Just((Value::Null, "<nil>".to_owned())),
            any::<bool>().prop_map(|truth| (truth.into(), truth.to_string())),
            (-999_999..999_999_i64).prop_map(|number| (number.into(), number.to_string())),
            any::<String>().prop_map(|text| (text.clone().into(), text)),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            let list = proptest::collection::vec(inner.clone(), 0..3).prop_map(|items| {
                let (values, texts): (Vec<_>, Vec<_>) = items.into_iter().unzip();
                (Value::from(values), format!("[{}]", texts.join(" ")))
            });
            let map =
                proptest::collection::btree_map("[a-zA-Z]{1,5}", inner, 0..3).prop_map(|fields| {
                    let texts: Vec<String> =
                        fields.iter().map(|(key, (_, text))| format!("{key}:{text}")).collect();
                    let values = fields.into_iter().map(|(key, (value, _))| (key, value));
                    (Value::Object(values.collect()), format!("map[{}]", texts.join(" ")))
                });
            prop_oneof![list, map]
        })
    }

    proptest! {
        /// The codes of a body are told in their order, in ko's form.
        #[test]
        fn codes_are_told_as_in_ko(
            errors in proptest::collection::vec(("[A-Z_]{1,9}", any::<String>(), detail()), 1..4),
        ) {
            let told = |(code, message, (detail, text)): &(String, String, (Value, String))| match detail {
                Value::Null => format!("{code}: {message}"),
                _ => format!("{code}: {message}; {text}"),
            };
            let texts: Vec<String> = errors.iter().map(told).collect();
            let want = match texts.as_slice() {
                [one] => one.clone(),
                many => format!("multiple errors returned: {}", many.join("; ")),
            };
            let entry = |(code, message, (detail, _)): &(String, String, (Value, String))| {
                serde_json::json!({"code": code, "message": message, "detail": detail, "more": 1})
            };
            let list: Vec<Value> = errors.iter().map(entry).collect();
            let body = serde_json::json!({"errors": list}).to_string();
            let failure = Failure::new(StatusCode::FORBIDDEN, &HeaderMap::new(), Some(body.as_bytes()));
            prop_assert_eq!(failure.to_string(), want);
            prop_assert!(errors.iter().all(|(code, ..)| failure.has_code(code)));
            prop_assert!(!failure.has_code("a"));
        }

        /// A body without codes is shown up to a limit, and orders nothing.
        #[test]
        fn other_bodies_are_cut(body: Vec<u8>, times in 1..60_usize) {
            let body = body.repeat(times);
            let failure = Failure::new(StatusCode::BAD_REQUEST, &HeaderMap::new(), Some(&body));
            let text = failure.to_string();
            let shown = text.strip_prefix("unexpected status code 400 Bad Request");
            prop_assert!(shown.is_some(), "{}", text);
            let shown = shown.unwrap_or_default();
            prop_assert!(shown.is_empty() || shown.starts_with(": "));
            prop_assert!(shown.chars().count() <= SHOWN + 2);
            prop_assert!(!shown.contains(char::is_control));
        }

        /// Seconds and dates come back.
        #[test]
        fn waiting_times_survive_their_header(seconds: u64, past in 0..1_700_000_000_u64) {
            prop_assert_eq!(waiting_time(&format!(" {seconds} ")), Some(Duration::from_secs(seconds)));
            let date = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(past));
            prop_assert_eq!(waiting_time(&date), Some(Duration::ZERO));
            prop_assert_eq!(waiting_time(&format!("{seconds}s")), None);
        }
    }
}
