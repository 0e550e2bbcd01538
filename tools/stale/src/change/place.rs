//! Checkouts that are moved and copied, and others that share the cache.

use super::settings::untrimmed;
use super::source::{edit, edit_unseen};
use super::{Change, alters, keeps};
use crate::workspace::Workspace;
use toolkit::Result;

/// More checkouts than these are not kept.
const MOST: usize = 3;

pub(super) const ALL: [Change; 8] = [
    keeps("checkout moved", moved),
    alters("checkout moved whose program has directories", moved).after(untrimmed),
    keeps("checkout copied with its times", |w| copy(w, "-a")),
    keeps("checkout copied without", |w| copy(w, "-r")),
    alters("checkout copied and edited", |w| {
        copy(w, "-a")?;
        edit_unseen(w)
    }),
    alters("checkout edited, then copied", |w| {
        edit(w)?;
        copy(w, "-a")
    }),
    alters("work goes on in another checkout", |w| {
        w.here = (w.here + 1) % w.checkouts.len();
        w.programs = vec!["."];
        Ok(())
    })
    .after(|w| {
        copy(w, "-a")?;
        edit(w)?;
        Ok(true)
    }),
    alters("checkout replaced by another one", |w| {
        let from = w.checkout().clone();
        copy(w, "-a")?;
        edit(w)?;
        let path = from.dir.display().to_string();
        w.run("rm", &["-rf", &path])?;
        let now = w.checkout().dir.display().to_string();
        w.run("mv", &[&now, &path])?;
        w.checkout().dir = from.dir;
        w.forget_others();
        Ok(())
    }),
];

fn moved(w: &mut Workspace) -> Result<()> {
    let to = place(w)?;
    let from = w.checkout().dir.clone();
    w.run("mv", &[&from.display().to_string(), &to])?;
    w.checkout().dir = to.into();
    Ok(())
}

/// The directory of a checkout that is to be.
fn place(w: &mut Workspace) -> Result<String> {
    let number = w.fresh();
    let parent = w.root().join(format!("places/{number}"));
    w.make_dir(&parent)?;
    Ok(parent.join("w").display().to_string())
}

/// Work goes on in a copy.
fn copy(w: &mut Workspace, how: &str) -> Result<()> {
    if w.checkouts.len() >= MOST {
        w.forget_others();
    }
    let to = place(w)?;
    let mut checkout = w.checkout().clone();
    w.run("cp", &[how, &checkout.dir.display().to_string(), &to])?;
    checkout.dir = to.into();
    w.checkouts.push(checkout);
    w.here = w.checkouts.len() - 1;
    Ok(())
}
