//! Mirrors of the registries of bases: who is asked, who answers, and who is not
//! believed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ko_registry::{
    Access, Chain, Client, ClientOptions, Location, Mirror, MirrorAnswer, MirrorObserver,
    NamespaceRule, Pulls, Registries, RegistryError, RegistrySettings, RetryPolicy,
};
use oci::{Digest, MediaType, Reference};
use testkit::registry::{Class, Fault, Rule, TestRegistry};

use crate::{assert_requests, blob, options, reference, store};

const MANIFEST: &[u8] =
    br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}"#;

/// An origin with two mirrors, and what was said of them.
struct Mirrored {
    origin: TestRegistry,
    mirrors: [TestRegistry; 2],
    told: Arc<Mutex<Vec<MirrorAnswer>>>,
    client: Client,
    /// The same, for all but bases.
    other: Client,
}

impl Mirrored {
    fn new() -> Self {
        Self::of([Pulls::All; 2])
    }

    /// With mirrors for these pulls.
    fn of(pulls: [Pulls; 2]) -> Self {
        let (origin, mirrors) = (TestRegistry::start(), [(); 2].map(|()| TestRegistry::start()));
        let location = |mirror: &TestRegistry| -> Location {
            format!("{}/cache", mirror.host()).parse().unwrap()
        };
        let of = mirrors.iter().zip(pulls).map(|(mirror, pulls)| Mirror {
            location: location(mirror),
            pulls,
            insecure: false,
        });
        let settings = RegistrySettings { mirrors: Some(of.collect()), ..Default::default() };
        let registries =
            Registries::new([(origin.host().parse().unwrap(), settings)], vec![], vec![]);
        let told = Arc::new(Mutex::new(Vec::new()));
        let take = Arc::clone(&told);
        let observer = MirrorObserver::new(move |answer| take.lock().unwrap().push(answer));
        // As long as a registry may ask for.
        let retry = RetryPolicy { max_delay: Duration::from_secs(3600), ..options().retry };
        let mirror_observer = Some(observer);
        let options = ClientOptions { registries, mirror_observer, retry, ..options() };
        let other = Client::new(options, Arc::new(Chain::default())).unwrap();
        Self { origin, mirrors, told, client: other.for_bases(), other }
    }

    fn all(&self) -> [&TestRegistry; 3] {
        [&self.mirrors[0], &self.mirrors[1], &self.origin]
    }

    /// Puts the same manifest everywhere, and returns its name by tag.
    fn put(&self) -> Reference {
        for (at, registry) in self.all().into_iter().enumerate() {
            let name = if at == 2 { "base" } else { "cache/base" };
            let _ = registry.put_manifest(name, "v1", MediaType::OCI_MANIFEST, MANIFEST);
        }
        reference(&self.origin, "base:v1")
    }

    /// How many requests for manifests the mirrors and the origin have seen.
    fn asked(&self) -> [u64; 3] {
        self.all().map(|registry| {
            let counts = registry.counts();
            counts.of(Class::ManifestGet) + counts.of(Class::ManifestHead)
        })
    }

    /// Who has answered, as a number, and why others have not.
    fn said(&self) -> Vec<(Option<usize>, Vec<String>)> {
        let told = std::mem::take(&mut *self.told.lock().unwrap());
        let who = |name: &str| {
            let mut all = self.all().into_iter();
            all.position(|registry| name.starts_with(registry.host())).unwrap()
        };
        let said = told.into_iter().map(|MirrorAnswer { origin, by, failed }| {
            assert_eq!(origin.full_name(), format!("{}/base", self.origin.host()));
            let failed = failed.into_iter().map(|(_, reason)| reason);
            (by.map(|by| who(&by.full_name())), failed.collect())
        });
        said.collect()
    }
}

#[tokio::test]
async fn the_first_mirror_that_has_it_answers() {
    let of = Mirrored::new();
    let name = of.put();
    let digest = Digest::of(MANIFEST);
    let head = of.client.head_manifest(&name, Access::Pull).await.unwrap();
    assert_eq!(head, Some(digest));
    let fetched = of.client.manifest(&name).await.unwrap();
    assert_eq!((fetched.digest, &fetched.bytes[..]), (digest, MANIFEST));
    assert_eq!(of.asked(), [2, 0, 0]);
    assert_eq!(of.said(), [(Some(0), vec![])], "once");
    assert_eq!(of.origin.connections(), 0);
}

