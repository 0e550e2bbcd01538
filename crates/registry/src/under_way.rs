//! Knows what a client is waiting for, so that a run that takes too long can say
//! it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

/// Something that a client is waiting for.
#[derive(Debug, Clone)]
pub struct UnderWay {
    /// The request, or why there is a pause before the next.
    pub what: String,
    /// For how long.
    pub elapsed: Duration,
}

type Entries = (u64, BTreeMap<u64, (String, Instant)>);

/// All of it, the oldest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waits(Arc<Mutex<Entries>>);

impl Waits {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().expect("no holder of this lock panics")
    }

    /// Notes a wait, until what is returned is dropped.
    pub(crate) fn enter(&self, what: String) -> Wait {
        let mut entries = self.entries();
        entries.0 += 1;
        let id = entries.0;
        entries.1.insert(id, (what, Instant::now()));
        Wait { id, waits: self.clone() }
    }

    pub(crate) fn list(&self) -> Vec<UnderWay> {
        let entries = self.entries();
        let under_way = |(what, since): &(String, Instant)| UnderWay {
            what: what.clone(),
            elapsed: since.elapsed(),
        };
        entries.1.values().map(under_way).collect()
    }
}

/// One wait.
#[derive(Debug)]
pub(crate) struct Wait {
    id: u64,
    waits: Waits,
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.waits.entries().1.remove(&self.id);
    }
}
