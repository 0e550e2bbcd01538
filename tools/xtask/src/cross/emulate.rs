//! Other hosts, as emulators have them: wine for Windows, and QEMU for another
//! processor, each with a `go` for that host, built of the sources of this machine's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use toolkit::file::write;
use toolkit::{Error, Result, go, step};

use crate::setup;

/// Runs programs of arm64.
const QEMU: &str = "qemu-aarch64-static";

/// Where Debian has the C library of arm64.
const ARM64: &str = "/usr/aarch64-linux-gnu";

/// The parts of `go` that build programs without C.
const TOOLS: [&str; 3] = ["asm", "compile", "link"];

/// A host, and its ko.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) triple: &'static str,
    pub(super) ko: PathBuf,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// This machine runs it.
    Native,
    Qemu {
        goroot: PathBuf,
    },
    Wine {
        goroot: PathBuf,
        prefix: PathBuf,
    },
}

impl Host {
    /// The host of a target's binary, with all that emulates it.
    pub(super) fn of(triple: &'static str, ko: PathBuf) -> Result<Self> {
        let kind = if triple.contains("windows") {
            Kind::Wine { goroot: goroot("windows", "amd64")?, prefix: wine()? }
        } else if triple.starts_with("aarch64") && !cfg!(target_arch = "aarch64") {
            setup::install(&[(QEMU, "qemu-user-static")])?;
            Kind::Qemu { goroot: goroot("linux", "arm64")? }
        } else {
            Kind::Native
        };
        Ok(Self { triple, ko, kind })
    }

    /// Whether this machine runs it as it is.
    pub(super) fn is_native(&self) -> bool {
        matches!(self.kind, Kind::Native)
    }

    /// A call of its ko, with caches and a home below a directory.
    pub(super) fn ko(&self, dir: &Path) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = match &self.kind {
            Kind::Native => Command::new(&self.ko),
            Kind::Qemu { .. } => qemu(&self.ko),
            Kind::Wine { prefix, .. } => wine64(prefix, &[&self.ko]),
        };
        let as_seen = |path: PathBuf| match &self.kind {
            Kind::Wine { .. } => format!("Z:{}", path.display()).replace('/', "\\"),
            Kind::Native | Kind::Qemu { .. } => path.display().to_string(),
        };
        command.env_clear().envs(go::SETTINGS).env("GOPROXY", "off");
        match &self.kind {
            Kind::Native => command.env("PATH", path),
            Kind::Qemu { goroot } => {
                command.env("PATH", format!("{}:{path}", goroot.join("bin").display()))
            }
            Kind::Wine { goroot, prefix } => {
                command.env("WINEPREFIX", prefix).env("WINEDEBUG", "-all").env("PATH", path);
                // Without, wine makes other names of those beyond ASCII.
                command.env("LC_ALL", "C.UTF-8");
                command.env("WINEPATH", as_seen(goroot.join("bin")))
            }
        };
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
            command.env(name, as_seen(dir.join(place)));
        }
        command
    }
}

/// A program of arm64. It starts others only through a script that says how.
fn qemu(program: &Path) -> Command {
    let mut command = Command::new(QEMU);
    command.args(["-L", ARM64]).arg(program);
    command
}

/// Debian's wine for 64 bits, which is in no directory of PATH.
const WINE: &str = "/usr/lib/wine/wine64";

fn wine64(prefix: &Path, words: &[&Path]) -> Command {
    let mut command = Command::new(WINE);
    command.args(words).env("WINEPREFIX", prefix).env("WINEDEBUG", "-all");
    command
}

