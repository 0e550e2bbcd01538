//! Parses selectors.

use super::{Operator, Requirement, validate};

/// What a token is; in the place of a value, `in` and `notin` are words too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    /// One of `= == != ! > < ( ) ,`.
    Sign(&'a str),
    End,
}

impl<'a> Token<'a> {
    fn text(self) -> &'a str {
        match self {
            Self::Word(text) | Self::Sign(text) => text,
            Self::End => "",
        }
    }
}

/// Longer signs first.
const SIGNS: [&str; 9] = ["==", "!=", "=", "!", ">", "<", "(", ")", ","];

const OPERATORS: &str = "in, notin, =, ==, !=, gt, lt";

struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    fn peek(&self) -> Token<'a> {
        let text = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
        if text.is_empty() {
            return Token::End;
        }
        if let Some(sign) = SIGNS.iter().find(|sign| text.starts_with(**sign)) {
            return Token::Sign(&text[..sign.len()]);
        }
        let end = text
            .find([' ', '\t', '\r', '\n', '=', '!', '>', '<', '(', ')', ','])
            .unwrap_or(text.len());
        Token::Word(&text[..end])
    }

    fn next(&mut self) -> Token<'a> {
        let token = self.peek();
        let blanks = self.rest.len() - self.rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
        self.rest = &self.rest[blanks + token.text().len()..];
        token
    }
}

/// The requirements of `text`, or what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, String> {
    let mut tokens = Tokens { rest: text };
    let mut requirements = Vec::new();
    loop {
        match tokens.peek() {
            Token::Word(_) | Token::Sign("!") => {
                let requirement = requirement(&mut tokens)
                    .map_err(|reason| format!("unable to parse requirement: {reason}"))?;
                requirements.push(requirement);
            }
            Token::End => return Ok(requirements),
            Token::Sign(sign) => {
                return Err(format!("found '{sign}', expected: !, identifier, or 'end of string'"));
            }
        }
        match tokens.next() {
            Token::End => return Ok(requirements),
            Token::Sign(",") => {
                let next = tokens.peek();
                if !matches!(next, Token::Word(_) | Token::Sign("!")) {
                    return Err(format!("found '{}', expected: identifier after ','", next.text()));
                }
            }
            other => {
                return Err(format!("found '{}', expected: ',' or 'end of string'", other.text()));
            }
        }
    }
}

fn requirement(tokens: &mut Tokens<'_>) -> Result<Requirement, String> {
    let is_absent = tokens.peek() == Token::Sign("!");
    if is_absent {
        tokens.next();
    }
    let key = match tokens.next() {
        Token::Word(key) => key,
        other => return Err(format!("found '{}', expected: identifier", other.text())),
    };
    validate::key(key)?;
    let is_alone = matches!(tokens.peek(), Token::End | Token::Sign(","));
    let (operator, mut values) = if is_absent {
        (Operator::DoesNotExist, Vec::new())
    } else if is_alone {
        (Operator::Exists, Vec::new())
    } else {
        operation(tokens)?
    };
    values.sort();
    values.dedup();
    if matches!(operator, Operator::GreaterThan | Operator::LessThan) {
        validate::integer(&values)?;
    }
    validate::values(key, &values)?;
    Ok(Requirement { key: key.to_owned(), operator, values })
}

fn operation(tokens: &mut Tokens<'_>) -> Result<(Operator, Vec<String>), String> {
    let operator = match tokens.next() {
        Token::Word("in") => return Ok((Operator::In, list(tokens)?)),
        Token::Word("notin") => return Ok((Operator::NotIn, list(tokens)?)),
        Token::Sign("=" | "==") => Operator::In,
        Token::Sign("!=") => Operator::NotIn,
        Token::Sign(">") => Operator::GreaterThan,
        Token::Sign("<") => Operator::LessThan,
        other => return Err(format!("found '{}', expected: {OPERATORS}", other.text())),
    };
    // No value is the empty value.
    let value = match tokens.peek() {
        Token::End | Token::Sign(",") => "",
        Token::Word(value) => {
            tokens.next();
            value
        }
        Token::Sign(sign) => return Err(format!("found '{sign}', expected: identifier")),
    };
    Ok((operator, vec![value.to_owned()]))
}

/// `(a,b)`. Nothing between commas is the empty value.
fn list(tokens: &mut Tokens<'_>) -> Result<Vec<String>, String> {
    let open = tokens.next();
    if open != Token::Sign("(") {
        return Err(format!("found '{}' expected: '('", open.text()));
    }
    let mut values = Vec::new();
    loop {
        let value = match tokens.peek() {
            Token::Word(value) => {
                tokens.next();
                value
            }
            Token::Sign("," | ")") => "",
            other => {
                return Err(format!("found '{}', expected: ',', ')' or identifier", other.text()));
            }
        };
        values.push(value.to_owned());
        match tokens.next() {
            Token::Sign(",") => {}
            Token::Sign(")") => return Ok(values),
            other => return Err(format!("found '{}', expected: ',' or ')'", other.text())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_selector_is_refused_with_the_reason() {
        for (text, reason) in [
            (",", "found ',', expected: !, identifier, or 'end of string'"),
            ("a,", "found '', expected: identifier after ','"),
            (
                "a b",
                "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
            ),
            ("!a=b", "found '=', expected: ',' or 'end of string'"),
            ("a=b=c", "found '=', expected: ',' or 'end of string'"),
            ("a in b", "unable to parse requirement: found 'b' expected: '('"),
            ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
            ("!", "unable to parse requirement: found '', expected: identifier"),
            ("a=(", "unable to parse requirement: found '(', expected: identifier"),
            ("=a", "found '=', expected: !, identifier, or 'end of string'"),
        ] {
            assert_eq!(parse(text), Err(reason.to_owned()), "{text:?}");
        }
        for text in ["a>x", "a>", "-a", "a/b/c", "a=é", "/a", "A_/b"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
