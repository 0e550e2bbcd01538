//! Runs shared work once for all who ask for it. [`OnceMap`] starts work by key
//! and keeps every result; [`SingleFlight`] makes one value, and forgets a
//! failure.

mod map;
mod single;

pub use map::OnceMap;
pub use single::SingleFlight;
