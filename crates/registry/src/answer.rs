//! Reads a registry's answer that says no: the status, and the error codes in
//! its body (OCI distribution-spec, "Error Codes"). The texts are those that
//! ko's users know.

use std::fmt;
use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;
use serde_json::Value;

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
            retry_after: headers
                .get(RETRY_AFTER)
                .and_then(|value| retry_after(value.to_str().ok()?)),
            body: body.map(|body| {
                let text = String::from_utf8_lossy(body);
                text.trim().chars().filter(|c| !c.is_control()).take(SHOWN).collect()
            }),
        }
    }

    /// Does the answer carry this error code?
    pub fn has_code(&self, code: &str) -> bool {
        self.errors.iter().any(|error| error.code == code)
    }
}

/// Reads `Retry-After` (RFC 9110, 10.2.3): seconds or a date.
fn retry_after(text: &str) -> Option<Duration> {
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
                    None => f.write_str(" (HEAD responses have no body, use GET for details)"),
                    Some("") => Ok(()),
                    Some(body) => write!(f, ": {body}"),
                }
            }
            [error] => error.fmt(f),
            errors => {
                f.write_str("multiple errors returned: ")?;
                for (at, error) in errors.iter().enumerate() {
                    write!(f, "{}{error}", if at == 0 { "" } else { "; " })?;
                }
                Ok(())
            }
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
        assert_eq!(retry_after("7"), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("soon"), None);
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3600));
        let wait = retry_after(&date).unwrap();
        assert!(wait > Duration::from_secs(3000) && wait <= Duration::from_secs(3600), "{wait:?}");
    }

    proptest::proptest! {
        #[test]
        fn any_body_is_read(body: Vec<u8>) {
            let failure = Failure::new(StatusCode::BAD_REQUEST, &HeaderMap::new(), Some(&body));
            proptest::prop_assert!(!failure.to_string().is_empty());
        }
    }
}
