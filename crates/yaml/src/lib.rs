//! Kubernetes YAML as `ko resolve` needs it: finding the `ko://` references of
//! a file, putting images in their place, and dropping what a label selector
//! does not match, while every other byte stays as the user wrote it. This
//! crate knows nothing of images, files or networks.
//!
//! # One parse, then edits
//!
//! [`to_utf8`] takes files of other encodings. [`File::parse`] reads the whole text once: it refuses what is not YAML and
//! lists the references with the bytes they occupy. [`File::select`] marks
//! documents and list items as dropped. [`File::splice`] and
//! [`File::manifest`] then describe the output as the user's own bytes with
//! edits between them ([`Spliced`]), so that an output costs no second copy of
//! the text. A `File` borrows the text and holds, besides, one record per
//! document and per reference; aliases are never expanded, so memory does not
//! depend on what they would expand to. An [`Outline`] keeps the result of the parse for
//! the same text. Only [`File::select`] looks at data,
//! and keeps of it the five outermost levels of one document at a time.
//!
//! # What is a reference
//!
//! A scalar whose tag resolves to `!!str` (YAML 1.2.2, core schema) and whose
//! value starts with `ko://`: in any style, keys too, anchored or not, however
//! it is escaped. The reference is the value without blanks around it. An
//! alias is not a reference: it follows the anchored scalar that it names.
//! [`Mode::Embedded`] adds those inside longer strings ([`Mode`]).
//!
//! # How streams are joined
//!
//! A file that [`File::splice`] returns is the user's. For a stream of several
//! files that another program reads, [`File::manifest`] makes the smallest
//! changes after which outputs can be concatenated, and after which
//! `kubectl`'s splitter, which cuts at lines that start with `---` before it
//! parses, finds the documents that a YAML parser finds:
//!
//! - every file ends with the line `---`; a last line without a line break gets
//!   one, and where that would add a line feed to a block scalar its header
//!   says `-`;
//! - byte-order marks before documents are left out;
//! - `%YAML` and reserved directives, which say nothing that matters here, are
//!   left out; `%TAG` stays, and the document that has it is preceded by `...`;
//! - content on the line of a `---` moves to the next line;
//! - a document that only a `...` divides from the one before gets a `---`.
//!
//! A file that itself starts with `---` thereby makes an empty document, as an
//! empty file does; readers of Kubernetes manifests skip those.

mod block;
mod document;
mod edit;
mod embedded;
mod encoding;
mod error;
mod file;
mod found;
mod framing;
mod node;
mod outline;
mod parts;
mod quoted;
mod schema;
mod select;
mod selector;
mod splice;
mod text;

pub use document::Document;
pub use edit::Spliced;
pub use encoding::to_utf8;
pub use error::{Error, Problem, Unfit};
pub use file::{File, Mode, Source};
pub use found::{Extent, Found, Style};
pub use outline::Outline;
pub use selector::{Requirement, Selector, SelectorError};
pub use text::Position;
