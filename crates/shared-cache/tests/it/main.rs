//! Shared caches over storages that are really there.
#![allow(clippy::unwrap_used)]

mod conformance;
mod faults;
mod file;
mod google;
mod objects;
mod oci_registry;
mod program;
mod reapi;
