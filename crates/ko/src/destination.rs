//! Decides where images go, from KO_DOCKER_REPO and the flags, and reports what
//! cannot work before anything is compiled.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use engine::{
    Archive, Cluster, DestinationOptions, EngineKind, EnginePlaces, Layout, Local, Namer, Registry,
    Repository, Tag, TagSource,
};

use crate::cli::{PublishArgs, elements, habits};
use crate::config::{self, List, Origin};
use crate::environment::Process;
use crate::error::{CommandError, Result};
use crate::{system, ui};

/// What --tag-only needs.
const ONE_TAG: &str = "name one that stays, as in -t v1.2.3";

/// What names begin with in an engine, where nobody says otherwise.
const LOCAL: &str = "ko.local";

/// What names begin with in a kind cluster, where nobody says otherwise.
const KIND: &str = "kind.local";

/// A cluster, by the name that kind gives it, or its usual one.
fn kind(name: &str) -> Cluster {
    let name = if name.is_empty() { "kind" } else { name };
    Cluster::Kind { name: name.to_owned() }
}

/// The repository of a registry that `KO_DOCKER_REPO` names, if it names one.
pub(crate) fn repository(process: &Process) -> Option<String> {
    match DestinationKind::parse(process.text("KO_DOCKER_REPO")?).ok()? {
        DestinationKind::Registry(repository) => {
            Some(repository).filter(|it| !["", LOCAL, KIND].contains(&it.as_str()))
        }
        _ => None,
    }
}

/// The kinds of destinations that KO_DOCKER_REPO may name.
#[derive(Debug, PartialEq, Eq)]
enum DestinationKind {
    /// A repository of a registry, or nothing.
    Registry(String),
    /// `oci:DIR`: an OCI image layout.
    Layout(PathBuf),
    /// `oci-archive:FILE`: an OCI archive.
    Archive(PathBuf),
    /// `docker://[PREFIX]`, `podman://[PREFIX]`: a container engine, and the
    /// prefix of image names there.
    Engine(EngineKind, String),
    /// `kind://[CLUSTER]`, `containerd://[[NAMESPACE/]PREFIX]`: the nodes of a
    /// cluster, or this machine's containerd.
    Cluster(Cluster, String),
}

impl DestinationKind {
    fn parse(raw: String) -> Result<Self> {
        let path = |scheme: &str, what: &str| match raw.strip_prefix(scheme) {
            Some("") => {
                let message = format!("KO_DOCKER_REPO={scheme} needs a {what} after the colon");
                Err(CommandError::new(message))
            }
            path => Ok(path.map(PathBuf::from)),
        };
        if let Some(dir) = path("oci:", "directory")? {
            return Ok(Self::Layout(dir));
        }
        if let Some(file) = path("oci-archive:", "file")? {
            return Ok(Self::Archive(file));
        }
        for (scheme, kind) in [("docker://", EngineKind::Docker), ("podman://", EngineKind::Podman)]
        {
            if let Some(prefix) = raw.strip_prefix(scheme) {
                let prefix = Some(prefix).filter(|prefix| !prefix.is_empty());
                return Ok(Self::Engine(kind, prefix.unwrap_or(LOCAL).to_owned()));
            }
        }
        if let Some(name) = raw.strip_prefix("kind://") {
            return Ok(Self::Cluster(kind(name), KIND.to_owned()));
        }
        if let Some(rest) = raw.strip_prefix("containerd://") {
            let (namespace, prefix) = rest.split_once('/').unwrap_or(("default", rest));
            let prefix = if prefix.is_empty() { LOCAL } else { prefix };
            let cluster = Cluster::Containerd { namespace: namespace.to_owned() };
            return Ok(Self::Cluster(cluster, prefix.to_owned()));
        }
        Ok(Self::Registry(raw))
    }

    /// Whether images are loaded ([`Local`]), not pushed or written.
    fn is_local(&self) -> bool {
        matches!(self, Self::Engine(..) | Self::Cluster(..))
    }

