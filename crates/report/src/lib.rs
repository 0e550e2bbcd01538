//! What is told of a run in files that other programs read: stable types, and
//! a page for people that shows the same. Nothing here knows how a run works.

pub mod har;
pub mod otlp;
mod page;
pub mod plan;
pub mod run;
mod timings;

pub use timings::{Counters, Image, Span, Timings};
