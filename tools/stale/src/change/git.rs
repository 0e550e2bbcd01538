//! Changes of the repository, all of which may be in the stamp.

use super::repository::alone;
use super::{Change, alters, keeps};
use crate::workspace::Workspace;
use toolkit::Result;

// Go stamps no tags into a module that is not at the root of its repository.
pub(super) const ALL: [Change; 20] = [
    alters("commit", |w| w.commit()).after(dirty),
    alters("empty commit", |w| w.commit()).after(clean),
    alters("commit amended", |w| {
        w.git(&["commit", "-q", "--amend", "--allow-empty", "-m", "amended"])
    })
    .after(clean),
    alters("tag", tag).after(clean),
    keeps("tag of the module", |w| {
        let number = w.fresh();
        w.git(&["tag", &format!("app/v1.{number}.0")])
    })
    .after(clean),
    keeps("tag moved", |w| w.git(&["tag", "-f", "app/v2.0.0", "HEAD~1"])).after(|w| {
        stamped(w)?;
        w.commit()?;
        w.commit()?;
        w.git(&["tag", "-f", "app/v1.9999999.0"])?;
        w.git(&["tag", "-f", "app/v2.0.0"])?;
        Ok(true)
    }),
    keeps("tag deleted", |w| w.git(&["tag", "-d", "app/v1.8888888.0"])).after(|w| {
        clean(w)?;
        w.git(&["tag", "-f", "app/v1.8888888.0"])?;
        Ok(true)
    }),
    alters("untracked file", |w| w.write("docs/untracked.md", "text\n")).after(|w| {
        w.remove("docs/untracked.md")?;
        clean(w)
    }),
    alters("untracked file goes", |w| w.remove("docs/gone.md")).after(|w| {
        clean(w)?;
        w.write("docs/gone.md", "text\n")?;
        Ok(true)
    }),
    alters("tracked file edited elsewhere", |w| {
        let number = w.fresh();
        w.write(".gitignore", format!("*.log\n# {number}\n"))
    })
    .after(clean),
    alters("tracked file restored", |w| w.git(&["checkout", "-q", "."])).after(dirty),
    alters("mode of a tracked file", |w| w.run("chmod", &["755", "shared/out.txt"]))
        .after(clean)
        .until(|w| w.run("chmod", &["644", "shared/out.txt"])),
    alters("earlier commit checked out", |w| w.git(&["checkout", "-q", "--detach", "HEAD~1"]))
        .after(clean)
        .until(|w| w.git(&["checkout", "-q", "main"])),
    alters("repository goes", |w| w.rename(".git", "../git"))
        .after(clean)
        .until(|w| w.rename("../git", ".git")),
    alters("repository of the program alone", |w| w.run("git", &["init", "-q", "app"]))
        .after(clean)
        .until(|w| w.remove("app/.git")),
    keeps("ignored file", |w| {
        let number = w.fresh();
        w.write("ignored.log", number.to_string())
    }),
    keeps("branch of the same commit", |w| {
        let name = format!("branch-{}", w.fresh());
        w.git(&["branch", &name])
    }),
    keeps("references packed", |w| w.git(&["pack-refs", "--all"])),
    keeps("repository repacked", |w| w.git(&["gc", "-q"])),
    keeps("index refreshed", |w| {
        w.run("touch", &["lib/lib.go", "alt/lib.go"])?;
        w.git(&["status", "-s"])
    }),
];

fn tag(w: &mut Workspace) -> Result<()> {
    // The module is not at the root: only its own tags count for Go.
    w.checkout().settings = super::settings::with_ldflags("-X main.version={{.Git.Tag}}");
    w.write_settings()?;
    let number = w.fresh();
    w.git(&["tag", &format!("v1.{number}.0")])
}

/// Nothing forbids the stamp.
fn stamped(w: &mut Workspace) -> Result<()> {
    w.env.remove("GOFLAGS");
    if !w.stamps_git_files() {
        alone(w)?;
    }
    Ok(())
}

pub(super) fn clean(w: &mut Workspace) -> Result<bool> {
    stamped(w)?;
    w.commit()?;
    Ok(true)
}

fn dirty(w: &mut Workspace) -> Result<bool> {
    clean(w)?;
    w.write("shared/out.txt", "dirty\n")?;
    Ok(true)
}
