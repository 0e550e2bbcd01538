//! Reads the outermost levels of a document as a tree, for its `kind`, `items`
//! and labels.

use std::ops::Range;

use granit_parser::{Event, ScalarStyle, Span, StructureStyle};

use crate::file;
use crate::schema;
use crate::text;
use crate::text::Position;

/// The levels that a tree has: document, its values, items of a list, their
/// metadata, their labels, the labels' values.
const LEVELS: usize = 6;

/// A node of a document.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) data: Data,
    pub(crate) position: Position,
    /// From the first to the last token that was an event; without anchor and
    /// tag.
    pub(crate) range: Range<usize>,
}

/// What a node is.
#[derive(Debug)]
pub(crate) enum Data {
    Scalar {
        value: String,
        is_string: bool,
        is_null: bool,
    },
    Sequence {
        items: Vec<Node>,
        flow: bool,
    },
    Mapping(Vec<(Node, Node)>),
    /// An alias.
    Alias,
}

impl Node {
    /// The value of a scalar that is a string.
    pub(crate) fn string(&self) -> Option<&str> {
        match &self.data {
            Data::Scalar { value, is_string: true, .. } => Some(value),
            _ => None,
        }
    }

    /// The values of the entries of a mapping whose key is the string `key`.
    pub(crate) fn values<'n>(&'n self, key: &'n str) -> impl Iterator<Item = &'n Node> {
        self.entries(key).map(|(_, value)| value)
    }

    /// The entries of a mapping whose key is the string `key`, which may be
    /// several: duplicate keys are no error here.
    pub(crate) fn entries<'n>(&'n self, key: &'n str) -> impl Iterator<Item = &'n (Node, Node)> {
        let entries = match &self.data {
            Data::Mapping(entries) => entries.as_slice(),
            _ => &[],
        };
        entries.iter().filter(move |(name, _)| name.string() == Some(key))
    }
}

/// A document as the selector sees it.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) root: Option<Node>,
    /// Where tokens span lines: scalars and flow collections. Lines inside say
    /// nothing about the structure around them. In order, without overlaps.
    pub(crate) opaque: Vec<Range<usize>>,
    /// Anchors by the parser's number, with the start of their node.
    pub(crate) anchors: Vec<(usize, usize)>,
    /// Aliases: number of the anchor and the place.
    pub(crate) aliases: Vec<(usize, usize, Position)>,
}

/// Builds the tree of one document from its events.
#[derive(Debug)]
pub(crate) struct Builder<'t> {
    pub(crate) tree: Tree,
    text: &'t str,
    /// Open collections, outermost first; a mapping's entries are nodes in
    /// turn, key and value, until it closes.
    open: Vec<Open>,
    /// The end of the last token.
    end: usize,
}

#[derive(Debug)]
struct Open {
    children: Vec<Node>,
    is_mapping: bool,
    flow: bool,
    position: Position,
    start: usize,
}

impl<'t> Builder<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { tree: Tree::default(), text, open: Vec::new(), end: 0 }
    }

    pub(crate) fn event(&mut self, event: &Event<'_>, span: &Span) {
        let mut range = file::bytes(span);
        if let Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, ..) = event {
            // The parser's range may go on to the indentation of what follows.
            let line = text::line_start(self.text, range.end).max(range.start);
            if self.text[line..range.end].bytes().all(|b| b == b' ') {
                range.end = line;
            }
        }
        let position = file::position(&span.start);
        if let (Some(anchor), true) = (event.anchor_id(), event.is_node()) {
            self.tree.anchors.push((anchor, range.start));
        }
        if !range.is_empty() {
            self.end = range.end;
        }
        match event {
            Event::Scalar(value, style, _, tag) => {
                let plain = *style == ScalarStyle::Plain;
                let tag = tag.as_deref().filter(|tag| !file::is_nonspecific(tag));
                let is_string = match tag {
                    Some(tag) => tag.is_yaml_core_schema_tag("str"),
                    None => !plain || schema::is_string(value),
                };
                let is_null = match tag {
                    Some(tag) => tag.is_yaml_core_schema_tag("null"),
                    None => plain && schema::is_null(value),
                };
                if span.start.line() != span.end.line() {
                    self.opaque(&range);
                }
                if self.open.len() >= LEVELS {
                    return;
                }
                let data = Data::Scalar { value: value.to_string(), is_string, is_null };
                self.close(Node { data, position, range });
            }
            Event::Alias(anchor) => {
                self.tree.aliases.push((*anchor, range.start, position));
                self.close(Node { data: Data::Alias, position, range });
            }
            Event::SequenceStart(style, ..) => self.open(false, *style, position, range.start),
            Event::MappingStart(style, ..) => self.open(true, *style, position, range.start),
            Event::SequenceEnd | Event::MappingEnd => self.close_collection(),
            _ => {}
        }
    }

    fn open(&mut self, is_mapping: bool, style: StructureStyle, position: Position, start: usize) {
        self.open.push(Open {
            children: Vec::new(),
            is_mapping,
            flow: style == StructureStyle::Flow,
            position,
            start,
        });
    }

    fn close_collection(&mut self) {
        let Some(open) = self.open.pop() else { return };
        let range = open.start..self.end.max(open.start);
        if open.flow {
            self.opaque(&range);
        }
        let data = if open.is_mapping {
            let mut entries = Vec::with_capacity(open.children.len() / 2);
            let mut children = open.children.into_iter();
            while let (Some(key), Some(value)) = (children.next(), children.next()) {
                entries.push((key, value));
            }
            Data::Mapping(entries)
        } else {
            Data::Sequence { items: open.children, flow: open.flow }
        };
        self.close(Node { data, position: open.position, range });
    }

    /// Adds a finished node to the collection it is in, if anyone looks there.
    fn close(&mut self, node: Node) {
        let level = self.open.len();
        match self.open.last_mut() {
            None => self.tree.root = Some(node),
            Some(parent) if level < LEVELS => parent.children.push(node),
            Some(_) => {}
        }
    }

    /// Remembers a range; those inside it, seen before, are part of it.
    fn opaque(&mut self, range: &Range<usize>) {
        let inside = |last: &Range<usize>| last.start >= range.start;
        while self.tree.opaque.last().is_some_and(inside) {
            self.tree.opaque.pop();
        }
        self.tree.opaque.push(range.clone());
    }
}
