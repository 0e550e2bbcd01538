//! `ko resolve`: what a reference is, and what becomes of the rest.

use super::manifest::{PLAIN_YAML, REF, WEB_YAML, WORKER_YAML, on, resolve};
use super::three;
use crate::case::Case;
use testkit::base::Format;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = references();
    cases.extend(streams());
    cases.extend(refused());
    cases.extend(images());
    cases
}

/// Where references stand, and what is none.
fn references() -> Vec<Case> {
    let text = |name, text: &str| on(name, &text.replace("REF", REF));
    vec![
        on("resolve/deployment", WEB_YAML),
        on("resolve/no-reference", PLAIN_YAML),
        text("resolve/twice", "a: REF\nb: REF\n"),
        text("resolve/two-programs", "a: REF\nb: ko://example.com/app/cmd/worker\n"),
        text("resolve/key", "a:\n  REF: b\n"),
        text("resolve/item", "- REF\n- - REF\n"),
        text("resolve/root", "REF\n"),
        text("resolve/single-quotes", "a: 'REF'\n"),
        text("resolve/double-quotes", "a: \"REF\"\n"),
        text("resolve/escaped", "a: \"\\u006bo://example.com/app/cmd/web\"\n"),
        text("resolve/literal", "a: |\n  REF\nb: 1\n"),
        text("resolve/literal-kept", "a: |+\n  REF\n\nb: 1\n"),
        text("resolve/folded", "a: >\n  REF\nb: 1\n"),
        text("resolve/flow", "{a: [REF, 'REF'], b: {c: REF}}\n"),
        text("resolve/anchor", "a: &image REF\nb: *image\nc: [*image]\n"),
        text("resolve/merge-key", "a: &a {image: REF}\nb:\n  <<: *a\n  c: d\n"),
        text("resolve/tagged-string", "a: !!str REF\n"),
        text("resolve/other-tag", "a: !mine REF\nb: REF\n"),
        text("resolve/blanks-inside", "a: 'REF '\nb: ' REF'\n"),
        text("resolve/inside-a-string", "a: --image=REF\nb: x REF\n"),
        text("resolve/in-a-comment", "# REF\na: b # REF\n"),
        text("resolve/in-many-lines", "a: |\n  first\n  REF\n"),
        text("resolve/question-mark", "? REF\n: b\n? [REF]\n: c\n"),
        text(
            "resolve/folded-long",
            &format!("a: REF\nb: {}\nc: '{}'\n", "word ".repeat(60), "x y ".repeat(60)),
        ),
        text(
            "resolve/values-of-all-kinds",
            "a: REF\nb: [1, 0x10, 0o7, 1e3, .inf, yes, ~, null, '', 2024-01-02, 1_000, 012]\n",
        ),
        text(
            "resolve/letters-of-all-kinds",
            "a: REF\n'日本': é\n\"😀\": \"\\u00e9\\t\\n\\\\ 😀\"\n",
        ),
        text("resolve/same-key-twice", "a: REF\na: b\n"),
        text("resolve/indented-otherwise", "a:\n    - REF\n    -   b:   c\n"),
        text("resolve/relative-path", "a: ko://./cmd/web\n"),
        text("resolve/json", "{\n\t\"a\": \"REF\",\n\t\"b\": [1, true, null, \"xy\"]\n}\n"),
        on("resolve/main-of-a-module-root", "a: ko://example.com/hello\n").module(super::hello),
    ]
}

/// Documents, and what is between them.
fn streams() -> Vec<Case> {
    let text = |name, text: &str| on(name, &text.replace("REF", REF));
    vec![
        text("resolve/documents", &format!("{WEB_YAML}---\n{WORKER_YAML}---\n{PLAIN_YAML}")),
        text("resolve/documents-in-json", "{\"a\": \"REF\"}\n---\n{\"b\": \"REF\"}\n"),
        text("resolve/empty-file", ""),
        text("resolve/blank-file", "\n\n"),
        text("resolve/comment-alone", "# nothing\n"),
        text("resolve/empty-document-between", "a: REF\n---\n---\nb: 1\n"),
        text("resolve/comment-document-between", "a: REF\n---\n# nothing\n---\nb: 1\n"),
        text("resolve/marker-at-the-end", "a: REF\n---\n"),
        text("resolve/null-document", "a: REF\n---\nnull\n---\n~\n"),
        text("resolve/end-markers", "a: REF\n...\n---\nb: 1\n...\n"),
        text("resolve/directive", "%YAML 1.1\n---\na: REF\n"),
        text("resolve/byte-order-mark", "\u{feff}a: REF\n"),
        text("resolve/windows-lines", "a: REF\r\n---\r\nb:\r\n- c\r\n"),
        text("resolve/no-line-break-at-the-end", "a: b\nc: REF"),
        text("resolve/literal-at-the-end", "a: REF\nb: |\n  text\n"),
        text("resolve/marker-with-content", "--- {a: REF}\n--- b\n"),
        text("resolve/marker-first", "---\na: REF\n"),
        text(
            "resolve/list-of-objects",
            &format!("apiVersion: v1\nkind: List\nitems:\n- image: {REF}\n- b: 1\n"),
        ),
        resolve("resolve/stdin", "-f -").stdin(WEB_YAML),
        resolve("resolve/stdin-empty", "-f -"),
        resolve("resolve/no-files", ""),
        resolve("resolve/two-files", "-f a.yaml -f b.yaml")
            .file("a.yaml", WEB_YAML)
            .file("b.yaml", WORKER_YAML),
        resolve("resolve/files-without-images", "-f a.yaml -f b.yaml")
            .file("a.yaml", PLAIN_YAML)
            .file("b.yaml", "# nothing\n"),
    ]
}

