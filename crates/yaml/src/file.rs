//! Parses a file into its documents and its references.

use std::ops::Range;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, Tag};
use serde::{Deserialize, Serialize};

use crate::block;
use crate::document::Document;
use crate::embedded::{self, SCHEME};
use crate::error::{Error, Problem};
use crate::found::{Extent, Found, Style};
use crate::quoted;
use crate::text::{self, Position};

/// A file to parse.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// What messages call it: a path, a URL, `-`.
    pub name: &'a str,
    /// Its content.
    pub bytes: &'a [u8],
}

/// Which strings are searched for references.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Those that start with `ko://`; the whole string is the reference.
    Whole,
    /// All of them. A string that starts with `ko://` and is one word is that
    /// reference, good or bad; in every other string, each `ko://` followed by a Go import path is one: elements
    /// of ASCII letters, digits and `-._~+`, separated by `/`, without a dot or
    /// a slash at the end, and not as the end of a longer scheme. `@` ends it.
    Embedded,
}

/// A file that is valid YAML.
#[derive(Debug, Clone)]
pub struct File<'a> {
    pub(crate) name: &'a str,
    pub(crate) text: &'a str,
    pub(crate) documents: Vec<Document>,
    pub(crate) references: Vec<Found>,
    /// What a selector left out inside documents that stay.
    pub(crate) cuts: Vec<Range<usize>>,
    /// Where what follows the last document starts: after its `...`.
    pub(crate) tail: usize,
    /// The block scalar that ends the file, if one does.
    pub(crate) last_block: Option<LastBlock>,
}

/// A block scalar that ends where the file ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastBlock {
    /// Where its header is.
    pub(crate) header: usize,
    /// Whether its value ends with a line feed, and is not empty.
    pub(crate) breaks: bool,
}

impl<'a> File<'a> {
    /// The number of collections that may be nested, as ko has it.
    pub const DEPTH: usize = 10_000;

    /// Parses every document of `source`.
    ///
    /// The grammar is that of YAML 1.2.2 as ko's reader takes it: `%YAML 1.1`
    /// is accepted, flow collections need no indentation, duplicate keys pass,
    /// and tags are not checked against values. An alias must name an anchor of
    /// its own document.
    ///
    /// # Errors
    ///
    /// The first thing that is not text or not YAML, with its place.
    pub fn parse(source: &Source<'a>, mode: Mode) -> Result<Self, Error> {
        let name = source.name;
        let text = text::check(source.bytes)
            .map_err(|(at, problem)| Error::of_bytes(name, source.bytes, at, problem))?;
        let reader = Reader::read(text, mode).map_err(|error| refusal(name, text, &error))?;
        Ok(reader.finish(name))
    }

    /// What messages call it.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The documents, in order.
    #[must_use]
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// The references that stay in the output, in order.
    #[must_use]
    pub fn references(&self) -> &[Found] {
        &self.references
    }
}

/// The parser that everything here uses.
pub(crate) fn parser(text: &str) -> Parser<'_, granit_parser::StrInput<'_>> {
    let mut options = granit_parser::options! {
        block_scalar_eof_without_line_feed: true,
        flow_nesting_limit: File::DEPTH,
        block_nesting_limit: File::DEPTH,
    };
    options.set_emit_comments(false);
    Parser::new_from_str_with_options(text, options)
}

/// Converts an error of the parser.
pub(crate) fn refusal(name: &str, text: &str, error: &ScanError) -> Error {
    let problem = match error.kind() {
        ErrorKind::RecursionLimitExceeded => Problem::TooDeep,
        kind => Problem::Syntax(kind.to_string()),
    };
    Error::new(name, text, position(error.marker()), problem)
}

/// The bytes of a span; the parser knows them for every text in memory.
pub(crate) fn bytes(span: &Span) -> Range<usize> {
    span.byte_range().expect("a text in memory has offsets")
}

/// Our counting of the parser's: columns from 1.
pub(crate) fn position(marker: &granit_parser::Marker) -> Position {
    Position { line: marker.line(), column: marker.col() + 1 }
}

/// Whether a scalar with this tag is a string if its value allows it. The
/// non-specific `!` counts as no tag, as ko's reader has it.
pub(crate) fn is_untagged_or_str(tag: Option<&Tag>) -> bool {
    tag.is_none_or(|tag| is_nonspecific(tag) || tag.is_yaml_core_schema_tag("str"))
}

