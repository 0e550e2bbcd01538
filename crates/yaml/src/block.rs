//! Finds the headers of block scalars (YAML 1.2.2, section 8.1), which the
//! parser does not report, and puts another value into a block scalar.

use std::ops::Range;

use crate::edit::Edit;
use crate::quoted;
use crate::text;

/// The indicator (`|` or `>`) of the header that lies between `from`, the end
/// of the token before a block scalar, and the scalar's text.
pub(crate) fn header(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = from;
    while at < bytes.len() {
        match bytes[at] {
            b'|' | b'>' => return Some(at),
            b'#' => at = text::line_end(text, at),
            // The anchor and the tag of the scalar.
            b'&' | b'!' => {
                at += bytes[at..]
                    .iter()
                    .position(u8::is_ascii_whitespace)
                    .unwrap_or(bytes.len() - at);
            }
            _ => at += 1,
        }
    }
    None
}

/// The bytes of the header's indicators: style, indentation, chomping.
pub(crate) fn indicators(text: &str, header: usize) -> Range<usize> {
    let length = text.as_bytes()[header + 1..]
        .iter()
        .take_while(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-'))
        .count();
    header..header + 1 + length
}

/// Where the text of a block scalar ends: without the line breaks after it,
/// and without following lines that are empty up to its indentation `indent`.
pub(crate) fn text_end(text: &str, content: Range<usize>, indent: usize) -> usize {
    let mut end = content.end;
    loop {
        let line = text::line_start(text, end).max(content.start);
        let only_indentation = line > content.start
            && end - line <= indent
            && text.as_bytes()[line..end].iter().all(|&b| b == b' ');
        if !only_indentation {
            return end;
        }
        let before = &text[..line];
        end = line - if before.ends_with("\r\n") { 2 } else { 1 };
    }
}

/// Makes the header at `header` say that the value has no line feed at its
/// end, if it does not say so.
pub(crate) fn strip(text: &str, header: usize) -> Option<Edit> {
    let range = indicators(text, header);
    let now = &text[range.clone()];
    (!now.contains('-')).then(|| Edit::new(range, now.replace('+', "") + "-"))
}

/// Replaces the block scalar at `span` (from its indicator to the end of its
/// text) by one that reads back as `value`: the same style where `value` is a
/// line of text, else in double quotes. A comment after the header stays.
pub(crate) fn replace(text: &str, span: &Range<usize>, value: &str) -> Vec<Edit> {
    let header_end = text::line_end(text, span.start);
    let first = text::next_line(text, header_end);
    let is_line = !value.is_empty()
        && value.chars().all(quoted::is_printable)
        && !value.starts_with([' ', '\t'])
        && !value.ends_with([' ', '\t']);
    if !is_line {
        return vec![
            Edit::new(indicators(text, span.start), quoted::double(value)),
            Edit::cut(header_end..span.end),
        ];
    }
    let indent = text[first..].len() - text[first..].trim_start_matches(' ').len();
    strip(text, span.start)
        .into_iter()
        .chain([Edit::new(first + indent..span.end, value.to_owned())])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_found_behind_everything_that_can_be_before_them() {
        for text in [
            "a: |\n",
            "a: &x !!str |+2\n",
            "a: !<tag:yaml.org,2002:str> # > not this | one\n  >-\n",
            "a:\n\n  # |\n  |\n",
            "a:\r\n  &b\r\n  >\r\n",
        ] {
            let at = header(text, 1).unwrap();
            let rest = &text[at..];
            assert!(rest.len() <= 5 && rest.trim_end().len() <= 3, "{text:?} {rest:?}");
        }
        assert_eq!(header("a: b", 1), None);
    }

    #[test]
    fn chomping_is_rewritten_once() {
        for (text, now) in [
            ("|\n", Some("|-")),
            ("|2\n", Some("|2-")),
            ("|+2 # c\n", Some("|2-")),
            (">2+\n", Some(">2-")),
            (">-\n", None),
            ("|-2\n", None),
        ] {
            let edit = strip(text, 0).map(|edit| edit.text.into_owned());
            assert_eq!(edit.as_deref(), now, "{text:?}");
        }
    }
}
