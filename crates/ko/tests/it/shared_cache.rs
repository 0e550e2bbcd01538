//! Caches that machines share: a fresh runner builds nothing that another has built,
//! and no fault of a cache is one of the image.

mod objects;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::registry::Class;
use testkit::sandbox::{Output, Run};
use testkit::trace::Trace;

use crate::fixture::Fixture;
use crate::services::run;

// Made by `minisign -G -W`, for these tests.
const PUBLIC: &str = "RWQeKKttfjen+LTYCDgMnWD80Buh2T1w8pWno+NKjT4QPBZDiVa/wRqS";
const SECRET: &str = "RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAHiirbX43p/iHV+6Ao+1V/lVinMbfvuQoVCCXO2dxgGpTsNxz9XZZ5rTYCDgMnWD80Buh2T1w8pWno+NKjT4QPBZDiVa/wRqSAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const OTHER_PUBLIC: &str = "RWQfKKttfjen+LTYCDgMnWD80Buh2T1w8pWno+NKjT4QPBZDiVa/wRqS";

const TOOL: &str = "example.com/app/cmd/tool for linux/amd64";

/// A repository, and a directory that machines share.
struct Site(Fixture);

impl Site {
    fn new() -> Self {
        let mut fixture = Fixture::new();
        // Where it is off, the module cache has a say in what is stamped.
        fixture.sandbox.set("GOPROXY", "file:///nowhere");
        let _ = fixture.module().main("cmd/tool");
        let site = Self(fixture);
        site.git(&["init", "--quiet"]);
        site.commit();
        fs::create_dir(site.shared()).unwrap();
        site
    }

    fn shared(&self) -> PathBuf {
        self.0.sandbox.root().join("shared")
    }

    fn git(&self, words: &[&str]) {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=a", "-c", "user.email=a@example.com"]).args(words);
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        let _ = run(git.current_dir(self.0.sandbox.work()));
    }

    fn commit(&self) {
        self.git(&["add", "."]);
        self.git(&["commit", "--quiet", "--message=x"]);
    }

    /// A build on this machine.
    fn build<'a>(&'a self, words: &str) -> Run<'a> {
        self.0.build(&format!("-B --explain {words} . ./cmd/tool"))
    }

    /// A machine that has nothing but a fresh checkout.
    fn runner(&self, name: &str) -> Runner<'_> {
        let root = self.0.sandbox.root().join(name);
        let work = self.0.sandbox.work();
        let clone = root.join("checkout");
        self.git(&["clone", "--quiet", work.to_str().unwrap(), clone.to_str().unwrap()]);
        Runner { site: self, root }
    }

    /// The files of the shared cache below a directory of it, by their paths.
    fn files(&self, below: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        fn walk(dir: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
            for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
                match entry.path() {
                    path if path.is_dir() => walk(&path, files),
                    path => _ = files.insert(path.clone(), fs::read(path).unwrap()),
                }
            }
        }
        let mut files = BTreeMap::new();
        walk(&self.shared().join("ko-cache-v1").join(below), &mut files);
        files
    }
}

struct Runner<'a> {
    site: &'a Site,
    root: PathBuf,
}

impl Runner<'_> {
    fn begin(&self, run: Run<'_>) -> Output {
        let run = run.cwd(self.root.join("checkout")).env("KOCACHE", self.root.join("ko"));
        run.output().success()
    }

    fn build(&self, words: &str) -> Output {
        self.begin(self.site.build(words))
    }

    fn blobs(&self) -> usize {
        let blobs = fs::read_dir(self.root.join("ko/v1/blobs/sha256"));
        let sizes =
            blobs.into_iter().flatten().flatten().map(|blob| blob.metadata().unwrap().len());
        sizes.filter(|size| *size > 100_000).count()
    }
}

