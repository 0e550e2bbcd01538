//! The command from the outside: what it prints, what it asks of registries,
//! what it leaves behind, and that what it makes runs.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod architecture;
mod archives;
mod arguments;
mod attach;
mod bases;
mod cache;
mod canaries;
mod cgo;
mod clouds;
mod clusters;
mod completion;
mod compression;
mod config;
mod containers;
mod cosign;
mod counters;
mod debug;
mod destinations;
mod engines;
mod errors;
mod fixture;
mod freshness;
mod groups;
mod images;
mod kind;
mod kubectl;
mod kubernetes;
mod leftovers;
mod limits;
mod local;
mod login;
mod manifests;
mod memory;
mod naming;
mod no_build_info;
mod outputs;
mod platforms;
mod processes;
mod real_registries;
mod registries;
mod reproducible;
mod requests;
mod rooms;
mod sbom;
mod secrets;
mod services;
mod spy;
mod ssh;
mod streams;
mod surroundings;
mod timings;
mod traces;
mod windows;
