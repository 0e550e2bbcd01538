//! Bases, registries and repositories of somebody who wants us to fail: we say so in
//! plain text, take no more memory than else, and run nothing that `go` would not.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::read::GzEncoder;
use serde_json::{Value, json};
use testkit::base::{self, Image, Index};
use testkit::registry::{Class, Fault, Rule, TestRegistry};
use testkit::sandbox::Output;
use testkit::sha256;

use crate::fixture::{Fixture, module, sandbox};
use crate::leftovers::assert_none;
use crate::services::run;
use crate::spy::write_executable;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// Clears the screen, sets the title, and turns the line round.
const ESCAPES: &str = "\x1b[2J\x1b]0;t\x07\u{9b}A\r\u{202e}";

/// Whatever a base is like: bytes of the command alone.
const MEMORY: u64 = 128 << 20;

#[track_caller]
fn assert_plain(output: &Output) {
    let obeyed = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
    let all = format!("{}{}", output.stdout, output.stderr);
    assert!(!all.contains(obeyed), "{all:?}");
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "size": bytes.len(), "digest": sha256(bytes)})
}

/// A base of these parts, as it could be if nobody lied.
fn honest() -> (Value, Vec<u8>, Vec<u8>) {
    let config = json!({"architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [sha256(b"content")]}});
    let (config, layer) = (config.to_string().into_bytes(), b"layer".to_vec());
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST,
        "config": descriptor(CONFIG, &config), "layers": [descriptor(LAYER, &layer)]});
    (manifest, config, layer)
}

fn on(manifest: &Value, blobs: Vec<Vec<u8>>) -> Fixture {
    let base = base::Fixture::raw(MANIFEST, manifest.to_string(), blobs);
    let fixture = Fixture::on(TestRegistry::builder().forgives().start(), &base);
    let _ = fixture.module().main(".");
    fixture
}

#[test]
fn bases_that_lie_are_refused() {
    let cases: [(&str, &str, Value); 11] = [
        ("a config that is longer", "/config/size", json!(2)),
        ("a config that is shorter", "/config/size", json!(4096)),
        ("less than nothing", "/config/size", json!(-1)),
        ("more than there is", "/config/size", json!(u64::MAX)),
        ("a layer for a config", "/config/digest", json!(sha256(b"layer"))),
        ("a path for a digest", "/config/digest", json!("sha256:../../../../etc/passwd")),
        ("another hash", "/config/digest", json!(format!("sha512:{}", "0".repeat(128)))),
        ("a digest with more", "/config/digest", json!(format!("{}\n", sha256(b"layer")))),
        ("a layer at a path", "/layers/0/digest", json!("../../../../etc/passwd")),
        ("a list for a name", "/layers/0/digest", json!([])),
        ("no layers at all", "/layers", json!({})),
    ];
    for (case, pointer, value) in cases {
        let (mut manifest, config, layer) = honest();
        *manifest.pointer_mut(pointer).unwrap() = value;
        let fixture = on(&manifest, vec![config, layer]);
        let output = fixture.build("--bare --retries=0").output();
        assert_eq!(output.code, Some(1), "{case}: {}", output.stderr);
        assert!(output.stderr.contains("error building \"ko://example.com/app\""), "{case}");
        assert!(output.stderr.contains("/base"), "{case}: {}", output.stderr);
        assert_plain(&output);
        assert!(fixture.registry.manifest("out", "latest").is_none(), "{case}");
        assert_none(&fixture.sandbox, &[]);
    }
}

