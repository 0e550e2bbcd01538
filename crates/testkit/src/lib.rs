//! What the tests and benchmarks of this workspace share: an OCI registry in
//! process, a Kubernetes API server, engines, base images, Go modules and a
//! sandbox for the command.
//!
//! It is a development dependency only. It knows nothing of the crates under
//! test (digests are plain strings here), so that a mistake in them cannot
//! hide in their own fixtures. Set-up that fails panics: there is no test to
//! continue.
#![allow(
    clippy::disallowed_methods,
    reason = "a sandbox hands parts of the caller's environment on"
)]

pub mod azure;
pub mod base;
pub mod cgroup;
pub mod cloud;
mod digest;
pub mod docker;
#[cfg(unix)]
pub mod image_store;
pub mod kind;
pub mod kube;
pub mod link;
pub mod module;
mod random;
pub mod registry;
pub mod sandbox;
pub mod service;
#[cfg_attr(not(unix), path = "tap_elsewhere.rs")]
pub mod tap;
pub mod tokens;
pub mod trace;

pub use digest::sha256;
