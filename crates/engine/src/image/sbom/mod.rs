//! Makes SBOMs: documents that list the parts of an image. They follow from the
//! image and the build info of its program; nothing here asks a network.

mod attachment;
mod cyclonedx;
mod dependencies;
mod facts;
mod purl;
mod spdx;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use oci::{Descriptor, Digest, MediaType, Repository};

pub(crate) use self::attachment::Attachment;
pub(crate) use self::dependencies::{base, dependencies};
use self::facts::{ImageFacts, IndexFacts};
use crate::image::{Artifact, Image};

/// How SBOMs are made, and where they go beside the image's repository.
#[derive(Debug, Clone)]
pub struct SbomOptions {
    /// In which format.
    pub format: SbomFormat,
    /// The version of ko that documents name as their maker.
    pub version: String,
    /// A directory that they are written to (`--sbom-dir`).
    pub dir: Option<PathBuf>,
    /// The repository that they are pushed to, in place of each image's own
    /// (`COSIGN_REPOSITORY`).
    pub repository: Option<Repository>,
    /// How a registry finds them by their image.
    pub attach: SbomAttach,
}

/// How SBOMs are attached to images in a registry (`--sbom-attach`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SbomAttach {
    /// Below a tag that names the image, as ko does and cosign reads.
    #[default]
    Tag,
    /// As referrers (OCI 1.1): manifests whose `subject` is the image.
    Referrers,
    /// In both ways.
    Both,
    /// In statements that are signed.
    Attestation,
    /// Not at all.
    None,
}

impl SbomAttach {
    /// Reads one of `tag`, `referrers`, `both`, `attestation` and `none`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "tag" => Some(Self::Tag),
            "referrers" => Some(Self::Referrers),
            "both" => Some(Self::Both),
            "attestation" => Some(Self::Attestation),
            "none" => Some(Self::None),
            _ => None,
        }
    }

    /// Below a tag?
    pub(crate) fn by_tag(self) -> bool {
        matches!(self, Self::Tag | Self::Both)
    }

    /// As referrers?
    pub(crate) fn by_referrer(self) -> bool {
        matches!(self, Self::Referrers | Self::Both)
    }
}

/// The format of an SBOM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SbomFormat {
    /// SPDX 2.3, in JSON.
    Spdx,
    /// CycloneDX 1.6, in JSON.
    CycloneDx,
}

impl SbomFormat {
    /// The media type under which cosign attaches it.
    pub(crate) fn media_type(self) -> MediaType {
        MediaType::from(match self {
            Self::Spdx => "text/spdx+json",
            Self::CycloneDx => "application/vnd.cyclonedx+json",
        })
    }

    /// The media type under which scanners look for it among referrers: the
    /// registered one.
    pub(crate) fn artifact_type(self) -> MediaType {
        match self {
            Self::Spdx => MediaType::from("application/spdx+json"),
            Self::CycloneDx => self.media_type(),
        }
    }

    /// What the names of its files end with.
    fn extension(self) -> &'static str {
        match self {
            Self::Spdx => "spdx.json",
            Self::CycloneDx => "cdx.json",
        }
    }
}

/// What a document is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject<'a> {
    Image(&'a Image),
    Index { media_type: &'a MediaType, index: &'a [u8], digest: Digest, images: &'a [Image] },
}

impl<'a> Subject<'a> {
    /// All that documents of an artifact are about: its images, then itself if
    /// it is an index.
    pub(crate) fn all(artifact: &'a Artifact) -> Vec<Self> {
        let mut subjects: Vec<Self> = artifact.images().iter().map(Self::Image).collect();
        if let Artifact::Index { media_type, index, digest, images } = artifact {
            subjects.push(Self::Index { media_type, index, digest: *digest, images });
        }
        subjects
    }

    pub(crate) fn digest(self) -> Digest {
        match self {
            Self::Image(image) => image.digest,
            Self::Index { digest, .. } => digest,
        }
    }

    /// The image, or those of the index.
    pub(crate) fn images(self) -> &'a [Image] {
        match self {
            Self::Image(image) => std::slice::from_ref(image),
            Self::Index { images, .. } => images,
        }
    }

    /// How others point at it.
    pub(crate) fn descriptor(self) -> Descriptor {
        let (media_type, bytes) = match self {
            Self::Image(image) => (&image.media_type, &image.manifest[..]),
            Self::Index { media_type, index, .. } => (media_type, index),
        };
        Descriptor::new(media_type.clone(), self.digest(), bytes.len() as u64)
    }

    /// The document.
    pub(crate) fn document(self, options: &SbomOptions) -> Vec<u8> {
        let version = &options.version;
        match self {
            Self::Image(image) => {
                let program = image.program.as_ref();
                let program = program.expect("where SBOMs are made, build info has been read");
                let facts = ImageFacts::new(image, program);
                match options.format {
                    SbomFormat::Spdx => spdx::image(&facts, version),
                    SbomFormat::CycloneDx => cyclonedx::image(&facts, version),
                }
            }
            Self::Index { media_type, index, digest, images } => {
                let facts = IndexFacts::new(media_type, index, digest, images);
                match options.format {
                    SbomFormat::Spdx => spdx::index(&facts, version),
                    SbomFormat::CycloneDx => cyclonedx::index(&facts, version),
                }
            }
        }
    }

    /// The name of the document's file: what it is about of the program `name`.
    pub(crate) fn file_name(self, name: &str, format: SbomFormat) -> String {
        let part = match self {
            Self::Image(image) => image.platform.to_string().replace(['/', ':'], "-"),
            Self::Index { .. } => "index".to_owned(),
        };
        format!("{name}-{part}.{}", format.extension())
    }
}
