//! Changes of what is in an image beside the program.

use std::time::{Duration, SystemTime};

use super::source::{modified, touch};
use super::variable::set;
use super::{Change, alters, keeps};
use crate::workspace::Workspace;
use toolkit::Result;

const PAGE: &str = "app/kodata/page.txt";

pub(super) const ALL: [Change; 26] = [
    alters("label", |w| {
        let number = w.fresh();
        word(w, "label", &format!("--image-label=a={number}"))
    }),
    alters("annotation", |w| {
        let number = w.fresh();
        word(w, "annotation", &format!("--image-annotation=a={number}"))
    }),
    alters("user", |w| {
        let number = w.fresh();
        word(w, "user", &format!("--image-user={number}"))
    }),
    alters("SOURCE_DATE_EPOCH", |w| {
        let number = w.fresh();
        set(w, "SOURCE_DATE_EPOCH", &number.to_string())
    }),
    alters("KO_DATA_DATE_EPOCH", |w| {
        let number = w.fresh();
        set(w, "KO_DATA_DATE_EPOCH", &number.to_string())
    }),
    alters("another platform", |w| word(w, "platform", "--platform=linux/arm64"))
        .until(|w| no_word(w, "platform")),
    alters("all platforms", |w| word(w, "platform", "--platform=all"))
        .until(|w| no_word(w, "platform")),
    alters("compression", |w| word(w, "compression", "--compression=zstd"))
        .until(|w| no_word(w, "compression")),
    alters("optimizations", |w| word(w, "debug", "--disable-optimizations"))
        .until(|w| no_word(w, "debug")),
    keeps("SBOM", |w| match w.words.contains_key("sbom") {
        true => no_word(w, "sbom"),
        false => word(w, "sbom", "--sbom=none"),
    }),
    alters("base moved", |w| {
        let number = w.fresh();
        w.bases.push(("base", number));
        Ok(())
    })
    .after(|w| {
        w.checkout().settings = crate::settings::Settings::default();
        w.write_settings()?;
        Ok(true)
    }),
    alters("kodata edited", edit_page).after(first),
    alters("kodata edited, same size and mtime", unseen).after(page),
    alters("kodata edited, mtime in the future", |w| {
        edit_page(w)?;
        touch(w, PAGE, SystemTime::now() + Duration::from_secs(1_000_000_000))
    })
    .after(page),
    alters("kodata replaced by cp -p of an old file", |w| {
        let number = w.fresh();
        w.write("page.log", number.to_string())?;
        touch(w, "page.log", SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000))?;
        w.run("cp", &["-p", "page.log", PAGE])
    })
    .after(page),
    alters("kodata edited twice in a moment", |w| {
        edit_page(w)?;
        unseen(w)
    })
    .after(page),
    alters("directory of kodata renamed", |w| {
        let [one, other] = ["app/kodata/dir", "app/kodata/rid"];
        if w.has(one) { w.rename(one, other) } else { w.rename(other, one) }
    })
    .after(first)
    .until(|w| w.rename("app/kodata/rid", "app/kodata/dir")),
    keeps("kodata touched", |w| {
        let age = [0, 3, 400_000_000][w.rng.usize(..3)];
        touch(w, PAGE, SystemTime::now() - Duration::from_secs(age))
    }),
    alters("file of kodata appears or goes", |w| w.toggle("app/kodata/dir/new.txt", "new"))
        .after(first),
    alters("file of kodata renamed", |w| {
        let [one, other] = ["app/kodata/dir/more.txt", "app/kodata/dir/less.txt"];
        if w.has(one) { w.rename(one, other) } else { w.rename(other, one) }
    })
    .after(first),
    alters("link of kodata leads elsewhere", |w| w.link("app/kodata/link.txt", "dir"))
        .after(first)
        .until(|w| w.link("app/kodata/link.txt", "page.txt")),
    alters("target of a link of kodata edited", |w| {
        let number = w.fresh();
        w.write("shared/out.txt", number.to_string())
    })
    .after(|w| {
        first(w)?;
        w.link("app/kodata/out.txt", "../../shared/out.txt")?;
        Ok(true)
    })
    .until(|w| w.remove("app/kodata/out.txt")),
    alters("link of kodata leads nowhere", |w| w.link("app/kodata/link.txt", "none"))
        .after(first)
        .until(|w| w.link("app/kodata/link.txt", "page.txt")),
    alters("empty directory of kodata", |w| {
        let path = w.at("app/kodata/empty");
        if path.is_dir() { w.remove("app/kodata/empty") } else { w.make_dir(&path) }
    })
    .after(first),
    alters("kodata goes", |w| w.rename("app/kodata", "kodata.log"))
        .after(first)
        .until(|w| w.rename("kodata.log", "app/kodata")),
    alters("another program", |w| {
        w.programs = vec!["./cmd/second"];
        Ok(())
    })
    .until(|w| {
        w.programs = vec![".", "./cmd/second"];
        Ok(())
    }),
];

fn word(w: &mut Workspace, name: &'static str, flag: &str) -> Result<()> {
    w.words.insert(name, flag.to_owned());
    Ok(())
}

fn no_word(w: &mut Workspace, name: &'static str) -> Result<()> {
    w.words.remove(name);
    Ok(())
}

pub(super) fn edit_page(w: &mut Workspace) -> Result<()> {
    let number = w.fresh();
    w.write(PAGE, number.to_string())
}

pub(super) fn unseen(w: &mut Workspace) -> Result<()> {
    let modified = modified(w, PAGE)?;
    edit_page(w)?;
    touch(w, PAGE, modified)
}

/// As many bytes as all that is written later.
fn page(w: &mut Workspace) -> Result<bool> {
    first(w)?;
    edit_page(w)?;
    Ok(true)
}

/// Only the first program has kodata.
fn first(w: &mut Workspace) -> Result<bool> {
    let had = w.programs != ["."];
    w.programs = vec!["."];
    Ok(had)
}
