//! Changes of variables, of the files that they name, and of the toolchain.

use std::os::unix::fs::PermissionsExt;

use super::modules::{plain, toggle_line, worked};
use super::{Change, alters, keeps};
use crate::workspace::Workspace;
use toolkit::{Error, Result};

/// Where a copy of GOROOT is, seen from a checkout.
const COPY: &str = "../../../goroot";

pub(super) const ALL: [Change; 20] = [
    alters("GOFLAGS selects a tag", |w| toggle(w, "GOFLAGS", "-tags=special")).after(plain_flags),
    alters("GOFLAGS forbids the stamp", |w| toggle(w, "GOFLAGS", "-buildvcs=false"))
        .after(plain_flags),
    alters("GOFLAGS=-overlay", |w| {
        w.write("../../../overlay.go", "package lib\n\nconst Text = \"overlay\"\n")?;
        let (from, to) = (w.at("lib/lib.go"), w.at("../../../overlay.go"));
        let json = format!(r#"{{"Replace": {{"{}": "{}"}}}}"#, from.display(), to.display());
        w.write("../../../overlay.json", json)?;
        set(w, "GOFLAGS", "-overlay=$ROOT/overlay.json")
    })
    .after(plain)
    .until(|w| unset(w, "GOFLAGS")),
    alters("GOFLAGS=-modfile", |w| {
        let text = w.read("app/go.mod")?.replace("../lib", "../alt");
        w.write("../../../other.mod", text)?;
        set(w, "GOFLAGS", "-modfile=$ROOT/other.mod")
    })
    .after(plain)
    .until(|w| unset(w, "GOFLAGS")),
    alters("go env -w: a tag", |w| w.write("../../../goenv", "GOFLAGS=-tags=other\n"))
        .after(plain_flags),
    alters("go env -w: an instruction set", |w| w.write("../../../goenv", "GOAMD64=v3\n"))
        .after(plain_flags)
        .until(|w| w.remove("../../../goenv")),
    alters("GOAMD64", |w| set(w, "GOAMD64", "v3"))
        .after(plain_flags)
        .until(|w| unset(w, "GOAMD64")),
    alters("GOTOOLCHAIN", |w| set(w, "GOTOOLCHAIN", "go1.25.4")).until(|w| unset(w, "GOTOOLCHAIN")),
    alters("toolchain line", |w| toggle_line(w, "toolchain go1.25.4"))
        .after(|w| {
            set(w, "GOTOOLCHAIN", "go1.24.10+auto")?;
            Ok(true)
        })
        .until(|w| {
            unset(w, "GOTOOLCHAIN")?;
            toggle_line(w, "toolchain go1.25.4")
        }),
    alters("go.env of another go", |w| {
        w.write(&format!("{COPY}/go.env"), "GOTOOLCHAIN=local\nGOFLAGS=-tags=special\n")
    })
    .after(|w| {
        plain_flags(w)?;
        copied(w)?;
        set(w, "KO_GO_PATH", "$ROOT/goroot/bin/go")?;
        Ok(true)
    })
    .until(|w| unset(w, "KO_GO_PATH")),
    alters("another go first in PATH", |w| {
        copied(w)?;
        w.write(&format!("{COPY}/go.env"), "GOTOOLCHAIN=local\nGOFLAGS=-tags=other\n")?;
        let path = std::env::var("PATH").unwrap_or_default();
        set(w, "PATH", &format!("$ROOT/goroot/bin:{path}"))
    })
    .after(plain_flags)
    .until(|w| unset(w, "PATH")),
    keeps("go by way of a link", |w| {
        let go = w.goroot.join("bin/go").display().to_string();
        w.link("../../../linked-go", &go)?;
        set(w, "KO_GO_PATH", "$ROOT/linked-go")
    })
    .until(|w| unset(w, "KO_GO_PATH")),
    alters("go by way of a script", |w| shim(w, "-tags=special"))
        .after(|w| {
            plain_flags(w)?;
            shim(w, "")?;
            Ok(true)
        })
        .until(|w| unset(w, "KO_GO_PATH")),
    alters("CGO_ENABLED", |w| set(w, "CGO_ENABLED", "1")).until(|w| unset(w, "CGO_ENABLED")),
    alters("GOWORK=off", |w| set(w, "GOWORK", "off")).after(worked).until(|w| unset(w, "GOWORK")),
    alters("GOWORK names a file", |w| {
        w.write(
            "../../../elsewhere.work",
            format!(
                "go 1.22\n\nuse (\n\t{}\n\t{}\n)\n",
                w.at("app").display(),
                w.at("alt").display(),
            ),
        )?;
        set(w, "GOWORK", "$ROOT/elsewhere.work")
    })
    .after(plain)
    .until(|w| unset(w, "GOWORK")),
    alters("GO111MODULE=off", |w| set(w, "GO111MODULE", "off")).until(|w| unset(w, "GO111MODULE")),
    keeps("variables that do not matter", |w| {
        let number = w.fresh();
        set(w, "UNRELATED", &number.to_string())
    }),
    keeps("another TMPDIR", |w| {
        let dir = w.at("../../../other-tmp");
        w.make_dir(&dir)?;
        toggle(w, "TMPDIR", "$ROOT/other-tmp")
    }),
    alters("variable in a template", |w| {
        let number = w.fresh();
        set(w, "RELEASE", &number.to_string())
    })
    .after(|w| {
        w.programs = vec!["."];
        w.checkout().settings = super::settings::with_ldflags("-X main.version={{.Env.RELEASE}}");
        set(w, "RELEASE", "none")?;
        w.write_settings()?;
        Ok(true)
    }),
];

pub(super) fn set(w: &mut Workspace, name: &'static str, value: &str) -> Result<()> {
    w.env.insert(name, value.to_owned());
    Ok(())
}

pub(super) fn unset(w: &mut Workspace, name: &'static str) -> Result<()> {
    w.env.remove(name);
    Ok(())
}

pub(super) fn toggle(w: &mut Workspace, name: &'static str, value: &str) -> Result<()> {
    match w.env.remove(name) {
        Some(_) => Ok(()),
        None => set(w, name, value),
    }
}

/// No flags come from outside, and the program is for the machine's own
/// architecture.
fn plain_flags(w: &mut Workspace) -> Result<bool> {
    let had = w.env.contains_key("GOFLAGS") || w.has("../../../goenv");
    let had = had || w.words.contains_key("platform") || w.checkout().settings.flags.is_some();
    w.env.remove("GOFLAGS");
    w.words.remove("platform");
    w.remove("../../../goenv")?;
    w.checkout().settings.flags = None;
    w.write_settings()?;
    Ok(had)
}

/// A GOROOT of its own, as far as a `go` may differ without its version.
fn copied(w: &Workspace) -> Result<()> {
    let root = w.goroot.display().to_string();
    w.make_dir(&w.at(COPY))?;
    for name in ["src", "pkg", "lib"] {
        w.link(&format!("{COPY}/{name}"), &format!("{root}/{name}"))?;
    }
    for name in ["bin", "VERSION", "go.env"] {
        w.run("cp", &["-r", &format!("{root}/{name}"), COPY])?;
    }
    // In the module cache, nobody may write.
    w.run("chmod", &["-R", "u+w", COPY])
}

fn shim(w: &mut Workspace, flags: &str) -> Result<()> {
    let go = w.goroot.join("bin/go");
    let text = format!("#!/bin/sh\nGOFLAGS={flags} exec {} \"$@\"\n", go.display());
    w.write("../../../shim/go", text)?;
    let path = w.at("../../../shim/go");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&path, mode).map_err(|source| Error::File { path, source })?;
    set(w, "KO_GO_PATH", "$ROOT/shim/go")
}
