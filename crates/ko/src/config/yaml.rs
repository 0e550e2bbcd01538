//! YAML (and JSON, which is written in it) as a tree. The first document
//! counts. An alias shares what its anchor has, so that no file is larger in
//! memory than it was on disk; merge keys, which do copy, are bounded.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::rc::Rc;

use granit_parser::{ErrorKind, Event, Parser, ScanError, Span, StrInput};

use super::scalar;
use super::tree::{Node, SyntaxError, Value};

/// How deep a tree may be, aliases included. The keys that we know are four
/// levels deep; tools that share the file may have deeper ones.
const DEPTH: usize = 64;

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
    let mut builder = Builder::default();
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
    Ok(builder.root.unwrap_or(Node { value: Rc::new(Value::Null), bytes: 0..0 }))
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

/// A node, and how many levels are below it.
#[derive(Clone)]
struct Built {
    node: Node,
    height: usize,
}

/// A collection whose end has not come.
struct Open {
    start: usize,
    anchor: usize,
    height: usize,
    items: Items,
}

enum Items {
    List(Vec<Node>),
    Map { entries: Vec<(Node, Node)>, key: Option<Node> },
}

/// Makes a tree of events.
#[derive(Default)]
struct Builder {
    root: Option<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Built>,
    merged: usize,
}

impl Builder {
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
                self.add(Built { node: Node { value: Rc::new(value), bytes }, height: 0 }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => {
                self.start(Items::List(Vec::new()), anchor, bytes)
            }
            Event::MappingStart(_, anchor, _) => {
                self.start(Items::Map { entries: Vec::new(), key: None }, anchor, bytes)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(bytes.end),
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(built) if self.open.len() + built.height > DEPTH => Err(error(TOO_DEEP, bytes)),
                Some(built) => self.add(built.clone(), 0),
                None => Err(error("an anchor's value contains itself", bytes)),
            },
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
        self.open.push(Open { start: bytes.start, anchor, height: 0, items });
        Ok(())
    }

    fn end(&mut self, end: usize) -> Result<()> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let value = match open.items {
            Items::List(items) => Value::List(items),
            Items::Map { entries, .. } => Value::Map(self.map(entries)?),
        };
        let node = Node { value: Rc::new(value), bytes: open.start..end.max(open.start) };
        self.add(Built { node, height: open.height + 1 }, open.anchor)
    }

    fn add(&mut self, built: Built, anchor: usize) -> Result<()> {
        if anchor > 0 {
            self.anchors.insert(anchor, built.clone());
        }
        let Built { node, height } = built;
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        open.height = open.height.max(height);
        match &mut open.items {
            Items::List(items) => items.push(node),
            Items::Map { entries, key } => match key.take() {
                None => *key = Some(node),
                Some(key) => entries.push((key, node)),
            },
        }
        Ok(())
    }

    /// Refuses keys that stand twice, and carries merges out.
    fn map(&mut self, written: Vec<(Node, Node)>) -> Result<Vec<(Node, Node)>> {
        let mut merges = Vec::new();
        let mut entries = Vec::with_capacity(written.len());
        let mut seen: BTreeMap<Rc<Value>, usize> = BTreeMap::new();
        for (key, value) in written {
            if let Value::Text(_) = &*key.value
                && let Some(_first) = seen.insert(Rc::clone(&key.value), key.bytes.start)
            {
                unimplemented!()
            }
            merges.push(value.clone());
            entries.push((key, value));
        }
        Ok(entries)
    }
}

fn error(message: &str, bytes: Range<usize>) -> SyntaxError {
    SyntaxError { message: message.to_owned(), bytes: Some(bytes) }
}
