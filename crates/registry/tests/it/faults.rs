//! Every class of request, with everything that can go wrong at it. Whatever
//! does, an image is complete and readable in the end, or there is an error that
//! says where, at what and why, and no tag points at something incomplete. No
//! error tells a secret.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use ko_registry::{
    Access, BlobSource, Client, ClientOptions, Credential, PushHint, RegistryError, RetryPolicy,
    RootPlaces, Secret,
};
use oci::{Descriptor, Digest, MediaType, Reference, Repository};
use serde_json::json;
use testkit::registry::{Auth, Bearer, Class, Fault, Rule, TestRegistry};

use crate::secrets::said;
use crate::{Fixed, PASSWORD, USER, basic, options, reference, repository, store};

/// In the query of every Location.
const SIGNATURE: &str = "hunter2-signature";

/// A token that is as good as a password.
const IDENTITY: &str = "hunter2-identity";

/// No case may take longer. It is no measure: most take milliseconds.
const BUDGET: Duration = Duration::from_secs(60);

/// What a hang costs.
const SILENCE: Duration = Duration::from_millis(400);

/// Cases that are under way.
const AT_ONCE: usize = 24;

/// Requests of a run without faults.
const LEAST: u64 = 20;

/// The requests of a run, by name.
const REQUESTS: [(&str, Class, &str); 14] = [
    ("ping", Class::Ping, ""),
    ("token", Class::Token, ""),
    ("GET manifest", Class::ManifestGet, "/base/"),
    ("GET blob", Class::BlobGet, "/base/"),
    ("HEAD tag", Class::ManifestHead, "/app/manifests/v1"),
    ("HEAD digest", Class::ManifestHead, "/app/manifests/sha256"),
    ("HEAD blob", Class::BlobHead, "/app/"),
    ("POST mount", Class::Mount, "/app/"),
    ("POST upload", Class::UploadPost, "/app/"),
    ("PATCH", Class::UploadPatch, "/app/"),
    ("PUT blob", Class::UploadPut, "/app/"),
    ("PUT manifest", Class::ManifestPut, "/app/manifests/IMAGE"),
    ("PUT index", Class::ManifestPut, "/app/manifests/INDEX"),
    ("PUT tag", Class::ManifestPut, "/app/manifests/v1"),
];

/// A way to go wrong, and how often.
#[derive(Debug, Clone)]
struct Trouble {
    name: &'static str,
    times: u64,
    fault: Fault,
}

impl Trouble {
    /// Can it happen to a request of this class?
    fn fits(&self, class: Class) -> bool {
        let is_read = matches!(class, Class::Token | Class::ManifestGet | Class::BlobGet);
        let opens = matches!(class, Class::Mount | Class::UploadPost | Class::UploadPatch);
        let carries = matches!(class, Class::UploadPatch | Class::UploadPut | Class::ManifestPut);
        let is_named = matches!(class, Class::ManifestHead | Class::ManifestGet);
        match &self.fault {
            Fault::CutRequest(_) => carries,
            Fault::CutResponse(_) | Fault::CorruptBody | Fault::ShortBody(_) => is_read,
            Fault::SlowBody { .. } => is_read,
            Fault::RelativeLocation | Fault::SetHeaders(_) => opens,
            Fault::OmitHeaders(names) if names == &["location"] => opens,
            Fault::OmitHeaders(_) => is_named || carries,
            Fault::WrongDigest => is_named || carries || class == Class::Mount,
            Fault::RefuseMount => class == Class::Mount,
            Fault::RevokeTokens => !matches!(class, Class::Ping | Class::Token),
            _ => true,
        }
    }
}

