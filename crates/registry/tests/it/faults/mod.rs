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
    BoxFuture, Chain, Client, ClientOptions, Credential, Keychain, KeychainError, Mirror, Pulls,
    Registries, RegistryError, RegistrySettings, RetryPolicy, RootPlaces, Secret,
};
use oci::{Digest, Repository};
use testkit::registry::{Auth, Bearer, Class, Fault, Rule, TestRegistry};

use self::image::{Image, assert_tags_are_complete};
use self::trouble::{Trouble, troubles};
use crate::secrets::said;
use crate::{Fixed, PASSWORD, USER, basic, options, repository};

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
const LEAST: u64 = 24;

/// A class of requests, and in which step of a run it is asked.
struct Asked {
    name: &'static str,
    step: Step,
    class: Class,
    path: &'static str,
}

/// What a run does beside publishing an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Nothing.
    Publish,
    /// It asks whether it may push, before there is anything to push.
    Preflight,
    /// It does, and then there is nothing to push.
    Cancel,
    /// It makes the repository, which is not there.
    Create,
    /// It reads the base from a mirror.
    Mirror,
    /// It attaches something.
    Attach,
    /// It does where the registry does not list what is attached.
    List,
}

const fn asked(name: &'static str, class: Class, path: &'static str) -> Asked {
    Asked { name, step: Step::Publish, class, path }
}

impl Asked {
    const fn at(self, step: Step) -> Self {
        Self { step, ..self }
    }
}

/// The requests of a run.
const REQUESTS: [Asked; 22] = [
    asked("ping", Class::Ping, ""),
    asked("token", Class::Token, ""),
    asked("GET manifest", Class::ManifestGet, "/base/"),
    asked("GET blob", Class::BlobGet, "/base/"),
    asked("HEAD tag", Class::ManifestHead, "/app/manifests/v1"),
    asked("HEAD digest", Class::ManifestHead, "/app/manifests/sha256"),
    asked("HEAD blob", Class::BlobHead, "/app/"),
    asked("POST mount", Class::Mount, "/app/"),
    asked("POST upload", Class::UploadPost, "/app/"),
    asked("PATCH", Class::UploadPatch, "/app/"),
    asked("PUT blob", Class::UploadPut, "/app/"),
    asked("PUT manifest", Class::ManifestPut, "/app/manifests/IMAGE"),
    asked("PUT index", Class::ManifestPut, "/app/manifests/INDEX"),
    asked("PUT tag", Class::ManifestPut, "/app/manifests/v1"),
    asked("POST preflight", Class::UploadPost, "/app/").at(Step::Preflight),
    asked("DELETE preflight", Class::Other, "/app/blobs/uploads/").at(Step::Cancel),
    asked("POST after making", Class::UploadPost, "/app/").at(Step::Create),
    asked("GET mirrored manifest", Class::ManifestGet, "/base/").at(Step::Mirror),
    asked("GET mirrored blob", Class::BlobGet, "/base/").at(Step::Mirror),
    asked("PUT referrer", Class::ManifestPut, "/app/manifests/REFERRER").at(Step::Attach),
    asked("GET referrers", Class::ManifestGet, "/app/manifests/sha256-").at(Step::List),
    asked("PUT referrers", Class::ManifestPut, "/app/manifests/sha256-").at(Step::List),
];

/// One who has a password, or what a login has left instead.
fn client(silence: Duration, has_password: bool, registries: Registries) -> Client {
    let retry = RetryPolicy { attempts: 4, ..options().retry };
    // To read the system's certificates would take most of the time.
    let roots = RootPlaces { file: Some("/dev/null".into()), dirs: Some(Vec::new()) };
    let (stall, create_repositories) = (silence, true);
    let options = ClientOptions {
        retry,
        silence,
        stall,
        roots,
        registries,
        create_repositories,
        ..options()
    };
    let credential = match has_password {
        true => basic(),
        false => Credential::IdentityToken(Secret::new(IDENTITY)),
    };
    Client::new(options, Arc::new(Chain(vec![Arc::new(Fixed(credential)), Arc::new(Maker)])))
        .unwrap()
}

/// Makes repositories: it has nothing to do for that.
#[derive(Debug)]
struct Maker;

