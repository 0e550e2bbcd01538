//! The Docker daemon of the cases that load images: one for all, started for
//! the first of them, used by one at a time, and emptied before each command.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use testkit::docker::DockerDaemon;
use testkit::service::run;

/// A daemon that is started when it is needed.
#[derive(Debug, Default)]
pub(crate) struct Engine(OnceLock<Mutex<DockerDaemon>>);

/// The daemon, while a case uses it.
#[derive(Debug)]
pub(crate) struct Held<'a>(MutexGuard<'a, DockerDaemon>);

impl Engine {
    /// Waits until no other case uses it.
    pub(crate) fn hold(&self) -> Held<'_> {
        let daemon = self.0.get_or_init(|| Mutex::new(DockerDaemon::start()));
        Held(daemon.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Held<'_> {
    /// What `DOCKER_HOST` is.
    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.0.socket().display())
    }

    /// Removes all images.
    pub(crate) fn empty(&self) {
        let ids = self.printed(&["image", "ls", "--all", "--quiet", "--no-trunc"]);
        let ids: Vec<&str> = ids.lines().collect();
        if !ids.is_empty() {
            self.printed(&[&["image", "rm", "--force"], &*ids].concat());
        }
    }

    /// The digest of the config and the diff_ids of each image, by name and
    /// tag.
    pub(crate) fn images(&self) -> BTreeMap<String, String> {
        let names = self.printed(&["image", "ls", "--format={{.Repository}}:{{.Tag}}"]);
        let look = |name: &str| {
            let format = "--format={{.Id}} {{json .RootFS.Layers}}";
            let image = self.printed(&["image", "inspect", format, name]);
            (name.to_owned(), image.trim_end().to_owned())
        };
        names.lines().map(look).collect()
    }

    fn printed(&self, words: &[&str]) -> String {
        String::from_utf8_lossy(&run(self.0.docker().args(words))).into_owned()
    }
}
