//! podman's `registries.conf`.
#![no_main]
#![allow(
    dead_code,
    unused_imports,
    reason = "modules of another crate, of which this takes a part"
)]

include!("../command.rs");

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

/// A directory, and its `.ko.yaml`, which asks for the file.
static PROJECT: LazyLock<(PathBuf, config::Config)> = LazyLock::new(|| {
    let dir = memory().join("registries");
    std::fs::create_dir_all(&dir).expect("memory");
    std::fs::write(dir.join(".ko.yaml"), "registriesConf: true\n").expect("memory");
    let process = environment::Process::read().at(&dir);
    let config = config::Config::read(&process, &dir).expect("it is right");
    (dir, config)
});

fuzz_target!(|bytes: &[u8]| {
    let (dir, config) = &*PROJECT;
    let named = dir.join("registries.conf");
    std::fs::write(&named, bytes).expect("memory");
    let places = config::RegistriesConfPlaces { named: Some(named), dirs: Vec::new() };
    match config.registries(&places, Vec::new(), dir) {
        Ok(registries) => drop(format!("{registries:?}")),
        Err(error) => assert!(error.message().contains("registries.conf"), "{}", error.message()),
    }
});