#[tokio::test]
async fn what_fails_is_passed_over_and_not_asked_again() {
    let at = |fault| Rule::new(fault).class(Class::ManifestGet);
    for (fault, reason) in [
        (Fault::status(404, "MANIFEST_UNKNOWN"), "MANIFEST_UNKNOWN"),
        (Fault::status(401, "UNAUTHORIZED"), "UNAUTHORIZED"),
        (Fault::status(503, "UNAVAILABLE"), "UNAVAILABLE"),
        (Fault::too_many_requests(3600), "TOOMANYREQUESTS"),
        (Fault::Cut, "the connection broke"),
    ] {
        let of = Mirrored::new();
        let name = of.put();
        of.mirrors[0].inject(at(fault));
        assert_eq!(of.client.manifest(&name).await.unwrap().bytes, MANIFEST);
        assert_eq!(of.client.manifest(&name).await.unwrap().bytes, MANIFEST);
        // A second attempt would be slower than the next mirror.
        assert_eq!(of.asked(), [1, 2, 0], "{reason}");
        let said = of.said();
        assert_eq!((said.len(), said[0].0), (1, Some(1)));
        assert!(said[0].1[0].contains(reason), "{said:?}");
    }
}

/// Nobody waits for the hour that it asks for.
#[tokio::test]
async fn a_mirror_that_is_busy_does_not_delay_other_images() {
    let of = Mirrored::of([Pulls::All, Pulls::Digests]);
    let _ = of.put();
    let other = reference(&of.origin, "other:v1");
    let _ = of.origin.put_manifest("other", "v1", MediaType::OCI_MANIFEST, MANIFEST);
    let busy = Fault::too_many_requests(3600);
    of.mirrors[0].inject(Rule::new(busy).class(Class::ManifestGet));
    for name in [reference(&of.origin, "base:v1"), other] {
        assert_eq!(of.client.manifest(&name).await.unwrap().bytes, MANIFEST);
    }
    let told = of.told.lock().unwrap();
    let reason = &told[1].failed[0].1;
    assert_eq!(*reason, format!("{} has asked for a pause", of.mirrors[0].host()));
    assert_eq!(of.asked(), [1, 0, 2]);
}

#[tokio::test]
async fn a_mirror_that_lies_about_a_digest_is_refused() {
    let of = Mirrored::new();
    let _ = of.put();
    let digest = Digest::of(MANIFEST);
    for mirror in &of.mirrors {
        let rule = Rule::new(Fault::CorruptBody).class(Class::ManifestGet);
        mirror.inject(rule);
    }
    let name = format!("{}/base@{digest}", of.origin.host()).parse().unwrap();
    assert_eq!(of.client.manifest(&name).await.unwrap().bytes, MANIFEST);
    let said = of.said();
    assert_eq!((said.len(), said[0].0), (1, Some(2)));
    assert!(said[0].1.iter().all(|reason| reason.contains("digest is")), "{said:?}");
}

#[tokio::test]
async fn blobs_come_from_mirrors_too() {
    let of = Mirrored::new();
    let (content, descriptor) = blob(100_000);
    let repository = reference(&of.origin, "base").repository().clone();
    of.origin.put_blob("base", &content);
    of.mirrors[1].put_blob("cache/base", &content);
    // One mirror has nothing, one has it.
    let (_dir, cache) = store();
    of.client.pull_blob(&repository, &descriptor, &cache).await.unwrap();
    assert_eq!(cache.read_blob(&descriptor.digest).unwrap().unwrap(), content);
    assert_eq!(of.origin.counts().total(), 0);
    assert_eq!(of.said()[0].0, Some(1));
    assert_eq!(of.client.blob_bytes(&repository, &descriptor, 1 << 20).await.unwrap(), content);
    assert_eq!(of.origin.counts().total(), 0);

    // One that has other bytes is not believed.
    let of = Mirrored::new();
    let repository = reference(&of.origin, "base").repository().clone();
    of.origin.put_blob("base", &content);
    for mirror in &of.mirrors {
        let rule = Rule::new(Fault::CorruptBody).class(Class::BlobGet);
        mirror.inject(rule);
        mirror.put_blob("cache/base", &content);
    }
    let (_dir, cache) = store();
    of.client.pull_blob(&repository, &descriptor, &cache).await.unwrap();
    assert_eq!(cache.read_blob(&descriptor.digest).unwrap().unwrap(), content);
    assert_eq!(of.said()[0].0, Some(2));
}

