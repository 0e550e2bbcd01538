//! Azure Container Registry.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{CertificateParams, KeyPair};
use registry::{Credential, Secret};
use serde_json::json;
use testkit::cloud::{Reply, Request};

use crate::google::{rsa_key, verified};
use crate::machine::{Machine, ask, trouble};

const REGISTRY: &str = "team.azurecr.io";
const ENTRA: &str = "https://login.microsoftonline.com/tenant-1/oauth2/v2.0/token";
const RESOURCE: &str = "https://management.azure.com/";

fn exchange(request: &Request, tenant: Option<&str>) -> Reply {
    assert_eq!(request.method, "POST");
    assert_eq!(request.url, "https://team.azurecr.io/oauth2/exchange");
    let form = request.form();
    assert_eq!(form["grant_type"], "access_token");
    assert_eq!(form["service"], REGISTRY);
    assert_eq!(form["access_token"], "canary-entra");
    assert_eq!(form.get("tenant").map(String::as_str), tenant);
    assert_eq!(form.len(), 3 + usize::from(tenant.is_some()));
    Reply::json(&json!({ "refresh_token": "canary-refresh" }))
}

fn token() -> Reply {
    Reply::json(&json!({ "access_token": "canary-entra", "expires_in": 3599 }))
}

async fn known(machine: &Machine) {
    let want = Credential::IdentityToken(Secret::new("canary-refresh"));
    assert_eq!(ask(&*machine.clouds().acr, REGISTRY).await, want);
}

/// An application: `check` looks at the form that asks for its token.
fn principal(
    entra: &'static str,
    check: impl Fn(&std::collections::BTreeMap<String, String>) + Send + Sync + 'static,
) -> Machine {
    let machine = Machine::new(move |request| {
        if request.url.ends_with("/oauth2/exchange") {
            return exchange(request, Some("tenant-1"));
        }
        assert_eq!((request.method.as_str(), request.url.as_str()), ("POST", entra));
        let form = request.form();
        assert_eq!(form["grant_type"], "client_credentials");
        assert_eq!(form["client_id"], "client-1");
        assert_eq!(form["scope"], "https://management.azure.com/.default");
        check(&form);
        token()
    });
    machine.set("AZURE_CLIENT_ID", "client-1").set("AZURE_TENANT_ID", "tenant-1")
}

#[tokio::test]
async fn an_application_has_a_secret() {
    let machine = principal(ENTRA, |form| {
        assert_eq!(form["client_secret"], "canary-secret");
        assert_eq!(form.len(), 4);
    });
    known(&machine.set("AZURE_CLIENT_SECRET", "canary-secret")).await;
    let entra = "https://login.example.com/tenant-1/oauth2/v2.0/token";
    let machine = principal(entra, |_| ())
        .set("AZURE_CLIENT_SECRET", "canary-secret")
        .set("AZURE_AUTHORITY_HOST", "https://login.example.com/");
    known(&machine).await;
}

#[tokio::test]
async fn an_application_has_a_certificate() {
    let (pem, public) = rsa_key();
    let pair = KeyPair::from_pem(&pem).unwrap();
    let certificate = CertificateParams::new([]).unwrap().self_signed(&pair).unwrap();
    let der = certificate.der().to_vec();
    let machine = principal(ENTRA, move |form| {
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        assert_eq!(form["client_assertion_type"], kind);
        let (header, claims) = verified(&form["client_assertion"], &public);
        let print = |algorithm| URL_SAFE_NO_PAD.encode(digest(algorithm, &der));
        assert_eq!(header["alg"], "RS256");
        assert_eq!(header["x5t"], print(&SHA1_FOR_LEGACY_USE_ONLY));
        assert_eq!(header["x5t#S256"], print(&SHA256));
        assert_eq!(claims["aud"], ENTRA);
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!("client-1"), &json!("client-1")));
        assert!(claims["jti"].as_str().unwrap().len() > 8);
        assert!(claims["exp"].as_i64().unwrap() > claims["nbf"].as_i64().unwrap());
    });
    let text = format!("{}{pem}", certificate.pem());
    known(&machine.named_file("AZURE_CLIENT_CERTIFICATE_PATH", "client.pem", &text)).await;
}

#[tokio::test]
async fn an_application_has_a_token_of_another_one() {
    let check = |form: &std::collections::BTreeMap<String, String>| {
        assert_eq!(form["client_assertion"], "canary-jwt");
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        assert_eq!(form["client_assertion_type"], kind);
    };
    known(&principal(ENTRA, check).set("AZURE_FEDERATED_TOKEN", "canary-jwt")).await;
    let machine = principal(ENTRA, check);
    known(&machine.named_file("AZURE_FEDERATED_TOKEN_FILE", "jwt", "canary-jwt\n")).await;
}