#[test]
fn a_fresh_runner_builds_nothing() {
    let site = Site::new();
    let first = site.build("--cache-to=file:../shared").output().success();
    assert!(first.stderr.contains("it has no outcome of a build like this"), "{}", first.stderr);
    let filled = site.files("");
    assert_eq!(site.files("records/outcomes").len(), 2);

    let runner = site.runner("second");
    let trace = Trace::new(site.0.sandbox.root().join("trace"));
    let words = "build -B --explain --cache-from=file:../../shared . ./cmd/tool".split(' ');
    site.0.registry.reset();
    let second = runner.begin(site.0.sandbox.run_traced(&trace, words));
    assert_eq!(second.stdout, first.stdout);
    assert_eq!(trace.started().get("go"), None, "{}", second.stderr);
    let found = format!("{TOOL} is in the shared cache file:../../shared");
    assert!(second.stderr.contains(&found), "{}", second.stderr);
    assert!(second.stderr.contains(&format!("{TOOL} is fresh")), "{}", second.stderr);
    // The registry has the layers: they are neither fetched nor sent.
    assert_eq!(runner.blobs(), 0);
    assert_eq!(site.0.registry.counts().of(Class::UploadPut), 0);
    // Who only reads writes nothing.
    assert_eq!(site.files(""), filled);
    // What is known, and is at the destination, is not asked for again.
    let again = runner.build("--cache-from=file:../../shared --timings=../timings.json");
    assert_eq!(again.stdout, first.stdout);
    assert!(again.stderr.contains(&format!("{TOOL} is fresh")), "{}", again.stderr);
    assert_eq!(runner.blobs(), 0);
    let timings = fs::read_to_string(runner.root.join("timings.json")).unwrap();
    let timings: serde_json::Value = serde_json::from_str(&timings).unwrap();
    let moved = serde_json::json!([{
        "url": "file:../../shared", "round_trips": 0, "bytes_sent": 0, "bytes_received": 0,
    }]);
    assert_eq!(timings["shared_caches"], moved);

    let show = || site.0.sandbox.run(["cache", "show", "--json", "file:../shared"]).output();
    let shown: serde_json::Value = serde_json::from_str(&show().success().stdout).unwrap();
    // Two layers, and what only one of the programs, or both, are linked from.
    assert_eq!((&shown["blobs"]["count"], &shown["records"]["count"]), (&5.into(), &4.into()));

    // Another registry has nothing.
    let elsewhere = site.build("--cache-from=file:../../shared");
    let repository = format!("{}/elsewhere", site.0.registry.host());
    let third = runner.begin(elsewhere.env("KO_DOCKER_REPO", repository));
    assert_eq!(third.stdout, first.stdout.replace("/out", "/elsewhere"));
    assert_eq!(runner.blobs(), 2);
    assert!(!third.stderr.contains("Building"), "{}", third.stderr);

    let doctor = site.0.sandbox.run(["doctor"]).env("KO_CACHE_TO", "file:../shared");
    let doctor = doctor.env("KO_CACHE_FROM", "file:../none").output();
    let line = "file:../shared can be read and written";
    assert!(doctor.stdout.contains(line), "{}", doctor.stdout);
    let words = ["cache", "prune", "--max-size=0", "file:../shared"];
    let pruned = site.0.sandbox.run(words).output().success();
    assert!(pruned.stdout.contains("0 left (0 B)"), "{}", pruned.stdout);
    assert!(site.files("").is_empty());
}

#[test]
fn an_edit_is_built_and_the_other_commit_stays() {
    let site = Site::new();
    let first = site.build("--cache-to=file:../shared").output().success();
    let runner = site.runner("old");
    fs::write(site.0.sandbox.work().join("cmd/tool/new.go"), "package main\n\nvar X = 1\n")
        .unwrap();
    site.commit();
    let edited = site.runner("new").build("--cache-to=file:../../shared");
    let line = format!("{TOOL} is not in the shared cache file:../../shared: the commit was ");
    assert!(edited.stderr.contains(&line), "{}", edited.stderr);
    assert_eq!(edited.stderr.matches(&line).count(), 1, "{}", edited.stderr);
    assert!(edited.stderr.contains(&format!("Building {TOOL}")), "{}", edited.stderr);
    assert_ne!(edited.stdout, first.stdout);
    let same = site.runner("again").build("--cache-from=file:../../shared");
    assert!(!same.stderr.contains("Building"), "{}", same.stderr);
    assert_eq!(same.stdout, edited.stdout);
    let old = runner.build("--cache-from=file:../../shared");
    assert!(!old.stderr.contains("Building"), "{}", old.stderr);
    assert_eq!(old.stdout, first.stdout);
}

