//! Takes a JSON text apart without loss: the raw token of every value, and
//! the text around them. Two texts are equal byte for byte if and only if
//! both parts are; the parts say where they differ, and one value can be
//! replaced without hiding the rest.

/// A JSON text in two parts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Flat {
    /// Path, such as `layers[0]/digest`, and token of each string, number,
    /// boolean and null, in the order of the text.
    pub(crate) leaves: Vec<(String, String)>,
    /// The text with `_` for each of those: keys, their order, white space.
    pub(crate) shape: String,
}

/// Takes `text` apart. The error is the offset of what is not JSON.
pub(crate) fn flatten(text: &str) -> Result<Flat, usize> {
    let mut scanner =
        Scanner { text, at: 0, flat: Flat { leaves: Vec::new(), shape: String::new() } };
    scanner.value("")?;
    scanner.space();
    if scanner.at == text.len() { Ok(scanner.flat) } else { Err(scanner.at) }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    flat: Flat,
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Copies `len` bytes to the shape.
    fn copy(&mut self, len: usize) {
        self.flat.shape.push_str(&self.text[self.at..self.at + len]);
        self.at += len;
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.copy(rest.len() - rest.trim_ascii_start().len());
    }

    /// Copies one of the characters that hold a text together.
    fn mark(&mut self, mark: char) -> Result<(), usize> {
        self.space();
        if !self.rest().starts_with(mark) {
            return Err(self.at);
        }
        self.copy(mark.len_utf8());
        self.space();
        Ok(())
    }

    /// Copies `mark` if it is next.
    fn has(&mut self, mark: char) -> bool {
        self.mark(mark).is_ok()
    }

    fn value(&mut self, path: &str) -> Result<(), usize> {
        self.space();
        match self.rest().as_bytes().first() {
            Some(b'{') => self.members('{', '}', |scanner, _| {
                let key = scanner.string()?;
                scanner.copy(key.len());
                scanner.mark(':')?;
                let slash = if path.is_empty() { "" } else { "/" };
                scanner.value(&format!("{path}{slash}{}", key.trim_matches('"')))
            }),
            Some(b'[') => self
                .members('[', ']', |scanner, number| scanner.value(&format!("{path}[{number}]"))),
            Some(b'"') => {
                let token = self.string()?;
                self.leaf(path, token)
            }
            _ => {
                let rest = self.rest();
                let end = rest.find([',', '}', ']', ' ', '\n']).unwrap_or(rest.len());
                self.leaf(path, &rest[..end])
            }
        }
    }

    fn members(
        &mut self,
        open: char,
        close: char,
        mut member: impl FnMut(&mut Scanner<'a>, usize) -> Result<(), usize>,
    ) -> Result<(), usize> {
        self.mark(open)?;
        if self.has(close) {
            return Ok(());
        }
        for number in 0.. {
            member(self, number)?;
            if !self.has(',') {
                break;
            }
        }
        self.mark(close)
    }

    /// Returns the string that is next, with its quotes.
    fn string(&self) -> Result<&'a str, usize> {
        let rest = self.rest();
        let mut escaped = false;
        for (at, c) in rest.char_indices() {
            match c {
                _ if at == 0 && c != '"' => return Err(self.at),
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' if at > 0 => return Ok(&rest[..=at]),
                _ => {}
            }
        }
        Err(self.text.len())
    }

    fn leaf(&mut self, path: &str, token: &str) -> Result<(), usize> {
        if token.is_empty() {
            return Err(self.at);
        }
        self.flat.leaves.push((path.to_owned(), token.to_owned()));
        self.flat.shape.push('_');
        self.at += token.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::flatten;

    #[test]
    fn the_parts_are_the_whole() {
        for (text, shape, leaves) in [
            (
                r#"{"a":1,"b":["x",true]}"#,
                r#"{"a":_,"b":[_,_]}"#,
                vec!["a 1", "b[0] \"x\"", "b[1] true"],
            ),
            (r#"{"b":[],"a":{}}"#, r#"{"b":[],"a":{}}"#, vec![]),
            (r#"{"a.b/c":{"d":null}}"#, r#"{"a.b/c":{"d":_}}"#, vec!["a.b/c/d null"]),
            (r#"["q\"\\",""]"#, "[_,_]", vec![r#"[0] "q\"\\""#, "[1] \"\""]),
            ("{\n   \"a\": 1\n}\n", "{\n   \"a\": _\n}\n", vec!["a 1"]),
        ] {
            let flat = flatten(text).unwrap();
            assert_eq!(flat.shape, shape);
            let got: Vec<String> =
                flat.leaves.iter().map(|(path, token)| format!("{path} {token}")).collect();
            assert_eq!(got, leaves);
        }
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in ["", "{", "{\"a\"}", "[1", "[1,]", "{} x", "\"a", "{a:1}"] {
            assert!(flatten(text).is_err(), "{text}");
        }
    }
}
