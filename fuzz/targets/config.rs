//! `.ko.yaml` and `.ko.toml`: what is read can be shown and made into options, and every
//! error can be told.
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

static DIRS: LazyLock<[PathBuf; 2]> = LazyLock::new(|| {
    ["yaml", "toml"].map(|extension| {
        let dir = memory().join(extension);
        std::fs::create_dir_all(&dir).expect("memory");
        dir
    })
});

fn told(error: &error::CommandError) {
    assert!(!error.message().is_empty());
    let _ = (shown::shown(error.message()), error.hint_text());
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&format, text)) = bytes.split_first() else { return };
    let (dir, name) = match format % 2 {
        0 => (&DIRS[0], ".ko.yaml"),
        _ => (&DIRS[1], ".ko.toml"),
    };
    std::fs::write(dir.join(name), text).expect("memory");
    let process = environment::Process::read().at(dir);
    let config = match config::Config::read(&process, dir) {
        Ok(config) => config,
        Err(error) => return told(&error),
    };
    let _ = config.warning();
    if let Err(error) = config.max_base_age() {
        told(&error);
    }
    let places = config::RegistriesConfPlaces::default();
    if let Err(error) = config.registries(&places, Vec::new(), dir) {
        told(&error);
    }
    match config.build_options(&config.default_ldflags) {
        Ok(options) => assert_eq!(options.builds.len(), config.builds.len()),
        Err(error) => told(&error),
    }
});
