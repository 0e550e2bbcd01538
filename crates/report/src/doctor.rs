//! `ko doctor`: what was looked at, and what is wrong with it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// All checks, as `--output=json` prints them.
///
/// Later versions add fields, checks and facts and change the meaning of none: readers
/// should ignore what they do not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Doctor {
    /// The version of this format, 1.
    pub version: u32,
    /// The version of ko.
    pub ko: String,
    /// The worst status of a check.
    pub status: Status,
    /// The checks, in the order in which they are shown.
    pub checks: Vec<Check>,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// Some commands or flags will not work, or not as well as they could.
    Warning,
    /// Builds fail.
    Problem,
}

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Check {
    /// What it is about, such as `go` or `push`. Several may have the same.
    pub name: String,
    /// How it is.
    pub status: Status,
    /// The finding, for people.
    pub message: String,
    /// What to do about it; absent if nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The finding, for programs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, String>,
}

/// How wide the status of checks is in the text.
const STATUS: usize = 8;

/// How wide their names are.
const NAME: usize = 13;

/// Where messages begin.
const INDENT: usize = STATUS + 1 + NAME + 1;

impl Status {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

impl Check {
    /// Something that is as it should be.
    #[must_use]
    pub fn ok(name: &str, message: impl Into<String>) -> Self {
        let (name, message) = (name.to_owned(), message.into());
        Self { name, status: Status::Ok, message, hint: None, facts: BTreeMap::new() }
    }

    /// Something that some will miss.
    #[must_use]
    pub fn warning(name: &str, message: impl Into<String>) -> Self {
        Self { status: Status::Warning, ..Self::ok(name, message) }
    }

    /// Something that builds fail for.
    #[must_use]
    pub fn problem(name: &str, message: impl Into<String>) -> Self {
        Self { status: Status::Problem, ..Self::ok(name, message) }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The same with what to do about it, if that is known.
    #[must_use]
    pub fn maybe_hint(self, hint: Option<impl Into<String>>) -> Self {
        Self { hint: hint.map(Into::into), ..self }
    }

    /// The same with a fact for programs.
    #[must_use]
    pub fn fact(mut self, key: &str, value: impl Into<String>) -> Self {
        self.facts.insert(key.to_owned(), value.into());
        self
    }
}

impl Doctor {
    /// The version of the format that is written here.
    pub const VERSION: u32 = 1;

    /// All of these checks, made by this version of ko.
    #[must_use]
    pub fn new(ko: &str, checks: Vec<Check>) -> Self {
        let status = checks.iter().map(|check| check.status).max().unwrap_or(Status::Ok);
        Self { version: Self::VERSION, ko: ko.to_owned(), status, checks }
    }

    /// The data, as JSON with a line end.
    #[must_use]
    pub fn json(&self) -> String {
        crate::document(self)
    }

    /// A line for each check, one behind it for its hint, and one with counts.
    #[must_use]
    pub fn text(&self) -> String {
        self.painted(|_, word| word.to_owned())
    }

    /// The same, with the status of each check and the word before its hint, which has
    /// none, as `paint` has them.
    #[must_use]
    pub fn painted(&self, paint: impl Fn(Option<Status>, &str) -> String) -> String {
        let mut text = String::new();
        for Check { name, status, message, hint, .. } in &self.checks {
            // What goes on stands below what has begun.
            let message = message.replace('\n', &format!("\n{:INDENT$}", ""));
            let word = status.name();
            let gap = " ".repeat(STATUS.saturating_sub(word.len()));
            let word = paint(Some(*status), word);
            text.push_str(&format!("{word}{gap} {name:<NAME$} {message}\n"));
            if let Some(hint) = hint {
                text.push_str(&format!("{} {hint}\n", paint(None, "hint:")));
            }
        }
        let count = |status| self.checks.iter().filter(|check| check.status == status).count();
        let plural = |count: usize, one: &str| match count {
            1 => format!("1 {one}"),
            count => format!("{count} {one}s"),
        };
        let problems = plural(count(Status::Problem), "problem");
        let warnings = plural(count(Status::Warning), "warning");
        text + &format!("{problems}, {warnings}, {} ok\n", count(Status::Ok))
    }
}
