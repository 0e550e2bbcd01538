//! What happens while a build runs, some time after its start. Whatever that
//! build saw, the next must be right.

use std::thread::sleep;
use std::time::Duration;

use super::Act;
use super::image::{edit_page, unseen};
use super::modules::WORK;
use super::source::{edit, edit_unseen};
use crate::workspace::Workspace;

pub(crate) const DURING: [(&str, Act); 10] = [
    ("source edited during the build", edit),
    ("source edited unseen during the build", edit_unseen),
    ("source edited and restored during the build", |w| {
        let before = w.read("app/inner/text.go")?;
        edit(w)?;
        pause(w);
        w.write("app/inner/text.go", before)
    }),
    ("file appears and goes during the build", |w| {
        let text = "package inner\n\nfunc init() { println(\"soon\") }\n";
        w.write("app/inner/soon.go", text)?;
        pause(w);
        w.remove("app/inner/soon.go")
    }),
    ("commit during the build", |w| {
        // It fails where the build's own git has the index locked.
        let _ = w.commit();
        Ok(())
    }),
    ("repository goes and comes back during the build", |w| {
        w.rename(".git", "../git")?;
        pause(w);
        w.rename("../git", ".git")
    }),
    ("go.work appears and goes during the build", |w| {
        w.write("go.work", WORK)?;
        pause(w);
        w.remove("go.work")
    }),
    ("kodata edited during the build", edit_page),
    ("kodata edited unseen during the build", unseen),
    ("kodata edited and restored during the build", |w| {
        let before = w.read("app/kodata/page.txt")?;
        edit_page(w)?;
        pause(w);
        w.write("app/kodata/page.txt", before)
    }),
];

/// A part of the time that a build takes.
pub(crate) fn pause(w: &mut Workspace) {
    sleep(Duration::from_millis(w.rng.u64(..400)));
}
