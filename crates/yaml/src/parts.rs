//! Divides large files into parts that several threads can parse: a line that
//! starts with `---` starts a document, whatever stands before it.

use std::num::NonZero;
use std::ops::Range;
use std::thread;

use granit_parser::ScanError;
use memchr::memmem;

use crate::file::{File, Mode, Reader, Source};
use crate::{Error, text};

impl<'a> File<'a> {
    /// Parses every document of `source`, on several threads if it has several.
    /// The result is that of [`File::parse`].
    ///
    /// # Errors
    ///
    /// As [`File::parse`].
    pub fn parse_on(
        source: &Source<'a>,
        mode: Mode,
        threads: NonZero<usize>,
    ) -> Result<Self, Error> {
        let Ok(text) = text::check(source.bytes) else { return Self::parse(source, mode) };
        let parts = parts(text, threads.get());
        if parts.len() < 2 {
            return Self::parse(source, mode);
        }
        let read = |part: &Range<usize>| Reader::read(&text[part.clone()], mode);
        let read: Result<Vec<Reader<'_>>, ScanError> = thread::scope(|scope| {
            let others: Vec<_> = parts[1..].iter().map(|part| scope.spawn(|| read(part))).collect();
            let first = read(&parts[0]);
            let others = others.into_iter().map(|other| other.join().expect("no parser panics"));
            std::iter::once(first).chain(others).collect()
        });
        // What is wrong in a part may be called otherwise in the whole.
        let Ok(mut read) = read else { return Self::parse(source, mode) };
        let whole = read.drain(..).zip(parts).reduce(|(mut whole, _), (part, range)| {
            whole.append(part, text, range.start);
            (whole, range)
        });
        let (mut whole, _) = whole.expect("there are two parts at least");
        whole.text = text;
        Ok(whole.finish(source.name))
    }
}

/// Divides a text into at most so many parts of about the same size, each but
/// the first starting with a document. Texts with directives or with ends of
/// documents (`%`, `...`), which belong to the document after or before them,
/// and with line breaks of old are left whole.
fn parts(text: &str, count: usize) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let has = |pattern: &str| memmem::find(bytes, pattern.as_bytes()).is_some();
    let is_old = |at: usize| bytes.get(at + 1) != Some(&b'\n');
    if text.starts_with(['%', '.'])
        || has("\n%")
        || has("\n...")
        || memchr::memchr_iter(b'\r', bytes).any(is_old)
    {
        return Vec::new();
    }
    let starts = memmem::find_iter(bytes, "\n---").map(|at| at + 1);
    let mut starts =
        starts.filter(|at| matches!(bytes.get(at + 3), None | Some(b' ' | b'\t' | b'\r' | b'\n')));
    let mut cuts = vec![0];
    for number in 1..count {
        match starts.find(|&at| at >= text.len() / count * number) {
            Some(at) => cuts.push(at),
            None => break,
        }
    }
    let ends = cuts[1..].iter().copied().chain([text.len()]);
    cuts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn parts_start_with_documents() {
        let cut = |text: &str, count| {
            let parts = parts(text, count).into_iter();
            parts.map(|part| text[part].to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(cut("a\n---d\n---\nb\n--- c\n", 2), ["a\n---d\n---\nb\n", "--- c\n"]);
        assert_eq!(cut("a\n---\nb\n---\nc\n---", 9), ["a\n", "---\nb\n", "---\nc\n", "---"]);
        assert_eq!(cut("a\n---x\n", 2), ["a\n---x\n"]);
        assert_eq!(cut("aaaaaaaa\r\n---\r\nb\r\n", 2), ["aaaaaaaa\r\n", "---\r\nb\r\n"]);
        for whole in [
            "a\n...\n---\nb\n",
            "a\n---\n%b\n",
            "%YAML 1.2\n---\na\n",
            "a\r---\nb\n",
            "a\n\r---\n---\nb\n",
        ] {
            assert!(cut(whole, 2).is_empty(), "{whole:?}");
        }
    }
}
