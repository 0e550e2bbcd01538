//! Frames the outputs of several files so that they make one stream; the crate
//! documentation says with which changes and why.

use std::borrow::Cow;
use std::ops::Range;

use crate::block;
use crate::document::Document;
use crate::edit::{Edit, Spliced};
use crate::error::Unfit;
use crate::file::File;
use crate::found::Found;
use crate::text;

const BOM: &str = "\u{feff}";

impl<'a> File<'a> {
    /// As [`File::splice`], as a part of a stream: ends with the line `---`,
    /// and can be followed by any other such output. A file of which nothing
    /// stays is just that line.
    ///
    /// # Errors
    ///
    /// As [`File::splice`].
    pub fn manifest<'i>(
        &self,
        image: impl FnMut(&Found) -> Cow<'i, str>,
    ) -> Result<Spliced<'a>, Unfit> {
        let mut edits = self.edits(image)?;
        self.marks(&mut edits);
        let kept = self.documents.iter().filter(|document| document.kept);
        for (index, document) in kept.enumerate() {
            self.directives(document, &mut edits);
            match document.marker {
                Some(marker) => edits.extend(self.marker(marker)),
                // Only a `...` divides it from the one before.
                None if index > 0 => {
                    let start = document.range.start;
                    edits.push(Edit::new(start..start, "---\n"));
                }
                None => {}
            }
        }
        self.ending(&mut edits);
        Ok(Spliced::new(self.text, edits))
    }

    /// Leaves out byte-order marks, which can be before every document and
    /// after the last one; elsewhere they are content.
    fn marks(&self, edits: &mut Vec<Edit>) {
        let tail = std::iter::once(self.tail..self.text.len());
        for region in self.documents.iter().map(Document::prefix).chain(tail) {
            let marks = self.text[region.clone()].match_indices(BOM);
            edits.extend(
                marks.map(|(at, _)| region.start + at).map(|at| Edit::cut(at..at + BOM.len())),
            );
        }
    }

    /// Leaves out directives, or, where one has to stay, ends what is before.
    fn directives(&self, document: &Document, edits: &mut Vec<Edit>) {
        let lines = directive_lines(self.text, document.prefix());
        let Some(first) = lines.first() else { return };
        if lines.iter().any(|line| self.text[line.clone()].starts_with("%TAG")) {
            edits.push(Edit::new(first.start..first.start, "...\n"));
        } else {
            edits.extend(lines.into_iter().map(Edit::cut));
        }
    }

    /// Moves content off the line of `---`. What would be a marker at the start of a line
    /// stays away from it.
    fn marker(&self, marker: usize) -> Option<Edit> {
        let after = marker + "---".len();
        let rest = &self.text[after..text::line_end(self.text, after)];
        let content = rest.trim_start_matches([' ', '\t']);
        let like = content.strip_prefix("---").or_else(|| content.strip_prefix("..."));
        let is_marker = like.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']));
        let moved = if is_marker { "\n " } else { "\n" };
        (!content.is_empty() && !content.starts_with('#'))
            .then(|| Edit::new(after..after + (rest.len() - content.len()), moved))
    }

    /// Ends the last line and adds the `---` line.
    fn ending(&self, edits: &mut Vec<Edit>) {
        let end = self.text.len();
        let last_kept = self.documents.last().is_none_or(|last| last.kept);
        let open = !self.text.is_empty() && !self.text.ends_with('\n') && last_kept;
        if !open {
            edits.push(Edit::new(end..end, "---\n"));
            return;
        }
        if let Some(last) = self.last_block {
            let blanks = self.text.trim_end_matches([' ', '\t']).len();
            if !last.breaks {
                let strip = block::strip(self.text, last.header);
                // A reference in it has said so already.
                edits.extend(strip.filter(|strip| !edits.contains(strip)));
            } else if text::line_start(self.text, end) == blanks && blanks < end {
                // The blanks are no line of the scalar until they are ended.
                edits.push(Edit::new(blanks..end, "---\n"));
                return;
            }
        }
        edits.push(Edit::new(end..end, "\n---\n"));
    }
}

/// The lines of directives in the prefix of a document.
fn directive_lines(text: &str, prefix: Range<usize>) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let mut at = prefix.start;
    while at < prefix.end {
        let next = text::next_line(text, at);
        let line = text[at..next].trim_start_matches(BOM);
        if line.starts_with('%') {
            lines.push(next - line.len()..next);
        }
        at = next;
    }
    lines
}
