//! Compares kodata: with what it was, to name the first file that changed, and that of
//! several programs in one image, where a file can be in one of them only. The list of
//! files kept for the first is read only then; nothing depends on it.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use golang::ImportPath;
use layer::{Inventory, LayerSpec};
use serde::{Deserialize, Serialize};
use store::Store;

/// What was in a directory.
#[derive(Debug, Serialize, Deserialize)]
struct Files(Inventory);

impl store::Record for Files {
    const KIND: &'static str = "kodata-files";
    const VERSION: u32 = 1;
}

/// What has come, gone or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    /// One file or directory, relative to the kodata directory.
    pub(crate) name: String,
    /// How many more there are.
    pub(crate) others: usize,
}

/// What is different from the last time, if it is known what there was. `key`
/// names the directory.
pub(crate) fn compare(store: &Store, key: &str, spec: &LayerSpec) -> Option<Difference> {
    let is = Files(Inventory::of(spec));
    let was = store.record::<Files>(key);
    // Without, the directory is named the next time.
    let _ = store.put_record(key, &is);
    let was = was?;
    let names = is.0.since(&was.0);
    let below = |name: &&str| name.split_once("var/run/ko/").map(|(_, name)| name.to_owned());
    let name = names.iter().find_map(below)?;
    Some(Difference { name, others: names.len() - 1 })
}

/// A file that two programs have in their kodata, each another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SharedKodata {
    /// Its place in the image.
    pub(crate) place: String,
    /// The programs.
    pub(crate) programs: [ImportPath; 2],
}

/// The first file that is in kodata of two programs, and not the same in both.
pub(super) fn shared(programs: Vec<(ImportPath, LayerSpec)>) -> Option<SharedKodata> {
    let mut seen: HashMap<Vec<u8>, (ImportPath, PathBuf)> = HashMap::new();
    for (program, spec) in programs {
        for (name, path) in spec.files() {
            let Some((first, other)) = seen.get(name) else {
                seen.insert(name.to_owned(), (program.clone(), path.to_owned()));
                continue;
            };
            // What cannot be read is told of when the layer is made.
            if !is_same(path, other).unwrap_or(true) {
                let place = String::from_utf8_lossy(name).into_owned();
                return Some(SharedKodata { place, programs: [first.clone(), program] });
            }
        }
    }
    None
}

/// Whether two files are one, or have the same content.
fn is_same(path: &Path, other: &Path) -> io::Result<bool> {
    if fs::canonicalize(path)? == fs::canonicalize(other)? {
        return Ok(true);
    }
    let (path, other) = (File::open(path)?, File::open(other)?);
    if path.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut path, mut other) = (BufReader::new(path), BufReader::new(other));
    loop {
        let (left, right) = (path.fill_buf()?, other.fill_buf()?);
        let len = left.len().min(right.len());
        if len == 0 || left[..len] != right[..len] {
            return Ok(left.len() == right.len() && len == 0);
        }
        path.consume(len);
        other.consume(len);
    }
}
