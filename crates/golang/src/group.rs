//! Builds several programs by one `go build`: what they share is loaded and
//! compiled once, and `go` links as many at a time as it has processors. Each is
//! announced as soon as it is installed, while `go` goes on with the others.
//!
//! `go` works in a directory of its own below the first program's, with the
//! last outputs linked into it, so that what is up to date stays. It renames
//! what it linked into place, since that directory is on one file system with
//! its `GOTMPDIR` and has no setgid bit; a name that appears is a whole file.
//! What fails together is built one by one: that tells whose fault it is, and
//! what killed many may spare one.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::build::{Binary, BuildError, at};
use crate::identity::FileIdentity;
use crate::import_path::ImportPath;
use crate::output::{Claim, Lock, OutputDir, Temporary};
use crate::previous_output::PreviousOutput;
use crate::settings::BuildSettings;
use crate::tool::Go;
use cancel::Cancel;

/// How often the directory is looked at. An entry that appeared is used that
/// much later at most.
const INTERVAL: Duration = Duration::from_millis(10);

/// A program of a group, and where its binary stays.
#[derive(Debug, Clone)]
pub struct Member {
    /// The program.
    pub import_path: ImportPath,
    /// Its place.
    pub output: OutputDir,
}

/// Can programs be built together? `go` names outputs itself then, so that
/// their names must be known, and differ.
#[must_use]
pub fn can_share<'a>(import_paths: impl IntoIterator<Item = &'a ImportPath>) -> bool {
    let mut names = HashSet::new();
    // Not all file systems tell cases apart.
    let mut add = |name: &str| names.insert(name.to_lowercase());
    import_paths.into_iter().all(|path| executable(path).is_some_and(&mut add))
}

/// What `go` calls the executable of a program, without the suffix of Windows:
/// the last element of its import path, or the one before a version. Of what
/// names a directory instead, or a version, that is not known.
fn executable(path: &ImportPath) -> Option<&str> {
    let path = path.as_str();
    if path.starts_with(['.', '/', '\\']) || path.contains(['@', '\\']) || path.ends_with('/') {
        return None;
    }
    let is_version = |element: &str| {
        let digits = element.strip_prefix('v').unwrap_or_default();
        !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0')
            && digits != "1"
    };
    let mut elements = path.rsplit('/');
    let last = elements.next()?;
    let name = if is_version(last) { elements.next().unwrap_or(last) } else { last };
    Some(name).filter(|name| !name.is_empty())
}

/// A member that is ours to build.
struct Claimed<'a> {
    member: &'a Member,
    claim: Claim,
    previous: Option<PreviousOutput>,
    /// Where `go` installs it.
    path: PathBuf,
    /// What lies there before, which may be nothing.
    before: Option<FileIdentity>,
    installed: AtomicBool,
}

impl Go {
    /// Builds programs of one kind together; they must be such that
    /// [`can_share`]. `installed` is called from another thread as soon as a
    /// program lies in its place, with its position: it may be read, but counts
    /// only if this then returns it, and its [`FileIdentity`] is still the same.
    /// Programs that were up to date are not announced. The results are in the
    /// order of the members.
    pub fn build_all(
        &self,
        settings: &BuildSettings,
        members: &[Member],
        cancel: &Cancel,
        installed: &(dyn Fn(usize) + Sync),
    ) -> Vec<Result<Binary, BuildError>> {
        if let [Member { import_path, output }] = members {
            return vec![self.build(settings, import_path, output, cancel)];
        }
        let prepared = settings
            .validate()
            .and_then(|()| prepare(members, settings.target.os == "windows", cancel));
        let claimed = match prepared {
            Ok(claimed) => claimed,
            // The first has the reason; that the others are not built follows.
            Err(error) => {
                let others = members.iter().skip(1).map(|_| Err(BuildError::Cancelled));
                return std::iter::once(Err(error)).chain(others).collect();
            }
        };
        let together = self.together(settings, &claimed, cancel, installed);
        let done: Vec<_> = claimed
            .iter()
            .map(|one| match &together {
                Err(BuildError::Cancelled) => Err(BuildError::Cancelled),
                _ if one.installed.load(Ordering::Relaxed) => Ok(()),
                Ok(()) => match &one.previous {
                    Some(previous) if previous.verify(&one.member.output).unwrap_or(false) => {
                        Ok(())
                    }
                    _ => self.alone(settings, one, cancel),
                },
                Err(_) => self.alone(settings, one, cancel),
            })
            .collect();
        // All temporary directories go before the first lock.
        let (temporaries, locks): (Vec<Temporary>, Vec<Lock>) =
            claimed.into_iter().map(|one| (one.claim.temporary, one.claim.lock)).unzip();
        drop(temporaries);
        let binary = |((done, member), lock): ((Result<(), BuildError>, &Member), Lock)| {
            done.map(|()| Binary::new(&member.output, lock))
        };
        done.into_iter().zip(members).zip(locks).map(binary).collect()
    }

