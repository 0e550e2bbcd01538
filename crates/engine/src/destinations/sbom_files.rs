//! Writes SBOMs to a directory (`--sbom-dir`), each complete or not at all.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use fsutil::Access;
use once::blocking;

use crate::events::{Event, Observer};
use crate::image::Artifact;
use crate::image::sbom::{SbomOptions, Subject};

/// Why SBOMs cannot be written to a directory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SbomFileError {
    /// The directory cannot be made or written to.
    #[error("--sbom-dir: writing to {dir}", dir = dir.display())]
    Dir {
        /// The directory, as the user named it.
        dir: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("writing {path}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// The directory that SBOMs are written to.
#[derive(Debug)]
pub(crate) struct SbomFiles {
    work_dir: PathBuf,
    /// The directory as the user named it.
    dir: PathBuf,
    options: SbomOptions,
    observer: Observer,
}

impl SbomFiles {
    /// None unless a directory was named.
    pub(crate) fn new(
        options: Option<&SbomOptions>,
        work_dir: &Path,
        observer: &Observer,
    ) -> Option<Self> {
        let options = options?.clone();
        let dir = options.dir.clone()?;
        Some(Self { work_dir: work_dir.to_owned(), dir, options, observer: observer.clone() })
    }

    /// Makes the directory, and finds out whether files can be written in it.
    pub(crate) async fn prepare(&self) -> Result<(), SbomFileError> {
        let dir = self.work_dir.join(&self.dir);
        let prepare = move || fs::create_dir_all(&dir).and_then(|()| fsutil::check_dir(&dir));
        blocking(prepare)
            .await
            .map_err(|source| SbomFileError::Dir { dir: self.dir.clone(), source })
    }

    /// Writes the SBOMs of an artifact, whose program has this name.
    pub(crate) async fn write(&self, artifact: &Artifact, name: &str) -> Result<(), SbomFileError> {
        for subject in Subject::all(artifact) {
            let path = self.dir.join(subject.file_name(name, self.options.format));
            self.observer.emit(Event::WritingSbom { path: path.clone() });
            let (file, document) = (self.work_dir.join(&path), subject.document(&self.options));
            let write = move || fsutil::write(&file, Access::Public, &document);
            blocking(write).await.map_err(|source| SbomFileError::File { path, source })?;
        }
        Ok(())
    }
}
