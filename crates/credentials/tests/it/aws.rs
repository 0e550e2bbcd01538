//! Elastic Container Registry.

use std::fmt::Write as _;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use registry::Credential;
use serde_json::{Value, json};
use testkit::cloud::{Reply, Request};

use crate::machine::{Machine, ask, basic, trouble};

const REGISTRY: &str = "123456789012.dkr.ecr.us-west-2.amazonaws.com";
const API: &str = "https://api.ecr.us-west-2.amazonaws.com/";

/// The secret keys of this file, by the key's name.
const KEYS: [(&str, &str); 2] = [("AKIDENV", "canary-env"), ("AKIDROLE", "canary-role")];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Checks a signature, and returns the key that signed, and for what.
pub(crate) fn signer(request: &Request) -> (String, String) {
    let authorization = request.header("authorization");
    let rest = authorization.strip_prefix("AWS4-HMAC-SHA256 Credential=").unwrap();
    let (credential, rest) = rest.split_once(", SignedHeaders=").unwrap();
    let (names, signature) = rest.split_once(", Signature=").unwrap();
    let (id, scope) = credential.split_once('/').unwrap();
    let secret = KEYS.iter().find(|(known, _)| *known == id).unwrap().1;
    let path = format!("/{}", request.url.splitn(4, '/').nth(3).unwrap());
    let mut canonical = format!("{}\n{path}\n{}\n", request.method, request.query);
    for name in names.split(';') {
        let _ = writeln!(canonical, "{name}:{}", request.header(name));
    }
    let sha = |text: &str| hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    let _ = write!(canonical, "\n{names}\n{}", sha(&request.body));
    let time = request.header("x-amz-date");
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", sha(&canonical));
    let mac = |key: &[u8], text: &str| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
    };
    let first = format!("AWS4{secret}").into_bytes();
    let key = scope.split('/').fold(first, |key, part| mac(&key, part));
    assert_eq!(signature, hex(&mac(&key, &text)), "{request:?}");
    for signed in ["host", "x-amz-date"] {
        assert!(names.split(';').any(|name| name == signed), "{names}");
    }
    assert_eq!(scope[..8], time[..8]);
    (id.to_owned(), scope[9..].to_owned())
}

fn token() -> Reply {
    let token = STANDARD.encode("AWS:canary-token");
    let data = json!([{ "authorizationToken": token, "expiresAt": 1.5e9, "proxyEndpoint": "x" }]);
    Reply::json(&json!({ "authorizationData": data }))
}