#[tokio::test]
async fn a_machine_has_an_identity() {
    let machine = Machine::new(|request| {
        if request.url.ends_with("/oauth2/exchange") {
            return exchange(request, None);
        }
        assert!(request.url.ends_with("/metadata/identity/oauth2/token"), "{request:?}");
        assert_eq!(request.header("metadata"), "true");
        let want =
            [("api-version", "2018-02-01"), ("resource", RESOURCE), ("client_id", "client-1")];
        let want = want.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(request.parameters(), want.into());
        token()
    });
    let machine =
        machine.served("AZURE_POD_IDENTITY_AUTHORITY_HOST").set("AZURE_CLIENT_ID", "client-1");
    known(&machine).await;
}

#[tokio::test]
async fn a_service_has_an_identity() {
    let machine = Machine::new(|request| {
        if request.url.ends_with("/oauth2/exchange") {
            return exchange(request, Some("tenant-1"));
        }
        assert!(request.url.ends_with("/msi/token"), "{request:?}");
        assert_eq!(request.header("x-identity-header"), "canary-header");
        let want = [("api-version", "2019-08-01"), ("resource", RESOURCE)];
        let want = want.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(request.parameters(), want.into());
        token()
    });
    let url = format!("{}/msi/token", machine.cloud.url());
    let machine = machine
        .set("IDENTITY_ENDPOINT", &url)
        .set("IDENTITY_HEADER", "canary-header")
        .set("AZURE_TENANT_ID", "tenant-1");
    known(&machine).await;
}

#[tokio::test]
async fn az_is_asked_last() {
    let machine = Machine::new(|request| exchange(request, Some("tenant-2")))
        .set("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1")
        .program("az", r#"echo '{"accessToken":"canary-entra","tenant":"tenant-2"}'"#);
    known(&machine).await;
    let want = "az account get-access-token --output json --resource https://management.azure.com/";
    assert_eq!(machine.runs(), [want]);
}

#[tokio::test]
async fn the_cloud_of_the_host_is_asked() {
    let machine = Machine::new(|request| match request.url.as_str() {
        "https://login.chinacloudapi.cn/tenant-1/oauth2/v2.0/token" => {
            assert_eq!(request.form()["scope"], "https://management.chinacloudapi.cn/.default");
            token()
        }
        "https://team.azurecr.cn/oauth2/exchange" => {
            Reply::json(&json!({ "refresh_token": "canary-refresh" }))
        }
        url => panic!("{url}"),
    });
    let machine = machine
        .set("AZURE_CLIENT_ID", "client-1")
        .set("AZURE_TENANT_ID", "tenant-1")
        .set("AZURE_CLIENT_SECRET", "canary-secret");
    let want = Credential::IdentityToken(Secret::new("canary-refresh"));
    assert_eq!(ask(&*machine.clouds().acr, "team.azurecr.cn").await, want);
}

#[tokio::test]
async fn what_goes_wrong_is_said_without_secrets() {
    let refused =
        r#"{"error":"invalid_client","error_description":"AADSTS7000215: bad secret\ncanary"}"#;
    let machine = Machine::new(move |_| Reply::new(401, refused))
        .set("AZURE_CLIENT_ID", "client-1")
        .set("AZURE_TENANT_ID", "tenant-1")
        .set("AZURE_CLIENT_SECRET", "canary-secret");
    let said = trouble(&*machine.clouds().acr, REGISTRY).await;
    let want = format!(
        "no credentials for Azure Container Registry: {ENTRA}: 401 invalid_client: AADSTS7000215: bad secret"
    );
    assert_eq!(said, want);

    let errors = r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#;
    let machine =
        Machine::new(
            move |request| {
                if request.url == ENTRA { token() } else { Reply::new(401, errors) }
            },
        );
    let machine = machine
        .set("AZURE_CLIENT_ID", "client-1")
        .set("AZURE_TENANT_ID", "tenant-1")
        .set("AZURE_CLIENT_SECRET", "canary-secret");
    let said = trouble(&*machine.clouds().acr, REGISTRY).await;
    let want = "https://team.azurecr.io/oauth2/exchange: 401 UNAUTHORIZED: authentication required";
    assert!(said.ends_with(want), "{said}");
}
