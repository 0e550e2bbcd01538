//! `ko resolve`: what is on stdout, and what was done for it.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use crate::fixture::Fixture;
use crate::spy::Spy;

const POD: &str = "\
# a comment that stays
apiVersion: v1
kind: Pod
metadata: {name: a, labels: {app: a}}
spec:
    containers:
    - image:   \"ko://example.com/app\"   # and this one
      args: [--other=ko://example.com/app]
";

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let _ = fixture.module().file("config/pod.yaml", POD).library("lib");
    fixture
}

#[test]
fn every_byte_outside_of_references_stays() {
    let fixture = fixture();
    let output = fixture.sandbox.run(["resolve", "-f", "config"]).output().success();
    let image = output.stdout.split('"').nth(1).unwrap();
    assert!(image.contains("/out/app-") && image.contains("@sha256:"), "{image}");
    assert_eq!(output.stdout, format!("{}---\n", POD.replacen("ko://example.com/app", image, 1)));
}

#[test]
fn embedded_references_are_opt_in_and_told() {
    let fixture = fixture();
    let words = ["resolve", "-f", "config/pod.yaml", "--embedded", "--image-map", "map.json"];
    let output = fixture.sandbox.run(words).output().success();
    assert!(!output.stdout.contains("ko://"), "{}", output.stdout);
    let map = fs::read_to_string(fixture.sandbox.work().join("map.json")).unwrap();
    let map: serde_json::Value = serde_json::from_str(&map).unwrap();
    assert_eq!(map.as_array().unwrap().len(), 2);
    assert_eq!((&map[0]["line"], &map[0]["embedded"]), (&7.into(), &false.into()));
    assert_eq!((&map[1]["line"], &map[1]["embedded"]), (&8.into(), &true.into()));
    assert_eq!(map[0]["image"], map[1]["image"]);

    let told = "Found ko://example.com/app inside a string: config/pod.yaml:8:22\n";
    assert!(!output.stderr.contains(told), "{}", output.stderr);
    let words = ["resolve", "-v", "--check", "-f", "config/pod.yaml", "--embedded"];
    let output = fixture.sandbox.run(words).output().success();
    assert_eq!(output.stderr.matches(told).count(), 1, "{}", output.stderr);
}

#[test]
fn all_wrong_references_are_told_and_nothing_is_built() {
    let fixture = fixture();
    let _ = fixture
        .module()
        .file("config/z.yaml", "a: ko://example.com/app/lib\nb: ko://\nc: ko://example.com/none\n");
    let spy = Spy::new(&fixture.sandbox);
    let run = fixture.sandbox.run(["resolve", "-f", "config"]).env("KO_GO_PATH", spy.program());
    let output = run.output().failure(1);
    assert_eq!(output.stdout, "");
    for (place, reference) in
        [("1:4", "ko://example.com/app/lib"), ("2:4", "ko://"), ("3:4", "ko://example.com/none")]
    {
        let want = format!("found strict reference but {reference} is not a valid import path: ");
        let line = output.stderr.lines().find(|line| line.contains(&want));
        let line = line.unwrap_or_else(|| panic!("{reference}: {}", output.stderr));
        assert!(line.contains("error processing import paths in \"config/z.yaml\""), "{line}");
        assert!(output.stderr.contains(&format!("(config/z.yaml:{place})")), "{}", output.stderr);
    }
    assert!(spy.calls().iter().all(|call| call.starts_with("list ")), "{:?}", spy.calls());
    assert_eq!(spy.calls().len(), 1);
    assert!(fixture.registry.repositories().iter().all(|name| name == "base"));
}

#[test]
fn a_check_builds_nothing() {
    let fixture = fixture();
    let spy = Spy::new(&fixture.sandbox);
    let run = fixture
        .sandbox
        .run(["resolve", "--check", "-f", "config"])
        .env("KO_GO_PATH", spy.program());
    assert_eq!(run.output().success().stdout, "");
    assert_eq!(spy.calls().len(), 1);
}

#[test]
fn broken_yaml_is_shown_with_its_place() {
    let fixture = fixture();
    let _ = fixture.module().file("config/broken.yaml", "a: b\nc: d: e\n");
    let output = fixture.sandbox.run(["resolve", "-f", "config"]).output().failure(1);
    assert_eq!(
        output.stderr,
        "Error: error processing import paths in \"config/broken.yaml\": go-yaml load error: config/broken.yaml:2:5: mapping values are not allowed in this context\nc: d: e\n    ^\n"
    );
}

