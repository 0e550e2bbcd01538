//! Records where a setting came from: every value carries its origin, so that an
//! error can point at the cause and `ko config` can show it.

use std::collections::HashMap;
use std::fmt;

use engine::{Capabilities, Template};

use super::source::SourceSpan;
use crate::error::{CommandError, Result};

/// Where a setting came from.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// Nobody said anything.
    Default,
    /// A flag, with its dashes.
    Flag(&'static str),
    /// A variable of the environment.
    Variable(&'static str),
    /// The configuration file.
    File(SourceSpan),
}

impl Origin {
    /// An error about a value, with the place that the value was written at.
    pub(crate) fn error(&self, message: impl fmt::Display) -> CommandError {
        match self {
            // The user sees on the command line what was typed.
            Origin::Default | Origin::Flag(_) => CommandError::new(message.to_string()),
            Origin::Variable(name) => CommandError::new(message.to_string())
                .hint(Some(format!("the value is that of the variable {name}"))),
            Origin::File(place) => CommandError::new(format!("{message}\n{}", place.snippet())),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => formatter.write_str("default"),
            Origin::Flag(name) | Origin::Variable(name) => formatter.write_str(name),
            Origin::File(place) => place.fmt(formatter),
        }
    }
}

/// A value, and where it came from.
#[derive(Debug, Clone)]
pub(crate) struct Located<T> {
    pub(crate) value: T,
    pub(crate) origin: Origin,
}

impl<T> Located<T> {
    pub(crate) fn new(value: T, origin: Origin) -> Self {
        Self { value, origin }
    }
}

/// A list, and where it and its elements came from.
#[derive(Debug, Clone)]
pub(crate) struct List {
    pub(crate) items: Vec<Located<String>>,
    pub(crate) origin: Origin,
}

impl List {
    /// What nobody has set.
    pub(crate) fn unset() -> Self {
        Self { items: Vec::new(), origin: Origin::Default }
    }

    /// Elements that all came from the same place.
    pub(crate) fn of(items: impl IntoIterator<Item = String>, origin: Origin) -> Self {
        let items = items.into_iter().map(|item| Located::new(item, origin.clone())).collect();
        Self { items, origin }
    }

    /// The elements as Linux capabilities: the extended attribute that they
    /// amount to.
    pub(crate) fn capabilities(&self) -> Result<Option<[u8; 20]>> {
        for item in &self.items {
            // One by one first, so that the message points at the wrong one.
            if let Err(error) = Capabilities::parse(&[&item.value]) {
                return Err(item.origin.error(format!("linux_capabilities: {error}")));
            }
        }
        let all = Capabilities::parse(&self.values());
        let all = all.map_err(|error| self.origin.error(format!("linux_capabilities: {error}")))?;
        Ok(all.xattr())
    }

    /// The elements without their origins.
    pub(crate) fn values(&self) -> Vec<String> {
        self.items.iter().map(|item| item.value.clone()).collect()
    }

    /// The elements as templates; `key` is what the list is called.
    pub(crate) fn templates(&self, key: &str, parsed: &mut Templates) -> Result<Vec<Template>> {
        let mut template = |item: &Located<String>| {
            if let Some(template) = parsed.0.get(&item.value) {
                return Ok(template.clone());
            }
            let template = Template::parse(&item.value).map_err(|error| {
                item.origin.error(format!("'{key}': {error}")).also(error.hint())
            })?;
            parsed.0.insert(item.value.clone(), template.clone());
            Ok(template)
        };
        self.items.iter().map(&mut template).collect()
    }
}

/// Templates by their text: builds have most of them in common.
#[derive(Debug, Default)]
pub(crate) struct Templates(HashMap<String, Template>);