impl Keychain for Maker {
    fn resolve<'a>(
        &'a self,
        _: &'a Repository,
    ) -> BoxFuture<'a, Result<Credential, KeychainError>> {
        Box::pin(std::future::ready(Ok(Credential::Anonymous)))
    }

    fn create<'a>(&'a self, _: &'a Repository) -> BoxFuture<'a, Result<bool, KeychainError>> {
        Box::pin(std::future::ready(Ok(true)))
    }
}

/// A mirror of all of a registry.
fn mirrored(registry: &TestRegistry, mirror: &TestRegistry) -> Registries {
    let location = format!("{}/cache", mirror.host()).parse().unwrap();
    let mirrors = Some(vec![Mirror { location, pulls: Pulls::All, insecure: false }]);
    let settings = RegistrySettings { mirrors, ..Default::default() };
    Registries::new([(registry.host().parse().unwrap(), settings)], vec![], vec![])
}

/// What came of a case: nothing but more requests, or an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The request does not come to that.
    Never,
    Right,
    Fails,
}

fn registry(step: Step) -> TestRegistry {
    let identity_token = Some(IDENTITY.to_owned());
    let auth = Auth::Bearer(Bearer { identity_token, ..Bearer::new(USER, PASSWORD) });
    // It would take a manifest whose parts are not there: that must not come to
    // pass.
    let builder = TestRegistry::builder().check_manifests(false).referrers(step != Step::List);
    builder.auth(auth).location_secret(SIGNATURE).start()
}

/// Does what comes before the image, and the image.
async fn publish(
    image: &Image,
    step: Step,
    client: &Client,
    registry: &TestRegistry,
) -> Result<(), RegistryError> {
    let app = repository(registry, "app");
    if matches!(step, Step::Preflight | Step::Cancel) {
        client.preflight(&app).await?;
    }
    if step == Step::Cancel {
        client.close_early_uploads().await;
    }
    if step == Step::Preflight {
        // Those of the blobs are another case.
        registry.clear_faults();
    }
    image.publish(client, registry, matches!(step, Step::Attach | Step::List)).await
}

async fn run(image: &Image, request: usize, trouble: &Trouble, has_password: bool) -> Outcome {
    let Asked { name, step, class, path } = REQUESTS[request];
    let case = format!("{name}: {}", trouble.name);
    let (registry, mirror) = (registry(step), registry(step));
    image.base(&registry, "base");
    image.base(&mirror, "cache/base");
    let path = path
        .replace("IMAGE", &Digest::of(&image.manifest).to_string())
        .replace("INDEX", &Digest::of(&image.index).to_string())
        .replace("REFERRER", &Digest::of(&image.referrer).to_string());
    let (registries, at) = match step {
        Step::Mirror => (mirrored(&registry, &mirror), &mirror),
        _ => (Registries::default(), &registry),
    };
    let unknown = Fault::status(404, "NAME_UNKNOWN");
    if step == Step::Create {
        at.inject(Rule::new(unknown).class(Class::UploadPost).times(1));
    }
    at.inject(Rule::new(trouble.fault.clone()).class(class).path(&path).times(trouble.times));
    if class == Class::UploadPatch {
        // The blob that comes with the request that ends the upload.
        registry
            .inject(Rule::new(Fault::status(405, "UNSUPPORTED")).class(Class::UploadPut).times(1));
    }
    let is_hang = matches!(trouble.fault, Fault::Hang(_));
    let client = client(if is_hang { SILENCE } else { BUDGET * 2 }, has_password, registries);
    let published = publish(image, step, &client, &registry);
    let published = tokio::time::timeout(BUDGET, published).await;
    let published = published.unwrap_or_else(|_| panic!("{case}: over budget"));
    assert_tags_are_complete(&registry, &case);
    let requests = at.requests();
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
            assert_says_all(&case, at.host(), class, &error);
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
    let is_token = error.request().is_some_and(|request| request.url.ends_with("/token"));
    let repository = ["/v2/base/", "/v2/app/", "repository%3Abase", "repository%3Aapp"];
    let named = is_token || repository.iter().any(|name| text.contains(name));
    assert!(named || class == Class::Ping, "{case}: no repository in {text}");
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
    for (at, to) in cases.filter(|(at, to)| troubles[*at].fits(REQUESTS[*to].class)) {
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
    for Asked { name, .. } in REQUESTS {
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
