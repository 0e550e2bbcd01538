//! What runs cost, counted exactly: the processes that are started, the files
//! that are opened, what registries are asked and sent, and that the command
//! itself stays small. Time is never measured: it follows from these.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use testkit::base::{Image, Index};
use testkit::registry::{Class, Contents, TestRegistry};
use testkit::trace::Trace;

use crate::fixture::Fixture;
use crate::freshness::commit;

/// The most memory that the command itself may take, in bytes, also where it is not
/// optimised.
const MEMORY: u64 = 32 << 20;

const PLATFORMS: [&str; 4] = ["linux/amd64", "linux/arm64", "linux/ppc64le", "linux/s390x"];
const MAINS: [&str; 4] = ["cmd/one", "cmd/two", "cmd/three", "cmd/four"];

/// What a run costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Costs {
    /// Starts of `go` and of `git` by the command.
    go: usize,
    git: usize,
    /// How often the command opens files and directories of the checkout, and
    /// of the cache.
    sources: usize,
    cache: usize,
    /// All requests, and those among them that bring blobs and manifests.
    requests: u64,
    blobs: u64,
    manifests: u64,
}

/// How it is called; the words; what changes before; what it then costs.
type Row = (&'static str, &'static str, Change, Costs);

/// Something that changes before a run, differently each round.
type Change = fn(&Scene, usize);

/// Four programs, of which the first has kodata, and manifests with 60
/// references to them, committed; and a registry with nothing but their base.
struct Scene {
    fixture: Fixture,
    empty: Contents,
}

