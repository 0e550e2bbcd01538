//! JSON as Go's `encoding/json` writes it, so that what we serialise has the
//! digest that ko's serialisation has: compact (or indented), `<`, `>`, `&`,
//! U+2028 and U+2029 escaped. Field order is that of the structs; maps are
//! sorted because they are `BTreeMap`s.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

/// Serialises without white space, as Go's `json.Marshal`.
///
/// Only for types whose serialisation cannot fail: string keys, no errors of
/// their own.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    write(value, Escaping(CompactFormatter))
}

/// Serialises with the given indentation, as Go's `json.MarshalIndent`: no
/// newline at the end.
pub fn to_vec_indented<T: Serialize + ?Sized>(value: &T, indent: &str) -> Vec<u8> {
    write(value, Escaping(PrettyFormatter::with_indent(indent.as_bytes())))
}

fn write<T: Serialize + ?Sized>(value: &T, formatter: impl Formatter) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    value
        .serialize(&mut serde_json::Serializer::with_formatter(&mut out, formatter))
        .expect("types of this crate serialise into memory without errors");
    out
}

/// Adds Go's HTML escaping to a formatter.
struct Escaping<F>(F);

impl<F: Formatter> Formatter for Escaping<F> {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + Write,
    {
        let mut rest = fragment;
        while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            let special = rest[at..].chars().next().expect("found there");
            writer.write_all(&rest.as_bytes()[..at])?;
            write!(writer, "\\u{:04x}", u32::from(special))?;
            rest = &rest[at + special.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.0.begin_array(w)
    }

    fn end_array<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.0.end_array(w)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, w: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(w, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.0.end_array_value(w)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.0.begin_object(w)
    }

    fn end_object<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.0.end_object(w)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, w: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(w, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.0.begin_object_value(w)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.0.end_object_value(w)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_as_go_does() {
        // The right side is what `json.Marshal` prints (Go 1.26).
        for (value, want) in [
            ("a<b>&c", r#""a\u003cb\u003e\u0026c""#),
            ("\u{2028}x\u{2029}", r#""\u2028x\u2029""#),
            ("\u{8}\u{c}\n\r\t\u{1f}\u{7f}", "\"\\b\\f\\n\\r\\t\\u001f\u{7f}\""),
            ("\"\\é", "\"\\\"\\\\é\""),
        ] {
            assert_eq!(String::from_utf8(to_vec(value)).unwrap(), want);
        }
    }

    #[test]
    fn indentation_has_no_newline_at_the_end() {
        let value = serde_json::json!({"a": [1, "<"], "b": {}});
        assert_eq!(
            String::from_utf8(to_vec_indented(&value, "   ")).unwrap(),
            "{\n   \"a\": [\n      1,\n      \"\\u003c\"\n   ],\n   \"b\": {}\n}"
        );
    }
}