fn troubles() -> Vec<Trouble> {
    const EVER: u64 = u64::MAX;
    let status = |status| Fault::status(status, "UNKNOWN_TO_US");
    let answer = |status, kind: &str, body: &str| Fault::Respond {
        status,
        headers: vec![("content-type".to_owned(), kind.to_owned())],
        body: Bytes::copy_from_slice(body.as_bytes()),
    };
    let redirect =
        |to: &str| Fault::Redirect { status: 307, origin: to.trim_end_matches('/').to_owned() };
    let html = "<html>hotel: please log in</html>";
    let pieces = Bytes::from("1, ".repeat(100_000));
    let endless = Fault::Endless { start: Bytes::from_static(b"{\"token\": ["), piece: pieces };
    let slow = Fault::SlowBody { chunk: 1, pause: Duration::from_millis(1) };
    let without = |name: &str| Fault::OmitHeaders(vec![name.to_owned()]);
    let elsewhere = "http://10.0.0.1:1/x?sig=hunter2-signature".to_owned();
    let trouble = |name, times, fault| Trouble { name, times, fault };
    vec![
        trouble("connection refused", EVER, Fault::Leave),
        trouble("reset before the body, once", 1, Fault::CutBefore),
        trouble("reset before the body", EVER, Fault::CutBefore),
        trouble("reset after the body, once", 1, Fault::Cut),
        trouble("reset after the body", EVER, Fault::Cut),
        trouble("half a request, once", 1, Fault::CutRequest(5)),
        trouble("half a request", EVER, Fault::CutRequest(5)),
        trouble("half an answer, once", 1, Fault::CutResponse(5)),
        trouble("half an answer", EVER, Fault::CutResponse(5)),
        trouble("hang, once", 1, Fault::Hang(Duration::from_secs(3600))),
        trouble("hang", EVER, Fault::Hang(Duration::from_secs(3600))),
        trouble("one byte at a time", EVER, slow),
        trouble("401, once", 1, status(401)),
        trouble("401", EVER, status(401)),
        trouble("403", EVER, status(403)),
        trouble("404", EVER, status(404)),
        trouble("408, once", 1, status(408)),
        trouble("408", EVER, status(408)),
        trouble("413", EVER, status(413)),
        trouble("416", EVER, status(416)),
        trouble("429, once", 1, status(429)),
        trouble("429", EVER, status(429)),
        trouble("429, Retry-After, once", 1, Fault::too_many_requests(7)),
        trouble("429, Retry-After", EVER, Fault::too_many_requests(7)),
        trouble("500, once", 1, status(500)),
        trouble("500", EVER, status(500)),
        trouble("502, once", 1, answer(502, "text/html", html)),
        trouble("502", EVER, answer(502, "text/html", html)),
        trouble("503, three times", 3, status(503)),
        trouble("503", EVER, status(503)),
        trouble("wrong digest announced", EVER, Fault::WrongDigest),
        trouble("wrong bytes, once", 1, Fault::CorruptBody),
        trouble("wrong bytes", EVER, Fault::CorruptBody),
        trouble("wrong length, once", 1, Fault::ShortBody(5)),
        trouble("wrong length", EVER, Fault::ShortBody(5)),
        trouble("HTML instead of JSON, once", 1, answer(200, "text/html", html)),
        trouble("HTML instead of JSON", EVER, answer(200, "text/html", html)),
        trouble("HTML, 201", EVER, answer(201, "text/html", html)),
        trouble("endless JSON", EVER, endless),
        trouble("redirect loop", EVER, redirect("")),
        trouble("redirect to a private address", EVER, redirect("http://10.0.0.1:1")),
        trouble(
            "Location at a private address",
            EVER,
            Fault::SetHeaders(vec![("location".to_owned(), elsewhere)]),
        ),
        trouble("Location without host", EVER, Fault::RelativeLocation),
        trouble("no Location", EVER, without("location")),
        trouble("no digest announced", EVER, without("docker-content-digest")),
        trouble("mount answered by 202", EVER, Fault::RefuseMount),
        trouble("token expires", 1, Fault::RevokeTokens),
    ]
}

/// An image of two layers, one of which is its base's, and an index of it.
struct Image {
    base_layer: Bytes,
    layer: Bytes,
    config: Bytes,
    manifest: Bytes,
    index: Bytes,
}

