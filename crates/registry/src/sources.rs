//! Asks the mirrors of a base's registry first, and the registry itself last. A
//! mirror that fails in whatever way is not asked for that repository again.

use oci::{Reference, Repository};

use crate::client::Client;
use crate::error::RegistryError;
use crate::mirror::{MirrorAnswer, MirrorObserver};
use crate::retry::{Attempts, RetryPolicy};

/// The places that are asked for something of a repository, one after the other.
pub(crate) struct Sources<'a> {
    client: &'a Client,
    origin: &'a Repository,
    /// Those left, the last first.
    places: Vec<Repository>,
    /// Is there anything to say?
    has_mirrors: bool,
}

/// The next place answers faster than a second attempt.
static ONCE: RetryPolicy = RetryPolicy {
    attempts: 1,
    delay: std::time::Duration::ZERO,
    max_delay: std::time::Duration::ZERO,
};

impl Client {
    /// The places to ask for a tag, or by digest.
    pub(crate) fn sources<'a>(&'a self, origin: &'a Repository, by_digest: bool) -> Sources<'a> {
        let registries = &self.transport().options.registries;
        let mut places = match self.pulls_bases() {
            true => registries.sources(origin, by_digest),
            false => vec![origin.clone()],
        };
        let has_mirrors = places.len() > 1;
        places.reverse();
        if has_mirrors && let Some(known) = self.experience().lock().get(origin) {
            let (last, failed) = (places.remove(0), &known.failed);
            places.retain(|place| failed.iter().all(|(failed, _)| failed != place));
            places.insert(0, last);
        }
        Sources { client: self, origin, places, has_mirrors }
    }
}

impl Sources<'_> {
    /// The place to ask now.
    pub(crate) fn place(&self) -> &Repository {
        self.places.last().unwrap_or(self.origin)
    }

    /// The same there.
    pub(crate) fn reference(&self, reference: &Reference) -> Reference {
        match reference {
            Reference::Tag(_, tag) => self.place().with_tag(tag.clone()),
            Reference::Digest(_, digest) => self.place().with_digest(*digest),
        }
    }

    /// Is there another place?
    pub(crate) fn is_mirror(&self) -> bool {
        self.places.len() > 1
    }

    pub(crate) fn attempts(&self) -> Attempts<'_> {
        if self.is_mirror() { ONCE.start() } else { self.client.attempts() }
    }

    /// Takes what the place has said: `None` if the next one is to be asked.
    pub(crate) fn settle<T>(
        &mut self,
        result: Result<T, RegistryError>,
    ) -> Option<Result<T, RegistryError>> {
        match result {
            Err(error) if self.is_mirror() && !error.is_local() => {
                self.next(error.to_string());
                None
            }
            result => {
                self.tell(result.is_ok().then(|| self.place().clone()));
                Some(result)
            }
        }
    }

    /// The place has failed, and there is another.
    pub(crate) fn next(&mut self, reason: String) {
        let Some(place) = self.places.pop() else { return };
        let mut experience = self.client.experience().lock();
        let known = experience.entry(self.origin.clone()).or_default();
        // Others may have asked it at the same time.
        if known.failed.iter().all(|(failed, _)| *failed != place) {
            known.failed.push((place, reason));
        }
    }

    /// Says once who answers.
    fn tell(&self, by: Option<Repository>) {
        if !self.has_mirrors {
            return;
        }
        let failed = {
            let mut experience = self.client.experience().lock();
            let known = experience.entry(self.origin.clone()).or_default();
            if !known.told.insert(by.clone()) {
                return;
            }
            known.failed.clone()
        };
        if let Some(MirrorObserver(take)) = &self.client.transport().options.mirror_observer {
            take(MirrorAnswer { origin: self.origin.clone(), by, failed });
        }
    }
}
