//! What a registry is asked, how often, and in which order.

use crate::fixture::Fixture;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use testkit::base::{Image, Index};
use testkit::registry::{Auth, Bearer, Class, Fault, Recorded, Rule, TestRegistry};

/// A `main.go` that differs with its text.
fn edit(fixture: &Fixture, text: &str) {
    let source = format!("package main\n\nfunc main() {{\n\tprintln({text:?})\n}}\n");
    let _ = fixture.module().file("main.go", source);
}

fn lines(requests: &[Recorded]) -> Vec<String> {
    let line = |it: &Recorded| format!("{} {}?{} {}", it.method, it.path, it.query, it.status);
    requests.iter().map(line).collect()
}

#[test]
fn an_unchanged_image_costs_few_requests() {
    let fixture = Fixture::new();
    let _ = fixture.build("--bare").output().success();

    fixture.registry.reset();
    let _ = fixture.build("--bare").output().success();
    let requests = fixture.registry.requests();
    assert!(requests.len() <= 3, "{:#?}", lines(&requests));
}

#[test]
fn a_changed_image_costs_few_requests() {
    let fixture = Fixture::new();
    let _ = fixture.build("--bare --sbom=none").output().success();
    edit(&fixture, "changed");
    fixture.registry.reset();
    let _ = fixture.build("--bare --sbom=none").output().success();
    let requests = fixture.registry.requests();
    assert!(requests.len() <= 12, "{:#?}", lines(&requests));
    // What did not change does not travel: neither the base nor kodata.
    assert_eq!(fixture.registry.counts().of(Class::UploadPut), 2, "{:#?}", lines(&requests));
    assert_eq!(fixture.registry.counts().of(Class::BlobGet), 0, "{:#?}", lines(&requests));
}

#[test]
fn the_first_push_mounts_the_base() {
    let fixture = Fixture::new();
    let _ = fixture.build("--bare --sbom=none").output().success();
    let requests = fixture.registry.requests();
    let counts = fixture.registry.counts();
    assert_eq!(counts.of(Class::Mount), 1, "{:#?}", lines(&requests));
    // Kodata, the binary and the config.
    assert_eq!(counts.of(Class::UploadPut), 3, "{:#?}", lines(&requests));
    // The config of the base, and nothing of its layers.
    assert_eq!(counts.of(Class::BlobGet), 1, "{:#?}", lines(&requests));
    assert_eq!(counts.of(Class::ManifestPut), 1, "{:#?}", lines(&requests));
}

#[test]
fn whether_we_may_push_is_asked_while_go_compiles() {
    let fixture = Fixture::new();
    let _ = fixture.build("--bare").output().success();
    // Layers of the base and kodata are there: nothing is sent before the binary is.
    // The tag is not: what has it may come out as the same.
    let broken = "package main\n\nfunc main() { undefined() }\n";
    let _ = fixture.module().file("main.go", broken);
    let new = "--bare --tags=new";
    for (words, opened) in [(new, 1), ("--bare --tags=new --no-preflight", 0), ("--bare", 0)] {
        fixture.registry.reset();
        let output = fixture.build(words).output().failure(1);
        assert!(output.stderr.contains("undefined: undefined"), "{}", output.stderr);
        assert_eq!(fixture.registry.counts().of(Class::UploadPost), opened);
        assert_eq!(fixture.registry.open_uploads(), 0);
    }

    let denied = Rule::new(Fault::status(403, "DENIED")).class(Class::UploadPost);
    fixture.registry.inject(denied);
    let output = fixture.build(new).output().failure(1);
    assert!(output.stderr.contains("DENIED: injected fault"), "{}", output.stderr);
    assert!(!output.stderr.contains("undefined: undefined"), "{}", output.stderr);

    // Who may only read builds what is there already, as with ko.
    let main = "package main\n\nfunc main() { println(\"hello\") }\n";
    let _ = fixture.module().file("main.go", main);
    fixture.registry.clear_faults();
    let _ = fixture.build("--bare").output().success();
    let denied = Rule::new(Fault::status(403, "DENIED")).class(Class::UploadPost);
    fixture.registry.inject(denied);
    let _ = fixture.build("--bare --rebuild").output().success();
}

