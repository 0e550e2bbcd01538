//! Reads the health check of images: `healthcheck` of an image's settings.

use engine::{Field, HealthcheckSettings};
use jiff::SignedDuration;

use super::{Texts, expected, one};
use crate::config::origin::{List, Located};
use crate::config::read::Reader;
use crate::config::tree::{Node, Value};
use crate::error::Result;

/// A health check.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    pub(crate) test: List,
    pub(crate) interval: Option<Located<String>>,
    pub(crate) timeout: Option<Located<String>>,
    pub(crate) start_period: Option<Located<String>>,
    pub(crate) retries: Option<Located<String>>,
}

impl Check {
    /// The keys.
    pub(crate) const KEYS: [&str; 5] = ["test", "interval", "timeout", "startPeriod", "retries"];

    pub(super) fn settings(&self, texts: &Texts<'_>) -> Result<HealthcheckSettings> {
        let wrong = |value: &Located<String>, key: &str, what: &str| {
            let path = texts.path;
            value
                .origin
                .error(format!("'{path}.healthcheck.{key}': {:?} is not {what}", value.value))
        };
        let time = |key: &str, value: Option<&Located<String>>| {
            let Some(value) = value else { return Ok(0) };
            let nanos = value.value.parse::<SignedDuration>().ok();
            // Engines refuse what is shorter than a millisecond.
            let nanos = nanos.and_then(|time| i64::try_from(time.as_nanos()).ok());
            nanos
                .filter(|nanos| *nanos == 0 || *nanos >= 1_000_000)
                .ok_or_else(|| wrong(value, key, "a duration, such as 30s or 1m30s"))
        };
        let retries = match &self.retries {
            None => 0,
            Some(value) => {
                let number = value.value.parse::<u32>().ok().map(i64::from);
                number.ok_or_else(|| wrong(value, "retries", "a number of times"))?
            }
        };
        let Some(first) = self.test.items.first() else {
            return Err(self
                .test
                .origin
                .error(format!("'{}.healthcheck.test': there is nothing to run", texts.path)));
        };
        let words = self.test.items.len();
        let fits = match &*first.value {
            "NONE" => words == 1,
            "CMD" => words > 1,
            "CMD-SHELL" => words == 2,
            _ => false,
        };
        if !fits {
            let message = format!(
                "'{}.healthcheck.test' begins with CMD and the words of a command, with CMD-SHELL and one text, or is NONE alone",
                texts.path
            );
            return Err(self.test.origin.error(message));
        }
        Ok(HealthcheckSettings {
            test: texts
                .list("healthcheck.test", Field::Word, Some(&self.test))?
                .unwrap_or_default(),
            interval: time("interval", self.interval.as_ref())?,
            timeout: time("timeout", self.timeout.as_ref())?,
            start_period: time("startPeriod", self.start_period.as_ref())?,
            retries,
        })
    }

    /// The texts, by their keys.
    pub(crate) fn scalars(&self) -> [(&'static str, Option<&Located<String>>); 4] {
        [
            ("interval", self.interval.as_ref()),
            ("timeout", self.timeout.as_ref()),
            ("startPeriod", self.start_period.as_ref()),
            ("retries", self.retries.as_ref()),
        ]
    }
}

/// Reads a health check; `path` is what it is called.
pub(super) fn read(reader: &mut Reader<'_>, path: &str, node: &Node) -> Result<Check> {
    let Value::Map(entries) = &*node.value else {
        return Err(expected(reader, path, "a map of settings", node));
    };
    let fields = reader.fields(entries, &Check::KEYS)?;
    let text = |key: &str| {
        fields.get(key).map(|node| one(reader, &format!("{path}.{key}"), node)).transpose()
    };
    let test = match fields.get("test") {
        None => List { items: Vec::new(), origin: reader.origin(node) },
        Some(node) => match &*node.value {
            Value::List(_) | Value::Map(_) => reader.list(&format!("{path}.test"), node)?,
            // As Docker Compose has it.
            scalar => {
                let text = scalar.scalar().unwrap_or_default();
                let words = match &*text {
                    "NONE" => vec![text],
                    _ => vec!["CMD-SHELL".to_owned(), text],
                };
                List::of(words, reader.origin(node))
            }
        },
    };
    Ok(Check {
        test,
        interval: text("interval")?,
        timeout: text("timeout")?,
        start_period: text("startPeriod")?,
        retries: text("retries")?,
    })
}
