//! The fixtures are tested too: a test that trusts a broken one proves
//! nothing.
#![allow(clippy::unwrap_used)]

mod auth;
mod base;
mod client;
mod faults;
mod module;
mod push_pull;
mod sandbox;
mod skopeo;
mod strict;
mod tls;
