//! `--output` and `--metadata-file`: what programs are told of a run.

use std::fs;

use serde_json::Value;
use testkit::base::{Image, Index};
use testkit::registry::TestRegistry;

use crate::fixture::Fixture;

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let _ = fixture.module().main("cmd/one").main("cmd/two");
    fixture
}

/// A document. The sandbox has seen that it fits its schema.
fn run(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_run_describes_its_images() {
    let images = ["linux/amd64", "linux/arm64"].map(Image::oci);
    let base = images.into_iter().fold(Index::oci(), Index::image).build();
    let fixture = Fixture::on(TestRegistry::start(), &base);
    let _ = fixture.module().main("cmd/one").main("cmd/two");
    let path = fixture.sandbox.root().join("meta.json");
    let words = format!(
        "-B --tags=v1,v2 --platform=linux/amd64,linux/arm64 --output=json --metadata-file {} ./cmd/one ./cmd/two",
        path.display()
    );
    let first = fixture.build(&words).output().success();
    let text =
        fixture.build("-B --tags=v1,v2 --platform=linux/amd64,linux/arm64 ./cmd/one ./cmd/two");
    let references = text.output().success().stdout;
    let document = run(&first.stdout);
    let images = document["images"].as_array().unwrap();
    let printed = images.iter().map(|image| format!("{}\n", image["reference"].as_str().unwrap()));
    assert_eq!(printed.collect::<String>(), references);
    for (image, name) in images.iter().zip(["one", "two"]) {
        let built = fixture.built(&format!("out/{name}"), "v2");
        assert_eq!(image["digest"].as_str().unwrap(), built.digest);
        let tags = image["tags"].as_array().unwrap().len();
        let platforms = image["platforms"].as_array().unwrap();
        assert_eq!((tags, platforms.len()), (2, 2), "{image}");
        for (platform, child) in
            platforms.iter().zip(fixture.children(&format!("out/{name}"), &built))
        {
            assert_eq!(platform["digest"].as_str().unwrap(), child.digest);
            assert_eq!(platform["fresh"], false);
            let layers = platform["layers"].as_array().unwrap();
            let diff_ids: Vec<_> =
                layers.iter().map(|layer| layer["diff_id"].as_str().unwrap()).collect();
            assert_eq!(diff_ids, child.diff_ids());
            let contents: Vec<_> =
                layers.iter().map(|layer| layer["content"].as_str().unwrap()).rev().collect();
            assert_eq!(contents[..2], ["program", "kodata"]);
            let program = layers.last().unwrap();
            assert_eq!((&program["reused"], &program["push"]), (&false.into(), &"uploaded".into()));
        }
        // One for the index and one for each of its images.
        assert_eq!(image["attachments"].as_array().unwrap().len(), 3, "{image}");
        assert!(image["traffic"]["bytes_sent"].as_u64().unwrap() > 0);
        assert!(image["stages"]["compile"].as_f64().unwrap() > 0.0);
    }
    assert_eq!(run(&fs::read_to_string(&path).unwrap())["images"], document["images"]);

    let again = run(&fixture.build(&words).output().success().stdout);
    for image in again["images"].as_array().unwrap() {
        assert_eq!(image["traffic"]["bytes_sent"], 0, "{image}");
        assert!(image["platforms"].as_array().unwrap().iter().all(|one| one["fresh"] == true));
    }
}

#[test]
fn lines_tell_what_happens_in_their_order() {
    let fixture = fixture();
    let output = fixture.build("-B --output=ndjson ./cmd/one").output().success();
    let lines: Vec<Value> = output.stdout.lines().map(run).collect();
    let types: Vec<_> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
    let at = |wanted| types.iter().position(|found| *found == wanted).unwrap();
    assert!(at("program") < at("image"), "{types:?}");
    assert_eq!(types[types.len() - 2..], ["image", "run"]);
    assert_eq!(lines[at("program")]["fresh"], false);
}

#[test]
fn a_run_that_fails_says_why() {
    let fixture = fixture();
    let _ = fixture.module().broken_main("cmd/two");
    let output = fixture.build("-B --output=json ./cmd/one ./cmd/two").output().failure(1);
    let document = run(&output.stdout);
    assert_eq!(
        (&document["succeeded"], &document["images"]),
        (&false.into(), &Value::Array(vec![]))
    );
    let message = document["error"]["message"].as_str().unwrap();
    assert!(message.contains("cmd/two"), "{message}");
    assert!(output.stderr.contains("Error: "), "{}", output.stderr);
}

#[test]
fn where_stdout_is_yaml_the_data_goes_to_a_file() {
    let fixture = fixture();
    let _ = fixture.module().file("app.yaml", "image: ko://example.com/app/cmd/one\n");
    let path = fixture.sandbox.root().join("meta.json");
    let resolve = |words: &str| {
        fixture.sandbox.run(std::iter::once("resolve").chain(words.split_whitespace()))
    };
    let refused = resolve("--output=json -f app.yaml").output().failure(1);
    assert_eq!(refused.stdout, "");
    assert!(refused.stderr.contains("hint: --metadata-file"), "{}", refused.stderr);
    let words = format!("-B -f app.yaml --metadata-file {}", path.display());
    let _ = resolve(&words).output().success();
    let document = run(&fs::read_to_string(&path).unwrap());
    assert_eq!(document["images"].as_array().unwrap().len(), 1);
}

#[test]
fn a_metadata_file_that_cannot_be_written_ends_the_run_before_it_begins() {
    let fixture = fixture();
    let output = fixture.build("-B --metadata-file none/run.json ./cmd/one").output().failure(1);
    assert_eq!(fixture.registry.counts().total(), 0, "nothing was asked");
    assert!(
        output.stderr.contains("Error: --metadata-file: writing none/run.json: "),
        "{}",
        output.stderr
    );
}
