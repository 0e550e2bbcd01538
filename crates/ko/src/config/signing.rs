//! Settles how images are signed (`signing:`), each setting with its origin.

use engine::SignFormat;

use super::origin::{Located, Origin};
use super::read::Reader;
use super::tree::{Node, Value};
use crate::cli::{boolean, values};
use crate::error::{CommandError, Result};
use crate::nearest::did_you_mean;

/// The settings, as they were written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signing {
    /// A file, `env://` and the name of a variable, `NAME://` and a key of a plug-in,
    /// or `keyless`.
    pub(crate) key: Option<Located<String>>,
    /// A file that names the services of a Sigstore.
    pub(crate) config: Option<Located<String>>,
    pub(crate) format: Option<Located<String>>,
    /// Whether images are signed without `--sign`.
    pub(crate) sign: Option<Located<String>>,
    /// Whether it is attested what they were built from, without `--provenance`.
    pub(crate) provenance: Option<Located<String>>,
}

impl Signing {
    /// The keys.
    pub(crate) const KEYS: [&str; 5] = ["sign", "provenance", "key", "config", "format"];

    /// What is in force where this much is said more strongly.
    pub(crate) fn under(self, over: Self) -> Self {
        Self {
            key: over.key.or(self.key),
            config: over.config.or(self.config),
            format: over.format.or(self.format),
            sign: over.sign.or(self.sign),
            provenance: over.provenance.or(self.provenance),
        }
    }

    /// What variables say.
    pub(super) fn of_variables(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let variable = |name| variable(name).map(|text| Located::new(text, Origin::Variable(name)));
        Self {
            key: variable("KO_SIGNINGKEY"),
            config: variable("KO_SIGNINGCONFIG"),
            format: variable("KO_SIGNFORMAT"),
            sign: variable("KO_SIGN"),
            provenance: variable("KO_PROVENANCE"),
        }
    }

    /// Whether images are signed.
    pub(crate) fn signs(&self) -> Result<bool> {
        flag(self.sign.as_ref(), "signing.sign", "--sign")
    }

    /// Whether it is attested what they were built from.
    pub(crate) fn attests(&self) -> Result<bool> {
        flag(self.provenance.as_ref(), "signing.provenance", "--provenance")
    }

    /// As what signatures are attached.
    pub(crate) fn format(&self) -> Result<SignFormat> {
        let Some(text) = &self.format else { return Ok(SignFormat::default()) };
        match &*text.value {
            "bundle" => Ok(SignFormat::Bundle),
            "legacy" => Ok(SignFormat::Legacy),
            _ => Err(wrong(text, "signing.format", "--sign-format", "must be bundle or legacy")),
        }
    }
}

fn flag(text: Option<&Located<String>>, key: &str, flag: &str) -> Result<bool> {
    let Some(text) = text else { return Ok(false) };
    boolean(&text.value).map_err(|_| wrong(text, key, flag, "must be true or false"))
}

fn wrong(text: &Located<String>, key: &str, flag: &str, reason: &str) -> CommandError {
    let error = text.origin.error(match text.origin {
        Origin::Flag(_) => {
            format!("invalid argument {:?} for \"{flag}\" flag: {reason}", text.value)
        }
        _ => format!("'{key}': {reason}, not {:?}", text.value),
    });
    error.also(did_you_mean(
        &text.value,
        values("build", flag.trim_start_matches('-')).iter().copied(),
    ))
}

/// Reads the map.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Result<Signing> {
    let Value::Map(entries) = &*node.value else {
        let kind = node.value.kind();
        let message = format!("'signing' expected a map of settings, got {kind}");
        return Err(reader.origin(node).error(message));
    };
    let fields = reader.fields(entries, &Signing::KEYS)?;
    let text = |key: &str| {
        let wrong = |kind: &str| format!("'signing.{key}' expected a string, got {kind}");
        let text = fields.get(key).map(|node| reader.text(node, wrong)).transpose()?;
        Ok(text.filter(|text| !text.value.is_empty()))
    };
    Ok(Signing {
        key: text("key")?,
        config: text("config")?,
        format: text("format")?,
        sign: text("sign")?,
        provenance: text("provenance")?,
    })
}
