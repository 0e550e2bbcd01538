//! The keychains, against a server that plays all servers of a cloud, and
//! checks each field and signature that it is sent.
#![allow(clippy::unwrap_used)]

mod aws;
mod azure;
mod clouds;
mod google;
mod machine;
