//! Makes a record of what another machine can check: content and relative paths, and
//! nothing that says where or by whom the build was made.

use std::path::{Component, Path, PathBuf};

use golang::{BuildSettings, Go};
use serde::{Deserialize, Serialize};
use stat::Content;

use crate::flags::reads_what_is_known;
use crate::reason::Uncacheable;
use crate::record::{Inputs, Record};
use crate::toolchain::Toolchain;

/// A record without times, numbers and places of files: whoever checks it reads all
/// of them. [`here`](Self::here) makes a record of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PortableRecord(Record);

/// Why a record is of use to no other machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotPortable {
    /// No build of this kind is ever fresh.
    #[error("{0}")]
    Uncacheable(Uncacheable),
    /// It is not believed here either, until the next build.
    #[error("another machine's clock stamps {path}", path = path.display())]
    Unconfirmed {
        /// A file because of which it is not.
        path: PathBuf,
    },
    /// The build reads something outside of the checkout.
    #[error("it reads {path}, which is outside of the checkout", path = path.display())]
    Outside {
        /// What it reads.
        path: PathBuf,
    },
    /// With `GOPROXY=off`, the module cache decides about a version.
    #[error("with GOPROXY=off, the module cache decides about the stamped version")]
    Versions,
    /// It is built without `-trimpath`.
    #[error("without -trimpath, programs hold directories of the machine that builds them")]
    Directories,
}

/// Whether other machines have a use for builds like this, as far as that can be told
/// before `go` is asked.
///
/// # Errors
/// They have none.
pub fn may_be_portable(settings: &BuildSettings) -> Result<(), NotPortable> {
    reads_what_is_known(settings).map_err(NotPortable::Uncacheable)?;
    if settings.untrimmed { Err(NotPortable::Directories) } else { Ok(()) }
}

impl Record {
    /// The record for other machines, of a build by this `go`.
    ///
    /// # Errors
    /// It depends on something that only this machine has.
    pub fn portable(&self, go: &Go) -> Result<PortableRecord, NotPortable> {
        let inputs = match &self.inputs {
            Ok(inputs) => inputs,
            Err(never) => return Err(NotPortable::Uncacheable(never.clone())),
        };
        if let Some(path) = &inputs.unconfirmed {
            return Err(NotPortable::Unconfirmed { path: path.clone() });
        }
        if inputs.stamp.as_ref().is_some_and(|(stamp, ..)| stamp.has_versions()) {
            return Err(NotPortable::Versions);
        }
        let mut inputs = inputs.clone();
        inputs.looked = 0;
        inputs.toolchain = inputs.toolchain.relative_to(go)?;
        for dir in &mut inputs.dirs {
            inside(&dir.path)?;
            dir.forget_stats();
        }
        for file in &mut inputs.files {
            inside(&file.path)?;
            file.content = file.content.map(Content::without_place);
        }
        if let Some((_, package, module)) = &inputs.stamp {
            inside(package)?;
            inside(module)?;
        }
        Ok(PortableRecord(Self { inputs: Ok(inputs), ..self.clone() }))
    }
}

impl PortableRecord {
    /// The record as this machine checks it, with the toolchain of this `go`.
    #[must_use]
    pub fn here(&self, go: &Go) -> Record {
        let placed =
            |inputs: &Inputs| Inputs { toolchain: inputs.toolchain.placed(go), ..inputs.clone() };
        Record {
            inputs: self.0.inputs.as_ref().map(placed).map_err(Clone::clone),
            ..self.0.clone()
        }
    }

    /// What the caller finds the layer of the binary by.
    #[must_use]
    pub fn layer(&self) -> &str {
        &self.0.layer
    }
}

/// Whether a path is found from the root of any checkout. One that leads to a neighbour
/// of it is as `go.mod` or `go.work` has it.
fn inside(path: &str) -> Result<(), NotPortable> {
    let relative = |part: Component<'_>| {
        matches!(part, Component::Normal(_) | Component::ParentDir | Component::CurDir)
    };
    match Path::new(path).components().all(relative) {
        true => Ok(()),
        false => Err(NotPortable::Outside { path: PathBuf::from(path) }),
    }
}

impl Toolchain {
    /// The directory of a `go`: its file is `bin/go` below.
    fn root(go: &Go) -> Option<&Path> {
        go.file().parent()?.parent()
    }

    /// With files as they are called below its directory. Those of a toolchain that
    /// was chosen by its version are named by that: `go` compares what it downloads
    /// with their sum.
    fn relative_to(&self, go: &Go) -> Result<Self, NotPortable> {
        let root = Self::root(go).filter(|_| go.file() == self.program());
        let outside = |path: &Path| NotPortable::Outside { path: path.to_owned() };
        let root = root.ok_or_else(|| outside(self.program()))?;
        let mut files = Vec::new();
        for file in self.files() {
            let path = Path::new(&file.path);
            match path.strip_prefix(root).ok().and_then(Path::to_str) {
                Some(below) => {
                    let mut file = file.clone();
                    file.path = below.replace(std::path::MAIN_SEPARATOR, "/");
                    file.content = file.content.map(Content::without_place);
                    files.push(file);
                }
                None if self.is_of_chosen(path) => {}
                None => return Err(outside(path)),
            }
        }
        Ok(self.with_files(files).with_place(PathBuf::new()))
    }

    /// With files as they are called here.
    fn placed(&self, go: &Go) -> Self {
        let root = Self::root(go).unwrap_or(Path::new(""));
        let mut files = self.files().to_vec();
        for file in &mut files {
            file.path = root.join(&file.path).to_string_lossy().into_owned();
        }
        self.with_files(files).with_place(go.file().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::record::FORMAT;
    use crate::tree::{Single, Told};

    /// Files of a toolchain are named as they are called below its directory, those of
    /// a chosen one by its version alone.
    #[test]
    fn toolchains_of_other_machines() {
        let cache = "/m/golang.org/toolchain@v0.0.1-go1.27.3.linux-amd64/bin/go";
        let single = |path: &Path| Single {
            path: path.display().to_string(),
            content: None,
            told: Told::BuildId,
        };
        let portable = |chosen: Option<&str>, file: &Path| {
            let root = tempfile::tempdir().unwrap();
            let root = root.path().canonicalize().unwrap();
            let go = fixture::go(&root);
            let files = vec![single(&root.join("VERSION")), single(file)];
            let toolchain = fixture::toolchain(chosen);
            let toolchain = toolchain.with_files(files).with_place(go.file().to_owned());
            let (inputs, _) = fixture::read(&root);
            let inputs = Ok(Inputs { toolchain, ..inputs });
            let record = Record { format: FORMAT, layer: "sha256:0".to_owned(), inputs };
            record.portable(&go).map(|portable| (portable, go))
        };
        let chosen = || portable(Some("go1.27.3"), Path::new(cache)).unwrap();
        let ((one, go), (other, _)) = (chosen(), chosen());
        assert_eq!(one, other);
        assert_eq!((one.layer(), one.here(&go).layer()), ("sha256:0", "sha256:0"));
        let here = one.here(&go).inputs.unwrap().toolchain;
        assert_eq!(here.files(), [single(&Toolchain::root(&go).unwrap().join("VERSION"))]);
        assert_eq!(here.program(), go.file());
        for (chosen, path) in
            [(None, cache), (Some("go1.27.2"), cache), (Some("go1.27.3"), "/usr/lib/go")]
        {
            let found = portable(chosen, Path::new(path)).map(|(portable, _)| portable);
            assert_eq!(found, Err(NotPortable::Outside { path: path.into() }), "{chosen:?} {path}");
        }
    }
}
