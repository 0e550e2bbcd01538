//! Writes the archives that container engines and other tools read: Docker's
//! and OCI's.

pub(crate) mod docker;
pub(crate) mod member;
pub(crate) mod oci;
