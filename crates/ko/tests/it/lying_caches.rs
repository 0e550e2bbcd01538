//! `ko verify` where a cache of this machine lies: each alone, and all at once. It is
//! believed only where that was asked for, and then the answer says so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Crc;
use memchr::memmem;

use crate::fixture::Fixture;
use crate::freshness::commit;

/// The word of the module that the program prints, and the one that stands for it where
/// somebody has changed a cache; they are of one length.
const HONEST: &str = "honest";
const LIE: &str = "poison";

const DIFFERENT: &str = "/ko-app/app: the section .";

/// A machine that has built the honest program, and one whose caches have it wrong.
struct Machine {
    fixture: Fixture,
    root: PathBuf,
}

/// The caches of a machine.
const CACHES: [&str; 3] = ["kocache", "build", "modules"];

impl Machine {
    fn new() -> Self {
        let mut fixture = Fixture::new();
        let root = fixture.sandbox.root().to_owned();
        serve_module(&root.join("proxy"), HONEST);
        let at = |name: &str| root.join(name).display().to_string();
        let settings = [
            ("GOPROXY", format!("file://{}", at("proxy"))),
            ("GOMODCACHE", at("modules")),
            ("GOCACHE", at("build")),
            ("GOSUMDB", "off".to_owned()),
            ("GOFLAGS", "-modcacherw".to_owned()),
        ];
        let mut go = Command::new("go");
        go.args(["mod", "tidy"]).current_dir(fixture.sandbox.work());
        go.env("GOENV", "off").env("GOTOOLCHAIN", "local");
        for (name, value) in settings {
            go.env(name, &value);
            fixture.sandbox.set(name, value);
        }
        let main =
            "package main\n\nimport \"example.com/lib\"\n\nfunc main() { println(lib.Word()) }\n";
        let go_mod = "module example.com/app\n\ngo 1.21\n\nrequire example.com/lib v1.0.0\n";
        let _ = fixture.module().file("main.go", main).file("go.mod", go_mod);
        let output = go.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        commit(&fixture);
        Self { fixture, root }
    }

    fn build(&self, words: &str) {
        let _ = self.fixture.build(words).output().success();
    }

    /// Keeps all caches as they are now.
    fn keep(&self, name: &str) {
        let kept = self.root.join(name);
        fs::create_dir(&kept).unwrap();
        for cache in CACHES {
            copy(&self.root.join(cache), &kept.join(cache));
        }
    }

    /// Brings a part of the caches back as it was.
    fn bring_back(&self, name: &str, part: &str) {
        let to = self.root.join(part);
        if to.exists() {
            fs::remove_dir_all(&to).unwrap();
        }
        copy(&self.root.join(name).join(part), &to);
    }
}

/// What changes a cache.
type Change<'a> = Box<dyn Fn(&Machine) + 'a>;

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

/// Changes the word in all files below a directory; returns how often.
fn poison(dir: &Path) -> usize {
    let (from, to) = (HONEST.as_bytes(), LIE.as_bytes());
    let mut changes = 0;
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            changes += poison(&path);
            continue;
        }
        let mut bytes = fs::read(&path).unwrap();
        let before = changes;
        while let Some(at) = memmem::find(&bytes, from) {
            bytes[at..at + to.len()].copy_from_slice(to);
            changes += 1;
        }
        if changes > before {
            fs::write(&path, bytes).unwrap();
        }
    }
    changes
}

/// Writes a module as a proxy of Go serves it.
fn serve_module(proxy: &Path, word: &str) {
    let dir = proxy.join("example.com/lib/@v");
    fs::create_dir_all(&dir).unwrap();
    let go_mod = "module example.com/lib\n\ngo 1.21\n";
    let source = format!("package lib\n\nfunc Word() string {{ return \"{word}\" }}\n");
    let name = |file: &str| format!("example.com/lib@v1.0.0/{file}");
    let files = [(name("go.mod"), go_mod), (name("lib.go"), &*source)];
    fs::write(dir.join("list"), "v1.0.0\n").unwrap();
    fs::write(dir.join("v1.0.0.info"), "{\"Version\":\"v1.0.0\"}").unwrap();
    fs::write(dir.join("v1.0.0.mod"), go_mod).unwrap();
    fs::write(dir.join("v1.0.0.zip"), zip(&files)).unwrap();
}

