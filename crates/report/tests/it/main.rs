//! What is written of a run: the shape of the JSON, and a page that is safe
//! and whole.
#![allow(clippy::unwrap_used)]

mod doctor;
mod run;
mod timings;
