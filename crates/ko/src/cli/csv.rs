//! Parses values of list flags: each is one CSV record (RFC 4180), as in ko, so
//! that `-t a,b` is two tags and `--image-label '"k=a,b"'` is one label.

/// Reads one record. Only the first line counts.
///
/// # Errors
/// A quote where none may be; the text is Go's.
pub(crate) fn record(text: &str) -> Result<Vec<String>, String> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let line = text.lines().next().unwrap_or_default();
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let column = line.len() - rest.len() + 1;
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_field(quoted, column + 1)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                if let Some(at) = rest[..end].find('"') {
                    return Err(bad(column + at, "bare \" in non-quoted-field"));
                }
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        fields.push(field);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => return Ok(fields),
        }
    }
}

/// A field after its opening quote: its value, and what follows it.
fn quoted_field(quoted: &str, column: usize) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut rest = quoted;
    while let Some(at) = rest.find('"') {
        value.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match rest.as_bytes().first() {
            Some(b'"') => {
                value.push('"');
                rest = &rest[1..];
            }
            None | Some(b',') => return Ok((value, rest)),
            Some(_) => {
                let at = column + quoted.len() - rest.len() - 1;
                return Err(bad(at, "extraneous or missing \" in quoted-field"));
            }
        }
    }
    Err(bad(column + quoted.len(), "extraneous or missing \" in quoted-field"))
}

fn bad(column: usize, what: &str) -> String {
    format!("parse error on line 1, column {column}: {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records() {
        for (text, want) in [
            ("", vec![]),
            ("a", vec!["a"]),
            ("a,b", vec!["a", "b"]),
            (",", vec!["", ""]),
            ("\"a=x,y\"", vec!["a=x,y"]),
            ("\"a\"\"b\",c", vec!["a\"b", "c"]),
            (" a", vec![" a"]),
            ("a\nb", vec!["a"]),
        ] {
            assert_eq!(record(text).unwrap(), want, "{text:?}");
        }
    }

    #[test]
    fn stray_quotes_are_refused_in_go_s_words() {
        assert_eq!(
            record("-extldflags \"-static\"").unwrap_err(),
            "parse error on line 1, column 13: bare \" in non-quoted-field"
        );
        assert!(record("\"a\"b").is_err());
        assert!(record("\"a").is_err());
    }
}