#[test]
fn a_selector_that_matches_nothing_is_no_error() {
    let fixture = fixture();
    let output = fixture.sandbox.run(["resolve", "-f", "config", "-l", "app=b"]).output().success();
    assert_eq!(output.stdout, "---\n");
    let output = fixture.sandbox.run(["resolve", "-f", "config", "-l", "app=a"]).output().success();
    assert!(output.stdout.contains("@sha256:"));
}

#[test]
fn stdin_files_and_no_files() {
    let fixture = fixture();
    let run = fixture.sandbox.run(["resolve", "-f", "-"]).stdin(POD);
    assert!(run.output().success().stdout.contains("@sha256:"));
    assert_eq!(fixture.sandbox.run(["resolve"]).output().success().stdout, "");
    let output = fixture.sandbox.run(["resolve", "-f", "none.yaml"]).output().failure(1);
    assert!(
        output.stderr.starts_with("Error: error enumerating files: none.yaml: "),
        "{}",
        output.stderr
    );
}

#[test]
fn a_file_may_be_at_a_url() {
    let fixture = fixture();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/pod.yaml", server.local_addr().unwrap());
    let answers = std::thread::spawn(move || {
        let answer = |status: &str, body: &str| {
            let (mut stream, _) = server.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
            let request: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let length = body.len();
            let head =
                format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n");
            stream.write_all(format!("{head}\r\n{body}").as_bytes()).unwrap();
            request[0].clone()
        };
        [answer("200 OK", POD), answer("404 Not Found", "ko://example.com/app")]
    });
    let resolve = || fixture.sandbox.run(["resolve", "-f", &url]).output();
    assert!(resolve().success().stdout.contains("@sha256:"));
    let output = resolve().failure(1);
    assert_eq!(output.stdout, "");
    assert!(output.stderr.contains("404 Not Found"), "{}", output.stderr);
    assert_eq!(answers.join().unwrap(), ["GET /pod.yaml HTTP/1.1"; 2]);
}

#[test]
fn what_a_large_file_says_is_remembered_of_its_text_alone() {
    let fixture = fixture();
    let many = format!("{POD}---\n").repeat(400);
    let write = |text: &str| drop(fixture.module().file("config/pod.yaml", text));
    let resolve = |words: &[&str]| {
        let words = [&["resolve", "-f", "config"], words].concat();
        fixture.sandbox.run(words).output().success().stdout
    };
    write(&many);
    let first = resolve(&[]);
    let outlines = fixture.sandbox.kocache().join("v1/records/manifest-outline");
    let kept = || fs::read_dir(&outlines).unwrap().count();
    assert_eq!((first.matches("@sha256:").count(), kept()), (400, 1));
    assert_eq!(resolve(&[]), first);
    assert_eq!(resolve(&["-l", "app=b"]), "---\n");

    let image = first.split('"').nth(1).unwrap();
    write(&many.replacen("\"ko://example.com/app\"", "'x'", 1));
    assert_eq!(resolve(&[]), first.replacen(&format!("\"{image}\""), "'x'", 1));
    let embedded = resolve(&["--embedded"]);
    assert_eq!((embedded.matches("@sha256:").count(), kept()), (799, 3));
    write(&many);
    fs::remove_dir_all(outlines).unwrap();
    assert_eq!(resolve(&[]), first);
}

#[test]
fn files_come_in_their_order() {
    let fixture = fixture();
    for name in ["b.yaml", "a.json", "c.yml", "sub/d.yaml", "sub/e.txt"] {
        let _ = fixture.module().file(&format!("more/{name}"), format!("\"{name}\"\n"));
    }
    let resolve = |words: &str| {
        let output = fixture.sandbox.run(words.split(' ')).output().success();
        output.stdout.replace("\n---\n", " ")
    };
    assert_eq!(resolve("resolve -f more"), "\"a.json\" \"b.yaml\" ");
    assert_eq!(resolve("resolve -R -f more"), "\"a.json\" \"b.yaml\" \"sub/d.yaml\" ");
    assert_eq!(
        resolve("resolve -f more/sub/e.txt,more/c.yml -f more"),
        "\"sub/e.txt\" \"c.yml\" \"a.json\" \"b.yaml\" "
    );
}
