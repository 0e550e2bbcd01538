//! Keeps what parsing has found, for the next time that a file has the same text.

use serde::{Deserialize, Serialize};

use crate::document::Document;
use crate::file::{File, LastBlock, Mode, Source};
use crate::found::Found;
use crate::text;

/// What [`File::parse`] found out of a text. It holds for that very text, the
/// same [`Mode`] and the same release of this crate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outline {
    mode: Mode,
    documents: Vec<Document>,
    references: Vec<Found>,
    tail: usize,
    last_block: Option<LastBlock>,
}

impl<'a> File<'a> {
    /// What parsing has found, before any selection.
    #[must_use]
    pub fn outline(&self, mode: Mode) -> Outline {
        Outline {
            mode,
            documents: self.documents.clone(),
            references: self.references.clone(),
            tail: self.tail,
            last_block: self.last_block,
        }
    }

    /// The file that [`File::parse`] would return, if `outline` is that of this
    /// source. `None` where it cannot be, so that no range is outside the text;
    /// that the text is the same is for the caller to know.
    #[must_use]
    pub fn of_outline(source: &Source<'a>, mode: Mode, outline: Outline) -> Option<Self> {
        let text = text::check(source.bytes).ok()?;
        let Outline { mode: of, documents, references, tail, last_block } = outline;
        let is_edge = |at: usize| text.is_char_boundary(at);
        let mut at = 0;
        let follow = documents.iter().all(|document| {
            let range = &document.range;
            let inside = range.start == at && range.start <= range.end;
            at = range.end;
            inside
                && is_edge(range.end)
                && is_edge(document.content)
                && document.marker.is_none_or(is_edge)
        });
        let mut from = 0;
        let apart = references.iter().all(|found| {
            let span = &found.span;
            let ordered = from <= span.start && span.start < span.end;
            from = span.end;
            ordered && is_edge(span.start) && is_edge(span.end) && found.document < documents.len()
        });
        let whole = documents.is_empty() || at == text.len();
        let ends = is_edge(tail) && last_block.is_none_or(|block| is_edge(block.header));
        let fits = of == mode && follow && whole && apart && ends;
        fits.then_some(Self {
            name: source.name,
            text,
            documents,
            references,
            cuts: Vec::new(),
            tail,
            last_block,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_texts_outline_is_refused() {
        let source = |text: &'static str| Source { name: "f", bytes: text.as_bytes() };
        let of = |text| File::parse(&source(text), Mode::Whole).unwrap().outline(Mode::Whole);
        let outline = of("a: ko://x.io/a\n---\nb: ko://x.io/b\n");
        for (text, fits) in [
            ("a: ko://x.io/a\n---\nb: ko://x.io/b\n", true),
            ("a: ko://x.io/a\n---\nb: ko://x.io/b", false),
            ("a: ko://x.io/a\n---\nb: ko://x.io/b\n\n", false),
            ("é: ko://x.io/é\n--é\nb: ko://x.io\n", false),
            ("", false),
        ] {
            let file = File::of_outline(&source(text), Mode::Whole, outline.clone());
            assert_eq!(file.is_some(), fits, "{text:?}");
        }
        assert!(File::of_outline(&source("a: 1"), Mode::Embedded, of("a: 1")).is_none());
    }

    /// Whatever is kept, no range is outside the text or within a character of it.
    #[test]
    fn outlines_that_fit_no_text_are_refused() {
        let text = "é: [ko://x.io/a, ko://x.io/b]\n---\né: |\n  é\n";
        let source = Source { name: "f", bytes: text.as_bytes() };
        let outline = File::parse(&source, Mode::Whole).unwrap().outline(Mode::Whole);
        type Change<'a> = &'a dyn Fn(&mut Outline);
        let rows: [(&str, Change<'_>, bool); 18] = [
            ("nothing", &|_| (), true),
            ("mode", &|outline| outline.mode = Mode::Embedded, false),
            ("a document less", &|outline| _ = outline.documents.pop(), false),
            ("start", &|outline| outline.documents[0].range.start = 3, false),
            ("gap", &|outline| outline.documents[1].range.start += 1, false),
            (
                "end before start",
                &|outline| {
                    let documents = &mut outline.documents;
                    documents[0].range.end = text.len();
                    documents[1].range = text.len()..documents[1].range.start;
                    documents.push(documents[1].clone());
                    let start = documents[1].range.end;
                    documents[2].range = start..text.len();
                },
                false,
            ),
            (
                "end within a character",
                &|outline| {
                    outline.documents[0].range.end = 1;
                    outline.documents[1].range.start = 1;
                },
                false,
            ),
            ("content", &|outline| outline.documents[0].content = 1, false),
            ("marker", &|outline| outline.documents[0].marker = Some(1), false),
            ("tail", &|outline| outline.tail = 1, false),
            ("tail outside", &|outline| outline.tail = text.len() + 1, false),
            ("block", &|outline| outline.last_block.as_mut().unwrap().header = 1, false),
            ("reference", &|outline| outline.references[0].span.start = 1, false),
            (
                "end of a reference",
                &|outline| outline.references[1].span.end = text.len() - 2,
                false,
            ),
            ("order", &|outline| outline.references.swap(0, 1), false),
            (
                "overlap",
                &|outline| outline.references[1].span.start = outline.references[0].span.start,
                false,
            ),
            (
                "empty",
                &|outline| outline.references[1].span.end = outline.references[1].span.start,
                false,
            ),
            ("no such document", &|outline| outline.references[1].document = 2, false),
        ];
        for (name, change, fits) in rows {
            let mut outline = outline.clone();
            change(&mut outline);
            let file = File::of_outline(&source, Mode::Whole, outline);
            assert_eq!(file.is_some(), fits, "{name}");
        }
    }
}
