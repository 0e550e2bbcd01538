//! Texts and numbers as Go writes them. The crate's lexer takes more for such
//! than Go does, and gives it a meaning of its own.

use super::scan::is_name;

/// The length of a text or character in quotes, which ends in its line.
pub(super) fn quoted(text: &str, quote: char) -> Result<usize, &'static str> {
    let unclosed =
        if quote == '"' { "unterminated quoted string" } else { "unterminated character constant" };
    let mut position = 1;
    while let Some(c) = text[position..].chars().next() {
        position += c.len_utf8();
        match c {
            '\n' => break,
            '\\' => position += escape(&text[position..], quote)?,
            c if c == quote => return Ok(position),
            _ => {}
        }
    }
    Err(unclosed)
}

/// The length of an escape after its backslash.
fn escape(text: &str, quote: char) -> Result<usize, &'static str> {
    const INVALID: &str = "invalid syntax";
    let first = text.chars().next().ok_or(INVALID)?;
    let code = |start: usize, length: usize, radix: u32| -> Result<_, &'static str> {
        let digits = text.get(start..start + length).ok_or(INVALID)?;
        let all = digits.chars().all(|digit| digit.is_digit(radix));
        let code = u32::from_str_radix(digits, radix).ok().filter(|_| all).ok_or(INVALID)?;
        Ok((code, start + length))
    };
    let (code, length) = match first {
        'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\' => return Ok(1),
        c if c == quote => return Ok(1),
        'x' => code(1, 2, 16)?,
        '0'..='7' => code(0, 3, 8)?,
        'u' | 'U' => {
            let (code, length) = code(1, if first == 'u' { 4 } else { 8 }, 16)?;
            char::from_u32(code).ok_or(INVALID)?;
            return Ok(length);
        }
        _ => return Err(INVALID),
    };
    match code {
        256.. => Err(INVALID),
        // A byte that is no text of its own. Results are UTF-8 here.
        128.. if quote == '"' => Err("escapes of bytes above \\x7f are not supported"),
        _ => Ok(length),
    }
}

/// The length of a number, which goes on for as long as it could.
pub(super) fn number(text: &str) -> Result<usize, &'static str> {
    const BAD: &str = "bad number syntax";
    let sign = usize::from(text.starts_with(['+', '-']));
    let body = &text[sign..];
    let prefix = body.get(..2).map(str::to_ascii_lowercase).unwrap_or_default();
    let (start, radix, exponents) = match prefix.as_str() {
        "0x" => (2, 16, &['p', 'P'][..]),
        "0o" => (2, 8, &[][..]),
        "0b" => (2, 2, &[][..]),
        _ => (0, 10, &['e', 'E'][..]),
    };
    let part = |from: usize, radix: u32| {
        let is_part = |c: char| c == '_' || c.is_digit(radix);
        from + body[from..].find(|c| !is_part(c)).unwrap_or(body.len() - from)
    };
    let mut end = part(start, radix);
    let mut is_float = false;
    if matches!(radix, 10 | 16) && body[end..].starts_with('.') {
        is_float = true;
        end = part(end + 1, radix);
    }
    if end > start && body[end..].starts_with(exponents) {
        is_float = true;
        end += 1 + usize::from(body[end + 1..].starts_with(['+', '-']));
        end = part(end, 10);
    }
    if body[end..].starts_with('i') {
        return Err("complex numbers are not supported");
    }
    if body[end..].starts_with(is_name) {
        return Err(BAD);
    }
    let number = &body[..end];
    if !number[start..].contains(|c: char| c.is_digit(radix)) || number.ends_with(['+', '-']) {
        return Err(BAD);
    }
    // Underscores stand between digits, and after a prefix.
    let digits: Vec<char> = number.chars().collect();
    let is_digit_at = |index: Option<usize>| {
        index.and_then(|index| digits.get(index)).is_some_and(char::is_ascii_hexdigit)
    };
    for (index, _) in digits.iter().enumerate().filter(|(_, c)| **c == '_') {
        let after = is_digit_at(index.checked_sub(1)) || (start > 0 && index == start);
        if !after || !is_digit_at(Some(index + 1)) {
            return Err(BAD);
        }
    }
    // An old octal number.
    let is_octal = radix == 10 && !is_float && number.len() > 1 && number.starts_with('0');
    if is_octal && number.contains(['8', '9']) {
        return Err(BAD);
    }
    Ok(sign + end)
}
