//! What Go has compiled, shared: a fresh machine compiles what has changed and no more.

use std::fs;
use std::path::Path;

use testkit::registry::Class;
use testkit::sandbox::Output;
use testkit::trace::Trace;

use super::{Runner, Site};
use crate::spy::write_executable;

const FROM: &str = "build -B --explain --cache-from=file:../../shared . ./cmd/tool";

impl Runner<'_> {
    /// A build with an empty cache of Go's, and how many packages it compiled.
    fn compiling(&self, words: &str) -> (Output, usize) {
        let trace = Trace::new(self.root.join("trace"));
        let run = self.site.0.sandbox.run_traced(&trace, words.split(' '));
        let output = self.begin(run.env("GOCACHE", self.root.join("go")));
        let compilers = trace.started_without("-V=full").get("compile").copied();
        (output, compilers.unwrap_or_default())
    }
}

fn objects(dir: &Path) -> usize {
    let dirs = fs::read_dir(dir).unwrap().flatten().filter(|entry| entry.path().is_dir());
    let files = dirs.flat_map(|dir| fs::read_dir(dir.path()).unwrap().flatten());
    files.filter(|file| fs::read(file.path()).is_ok_and(|is| is.starts_with(b"!<arch>"))).count()
}

#[test]
fn a_fresh_runner_compiles_what_has_changed() {
    let site = Site::new();
    let _ = site.build("--cache-to=file:../shared").output().success();
    let filled = site.files("");
    let again = site.build("--rebuild --cache-to=file:../shared").output().success();
    assert_eq!(site.files("blobs").len(), filled.len() - 4, "{}", again.stderr);

    fs::write(site.0.sandbox.work().join("cmd/tool/new.go"), "package main\n\nvar X = 1\n")
        .unwrap();
    site.commit();
    let committed = site.build("").output().success();

    // The commit is part of both programs.
    let runner = site.runner("second");
    let (second, compiled) = runner.compiling(FROM);
    assert_eq!(second.stdout, committed.stdout);
    assert_eq!(compiled, 2, "{}", second.stderr);
    assert!(second.stderr.contains("Go's cache has "), "{}", second.stderr);
    assert!(objects(&runner.root.join("go")) > 30);
    // What is there is not fetched again.
    let (third, compiled) = runner.compiling(&FROM.replace("--explain", "--explain --rebuild"));
    assert_eq!((third.stdout, compiled), (second.stdout, 0));
    assert!(!third.stderr.contains("Go's cache"), "{}", third.stderr);
    // A build that has the pruned packs writes them again.
    let blobs = site.files("blobs");
    let packs = blobs.iter().filter(|(_, blob)| blob.starts_with(b"ko-go-pack"));
    packs.for_each(|(path, _)| fs::remove_file(path).unwrap());
    let _ = site.build("--rebuild --cache-to=file:../shared").output().success();
    fs::write(site.0.sandbox.work().join("cmd/tool/new.go"), "package main\n\nvar X = 2\n")
        .unwrap();
    site.commit();
    let (fourth, compiled) = site.runner("fourth").compiling(FROM);
    assert_eq!(compiled, 2, "{}", fourth.stderr);
}

#[test]
fn a_registry_has_what_was_compiled() {
    let site = Site::new();
    let url = format!("oci://{}/team/ko-cache", site.0.registry.host());
    let first = site.build(&format!("--cache-to={url}")).output().success();
    assert!(!first.stderr.contains("going on"), "{}", first.stderr);
    // Layers are not sent again: they come from the repositories of their images.
    let mounts = site.0.registry.requests_of(Class::Mount);
    let mounts: Vec<_> = mounts.iter().filter(|it| it.path.contains("/team/ko-cache/")).collect();
    assert_eq!(mounts.len(), 2);
    assert!(mounts.iter().all(|mount| mount.status == 201), "{mounts:?}");
    let main = "package main\n\nfunc main() { println(2) }\n";
    fs::write(site.0.sandbox.work().join("cmd/tool/main.go"), main).unwrap();
    site.commit();
    let runner = site.runner("second");
    let words = FROM.replace("file:../../shared", &url);
    let (second, compiled) = runner.compiling(&words);
    assert!(second.stderr.contains("Go's cache has "), "{}", second.stderr);
    assert_eq!(compiled, 2, "{}", second.stderr);
}