fn descriptor(kind: &str, bytes: &[u8]) -> Descriptor {
    Descriptor::of(MediaType::from(kind), bytes)
}

impl Image {
    fn new() -> Self {
        let base_layer = Bytes::from_static(b"the layer of the base");
        let layer = Bytes::from_static(b"the layer of the program");
        let config = Bytes::from_static(br#"{"os":"linux","architecture":"amd64"}"#);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_MANIFEST,
            "config": descriptor(MediaType::OCI_CONFIG, &config),
            "layers": [
                descriptor(MediaType::OCI_LAYER_GZIP, &base_layer),
                descriptor(MediaType::OCI_LAYER_GZIP, &layer),
            ],
        });
        let manifest = Bytes::from(manifest.to_string());
        let index = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_INDEX,
            "manifests": [descriptor(MediaType::OCI_MANIFEST, &manifest)],
        });
        Self { base_layer, layer, config, manifest, index: Bytes::from(index.to_string()) }
    }

    /// Puts the base into a registry, past HTTP.
    fn base(&self, registry: &TestRegistry) {
        let config = registry.put_blob("base", &self.config);
        let layer = registry.put_blob("base", &self.base_layer);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_MANIFEST,
            "config": {"digest": config, "size": self.config.len()},
            "layers": [{"digest": layer, "size": self.base_layer.len()}],
        });
        registry.put_manifest("base", "latest", MediaType::OCI_MANIFEST, manifest.to_string());
    }

    /// Publishes it as a run does: the base is read, its layer mounted, the rest
    /// sent, and a tag put last.
    async fn publish(&self, client: &Client, registry: &TestRegistry) -> Result<(), RegistryError> {
        let (_dir, store) = store();
        let (base, app) = (repository(registry, "base"), repository(registry, "app"));
        let found = client.manifest(&reference(registry, "base:latest")).await?;
        assert_eq!(found.media_type.as_str(), MediaType::OCI_MANIFEST);
        let config = descriptor(MediaType::OCI_CONFIG, &self.config);
        assert_eq!(client.blob_bytes(&base, &config, 1000).await?, self.config);
        let tag = reference(registry, "app:v1");
        let index = Digest::of(&self.index);
        if client.head_manifest(&tag, Access::Push).await? == Some(index) {
            return Ok(());
        }
        let image = Digest::of(&self.manifest);
        let by_digest = app.with_digest(image);
        if client.head_manifest(&by_digest, Access::Push).await? != Some(image) {
            self.blobs(client, &base, &app, store).await?;
            put(client, &by_digest, MediaType::OCI_MANIFEST, &self.manifest).await?;
        }
        put(client, &app.with_digest(index), MediaType::OCI_INDEX, &self.index).await?;
        put(client, &tag, MediaType::OCI_INDEX, &self.index).await
    }

    async fn blobs(
        &self,
        client: &Client,
        base: &Repository,
        app: &Repository,
        store: store::Store,
    ) -> Result<(), RegistryError> {
        let there = BlobSource::Remote { client: client.clone(), repository: base.clone(), store };
        let layer = descriptor(MediaType::OCI_LAYER_GZIP, &self.base_layer);
        client.push_blob(app, &layer, &there, Some(base), PushHint::Unknown).await?;
        for (kind, bytes) in
            [(MediaType::OCI_LAYER_GZIP, &self.layer), (MediaType::OCI_CONFIG, &self.config)]
        {
            let (descriptor, source) = (descriptor(kind, bytes), BlobSource::Bytes(bytes.clone()));
            client.push_blob(app, &descriptor, &source, None, PushHint::Unknown).await?;
        }
        Ok(())
    }
}

async fn put(
    client: &Client,
    reference: &Reference,
    kind: &str,
    bytes: &Bytes,
) -> Result<(), RegistryError> {
    client.push_manifest(reference, &MediaType::from(kind), bytes.clone()).await.map(drop)
}