#[test]
fn one_token_serves_each_set_of_scopes() {
    let registry = TestRegistry::builder().auth(Auth::Bearer(Bearer::new("me", "secret"))).start();
    let base = Index::oci().image(Image::oci("linux/amd64")).image(Image::oci("linux/arm64"));
    let fixture = Fixture::on(registry, &base.build());
    let _ = fixture.module().main("cmd/one").main("cmd/two");
    let host = fixture.registry.host();
    let auths = json!({"auths": {host: {"auth": "bWU6c2VjcmV0"}}});
    fixture.sandbox.docker_config(&auths);

    let words = "-B --platform=all ./cmd/one ./cmd/two -t a,b";
    let _ = fixture.build(words).output().success();
    let tokens = fixture.registry.requests_of(Class::Token);
    let scopes: Vec<&str> = tokens.iter().map(|token| &*token.query).collect();
    let different: BTreeSet<&str> = scopes.iter().copied().collect();
    assert_eq!(scopes.len(), different.len(), "{scopes:#?}");
    // The base, and each destination with and without the base to mount from.
    assert!(scopes.len() <= 5, "{scopes:#?}");

    fixture.registry.reset();
    let _ = fixture.build(words).output().success();
    let tokens = fixture.registry.requests_of(Class::Token);
    assert_eq!(tokens.len(), 3, "{:#?}", lines(&tokens));
}

/// Where in the order of arrival requests of a class end and others begin.
fn last(requests: &[Recorded], matches: impl Fn(&Recorded) -> bool) -> u64 {
    requests.iter().filter(|it| matches(it)).map(|it| it.seq).max().unwrap()
}

fn first(requests: &[Recorded], matches: impl Fn(&Recorded) -> bool) -> u64 {
    requests.iter().filter(|it| matches(it)).map(|it| it.seq).min().unwrap()
}

fn is_blob(request: &Recorded) -> bool {
    matches!(
        request.class,
        Class::UploadPost | Class::UploadPatch | Class::UploadPut | Class::Mount
    )
}

fn is_child(request: &Recorded) -> bool {
    request.class == Class::ManifestPut && request.path.contains("/manifests/sha256:")
}

fn is_sbom(request: &Recorded) -> bool {
    request.class == Class::ManifestPut && request.path.ends_with(".sbom")
}

fn is_tag(request: &Recorded) -> bool {
    request.class == Class::ManifestPut && !is_child(request) && !is_sbom(request)
}

#[test]
fn a_tag_moves_last() {
    let base = Index::oci().image(Image::oci("linux/amd64")).image(Image::oci("linux/arm64"));
    let fixture = Fixture::on(TestRegistry::start(), &base.build());
    let _ = fixture.module().main("cmd/one").main("cmd/two");
    let words = "-B --platform=all -t v1,v2 ./cmd/one ./cmd/two";
    let _ = fixture.build(words).output().success();
    let requests = fixture.registry.requests();
    let tags = requests.iter().filter(|it| is_tag(it)).count();
    let children = requests.iter().filter(|it| is_child(it)).count();
    let sboms = requests.iter().filter(|it| is_sbom(it)).count();
    assert_eq!((tags, children, sboms), (4, 4, 6), "{:#?}", lines(&requests));
    // All images of the run are there before the first tag is.
    let tag = first(&requests, is_tag);
    assert!(last(&requests, is_blob) < tag, "{:#?}", lines(&requests));
    assert!(last(&requests, is_child) < tag, "{:#?}", lines(&requests));
    assert!(last(&requests, is_child) < first(&requests, is_sbom), "{:#?}", lines(&requests));
    for child in requests.iter().filter(|it| is_child(it)) {
        assert_eq!(child.status, 201);
    }
}

