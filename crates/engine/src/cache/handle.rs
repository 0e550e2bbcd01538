//! Opens the cache of a run: the configured one, or, if that cannot be used and
//! was not set by name, or belongs to somebody else, a temporary one for this run.

use std::error::Error as _;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use store::{Lock, Store, StoreError};

use super::tidy::tidy;
use crate::error::Error;
use crate::events::{Event, Observer};
use crate::hints;

/// A cache that a run uses.
#[derive(Debug)]
pub(crate) struct CacheHandle {
    pub(crate) store: Store,
    size: u64,
    started: SystemTime,
    run: Mutex<Option<Lock>>,
    /// Removed in the end.
    temporary: Option<tempfile::TempDir>,
}

impl CacheHandle {
    /// Opens the cache in `dir`; where that cannot be used and is not `named`, or is
    /// somebody else's, one for this run below `fallback_dir`. Blocks while another
    /// process keeps us out.
    ///
    /// With `dry_run`, what is in `dir` is only read.
    pub(crate) fn new(
        (dir, named, fallback_dir): (Option<&Path>, bool, Option<&Path>),
        size: u64,
        dry_run: bool,
        observer: &Observer,
    ) -> Result<Self, Error> {
        if let (true, Some(scratch)) = (dry_run, fallback_dir) {
            return Self::over(dir.filter(|dir| Store::check_owner(dir).is_ok()), scratch, size);
        }
        let started = SystemTime::now();
        let opened = |store: Store, temporary| {
            let run = Mutex::new(store.shared());
            Ok(Self { store, size, started, run, temporary })
        };
        let error = match dir {
            Some(dir) => match usable(dir, named || fallback_dir.is_none()) {
                Ok(store) => return opened(store, None),
                Err(error @ StoreError::Foreign { .. }) => Error::Store(error),
                Err(error) if named => return Err(error.into()),
                Err(error) => Error::Store(error),
            },
            None => Error::NoCache,
        };
        let Some(fallback_dir) = fallback_dir else { return Err(error) };
        // What is wrong there as well is no help to anybody.
        let Ok(temporary) = tempfile::Builder::new().prefix("ko-cache-").tempdir_in(fallback_dir)
        else {
            return Err(error);
        };
        let Ok(store) = usable(temporary.path(), false) else { return Err(error) };
        observer.emit(Event::Notice {
            // Without that it was the cache's opening.
            text: format!(
                "going on without a cache: {}",
                match &error {
                    Error::Store(error) => in_full(error),
                    error => error.to_string(),
                }
            ),
            hint: Some(match error {
                Error::NoCache => hints::NO_CACHE.to_owned(),
                Error::Store(StoreError::Foreign { .. }) => hints::FOREIGN_CACHE.to_owned(),
                _ => "set KOCACHE to a directory that can be written".to_owned(),
            }),
        });
        opened(store, Some(temporary))
    }

    /// Whether it is there for this run alone.
    pub(crate) fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }

    /// One for this run, below which is the cache in `dir`.
    fn over(dir: Option<&Path>, scratch: &Path, size: u64) -> Result<Self, Error> {
        let started = SystemTime::now();
        let temporary = tempfile::Builder::new().prefix("ko-dry-run-").tempdir_in(scratch);
        let temporary = temporary.map_err(|source| StoreError::Io {
            action: "creating a directory in",
            path: scratch.to_owned(),
            source,
        })?;
        let store = match dir {
            Some(dir) => Store::open_over(temporary.path(), dir)?,
            None => Store::open(temporary.path())?,
        };
        Ok(Self { store, size, started, run: Mutex::default(), temporary: Some(temporary) })
    }

    /// Keeps the cache within its bound, at the end of the run.
    pub(crate) fn tidy(&self, observer: &Observer) {
        let run = self.run.lock().unwrap_or_else(PoisonError::into_inner).take();
        if self.temporary.is_some() {
            return;
        }
        let failed = tidy(&self.store, self.size, run, self.started);
        if let Some(first) = failed.first() {
            let more = match failed.len() - 1 {
                0 => String::new(),
                others => format!(", and {others} more like this"),
            };
            let cause = first.source().and_then(|cause| cause.downcast_ref::<io::Error>());
            let remedy = match cause.map(io::Error::kind) {
                Some(io::ErrorKind::PermissionDenied) => ": remove them as their owner",
                _ => "",
            };
            observer.emit(Event::Notice {
                text: format!("the cache cannot be tidied: {}{more}", in_full(first)),
                hint: Some(format!("`ko cache prune --max-size={}` shows all{remedy}", self.size)),
            });
        }
    }
}

/// Opens a cache of ours. Whether it can be written shows in time where it is `needed`.
fn usable(dir: &Path, needed: bool) -> Result<Store, StoreError> {
    Store::check_owner(dir)?;
    let store = Store::open(dir)?;
    if !needed {
        store.try_writing()?;
    }
    Ok(store)
}

fn in_full(error: &dyn std::error::Error) -> String {
    let cause = error.source();
    cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}