/// One who has a password, or what a login has left instead.
fn client(silence: Duration, has_password: bool) -> Client {
    let retry = RetryPolicy { attempts: 4, ..options().retry };
    // To read the system's certificates would take most of the time.
    let roots = RootPlaces { file: Some("/dev/null".into()), dirs: Some(Vec::new()) };
    let options = ClientOptions { retry, silence, stall: silence, roots, ..options() };
    let credential = match has_password {
        true => basic(),
        false => Credential::IdentityToken(Secret::new(IDENTITY)),
    };
    Client::new(options, Arc::new(Fixed(credential))).unwrap()
}

/// All that a tag of the registry reaches is there, and is what it is called.
fn assert_tags_are_complete(registry: &TestRegistry, case: &str) {
    for repository in registry.repositories() {
        for tag in registry.tags(&repository) {
            let mut open = vec![registry.manifest(&repository, &tag).unwrap()];
            while let Some(manifest) = open.pop() {
                let json = manifest.json();
                let list = |key: &str| json[key].as_array().cloned().unwrap_or_default();
                for child in list("manifests") {
                    let digest = child["digest"].as_str().unwrap();
                    let found = registry.manifest(&repository, digest);
                    let found = found.unwrap_or_else(|| panic!("{case}: {tag} lacks {digest}"));
                    assert_eq!(found.digest(), digest, "{case}");
                    assert_eq!(child["size"], found.bytes.len(), "{case}");
                    open.push(found);
                }
                for blob in list("layers").into_iter().chain(json.get("config").cloned()) {
                    let digest = blob["digest"].as_str().unwrap();
                    let bytes = registry.blob(&repository, digest);
                    let bytes = bytes.unwrap_or_else(|| panic!("{case}: {tag} lacks {digest}"));
                    assert_eq!(testkit::sha256(&bytes), digest, "{case}");
                    assert_eq!(blob["size"], bytes.len(), "{case}");
                }
            }
        }
    }
}

/// What came of a case: nothing but more requests, or an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The request does not come to that.
    Never,
    Right,
    Fails,
}

fn registry() -> TestRegistry {
    let identity_token = Some(IDENTITY.to_owned());
    let auth = Auth::Bearer(Bearer { identity_token, ..Bearer::new(USER, PASSWORD) });
    // It would take a manifest whose parts are not there: that must not come to
    // pass.
    let builder = TestRegistry::builder().check_manifests(false);
    builder.auth(auth).location_secret(SIGNATURE).start()
}

async fn run(image: &Image, request: usize, trouble: &Trouble, has_password: bool) -> Outcome {
    let (name, class, path) = REQUESTS[request];
    let case = format!("{name}: {}", trouble.name);
    let registry = registry();
    image.base(&registry);
    let path = path
        .replace("IMAGE", &Digest::of(&image.manifest).to_string())
        .replace("INDEX", &Digest::of(&image.index).to_string());
    registry.inject(Rule::new(trouble.fault.clone()).class(class).path(&path).times(trouble.times));
    if class == Class::UploadPatch {
        // The blob that comes with the request that ends the upload.
        registry
            .inject(Rule::new(Fault::status(405, "UNSUPPORTED")).class(Class::UploadPut).times(1));
    }
    let is_hang = matches!(trouble.fault, Fault::Hang(_));
    let client = client(if is_hang { SILENCE } else { BUDGET * 2 }, has_password);
    let published = tokio::time::timeout(BUDGET, image.publish(&client, &registry)).await;
    let published = published.unwrap_or_else(|_| panic!("{case}: over budget"));
    assert_tags_are_complete(&registry, &case);
    let requests = registry.requests();
    assert!((requests.len() as u64) < 4 * LEAST, "{case}: {}", requests.len());
    let is_hit =
        |seen: &testkit::registry::Recorded| seen.class == class && seen.path.contains(&path);
    let is_there = registry.manifest("app", "v1").is_some_and(|tag| tag.bytes == image.index);
    assert!(client.under_way().is_empty(), "{case}: {:?}", client.under_way());
    match published {
        Ok(()) => {
            assert!(is_there, "{case}: the tag is not there");
            if requests.iter().any(is_hit) { Outcome::Right } else { Outcome::Never }
        }
        Err(error) => {
            let text = said(&error);
            for canary in ["hunter2", "testkit-token-", "aHVudGVy", "YnVpbGRlcjpo"] {
                assert!(!text.contains(canary), "{case}: {text}");
            }
            assert_says_all(&case, registry.host(), class, &error);
            Outcome::Fails
        }
    }
}

