//! Parses TOML into a tree.

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::tree::{Node, SyntaxError, Value};

/// Parses a document.
pub(crate) fn parse(text: &str) -> Result<Node, SyntaxError> {
    match DeTable::parse(text) {
        Ok(table) => {
            let bytes = table.span();
            Ok(Node::new(map(table.into_inner()), bytes))
        }
        Err(error) => Err(SyntaxError { message: error.message().to_owned(), bytes: error.span() }),
    }
}

fn map(table: DeTable<'_>) -> Value {
    let entries = table.into_iter().map(|(key, value)| {
        let bytes = key.span();
        (Node::new(Value::Text(key.into_inner().into_owned()), bytes), node(value))
    });
    let mut entries: Vec<_> = entries.collect();
    // In the order of the file.
    entries.sort_by_key(|(key, _)| key.bytes.start);
    Value::Map(entries)
}

fn node(value: Spanned<DeValue<'_>>) -> Node {
    let bytes = value.span();
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(number) => integer(&number),
        DeValue::Float(number) => match number.as_str().parse() {
            Ok(value) => Value::Float(value),
            Err(_) => Value::Text(number.to_string()),
        },
        DeValue::Boolean(value) => Value::Bool(value),
        DeValue::Datetime(time) => Value::Text(time.to_string()),
        DeValue::Array(items) => Value::List(items.into_iter().map(node).collect()),
        DeValue::Table(table) => map(table),
    };
    Node::new(value, bytes)
}

/// A number that is out of range stays the text that it is.
fn integer(number: &DeInteger<'_>) -> Value {
    match i128::from_str_radix(number.as_str(), number.radix()) {
        Ok(value) => Value::Integer(value),
        Err(_) => Value::Text(number.to_string()),
    }
}
