//! What all keychains have in common.

use ko_credentials::GitLab;
use registry::{Credential, Secret};

use crate::machine::{Machine, ask, basic};

const ECR: &str = "123456789012.dkr.ecr.us-west-2.amazonaws.com";

/// Nothing is read, run or asked: malformed files and programs that would note
/// it lie about.
#[tokio::test]
async fn a_cloud_is_not_asked_about_a_foreign_registry() {
    let machine = Machine::silent()
        .file(".aws/config", "malformed")
        .named_file("GOOGLE_APPLICATION_CREDENTIALS", "key.json", "malformed")
        .program("gcloud", "exit 1")
        .program("az", "exit 1");
    let clouds = machine.clouds();
    let names = [ECR, "gcr.io", "team.azurecr.io"];
    let keychains = [&clouds.ecr, &clouds.google, &clouds.acr];
    for (at, keychain) in keychains.into_iter().enumerate() {
        let others = ["index.docker.io", "ghcr.io", "localhost:5000", "mcr.microsoft.com"];
        let clouds = names.iter().enumerate().filter(|(of, _)| *of != at).map(|(_, name)| *name);
        for registry in others.into_iter().chain(clouds) {
            assert_eq!(ask(&**keychain, registry).await, Credential::Anonymous, "{registry}");
            let repository = format!("{registry}/team/app").parse().unwrap();
            assert!(keychain.trouble(&repository).is_none(), "{registry}");
        }
    }
    assert_eq!(machine.runs(), Vec::<String>::new());
    assert!(machine.cloud.requests().is_empty());
}

#[tokio::test]
async fn gitlab_gives_its_credentials_to_the_registry_that_it_names() {
    let gitlab = GitLab {
        registry: "registry.gitlab.com".to_owned(),
        user: "job".to_owned(),
        password: Secret::new("canary-job"),
    };
    assert_eq!(ask(&gitlab, "registry.gitlab.com").await, basic("job", "canary-job"));
    for other in ["registry.gitlab.com:5000", "evil-registry.gitlab.com", "gitlab.com"] {
        assert_eq!(ask(&gitlab, other).await, Credential::Anonymous, "{other}");
    }
}
