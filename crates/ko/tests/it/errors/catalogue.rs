//! All errors that a command line alone brings about, in one snapshot that can be
//! read from top to bottom: does each say what to do now?

use testkit::base::{Image, Index};
use testkit::registry::{Class, Fault, Rule, TestRegistry};
use testkit::sandbox::Sandbox;

use crate::fixture::Fixture;

/// A heading, and command lines with variables in front. `·` stands for a space in a
/// word.
type Chapter = (&'static str, &'static [&'static str]);

const WORDS: Chapter = (
    "Words of the command line",
    &[
        "ko buidl",
        "ko BUILD",
        "ko push",
        "ko pull",
        "ko prune",
        "ko watch",
        "ko migrate",
        "ko nonsense",
        "ko cache prunes",
        "ko cache clear",
        "ko auth x",
        "ko completion tcsh",
        "ko version --bogus",
        "ko build --imge-refs=x",
        "ko build --bogus",
        "ko build -x",
        "ko build ---",
        "ko build --tags",
        "ko build -t",
        "ko build --push=maybe",
        "ko build -j many",
        "ko build -j -1",
        "ko build --retries -1",
        "ko build --timeout 5",
        "ko build --timeout 0",
        "ko build --push false ./cmd/app",
        "ko resolve --recursive true",
        "ko build --sbom=spdxx",
        "ko build --sbom-attach=refs",
        "ko build --compression=gz",
        "ko build --compression=brotli",
        "ko build --compression=gzip --compression-level=12",
        "ko build --compression=none --compression-level=1",
        "ko build --output=jsn",
        "ko build --progress=lve",
        "ko build -t {{.Git.Tga}} .",
        "ko build -t {{.Git .",
        "ko build -t {{sluug·.Git.Branch}} .",
        "ko build -t {{.Git.ShortCommit}} .",
        "ko build --ldflags={{slug·.Git.Branch}} .",
        "ko build --base=bad·ref .",
        "ko build --base=ko.static --base=scratch ./nope",
        "ko resolve --output=json",
        "ko apply --output=ndjson -f x",
        "ko build --debug-port=0",
        "ko build --debug-version=latest",
        "ko build --ldflags=-extldflags·\"-static\"",
        "ko build --image-label=version",
        "ko build --image-annotation=version",
        "ko build --platform=linux/a/b/c",
        "ko build --platform=all,linux/amd64",
        "GOOS=linux ko build --platform=all",
        "ko build --tags=",
        "ko build --tags=v1,,v2",
        "ko build --tag-only",
        "ko build --tag-only -t v1,v2",
        "ko resolve config/",
        "ko run",
        "ko run --bare .",
        "ko login",
        "ko login a/b -u me -p x",
        "ko login r.example.com",
        "ko cache prune --max-size=big",
        "ko cache prune --max-age=old",
        "ko cache export",
        "ko auth token BAD",
    ],
);

const HABITS: Chapter = (
    "Habits of docker build and kubectl",
    &[
        "ko build -t r.example.com/team/app:v1 .",
        "ko build -t app:v1 .",
        "ko build -f Dockerfile .",
        "ko build --file=Dockerfile .",
        "ko build --tag app:v1 .",
        "ko build --tag=acme/api:v1 ./cmd/app --platform all",
        "ko build --pull .",
        "ko build --secret id=x .",
        "ko build -ldflags=-s .",
        "ko build -race .",
        "ko build -p 4 .",
        "ko build -C cmd/app .",
        "ko --version",
        "ko build --load .",
        "ko build --output=type=docker .",
        "ko build --output=type=tar,dest=app.tar .",
        "ko build --output=./out .",
        "ko build -o out .",
        "ko build --build-arg A=b .",
        "ko build --no-cache .",
        "ko apply -f x -n dev",
        "ko apply -f x --context=dev",
        "ko apply --dry-run=client -f x",
        "ko create --output-file x",
        "ko resolve -f x -o json",
    ],
);

const SETTINGS: Chapter = (
    "Settings",
    &[
        "KO_DOCKER_REPO= ko build .",
        "KO_DOCKER_REPO=r.example.com/Team ko build .",
        "KO_DOCKER_REPO=r.example.com/team:v1 ko build .",
        "KO_DOCKER_REPO=https://r.example.com/team ko build .",
        "KO_DOCKER_REPO=oci: ko build .",
        "KO_DOCKER_REPO=oci:x ko build --oci-layout-path=y .",
        "KO_DOCKER_REPO=oci:x ko build -L .",
        "KO_DOCKER_REPO=ko.local ko build --tarball=a.tar .",
        "ko build --tarball=no/a.tar .",
        "ko build --oci-layout-path=/proc/nope .",
        "ko build --sbom-dir=/proc/nope .",
        "ko build --image-refs=no/refs .",
        "ko build --metadata-file=no/run.json .",
        "ko build --log-file=no/log .",
        "KO_LOG=ko=lots ko build .",
        "ko build --timings=no/page.html .",
        "ko build --trace-http=no/trace.har .",
        "KO_NAMING={{.Base ko build .",
        "COSIGN_REPOSITORY=a·b ko build .",
        "SOURCE_DATE_EPOCH=today ko build .",
        "KO_DATA_DATE_EPOCH=1.5 ko build .",
        "KOCACHE=main.go ko build .",
        "KOCACHE_MAX_SIZE=big ko build .",
        "KO_DEFAULTBASEIMAGE=bad·ref ko build .",
        "KO_DEFAULTPLATFORMS=linux/a/b/c ko build .",
        "KO_BASEIMAGEOVERRIDES={ ko build .",
        "KO_BUILDS=x ko build .",
        "KO_COMPRESSION=gz ko build .",
        "KO_SBOMATTACH=tags ko build .",
        "KO_CREATEREPOSITORIES=maybe ko build .",
        "KO_CONFIG_PATH=nowhere.yaml ko build .",
        "KO_CONFIG_PATH=config ko build .",
        "KO_CONFIG_PATH=main.go ko build .",
        "KO_CONFIG_PATH=/dev/null ko build .",
        "KO_CONFIG_PATH=bad/syntax.yaml ko build .",
        "KO_CONFIG_PATH=bad/type.yaml ko build .",
        "KO_CONFIG_PATH=bad/twice.yaml ko build .",
        "KO_DEFAULTBASEIMAGE= KO_CONFIG_PATH=bad/base.yaml ko build .",
        "KO_CONFIG_PATH=bad/template.yaml ko build .",
        "KO_CONFIG_PATH=bad/capability.yaml ko build .",
        "KO_CONFIG_PATH=bad/dir.yaml ko build .",
        "KO_CONFIG_PATH=bad/registry.yaml ko build .",
        "KO_CONFIG_PATH=bad/toolexec.yaml ko build .",
    ],
);

const PROGRAMS: Chapter = (
    "Programs",
    &[
        "ko build ./nope",
        "ko build ./cmd/ap",
        "ko build cmd/app",
        "ko build ./cmd",
        "ko build ./lib",
        "ko build ./main.go",
        "ko build ./...",
        "ko build ./windows",
        "ko build example.com/app/cmd/ap",
        "ko build example.com/unknown/cmd",
        "ko build ko://",
        "ko build ./broken",
        "ko build ./kodata-out",
        "KO_GO_PATH=no-such-go ko build .",
        "KO_GO_PATH=./go ko build .",
        "GOFLAGS=-toolexec=x ko build .",
        "GOFLAGS=-bogus ko build .",
        "KO_DEFAULTBASEIMAGE=scratch ko build --platform=linux/vax .",
        "KO_DEFAULTBASEIMAGE=scratch ko build --platform=linux/arm/seven .",
        "KO_DEFAULTBASEIMAGE=scratch ko build --platform=linux .",
        "KO_DEFAULTBASEIMAGE=ko.static ko build --platform=linux/x86_64 .",
        "KO_DEFAULTBASEIMAGE=ko.static ko build --platform=linux/amd65 .",
        "KO_DEFAULTBASEIMAGE=ko.static ko build --platform=windows/amd64 .",
    ],
);

const MANIFESTS: Chapter = (
    "Manifests and kubectl",
    &[
        "ko resolve -f nowhere.yaml",
        "ko resolve -f bad/syntax.yaml",
        "ko resolve -f bad/references.yaml",
        "ko resolve -f good.yaml -l a===b",
        "PATH=/nowhere ko apply -f good.yaml",
        "PATH=/nowhere ko delete -f good.yaml",
    ],
);

const ENGINES: Chapter = (
    "Container engines",
    &[
        "DOCKER_HOST=unix:///nowhere ko build -L .",
        "DOCKER_HOST=ssh://me:secret@there ko build -L .",
        "DOCKER_CONTEXT=away ko build -L .",
        "DOCKER_API_VERSION=x ko build -L .",
        "CONTAINER_HOST=unix:///nowhere KO_DOCKER_REPO=podman:// ko build .",
        "DOCKER_HOST=unix:///nowhere KO_DEFAULTBASEIMAGE=ko.local/base ko build .",
    ],
);

const REST: Chapter = (
    "The rest",
    &[
        "ko cache import nowhere.tar",
        "ko cache import main.go",
        "ko cache export no/a.tar",
        "KOCACHE=main.go ko cache show",
        "ko verify 127.0.0.1:1/nope",
        "ko build --base=127.0.0.1:1/nope .",
        "KO_CONFIG_PATH=bad/nowhere.yaml ko build .",
        "ko doctor extra",
    ],
);

/// A module with what the chapters speak of.
fn fixture() -> Fixture {
    let index = Index::oci().image(Image::oci("linux/amd64")).image(Image::oci("linux/arm64"));
    let fixture = Fixture::on(TestRegistry::start(), &index.build());
    let main = "package main\n\nfunc main() {}\n";
    let _ = fixture
        .module()
        .main(".")
        .main("cmd/app")
        .main("cmd/web")
        .library("lib")
        .broken_main("broken")
        .file("windows/windows_windows.go", main)
        .file("kodata-out/main.go", main)
        .link("kodata-out/kodata/passwd", "/etc/passwd")
        .file("config/README", "")
        .file("good.yaml", "image: ko://example.com/app\n")
        .file("bad/syntax.yaml", "defaultPlatforms: [a\nb: c: d\n")
        .file("bad/type.yaml", "defaultPlatforms: {a: b}\n")
        .file("bad/twice.yaml", "defaultBaseImage: a\ndefaultbaseimage: b\n")
        .file("bad/base.yaml", "defaultBaseImage: bad ref\n")
        .file("bad/template.yaml", "defaultLdflags: ['-X main.v={{.Git.Tga}}']\n")
        .file("bad/capability.yaml", "builds:\n  - linux_capabilities: [net_bind]\n")
        .file("bad/nowhere.yaml", "baseImageOverrides:\n  example.com/app: 127.0.0.1:1/nope\n")
        .file("bad/dir.yaml", "builds:\n  - dir: ./nowhere\n")
        .file("bad/registry.yaml", "registries:\n  https://r.io/: {http: only}\n")
        .file("bad/toolexec.yaml", "builds:\n  - main: .\n    flags: [-toolexec=x]\n")
        .file("bad/references.yaml", "a: ko://example.com/app/lib\nb: ko://example.com/app/none\n");
    fixture
}

/// What an error says, behind the line that brings it about.
fn told(sandbox: &Sandbox, line: &str) -> String {
    let words: Vec<String> = line.split(' ').map(|word| word.replace('·', " ")).collect();
    let start = words.iter().position(|word| word == "ko").unwrap();
    let mut run = sandbox.run(&words[start + 1..]);
    for variable in &words[..start] {
        let (name, value) = variable.split_once('=').unwrap();
        run = run.env(name, value);
    }
    let output = run.output();
    format!("$ {line}\n{}\n", super::said(&output))
}

/// The session of an upload depends on which blob comes first.
fn without_upload(text: &str) -> String {
    match text.split_once("/blobs/uploads/") {
        Some((before, after)) if after.contains('?') => {
            let (_, after) = after.split_once('?').unwrap();
            format!("{before}/blobs/uploads/[session]?{after}")
        }
        _ => text.to_owned(),
    }
}

#[test]
fn every_error_can_be_read() {
    let fixture = fixture();
    let chapters = [WORDS, HABITS, SETTINGS, PROGRAMS, MANIFESTS, ENGINES, REST];
    let mut text = String::new();
    for (heading, lines) in chapters {
        text.push_str(&format!("# {heading}\n\n"));
        text.extend(lines.iter().map(|line| told(&fixture.sandbox, line)));
    }
    text.push_str("# Registries\n\n");
    for (name, fault, class) in [
        ("the base is not there", Fault::status(404, "MANIFEST_UNKNOWN"), Class::ManifestGet),
        ("the base is not for us", Fault::status(401, "UNAUTHORIZED"), Class::ManifestGet),
        ("too many requests", Fault::status(429, "TOOMANYREQUESTS"), Class::ManifestGet),
        ("a server that is broken", Fault::status(500, "UNKNOWN"), Class::ManifestGet),
        ("we may not push", Fault::status(403, "DENIED"), Class::UploadPost),
        ("there is no such project", Fault::status(404, "NAME_UNKNOWN"), Class::UploadPost),
        ("the registry is read-only", Fault::status(405, "UNSUPPORTED"), Class::UploadPost),
        ("a tag that may not move", Fault::status(400, "TAG_IS_IMMUTABLE"), Class::ManifestPut),
        ("the disk of the registry is full", Fault::status(507, "UNKNOWN"), Class::UploadPut),
    ] {
        fixture.registry.clear_faults();
        fixture.registry.inject(Rule::new(fault).class(class));
        let words = "build --bare --retries=0 --sbom=none ./cmd/app";
        let run = fixture.sandbox.run(words.split(' '));
        let output = run.env("KOCACHE", fixture.sandbox.root().join(name)).output();
        text.push_str(&format!("({name})\n{}\n", without_upload(&super::said(&output))));
    }
    insta::assert_snapshot!(text);
}
