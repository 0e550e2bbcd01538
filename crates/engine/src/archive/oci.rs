//! Writes OCI archives: an image layout as one file. For container engines that
//! know nothing else there is a `manifest.json` too, with the image for one
//! platform of each program; it names the same blobs, so nothing is there twice.

use oci::{Descriptor, Digest, Index, MediaType, Repository, json};

use super::docker::{self, Listed};
use super::member::{Content, Member};
use crate::image::{Artifact, Image};

/// The content of `oci-layout`, as ko writes it.
pub(crate) const LAYOUT: &[u8] = b"{\n    \"imageLayoutVersion\": \"1.0.0\"\n}";

/// The annotation by which an image is found in a layout (OCI image-spec,
/// "Pre-Defined Annotation Keys").
pub(crate) const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// By which containerd finds the name of an image (containerd,
/// `images/annotations.go`).
const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// Where a blob lies.
pub(crate) fn path(digest: Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// An archive of artifacts with the names that each has. What only knows one
/// platform finds the image for linux and this architecture, or else the first.
pub(crate) fn members(artifacts: &[(Artifact, Vec<String>)], architecture: &str) -> Vec<Member> {
    let mut members = vec![Member::new("oci-layout", Content::Bytes(LAYOUT.to_vec()))];
    let mut add = |digest: Digest, content| {
        let path = path(digest);
        if !members.iter().any(|member| member.path == path) {
            members.push(Member::new(path, content));
        }
    };
    let mut index = Index::new(MediaType::OCI_INDEX.into());
    let mut listed = Vec::new();
    for (artifact, names) in artifacts {
        for image in artifact.images() {
            add_image(image, &mut add);
        }
        let (_, top) = artifact.top();
        add(artifact.digest(), Content::Bytes(top.to_vec()));
        for name in names {
            let mut descriptor = artifact.descriptor();
            if is_named(name) {
                descriptor.annotations.insert(CONTAINERD_NAME.to_owned(), full_name(name));
            }
            descriptor.annotations.insert(REF_NAME.to_owned(), name.clone());
            index.manifests.push(descriptor);
        }
        let one = artifact.image_for("linux", architecture);
        if let Some(image) = one.or(artifact.images().first()) {
            let names = names.iter().filter(|name| is_named(name)).cloned().collect();
            listed.push(Listed::new(image, names, |blob: &Descriptor| path(blob.digest)));
        }
    }
    members.push(Member::new("index.json", Content::Bytes(json::to_vec(&index))));
    members.push(docker::manifest(&listed));
    members
}

/// An archive of one image with one name, for engines that know OCI.
pub(crate) fn of_one(image: &Image, name: &str) -> Vec<Member> {
    let named = (Artifact::Image(Box::new(image.clone())), vec![name.to_owned()]);
    let mut members = members(&[named], "");
    members.retain(|member| member.path != docker::MANIFEST);
    members
}

fn add_image(image: &Image, add: &mut impl FnMut(Digest, Content)) {
    for layer in image.layers.iter().map(|layer| &layer.descriptor) {
        // What only lives elsewhere is not part of the archive either.
        if !layer.media_type.is_nondistributable() {
            add(layer.digest, Content::Blob(layer.digest, layer.size));
        }
    }
    add(image.config_descriptor.digest, Content::Bytes(image.config.clone()));
    add(image.digest, Content::Bytes(image.manifest.clone()));
}

/// A tag alone names an image of an archive, but none of an engine.
fn is_named(name: &str) -> bool {
    name.contains(':')
}

/// `name:tag` with the registry that is meant where none is written, in the
/// words of engines.
pub(crate) fn full_name(name: &str) -> String {
    let (repository, tag) = name.rsplit_once(':').expect("names have tags");
    match repository.parse::<Repository>() {
        Ok(repository) => {
            let full = repository.full_name();
            let full =
                full.strip_prefix("index.").filter(|_| repository.registry().is_docker_hub());
            format!("{}:{tag}", full.map_or_else(|| repository.full_name(), str::to_owned))
        }
        Err(_) => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::full_name;

    #[test]
    fn names_are_those_that_engines_know() {
        for (name, want) in [
            ("app:v1", "docker.io/library/app:v1"),
            ("user/app:v1", "docker.io/user/app:v1"),
            ("localhost:5000/app:v1", "localhost:5000/app:v1"),
            ("ko.local/app:v1", "ko.local/app:v1"),
        ] {
            assert_eq!(full_name(name), want);
        }
    }
}
