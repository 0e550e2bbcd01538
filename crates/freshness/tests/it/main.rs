//! What is recorded of real builds, and what then makes them stale.
#![allow(clippy::unwrap_used)]
#![cfg(unix)]

mod files;
mod fixture;
mod outline;
mod places;
mod portable;
mod releases;
mod rows;
mod settings;
mod site;
mod times;
mod walk;
