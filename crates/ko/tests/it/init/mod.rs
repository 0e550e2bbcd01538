//! `ko init`: what it takes over, what it says of the rest, and that what it writes is a
//! configuration. That ko 0.19.1 makes the same images of it is a case of parity.

use std::fs;

use testkit::sandbox::{Output, Sandbox};

use crate::fixture::{module, sandbox};

/// A module with two programs, and another one below it.
fn repository(files: &[(&str, &str)]) -> Sandbox {
    let sandbox = sandbox();
    let tools = "module example.com/tools\n\ngo 1.24\n";
    let module = module(&sandbox).main("cmd/web").main("cmd/worker");
    let module = module.file("tools/go.mod", tools).file("tools/cmd/gen/main.go", "package main\n");
    let _ = files.iter().fold(module, |module, (name, text)| module.file(name, text));
    sandbox
}

fn init(sandbox: &Sandbox, words: &[&str]) -> Output {
    sandbox.run(["init"].iter().chain(words)).output()
}

/// The configuration is printed, and read without a complaint when it is written.
fn drafted(files: &[(&str, &str)]) -> (String, String) {
    let sandbox = repository(files);
    let printed = init(&sandbox, &["-o", "-"]).success();
    let _ = init(&sandbox, &[]).success();
    let written = fs::read_to_string(sandbox.work().join(".ko.yaml")).unwrap();
    assert_eq!(written, printed.stdout);
    let config = || sandbox.run(["config"]).output().success();
    assert_eq!(config().stderr, "");
    fs::write(sandbox.work().join(".ko.yaml"), uncommented(&written)).unwrap();
    assert_eq!(config().stderr, "");
    (printed.stdout, printed.stderr)
}

/// The configuration with the settings that ko 0.19.1 does not read.
fn uncommented(yaml: &str) -> String {
    let mut open = None;
    let line = |line: &str| {
        let (indent, comment) = line.split_once("# ").unwrap_or((line, ""));
        let is_open = open == Some(indent.to_owned()) && line.starts_with(&format!("{indent}# "));
        if !is_open {
            let is_head = line.ends_with("uncomment them to use them:");
            open = is_head.then(|| indent.to_owned());
        }
        if is_open { format!("{indent}{comment}\n") } else { format!("{line}\n") }
    };
    yaml.lines().map(line).collect()
}

