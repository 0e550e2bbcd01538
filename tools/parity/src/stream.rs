//! YAML streams as data: a line for each document, in which indentation,
//! comments, quotes and folding are gone. ko writes manifests anew and ours
//! keeps them, so that bytes cannot be compared.

use granit_parser::{Event, Parser, ScalarStyle, Tag};
use std::fmt::Write as _;

/// Lists the documents of a stream, a line each. Empty ones that follow each
/// other are counted. The error says what is no YAML.
pub(crate) fn documents(text: &str) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut document = String::new();
    // For each open collection: whether it is a mapping, and its nodes so far.
    let mut open: Vec<(bool, usize)> = Vec::new();
    let mut empty = 0;
    let mut options = granit_parser::options! { block_scalar_eof_without_line_feed: true };
    options.set_emit_comments(false);
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, _) = event.map_err(|error| error.to_string())?;
        if event.is_node() || event.is_alias() {
            if let Some((is_mapping, nodes)) = open.last_mut() {
                let mark = match (*nodes, *is_mapping && *nodes % 2 == 1) {
                    (0, _) => "",
                    (_, true) => ": ",
                    (_, false) => ", ",
                };
                document.push_str(mark);
                *nodes += 1;
            }
            if let Some(anchor) = event.anchor_id() {
                let _ = write!(document, "&{anchor} ");
            }
        }
        match event {
            Event::DocumentStart(..) => document.clear(),
            Event::DocumentEnd if document == "null" => empty += 1,
            Event::DocumentEnd => {
                count(&mut found, &mut empty);
                found.push(document.clone());
            }
            Event::Scalar(value, style, _, tag) => {
                document.push_str(&scalar(&value, style, tag.as_deref()));
            }
            Event::Alias(anchor) => {
                let _ = write!(document, "*{anchor}");
            }
            Event::SequenceStart(_, _, tag) => {
                document.push_str(&tagged(tag.as_deref()));
                document.push('[');
                open.push((false, 0));
            }
            Event::MappingStart(_, _, tag) => {
                document.push_str(&tagged(tag.as_deref()));
                document.push('{');
                open.push((true, 0));
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let is_mapping = open.pop().is_some_and(|(is_mapping, _)| is_mapping);
                document.push(if is_mapping { '}' } else { ']' });
            }
            _ => {}
        }
    }
    count(&mut found, &mut empty);
    Ok(found)
}

/// Notes how many empty documents there were.
fn count(found: &mut Vec<String>, empty: &mut usize) {
    if *empty > 0 {
        found.push(format!("({empty} empty)"));
    }
    *empty = 0;
}

/// A string in quotes; what a plain scalar stands for otherwise, as it is
/// written.
fn scalar(value: &str, style: ScalarStyle, tag: Option<&Tag>) -> String {
    if style == ScalarStyle::Plain && tag.is_none() && !is_string(value) {
        let null = ["", "~", "null", "Null", "NULL"].contains(&value);
        return if null { "null".to_owned() } else { value.to_owned() };
    }
    let is_text = tag.and_then(Tag::core_suffix) == Some("str");
    let tag = if is_text { String::new() } else { tagged(tag) };
    format!("{tag}{value:?}")
}

fn tagged(tag: Option<&Tag>) -> String {
    tag.map_or_else(String::new, |tag| format!("!<{}{}> ", tag.handle(), tag.suffix()))
}

/// Whether a plain scalar is a string, also to readers of YAML 1.1.
fn is_string(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let word = ["", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", "<<"];
    let digits = lower.trim_start_matches(['+', '-', '.']);
    let number = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_hexdigit() || "xo_.+-:tz ".contains(c));
    !word.contains(&lower.as_str()) && !number && !lower.ends_with(".inf") && lower != ".nan"
}

#[cfg(test)]
mod tests {
    use super::documents;

    #[test]
    fn only_data_counts() {
        for (text, want) in [
            ("a: b # c\n", vec![r#"{"a": "b"}"#]),
            ("{'a': \"b\"}", vec![r#"{"a": "b"}"#]),
            ("a: [1, '1', null, ~, x y]\n", vec![r#"{"a": [1, "1", null, null, "x y"]}"#]),
            ("a: |-\n  x\n", vec![r#"{"a": "x"}"#]),
            ("a: &x b\nc: *x\n", vec![r#"{"a": &1 "b", "c": *1}"#]),
            ("a: !foo b\nc: !!str d\n", vec![r#"{"a": !<!foo> "b", "c": "d"}"#]),
            ("---\n---\na: 1\n---\n", vec!["(1 empty)", "{\"a\": 1}", "(1 empty)"]),
            ("- yes\n- 0x1\n- v1\n- 1:2/x\n", vec![r#"[yes, 0x1, "v1", "1:2/x"]"#]),
        ] {
            assert_eq!(documents(text).unwrap(), want, "{text}");
        }
        assert!(documents("a: [").is_err());
    }
}