    /// What `-L` makes of it, and a repository that only stands for an engine.
    fn localized(self, local: bool, cluster: &str) -> Result<Self> {
        let both = |scheme: &str| {
            let message = format!("--local and KO_DOCKER_REPO={scheme} cannot both be used");
            Err(CommandError::new(message))
        };
        match self {
            Self::Registry(repository) if local && repository.is_empty() => {
                Ok(Self::Engine(EngineKind::Docker, LOCAL.to_owned()))
            }
            // As in ko, `ko.localhost` too.
            Self::Registry(repository) if local || repository.starts_with(LOCAL) => {
                Ok(Self::Engine(EngineKind::Docker, repository))
            }
            Self::Registry(repository) if repository.starts_with(KIND) => {
                Ok(Self::Cluster(kind(cluster), repository))
            }
            Self::Cluster(Cluster::Kind { .. }, _) if local => both("kind://"),
            Self::Cluster(..) if local => both("containerd://"),
            Self::Layout(_) if local => both("oci:"),
            Self::Archive(_) if local => both("oci-archive:"),
            place => Ok(place),
        }
    }
}

/// The first flag in use that names a place beside the registry. Each such flag
/// has a row here.
fn flag_beside(arguments: &PublishArgs) -> Option<&'static str> {
    match arguments {
        PublishArgs { oci_layout_path: dir, .. } if !dir.is_empty() => Some("--oci-layout-path"),
        PublishArgs { tarball: file, .. } if !file.is_empty() => Some("--tarball"),
        _ => None,
    }
}

/// The path that a flag names, if it is used.
fn path(value: &OsStr) -> Option<PathBuf> {
    (!value.is_empty()).then(|| PathBuf::from(value))
}

/// Reads where images go, and what they are called there; `naming` is what the
/// configuration says.
pub(crate) fn read(
    process: &Process,
    arguments: &PublishArgs,
    naming: &config::Naming,
    work_dir: &Path,
) -> Result<DestinationOptions> {
    let mut layout = path(&arguments.oci_layout_path).map(|path| Layout { path, named: false });
    let mut archive = path(&arguments.tarball).map(|path| Archive { path, oci: false });
    let both = |flag: &str, scheme: &str| {
        let message = format!("{flag} and KO_DOCKER_REPO={scheme} cannot both be used");
        Err(CommandError::new(message))
    };
    let raw = process.text("KO_DOCKER_REPO").unwrap_or_default();
    if arguments.local && raw.contains(LOCAL) {
        ui::warn(&[
            "The --local flag is set and KO_DOCKER_REPO is set to ko.local",
            "You can choose either one to build a local image.",
            "The --local flag might be deprecated in the future.",
        ]);
    }
    let cluster = process.text("KIND_CLUSTER_NAME").unwrap_or_default();
    let mut local = None;
    let engine =
        if arguments.local { "--local".to_owned() } else { format!("KO_DOCKER_REPO={raw}") };
    let place = DestinationKind::parse(raw)?.localized(arguments.local, &cluster)?;
    if let Some(flag) = flag_beside(arguments).filter(|_| place.is_local()) {
        let message = format!(
            "{flag} cannot be used with {engine}: images are loaded there, and go nowhere else"
        );
        return Err(CommandError::new(message));
    }
    let (repository, push) = match place {
        DestinationKind::Engine(kind, repository) => {
            local = Some(Local::Engine(kind));
            (repository, false)
        }
        DestinationKind::Cluster(cluster, repository) => {
            local = Some(Local::Cluster(cluster));
            (repository, false)
        }
        DestinationKind::Registry(repository) => (repository, arguments.push),
        DestinationKind::Layout(_) if layout.is_some() => return both("--oci-layout-path", "oci:"),
        DestinationKind::Layout(path) => {
            layout = Some(Layout { path, named: true });
            (String::new(), false)
        }
        DestinationKind::Archive(_) if archive.is_some() => {
            return both("--tarball", "oci-archive:");
        }
        DestinationKind::Archive(path) => {
            archive = Some(Archive { path, oci: true });
            (String::new(), false)
        }
    };
    if push && repository.is_empty() {
        let hint = "set it to a repository such as registry.example.com/team, or to oci:DIR for a local directory; -L loads images into Docker instead";
        return Err(CommandError::new("KO_DOCKER_REPO environment variable is unset")
            .hint(Some(hint.to_owned())));
    }
    if !repository.is_empty() && repository.parse::<Registry>().is_err() {
        repository.parse::<Repository>().map_err(|error| {
            CommandError::of(&error)
                .context(&format!("failed to parse {repository:?} as repository"))
                .hint(habits::repository(&repository))
        })?;
    }
    if let Some(archive) = &archive {
        let flag = if archive.oci { "KO_DOCKER_REPO" } else { "--tarball" };
        writable(&archive.path, work_dir).map_err(|error| error.context(flag))?;
    }
    let tags = match typed_tags(process, arguments)? {
        Some(tags) => tags,
        None => Some(naming.tags()?).filter(|tags| !tags.is_empty()).unwrap_or_else(latest),
    };
    let is_template = |tag: &TagSource| matches!(tag, TagSource::Template(_));
    if arguments.tag_only && push && !tags.iter().any(is_template) {
        match &tags[..] {
            [TagSource::Tag(tag)] if *tag == Tag::latest() => {
                return Err(CommandError::new("latest tag cannot be used in tag-only references")
                    .hint(Some(ONE_TAG.to_owned())));
            }
            [_] => {}
            _ => {
                return Err(CommandError::new(
                    "must specify exactly one tag to resolve images into tag-only references",
                )
                .hint(Some(ONE_TAG.to_owned())));
            }
        }
    }
    let tag_only = arguments.tag_only;
    let typed_namer = typed_namer(arguments);
    let mut options = DestinationOptions::new(repository);
    match typed_namer {
        Some(namer) => options.namer = namer,
        None => options.naming = naming.name()?,
    }
    options.tags = tags;
    options.tag_only = tag_only;
    options.push = push;
    options.preflight = !arguments.no_preflight;
    options.layout = layout;
    options.archive = archive;
    options.local = local;
    Ok(options)
}