/// What is lost, damaged or of a newer version is as good as not there.
#[test]
fn faults_cost_a_build_and_nothing_else() {
    let site = Site::new();
    let first = site.build("--cache-to=file:../shared").output().success();
    let elsewhere = format!("{}/elsewhere", site.0.registry.host());
    let from = "--cache-from=file:../../shared";
    type Spoil = fn(&Path);
    let faults: [(&str, &str, Spoil); 5] = [
        ("lost", "blobs", |file| fs::remove_file(file).unwrap()),
        ("damaged", "blobs", |file| {
            let mut bytes = fs::read(file).unwrap();
            bytes[1000] ^= 1;
            fs::write(file, bytes).unwrap();
        }),
        ("cut", "blobs", |file| fs::write(file, &fs::read(file).unwrap()[..1000]).unwrap()),
        ("torn", "records", |file| fs::write(file, &fs::read(file).unwrap()[..100]).unwrap()),
        ("newer", "records/outcomes", |file| fs::write(file, "ko-outcomes 2\n?").unwrap()),
    ];
    for (name, below, spoil) in faults {
        let files = site.files("");
        site.files(below).into_keys().for_each(|file| spoil(&file));
        let spoilt = site.runner(name);
        let run = site.build(from).env("KO_DOCKER_REPO", &elsewhere);
        let output = spoilt.begin(run.env("KO_DOCKER_REPO", format!("{elsewhere}-{name}")));
        let wanted = first.stdout.replace("/out", &format!("/elsewhere-{name}"));
        assert_eq!(output.stdout, wanted, "{name}");
        assert!(output.stderr.contains(&format!("Building {TOOL}")), "{name}: {}", output.stderr);
        for (file, bytes) in files {
            fs::write(file, bytes).unwrap();
        }
    }
    // One that is not there at all.
    let nowhere = site.runner("nowhere").build("--cache-to=file:../../none");
    assert_eq!(nowhere.stdout, first.stdout);
    let notice = "going on without the shared cache file:../../none: there is no directory";
    assert!(nowhere.stderr.contains(notice), "{}", nowhere.stderr);
}

#[test]
fn only_signed_outcomes_are_believed_of_a_cache_that_the_repository_names() {
    let site = Site::new();
    fs::write(site.0.sandbox.work().join(".ko.yaml"), "cache: [file:../../shared]\n").unwrap();
    site.commit();
    let unsigned = site.build("--cache-to=file:../shared").env("KO_CACHE_FROM", "file:../shared");
    let first = unsigned.output().success();

    let without = site.runner("without-key").build("");
    let notice = "the shared cache file:../../shared is not read: .ko.yaml names it";
    assert!(without.stderr.contains(notice), "{}", without.stderr);
    assert!(without.stderr.contains(&format!("Building {TOOL}")), "{}", without.stderr);
    let with_key = |name: &str, key: &str| {
        site.runner(name).begin(site.build("").env("KO_CACHE_PUBLIC_KEY", key))
    };
    let refused = with_key("unsigned", PUBLIC);
    let line = "an outcome is refused: it is not signed";
    assert!(refused.stderr.contains(line), "{}", refused.stderr);
    assert!(refused.stderr.contains(&format!("Building {TOOL}")), "{}", refused.stderr);

    // Signed over what is there.
    let signing = site.build("--cache-to=file:../shared").env("KO_CACHE_SECRET_KEY", SECRET);
    let signed = signing.env("KO_CACHE_FROM", "file:../shared").output().success();
    assert_eq!(signed.stdout, first.stdout);
    let believed = with_key("signed", PUBLIC);
    assert!(!believed.stderr.contains("Building"), "{}", believed.stderr);
    assert_eq!(believed.stdout, first.stdout);
    // The user's own file is not the repository's either.
    let config = site.0.sandbox.root().join("config");
    fs::create_dir_all(config.join("ko")).unwrap();
    let text = format!("untrusted comment: of the team\n{OTHER_PUBLIC}\n{PUBLIC}\n");
    fs::write(config.join("ko/cache-keys"), text).unwrap();
    let run = site.build("").env("XDG_CONFIG_HOME", &config);
    let believed = site.runner("user-key").begin(run);
    assert!(!believed.stderr.contains("Building"), "{}", believed.stderr);
    let other = with_key("other-key", OTHER_PUBLIC);
    assert!(other.stderr.contains("which is not trusted"), "{}", other.stderr);
    assert!(other.stderr.contains(&format!("Building {TOOL}")), "{}", other.stderr);

    // A sound outcome under the name of another.
    let records = site.files("records/outcomes");
    let names: Vec<_> = records.keys().collect();
    fs::write(names[0], &records[names[1]]).unwrap();
    fs::write(names[1], &records[names[0]]).unwrap();
    let replayed = with_key("replay", PUBLIC);
    assert!(replayed.stderr.contains("not of this content"), "{}", replayed.stderr);
    assert!(replayed.stderr.contains(&format!("Building {TOOL}")), "{}", replayed.stderr);
    assert_eq!(replayed.stdout, first.stdout);
}

