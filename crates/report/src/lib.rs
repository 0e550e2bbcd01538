//! What is told of a run, and of what builds depend on, to other programs: stable
//! types, and a text or a page for people that shows the same. Nothing here knows how
//! a run works.

mod doctor;
pub mod har;
pub mod otlp;
mod page;
pub mod plan;
pub mod run;
mod timings;
pub mod verification;

pub use doctor::{Check, Doctor, Status};
pub use timings::{Counters, Image, SharedCache, Span, Timings};

/// A document as JSON, with a line end.
fn document(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).expect("there are no keys but names") + "\n"
}