/// A zip archive of files that are not compressed.
fn zip(files: &[(String, &str)]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    let short = |number: usize| u16::try_from(number).unwrap().to_le_bytes();
    let long = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
    for (name, content) in files {
        let mut crc = Crc::new();
        crc.update(content.as_bytes());
        // The version that is needed, flags, the method, time and date (1980-01-01), the
        // sum, both sizes, the lengths of the name and of what else there is.
        let mut entry = Vec::from([20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0]);
        entry.extend(crc.sum().to_le_bytes());
        entry.extend([long(content.len()), long(content.len())].concat());
        entry.extend([short(name.len()), short(0)].concat());
        directory
            .extend([b"PK\x01\x02\x14\x00", &entry[..], &[0; 10], &long(archive.len())].concat());
        directory.extend(name.as_bytes());
        archive.extend([b"PK\x03\x04", &entry[..], name.as_bytes(), content.as_bytes()].concat());
    }
    let (count, at, size) = (short(files.len()), long(archive.len()), long(directory.len()));
    archive.extend(directory);
    archive.extend([b"PK\x05\x06\0\0\0\0", &count[..], &count, &size, &at, &[0, 0]].concat());
    archive
}

#[test]
fn no_cache_is_believed_unasked() {
    let machine = Machine::new();
    let (fixture, root) = (&machine.fixture, &machine.root);
    machine.build("--bare -t honest");
    machine.keep("honest");
    assert!(poison(&root.join("build")) > 0);
    machine.build("--bare -t poisoned --rebuild --cache-to=file:../shared");
    machine.keep("poisoned");
    let layer = |tag: &str| {
        let image = fixture.built("out", tag);
        let layer = image.manifest["layers"].as_array().unwrap().last().unwrap().clone();
        layer["digest"].as_str().unwrap().to_owned()
    };
    let (honest_layer, lying_layer) = (layer("honest"), layer("poisoned"));
    let lying_blob = fixture.registry.blob("out", &lying_layer).unwrap();
    let blob = format!("kocache/v1/blobs/{}", honest_layer.replace(':', "/"));
    serve_module(&root.join("lies"), LIE);
    let zip_of = |dir: &str| format!("{dir}/example.com/lib/@v/v1.0.0.zip");
    let (lying_zip, kept_zip) = (zip_of("lies"), zip_of("modules/cache/download"));
    let shared = "--cache-from=file:../shared";

    // What changes one cache; words beside; what is said of the image with the lie.
    let from_the_lie =
        |part: &'static str| move |machine: &Machine| machine.bring_back("poisoned", part);
    let cases: [(&str, Change<'_>, &str, (i32, &str)); 7] = [
        ("records", Box::new(from_the_lie("kocache/v1/records")), "", (11, DIFFERENT)),
        ("outputs", Box::new(from_the_lie("kocache/v1/bin")), "", (11, DIFFERENT)),
        (
            "blobs",
            Box::new(|it| fs::write(it.root.join(&blob), &lying_blob).unwrap()),
            "",
            (11, DIFFERENT),
        ),
        ("build cache", Box::new(from_the_lie("build")), "", (11, DIFFERENT)),
        ("shared cache", Box::new(|_| {}), shared, (11, DIFFERENT)),
        (
            "unpacked modules",
            Box::new(|it| assert!(poison(&it.root.join("modules/example.com")) > 0)),
            "",
            (11, DIFFERENT),
        ),
        (
            "zips of modules",
            Box::new(|it| _ = fs::copy(it.root.join(&lying_zip), it.root.join(&kept_zip)).unwrap()),
            "",
            (1, "verifying example.com/lib@v1.0.0: checksum mismatch"),
        ),
    ];
    assert!(root.join(&blob).exists() && root.join(&kept_zip).exists());
    for (name, change, words, (code, want)) in cases {
        for cache in CACHES {
            machine.bring_back("honest", cache);
        }
        change(&machine);
        let verify = |words: String| fixture.verify(&words, "poisoned").output();
        let output = verify(format!("--source=. {words}")).failure(code);
        assert!(output.stderr.contains(want), "{name}: {want}\n{}", output.stderr);
        assert_eq!(output.stdout, "", "{name}");
        // Who asks for that is told what was believed.
        let output = verify(format!("--trust-cache --source=. {words}"));
        let believed = output.stdout.starts_with("verified, trusting the cache of this machine: ")
            && output.stdout.contains(", its caches");
        assert!(believed || output.stderr.contains(DIFFERENT), "{name}\n{output:?}");
    }

    // All of them at once.
    for cache in CACHES {
        machine.bring_back("poisoned", cache);
    }
    assert!(poison(&root.join("modules/example.com")) > 0);
    let cached = fixture.verify("--trust-cache --source=.", "poisoned").output().success();
    assert!(cached.stdout.starts_with("verified, trusting the cache"), "{}", cached.stdout);
    let output = fixture.verify(&format!("--source=. {shared}"), "honest").output().success();
    assert!(output.stdout.starts_with("verified: "), "{}", output.stdout);
}
