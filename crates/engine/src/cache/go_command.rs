//! Shares what other commands of `go` compile, such as `go test`: fetches what the last run
//! used before the command starts, and writes what this run used afterwards.

use std::ffi::{OsStr, OsString};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use cancel::Cancel;
use freshness::{Uncacheable, reads_what_is_known};
use golang::{
    BuildSettings, Environment, FindError, Go, KeyHasher, ModuleFile, Target, affects_build,
};
use once::blocking;
use registry::Client;
use store::Store;

use crate::budget::{Budget, Limits};
use crate::error::Error;
use crate::events::Observer;
use crate::options::Network;
use crate::sharing::{Command, OutcomeKey, Sharing, SharingOptions};

/// Variables that only say where something is on this machine.
const PLACES: [&str; 4] = ["GOBIN", "GOENV", "GOMODCACHE", "GOPATH"];

/// Why a command cannot be run with shared caches.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GoCommandError {
    /// There is no such `go`.
    #[error(transparent)]
    Find(#[from] FindError),
    /// A cache cannot be used.
    #[error(transparent)]
    Cache(#[from] Error),
}

/// A command of `go`.
#[derive(Debug)]
pub struct GoCommand {
    sharing: Option<Arc<Sharing>>,
    command: Command,
    words: Vec<OsString>,
    threads: NonZeroUsize,
    started: SystemTime,
}

impl GoCommand {
    /// A command that is to run in `work_dir`: `go`, and its words. Nobody is asked anything
    /// yet.
    ///
    /// # Errors
    /// There is no such `go`, the cache in `store` cannot be opened, or the URL of a
    /// shared one does not fit its kind.
    pub fn new(
        (go, words): (&OsStr, &[OsString]),
        (work_dir, environment): (&Path, Environment),
        (sharing, network): (SharingOptions, &Network),
        (store, limits): (&Path, Limits),
        observer: &Observer,
    ) -> Result<Self, GoCommandError> {
        // Tests and programs that `go` runs inherit its environment, and keep theirs.
        let builds = words.first().is_some_and(|word| word == "build" || word == "install");
        let heap = Budget::new(limits).builds.heap(u64::MAX).filter(|_| builds);
        let go = Go::find(Some(go), &environment, work_dir)?.with_heap(heap);
        let mut fields = KeyHasher::new();
        fields.add("go command 1");
        fields.add(go.compiler());
        fields.count(words.len());
        words.iter().for_each(|word| fields.add(word));
        let mut variables: Vec<_> = environment
            .iter()
            .filter(|(name, _)| affects_build(name) && !PLACES.iter().any(|place| name == place))
            .collect();
        variables.sort_unstable();
        for (name, value) in variables {
            fields.add(name);
            fields.add(value);
        }
        let module = ModuleFile::nearest(work_dir).and_then(|module| module.path);
        let key = OutcomeKey { project: module.unwrap_or_default(), build: fields.finish() };
        let settings = BuildSettings {
            dir: work_dir.to_owned(),
            target: Target { os: String::new(), arch: String::new(), variant: String::new() },
            environment,
            flags: Vec::new(),
            ldflags: Vec::new(),
            disable_optimizations: false,
            untrimmed: false,
        };
        let client = Client::new(network.client_options(), Arc::clone(&network.keychain));
        let client = client.map_err(Error::Network)?;
        let store = Store::open(store).map_err(Error::Store)?;
        let sharing = Sharing::new(sharing, Some(&client), work_dir, &store, observer);
        let sharing = sharing.map_err(Error::SharedCache)?;
        let command = Command { go, settings, key };
        let (words, threads, started) = (words.to_owned(), limits.threads, SystemTime::now());
        Ok(Self { sharing, command, words, threads, started })
    }

    /// The program that is to be run.
    #[must_use]
    pub fn program(&self) -> &Path {
        self.command.go.program()
    }

    /// The variables that make it build faster, to be added to its environment.
    #[must_use]
    pub fn variables(&self) -> Option<[(&'static str, String); 2]> {
        self.command.go.variables(&self.command.settings.environment)
    }

    /// Why nothing of it is shared, if that is so.
    ///
    /// # Errors
    /// The reason.
    pub fn check(&self) -> Result<(), Uncacheable> {
        reads_what_is_known(&self.command.settings)
    }

    /// Fetches what its last run has used. Meanwhile `go` makes the indexes of modules that
    /// it needs to load packages: those are not shared, and take more than a second.
    pub async fn fetch(&self) {
        let Some(sharing) = &self.sharing else { return };
        let Command { go, settings, key } = &self.command;
        let (keys, cancel) = (std::slice::from_ref(key), Cancel::default());
        if let Some(missing) = sharing.missing((go, settings), keys, &cancel).await {
            let (go, settings, words) = (go.clone(), settings.clone(), self.words.clone());
            let fetched = cancel.clone();
            let fetching = async {
                sharing.fetch_packs(missing, self.threads).await;
                // What is left to do, such as downloads of modules, the command shows.
                fetched.cancel();
            };
            let indexing = blocking(move || go.index_modules(&settings, &words, &cancel));
            futures::join!(indexing, fetching);
        }
    }

    /// Writes what it has used, once it has ended.
    pub async fn write(&self) {
        let Some(sharing) = &self.sharing else { return };
        if self.check().is_ok() && sharing.writes() {
            sharing.write_used(self.command.clone(), self.started).await;
        }
        sharing.finish().await;
    }
}
