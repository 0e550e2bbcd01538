//! What the registry holds. Manifests live in memory, blobs in files that are
//! never deleted before the registry is, so that a copy of the contents is a
//! copy of the lists.

use super::body::RequestBody;
use crate::digest;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};
use tempfile::TempDir;

/// A stored manifest or index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The media type it was pushed with.
    pub media_type: String,
    /// Its exact bytes.
    pub bytes: Bytes,
}

impl Manifest {
    /// Returns the digest of the bytes.
    #[must_use]
    pub fn digest(&self) -> String {
        digest::sha256(&self.bytes)
    }

    /// Parses the bytes as JSON.
    ///
    /// # Panics
    /// If they are not JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.bytes).expect("a stored manifest is JSON")
    }
}

/// All repositories of one registry at one moment; to be restored into that
/// same registry.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    pub(crate) repositories: BTreeMap<String, Repository>,
}

/// One repository. As in the reference registry, it has a blob only if the
/// blob was uploaded to it or mounted into it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repository {
    /// Sizes by digest.
    pub(crate) blobs: BTreeMap<String, u64>,
    pub(crate) manifests: BTreeMap<String, Manifest>,
    /// Digests by tag.
    pub(crate) tags: BTreeMap<String, String>,
}

impl Repository {
    /// Finds the manifest of a tag or digest.
    pub(crate) fn manifest(&self, reference: &str) -> Option<&Manifest> {
        let digest = self.tags.get(reference).map_or(reference, String::as_str);
        self.manifests.get(digest)
    }
}

/// An upload that was started and not finished.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) repo: String,
    pub(crate) size: u64,
    /// Whether a chunk was shorter than it may be unless it is the last.
    pub(crate) has_short_chunk: bool,
    hash: Sha256,
    path: PathBuf,
}

impl Upload {
    /// Appends a request's body. What arrived before an error is kept.
    pub(crate) async fn receive(&mut self, body: &mut RequestBody) -> io::Result<()> {
        let mut file = File::options().append(true).open(&self.path)?;
        while let Some(data) = body.chunk().await? {
            file.write_all(&data)?;
            self.hash.update(&data);
            self.size += data.len() as u64;
        }
        Ok(())
    }
}

/// Contents, files and uploads of one registry.
#[derive(Debug)]
pub(crate) struct Storage {
    dir: TempDir,
    contents: Mutex<Contents>,
    uploads: Mutex<(u64, HashMap<String, Upload>)>,
}

impl Storage {
    pub(crate) fn new() -> io::Result<Storage> {
        Ok(Storage {
            dir: TempDir::with_prefix("testkit-registry-")?,
            contents: Mutex::default(),
            uploads: Mutex::default(),
        })
    }

    pub(crate) fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().expect("no holder of the contents panics")
    }

    fn uploads(&self) -> MutexGuard<'_, (u64, HashMap<String, Upload>)> {
        self.uploads.lock().expect("no holder of the uploads panics")
    }

    fn blob_path(&self, digest: &str) -> PathBuf {
        self.dir.path().join(digest.replace(':', "-"))
    }

    /// Stores a manifest under its digest and, if `reference` is a tag, that tag.
    pub(crate) fn put_manifest(
        &self,
        repo: &str,
        reference: &str,
        media_type: &str,
        bytes: Bytes,
    ) -> String {
        let manifest = Manifest { media_type: media_type.to_owned(), bytes };
        let digest = manifest.digest();
        let mut contents = self.contents();
        let repository = contents.repositories.entry(repo.to_owned()).or_default();
        repository.manifests.insert(digest.clone(), manifest);
        if !reference.contains(':') {
            repository.tags.insert(reference.to_owned(), digest.clone());
        }
        digest
    }

    /// Opens a blob of a repository, with its size.
    pub(crate) fn open(&self, repo: &str, digest: &str) -> io::Result<Option<(File, u64)>> {
        let size =
            self.contents().repositories.get(repo).and_then(|repo| repo.blobs.get(digest).copied());
        match size {
            Some(size) => Ok(Some((File::open(self.blob_path(digest))?, size))),
            None => Ok(None),
        }
    }

    /// Stores a blob that is at hand and returns its digest.
    pub(crate) fn put(&self, repo: &str, bytes: &[u8]) -> io::Result<String> {
        let digest = digest::sha256(bytes);
        let path = self.blob_path(&digest);
        if !path.exists() {
            fs::write(path, bytes)?;
        }
        self.link(repo, &digest, bytes.len() as u64);
        Ok(digest)
    }

    fn link(&self, repo: &str, digest: &str, size: u64) {
        let mut contents = self.contents();
        let repo = contents.repositories.entry(repo.to_owned()).or_default();
        repo.blobs.insert(digest.to_owned(), size);
    }

    /// Links a blob of one repository into another; whether it was there.
    pub(crate) fn mount(&self, from: &str, to: &str, digest: &str) -> bool {
        let size =
            self.contents().repositories.get(from).and_then(|repo| repo.blobs.get(digest).copied());
        if let Some(size) = size {
            self.link(to, digest, size);
        }
        size.is_some()
    }

    /// Starts an upload and returns its identifier.
    pub(crate) fn start_upload(&self, repo: &str) -> io::Result<String> {
        let mut uploads = self.uploads();
        uploads.0 += 1;
        let id = format!("00000000-0000-4000-8000-{:012x}", uploads.0);
        let path = self.dir.path().join(&id);
        File::create(&path)?;
        let upload = Upload {
            repo: repo.to_owned(),
            size: 0,
            has_short_chunk: false,
            hash: Sha256::new(),
            path,
        };
        uploads.1.insert(id.clone(), upload);
        Ok(id)
    }

    /// Takes an upload out of the list: one request at a time may work on it.
    pub(crate) fn take_upload(&self, repo: &str, id: &str) -> Option<Upload> {
        let mut uploads = self.uploads();
        match uploads.1.get(id) {
            Some(upload) if upload.repo == repo => uploads.1.remove(id),
            _ => None,
        }
    }

    pub(crate) fn return_upload(&self, id: &str, upload: Upload) {
        self.uploads().1.insert(id.to_owned(), upload);
    }

    pub(crate) fn drop_upload(&self, upload: &Upload) -> io::Result<()> {
        fs::remove_file(&upload.path)
    }

    /// Returns how many uploads are open.
    pub(crate) fn open_uploads(&self) -> usize {
        self.uploads().1.len()
    }

    /// Makes an upload a blob if its digest is `want`; whether it was.
    pub(crate) fn finish_upload(&self, upload: Upload, want: &str) -> io::Result<bool> {
        if digest::text(upload.hash.finalize().as_slice()) != want {
            fs::remove_file(&upload.path)?;
            return Ok(false);
        }
        fs::rename(&upload.path, self.blob_path(want))?;
        self.link(&upload.repo, want, upload.size);
        Ok(true)
    }
}
