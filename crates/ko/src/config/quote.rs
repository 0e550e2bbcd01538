//! Writes texts as YAML.

/// A text as YAML: as it is where that is unmistakable, else quoted as JSON
/// does, which YAML reads too.
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
    serde_json::to_string(text).expect("a string is a JSON value")
}
