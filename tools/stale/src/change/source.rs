//! Changes of sources, of embedded files, and of what only looks like them.

use std::fs::File;
use std::time::{Duration, SystemTime};

use super::{Change, alters, keeps};
use crate::workspace::{ASSEMBLY, Workspace};
use toolkit::{Error, Result};

const TEXT: &str = "app/inner/text.go";

pub(super) const ALL: [Change; 26] = [
    alters("source edited", edit),
    alters("source edited, same size and mtime", edit_unseen),
    alters("source edited, mtime in the future", |w| {
        edit(w)?;
        touch(w, TEXT, SystemTime::now() + Duration::from_secs(1_000_000_000))
    }),
    alters("source replaced by cp -p of an old file", |w| {
        let text = text(w);
        w.write("new.log", text)?;
        touch(w, "new.log", SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000))?;
        w.run("cp", &["-p", "new.log", TEXT])
    }),
    alters("source unpacked from a tar", |w| {
        let before = w.read(TEXT)?;
        edit(w)?;
        touch(w, TEXT, SystemTime::UNIX_EPOCH + Duration::from_secs(1_500_000_000))?;
        w.run("tar", &["cf", "text.log", TEXT])?;
        w.write(TEXT, before)?;
        w.run("tar", &["xf", "text.log"])
    }),
    alters("source renamed over", |w| {
        let text = text(w);
        w.write("new.log", text)?;
        w.rename("new.log", TEXT)
    }),
    alters("source edited twice in a moment", |w| {
        edit(w)?;
        edit(w)
    }),
    alters("file of a package appears or goes", |w| {
        w.toggle("app/inner/extra.go", "package inner\n\nfunc init() { println(\"extra\") }\n")
    }),
    alters("file renamed to another system's", |w| {
        let [here, there] = ["app/inner/plat.go", "app/inner/plat_windows.go"];
        if w.has(here) { w.rename(here, there) } else { w.rename(there, here) }
    }),
    alters("file named for linux appears or goes", |w| {
        w.toggle("app/inner/x_linux.go", "package inner\n\nfunc init() { println(\"linux\") }\n")
    }),
    alters("assembly edited", |w| {
        let number = w.fresh();
        w.write("app/inner/value_amd64.s", ASSEMBLY.replace("$1,", &format!("${number},")))
    })
    .after(native),
    alters("header edited", |w| {
        let number = w.fresh();
        w.write("app/inner/value.h", format!("#define VALUE ${number}\n"))
    })
    .after(native),
    alters("embedded file edited", |w| {
        let number = w.fresh();
        w.write("app/files/one.txt", format!("{number}\n"))
    }),
    alters("file matches a pattern of embed, or no longer", |w| w.toggle("app/files/two.txt", "2")),
    alters("file in an embedded directory appears or goes", |w| {
        w.toggle("app/files/assets/deep/er/and/deeper/c.txt", "c\n")
    }),
    alters("embedded directory renamed", |w| {
        let [one, other] = ["app/files/assets/deep", "app/files/assets/peed"];
        if w.has(one) { w.rename(one, other) } else { w.rename(other, one) }
    }),
    keeps("empty directory among embedded ones", |w| {
        let path = w.at("app/files/assets/empty");
        if path.is_dir() { w.remove("app/files/assets/empty") } else { w.make_dir(&path) }
    }),
    alters("target of a link among the sources edited", |w| {
        let number = w.fresh();
        let text = format!("package inner\n\nfunc init() {{ println({number}) }}\n");
        w.write("shared/linked.go", text)
    }),
    alters("package imported, or no longer", |w| {
        let import = "package inner\n\nimport _ \"example.com/app/more\"\n";
        let none = "package inner\n";
        let now = if w.read("app/inner/uses.go")? == none { import } else { none };
        w.write("app/inner/uses.go", now)
    }),
    alters("source does not compile", |w| {
        w.write("app/inner/broken.go", "package inner\n\nvar _ = x\n")
    })
    .until(|w| w.remove("app/inner/broken.go")),
    alters("profile that is none", |w| w.write("app/default.pgo", "no profile\n"))
        .until(|w| w.remove("app/default.pgo")),
    alters("nested module", |w| w.write("app/inner/go.mod", "module example.com/nested\n"))
        .until(|w| w.remove("app/inner/go.mod")),
    keeps("source touched", |w| {
        let ages = [Duration::ZERO, Duration::from_secs(3), Duration::from_secs(400_000_000)];
        let age = ages[w.rng.usize(..ages.len())];
        touch(w, TEXT, SystemTime::now() - age)
    }),
    keeps("source rewritten as it was", |w| {
        let text = w.read(TEXT)?;
        w.write("new.log", text)?;
        w.rename("new.log", TEXT)
    }),
    keeps("test edited", |w| {
        let number = w.fresh();
        w.write("app/inner/text_test.go", format!("package inner\n\nconst test = {number}\n"))
    }),
    keeps("file that go ignores", |w| {
        let number = w.fresh();
        w.write("app/inner/_ignored.go", format!("{number}"))
    }),
];

/// A source that nobody has compiled, always of the same size.
fn text(w: &mut Workspace) -> String {
    let number = w.fresh();
    format!("package inner\n\n// Text is shown.\nconst Text = \"{number}\"\n")
}

pub(crate) fn edit(w: &mut Workspace) -> Result<()> {
    let text = text(w);
    w.write(TEXT, text)
}

/// As editors do not, but some generators do.
pub(super) fn edit_unseen(w: &mut Workspace) -> Result<()> {
    let modified = modified(w, TEXT)?;
    edit(w)?;
    touch(w, TEXT, modified)
}

pub(super) fn modified(w: &Workspace, name: &str) -> Result<SystemTime> {
    let path = w.at(name);
    let modified = path.metadata().and_then(|found| found.modified());
    modified.map_err(|source| Error::File { path, source })
}

pub(super) fn touch(w: &Workspace, name: &str, time: SystemTime) -> Result<()> {
    let path = w.at(name);
    let file = File::options().write(true).open(&path);
    let done = file.and_then(|file| file.set_modified(time));
    done.map_err(|source| Error::File { path, source })
}

/// Assembly is for one architecture only.
fn native(w: &mut Workspace) -> Result<bool> {
    w.programs = vec!["."];
    Ok(w.words.remove("platform").is_some())
}
