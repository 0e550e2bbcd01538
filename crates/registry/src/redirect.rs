//! Reads where an answer redirects its request, as Go's HTTP client does.

use reqwest::header::LOCATION;
use reqwest::{Method, StatusCode, Url};

use crate::error::RegistryError;
use crate::guard;
use crate::transport::{Request, Response};

/// How often a request may be sent elsewhere.
pub(crate) const MAX_REDIRECTS: usize = 10;

/// The next place of a request, if the answer is a redirect that keeps its
/// method. A write is followed only if the status says that it is to be sent
/// again as it was (RFC 9110, 15.4.8 and 15.4.9): of the other statuses Go's
/// client makes a `GET`, which stores nothing.
pub(crate) fn next(request: &Request, response: &Response) -> Result<Option<Url>, RegistryError> {
    if !is_followed(&request.method, response.status()) {
        return Ok(None);
    }
    match response.header(&LOCATION).and_then(|to| request.url.join(to).ok()) {
        Some(to) => Ok(Some(to)),
        None => Err(response.protocol("a redirect without a valid Location")),
    }
}

fn is_followed(method: &Method, status: StatusCode) -> bool {
    match status.as_u16() {
        301..=303 => reads(method),
        307 | 308 => true,
        _ => false,
    }
}

fn reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// The next place of a request to the registry at `base`, if that may see it.
pub(crate) fn from_registry(
    base: &Url,
    request: &Request,
    response: &Response,
) -> Result<Option<Url>, RegistryError> {
    let Some(to) = next(request, response)? else {
        return Ok(None);
    };
    let to = guard::as_found(base, to);
    let checked = match reads(&request.method) {
        true => guard::check_redirect(base, &to),
        false => guard::check_location(base, &to),
    };
    match checked {
        Ok(()) => Ok(Some(to)),
        Err(reason) => Err(refused(request, &to, reason)),
    }
}

/// We do not follow to `to`.
pub(crate) fn refused(request: &Request, to: &Url, reason: &'static str) -> RegistryError {
    let target = crate::request_line::redacted(to);
    RegistryError::Redirect { request: request.line(), target, reason }
}

/// We have followed often enough.
pub(crate) fn too_many(request: &Request) -> RegistryError {
    RegistryError::Protocol {
        request: request.line(),
        problem: format!("stopped after {MAX_REDIRECTS} redirects"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_status_that_keeps_the_method_is_followed() {
        for (status, read, write) in [
            (200, false, false),
            (300, false, false),
            (301, true, false),
            (302, true, false),
            (303, true, false),
            (304, false, false),
            (305, false, false),
            (307, true, true),
            (308, true, true),
            (401, false, false),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            for method in [Method::GET, Method::HEAD] {
                assert_eq!(is_followed(&method, status), read, "{method} {status}");
            }
            for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                assert_eq!(is_followed(&method, status), write, "{method} {status}");
            }
        }
    }
}