/// Whether a tag is `!`, which says nothing.
pub(crate) fn is_nonspecific(tag: &Tag) -> bool {
    tag.parts() == ("", "!")
}

/// The position of the next node in an open collection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NodePosition {
    Item,
    Key,
    Value,
}

/// The state of one walk over a file's events.
pub(crate) struct Reader<'a> {
    pub(crate) text: &'a str,
    mode: Mode,
    documents: Vec<Document>,
    references: Vec<Found>,
    open: Vec<NodePosition>,
    /// The end of the last token that was an event.
    end: usize,
    /// Where the line after the last `...` starts, before the next document.
    boundary: Option<usize>,
    last_block: Option<LastBlock>,
}

impl<'a> Reader<'a> {
    /// Walks over a whole text.
    pub(crate) fn read(text: &'a str, mode: Mode) -> Result<Self, ScanError> {
        let mut reader = Self {
            text,
            mode,
            documents: Vec::new(),
            references: Vec::new(),
            open: Vec::new(),
            end: 0,
            boundary: None,
            last_block: None,
        };
        let mut parser = parser(text);
        while let Some(next) = parser.next_event() {
            let (event, span) = next?;
            reader.event(&event, &span);
        }
        Ok(reader)
    }

    /// Adds what was read of the part of `text` that starts at `start`, with a
    /// document, where what was read so far ends.
    pub(crate) fn append(&mut self, part: Self, text: &str, start: usize) {
        let moved = |range: Range<usize>| range.start + start..range.end + start;
        let lines = memchr::memchr_iter(b'\n', &text.as_bytes()[..start]).count();
        let documents = self.documents.len();
        if let Some(last) = self.documents.last_mut() {
            last.range.end = start;
        }
        for mut document in part.documents {
            document.range = moved(document.range);
            document.marker = document.marker.map(|marker| marker + start);
            document.content += start;
            // What stands before the first document belongs to it.
            if self.documents.is_empty() {
                document.range.start = 0;
            }
            self.documents.push(document);
        }
        self.references.extend(part.references.into_iter().map(|found| Found {
            span: moved(found.span),
            position: Position { line: found.position.line + lines, ..found.position },
            document: found.document + documents,
            ..found
        }));
        self.boundary = part.boundary.map(|boundary| boundary + start);
        let moved = |block: LastBlock| LastBlock { header: block.header + start, ..block };
        self.last_block = part.last_block.map(moved);
    }

    /// The file of what was read.
    pub(crate) fn finish(mut self, name: &'a str) -> File<'a> {
        if let Some(last) = self.documents.last_mut() {
            last.range.end = self.text.len();
        }
        let no_tail = if self.documents.is_empty() { 0 } else { self.text.len() };
        File {
            name,
            text: self.text,
            tail: self.boundary.unwrap_or(no_tail),
            documents: self.documents,
            references: self.references,
            cuts: Vec::new(),
            last_block: self.last_block,
        }
    }

    fn event(&mut self, event: &Event<'_>, span: &Span) {
        match event {
            Event::DocumentStart(explicit, _) => self.document(*explicit, span),
            Event::DocumentEnd => self.document_end(span),
            Event::Scalar(value, style, _, tag) => {
                let is_key = self.advance();
                self.scalar(value, *style, tag.as_deref(), span, is_key);
            }
            Event::Alias(_) => {
                self.advance();
            }
            Event::SequenceStart(..) => {
                self.advance();
                self.open.push(NodePosition::Item);
            }
            Event::MappingStart(..) => {
                self.advance();
                self.open.push(NodePosition::Key);
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.open.pop();
            }
            _ => {}
        }
        let range = bytes(span);
        // A start that is not written has the span of what comes next.
        if !range.is_empty() && !matches!(event, Event::DocumentStart(false, _)) {
            self.end = range.end;
        } else if let Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, ..) = event
            && let Some(header) = block::header(self.text, self.end)
        {
            // Without text it has a header all the same, which is not that of the next.
            self.end = block::indicators(self.text, header).end;
        }
    }

    /// Advances the position in the innermost collection, and returns whether it
    /// was a key.
    fn advance(&mut self) -> bool {
        let Some(place) = self.open.last_mut() else {
            return false;
        };
        let was = *place;
        *place = match was {
            NodePosition::Item => NodePosition::Item,
            NodePosition::Key => NodePosition::Value,
            NodePosition::Value => NodePosition::Key,
        };
        was == NodePosition::Key
    }

