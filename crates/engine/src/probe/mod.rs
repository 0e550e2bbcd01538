//! Looks at what runs need, one by one and before anything is built: go, container
//! engines, the nodes of clusters, registries. Nothing stays changed.

mod engines;
mod go;
mod registries;

pub use self::engines::{FoundEngine, container_engine, nodes};
pub(crate) use self::go::Ends;
pub use self::go::{FoundGo, GoProblem, go, unknown_platforms};
pub use self::registries::{RegistryProbe, RegistryProblem, Skew, repository};
