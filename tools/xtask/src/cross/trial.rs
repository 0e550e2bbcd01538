//! Builds the same sources as each host does, and fails unless all make the same images:
//! file modes, line ends, path separators and the order of names must not reach them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use testkit::base::{Image, Index};
use testkit::registry::TestRegistry;
use toolkit::{Error, Result, go, step};

use super::emulate::{Emulator, Host};

/// The programs and what they are built for: both families of layers, and a platform that
/// is none of the hosts'.
const WORDS: [&str; 4] =
    ["build", "./cmd/app", "./cmd/worker", "--platform=linux/amd64,linux/arm64,windows/amd64"];

/// How wine 8 calls the failure of a process that ended before it had begun; Windows does not
/// say so of a process.
const LOST: &str = "Internal error.";

/// How many times wine may lose one.
const LOSES: usize = 3;

/// Runs `ko` of each host in a copy of the project of its own.
pub(super) fn run(hosts: &[Host]) -> Result<()> {
    let registry = TestRegistry::start();
    let windows = Image::oci("windows/amd64:10.0.20348.1");
    let base = Index::oci().image(Image::oci("linux/amd64")).image(Image::oci("linux/arm64"));
    base.image(windows).build().push(&registry, "base", "latest");
    let mut found: Vec<(&str, String)> = Vec::new();
    for (number, host) in hosts.iter().enumerate() {
        let dir = tempfile::tempdir()
            .map_err(|source| Error::File { path: std::env::temp_dir(), source })?;
        project(dir.path())?;
        let (name, repository) = (host.triple, format!("host{number}"));
        let mut turns = Vec::new();
        // Twice: the second time, what the first has left behind is found to be fresh.
        for turn in ["first", "second"] {
            let mut ko = ko(host, dir.path());
            ko.args(WORDS).current_dir(dir.path().join("work"));
            ko.env("KO_DOCKER_REPO", format!("{}/{repository}", registry.host()));
            ko.env("KO_DEFAULTBASEIMAGE", format!("{}/base", registry.host()));
            let (output, said) = output(&mut ko, host)?;
            if !output.status.success() {
                return Err(Error::Found(format!(
                    "the ko of {name} failed: {}\n{said}",
                    output.status
                )));
            }
            let stdout = String::from_utf8_lossy(&output.stdout);
            let place = format!("/{repository}/");
            let images = stdout.lines().filter_map(|line| Some(line.split_once(&place)?.1));
            let digests = images.collect::<Vec<_>>().join(" ");
            eprintln!("{name}, {turn} time: {digests}");
            turns.push(digests);
        }
        if turns[0] != turns[1] || turns[0].is_empty() {
            return Err(Error::Found(format!(
                "the ko of {name} made other images the second time: {turns:?}"
            )));
        }
        found.push((name, turns.remove(0)));
    }
    let (first, rest) =
        found.split_first().ok_or_else(|| Error::Missing("no host to try".to_owned()))?;
    match rest.iter().find(|(_, digests)| *digests != first.1) {
        Some((name, digests)) => Err(Error::Found(format!(
            "{} and {name} make other images of the same sources: {} and {digests}",
            first.0, first.1
        ))),
        None => Ok(()),
    }
}

/// What a ko prints, and its stderr. Where wine lost a process of `go`, it is called again, and
/// `go` compiles only what it lacks.
fn output(ko: &mut Command, host: &Host) -> Result<(Output, String)> {
    let mut lost = 0;
    loop {
        let output = step::output(ko)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        lost += 1;
        let again = host.emulator == Some(Emulator::Wine) && said.contains(LOST);
        if output.status.success() || !again || lost > LOSES {
            return Ok((output, said));
        }
        eprintln!("{}: wine lost a process, once more:\n{said}", host.triple);
    }
}

/// A call of a host's ko, with its `go`, and with caches and a home below a directory.
fn ko(host: &Host, dir: &Path) -> Command {
    let mut command = Command::new(&host.ko);
    let path = std::env::var("PATH").unwrap_or_default();
    let path = match &host.go {
        Some(go) => format!("{}:{path}", go.display()),
        None => path,
    };
    command.env_clear().envs(go::SETTINGS).env("GOPROXY", "off").env("PATH", path);
    for (name, place) in [
        ("HOME", "home"),
        ("USERPROFILE", "home"),
        ("LOCALAPPDATA", "cache"),
        ("APPDATA", "config"),
        // wine says itself where LOCALAPPDATA is.
        ("KOCACHE", "cache/ko"),
        ("GOCACHE", "cache/go-build"),
        ("GOPATH", "home/go"),
    ] {
        command.env(name, dir.join(place));
    }
    command
}

/// A module with two programs, files of many modes and names, and a configuration as a
/// Windows editor saves it.
fn project(dir: &Path) -> Result<()> {
    let work = dir.join("work");
    let main = "package main\n\nfunc main() { println(\"hello\") }\n";
    for (path, text) in [
        ("go.mod", "module example.com/hosts\n\ngo 1.24\n"),
        (
            ".ko.yaml",
            "defaultPlatforms:\r\n- linux/amd64\r\nbuilds:\r\n- id: app\r\n  main: ./cmd/app\r\n  ldflags: [-s, -w]\r\n",
        ),
        ("cmd/app/main.go", main),
        ("cmd/worker/main.go", main),
        ("cmd/app/kodata/config.txt", "lines\r\nof Windows\r\n"),
        ("cmd/app/kodata/run.sh", "#!/bin/sh\n"),
        ("cmd/app/kodata/names/B", "upper\n"),
        ("cmd/app/kodata/names/a", "lower\n"),
        ("cmd/app/kodata/names/a b", "space\n"),
        ("cmd/app/kodata/names/é", "beyond ASCII\n"),
        ("cmd/app/kodata/names/deep/er/file", "deep\n"),
    ] {
        let path = work.join(path);
        let parent = path.parent().unwrap_or(&work);
        let written = fs::create_dir_all(parent).and_then(|()| fs::write(&path, text));
        written.map_err(|source| Error::File { path, source })?;
    }
    for (path, mode) in [("run.sh", "755"), ("config.txt", "600"), ("names", "700")] {
        let path = work.join("cmd/app/kodata").join(path);
        step::output(Command::new("chmod").arg(mode).arg(path))?;
    }
    Ok(())
}
