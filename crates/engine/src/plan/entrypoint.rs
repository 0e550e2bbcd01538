//! Refuses an entrypoint that is configured and cannot be in the image, as far as that is
//! known without the layers of the base.

use oci::Platform;

use super::PlannedProgram;
use crate::error::ImageError;
use crate::image::LayerSource;

impl PlannedProgram {
    /// An entrypoint that is nowhere is an error; `place` is where it is configured.
    pub(super) fn check_entrypoint(&self, place: &str) -> Result<(), ImageError> {
        let Some(word) = self.settings.entrypoint.iter().flatten().next() else { return Ok(()) };
        let platforms = self.selected.platforms().enumerate();
        let missing =
            |(at, platform): (usize, &Platform)| !platform.is_windows() && !self.may_have(word, at);
        match platforms.into_iter().any(missing) {
            true => {
                Err(ImageError::NoEntrypoint { place: place.to_owned(), word: word.to_owned() })
            }
            false => Ok(()),
        }
    }

    /// Whether the image upon this one of the base may have what a word stands for.
    fn may_have(&self, word: &str, at: usize) -> bool {
        let is_named = |name: &str| {
            std::iter::successors(Some(self), |planned| planned.on.as_deref()).any(|planned| {
                planned.programs().any(|(it, _)| it.main.import_path.base_name() == name)
            })
        };
        let is_file = |path: &str| {
            std::iter::successors(Some(self), |planned| planned.on.as_deref()).any(|planned| {
                let files = planned.files[at].as_ref().map(|files| files.places());
                files.unwrap_or_default().iter().any(|place| place == &path[1..])
            })
        };
        // What a base of somebody else has, only its layers say.
        let base = self.selected.images().nth(at);
        let is_open = base.is_some_and(|base| {
            let is_ours = |source| matches!(source, LayerSource::Static | LayerSource::Scratch);
            !base.layers().all(|layer| is_ours(layer.source))
        });
        match word.strip_prefix("/ko-app/") {
            Some(name) => is_named(name) || is_file(word),
            // kodata, or relative to the working directory or PATH.
            None if word.starts_with("/var/run/ko/") => true,
            None if word.starts_with('/') => is_open || is_file(word),
            None => is_open || word.contains('/') || is_named(word),
        }
    }
}
