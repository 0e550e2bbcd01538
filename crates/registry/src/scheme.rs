//! Finds out whether a registry speaks https or http. Where plain http is
//! allowed both are tried, https first; the answer also shows how the registry
//! authenticates.

use std::time::Duration;

use futures::future::{Either, select};
use oci::Registry;
use reqwest::{Method, StatusCode, Url};

use crate::challenge::AuthScheme;
use crate::error::RegistryError;
use crate::guard;
use crate::redirect::{self, MAX_REDIRECTS};
use crate::transport::{Request, Response, Transport};

/// How long https is tried alone.
const HEAD_START: Duration = Duration::from_millis(300);

/// Scheme, host and port of a registry.
pub(crate) fn base(scheme: &str, registry: &Registry) -> Url {
    let text = format!("{scheme}://{registry}/");
    text.parse().expect("a registry is a host and a port")
}

/// Asks `GET /v2/` once (OCI distribution-spec, "Determining Support").
pub(crate) async fn ping(transport: &Transport, base: &Url) -> Result<AuthScheme, RegistryError> {
    let (_, auth) = ask(transport, base).await?;
    Ok(auth)
}

/// Asks, and follows where the question is redirected. Returns the registry
/// with the scheme that it sends us to; https is never left.
async fn ask(transport: &Transport, base: &Url) -> Result<(Url, AuthScheme), RegistryError> {
    let mut request = Request::new(Method::GET, base.clone());
    request.url.set_path("/v2/");
    for _ in 0..=MAX_REDIRECTS {
        let response = transport.send(&request).await?;
        let Some(to) = redirect::next(&request, &response)? else {
            let base = guard::as_found(&request.url, base.clone());
            return Ok((base, auth_of(response).await?));
        };
        let to = if base.scheme() == "https" { guard::as_found(base, to) } else { to };
        // The answer says where credentials go.
        if let Err(reason) = guard::check_location(&request.url, &to) {
            return Err(redirect::refused(&request, &to, reason));
        }
        request.url = to;
        response.discard().await;
    }
    Err(redirect::too_many(&request))
}

async fn auth_of(response: Response) -> Result<AuthScheme, RegistryError> {
    let auth = match response.status() {
        StatusCode::OK => AuthScheme::Open,
        StatusCode::UNAUTHORIZED => match AuthScheme::of(response.headers()) {
            Ok(auth) => auth,
            Err(problem) => return Err(response.protocol(problem)),
        },
        _ => return Err(response.fail().await),
    };
    response.discard().await;
    Ok(auth)
}

/// Finds out which scheme leads to the registry.
pub(crate) async fn find(
    transport: &Transport,
    registry: &Registry,
) -> Result<(Url, AuthScheme), RegistryError> {
    let mut attempts = transport.attempts();
    loop {
        match race(transport, registry).await {
            Ok(found) => return Ok(found),
            Err(both) => attempts.pause(both, is_transient).await?,
        }
    }
}

/// Whatever https says, it is http that may be better in a moment, or https
/// if it has answered. A certificate that is not trusted will not be in a moment,
/// and where there is one, nobody speaks http who has not answered.
fn is_transient(error: &RegistryError) -> bool {
    match error {
        RegistryError::Unreachable { https, http } => {
            let may_be_http = !https.is_certificate() || http.failure().is_some();
            may_be_http && http.is_transient() || https.is_transient() && https.failure().is_some()
        }
        _ => false,
    }
}

async fn race(
    transport: &Transport,
    registry: &Registry,
) -> Result<(Url, AuthScheme), RegistryError> {
    let both =
        |https, http| RegistryError::Unreachable { https: Box::new(https), http: Box::new(http) };
    let (https, http) = (base("https", registry), base("http", registry));
    let https = ask(transport, &https);
    let http = ask(transport, &http);
    tokio::pin!(https, http);
    match tokio::time::timeout(HEAD_START, &mut https).await {
        Ok(Ok(found)) => return Ok(found),
        // What is wrong here is not to be got round in plain http.
        Ok(Err(failed)) if failed.is_local() => return Err(failed),
        Ok(Err(failed)) => return http.await.map_err(|error| both(failed, error)),
        Err(_) => {}
    }
    match select(https, http).await {
        Either::Left((Ok(found), _)) | Either::Right((Ok(found), _)) => Ok(found),
        Either::Left((Err(failed), http)) => http.await.map_err(|error| both(failed, error)),
        Either::Right((Err(failed), https)) => https.await.map_err(|error| both(error, failed)),
    }
}