/// The container engines that the environment names.
pub(crate) fn engine_places(process: &Process, work_dir: &Path) -> EnginePlaces {
    let path = |name| process.path(name).map(|path| work_dir.join(path));
    EnginePlaces {
        docker_host: process.text("DOCKER_HOST"),
        docker_context: process.text("DOCKER_CONTEXT"),
        docker_config: path("DOCKER_CONFIG"),
        docker_cert_path: path("DOCKER_CERT_PATH"),
        docker_tls: process.text("DOCKER_TLS_VERIFY").is_some(),
        docker_api_version: process.text("DOCKER_API_VERSION"),
        container_host: process.text("CONTAINER_HOST"),
        home: system::home_dir(|name| process.path(name)),
        runtime_dir: process.path("XDG_RUNTIME_DIR"),
        environment: process.variables().iter().cloned().collect(),
    }
}

/// Can a file of this name be made?
fn writable(path: &Path, work_dir: &Path) -> Result<()> {
    let dir = path.parent().unwrap_or(path);
    let (full, full_dir) = (work_dir.join(path), work_dir.join(dir));
    let reason = if full.is_dir() {
        "it is a directory".to_owned()
    } else if full_dir.is_dir() {
        match fsutil::check(&full) {
            Ok(()) => return Ok(()),
            Err(error) => error.to_string(),
        }
    } else if full_dir.exists() {
        format!("{} is not a directory", dir.display())
    } else {
        format!("there is no directory {}", dir.display())
    };
    Err(CommandError::new(format!("{} cannot be written: {reason}", path.display())))
}

/// What is tagged so if nobody says anything.
pub(crate) fn latest() -> Vec<TagSource> {
    vec![Tag::latest().into()]
}

