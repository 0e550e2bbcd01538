//! Walks a `kodata` directory, and decides which links it may follow. It finds out
//! names and sizes; contents are read when the layer is made.

use std::fs::{self, FileType};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::entry::Entry;
use crate::os;
use crate::spec::{Family, LayerSpec};

/// What to look at, and how.
#[derive(Debug, Clone)]
pub struct KodataOptions {
    /// The directory. It need not exist.
    pub dir: PathBuf,
    /// For which platforms.
    pub family: Family,
    /// The time of modification of every entry, in seconds since 1970.
    pub mtime: i64,
    /// Where links may lead. Without it, the nearest directory above `dir`
    /// that has a `.git` in it. It counts only if it contains `dir`; else
    /// links must stay in `dir` itself.
    pub allowed_root: Option<PathBuf>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kodata {
    /// The layer, which is there even if `kodata` is not.
    pub spec: LayerSpec,
    /// The links that were left out because the layer is for Windows.
    pub skipped_links: Vec<PathBuf>,
    /// The directories that were read, resolved.
    pub dirs: Vec<PathBuf>,
    /// What links lead to, resolved.
    pub linked: Vec<PathBuf>,
}

/// A `kodata` directory that cannot become a layer.
#[derive(Debug, thiserror::Error)]
pub enum KodataError {
    /// A link leads to where it may not.
    #[error(
        "kodata symlink {link:?} resolves to {target:?} \
         which is outside the allowed root {root:?}"
    )]
    Escapes {
        /// The link.
        link: PathBuf,
        /// Where it leads, resolved.
        target: PathBuf,
        /// Where it may lead.
        root: PathBuf,
    },
    /// A link leads to a directory that the walk is in already.
    #[error("kodata symlink {link:?} leads back to {target:?}, which contains it")]
    Loop {
        /// The link.
        link: PathBuf,
        /// Where it leads, resolved.
        target: PathBuf,
    },
    /// A link leads nowhere, or to itself.
    #[error("kodata symlink {link:?} cannot be resolved")]
    Link {
        /// The link.
        link: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Something is neither file, directory nor link.
    #[error("{path:?} in kodata is {kind}, and only files and directories can be in an image")]
    Special {
        /// The thing.
        path: PathBuf,
        /// What it is, as in `a named pipe`.
        kind: &'static str,
    },
    /// A file or directory cannot be looked at.
    #[error("{action} {path:?} in kodata")]
    Read {
        /// What was tried.
        action: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

impl LayerSpec {
    /// The layer of static assets: the directories down to `/var/run/ko`, and
    /// in it what `kodata` holds, links being followed. If `kodata` is missing
    /// or not a directory, there are just the directories.
    ///
    /// Entries are sorted by their bytes within each directory. Modes and
    /// owners on the disk do not matter. For Windows the links in `kodata` are
    /// left out, as ko does it, and named in the result; a `kodata` that is a
    /// link itself is followed there as well.
    ///
    /// # Errors
    /// See [`KodataError`].
    pub fn kodata(options: &KodataOptions) -> Result<Kodata, KodataError> {
        let KodataOptions { dir, family, mtime, .. } = options;
        let looked = stat::nanos_of(SystemTime::now());
        let (dirs, name): (&[&str], _) = match family {
            Family::Unix => (&["/var", "/var/run", "/var/run/ko"], "/var/run/ko"),
            Family::Windows => (
                &["Hives", "Files", "Files/var", "Files/var/run", "Files/var/run/ko"],
                "Files/var/run/ko",
            ),
        };
        let entries = dirs.iter().map(|dir| Entry::directory(*dir).mtime(*mtime)).collect();
        let mut walk = Walk {
            family: *family,
            mtime: *mtime,
            root: PathBuf::new(),
            inside: Vec::new(),
            entries,
            skipped_links: Vec::new(),
            dirs: Vec::new(),
            linked: Vec::new(),
        };
        if let Some(start) = walk.start(options)? {
            walk.descend(dir, &start, name.as_bytes())?;
        }
        let Walk { entries, skipped_links, dirs, linked, .. } = walk;
        let spec = Self { looked: Some(looked), ..Self::new(entries) };
        Ok(Kodata { spec, skipped_links, dirs, linked })
    }
}

struct Walk {
    family: Family,
    mtime: i64,
    /// Where links may lead, resolved.
    root: PathBuf,
    /// The directories from `kodata` to where the walk is, resolved.
    inside: Vec<PathBuf>,
    entries: Vec<Entry>,
    skipped_links: Vec<PathBuf>,
    dirs: Vec<PathBuf>,
    linked: Vec<PathBuf>,
}

impl Walk {
    /// The resolved directory to begin with, if there is one.
    fn start(&mut self, options: &KodataOptions) -> Result<Option<PathBuf>, KodataError> {
        let dir = &options.dir;
        let found = match fs::symlink_metadata(dir) {
            Ok(found) => found.file_type(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at("looking at", dir)(error)),
        };
        let here = location(dir).map_err(at("looking at", dir))?;
        self.root = allowed_root(&here, options.allowed_root.as_deref());
        if !found.is_symlink() {
            return Ok(found.is_dir().then_some(here));
        }
        let target = resolve(dir)?;
        if !fs::metadata(&target).map_err(at("looking at", dir))?.is_dir() {
            return Ok(None);
        }
        self.check(dir, &target)?;
        Ok(Some(target))
    }

    /// May the link lead there?
    fn check(&self, link: &Path, target: &Path) -> Result<(), KodataError> {
        if target.starts_with(&self.root) {
            return Ok(());
        }
        let (link, target, root) = (link.to_owned(), target.to_owned(), self.root.clone());
        Err(KodataError::Escapes { link, target, root })
    }

    /// Adds what is in a directory. `dir` is how messages name it, `real` is
    /// the same directory resolved, `name` is its name in the layer.
    fn descend(&mut self, dir: &Path, real: &Path, name: &[u8]) -> Result<(), KodataError> {
        let mut children = Vec::new();
        for child in fs::read_dir(real).map_err(at("reading", dir))? {
            let child = child.map_err(at("reading", dir))?;
            let kind = child.file_type().map_err(at("looking at", &child.path()))?;
            children.push((child.file_name(), kind));
        }
        children.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));

        self.dirs.push(real.to_owned());
        self.inside.push(real.to_owned());
        for (child, kind) in children {
            let path = dir.join(&child);
            let name = [name, b"/", &os::name_bytes(&child)].concat();
            if kind.is_symlink() {
                self.link(path, name)?;
            } else {
                self.add(&path, &real.join(&child), kind, name)?;
            }
        }
        self.inside.pop();
        Ok(())
    }

    fn link(&mut self, link: PathBuf, name: Vec<u8>) -> Result<(), KodataError> {
        if self.family == Family::Windows {
            self.skipped_links.push(link);
            return Ok(());
        }
        let target = resolve(&link)?;
        self.check(&link, &target)?;
        // Whoever enters a directory above comes by here again.
        if self.inside.iter().any(|dir| dir.starts_with(&target)) {
            return Err(KodataError::Loop { link, target });
        }
        let kind = fs::metadata(&target).map_err(at("looking at", &link))?.file_type();
        self.linked.push(target.clone());
        self.add(&target, &target, kind, name)
    }

    /// Adds what is no link.
    fn add(
        &mut self,
        path: &Path,
        real: &Path,
        kind: FileType,
        name: Vec<u8>,
    ) -> Result<(), KodataError> {
        if kind.is_dir() {
            self.entries.push(Entry::directory(name.clone()).mtime(self.mtime));
            self.descend(path, real, &name)
        } else if kind.is_file() {
            let gone = || io::Error::from(io::ErrorKind::NotFound);
            let found = stat::follow(real).and_then(|found| found.ok_or_else(gone));
            let (_, stat) = found.map_err(at("looking at", path))?;
            let file = self.family.file(name, real, stat.size).mtime(self.mtime).stat(stat);
            self.entries.push(file);
            Ok(())
        } else {
            Err(KodataError::Special { path: path.to_owned(), kind: os::special(kind) })
        }
    }
}

/// Where a link leads in the end.
fn resolve(link: &Path) -> Result<PathBuf, KodataError> {
    fs::canonicalize(link).map_err(|source| KodataError::Link { link: link.to_owned(), source })
}

/// Where a directory is: resolved, but for its own name, which may be a link.
fn location(dir: &Path) -> io::Result<PathBuf> {
    match (dir.parent(), dir.file_name()) {
        (Some(parent), Some(name)) => {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            Ok(fs::canonicalize(parent)?.join(name))
        }
        _ => fs::canonicalize(dir),
    }
}

/// Where the links of the `kodata` that is `here` may lead.
fn allowed_root(here: &Path, given: Option<&Path>) -> PathBuf {
    let worktree =
        || here.ancestors().skip(1).find(|dir| fs::symlink_metadata(dir.join(".git")).is_ok());
    given
        .or_else(worktree)
        .and_then(|root| fs::canonicalize(root).ok())
        .filter(|root| here.starts_with(root))
        .unwrap_or_else(|| here.to_owned())
}

fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KodataError {
    let path = path.to_owned();
    move |source| KodataError::Read { action, path, source }
}
