//! Says what is different, in the words of whoever reads it.

use std::fmt;

use crate::bases::BaseError;
use crate::error::{Error, ImageError};

/// The first thing in which an image is not what its source gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where in the image: platform, layer, file, section. May be empty.
    place: Vec<String>,
    /// What is different.
    what: String,
    /// What the image has, if it can be said.
    image: Option<String>,
    /// What the source gives.
    source: Option<String>,
}

/// The longest value that is shown, in bytes.
const LONGEST: usize = 300;

impl Difference {
    /// Another release of Go.
    #[must_use]
    pub fn release(image: &str, source: &str) -> Self {
        Self::between("the release of Go", image, source)
    }

    /// Platforms that an image claims and the base of the source does not have, where a
    /// build fails for that.
    #[must_use]
    pub fn of_platforms(claimed: &[String], error: &Error) -> Option<Self> {
        let error = match error {
            Error::Base(error) => error,
            Error::Build { source, .. } => match &**source {
                ImageError::Base(error) => error,
                _ => return None,
            },
            _ => return None,
        };
        let available = match error {
            BaseError::NoPlatform { available, .. } => available.as_slice(),
            BaseError::OtherPlatform { platform, .. } => std::slice::from_ref(&**platform),
            _ => return None,
        };
        let available: Vec<String> = available.iter().map(ToString::to_string).collect();
        let (image, source) = (claimed.join(", "), available.join(", "));
        Some(Self::between("the platforms of the base", image, source))
    }

    /// What has no two sides that could be shown.
    pub(super) fn of(what: impl Into<String>) -> Self {
        Self { place: Vec::new(), what: what.into(), image: None, source: None }
    }

    /// A document of which all known fields are the same.
    pub(super) fn unknown() -> Self {
        Self::of("it has other fields, or is written in another way")
    }

    /// A value of the image, and the one that the source gives.
    pub(super) fn between(
        what: impl Into<String>,
        image: impl Into<String>,
        source: impl Into<String>,
    ) -> Self {
        Self { image: Some(image.into()), source: Some(source.into()), ..Self::of(what) }
    }

    /// Says in what it is.
    pub(super) fn within(mut self, place: impl Into<String>) -> Self {
        self.place.insert(0, place.into());
        self
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.what)?;
        if let (Some(image), Some(source)) = (&self.image, &self.source) {
            write!(f, ": the image has {}, the source gives {}", shown(image), shown(source))?;
        }
        Ok(())
    }
}

/// A value as it is shown: without what could move the cursor, and not too long.
fn shown(value: &str) -> String {
    if value.is_empty() {
        return "none".to_owned();
    }
    let mut text: String =
        value.chars().map(|char| if char.is_control() { '\u{fffd}' } else { char }).collect();
    if text.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_says_where_it_is() {
        let difference = Difference::between("the commit", "abc\u{1b}[2J", "")
            .within("/ko-app/app")
            .within("linux/amd64");
        assert_eq!(
            difference.to_string(),
            "linux/amd64: /ko-app/app: the commit: the image has abc\u{fffd}[2J, the source gives none"
        );
    }
}
