//! Settles how layers are compressed: a method and perhaps its level, each with
//! its origin. A method brings its own level: one that was given with a method
//! of lower precedence is not in force.

use engine::{CompressionError, Method};

use super::origin::{Located, Origin};
use crate::cli::values;
use crate::error::{CommandError, Result};
use crate::nearest::did_you_mean;

/// The switch of ko's first manual: `1` means eStargz.
const ESTARGZ: &str = "GGCR_EXPERIMENT_ESTARGZ";

/// A method, and the level if one was given.
#[derive(Debug, Clone)]
pub(crate) struct Compression {
    pub(crate) method: Located<String>,
    pub(crate) level: Option<Located<String>>,
}

impl Compression {
    /// What the file and the variables say. An empty text says nothing.
    pub(super) fn of(
        method: Option<Located<String>>,
        level: Option<Located<String>>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Self {
        let set = |text: &Located<String>| !text.value.is_empty();
        let default = || Located::new(Method::default().to_string(), Origin::Default);
        let variable = |name| variable(name).map(|text| Located::new(text, Origin::Variable(name)));
        let estargz = variable(ESTARGZ).filter(|text| text.value == "1");
        let estargz = estargz.map(|on| Located::new(Method::Estargz.to_string(), on.origin));
        let file =
            Self { method: method.filter(set).unwrap_or_else(default), level: level.filter(set) };
        file.under(variable("KO_COMPRESSION").or(estargz), variable("KO_COMPRESSIONLEVEL"))
    }

    /// What is in force where this much is said more strongly.
    pub(crate) fn under(
        self,
        method: Option<Located<String>>,
        level: Option<Located<String>>,
    ) -> Self {
        match method {
            Some(method) => Self { method, level },
            None => Self { level: level.or(self.level), ..self },
        }
    }

    /// What the engine makes of it.
    pub(crate) fn parse(&self) -> Result<engine::Compression> {
        let method: Method = self.method.value.parse().map_err(|error: CompressionError| {
            let known = values("build", "compression").iter().copied();
            wrong(&self.method, "compression", "--compression", &error.to_string())
                .also(did_you_mean(&self.method.value, known))
        })?;
        let Some(text) = &self.level else { return Ok(method.into()) };
        let wrong = |reason: &str| wrong(text, "compressionLevel", "--compression-level", reason);
        let level = text
            .value
            .parse()
            .map_err(|_| wrong(&format!("expected a whole number, got {:?}", text.value)))?;
        engine::Compression::new(method, level).map_err(|error| wrong(&error.to_string()))
    }
}

/// An error as the place has it that the value was given at.
fn wrong(text: &Located<String>, key: &str, flag: &str, reason: &str) -> CommandError {
    let argument = || format!("invalid argument {:?} for \"{flag}\" flag: {reason}", text.value);
    text.origin.error(match text.origin {
        Origin::Flag(_) => argument(),
        _ => format!("'{key}': {reason}"),
    })
}
