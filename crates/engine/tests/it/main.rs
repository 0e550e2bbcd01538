//! The engine as a library: same inputs give the same images, whatever is
//! cached and however many threads there are, and nothing is done twice.
#![allow(clippy::unwrap_used)]

mod cancel;
mod checks;
mod determinism;
mod fixture;
mod locks;
mod sharing;
mod tags;
