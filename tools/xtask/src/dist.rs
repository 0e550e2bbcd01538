//! `cargo xtask dist`: packages binaries of ko for those who install it: archives, wheels,
//! packages of npm and of Linux distributions, and what package managers read, with SBOMs,
//! notices, sums, provenance and a script that installs (`docs/reference/packaging.md`).
//!
//! The bytes depend on the binaries, the sources and one time. It compiles nothing: what
//! has no binary has no package.

mod archive;
mod binary;
mod linux;
pub(crate) mod macos;
mod managers;
mod notices;
mod npm;
mod provenance;
mod sbom;
mod target;
mod wheel;

use archive::Entry;
use clap::Args;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use std::env::consts::EXE_SUFFIX;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use target::{System, TARGETS, Target};
use toolkit::file::at;
use toolkit::{Error, Result, step};

/// The name on PyPI.
const PYTHON: &str = "ko-build";

/// The name on npm; those of platforms begin with it.
const NPM: &str = "@ko-build/ko";

/// What package indexes show.
const SUMMARY: &str = "Builds and publishes container images for Go programs, without Docker";

/// The shells, and the files that `ko completion` fills for them.
const COMPLETIONS: [(&str, &str); 5] = [
    ("bash", "ko.bash"),
    ("elvish", "ko.elv"),
    ("fish", "ko.fish"),
    ("powershell", "ko.ps1"),
    ("zsh", "_ko"),
];

/// The file of sums. It also says which files the last run made.
const SUMS: &str = "checksums.txt";

/// What `cargo xtask dist` takes.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// A binary to package, and the target that it was built for; without any, the
    /// release binary of this machine
    #[arg(long, value_name = "TARGET=PATH", value_parser = given)]
    binary: Vec<(&'static Target, PathBuf)>,
    /// Where the packages go, instead of `target/dist`
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The address of the repository that the release is of; without, there is nothing for
    /// package managers that download archives
    #[arg(long, value_name = "ADDRESS", default_value = "")]
    repository: String,
    /// Where the archives will be published, instead of `REPOSITORY/releases/download/vVERSION`
    #[arg(long, value_name = "ADDRESS", default_value = "")]
    base_url: String,
    /// Who answers for the packages of Linux distributions
    #[arg(long, value_name = "NAME <MAIL>", default_value = "ko <ko@localhost>")]
    maintainer: String,
    /// Who runs this, as an address, for the provenance
    #[arg(long, value_name = "ADDRESS", default_value = "urn:ko:xtask-dist")]
    builder: String,
}

/// What all packages of a release share.
#[derive(Debug)]
struct Contents {
    version: &'static str,
    time: Timestamp,
    license: String,
    readme: String,
    /// Completions and manual pages.
    extras: Vec<Entry>,
    repository: String,
    maintainer: String,
}

/// What the packages of one binary share.
#[derive(Debug)]
struct Own {
    binary: Vec<u8>,
    sbom: Vec<u8>,
    notices: String,
}

/// A binary, and what was found about it.
#[derive(Debug)]
struct Binary {
    target: &'static Target,
    path: PathBuf,
    data: Vec<u8>,
    needs: binary::Needs,
}