/// What is no manifest, or no program.
fn refused() -> Vec<Case> {
    let text = |name, text: &str| on(name, &text.replace("REF", REF));
    let parsing = "error processing import paths in \"f.yaml\": ";
    let reference = "found strict reference but ";
    vec![
        text("resolve/not-yaml", "a: b: c\n")
            .fails(parsing)
            .fails("mapping values are not allowed in this context"),
        text("resolve/unclosed", "a: [REF\n").fails(parsing),
        text("resolve/tab", "a:\n\t- b\n").fails(parsing),
        text("resolve/unknown-alias", "a: *nowhere\n").fails(parsing),
        text("resolve/second-document-wrong", "a: REF\n---\nb: [\n").fails(parsing),
        text("resolve/json-without-marker", "{\"a\": \"REF\"}\n{\"b\": 1}\n").fails(parsing),
        text("resolve/library", "a: ko://example.com/app/lib\n").fails(reference).fails(
            "ko://example.com/app/lib is not a valid import path: importpath is not `package main`",
        ),
        text("resolve/missing-package", "a: ko://example.com/app/nobody\n").fails(reference),
        text("resolve/empty-reference", "a: ko://\n").fails(reference),
        text("resolve/other-module", "a: ko://github.com/nobody/nothing\n").fails(reference),
        text("resolve/space-in-reference", "a: ko://example.com/app/cmd/web x\n").fails(reference),
        text("resolve/one-of-two", "a: REF\nb: ko://example.com/app/lib\n")
            .fails("app/lib is not a valid import path"),
        text("resolve/compile-error", "a: ko://example.com/app/broken\n")
            .fails("go build: exit status 1"),
        resolve("resolve/positional", "-f f.yaml extra")
            .file("f.yaml", WEB_YAML)
            .fails("unknown command \"extra\" for \"ko resolve\""),
        resolve("resolve/unknown-flag", "-f f.yaml --nope")
            .file("f.yaml", WEB_YAML)
            .fails("unknown flag: --nope"),
        resolve("resolve/no-repository", "-f f.yaml")
            .file("f.yaml", WEB_YAML)
            .unset("KO_DOCKER_REPO")
            .fails("KO_DOCKER_REPO environment variable is unset"),
    ]
}

/// What flags of images do here.
fn images() -> Vec<Case> {
    let web =
        |name, words: &str| resolve(name, &format!("-f f.yaml {words}")).file("f.yaml", WEB_YAML);
    let both = format!("{WEB_YAML}---\n{WORKER_YAML}");
    vec![
        web("resolve/tag", "-t v1"),
        web("resolve/tags", "-t v1,v2"),
        web("resolve/tag-only", "-t v1 --tag-only"),
        web("resolve/tag-only-latest", "--tag-only")
            .fails("latest tag cannot be used in tag-only references"),
        web("resolve/bare", "--bare"),
        web("resolve/base-import-paths", "-B"),
        web("resolve/preserve-import-paths", "-P"),
        web("resolve/not-pushed", "--push=false").pushed_by("./cmd/web"),
        web("resolve/layout", "--push=false --oci-layout-path=layout"),
        web("resolve/platforms", "--platform=all").base(three(Format::Docker)),
        web("resolve/label-and-user", "--image-label=a=b --image-user=7"),
        web("resolve/no-sbom", "--sbom=none"),
        web("resolve/sbom-dir", "--sbom-dir=sboms"),
        web("resolve/image-refs", "--image-refs=refs.txt"),
        resolve("resolve/image-refs-twice", "-f f.yaml -f f.yaml --image-refs=refs.txt")
            .file("f.yaml", WEB_YAML),
        resolve("resolve/jobs", "-f f.yaml -j 1").file("f.yaml", &both),
        web("resolve/configured", "")
            .file(".ko.yaml", "builds:\n- {main: ./cmd/web, ldflags: [-s, -w]}\n"),
    ]
}
