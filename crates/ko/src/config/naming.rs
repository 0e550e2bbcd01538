//! Reads how images are named: templates, and tags that may be templates.

use engine::{TagSource, Template};

use super::origin::{List, Located};
use crate::cli::habits;
use crate::error::{CommandError, Result};

/// What is said of all images.
#[derive(Debug, Clone)]
pub(crate) struct Naming {
    pub(crate) name: Option<Located<String>>,
    pub(crate) tags: List,
}

impl Naming {
    /// Nothing is said.
    pub(crate) fn unset() -> Self {
        Self { name: None, tags: List::unset() }
    }

    /// What makes names, if something does.
    pub(crate) fn name(&self) -> Result<Option<Template>> {
        name(self.name.as_ref(), "naming")
    }

    /// The tags; none where nothing is said.
    pub(crate) fn tags(&self) -> Result<Vec<TagSource>> {
        tags(&self.tags, "imageTags")
    }
}

/// A template of names; a text that is set to nothing is not set.
pub(super) fn name(text: Option<&Located<String>>, key: &str) -> Result<Option<Template>> {
    let Some(text) = text.filter(|text| !text.value.is_empty()) else { return Ok(None) };
    template(text, key).map(Some)
}

/// Tags, each once: what has no `{{` is one itself. `key` is what the list is called.
pub(crate) fn tags(list: &List, key: &str) -> Result<Vec<TagSource>> {
    let mut tags: Vec<TagSource> = Vec::new();
    for item in &list.items {
        let tag = if item.value.contains("{{") {
            TagSource::Template(template(item, key)?)
        } else {
            let wrong = |error| {
                let message = CommandError::of(&error);
                // As ko says it of a flag.
                let context =
                    if key.starts_with("--") { String::new() } else { format!("'{key}': ") };
                let hint = habits::tag(&item.value, key);
                item.origin.error(format!("{context}{}", message.message())).hint(hint)
            };
            TagSource::Tag(item.value.parse().map_err(wrong)?)
        };
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    Ok(tags)
}

fn template(text: &Located<String>, key: &str) -> Result<Template> {
    Template::parse_naming(&text.value)
        .map_err(|error| text.origin.error(format!("'{key}': {error}")).also(error.hint()))
}
