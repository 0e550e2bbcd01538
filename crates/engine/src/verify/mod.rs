//! Verifies that an image of a registry is what its source gives. What the image says
//! of itself is believed in nothing: it only says with which harmless settings the
//! source is built, and the result has to be the same.

mod attached;
mod claims;
mod compare;
mod difference;
mod isolation;
mod layers;
mod programs;
mod sboms;
mod source;
mod specimen;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use attest::ExpectedSigner;
use golang::{BuildInfoError, ChildError, Environment, FindError, GoEnvError};
use oci::{Digest, Reference};
use registry::{Access, Client, ClientOptions, RegistryError};
use serde_json::Value;
use store::{Store, StoreError};
use tempfile::TempDir;

use self::attached::Attached;
pub use self::claims::{Claims, ProvenanceClaims};
use self::compare::Sides;
pub use self::difference::Difference;
pub use self::isolation::isolated;
pub use self::source::{CloneUrl, Commit};
pub use self::specimen::Specimen;
use crate::bases::BaseReference;
use crate::build::NotAllowed;
use crate::engine::Engine;
use crate::execute::Published;
use crate::hints::{self, Asked};
use crate::image::BASE_DIGEST;
use crate::image::sbom::{SbomAttach, SbomFormat, SbomOptions, Subject};
use crate::options::Network;

/// Why an image cannot be verified, or is refused before anything is built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The reference is none.
    #[error("{reference:?} is no reference of an image")]
    Reference {
        /// The reference.
        reference: String,
    },
    /// A registry does not give it.
    #[error(transparent)]
    Registry(Arc<RegistryError>),
    /// There is no place to work in.
    #[error("making a directory in {dir}", dir = dir.display())]
    Scratch {
        /// Where.
        dir: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The files that are worked with cannot be written or read.
    #[error("writing what is fetched")]
    Store(#[source] StoreError),
    /// Part of the image is not what it should be.
    #[error("{what} makes no sense")]
    Malformed {
        /// Which part.
        what: &'static str,
    },
    /// It is no image that ko has built.
    #[error("it is no image of ko: its history names no program")]
    NotKo,
    /// There is no program where its history says that one is.
    #[error("there is no program where its history says that one is")]
    NoProgram,
    /// A layer cannot be read.
    #[error("reading its layer {digest}")]
    Layer {
        /// The layer.
        digest: Digest,
        /// Why not.
        #[source]
        source: Arc<io::Error>,
    },
    /// A layer is not what the config says.
    #[error("its layer {layer} is {got} when it is inflated, and its config says {want}")]
    DiffId {
        /// The layer.
        layer: Digest,
        /// What the config says.
        want: Digest,
        /// What it is.
        got: Digest,
    },
    /// The program says nothing of itself.
    #[error(transparent)]
    BuildInfo(BuildInfoError),
    /// It says that it was built with a setting that is not taken from an image.
    #[error(transparent)]
    NotAllowed(NotAllowed),
    /// It says that it was built by a Go that is no release.
    #[error("it says that it was built by {version:?}, which is no release of Go")]
    Release {
        /// What it says.
        version: String,
    },
    /// Its provenance is about something else.
    #[error("its provenance is that of another image: of sha256:{subjects}, and not of {subject}")]
    Subject {
        /// What it is about.
        subjects: String,
        /// The image.
        subject: Digest,
    },
    /// Its provenance and its program say different things.
    #[error("{what}: its provenance says {provenance}, its program {image}")]
    Disagree {
        /// Of what.
        what: &'static str,
        /// What provenance says.
        provenance: String,
        /// What the program says.
        image: String,
    },
    /// Whom the caller names has not signed it.
    #[error("it is not signed by {signer}{}", because(attached))]
    NotSigned {
        /// Who should have signed.
        signer: String,
        /// What is wrong with what is attached, if anything is.
        attached: Vec<String>,
    },
    /// A URL is none that is fetched from.
    #[error("{url:?} is no URL of a git repository that is fetched from")]
    CloneUrl {
        /// The URL.
        url: String,
    },
    /// A commit is named by something else than its hash.
    #[error("{commit:?} is no hash of a commit")]
    Commit {
        /// What is named.
        commit: String,
    },
    /// git cannot fetch the source.
    #[error("fetching {url}: {output}")]
    Clone {
        /// The URL, without secrets.
        url: String,
        /// What git said.
        output: String,
    },
    /// There is no git.
    #[error("there is no git in PATH, which fetches the source")]
    NoGit,
    /// git cannot be run.
    #[error("running git")]
    Git(#[source] ChildError),
    /// There is no `go`.
    #[error(transparent)]
    Go(FindError),
    /// `go` does not answer.
    #[error(transparent)]
    GoEnv(GoEnvError),
}

/// Why what is attached does not count.
fn because(attached: &[String]) -> String {
    match attached {
        [] => String::new(),
        reasons => format!(": {}", reasons.join("; ")),
    }
}

impl VerifyError {
    fn registry(error: RegistryError) -> Self {
        Self::Registry(Arc::new(error))
    }

    fn store(error: StoreError) -> Self {
        Self::Store(error)
    }

    fn malformed(what: &'static str) -> Self {
        Self::Malformed { what }
    }

    /// What a user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Registry(source) => return Some(hints::registry(source, Asked::Image)),
            Self::NotAllowed(_) => {
                "a setting that is right for you here, you can set in your own environment"
            }
            Self::NotSigned { .. } => "`cosign tree` lists what is attached to an image",
            Self::CloneUrl { .. } => {
                "https, ssh and file URLs are taken, paths, and user@host:path"
            }
            Self::Commit { .. } => "give all 40 digits, as `git rev-parse HEAD` prints them",
            Self::NotKo => "images that ko or this program has built can be verified",
            _ => return None,
        };
        Some(hint.to_owned())
    }

    /// Whether the image is refused, and not just out of reach.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Malformed { .. }
                | Self::NoProgram
                | Self::DiffId { .. }
                | Self::BuildInfo(_)
                | Self::NotAllowed(_)
                | Self::Release { .. }
                | Self::Subject { .. }
                | Self::Disagree { .. }
                | Self::NotSigned { .. }
        )
    }
}