/// Makes all packages that there are binaries for.
pub(crate) fn run(options: &Options) -> Result<()> {
    let binaries = binaries(&options.binary)?;
    let contents = contents(&binaries, options)?;
    let source = provenance::source(&options.builder, &options.repository)?;
    let version = contents.version;
    let url = match (options.base_url.as_str(), contents.repository.as_str()) {
        ("", "") => String::new(),
        ("", repository) => format!("{repository}/releases/download/v{version}"),
        (url, _) => url.trim_end_matches('/').to_owned(),
    };
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    let mut archives: Vec<managers::Published> = Vec::new();
    let mut npm: Vec<(String, String, Vec<u8>)> = Vec::new();
    let mut made_of: Vec<(&str, String)> = Vec::new();
    let places = notices::places()?;
    for Binary { target, data, needs, .. } in &binaries {
        let crates = sbom::linked(target.triple)?;
        let own = Own {
            binary: data.clone(),
            sbom: sbom::sbom(&crates, target.triple, &sum(data), contents.time)?,
            notices: notices::notices(&places, target.triple, &crates, &contents.license)?,
        };
        made_of.push((target.triple, sum(data)));
        let (name, archive) = archived(&contents, target, &own).map_err(packing)?;
        archives.push((target, name.clone(), sum(&archive)));
        files.push((format!("{name}.spdx.json"), own.sbom.clone()));
        files.push((name, archive));
        files.push(wheel::wheel(&contents, target, *needs, &own).map_err(packing)?);
        // Neither npm nor a distribution can prefer one of two, and the static one, which
        // comes first, runs everywhere.
        let package = npm::platform(&contents, target, *needs, &own).map_err(packing)?;
        if npm.iter().all(|(name, ..)| *name != package.0) {
            npm.push(package);
            if matches!(target.system, System::LinuxGnu | System::LinuxStatic) {
                files.extend(linux::packages(&contents, target, *needs, &own)?);
            }
        }
    }
    let platforms: Vec<String> = npm.iter().map(|(name, ..)| name.clone()).collect();
    npm.push(npm::main(&contents, &platforms).map_err(packing)?);
    files.extend(npm.into_iter().map(|(_, file, data)| (file, data)));
    let sums: String = archives.iter().map(|(_, name, sum)| format!("{sum}  {name}\n")).collect();
    files.push(("install.sh".to_owned(), script(version, &url, &sums).into_bytes()));
    if !contents.repository.is_empty() {
        files.extend(managers::files(&contents, &url, &archives).map_err(packing)?);
    }
    files.sort();
    let statements = provenance::statements(&source, version, &made_of, &files);
    files.push((provenance::FILE.to_owned(), statements.into_bytes()));
    let sums: String = files.iter().map(|(name, data)| line(name, data)).collect();
    files.push((SUMS.to_owned(), sums.into_bytes()));
    let out = options.out.clone().unwrap_or_else(|| step::workspace().join("target/dist"));
    write(&out, &files)?;
    files.iter().for_each(|(name, _)| println!("{}", out.join(name).display()));
    let made: Vec<String> = binaries.iter().map(|one| one.target.in_archives()).collect();
    let mut missing: Vec<String> = TARGETS.iter().map(Target::in_archives).collect();
    missing.retain(|name| !made.contains(name));
    missing.dedup();
    if !missing.is_empty() {
        println!("left out, as there is no binary: {}", missing.join(", "));
    }
    if contents.repository.is_empty() {
        println!("left out, as there is no --repository: what package managers read");
    }
    Ok(())
}

/// Reads `TARGET=PATH`.
fn given(text: &str) -> std::result::Result<(&'static Target, PathBuf), String> {
    let (triple, path) = text.split_once('=').ok_or("it is no TARGET=PATH")?;
    let target = Target::named(triple).ok_or_else(|| {
        let known: Vec<&str> = TARGETS.iter().map(|target| target.triple).collect();
        format!("{triple} is not packaged, only {}", known.join(", "))
    })?;
    Ok((target, path.into()))
}