    fn document(&mut self, explicit: bool, span: &Span) {
        let marker = explicit.then(|| bytes(span).start);
        let start = match (self.documents.is_empty(), self.boundary.take(), marker) {
            (true, ..) => 0,
            (false, Some(boundary), _) => boundary,
            // Without a `...` only a `---` can start another document.
            (false, None, marker) => marker.unwrap_or(self.end),
        };
        if let Some(last) = self.documents.last_mut() {
            last.range.end = start;
        }
        self.documents.push(Document {
            range: start..start,
            marker,
            terminated: false,
            kept: true,
            content: bytes(span).start,
        });
    }

    fn document_end(&mut self, span: &Span) {
        let range = bytes(span);
        if self.text[range.clone()].starts_with("...")
            && let Some(last) = self.documents.last_mut()
        {
            last.terminated = true;
            self.boundary = Some(text::next_line(self.text, range.end));
        }
    }

    fn scalar(
        &mut self,
        value: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        span: &Span,
        is_key: bool,
    ) {
        let content = bytes(span);
        let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let ends_file = is_block && content.end == self.text.len();
        let is_whole = value.starts_with(SCHEME);
        let is_candidate = is_whole
            || (self.mode == Mode::Embedded
                && memchr::memmem::find(value.as_bytes(), SCHEME.as_bytes()).is_some());
        let is_root = self.open.is_empty();
        if !is_candidate && !ends_file && !is_root {
            return;
        }
        let header = if is_block { block::header(self.text, self.end) } else { None };
        if is_root
            && let Some(header) = header
            && let Some(document) = self.documents.last_mut()
        {
            document.content = document.content.min(header);
        }
        if ends_file && let Some(header) = header {
            self.last_block =
                Some(LastBlock { header, breaks: value.is_empty() || value.ends_with('\n') });
        }
        if !is_candidate || !is_untagged_or_str(tag) {
            return;
        }
        let found = Found {
            value: value.trim().to_owned(),
            span: content.clone(),
            position: position(&span.start),
            style: match style {
                ScalarStyle::Plain => Style::Plain,
                ScalarStyle::SingleQuoted => Style::Single,
                ScalarStyle::DoubleQuoted => Style::Double,
                ScalarStyle::Literal => Style::Literal,
                ScalarStyle::Folded => Style::Folded,
            },
            is_key,
            document: self.documents.len().saturating_sub(1),
            extent: Extent::Whole,
        };
        if is_whole && (self.mode == Mode::Whole || embedded::is_one(&found.value)) {
            let span = match header {
                Some(header) => {
                    // The first line of the text shows the indentation: a value
                    // that starts with `ko://` starts on it.
                    let indent = content.start - text::line_start(self.text, content.start);
                    header..block::text_end(self.text, content, indent)
                }
                None => content,
            };
            self.references.push(Found { span, ..found });
        } else {
            self.embedded(&found);
        }
    }

    /// The references inside the scalar `whole`, whose span is its content.
    fn embedded(&mut self, whole: &Found) {
        let source = &self.text[whole.span.clone()];
        if whole.style == Style::Double && source.contains('\\') {
            let characters = quoted::characters(source);
            let value: String = characters.iter().map(|(c, _)| *c).collect();
            let starts: Vec<usize> = value.char_indices().map(|(at, _)| at).collect();
            let index = |at: usize| starts.partition_point(|&start| start < at);
            for range in embedded::occurrences(&value) {
                let first = &characters[index(range.start)].1;
                let last = &characters[index(range.end) - 1].1;
                self.push(whole, value[range].to_owned(), first.start..last.end);
            }
        } else {
            // Neither quotes nor line breaks can be part of a reference, so in
            // every other style its source is its value.
            for range in embedded::occurrences(source) {
                self.push(whole, source[range.clone()].to_owned(), range);
            }
        }
    }

    fn push(&mut self, whole: &Found, value: String, range: Range<usize>) {
        let start = whole.span.start;
        self.references.push(Found {
            value,
            position: whole.position.after(&self.text[start..start + range.start]),
            span: start + range.start..start + range.end,
            extent: Extent::Embedded,
            ..whole.clone()
        });
    }
}
