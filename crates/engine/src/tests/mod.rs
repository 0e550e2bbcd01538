//! The order of a run, its failures and its cancellation, over fakes: no `go`,
//! no network, milliseconds.
#![allow(clippy::unwrap_used)]

mod execute;
mod fakes;
mod naming;
mod plan;
