//! Represents a configuration file as a tree, the same for every format: values
//! keep their positions, and keys their spelling. It does not know what the keys
//! mean.

use std::ops::Range;
use std::rc::Rc;

/// A value of the file, and where it is.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Shared by all aliases.
    pub(crate) value: Rc<Value>,
    /// In bytes of the file.
    pub(crate) bytes: Range<usize>,
}

impl Node {
    pub(crate) fn new(value: Value, bytes: Range<usize>) -> Self {
        Self { value: Rc::new(value), bytes }
    }

    /// The text, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match &*self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// What a value is.
#[derive(Debug)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

/// Why a file is no tree.
#[derive(Debug)]
pub(crate) struct SyntaxError {
    pub(crate) message: String,
    /// In bytes of the file, where it is known.
    pub(crate) bytes: Option<Range<usize>>,
}

impl Value {
    /// The text that a scalar stands for where text is wanted; `None` for
    /// lists and maps.
    pub(crate) fn scalar(&self) -> Option<String> {
        match self {
            Value::Null => Some(String::new()),
            Value::Bool(value) => Some(value.to_string()),
            Value::Integer(value) => Some(value.to_string()),
            // Shortest, and without an exponent, which is as ko has it.
            Value::Float(value) => Some(value.to_string()),
            Value::Text(text) => Some(text.clone()),
            Value::List(_) | Value::Map(_) => None,
        }
    }

    /// What it is called in messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Integer(_) | Value::Float(_) => "a number",
            Value::Text(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}
