//! Looks at many directories at once, and at none twice: the programs of one
//! repository share most of what they read.

use std::collections::HashMap;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::header::Headers;
use crate::reason::Reason;
use crate::sum_cache::SumCache;
use crate::tree::{Dir, Seen, Single};
use stat::{self, Stat};

/// How many directories a thread takes at a time.
const SHARE: usize = 16;

/// How often the clock is looked at while a build waits for it.
const MOMENT: Duration = Duration::from_micros(500);

/// How long a build waits at most for the clock of file systems, whose ticks are a few
/// milliseconds.
const LONGEST: Duration = Duration::from_millis(200);

/// What one run has seen of the file system. It is made when a run begins,
/// shared by all its checks, and thrown away: what it saw is not looked at
/// again.
#[derive(Debug)]
pub struct Checker {
    threads: usize,
    /// Nothing was looked at before this.
    pub(crate) began: i64,
    /// By path; a record that says something else of it is another entry.
    dirs: Mutex<HashMap<PathBuf, Vec<Arc<CachedDir>>>>,
    /// The same of single files: programs share their toolchain.
    singles: Mutex<HashMap<PathBuf, Vec<Arc<CachedSingle>>>>,
    local: Mutex<HashMap<u64, bool>>,
    /// What is recorded of content, for other records of this run.
    pub(crate) sums: SumCache,
}

/// Directories and files as they are now.
pub(crate) type Found = (Vec<Dir>, Vec<Single>);

#[derive(Debug)]
struct CachedDir {
    recorded: Dir,
    looked: i64,
    seen: OnceLock<Seen<Dir>>,
}

#[derive(Debug)]
struct CachedSingle {
    recorded: Single,
    looked: i64,
    seen: OnceLock<Seen<Single>>,
}

/// When a record was made, and which file systems are to be trusted.
pub(crate) struct Trust<'a> {
    pub(crate) checker: &'a Checker,
    pub(crate) looked: i64,
}

impl Trust<'_> {
    /// Whether equal stats mean equal content.
    pub(crate) fn settled(&self, stat: &Stat, path: &Path) -> bool {
        stat.is_settled(self.looked) && self.checker.is_local(stat.device, path)
    }
}

impl Checker {
    /// A checker that uses this many threads for each check.
    #[must_use]
    pub fn new(threads: NonZero<usize>) -> Self {
        Self {
            threads: threads.get(),
            began: stat::nanos_of(SystemTime::now()),
            dirs: Mutex::default(),
            singles: Mutex::default(),
            local: Mutex::default(),
            sums: SumCache::default(),
        }
    }

    /// The time at which a build may begin, which is now or in a moment: the clock
    /// of file systems must have passed the time at which the run began. Then all
    /// that was changed before the run is older than the build, and what is
    /// changed after it began is not
    /// ([`may_be_since`](stat::Stat::may_be_since)). Without, a build that begins
    /// within a tick of an edit could not be recorded: equal content before and
    /// after it would not do, since within a tick it may have been another in
    /// between.
    #[must_use]
    pub fn begin_build(&self) -> SystemTime {
        let asked = Instant::now();
        loop {
            let now = stat::file_time();
            let since = stat::nanos_of(now).saturating_sub(self.began);
            let since = Duration::from_nanos(u64::try_from(since).unwrap_or_default());
            // What is just as old as that counts as changed since. A clock that was set
            // back does not come so far: then all counts so, and the build is not recorded.
            if since > stat::LAG || asked.elapsed() > LONGEST {
                return now;
            }
            // The clock may stand still until its next tick.
            thread::sleep((stat::LAG - since).max(MOMENT));
        }
    }

    /// Whether the file system that has a path is one of this machine.
    pub(crate) fn is_local(&self, device: u64, path: &Path) -> bool {
        let mut local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        *local.entry(device).or_insert_with(|| stat::is_local(path))
    }

    /// Compares all that is recorded with what is there. `Some` has what is
    /// there now, where that is not the same to the letter.
    pub(crate) fn compare(
        &self,
        root: &Path,
        looked: i64,
        dirs: &[Dir],
        singles: &[Single],
    ) -> Result<Option<Found>, Reason> {
        let trust = Trust { checker: self, looked };
        let mut moved = false;
        let mut now_singles = Vec::with_capacity(singles.len());
        for single in singles {
            let known = self.known_single(root, looked, single);
            match known.seen.get_or_init(|| single.check(root, &trust)) {
                Seen::Stale(reason) => return Err(reason.clone()),
                Seen::Same => now_singles.push(single.clone()),
                Seen::Moved(single) => {
                    moved = true;
                    now_singles.push(single.clone());
                }
            }
        }
        let known = self.look(root, &trust, dirs);
        let mut now_dirs = None;
        for (position, known) in known.iter().enumerate() {
            match known.as_ref().and_then(|known| known.seen.get()) {
                Some(Seen::Same) | None => {}
                Some(Seen::Stale(reason)) => return Err(reason.clone()),
                Some(Seen::Moved(dir)) => {
                    moved = true;
                    now_dirs.get_or_insert_with(|| dirs.to_vec())[position] = dir.clone();
                }
            }
        }
        Ok(moved.then(|| (now_dirs.unwrap_or_else(|| dirs.to_vec()), now_singles)))
    }

