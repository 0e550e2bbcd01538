//! Google's storage as far as a cache asks for it (its XML API): objects with
//! generations, conditions, uploads in parts, lists. Compiling the emulator that others
//! have takes minutes.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use tokio::task::JoinHandle;

#[derive(Debug, Default)]
struct Contents {
    objects: BTreeMap<String, (u64, Bytes)>,
    uploads: HashMap<String, BTreeMap<u32, Bytes>>,
    generation: u64,
}

type Shared = Arc<Mutex<Contents>>;

/// A server with one bucket, called `bucket`.
#[derive(Debug)]
pub(crate) struct Google {
    host: String,
    task: JoinHandle<()>,
}

impl Google {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let app = Router::new()
            .fallback(answer)
            .layer(DefaultBodyLimit::disable())
            .with_state(Shared::default());
        let task = tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
        Self { host, task }
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn stop(&mut self) {
        self.task.abort();
    }
}

impl Contents {
    fn put(&mut self, name: &str, bytes: Bytes) -> Response {
        self.generation += 1;
        let generation = self.generation;
        self.objects.insert(name.to_owned(), (generation, bytes));
        described(generation, Bytes::new())
    }

    fn list(&self, prefix: &str) -> String {
        let mut text = "<ListBucketResult><IsTruncated>false</IsTruncated>".to_owned();
        for (name, (generation, bytes)) in
            self.objects.iter().filter(|(name, _)| name.starts_with(prefix))
        {
            let _ = write!(
                text,
                "<Contents><Key>{name}</Key><Size>{}</Size><ETag>\"{generation}\"</ETag>\
                 <LastModified>2026-11-29T10:11:12.000Z</LastModified></Contents>",
                bytes.len()
            );
        }
        text + "</ListBucketResult>"
    }
}

fn described(generation: u64, bytes: Bytes) -> Response {
    let headers = [
        ("etag", format!("\"{generation}\"")),
        ("x-goog-generation", generation.to_string()),
        ("last-modified", "Sun, 29 Nov 2026 10:11:12 GMT".to_owned()),
        ("content-length", bytes.len().to_string()),
    ];
    (headers, bytes).into_response()
}

async fn answer(
    State(contents): State<Shared>,
    method: Method,
    uri: Uri,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut contents = contents.lock().unwrap();
    let Some(path) = uri.path().strip_prefix("/bucket") else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // The library encodes the slashes of names.
    let text = format!("={}", path.trim_start_matches('/'));
    let name: String = form_urlencoded::parse(text.as_bytes()).map(|(_, name)| name).collect();
    let name = name.as_str();
    let upload = query.get("uploadId").cloned();
    match (method.as_str(), upload) {
        ("GET", _) if name.is_empty() => {
            contents.list(query.get("prefix").map_or("", String::as_str)).into_response()
        }
        ("GET" | "HEAD", _) => match contents.objects.get(name) {
            Some((generation, bytes)) => described(*generation, bytes.clone()),
            None => StatusCode::NOT_FOUND.into_response(),
        },
        ("POST", None) => {
            contents.generation += 1;
            let id = contents.generation.to_string();
            contents.uploads.insert(id.clone(), BTreeMap::new());
            format!("<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>")
                .into_response()
        }
        ("PUT", Some(upload)) => {
            let number = query["partNumber"].parse().unwrap();
            contents.uploads.get_mut(&upload).unwrap().insert(number, body);
            ([("etag", format!("\"{number}\""))], "").into_response()
        }
        ("POST", Some(upload)) => {
            let parts = contents.uploads.remove(&upload).unwrap();
            let whole: Vec<u8> = parts.into_values().flatten().collect();
            contents.put(name, whole.into());
            "<CompleteMultipartUploadResult><ETag>\"x\"</ETag></CompleteMultipartUploadResult>"
                .into_response()
        }
        ("PUT", None) => {
            let generation = contents.objects.get(name).map_or(0, |(generation, _)| *generation);
            let wanted = headers.get("x-goog-if-generation-match");
            let wanted = wanted.map(|wanted| wanted.to_str().unwrap().parse::<u64>().unwrap());
            match wanted.is_none_or(|wanted| wanted == generation) {
                true => contents.put(name, body),
                false => StatusCode::PRECONDITION_FAILED.into_response(),
            }
        }
        ("DELETE", _) => match contents.objects.remove(name) {
            Some(_) => StatusCode::NO_CONTENT.into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        },
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}
