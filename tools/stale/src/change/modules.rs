//! Changes of what an import path means: `go.mod`, `go.work`, `vendor`.

use super::{Change, alters, keeps};
use crate::workspace::Workspace;
use toolkit::Result;

const LIST: &str = "# example.com/lib v0.0.0 => ../lib\n## explicit; go 1.21\n\
                    example.com/lib\n# example.com/lib => ../lib\n";

/// As seen from the directory of the checkout.
pub(super) const WORK: &str = "go 1.22\n\nuse (\n\t./app\n\t./alt\n)\n";

pub(super) const ALL: [Change; 14] = [
    alters("replaced module edited", |w| edit(w, "lib/lib.go")).after(plain),
    alters("replace leads elsewhere", |w| replace(w, "../alt"))
        .after(plain)
        .until(|w| replace(w, "../lib")),
    alters("go line", |w| toggle_line(w, "go 1.22")).after(plain),
    alters("godebug line", |w| toggle_line(w, "godebug panicnil=1")).after(plain),
    keeps("comment in go.mod", |w| toggle_line(w, "// A comment.")),
    keeps("go.sum appears or goes", |w| w.toggle("app/go.sum", "")),
    alters("go.work appears", |w| w.write("go.work", WORK)).after(plain),
    alters("go.work appears further up", |w| w.write("../go.work", WORK.replace("./", "./w/")))
        .after(plain),
    alters("go.work edited", |w| w.write("go.work", WORK.replace("./alt", "./lib"))).after(worked),
    alters("go.work goes", |w| w.remove("go.work")).after(worked),
    alters("vendor appears", vendor).after(plain),
    alters("vendored source edited", |w| edit(w, "app/vendor/example.com/lib/lib.go"))
        .after(vendored),
    alters("vendor/modules.txt disagrees", |w| w.write("app/vendor/modules.txt", ""))
        .after(vendored)
        .until(vendor),
    alters("vendor goes", |w| w.remove("app/vendor")).after(vendored),
];

fn edit(w: &mut Workspace, name: &str) -> Result<()> {
    let number = w.fresh();
    w.write(name, format!("package lib\n\n// Text is shown.\nconst Text = \"{number}\"\n"))
}

fn replace(w: &mut Workspace, with: &'static str) -> Result<()> {
    w.checkout().replaced = with;
    w.write_go_mod()
}

pub(super) fn toggle_line(w: &mut Workspace, line: &'static str) -> Result<()> {
    let lines = &mut w.checkout().lines;
    match lines.iter().position(|have| *have == line) {
        Some(at) => _ = lines.remove(at),
        None => lines.push(line),
    }
    w.write_go_mod()
}

fn vendor(w: &mut Workspace) -> Result<()> {
    w.write("app/vendor/modules.txt", LIST)?;
    edit(w, "app/vendor/example.com/lib/lib.go")
}

/// Neither `go.work` nor `vendor`, and both programs use the module.
pub(super) fn plain(w: &mut Workspace) -> Result<bool> {
    let mut had = w.env.remove("GOWORK").is_some() || w.programs != ["."];
    w.programs = vec!["."];
    for name in ["go.work", "../go.work", "app/vendor"] {
        had |= w.has(name);
        w.remove(name)?;
    }
    Ok(had)
}

pub(super) fn worked(w: &mut Workspace) -> Result<bool> {
    let had = plain(w)? || !w.has("go.work");
    w.write("go.work", WORK)?;
    Ok(had)
}

fn vendored(w: &mut Workspace) -> Result<bool> {
    plain(w)?;
    vendor(w)?;
    Ok(true)
}