    /// Whether all is as it is recorded, or differs only in what `go list` does
    /// not see.
    pub(crate) fn holds(
        &self,
        root: &Path,
        looked: i64,
        dirs: &[Dir],
        singles: &[Single],
        headers: &Headers,
    ) -> bool {
        let trust = Trust { checker: self, looked };
        let same = |single: &Single| !matches!(single.check(root, &trust), Seen::Stale(_));
        singles.iter().all(same)
            && dirs.iter().all(|dir| {
                let known = self.known(root, looked, dir);
                match known.seen.get_or_init(|| dir.check(root, &trust)) {
                    Seen::Same | Seen::Moved(_) => true,
                    Seen::Stale(_) => dir.holds(root, &trust, headers),
                }
            })
    }

    /// Looks at all directories; some are left out if one is stale.
    fn look(&self, root: &Path, trust: &Trust<'_>, dirs: &[Dir]) -> Vec<Option<Arc<CachedDir>>> {
        let next = AtomicUsize::new(0);
        let stale = AtomicBool::new(false);
        let work = || {
            let mut found = Vec::new();
            while !stale.load(Ordering::Relaxed) {
                let start = next.fetch_add(SHARE, Ordering::Relaxed);
                if start >= dirs.len() {
                    break;
                }
                let end = dirs.len().min(start + SHARE);
                for (position, dir) in dirs[start..end].iter().enumerate() {
                    let known = self.known(root, trust.looked, dir);
                    let seen = known.seen.get_or_init(|| dir.check(root, trust));
                    stale.fetch_or(matches!(seen, Seen::Stale(_)), Ordering::Relaxed);
                    found.push((start + position, known));
                }
            }
            found
        };
        let threads = self.threads.min(dirs.len().div_ceil(SHARE)).max(1);
        let mut all = vec![None; dirs.len()];
        thread::scope(|scope| {
            // As many as the operating system allows.
            let start = |_| thread::Builder::new().spawn_scoped(scope, work).ok();
            let others: Vec<_> = (1..threads).map_while(start).collect();
            let mut found = work();
            for other in others {
                found.extend(other.join().expect("looking at files does not panic"));
            }
            for (position, known) in found {
                all[position] = Some(known);
            }
        });
        all
    }

    fn known(&self, root: &Path, looked: i64, dir: &Dir) -> Arc<CachedDir> {
        let path = root.join(&dir.path);
        let mut dirs = self.dirs.lock().unwrap_or_else(PoisonError::into_inner);
        let all = dirs.entry(path).or_default();
        // Whoever looked earlier trusted less.
        let serves = |known: &&Arc<CachedDir>| {
            known.recorded == *dir && (known.looked <= looked || dir.is_settled(looked))
        };
        if let Some(known) = all.iter().find(serves) {
            return Arc::clone(known);
        }
        let known = CachedDir { recorded: dir.clone(), looked, seen: OnceLock::new() };
        all.push(Arc::new(known));
        Arc::clone(&all[all.len() - 1])
    }

    fn known_single(&self, root: &Path, looked: i64, single: &Single) -> Arc<CachedSingle> {
        let path = root.join(&single.path);
        let mut singles = self.singles.lock().unwrap_or_else(PoisonError::into_inner);
        let all = singles.entry(path).or_default();
        let settled = || single.content.is_none_or(|content| content.stat.is_settled(looked));
        let serves = |known: &&Arc<CachedSingle>| {
            known.recorded == *single && (known.looked <= looked || settled())
        };
        if let Some(known) = all.iter().find(serves) {
            return Arc::clone(known);
        }
        let known =
            Arc::new(CachedSingle { recorded: single.clone(), looked, seen: OnceLock::new() });
        all.push(Arc::clone(&known));
        known
    }
}

