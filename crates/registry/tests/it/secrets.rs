//! Whatever goes wrong, no secret is in what can be printed.

use std::error::Error;

use ko_registry::{BlobSource, Credential, PushHint, RegistryError, Secret};
use oci::MediaType;
use testkit::registry::{Auth, Bearer, Class, Fault, Rule, TestRegistry};

use crate::{PASSWORD, USER, basic, blob, client, reference, repository, store};

/// Everything that an error can say.
pub(crate) fn said(error: &RegistryError) -> String {
    let mut text = format!("{error:?}");
    let mut next: Option<&dyn Error> = Some(error);
    while let Some(error) = next {
        text.push_str(&format!("\n{error}"));
        next = error.source();
    }
    text
}

#[test]
fn secrets_and_clients_are_redacted() {
    let secret = Secret::new(PASSWORD);
    for credential in [
        basic(),
        Credential::IdentityToken(secret.clone()),
        Credential::RegistryToken(secret.clone()),
    ] {
        let text = format!("{credential:?} {secret} {:?}", client(credential.clone()));
        assert!(!text.contains(PASSWORD) && text.contains("REDACTED"), "{text}");
    }
}

#[tokio::test]
async fn no_error_tells_a_secret() {
    let secret = Secret::new(PASSWORD);
    let encoded = "YnVpbGRlcjpodW50ZXIy";
    let credentials = [
        basic(),
        Credential::IdentityToken(secret.clone()),
        Credential::RegistryToken(secret.clone()),
        Credential::RegistryToken(Secret::new(format!("{PASSWORD}\n"))),
    ];
    let garbled = Fault::Respond {
        status: 200,
        headers: Vec::new(),
        body: format!("{{\"token\":\"{PASSWORD}\", ").into(),
    };
    let elsewhere = Fault::SetHeaders(vec![(
        "location".to_owned(),
        format!("http://{USER}:{PASSWORD}@10.0.0.1/x?sig={PASSWORD}#{PASSWORD}"),
    )]);
    let rules = [
        Rule::new(Fault::status(400, "UNKNOWN")).class(Class::Token),
        Rule::new(Fault::Cut).class(Class::Token),
        Rule::new(garbled).class(Class::Token),
        Rule::new(elsewhere).class(Class::UploadPost),
        Rule::new(Fault::Cut).class(Class::UploadPut),
        Rule::new(Fault::CutResponse(3)),
        Rule::new(Fault::status(401, "UNAUTHORIZED")),
        Rule::new(Fault::status(403, "DENIED")),
        Rule::new(Fault::CorruptBody),
    ];
    let identity_token = Some(PASSWORD.to_owned());
    let bearer = Bearer { identity_token, ..Bearer::new(USER, PASSWORD) };
    let kinds = [
        Auth::Bearer(bearer),
        Auth::Bearer(Bearer::new(USER, "other")),
        Auth::Basic { user: USER.to_owned(), password: "other".to_owned() },
    ];
    let (content, descriptor) = blob(1000);
    let mut errors = 0;
    for auth in kinds {
        let registry = TestRegistry::builder().auth(auth).start();
        for rule in &rules {
            registry.inject(rule.clone());
            for credential in &credentials {
                let client = client(credential.clone());
                let name = repository(&registry, "app");
                let source = BlobSource::Bytes(content.clone().into());
                let tag = reference(&registry, "app");
                let (_dir, store) = store();
                let failed = [
                    client.manifest(&tag).await.err(),
                    client.push_blob(&name, &descriptor, &source, None, PushHint::New).await.err(),
                    client.pull_blob(&name, &descriptor, &store).await.err(),
                    client
                        .push_manifest(&tag, &MediaType::OCI_MANIFEST.into(), "[]".into())
                        .await
                        .err(),
                ];
                for error in failed.into_iter().flatten() {
                    let text = said(&error);
                    assert!(!text.contains(PASSWORD) && !text.contains(encoded), "{text}");
                    errors += 1;
                }
                assert!(!format!("{client:?}").contains(PASSWORD));
            }
            registry.clear_faults();
        }
    }
    assert!(errors > 200, "{errors}");
}