/// Neither paths nor users nor machines are in what is shared, inflated or not.
#[test]
fn what_is_shared_says_nothing_of_a_machine() {
    let site = Site::new();
    let work = site.0.sandbox.work();
    let _ = site.build("--cache-to=file:../shared").output().success();
    let secrets = [
        site.0.sandbox.root().display().to_string(),
        work.display().to_string(),
        site.0.sandbox.home().display().to_string(),
        fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned(),
        "/usr/local/go".to_owned(),
    ];
    let records = site.files("records/outcomes");
    assert_eq!(records.len(), 2);
    let mut texts: Vec<Vec<u8>> = site.files("records/go-cache").into_values().collect();
    for record in records.values() {
        let end = record.iter().position(|&byte| byte == b'\n').unwrap();
        assert_eq!(&record[..end], b"ko-outcomes 1");
        texts.push(zstd::decode_all(&record[end + 1..]).unwrap());
    }
    for blob in site.files("blobs").values() {
        if let Some(pack) = blob.strip_prefix(b"ko-go-pack 1\n") {
            texts.push(zstd::decode_all(pack).unwrap());
            continue;
        }
        let mut tar = Vec::new();
        let _ = flate2::read::MultiGzDecoder::new(blob.as_slice()).read_to_end(&mut tar).unwrap();
        texts.push(tar);
    }
    assert_eq!(texts.len(), 9);
    for text in texts {
        let shown = String::from_utf8_lossy(&text);
        for secret in secrets.iter().filter(|secret| secret.len() > 3) {
            assert!(!shown.contains(secret.as_str()), "{secret}");
        }
    }
}

#[test]
fn builds_with_cgo_are_not_shared() {
    let site = Site::new();
    let build = |words: &str| {
        let run = site.build(words).env("CGO_ENABLED", "1");
        run.output().success().stderr
    };
    let told = build("--cache-to=file:../shared");
    let line = "is not in the shared cache file:../shared: with CGO_ENABLED=1 what is read is not";
    assert!(told.contains(line), "{told}");
    assert!(told.contains("is not shared: with CGO_ENABLED=1"), "{told}");
    assert!(site.files("").is_empty());
}

/// `oci:` is a repository beside the images.
#[test]
fn images_have_a_cache_beside_them() {
    let site = Site::new();
    let first = site.build("--cache-to=oci:").output().success();
    let tags = site.0.registry.tags("out/ko-cache");
    assert_eq!(tags.iter().filter(|tag| tag.starts_with("outcomes-")).count(), 2, "{tags:?}");
    let second = site.runner("second").build("--cache-from=oci:");
    assert_eq!(second.stdout, first.stdout);
    let host = site.0.registry.host();
    let line = format!("{TOOL} is in the shared cache oci://{host}/out/ko-cache");
    assert!(second.stderr.contains(&line), "{}", second.stderr);
    let nowhere = site.build("--cache-from=oci:").env("KO_DOCKER_REPO", "ko.local");
    let stderr = nowhere.output().failure(1).stderr;
    assert!(stderr.contains("KO_DOCKER_REPO must name a registry"), "{stderr}");
}

/// With `-mod=mod`, `go` may write go.mod: what it was is what counts.
#[test]
fn builds_that_may_write_go_mod_are_shared_by_content() {
    let site = Site::new();
    let build = |words: &str| site.build(words).env("GOFLAGS", "-mod=mod");
    let first = build("--cache-to=file:../shared").output().success();
    let second = site.runner("second").begin(build("--cache-from=file:../../shared"));
    assert_eq!(second.stdout, first.stdout);
    assert!(!second.stderr.contains("Building"), "{}", second.stderr);
    let third = site.runner("third");
    fs::write(third.root.join("checkout/go.mod"), "module example.com/app\n\ngo 1.22\n").unwrap();
    let third = third.begin(build("--cache-from=file:../../shared"));
    assert!(third.stderr.contains(&format!("Building {TOOL}")), "{}", third.stderr);
}

#[test]
fn what_names_no_cache_is_refused() {
    let fixture = Fixture::new();
    let refused = |words: &str| fixture.build(words).output().failure(1).stderr;
    let stderr = refused("--cache-from=ftp://host/x .");
    assert!(stderr.contains("\"ftp://host/x\" is not the URL of a shared cache"), "{stderr}");
    let run = fixture.build(".").env("KO_CACHE_TO", "file:").output().failure(1);
    assert!(run.stderr.contains("the value is that of the variable KO_CACHE_TO"), "{}", run.stderr);
    let key = fixture.build("--cache-to=file:x .").env("KO_CACHE_SECRET_KEY", PUBLIC);
    let stderr = key.output().failure(1).stderr;
    assert!(stderr.contains("KO_CACHE_SECRET_KEY: it is not a secret key"), "{stderr}");
    assert!(!stderr.contains(PUBLIC), "{stderr}");
}
