//! Work that others wait for. [`OnceMap`] starts shared work by key and keeps every
//! result; [`SingleFlight`] makes one value, and forgets a failure; [`blocking()`] runs
//! work that waits for files on a thread of its own.

mod blocking;
mod map;
mod single;

pub use blocking::{blocking, joined};
pub use map::OnceMap;
pub use single::SingleFlight;
