//! What is written of a run: the shape of the JSON, and a page that is safe
//! and whole.

mod doctor;
mod run;
mod timings;
