//! Holds the text of a configuration file and spans in it, for errors and for
//! the origins of settings. Nothing is interpreted here.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// A configuration file that was read.
pub(crate) struct Source {
    name: String,
    text: String,
    /// Where lines start, in bytes; the first is 0.
    lines: Vec<usize>,
}

impl Source {
    /// A file with the name that the user knows it by.
    pub(crate) fn new(name: String, text: String) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(ends.map(|(end, _)| end + 1)).collect();
        Self { name, text, lines }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// Without the text, which may have values that are nobody's business.
impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Source").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A range of bytes of a file.
#[derive(Debug, Clone)]
pub(crate) struct SourceSpan {
    source: Arc<Source>,
    bytes: Range<usize>,
}

impl SourceSpan {
    /// A range that a parser gave. One that is not in the text, or that cuts
    /// a character, is moved to where it can be shown.
    pub(crate) fn new(source: &Arc<Source>, bytes: Range<usize>) -> Self {
        let start = source.text.floor_char_boundary(bytes.start);
        let end = source.text.ceil_char_boundary(bytes.end).max(start);
        Self { source: Arc::clone(source), bytes: start..end }
    }

    /// The line, from 1.
    pub(crate) fn line(&self) -> usize {
        self.source.lines.partition_point(|start| *start <= self.bytes.start)
    }

    /// File, line and column, and the line itself with a mark below.
    pub(crate) fn snippet(&self) -> String {
        let start = self.source.lines[self.line() - 1];
        let rest = &self.source.text[start..];
        let line = rest.split('\n').next().unwrap_or(rest).trim_end_matches('\r');
        // What spans lines is marked by its first.
        let within = |at: usize| at.saturating_sub(start).min(line.len());
        let mark = within(self.bytes.start)..within(self.bytes.end);
        let snippet = Snippet::source(line)
            .path(self.source.name.as_str())
            .line_start(self.line())
            .annotation(AnnotationKind::Primary.span(mark));
        Renderer::plain().render(&[Group::with_level(Level::ERROR).element(snippet)])
    }
}

/// `FILE:LINE`.
impl fmt::Display for SourceSpan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.source.name, self.line())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_shown_with_their_line() {
        let source = Arc::new(Source::new(".ko.yaml".into(), "a: 1\r\nb:\n  é: [x\ny]\n".into()));
        let at = |bytes| SourceSpan::new(&source, bytes);
        assert_eq!(at(0..1).to_string(), ".ko.yaml:1");
        assert_eq!(at(6..7).to_string(), ".ko.yaml:2");
        assert_eq!(at(15..19).snippet(), " --> .ko.yaml:3:6\n  |\n3 |   é: [x\n  |      ^^");
        assert_eq!(at(0..1).snippet(), " --> .ko.yaml:1:1\n  |\n1 | a: 1\n  | ^");
        // Never a panic, whatever a parser says.
        for start in 0..30 {
            for end in 0..30 {
                assert!(!at(start..end).snippet().is_empty());
            }
        }
    }
}
