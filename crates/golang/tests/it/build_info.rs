//! Build info against `go version -m`, on programs of all formats, of three
//! versions of Go, and on files that are no such thing.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ko_golang::{BuildInfo, BuildInfoProblem, BuiltModule, Environment, Linkage, sections};
use proptest::prelude::*;

use crate::fixture::{HELLO, Tree, process_environment, target};

/// Releases that `cargo xtask test` installs beside the machine's Go.
pub(crate) const TOOLCHAINS: [&str; 2] = ["go1.24.10", "go1.25.4"];

fn go(dir: &Path, words: &[&str], variables: &[(&str, &str)]) -> Output {
    let environment: Environment = process_environment();
    let mut go = Command::new("go");
    go.args(words).current_dir(dir).env_clear().envs(environment.iter());
    go.envs(variables.iter().copied());
    go.output().unwrap()
}

fn text(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn build(tree: &Tree, words: &[&str], variables: &[(&str, &str)]) -> PathBuf {
    let output = tree.join("out");
    let words = [&["build", "-o", output.to_str().unwrap()], words].concat();
    let variables = [&[("CGO_ENABLED", "0")], variables].concat();
    text(go(&tree.path, &words, &variables));
    output
}

/// What `go version -m` would print.
fn printed(info: &BuildInfo, path: &Path) -> String {
    let mut text = format!("{}: {}\n", path.display(), info.go_version);
    let mut line = |words: &[&str]| {
        text.push('\t');
        text.push_str(&words.join("\t"));
        text.push('\n');
    };
    if !info.path.is_empty() {
        line(&["path", &info.path]);
    }
    let modules = info.main.iter().map(|main| ("mod", main));
    for (word, module) in modules.chain(info.deps.iter().map(|dep| ("dep", dep))) {
        match &module.replace {
            None => line(&[word, &module.path, &module.version, &module.sum]),
            Some(by) => {
                line(&[word, &module.path, &module.version]);
                line(&["=>", &by.path, &by.version, &by.sum]);
                // Go ends the line of a replacement twice.
                line(&[]);
            }
        }
    }
    for (name, value) in &info.settings {
        let quoted = |text: &str| match text.contains([' ', '\t', '\r', '\n', '"', '`']) {
            true => format!("{text:?}"),
            false => text.to_owned(),
        };
        line(&["build", &format!("{}={}", quoted(name), quoted(value))]);
    }
    text
}

#[track_caller]
pub(crate) fn assert_as_go_says(path: &Path) -> BuildInfo {
    let info = BuildInfo::read(path).unwrap();
    let said = text(go(Path::new("/"), &["version", "-m", path.to_str().unwrap()], &[]));
    assert_eq!(printed(&info, path), said);
    info
}

fn hello() -> Tree {
    Tree::new(&[("go.mod", "module example.com/hello\n\ngo 1.21\n"), ("main.go", HELLO)])
}

#[test]
fn every_format_is_read() {
    let tree = hello();
    for (os, arch) in [
        ("linux", "amd64"),
        ("linux", "arm64"),
        // 64 and 32 bits, little and big endian.
        ("linux", "386"),
        ("linux", "s390x"),
        ("linux", "mips"),
        ("darwin", "arm64"),
        ("darwin", "amd64"),
        ("windows", "amd64"),
        ("windows", "386"),
    ] {
        let binary = build(&tree, &["."], &[("GOOS", os), ("GOARCH", arch)]);
        let info = assert_as_go_says(&binary);
        assert_eq!(info.path, "example.com/hello");
        assert!(info.settings.contains(&("GOOS".to_owned(), os.to_owned())), "{os}/{arch}");
        assert_is_for(&binary, os, arch);
    }
}

/// What else there is to know of a program: where its code is, for which machine it is,
/// and that it wants nothing of the system.
fn assert_is_for(binary: &Path, os: &str, arch: &str) {
    let file = File::open(binary).unwrap();
    let length = file.metadata().unwrap().len();
    let sections = sections(&file);
    assert!(sections.iter().any(|section| section.name.ends_with("text")), "{sections:?}");
    let end = sections.iter().map(|section| section.offset + section.size).max();
    assert!(end.is_some_and(|end| end <= length), "{sections:?}");

    assert!(target(os, arch).check_program(binary).is_ok(), "{os}/{arch}");
    for other in [target("plan9", arch), target(os, "other")] {
        let error = other.check_program(binary).unwrap_err();
        assert_eq!(error.to_string(), format!("it is for {os}/{arch}"));
    }
    assert_eq!(Linkage::read(binary).unwrap(), None, "{os}/{arch}");
}

#[test]
fn what_is_no_executable_has_no_sections() {
    let tree = Tree::new(&[("empty", ""), ("text", "package main\n"), ("elf", "\x7fELF")]);
    for name in ["empty", "text", "elf"] {
        assert_eq!(sections(&File::open(tree.join(name)).unwrap()), [], "{name}");
    }
}

#[test]
fn settings_experiments_and_odd_links_are_read() {
    let tree = hello();
    for (words, variables) in [
        (&["-trimpath", "-ldflags=-s -w -X 'main.text=a b'", "."][..], &[][..]),
        (&["-tags=x,y", "-gcflags=-N -l", "."], &[]),
        (&["-buildmode=pie", "."], &[]),
        (&["-buildvcs=false", "main.go"], &[]),
        (&["."], &[("GOEXPERIMENT", "arenas")]),
    ] {
        assert_as_go_says(&build(&tree, words, variables));
    }
    let tree = Tree::new(&[("main.go", HELLO)]);
    let info = assert_as_go_says(&build(&tree, &["."], &[("GO111MODULE", "off")]));
    assert_eq!(info.main, None);
}

/// Some strippers take the table of sections away, by which the info is found.
#[test]
fn what_has_no_sections_is_read_as_go_reads_it() {
    let tree = hello();
    for arch in ["amd64", "s390x"] {
        let path = build(&tree, &["-ldflags=-s -w", "."], &[("GOOS", "linux"), ("GOARCH", arch)]);
        let mut file = fs::read(&path).unwrap();
        // In the header: where the table is, how long it is, and where its
        // names are.
        file[40..48].fill(0);
        file[60..64].fill(0);
        fs::write(&path, file).unwrap();
        let info = assert_as_go_says(&path);
        assert_eq!(info.path, "example.com/hello", "{arch}");
    }
}

/// A module cache as if `go` had downloaded modules; sums are what the cache
/// says that they are.
fn module_cache(tree: &Tree, modules: &[(&str, &str)]) {
    for (index, (path, version)) in modules.iter().enumerate() {
        let (mod_file, package) =
            (format!("module {path}\n"), path.rsplit('/').next().unwrap().replace('-', "_"));
        let download = format!("cache/cache/download/{path}/@v/{version}");
        let sum = format!("h1:{}=", char::from(b'A' + index as u8).to_string().repeat(43));
        tree.write(&format!("{download}.mod"), &mod_file);
        tree.write(&format!("{download}.info"), &format!("{{\"Version\":\"{version}\"}}"));
        tree.write(&format!("{download}.ziphash"), &sum);
        tree.write(&format!("{download}.zip"), "");
        let dir = format!("cache/{path}@{version}");
        tree.write(&format!("{dir}/go.mod"), &mod_file);
        tree.write(&format!("{dir}/a.go"), &format!("package {package}\n\nfunc F() {{}}\n"));
    }
}

fn module(path: &str, version: &str, sum: &str) -> BuiltModule {
    let [path, version, sum] = [path, version, sum].map(str::to_owned);
    BuiltModule { path, version, sum, replace: None }
}

#[test]
fn modules_and_their_replacements_are_read() {
    let tree = Tree::new(&[
        (
            "go.mod",
            "module example.com/app\n\ngo 1.21\n\nrequire (\n\texample.com/plain v1.2.3\n\texample.com/moved v0.1.0\n\texample.com/here v0.0.0\n)\n\nreplace example.com/moved => example.com/fork v2.0.0+incompatible\n\nreplace example.com/here => ./here\n",
        ),
        ("here/go.mod", "module example.com/here\n"),
        ("here/a.go", "package here\n\nfunc F() {}\n"),
        (
            "main.go",
            "package main\n\nimport (\n\t\"example.com/here\"\n\tfork \"example.com/moved\"\n\t\"example.com/plain\"\n)\n\nfunc main() {\n\there.F()\n\tfork.F()\n\tplain.F()\n}\n",
        ),
    ]);
    let fork = ("example.com/fork", "v2.0.0+incompatible");
    module_cache(&tree, &[("example.com/plain", "v1.2.3"), fork]);
    let cache = tree.join("cache");
    let variables = [
        ("GOMODCACHE", cache.to_str().unwrap()),
        ("GOFLAGS", "-mod=mod -modcacherw"),
        ("GONOSUMDB", "*"),
    ];
    let info = assert_as_go_says(&build(&tree, &["."], &variables));
    let [a, b] = ["A", "B"].map(|letter| format!("h1:{}=", letter.repeat(43)));
    let replaced = |module, by| BuiltModule { replace: Some(Box::new(by)), ..module };
    let here = &info.deps[0].replace.as_ref().unwrap();
    assert!(here.is_directory());
    assert_eq!(
        info.deps,
        [
            replaced(module("example.com/here", "v0.0.0", ""), (***here).clone()),
            replaced(module("example.com/moved", "v0.1.0", ""), module(fork.0, fork.1, &b)),
            module("example.com/plain", "v1.2.3", &a),
        ]
    );
    assert_eq!(info.main, Some(module("example.com/app", "(devel)", "")));
}

/// The programs of a Go distribution.
fn programs(root: &Path) -> Vec<PathBuf> {
    let tools = fs::read_dir(root.join("pkg/tool")).unwrap();
    let dirs = tools.map(|entry| entry.unwrap().path()).chain([root.join("bin")]);
    let files = dirs.filter(|dir| dir.is_dir()).flat_map(|dir| fs::read_dir(dir).unwrap());
    files.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect()
}

#[test]
fn programs_of_three_releases_of_go_are_read() {
    let mut seen = 0;
    for toolchain in ["local"].into_iter().chain(TOOLCHAINS) {
        let variables = [("GOTOOLCHAIN", toolchain)];
        let root = go(Path::new("/"), &["env", "GOROOT"], &variables);
        assert!(root.status.success(), "{toolchain} is not there: `cargo xtask test` installs it");
        for program in programs(Path::new(text(root).trim())) {
            let info = assert_as_go_says(&program);
            assert!(toolchain == "local" || info.go_version == toolchain, "{info:?}");
            seen += 1;
        }
    }
    assert!(seen >= 30, "{seen} programs");
}

/// The smallest ELF file that has build info: of 64 bits and little endian,
/// with the section of that name and the names of sections.
fn elf(info: &[u8]) -> Vec<u8> {
    let names = b"\0.go.buildinfo\0.shstrtab\0";
    let (info_at, names_at) = (64, 64 + info.len());
    let headers_at = (names_at + names.len()).next_multiple_of(8);
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0".to_vec();
    file.resize(40, 0);
    file.extend((headers_at as u64).to_le_bytes());
    file.extend([0, 0, 0, 0, 64, 0, 56, 0, 0, 0, 64, 0, 3, 0, 2, 0]);
    file.extend_from_slice(info);
    file.extend_from_slice(names);
    file.resize(headers_at + 64, 0);
    for (name, kind, at, size) in [(1, 1, info_at, info.len()), (15, 3, names_at, names.len())] {
        let mut header = [0; 64];
        header[..4].copy_from_slice(&u32::to_le_bytes(name));
        header[4..8].copy_from_slice(&u32::to_le_bytes(kind));
        header[24..32].copy_from_slice(&(at as u64).to_le_bytes());
        header[32..40].copy_from_slice(&(size as u64).to_le_bytes());
        file.extend(header);
    }
    file
}

/// Build info as the linker lays it out.
fn build_info(modules: &str) -> Vec<u8> {
    let mut info = b"\xff Go buildinf:\x08\x02".to_vec();
    info.resize(32, 0);
    let modules = format!("{0}{modules}{0}", "0123456789abcdef");
    for text in ["go1.26.8", &modules] {
        let mut length = text.len();
        while length >= 0x80 {
            info.push(length as u8 | 0x80);
            length >>= 7;
        }
        info.push(length as u8);
        info.extend(text.as_bytes());
    }
    info
}

#[test]
fn ten_thousand_modules_are_read() {
    let mut modules = "path\texample.com/app\nmod\texample.com/app\t(devel)\t\n".to_owned();
    for index in 0..10_000 {
        modules.push_str(&format!("dep\texample.com/dep{index}\tv1.0.{index}\th1:sum=\n"));
    }
    let tree = Tree::new(&[]);
    let path = tree.join("program");
    fs::write(&path, elf(&build_info(&modules))).unwrap();
    let info = BuildInfo::read(&path).unwrap();
    assert_eq!(info.deps.len(), 10_000);
    assert_eq!(info.deps[9_999].version, "v1.0.9999");
}

#[test]
fn what_is_cut_off_anywhere_is_an_error() {
    let tree = hello();
    let path = tree.join("synthetic");
    fs::write(&path, elf(&build_info("path\ta\nmod\ta\tv1\t\ndep\tb\tv1\th1:x=\n"))).unwrap();
    let size = fs::metadata(&path).unwrap().len();
    assert_eq!(BuildInfo::read(&path).unwrap().path, "a");
    for length in (0..size).rev() {
        File::options().write(true).open(&path).unwrap().set_len(length).unwrap();
        let _ = BuildInfo::read(&path).unwrap_err();
    }
    for (os, step) in [("linux", 9_973), ("darwin", 9_967), ("windows", 9_949)] {
        let variables = [("GOOS", os), ("GOARCH", "amd64")];
        let path = build(&tree, &["-ldflags=-s -w", "."], &variables);
        let whole = BuildInfo::read(&path).unwrap();
        let size = fs::metadata(&path).unwrap().len();
        let cuts = (4096..size).rev().step_by(step).chain((0..4096).rev());
        for length in cuts {
            File::options().write(true).open(&path).unwrap().set_len(length).unwrap();
            // What comes after the build info is not needed.
            if let Ok(info) = BuildInfo::read(&path) {
                assert_eq!(info, whole, "{os}: {length}");
                assert!(length > 4096, "{os}: {length}");
            }
        }
    }
}

#[test]
fn what_is_no_program_of_go_is_said() {
    let tree = Tree::new(&[]);
    let path = tree.join("file");
    let problem = |content: &[u8]| {
        fs::write(&path, content).unwrap();
        BuildInfo::read(&path).unwrap_err().reason
    };
    for content in
        [&b""[..], b"#!/bin/sh\n", b"\xca\xfe\xba\xbe\0\0\0\x02\0\0\0\0\0\0\0\0", b"!<arch>\n"]
    {
        let problem = problem(content);
        assert!(matches!(problem, BuildInfoProblem::NotExecutable), "{content:?}: {problem:?}");
    }
    assert!(matches!(problem(&elf(&[0; 4096])), BuildInfoProblem::Missing));
    assert!(matches!(problem(&elf(&[])), BuildInfoProblem::Missing));
    let mut old = build_info("");
    old[15] = 0;
    assert!(matches!(problem(&elf(&old)), BuildInfoProblem::Old));
    let mut long = build_info("")[..32].to_vec();
    long.extend([0xff, 0xff, 0xff, 0xff, 0x0f, b'g', b'o']);
    assert!(matches!(problem(&elf(&long)), BuildInfoProblem::TooLong));
    assert!(matches!(problem(&elf(&build_info("dep\n"))), BuildInfoProblem::Line { .. }));
    let missing = BuildInfo::read(&tree.join("missing")).unwrap_err();
    assert!(matches!(missing.reason, BuildInfoProblem::Io(_)));
    assert!(missing.to_string().ends_with("missing"), "{missing}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Build info is found at any place of its section, whatever stands
    /// around it.
    #[test]
    fn build_info_is_found_wherever_it_is(
        deps in prop::collection::vec(("[a-z./]{1,60}", "v[0-9.]{1,6}"), 0..8),
        before in prop::collection::vec(any::<[u8; 16]>(), 0..4),
        after in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let lines: String =
            deps.iter().map(|(path, version)| format!("dep\t{path}\t{version}\th1:x=\n")).collect();
        let file = elf(&[before.concat(), build_info(&lines), after].concat());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, file).unwrap();
        let read = BuildInfo::read(&path).unwrap();
        let read_deps: Vec<_> = read.deps.into_iter().map(|dep| (dep.path, dep.version)).collect();
        prop_assert_eq!((&*read.go_version, read_deps), ("go1.26.8", deps));
    }

    #[test]
    fn never_panics_on_a_damaged_file(
        modules in "((path|mod|dep|=>|build)\t[a-z./\t]{0,20}\n){0,4}",
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let mut file = elf(&build_info(&modules));
        for (index, byte) in flips {
            let at = index.index(file.len());
            file[at] = byte;
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, file).unwrap();
        let _ = BuildInfo::read(&path);
    }
}
