//! Writes texts as YAML.

use crate::shown::is_obeyed;

/// A text as YAML: as it is where that is unmistakable, else quoted as JSON
/// does, which YAML reads too. A terminal obeys nothing of it.
pub(crate) fn scalar(text: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "/._-@=:".contains(char);
    let word = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let starts = text.starts_with(|char: char| char.is_ascii_alphabetic() || char == '/')
        || text.starts_with("./");
    if starts
        && text.chars().all(plain)
        && !text.ends_with(':')
        && !word.contains(&text.to_ascii_lowercase().as_str())
    {
        return text.to_owned();
    }
    let json = serde_json::to_string(text).expect("a string is a JSON value");
    let escaped = |char: char| match is_obeyed(char) {
        true => format!("\\u{:04x}", u32::from(char)),
        false => char.to_string(),
    };
    json.chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::scalar;

    #[test]
    fn what_a_terminal_obeys_is_escaped() {
        let text = "\u{1b}[2J\u{9b}A\r\n\u{202e}é\u{7f}";
        let scalar = scalar(text);
        assert_eq!(scalar, r#""\u001b[2J\u009bA\r\n\u202eé\u007f""#);
        assert_eq!(serde_json::from_str::<String>(&scalar).unwrap(), text);
    }
}
