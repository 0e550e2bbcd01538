//! Asks the mirrors of a base's registry first, and the registry itself last. A
//! mirror that fails in whatever way is not asked for that repository again, and
//! what is known by its digest comes from whoever has answered before.

use oci::{Reference, Repository};

use crate::client::Client;
use crate::error::RegistryError;
use crate::mirror::{MirrorAnswer, MirrorObserver};
use crate::namespace::Pulls;
use crate::retry::{Attempts, RetryPolicy};

/// The places that are asked for something of a repository, one after the other.
pub(crate) struct Sources<'a> {
    client: &'a Client,
    origin: &'a Repository,
    /// Those left, the last first.
    places: Vec<Repository>,
    /// Is it more than the origin?
    is_mirrored: bool,
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
        let mut places = match self.pulls_bases() {
            true => self.transport().options.registries.sources(origin),
            false => vec![(origin.clone(), Pulls::All)],
        };
        let is_mirrored = places.iter().any(|(place, _)| place != origin);
        if is_mirrored {
            let experience = self.experience().lock();
            let known = experience.get(origin);
            let by = known.and_then(|known| known.by.as_ref()).filter(|_| by_digest);
            let at = by.and_then(|by| places.iter().position(|(place, _)| place == by));
            match at {
                Some(at) => drop(places.drain(..at)),
                None => places.retain(|(_, pulls)| pulls.covers(by_digest)),
            }
            // The last is asked whatever it has said before.
            if let Some(known) = known
                && let Some(last) = places.pop()
            {
                places.retain(|(place, _)| known.failed.iter().all(|(failed, _)| failed != place));
                places.push(last);
            }
        }
        let places = places.into_iter().rev().map(|(place, _)| place).collect();
        Sources { client: self, origin, places, is_mirrored }
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

    /// Who asks the place: a mirror that wants to be left alone holds nobody up.
    pub(crate) fn client(&self) -> Client {
        if self.is_mirror() { self.client.impatient() } else { self.client.clone() }
    }

    pub(crate) fn attempts(&self) -> Attempts<'_> {
        match self.is_mirror() {
            true => self.client.transport().attempts_by(&ONCE),
            false => self.client.attempts(),
        }
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
        if !self.is_mirrored {
            return;
        }
        let failed = {
            let mut experience = self.client.experience().lock();
            let known = experience.entry(self.origin.clone()).or_default();
            known.by.clone_from(&by);
            let is_plain = by.as_ref() == Some(self.origin) || by.is_none();
            if is_plain && known.failed.is_empty() || !known.told.insert(by.clone()) {
                return;
            }
            known.failed.clone()
        };
        if let Some(MirrorObserver(take)) = &self.client.transport().options.mirror_observer {
            take(MirrorAnswer { origin: self.origin.clone(), by, failed });
        }
    }
}
