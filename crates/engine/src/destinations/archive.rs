//! Writes all images of a run to one file when all of them are there. The file
//! gets its name when it is complete.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use futures::FutureExt as _;
use once::blocking;

use super::files::write_archive;
use super::options::Archive;
use super::{Destination, DestinationError, DestinationParts, Publishing};
use crate::archive::{docker, oci};
use crate::blobs::Blobs;
use crate::blocking::on_thread;
use crate::events::{Event, Observer};
use crate::image::{Artifact, Image, ImageName};
use crate::platform::HOST_ARCHITECTURE;

#[derive(Debug)]
struct ArchiveDestination {
    file: PathBuf,
    archive: Archive,
    blobs: Blobs,
    observer: Observer,
    /// What goes into the file: artifacts and their names.
    committed: Mutex<Vec<(Artifact, Vec<String>)>>,
}

pub(super) fn wanted(parts: &DestinationParts<'_>) -> Option<Box<dyn Destination>> {
    let archive = parts.options.archive.clone()?;
    Some(Box::new(ArchiveDestination {
        file: parts.work_dir.join(&archive.path),
        archive,
        blobs: parts.blobs.clone(),
        observer: parts.observer.clone(),
        committed: Mutex::default(),
    }))
}

impl ArchiveDestination {
    async fn save(&self) -> Result<(), DestinationError> {
        let what = self.archive.path.display().to_string();
        self.observer.emit(Event::Saving { what: what.clone() });
        let mut committed = self.committed.lock().expect("no panic while it is held").clone();
        committed.sort_by(|(_, a), (_, b)| a.cmp(b));
        let (file, archive) = (self.file.clone(), self.archive.clone());
        let store = self.blobs.store().clone();
        let waits = fsutil::waits_for_reader(&self.file);
        let work = move || write(&file, &archive, &store, &committed);
        if waits { on_thread(work).await } else { blocking(work).await }?;
        self.observer.emit(Event::Saved { what });
        Ok(())
    }
}

impl Destination for ArchiveDestination {
    /// The last of those that share a name has it.
    fn in_order(&self) -> bool {
        true
    }

    fn upload<'a>(&'a self, _: &'a ImageName, artifact: &'a Artifact) -> Publishing<'a> {
        let provided = async move {
            for layer in artifact.images().iter().flat_map(|image| &image.layers) {
                self.blobs.provide(layer).await?;
            }
            Ok(())
        };
        provided.boxed()
    }

    fn commit<'a>(&'a self, name: &'a ImageName, artifact: &'a Artifact) -> Publishing<'a, String> {
        let names = name.tagged();
        let mut committed = self.committed.lock().expect("no panic while it is held");
        committed.retain(|(_, others)| *others != names);
        committed.push((artifact.clone(), names));
        let reference = if self.archive.oci {
            format!("{}@{}", self.archive.path.display(), artifact.digest())
        } else {
            // As in ko, `--tag-only` is for registries.
            name.printed(artifact.digest(), false)
        };
        std::future::ready(Ok(reference)).boxed()
    }

    fn finish(&self) -> Publishing<'_> {
        self.save().boxed()
    }
}

/// Writes the file.
fn write(
    path: &Path,
    archive: &Archive,
    store: &store::Store,
    artifacts: &[(Artifact, Vec<String>)],
) -> Result<(), DestinationError> {
    let images: Option<Vec<(&Image, Vec<String>)>> = artifacts
        .iter()
        .map(|(artifact, names)| match artifact {
            Artifact::Image(image) => Some((&**image, names.clone())),
            Artifact::Index { .. } => None,
        })
        .collect();
    let members = match images {
        Some(images) if !archive.oci => docker::members(&images),
        _ => oci::members(artifacts, HOST_ARCHITECTURE),
    };
    write_archive(path, &archive.path, members, store)
}
