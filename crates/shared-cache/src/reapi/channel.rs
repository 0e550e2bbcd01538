//! Carries gRPC over our HTTP client: HTTP/2, with the machine's certificates and
//! proxies, a client certificate, and headers for tokens.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll};

use credentials::Stores;
use futures::FutureExt as _;
use futures::Stream;
use futures::future::BoxFuture;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use http_body_util::BodyExt as _;
use prost::Message;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tonic::client::Grpc;
use tonic::metadata::MetadataMap;
use tonic::{Request, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::{CacheUrl, Meter, Scheme, StorageError};

/// Headers of each request: `name=value`, separated by commas.
const HEADERS: &str = "KO_CACHE_HEADERS";

/// The files of a client certificate and its key, in PEM.
const CERTIFICATE: &str = "KO_CACHE_CLIENT_CERTIFICATE";
const KEY: &str = "KO_CACHE_CLIENT_KEY";

/// The largest message that is read, in bytes.
const MAX_MESSAGE: usize = 64 << 20;

/// A server, and who we are there.
#[derive(Debug, Clone)]
pub(super) struct Channel {
    client: reqwest::Client,
    origin: Uri,
    headers: HeaderMap,
    meter: Meter,
}

impl Channel {
    pub(super) fn new(url: &CacheUrl, stores: &Stores, meter: Meter) -> Result<Self, StorageError> {
        let is_tls = url.scheme() == Scheme::Grpcs;
        let authority = url.place().split('/').next().unwrap_or_default();
        let origin = format!("{}://{authority}", if is_tls { "https" } else { "http" });
        let unexpected = |message: String| StorageError::Unexpected { message };
        let origin = origin.parse().map_err(|_| unexpected(format!("{url} names no server")))?;
        let mut tls = registry::tls(stores.roots());
        tls.alpn_protocols = vec![b"h2".to_vec()];
        let variables = stores.variables();
        match (variables.path(CERTIFICATE), variables.path(KEY)) {
            (Some(certificate), Some(key)) if is_tls => {
                let identity = identity(&tls, &certificate, &key)?;
                tls.client_auth_cert_resolver =
                    Arc::new(SingleCertAndKey::from(Arc::new(identity)));
            }
            (Some(_), None) => return Err(unexpected(format!("{CERTIFICATE} wants {KEY}"))),
            _ => {}
        }
        let builder = stores.client_with(tls).http2_prior_knowledge();
        // What is not TLS does not go through proxies of HTTP/1.
        let builder = if is_tls { builder } else { builder.no_proxy() };
        let client = builder.build().map_err(|error| StorageError::Unreachable(Box::new(error)))?;
        let headers = variables.secret(HEADERS);
        let headers = headers.map(|text| headers_of(&text.expose())).transpose();
        let headers = headers.map_err(unexpected)?.unwrap_or_default();
        Ok(Self { client, origin, headers, meter })
    }

    fn grpc(&self) -> Grpc<Self> {
        let grpc = Grpc::with_origin(self.clone(), self.origin.clone());
        grpc.max_decoding_message_size(MAX_MESSAGE).max_encoding_message_size(MAX_MESSAGE)
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        *request.metadata_mut() = MetadataMap::from_headers(self.headers.clone());
        request
    }

    /// One message for one.
    pub(super) async fn unary<Q, A>(&self, path: &'static str, message: Q) -> Result<A, Status>
    where
        Q: Message + Default + 'static,
        A: Message + Default + 'static,
    {
        let codec = ProstCodec::<Q, A>::default();
        let path = PathAndQuery::from_static(path);
        let answer = self.grpc().unary(self.request(message), path, codec).await;
        self.meter.round_trip();
        answer.map(tonic::Response::into_inner)
    }

    /// Many messages for one.
    pub(super) async fn read<Q, A>(
        &self,
        path: &'static str,
        message: Q,
    ) -> Result<Streaming<A>, Status>
    where
        Q: Message + Default + 'static,
        A: Message + Default + 'static,
    {
        let codec = ProstCodec::<Q, A>::default();
        let path = PathAndQuery::from_static(path);
        let answer = self.grpc().server_streaming(self.request(message), path, codec).await;
        self.meter.round_trip();
        answer.map(tonic::Response::into_inner)
    }

    /// One message for many.
    pub(super) async fn write<Q, A>(
        &self,
        path: &'static str,
        messages: impl Stream<Item = Q> + Send + 'static,
    ) -> Result<A, Status>
    where
        Q: Message + Default + 'static,
        A: Message + Default + 'static,
    {
        let codec = ProstCodec::<Q, A>::default();
        let path = PathAndQuery::from_static(path);
        let answer = self.grpc().client_streaming(self.request(messages), path, codec).await;
        self.meter.round_trip();
        answer.map(tonic::Response::into_inner)
    }
}

impl tower_service::Service<http::Request<tonic::body::Body>> for Channel {
    type Response = http::Response<reqwest::Body>;
    type Error = reqwest::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let client = self.client.clone();
        async move {
            let (parts, body) = request.into_parts();
            // Requests of gRPC have no trailers.
            let body = reqwest::Body::wrap_stream(body.into_data_stream());
            let request = client.request(parts.method, parts.uri.to_string());
            let answer = request.headers(parts.headers).body(body).send().await?;
            Ok(answer.into())
        }
        .boxed()
    }
}

/// `name=value,name=value`, as OpenTelemetry writes headers. What is wrong is said
/// without a value.
fn headers_of(text: &str) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or(format!("{HEADERS} wants name=value"))?;
        let name: HeaderName =
            name.trim().parse().map_err(|_| format!("{HEADERS}: {name:?} is not a header name"))?;
        let value = HeaderValue::from_str(value.trim());
        let mut value = value
            .map_err(|_| format!("{HEADERS}: the value of {name} is not valid in a header"))?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

fn identity(
    tls: &rustls::ClientConfig,
    certificate: &Path,
    key: &Path,
) -> Result<CertifiedKey, StorageError> {
    let read = |path: &Path| fs::read(path).map_err(StorageError::at("reading", path));
    let (certificate_pem, key_pem) = (read(certificate)?, read(key)?);
    let wrong = |path: &Path, what: &str| StorageError::Unexpected {
        message: format!("{}: {what}", path.display()),
    };
    let chain = CertificateDer::pem_slice_iter(&certificate_pem).collect::<Result<Vec<_>, _>>();
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    let chain = chain.ok_or_else(|| wrong(certificate, "no certificate in PEM"))?;
    let private = PrivateKeyDer::from_pem_slice(&key_pem);
    let private = private.map_err(|_| wrong(key, "no private key in PEM"))?;
    CertifiedKey::from_der(chain, private, tls.crypto_provider())
        .map_err(|error| wrong(key, &error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read() {
        let headers = headers_of("x-key=a=b, authorization=Bearer secret,").unwrap();
        assert_eq!(headers["x-key"], "a=b");
        assert!(headers["authorization"].is_sensitive());
        for text in ["secret", "na me=secret", "x=sec\nret"] {
            let error = headers_of(text).unwrap_err();
            assert!(error.starts_with(HEADERS) && !error.contains("sec"), "{error}");
        }
    }
}