/// What was proven of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Proof {
    /// Whether it has the digest of what was built. Else its layers are compressed in
    /// another way.
    pub same_digest: bool,
    /// How many SBOMs are attached, which list the same modules or images.
    pub sboms: usize,
}

/// Fetches images, and compares them with what their source gives.
#[derive(Debug)]
pub struct Verifier {
    client: Client,
    store: Store,
    signer: Option<ExpectedSigner>,
    dir: TempDir,
}

impl Verifier {
    /// Works in a new directory below `parent`, which goes with it. What `signer` has not
    /// signed is refused.
    ///
    /// # Errors
    /// The directory cannot be written, or there are no certificates to go by.
    pub fn new(
        network: &Network,
        parent: &Path,
        signer: Option<ExpectedSigner>,
    ) -> Result<Self, VerifyError> {
        let dir = tempfile::Builder::new().prefix("ko-verify-").tempdir_in(parent);
        let dir = dir.map_err(|source| VerifyError::Scratch { dir: parent.to_owned(), source })?;
        let store = Store::open(&dir.path().join("image")).map_err(VerifyError::Store)?;
        let options = ClientOptions { skip_verify: network.insecure, ..network.client_options() };
        let client = Client::new(options, Arc::clone(&network.keychain));
        Ok(Self { client: client.map_err(VerifyError::registry)?, store, signer, dir })
    }