/// libfaketime makes files for a process, which stay where that does not end by itself. A
/// later process with the same number would not start.
fn remove_leftovers_of_faketime() {
    for entry in fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let process = ["faketime_shm_", "sem.faketime_sem_"]
            .iter()
            .find_map(|prefix| name.strip_prefix(prefix)?.parse::<u32>().ok());
        if process.is_some_and(|id| !Path::new("/proc").join(id.to_string()).exists()) {
            // Another test may do the same.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Makes what is in a directory an hour old: as long as files are not older than git's
/// index, counted in seconds, git writes that again.
fn age(dir: &Path) {
    let hour = Duration::from_secs(60 * 60);
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            age(&path);
        } else {
            let file = fs::File::options().write(true).open(path).unwrap();
            file.set_modified(SystemTime::now() - hour).unwrap();
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        remove_leftovers_of_faketime();
    }
}

impl Scene {
    fn new() -> Scene {
        remove_leftovers_of_faketime();
        let base = PLATFORMS.iter().fold(Index::oci(), |index, it| index.image(Image::oci(it)));
        let mut fixture = Fixture::on(TestRegistry::start(), &base.build());
        // Files that were changed within two seconds are read each time. To a command
        // whose clock is ahead, none is that young, however fast the machine.
        for (name, value) in [
            ("LD_PRELOAD", "/usr/$LIB/faketime/libfaketimeMT.so.1"),
            ("FAKETIME", "+10s"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("NO_FAKE_STAT", "1"),
        ] {
            fixture.sandbox.set(name, value);
        }
        let mut module = fixture.module().library("shared").kodata("cmd/one", 1, 20);
        for dir in MAINS {
            let source = "package main\n\nimport library \"example.com/app/shared\"\n\n\
                          func main() { println(library.Answer) }\n";
            module = module.file(&format!("{dir}/main.go"), source);
        }
        for file in 0..10 {
            let line = |main| format!("- image: ko://example.com/app/{main}\n");
            let six = (0..6).map(|at| line(MAINS[(file + at) % MAINS.len()]));
            module = module.file(&format!("config/{file}.yaml"), six.collect::<String>());
        }
        age(&fixture.sandbox.work());
        commit(&fixture);
        let empty = fixture.registry.snapshot();
        Scene { fixture, empty }
    }

    /// What the words cost after a change: once as the registry and the kernel
    /// see it, and once, after another change, as it can be traced.
    fn costs(
        &self,
        words: &[&str],
        change: Change,
        mut round: impl FnMut() -> usize,
    ) -> (Costs, Vec<PathBuf>) {
        let sandbox = &self.fixture.sandbox;
        // Once more, since what a build notes of files that were just written
        // is not trusted.
        self.prepare(change, round());
        for _ in 0..2 {
            let _ = sandbox.run(words).output().success();
        }
        self.prepare(change, round());
        let output = sandbox.run(words).output().success();
        let peak = output.peak_memory.expect("Linux tells the peak of a process");
        assert!((1 << 20..MEMORY).contains(&peak), "{words:?}: {peak} bytes");
        let counts = self.fixture.registry.counts();
        // Nothing is sent that the registry has, and nothing twice.
        assert_eq!(counts.bytes_in, self.arrived(), "{words:?}");

        self.prepare(change, round());
        let trace = Trace::new(sandbox.root().join("trace")).with_files().alone();
        let _ = sandbox.run_traced(&trace, words).output().success();
        let (started, opened) = (trace.started(), trace.opened());
        assert!(!opened.contains(&PathBuf::from("/usr/share/zoneinfo")), "all zones are looked at");
        let of = |program: &str| started.get(program).copied().unwrap_or_default();
        let below = |dir: &Path| opened.iter().filter(|path| path.starts_with(dir)).count();
        let costs = Costs {
            go: of("go"),
            git: of("git"),
            sources: below(&sandbox.work()),
            cache: below(&sandbox.kocache()),
            requests: counts.total(),
            blobs: counts.of(Class::UploadPut),
            manifests: counts.of(Class::ManifestPut),
        };
        (costs, opened)
    }

    fn prepare(&self, change: Change, round: usize) {
        change(self, round);
        self.fixture.registry.reset();
    }

    /// The size of all that was put, each blob and manifest once.
    fn arrived(&self) -> u64 {
        let registry = &self.fixture.registry;
        let mut sizes = BTreeMap::new();
        for put in registry.requests().into_iter().filter(|request| request.method == "PUT") {
            let path = put.path.strip_prefix("/v2/").unwrap();
            let size = match path.split_once("/manifests/") {
                Some((repository, name)) => {
                    registry.manifest(repository, name).unwrap().bytes.len()
                }
                None => {
                    let (repository, _) = path.split_once("/blobs/").unwrap();
                    let (_, digest) = put.query.rsplit_once("digest=").unwrap();
                    registry.blob(repository, &digest.replace("%3A", ":")).unwrap().len()
                }
            };
            sizes.insert((put.path, put.query), size as u64);
        }
        sizes.values().sum()
    }
}

fn nothing(_: &Scene, _: usize) {}

fn leaf(scene: &Scene, round: usize) {
    let source = format!("package main\n\nfunc init() {{ println(\"edit {round}\") }}\n");
    let _ = scene.fixture.module().file("cmd/two/edit.go", source);
}

fn kodata(scene: &Scene, round: usize) {
    let text = format!("edit {round}\n");
    let _ = scene.fixture.module().file("cmd/one/kodata/000/00000.txt", text);
}

fn first(scene: &Scene, _: usize) {
    let _ = fs::remove_dir_all(scene.fixture.sandbox.kocache());
    scene.fixture.registry.restore(&scene.empty);
}

#[test]
fn a_run_costs_what_it_must() {
    let four = "build -B ./cmd/one ./cmd/two ./cmd/three ./cmd/four";
    let costs = |go, git, sources, cache, requests, blobs, manifests| Costs {
        go,
        git,
        sources,
        cache,
        requests,
        blobs,
        manifests,
    };
    let rows: [Row; 11] = [
        // One git for all. What the tags of the base and of the image point at. Of kodata only the directories are opened.
        ("one, unchanged", "build -B ./cmd/one", nothing, costs(0, 1, 13, 15, 2, 0, 0)),
        ("four, unchanged", four, nothing, costs(0, 1, 16, 33, 5, 0, 0)),
        (
            "four platforms, unchanged",
            "build -B --platform=all ./cmd/one",
            nothing,
            costs(0, 1, 13, 31, 2, 0, 0),
        ),
        // The four programs, and the directory and the ten files, each once.
        ("60 references, unchanged", "resolve -B -f config", nothing, costs(0, 1, 27, 33, 5, 0, 0)),
        // A binary, a config, a manifest, and the same of the SBOM.
        ("one of one edited", "build -B ./cmd/two", leaf, costs(1, 2, 34, 49, 16, 4, 2)),
        // The same, what the other three cost unchanged, and another look at
        // their tags, since one was compiled meanwhile.
        ("one of four edited", four, leaf, costs(1, 2, 44, 88, 22, 4, 2)),
        (
            "four platforms, edited",
            "build -B --platform=all ./cmd/two",
            leaf,
            costs(4, 5, 99, 165, 66, 18, 10),
        ),
        // Nothing is built; the layer of the program stays where it is. Of
        // kodata, the last layer is opened, and where its blocks are.
        ("kodata edited", "build -B ./cmd/one", kodata, costs(0, 1, 54, 38, 16, 4, 2)),
        (
            "kodata of four platforms edited",
            "build -B --platform=all ./cmd/one",
            kodata,
            costs(0, 1, 54, 76, 60, 15, 10),
        ),
        ("first build of one", "build -B ./cmd/one", first, costs(5, 1, 43, 97, 22, 5, 2)),
        // The headers of each program say whether it wants libraries.
        ("first build of four", four, first, costs(5, 4, 96, 264, 76, 20, 8)),
    ];
    let scene = Scene::new();
    let mut rounds = 0..;
    let mut wrong = String::new();
    for (name, words, change, want) in rows {
        let words: Vec<&str> = words.split(' ').collect();
        let (mut costs, opened) = scene.costs(&words, change, || rounds.next().unwrap());
        // What is read beside `go` is read once or twice, as threads meet: these
        // two are bounds there.
        if want.go > 0 && costs.sources <= want.sources && costs.cache <= want.cache {
            (costs.sources, costs.cache) = (want.sources, want.cache);
        }
        if costs != want {
            wrong += &format!("{name}:\n  {costs:?}, not\n  {want:?}\n{opened:#?}\n");
        }
    }
    assert!(wrong.is_empty(), "what is less is a new bound:\n{wrong}");
}
