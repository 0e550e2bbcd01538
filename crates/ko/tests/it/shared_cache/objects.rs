//! What Go has compiled, shared: a fresh machine compiles what has changed and no more.

use std::fs;
use std::path::Path;

use testkit::sandbox::Output;
use testkit::trace::Trace;

use super::{Runner, Site};

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
    assert!(second.stderr.contains("Go's cache has got "), "{}", second.stderr);
    assert!(objects(&runner.root.join("go")) > 30);
    // What is there is not fetched again.
    let (third, compiled) = runner.compiling(&FROM.replace("--explain", "--explain --rebuild"));
    assert_eq!((third.stdout, compiled), (second.stdout, 0));
    assert!(!third.stderr.contains("Go's cache"), "{}", third.stderr);
}