#[cfg(test)]
impl Checker {
    /// A checker to which a device is that of a network file system.
    pub(crate) fn distrusting(device: u64) -> Self {
        let checker = Self::new(NonZero::<usize>::MIN);
        checker.local.lock().unwrap().insert(device, false);
        checker
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::tree::{Filter, Told};

    #[test]
    fn a_clock_that_was_set_back_is_not_waited_for() {
        let day = Duration::from_secs(24 * 60 * 60);
        let mut checker = Checker::new(NonZero::<usize>::MIN);
        checker.began = stat::nanos_of(SystemTime::now() + day);
        assert!(stat::nanos_of(checker.begin_build()) < checker.began);
    }

    /// What was seen for one record serves for another only if that says the same, and
    /// would trust what was trusted.
    #[test]
    fn what_was_seen_serves_records_that_trust_as_much() {
        const NEVER: i64 = i64::MAX;
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let file = root.join("x.go");
        let read = |content: &str| {
            std::fs::write(&file, content).unwrap();
            let (checker, names) = (Checker::new(NonZero::<usize>::MIN), BTreeSet::new());
            let (path, filter, mut headers) = (String::new(), Filter::Sources, Headers::new());
            let dir =
                Dir::capture(root, path, filter, &names, NEVER, &checker, &mut headers).unwrap();
            (dir, Single::capture(&file, "x.go".to_owned(), Told::Content, NEVER).unwrap())
        };
        let (other, is) = (read("package y\n"), read("package x\n"));
        // The file is settled only if it was looked at at the end of time.
        for (first, then, record, serves) in [
            (5, 5, &is, true),
            (5, 9, &is, true),
            (9, 5, &is, false),
            (NEVER, NEVER - 1, &is, true),
            (NEVER, 5, &is, false),
            (5, 5, &other, false),
            (NEVER, NEVER, &other, false),
        ] {
            let at = format!("looked at {first}, then at {then}");
            let checker = Checker::new(NonZero::<usize>::MIN);
            let dirs = (checker.known(root, first, &is.0), checker.known(root, then, &record.0));
            assert_eq!(Arc::ptr_eq(&dirs.0, &dirs.1), serves, "{at}");
            let files = (
                checker.known_single(root, first, &is.1),
                checker.known_single(root, then, &record.1),
            );
            assert_eq!(Arc::ptr_eq(&files.0, &files.1), serves, "{at}");
        }
        // The same by the answers: of two records of a file, one is stale.
        let checker = Checker::new(NonZero::<usize>::MIN);
        for _ in 0..2 {
            let fresh = |(dir, file): &(Dir, Single)| {
                let dirs = checker.compare(root, 5, std::slice::from_ref(dir), &[]);
                let files = checker.compare(root, 5, &[], std::slice::from_ref(file));
                (dirs.is_ok(), files.is_ok())
            };
            assert_eq!(fresh(&is), (true, true));
            assert_eq!(fresh(&other), (false, false));
        }
    }

    /// Of what has changed, only bodies of functions and embedded files go unseen.
    #[test]
    fn what_go_list_sees_must_hold() {
        const SOURCE: &str = "package x\n\nfunc f() { println(1) }\n";
        type Change = fn(&dyn Fn(&str, &str), &Path);
        let rows: [(&str, Change, bool); 9] = [
            ("nothing", |_, _| (), true),
            ("written again", |write, _| write("b/x.go", SOURCE), true),
            ("body", |write, _| write("b/x.go", &SOURCE.replace('1', "2")), true),
            (
                "import",
                |write, _| write("b/x.go", &SOURCE.replace("\n\n", "\nimport `y`\n")),
                false,
            ),
            ("no source", |write, _| write("b/x.go", "nothing\n"), false),
            ("other source", |write, _| write("a/x.s", "// two\n"), false),
            ("new file", |write, _| write("a/y.go", SOURCE), false),
            ("file gone", |_, root| std::fs::remove_file(root.join("a/x.s")).unwrap(), false),
            ("go.mod", |write, _| write("go.mod", "module y\n"), false),
        ];
        for (name, change, holds) in rows {
            let root = tempfile::tempdir().unwrap();
            let root = root.path();
            let write = |name: &str, content: &str| {
                std::fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
                std::fs::write(root.join(name), content).unwrap();
            };
            for name in ["a/x.go", "b/x.go"] {
                write(name, SOURCE);
            }
            write("a/x.s", "// one\n");
            write("go.mod", "module x\n");
            let (was, headers) = crate::fixture::read(root);
            change(&write, root);
            let checker = Checker::new(NonZero::<usize>::MIN);
            let found = checker.holds(root, 0, &was.dirs, &was.files, &headers);
            assert_eq!(found, holds, "{name}");
        }
        // A link in place of a source, or a directory.
        let root = tempfile::tempdir().unwrap();
        for dir in ["a", "b"] {
            std::fs::create_dir(root.path().join(dir)).unwrap();
            std::fs::write(root.path().join(dir).join("x.go"), SOURCE).unwrap();
        }
        let (was, headers) = crate::fixture::read(root.path());
        let file = root.path().join("b/x.go");
        let checker = || Checker::new(NonZero::<usize>::MIN);
        assert!(checker().holds(root.path(), 0, &was.dirs, &was.files, &headers));
        std::fs::rename(&file, root.path().join("x")).unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("../x", &file).unwrap();
            assert!(!checker().holds(root.path(), 0, &was.dirs, &was.files, &headers));
            std::fs::remove_file(&file).unwrap();
        }
        std::fs::create_dir(&file).unwrap();
        assert!(!checker().holds(root.path(), 0, &was.dirs, &was.files, &headers));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_file_systems_that_are_known_to_be_local_are_trusted() {
        let checker = Checker::new(NonZero::<usize>::MIN);
        assert!(!checker.is_local(1, Path::new("/proc")));
        // It is asked once for each device.
        assert!(!checker.is_local(1, Path::new("/")));
    }
}
