//! Reads values out of the trees of other tools' files, whose shapes nobody has checked.

use std::sync::Arc;

use crate::config::{Node, Source, SourceSpan, Value};

/// A value of a map, if it is not null.
pub(super) fn get<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    let (_, value) = entries(node).iter().find(|(name, _)| name.text() == Some(key))?;
    Some(value).filter(|value| !matches!(*value.value, Value::Null))
}

/// The entries of a map.
pub(super) fn entries(node: &Node) -> &[(Node, Node)] {
    match &*node.value {
        Value::Map(entries) => entries,
        _ => &[],
    }
}

/// The elements of a list; a scalar is its own.
pub(super) fn items(node: &Node) -> &[Node] {
    match &*node.value {
        Value::List(items) => items,
        Value::Map(_) | Value::Null => &[],
        _ => std::slice::from_ref(node),
    }
}

/// A scalar of a map as text.
pub(super) fn text(node: &Node, key: &str) -> Option<String> {
    get(node, key)?.value.scalar().filter(|text| !text.is_empty())
}

/// A list of a map as texts.
pub(super) fn texts(node: &Node, key: &str) -> Vec<String> {
    let items = get(node, key).map(items).unwrap_or_default();
    items.iter().filter_map(|item| item.value.scalar()).collect()
}

/// The same of flags: one text stands for its words.
pub(super) fn words(node: &Node, key: &str) -> Vec<String> {
    match get(node, key).and_then(|node| node.value.scalar()) {
        Some(text) => text.split_whitespace().map(str::to_owned).collect(),
        None => texts(node, key),
    }
}

/// Whether a map says yes.
pub(super) fn is_true(node: &Node, key: &str) -> bool {
    text(node, key).as_deref() == Some("true")
}

/// A file, and where values are in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places<'a>(pub(super) &'a Arc<Source>);

impl Places<'_> {
    /// `FILE:LINE`.
    pub(super) fn of(self, node: &Node) -> String {
        SourceSpan::new(self.0, node.bytes.clone()).to_string()
    }
}
