//! Drops documents and list items that a selector does not match.

use std::collections::HashSet;
use std::ops::Range;

use granit_parser::Event;

use crate::edit::Edit;
use crate::error::{Error, Problem};
use crate::file::{self, File};
use crate::node::{Builder, Data, Node, Tree};
use crate::selector::Selector;
use crate::text;

impl File<'_> {
    /// Drops the documents, and the items of documents of kind `List`, whose
    /// `metadata.labels` `selector` does not match, and documents that are
    /// null. References in what is dropped are no longer in
    /// [`File::references`]. Lists inside lists are objects like others, and a
    /// list without items is dropped.
    ///
    /// A comment goes with the document it is in, or with the item that it
    /// stands above.
    ///
    /// # Errors
    ///
    /// A document or an item that is not a mapping with strings `apiVersion`
    /// and `kind`; a `List` without a sequence `items`; an item that would stay
    /// but has an alias to a dropped one.
    pub fn select(&mut self, selector: &Selector) -> Result<(), Error> {
        let mut parser = file::parser(self.text);
        let mut builder = Builder::new(self.text);
        let mut index = 0;
        while let Some(next) = parser.next_event() {
            let (event, span) =
                next.map_err(|error| file::refusal(self.name, self.text, &error))?;
            match event {
                Event::DocumentStart(..) => builder = Builder::new(self.text),
                Event::DocumentEnd => {
                    let tree = std::mem::take(&mut builder.tree);
                    self.document(index, &tree, selector)?;
                    index += 1;
                }
                _ => builder.event(&event, &span),
            }
        }
        let Self { documents, references, cuts, .. } = self;
        references
            .retain(|found| documents[found.document].kept && !is_cut(cuts, found.span.start));
        Ok(())
    }

    /// The edits that leave out what was dropped. A document that does not say
    /// itself where it starts gets what does, if what said it is gone.
    pub(crate) fn selection(&self) -> Vec<Edit> {
        let mut edits: Vec<Edit> = self.cuts.iter().cloned().map(Edit::cut).collect();
        let mut before: Option<usize> = None;
        for (index, document) in self.documents.iter().enumerate() {
            if !document.kept {
                edits.push(Edit::cut(document.range.clone()));
                continue;
            }
            let start = document.range.start;
            if let Some(before) = before
                && before + 1 < index
                && document.marker != Some(start)
                && !self.documents[before].terminated
            {
                edits.push(Edit::new(start..start, "...\n"));
            }
            before = Some(index);
        }
        edits
    }

    fn document(&mut self, index: usize, tree: &Tree, selector: &Selector) -> Result<(), Error> {
        let Some(root) = &tree.root else { return Ok(()) };
        let kept = match self.kind(root)? {
            None => false,
            Some("List") => self.list(tree, root, index, selector)?,
            Some(_) => matches(root, selector),
        };
        self.documents[index].kept = kept;
        Ok(())
    }

    /// The kind of an object; none for null, which is nothing at all.
    fn kind<'n>(&self, node: &'n Node) -> Result<Option<&'n str>, Error> {
        if matches!(node.data, Data::Scalar { is_null: true, .. }) {
            return Ok(None);
        }
        let has_version = node.values("apiVersion").any(|v| v.string().is_some());
        let kind = node.values("kind").find_map(Node::string);
        match kind {
            Some(kind) if has_version => Ok(Some(kind).filter(|kind| !kind.is_empty())),
            _ => Err(self.refuse(node, Problem::NotAnObject)),
        }
    }

    fn refuse(&self, node: &Node, problem: Problem) -> Error {
        Error::new(self.name, self.text, node.position, problem)
    }

    /// Marks the items that go; whether any stays.
    fn list(
        &mut self,
        tree: &Tree,
        root: &Node,
        index: usize,
        selector: &Selector,
    ) -> Result<bool, Error> {
        let found = root.entries("items").find_map(|(key, node)| match &node.data {
            Data::Sequence { items, flow } => Some((key, node, items, *flow)),
            _ => None,
        });
        let Some((key, sequence, items, flow)) = found else {
            return Err(self.refuse(root, Problem::NotAList));
        };
        let mut stays = Vec::with_capacity(items.len());
        for item in items {
            self.kind(item)?;
            stays.push(matches(item, selector));
        }
        if !stays.contains(&true) {
            return Ok(false);
        }
        if stays.contains(&false) {
            let end = self.documents[index].range.end;
            let cuts = if flow {
                flow_cuts(self.text, sequence, items, &stays)
            } else {
                block_cuts(self.text, key.range.end..end, tree, items, &stays)
            };
            self.check_anchors(tree, &cuts)?;
            self.cuts.extend(cuts);
        }
        Ok(true)
    }

    /// An alias that stays must find its anchor.
    fn check_anchors(&self, tree: &Tree, cuts: &[Range<usize>]) -> Result<(), Error> {
        let dropped: HashSet<usize> = tree
            .anchors
            .iter()
            .filter(|(_, at)| is_cut(cuts, *at))
            .map(|(number, _)| *number)
            .collect();
        match tree
            .aliases
            .iter()
            .find(|(number, at, _)| dropped.contains(number) && !is_cut(cuts, *at))
        {
            Some((.., position)) => {
                let problem = Problem::DroppedAnchor;
                Err(Error::new(self.name, self.text, *position, problem))
            }
            None => Ok(()),
        }
    }
}

