//! The configuration of docker and podman: nobody gets the credentials of another host,
//! and none are in what is printed. Helpers that it names cannot be started: there is no
//! `PATH`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use registry::{Credential, DockerConfig, DockerPlaces, Keychain as _, Secret};

thread_local! {
    static RUNTIME: tokio::runtime::Runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
}

/// What a file has to say somewhere before it can be about a host.
fn is_about(text: &str, host: &str) -> bool {
    // Letters can be escaped.
    let names: &[&str] = if host == "index.docker.io" { &["docker.io"] } else { &[host] };
    text.contains('\\') || names.iter().any(|name| text.contains(name))
}

fuzz_target!(|text: &str| {
    let places =
        DockerPlaces { docker_auth_config: Some(Secret::new(text)), ..DockerPlaces::default() };
    let config = DockerConfig::new(places);
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            for name in ["registry.example.com/team/app", "library/busybox", "localhost:5000/x"] {
                let repository: oci::Repository = name.parse().expect("a repository");
                let Ok(credential) = config.resolve(&repository).await else { continue };
                if !matches!(credential, Credential::Anonymous) {
                    assert!(is_about(text, repository.registry().as_str()), "{credential:?}");
                }
                if let Credential::Basic { user, password } = &credential {
                    let password = password.expose();
                    let is_apart = password.len() > 8 && !user.contains(&*password);
                    assert!(!is_apart || !format!("{credential:?}").contains(&*password));
                }
                let _ = config.registry(repository.registry()).await;
            }
        });
    });
});
