//! Fetches an image as a registry has it, to be verified. All of it is the word of
//! whoever pushed it: what is read is bounded, and held to its digests.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::sync::Arc;

use attest::Identity;
use futures::future::try_join_all;
use golang::BuildInfo;
use oci::{
    Descriptor, DiffId, Digest, Hasher, ImageConfig, Index, Manifest, MediaType, Platform,
    Reference, Repository,
};
use registry::Client;
use serde_json::Value;
use store::Store;

use super::VerifyError;
use crate::blocking::with_store;
use crate::tar_entries::{self, Entry};

/// The largest config that is read, in bytes.
const CONFIG: u64 = 8 << 20;

/// The longest that a layer may be when it is inflated, in bytes.
const INFLATED: u64 = 8 << 30;

/// The most images that an index may have.
const IMAGES: usize = 64;

/// Who ko says that it is, in an image's history.
const AUTHOR: &str = "ko";

/// What stands before the import path in an image's history.
const CREATED_BY: &str = "ko build ko://";

/// An image or index, as a registry has it.
#[derive(Debug, Clone)]
pub struct Specimen {
    pub(super) repository: Repository,
    pub(super) digest: Digest,
    pub(super) media_type: MediaType,
    pub(super) index: Option<Index>,
    pub(super) images: Vec<Found>,
    /// Who has signed it, if that was demanded and is not a key.
    pub(super) signed_by: Option<Identity>,
}

/// One image.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) digest: Digest,
    pub(super) media_type: MediaType,
    pub(super) manifest: Manifest,
    pub(super) config: ImageConfig,
    pub(super) config_digest: Digest,
    /// All fields of the config, also those that are not known.
    pub(super) config_json: Value,
    pub(super) platform: Platform,
    /// How many of the layers are ko's, by the history.
    pub(super) added: usize,
    /// What its program says of itself, once that is fetched.
    pub(super) program: Option<BuildInfo>,
}

impl Specimen {
    /// `repository@digest`.
    #[must_use]
    pub fn name(&self) -> String {
        self.repository.with_digest(self.digest).full_name()
    }

    /// Its digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Who has signed it, if that was demanded and is not a key.
    #[must_use]
    pub fn signed_by(&self) -> Option<&Identity> {
        self.signed_by.as_ref()
    }

    /// Fetches manifests and configs.
    pub(super) async fn fetch(client: &Client, reference: &Reference) -> Result<Self, VerifyError> {
        let repository = reference.repository().clone();
        let top = client.manifest(reference).await.map_err(VerifyError::registry)?;
        let (digest, media_type) = (top.digest, top.media_type.clone());
        if !media_type.is_index() {
            let image = found(client, &repository, (digest, media_type.clone()), &top.bytes);
            let images = vec![image.await?];
            return Ok(Self {
                repository,
                digest,
                media_type,
                index: None,
                images,
                signed_by: None,
            });
        }
        let index = Index::parse(&top.bytes).map_err(|_| VerifyError::malformed("its index"))?;
        if index.manifests.is_empty() || index.manifests.len() > IMAGES {
            return Err(VerifyError::malformed("its index"));
        }
        let images = index.manifests.iter().map(|entry| async {
            let reference = repository.with_digest(entry.digest);
            let fetched = client.manifest(&reference).await.map_err(VerifyError::registry)?;
            if fetched.bytes.len() as u64 != entry.size || fetched.media_type != entry.media_type {
                return Err(VerifyError::malformed("an entry of its index"));
            }
            let head = (fetched.digest, fetched.media_type);
            let image = found(client, &repository, head, &fetched.bytes).await?;
            // The index is what runtimes go by.
            Ok(Found { platform: entry.platform.clone().unwrap_or(image.platform), ..image })
        });
        let images = try_join_all(images).await?;
        Ok(Self { repository, digest, media_type, index: Some(index), images, signed_by: None })
    }

    /// Fetches the layers that are ko's, and reads the programs in them.
    pub(super) async fn fetch_programs(
        &mut self,
        client: &Client,
        store: &Store,
    ) -> Result<(), VerifyError> {
        let repository = &self.repository;
        let read = self.images.iter().map(|image| async move {
            let first = image.manifest.layers.len() - image.added;
            let mut program = None;
            for position in first..image.manifest.layers.len() {
                let name = program_name(image);
                let place = (repository, image, position);
                if let Some(found) = look(client, store, place, name).await? {
                    program = Some(found);
                }
            }
            program.ok_or(VerifyError::NoProgram)
        });
        let programs = try_join_all(read).await?;
        for (image, program) in self.images.iter_mut().zip(programs) {
            image.program = Some(program);
        }
        Ok(())
    }
}

/// Fetches a layer of an image, holds it to its diff_id, and reads the build info of
/// the program if that is in it.
async fn look(
    client: &Client,
    store: &Store,
    (repository, image, position): (&Repository, &Found, usize),
    program: Option<String>,
) -> Result<Option<BuildInfo>, VerifyError> {
    let (layer, diff_id) =
        (&image.manifest.layers[position], image.config.rootfs.diff_ids[position]);
    pull(client, repository, layer, store).await?;
    let layer = layer.clone();
    with_store(store, move |store| {
        let dir = store.temp_dir().map_err(VerifyError::store)?;
        let mut found = None;
        read(store, &layer, diff_id, |entry| {
            let Some(program) = &program else { return Ok(()) };
            let path = entry.path_bytes();
            let path = path.strip_suffix(b".exe").unwrap_or(&path);
            if entry.header().entry_type().is_file() && path.ends_with(program.as_bytes()) {
                let path = dir.path().join("program");
                io::copy(entry, &mut File::create(&path)?)?;
                found = Some(path);
            }
            Ok(())
        })?;
        found.map(|path| BuildInfo::read(&path)).transpose().map_err(VerifyError::BuildInfo)
    })
    .await
}

