//! Buckets as caches: programs of others, and answers that those do not give when
//! they are asked.

use std::process::{Command, Stdio};

use axum::Router;
use axum::http::{Method, StatusCode};
use credentials::Sources;
use ko_shared_cache::{Body, Context, EntryId, SharedCache, StorageError, Written, open};
use registry::Variables;
use serde_json::json;
use testkit::azure::make_container;
use testkit::service::wait_or;

use crate::conformance::{Abilities, blob, conforms, name, two_writers};
use crate::google::Google;
use crate::program::{Program, free_port, tool};

const ALL: Abilities = Abilities { conditional: true, lists: true };

const ACCESS: (&str, &str) = ("access", "secret-of-the-store");

fn context(variables: &[(&str, &str)]) -> Context {
    let mut context = Context::new("/".into());
    // Nobody else's credentials are found.
    let own = [("HOME", "/nonexistent"), ("AWS_EC2_METADATA_DISABLED", "true")];
    let variables: Variables = own.into_iter().chain(variables.iter().copied()).collect();
    context.machine = Sources { variables, ..Sources::default() };
    context
}

fn aws(host: &str, key: (&str, &str)) -> Context {
    let endpoint = format!("http://{host}");
    context(&[
        ("AWS_ACCESS_KEY_ID", key.0),
        ("AWS_SECRET_ACCESS_KEY", key.1),
        ("AWS_ENDPOINT_URL_S3", &endpoint),
    ])
}

/// Uses a store in all ways, and then when nobody is there any more.
async fn used(url: &str, context: &Context, abilities: Abilities, end: impl FnOnce()) {
    let url: ko_shared_cache::CacheUrl = url.parse().unwrap();
    conforms(&*open(&url, context).unwrap(), abilities).await;
    let moved = context.meter.moved();
    assert!(moved.sent > 20_000_000 && moved.received > 20_000_000, "{moved:?}");
    let cache = SharedCache::open(url, context).unwrap();
    two_writers(&cache, abilities).await;
    end();
    assert!(cache.read(&name("outcomes", "one")).await.is_none());
    let failure = cache.failure();
    assert!(matches!(failure, Some(StorageError::Unreachable(_))), "{failure:?}");
}

