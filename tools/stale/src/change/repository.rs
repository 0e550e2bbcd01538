//! Forms of a repository: linked work trees, submodules, git directories
//! elsewhere, repositories within others. Releases of Go differ in which of
//! them they stamp.

use super::git::clean;
use super::variable::{set, unset};
use super::{Change, alters, keeps};
use crate::workspace::Workspace;
use toolkit::Result;

pub(super) const ALL: [Change; 8] = [
    keeps("work goes on in a linked work tree", work_tree).after(clean),
    keeps("work goes on in a submodule", submodule).after(clean),
    keeps("git directory moved elsewhere", |w| {
        let number = w.fresh();
        w.git(&["init", "-q", "--separate-git-dir", &format!("../separate-{number}")])
    })
    .after(|w| {
        let new = alone(w)?;
        Ok(clean(w)? || new)
    }),
    alters("repository of its own again", |w| alone(w).map(drop)).after(|w| {
        clean(w)?;
        submodule(w)?;
        Ok(true)
    }),
    keeps("commit in the repository around", |w| {
        around(w, &["commit", "-q", "--allow-empty", "-m", "around"])
    })
    .after(|w| {
        clean(w)?;
        work_tree(w)?;
        Ok(true)
    }),
    keeps("file in the repository around", |w| w.toggle("../around.txt", "text\n")).after(|w| {
        clean(w)?;
        work_tree(w)?;
        Ok(true)
    }),
    keeps("repository around all checkouts", |w| {
        let places = w.root().join("places").display().to_string();
        if w.root().join("places/.git").exists() {
            return w.run("rm", &["-rf", &format!("{places}/.git")]);
        }
        w.git(&["init", "-q", "-b", "main", &places])?;
        w.git(&["-C", &places, "commit", "-q", "--allow-empty", "-m", "places"])
    }),
    alters("release of Go that finds another repository", |w| {
        let other = if w.stamps_git_files() { "go1.25.4" } else { "go1.27.3" };
        set(w, "GOTOOLCHAIN", other)
    })
    .after(|w| {
        clean(w)?;
        work_tree(w)?;
        w.write("shared/out.txt", "another\n")?;
        Ok(true)
    })
    .until(|w| unset(w, "GOTOOLCHAIN")),
];

/// The directory that is to have a new checkout of its own, `w`.
fn place(w: &mut Workspace) -> Result<String> {
    let number = w.fresh();
    w.make_dir(&w.root().join("places"))?;
    Ok(w.root().join(format!("places/{number}")).display().to_string())
}

/// Work goes on in `w` of a place, which has what is committed.
fn go_on(w: &mut Workspace, place: &str) {
    w.forget_others();
    w.checkout().dir = format!("{place}/w").into();
}

/// In a linked work tree that lies in its repository, at the same commit, and is
/// ignored there.
fn work_tree(w: &mut Workspace) -> Result<()> {
    let place = place(w)?;
    let here = w.checkout().dir.display().to_string();
    w.git(&["clone", "-q", &here, &place])?;
    w.write(&format!("{place}/.git/info/exclude"), "/w/\n")?;
    w.git(&["-C", &place, "branch", "-q", "-f", "spare"])?;
    w.git(&["-C", &place, "checkout", "-q", "spare"])?;
    w.git(&["-C", &place, "worktree", "add", "-q", "-B", "main", "w"])?;
    go_on(w, &place);
    Ok(())
}

/// In a submodule of another repository.
fn submodule(w: &mut Workspace) -> Result<()> {
    let place = place(w)?;
    let here = w.checkout().dir.display().to_string();
    w.git(&["init", "-q", &place])?;
    let add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &here, "w"];
    w.git(&[&["-C", &place], &add[..]].concat())?;
    w.git(&["-C", &place, "commit", "-q", "-m", "submodule"])?;
    w.git(&["-C", &format!("{place}/w"), "checkout", "-q", "-B", "main"])?;
    // A copy elsewhere is to be of the same repository.
    w.git(&["-C", &format!("{place}/w"), "config", "--unset", "core.worktree"])?;
    w.write(&format!("{place}/w/.git"), format!("gitdir: {place}/.git/modules/w\n"))?;
    go_on(w, &place);
    Ok(())
}

/// Gives the checkout a repository of its own, in a directory, if it has none;
/// whether that was so.
pub(super) fn alone(w: &mut Workspace) -> Result<bool> {
    if w.at(".git").is_dir() {
        return Ok(false);
    }
    w.remove(".git")?;
    w.git(&["init", "-q", "-b", "main"])?;
    w.commit()?;
    Ok(true)
}

/// Runs git in the directory above, if that is a repository.
fn around(w: &Workspace, words: &[&str]) -> Result<()> {
    if !w.has("../.git") {
        return Ok(());
    }
    w.git(&[&["-C", ".."], words].concat())
}