#[test]
fn programs_are_found() {
    let (yaml, told) = drafted(&[]);
    insta::assert_snapshot!(yaml, @"
# How ko builds the programs of this repository, written by `ko init`.
# `ko config` shows what is in force, `ko config --schema` all keys. Paths start at
# the directory in which ko runs.

# The programs. dir is where go runs, main the package in it.
builds:
  - id: web
    main: ./cmd/web
  - id: worker
    main: ./cmd/worker
  - id: gen
    dir: ./tools
    main: ./cmd/gen
");
    assert_eq!(told, "");
}

/// The expected file is also a case of parity.
#[test]
fn goreleaser_is_taken_over() {
    let (yaml, told) = drafted(&[(".goreleaser.yaml", include_str!("goreleaser.yaml"))]);
    assert_eq!(yaml, include_str!("goreleaser.ko.yaml"));
    insta::assert_snapshot!(told, @r#"
not taken over: .goreleaser.yaml:5: before: ko runs nothing before a build
not taken over: .goreleaser.yaml:32: kos[0].ldflags: -X main.major={{ .Major }}: ko's templates have no .Major
not taken over: .goreleaser.yaml:32: kos[0].env: HOST={{ .Env.HOSTNAME }}: env of .ko.yaml has no templates
not taken over: .goreleaser.yaml:36: kos[0].repositories: goes on the command line: KO_DOCKER_REPO=ghcr.io/example/app
not taken over: .goreleaser.yaml:36: kos[0].repositories[1]: ko pushes to one; copy images to the others, as with `crane copy`
not taken over: .goreleaser.yaml:36: kos[1].repositories: goes on the command line: KO_DOCKER_REPO=ghcr.io/example/app
not taken over: .goreleaser.yaml:36: kos[1].repositories[1]: ko pushes to one; copy images to the others, as with `crane copy`
not taken over: .goreleaser.yaml:37: kos[0].tags: goes on the command line: --tags=latest,{{ with .Git.Tag }}{{ if eq (slice . 0 1) "v" }}{{ slice . 1 }}{{ else }}{{ . }}{{ end }}{{ end }}
not taken over: .goreleaser.yaml:37: kos[1].tags: goes on the command line: --tags=latest,{{ with .Git.Tag }}{{ if eq (slice . 0 1) "v" }}{{ slice . 1 }}{{ else }}{{ . }}{{ end }}{{ end }}
not taken over: .goreleaser.yaml:38: kos[0].base_import_paths: goes on the command line: --base-import-paths
not taken over: .goreleaser.yaml:38: kos[1].base_import_paths: goes on the command line: --base-import-paths
not taken over: .goreleaser.yaml:39: kos[0].sbom: goes on the command line: --sbom=none
not taken over: .goreleaser.yaml:39: kos[1].sbom: goes on the command line: --sbom=none
not taken over: .goreleaser.yaml:41: kos[0].labels: goes on the command line: --image-label=org.opencontainers.image.source=https://example.com/app
not taken over: .goreleaser.yaml:41: kos[1].labels: goes on the command line: --image-label=org.opencontainers.image.source=https://example.com/app
not taken over: .goreleaser.yaml:42: kos[0].user: goes on the command line: --image-user=65532
not taken over: .goreleaser.yaml:43: kos[0].creation_time: goes on the command line: SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
not taken over: .goreleaser.yaml:43: kos[1].creation_time: goes on the command line: SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
taken over: .goreleaser.yaml:44: kos[1]: {{.Date}}: it differs in each build; {{.Git.CommitDate}} is the date of the commit
not taken over: .goreleaser.yaml:48: kos[2]: there is no build with the id "nowhere"
not taken over: .goreleaser.yaml:51: dockers: ko builds images without a Dockerfile
"#);
}

#[test]
fn goreleaser_s_builds_will_do() {
    let (yaml, told) = drafted(&[(
        ".goreleaser.yml",
        "\
builds:
  - main: ./cmd/web
    binary: webserver
    env: [CGO_ENABLED=0]
    flags: -trimpath -mod=vendor
    tags: [netgo, osusergo]
    gcflags: all=-l
    buildmode: pie
    ldflags: -s -w
    goos: [linux]
    goarch: [amd64, arm64]
    hooks: {post: upx dist/webserver}
    mod_timestamp: '{{ .CommitTimestamp }}'
  - id: win
    main: ./cmd/worker
    goos: [windows]
  - id: lib
    main: ./lib
",
    )]);
    insta::assert_snapshot!(yaml, @r#"
# How ko builds the programs of this repository, written by `ko init`.
# `ko config` shows what is in force, `ko config --schema` all keys. Paths start at
# the directory in which ko runs.

# The programs. dir is where go runs, main the package in it.
builds:
  # builds[0] (.goreleaser.yml:2)
  - id: web
    main: ./cmd/web
    env:
      - CGO_ENABLED=0
    flags:
      - "-trimpath"
      - "-mod=vendor"
      - "-tags=netgo,osusergo"
      - "-gcflags=all=-l"
      - "-buildmode=pie"
    ldflags:
      - "-s -w"
  - id: worker
    main: ./cmd/worker
  - id: gen
    dir: ./tools
    main: ./cmd/gen
"#);
    insta::assert_snapshot!(told, @"
not taken over: .goreleaser.yml:2: builds[0].binary: the file is called after the package: /ko-app/web
not taken over: .goreleaser.yml:11: builds[0].goarch: it does not say which of them images are for: `defaultPlatforms: [linux/amd64, linux/arm64]`
not taken over: .goreleaser.yml:12: builds[0].hooks: ko runs nothing before or after a build
not taken over: .goreleaser.yml:13: builds[0].mod_timestamp: files in images have no time; SOURCE_DATE_EPOCH is that of the image
not taken over: .goreleaser.yml:14: builds[1]: it is not built for linux
not taken over: .goreleaser.yml:17: builds[2]: ./lib: there is no main package in ./lib
");
}

#[test]
fn goreleaser_s_dockers_name_dockerfiles() {
    let (yaml, told) = drafted(&[
        (
            ".goreleaser.yaml",
            "\
builds:
  - {id: web, main: ./cmd/web, goarch: [amd64, arm64, arm], ldflags: [-s]}
  - {id: worker, main: ./cmd/worker, ldflags: [-s]}
dockers:
  - {ids: [web], dockerfile: build/web.Dockerfile}
  - {ids: [web], dockerfile: build/web.Dockerfile, goarch: arm64}
  - {ids: [worker], goarch: arm, goarm: 7}
  - {ids: [worker], dockerfile: ../outside}
",
        ),
        ("build/web.Dockerfile", "FROM gcr.io/distroless/base\nCOPY web /\nUSER 7\n"),
        ("Dockerfile", "FROM alpine\n"),
    ]);
    insta::assert_snapshot!(yaml, @r#"
# How ko builds the programs of this repository, written by `ko init`.
# `ko config` shows what is in force, `ko config --schema` all keys. Paths start at
# the directory in which ko runs.

# Bases of single programs, by import path.
baseImageOverrides:
  # build/web.Dockerfile:1
  example.com/app/cmd/web: gcr.io/distroless/base
  # Dockerfile:1
  example.com/app/cmd/worker: alpine

# The programs. dir is where go runs, main the package in it.
builds:
  # builds[0] (.goreleaser.yaml:2)
  # What has no key here goes on the command line:
  #   ko build ./cmd/web --platform=linux/amd64,linux/arm64
  - id: web
    main: ./cmd/web
    ldflags:
      - "-s"
    # build/web.Dockerfile: ko 0.19.1 does not read these settings; uncomment them to use them:
    # image:
    #   user: "7"
  # builds[1] (.goreleaser.yaml:3)
  # What has no key here goes on the command line:
  #   ko build ./cmd/worker --platform=linux/arm/v7,linux/amd64
  - id: worker
    main: ./cmd/worker
    ldflags:
      - "-s"
  - id: gen
    dir: ./tools
    main: ./cmd/gen
"#);
    insta::assert_snapshot!(told, @"
not taken over: .goreleaser.yaml:4: dockers: ko builds images without a Dockerfile
not taken over: .goreleaser.yaml:5: the platforms of web: programs have different ones, and .ko.yaml has one list for all: --platform=linux/amd64,linux/arm64
not taken over: .goreleaser.yaml:7: the platforms of worker: programs have different ones, and .ko.yaml has one list for all: --platform=linux/arm/v7,linux/amd64
");
}

#[test]
fn skaffold_is_taken_over() {
    let (yaml, told) = drafted(&[(
        "skaffold.yaml",
        "\
apiVersion: skaffold/v4beta11
kind: Config
build:
  platforms: [linux/amd64, linux/arm64]
  tagPolicy: {gitCommit: {}}
  artifacts:
    - image: web
      ko:
        fromImage: gcr.io/distroless/static
        main: ./cmd/web
        flags: [-trimpath, -v]
        ldflags: [-s, -w, '-X main.version={{.VERSION}}', '-X main.who={{default \"x\" .WHO}}']
        env: [GOFLAGS=-mod=mod, 'GOPROXY={{.GOPROXY}}', 'A={{.B}}']
        dependencies: {paths: ['**/*.go', go.mod]}
        labels:
          org.opencontainers.image.licenses: MIT
          org.opencontainers.image.revision: '{{.GITHUB_SHA}}'
    - image: ko://example.com/tools/cmd/gen
      context: tools
      ko: {main: ./..., fromImage: alpine}
    - image: site
      context: site
    - image: jar
      jib: {}
profiles:
  - name: dev
---
apiVersion: skaffold/v4beta11
",
    )]);
    insta::assert_snapshot!(yaml, @r#"
# How ko builds the programs of this repository, written by `ko init`.
# `ko config` shows what is in force, `ko config --schema` all keys. Paths start at
# the directory in which ko runs.

# Bases of single programs, by import path.
baseImageOverrides:
  # skaffold.yaml:9
  example.com/app/cmd/web: gcr.io/distroless/static
  # skaffold.yaml:20
  example.com/tools/cmd/gen: alpine

# Platforms: skaffold.yaml:4.
defaultPlatforms:
  - linux/amd64
  - linux/arm64

# The programs. dir is where go runs, main the package in it.
builds:
  # build.artifacts[0] (skaffold.yaml:7)
  # What has no key here goes on the command line:
  #   ko build ./cmd/web --image-label=org.opencontainers.image.licenses=MIT
  - id: web
    main: ./cmd/web
    env:
      - GOFLAGS=-mod=mod
    flags:
      - "-trimpath"
      - "-v"
    ldflags:
      - "-s"
      - "-w"
      - "-X main.version={{ .Env.VERSION }}"
  - id: worker
    main: ./cmd/worker
  # build.artifacts[1] (skaffold.yaml:18)
  - id: gen
    dir: ./tools
    main: ./cmd/gen
"#);
    insta::assert_snapshot!(told, @r#"
not taken over: skaffold.yaml: ---: only the first configuration of the file is read
not taken over: skaffold.yaml:5: build.tagPolicy: tags go on the command line: --tags
not taken over: skaffold.yaml:7: build.artifacts[0].ko.ldflags: -X main.who={{default "x" .WHO}}: ko's templates have no function default
not taken over: skaffold.yaml:7: build.artifacts[0].ko.env: A={{.B}}: env of .ko.yaml has no templates
not taken over: skaffold.yaml:7: build.artifacts[0].image: web: manifests for ko call the image ko://example.com/app/cmd/web
not taken over: skaffold.yaml:14: build.artifacts[0].ko.dependencies: ko finds out by itself which files a program is made of
not taken over: skaffold.yaml:16: build.artifacts[0].ko.labels.org.opencontainers.image.licenses: goes on the command line: --image-label=org.opencontainers.image.licenses=MIT
not taken over: skaffold.yaml:16: build.artifacts[0].ko.labels.org.opencontainers.image.revision: give the label itself: --image-label
not taken over: skaffold.yaml:21: build.artifacts[2]: site is built by docker
not taken over: skaffold.yaml:23: build.artifacts[3]: jar is built by jib
not taken over: skaffold.yaml:26: profiles: what they change is not read
"#);
}

#[test]
fn dockerfiles_give_bases() {
    let (yaml, told) = drafted(&[
        (
            "Dockerfile",
            "\
# syntax=docker/dockerfile:1
ARG TAG=nonroot
FROM --platform=$BUILDPLATFORM golang:1.24 AS build
WORKDIR /src
COPY . .
RUN CGO_ENABLED=0 go build -trimpath \\
    # smaller
    -ldflags='-s -w' \\
    -o /out/web ./cmd/web

FROM gcr.io/distroless/static:${TAG} AS base
FROM base
LABEL org.opencontainers.image.licenses=MIT
ENV PORT=8080
COPY --from=build /out/web /web
COPY templates/ /templates/
EXPOSE 8080
USER 65532:65532
ENTRYPOINT [\"/web\", \"--port=8080\"]
CMD [\"serve\"]
",
        ),
        ("cmd/worker/Dockerfile", "FROM alpine:3\nRUN apk add git\nCMD worker --fast\n"),
        ("tools/cmd/gen/Containerfile", "FROM scratch\nCOPY gen /\nENTRYPOINT [\"/gen\"]\n"),
    ]);
    insta::assert_snapshot!(yaml, @r#"
# How ko builds the programs of this repository, written by `ko init`.
# `ko config` shows what is in force, `ko config --schema` all keys. Paths start at
# the directory in which ko runs.

# The base of images: Dockerfile:12.
defaultBaseImage: gcr.io/distroless/static:nonroot

# Bases of single programs, by import path.
baseImageOverrides:
  # cmd/worker/Dockerfile:1
  example.com/app/cmd/worker: alpine:3
  # what ko takes by itself
  example.com/tools/cmd/gen: cgr.dev/chainguard/static:latest

# The programs. dir is where go runs, main the package in it.
builds:
  # RUN go build (Dockerfile:6)
  - id: web
    main: ./cmd/web
    ldflags:
      - "-s -w"
    # Dockerfile: ko 0.19.1 does not read these settings; uncomment them to use them:
    # image:
    #   args:
    #     - "--port=8080"
    #   cmd:
    #     - serve
    #   env:
    #     PORT: "8080"
    #   user: "65532:65532"
    #   ports:
    #     - "8080"
    #   labels:
    #     org.opencontainers.image.licenses: MIT
  - id: worker
    main: ./cmd/worker
    # cmd/worker/Dockerfile: ko 0.19.1 does not read these settings; uncomment them to use them:
    # image:
    #   cmd:
    #     - "--fast"
  - id: gen
    dir: ./tools
    main: ./cmd/gen
"#);
    insta::assert_snapshot!(told, @"
not taken over: Dockerfile:16: COPY templates/ /templates/: ko adds the program itself; other files: image.files in .ko.yaml, or kodata/ beside the program
not taken over: cmd/worker/Dockerfile:2: RUN apk add git: nothing runs in the image: take a base that has what this makes
not taken over: tools/cmd/gen/Containerfile:1: FROM scratch: the default base is as good as empty, and has certificates and time zones; `defaultBaseImage: scratch` is empty, which ko 0.19.1 does not know
");
}

#[test]
fn dockerfiles_describe_images() {
    let web = "\
FROM golang AS build
ARG VERSION
ENV CGO_ENABLED=0
RUN --mount=type=cache,target=/cache \\
    GOEXPERIMENT=jsonv2 go build -tags netgo,osusergo -ldflags=\"-X main.v=$VERSION\" -o /server ./cmd/web
FROM alpine:3 AS base
WORKDIR /srv
ENV A=1
FROM base
ARG PORT=8080
ENV A=\"two words\" TEMPLATE={{.A}} PATH=$PATH:/srv
COPY --from=build /server bin/
LABEL org.opencontainers.image.title=\"The web\" \\
      org.opencontainers.image.licenses=MIT
EXPOSE $PORT 9090/udp
VOLUME /srv/data
WORKDIR data
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=30s --start-period=1m CMD [\"/srv/bin/server\", \"health\"]
USER 65532:65532
ENTRYPOINT [\"/srv/bin/server\", \"--port=8080\"]
CMD [\"serve\", \"{{x}}\"]
";
    let worker = "FROM alpine:3\nCMD exec worker --fast\nUSER $WHO\nEXPOSE http\n";
    let (yaml, told) = drafted(&[("Dockerfile", web), ("cmd/worker/Dockerfile", worker)]);
    insta::assert_snapshot!(yaml, @r#"
# How ko builds the programs of this repository, written by `ko init`.
# `ko config` shows what is in force, `ko config --schema` all keys. Paths start at
# the directory in which ko runs.

# The base of images: Dockerfile:9.
defaultBaseImage: alpine:3

# The programs. dir is where go runs, main the package in it.
builds:
  # RUN go build (Dockerfile:4)
  - id: web
    main: ./cmd/web
    env:
      - GOEXPERIMENT=jsonv2
    flags:
      - "-tags=netgo,osusergo"
    # Dockerfile: ko 0.19.1 does not read these settings; uncomment them to use them:
    # image:
    #   args:
    #     - "--port=8080"
    #   cmd:
    #     - serve
    #     - "{{\"{{\"}}x}}"
    #   env:
    #     A: "two words"
    #     TEMPLATE: "{{\"{{\"}}.A}}"
    #   workdir: /srv/data
    #   user: "65532:65532"
    #   ports:
    #     - "8080"
    #     - "9090/udp"
    #   volumes:
    #     - /srv/data
    #   healthcheck:
    #     test: [CMD, /ko-app/web, health]
    #     interval: "30s"
    #     startPeriod: "1m"
    #   stopSignal: SIGQUIT
    #   labels:
    #     org.opencontainers.image.title: "The web"
    #     org.opencontainers.image.licenses: MIT
  - id: worker
    main: ./cmd/worker
    # cmd/worker/Dockerfile: ko 0.19.1 does not read these settings; uncomment them to use them:
    # image:
    #   cmd:
    #     - "--fast"
  - id: gen
    dir: ./tools
    main: ./cmd/gen
"#);
    insta::assert_snapshot!(told, @r#"
not taken over: Dockerfile:4: RUN --mount=type=cache,target=/cache GOEXPERIMENT=jsonv2 go build -tags netgo,osusergo -ldflags="-X main.v=$VERSION" -o /server ./cmd/web: -ldflags is left: put its flags into flags and ldflags of the build
not taken over: Dockerfile:11: ENV A="two words" TEMPLATE={{.A}} PATH=$PATH:/srv: PATH: it depends on a variable that the file does not set; set image.env in .ko.yaml
not taken over: cmd/worker/Dockerfile:3: USER $WHO: it depends on a variable that the file does not set; set image.user in .ko.yaml, or --image-user
not taken over: cmd/worker/Dockerfile:4: EXPOSE http: 'image.ports': "http" is not a port: write a number from 1 to 65535 or a range, as in 8080, 53/udp or 8000-8010; set image.ports in .ko.yaml
"#);
    let sandbox = repository(&[(".ko.yaml", &uncommented(&yaml))]);
    let config = sandbox.run(["config"]).output().success().stdout;
    for said in ["--port=8080", "/srv/data", "two words", "/ko-app/web"] {
        assert!(config.contains(said), "{config}");
    }
}

/// Nobody says which program it is of.
#[test]
fn a_dockerfile_may_be_for_all() {
    let (yaml, told) =
        drafted(&[("Dockerfile", "FROM alpine\nENTRYPOINT [\"/run.sh\", \"-x\"]\nUSER 7\n")]);
    insta::assert_snapshot!(yaml, @r#"
# How ko builds the programs of this repository, written by `ko init`.
# `ko config` shows what is in force, `ko config --schema` all keys. Paths start at
# the directory in which ko runs.

# The base of images: Dockerfile:1.
defaultBaseImage: alpine

# Dockerfile: ko 0.19.1 does not read these settings; uncomment them to use them:
# defaultImage:
#   user: "7"

# The programs. dir is where go runs, main the package in it.
builds:
  - id: web
    main: ./cmd/web
  - id: worker
    main: ./cmd/worker
  - id: gen
    dir: ./tools
    main: ./cmd/gen
"#);
    insta::assert_snapshot!(told, @r#"not taken over: Dockerfile:2: ENTRYPOINT ["/run.sh", "-x"]: the entrypoint of an image is its program, below /ko-app; arguments: set image.args or image.cmd in .ko.yaml"#);
}

#[test]
fn one_file_that_cannot_be_read_leaves_the_others() {
    let sandbox = repository(&[
        (".goreleaser.yaml", "builds: [{id: web, main: ./cmd/web}]\n"),
        ("skaffold.yaml", "build: [\n"),
        ("cmd/worker/Dockerfile", "FROM alpine\n"),
    ]);
    fs::write(sandbox.work().join("Dockerfile"), b"FROM alpine\nLABEL a=\xe9\n").unwrap();
    let output = init(&sandbox, &["-o", "-"]).success();
    insta::assert_snapshot!(output.stderr, @"
taken over: .goreleaser.yaml:1: builds[0]: {{.Date}}: it differs in each build; {{.Git.CommitDate}} is the date of the commit
not taken over: Dockerfile: the whole file: it is not UTF-8
not taken over: skaffold.yaml: the whole file: unclosed bracket '['
");
    assert!(output.stdout.contains("example.com/app/cmd/worker: alpine"), "{}", output.stdout);
    // Alone, it is what init would go by.
    fs::remove_file(sandbox.work().join(".goreleaser.yaml")).unwrap();
    let output = init(&sandbox, &["-o", "-"]).failure(1);
    assert!(output.stderr.contains("--> skaffold.yaml:"), "{}", output.stderr);
}

#[test]
fn nothing_is_replaced_by_accident() {
    let sandbox = repository(&[]);
    let work = sandbox.work();
    let is_there = || work.join(".ko.yaml").exists();
    let output = init(&sandbox, &["--dry-run"]).success();
    assert!(output.stdout.contains("builds:") && !is_there());
    let _ = init(&sandbox, &["--output-file=other.yaml"]).success();
    assert!(work.join("other.yaml").exists() && !is_there());
    fs::write(work.join(".ko.yaml"), "defaultFlags: -v\n").unwrap();
    let output = init(&sandbox, &[]).failure(1);
    assert_eq!(
        output.stderr,
        "Error: .ko.yaml is there already\nhint: --force replaces it, and --dry-run prints what would be written\n"
    );
    let _ = init(&sandbox, &["--force"]).success();
    assert!(fs::read_to_string(work.join(".ko.yaml")).unwrap().contains("builds:"));
    fs::write(work.join(".ko.json"), "{}").unwrap();
    let output = init(&sandbox, &["--force"]).failure(1);
    assert!(output.stderr.starts_with("Error: .ko.json is read in place of .ko.yaml\n"));
}

#[test]
fn what_cannot_be_read_is_told() {
    let output = init(&sandbox(), &[]).failure(1);
    assert!(
        output.stderr.starts_with("Error: there is no main package below "),
        "{}",
        output.stderr
    );
    let sandbox = repository(&[(".goreleaser.yaml", "kos:\n  - [\n")]);
    let output = init(&sandbox, &["-o", "-"]).failure(1);
    assert_eq!(output.stdout, "");
    assert!(output.stderr.contains("--> .goreleaser.yaml:"), "{}", output.stderr);
    // A text of another tool stays within its comment.
    let evil = "kos:\n- build: ''\n  main: ./cmd/web\n  base_image: alpine\n  repositories: \"r.io/x\\n  - id: evil\"\n";
    let sandbox = repository(&[(".goreleaser.yaml", evil)]);
    let output = init(&sandbox, &["-o", "-"]).success();
    assert!(!output.stdout.contains("\n  - id: evil"), "{}", output.stdout);
}
