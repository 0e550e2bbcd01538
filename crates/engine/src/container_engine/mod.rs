//! Talks to container engines that speak Docker's protocol: finds one, and loads
//! images into it without the layers that it already has.

mod archive;
mod client;
mod endpoint;
mod error;
mod group;
mod load;
mod places;
mod ssh;

pub(crate) use self::client::Engine as ContainerEngine;
pub use self::error::DaemonError;
pub(crate) use self::load::{Loaded, load};
pub use self::places::{EngineKind, EnginePlaces};