/// Whether `at` is in one of `cuts`, which are in order.
fn is_cut(cuts: &[Range<usize>], at: usize) -> bool {
    let before = cuts.partition_point(|cut| cut.start <= at);
    before > 0 && cuts[before - 1].contains(&at)
}

/// Whether the labels of an object match.
fn matches(object: &Node, selector: &Selector) -> bool {
    let is_mapping = |node: &&Node| matches!(node.data, Data::Mapping(_));
    let labels = object
        .values("metadata")
        .filter(is_mapping)
        .flat_map(|metadata| metadata.values("labels").filter(is_mapping))
        .next();
    let entries = match labels.map(|labels| &labels.data) {
        Some(Data::Mapping(entries)) => entries.as_slice(),
        _ => &[],
    };
    // Keys and values count as they are written: `1` is the label `1`.
    let text = |node: &Node| match &node.data {
        Data::Scalar { value, .. } => value.clone(),
        _ => String::new(),
    };
    selector.matches(|key| {
        entries.iter().find(|(name, _)| text(name) == key).map(|(_, value)| text(value))
    })
}

/// The bytes of the items of a flow sequence that go, with one comma each.
fn flow_cuts(text: &str, sequence: &Node, items: &[Node], stays: &[bool]) -> Vec<Range<usize>> {
    let inner = sequence.range.start + 1..sequence.range.end - 1;
    let commas: Vec<usize> = (0..items.len())
        .map(|i| {
            let to = items.get(i + 1).map_or(inner.end, |next| next.range.start);
            comma(text, items[i].range.end..to).unwrap_or(items[i].range.end)
        })
        .collect();
    let last = stays.iter().rposition(|&stays| stays).unwrap_or(0);
    let mut cuts: Vec<Range<usize>> = (0..last)
        .filter(|&i| !stays[i])
        .map(|i| {
            let start = if i == 0 { inner.start } else { commas[i - 1] + 1 };
            start..commas[i] + 1
        })
        .collect();
    if last + 1 < items.len() {
        cuts.push(commas[last]..commas[items.len() - 1]);
    }
    cuts
}

/// The first comma in `gap`, which has blanks, comments and properties.
fn comma(text: &str, gap: Range<usize>) -> Option<usize> {
    let mut at = gap.start;
    while at < gap.end {
        match text.as_bytes()[at] {
            b',' => return Some(at),
            b'#' => at = text::line_end(text, at),
            _ => at += 1,
        }
    }
    None
}