fn seaweed() -> Program {
    let program = Program::start(|host, dir| {
        let config = dir.join("s3.json");
        let identity = json!({
            "name": "cache",
            "credentials": [{"accessKey": ACCESS.0, "secretKey": ACCESS.1}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        });
        std::fs::write(&config, json!({"identities": [identity]}).to_string()).unwrap();
        let mut command = Command::new(tool("venv/bin/weed"));
        command.args(["server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3"]);
        command.arg(format!("-dir={}", dir.display()));
        command.arg(format!("-s3.config={}", config.display()));
        command.arg(format!("-s3.port={}", host.rsplit(':').next().unwrap()));
        let others = ["master", "volume", "filer"];
        let ports =
            others.iter().flat_map(|name| [format!("{name}.port"), format!("{name}.port.grpc")]);
        for name in ports.chain(["s3.port.grpc".to_owned()]) {
            command.arg(format!("-{name}={}", free_port()));
        }
        command.args(["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.volumeSizeLimitMB=64"]);
        command
    });
    let bucket = format!("http://{}/bucket", program.host());
    let user = format!("{}:{}", ACCESS.0, ACCESS.1);
    let words = ["-sf", "--aws-sigv4", "aws:amz:us-east-1:s3", "-u", &user, "-XPUT", &bucket];
    let made = || Command::new("curl").args(words).output().unwrap().status.success();
    wait_or(|| "no bucket".to_owned(), made);
    program
}

#[tokio::test]
async fn seaweedfs_conforms() {
    let mut program = seaweed();
    let host = program.host().to_owned();
    let right = aws(&host, ACCESS);
    let of = |url: &str, context: &Context| open(&url.parse().unwrap(), context).unwrap();
    let nowhere = of("s3://no-such-bucket/x", &right);
    assert_eq!(nowhere.read(&name("outcomes", "x")).await.unwrap(), None);
    let wrong = aws(&host, ("access", "something else"));
    let denied = of("s3://bucket/x", &wrong).try_writing().await.unwrap_err();
    assert!(matches!(denied, StorageError::Denied { .. }), "{denied:?}");
    let stranger = context(&[]);
    let url = format!("s3://bucket/x?endpoint=http://{host}");
    let denied = of(&url, &stranger).try_writing().await.unwrap_err();
    assert!(matches!(denied, StorageError::Denied { .. }), "{denied:?}");
    used("s3://bucket/team/ko", &right, ALL, || program.stop()).await;
}

/// rclone writes whatever the condition.
#[tokio::test]
async fn a_store_without_conditions_conforms() {
    let key = ("AKIAX", "secret-of-the-store");
    let mut program = Program::start(|host, dir| {
        std::fs::create_dir_all(dir.join("files/bucket")).unwrap();
        let mut command = Command::new(tool("venv/bin/rclone"));
        command.args(["serve", "s3", "--addr", host, "--auth-key"]);
        command.arg(format!("{},{}", key.0, key.1));
        command.arg("--config").arg(dir.join("none")).arg(dir.join("files"));
        command
    });
    let context = aws(program.host(), key);
    let abilities = Abilities { conditional: false, ..ALL };
    used("s3://bucket/team", &context, abilities, || program.stop()).await;
}

const ACCOUNT: &str = "devstoreaccount1";

/// The key of everybody's emulator.
const ACCOUNT_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

#[tokio::test]
async fn azurite_conforms() {
    let mut program = Program::start(|host, dir| {
        let mut command = Command::new(tool("npm/node_modules/.bin/azurite-blob"));
        command.args(["--silent", "--skipApiVersionCheck", "--disableTelemetry"]);
        command.args(["--blobHost", "127.0.0.1", "--blobPort", host.split_once(':').unwrap().1]);
        command.arg("-l").arg(dir.join("files")).stdin(Stdio::null());
        command
    });
    let endpoint = format!("http://{}/{ACCOUNT}", program.host());
    let of = |key: &str| {
        let connection = format!("AccountName={ACCOUNT};AccountKey={key};BlobEndpoint={endpoint}");
        context(&[("AZURE_STORAGE_CONNECTION_STRING", &connection)])
    };
    let right = of(ACCOUNT_KEY);
    let storage = open(&"az://cache/team".parse().unwrap(), &right).unwrap();
    let nowhere = storage.try_writing().await.unwrap_err();
    assert!(matches!(nowhere, StorageError::NoPlace { .. }), "{nowhere:?}");
    assert!(make_container(&endpoint, ACCOUNT_KEY));
    let wrong = open(&"az://cache/team".parse().unwrap(), &of("d3Jvbmc=")).unwrap();
    let denied = wrong.try_writing().await.unwrap_err();
    assert!(matches!(denied, StorageError::Denied { .. }), "{denied:?}");
    used("az://cache/team", &right, ALL, || program.stop()).await;
}

#[tokio::test]
async fn googles_storage_conforms() {
    let mut google = Google::start().await;
    let context = context(&[("STORAGE_EMULATOR_HOST", google.host())]);
    used("gs://bucket/team/ko", &context, ALL, || google.stop()).await;
}

/// Something that always says the same.
async fn sayer(status: u16, code: &'static str) -> String {
    let answer = move |method: Method| async move {
        let body = format!("<Error><Code>{code}</Code><Message>said</Message></Error>");
        let body = if method == Method::HEAD { String::new() } else { body };
        (StatusCode::from_u16(status).unwrap(), body)
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    host
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let said = async |status, code| {
        let context = aws(&sayer(status, code).await, ACCESS);
        let storage = open(&"s3://bucket/x".parse().unwrap(), &context).unwrap();
        let body = Body::from_bytes("x".into(), &context.meter);
        storage.put(&blob(b"x"), body).await.unwrap_err()
    };
    let error = said(404, "NoSuchBucket").await;
    assert!(matches!(error, StorageError::NoPlace { .. }), "{error:?}");
    assert_eq!(error.to_string(), "there is no bucket bucket");
    for (status, code) in [(403, "AccessDenied"), (401, "InvalidToken")] {
        let error = said(status, code).await;
        assert!(matches!(error, StorageError::Denied { .. }), "{error:?}");
        assert!(error.to_string().contains(code), "{error}");
    }
    for (status, code) in [(507, ""), (403, "QuotaExceeded"), (500, "XMinioStorageFull")] {
        let error = said(status, code).await;
        assert!(matches!(error, StorageError::Full { .. }), "{error:?}");
    }
    for (status, code) in [(503, "SlowDown"), (500, "InternalError")] {
        let error = said(status, code).await;
        assert!(matches!(error, StorageError::Unreachable(_)), "{error:?}");
    }
    let context = aws(&sayer(412, "PreconditionFailed").await, ACCESS);
    let storage = open(&"s3://bucket/x".parse().unwrap(), &context).unwrap();
    let written = storage.write(&name("outcomes", "x"), "x".into(), None).await.unwrap();
    assert_eq!(written, Written::Conflict);
}

#[tokio::test]
async fn azure_wants_an_account() {
    let storage = open(&"az://cache".parse().unwrap(), &context(&[])).unwrap();
    let id = EntryId::Blob(blob(b"x"));
    let error = storage.remove(&id).await.unwrap_err().to_string();
    assert!(error.contains("AZURE_STORAGE_ACCOUNT"), "{error}");
}
