//! Writes the archives that container engines and other tools read: Docker's
//! and OCI's.

pub(crate) mod docker;
mod inflate;
pub(crate) mod member;
pub(crate) mod oci;
