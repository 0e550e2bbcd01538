//! The configuration of docker and podman. Helpers that it names cannot be started: there
//! is no `PATH`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use registry::{DockerConfig, DockerPlaces, Keychain as _, Secret};

thread_local! {
    static RUNTIME: tokio::runtime::Runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
}

fuzz_target!(|text: &str| {
    let places =
        DockerPlaces { docker_auth_config: Some(Secret::new(text)), ..DockerPlaces::default() };
    let config = DockerConfig::new(places);
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            for name in ["registry.example.com/team/app", "library/busybox", "localhost:5000/x"] {
                let repository: oci::Repository = name.parse().expect("a repository");
                if let Ok(credential) = config.resolve(&repository).await {
                    let _ = format!("{credential:?}");
                }
                let _ = config.registry(repository.registry()).await;
            }
        });
    });
});
