//! Changes of what is in an image beside its program: files, other programs, and images of
//! programs as bases. ko knows nothing of these.

use super::source::{modified, touch};
use super::{Change, alters, keeps};
use crate::workspace::Workspace;
use std::time::SystemTime;
use toolkit::Result;

const PAGE: &str = "app/web/page.txt";
const SECOND: &str = "app/cmd/second/main.go";
const OF_SECOND: &str = "app/cmd/second/kodata/second.txt";

const FILES: &str = "files: [{src: web, dst: /srv}, {src: '../shared/*.txt', dst: /etc/app/}]";
const MAINS: &str = "mains: [./cmd/second]";

pub(super) const ALL: [Change; 14] = [
    alters("file edited", edit).after(files),
    alters("file edited, same size and mtime", |w| {
        let modified = modified(w, PAGE)?;
        edit(w)?;
        touch(w, PAGE, modified)
    })
    .after(|w| {
        let had = files(w)?;
        edit(w)?;
        Ok(had)
    }),
    keeps("file touched", |w| touch(w, PAGE, SystemTime::now())).after(files),
    alters("file comes or goes", |w| w.toggle("app/web/deep/new.txt", "new")).after(files),
    alters("file renamed", |w| {
        let [one, other] = ["app/web/one.txt", "app/web/two.txt"];
        if w.has(one) { w.rename(one, other) } else { w.rename(other, one) }
    })
    .after(files),
    alters("what a pattern matches comes or goes", |w| w.toggle("shared/new.txt", "new"))
        .after(files),
    alters("link among files leads elsewhere", |w| w.link("app/web/link.txt", "two/../one.txt"))
        .after(|w| {
            files(w)?;
            w.make_dir(&w.at("app/web/two"))?;
            w.write("app/web/one.txt", "1")?;
            w.write("app/web/other.txt", "other")?;
            w.link("app/web/link.txt", "other.txt")?;
            Ok(true)
        })
        .until(|w| w.remove("app/web/link.txt")),
    alters("mode of files", |w| {
        let number = w.rng.u32(..8);
        let text = format!("files: [{{src: web, dst: /srv, mode: 044{number}}}]");
        configure(w, Some(&text), false).map(drop)
    })
    .after(files)
    .until(|w| files(w).map(drop)),
    alters("another program edited", second).after(|w| configure(w, Some(MAINS), false)),
    alters("kodata of another program", kodata)
        .after(|w| configure(w, Some(MAINS), false))
        .until(|w| w.remove("app/cmd/second/kodata")),
    alters("another program comes or goes", |w| {
        let has = w.checkout().settings.image.is_some();
        configure(w, Some(MAINS).filter(|_| !has), false).map(drop)
    }),
    alters("program of the base edited", second).after(|w| configure(w, None, true)),
    alters("kodata of the base", kodata)
        .after(|w| configure(w, None, true))
        .until(|w| w.remove("app/cmd/second/kodata")),
    alters("base built here or not", |w| {
        let upon = w.checkout().settings.upon;
        configure(w, None, !upon).map(drop)
    }),
];

/// What the image of the program has beside it; true if that is new.
fn configure(w: &mut Workspace, image: Option<&str>, upon: bool) -> Result<bool> {
    let had = w.programs != ["."];
    w.programs = vec!["."];
    let settings = &mut w.checkout().settings;
    let image = image.map(str::to_owned);
    let is_new = settings.image != image || settings.upon != upon || settings.absent;
    (settings.image, settings.upon, settings.absent) = (image, upon, false);
    w.write_settings()?;
    Ok(had || is_new)
}

fn files(w: &mut Workspace) -> Result<bool> {
    if !w.has(PAGE) {
        w.write(PAGE, "page")?;
    }
    if !w.has("app/web/two.txt") {
        w.write("app/web/one.txt", "1")?;
    }
    configure(w, Some(FILES), false)
}

fn edit(w: &mut Workspace) -> Result<()> {
    let number = w.fresh();
    w.write(PAGE, number.to_string())
}

fn second(w: &mut Workspace) -> Result<()> {
    let number = w.fresh();
    let text = w.read(SECOND)?;
    let text = text.split("// ").next().unwrap_or_default();
    w.write(SECOND, format!("{text}// {number}\n\nfunc init() {{ println({number}) }}\n"))
}

fn kodata(w: &mut Workspace) -> Result<()> {
    let number = w.fresh();
    w.write(OF_SECOND, number.to_string())
}