/// The bytes of the items of a block sequence that go. `area` is from the end
/// of the sequence's key to the end of the document.
fn block_cuts(
    text: &str,
    area: Range<usize>,
    tree: &Tree,
    items: &[Node],
    stays: &[bool],
) -> Vec<Range<usize>> {
    let dashes = dashes(text, &area, &tree.opaque, items.len());
    // An item starts where the one before it ends, so that both see the
    // comments between them in the same way.
    let start = |i: usize| {
        let before = if i == 0 { area.start } else { items[i - 1].range.end };
        item_start(text, dashes[i], before)
    };
    let last_value = items.last().map_or(area.start, |item| item.range.end);
    (0..dashes.len())
        .filter(|&i| !stays[i])
        .map(|i| match dashes.get(i + 1) {
            None => start(i)..last_end(text, dashes[i], last_value, area.end),
            // Beside something else, the next dash takes the place of this.
            Some(&next) if shares_line(text, dashes[i]) => dashes[i]..next,
            Some(_) => start(i)..start(i + 1),
        })
        .collect()
}

/// Returns the end of the last entry. Lines below its last value may hold a dash or a colon
/// without a value, for which the parser gives no range; they are indented deeper than `dash`.
fn last_end(text: &str, dash: usize, last_value: usize, area_end: usize) -> usize {
    let column = dash - text::line_start(text, dash);
    let mut end = line_after(text, last_value.max(dash + 1)).min(area_end);
    let mut line = end;
    while line < area_end {
        let next = text::next_line(text, line).min(area_end);
        let words = text[line..next].trim_start_matches(' ');
        let is_blank = words.trim_start().is_empty() || words.trim_start().starts_with('#');
        if !is_blank {
            if next - line - words.len() <= column {
                break;
            }
            end = next;
        }
        line = next;
    }
    end
}

/// The start of the next line, unless `at` is the start of one.
fn line_after(text: &str, at: usize) -> usize {
    if text[..at].ends_with(['\n', '\r']) { at } else { text::next_line(text, at) }
}

/// Whether something other than blanks is before `dash` on its line.
fn shares_line(text: &str, dash: usize) -> bool {
    !text[text::line_start(text, dash)..dash].trim_start_matches(' ').is_empty()
}

/// The dashes of the `count` entries of the sequence in `area`: the first one
/// follows the key, the others are in its column, outside of other tokens.
fn dashes(text: &str, area: &Range<usize>, opaque: &[Range<usize>], count: usize) -> Vec<usize> {
    let bytes = text.as_bytes();
    let mut at = area.start;
    while at < area.end && bytes[at] != b'-' {
        match bytes[at] {
            b'#' => at = text::line_end(text, at),
            b'&' | b'!' => {
                at += bytes[at..].iter().position(u8::is_ascii_whitespace).unwrap_or(1);
            }
            _ => at += 1,
        }
    }
    let column = at - text::line_start(text, at);
    let mut found = vec![at];
    let mut line = text::next_line(text, at);
    while found.len() < count && line < area.end {
        let dash = line + column;
        let is_entry = text.get(line..dash).is_some_and(|indent| indent.bytes().all(|b| b == b' '))
            && bytes.get(dash) == Some(&b'-')
            && bytes.get(dash + 1).is_none_or(u8::is_ascii_whitespace);
        let before = opaque.partition_point(|range| range.start < line);
        let is_inside = before > 0 && opaque[before - 1].end > line;
        if is_entry && !is_inside {
            found.push(dash);
        }
        line = text::next_line(text, line);
    }
    found
}

/// Where the entry with `dash` starts: with the comments above it, after the
/// end of the item before; at the dash if its line has something else first.
fn item_start(text: &str, dash: usize, before: usize) -> usize {
    if shares_line(text, dash) {
        return dash;
    }
    let mut start = text::line_start(text, dash);
    while start > before {
        let break_length = if text[..start].ends_with("\r\n") { 2 } else { 1 };
        let above = text::line_start(text, start - break_length);
        if above < before || !text[above..start].trim_start().starts_with('#') {
            break;
        }
        start = above;
    }
    start
}
