//! How fast manifests are read and written. `cargo bench -p ko-yaml`
#![allow(clippy::unwrap_used)]

use std::fmt::Write;

use divan::Bencher;
use divan::counter::BytesCount;
use ko_yaml::{File, Mode, Selector, Source};

/// The size of the manifest, in bytes.
const SIZE: usize = 5_000_000;

fn main() {
    divan::main();
}

/// A manifest as projects release them: definitions of resources with long
/// descriptions, and workloads, `references` of which have a `ko://` image.
fn manifest(references: usize) -> String {
    let mut text = String::with_capacity(SIZE + 10_000);
    let mut documents = 0;
    while text.len() < SIZE {
        text +=
            "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n";
        writeln!(text, "  name: things{documents}.example.com\n  labels:\n    app: thing").unwrap();
        text += "spec:\n  versions:\n  - name: v1\n    schema:\n      openAPIV3Schema:\n        properties:\n";
        for field in 0..150 {
            writeln!(
                text,
                "          field{field}:\n            description: |-\n              Field {field} selects \
                 the nodes on which the thing runs.\n              More info: \
                 https://example.com/docs/concepts#{field}\n            items:\n              \
                 properties:\n                key:\n                  description: The label key that \
                 the selector applies to.\n                  type: string\n                operator:\n                  \
                 enum: [\"In\", 'NotIn', Exists]\n                  type: string\n              required:\n              \
                 - key\n              - operator\n              type: object\n            type: array\n            \
                 x-kubernetes-list-type: atomic"
            )
            .unwrap();
        }
        text += "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  labels: {app: thing}\nspec:\n  \
                 template:\n    spec:\n      containers:\n      - name: thing\n        image: ";
        text += if documents < references { "ko://example.com/cmd/thing\n" } else { "busybox\n" };
        documents += 1;
    }
    text
}

fn parse(text: &str, mode: Mode) -> File<'_> {
    File::parse(&Source { name: "f.yaml", bytes: text.as_bytes() }, mode).unwrap()
}

#[divan::bench(args = [Mode::Whole, Mode::Embedded])]
fn parse_without_references(bencher: Bencher<'_, '_>, mode: Mode) {
    let text = manifest(0);
    bencher.counter(BytesCount::of_str(&text)).bench(|| parse(&text, mode).references().len());
}

#[divan::bench]
fn splice(bencher: Bencher<'_, '_>) {
    let text = manifest(130);
    let file = parse(&text, Mode::Whole);
    bencher
        .counter(BytesCount::of_str(&text))
        .bench(|| file.manifest(|_| "registry.example.com/thing".into()).unwrap().to_vec());
}

#[divan::bench]
fn select(bencher: Bencher<'_, '_>) {
    let text = manifest(0);
    let file = parse(&text, Mode::Whole);
    let selector = Selector::parse("app=thing").unwrap();
    bencher.counter(BytesCount::of_str(&text)).bench(|| {
        let mut file = file.clone();
        file.select(&selector).unwrap();
        file
    });
}
