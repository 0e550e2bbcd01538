//! YAML (and JSON, which is written in it) as a tree: aliases and merge keys
//! are resolved, the first document counts, and a budget bounds what a hostile
//! file can cost.

use std::fmt;
use std::ops::Range;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Error, Location, Options, Spanned, UserMessageFormatter};

use super::tree::{Node, SyntaxError, Value};

/// Parses the first document. Further ones are ignored.
pub(crate) fn parse(text: &str) -> Result<Node, SyntaxError> {
    let mut first = None;
    let parsed = serde_saphyr::with_deserializer_from_str_with_options(text, options(), |input| {
        first = Some(Node::deserialize(input)?);
        Ok(())
    });
    match (parsed.as_ref().map_err(Error::without_snippet), first) {
        (Ok(()) | Err(Error::MultipleDocuments { .. }), Some(node)) => Ok(node),
        (Ok(()), None) => Ok(Node { value: Value::Null, bytes: 0..0 }),
        (Err(error), first) => {
            let bytes = error.location().and_then(|at| bytes(&at).or_else(|| position(text, &at)));
            if let (Some(node), Some(bytes)) = (first, &bytes)
                && ends_a_document(&text[node.bytes.start..bytes.start.max(node.bytes.start)])
            {
                return Ok(node);
            }
            let message = match error {
                Error::DuplicateMappingKey { key: Some(key), .. } => {
                    format!("mapping key {key:?} already defined")
                }
                Error::UnknownAnchor { .. } => "unknown anchor referenced".to_owned(),
                other => other.render_with_formatter(&UserMessageFormatter),
            };
            // The place is shown below the message, not in it.
            let message = match message.find(" at line ") {
                Some(end) => message[..end].to_owned(),
                None => message,
            };
            Err(SyntaxError { message, bytes })
        }
    }
}

/// Whether a document ends in this part of it and of what follows.
fn ends_a_document(text: &str) -> bool {
    text.lines().skip(1).any(|line| line.starts_with("---") || line.starts_with("..."))
}

fn options() -> Options {
    serde_saphyr::options! {
        // A file has at most 4 MiB. One with many builds has a few ten
        // thousand nodes; what an alias stands for counts each time.
        budget: serde_saphyr::budget! {
            max_events: 2_000_000,
            max_nodes: 1_000_000,
            // The keys that we know are four levels deep.
            max_depth: 24,
            flow_nesting_limit: 24,
            max_aliases: 50_000,
            max_anchors: 50_000,
            max_recorded_anchor_events: 1_000_000,
            max_total_scalar_bytes: 16 << 20,
            max_merge_keys: 10_000,
            // A file may use one anchor in each of a thousand builds.
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 200_000,
            max_replay_stack_depth: 64,
        },
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
        // Only true and false: `yes` is a text, as it is for ko.
        strict_booleans: true,
        legacy_octal_numbers: true,
        non_finite_float_policy: serde_saphyr::options::NonFiniteFloatPolicy::AsString,
        emit_comments: false,
        with_snippet: false,
    }
}

fn bytes(at: &Location) -> Option<Range<usize>> {
    let span = at.span();
    let start = usize::try_from(span.byte_offset()?).ok()?;
    let length = usize::try_from(span.byte_len()?).ok()?;
    Some(start..start.checked_add(length)?)
}

/// A place that is known by line and column only.
fn position(text: &str, at: &Location) -> Option<Range<usize>> {
    let line = usize::try_from(at.line()).ok()?.checked_sub(1)?;
    let column = usize::try_from(at.column()).ok()?.checked_sub(1)?;
    let mut starts = std::iter::once(0).chain(text.match_indices('\n').map(|(end, _)| end + 1));
    let start = starts.nth(line)?;
    let rest = text[start..].char_indices().map(|(at, _)| at);
    let at = start + rest.chain([text.len() - start]).nth(column)?;
    Some(at..at + 1)
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(input)?;
        // What an alias or a merge key brings in was written at its anchor.
        let bytes = bytes(&spanned.defined).unwrap_or(0..0);
        Ok(Node { value: spanned.value, bytes })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, input: D) -> Result<Value, D::Error> {
        input.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Integer(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Value, E> {
        i128::try_from(value)
            .map(Value::Integer)
            .map_err(|_| de::Error::custom("the number is too large"))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }

    fn visit_bytes<E: de::Error>(self, value: &[u8]) -> Result<Value, E> {
        let text =
            str::from_utf8(value).map_err(|_| de::Error::custom("!!binary that is not UTF-8"))?;
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut input: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = input.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut input: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = input.next_entry()? {
            entries.push(entry);
        }
        Ok(Value::Map(entries))
    }
}