#[test]
fn other_commands_of_go_compile_what_has_changed() {
    let site = Site::new();
    let test = "package main\n\nimport \"testing\"\n\nfunc TestX(*testing.T) {}\n";
    fs::write(site.0.sandbox.work().join("cmd/tool/x_test.go"), test).unwrap();
    site.commit();
    let serve = |words: &str, to: &str| {
        let words = format!("cache serve-go --explain {to} -- go {words}");
        words.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let words = "test -trimpath -vet=off ./...";
    let run = |words: Vec<String>| {
        let run = site.0.sandbox.run(words).env("CGO_ENABLED", "0");
        run.env("GOCACHE", site.0.sandbox.root().join("go"))
    };
    let first = run(serve(words, "--cache-to=file:../shared")).output().success();
    assert!(first.stdout.contains("ok"), "{}", first.stdout);
    assert_eq!(site.files("records/go-cache").len(), 1);
    let packs = site.files("blobs");
    for pack in packs.values() {
        let inflated = zstd::decode_all(pack.strip_prefix(b"ko-go-pack 1\n").unwrap()).unwrap();
        let text = String::from_utf8_lossy(&inflated);
        assert!(!text.contains("go index"), "an index of a module");
        assert!(!text.contains("ok  \texample.com/"), "what a test said");
        assert!(!text.contains(&site.0.sandbox.root().display().to_string()));
    }

    let runner = site.runner("second");
    let trace = Trace::new(runner.root.join("trace"));
    let begin = |words: Vec<String>| {
        let run = site.0.sandbox.run_traced(&trace, words).env("CGO_ENABLED", "0");
        runner.begin(run.env("GOCACHE", runner.root.join("go")))
    };
    let second = begin(serve(words, "--cache-from=file:../../shared"));
    assert!(second.stderr.contains("Go's cache has "), "{}", second.stderr);
    // The result of the test is not shared: it runs.
    assert!(!second.stdout.contains("(cached)"), "{}", second.stdout);
    // What `go` makes for the test is compiled in each run that links it.
    let compiled = trace.started_without("-V=full").get("compile").copied().unwrap_or_default();
    assert!(compiled <= 1, "{compiled}: {}", second.stderr);

    let cgo = site.0.sandbox.run(serve("version", "--cache-from=file:../shared"));
    let cgo = cgo.env("CGO_ENABLED", "1").output().success();
    let line = "Nothing is fetched or written: with CGO_ENABLED=1 what is read is not known";
    assert!(cgo.stderr.contains(line), "{}", cgo.stderr);
    let failed = site.0.sandbox.run(serve("vet -nonsense", "")).output().failure(1);
    assert!(failed.stderr.contains("no shared cache is named"), "{}", failed.stderr);
    let none = site.0.sandbox.run(["cache", "serve-go"]).output().failure(1);
    assert!(none.stderr.contains("ko cache serve-go -- go test ./..."), "{}", none.stderr);
}

#[test]
fn go_collects_no_garbage_for_builds_and_indexes_modules_meanwhile() {
    let site = Site::new();
    let log = site.0.sandbox.root().join("calls");
    let script = "#!/bin/sh\necho \"$1 $GOGC\" >>'LOG'\nexec go \"$@\"\n";
    let script = script.replace("LOG", &log.display().to_string());
    write_executable(&site.0.sandbox.root().join("wrapper"), &script);
    let calls = |words: &str, cache: &str| {
        let words = format!("cache serve-go {words} -- ../wrapper");
        let run = site.0.sandbox.run(words.split(' ').chain(cache.split(' ')));
        let run = run.env("CGO_ENABLED", "0").env_remove("GOGC").env_remove("GOMEMLIMIT");
        let _ = run.env("GOCACHE", site.0.sandbox.root().join("go")).output().success();
        let calls = fs::read_to_string(&log).unwrap();
        fs::remove_file(&log).unwrap();
        calls
    };
    let build = "build -trimpath -o ../out/ ./...";
    let to = calls("--cache-to=file:../shared", build);
    assert_eq!(to, "build off\nenv off\n");
    fs::rename(site.0.sandbox.root().join("go"), site.0.sandbox.root().join("full")).unwrap();
    let from = calls("--cache-from=file:../shared", build);
    assert_eq!(from, "env off\nlist off\nbuild off\n");
    // All is there.
    let again = calls("--cache-from=file:../shared", build);
    assert_eq!(again, "env off\nbuild off\n");
    // What a test does is not touched.
    let test = calls("--cache-to=file:../shared", "test -trimpath -vet=off ./...");
    assert_eq!(test, "test \nenv \n");
}