#[test]
fn what_a_base_is_called_is_only_text() {
    let platform = format!("linux/{ESCAPES}");
    let (mut manifest, config, layer) = honest();
    manifest["annotations"] = json!({ESCAPES: ESCAPES});
    let mut of_nobody: Value = serde_json::from_slice(&config).unwrap();
    of_nobody["architecture"] = json!(ESCAPES);
    let of_nobody = of_nobody.to_string().into_bytes();
    manifest["config"] = descriptor(CONFIG, &of_nobody);
    let output = on(&manifest, vec![of_nobody, layer]).build("--bare").output().failure(1);
    assert_plain(&output);
    assert!(output.stderr.contains("does not match desired platforms"), "{}", output.stderr);

    let index = Index::oci().image(Image::oci(&platform)).build();
    let fixture = Fixture::on(TestRegistry::start(), &index);
    let _ = fixture.module().main(".");
    let output = fixture.build("--bare").output().failure(1);
    assert_plain(&output);
    assert!(output.stderr.contains("\\x1b[2J"), "{}", output.stderr);
}

#[test]
fn ten_thousand_layers_are_layers() {
    let (mut manifest, config, layer) = honest();
    let mut config: Value = serde_json::from_slice(&config).unwrap();
    config["rootfs"]["diff_ids"] = vec![json!(sha256(b"content")); 10_000].into();
    let config = config.to_string().into_bytes();
    manifest["config"] = descriptor(CONFIG, &config);
    manifest["layers"] = vec![descriptor(LAYER, &layer); 10_000].into();
    let fixture = on(&manifest, vec![config, layer]);
    let output = fixture.build("--bare").output().success();
    assert!(output.peak_memory.unwrap() < MEMORY, "{:?}", output.peak_memory);
    let built = fixture.built("out", "latest");
    assert_eq!(built.manifest["layers"].as_array().unwrap().len(), 10_002);
}

#[test]
fn a_config_is_no_place_for_megabytes() {
    let (mut manifest, config, layer) = honest();
    let mut config: Value = serde_json::from_slice(&config).unwrap();
    config["config"]["Env"] = json!([format!("A={}", "a".repeat(17 << 20))]);
    let config = config.to_string().into_bytes();
    manifest["config"] = descriptor(CONFIG, &config);
    let fixture = on(&manifest, vec![config, layer]);
    let output = fixture.build("--bare").output().failure(1);
    assert!(output.peak_memory.unwrap() < MEMORY, "{:?}", output.peak_memory);
    assert_none(&fixture.sandbox, &[]);

    // Nor for brackets without end.
    let (mut manifest, _, layer) = honest();
    let config = format!("{{\"x\":{}", "[".repeat(1 << 20)).into_bytes();
    manifest["config"] = descriptor(CONFIG, &config);
    let output = on(&manifest, vec![config, layer]).build("--bare").output().failure(1);
    assert!(output.stderr.contains("cannot be read"), "{}", output.stderr);
}

/// So many bytes behind a start, of which little is left when they are compressed.
fn bomb(start: &[u8], size: u64) -> Vec<u8> {
    let mut bomb = Vec::new();
    let content = start.chain(io::repeat(b'a').take(size));
    let _ = GzEncoder::new(content, Compression::fast()).read_to_end(&mut bomb).unwrap();
    bomb
}

#[test]
fn an_answer_that_inflates_is_cut_off_at_its_limit() {
    let fixture = Fixture::new();
    let headers = [("content-encoding", "gzip"), ("content-type", MANIFEST)];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let fault = Fault::Respond { status: 200, headers, body: bomb(b"{", 512 << 20).into() };
    fixture.registry.inject(Rule::new(fault).class(Class::ManifestGet));
    let output = fixture.build("--bare").output().failure(1);
    assert!(output.stderr.contains("/base"), "{}", output.stderr);
    assert!(output.peak_memory.unwrap() < MEMORY, "{:?}", output.peak_memory);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_name_that_inflates_in_a_layer_is_not_read_to_its_end() {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::GNULongName);
    header.set_size(512 << 20);
    header.set_cksum();
    let layer = bomb(header.as_bytes(), 512 << 20);
    let (mut manifest, config, _) = honest();
    manifest["layers"] = json!([descriptor(LAYER, &layer)]);
    let fixture = on(&manifest, vec![config, layer]);
    let with_c = "package main\n\n// #include <stdlib.h>\nimport \"C\"\n\nfunc main() { println(C.abs(-1)) }\n";
    let _ = fixture.module().file("main.go", with_c);
    let run = fixture.build("--bare --check-libs=error").env("CGO_ENABLED", "1");
    let output = run.output().failure(1);
    assert!(output.stderr.contains("is too long"), "{}", output.stderr);
    assert!(output.peak_memory.unwrap() < MEMORY, "{:?}", output.peak_memory);
}

