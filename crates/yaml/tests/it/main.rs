//! The crate against ko 0.19.1, kubectl's reader, the YAML test suite, real
//! manifests and random ones.
#![allow(clippy::unwrap_used)]

mod corpus;
mod go;
mod random;
mod refused;
mod selection;
mod splicing;
mod streams;
mod suite;
mod support;