/// `--tags`, without duplicates, if it is there.
fn typed_tags(process: &Process, arguments: &PublishArgs) -> Result<Option<Vec<TagSource>>> {
    if arguments.tags.is_empty() {
        return Ok(None);
    }
    let typed = List::of(elements(&arguments.tags), Origin::Flag("--tags"));
    let tags = config::tags(&typed, "--tags").map_err(|error| {
        let is_wrong = |text: &String| !text.contains("{{") && text.parse::<Tag>().is_err();
        let wrong = elements(&arguments.tags).into_iter().find(is_wrong);
        match wrong.and_then(|text| habits::typed_tag(&text, process.arguments())) {
            Some(hint) => error.hint(Some(hint)),
            None => error,
        }
    })?;
    if tags.is_empty() {
        return Err(CommandError::new("--tags names no tag: nothing would be pushed"));
    }
    Ok(Some(tags))
}

/// The way to name images that a flag chooses, if one does.
pub(crate) fn typed_namer(arguments: &PublishArgs) -> Option<Namer> {
    match arguments {
        PublishArgs { preserve_import_paths: true, .. } => Some(Namer::PreserveImportPaths),
        PublishArgs { base_import_paths: true, .. } => Some(Namer::BaseImportPaths),
        PublishArgs { bare: true, .. } => Some(Namer::Bare),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn containerd(namespace: &str, prefix: &str) -> DestinationKind {
        let cluster = Cluster::Containerd { namespace: namespace.to_owned() };
        DestinationKind::Cluster(cluster, prefix.to_owned())
    }

    #[test]
    fn schemes_say_what_kind_of_place_it_is() {
        for (raw, want) in [
            ("r.io/a", Some(DestinationKind::Registry("r.io/a".to_owned()))),
            ("", Some(DestinationKind::Registry(String::new()))),
            ("oci:a b", Some(DestinationKind::Layout("a b".into()))),
            ("oci-archive:/a.tar", Some(DestinationKind::Archive("/a.tar".into()))),
            ("docker://", Some(DestinationKind::Engine(EngineKind::Docker, "ko.local".to_owned()))),
            (
                "podman://r.io/a",
                Some(DestinationKind::Engine(EngineKind::Podman, "r.io/a".to_owned())),
            ),
            ("kind://dev", Some(DestinationKind::Cluster(kind("dev"), "kind.local".to_owned()))),
            ("containerd://", Some(containerd("default", "ko.local"))),
            ("containerd://team", Some(containerd("default", "team"))),
            ("containerd://k8s.io/r.io/a", Some(containerd("k8s.io", "r.io/a"))),
            ("oci:", None),
            ("oci-archive:", None),
        ] {
            assert_eq!(DestinationKind::parse(raw.to_owned()).ok(), want, "{raw}");
        }
    }

    #[test]
    fn some_repositories_are_engines() {
        let docker =
            |prefix: &str| Some(DestinationKind::Engine(EngineKind::Docker, prefix.to_owned()));
        for (raw, local, want) in [
            ("ko.local", false, docker("ko.local")),
            ("ko.localhost/a", false, docker("ko.localhost/a")),
            ("", true, docker("ko.local")),
            ("r.io/a", true, docker("r.io/a")),
            ("r.io/a", false, Some(DestinationKind::Registry("r.io/a".to_owned()))),
            (
                "podman://",
                true,
                Some(DestinationKind::Engine(EngineKind::Podman, "ko.local".to_owned())),
            ),
            ("oci:a", true, None),
            (
                "kind.local/a",
                false,
                Some(DestinationKind::Cluster(super::kind("mine"), "kind.local/a".to_owned())),
            ),
            (
                "kind://",
                false,
                Some(DestinationKind::Cluster(super::kind("kind"), "kind.local".to_owned())),
            ),
            ("kind://", true, None),
        ] {
            let place = DestinationKind::parse(raw.to_owned()).unwrap().localized(local, "mine");
            assert_eq!(place.ok(), want, "{raw} {local}");
        }
    }
}
