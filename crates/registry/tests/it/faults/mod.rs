//! Every class of request, with everything that can go wrong at it. Whatever
//! does, an image is complete and readable in the end, or there is an error that
//! says where, at what and why, and no tag points at something incomplete. No
//! error tells a secret.

mod image;
mod trouble;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use ko_registry::{
    Client, ClientOptions, Credential, RegistryError, RetryPolicy, RootPlaces, Secret,
};
use oci::Digest;
use testkit::registry::{Auth, Bearer, Class, Fault, Rule, TestRegistry};

use self::image::{Image, assert_tags_are_complete};
use self::trouble::{Trouble, troubles};
use crate::secrets::said;
use crate::{Fixed, PASSWORD, USER, basic, options};

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
    let page = include_str!("../../../../../docs/design/0015-transfers.md");
    assert!(page.contains(&table), "docs/design/0015-transfers.md should have:\n{table}");
}