/// A home for wine, made if it is missing.
fn wine() -> Result<PathBuf> {
    let prefix = step::tools().join("cross/wine");
    let library = prefix.join("drive_c/windows/system32/bcryptprimitives.dll");
    if library.exists() {
        return Ok(prefix);
    }
    if !Path::new(WINE).exists() {
        setup::install(&[("wine64", "wine64")])?;
    }
    create(&prefix)?;
    let mut boot = wine64(&prefix, &[]);
    step::run(boot.args(["wineboot", "--init"]))?;
    let source = step::workspace().join("tools/xtask/src/cross/bcryptprimitives.c");
    let mut gcc = Command::new("x86_64-w64-mingw32-gcc");
    gcc.args(["-O1", "-shared", "-o"]).arg(&library).arg(source).arg("-ladvapi32");
    step::run(&mut gcc)?;
    Ok(prefix)
}

/// A GOROOT for a host: the sources are those of this machine's, the programs are built of
/// them, once.
fn goroot(system: &str, processor: &str) -> Result<PathBuf> {
    let here = PathBuf::from(go::env("GOROOT"));
    let version = go::env("GOVERSION");
    let root = step::tools().join(format!("cross/{version}-{system}-{processor}"));
    if root.join("VERSION").exists() {
        return Ok(root);
    }
    let (bin, tools) = (root.join("bin"), root.join(format!("pkg/tool/{system}_{processor}")));
    create(&bin)?;
    create(&tools)?;
    let overlay = match system {
        "windows" => Some(overlay(&here, &root)?),
        _ => None,
    };
    let mut places = vec![("go".to_owned(), bin.join("go"))];
    places.extend(TOOLS.map(|tool| (tool.to_owned(), tools.join(tool))));
    for (name, place) in places {
        let mut build = go::command();
        build.args(["build", "-trimpath", "-o"]).current_dir(here.join("src"));
        build.env("GOOS", system).env("GOARCH", processor).env("CGO_ENABLED", "0");
        if let Some(overlay) = &overlay {
            build.arg(place.with_extension("exe")).arg("-overlay").arg(overlay);
        } else {
            // What is no program of this machine is started by one that is.
            let program = place.with_extension("real");
            build.arg(&program);
            let script = format!(
                "#!/bin/sh\nexec {QEMU} -0 \"$0\" -L {ARM64} '{}' \"$@\"\n",
                program.display()
            );
            write(&place, &script)?;
            step::run(Command::new("chmod").arg("755").arg(&place))?;
        }
        step::run(build.arg(format!("cmd/{name}")))?;
    }
    for part in ["src", "lib", "pkg/include"] {
        let mut link = Command::new("ln");
        step::run(link.arg("-sfn").arg(here.join(part)).arg(root.join(part)))?;
    }
    for file in ["go.env", "VERSION"] {
        let copied = fs::copy(here.join(file), root.join(file));
        copied.map_err(|source| Error::File { path: here.join(file), source })?;
    }
    Ok(root)
}

/// What `go build` reads in the place of a file of Go's sources. wine 8 does not know how Go
/// 1.26 removes files, and says so by a status that Go takes for a failure.
fn overlay(goroot: &Path, root: &Path) -> Result<PathBuf> {
    const NOT_SUPPORTED: &str = "STATUS_NOT_SUPPORTED:";
    const NOT_IMPLEMENTED: &str = "STATUS_NOT_SUPPORTED, NTStatus(0xC0000002):";
    let original = goroot.join("src/internal/syscall/windows/at_windows.go");
    let text = fs::read_to_string(&original)
        .map_err(|source| Error::File { path: original.clone(), source })?;
    if !text.contains(NOT_SUPPORTED) {
        return Err(Error::Missing(format!("{NOT_SUPPORTED} in {}", original.display())));
    }
    let (replaced, overlay) = (root.join("at_windows.go"), root.join("overlay.json"));
    write(&replaced, &text.replace(NOT_SUPPORTED, NOT_IMPLEMENTED))?;
    let places = format!("{{\"Replace\": {{{original:?}: {replaced:?}}}}}");
    write(&overlay, &places)?;
    Ok(overlay)
}

fn create(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).map_err(|source| Error::File { path: dir.to_owned(), source })
}
