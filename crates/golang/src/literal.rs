//! Reads string literals as Go writes them (`strconv.Quote`), in build info and
//! in `go.mod`.

/// Reads the string literal that a text begins with: its value, and what
/// follows it. `None` if the text does not begin with a literal, or the
/// literal does not end.
#[must_use]
pub fn unquote(text: &str) -> Option<(String, &str)> {
    if let Some(raw) = text.strip_prefix('`') {
        let (value, rest) = raw.split_once('`')?;
        return Some((value.to_owned(), rest));
    }
    let mut rest = text.strip_prefix('"')?;
    let mut value: Vec<u8> = Vec::new();
    loop {
        let next = rest.chars().next()?;
        rest = &rest[next.len_utf8()..];
        match next {
            '"' => return Some((String::from_utf8_lossy(&value).into_owned(), rest)),
            '\\' => rest = unescape(rest, &mut value)?,
            next => value.extend_from_slice(next.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// What stands behind a backslash; returns what follows it.
fn unescape<'a>(text: &'a str, value: &mut Vec<u8>) -> Option<&'a str> {
    let kind = text.chars().next()?;
    let code = |from: usize, digits: usize, radix: u32| {
        let digits = text.get(from..from + digits)?;
        digits.bytes().all(|digit| digit.is_ascii_alphanumeric()).then_some(())?;
        u32::from_str_radix(digits, radix).ok()
    };
    let simple = match kind {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' | '"' | '\'' => kind as u8,
        'x' => {
            value.push(u8::try_from(code(1, 2, 16)?).ok()?);
            return Some(&text[3..]);
        }
        '0'..='7' => {
            value.push(u8::try_from(code(0, 3, 8)?).ok()?);
            return Some(&text[3..]);
        }
        'u' | 'U' => {
            let digits = if kind == 'u' { 4 } else { 8 };
            let point = char::from_u32(code(1, digits, 16)?)?;
            value.extend_from_slice(point.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(&text[1 + digits..]);
        }
        _ => return None,
    };
    value.push(simple);
    Some(&text[1..])
}

/// A literal as `strconv.Quote` writes it, or nearly.
#[cfg(test)]
pub(crate) fn quote(text: &str) -> String {
    format!("\"{}\"", text.chars().map(escaped).collect::<String>())
}

#[cfg(test)]
fn escaped(letter: char) -> String {
    match letter {
        '"' | '\\' => format!("\\{letter}"),
        '\x07' => "\\a".to_owned(),
        '\x08' => "\\b".to_owned(),
        '\x0c' => "\\f".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        '\x0b' => "\\v".to_owned(),
        '\0'..' ' | '\x7f' => format!("\\x{:02x}", u32::from(letter)),
        letter => letter.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One letter in one of the spellings that an interpreted literal has for
    /// it.
    fn spelled(letter: char, style: u8) -> String {
        let mut bytes = [0; 4];
        let bytes = letter.encode_utf8(&mut bytes).bytes();
        match style % 5 {
            0 => bytes.map(|byte| format!("\\x{byte:02X}")).collect(),
            1 => bytes.map(|byte| format!("\\{byte:03o}")).collect(),
            2 => format!("\\U{:08x}", u32::from(letter)),
            3 if u32::from(letter) < 0x1_0000 => format!("\\u{:04X}", u32::from(letter)),
            _ => escaped(letter),
        }
    }

    proptest! {
        /// Each spelling of a text is read as the text; what follows is left.
        #[test]
        fn literals_are_read_in_any_spelling(
            letters in proptest::collection::vec((any::<char>(), any::<u8>()), 0..12),
            rest in any::<String>(),
        ) {
            let want: String = letters.iter().map(|(letter, _)| letter).collect();
            let inner: String =
                letters.iter().map(|&(letter, style)| spelled(letter, style)).collect();
            for literal in [format!("\"{inner}\""), quote(&want)] {
                let text = literal.clone() + &rest;
                prop_assert_eq!(unquote(&text), Some((want.clone(), &*rest)), "{}", text);
                let open = &literal[..literal.len() - 1];
                prop_assert_eq!(unquote(open), None, "{}", open);
            }
            if !want.contains('`') {
                let text = format!("`{want}`{rest}");
                prop_assert_eq!(unquote(&text), Some((want, &*rest)));
            }
        }

        #[test]
        fn never_panics_on_escapes(text in "[\"`](\\\\[abfnrtvxuU0-7'\"\\\\]?|[^\\\\\"`]|[0-9a-f]{1,8}){0,9}[\"`]?.{0,3}") {
            let _ = unquote(&text);
        }
    }
}
