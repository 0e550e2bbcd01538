//! Go's `text/template` in flags and ldflags, and in the names and tags of images:
//! parsed where the text comes from, expanded once per platform, or once per
//! program. What runs it is the crate `gotmpl`; here it is held to Go's rules where
//! it is laxer ([`scan`], [`rewrite`]), bounded, and made to say which variable is
//! missing and where.

mod data;
mod error;
mod functions;
mod literal;
mod naming;
mod rewrite;
mod scan;
mod show;

use std::fmt;
use std::sync::Arc;

use gotmpl::MissingKey;
use gotmpl::parse::{ListNode, Parser};

pub use data::{ProgramFacts, TemplateData};
pub use error::{TemplateError, TemplatePosition};

use crate::git::GitParts;
use error::Site;
use functions::State;
use rewrite::Rewriter;
use scan::SyntaxError;

/// What ko calls each template.
const NAME: &str = "argsTmpl";

/// The longest template.
const LONGEST: usize = 128 << 10;

/// The longest text that a template may come to, at any moment of its
/// expansion. No system passes a longer word to a program.
const LIMIT: usize = 1 << 20;

/// How many actions one expansion may run, and how often it may go round.
const STEPS: u64 = 10_000;

/// A template: text with actions between `{{` and `}}`. See
/// `docs/reference/templates.md` for the language.
#[derive(Clone)]
pub struct Template {
    source: Arc<str>,
    /// The main template, and those that it defines.
    trees: Arc<[(String, ListNode)]>,
    /// What the steps and lookups of the trees are called in errors.
    sites: Arc<[Site]>,
    uses: Uses,
}

/// What a template looks at. Only that must be there when it is expanded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Uses {
    /// `.Env`
    pub env: bool,
    /// `.GoEnv`
    pub go_env: bool,
    /// `.Date` or `.Timestamp`
    pub date: bool,
    /// `.Git`, by what of it.
    pub git: GitParts,
}

impl Uses {
    /// Everything: what is used where the data is used as a whole.
    pub const ALL: Self = Self { env: true, go_env: true, date: true, git: GitParts::ALL };

    /// What either looks at.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            env: self.env || other.env,
            go_env: self.go_env || other.go_env,
            date: self.date || other.date,
            git: self.git.union(other.git),
        }
    }
}

impl Template {
    /// Parses one element of a list of flags.
    ///
    /// # Errors
    /// [`TemplateError::Syntax`]: what Go refuses when it parses, which
    /// includes functions and variables that there are not.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        Self::parse_with(source, &[])
    }

    /// Parses the name of an image, or some of its tags: there are the functions
    /// `semver` and `slug`, too.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_naming(source: &str) -> Result<Self, TemplateError> {
        Self::parse_with(source, &naming::FUNCTIONS)
    }

    fn parse_with(source: &str, functions: &'static [&'static str]) -> Result<Self, TemplateError> {
        let fail = |error: SyntaxError| TemplateError::Syntax {
            place: TemplatePosition::plain(source, error.offset),
            message: error.message,
        };
        if source.len() > LONGEST {
            let message = format!("a template has at most {} KiB", LONGEST >> 10);
            return Err(fail(SyntaxError::new(0, message)));
        }
        // First, since what it lets pass cannot exhaust the stack.
        let text = scan::check(source).map_err(fail)?;
        let parsed = Parser::with_name(Some(NAME), &text, "{{", "}}")
            .and_then(Parser::parse)
            // Once more, for the rules about names that are defined twice.
            .and_then(|parsed| Ok((parsed, gotmpl::Template::new(NAME).parse(&text)?)));
        let ((body, _), all) = match parsed {
            Ok(parsed) => parsed,
            Err(error) => return Err(TemplateError::from_parser(source, error)),
        };
        let mut trees = vec![(NAME.to_owned(), all.lookup(NAME).unwrap_or(&body))];
        for name in all.templates() {
            if name != NAME
                && let Some(tree) = all.lookup(name)
            {
                trees.push((name.to_owned(), tree));
            }
        }
        let mut rewriter = Rewriter::new(functions);
        let mut rewritten = Vec::with_capacity(trees.len());
        for (name, tree) in trees {
            let tree = rewriter.tree(&name, tree).map_err(fail)?;
            rewritten.push((name, tree));
        }
        let (sites, uses) = rewriter.finish();
        Ok(Self { source: source.into(), trees: rewritten.into(), sites: sites.into(), uses })
    }

    /// The text as it was parsed.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What must be in the data.
    #[must_use]
    pub fn uses(&self) -> Uses {
        self.uses
    }

    /// The text with its actions carried out. It may be empty: whether an
    /// empty flag is one is not decided here.
    ///
    /// # Errors
    /// A key that is not there, values that a function does not take, and
    /// work without end.
    pub fn expand(&self, data: &TemplateData) -> Result<String, TemplateError> {
        let state = State::new(self, data);
        let mut engine = gotmpl::Template::new(NAME)
            .missing_key(MissingKey::Error)
            .max_range_iters(STEPS)
            .funcs(functions::all(&state));
        for (name, tree) in self.trees.iter() {
            engine = engine.add_parse_tree(name, tree.clone());
        }
        let mut output = Bounded(String::new());
        match engine.execute_template_fmt(&mut output, NAME, &data.root) {
            Ok(()) => Ok(output.0),
            Err(error) => Err(state.explain(error)),
        }
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Template").field(&self.source).finish()
    }
}

/// Templates are what they were written as.
impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Template {}

/// Output that ends in an error rather than in all memory.
struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > LIMIT {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}
