//! https or http? For registries that may be spoken to in plain http both are
//! tried, https first; the answer also tells how the registry wants to be
//! spoken to.

use std::time::Duration;

use futures::future::{Either, select};
use oci::Registry;
use reqwest::{Method, StatusCode, Url};

use crate::challenge::AuthScheme;
use crate::error::RegistryError;
use crate::transport::{Request, Transport};

/// How long https is tried alone.
const HEAD_START: Duration = Duration::from_millis(300);

/// Scheme, host and port of a registry.
pub(crate) fn base(scheme: &str, registry: &Registry) -> Url {
    let text = format!("{scheme}://{registry}/");
    text.parse().expect("a registry is a host and a port")
}

/// Asks `GET /v2/` once (OCI distribution-spec, "Determining Support").
pub(crate) async fn ping(transport: &Transport, base: &Url) -> Result<AuthScheme, RegistryError> {
    let mut url = base.clone();
    url.set_path("/v2/");
    let response = transport.send(&Request::new(Method::GET, url)).await?;
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
    let mut attempts = transport.options.retry.start();
    loop {
        match race(transport, registry).await {
            Ok(found) => return Ok(found),
            Err(both) => attempts.pause(both, is_transient).await?,
        }
    }
}

/// Whatever https says, it is http that may be better in a moment, or https
/// if it has answered.
fn is_transient(error: &RegistryError) -> bool {
    match error {
        RegistryError::Unreachable { https, http } => {
            http.is_transient() || https.is_transient() && https.failure().is_some()
        }
        _ => false,
    }
}

/// Asks one way.
async fn ask(
    transport: &Transport,
    registry: &Registry,
    scheme: &str,
) -> Result<(Url, AuthScheme), RegistryError> {
    let base = base(scheme, registry);
    let auth = ping(transport, &base).await?;
    Ok((base, auth))
}

async fn race(
    transport: &Transport,
    registry: &Registry,
) -> Result<(Url, AuthScheme), RegistryError> {
    let both =
        |https, http| RegistryError::Unreachable { https: Box::new(https), http: Box::new(http) };
    let https = ask(transport, registry, "https");
    let http = ask(transport, registry, "http");
    tokio::pin!(https, http);
    match tokio::time::timeout(HEAD_START, &mut https).await {
        Ok(Ok(found)) => return Ok(found),
        Ok(Err(failed)) => return http.await.map_err(|error| both(failed, error)),
        Err(_) => {}
    }
    match select(https, http).await {
        Either::Left((Ok(found), _)) | Either::Right((Ok(found), _)) => Ok(found),
        Either::Left((Err(failed), http)) => http.await.map_err(|error| both(failed, error)),
        Either::Right((Err(failed), https)) => https.await.map_err(|error| both(error, failed)),
    }
}
