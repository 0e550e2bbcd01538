//! What is wrong with a template, and where.

use std::sync::Arc;

use thiserror::Error;

use super::functions::BUILTINS;
use super::{NAME, naming};

/// How many characters of an element errors show.
const SHOWN: usize = 200;

/// A place in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplatePosition {
    /// The whole template: one element of a list of flags.
    pub element: String,
    /// The line, from 1.
    pub line: usize,
    /// How many bytes come before it in its line, as Go counts columns.
    pub column: usize,
    /// The template that it is in: `argsTmpl`, or one that is defined.
    pub template: String,
    /// What stands there, as Go writes it.
    pub code: String,
}

/// A place as a parsed template keeps it.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) offset: usize,
    pub(super) template: Arc<str>,
    pub(super) code: String,
}

impl Site {
    pub(super) fn place(&self, source: &str) -> TemplatePosition {
        TemplatePosition::new(source, self.offset, &self.template, self.code.clone())
    }
}

impl TemplatePosition {
    /// A place that only has a line and a column.
    pub(super) fn plain(source: &str, offset: usize) -> Self {
        Self::new(source, offset, NAME, String::new())
    }

    fn new(source: &str, offset: usize, template: &str, code: String) -> Self {
        let before = &source.as_bytes()[..offset.min(source.len())];
        let newline = before.iter().rposition(|&byte| byte == b'\n');
        Self {
            element: source.to_owned(),
            line: before.iter().filter(|&&byte| byte == b'\n').count() + 1,
            column: before.len() - newline.map_or(0, |newline| newline + 1),
            template: template.to_owned(),
            code,
        }
    }

    /// The element as errors show it.
    fn shown(&self) -> String {
        match self.element.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}…", &self.element[..end]),
            None => self.element.clone(),
        }
    }

    fn executing(&self) -> String {
        let Self { line, column, template, code, .. } = self;
        format!("template: argsTmpl:{line}:{column}: executing {template:?} at <{code}>")
    }
}

/// Why a template has no result.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// It is no template.
    #[error(
        "template: argsTmpl:{}: {message} (column {} of {:?})",
        place.line, place.column + 1, place.shown()
    )]
    Syntax {
        /// Where.
        place: TemplatePosition,
        /// Why.
        message: String,
    },
    /// `.Env` has no such variable.
    #[error("{}: map has no entry for key {name:?} (in {:?})", place.executing(), place.shown())]
    MissingVariable {
        /// Where.
        place: TemplatePosition,
        /// The variable.
        name: String,
    },
    /// Another map has no such key.
    #[error("{}: map has no entry for key {key:?} (in {:?})", place.executing(), place.shown())]
    MissingKey {
        /// Where.
        place: TemplatePosition,
        /// The key.
        key: Box<str>,
        /// What is there, and was probably meant.
        meant: Option<Box<str>>,
    },
    /// Something that cannot be done with the values that there are.
    #[error("{}: {message} (in {:?})", place.executing(), place.shown())]
    Execution {
        /// Where.
        place: TemplatePosition,
        /// Why.
        message: String,
    },
    /// The result, or a text on the way to it, is longer than 1 MiB.
    #[error("{}: longer than 1 MiB (in {:?})", place.executing(), place.shown())]
    TooLong {
        /// Where.
        place: TemplatePosition,
    },
    /// It goes on for more than 10,000 steps.
    #[error("{}: more than 10000 steps (in {:?})", place.executing(), place.shown())]
    Endless {
        /// Where.
        place: TemplatePosition,
    },
}

/// How alike two words must be for one to be taken for the other.
const ALIKE: f64 = 0.6;

/// The word that is most like another, if one is.
pub(super) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let alike = |known: &str| {
        strsim::normalized_damerau_levenshtein(&word.to_lowercase(), &known.to_lowercase())
    };
    let rated = known.map(|known| (alike(known), known));
    let nearest = rated.max_by(|one, other| one.0.total_cmp(&other.0));
    nearest.filter(|(alike, _)| *alike >= ALIKE).map(|(_, known)| known)
}

/// What was meant by a function that there is not, if that is what is wrong.
fn unknown_function(message: &str) -> Option<String> {
    let name = message.strip_prefix("function \"")?.strip_suffix("\" not defined")?;
    if naming::FUNCTIONS.contains(&name) {
        return Some(format!("{name} is a function for names and tags alone"));
    }
    let known = BUILTINS.iter().chain(&naming::FUNCTIONS).copied();
    let known = nearest(name, known);
    Some(known.map_or_else(
        || "docs/reference/templates.md lists the functions".to_owned(),
        |known| format!("did you mean {known}?"),
    ))
}

impl TemplateError {
    /// What a user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::MissingVariable { name, .. } => Some(format!(
                "the environment variable {name} is not set: set it, or write \
                 {{{{ index .Env {name:?} }}}} to have nothing in its place"
            )),
            Self::MissingKey { meant: Some(meant), .. } => Some(format!("did you mean {meant}?")),
            Self::MissingKey { .. } => Some(
                "templates know .Date, .Timestamp, .Env.NAME, .GoEnv.NAME, and .Git with Branch, \
                 Tag, ShortCommit, FullCommit, CommitDate, CommitTimestamp, IsDirty, IsClean and \
                 TreeState; those of names and tags know more (docs/reference/naming.md)"
                    .to_owned(),
            ),
            Self::Syntax { message, .. } => unknown_function(message),
            _ => None,
        }
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> &TemplatePosition {
        match self {
            Self::Syntax { place, .. }
            | Self::MissingVariable { place, .. }
            | Self::MissingKey { place, .. }
            | Self::Execution { place, .. }
            | Self::TooLong { place }
            | Self::Endless { place } => place,
        }
    }

    /// An error of the crate's parser, whose columns count characters from 1.
    pub(super) fn from_parser(source: &str, error: gotmpl::TemplateError) -> Self {
        let (gotmpl::TemplateError::Parse { line, col, message, .. }
        | gotmpl::TemplateError::Lex { line, col, message, .. }) = error
        else {
            let place = TemplatePosition::plain(source, 0);
            return Self::Syntax { place, message: error.to_string() };
        };
        let start: usize =
            source.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        let inside: usize =
            source[start..].chars().take(col.saturating_sub(1)).map(char::len_utf8).sum();
        let place = TemplatePosition::plain(source, start + inside);
        Self::Syntax { place, message }
    }
}
