//! Tokens that are handed on.

use ko_registry::{Access, Credential, RegistryError, Secret};
use testkit::registry::{Auth, Bearer, Class, TestRegistry};

use crate::{PASSWORD, USER, anonymous, basic, client, repository};

fn bearer() -> TestRegistry {
    TestRegistry::builder().auth(Auth::Bearer(Bearer::new(USER, PASSWORD))).start()
}

#[tokio::test]
async fn a_token_is_for_the_repository_and_its_mounts() {
    let registry = bearer();
    let (app, base) = (repository(&registry, "team/app"), repository(&registry, "base"));
    for (access, mounts, scopes) in [
        (Access::Pull, vec![], vec!["repository:team/app:pull"]),
        (Access::Push, vec![base], vec!["repository:base:pull", "repository:team/app:push,pull"]),
    ] {
        registry.reset();
        let grant = client(basic()).token(&app, access, &mounts).await.unwrap();
        assert!(grant.token.expose().starts_with("testkit-token-"));
        assert_eq!(grant.any(), &grant.access_token);
        assert_eq!(grant.expires_in, Some(300.0));
        let requests = registry.requests_of(Class::Token);
        let [request] = &requests[..] else { panic!("{requests:?}") };
        for scope in scopes {
            let value = scope.replace(':', "%3A").replace('/', "%2F").replace(',', "%2C");
            assert!(request.query.contains(&value), "{}", request.query);
        }
    }
}

#[tokio::test]
async fn a_token_that_is_configured_is_the_token() {
    let registry = bearer();
    let client = client(Credential::RegistryToken(Secret::new("own")));
    let grant = client.token(&repository(&registry, "app"), Access::Pull, &[]).await.unwrap();
    assert_eq!((&*grant.any().expose(), grant.expires_in), ("own", None));
}

#[tokio::test]
async fn not_every_registry_gives_tokens() {
    let auth = Auth::Basic { user: USER.to_owned(), password: PASSWORD.to_owned() };
    for (registry, want) in [
        (TestRegistry::builder().auth(auth).start(), "challenge scheme \"basic\" is not bearer: "),
        (TestRegistry::start(), "challenge scheme \"\" is not bearer: "),
    ] {
        let token = client(basic()).token(&repository(&registry, "app"), Access::Pull, &[]).await;
        let error = token.unwrap_err();
        assert!(matches!(error, RegistryError::NoTokens { .. }));
        assert_eq!(error.to_string(), format!("{want}{} gives no tokens", registry.host()));
    }
}

#[tokio::test]
async fn nobody_gets_no_token() {
    let registry = bearer();
    let token = anonymous().token(&repository(&registry, "app"), Access::Pull, &[]).await;
    assert!(token.unwrap_err().is_unauthorized());
}
