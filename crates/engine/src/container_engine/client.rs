//! Connects to a container engine and asks it what it has.

use std::time::Duration;

use bollard::errors::Error as ApiError;
use bollard::models::ImageInspect;
use bollard::query_parameters::{
    ImportImageOptionsBuilder, ListImagesOptionsBuilder, TagImageOptionsBuilder,
};
use bollard::{API_DEFAULT_VERSION, ClientVersion, Docker};
use bytes::Bytes;
use futures::{Stream, TryStreamExt as _};

use super::endpoint::{Address, Endpoint};
use super::error::{DaemonError, reason};
use super::group::group_of;
use super::places::{EngineKind, EnginePlaces};

/// How long an engine may take to say that it is there, in seconds.
const HELLO: u64 = 20;

/// How long it may take to take an image in.
const LOAD: Duration = Duration::from_secs(60 * 60);

/// An engine that answers. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    docker: Docker,
    endpoint: String,
    /// Operating system and architecture of its machine, in Go's words.
    pub(crate) platform: (String, String),
    /// Whether it is Podman, which keeps images in a way of its own.
    pub(crate) podman: bool,
}

impl Engine {
    /// The first engine that answers.
    pub(crate) async fn find(places: &EnginePlaces, kind: EngineKind) -> Result<Self, DaemonError> {
        let version = places.docker_api_version.as_deref().map(api_version).transpose()?;
        let (mut tried, mut group, mut ssh) = (Vec::new(), None, None);
        for endpoint in places.endpoints(kind)? {
            match Self::connect(places, &endpoint, kind, version).await {
                Ok(engine) => return Ok(engine),
                Err(error) => {
                    let reason = reason(&error);
                    if group.is_none() && reason.contains("Permission denied") {
                        group = endpoint.path().and_then(group_of);
                    }
                    if let Address::Ssh(host) = endpoint.address() {
                        ssh = Some(host.check(kind));
                    }
                    // The reason may end in the path, which the endpoint has.
                    let path = endpoint.path().map(|path| format!(": {}", path.display()));
                    let reason =
                        path.and_then(|path| reason.strip_suffix(&path)).unwrap_or(&reason);
                    tried.push(format!("{endpoint}: {reason}"));
                }
            }
        }
        Err(DaemonError::NoContainerEngine {
            tried,
            group,
            podman: kind == EngineKind::Podman,
            ssh,
        })
    }

    async fn connect(
        places: &EnginePlaces,
        endpoint: &Endpoint,
        kind: EngineKind,
        version: Option<ClientVersion>,
    ) -> Result<Self, ApiError> {
        let wanted = version.as_ref().unwrap_or(API_DEFAULT_VERSION);
        let docker = match endpoint.address() {
            Address::Socket(address) => Docker::connect_with_socket(address, HELLO, wanted)?,
            Address::Http(host) => Docker::connect_with_http(host, HELLO, wanted)?,
            Address::Https(host, files) => {
                Docker::connect_with_ssl(host, &files.key, &files.cert, &files.ca, HELLO, wanted)?
            }
            Address::Ssh(host) => host.connect(kind, &places.environment, HELLO, wanted)?,
        };
        let docker = match version {
            Some(_) => docker,
            None => docker.negotiate_version().await?,
        };
        let found = docker.version().await?;
        let podman = found.components.unwrap_or_default();
        let podman = podman.iter().any(|component| component.name.starts_with("Podman"));
        let platform = (found.os.unwrap_or_default(), found.arch.unwrap_or_default());
        let docker = docker.with_timeout(LOAD);
        Ok(Self { docker, endpoint: endpoint.to_string(), platform, podman })
    }

    /// Where it listens, as messages have it.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What is wrong with what was asked of it.
    fn failed(&self, action: impl Into<String>) -> impl FnOnce(ApiError) -> DaemonError {
        let (engine, action) = (self.endpoint.clone(), action.into());
        move |source| DaemonError::of(engine, action, source)
    }

    /// Looks at an image, by id or name.
    pub(crate) async fn image(&self, name: &str) -> Result<Option<ImageInspect>, DaemonError> {
        match self.docker.inspect_image(name).await {
            Ok(found) => Ok(Some(found)),
            Err(ApiError::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(self.failed(format!("looking for image {name}"))(error)),
        }
    }

    /// Does it keep images in containerd's store, as Docker does by default
    /// since 29? They are known there by the digests of their manifests, and
    /// not of their configs. A proxy that does not let us ask has none.
    pub(super) async fn keeps_manifests(&self) -> bool {
        let info = if self.podman { None } else { self.docker.info().await.ok() };
        let status = info.and_then(|info| info.driver_status).unwrap_or_default();
        status.iter().any(|pair| *pair == ["driver-type", "io.containerd.snapshotter.v1"])
    }

    /// The ids of its images, and the names that each has.
    pub(super) async fn images(&self) -> Result<Vec<(String, Vec<String>)>, DaemonError> {
        let options = ListImagesOptionsBuilder::default().build();
        let images = self.docker.list_images(Some(options)).await;
        let images = images.map_err(self.failed("listing images"))?;
        Ok(images.into_iter().map(|image| (image.id, image.repo_tags)).collect())
    }

    /// Gives an image, which has this id or name, a further name.
    pub(crate) async fn tag(
        &self,
        image: &str,
        repository: &str,
        tag: &str,
    ) -> Result<(), DaemonError> {
        let options = TagImageOptionsBuilder::default().repo(repository).tag(tag).build();
        let tagged = self.docker.tag_image(image, Some(options)).await;
        tagged.map_err(self.failed(format!("tagging {repository}:{tag}")))
    }

    /// An image as an archive.
    pub(crate) fn export<'a>(
        &'a self,
        name: &'a str,
    ) -> impl Stream<Item = Result<Bytes, DaemonError>> + use<'a> {
        self.docker.export_image(name).map_err(|error| self.failed("exporting")(error))
    }

    /// Has it take an archive in.
    pub(super) async fn load(
        &self,
        archive: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    ) -> Result<(), DaemonError> {
        let options = ImportImageOptionsBuilder::default().quiet(true).build();
        let answers = self.docker.import_image_stream(options, archive, None);
        let loaded: Result<Vec<_>, ApiError> = answers.try_collect().await;
        loaded.map(drop).map_err(self.failed("loading"))
    }
}

fn api_version(version: &str) -> Result<ClientVersion, DaemonError> {
    let wrong = || DaemonError::Version { version: version.to_owned() };
    let (major, minor) = version.split_once('.').ok_or_else(wrong)?;
    Ok(ClientVersion {
        major_version: major.parse().map_err(|_| wrong())?,
        minor_version: minor.parse().map_err(|_| wrong())?,
    })
}
