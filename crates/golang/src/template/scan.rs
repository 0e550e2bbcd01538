//! A first look at a template, before the crate parses it: that blocks open
//! and close as they must, that operands are apart and written as Go writes
//! them, and that nothing nests deeper than a thread's stack. It refuses, and
//! never says what a template means.

use std::borrow::Cow;
use std::ops::Range;

use super::literal;

/// How deep blocks and parentheses may nest, all `else if` of a block
/// included.
const DEPTH: usize = 60;

/// Something that Go would not parse.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) offset: usize,
    pub(super) message: String,
}

impl SyntaxError {
    pub(super) fn new(offset: usize, message: impl Into<String>) -> Self {
        Self { offset, message: message.into() }
    }
}

type Result<T = ()> = std::result::Result<T, SyntaxError>;

/// Checks a template. Returns it as the parser is to see it: of the same
/// length, without the comments that the parser misunderstands.
pub(super) fn check(source: &str) -> Result<Cow<'_, str>> {
    let mut scan = Scan { source, position: 0, blocks: Vec::new(), depth: 0, comments: Vec::new() };
    while let Some(start) = source[scan.position..].find("{{") {
        scan.position += start;
        scan.action()?;
    }
    if let Some(block) = scan.blocks.pop() {
        return Err(SyntaxError::new(block.offset, "unexpected EOF: no {{end}} for this"));
    }
    if scan.comments.is_empty() {
        return Ok(source.into());
    }
    let mut parts = String::with_capacity(source.len());
    for comment in scan.comments {
        parts.push_str(&source[parts.len()..comment.start]);
        // An empty text in its place, and lines stay as they are.
        parts.push_str("\"\"");
        let rest = source[comment].bytes().skip(2);
        parts.extend(rest.map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
    }
    parts.push_str(&source[parts.len()..]);
    Ok(parts.into())
}

struct Scan<'a> {
    source: &'a str,
    position: usize,
    blocks: Vec<Block<'a>>,
    depth: usize,
    /// Comments that follow `{{- ` and are followed by `}}`: the parser would
    /// take away the space after them too.
    comments: Vec<Range<usize>>,
}

struct Block<'a> {
    offset: usize,
    keyword: &'a str,
    /// What it adds to the depth.
    depth: usize,
    /// Whether its plain `else` has been.
    has_else: bool,
}

/// A part of an action, without what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Space,
    /// A name, a keyword, a number, a text: not followed by keys unless `keys`.
    Operand {
        keys: bool,
    },
    Variable,
    /// A dot and a name.
    Key,
    Open,
    Close,
    Pipe,
    Comma,
    /// `=` or `:=`.
    Assign,
}

#[derive(Debug, Clone, Copy)]
struct Token<'a> {
    offset: usize,
    kind: Kind,
    text: &'a str,
}

