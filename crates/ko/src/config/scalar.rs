//! Resolves plain YAML scalars: the core schema of YAML 1.2, and the numbers of
//! YAML 1.1 that ko knows.

use std::borrow::Cow;

use granit_parser::{ScalarStyle, Tag};

use super::tree::Value;

/// The value of a scalar.
pub(crate) fn value(text: Cow<'_, str>, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    let plain = match tag {
        None => style == ScalarStyle::Plain,
        Some(tag) => tag.is_yaml_core_schema() && !tag.is_yaml_core_schema_tag("str"),
    };
    if plain && let Some(value) = resolve(&text) { value } else { Value::Text(text.into_owned()) }
}

fn resolve(plain: &str) -> Option<Value> {
    match plain {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Value::Null),
        "true" | "True" | "TRUE" => return Some(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Some(Value::Bool(false)),
        _ => {}
    }
    if !plain.starts_with(|char: char| char.is_ascii_digit() || "+-.".contains(char)) {
        return None;
    }
    let plain = plain.replace('_', "");
    let (sign, digits) = match plain.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let (digits, radix) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&digits[2..], 16),
        [b'0', b'b' | b'B', ..] => (&digits[2..], 2),
        [b'0', b'o' | b'O', ..] => (&digits[2..], 8),
        [b'0', _, ..] => (digits, 8),
        _ => (digits, 10),
    };
    // No second sign, and no more than 64 bits, as Go has it.
    let unsigned = digits.starts_with(|char: char| char.is_ascii_hexdigit());
    let number = i128::from_str_radix(&format!("{sign}{digits}"), radix).ok();
    let in_range = i128::from(i64::MIN)..=i128::from(u64::MAX);
    match number.filter(|number| unsigned && in_range.contains(number)) {
        Some(number) => Some(Value::Integer(number)),
        // Not the words that Rust takes for numbers: `inf` and `nan`.
        None if plain.contains(|char: char| char.is_ascii_digit()) => {
            plain.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Float)
        }
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_what_they_are_for_go() {
        let as_text = |text: &str| value(text.into(), ScalarStyle::Plain, None).scalar().unwrap();
        for (text, want) in [
            ("1", "1"),
            ("+1", "1"),
            ("-1", "-1"),
            ("1_000", "1000"),
            ("0x1F", "31"),
            ("-0x1F", "-31"),
            ("0b101", "5"),
            ("0o17", "15"),
            ("017", "15"),
            ("08", "8"),
            ("0", "0"),
            ("1.50", "1.5"),
            ("-.5", "-0.5"),
            ("1e3", "1000"),
            ("99999999999999999999", "100000000000000000000"),
            ("0x", "0x"),
            ("--1", "--1"),
            ("0x-1", "0x-1"),
            ("1e999", "1e999"),
            (".inf", ".inf"),
            ("-inf", "-inf"),
            ("1.2.3", "1.2.3"),
            ("2024-01-01", "2024-01-01"),
            ("-", "-"),
            (".", "."),
            ("True", "true"),
            ("yes", "yes"),
            ("~", ""),
            ("a", "a"),
        ] {
            assert_eq!(as_text(text), want, "{text}");
        }
        assert_eq!(value("1.50".into(), ScalarStyle::DoubleQuoted, None).scalar().unwrap(), "1.50");
    }
}
