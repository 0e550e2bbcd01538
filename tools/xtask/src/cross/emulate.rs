//! Other hosts, as emulators have them: wine for Windows, and QEMU for another
//! processor, each with a `go` for that host, built of the sources of this machine's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use toolkit::file::write;
use toolkit::{Error, Result, go, step};

use crate::setup;

/// Runs programs of arm64.
const QEMU: &str = "qemu-aarch64-static";

/// After how long a ko in QEMU, which has once left the child of a fork in a lock of its own, has
/// failed: no case takes a minute.
const HANGS: &str = "15m";

/// Where Debian has the C library of arm64.
const ARM64: &str = "/usr/aarch64-linux-gnu";

/// The parts of `go` that build programs without C.
const TOOLS: [&str; 3] = ["asm", "compile", "link"];

/// A host.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) triple: &'static str,
    /// Its ko, or a script that has an emulator run it.
    pub(super) ko: PathBuf,
    pub(super) emulator: Option<Emulator>,
    /// The directory to put before `PATH`, for a host that cannot use this machine's `go`. In
    /// wine, the script of `ko` names it.
    pub(super) go: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Emulator {
    Qemu,
    Wine,
}

impl Host {
    /// The host of a target's binary, with all that emulates it.
    pub(super) fn of(triple: &'static str, ko: PathBuf) -> Result<Self> {
        let (emulator, go, lines) = if triple.contains("windows") {
            let go = goroot("windows", "amd64")?.join("bin");
            serve_wine()?;
            (Emulator::Wine, None, in_wine(&ko, &go))
        } else if triple.starts_with("aarch64") && !cfg!(target_arch = "aarch64") {
            setup::install(&[(QEMU, "qemu-user-static")])?;
            let go = goroot("linux", "arm64")?.join("bin");
            let ko = ko.display();
            let line = format!("exec timeout {HANGS} {QEMU} -L {ARM64} '{ko}' \"$@\"\n");
            (Emulator::Qemu, Some(go), line)
        } else {
            return Ok(Self { triple, ko, emulator: None, go: None });
        };
        let path = step::tools().join("cross").join(format!("ko-{triple}"));
        script(&path, &lines)?;
        Ok(Self { triple, ko: path, emulator: Some(emulator), go })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if self.emulator == Some(Emulator::Wine) {
            // It ends by itself, too.
            let _ended = wineserver("-k").status();
        }
    }
}

/// What a script says so that a ko for Windows finds `go` and its directories.
fn in_wine(ko: &Path, go: &Path) -> String {
    format!(
        "for name in HOME USERPROFILE LOCALAPPDATA APPDATA TMP TEMP KOCACHE GOCACHE GOPATH DOCKER_CONFIG; do
  eval \"value=\\$$name\"
  case $value in /*) export \"$name=Z:$(printf %s \"$value\" | tr / '\\\\')\" ;; esac
done
# Without, wine makes other names of those beyond ASCII.
export LC_ALL=C.UTF-8 WINEDEBUG=-all WINEPREFIX='{}' WINEPATH='{}'
exec {WINE} '{}' \"$@\"
",
        prefix().display(),
        format!("Z:{}", go.display()).replace('/', "\\"),
        ko.display()
    )
}

/// Writes a script that anybody may run.
fn script(path: &Path, lines: &str) -> Result<()> {
    write(path, &format!("#!/bin/sh\n{lines}"))?;
    step::run(Command::new("chmod").arg("755").arg(path))
}

/// Debian's wine for 64 bits, which is in no directory of PATH.
const WINE: &str = "/usr/lib/wine/wine64";

/// What wine's programs share.
fn wineserver(word: &str) -> Command {
    let mut command = Command::new("/usr/lib/wine/wineserver64");
    command.arg(word).env("WINEPREFIX", prefix());
    command
}

/// wine's home.
fn prefix() -> PathBuf {
    step::tools().join("cross/wine")
}

/// Starts Windows' services, in a home that is made if it is missing. They take seconds to
/// start, and stay ten minutes without use.
fn serve_wine() -> Result<()> {
    let prefix = prefix();
    if !Path::new(WINE).exists() {
        setup::install(&[("wine64", "wine64")])?;
    }
    create(&prefix)?;
    // One that is left of another run would refuse a second.
    step::output(&mut wineserver("-k"))?;
    step::run(&mut wineserver("-p600"))?;
    let mut boot = Command::new(WINE);
    boot.args(["wineboot", "--init"]).env("WINEPREFIX", &prefix).env("WINEDEBUG", "-all");
    // The services would hold the pipes of who started them.
    step::run(boot.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()))?;
    let library = prefix.join("drive_c/windows/system32/bcryptprimitives.dll");
    if library.exists() {
        return Ok(());
    }
    let source = step::workspace().join("tools/xtask/src/cross/bcryptprimitives.c");
    let mut gcc = Command::new("x86_64-w64-mingw32-gcc");
    step::run(gcc.args(["-O1", "-shared", "-o"]).arg(&library).arg(source).arg("-ladvapi32"))
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
            let path = program.display();
            script(&place, &format!("exec {QEMU} -0 \"$0\" -L {ARM64} '{path}' \"$@\"\n"))?;
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