/// Answers for the API of a registry, to the role or to the keys of the
/// environment.
fn api(request: &Request, key: &str, session: &str) -> Reply {
    assert_eq!((request.method.as_str(), request.url.as_str()), ("POST", API));
    assert_eq!(signer(request), (key.to_owned(), "us-west-2/ecr/aws4_request".to_owned()));
    assert_eq!(request.header("x-amz-security-token"), session);
    assert_eq!(request.header("content-type"), "application/x-amz-json-1.1");
    assert_eq!(request.header("user-agent"), "ko/test");
    let target = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";
    assert_eq!(request.header("x-amz-target"), target);
    assert_eq!(request.body, r#"{"registryIds":["123456789012"]}"#);
    token()
}

fn of_role(request: &Request) -> Reply {
    api(request, "AKIDROLE", "canary-session")
}

fn role_xml(action: &str) -> Reply {
    Reply::new(
        200,
        format!(
            "<{action}Response><{action}Result><Credentials>\
             <AccessKeyId>AKIDROLE</AccessKeyId><SecretAccessKey>canary-role</SecretAccessKey>\
             <SessionToken>canary-session</SessionToken></Credentials></{action}Result>\
             </{action}Response>"
        ),
    )
}

fn role_json() -> Value {
    json!({
        "Code": "Success",
        "AccessKeyId": "AKIDROLE",
        "SecretAccessKey": "canary-role",
        "Token": "canary-session",
        "Expiration": "2040-01-01T00:00:00Z",
    })
}

fn with_keys(machine: Machine) -> Machine {
    machine.set("AWS_ACCESS_KEY_ID", "AKIDENV").set("AWS_SECRET_ACCESS_KEY", "canary-env")
}

async fn known(machine: &Machine) {
    assert_eq!(ask(&*machine.clouds().ecr, REGISTRY).await, basic("AWS", "canary-token"));
}

#[tokio::test]
async fn variables_have_keys() {
    let machine = with_keys(Machine::new(|request| api(request, "AKIDENV", "")));
    known(&machine).await;
    let machine = with_keys(Machine::new(|request| api(request, "AKIDENV", "canary-session")));
    known(&machine.set("AWS_SESSION_TOKEN", "canary-session")).await;
}

#[tokio::test]
async fn all_registries_share_keys_and_each_is_asked_once() {
    let machine = with_keys(Machine::new(|_| token()));
    let clouds = machine.clouds();
    for registry in [REGISTRY, REGISTRY, "123456789012.dkr.ecr.eu-west-1.amazonaws.com"] {
        ask(&*clouds.ecr, registry).await;
    }
    let urls: Vec<String> = machine.cloud.requests().into_iter().map(|asked| asked.url).collect();
    assert_eq!(urls, [API, "https://api.ecr.eu-west-1.amazonaws.com/"]);
}

#[tokio::test]
async fn public_repositories_are_in_a_region_of_their_own() {
    let machine = with_keys(Machine::new(|request| {
        assert_eq!(request.url, "https://api.ecr-public.us-east-1.amazonaws.com/");
        let scope = "us-east-1/ecr-public/aws4_request".to_owned();
        assert_eq!(signer(request), ("AKIDENV".to_owned(), scope));
        let target = "SpencerFrontendService.GetAuthorizationToken";
        assert_eq!(request.header("x-amz-target"), target);
        assert_eq!(request.body, "{}");
        let token = STANDARD.encode("AWS:canary-token");
        Reply::json(&json!({ "authorizationData": { "authorizationToken": token } }))
    }));
    let machine = machine.set("AWS_REGION", "eu-west-1");
    let found = ask(&*machine.clouds().ecr, "public.ecr.aws").await;
    assert_eq!(found, basic("AWS", "canary-token"));
}

#[tokio::test]
async fn endpoints_can_be_named() {
    for (name, value) in
        [("AWS_ENDPOINT_URL", "SERVER/all"), ("AWS_ENDPOINT_URL_ECR", "SERVER/all")]
    {
        let machine = with_keys(Machine::new(|request| {
            assert!(request.url.ends_with("/all"), "{request:?}");
            signer(request);
            token()
        }));
        let value = value.replace("SERVER", &machine.cloud.url());
        known(&machine.set(name, &value)).await;
    }
    let machine = with_keys(Machine::new(|request| api(request, "AKIDENV", "")));
    let machine = machine
        .set("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .set("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
    known(&machine).await;
    let machine = with_keys(Machine::new(|_| token()));
    let config = "[default]\nservices = s\n[services s]\necr =\n  endpoint_url = SERVER/ecr\n";
    let machine = machine.file(".aws/config", config);
    known(&machine).await;
    assert_eq!(machine.cloud.requests()[0].url, format!("{}/ecr", machine.cloud.url()));
}

#[tokio::test]
async fn a_profile_takes_a_role_with_the_keys_of_another() {
    let machine = Machine::new(|request| {
        if request.url.starts_with("https://api.ecr") {
            return of_role(request);
        }
        assert_eq!(request.url, "https://sts.eu-central-1.amazonaws.com/");
        let scope = "eu-central-1/sts/aws4_request".to_owned();
        assert_eq!(signer(request), ("AKIDENV".to_owned(), scope));
        let form = request.form();
        assert_eq!(form["Action"], "AssumeRole");
        assert_eq!(form["Version"], "2011-06-15");
        assert_eq!(form["RoleArn"], "arn:aws:iam::123456789012:role/push");
        assert_eq!(form["RoleSessionName"], "me");
        assert_eq!(form["ExternalId"], "ext");
        assert_eq!(form["DurationSeconds"], "900");
        role_xml("AssumeRole")
    });
    let config = "[profile dev]\nrole_arn = arn:aws:iam::123456789012:role/push\n\
                  source_profile = base\nregion = eu-central-1\nrole_session_name = me\n\
                  external_id = ext\nduration_seconds = 900\n";
    let credentials = "[base]\naws_access_key_id = AKIDENV\naws_secret_access_key = canary-env\n";
    let machine = machine
        .file(".aws/config", config)
        .file(".aws/credentials", credentials)
        .set("AWS_PROFILE", "dev");
    known(&machine).await;
}

#[tokio::test]
async fn a_program_gives_keys() {
    let machine = Machine::new(of_role);
    let line = format!("{}/give", machine.path("bin").display());
    let output = r#"echo '{"Version":1,"AccessKeyId":"AKIDROLE","SecretAccessKey":"canary-role","SessionToken":"canary-session"}'"#;
    let machine = machine
        .file(".aws/config", &format!("[default]\ncredential_process = {line} \"a b\"\n"))
        .program("give", output);
    known(&machine).await;
    assert_eq!(machine.runs(), ["give a b"]);
}

#[tokio::test]
async fn a_token_of_another_one_takes_a_role() {
    let answer = |request: &Request| {
        if request.url.starts_with("https://api.ecr") {
            return of_role(request);
        }
        assert_eq!(request.url, "https://sts.us-west-2.amazonaws.com/");
        assert_eq!(request.header("authorization"), "");
        let form = request.form();
        assert_eq!(form["Action"], "AssumeRoleWithWebIdentity");
        assert_eq!(form["RoleArn"], "arn:role");
        assert_eq!(form["RoleSessionName"], "me");
        assert_eq!(form["WebIdentityToken"], "canary-jwt");
        role_xml("AssumeRoleWithWebIdentity")
    };
    let machine = Machine::new(answer)
        .named_file("AWS_WEB_IDENTITY_TOKEN_FILE", "token", "canary-jwt\n")
        .set("AWS_ROLE_ARN", "arn:role")
        .set("AWS_ROLE_SESSION_NAME", "me");
    known(&machine).await;
    let machine = Machine::new(answer).file("token", "canary-jwt");
    let token = machine.path("token").display().to_string();
    let config = format!(
        "[default]\nrole_arn = arn:role\nrole_session_name = me\nweb_identity_token_file = {token}\n"
    );
    known(&machine.file(".aws/config", &config)).await;
}

const SSO: &str = "[default]\nsso_session = work\nsso_account_id = 123456789012\n\
                   sso_role_name = push\n[sso-session work]\nsso_region = eu-west-1\n\
                   sso_start_url = https://work.awsapps.com/start\n";
/// SHA-1 of `work`.
const SSO_CACHE: &str = ".aws/sso/cache/e274eeff768c6396088ec6eb091f4bf4d47ab1e0.json";

fn sso(request: &Request) -> Reply {
    match request.url.as_str() {
        "https://portal.sso.eu-west-1.amazonaws.com/federation/credentials" => {
            let token = request.header("x-amz-sso_bearer_token");
            assert!(["canary-sso", "canary-new"].contains(&token), "{request:?}");
            let want = [("account_id", "123456789012"), ("role_name", "push")];
            let want = want.map(|(key, value)| (key.to_owned(), value.to_owned()));
            assert_eq!(request.parameters(), want.into());
            Reply::json(&json!({ "roleCredentials": {
                "accessKeyId": "AKIDROLE",
                "secretAccessKey": "canary-role",
                "sessionToken": "canary-session",
                "expiration": 2_000_000_000_000_u64,
            }}))
        }
        "https://oidc.eu-west-1.amazonaws.com/token" => {
            let body: Value = serde_json::from_str(&request.body).unwrap();
            let want = json!({
                "clientId": "client",
                "clientSecret": "canary-client",
                "grantType": "refresh_token",
                "refreshToken": "canary-refresh",
            });
            assert_eq!(body, want);
            Reply::json(&json!({
                "accessToken": "canary-new",
                "expiresIn": 28800,
                "refreshToken": "canary-next",
                "tokenType": "Bearer",
            }))
        }
        _ => of_role(request),
    }
}

#[tokio::test]
async fn a_login_by_single_sign_on_is_used() {
    let cached = json!({ "accessToken": "canary-sso", "expiresAt": "2040-01-01T00:00:00UTC" });
    let machine = Machine::new(sso).file(".aws/config", SSO).file(SSO_CACHE, &cached.to_string());
    known(&machine).await;
}

#[tokio::test]
async fn a_login_by_single_sign_on_is_renewed_where_it_is_kept() {
    let cached = json!({
        "accessToken": "canary-sso",
        "expiresAt": "2020-01-01T00:00:00Z",
        "refreshToken": "canary-refresh",
        "clientId": "client",
        "clientSecret": "canary-client",
        "region": "eu-west-1",
    });
    let machine = Machine::new(sso).file(".aws/config", SSO).file(SSO_CACHE, &cached.to_string());
    known(&machine).await;
    let kept: Value = serde_json::from_slice(&fs::read(machine.path(SSO_CACHE)).unwrap()).unwrap();
    assert_eq!(kept["accessToken"], "canary-new");
    assert_eq!(kept["refreshToken"], "canary-next");
    assert_eq!(kept["region"], "eu-west-1");
    assert_ne!(kept["expiresAt"], "2020-01-01T00:00:00Z");
}

#[tokio::test]
async fn who_must_log_in_again_is_told_how() {
    let machine = Machine::silent().file(".aws/config", SSO);
    let cached = json!({ "accessToken": "canary-sso", "expiresAt": "2020-01-01T00:00:00Z" });
    let machine = machine.file(SSO_CACHE, &cached.to_string());
    let said = trouble(&*machine.clouds().ecr, REGISTRY).await;
    assert!(
        said.ends_with("the login has expired: run `aws sso login --profile default`"),
        "{said}"
    );
}

#[tokio::test]
async fn a_container_has_a_role() {
    let machine = Machine::new(|request| {
        if request.url.ends_with("/v1/credentials") {
            assert_eq!(request.header("authorization"), "canary-pod");
            return Reply::json(&role_json());
        }
        of_role(request)
    });
    let url = format!("{}/v1/credentials", machine.cloud.url());
    let machine = machine.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url).named_file(
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "pod",
        "canary-pod\n",
    );
    known(&machine).await;
}

#[tokio::test]
async fn a_machine_has_a_role() {
    let machine = Machine::new(|request| {
        let path = request.url.splitn(4, '/').nth(3).unwrap();
        match (request.method.as_str(), path) {
            ("PUT", "latest/api/token") => {
                assert_eq!(request.header("x-aws-ec2-metadata-token-ttl-seconds"), "300");
                Reply::new(200, "canary-imds")
            }
            ("GET", path) if path.starts_with("latest/meta-data/iam/security-credentials/") => {
                assert_eq!(request.header("x-aws-ec2-metadata-token"), "canary-imds");
                match path.rsplit('/').next().unwrap() {
                    "" => Reply::new(200, "push"),
                    "push" => Reply::json(&role_json()),
                    _ => Reply::new(404, ""),
                }
            }
            _ => of_role(request),
        }
    });
    known(&machine.served("AWS_EC2_METADATA_SERVICE_ENDPOINT")).await;
}

#[tokio::test]
async fn what_goes_wrong_is_said_without_secrets() {
    let denied = json!({
        "__type": "com.amazon.coral#AccessDeniedException",
        "message": "not you\nPOST\n/\nx-amz-security-token:canary",
    });
    let machine = with_keys(Machine::new(move |_| Reply::new(400, denied.to_string())));
    let said = trouble(&*machine.clouds().ecr, REGISTRY).await;
    let want = format!("no credentials for Amazon ECR: {API}: 400 AccessDeniedException: not you");
    assert_eq!(said, want);

    let machine = with_keys(Machine::new(|_| {
        Reply::new(403, r#"{"__type":"InvalidSignatureException","message":"expired"}"#)
            .header("date", "Sun, 06 Nov 1994 08:49:37 GMT")
    }));
    let said = trouble(&*machine.clouds().ecr, REGISTRY).await;
    assert!(said.contains("403 InvalidSignatureException: expired (this machine's clock is "));
    assert!(said.ends_with(" minutes ahead of the server's)"), "{said}");

    for (config, want) in [
        ("[default]\nrole_arn = r\n", "role_arn: source_profile or credential_source is missing"),
        ("[default]\nrole_arn = r\nsource_profile = x\n", "there is no profile \"x\""),
        ("[default]\nrole_arn = r\ncredential_source = X\n", "credential_source: it is not known"),
        ("[default]\naws_access_key_id = A\n", "aws_secret_access_key is missing"),
        ("[default]\ncredential_process = echo canary\n", "it is not JSON (line 1, column 1)"),
        ("[default]\ncredential_process = exit 3\n", "exit status: 3"),
        ("[default]\nsso_session = x\n", "sso_account_id: it is missing"),
        (
            "[default]\nrole_arn=r\nsource_profile=a\n[profile a]\nrole_arn=r\nsource_profile=default\n",
            "source_profile: it leads to itself",
        ),
        (
            "[default]\nrole_arn=r\nmfa_serial=m\nsource_profile=a\n\
             [profile a]\naws_access_key_id=A\naws_secret_access_key=canary\n",
            "mfa_serial: a code of this device would have to be typed",
        ),
    ] {
        let machine = Machine::silent().file(".aws/config", config);
        let said = trouble(&*machine.clouds().ecr, REGISTRY).await;
        assert!(said.contains(want), "{config}: {said}");
    }

    let machine = Machine::silent().set("AWS_EC2_METADATA_DISABLED", "true");
    let said = trouble(&*machine.clouds().ecr, REGISTRY).await;
    let want = "no credentials for Amazon ECR: found none in AWS_ACCESS_KEY_ID, \
                AWS_WEB_IDENTITY_TOKEN_FILE, the AWS profile, the container and the machine";
    assert_eq!(said, want);
    assert_eq!(ask(&*machine.clouds().ecr, "gcr.io").await, Credential::Anonymous);
}

/// What is asked of the API to make a repository, and what comes of it.
async fn create(repository: &str, api: Reply) -> (Option<Request>, Result<bool, String>) {
    let machine = with_keys(Machine::new(move |_| api.clone()));
    let repository = repository.parse().unwrap();
    let made = machine.clouds().ecr.create(&repository).await;
    (machine.cloud.requests().pop(), made.map_err(|error| error.to_string()))
}

#[tokio::test]
async fn repositories_are_made() {
    let private = format!("{REGISTRY}/team/app");
    let body = r#"{"registryId":"123456789012","repositoryName":"team/app"}"#;
    let target = "AmazonEC2ContainerRegistry_V20150921.CreateRepository";
    let (request, made) = create(&private, Reply::json(&json!({ "repository": {} }))).await;
    let request = request.unwrap();
    assert_eq!(made, Ok(true));
    assert_eq!(
        (&*request.url, request.header("x-amz-target"), &*request.body),
        (API, target, body)
    );
    assert_eq!(signer(&request).1, "us-west-2/ecr/aws4_request");

    let (request, made) = create("public.ecr.aws/alias/team/app", Reply::json(&json!({}))).await;
    let request = request.unwrap();
    assert_eq!(made, Ok(true));
    assert_eq!(request.url, "https://api.ecr-public.us-east-1.amazonaws.com/");
    assert_eq!(request.header("x-amz-target"), "SpencerFrontendService.CreateRepository");
    assert_eq!(request.body, r#"{"repositoryName":"team/app"}"#);
    assert_eq!(signer(&request).1, "us-east-1/ecr-public/aws4_request");

    for kind in ["", "com.amazonaws.ecr#"] {
        let kind = format!("{kind}RepositoryAlreadyExistsException");
        let (_, made) =
            create(&private, Reply::new(400, json!({ "__type": kind }).to_string())).await;
        assert_eq!(made, Ok(true));
    }
    let denied = json!({ "__type": "AccessDeniedException", "message": "not you" }).to_string();
    let (_, made) = create(&private, Reply::new(400, denied)).await;
    let want = format!("Amazon ECR: {API}: 400 AccessDeniedException: not you");
    assert_eq!(made, Err(want));
    for other in ["registry.example.com/app", "gcr.io/team/app"] {
        let (request, made) = create(other, Reply::new(500, "")).await;
        assert!(request.is_none());
        assert_eq!(made, Ok(false));
    }
}

/// Every way in which the API may fail to make a repository: it is made in the end, or
/// the error names the API and what it said.
#[tokio::test]
async fn a_repository_is_made_or_the_error_says_why_not() {
    let body = json!({ "repository": {} });
    let good = || Reply::json(&body);
    let page = "<html>Sign in</html>";
    let passing = [
        ("429", Reply::new(429, page)),
        ("500", Reply::new(500, page)),
        ("502", Reply::new(502, page)),
        ("503", Reply::new(503, page).header("retry-after", "1")),
        ("504", Reply::new(504, page)),
        ("", Reply::none()),
        ("", good().half()),
    ];
    let lasting = [
        ("302", Reply::new(302, "").header("location", "http://192.0.2.1/")),
        ("400", Reply::new(400, "{")),
        ("401", Reply::new(401, page)),
        ("403", Reply::new(403, page)),
        ("404", Reply::new(404, "{}")),
        ("408", Reply::new(408, "")),
        ("413", Reply::new(413, "")),
        ("416", Reply::new(416, "")),
        ("the answer is not the expected JSON", Reply::new(200, page)),
        ("the answer is not the expected JSON", Reply::new(200, "")),
        ("the answer is larger than 1 MiB", Reply::new(200, format!("{{{}", " ".repeat(2 << 20)))),
    ];
    let mut cases = Vec::new();
    for (said, fault) in &passing {
        cases.extend([(*said, fault, 1, 2), (*said, fault, 2, 3), (*said, fault, usize::MAX, 3)]);
    }
    cases.extend(lasting.iter().map(|(said, fault)| (*said, fault, usize::MAX, 1)));
    let runs = cases.into_iter().map(|(said, fault, times, requests)| {
        let (fault, good) = (fault.clone(), good());
        async move {
            let asked = AtomicUsize::new(0);
            let answer = move |_: &Request| {
                if asked.fetch_add(1, Ordering::Relaxed) < times {
                    fault.clone()
                } else {
                    good.clone()
                }
            };
            let machine = with_keys(Machine::new(answer));
            let repository = format!("{REGISTRY}/team/app").parse().unwrap();
            let made = machine.clouds().ecr.create(&repository).await;
            let made = made.map_err(|error| error.to_string());
            if times == usize::MAX {
                let error = made.unwrap_err();
                assert!(error.contains(&format!("Amazon ECR: {API}: {said}")), "{error}");
                assert!(!error.contains("canary"), "{error}");
            } else {
                assert_eq!(made, Ok(true), "{said} {times} times");
            }
            assert_eq!(machine.cloud.requests().len(), requests, "{said} {times} times");
        }
    });
    futures::future::join_all(runs).await;
}

/// The API has made it, and its answer was lost.
#[tokio::test]
async fn a_repository_whose_answer_was_lost_is_made() {
    let asked = AtomicUsize::new(0);
    let exists = json!({ "__type": "RepositoryAlreadyExistsException" }).to_string();
    let machine = with_keys(Machine::new(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => Reply::none(),
        _ => Reply::new(400, exists.clone()),
    }));
    let repository = format!("{REGISTRY}/team/app").parse().unwrap();
    assert!(machine.clouds().ecr.create(&repository).await.unwrap());
}