/// A repository that names a program wherever git knows one. Each of them leaves its
/// name in the log.
fn trapped(dir: &Path, root: &Path) -> PathBuf {
    let (log, traps) = (root.join("trapped"), root.join("traps"));
    fs::create_dir(&traps).unwrap();
    let trap = |name: &str, does: &str| -> String {
        let path = traps.join(name);
        let script = format!("#!/bin/sh\necho {name} >>'{}'\n{does}\n", log.display());
        write_executable(&path, &script);
        path.to_str().unwrap().to_owned()
    };
    for hook in ["post-checkout", "post-index-change", "pre-auto-gc", "reference-transaction"] {
        let _ = trap(hook, "");
    }
    let git = |words: &[&str]| {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=a", "-c", "user.email=a@example.com"]).args(words);
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        let _ = run(git.current_dir(dir));
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message=one"]);
    git(&["tag", "v1.0.0"]);
    fs::write(dir.join(".gitattributes"), "* filter=trap diff=trap\n").unwrap();
    for (key, name) in [
        ("core.fsmonitor", "fsmonitor"),
        ("core.pager", "pager"),
        ("core.editor", "editor"),
        ("core.sshCommand", "ssh"),
        ("core.gitProxy", "proxy"),
        ("core.askPass", "askpass"),
        ("core.alternateRefsCommand", "alternate"),
        ("credential.helper", "credential"),
        ("diff.external", "external"),
        ("diff.trap.textconv", "textconv"),
        ("diff.trap.command", "command"),
        ("gpg.program", "gpg"),
        ("filter.trap.smudge", "smudge"),
    ] {
        git(&["config", key, &trap(name, "exit 1")]);
    }
    git(&["config", "filter.trap.clean", &trap("clean", "cat")]);
    git(&["config", "core.hooksPath", traps.to_str().unwrap()]);
    git(&["config", "log.showSignature", "true"]);
    git(&["config", "alias.status", &format!("!{}", trap("alias", ""))]);
    let _ = fs::remove_file(&log);
    log
}

/// What ran since the last time.
fn sprung(log: &Path) -> BTreeSet<String> {
    let names = fs::read_to_string(log).unwrap_or_default();
    let _ = fs::remove_file(log);
    names.lines().map(str::to_owned).collect()
}

#[test]
fn building_runs_no_more_of_a_repository_than_go_does() {
    let mut fixture = Fixture::new();
    let root = fixture.sandbox.root().to_owned();
    let work = fixture.sandbox.work();
    let config = "builds:\n- main: .\n  ldflags: ['-X main.v={{.Git.Tag}}{{.Git.IsDirty}}{{.Git.ShortCommit}}']\n";
    let _ = fixture.module().file("plain.yaml", "a: b\n").file("other/.ko.yaml", config);
    let log = trapped(&work, &root);
    fixture.sandbox.set("KO_DEFAULTBASEIMAGE", "scratch");

    // The file's time says that git has to look into it.
    let touch =
        || fs::write(work.join("main.go"), fs::read(work.join("main.go")).unwrap()).unwrap();
    touch();
    let mut go = Command::new("go");
    go.args(["build", "-o", root.join("program").to_str().unwrap(), "."])
        .current_dir(&work)
        .env("GOTOOLCHAIN", "local");
    go.env("GOENV", "off").env("GOFLAGS", "").env("GIT_CONFIG_GLOBAL", "/dev/null");
    let _ = run(&mut go);
    let gos = sprung(&log);
    assert!(gos.contains("fsmonitor"), "a trap that nothing springs is none: {gos:?}");

    touch();
    let _ = fixture.build("--bare").output().success();
    let ours = sprung(&log);
    assert!(ours.is_subset(&gos), "{ours:?} beyond {gos:?}");
    // What builds nothing runs nothing, and what is fresh has git look at most.
    for words in ["resolve -f plain.yaml", "config", "cache show", "version"] {
        let _ = fixture.sandbox.run(words.split(' ')).output().success();
        assert_eq!(sprung(&log), BTreeSet::new(), "{words}");
    }
    for words in ["build --bare", "build --bare --dry-run"] {
        let _ = fixture.sandbox.run(words.split(' ')).output().success();
        let ours = sprung(&log);
        assert!(ours.is_subset(&gos), "{words}: {ours:?} beyond {gos:?}");
    }
    // Templates ask git, which looks at the same.
    touch();
    let run = fixture.build("--bare").env("KO_CONFIG_PATH", work.join("other"));
    let _ = run.output().success();
    let ours = sprung(&log);
    assert!(ours.is_subset(&gos), "{ours:?} beyond {gos:?}");
}

#[test]
fn names_of_files_are_only_text() {
    let sandbox = sandbox();
    let module = module(&sandbox).main(".");
    let name = format!("x{}.go", ESCAPES.replace('\r', "\n"));
    let words = ["build", "--bare", "--push=false", "--base=scratch"];
    let output = |case: &str| {
        let output = sandbox.run(words).output();
        assert_plain(&output);
        assert_eq!(output.code, Some(1), "{case}: {}", output.stderr);
    };
    let module = module.file(&name, "package main\n\nfunc broken( {\n");
    output("a file with a mistake");
    fs::remove_file(module.dir().join(&name)).unwrap();
    let module = module.link(&format!("kodata/{name}"), &format!("/nowhere/{ESCAPES}"));
    output("a link to nowhere");
    fs::remove_dir_all(module.dir().join("kodata")).unwrap();
    let escaped = "\\e[2J\\e]0;t\\a\\u009bA\\r\\u202e";
    for config in [
        format!("{ESCAPES}: x"),
        format!("\"{escaped}\": x\nbuilds: 3"),
        format!("builds: [{{main: \"./{escaped}\"}}]"),
        format!("baseImageOverrides: {{\"{escaped}\": \"{escaped}\"}}"),
        format!("defaultPlatforms: [\"{escaped}\"]"),
        format!("builds: [{{main: ., ldflags: [\"{{{{.{escaped}}}}}\"]}}]"),
        format!("builds: [{{main: ., flags: [\"-{escaped}\"]}}]"),
        format!("builds: [{{main: ., env: [\"{escaped}\"]}}]"),
    ] {
        let _ = module_file(module.dir(), &config);
        output(&config);
        let shown = sandbox.run(["config"]).output();
        assert_plain(&shown);
    }
}

fn module_file(dir: &Path, config: &str) -> PathBuf {
    let path = dir.join(".ko.yaml");
    fs::write(&path, config).unwrap();
    path
}

#[test]
fn a_pipe_among_manifests_is_not_waited_for() {
    let sandbox = sandbox();
    let module = module(&sandbox).file("config/a.yaml", "a: b\n");
    let pipe = module.dir().join("config/b.yaml");
    let _ = run(Command::new("mkfifo").arg(&pipe));
    let refused = |what: &str| {
        let run = sandbox.run(["resolve", "-f", "config"]).env("KO_DOCKER_REPO", "r.example.com");
        let output = run.output().failure(1);
        let said = "config/b.yaml is neither a file nor a directory";
        assert!(output.stderr.contains(said), "{what}: {}", output.stderr);
    };
    refused("a pipe");
    fs::remove_file(&pipe).unwrap();
    let _ = module.link("config/b.yaml", "/dev/zero");
    refused("a link to a device");
}