#[tokio::test]
async fn where_nobody_answers_it_is_the_origin_that_counts() {
    let of = Mirrored::new();
    let name = reference(&of.origin, "base:v1");
    let head = of.client.head_manifest(&name, Access::Pull).await.unwrap();
    assert_eq!(head, None);
    let error = of.client.manifest(&name).await.unwrap_err();
    assert!(error.is_not_found() && error.to_string().contains(of.origin.host()), "{error}");
    assert_eq!(of.asked(), [1, 1, 2]);
    let said = of.said();
    assert_eq!((said.len(), said[0].0, said[1].0), (2, Some(2), None));
}

#[tokio::test]
async fn what_belongs_to_an_image_comes_from_where_its_tag_was_found() {
    for (pulls, by) in [
        ([Pulls::Tags, Pulls::Digests], 0),
        ([Pulls::Digests, Pulls::Tags], 1),
        ([Pulls::Digests, Pulls::Digests], 2),
    ] {
        let of = Mirrored::of(pulls);
        let name = of.put();
        let (content, descriptor) = blob(1000);
        of.all()[by].put_blob(if by == 2 { "base" } else { "cache/base" }, &content);
        let digest = of.client.manifest(&name).await.unwrap().digest;
        let child = name.repository().with_digest(digest);
        assert_eq!(of.client.manifest(&child).await.unwrap().bytes, MANIFEST);
        let bytes = of.client.blob_bytes(name.repository(), &descriptor, 1000).await;
        assert_eq!(bytes.unwrap(), content);
        let said = if by == 2 { vec![] } else { vec![(Some(by), vec![])] };
        assert_eq!(of.said(), said);
        let asked = of.all().map(|registry| registry.counts().total() > 0);
        assert_eq!(asked.iter().filter(|asked| **asked).count(), 1, "{pulls:?}");
    }
    // Where it is the digest that is asked for first, it counts who has that.
    let of = Mirrored::of([Pulls::Tags, Pulls::Digests]);
    let name = of.put().repository().with_digest(Digest::of(MANIFEST));
    let _ = of.client.manifest(&name).await.unwrap();
    assert_eq!(of.said(), [(Some(1), vec![])]);
}

#[tokio::test]
async fn only_bases_have_mirrors() {
    let of = Mirrored::new();
    let name = of.put();
    assert!(of.client.is_same(&of.other));
    let _ = of.other.manifest(&name).await.unwrap();
    let _ = of.other.head_manifest(&name, Access::Push).await.unwrap();
    assert_eq!(of.asked(), [0, 0, 2]);
    assert_eq!(of.said(), []);
    // Nor is there anything to say if a base has met one that fails.
    of.mirrors[0].inject(Rule::new(Fault::status(404, "MANIFEST_UNKNOWN")));
    let _ = of.client.manifest(&name).await.unwrap();
    assert_eq!(of.said().len(), 1);
    let _ = of.other.manifest(&name).await.unwrap();
    assert_eq!(of.said(), []);
}

#[tokio::test]
async fn what_is_blocked_is_not_asked() {
    let registry = TestRegistry::start();
    let name = reference(&registry, "evil/app");
    let _ = registry.put_manifest("evil/app", "latest", MediaType::OCI_MANIFEST, MANIFEST);
    // What is remembered from another day changes nothing.
    let (_dir, cache) = store();
    let remembering = |registries| {
        let options = ClientOptions { registries, memory: Some(cache.clone()), ..options() };
        Client::new(options, Arc::new(Chain::default())).unwrap()
    };
    let _ = remembering(Registries::default()).manifest(&name).await.unwrap();
    registry.reset();
    let rule = NamespaceRule {
        prefix: format!("{}/evil", registry.host()).parse().unwrap(),
        location: None,
        mirrors: Vec::new(),
        insecure: false,
        blocked: true,
        file: "/etc/containers/registries.conf".to_owned(),
    };
    let registries = Registries::new([], vec![rule], vec![]);
    let client = remembering(registries);
    let error = client.manifest(&name).await.unwrap_err();
    assert!(matches!(error, RegistryError::Blocked { .. }));
    let text =
        format!("{}/evil/app is blocked by /etc/containers/registries.conf", registry.host());
    assert_eq!(error.to_string(), text);
    let error = client.head_manifest(&name, Access::Push).await.unwrap_err();
    assert_eq!(error.to_string(), text);
    assert_requests(&registry, &[]);
    assert!(client.manifest(&reference(&registry, "app")).await.unwrap_err().is_not_found());
}
