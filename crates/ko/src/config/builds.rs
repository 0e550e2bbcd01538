//! Reads `builds` of a configuration file. ko converts it more strictly than the
//! rest and reports all mistakes at once; its texts are kept.

use std::fmt;

use super::file::Build;
use super::image;
use super::origin::{List, Located, Origin};
use super::read::{Fields, Reader};
use super::tree::{Node, Value};
use crate::error::{CommandError, Result};

/// Reads the entries; a single one needs no list.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Result<Vec<Build>> {
    let entries = match &*node.value {
        Value::List(entries) => entries,
        _ => std::slice::from_ref(node),
    };
    let mut builds = Builds { reader, wrong: Vec::new() };
    let mut read = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        read.push(builds.entry(index, entry)?);
    }
    if builds.wrong.is_empty() { Ok(read) } else { Err(wrong(&builds.wrong)) }
}

/// What `KO_BUILDS` gets: a variable cannot hold builds.
pub(super) fn of_variable(origin: &Origin) -> CommandError {
    wrong(&[origin.error("'[0]' expected a map or struct, got \"string\"")])
}

fn wrong(errors: &[CommandError]) -> CommandError {
    let messages: Vec<&str> = errors.iter().map(CommandError::message).collect();
    let hint = errors.iter().find_map(|error| error.hint_text().map(str::to_owned));
    CommandError::new(format!(
        "configuration section 'builds' cannot be parsed: decoding failed due to the following error(s):\n\n{}",
        messages.join("\n")
    ))
    .hint(hint)
}

struct Builds<'a, 'b> {
    reader: &'a mut Reader<'b>,
    wrong: Vec<CommandError>,
}

/// How a scalar stands for a list.
#[derive(Debug, Clone, Copy)]
enum Short {
    /// Its words are the elements.
    Words,
    /// It is the one element.
    Whole,
}

/// What a value is called in messages.
#[derive(Debug, Clone, Copy)]
struct Path {
    index: usize,
    name: &'static str,
    item: Option<usize>,
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "[{}].{}", self.index, self.name)?;
        self.item.map_or(Ok(()), |item| write!(formatter, "[{item}]"))
    }
}

impl Builds<'_, '_> {
    fn entry(&mut self, index: usize, node: &Node) -> Result<Build> {
        let fields = match &*node.value {
            Value::Null => Fields::new(),
            Value::Map(entries) => self.reader.fields(entries, &Build::KEYS)?,
            other => {
                let message =
                    format!("'[{index}]' expected a map or struct, got \"{}\"", kind(other));
                self.wrong.push(self.reader.origin(node).error(message));
                Fields::new()
            }
        };
        let image = fields.get("image");
        let image = image
            .map(|node| image::read(self.reader, &format!("builds[{index}].image"), node))
            .transpose()?;
        let path = |name| Path { index, name, item: None };
        Ok(Build {
            id: self.text(&fields, "id", path("ID")),
            dir: self.text(&fields, "dir", path("Dir")),
            main: self.text(&fields, "main", path("Main")),
            ldflags: self.list(&fields, "ldflags", path("Ldflags"), Short::Whole),
            flags: self.list(&fields, "flags", path("Flags"), Short::Words),
            env: self.list(&fields, "env", path("Env"), Short::Whole),
            linux_capabilities: self.list(
                &fields,
                "linux_capabilities",
                path("linux_capabilities"),
                Short::Words,
            ),
            naming: self.text(&fields, "naming", path("naming")),
            image_tags: self.list(&fields, "imageTags", path("imageTags"), Short::Whole),
            image,
        })
    }

    fn text(&mut self, fields: &Fields<'_>, key: &str, path: Path) -> Option<Located<String>> {
        fields.get(key).and_then(|node| self.scalar(path, node))
    }

    fn list(&mut self, fields: &Fields<'_>, key: &str, path: Path, short: Short) -> Option<List> {
        let node = fields.get(key)?;
        let origin = self.reader.origin(node);
        let items = match &*node.value {
            Value::List(items) => &items[..],
            Value::Map(entries) if entries.is_empty() => &[],
            // A map is taken for the one element that it cannot be.
            Value::Map(_) => std::slice::from_ref(*node),
            _ => {
                let Located { value, .. } = self.scalar(path, node)?;
                return Some(match short {
                    Short::Words => List::of(value.split_whitespace().map(str::to_owned), origin),
                    Short::Whole => List::of([value], origin),
                });
            }
        };
        let items = items.iter().enumerate();
        let items =
            items.filter_map(|(at, node)| self.scalar(Path { item: Some(at), ..path }, node));
        let items = items.collect();
        Some(List { items, origin })
    }

    fn scalar(&mut self, path: Path, node: &Node) -> Option<Located<String>> {
        let origin = self.reader.origin(node);
        let text = match &*node.value {
            Value::Bool(value) => Some(u8::from(*value).to_string()),
            other => other.scalar(),
        };
        let Some(text) = text else {
            let got = match &*node.value {
                Value::List(_) => "[]interface {}",
                _ => "map[string]interface {}",
            };
            self.wrong.push(
                origin.error(format!(
                    "'{path}' expected type 'string', got unconvertible type '{got}'"
                )),
            );
            return None;
        };
        Some(Located::new(text, origin))
    }
}

/// What Go calls it.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nil",
        Value::Bool(_) => "bool",
        Value::Integer(_) => "int",
        Value::Float(_) => "float64",
        Value::Text(_) => "string",
        Value::List(_) => "slice",
        Value::Map(_) => "map",
    }
}