impl<'a> Scan<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.position..]
    }

    /// Reads one action, from its `{{`.
    fn action(&mut self) -> Result {
        let start = self.position;
        self.position += 2;
        let trim = self.rest().starts_with('-') && self.rest()[1..].starts_with(is_space);
        if trim {
            self.position += 2;
        }
        if self.rest().starts_with("/*") {
            return self.comment(start, trim);
        }
        let mut tokens = Vec::new();
        loop {
            let rest = self.rest();
            let apart = tokens.last().is_some_and(|token: &Token<'_>| token.kind == Kind::Space);
            if rest.starts_with("}}") || apart && rest.starts_with("-}}") {
                self.position += rest.find("}}").unwrap_or_default() + 2;
                break;
            }
            match self.token()? {
                Some(token) => tokens.push(token),
                None => return Err(SyntaxError::new(start, "unclosed action")),
            }
        }
        self.apart(&tokens)?;
        self.parentheses(&tokens)?;
        let mut words = tokens.iter().filter(|token| token.kind != Kind::Space);
        if let Some(first) = words.next() {
            let words: Vec<_> = words.copied().collect();
            declarations(first, &words)?;
            self.block(start, first.text, &words)?;
        }
        Ok(())
    }

    /// Reads the rest of a comment. Only a trim marker may come between it and
    /// the delimiters.
    fn comment(&mut self, start: usize, trim: bool) -> Result {
        let begin = self.position;
        let Some(end) = self.rest().find("*/") else {
            return Err(SyntaxError::new(start, "unclosed comment"));
        };
        self.position += end + 2;
        if self.rest().starts_with("}}") {
            if trim {
                self.comments.push(begin..self.position);
            }
            return Ok(());
        }
        if self.rest().strip_prefix(is_space).is_some_and(|rest| rest.starts_with("-}}")) {
            return Ok(());
        }
        Err(SyntaxError::new(self.position, "comment ends before closing delimiter"))
    }

    fn token(&mut self) -> Result<Option<Token<'a>>> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(None) };
        let fail = |message: &str| SyntaxError::new(self.position, message);
        let end_of = |ends: fn(char) -> bool| rest.find(ends).unwrap_or(rest.len());
        let (kind, length) = match first {
            c if is_space(c) => (Kind::Space, end_of(|c| !is_space(c))),
            '"' => (Kind::Operand { keys: false }, literal::quoted(rest, '"').map_err(fail)?),
            '\'' => (Kind::Operand { keys: false }, literal::quoted(rest, '\'').map_err(fail)?),
            '`' => {
                let end =
                    rest[1..].find('`').ok_or_else(|| fail("unterminated raw quoted string"))?;
                (Kind::Operand { keys: false }, end + 2)
            }
            '(' => (Kind::Open, 1),
            ')' => (Kind::Close, 1),
            '|' => (Kind::Pipe, 1),
            ',' => (Kind::Comma, 1),
            '=' => (Kind::Assign, 1),
            ':' if rest.starts_with(":=") => (Kind::Assign, 2),
            '.' if rest[1..].starts_with(is_name) && !rest[1..].starts_with(is_digit) => {
                (Kind::Key, 1 + rest[1..].find(|c| !is_name(c)).unwrap_or(rest.len() - 1))
            }
            '.' if !rest[1..].starts_with(is_digit) => (Kind::Operand { keys: false }, 1),
            '$' => (Kind::Variable, 1 + rest[1..].find(|c| !is_name(c)).unwrap_or(rest.len() - 1)),
            c if is_digit(c) || matches!(c, '+' | '-' | '.') => {
                let length = literal::number(rest).map_err(fail)?;
                (Kind::Operand { keys: false }, length)
            }
            c if is_name(c) => {
                let length = end_of(|c| !is_name(c));
                let keys = !matches!(&rest[..length], "true" | "false" | "nil");
                (Kind::Operand { keys }, length)
            }
            other => {
                let code = u32::from(other);
                let message = format!("unrecognized character in action: U+{code:04X} {other:?}");
                return Err(fail(&message));
            }
        };
        let token = Token { offset: self.position, kind, text: &rest[..length] };
        self.position += length;
        Ok(Some(token))
    }

    /// Operands must be apart; keys must follow something that can have them.
    fn apart(&self, tokens: &[Token<'_>]) -> Result {
        for pair in tokens.windows(2) {
            let [before, token] = pair else { continue };
            let operand_before = match before.kind {
                Kind::Operand { .. } | Kind::Variable | Kind::Key | Kind::Close => true,
                Kind::Space | Kind::Open | Kind::Pipe | Kind::Comma | Kind::Assign => false,
            };
            let fits = match token.kind {
                Kind::Operand { .. } | Kind::Variable | Kind::Open => !operand_before,
                Kind::Key => before.kind != Kind::Operand { keys: false },
                _ => true,
            };
            if !fits {
                let message = format!("unexpected {:?} in operand", token.text);
                return Err(SyntaxError::new(token.offset, message));
            }
        }
        Ok(())
    }

    fn parentheses(&self, tokens: &[Token<'_>]) -> Result {
        let mut open = 0_usize;
        for token in tokens {
            match token.kind {
                Kind::Open => open += 1,
                Kind::Close if open == 0 => {
                    return Err(SyntaxError::new(token.offset, "unexpected right paren"));
                }
                Kind::Close => open -= 1,
                _ => {}
            }
            if self.depth + open > DEPTH {
                return Err(too_deep(token.offset));
            }
        }
        Ok(())
    }

    /// Follows the blocks that actions open and close.
    fn block(&mut self, offset: usize, keyword: &'a str, words: &[Token<'_>]) -> Result {
        match keyword {
            "define" if !self.blocks.is_empty() => {
                return Err(SyntaxError::new(offset, "unexpected {{define}}"));
            }
            "block" if words.len() < 2 => {
                return Err(SyntaxError::new(offset, "missing value for block clause"));
            }
            "if" | "range" | "with" | "define" | "block" => {
                self.depth += 1;
                self.blocks.push(Block { offset, keyword, depth: 1, has_else: false });
            }
            "else" => {
                let Some(block) = self.blocks.last_mut() else {
                    return Err(SyntaxError::new(offset, "unexpected {{else}}"));
                };
                let again = words.first().map(|word| word.text);
                match (block.keyword, again) {
                    _ if block.has_else => {
                        return Err(SyntaxError::new(offset, "expected end; found {{else}}"));
                    }
                    ("if" | "with", Some(again)) if again == block.keyword => {
                        block.depth += 1;
                        self.depth += 1;
                    }
                    ("if" | "range" | "with", None) => block.has_else = true,
                    _ => return Err(SyntaxError::new(offset, "unexpected {{else}}")),
                }
            }
            "end" => match self.blocks.pop() {
                Some(block) => self.depth -= block.depth,
                None => return Err(SyntaxError::new(offset, "unexpected {{end}}")),
            },
            "break" | "continue" => {
                let mut inside = self.blocks.iter().rev();
                let mut here = inside
                    .by_ref()
                    .take_while(|block| !matches!(block.keyword, "define" | "block"));
                // Not after its `else`.
                if !here.any(|block| block.keyword == "range" && !block.has_else) {
                    let message = format!("{{{{{keyword}}}}} outside {{{{range}}}}");
                    return Err(SyntaxError::new(offset, message));
                }
            }
            _ => {}
        }
        if self.depth > DEPTH { Err(too_deep(offset)) } else { Ok(()) }
    }
}

/// What stands before `:=` or `=`: a variable, and in a `range` two, with a
/// comma between them.
fn declarations(first: &Token<'_>, rest: &[Token<'_>]) -> Result {
    let all: Vec<_> = match first.text {
        "if" | "with" | "range" | "else" => rest.to_vec(),
        _ => std::iter::once(first).chain(rest).copied().collect(),
    };
    let Some(at) = all.iter().position(|token| token.kind == Kind::Assign) else {
        return Ok(());
    };
    let kinds: Vec<_> = all[..at].iter().map(|token| token.kind).collect();
    match kinds[..] {
        [Kind::Variable] => Ok(()),
        [Kind::Variable, Kind::Comma, Kind::Variable] if first.text == "range" => Ok(()),
        // `else if $x := …` and `else with $x := …`.
        [Kind::Operand { .. }, Kind::Variable] if first.text == "else" => Ok(()),
        _ => Err(SyntaxError::new(all[at].offset, format!("unexpected {:?}", all[at].text))),
    }
}

fn too_deep(offset: usize) -> SyntaxError {
    SyntaxError::new(offset, format!("more than {DEPTH} blocks and parentheses inside each other"))
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

pub(super) fn is_name(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}
