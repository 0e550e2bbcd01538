//! Artifact Registry and Container Registry.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair, KeySize, PublicKey};
use aws_lc_rs::signature::{self, KeyPair as _, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ko_credentials::google_identity;
use serde_json::{Value, json};
use testkit::cloud::{Reply, Request};

use crate::aws::signer;
use crate::machine::{CANARY, Machine, ask, basic, trouble};

const REGISTRY: &str = "europe-west1-docker.pkg.dev";
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const FILE: &str = "GOOGLE_APPLICATION_CREDENTIALS";

/// A key as PEM, and what checks its signatures.
pub(crate) fn rsa_key() -> (String, PublicKey) {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der = pair.as_der().unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(der.as_ref())
    );
    (pem, pair.public_key().clone())
}

/// Checks a token's signature, and returns its header and claims.
pub(crate) fn verified(token: &str, key: &PublicKey) -> (Value, Value) {
    let (text, sign) = token.rsplit_once('.').unwrap();
    let key = UnparsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, key.as_ref());
    key.verify(text.as_bytes(), &URL_SAFE_NO_PAD.decode(sign).unwrap()).unwrap();
    let part = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    let (header, claims) = text.split_once('.').unwrap();
    (part(header), part(claims))
}

fn token() -> Reply {
    Reply::json(
        &json!({ "access_token": "canary-token", "expires_in": 3599, "token_type": "Bearer" }),
    )
}

async fn known(machine: &Machine) {
    assert_eq!(ask(&*machine.clouds().google, REGISTRY).await, basic("_token", "canary-token"));
}