/// The binaries, read and looked at, in the order of targets.
fn binaries(given: &[(&'static Target, PathBuf)]) -> Result<Vec<Binary>> {
    let mut given = given.to_vec();
    if given.is_empty() {
        let path = step::workspace().join(format!("target/release/ko{EXE_SUFFIX}"));
        let Some(host) = Target::of_host().filter(|_| path.exists()) else {
            return Err(Error::Missing(format!(
                "there is no {}: build it, or give binaries by --binary",
                path.display()
            )));
        };
        given.push((host, path));
    }
    given.sort_by_key(|(target, _)| TARGETS.iter().position(|one| one == *target));
    let mut binaries: Vec<Binary> = Vec::new();
    for (target, path) in given {
        let name = target.in_archives();
        if binaries.iter().any(|one| one.target.in_archives() == name) {
            return Err(Error::Missing(format!("there are two binaries for {name}")));
        }
        let data = fs::read(&path).map_err(at(&path))?;
        let needs = binary::needs(&data, target).map_err(|why| {
            Error::Missing(format!("{} is none of {}: {why}", path.display(), target.triple))
        })?;
        binaries.push(Binary { target, path, data, needs });
    }
    Ok(binaries)
}

/// What a binary needs, or why it does not belong to a target.
pub(crate) fn needs(data: &[u8], triple: &str) -> std::result::Result<binary::Needs, String> {
    let target = Target::named(triple).ok_or_else(|| format!("{triple} is not packaged"))?;
    binary::needs(data, target)
}

fn contents(binaries: &[Binary], options: &Options) -> Result<Contents> {
    let version = env!("CARGO_PKG_VERSION");
    if version.contains(['-', '+']) {
        // Python writes these in another way.
        return Err(Error::Missing(format!("{version} is no release")));
    }
    let text = |name: &str| {
        let path = step::workspace().join(name);
        fs::read_to_string(&path).map_err(at(&path))
    };
    let extras = extras(binaries, version)?;
    let (license, readme) = (text("LICENSE")?, text("README.md")?);
    let repository = options.repository.trim_end_matches('/').to_owned();
    let (time, maintainer) = (time()?, options.maintainer.clone());
    Ok(Contents { version, time, license, readme, extras, repository, maintainer })
}

/// The time that all entries of archives have: `SOURCE_DATE_EPOCH`, or that of the commit.
fn time() -> Result<Timestamp> {
    let text = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text,
        Err(_) => {
            let mut git = Command::new("git");
            git.args(["log", "-1", "--format=%ct"]).current_dir(step::workspace());
            String::from_utf8_lossy(&step::output(&mut git)?.stdout).trim().to_owned()
        }
    };
    let time = text.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.ok_or_else(|| Error::Missing("set SOURCE_DATE_EPOCH, as there is no commit".to_owned()))
}

/// Completions and manual pages, which a binary of this machine writes: one of those
/// that are packaged, or else one that is built now.
fn extras(binaries: &[Binary], version: &str) -> Result<Vec<Entry>> {
    let of_host = |one: &&Binary| Target::of_host() == Some(one.target);
    let runs_here = |one: &&Binary| one.target.runs_here();
    let found = binaries.iter().find(of_host).or_else(|| binaries.iter().find(runs_here));
    let ours = match found {
        Some(one) => one.path.canonicalize().map_err(at(&one.path))?,
        None => toolkit::ko::ours(None, "dev")?,
    };
    let says = |words: &[&str]| {
        let mut command = Command::new(&ours);
        let output = step::output(command.args(words))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        Err(Error::Missing(format!("{} {}: {stderr}", ours.display(), words.join(" "))))
    };
    let said = says(&["version"])?;
    let said = String::from_utf8_lossy(&said);
    if said.trim() != version {
        let path = ours.display();
        return Err(Error::Missing(format!("{path} is ko {}, not {version}", said.trim())));
    }
    let mut extras = Vec::new();
    for (shell, file) in COMPLETIONS {
        extras.push(Entry::file(format!("completions/{file}"), says(&["completion", shell])?));
    }
    let dir = step::workspace().join("target/man");
    if dir.exists() {
        fs::remove_dir_all(&dir).map_err(at(&dir))?;
    }
    says(&["__man", &dir.to_string_lossy()])?;
    for page in fs::read_dir(&dir).map_err(at(&dir))? {
        let page = page.map_err(at(&dir))?;
        let data = fs::read(page.path()).map_err(at(&page.path()))?;
        extras.push(Entry::file(format!("man/{}", page.file_name().display()), data));
    }
    Ok(extras)
}

/// What is in the archive of a binary.
fn entries(contents: &Contents, target: &Target, own: &Own) -> Vec<Entry> {
    let mut entries = contents.extras.clone();
    entries.push(Entry::program(target.program(), own.binary.clone()));
    entries.push(Entry::file("LICENSE", contents.license.clone()));
    entries.push(Entry::file("README.md", contents.readme.clone()));
    entries.push(Entry::file(notices::FILE, own.notices.clone()));
    entries
}

/// The archive of a binary: its name, and its bytes.
fn archived(contents: &Contents, target: &Target, own: &Own) -> std::io::Result<(String, Vec<u8>)> {
    let entries = entries(contents, target, own);
    let name = format!("ko_{}_{}", contents.version, target.in_archives());
    Ok(match target.system {
        System::Windows => (format!("{name}.zip"), archive::zip(&entries, contents.time)?),
        _ => (format!("{name}.tar.gz"), archive::tar_gz(&entries, contents.time)?),
    })
}

/// The script that installs, with the sums of the archives in it.
fn script(version: &str, base_url: &str, archives: &str) -> String {
    include_str!("dist/install.sh")
        .replace("@VERSION@", version)
        .replace("@URL@", base_url)
        .replace("@SUMS@", archives.trim_end())
}

/// Writes the files, in place of those that an earlier run made.
fn write(out: &Path, files: &[(String, Vec<u8>)]) -> Result<()> {
    fs::create_dir_all(out).map_err(at(out))?;
    if let Ok(sums) = fs::read_to_string(out.join(SUMS)) {
        let names = sums.lines().filter_map(|line| line.split_once("  "));
        for path in names.map(|(_, name)| out.join(name)).filter(|path| path.exists()) {
            fs::remove_file(&path).map_err(at(&path))?;
        }
    }
    for (name, data) in files {
        let path = out.join(name);
        fs::write(&path, data).map_err(at(&path))?;
    }
    Ok(())
}

/// A line of sums, as `sha256sum --check` reads it.
fn line(name: &str, data: &[u8]) -> String {
    format!("{}  {name}\n", sum(data))
}

fn sum(data: &[u8]) -> String {
    Sha256::digest(data).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn packing(source: std::io::Error) -> Error {
    Error::File { path: "a package".into(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binary_is_given_with_its_target() {
        let (target, path) = given("aarch64-apple-darwin=a=b").unwrap();
        assert_eq!((target.triple, path.as_path()), ("aarch64-apple-darwin", Path::new("a=b")));
        for (text, expected) in [
            ("ko", "it is no TARGET=PATH"),
            ("wasm32-wasip1=ko", "wasm32-wasip1 is not packaged, only x86_64-unknown-linux-musl"),
        ] {
            let error = given(text).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn two_binaries_for_one_package_are_refused() {
        let this = std::env::current_exe().unwrap();
        let Some(host) = Target::of_host() else { return };
        let error = binaries(&[(host, this.clone()), (host, this)]).unwrap_err();
        assert!(error.to_string().starts_with("there are two binaries for "), "{error}");
    }

    #[test]
    fn a_run_removes_what_an_earlier_one_made_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, data: &str| (name.to_owned(), data.as_bytes().to_vec());
        fs::write(dir.path().join("other"), "").unwrap();
        write(dir.path(), &[file("old", "1"), file(SUMS, &line("old", b"1"))]).unwrap();
        write(dir.path(), &[file("new", "2"), file(SUMS, &line("new", b"2"))]).unwrap();
        let entries = fs::read_dir(dir.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, [SUMS, "new", "other"]);
    }

    #[test]
    fn the_script_that_installs_knows_all_that_it_must() {
        let script = script("1.2.3", "https://example.com", &line("ko_1.2.3_x.tar.gz", b""));
        assert!(
            script.contains("version='1.2.3'\nbase_url=${KO_BASE_URL:-'https://example.com'}\n")
        );
        let sum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert!(script.contains(&format!("sums='{sum}  ko_1.2.3_x.tar.gz'\n")));
        assert!(!["@VERSION@", "@URL@", "@SUMS@"].iter().any(|name| script.contains(name)));
    }
}