    /// The directory that goes with it.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.dir.path()
    }

    /// Fetches manifests and configs of an image, and holds it to the signer.
    ///
    /// # Errors
    /// It cannot be had, is no image of ko, or is not signed.
    pub async fn fetch(&self, reference: &str) -> Result<Specimen, VerifyError> {
        let parsed: Reference = reference
            .parse()
            .map_err(|_| VerifyError::Reference { reference: reference.to_owned() })?;
        let mut specimen = Specimen::fetch(&self.client, &parsed).await?;
        if let Some(signer) = &self.signer {
            let attached = self.attached(&specimen, specimen.digest).await?;
            specimen.signed_by = attached.signed_by(specimen.digest, signer)?;
        }
        Ok(specimen)
    }

    /// Reads what an image says of its build, but for what its program and provenance
    /// say.
    ///
    /// # Errors
    /// It makes no sense.
    pub fn outline(&self, specimen: &Specimen) -> Result<Claims, VerifyError> {
        Claims::read(specimen, None, &Environment::new())
    }

    /// Fetches the programs of an image and its provenance, and reads what it says of
    /// its build. `caller` is the environment of who verifies.
    ///
    /// # Errors
    /// Something cannot be had, contradicts itself, or is a dangerous setting.
    pub async fn claims(
        &self,
        specimen: &mut Specimen,
        caller: &Environment,
    ) -> Result<Claims, VerifyError> {
        let predicate = self.provenance(specimen).await?;
        specimen.fetch_programs(&self.client, &self.store).await?;
        Claims::read(specimen, predicate.as_ref(), caller)
    }

    /// Whether a base is where an image says that it is. ko 0.19.1 writes a digest into
    /// indexes that is nowhere; then only their images say which base they have.
    /// `base` has to be one that the caller names: a registry is asked.
    ///
    /// # Errors
    /// The registry does not say.
    pub async fn has_base(
        &self,
        base: &BaseReference,
        digest: Digest,
    ) -> Result<bool, VerifyError> {
        let BaseReference::Registry { reference, .. } = base else { return Ok(true) };
        let reference = reference.repository().with_digest(digest);
        let found = self.client.for_bases().head_manifest(&reference, Access::Pull).await;
        Ok(found.map_err(VerifyError::registry)?.is_some())
    }

    async fn provenance(&self, specimen: &Specimen) -> Result<Option<Value>, VerifyError> {
        let attached = self.attached(specimen, specimen.digest).await?;
        attached.provenance(specimen.digest, self.signer.as_ref())
    }

    async fn attached(&self, of: &Specimen, subject: Digest) -> Result<Attached, VerifyError> {
        Attached::fetch(&self.client, &of.repository, subject).await
    }

    /// Compares an image with what an engine has built: the proof that both are the
    /// same, or the first difference.
    ///
    /// # Errors
    /// Something that has to be compared cannot be had.
    pub async fn compare(
        &self,
        specimen: &Specimen,
        claims: &Claims,
        (engine, built): (&Engine, &Published),
    ) -> Result<Result<Proof, Difference>, VerifyError> {
        let artifact = &built.artifact;
        let same_digest = specimen.digest == artifact.digest();
        let sides = Sides { client: &self.client, image: &self.store, source: engine.store() };
        let compared = compare::artifacts(sides, specimen, claims, artifact).await?;
        if let Some(difference) = compared {
            return Ok(Err(difference));
        }
        let mut sboms = 0;
        if let Some(index) = &specimen.index {
            let images = index.manifests.iter().map(|entry| entry.digest).collect();
            let base = index.annotations.get(BASE_DIGEST).and_then(|digest| digest.parse().ok());
            let others: Vec<Digest> = std::iter::once(specimen.digest).chain(base).collect();
            for found in self.attached(specimen, specimen.digest).await?.sboms {
                if let Some(difference) = sboms::compare_images(&found, &images, &others) {
                    return Ok(Err(difference.within("the index")));
                }
                sboms += 1;
            }
        }
        for (image, built) in specimen.images.iter().zip(artifact.images()) {
            if built.program.is_none() {
                continue;
            }
            let options = SbomOptions {
                format: SbomFormat::Spdx,
                version: String::new(),
                dir: None,
                repository: None,
                attach: SbomAttach::None,
            };
            let document = Subject::Image(built).document(&options);
            for found in self.attached(specimen, image.digest).await?.sboms {
                if let Some(difference) = sboms::compare(&found, &document) {
                    return Ok(Err(difference.within(image.platform.to_string())));
                }
                sboms += 1;
            }
        }
        Ok(Ok(Proof { same_digest, sboms }))
    }
}