#[test]
fn a_blob_goes_once_to_each_repository() {
    let base = Index::oci().image(Image::oci("linux/amd64")).image(Image::oci("linux/arm64"));
    let fixture = Fixture::on(TestRegistry::start(), &base.build());
    let _ = fixture.module().main("cmd/one").main("cmd/two");
    let words = "--bare --platform=all ./cmd/one ./cmd/two";
    let _ = fixture.build(words).output().success();
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for put in fixture.registry.requests_of(Class::UploadPut) {
        *times.entry(put.query).or_default() += 1;
    }
    // Kodata is one layer for all; four binaries and four configs; a document
    // and its config for each image and index.
    assert_eq!(times.len(), 9 + 12, "{times:#?}");
    assert!(times.values().all(|&count| count == 1), "{times:#?}");
    assert_eq!(fixture.registry.counts().of(Class::Mount), 2);
}

#[test]
fn a_layer_of_several_images_is_sent_once_and_mounted() {
    let fixture = Fixture::new();
    let mut module = fixture.module().main("cmd/one").main("cmd/two").main("cmd/three");
    // Not so small that it is sent sooner, even compressed.
    let numbers: String = (0..50_000_u64).map(|i| format!("{:x}", i * i * 2_654_435_761)).collect();
    for name in ["one", "two", "three"] {
        module = module.file(&format!("cmd/{name}/kodata/numbers"), &numbers);
    }
    let words = "-B --sbom=none ./cmd/one ./cmd/two ./cmd/three";
    let _ = fixture.build(words).output().success();
    // Kodata, three binaries and three configs; the base of each, and kodata of
    // the second and third.
    let counts = fixture.registry.counts();
    assert_eq!((counts.of(Class::UploadPut), counts.of(Class::Mount)), (1 + 3 + 3, 3 + 2));
}

#[test]
fn no_tag_moves_if_one_program_fails() {
    let fixture = Fixture::new();
    let _ = fixture.module().main("cmd/one").main("cmd/two").broken_main("cmd/broken");
    let words = "-B -t v1 ./cmd/one ./cmd/broken ./cmd/two";
    let _ = fixture.build(words).output().failure(1);
    for name in ["one", "two", "broken"] {
        assert_eq!(fixture.registry.tags(&format!("out/{name}")), Vec::<String>::new());
    }
    let requests = fixture.registry.requests();
    assert!(!requests.iter().any(|it| is_tag(it) || is_sbom(it)), "{:#?}", lines(&requests));
}

#[test]
fn a_token_goes_to_nobody_else() {
    let registry = TestRegistry::builder().auth(Auth::Bearer(Bearer::new("me", "secret"))).start();
    let fixture = Fixture::on(registry, &Image::oci("linux/amd64").build());
    let _ = fixture.module().main(".");
    let other = TestRegistry::start();
    let host = fixture.registry.host();
    fixture.sandbox.docker_config(&json!({"auths": {host: {"auth": "bWU6c2VjcmV0"}}}));
    let repository = format!("{}/out", other.host());
    let _ = fixture.build("--bare").env("KO_DOCKER_REPO", repository).output().success();
    for request in other.requests() {
        assert_eq!(request.header("authorization"), None, "{}", request.path);
    }
}

#[test]
fn of_programs_with_one_name_the_last_keeps_the_tag() {
    let fixture = Fixture::new();
    let _ = fixture.module().main("a").main("b");
    for round in 0..3 {
        let output = fixture.build("--bare --sbom=none ./a ./b").output().success();
        let last = output.stdout.lines().last().unwrap().rsplit_once('@').unwrap().1;
        let tagged = fixture.registry.manifest("out", "latest").unwrap().digest();
        assert_eq!(tagged, last, "round {round}");
    }
}