    /// One process for all.
    fn together(
        &self,
        settings: &BuildSettings,
        claimed: &[Claimed<'_>],
        cancel: &Cancel,
        installed: &(dyn Fn(usize) + Sync),
    ) -> Result<(), BuildError> {
        let Some(first) = claimed.first() else { return Ok(()) };
        let import_paths: Vec<&ImportPath> =
            claimed.iter().map(|one| &one.member.import_path).collect();
        let temporary = first.claim.temporary.path();
        let ended = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                loop {
                    // One look more after the end.
                    let last = ended.load(Ordering::Acquire);
                    for (position, one) in claimed.iter().enumerate() {
                        if !one.installed.load(Ordering::Relaxed) && one.take().is_some() {
                            one.installed.store(true, Ordering::Relaxed);
                            installed(position);
                        }
                    }
                    if last {
                        break;
                    }
                    thread::park_timeout(INTERVAL);
                }
            });
            let out = temporary.join(OUT);
            let built = self.run_build(settings, &import_paths, &out, temporary, cancel);
            ended.store(true, Ordering::Release);
            built
        })
    }

    fn alone(
        &self,
        settings: &BuildSettings,
        one: &Claimed<'_>,
        cancel: &Cancel,
    ) -> Result<(), BuildError> {
        let Member { import_path, output } = one.member;
        let (temporary, previous) = (&one.claim.temporary, one.previous.as_ref());
        self.build_claimed(settings, import_path, output, temporary, previous, cancel)
    }
}

impl Claimed<'_> {
    /// Puts what `go` has installed into its place, if it has.
    fn take(&self) -> Option<()> {
        let found = FileIdentity::of(&self.path)?;
        if self.before.is_some_and(|before| before.is_same_file(&found)) {
            return None;
        }
        // A name of its own first, as a link cannot take another's place.
        let link = self.claim.temporary.path().join("installed");
        fs::hard_link(&self.path, &link).ok()?;
        fs::rename(&link, self.member.output.binary()).ok()
    }
}

/// Waits until all places are ours, and lays out the directory in which `go`
/// works.
fn prepare<'a>(
    members: &'a [Member],
    windows: bool,
    cancel: &Cancel,
) -> Result<Vec<Claimed<'a>>, BuildError> {
    // In one order, whoever claims them: so nobody waits in a circle.
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by_key(|&position| members[position].output.dir());
    let mut claims: Vec<Option<Claim>> = members.iter().map(|_| None).collect();
    for position in order {
        claims[position] = Some(members[position].output.claim(cancel)?);
    }
    let claims: Vec<Claim> = claims.into_iter().flatten().collect();
    let Some(first) = claims.first() else { return Ok(Vec::new()) };
    let out = first.temporary.path().join(OUT);
    make_out(&out).map_err(at(&out))?;
    let claimed = members.iter().zip(claims).map(|(member, claim)| {
        let binary = member.output.binary();
        let previous = PreviousOutput::accept(&member.output).map_err(at(&binary))?;
        let name = executable(&member.import_path).unwrap_or_default();
        let path = out.join(if windows { format!("{name}.exe") } else { name.to_owned() });
        if previous.is_some() {
            // Without, it is linked again.
            let _ = fs::hard_link(&binary, &path);
        }
        let before = FileIdentity::of(&path);
        Ok(Claimed { member, claim, previous, path, before, installed: AtomicBool::new(false) })
    });
    claimed.collect()
}

/// The directory that `go` installs into, below a temporary one.
const OUT: &str = "out";

fn make_out(path: &Path) -> io::Result<()> {
    fs::create_dir(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // Into a directory with the setgid bit, which is inherited, go copies.
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_are_named_by_go_s_rule() {
        for (path, want) in [
            ("example.com/app/cmd/foo", Some("foo")),
            ("example.com/foo/v2", Some("foo")),
            ("example.com/foo/v1", Some("v1")),
            ("example.com/foo/v01", Some("v01")),
            ("example.com/foo/v2x", Some("v2x")),
            ("example.com/foo/v", Some("v")),
            ("v2", Some("v2")),
            ("foo", Some("foo")),
            ("example.com/foo.exe", Some("foo.exe")),
            ("./cmd/foo", None),
            ("..", None),
            ("/src/cmd/foo", None),
            ("example.com/foo@v1.2.3", None),
            ("example.com/foo/", None),
        ] {
            assert_eq!(executable(&ImportPath::parse(path).unwrap()), want, "{path}");
        }
    }

    #[test]
    fn names_must_differ() {
        let shared = |paths: &[&str]| {
            let paths: Vec<_> = paths.iter().map(|path| ImportPath::parse(path).unwrap()).collect();
            can_share(&paths)
        };
        assert!(shared(&["a.com/x", "a.com/y"]));
        assert!(!shared(&["a.com/x", "b.com/x"]));
        assert!(!shared(&["a.com/x", "b.com/x/v2"]));
        assert!(!shared(&["a.com/x", "b.com/X"]));
        assert!(!shared(&["a.com/x", "./y"]));
    }
}
