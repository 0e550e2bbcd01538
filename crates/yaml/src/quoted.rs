//! Writes double-quoted scalars (YAML 1.2.2, section 7.3.1), and reads them with
//! the position of every character, which the parser does not report.

use std::fmt::Write;
use std::ops::Range;

/// `value` as a double-quoted scalar on one line.
pub(crate) fn double(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if is_printable(c) => out.push(c),
            _ if u32::from(c) < 0x100 => write(&mut out, format_args!("\\x{:02x}", u32::from(c))),
            _ if u32::from(c) < 0x1_0000 => {
                write(&mut out, format_args!("\\u{:04x}", u32::from(c)));
            }
            _ => write(&mut out, format_args!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

fn write(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    out.write_fmt(arguments).expect("a String takes everything");
}

/// `value` as a single-quoted scalar on one line, if that can say it.
pub(crate) fn single(value: &str) -> Option<String> {
    value.chars().all(is_printable).then(|| format!("'{}'", value.replace('\'', "''")))
}

/// Whether a character means itself on a line of any quoted or block scalar.
pub(crate) fn is_printable(c: char) -> bool {
    !(c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
        || matches!(u32::from(c) & 0xffff, 0xfffe | 0xffff))
}

/// The characters of the double-quoted scalar `source` (with its quotes), each
/// with the bytes of `source` that say it. Folded line breaks are one space.
///
/// `source` must be what the parser accepted.
pub(crate) fn characters(source: &str) -> Vec<(char, Range<usize>)> {
    let mut out: Vec<(char, Range<usize>)> = Vec::with_capacity(source.len());
    let end = source.len() - 1;
    // Blanks before this many characters were escaped: they are not folded.
    let mut kept = 0;
    let mut at = 1;
    while at < end {
        let c = source[at..].chars().next().expect("inside the source");
        match c {
            '\\' => {
                let length = escape(source, at, &mut out);
                at += length;
                kept = out.len();
            }
            '\n' | '\r' => {
                while out.len() > kept && matches!(out[out.len() - 1].0, ' ' | '\t') {
                    out.pop();
                }
                let (next, breaks) = line_breaks(source, at, end);
                if breaks == 1 {
                    out.push((' ', at..next));
                } else {
                    out.extend((1..breaks).map(|_| ('\n', at..next)));
                }
                at = next;
                kept = out.len();
            }
            _ => {
                out.push((c, at..at + c.len_utf8()));
                at += c.len_utf8();
            }
        }
    }
    out
}

/// Past the line breaks at `at` and the blanks around them, and how many.
fn line_breaks(source: &str, mut at: usize, end: usize) -> (usize, usize) {
    let bytes = source.as_bytes();
    let mut breaks = 0;
    while at < end {
        match bytes[at] {
            b'\r' if bytes[at + 1] == b'\n' => {
                breaks += 1;
                at += 1;
            }
            b'\n' | b'\r' => breaks += 1,
            b' ' | b'\t' => {}
            _ => break,
        }
        at += 1;
    }
    (at, breaks)
}

/// Reads the escape at `at`, pushes what it says and returns its length.
fn escape(source: &str, at: usize, out: &mut Vec<(char, Range<usize>)>) -> usize {
    let bytes = source.as_bytes();
    let digits = match bytes[at + 1] {
        b'x' => 2,
        b'u' => 4,
        b'U' => 8,
        b'\n' | b'\r' => {
            // An escaped line break joins the lines.
            let (next, breaks) = line_breaks(source, at + 1, source.len() - 1);
            out.extend((1..breaks).map(|_| ('\n', at..next)));
            return next - at;
        }
        simple => {
            let c = match simple {
                b'0' => '\0',
                b'a' => '\u{7}',
                b'b' => '\u{8}',
                b't' => '\t',
                b'n' => '\n',
                b'v' => '\u{b}',
                b'f' => '\u{c}',
                b'r' => '\r',
                b'e' => '\u{1b}',
                b'N' => '\u{85}',
                b'_' => '\u{a0}',
                b'L' => '\u{2028}',
                b'P' => '\u{2029}',
                // The rest say themselves: space, tab, quotes, slashes.
                _ => char::from(simple),
            };
            out.push((c, at..at + 2));
            return 2;
        }
    };
    let code =
        |at: usize| source.get(at..at + digits).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let first = code(at + 2).unwrap_or(0xfffd);
    let mut length = 2 + digits;
    let mut value = first;
    if (0xd800..0xdc00).contains(&first) && source[at + length..].starts_with("\\u") {
        // A character outside the basic plane as JSON writes it.
        let low = code(at + length + 2).unwrap_or(0xdc00);
        value = 0x1_0000 + ((first - 0xd800) << 10) + (low.wrapping_sub(0xdc00) & 0x3ff);
        length += 6;
    }
    out.push((char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER), at..at + length));
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: &str) -> String {
        characters(source).into_iter().map(|(c, _)| c).collect()
    }

    #[test]
    fn escapes_and_folds_are_read() {
        for (source, value) in [
            (r#""a\u006bo\x41\U00000042""#, "akoAB"),
            (r#""\ud83d\ude00x""#, "\u{1f600}x"),
            (r#""\"\\\/\ \t\n\e\_""#, "\"\\/ \t\n\u{1b}\u{a0}"),
            (r#""\0\a\b\v\f\r""#, "\0\u{7}\u{8}\u{b}\u{c}\r"),
            (r#""\N\L\P""#, "\u{85}\u{2028}\u{2029}"),
            ("\"a  \n  b\"", "a b"),
            ("\"a\r\n\r\n  b\"", "a\nb"),
            ("\"a\\\n  b\"", "ab"),
            ("\"a \\\n  b\"", "a b"),
            ("\"a\\\n  \\ b\"", "a b"),
            ("\"a\\t\n b\"", "a\t b"),
            ("\"a\n\n\n b\"", "a\n\nb"),
            ("\"a\rb\"", "a b"),
            ("\"\"", ""),
        ] {
            assert_eq!(read(source), value, "{source:?}");
        }
    }

    #[test]
    fn characters_know_their_bytes() {
        let source = r#""é\u006bo""#;
        let ranges: Vec<_> = characters(source).into_iter().map(|(_, range)| range).collect();
        assert_eq!(ranges, [1..3, 3..9, 9..10]);
        let ranges: Vec<_> =
            characters(r#""ab\n\tc""#).into_iter().map(|(_, range)| range).collect();
        assert_eq!(ranges, [1..2, 2..3, 3..5, 5..7, 7..8]);
    }

    #[test]
    fn characters_without_a_glyph_are_escaped() {
        for (value, written) in [
            ("a\"\\é", r#""a\"\\é""#),
            ("\n\r\t", r#""\n\r\t""#),
            ("\0\u{7f}\u{85}", r#""\x00\x7f\x85""#),
            ("\u{2028}\u{feff}\u{ffff}", r#""\u2028\ufeff\uffff""#),
            ("\u{1fffe}\u{1f600}", "\"\\U0001fffe\u{1f600}\""),
        ] {
            assert_eq!(double(value), written);
            assert_eq!(value.chars().all(is_printable), value.starts_with('a'));
        }
        for c in ['\n', '\u{2029}', '\u{fffe}', '\u{1ffff}'] {
            assert!(!is_printable(c), "{c:?}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for value in
            ["", "a\"b\\c", "x\ny\r\t", "\0\u{85}\u{2028}\u{feff}\u{1f600}é\u{fffe}\u{1ffff}"]
        {
            assert_eq!(read(&double(value)), value);
        }
        assert_eq!(single("it's").as_deref(), Some("'it''s'"));
        assert_eq!(single("a\nb"), None);
    }
}