/// Pulls a layer into the store.
pub(super) async fn pull(
    client: &Client,
    repository: &Repository,
    layer: &Descriptor,
    store: &Store,
) -> Result<(), VerifyError> {
    client.pull_blob(repository, layer, store).await.map_err(VerifyError::registry)
}

/// Inflates a layer of the store, has `look` see its entries, and compares all of it
/// with its diff_id.
pub(super) fn read(
    store: &Store,
    layer: &Descriptor,
    diff_id: DiffId,
    look: impl FnMut(&mut Entry<'_, '_>) -> io::Result<()>,
) -> Result<(), VerifyError> {
    let mut plain = Hashed { inner: inflated(store, layer)?, hasher: Hasher::new() };
    let wrong = |source| VerifyError::Layer { digest: layer.digest, source: Arc::new(source) };
    {
        let plain: &mut dyn Read = &mut plain;
        tar_entries::each(plain, look).map_err(wrong)?;
    }
    io::copy(&mut plain, &mut io::sink()).map_err(wrong)?;
    let got = plain.hasher.digest();
    if got != diff_id.digest() {
        return Err(VerifyError::DiffId { layer: layer.digest, want: diff_id.digest(), got });
    }
    Ok(())
}

/// The content of a layer of the store.
pub(super) fn inflated(store: &Store, layer: &Descriptor) -> Result<Box<dyn Read>, VerifyError> {
    let wrong = |source| VerifyError::Layer { digest: layer.digest, source: Arc::new(source) };
    let blob = store.open_blob(&layer.digest, layer.size).map_err(VerifyError::store)?;
    let blob = blob.ok_or_else(|| wrong(io::ErrorKind::NotFound.into()))?;
    let blob = BufReader::with_capacity(256 << 10, blob);
    let plain: Box<dyn Read> = match layer.media_type.as_str() {
        kind if kind.ends_with("gzip") => Box::new(flate2::bufread::MultiGzDecoder::new(blob)),
        kind if kind.ends_with("zstd") => {
            Box::new(zstd::Decoder::with_buffer(blob).map_err(wrong)?)
        }
        _ => Box::new(blob),
    };
    Ok(Box::new(Bounded { inner: plain, left: INFLATED }))
}

/// Refuses what is longer than it may be.
struct Bounded {
    inner: Box<dyn Read>,
    left: u64,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self
            .left
            .checked_sub(read as u64)
            .ok_or_else(|| io::Error::other(format!("it is longer than {INFLATED} bytes")))?;
        Ok(read)
    }
}

/// Hashes what is read.
struct Hashed {
    inner: Box<dyn Read>,
    hasher: Hasher,
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}

/// Where the program is in its layer, by the history. Others may be beside it.
fn program_name(image: &Found) -> Option<String> {
    let places = image.config.history.iter().rev();
    let places: Vec<&str> = places
        .filter_map(|entry| entry.comment.strip_prefix("go build output, at /"))
        .take(image.added)
        .collect();
    let name = image.import_path().rsplit('/').next()?;
    let own = places.iter().find(|place| place.ends_with(&format!("/{name}")));
    own.or(places.first()).map(|place| (*place).to_owned())
}

/// Fetches the config of an image.
async fn found(
    client: &Client,
    repository: &Repository,
    (digest, media_type): (Digest, MediaType),
    bytes: &[u8],
) -> Result<Found, VerifyError> {
    let manifest = Manifest::parse(bytes).map_err(|_| VerifyError::malformed("its manifest"))?;
    let fetched = client.blob_bytes(repository, &manifest.config, CONFIG).await;
    let fetched = fetched.map_err(VerifyError::registry)?;
    let config = ImageConfig::parse(&fetched).map_err(|_| VerifyError::malformed("its config"))?;
    if manifest.layers.len() != config.rootfs.diff_ids.len() {
        return Err(VerifyError::malformed("its config"));
    }
    let last = config.history.last().map(|entry| entry.created_by.clone()).unwrap_or_default();
    // The base may be an image of ko, too, of another program.
    let is_ours = |entry: &&oci::History| {
        entry.author == AUTHOR
            && entry.created_by.starts_with(CREATED_BY)
            && entry.created_by == last
            && !entry.empty_layer
    };
    let added = config.history.iter().rev().take_while(is_ours).count();
    if added == 0 || added > manifest.layers.len() {
        return Err(VerifyError::NotKo);
    }
    let platform = Platform {
        os: config.os.clone(),
        architecture: config.architecture.clone(),
        variant: config.variant.clone(),
        os_version: config.os_version.clone(),
        ..Platform::default()
    };
    let config_json = serde_json::from_slice(&fetched).unwrap_or(Value::Null);
    let config_digest = manifest.config.digest;
    Ok(Found {
        digest,
        media_type,
        manifest,
        config,
        config_digest,
        config_json,
        platform,
        added,
        program: None,
    })
}

impl Found {
    /// The import path, by the history.
    pub(super) fn import_path(&self) -> &str {
        let last = self.config.history.last();
        last.and_then(|entry| entry.created_by.strip_prefix(CREATED_BY)).unwrap_or_default()
    }
}