/// An error names host, repository, request and cause.
fn assert_says_all(case: &str, host: &str, class: Class, error: &RegistryError) {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        write!(text, ": {cause}").unwrap();
        source = cause.source();
    }
    let methods = ["GET", "HEAD", "POST", "PATCH", "PUT"];
    let request = methods.iter().any(|method| text.contains(&format!("{method} http://{host}/")));
    assert!(request, "{case}: no request in {text}");
    // The form of an identity token and a ping have none; the caller knows what
    // they are for.
    let repository = ["/v2/base/", "/v2/app/", "repository%3Abase", "repository%3Aapp"];
    let named = repository.iter().any(|name| text.contains(name));
    assert!(
        named || matches!(class, Class::Ping | Class::Token),
        "{case}: no repository in {text}"
    );
    let cause = text.rsplit(": ").next().unwrap_or_default();
    assert!(cause.len() > 5, "{case}: no cause in {text}");
}

type Ended = ((usize, usize), Result<Outcome, tokio::task::JoinError>);

fn note(
    ended: Option<Ended>,
    outcomes: &mut BTreeMap<(usize, usize), Outcome>,
    failures: &mut String,
) {
    match ended {
        Some((case, Ok(outcome))) => _ = outcomes.insert(case, outcome),
        Some((_, Err(panicked))) => writeln!(failures, "{}", reason(panicked)).unwrap(),
        None => {}
    }
}

/// The words of an assertion.
fn reason(error: tokio::task::JoinError) -> String {
    let panic = error.into_panic();
    panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "no words".to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_is_right_or_nothing_is_published() {
    let (image, troubles) = (Arc::new(Image::new()), Arc::new(troubles()));
    let mut running = futures::stream::FuturesUnordered::new();
    let mut outcomes = BTreeMap::new();
    let mut failures = String::new();
    let cases = (0..troubles.len()).flat_map(|at| (0..REQUESTS.len()).map(move |to| (at, to)));
    for (at, to) in cases.filter(|(at, to)| troubles[*at].fits(REQUESTS[*to].1)) {
        let (image, troubles) = (Arc::clone(&image), Arc::clone(&troubles));
        // A task of its own, so that one failure does not hide the others.
        let case =
            tokio::spawn(async move { run(&image, to, &troubles[at], (at + to) % 2 == 0).await });
        running.push(async move { ((at, to), case.await) });
        if running.len() >= AT_ONCE {
            note(running.next().await, &mut outcomes, &mut failures);
        }
    }
    while let Some(ended) = running.next().await {
        note(Some(ended), &mut outcomes, &mut failures);
    }
    assert!(failures.is_empty(), "{failures}");
    let mut table = String::from("| |");
    for (name, ..) in REQUESTS {
        write!(table, " {name} |").unwrap();
    }
    table.push_str("\n|---|");
    table.push_str(&"---|".repeat(REQUESTS.len()));
    for (at, trouble) in troubles.iter().enumerate() {
        write!(table, "\n| {} |", trouble.name).unwrap();
        for request in 0..REQUESTS.len() {
            let text = match outcomes.get(&(at, request)) {
                Some(Outcome::Right) => "right",
                Some(Outcome::Fails) => "error",
                Some(Outcome::Never) | None => "",
            };
            write!(table, " {text} |").unwrap();
        }
    }
    assert!(outcomes.values().filter(|outcome| **outcome != Outcome::Never).count() >= 200);
    let page = include_str!("../../../../docs/design/0015-transfers.md");
    assert!(page.contains(&table), "docs/design/0015-transfers.md should have:\n{table}");
}
