//! An image to publish, and what must be so of all tags afterwards.

use bytes::Bytes;
use ko_registry::{Access, BlobSource, Client, PushHint, RegistryError};
use oci::{Descriptor, Digest, MediaType, Reference, Repository};
use serde_json::json;
use testkit::registry::TestRegistry;

use crate::{reference, repository, store};

/// An image of two layers, one of which is its base's, an index of it, and what is
/// attached to it.
pub(super) struct Image {
    base_layer: Bytes,
    layer: Bytes,
    config: Bytes,
    pub(super) manifest: Bytes,
    pub(super) index: Bytes,
    pub(super) referrer: Bytes,
}

pub(super) fn descriptor(kind: &str, bytes: &[u8]) -> Descriptor {
    Descriptor::of(MediaType::from(kind), bytes)
}

impl Image {
    pub(super) fn new() -> Self {
        let base_layer = Bytes::from_static(b"the layer of the base");
        let layer = Bytes::from_static(b"the layer of the program");
        let config = Bytes::from_static(br#"{"os":"linux","architecture":"amd64"}"#);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_MANIFEST,
            "config": descriptor(MediaType::OCI_CONFIG, &config),
            "layers": [
                descriptor(MediaType::OCI_LAYER_GZIP, &base_layer),
                descriptor(MediaType::OCI_LAYER_GZIP, &layer),
            ],
        });
        let manifest = Bytes::from(manifest.to_string());
        let index = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_INDEX,
            "manifests": [descriptor(MediaType::OCI_MANIFEST, &manifest)],
        });
        // Of parts that the image has as well.
        let referrer = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_MANIFEST,
            "config": descriptor(MediaType::OCI_CONFIG, &config),
            "layers": [descriptor(MediaType::OCI_LAYER_GZIP, &layer)],
            "subject": descriptor(MediaType::OCI_MANIFEST, &manifest),
        });
        let (index, referrer) = (index.to_string().into(), referrer.to_string().into());
        Self { base_layer, layer, config, manifest, index, referrer }
    }

    /// Puts the base into a registry, past HTTP.
    pub(super) fn base(&self, registry: &TestRegistry, name: &str) {
        let config = registry.put_blob(name, &self.config);
        let layer = registry.put_blob(name, &self.base_layer);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_MANIFEST,
            "config": {"digest": config, "size": self.config.len()},
            "layers": [{"digest": layer, "size": self.base_layer.len()}],
        });
        registry.put_manifest(name, "latest", MediaType::OCI_MANIFEST, manifest.to_string());
    }

    /// Publishes it as a run does: the base is read, its layer mounted, the rest
    /// sent, what is attached too if that is wanted, and a tag put last.
    pub(super) async fn publish(
        &self,
        client: &Client,
        registry: &TestRegistry,
        attach: bool,
    ) -> Result<(), RegistryError> {
        let (_dir, store) = store();
        let (base, app) = (repository(registry, "base"), repository(registry, "app"));
        let bases = client.for_bases();
        let found = bases.manifest(&reference(registry, "base:latest")).await?;
        assert_eq!(found.media_type.as_str(), MediaType::OCI_MANIFEST);
        let config = descriptor(MediaType::OCI_CONFIG, &self.config);
        assert_eq!(bases.blob_bytes(&base, &config, 1000).await?, self.config);
        let tag = reference(registry, "app:v1");
        let index = Digest::of(&self.index);
        if client.head_manifest(&tag, Access::Push).await? == Some(index) {
            return Ok(());
        }
        let image = Digest::of(&self.manifest);
        let by_digest = app.with_digest(image);
        if client.head_manifest(&by_digest, Access::Push).await? != Some(image) {
            self.blobs(client, &base, &app, store).await?;
            put(client, &by_digest, MediaType::OCI_MANIFEST, &self.manifest).await?;
        }
        put(client, &app.with_digest(index), MediaType::OCI_INDEX, &self.index).await?;
        if attach && !client.push_referrer(&app, self.referrer.clone()).await? {
            let entry = descriptor(MediaType::OCI_MANIFEST, &self.referrer);
            client.list_referrer(&app, image, &entry).await?;
        }
        put(client, &tag, MediaType::OCI_INDEX, &self.index).await
    }

    async fn blobs(
        &self,
        client: &Client,
        base: &Repository,
        app: &Repository,
        store: store::Store,
    ) -> Result<(), RegistryError> {
        let (client_of_base, repository) = (client.for_bases(), base.clone());
        let there = BlobSource::Remote { client: client_of_base, repository, store };
        let layer = descriptor(MediaType::OCI_LAYER_GZIP, &self.base_layer);
        client.push_blob(app, &layer, &there, Some(base), PushHint::Unknown).await?;
        for (kind, bytes) in
            [(MediaType::OCI_LAYER_GZIP, &self.layer), (MediaType::OCI_CONFIG, &self.config)]
        {
            let (descriptor, source) = (descriptor(kind, bytes), BlobSource::Bytes(bytes.clone()));
            client.push_blob(app, &descriptor, &source, None, PushHint::Unknown).await?;
        }
        Ok(())
    }
}

async fn put(
    client: &Client,
    reference: &Reference,
    kind: &str,
    bytes: &Bytes,
) -> Result<(), RegistryError> {
    client.push_manifest(reference, &MediaType::from(kind), bytes.clone()).await.map(drop)
}

/// All that a tag of the registry reaches is there, and is what it is called.
pub(super) fn assert_tags_are_complete(registry: &TestRegistry, case: &str) {
    for repository in registry.repositories() {
        for tag in registry.tags(&repository) {
            let mut open = vec![registry.manifest(&repository, &tag).unwrap()];
            while let Some(manifest) = open.pop() {
                let json = manifest.json();
                let list = |key: &str| json[key].as_array().cloned().unwrap_or_default();
                for child in list("manifests") {
                    let digest = child["digest"].as_str().unwrap();
                    let found = registry.manifest(&repository, digest);
                    let found = found.unwrap_or_else(|| panic!("{case}: {tag} lacks {digest}"));
                    assert_eq!(found.digest(), digest, "{case}");
                    assert_eq!(child["size"], found.bytes.len(), "{case}");
                    open.push(found);
                }
                for blob in list("layers").into_iter().chain(json.get("config").cloned()) {
                    let digest = blob["digest"].as_str().unwrap();
                    let bytes = registry.blob(&repository, digest);
                    let bytes = bytes.unwrap_or_else(|| panic!("{case}: {tag} lacks {digest}"));
                    assert_eq!(testkit::sha256(&bytes), digest, "{case}");
                    assert_eq!(blob["size"], bytes.len(), "{case}");
                }
            }
        }
    }
}