#[tokio::test]
async fn a_service_account_has_a_key() {
    let (pem, public) = rsa_key();
    let machine = Machine::new(move |request| {
        assert_eq!(
            (request.method.as_str(), request.url.as_str()),
            ("POST", "https://oauth2.googleapis.com/token")
        );
        let form = request.form();
        assert_eq!(form["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
        let (header, claims) = verified(&form["assertion"], &public);
        assert_eq!(header, json!({ "alg": "RS256", "typ": "JWT", "kid": "k1" }));
        assert_eq!(claims["iss"], "push@project.iam.gserviceaccount.com");
        assert_eq!(claims["scope"], SCOPE);
        assert_eq!(claims["aud"], "https://oauth2.googleapis.com/token");
        let times = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
        assert_eq!(times.1 - times.0, 3600);
        token()
    });
    let account = json!({
        "type": "service_account",
        "client_email": "push@project.iam.gserviceaccount.com",
        "private_key": pem,
        "private_key_id": "k1",
    });
    let machine = machine.named_file(FILE, "key.json", &account.to_string());
    known(&machine).await;
    let clouds = machine.clouds();
    for registry in [REGISTRY, "gcr.io", "eu.gcr.io"] {
        assert_eq!(ask(&*clouds.google, registry).await, basic("_token", "canary-token"));
    }
    assert_eq!(machine.cloud.requests().len(), 2, "one for each keychain");
}

fn user() -> Value {
    json!({
        "type": "authorized_user",
        "client_id": "client",
        "client_secret": "canary-client",
        "refresh_token": "canary-refresh",
    })
}

fn of_user(request: &Request) -> Reply {
    assert_eq!(request.url, "https://oauth2.googleapis.com/token");
    let want = [
        ("client_id", "client"),
        ("client_secret", "canary-client"),
        ("refresh_token", "canary-refresh"),
        ("grant_type", "refresh_token"),
    ];
    let want = want.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(request.form(), want.into());
    token()
}

#[tokio::test]
async fn a_user_has_logged_in() {
    let file = ".config/gcloud/application_default_credentials.json";
    known(&Machine::new(of_user).file(file, &user().to_string())).await;
}

#[tokio::test]
async fn a_token_that_is_about_to_end_is_replaced() {
    for (seconds, asked) in [(30, 2), (3599, 1)] {
        let machine = Machine::new(move |_| {
            Reply::json(&json!({ "access_token": "canary-token", "expires_in": seconds }))
        });
        let file = ".config/gcloud/application_default_credentials.json";
        let machine = machine.file(file, &user().to_string());
        let google = machine.clouds().google;
        let repository = format!("{REGISTRY}/team/app").parse().unwrap();
        assert!(google.is_good(&repository), "nobody has asked");
        for _ in 0..2 {
            assert_eq!(ask(&*google, REGISTRY).await, basic("_token", "canary-token"));
            assert_eq!(google.is_good(&repository), asked == 1);
        }
        assert_eq!(machine.cloud.requests().len(), asked);
    }
}

const IMPERSONATION: &str = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/push@p.iam.gserviceaccount.com:generateAccessToken";

/// Answers where a token of another's is exchanged, and where it is used.
fn federation(request: &Request) -> Reply {
    match request.url.as_str() {
        "https://sts.googleapis.com/v1/token" => {
            let want = [
                ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
                ("audience", "//iam/pool"),
                ("scope", SCOPE),
                ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
                ("subject_token", "canary-subject"),
                ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
            ];
            let want = want.map(|(key, value)| (key.to_owned(), value.to_owned()));
            assert_eq!(request.form(), want.into());
            Reply::json(&json!({ "access_token": "canary-federated" }))
        }
        IMPERSONATION => {
            assert_eq!(request.header("authorization"), "Bearer canary-federated");
            let body: Value = serde_json::from_str(&request.body).unwrap();
            assert_eq!(body, json!({ "scope": [SCOPE], "lifetime": "3600s" }));
            Reply::json(
                &json!({ "accessToken": "canary-token", "expireTime": "2040-01-01T00:00:00Z" }),
            )
        }
        // GitHub, as google-github-actions/auth has it asked.
        "https://pipelines.actions.githubusercontent.com/id" => {
            assert_eq!(request.parameters()["audience"], "x");
            assert_eq!(request.header("authorization"), "Bearer canary-runtime");
            Reply::json(&json!({ "value": "canary-subject" }))
        }
        url => panic!("{url}"),
    }
}

fn external(source: &Value) -> String {
    json!({
        "type": "external_account",
        "audience": "//iam/pool",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "service_account_impersonation_url": IMPERSONATION,
        "credential_source": source,
    })
    .to_string()
}

#[tokio::test]
async fn an_account_elsewhere_is_exchanged() {
    let machine = Machine::new(federation).file("subject", "canary-subject\n");
    let file = machine.path("subject").display().to_string();
    known(&machine.named_file(FILE, "file.json", &external(&json!({ "file": file })))).await;

    let url = json!({
        "url": "https://pipelines.actions.githubusercontent.com/id?audience=x",
        "headers": { "Authorization": "Bearer canary-runtime" },
        "format": { "type": "json", "subject_token_field_name": "value" },
    });
    known(&Machine::new(federation).named_file(FILE, "url.json", &external(&url))).await;

    let script = r#"test "$GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE" = //iam/pool || exit 1
test "$GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE" = urn:ietf:params:oauth:token-type:jwt || exit 2
test "$GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE" = 0 || exit 3
test "$GOOGLE_EXTERNAL_ACCOUNT_IMPERSONATED_EMAIL" = push@p.iam.gserviceaccount.com || exit 4
echo '{"version":1,"success":true,"token_type":"urn:ietf:params:oauth:token-type:jwt","id_token":"canary-subject"}'"#;
    let machine = Machine::new(federation).program("give", script);
    let command = format!("{} --flag", machine.path("bin/give").display());
    let source = json!({ "executable": { "command": command, "timeout_millis": 60000 } });
    let machine = machine.named_file(FILE, "program.json", &external(&source));
    let said = trouble(&*machine.clouds().google, REGISTRY).await;
    assert!(said.contains("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES is 1"), "{said}");
    assert_eq!(machine.runs(), Vec::<String>::new());
    let machine = machine.set("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1");
    known(&machine).await;
    assert_eq!(machine.runs(), ["give --flag"]);
}

#[tokio::test]
async fn an_account_of_aws_is_exchanged() {
    let machine = Machine::new(|request| {
        let path = request.url.splitn(4, '/').nth(3).unwrap();
        match path {
            "latest/api/token" => Reply::new(200, "canary-imds"),
            "latest/meta-data/placement/region" => {
                assert_eq!(request.header("x-aws-ec2-metadata-token"), "canary-imds");
                Reply::new(200, "eu-west-1")
            }
            "v1/token" => {
                let form = request.form();
                assert_eq!(form["subject_token_type"], "urn:ietf:params:oauth:token-type:jwt");
                let text = form_urlencoded::parse(form["subject_token"].as_bytes()).next();
                let proof: Value = serde_json::from_str(&text.unwrap().0).unwrap();
                let url = "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15";
                assert_eq!((&proof["url"], &proof["method"]), (&json!(url), &json!("POST")));
                let headers = proof["headers"].as_array().unwrap().iter();
                let headers = headers.map(|header| {
                    let part = |name: &str| header[name].as_str().unwrap().to_owned();
                    (part("key"), part("value"))
                });
                let signed = Request {
                    method: "POST".to_owned(),
                    url: "https://sts.eu-west-1.amazonaws.com/".to_owned(),
                    query: "Action=GetCallerIdentity&Version=2011-06-15".to_owned(),
                    headers: headers.collect(),
                    body: String::new(),
                };
                assert_eq!(signed.header("x-goog-cloud-target-resource"), "//iam/pool");
                let scope = "eu-west-1/sts/aws4_request".to_owned();
                assert_eq!(signer(&signed), ("AKIDENV".to_owned(), scope));
                Reply::json(&json!({ "access_token": "canary-federated" }))
            }
            _ => federation(request),
        }
    });
    let source = json!({
        "environment_id": "aws1",
        "regional_cred_verification_url":
            "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
    });
    let machine = machine
        .served("AWS_EC2_METADATA_SERVICE_ENDPOINT")
        .set("AWS_ACCESS_KEY_ID", "AKIDENV")
        .set("AWS_SECRET_ACCESS_KEY", "canary-env")
        .named_file(FILE, "aws.json", &external(&source));
    known(&machine).await;
}

#[tokio::test]
async fn a_user_acts_for_a_service_account() {
    let machine = Machine::new(|request| {
        if request.url != IMPERSONATION {
            return of_user(request);
        }
        assert_eq!(request.header("authorization"), "Bearer canary-token");
        let body: Value = serde_json::from_str(&request.body).unwrap();
        assert_eq!(body["delegates"], json!(["d"]));
        Reply::json(&json!({ "accessToken": "canary-token" }))
    });
    let account = json!({
        "type": "impersonated_service_account",
        "service_account_impersonation_url": IMPERSONATION,
        "delegates": ["d"],
        "source_credentials": user(),
    });
    known(&machine.named_file(FILE, "acts.json", &account.to_string())).await;
}

#[tokio::test]
async fn a_machine_has_a_service_account() {
    let machine = Machine::new(|request| {
        let path = "/computeMetadata/v1/instance/service-accounts/default/token";
        assert!(request.url.ends_with(path), "{request:?}");
        assert_eq!(request.header("metadata-flavor"), "Google");
        assert_eq!(request.parameters()["scopes"], SCOPE);
        token().header("Metadata-Flavor", "Google")
    });
    let host = machine.cloud.url().replace("http://", "");
    known(&machine.set("GCE_METADATA_HOST", &host)).await;
}

/// The token that says who a machine is, whose metadata are at a host.
async fn identity(host: &str, machine: Machine) -> Result<Option<String>, String> {
    let machine = machine.set("GCE_METADATA_HOST", host);
    let said = google_identity(machine.sources(), "sigstore").await;
    said.map(|token| token.map(|token| token.expose().into_owned()))
        .map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_machine_of_google_says_who_it_is() {
    let google = |status: u16| {
        Machine::new(move |request| {
            let path = "/computeMetadata/v1/instance/service-accounts/default/identity";
            assert!(request.url.ends_with(path), "{request:?}");
            assert_eq!(request.header("metadata-flavor"), "Google");
            assert_eq!(request.parameters()["audience"], "sigstore");
            Reply::new(status, "e30.canary.c2ln\n").header("Metadata-Flavor", "Google")
        })
    };
    let at = |machine: &Machine| machine.cloud.url().replace("http://", "");
    let machine = google(200);
    let said = identity(&at(&machine), machine).await;
    assert_eq!(said.unwrap().unwrap(), "e30.canary.c2ln");
    for (status, want) in [(404, "no service account"), (403, "403")] {
        let machine = google(status);
        let said = identity(&at(&machine), machine).await.unwrap_err();
        assert!(said.contains(want) && !said.contains(CANARY), "{said}");
    }
    // Somebody else's server, nobody, and where that is known beforehand.
    let machine = Machine::new(|_| Reply::new(200, "e30.canary.c2ln"));
    let said = identity(&at(&machine), machine).await.unwrap_err();
    assert!(said.contains("not Google's"), "{said}");
    assert!(identity("127.0.0.1:1", Machine::silent()).await.is_err());
    let machine = Machine::silent().set("NO_GCE_CHECK", "true");
    assert_eq!(identity("127.0.0.1:1", machine).await, Ok(None));
}

#[tokio::test]
async fn gcloud_is_asked_last() {
    let script = r#"echo '{"credential":{"access_token":"canary-token","token_expiry":"x"}}'"#;
    let machine =
        Machine::silent().set("GCE_METADATA_HOST", "127.0.0.1:1").program("gcloud", script);
    known(&machine).await;
    let want = "gcloud config config-helper --force-auth-refresh --format=json(credential)";
    assert_eq!(machine.runs(), [want]);
}

#[tokio::test]
async fn what_goes_wrong_is_said_without_secrets() {
    let (pem, _) = rsa_key();
    let account = |key: &str| {
        let key = format!("{key}\n");
        json!({ "type": "service_account", "client_email": "e", "private_key": key }).to_string()
    };
    for (text, want) in [
        ("{".to_owned(), "it is not JSON (line 1, column 1)"),
        ("{}".to_owned(), "type is missing"),
        (r#"{"type":"x"}"#.to_owned(), "type \"x\" is not known"),
        (
            r#"{"type":"service_account","client_email":"e"}"#.to_owned(),
            "missing field `private_key`",
        ),
        (
            r#"{"type":"authorized_user","client_id":["canary"]}"#.to_owned(),
            "a field has the wrong type",
        ),
        (account("canary"), "private_key: no private key in PEM"),
        (
            external(&json!({ "environment_id": "aws1" })),
            "regional_cred_verification_url is missing",
        ),
        (external(&json!({ "file": "/nowhere/subject" })), "/nowhere/subject: No such file"),
    ] {
        let machine = Machine::silent().named_file(FILE, "a.json", &text);
        let said = trouble(&*machine.clouds().google, REGISTRY).await;
        assert!(said.contains(want), "{text}: {said}");
    }
    let machine = Machine::new(|_| {
        Reply::new(400, r#"{"error":"invalid_grant","error_description":"expired\ncanary"}"#)
    });
    let machine = machine
        .named_file(FILE, "a.json", &account(&pem))
        .program("gcloud", "echo 'ERROR: no account' >&2; exit 1");
    let said = trouble(&*machine.clouds().google, REGISTRY).await;
    let want = "no credentials for Google Cloud: https://oauth2.googleapis.com/token: 400 \
                invalid_grant: expired; gcloud: exit status: 1: ERROR: no account";
    assert_eq!(said, want);
}
