//! Sends the requests of the library of object stores with our HTTP client, and tells
//! the meter of them.

use async_trait::async_trait;
use http::HeaderValue;
use http::header::CONTENT_LENGTH;
use http_body_util::BodyExt as _;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};

use crate::Meter;

/// Makes the client of a store.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    client: reqwest::Client,
    meter: Meter,
}

impl Connector {
    pub(super) fn new(client: reqwest::Client, meter: Meter) -> Self {
        Self { client, meter }
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Connector {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let url = parts.uri.to_string().parse();
        let url = url.map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        let length = body.content_length();
        if length > 0 {
            // A body in frames is of unknown length, which stores do not take.
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
            let meter = self.meter.clone();
            let counted = body.map_frame(move |frame| {
                meter.sent(frame.data_ref().map_or(0, bytes::Bytes::len));
                frame
            });
            *request.body_mut() = Some(reqwest::Body::wrap(counted));
        }
        let answer = self.client.execute(request).await;
        self.meter.round_trip();
        let answer: http::Response<reqwest::Body> = answer.map_err(failed)?.into();
        let (parts, body) = answer.into_parts();
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body.map_err(failed))))
    }
}

fn failed(error: reqwest::Error) -> HttpError {
    let kind = match &error {
        error if error.is_timeout() => HttpErrorKind::Timeout,
        error if error.is_connect() => HttpErrorKind::Connect,
        _ => HttpErrorKind::Interrupted,
    };
    // A URL may have a signature in it.
    HttpError::new(kind, error.without_url())
}
