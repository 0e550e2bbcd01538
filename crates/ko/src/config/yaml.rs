//! Parses YAML (and JSON, which is written in it) into a tree. The first
//! document counts. An alias shares the nodes of its anchor, so that no file is
//! larger in memory than on disk; merge keys, which do copy, are bounded.

use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{ErrorKind, Event, Parser, ScanError, Span, StrInput};

use super::scalar;
use super::tree::{Node, SyntaxError, Value};

/// How deep a tree may be, aliases included. The keys that we know are four
/// levels deep; tools that share the file may have deeper ones.
const DEPTH: usize = 64;

/// How many nodes of a file may come from aliases, each time counted with all
/// that its anchor has. A file of a thousand builds that share what they can
/// is far below.
const ALIASED: u64 = 500_000;

/// How many keys of a file may come from merges.
const MERGED: usize = 200_000;

type Result<T> = std::result::Result<T, SyntaxError>;

/// Parses the first document. What follows it is ignored.
pub(crate) fn parse(text: &str) -> Result<Node> {
    let mut options = granit_parser::options! {
        block_scalar_eof_without_line_feed: true,
        flow_nesting_limit: DEPTH,
        block_nesting_limit: DEPTH,
    };
    options.set_emit_comments(false);
    let mut events = Events { parser: Parser::new_from_str_with_options(text, options) };
    let mut builder = Builder {
        text,
        root: None,
        open: Vec::new(),
        anchors: HashMap::new(),
        aliased: 0,
        merged: 0,
    };
    while let Some((event, span)) = events.next()? {
        if matches!(event, Event::DocumentEnd) {
            // Without an end that is written out, what follows must be the
            // start of another document, or nothing.
            if !text[bytes(&span)].starts_with("...") {
                events.next()?;
            }
            break;
        }
        builder.event(event, &span)?;
    }
    Ok(builder.root.unwrap_or_else(|| Node::new(Value::Null, 0..0)))
}

/// What the parser says, with its errors as ours.
struct Events<'a> {
    parser: Parser<'a, StrInput<'a>>,
}

impl<'a> Events<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>> {
        self.parser.next_event().transpose().map_err(|error: ScanError| {
            let message = match error.kind() {
                ErrorKind::RecursionLimitExceeded => TOO_DEEP.to_owned(),
                ErrorKind::UnknownAnchor => "unknown anchor referenced".to_owned(),
                kind => kind.to_string(),
            };
            let bytes = error.marker().byte_offset().map(|at| at..at + 1);
            SyntaxError { message, bytes }
        })
    }
}

const TOO_DEEP: &str = "nested too deeply";

/// The parser knows the bytes of every span of a text in memory.
fn bytes(span: &Span) -> Range<usize> {
    span.byte_range().unwrap_or(0..0)
}

/// A node, how many levels are below it, and how many nodes it is with them.
#[derive(Clone)]
struct Built {
    node: Node,
    height: usize,
    size: u64,
}

/// A collection whose end has not come.
struct Open {
    start: usize,
    anchor: usize,
    height: usize,
    size: u64,
    items: Items,
}

enum Items {
    List(Vec<Node>),
    Map { entries: Vec<(Node, Node)>, key: Option<Node> },
}

/// Makes a tree of events.
struct Builder<'a> {
    text: &'a str,
    root: Option<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Built>,
    aliased: u64,
    merged: usize,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, span: &Span) -> Result<()> {
        let bytes = bytes(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = if self.awaits_key() {
                    // Keys are compared as they are written.
                    Value::Text(text.into_owned())
                } else {
                    scalar::value(text, style, tag.as_deref())
                };
                self.add(Built { node: Node::new(value, bytes), height: 0, size: 1 }, anchor);
                Ok(())
            }
            Event::SequenceStart(_, anchor, _) => {
                self.start(Items::List(Vec::new()), anchor, bytes)
            }
            Event::MappingStart(_, anchor, _) => {
                self.start(Items::Map { entries: Vec::new(), key: None }, anchor, bytes)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(bytes.end),
            Event::Alias(anchor) => {
                let Some(built) = self.anchors.get(&anchor).cloned() else {
                    return Err(error("an anchor's value contains itself", bytes));
                };
                if self.open.len() + built.height > DEPTH {
                    return Err(error(TOO_DEEP, bytes));
                }
                self.aliased = self.aliased.saturating_add(built.size);
                if self.aliased > ALIASED {
                    return Err(error("document contains excessive aliasing", bytes));
                }
                self.add(built, 0);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn awaits_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { items: Items::Map { key: None, .. }, .. }))
    }

    fn start(&mut self, items: Items, anchor: usize, bytes: Range<usize>) -> Result<()> {
        if self.open.len() == DEPTH {
            return Err(error(TOO_DEEP, bytes));
        }
        self.open.push(Open { start: bytes.start, anchor, height: 0, size: 1, items });
        Ok(())
    }

    fn end(&mut self, end: usize) -> Result<()> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let value = match open.items {
            Items::List(items) => Value::List(items),
            Items::Map { entries, .. } => Value::Map(self.map(entries)?),
        };
        let node = Node::new(value, open.start..end.max(open.start));
        self.add(Built { node, height: open.height + 1, size: open.size }, open.anchor);
        Ok(())
    }

    fn add(&mut self, built: Built, anchor: usize) {
        if anchor > 0 {
            self.anchors.insert(anchor, built.clone());
        }
        let Built { node, height, size } = built;
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        open.height = open.height.max(height);
        open.size = open.size.saturating_add(size);
        match &mut open.items {
            Items::List(items) => items.push(node),
            Items::Map { entries, key } => match key.take() {
                None => *key = Some(node),
                Some(key) => entries.push((key, node)),
            },
        }
    }

    /// Refuses keys that stand twice, and carries merges out: a key of the map
    /// itself is over a merged one, an earlier merge over a later.
    fn map(&mut self, written: Vec<(Node, Node)>) -> Result<Vec<(Node, Node)>> {
        let mut seen: HashMap<String, usize> = HashMap::with_capacity(written.len());
        let mut entries = Vec::with_capacity(written.len());
        let mut merges = Vec::new();
        for (key, value) in written {
            if let Some(name) = key.text() {
                if let Some(first) = seen.insert(name.to_owned(), key.bytes.start) {
                    let line = self.text[..first].matches('\n').count() + 1;
                    let message = format!("mapping key {name:?} already defined at line {line}");
                    return Err(error(message, key.bytes));
                }
                if &self.text[key.bytes.clone()] == "<<" {
                    merges.push(value);
                    continue;
                }
            }
            entries.push((key, value));
        }
        for merge in merges {
            let sources = match &*merge.value {
                Value::List(sources) => &sources[..],
                _ => std::slice::from_ref(&merge),
            };
            for source in sources {
                let Value::Map(merged) = &*source.value else {
                    return Err(error(
                        "map merge requires map or sequence of maps as the value",
                        merge.bytes,
                    ));
                };
                self.merged += merged.len();
                if self.merged > MERGED {
                    return Err(error("too many keys are merged", merge.bytes));
                }
                for (key, value) in merged {
                    let name = key.text().map(str::to_owned);
                    if name.is_none_or(|name| seen.insert(name, key.bytes.start).is_none()) {
                        entries.push((key.clone(), value.clone()));
                    }
                }
            }
        }
        Ok(entries)
    }
}

fn error(message: impl Into<String>, bytes: Range<usize>) -> SyntaxError {
    SyntaxError { message: message.into(), bytes: Some(bytes) }
}
